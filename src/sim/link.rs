//! One direction of a host's connection to the internet.

use super::random::Random;
use crate::transport::demux::Protocol;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One entry of [`Link::departures`] counts the bytes of this long.
pub const BIN: Duration = Duration::from_millis(100);
/// Whether a link is in a burst of losses is drawn anew this often.
const BURST_STEP: Duration = Duration::from_millis(5);

/// A part of a trace: what a link is like from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Since the link began.
    pub at: Duration,
    /// bit/s; with 0 nothing moves until the next step.
    pub rate: u64,
    /// How long each datagram is under way at least.
    pub delay: Duration,
}

/// Losses in bursts: the chain of Gilbert and Elliott, whose states last as the time does and
/// not as packets come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// How long it is good, on average.
    pub good: Duration,
    /// How long it is bad, on average.
    pub bad: Duration,
    /// The share that is lost while it is good.
    pub good_loss: f64,
    /// … and while it is bad.
    pub bad_loss: f64,
}

/// What a link does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkConfig {
    /// How long each is under way at least.
    pub delay: Duration,
    /// … and how much longer at most. Order is kept.
    pub jitter: Duration,
    /// The share that never arrives, 0 to 1.
    pub loss: f64,
    /// The share that is overtaken by others.
    pub reordering: f64,
    /// How much later those arrive.
    pub reordering_delay: Duration,
    /// The share that arrives twice.
    pub duplication: f64,
    /// bit/s; `None` for no limit.
    pub rate: Option<u64>,
    /// With a rate limit: how long a datagram waits at most before it is dropped instead.
    pub queue: Duration,
    /// With a rate limit: the bytes that wait at most, instead of `queue`.
    pub queue_bytes: Option<usize>,
    /// Rates and delays in the order of their time, instead of `rate` and `delay`; empty for
    /// none.
    pub trace: &'static [Step],
    /// Losses beside `loss`.
    pub bursts: Option<Bursts>,
}

impl LinkConfig {
    /// Loses nothing, and takes no time.
    pub const PERFECT: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        reordering: 0.0,
        reordering_delay: Duration::ZERO,
        duplication: 0.0,
        rate: None,
        queue: Duration::from_millis(200),
        queue_bytes: None,
        trace: &[],
        bursts: None,
    };
    /// An ordinary line: 20 ms.
    pub const GOOD: Self = Self {
        delay: Duration::from_millis(20),
        ..Self::PERFECT
    };
}

/// What a link has done, in datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkFigures {
    /// Were sent.
    pub sent: u64,
    /// Were lost on the way.
    pub lost: u64,
    /// Found the queue full.
    pub overflowed: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Were overtaken.
    pub reordered: u64,
}

/// When a datagram arrives, and when its copy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrivals(pub(super) [Option<Instant>; 2]);

/// What a datagram of a handshake counts as.
const HANDSHAKE: usize = 640;

/// One direction. Each protocol has its own random numbers, so that one more retransmission of a
/// handshake does not decide the fate of all media after it.
#[derive(Debug, Clone)]
pub struct Link {
    config: LinkConfig,
    streams: [Random; 4],
    begin: Instant,
    busy_until: Instant,
    last_arrival: Instant,
    /// What waits: when it departs, and its length.
    waiting: VecDeque<(Instant, usize)>,
    waiting_bytes: usize,
    weather: Random,
    /// Whether it is bad, and until when that is decided.
    burst: (bool, Instant),
    departures: Vec<u32>,
    waits: Vec<u32>,
    figures: LinkFigures,
}

impl Link {
    /// A link that is idle at `now`; `name` tells its random numbers from those of others.
    pub fn new(now: Instant, config: LinkConfig, seed: u64, name: &[u64]) -> Self {
        let stream = |kind: u64| {
            let mut name = name.to_vec();
            name.push(kind);
            Random::stream(seed, &name)
        };
        Self {
            config,
            weather: stream(4),
            streams: [stream(0), stream(1), stream(2), stream(3)],
            begin: now,
            busy_until: now,
            last_arrival: now,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            burst: (false, now),
            departures: Vec::new(),
            waits: Vec::new(),
            figures: LinkFigures::default(),
        }
    }

    /// The link is another from now on.
    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// What it does.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// What it has done.
    pub fn figures(&self) -> LinkFigures {
        self.figures
    }

    /// The bytes that left the link since it began, in bins of [`BIN`].
    pub fn departures(&self) -> &[u32] {
        &self.departures
    }

    /// How long datagrams waited in the queue at the most, in ms, in bins of [`BIN`] by when they
    /// came.
    pub fn waits(&self) -> &[u32] {
        &self.waits
    }

    fn bin(&self, at: Instant) -> usize {
        let since = at.saturating_duration_since(self.begin);
        (since.as_nanos() / BIN.as_nanos()) as usize
    }

    /// bit/s at a moment since the beginning; `None` without a limit.
    pub fn capacity_at(config: &LinkConfig, since: Duration) -> Option<u64> {
        let next = config.trace.partition_point(|step| step.at <= since);
        let step = config.trace.get(next.saturating_sub(1));
        step.map_or(config.rate, |step| Some(step.rate))
    }

    /// The part of the trace that holds at a moment, and when it ends.
    fn step(&self, at: Instant) -> (u64, Duration, Option<Instant>) {
        let since = at.saturating_duration_since(self.begin);
        let trace = self.config.trace;
        let next = trace.partition_point(|step| step.at <= since);
        let step = trace.get(next.saturating_sub(1));
        let end = trace.get(next).map(|step| self.begin + step.at);
        step.map_or((0, Duration::ZERO, end), |step| {
            (step.rate, step.delay, end)
        })
    }

    /// When the last of so many bytes has left, if the first leaves not before `begin`.
    fn traced_departure(&self, begin: Instant, len: usize) -> Instant {
        let mut at = begin;
        // Bits times the nanoseconds of a second.
        let mut rest = len as u128 * 8 * 1_000_000_000;
        loop {
            let (rate, _, end) = self.step(at);
            let rate = u128::from(rate);
            if let Some(end) = end {
                let possible = end.saturating_duration_since(at).as_nanos() * rate;
                if possible < rest {
                    rest -= possible;
                    at = end;
                    continue;
                }
            }
            return at + Duration::from_nanos((rest / rate.max(1)) as u64);
        }
    }

    /// Whether losses come in a burst now.
    fn is_bad(&mut self, now: Instant, bursts: &Bursts) -> bool {
        while self.burst.1 <= now {
            let (bad, until) = self.burst;
            let lasts = if bad { bursts.bad } else { bursts.good };
            let leave = BURST_STEP.as_secs_f64() / lasts.max(BURST_STEP).as_secs_f64();
            self.burst = (bad != self.weather.chance(leave), until + BURST_STEP);
        }
        self.burst.0
    }

    /// When a datagram leaves a link of limited rate; `None` if it found the queue full.
    fn depart(&mut self, now: Instant, len: usize) -> Option<Instant> {
        while let Some((_, len)) = self.waiting.front().filter(|(at, _)| *at <= now) {
            self.waiting_bytes -= len;
            self.waiting.pop_front();
        }
        let begin = self.busy_until.max(now);
        let full = match self.config.queue_bytes {
            Some(limit) => self.waiting_bytes + len > limit && !self.waiting.is_empty(),
            None => begin.saturating_duration_since(now) > self.config.queue,
        };
        let bin = self.bin(now);
        if self.waits.len() <= bin {
            self.waits.resize(bin + 1, 0);
        }
        let wait = begin.saturating_duration_since(now).as_millis() as u32;
        self.waits[bin] = self.waits[bin].max(wait);
        if full {
            return None;
        }
        let departure = match self.config.rate {
            Some(rate) if self.config.trace.is_empty() => {
                let nanos = (len as u64 * 8).saturating_mul(1_000_000_000) / rate.max(1);
                begin + Duration::from_nanos(nanos)
            }
            _ => self.traced_departure(begin, len),
        };
        self.busy_until = departure;
        self.waiting.push_back((departure, len));
        self.waiting_bytes += len;
        Some(departure)
    }

    /// Sends a datagram of `len` bytes.
    pub(super) fn send(&mut self, now: Instant, protocol: Protocol, len: usize) -> Arrivals {
        let config = self.config;
        // Handshakes vary by a byte; what the link does, and tells, must not.
        let len = match protocol {
            Protocol::Dtls => HANDSHAKE,
            _ => len,
        };
        // Always as many draws a datagram, so that a changed setting changes nothing else.
        let random = &mut self.streams[stream_of(protocol)];
        let lost = random.chance(config.loss);
        let jitter = config.jitter.mul_f64(random.fraction());
        let overtaken = random.chance(config.reordering);
        let doubled = random.chance(config.duplication);
        self.figures.sent += 1;

        let mut departure = now;
        let mut delay = config.delay;
        if config.rate.is_some() || !config.trace.is_empty() {
            let Some(at) = self.depart(now, len) else {
                self.figures.overflowed += 1;
                return Arrivals([None, None]);
            };
            departure = at;
            if !config.trace.is_empty() {
                delay = self.step(departure).1;
            }
        }
        let burst = config.bursts.is_some_and(|bursts| {
            let bad = self.is_bad(departure, &bursts);
            let loss = if bad {
                bursts.bad_loss
            } else {
                bursts.good_loss
            };
            self.weather.chance(loss)
        });
        if lost || burst {
            self.figures.lost += 1;
            return Arrivals([None, None]);
        }
        let bin = self.bin(departure);
        if self.departures.len() <= bin {
            self.departures.resize(bin + 1, 0);
        }
        self.departures[bin] += len as u32;
        let mut arrival = departure + delay + jitter;
        if overtaken {
            self.figures.reordered += 1;
            arrival += config.reordering_delay;
        } else {
            arrival = arrival.max(self.last_arrival);
            self.last_arrival = arrival;
        }
        let copy = doubled.then(|| arrival + Duration::from_micros(300));
        self.figures.duplicated += u64::from(doubled);
        Arrivals([Some(arrival), copy])
    }
}

fn stream_of(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Stun => 0,
        Protocol::Dtls => 1,
        Protocol::Rtp => 2,
        Protocol::Rtcp => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_waits_when_the_capacity_falls_waits_longer() {
        const TRACE: &[Step] = &[
            Step {
                at: millis(0),
                rate: 800_000,
                delay: millis(10),
            },
            Step {
                at: millis(100),
                rate: 0,
                delay: millis(10),
            },
            Step {
                at: millis(600),
                rate: 80_000,
                delay: millis(50),
            },
        ];
        let begin = Instant::now();
        let config = LinkConfig {
            trace: TRACE,
            queue_bytes: Some(3_000),
            ..LinkConfig::PERFECT
        };
        let mut link = Link::new(begin, config, 1, &[]);
        let mut arrival = |at: u64| {
            let arrivals = link.send(begin + millis(at), Protocol::Rtp, 1_000);
            arrivals.0[0].map(|at| (at - begin).as_millis())
        };
        assert_eq!(arrival(0), Some(20));
        // Half of it before the capacity is gone, half after it is back at a tenth.
        assert_eq!(arrival(95), Some(600 + 50 + 50));
        assert_eq!(arrival(99), Some(600 + 150 + 50));
        assert_eq!(arrival(100), Some(600 + 250 + 50));
        assert_eq!(arrival(101), None, "the queue is full");
        assert_eq!(link.figures().overflowed, 1);
        let bytes: u32 = link.departures().iter().sum();
        assert_eq!(bytes, 4_000);
    }

    #[test]
    fn bursts_lose_their_share_in_their_time() {
        let begin = Instant::now();
        let config = LinkConfig {
            bursts: Some(Bursts {
                good: millis(450),
                bad: millis(50),
                good_loss: 0.0,
                bad_loss: 1.0,
            }),
            ..LinkConfig::PERFECT
        };
        let mut link = Link::new(begin, config, 1, &[]);
        let mut last = false;
        let (mut lost, mut bursts) = (0, 0);
        for at in 0..100_000 {
            let arrivals = link.send(begin + millis(at * 2), Protocol::Rtp, 100);
            let is_lost = arrivals.0[0].is_none();
            lost += i32::from(is_lost);
            bursts += i32::from(is_lost && !last);
            last = is_lost;
        }
        assert!((8_000..12_000).contains(&lost), "{lost}");
        assert!((300..500).contains(&bursts), "{bursts}");
    }
}
