//! Pictures in several encodings and layers, and a decoder that accepts nothing that a real one
//! could not go on with.
//!
//! Each packet says twice what it is: once in the words of its codec, which the server reads and
//! writes anew, and once in a [`Truth`] behind them. The decoder follows the codec's words, and
//! compares.

mod decoder;
mod descriptor;
mod format;
mod h264;
mod source;

pub(super) use decoder::Decoder;
pub use decoder::{LayersReport, Picture};
pub(super) use source::{Source, Written};

use crate::media::Codec;
use std::time::Duration;

/// Between two pictures.
pub(super) const INTERVAL: Duration = Duration::from_nanos(33_333_333);

/// What a publisher makes of its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayersConfig {
    /// H.264, VP8, VP9 or AV1.
    pub codec: Codec,
    /// How many encodings there are, each twice as large as the one before.
    pub encodings: u8,
    /// Packets name their encoding by its rid. Otherwise the offer has named all SSRCs.
    pub by_rid: bool,
    /// Spatial layers of each encoding, each twice as large as the one below; of VP9 and
    /// AV1 only.
    pub spatial: u8,
    /// Temporal layers of each encoding, 1 to 3; of H.264 none but the one.
    pub temporal: u8,
    /// Spatial layers refer to those below in keyframes only (k-SVC).
    pub key_only: bool,
}

impl LayersConfig {
    /// One encoding of one layer.
    pub const fn of(codec: Codec) -> Self {
        Self {
            codec,
            encodings: 1,
            by_rid: false,
            spatial: 1,
            temporal: 1,
            key_only: false,
        }
    }

    /// The temporal layer of each picture of the pattern.
    fn pattern(&self) -> &'static [u8] {
        match self.temporal {
            1 => &[0],
            2 => &[0, 1],
            _ => &[0, 2, 1, 2],
        }
    }

    /// To which picture before it one refers, by its position in the pattern.
    fn distance(&self, position: usize) -> u32 {
        match (self.temporal, position) {
            (1, _) => 1,
            (2, 0) => 2,
            (2, _) | (_, 1 | 3) => 1,
            (_, 0) => 4,
            _ => 2,
        }
    }

    /// Who had only the layers below that of the picture can go on with it.
    fn is_switching_point(&self, position: usize) -> bool {
        position == 1 || position == 2
    }

    /// Width and height, of an encoding up to a spatial layer.
    fn size(&self, encoding: u8, sid: u8) -> (u16, u16) {
        let level = encoding + sid;
        (320 << level, 180 << level)
    }

    /// In VP9, references are named by how far they are back, and not by a structure.
    fn is_flexible(&self) -> bool {
        self.key_only
    }
}

/// What a packet really is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Truth {
    encoding: u8,
    /// Counts the pictures of the encoding.
    picture: u32,
    sid: u8,
    tid: u8,
    /// Which packet of its frame, and how many that has.
    part: u8,
    parts: u8,
    /// Of a picture that needs no other.
    keyframe: bool,
    captured: Duration,
    /// Picture and spatial layer of what the frame is made of.
    refs: Vec<(u32, u8)>,
}
