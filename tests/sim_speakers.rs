//! Who speaks is found from the levels that packets carry.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod sim_support;

use perikon::media::layer::View;
use perikon::shard::{Command, Event, GroupId, PeerId, VoiceLimits};
use perikon::sim::{ClientId, LinkConfig, ReceiverConfig, SenderConfig, VideoConfig};
use sim_support::*;
use std::time::Duration;

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
        Self::with(count, VoiceLimits::default())
    }

    fn with(count: usize, limits: VoiceLimits) -> Self {
        let mut world = world_of(0);
        // Pictures matter where they are withheld.
        let sender = SenderConfig {
            video: (limits.pictures > 0).then(VideoConfig::default),
            ..SenderConfig::default()
        };
        let mut people = Vec::new();
        for _ in 0..count {
            let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
            let one = world.publish(host, 0, sender).unwrap();
            world.set_level(one, Some(QUIET)).unwrap();
            let peer = world.peer(one).unwrap();
            let group = GroupId(7);
            world.command(
                0,
                Command::Enlist {
                    peer,
                    group,
                    limits,
                },
            );
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

    /// Someone who receives each of them.
    fn audience(&mut self) -> Vec<ClientId> {
        let host = self.world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let people = self.people.clone();
        let receive = |one| {
            let config = ReceiverConfig::default();
            self.world.subscribe(host, one, config).unwrap()
        };
        people.into_iter().map(receive).collect()
    }

    /// Who is received on this track for so long.
    fn received(&mut self, audience: &[ClientId], track: usize, time: Duration) -> Vec<usize> {
        let count = |room: &Self, one: &ClientId| {
            let report = room.world.client(*one);
            report.tracks.get(track).map_or(0, |track| track.received)
        };
        let before: Vec<u64> = audience.iter().map(|one| count(self, one)).collect();
        self.wait(time);
        let all = audience.iter().zip(&before).enumerate();
        let more = all.filter(|(_, (one, before))| count(self, one) > **before);
        more.map(|(at, _)| at).collect()
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

#[test]
fn last_n_forwards_the_pictures_of_those_who_spoke_last() {
    let limits = VoiceLimits {
        pictures: 2,
        sounds: 0,
    };
    let mut room = Room::with(4, limits);
    let audience = room.audience();
    room.wait(secs(2));
    let second = secs(1);
    assert_eq!(room.received(&audience, VIDEO, second), [0, 1]);
    assert_eq!(room.received(&audience, AUDIO, second), [0, 1, 2, 3]);
    room.level(3, VOICE);
    room.wait(secs(1));
    assert_eq!(room.received(&audience, VIDEO, second), [0, 3]);
    room.level(3, QUIET);
    room.wait(secs(4));
    room.level(2, VOICE);
    room.wait(secs(1));
    assert_eq!(room.received(&audience, VIDEO, second), [2, 3]);
    // Who pins somebody sees them nevertheless; the others do not.
    let other = room.audience();
    let view = View {
        priority: true,
        ..View::default()
    };
    let peer = room.world.peer(audience[1]).unwrap();
    room.world.command(0, Command::ShowDown { peer, view });
    room.wait(secs(1));
    assert_eq!(room.received(&audience, VIDEO, second), [1, 2, 3]);
    assert_eq!(room.received(&other, VIDEO, second), [2, 3]);
    // The limit is lifted, as by a change of the group file.
    for one in room.people.clone() {
        let peer = room.world.peer(one).unwrap();
        let (group, limits) = (GroupId(7), VoiceLimits::default());
        room.world.command(
            0,
            Command::Enlist {
                peer,
                group,
                limits,
            },
        );
    }
    room.wait(secs(1));
    assert_eq!(room.received(&audience, VIDEO, second), [0, 1, 2, 3]);
    for one in audience {
        let report = room.world.client(one);
        let pictures = &report.tracks[VIDEO];
        assert_eq!(
            (pictures.jumps, pictures.corrupted, pictures.misnumbered),
            (0, 0, 0),
            "the numbers go on where they stopped"
        );
    }
}

#[test]
fn who_leaves_makes_room() {
    let limits = VoiceLimits {
        pictures: 1,
        sounds: 0,
    };
    let mut room = Room::with(2, limits);
    let audience = room.audience();
    room.wait(secs(2));
    assert_eq!(room.received(&audience, VIDEO, secs(1)), [0]);
    let first = room.people[0];
    room.world.leave(first);
    room.wait(secs(1));
    assert_eq!(room.received(&audience, VIDEO, secs(1)), [1]);
}

#[test]
fn of_many_voices_the_loudest_are_heard_from_their_first_words() {
    let limits = VoiceLimits {
        pictures: 0,
        sounds: 2,
    };
    let mut room = Room::with(5, limits);
    let audience = room.audience();
    room.wait(secs(2));
    assert_eq!(room.received(&audience, AUDIO, secs(1)).len(), 2);
    room.level(4, VOICE);
    let begins = room.received(&audience, AUDIO, millis(400));
    assert!(begins.contains(&4), "heard at once: {begins:?}");
    room.level(3, VOICE);
    room.wait(secs(1));
    assert_eq!(room.received(&audience, AUDIO, secs(1)), [3, 4]);
    room.level(0, LOUD);
    room.wait(secs(1));
    let heard = room.received(&audience, AUDIO, secs(2));
    assert!(heard.contains(&0), "the loudest: {heard:?}");
}
