//! One direction of a host's connection to the internet.

use super::random::Random;
use crate::transport::demux::Protocol;
use std::time::{Duration, Instant};

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

/// One direction. Each protocol has its own random numbers, so that one more retransmission of a
/// handshake does not decide the fate of all media after it.
#[derive(Debug, Clone)]
pub struct Link {
    config: LinkConfig,
    streams: [Random; 4],
    busy_until: Instant,
    last_arrival: Instant,
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
            streams: [stream(0), stream(1), stream(2), stream(3)],
            busy_until: now,
            last_arrival: now,
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

    /// Sends a datagram of `len` bytes.
    pub(super) fn send(&mut self, now: Instant, protocol: Protocol, len: usize) -> Arrivals {
        let config = self.config;
        // Always as many draws a datagram, so that a changed setting changes nothing else.
        let random = &mut self.streams[stream_of(protocol)];
        let lost = random.chance(config.loss);
        let jitter = config.jitter.mul_f64(random.fraction());
        let overtaken = random.chance(config.reordering);
        let doubled = random.chance(config.duplication);
        self.figures.sent += 1;

        let mut departure = now;
        if let Some(rate) = config.rate {
            // Handshakes vary by a byte; the simulation must not.
            let len = match protocol {
                Protocol::Dtls => len.next_multiple_of(128),
                _ => len,
            };
            let begin = self.busy_until.max(now);
            if begin.saturating_duration_since(now) > config.queue {
                self.figures.overflowed += 1;
                return Arrivals([None, None]);
            }
            let nanos = (len as u64 * 8).saturating_mul(1_000_000_000) / rate.max(1);
            departure = begin + Duration::from_nanos(nanos);
            self.busy_until = departure;
        }
        if lost {
            self.figures.lost += 1;
            return Arrivals([None, None]);
        }
        let mut arrival = departure + config.delay + jitter;
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
