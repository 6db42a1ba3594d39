//! Clusters of packets that are sent faster than the estimate, to see whether they arrive as fast.

use super::detector::Acked;
use std::time::{Duration, Instant};

/// The least packets that show a rate.
const MIN_PACKETS: u32 = 5;
/// Of the bytes that were to be sent, those that must have arrived.
const MIN_SHARE: f64 = 0.8;
/// Arriving slower than they were sent by more than this, they filled a queue.
const SATURATED: f64 = 0.9;
/// Results are waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a cluster.
#[derive(Debug, Clone)]
pub struct Probe {
    start: Instant,
    end: Option<Instant>,
    wanted: u32,
    packets: u32,
    bytes: u32,
    sent: Option<(Instant, Instant, u32)>,
    arrived: Option<(Duration, Duration, u32)>,
}

/// What a cluster showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// The path carries at least so many bit/s.
    Carried(u64),
    /// The path's queue grew; it carries about so many bit/s.
    Saturated(u64),
    /// Too few of its packets arrived to tell.
    Lost,
}

impl ProbeResult {
    /// The same, if so many bit/s more arrived by other ways.
    #[must_use]
    pub fn and(self, others: u64) -> Self {
        match self {
            Self::Carried(bitrate) => Self::Carried(bitrate + others),
            Self::Saturated(bitrate) => Self::Saturated(bitrate + others),
            Self::Lost => Self::Lost,
        }
    }
}

impl Probe {
    /// All that is sent from `start` until it is [closed](Self::close), which is to be so many bytes
    /// at least.
    pub fn new(start: Instant, wanted: u32) -> Self {
        Self {
            start,
            end: None,
            wanted,
            packets: 0,
            bytes: 0,
            sent: None,
            arrived: None,
        }
    }

    /// What is sent after this does not belong to it.
    pub fn close(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// A packet's fate became known.
    pub fn acked(&mut self, packet: &Acked) {
        let Some(arrived) = packet.arrived else {
            return;
        };
        if packet.sent < self.start || self.end.is_some_and(|end| packet.sent > end) {
            return;
        }
        self.packets += 1;
        self.bytes += packet.size;
        // The last packet sent takes no time of the sending, the first that arrives none of the
        // arriving.
        self.sent = Some(match self.sent {
            None => (packet.sent, packet.sent, packet.size),
            Some((first, last, _)) if packet.sent > last => (first, packet.sent, packet.size),
            Some((first, last, size)) => {
                let same = if packet.sent == last { packet.size } else { 0 };
                (first.min(packet.sent), last, size + same)
            }
        });
        self.arrived = Some(match self.arrived {
            None => (arrived, arrived, packet.size),
            Some((first, last, _)) if arrived < first => (arrived, last, packet.size),
            Some((first, last, size)) => (first, last.max(arrived), size),
        });
    }

    /// What it showed, once it is over.
    pub fn result(&self, now: Instant) -> Option<ProbeResult> {
        let Some(end) = self.end else {
            return (now > self.start + 2 * PATIENCE).then_some(ProbeResult::Lost);
        };
        let enough = self.packets >= MIN_PACKETS
            && f64::from(self.bytes) >= f64::from(self.wanted) * MIN_SHARE;
        if !enough {
            return (now > end + PATIENCE).then_some(ProbeResult::Lost);
        }
        let (first_sent, last_sent, last_size) = self.sent?;
        let (first_arrived, last_arrived, first_size) = self.arrived?;
        let rate = |bytes: u32, elapsed: Duration| {
            f64::from(bytes) * 8.0 / elapsed.as_secs_f64().max(0.001)
        };
        let sent = rate(
            self.bytes.saturating_sub(last_size),
            last_sent.saturating_duration_since(first_sent),
        );
        let arrived = rate(
            self.bytes.saturating_sub(first_size),
            last_arrived.saturating_sub(first_arrived),
        );
        Some(if arrived < sent * SATURATED {
            ProbeResult::Saturated(arrived as u64)
        } else {
            ProbeResult::Carried(sent.min(arrived) as u64)
        })
    }
}

/// Between probes that found nothing, at first and at most.
const PAUSE: Duration = Duration::from_millis(1_500);
const MAX_PAUSE: Duration = Duration::from_secs(4);
/// Between probes that found more.
const SUCCESS_PAUSE: Duration = Duration::from_millis(50);
/// An estimate of so many times what is wanted is enough to take it: more is not tried.
const NEEDED: f64 = 1.15;
/// How much faster than the estimate a probe is.
const FASTER: f64 = 2.0;
/// … and than what is wanted: it must show a little more than that, and shows less than it is.
const MARGIN: f64 = 1.3;
/// How long a cluster lasts, if that is enough packets.
const CLUSTER: f64 = 0.025;
/// The size of the packets that a cluster is at least a few of.
const PACKET: f64 = 1_000.0;

/// When to probe, and how fast.
#[derive(Debug, Clone)]
pub struct Schedule {
    next: Option<Instant>,
    pause: Duration,
    running: bool,
}

/// A cluster that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    /// bit/s it is sent at.
    pub rate: u64,
    /// Its length in all.
    pub bytes: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            next: None,
            pause: PAUSE,
            running: false,
        }
    }
}

impl Schedule {
    /// A cluster, if it is time for one: `wanted` bit/s would be used if the path carried them.
    pub fn due(&mut self, now: Instant, bitrate: u64, wanted: u64) -> Option<Cluster> {
        let (bitrate, wanted) = (bitrate as f64, wanted as f64);
        if self.running || bitrate >= wanted * NEEDED {
            return None;
        }
        let next = *self.next.get_or_insert(now);
        if now < next {
            return None;
        }
        self.running = true;
        let rate = (bitrate * FASTER).min(wanted * MARGIN);
        let packets = (rate * CLUSTER / 8.0 / PACKET)
            .ceil()
            .max(f64::from(MIN_PACKETS) + 1.0);
        Some(Cluster {
            rate: rate as u64,
            bytes: (packets * PACKET) as u32,
        })
    }

    /// A cluster could not be sent, or showed something.
    pub fn done(&mut self, now: Instant, result: ProbeResult) {
        self.running = false;
        self.pause = match result {
            ProbeResult::Carried(_) => {
                self.next = Some(now + SUCCESS_PAUSE);
                PAUSE
            }
            ProbeResult::Saturated(_) | ProbeResult::Lost => {
                self.next = Some(now + self.pause);
                self.pause.mul_f64(1.5).min(MAX_PAUSE)
            }
        };
    }

    /// Whoever carried a cluster may be gone.
    pub fn forget(&mut self) {
        self.running = false;
    }

    /// The path is congested: not now.
    pub fn congested(&mut self, now: Instant) {
        self.pause = PAUSE;
        self.next = Some(now + PAUSE);
    }
}
