//! What the simulation tests share: a world that says its seed when a test fails.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test takes what it needs, and a world that cannot be made is a failed test"
)]

use perikon::shard::Event;
use perikon::sim::{
    ClientId, HostId, LinkConfig, ReceiverConfig, SenderConfig, TrackReport, World, WorldConfig,
};
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// Sound is the first track, pictures are the second.
pub const AUDIO: usize = 0;
pub const VIDEO: usize = 1;

/// A world whose seed is printed when the test that uses it fails.
pub struct Seeded {
    world: World,
    seed: u64,
}

impl Seeded {
    /// How many peer connections a shard has given up.
    pub fn failures(&self, shard: usize) -> usize {
        let events = self.world.shard_events(shard).iter();
        events
            .filter(|(_, event)| matches!(event, Event::Failed { .. }))
            .count()
    }

    /// What a publisher sends of pictures and sound, bit/s.
    pub fn rate(&self, publisher: ClientId) -> u64 {
        let report = self.world.published(publisher).unwrap();
        *report.rates.last().unwrap()
    }

    /// The lines of the last picture that was shown to somebody, who has been shown nothing damaged.
    pub fn lines(&self, viewer: ClientId) -> u16 {
        let seen = self.world.viewed(viewer).unwrap();
        assert_eq!((seen.broken, seen.backward, seen.damaged), (0, 0, 0));
        seen.shown.last().map_or(0, |shown| shown.height)
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "at {:?}; repeat with PERIKON_SEED={}",
                self.world.elapsed(),
                self.seed
            );
        }
    }
}

impl Deref for Seeded {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Seeded {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// The seed to use: the environment's if it names one.
pub fn seed(default: u64) -> u64 {
    match std::env::var("PERIKON_SEED") {
        Ok(text) => text.parse().expect("PERIKON_SEED is a number"),
        Err(_) => default,
    }
}

/// A world with one shard, of the environment's seed if it names one.
pub fn world(default_seed: u64) -> Seeded {
    world_with(default_seed, 1)
}

/// The same with so many shards.
pub fn world_with(default_seed: u64, shards: usize) -> Seeded {
    seeded(seed(default_seed), shards)
}

/// A world with one shard, of this seed.
pub fn world_of(seed: u64) -> Seeded {
    seeded(seed, 1)
}

fn seeded(seed: u64, shards: usize) -> Seeded {
    let config = WorldConfig {
        start: Instant::now(),
        seed,
        shards,
    };
    Seeded {
        seed,
        world: World::new(config).expect("a world"),
    }
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A line with this loss and delay.
pub fn line(loss: f64, delay: Duration) -> LinkConfig {
    LinkConfig {
        delay,
        loss,
        ..LinkConfig::PERFECT
    }
}

/// Three people who send to and receive from each other.
pub struct Meeting {
    pub hosts: Vec<HostId>,
    pub publishers: Vec<ClientId>,
    /// Who receives whom.
    pub receivers: Vec<(ClientId, ClientId)>,
}

impl Meeting {
    /// All begin at once, each over a line of its own.
    pub fn new(world: &mut World, people: usize, link: LinkConfig) -> Self {
        // As a browser does: it reckons with the round trip it has measured.
        Self::with(world, people, link, receiver(link))
    }

    /// The same, with receivers of this kind.
    pub fn with(
        world: &mut World,
        people: usize,
        link: LinkConfig,
        config: ReceiverConfig,
    ) -> Self {
        let hosts: Vec<_> = (0..people).map(|_| world.add_host(link, link)).collect();
        let publishers: Vec<_> = hosts
            .iter()
            .map(|host| {
                world
                    .publish(*host, 0, SenderConfig::default())
                    .expect("publish")
            })
            .collect();
        let mut receivers = Vec::new();
        for (from, publisher) in publishers.iter().enumerate() {
            for (to, host) in hosts.iter().enumerate() {
                if from != to {
                    let id = world
                        .subscribe(*host, *publisher, config)
                        .expect("subscribe");
                    receivers.push((*publisher, id));
                }
            }
        }
        Self {
            hosts,
            publishers,
            receivers,
        }
    }
}

impl Meeting {
    pub fn all(&self) -> impl Iterator<Item = ClientId> {
        let receivers = self.receivers.iter().map(|(_, receiver)| *receiver);
        self.publishers.iter().copied().chain(receivers)
    }
}

/// A receiver that knows the round trip of its line.
pub fn receiver(link: LinkConfig) -> ReceiverConfig {
    ReceiverConfig {
        rtt: (link.delay * 2 + link.jitter).max(millis(30)),
        patience: millis(10).max(link.reordering_delay.min(millis(40)) + millis(2)),
        ..ReceiverConfig::default()
    }
}

/// What must be so of every track that arrives, whatever the line does: nothing damaged, nothing
/// twice, every number in its place.
pub fn assert_sound(track: &TrackReport, who: &str) {
    let bad = [
        ("forged", track.forged),
        ("resealed", track.resealed),
        ("corrupted", track.corrupted),
        ("misnumbered", track.misnumbered),
        ("mislabelled", track.mislabelled),
        ("repeated", track.repeated),
        ("jumps", track.jumps),
    ];
    for (what, count) in bad {
        assert_eq!(count, 0, "{who}: {count} packets {what}");
    }
}
