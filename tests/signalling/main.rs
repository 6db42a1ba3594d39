//! The WebSocket protocol as a client sees it: the real server, over a real socket on loopback.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod bans;
mod chat;
mod connection;
mod encodings;
mod fields;
mod files;
mod harness;
mod joining;
mod lobby;
mod messages;
mod roles;
mod speakers;
mod streams;
