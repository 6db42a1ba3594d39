//! The WebSocket protocol as a client sees it: the real server, over a real socket on loopback.

mod actions;
mod chat;
mod connection;
mod files;
mod harness;
mod joining;
mod streams;
