//! One RTP packet and what is known about a track. Pure: no clock, no socket, no randomness.

pub mod bandwidth;
pub mod cache;
pub mod codec;
mod codec_name;
pub mod down;
pub mod feedback;
pub mod keyframe;
pub mod layer;
pub mod nack;
pub mod packet;
pub mod padding;
pub mod rate;
pub mod red;
pub mod rtx;
pub mod send_log;
pub mod seq;
pub mod seqmap;
pub mod twcc;
pub mod up;
pub mod voice;

pub use codec_name::{Codec, Kind};
