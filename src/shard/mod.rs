//! The forwarding engine: all peers of one core. Pure: it is told the time, the datagrams and
//! the commands, and answers with datagrams, events and its next timeout.

mod message;

pub use message::{
    Command, DownTrackConfig, Event, PeerId, ShardStats, StreamStats, TrackStats, UpTrackConfig,
};
