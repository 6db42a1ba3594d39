//! Who speaks is found from the levels that packets carry.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod sim_support;

use perikon::shard::{Command, Event, GroupId, PeerId};
use perikon::sim::{ClientId, LinkConfig, SenderConfig, WorldConfig};
use sim_support::*;
use std::time::{Duration, Instant};

/// Of a room in which nobody speaks, in -dBov.
const QUIET: u8 = 65;
/// Of a voice.
const VOICE: u8 = 28;
/// Of a louder one.
const LOUD: u8 = 18;

/// Publishers of one group, all of them silent.
struct Room {
    world: Seeded,
    people: Vec<ClientId>,
    levels: Vec<u8>,
    steps: usize,
}

impl Room {
    fn new(count: usize) -> Self {
        let mut world = seeded(WorldConfig {
            start: Instant::now(),
            seed: 0,
            shards: 1,
        });
        let sender = SenderConfig {
            video: None,
            ..SenderConfig::default()
        };
        let mut people = Vec::new();
        for _ in 0..count {
            let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
            let one = world.publish(host, 0, sender).unwrap();
            world.set_level(one, Some(QUIET)).unwrap();
            let peer = world.peer(one).unwrap();
            let group = GroupId(7);
            world.command(0, Command::Enlist { peer, group });
            people.push(one);
        }
        let levels = vec![QUIET; count];
        let mut room = Self {
            world,
            people,
            levels,
            steps: 0,
        };
        room.wait(Duration::from_secs(3));
        room
    }

    /// Lets them speak: words of 0.3 s, with 0.1 s between them.
    fn wait(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        for _ in 0..time.as_millis() / STEP.as_millis() {
            for (one, (id, level)) in self.people.iter().zip(&self.levels).enumerate() {
                let pauses = (self.steps + one).is_multiple_of(4);
                let level = if pauses { QUIET } else { *level };
                // Who has left says nothing.
                let _ = self.world.set_level(*id, Some(level));
            }
            self.steps += 1;
            self.world.run_for(STEP).unwrap();
        }
    }

    fn level(&mut self, one: usize, level: u8) {
        self.levels[one] = level;
    }

    /// As it was told last: those who have spoken, the latest first, and whether they do now.
    fn speakers(&self) -> Vec<(usize, bool)> {
        let told = self.world.shard_events(0).iter().rev();
        let last = told.filter_map(|(_, event)| match event {
            Event::Speakers { group, speakers } => {
                assert_eq!(*group, GroupId(7));
                Some(speakers)
            }
            _ => None,
        });
        let place = |peer: PeerId| {
            let same = |one: &ClientId| self.world.peer(*one) == Some(peer);
            self.people.iter().position(same).unwrap()
        };
        let last = last.map(|all| {
            all.iter()
                .map(|one| (place(one.peer), one.speaks))
                .collect()
        });
        last.into_iter().next().unwrap_or_default()
    }

    fn told(&self) -> usize {
        let events = self.world.shard_events(0).iter();
        events
            .filter(|(_, event)| matches!(event, Event::Speakers { .. }))
            .count()
    }
}

#[test]
fn who_speaks_is_told_and_who_spoke_last_stays_first() {
    let mut room = Room::new(4);
    assert_eq!(room.speakers(), [], "nobody has spoken");
    room.level(2, VOICE);
    room.wait(Duration::from_secs(1));
    assert_eq!(room.speakers(), [(2, true)]);
    room.level(2, QUIET);
    room.wait(Duration::from_secs(4));
    assert_eq!(room.speakers(), [(2, false)]);
    room.level(0, VOICE);
    room.wait(Duration::from_secs(1));
    assert_eq!(room.speakers(), [(0, true), (2, false)]);
}

#[test]
fn a_speaker_is_not_interrupted_by_a_word_but_by_a_speech() {
    let mut room = Room::new(3);
    room.level(0, VOICE);
    room.wait(Duration::from_secs(2));
    room.level(1, VOICE);
    room.wait(Duration::from_millis(400));
    room.level(1, QUIET);
    room.wait(Duration::from_secs(2));
    assert_eq!(room.speakers()[0], (0, true), "a word");
    // As loud as the first: no one wins by a hair.
    room.level(1, VOICE);
    room.wait(Duration::from_secs(5));
    assert_eq!(room.speakers()[0], (0, true));
    room.level(1, LOUD);
    room.wait(Duration::from_secs(3));
    assert_eq!(room.speakers()[..2], [(1, true), (0, true)]);
    let told = room.told();
    room.wait(Duration::from_secs(20));
    assert_eq!(room.told(), told, "nothing has changed");
}

#[test]
fn who_sends_nothing_any_more_is_silent() {
    let mut room = Room::new(2);
    room.level(1, VOICE);
    room.wait(Duration::from_secs(2));
    assert_eq!(room.speakers(), [(1, true)]);
    let one = room.people[1];
    room.world.pause(one, true).unwrap();
    room.wait(Duration::from_secs(5));
    assert_eq!(room.speakers(), [(1, false)]);
}

#[test]
fn who_leaves_is_forgotten() {
    let mut room = Room::new(3);
    for one in [0, 1] {
        room.level(one, VOICE);
        room.wait(Duration::from_secs(1));
        room.level(one, QUIET);
        room.wait(Duration::from_secs(4));
    }
    assert_eq!(room.speakers(), [(1, false), (0, false)]);
    let one = room.people[1];
    room.world.leave(one);
    assert_eq!(room.speakers(), [(0, false)]);
    for one in [0, 2] {
        let one = room.people[one];
        room.world.leave(one);
    }
    assert_eq!(room.world.shard_size(0).unwrap().circles, 0);
}
