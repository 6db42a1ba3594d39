//! What a client observed.

use super::layers::LayersReport;
use super::world::World;
use crate::media::send_log::SendFigures;
use std::time::Duration;

/// What became of one track on its way to one receiver. Times count from the beginning of the
/// world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackReport {
    /// Packets that arrived, each counted once.
    pub received: u64,
    /// The sender's number of the first that arrived, and of the highest.
    pub range: Option<(u64, u64)>,
    /// Packets after the first that never arrived, though they are no longer asked for.
    pub given_up: u64,
    /// Packets from before the first that arrived, overtaken by it.
    pub early: u64,
    /// Packets that are missing now and still asked for.
    pub missing: u64,
    /// Packets that arrived more than once, and were refused as SRTP demands.
    pub replayed: u64,
    /// Packets that were not what had come under their number before: their key is as good as known.
    pub resealed: u64,
    /// Packets whose authentication failed.
    pub forged: u64,
    /// Packets whose payload was not, to the last byte, as it was sent.
    pub corrupted: u64,
    /// Packets whose sequence number does not follow the sender's order.
    pub misnumbered: u64,
    /// Packets that follow one which the sender had not sent just before, but under the next
    /// number: the track was off in between.
    pub cuts: u64,
    /// … and what was sent in between.
    pub left_out: u64,
    /// Packets with another payload type, or header extensions not as they were offered.
    pub mislabelled: u64,
    /// The same contents under another sequence number.
    pub repeated: u64,
    /// Jumps of the sequence numbers that no loss explains.
    pub jumps: u64,
    /// Packets that arrived after they were asked for.
    pub repaired: u64,
    /// Numbers that were asked for, repetitions included.
    pub asked: u64,
    /// Packets of the stream of repairs.
    pub by_rtx: u64,
    /// … whose original had arrived.
    pub needless: u64,
    /// Earlier packets of sound that came in later ones.
    pub copies: u64,
    /// Requests for a keyframe.
    pub keyframe_requests: u64,
    /// From capture to arrival of each packet, in µs.
    pub latencies: Vec<u32>,
    /// … of those that were repaired.
    pub repairs: Vec<u32>,
    /// Frames that could be decoded.
    pub frames: u64,
    /// … that needed no other.
    pub keyframes: u64,
    /// Frames that were passed over because something of them was given up.
    pub skipped: u64,
    /// When the first packet arrived.
    pub first_packet: Option<Duration>,
    /// When the first frame could be decoded.
    pub first_frame: Option<Duration>,
    /// When the last frame could be decoded.
    pub last_frame: Option<Duration>,
    /// The longest time between two frames.
    pub longest_freeze: Duration,
    /// Sender reports that arrived.
    pub sender_reports: u64,
    /// By the sender's reports: the NTP time of a packet's capture, less its true time, in µs.
    pub clock_offset: Option<i64>,
    /// Pictures with layers: what a decoder made of them.
    pub layers: Option<LayersReport>,
}

impl TrackReport {
    /// The latency that this share of the packets (0 to 1) does not exceed.
    pub fn latency(&self, share: f64) -> Duration {
        percentile(&self.latencies, share)
    }

    /// The same of repaired packets.
    pub fn repair_latency(&self, share: f64) -> Duration {
        percentile(&self.repairs, share)
    }
}

fn percentile(values: &[u32], share: f64) -> Duration {
    let mut values = values.to_vec();
    values.sort_unstable();
    let at = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    Duration::from_micros(values.get(at).copied().unwrap_or(0).into())
}

/// What one client saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientReport {
    /// When it was first connected.
    pub connected: Option<Duration>,
    /// How often its path changed since.
    pub moves: u32,
    /// Why its transport failed.
    pub failures: Vec<String>,
    /// The server said goodbye.
    pub closed: bool,
    /// A receiver: its tracks, sound first.
    pub tracks: Vec<TrackReport>,
    /// A publisher: packets sent, repairs left out.
    pub sent: Vec<u64>,
    /// A publisher: packets sent again.
    pub resent: u64,
    /// A publisher: what it heard of its packets.
    pub heard: SendFigures,
    /// A publisher: packets asked for that it no longer had.
    pub forgotten: u64,
    /// A publisher: when it was asked for keyframes.
    pub keyframe_requests: Vec<Duration>,
    /// A publisher: keyframes sent.
    pub keyframes: u64,
    /// A publisher: the loss the server last reported, 0 to 1, at its worst.
    pub reported_loss: f64,
    /// A publisher: receiver reports that arrived.
    pub receiver_reports: u64,
    /// RTCP that could not be opened or read.
    pub bad_rtcp: u64,
    /// RTP and RTCP that came before keys.
    pub before_keys: u64,
    /// RTP that no track of the client expects, and datagrams of no protocol.
    pub stray: u64,
}

/// What all clients saw, those that left included, in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report(pub Vec<ClientReport>);

impl World {
    /// The packets that crossed from one shard to another until now, in bytes.
    pub fn relayed(&self) -> u64 {
        self.relayed
    }
}
