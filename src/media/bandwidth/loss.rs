//! A bound for paths whose queues are too short to be seen: losses that have to do with the rate.
//! Radio loses packets at any rate, and to send less would win nothing. So a loss leads to a
//! trial: less is sent, and if as much is lost then, the loss belongs to the path.

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
const SEVERE_PACKETS: u32 = 12;
/// No loss that belongs to a path is higher: a path that loses more carries nothing.
const MAX_INHERENT: f64 = 0.35;
/// Seconds over which losses are averaged.
const MEMORY: f64 = 8.0;
/// The bound grows so much a second while little is lost.
const GROWTH: f64 = 1.15;
/// A trial whose rate did not change is given up.
const TRIAL: Duration = Duration::from_secs(2);

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
    lost: u32,
    total: u32,
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
            lost: 0,
            total: 0,
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

    /// So many packets of so many were lost while `acked` bit/s arrived.
    pub(super) fn feedback(&mut self, now: Instant, lost: u32, total: u32, acked: f64) {
        self.lost += lost;
        self.total += total;
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if self.total == 0 {
            return;
        }
        let loss = f64::from(self.lost) / f64::from(self.total);
        let full = elapsed >= WINDOW && self.total >= WINDOW_PACKETS;
        let severe = loss > SEVERE && elapsed >= SEVERE_WINDOW && self.total >= SEVERE_PACKETS;
        let stale = elapsed >= 2 * WINDOW;
        if !full && !severe && !stale {
            return;
        }
        (self.lost, self.total, self.since) = (0, 0, Some(now));
        self.share = loss;
        let rate = acked / (1.0 - loss).max(0.05);
        self.judge(now, loss, rate, acked, elapsed);
    }

    fn judge(&mut self, now: Instant, loss: f64, rate: f64, acked: f64, elapsed: Duration) {
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
        if excess > HIGH {
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
