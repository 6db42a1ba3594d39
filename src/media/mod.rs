//! One RTP packet and what is known about a track. Pure: no clock, no socket, no randomness.

mod codec_name;
pub mod feedback;
pub mod nack;

pub use codec_name::{Codec, Kind};
