//! The HTTP API, as an administrator's programs use it: a whole server with its folders, on
//! loopback.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authentication;
mod client;
mod editors;
mod fuzz;
#[allow(dead_code)]
#[path = "../signalling/harness.rs"]
mod harness;
mod live;
mod objects;
mod openapi;
mod origins;
#[allow(dead_code)]
#[path = "../web/support.rs"]
mod support;
mod table;
