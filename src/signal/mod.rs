//! The WebSocket protocol (`galene-protocol.md`, version 2): one file per kind of message.
//!
//! Each connection is one task, and what it sends leaves in one order: a message is read, its
//! [`session`] acts on it, and what that told this client waits in its mailbox like everything
//! that others cause. No one waits for a client that does not read: when its mailbox is full, it
//! is closed.

mod ban;
mod chat;
mod drain;
mod failure;
mod figures;
mod group_action;
mod join;
mod lobby;
mod message;
mod notices;
mod session;
mod socket;
mod speaker;
mod state;
mod statistics;
mod stream;
mod token;
mod user_action;
mod user_message;
mod whip;

pub use figures::{Counted, JoinCounts};
pub use socket::{Remote, limit, serve};
pub use state::{Limits, State};
pub use statistics::{
    ClientStatistics, DownTrackStatistics, GroupStatistics, StreamStatistics, UpTrackStatistics,
};
pub use whip::{Created, Door, Patched, WhipError, Wish};
