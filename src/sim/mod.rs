//! Shards and clients in virtual time, joined by links that lose, delay, reorder and duplicate.
//!
//! Nothing here looks at a clock or a socket: the caller says when the world begins, one seed
//! decides everything else, and the same seed gives the same [`Report`]s. The handshakes inside
//! ICE and DTLS draw their own random numbers, which may change the length of a certificate's
//! signature by a byte: links therefore decide by the kind of a datagram, never by its contents,
//! and each kind has a random stream of its own.
//!
//! The clients are not browsers: they pace, ask and decode as plainly as the question allows.

mod client;
pub mod conference;
mod decode;
pub mod layers;
mod link;
mod payload;
mod queue;
mod random;
mod receiver;
mod report;
mod sealed;
mod sender;
mod signal;
mod world;

pub use link::{BIN, Bursts, Link, LinkConfig, LinkFigures, Step};
pub use payload::Mark;
pub use random::Random;
pub use receiver::ReceiverConfig;
pub use report::{ClientReport, Report, TrackReport};
pub use sender::{SenderConfig, VideoConfig};
pub use world::{ClientId, HostId, SimError, World, WorldConfig};
