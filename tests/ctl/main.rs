//! `perikonctl` as an administrator uses it: the program that was built, its command lines, and
//! what it prints, against a server of the test's own.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod console;
mod groups;
mod offline;
mod refusals;
#[allow(dead_code)]
#[path = "../web/support.rs"]
mod support;
mod tokens;
mod users;
