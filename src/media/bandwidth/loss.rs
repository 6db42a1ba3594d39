//! A bound for paths whose queues are too short to be seen: losses that have to do with the rate.
//! Radio loses packets at any rate, and to send less would win nothing. So a loss leads to a
//! trial: less is sent, and if as much is lost then, the loss belongs to the path.
//!
//! A queue that is full loses some packets and takes others, as long as more is sent than it takes.
//! A radio that is gone for a moment loses all that is sent then, and nothing before and after. So
//! losses count only where most stretches of packets have lost some of theirs, and not all.

use std::time::{Duration, Instant};

/// A loss above what belongs to the path must be this high, as a share, to lead to a trial.
const HIGH: f64 = 0.15;
/// So high a loss is believed after fewer packets.
const SEVERE: f64 = 0.35;
/// A loss above what belongs to the path that lets the bound grow.
const LOW: f64 = 0.03;
const WINDOW: Duration = Duration::from_millis(1_000);
const WINDOW_PACKETS: u32 = 40;
const SEVERE_WINDOW: Duration = Duration::from_millis(150);
const SEVERE_PACKETS: u32 = 24;
/// The share of fewer packets is a matter of luck.
const FEW: u32 = 20;
/// How many packets make a stretch.
const STRETCH: u32 = 8;
/// Of so few stretches it cannot be told how losses are spread.
const MIN_STRETCHES: u32 = 3;
/// If more than this is lost for a whole window, it does not matter how.
const DESPERATE: f64 = 0.6;
/// No loss that belongs to a path is higher: a path that loses more carries nothing.
const MAX_INHERENT: f64 = 0.35;
/// Seconds over which losses are averaged.
const MEMORY: f64 = 8.0;
/// The bound grows so much a second while little is lost.
const GROWTH: f64 = 1.15;
/// A trial whose rate did not change is given up.
const TRIAL: Duration = Duration::from_secs(2);

/// What was lost of the packets of one peer connection, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Losses {
    lost: u32,
    total: u32,
    stretches: u32,
    /// … that lost some of their packets and not all.
    mixed: u32,
    /// The stretch under way.
    length: u32,
    gaps: u32,
}

impl Losses {
    /// The next packet, in the order in which they were sent.
    pub(super) fn packet(&mut self, lost: bool) {
        self.total = self.total.saturating_add(1);
        self.lost = self.lost.saturating_add(lost.into());
        self.length += 1;
        self.gaps += u32::from(lost);
        if self.length == STRETCH {
            self.stretches += 1;
            self.mixed += u32::from(self.gaps > 0 && self.gaps < STRETCH);
            (self.length, self.gaps) = (0, 0);
        }
    }

    /// Takes all but the stretch under way.
    pub(super) fn take(&mut self) -> Self {
        let taken = *self;
        *self = Self {
            length: self.length,
            gaps: self.gaps,
            ..Self::default()
        };
        taken
    }

    /// What others say.
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.total += other.total;
        self.stretches += other.stretches;
        self.mixed += other.mixed;
    }

    /// Of all packets, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.total.max(1))
    }

    /// Packets were lost and arrived all the time, and not now and then.
    fn are_lasting(&self) -> bool {
        self.stretches < MIN_STRETCHES || self.mixed * 2 >= self.stretches
    }
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    at: Instant,
    loss: f64,
    rate: f64,
}

/// The bound, and what it was learned from.
#[derive(Debug, Clone)]
pub(super) struct LossBound {
    bound: Option<f64>,
    inherent: f64,
    /// What is lost on average, over a while.
    mean: f64,
    losses: Losses,
    since: Option<Instant>,
    trial: Option<Trial>,
    share: f64,
}

impl LossBound {
    pub(super) fn new() -> Self {
        Self {
            bound: None,
            inherent: 0.0,
            mean: 0.0,
            losses: Losses::default(),
            since: None,
            trial: None,
            share: 0.0,
        }
    }

    /// bit/s, if there is a bound.
    pub(super) fn bound(&self) -> Option<f64> {
        self.bound
    }

    /// So much was lost lately that it is for the rate, whatever the path is.
    pub(super) fn is_overwhelming(&self) -> bool {
        self.share > MAX_INHERENT
    }

    /// The share that was lost lately.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// So much was lost while `acked` bit/s arrived.
    pub(super) fn feedback(&mut self, now: Instant, losses: Losses, acked: f64) {
        self.losses.add(losses);
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        let total = self.losses.total;
        if total == 0 {
            return;
        }
        let loss = self.losses.share();
        let lasting = self.losses.are_lasting();
        let full = elapsed >= WINDOW && total >= WINDOW_PACKETS;
        let severe =
            lasting && loss > SEVERE && elapsed >= SEVERE_WINDOW && total >= SEVERE_PACKETS;
        let stale = elapsed >= 2 * WINDOW;
        if !full && !severe && !stale {
            return;
        }
        (self.losses, self.since) = (Losses::default(), Some(now));
        if total < FEW && loss > self.share {
            // One of them is a large share: they can tell that little is lost, not that much is.
            return;
        }
        self.share = loss;
        let rate = acked / (1.0 - loss).max(0.05);
        let lasting = lasting || loss > DESPERATE;
        self.judge(now, (loss, lasting), rate, acked, elapsed);
    }

    fn judge(
        &mut self,
        now: Instant,
        (loss, lasting): (f64, bool),
        rate: f64,
        acked: f64,
        elapsed: Duration,
    ) {
        if loss < self.inherent {
            self.inherent += (loss - self.inherent) * 0.1;
        }
        if let Some(trial) = self.trial {
            let slower = rate < trial.rate * 0.9;
            if slower && loss > trial.loss * 0.7 && loss <= MAX_INHERENT {
                // As much is lost as before: it is not for the rate.
                self.inherent = self.inherent.max(loss);
                self.bound = None;
                self.trial = None;
                return;
            }
            if slower || now.saturating_duration_since(trial.at) > TRIAL {
                self.trial = None;
            } else {
                // Less was to be sent, and is not yet.
                return;
            }
        }
        // Losses in bursts are now more, now less; what has lasted for long is the path's.
        let excess = loss - self.inherent.max((self.mean * 1.5).min(0.10));
        self.mean += (loss - self.mean) * (elapsed.as_secs_f64() / MEMORY).min(1.0);
        if excess > HIGH && lasting {
            let arrived = acked * if loss > SEVERE { 0.85 } else { 0.95 };
            self.bound = Some(self.bound.map_or(arrived, |bound| bound.min(arrived)));
            self.trial = Some(Trial {
                at: now,
                loss,
                rate,
            });
        } else if excess < LOW
            && let Some(bound) = &mut self.bound
        {
            *bound *= GROWTH.powf(elapsed.as_secs_f64());
        }
    }

    /// The bound is so far above everything else that it means nothing any more; or a probe has
    /// shown that more gets through.
    pub(super) fn forget_above(&mut self, bitrate: f64) {
        if self.bound.is_some_and(|bound| bound > bitrate) {
            self.bound = None;
        }
    }

    /// More gets through.
    pub(super) fn raise(&mut self, bitrate: f64) {
        if let Some(bound) = &mut self.bound {
            *bound = bound.max(bitrate);
        }
    }
}
