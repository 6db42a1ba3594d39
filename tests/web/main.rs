//! The web server over HTTP and HTTPS, and the program from its command line.

// Helpers of tests may fail as tests do.
#![allow(clippy::expect_used, clippy::panic)]

mod cli;
mod drain;
mod http_files;
mod http_groups;
mod http_packed;
mod http_secure;
mod log;
mod operations;
mod support;
#[cfg(feature = "otel")]
mod telemetry;
mod webhooks;
