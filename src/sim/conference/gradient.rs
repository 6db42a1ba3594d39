//! What libwebrtc's receivers and senders make of delays: whether the path is filling a queue,
//! and what bit rate that leaves.
//!
//! The shape is that of draft-ietf-rmcat-gcc-02 with the trendline that replaced its filter:
//! enough to be as quick, as slow and as wrong as a browser is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets sent within this are one group.
const GROUP: i64 = 5_000;
/// Groups that the line is laid through.
const WINDOW: usize = 20;
const GAIN: f64 = 4.0;
/// The weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// A trend has to hold for this long, ms.
const OVERUSE_TIME: f64 = 10.0;

/// What the queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Usage {
    #[default]
    Normal,
    Over,
    Under,
}

/// Times in µs.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: i64,
    sent: i64,
    arrived: i64,
}

/// Watches one path.
pub(super) struct Detector {
    group: Option<Group>,
    before: Option<Group>,
    /// ms: arrival, smoothed accumulated delay.
    points: VecDeque<(f64, f64)>,
    first_arrival: Option<i64>,
    accumulated: f64,
    smoothed: f64,
    deltas: u32,
    threshold: f64,
    last_update: Option<f64>,
    over_for: f64,
    over_count: u32,
    last_trend: f64,
    usage: Usage,
}

impl Detector {
    pub(super) fn new() -> Self {
        Self {
            group: None,
            before: None,
            points: VecDeque::new(),
            first_arrival: None,
            accumulated: 0.0,
            smoothed: 0.0,
            deltas: 0,
            threshold: 12.5,
            last_update: None,
            over_for: -1.0,
            over_count: 0,
            last_trend: 0.0,
            usage: Usage::Normal,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// A packet that was sent and arrived at these times, in µs.
    pub(super) fn packet(&mut self, sent: i64, arrived: i64) {
        let Some(group) = &mut self.group else {
            self.group = Some(Group {
                first_sent: sent,
                sent,
                arrived,
            });
            return;
        };
        if sent < group.first_sent {
            return;
        }
        // What left the queue in a burst was sent in one as far as the path is concerned.
        let burst = arrived - group.arrived <= 5_000
            && (arrived - group.arrived) - (sent - group.sent) < 0
            && sent - group.first_sent < 100_000;
        if sent - group.first_sent <= GROUP || burst {
            group.sent = group.sent.max(sent);
            group.arrived = group.arrived.max(arrived);
            return;
        }
        let done = *group;
        *group = Group {
            first_sent: sent,
            sent,
            arrived,
        };
        if let Some(before) = self.before.replace(done) {
            let sent = done.sent - before.sent;
            let arrived = done.arrived - before.arrived;
            if arrived >= 0 && sent.abs() < 3_000_000 && arrived < 3_000_000 {
                self.delta(sent, arrived, done.arrived);
            }
        }
    }

    fn delta(&mut self, sent: i64, arrived: i64, at: i64) {
        let delta = (arrived - sent) as f64 / 1_000.0;
        self.deltas = (self.deltas + 1).min(1_000);
        let first = *self.first_arrival.get_or_insert(at);
        let at = (at - first) as f64 / 1_000.0;
        self.accumulated += delta;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points.push_back((at, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let trend = if self.points.len() == WINDOW {
            self.slope()
        } else {
            self.last_trend
        };
        self.judge(trend, sent as f64 / 1_000.0, at);
    }

    fn slope(&self) -> f64 {
        let count = self.points.len() as f64;
        let sums = self.points.iter().fold((0.0, 0.0), |sums, point| {
            (sums.0 + point.0, sums.1 + point.1)
        });
        let (x, y) = (sums.0 / count, sums.1 / count);
        let (above, below) = self.points.iter().fold((0.0, 0.0), |sums, point| {
            let (dx, dy) = (point.0 - x, point.1 - y);
            (sums.0 + dx * dy, sums.1 + dx * dx)
        });
        if below > 0.0 { above / below } else { 0.0 }
    }

    fn judge(&mut self, trend: f64, sent: f64, at: f64) {
        let modified = f64::from(self.deltas.min(60)) * trend * GAIN;
        if modified > self.threshold {
            self.over_for = if self.over_for < 0.0 {
                sent / 2.0
            } else {
                self.over_for + sent
            };
            self.over_count += 1;
            if self.over_for > OVERUSE_TIME && self.over_count > 1 && trend >= self.last_trend {
                self.over_for = 0.0;
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = -1.0;
            self.over_count = 0;
            self.usage = if modified < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_trend = trend;
        let last = *self.last_update.get_or_insert(at);
        let size = modified.abs();
        if size <= self.threshold + 15.0 {
            let gain = if size < self.threshold { 0.039 } else { 0.0087 };
            let elapsed = (at - last).min(100.0);
            self.threshold =
                (self.threshold + gain * (size - self.threshold) * elapsed).clamp(6.0, 600.0);
        }
        self.last_update = Some(at);
    }
}

/// The bytes of the last second, or since the beginning.
#[derive(Debug, Default)]
pub(super) struct Meter {
    entries: VecDeque<(i64, usize)>,
    bytes: usize,
}

impl Meter {
    const WINDOW: i64 = 1_000_000;

    pub(super) fn add(&mut self, at: i64, bytes: usize) {
        self.entries.push_back((at, bytes));
        self.bytes += bytes;
    }

    /// bit/s; `None` while too little is known.
    pub(super) fn rate(&mut self, now: i64) -> Option<f64> {
        while let Some((_, bytes)) = self
            .entries
            .front()
            .filter(|(at, _)| *at < now - Self::WINDOW)
        {
            self.bytes -= bytes;
            self.entries.pop_front();
        }
        let first = self.entries.front()?.0;
        let span = (now - first).max(500_000);
        (self.entries.len() > 5).then(|| self.bytes as f64 * 8e6 / span as f64)
    }
}

/// Additive increase, multiplicative decrease.
pub(super) struct Aimd {
    rate: f64,
    /// Until the first overuse it grows as a browser does that probes.
    fresh: bool,
    hold: bool,
    capacity: Option<f64>,
    last_change: Option<Instant>,
    last_decrease: Option<Instant>,
    max: f64,
}

impl Aimd {
    pub(super) fn new(start: u64, max: u64) -> Self {
        Self {
            rate: start as f64,
            fresh: true,
            hold: false,
            capacity: None,
            last_change: None,
            last_decrease: None,
            max: max as f64,
        }
    }

    pub(super) fn rate(&self) -> u64 {
        self.rate as u64
    }

    /// It grows slowly from the beginning: more is found out by probing.
    pub(super) fn steady(start: u64, max: u64) -> Self {
        Self {
            fresh: false,
            ..Self::new(start, max)
        }
    }

    /// A probe showed what the path carries, bit/s.
    pub(super) fn probed(&mut self, rate: f64) {
        self.rate = rate.min(self.max);
    }

    /// Of a path that has carried this much for a while.
    pub(super) fn known(rate: f64) -> Self {
        Self {
            fresh: false,
            ..Self::new(rate as u64, 30_000_000)
        }
    }

    /// `acknowledged` is what arrives, bit/s. True if it fell.
    pub(super) fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        acknowledged: Option<f64>,
        rtt: Duration,
    ) -> bool {
        let elapsed = self
            .last_change
            .replace(now)
            .map_or(0.0, |last| {
                now.saturating_duration_since(last).as_secs_f64()
            })
            .min(1.0);
        match usage {
            Usage::Over => {
                self.fresh = false;
                self.hold = false;
                let wait = rtt.clamp(Duration::from_millis(100), Duration::from_millis(400));
                let soon = self
                    .last_decrease
                    .is_some_and(|last| now.saturating_duration_since(last) < wait);
                let Some(acknowledged) = acknowledged else {
                    return false;
                };
                if soon && acknowledged > 0.5 * self.rate {
                    return false;
                }
                self.last_decrease = Some(now);
                self.capacity = Some(match self.capacity {
                    Some(old) if (acknowledged / old - 1.0).abs() < 0.5 => {
                        0.95 * old + 0.05 * acknowledged
                    }
                    _ => acknowledged,
                });
                let lower = (0.85 * acknowledged).max(10_000.0);
                let fell = lower < self.rate;
                self.rate = self.rate.min(lower);
                fell
            }
            Usage::Under => {
                // The queue empties: not to be filled again meanwhile.
                self.hold = true;
                false
            }
            Usage::Normal => {
                if std::mem::take(&mut self.hold) {
                    return false;
                }
                if let (Some(capacity), Some(acknowledged)) = (self.capacity, acknowledged)
                    && acknowledged > 1.5 * capacity
                {
                    self.capacity = None;
                }
                let grown = if self.fresh {
                    self.rate * (1.0 + 0.8 * elapsed)
                } else if self.capacity.is_some() {
                    // A packet each response time.
                    let response = rtt.as_secs_f64() + 0.1;
                    self.rate + (9_600.0 / response).max(4_000.0) * elapsed
                } else {
                    self.rate * (1.0 + 0.08 * elapsed) + 1_000.0 * elapsed
                };
                let limit = acknowledged.map_or(grown, |rate| 1.5 * rate + 10_000.0);
                self.rate = grown.min(limit.max(self.rate)).min(self.max);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 1,000 bytes each 5 ms over a path of this rate; the estimate at the end.
    fn over(path: i64, seconds: i64) -> (Usage, u64) {
        let mut detector = Detector::new();
        let mut aimd = Aimd::new(300_000, 3_000_000);
        let mut meter = Meter::default();
        let begin = Instant::now();
        let mut free = 0;
        let mut sent = 0_i64;
        let mut seen = Usage::Normal;
        while sent < seconds * 1_000_000 {
            let rate = (aimd.rate() as i64).max(10_000);
            sent += 8_000 * 1_000_000 / rate;
            free = free.max(sent) + 8_000 * 1_000_000 / path;
            detector.packet(sent, free);
            meter.add(free, 1_000);
            let now = begin + Duration::from_micros(free as u64);
            let acknowledged = meter.rate(free);
            if detector.usage() == Usage::Over {
                seen = Usage::Over;
            }
            aimd.update(
                now,
                detector.usage(),
                acknowledged,
                Duration::from_millis(50),
            );
        }
        (seen, aimd.rate())
    }

    #[test]
    fn the_estimate_finds_a_narrow_path_and_fills_a_wide_one() {
        let (usage, rate) = over(1_000_000, 30);
        assert_eq!(usage, Usage::Over);
        assert!((700_000..1_150_000).contains(&rate), "{rate}");
        let (usage, rate) = over(50_000_000, 30);
        assert_eq!(usage, Usage::Normal);
        assert_eq!(rate, 3_000_000);
    }
}
