//! One client's estimate: what its detectors, losses and probes say together.

use super::detector::Reading;
use super::loss::LossBound;
use super::probe::ProbeResult;
use super::trend::Usage;
use std::time::{Duration, Instant};

/// The estimate never falls below this, in bit/s: a voice.
pub const FLOOR: u64 = 30_000;
/// … nor rises above this.
const CEILING: f64 = 200_000_000.0;
/// Where it begins: what a receiver is taken to bear before anything was heard of it.
const START: f64 = 1_500_000.0;
/// Of what arrives while the queue grows, how much is sent then.
const BACK_OFF: f64 = 0.85;
/// … where that was seen while the queue is short.
const BACK_OFF_EARLY: f64 = 0.92;
/// Of a rate that filled a queue when it was tried, what is used.
const PROBED: f64 = 0.88;
/// Growth a second where the path is known to carry little more.
const NEAR_GROWTH: f64 = 0.02;
/// Growth a second where nothing is known of the path.
const GROWTH: f64 = 1.08;
/// The estimate does not grow beyond so many times what arrives: more was not tried.
const UNTRIED: f64 = 1.5;
/// … and so many bit/s more.
const UNTRIED_MORE: f64 = 10_000.0;
/// Between two steps down, at least.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// A queue shorter than this, in ms, is no reason to send less: a keyframe makes one.
const SHORT_QUEUE: f64 = 30.0;
/// A queue longer than this, in ms, is drained by sending less than the path carries.
const LONG_QUEUE: f64 = 120.0;
/// The draining of a queue is given up after this.
const MAX_DRAIN: Duration = Duration::from_secs(5);
/// What arrives is told of so late at most, or has been counted so long.
const AFTERMATH: Duration = Duration::from_millis(1_000);
/// Feedback of the transport rules out REMB for so long.
const FALL_BACK: Duration = Duration::from_secs(3);

/// What the path was seen to carry when its queue grew.
#[derive(Debug, Clone, Copy)]
struct Capacity {
    mean: f64,
    /// Relative to the mean, squared.
    variance: f64,
}

/// How much a client's path carries.
#[derive(Debug, Clone)]
pub struct Estimate {
    bitrate: f64,
    capacity: Option<Capacity>,
    loss: LossBound,
    updated: Option<Instant>,
    decreased: Option<Instant>,
    /// Congestion was seen, and the estimate is more than a guess.
    limited: bool,
    acked: f64,
    queue: f64,
    draining: bool,
    /// Until then, what arrives is little because little was sent.
    held: Option<Instant>,
    remb: Option<u64>,
}

impl Default for Estimate {
    fn default() -> Self {
        Self::new()
    }
}

impl Estimate {
    /// Nothing is known.
    pub fn new() -> Self {
        Self {
            bitrate: START,
            capacity: None,
            loss: LossBound::new(),
            updated: None,
            decreased: None,
            limited: false,
            acked: 0.0,
            queue: 0.0,
            draining: false,
            held: None,
            remb: None,
        }
    }

    /// What the path is taken to carry, bit/s. `None` if the client tells nothing by which that
    /// could be known.
    pub fn bitrate(&self) -> Option<u64> {
        match (self.updated, self.remb) {
            (Some(_), _) => Some(self.joined() as u64),
            (None, remb) => remb,
        }
    }

    /// The same by its delays alone: with no more than that, no queue grows, whatever is lost.
    pub fn by_delays(&self) -> Option<u64> {
        let bitrate = self.bitrate()?;
        Some(match self.updated {
            Some(_) => bitrate.max(self.bitrate as u64),
            None => bitrate,
        })
    }

    /// What may be sent now, bit/s: less than it carries while a queue is to be drained.
    pub fn budget(&self) -> Option<u64> {
        let bitrate = self.bitrate()?;
        if !self.draining {
            return Some(bitrate);
        }
        let share = if self.queue > 3.0 * LONG_QUEUE {
            0.3
        } else {
            0.6
        };
        Some((bitrate as f64 * share) as u64)
    }

    /// What pictures may be paused for, bit/s. Losses are a reason to send smaller ones, which repair
    /// mends; none at all are better only where so much is lost that nothing can be mended.
    pub fn floor(&self) -> Option<u64> {
        match self.loss.is_overwhelming() {
            true => self.bitrate(),
            false => self.by_delays(),
        }
    }

    /// Delays have shown, or the client has said, that the path carries no more.
    pub fn is_congested(&self) -> bool {
        self.limited
            || self.loss.is_overwhelming()
            || (self.updated.is_none() && self.remb.is_some())
    }

    /// A long queue is to be drained.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// It follows from what the transport tells.
    pub fn is_told(&self) -> bool {
        self.updated.is_some()
    }

    /// The estimate follows from congestion, and is not just as far as was tried.
    pub fn is_limited(&self) -> bool {
        self.updated.is_some() && (self.limited || self.loss.bound().is_some())
    }

    /// The share of packets lost lately, 0 to 1.
    pub fn loss(&self) -> f64 {
        self.loss.share()
    }

    /// bit/s that arrive.
    pub fn acked(&self) -> u64 {
        self.acked as u64
    }

    fn joined(&self) -> f64 {
        let bound = self.loss.bound().unwrap_or(f64::MAX);
        self.bitrate.min(bound).clamp(FLOOR as f64, CEILING)
    }

    /// What the client's receivers estimate by themselves, in all: taken where feedback of the
    /// transport is missing.
    pub fn remb(&mut self, now: Instant, bitrate: Option<u64>) {
        self.remb = bitrate;
        let heard = |at: Instant| now.saturating_duration_since(at) < FALL_BACK;
        if bitrate.is_some() && !self.updated.is_some_and(heard) {
            self.updated = None;
        }
    }

    /// Nearly nothing is sent, so that a queue drains: what arrives says nothing of what the path
    /// carries.
    pub fn hold(&mut self, now: Instant) {
        self.held = Some(now + AFTERMATH);
    }

    /// Feedback of the transport came, and this is what the client's detectors say now.
    pub fn update(&mut self, now: Instant, reading: &Reading, rtt: Duration) {
        let elapsed = self
            .updated
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
            .min(Duration::from_secs(1));
        self.updated = Some(now);
        self.acked = reading.acked;
        self.queue = reading.queue;
        self.loss.feedback(now, reading.losses, reading.acked);
        match reading.usage() {
            Usage::Over if !reading.steep && self.held.is_some_and(|until| now < until) => {}
            Usage::Over if reading.queue < SHORT_QUEUE => {}
            Usage::Over => self.decrease(now, reading, rtt),
            Usage::Under => {}
            Usage::Normal => self.increase(elapsed, reading, rtt),
        }
        self.loss.forget_above(self.bitrate * 1.2);
        let began = |at: Instant| now.saturating_duration_since(at) < MAX_DRAIN;
        let limit = if self.draining { 0.5 } else { 1.0 } * LONG_QUEUE;
        self.draining = self.decreased.is_some_and(began) && self.queue > limit;
    }

    fn decrease(&mut self, now: Instant, reading: &Reading, rtt: Duration) {
        // The shorter window is noisier, and is asked only after a sharp fall.
        let fell = reading.acked_lately < reading.acked * 0.75;
        let acked = if fell {
            reading.acked_lately
        } else {
            reading.acked.max(reading.acked_lately)
        };
        let pause = rtt.clamp(MIN_PAUSE, 3 * MIN_PAUSE) + MIN_PAUSE;
        let soon = self
            .decreased
            .is_some_and(|at| now.saturating_duration_since(at) < pause);
        if soon && acked * 2.0 > self.bitrate {
            return;
        }
        // Where much less is sent than the path was taken to carry, a queue that grows a little
        // is a whim of the radio, and no reason to fall to what happens to be sent.
        let idle = reading.acked < self.bitrate * 0.5;
        let whim = reading.slope < 1.0 && reading.queue < LONG_QUEUE / 2.0;
        if idle && whim {
            if !soon {
                self.bitrate = (self.bitrate * BACK_OFF).max(reading.acked);
                self.decreased = Some(now);
            }
            return;
        }
        let carried = match self.capacity {
            // A short queue, after as much was sent as usual: the path has not changed.
            Some(known) if !fell && reading.queue < LONG_QUEUE / 2.0 && !known.is_below(acked) => {
                acked.max(known.mean)
            }
            _ => acked,
        };
        let is_short = reading.queue < LONG_QUEUE;
        let mut lower = carried * if is_short { BACK_OFF_EARLY } else { BACK_OFF };
        if is_short {
            // What arrives may be little because little is sent. A path that carries much less has
            // a long queue at once.
            lower = lower.max(self.bitrate * BACK_OFF);
        }
        let lower = lower.max(FLOOR as f64);
        self.learn(acked);
        self.limited = true;
        self.decreased = Some(now);
        self.bitrate = self.bitrate.min(lower);
    }

    /// The path's queue grew while so much arrived: so much it carries.
    fn learn(&mut self, acked: f64) {
        match &mut self.capacity {
            Some(known) if !known.is_above(acked) && !known.is_below(acked) => {
                let error = (acked - known.mean) / known.mean.max(1.0);
                known.mean += (acked - known.mean) * 0.1;
                known.variance = (known.variance * 0.9 + error * error * 0.1).clamp(0.0008, 0.006);
            }
            capacity => {
                *capacity = Some(Capacity {
                    mean: acked,
                    variance: 0.002,
                });
            }
        }
    }

    fn increase(&mut self, elapsed: Duration, reading: &Reading, rtt: Duration) {
        let acked = reading.acked;
        if self.capacity.is_some_and(|known| known.is_above(acked)) {
            // More gets through than did when the queue grew: it is another path now.
            self.capacity = None;
        }
        let untried = acked * UNTRIED + UNTRIED_MORE;
        if self.bitrate >= untried {
            return;
        }
        let elapsed = elapsed.as_secs_f64();
        let near = self
            .capacity
            .is_some_and(|known| !known.is_below(self.bitrate));
        let more = if near {
            // About a packet for each time that it takes to see what that does.
            let packet = (self.bitrate / 30.0 / 8.0).clamp(100.0, 1_200.0) * 8.0;
            let response = (rtt.as_secs_f64() + 0.1) * 2.0;
            (packet / response).max(self.bitrate * NEAR_GROWTH) * elapsed
        } else {
            self.bitrate * (GROWTH.powf(elapsed) - 1.0) + 1_000.0 * elapsed
        };
        self.bitrate = (self.bitrate + more).min(untried).min(CEILING);
    }

    /// A probe is over.
    pub fn probed(&mut self, now: Instant, result: ProbeResult) {
        match result {
            ProbeResult::Carried(bitrate) => {
                let bitrate = bitrate as f64;
                if bitrate > self.bitrate {
                    self.bitrate = bitrate.min(CEILING);
                    if self.capacity.is_some_and(|known| known.is_above(bitrate)) {
                        self.capacity = None;
                    }
                }
                self.loss.raise(bitrate);
            }
            ProbeResult::Saturated(bitrate) => {
                self.limited = true;
                // The queue is the probe's own.
                self.decreased = Some(now);
                let carried = bitrate as f64;
                if carried > self.bitrate {
                    self.learn(carried);
                }
                let bitrate = carried * PROBED;
                if bitrate > self.bitrate {
                    self.bitrate = bitrate.min(CEILING);
                    self.loss.raise(bitrate);
                }
            }
            ProbeResult::Lost => {}
        }
    }
}

impl Capacity {
    fn deviation(&self) -> f64 {
        (self.variance.sqrt() * 3.0).max(0.1) * self.mean
    }

    fn is_above(&self, bitrate: f64) -> bool {
        bitrate > self.mean + self.deviation()
    }

    fn is_below(&self, bitrate: f64) -> bool {
        bitrate < self.mean - self.deviation()
    }
}
