//! What is counted of a track that is sent.

use std::time::Duration;

/// What was counted since the track began.
#[derive(Debug, Clone, Copy, Default)]
pub struct DownFigures {
    /// Packets sent, repairs left out.
    pub packets: u64,
    /// Their bytes, RTP headers included.
    pub bytes: u64,
    /// Payload bytes, as sender reports count them.
    pub payload_bytes: u64,
    /// bit/s over the last report interval.
    pub bitrate: u64,
    /// Packets that the receiver asked for again.
    pub nacks: u64,
    /// Packets sent again.
    pub repaired: u64,
    /// Packets sent with earlier ones in them.
    pub redundant: u64,
    /// Keyframes that began.
    pub keyframes: u64,
    /// PLI and FIR received.
    pub keyframe_requests: u64,
    /// Times that another encoding or layer was sent than before.
    pub switches: u64,
    /// Times that it was paused because the receiver's path did not carry it.
    pub pauses: u64,
    /// The receiver's last report: packets lost since the start,
    pub lost: u64,
    /// … the share lost in its last interval, 0 to 1,
    pub loss: f64,
    /// … and its jitter.
    pub jitter: Duration,
}
