//! What a media thread counts.

use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};

/// A distribution of nanoseconds, to three digits, up to a minute.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

const LONGEST: u64 = 60_000_000_000;

impl Default for Times {
    fn default() -> Self {
        // The bounds are right: it cannot fail.
        #[allow(clippy::expect_used)]
        Self(Histogram::new_with_bounds(1_000, LONGEST, 3).expect("bounds"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.min(LONGEST));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds below which a share of them lies.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e6
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.max() as f64 / 1e6
    }
}

/// Counted since the measurement began, by one thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// RTP packets that publishers sent.
    pub(crate) sent: u64,
    /// Packets that the kernel did not take.
    pub(crate) refused: u64,
    /// Packets that servers asked publishers for again, and got.
    pub(crate) resent: u64,
    /// PLI and FIR that publishers got.
    pub(crate) keyframe_requests: u64,
    /// RTP packets that receivers got, each once.
    pub(crate) received: u64,
    /// Their bytes on the wire above UDP, duplicates included.
    pub(crate) bytes: u64,
    /// RTP packets that came twice, or a thousand packets late.
    pub(crate) duplicates: u64,
    /// RTP packets that came after a later one.
    pub(crate) reordered: u64,
    /// Numbers that never came, or came so late that they are not missed any more.
    pub(crate) lost: u64,
    /// Packets that the server left out without a gap in its numbers.
    pub(crate) withheld: u64,
    /// Decrypted and compared.
    pub(crate) verified: u64,
    /// Of those: the tag was wrong.
    pub(crate) forged: u64,
    /// Of those: not what was sent.
    pub(crate) corrupt: u64,
    /// Of those: sent before the receiver was there.
    pub(crate) replayed: u64,
    /// Packets asked for again.
    pub(crate) nacked: u64,
    /// RTP of no known kind or key.
    pub(crate) unknown: u64,
    /// From the publisher's hand to the receiver's socket.
    pub(crate) latency: Times,
    /// By how much bursts left later than planned.
    pub(crate) lateness: Times,
    /// Bursts that left more than 2 ms late.
    pub(crate) late: u64,
    /// Bursts that were given up because the thread was far behind.
    pub(crate) skipped: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counters().into_iter().zip(other.clone().counters()) {
            *mine += *theirs;
        }
        self.latency.add(&other.latency);
        self.lateness.add(&other.lateness);
    }

    fn counters(&mut self) -> [&mut u64; 18] {
        [
            &mut self.sent,
            &mut self.refused,
            &mut self.resent,
            &mut self.keyframe_requests,
            &mut self.received,
            &mut self.bytes,
            &mut self.duplicates,
            &mut self.reordered,
            &mut self.lost,
            &mut self.withheld,
            &mut self.verified,
            &mut self.forged,
            &mut self.corrupt,
            &mut self.replayed,
            &mut self.nacked,
            &mut self.unknown,
            &mut self.late,
            &mut self.skipped,
        ]
    }
}

/// What one flow's end knows of its last packet: tells losses that no later number shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    /// See [`super::payload::Stamp`].
    pub(crate) source: u32,
    /// The counter of the last packet.
    pub(crate) counter: u64,
}

/// What a media thread tells when it is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) figures: Figures,
    /// Of the publishers' flows.
    pub(crate) sent: Vec<Last>,
    /// Of the receivers' tracks.
    pub(crate) received: Vec<Last>,
    /// Peer connections that publish, and have a path and keys.
    pub(crate) publishing: usize,
    /// The same of those that receive.
    pub(crate) receiving: usize,
}

impl Snapshot {
    pub(crate) fn add(&mut self, other: &Self) {
        self.figures.add(&other.figures);
        self.sent.extend(&other.sent);
        self.received.extend(&other.received);
        self.publishing += other.publishing;
        self.receiving += other.receiving;
    }

    /// Packets of the end that never came: the publisher's last are beyond the receiver's.
    pub(crate) fn tail_loss(&self) -> u64 {
        self.received
            .iter()
            .filter_map(|received| {
                let sent = self
                    .sent
                    .iter()
                    .find(|sent| sent.source == received.source)?;
                Some(sent.counter.saturating_sub(received.counter))
            })
            .sum()
    }
}

/// What all threads count for the line that is shown while it runs.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) late: AtomicU64,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LiveValues {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
}

impl LiveValues {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            received: self.received.saturating_sub(before.received),
            lost: self.lost.saturating_sub(before.lost),
            late: self.late.saturating_sub(before.late),
        }
    }
}

impl Live {
    pub(crate) fn add(&self, values: &LiveValues) {
        for (counter, value) in [
            (&self.sent, values.sent),
            (&self.received, values.received),
            (&self.lost, values.lost),
            (&self.late, values.late),
        ] {
            if value > 0 {
                counter.fetch_add(value, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read(&self) -> LiveValues {
        LiveValues {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
        }
    }
}
