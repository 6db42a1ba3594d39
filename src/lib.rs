//! Perikon: a videoconference server, a selective forwarding unit (SFU) that is a drop-in
//! replacement for Galène.
//!
//! The map of the crate, from the packet outwards:
//!
//! | module | what it is |
//! |---|---|
//! | [`media`] | pure: one RTP packet and what is known about a track |
//! | [`transport`] | pure: one peer connection (ICE, DTLS, SRTP, SDP) |
//! | [`shard`] | pure: the forwarding engine, all peers of one core |
//! | [`sim`] | pure: shards and clients in virtual time, for tests |
//! | [`net`] | the only code that touches UDP and the clock |
//! | [`group`] | descriptions, permissions, credentials, membership, history |
//! | [`signal`] | the WebSocket protocol, one file per kind of message |
//! | [`web`] | pages, status, static files |
//! | [`figures`] | pure: how durations are counted |
//! | [`webhook`] | what happens in groups, told to URLs |
//! | [`config`] | command line and `data/config.json` |
//! | [`memory`] | what the allocator keeps |
//! | [`trace`] | what is traced, with the feature `otel` |
//! | [`server`] | all of these together, started and stopped |
//!
//! Invariants:
//! - `media`, `transport` and `shard` never ask for the time, a socket or randomness: they are
//!   told. The same input gives the same output, so a simulation repeats exactly.
//! - A shard is one thread. Nothing in it locks, waits or shares; it is told by [`shard::Command`]
//!   and tells by [`shard::Event`].
//! - The packet path makes no allocation per packet or per receiver.
//! - One writer per SSRC and key: a [`media`] down track is sealed by exactly one shard.

pub mod config;
pub mod figures;
pub mod group;
pub mod media;
pub mod memory;
pub mod net;
pub mod server;
pub mod shard;
pub mod signal;
pub mod sim;
pub mod trace;
pub mod transport;
pub mod web;
pub mod webhook;

pub use server::Server;
