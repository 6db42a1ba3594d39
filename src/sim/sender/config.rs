//! What a simulated publisher is like.

use crate::sim::layers::LayersConfig;
use std::time::Duration;

/// The camera of a publisher.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoConfig {
    /// Frames a second.
    pub rate: u32,
    /// Bytes of an ordinary frame, on average.
    pub frame: usize,
    /// Bytes of a keyframe.
    pub keyframe: usize,
    /// Between two keyframes that nobody asked for; `None` for the first only.
    pub keyframe_interval: Option<Duration>,
}

impl Default for VideoConfig {
    /// 30 frames a second, 0.8 Mbit/s.
    fn default() -> Self {
        Self {
            rate: 30,
            frame: 3_300,
            keyframe: 20_000,
            keyframe_interval: None,
        }
    }
}

/// What a publisher is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SenderConfig {
    /// It sends sound, 50 packets a second.
    pub audio: bool,
    /// It sends pictures.
    pub video: Option<VideoConfig>,
    /// It sends pictures in layers and encodings instead.
    pub layers: Option<LayersConfig>,
    /// Its offer names its SSRCs.
    pub announces_ssrcs: bool,
    /// The sequence number of each track's first packet; random below 2¹⁵ if not given.
    pub first_seqno: Option<u16>,
    /// How far its wall clock is ahead.
    pub clock_ahead: Duration,
    /// It sends pictures again by a stream of their own (RFC 4588).
    pub rtx: bool,
    /// It sends again what it is asked for.
    pub nack: bool,
    /// It wants to be told what arrived, by transport-wide numbers.
    pub transport_cc: bool,
    /// The share of the packets that it does not even send, to test repair from its history.
    pub withheld: f64,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self {
            audio: true,
            video: Some(VideoConfig::default()),
            layers: None,
            announces_ssrcs: true,
            first_seqno: None,
            clock_ahead: Duration::from_secs(5),
            rtx: true,
            nack: true,
            transport_cc: false,
            withheld: 0.0,
        }
    }
}

impl SenderConfig {
    /// Packets name their encodings.
    pub(super) fn has_rids(&self) -> bool {
        self.layers
            .is_some_and(|layers| layers.by_rid && layers.encodings > 1)
    }
}
