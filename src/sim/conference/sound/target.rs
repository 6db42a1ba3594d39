//! How long sound waits before it is played.
//!
//! As libwebrtc's does: the greater of two. One is how much later than the fastest of the last two
//! seconds the packets in order came, the worst of each half second, all but one in twenty of these.
//! The other looks at packets out of order, repairs mostly: each percent of all that would come in
//! time is worth 20 ms. Both remember in buckets of 20 ms and forget slowly.

use std::collections::VecDeque;

/// µs of a bucket.
const BUCKET: i64 = 20_000;
const BUCKETS: usize = 100;
/// While nothing is known, and the least and most.
const START: i64 = 80_000;
const MIN: i64 = 40_000;
const MAX: i64 = 1_000_000;
/// The fastest packet of so long is what others are compared with.
const WINDOW: i64 = 2_000_000;
/// The worst of so long counts.
const INTERVAL: i64 = 500_000;
const FORGET: f64 = 0.983;
const FORGET_REORDERED: f64 = 0.9993;
/// Until so much has been seen, it forgets faster.
const START_WEIGHT: f64 = 2.0;
const QUANTILE: f64 = 0.95;
/// What the loss of everything would be worth.
const PER_LOSS: f64 = 100.0 * 20_000.0;

/// Shares of what was seen, the old ones worth less.
#[derive(Debug)]
struct Histogram {
    buckets: [f64; BUCKETS],
    forget: f64,
    added: u32,
}

impl Histogram {
    fn new(forget: f64) -> Self {
        Self {
            buckets: [0.0; BUCKETS],
            forget,
            added: 0,
        }
    }

    fn add(&mut self, delay: i64) {
        let Some(at) = usize::try_from(delay / BUCKET)
            .ok()
            .filter(|at| *at < BUCKETS)
        else {
            return;
        };
        self.added += 1;
        let learned = 1.0 - START_WEIGHT / (f64::from(self.added) + 1.0);
        let forget = self.forget.min(learned).max(0.0);
        for bucket in &mut self.buckets {
            *bucket *= forget;
        }
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1.0 - forget;
        }
    }

    /// The end of the bucket below whose end such a share is; `None` if nothing was seen.
    fn quantile(&self, share: f64) -> Option<i64> {
        let mut below = 0.0;
        let at = self.buckets.iter().position(|bucket| {
            below += bucket;
            below >= share - 1e-9
        });
        at.filter(|_| self.added > 0).map(end)
    }

    /// The end of the bucket up to whose end it is worth to wait, if one waits for `anyway`.
    fn worth(&self, anyway: i64) -> i64 {
        let mut lost = 1.0;
        let mut best = (f64::MAX, 0);
        for (at, bucket) in self.buckets.iter().enumerate() {
            lost -= bucket;
            let waits = (at as i64 * BUCKET - anyway).max(0) as f64;
            let cost = waits + PER_LOSS * lost;
            if cost < best.0 {
                best = (cost, at);
            }
        }
        end(best.1)
    }
}

fn end(bucket: usize) -> i64 {
    (bucket as i64 + 1) * BUCKET
}

/// See the module.
#[derive(Debug)]
pub(super) struct Target {
    /// Timestamp and transit of the last packets.
    history: VecDeque<(i64, i64)>,
    newest: i64,
    /// When the half second began, and the worst in it.
    interval: Option<(i64, i64)>,
    ordered: Histogram,
    reordered: Histogram,
    target: i64,
    /// The least arrival less timestamp: what a packet takes that waits nowhere.
    base: i64,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            history: VecDeque::new(),
            newest: i64::MIN,
            interval: None,
            ordered: Histogram::new(FORGET),
            reordered: Histogram::new(FORGET_REORDERED),
            target: START,
            base: 0,
        }
    }
}

impl Target {
    /// A packet arrived.
    pub(super) fn arrived(&mut self, now: i64, timestamp: i64) {
        let is_reordered = timestamp < self.newest;
        self.newest = self.newest.max(timestamp);
        let transit = now - timestamp;
        let oldest = self.newest - WINDOW;
        self.history.retain(|(timestamp, _)| *timestamp >= oldest);
        self.history.push_back((timestamp, transit));
        let transits = self.history.iter().map(|(_, transit)| *transit);
        self.base = transits.min().unwrap_or(transit);
        let late = transit - self.base;
        if !is_reordered {
            let (begin, worst) = self.interval.get_or_insert((now, 0));
            if now - *begin > INTERVAL {
                self.ordered.add(*worst);
                (*begin, *worst) = (now, 0);
            }
            *worst = late.max(*worst);
        }
        self.reordered.add(if is_reordered { late } else { 0 });
        let ordered = self.ordered.quantile(QUANTILE).unwrap_or(START);
        let target = ordered.max(self.reordered.worth(ordered));
        self.target = target.clamp(MIN, MAX);
    }

    /// µs.
    pub(super) fn get(&self) -> i64 {
        self.target
    }

    /// What a packet takes that waits nowhere, from timestamp to arrival.
    pub(super) fn base(&self) -> i64 {
        self.base
    }
}
