//! The named links, and who meets over them.

use super::encoder::{SIMULCAST2, SIMULCAST3, SINGLE};
use super::measure::{Outcome, Timeline, Watched};
use super::publisher::PublisherConfig;
use super::viewer::ViewerConfig;
use crate::sim::link::{Bursts, LinkConfig, Step};
use crate::sim::world::{SimError, World, WorldConfig};
use std::time::{Duration, Instant};

/// The seed of every scenario, unless another is asked for.
pub const SEED: u64 = 20_240_101;

/// Someone who watches.
#[derive(Debug, Clone, Copy)]
pub struct Watcher {
    /// A word for the table; empty if there is only one.
    pub name: &'static str,
    /// From the watcher.
    pub up: LinkConfig,
    /// To the watcher.
    pub down: LinkConfig,
}

/// A meeting of some publishers and those who watch all of them.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The link.
    pub name: &'static str,
    /// What is sent over it.
    pub variant: &'static str,
    /// How long it lasts.
    pub duration: Duration,
    /// What each publisher is like.
    pub publisher: PublisherConfig,
    /// How many there are, each on a host of its own.
    pub publishers: usize,
    /// From each publisher.
    pub up: LinkConfig,
    /// Who watches.
    pub watchers: &'static [Watcher],
    /// The narrow place is the publisher's way up, and that is measured.
    pub narrow_up: bool,
    /// When the capacity falls, and when it is back.
    pub fall: Option<(Duration, Duration)>,
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn step(at: u64, kilobits: u64, delay: u64) -> Step {
    Step {
        at: millis(at),
        rate: kilobits * 1_000,
        delay: millis(delay),
    }
}

const PERFECT: LinkConfig = LinkConfig::PERFECT;

const FIBRE: LinkConfig = LinkConfig {
    delay: millis(5),
    rate: Some(100_000_000),
    ..PERFECT
};

/// One packet in forty, most of them in bursts of 40 ms.
const WIFI: LinkConfig = LinkConfig {
    delay: millis(8),
    jitter: millis(12),
    rate: Some(30_000_000),
    bursts: Some(Bursts {
        good: millis(900),
        bad: millis(40),
        good_loss: 0.002,
        bad_loss: 0.6,
    }),
    ..PERFECT
};

/// From cell to cell: nothing moves for most of a second, then everything at once.
const MOBILE: LinkConfig = LinkConfig {
    jitter: millis(15),
    loss: 0.001,
    queue_bytes: Some(400_000),
    trace: &[
        step(0, 12_000, 35),
        step(8_000, 7_000, 40),
        step(15_000, 0, 60),
        step(15_700, 5_000, 60),
        step(22_000, 9_000, 45),
        step(30_000, 0, 45),
        step(30_500, 3_500, 55),
        step(36_000, 8_000, 40),
    ],
    ..PERFECT
};

const THIRD_GENERATION: LinkConfig = LinkConfig {
    jitter: millis(30),
    loss: 0.005,
    queue_bytes: Some(70_000),
    trace: &[
        step(0, 900, 80),
        step(7_000, 700, 90),
        step(14_000, 450, 110),
        step(21_000, 650, 90),
        step(28_000, 1_000, 80),
        step(36_000, 600, 95),
    ],
    ..PERFECT
};

const SATELLITE: LinkConfig = LinkConfig {
    delay: millis(290),
    jitter: millis(10),
    loss: 0.005,
    rate: Some(8_000_000),
    queue: millis(400),
    ..PERFECT
};

const NARROW: LinkConfig = LinkConfig {
    delay: millis(25),
    rate: Some(500_000),
    queue_bytes: Some(32_000),
    ..PERFECT
};

const FALL: LinkConfig = LinkConfig {
    delay: millis(25),
    queue_bytes: Some(40_000),
    trace: &[
        step(0, 4_000, 25),
        step(20_000, 300, 25),
        step(40_000, 4_000, 25),
    ],
    ..PERFECT
};

const BAD: LinkConfig = LinkConfig {
    delay: millis(40),
    jitter: millis(10),
    loss: 0.03,
    rate: Some(400_000),
    queue_bytes: Some(32_000),
    ..PERFECT
};

/// A tenth is lost, 50 ms at a time.
const BURSTS: LinkConfig = LinkConfig {
    delay: millis(20),
    rate: Some(5_000_000),
    bursts: Some(Bursts {
        good: millis(450),
        bad: millis(50),
        good_loss: 0.0,
        bad_loss: 1.0,
    }),
    ..PERFECT
};

const SHARED: LinkConfig = LinkConfig {
    delay: millis(25),
    rate: Some(1_500_000),
    queue_bytes: Some(60_000),
    ..PERFECT
};

const fn watcher(name: &'static str, up: LinkConfig, down: LinkConfig) -> Watcher {
    Watcher { name, up, down }
}

/// Browsers that are given nothing but the way down.
const fn over(name: &'static str, watchers: &'static [Watcher]) -> Scenario {
    Scenario {
        name,
        variant: "3 encodings",
        duration: secs(45),
        publisher: PublisherConfig {
            encodings: SIMULCAST3,
            temporal: true,
        },
        publishers: 1,
        up: FIBRE,
        watchers,
        narrow_up: false,
        fall: None,
    }
}

impl Scenario {
    const fn single(self) -> Self {
        Self {
            variant: "1 encoding",
            publisher: PublisherConfig {
                encodings: SINGLE,
                temporal: false,
            },
            ..self
        }
    }

    const fn two_encodings(self) -> Self {
        Self {
            variant: "2 encodings",
            publisher: PublisherConfig {
                encodings: SIMULCAST2,
                temporal: true,
            },
            ..self
        }
    }

    const fn falling(self) -> Self {
        Self {
            fall: Some((secs(20), secs(40))),
            duration: secs(65),
            ..self
        }
    }
}

const ON_FIBRE: &[Watcher] = &[watcher("", FIBRE, FIBRE)];
const ON_3G: &[Watcher] = &[watcher("", THIRD_GENERATION, THIRD_GENERATION)];
const ON_FALL: &[Watcher] = &[watcher("", FIBRE, FALL)];
const TWO: &[Watcher] = &[watcher("good", FIBRE, FIBRE), watcher("bad", BAD, BAD)];

/// A host whose way up is narrow.
const UPLINK: Scenario = Scenario {
    up: NARROW,
    narrow_up: true,
    ..over("500 kbit/s up", ON_FIBRE)
};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    over("fibre", ON_FIBRE),
    over("wifi, bursts", &[watcher("", WIFI, WIFI)]),
    over("4G handover", &[watcher("", MOBILE, MOBILE)]),
    over("3G", ON_3G),
    over("3G", ON_3G).single(),
    over("satellite", &[watcher("", SATELLITE, SATELLITE)]),
    UPLINK,
    UPLINK.single(),
    over("4 M - 300 k - 4 M", ON_FALL).falling(),
    over("4 M - 300 k - 4 M", ON_FALL).two_encodings().falling(),
    over("4 M - 300 k - 4 M", ON_FALL).single().falling(),
    over("good and bad", TWO),
    over("good and bad", TWO).single(),
    over("10 % in bursts", &[watcher("", FIBRE, BURSTS)]),
    Scenario {
        publishers: 3,
        ..over("3 streams, 1.5 M", &[watcher("", FIBRE, SHARED)])
    },
];

impl Scenario {
    /// Holds the meeting. One outcome and timeline a watcher.
    ///
    /// # Errors
    /// When the world cannot go on.
    pub fn run(&self, seed: u64) -> Result<Vec<(Outcome, Timeline)>, SimError> {
        let mut world = World::new(WorldConfig {
            start: Instant::now(),
            seed,
            shards: 1,
        })?;
        let mut publishers = Vec::new();
        let mut hosts = Vec::new();
        for _ in 0..self.publishers {
            let host = world.add_host(self.up, FIBRE);
            hosts.push(host);
            let publisher = world.broadcast(host, 0, self.publisher)?;
            if self.publisher.encodings.len() > 1 {
                world.rest(publisher);
            }
            publishers.push(publisher);
        }
        let mut watchers = Vec::new();
        for watcher in self.watchers {
            let host = world.add_host(watcher.up, watcher.down);
            let mut views = Vec::new();
            for publisher in &publishers {
                views.push(world.watch(host, *publisher, ViewerConfig::default())?);
            }
            watchers.push((watcher, host, views));
        }
        world.run_for(self.duration)?;
        let published: Vec<_> = publishers
            .iter()
            .filter_map(|publisher| world.published(*publisher))
            .collect();
        let outcomes = watchers.into_iter().filter_map(|(watcher, host, views)| {
            let link = if self.narrow_up {
                world.up_link(*hosts.first()?)?
            } else {
                world.down_link(host)?
            };
            let views: Vec<_> = views
                .iter()
                .filter_map(|view| world.viewed(*view))
                .collect();
            Some(Watched {
                scenario: self,
                name: watcher.name,
                link,
                views: &views,
                published: &published,
            })
            .map(|watched| (watched.outcome(), watched.timeline()))
        });
        Ok(outcomes.collect())
    }
}
