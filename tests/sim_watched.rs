//! A publisher that can pause encodings sends none that nobody watches, and nobody is left without
//! a picture for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::media::layer::View;
use perikon::shard::{Command, Event, GroupId, VoiceLimits};
use perikon::sim::conference::{EncodingConfig, PublisherConfig, SIMULCAST3, SINGLE, ViewerConfig};
use perikon::sim::{ClientId, LinkConfig, Step};
use sim_support::*;
use std::time::Duration;

/// Lines of the pictures of the three encodings.
const LINES: [u16; 3] = [180, 360, 720];

struct Meeting {
    world: Seeded,
    publisher: ClientId,
}

impl Meeting {
    fn new(encodings: &'static [EncodingConfig], shards: usize) -> Self {
        let config = PublisherConfig {
            encodings,
            temporal: false,
        };
        let mut world = world_with(31, shards);
        let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let publisher = world.broadcast(host, 0, config).unwrap();
        Self { world, publisher }
    }

    /// Its publisher sends nothing that nobody watches.
    fn heeding(encodings: &'static [EncodingConfig], shards: usize) -> Self {
        let mut meeting = Self::new(encodings, shards);
        meeting.world.heed(meeting.publisher);
        meeting
    }

    fn of(encodings: &'static [EncodingConfig]) -> Self {
        Self::heeding(encodings, 1)
    }

    /// So does this one, but for a frame a second.
    fn resting(encodings: &'static [EncodingConfig]) -> Self {
        let mut meeting = Self::new(encodings, 1);
        meeting.world.rest(meeting.publisher);
        meeting
    }

    fn viewer(&mut self, down: LinkConfig) -> ClientId {
        self.viewer_at(0, down)
    }

    fn viewer_at(&mut self, shard: usize, down: LinkConfig) -> ClientId {
        let host = self.world.add_host(LinkConfig::GOOD, down);
        let config = ViewerConfig::default();
        self.world
            .watch_at(shard, host, self.publisher, config)
            .unwrap()
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(secs(seconds)).unwrap();
    }

    fn shows(&mut self, shard: usize, viewer: ClientId, view: View) {
        let peer = self.world.peer(viewer).unwrap();
        self.world.command(shard, Command::ShowDown { peer, view });
    }

    /// It shows the pictures so many lines high.
    fn window(&mut self, viewer: ClientId, height: u16) {
        let window = Some((height / 9 * 16, height));
        let view = View {
            window,
            ..View::default()
        };
        self.shows(0, viewer, view);
    }

    /// Which encodings the publisher was told to send, lowest first.
    fn wanted(&self) -> Vec<bool> {
        self.world.wanted(self.publisher).unwrap()
    }

    /// What it sends of pictures and sound, bit/s.
    fn rate(&self) -> u64 {
        self.world.rate(self.publisher)
    }

    /// How often it was told to pause something, or to go on.
    fn told(&self) -> usize {
        let events = self.world.shard_events(0).iter();
        let told = events.filter_map(|(_, event)| match event {
            Event::Watched { wanted, .. } => Some(wanted.paused),
            _ => None,
        });
        let mut told: Vec<_> = told.collect();
        told.dedup();
        told.len()
    }

    /// The lines of the last picture that was shown.
    fn lines(&self, viewer: ClientId) -> u16 {
        self.world.lines(viewer)
    }

    /// The longest time without a new picture since then, ms.
    fn longest(&self, viewer: ClientId, from: i64) -> i64 {
        let seen = self.world.viewed(viewer).unwrap();
        assert_eq!((seen.broken, seen.backward, seen.damaged), (0, 0, 0));
        let end = self.micros();
        let times = seen.shown.iter().map(|shown| shown.at);
        let times: Vec<i64> = times
            .filter(|at| *at >= from)
            .chain(std::iter::once(end))
            .collect();
        let gaps = times.windows(2).map(|two| (two[1] - two[0]) / 1_000);
        gaps.max().unwrap_or(i64::MAX)
    }

    fn micros(&self) -> i64 {
        self.world.elapsed().as_micros() as i64
    }

    /// The time until the viewer, who has just come, sees something, ms.
    fn first(&mut self, viewer: ClientId) -> i64 {
        let from = self.micros();
        self.run(3);
        let seen = self.world.viewed(viewer).unwrap();
        let first = seen.shown.first().map_or(i64::MAX, |shown| shown.at);
        (first - from) / 1_000
    }
}

#[test]
fn alone_only_sound_is_sent_and_who_comes_sees_a_picture_as_soon_as_ever() {
    let meetings = [
        (SINGLE, Meeting::of(SINGLE)),
        (SIMULCAST3, Meeting::of(SIMULCAST3)),
        (SINGLE, Meeting::resting(SINGLE)),
        (SIMULCAST3, Meeting::resting(SIMULCAST3)),
    ];
    for (encodings, mut alone) in meetings {
        alone.run(8);
        assert!(alone.rate() > 1_000_000, "it begins with all");
        alone.run(12);
        assert!(alone.wanted().iter().all(|wanted| !wanted));
        assert!(alone.rate() < 100_000, "{} bit/s", alone.rate());
        let told = alone.told();
        let viewer = alone.viewer(LinkConfig::GOOD);
        let first = alone.first(viewer);
        let mut usual = Meeting::new(encodings, 1);
        usual.run(20);
        let other = usual.viewer(LinkConfig::GOOD);
        let ever = usual.first(other);
        assert!(first <= ever + 150, "{first} ms instead of {ever} ms");
        alone.run(7);
        assert_eq!(alone.lines(viewer), 720);
        assert_eq!(alone.wanted(), vec![true; encodings.len()]);
        // First the smallest, then what was agreed on.
        assert!(alone.told() <= told + 2);
        assert_eq!(usual.told(), 0, "it is not asked to");
        // And gone again.
        alone.world.leave(viewer);
        alone.run(20);
        assert!(alone.rate() < 100_000);
    }
}

#[test]
fn a_small_window_needs_no_large_pictures_and_a_large_one_gets_them_back() {
    let mut meeting = Meeting::of(SIMULCAST3);
    let viewer = meeting.viewer(LinkConfig::GOOD);
    meeting.run(15);
    assert_eq!(meeting.lines(viewer), 720);
    let from = meeting.micros();
    for (window, wanted) in [
        (180, [true, false, false]),
        (360, [true, true, false]),
        (720, [true, true, true]),
        (180, [true, false, false]),
        (720, [true, true, true]),
    ] {
        meeting.window(viewer, window);
        meeting.run(3);
        assert_eq!(meeting.lines(viewer), window, "soon");
        meeting.run(22);
        assert_eq!(meeting.lines(viewer), window);
        assert_eq!(meeting.wanted(), wanted, "{window} lines");
    }
    let longest = meeting.longest(viewer, from);
    assert!(longest < 300, "{longest} ms without a picture");
    assert!(meeting.told() <= 6, "told {} times", meeting.told());
}

#[test]
fn the_one_with_the_largest_window_decides() {
    let mut meeting = Meeting::of(SIMULCAST3);
    let viewers: Vec<_> = (0..3).map(|_| meeting.viewer(LinkConfig::GOOD)).collect();
    meeting.run(5);
    for (viewer, lines) in viewers.iter().zip(LINES) {
        meeting.window(*viewer, lines);
    }
    meeting.run(20);
    assert_eq!(meeting.wanted(), [true; 3]);
    meeting.world.leave(viewers[2]);
    meeting.run(10);
    assert_eq!(meeting.wanted(), [true, true, false]);
    assert_eq!(meeting.lines(viewers[1]), 360);
    // Who comes gets what there is at once, and the best soon.
    let late = meeting.viewer(LinkConfig::GOOD);
    assert!(meeting.first(late) < 700);
    meeting.run(2);
    assert_eq!(meeting.lines(late), 720);
    assert_eq!(meeting.lines(viewers[0]), 180);
}

#[test]
fn what_no_path_carries_is_not_sent_and_comes_back_with_the_bandwidth() {
    const FALL: LinkConfig = LinkConfig {
        trace: &[
            Step {
                at: Duration::ZERO,
                rate: 8_000_000,
                delay: Duration::from_millis(20),
            },
            Step {
                at: Duration::from_secs(20),
                rate: 250_000,
                delay: Duration::from_millis(20),
            },
            Step {
                at: Duration::from_secs(60),
                rate: 8_000_000,
                delay: Duration::from_millis(20),
            },
        ],
        queue_bytes: Some(60_000),
        ..LinkConfig::PERFECT
    };
    let mut meeting = Meeting::of(SIMULCAST3);
    let viewer = meeting.viewer(FALL);
    meeting.run(19);
    assert_eq!(meeting.lines(viewer), 720);
    meeting.run(38);
    assert!(meeting.lines(viewer) <= 360);
    assert!(!meeting.wanted()[2], "{:?}", meeting.wanted());
    let told = meeting.told();
    let from = meeting.micros();
    meeting.run(23);
    assert_eq!(meeting.lines(viewer), 720, "it is remembered what it costs");
    assert!(meeting.longest(viewer, from) < 600);
    assert!(told <= 4, "told {told} times");
}

#[test]
fn who_wants_no_pictures_watches_nothing() {
    let mut meeting = Meeting::of(SINGLE);
    let viewer = meeting.viewer(LinkConfig::GOOD);
    meeting.run(12);
    meeting.world.select(viewer, true, false).unwrap();
    meeting.run(10);
    assert_eq!(meeting.wanted(), [false]);
    let from = meeting.micros();
    meeting.world.select(viewer, true, true).unwrap();
    meeting.run(1);
    assert_eq!(meeting.wanted(), [true]);
    let seen = meeting.world.viewed(viewer).unwrap();
    let first = seen.shown.iter().find(|shown| shown.at > from).unwrap().at;
    assert!(first - from < 700_000, "after {} µs", first - from);
}

#[test]
fn withheld_pictures_are_not_sent_before_their_turn() {
    let mut meeting = Meeting::of(SIMULCAST3);
    let group = GroupId(1);
    let limits = VoiceLimits {
        pictures: 1,
        sounds: 0,
    };
    // Somebody else speaks last.
    let host = meeting.world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let first = meeting
        .world
        .broadcast(host, 0, PublisherConfig::default())
        .unwrap();
    for one in [meeting.publisher, first] {
        let peer = meeting.world.peer(one).unwrap();
        let enlist = Command::Enlist {
            peer,
            group,
            limits,
        };
        meeting.world.command(0, enlist);
        meeting.run(3);
    }
    let viewer = meeting.viewer(LinkConfig::GOOD);
    meeting.run(20);
    assert_eq!(meeting.wanted(), [false; 3]);
    // Pinned, it is wanted nevertheless.
    let from = meeting.micros();
    let view = View {
        priority: true,
        ..View::default()
    };
    meeting.shows(0, viewer, view);
    meeting.run(5);
    assert_eq!(meeting.wanted(), [true; 3]);
    assert_eq!(meeting.lines(viewer), 720);
    let seen = meeting.world.viewed(viewer).unwrap();
    let first = seen.shown.iter().find(|shown| shown.at > from).unwrap().at;
    assert!(first - from < 700_000, "after {} µs", first - from);
}

#[test]
fn receivers_in_another_shard_count() {
    let mut meeting = Meeting::heeding(SIMULCAST3, 2);
    meeting.run(20);
    assert_eq!(meeting.wanted(), [false; 3]);
    let viewer = meeting.viewer_at(1, LinkConfig::GOOD);
    assert!(meeting.first(viewer) < 900);
    meeting.run(5);
    assert_eq!(meeting.lines(viewer), 720);
    let small = View {
        window: Some((320, 180)),
        ..View::default()
    };
    meeting.shows(1, viewer, small);
    meeting.run(15);
    assert_eq!(meeting.lines(viewer), 180);
    assert_eq!(meeting.wanted(), [true, false, false]);
    let from = meeting.micros();
    meeting.shows(1, viewer, View::default());
    meeting.run(5);
    assert_eq!(meeting.lines(viewer), 720);
    assert_eq!(meeting.wanted(), [true; 3]);
    assert!(meeting.longest(viewer, from) < 300);
    meeting.world.leave(viewer);
    meeting.run(25);
    assert_eq!(meeting.wanted(), [false; 3]);
}

#[test]
fn a_window_that_changes_all_the_time_makes_nothing_flap() {
    let mut meeting = Meeting::of(SIMULCAST3);
    let viewer = meeting.viewer(LinkConfig::GOOD);
    meeting.run(15);
    for _ in 0..20 {
        meeting.window(viewer, 180);
        meeting.run(8);
        meeting.window(viewer, 720);
        meeting.run(4);
    }
    assert!(meeting.told() <= 6, "told {} times", meeting.told());
    let longest = meeting.longest(viewer, 5_000_000);
    assert!(longest < 300, "{longest} ms without a picture");
}

#[test]
fn only_what_is_watched_there_crosses_to_another_shard() {
    let mut meeting = Meeting::heeding(SIMULCAST3, 2);
    let here = meeting.viewer_at(0, LinkConfig::GOOD);
    let there = meeting.viewer_at(1, LinkConfig::GOOD);
    let window = |height| View {
        window: Some((height / 9 * 16, height)),
        ..View::default()
    };
    // What crosses, bit/s.
    let crossing = |meeting: &mut Meeting| {
        let before = meeting.world.relayed();
        meeting.run(5);
        (meeting.world.relayed() - before) * 8 / 5
    };
    meeting.run(20);
    assert_eq!(meeting.lines(there), 720);
    let told = meeting.told();
    let from = meeting.micros();
    let all = crossing(&mut meeting);
    assert!(all > 1_500_000, "{all} bit/s");
    for (lines, least, most) in [
        (180, 100_000, 300_000),
        (720, all * 9 / 10, all * 11 / 10),
        (360, 300_000, all / 2),
        (180, 100_000, 300_000),
        (720, all * 9 / 10, all * 11 / 10),
    ] {
        meeting.shows(1, there, window(lines));
        meeting.run(2);
        assert_eq!(meeting.lines(there), lines, "soon");
        meeting.run(13);
        let crosses = crossing(&mut meeting);
        assert!(
            (least..=most).contains(&crosses),
            "{lines} lines: {crosses} bit/s"
        );
    }
    // Who comes there while little crosses sees something at once, and all of it soon; so does who
    // comes just when it crosses again.
    meeting.shows(1, there, window(180));
    meeting.run(20);
    let late = meeting.viewer_at(1, LinkConfig::GOOD);
    let first = meeting.first(late);
    assert!(first < 700, "{first} ms");
    assert_eq!(meeting.lines(late), 720);
    let later = meeting.viewer_at(1, LinkConfig::GOOD);
    let first = meeting.first(later);
    assert!(first < 700, "{first} ms");
    for viewer in [late, later] {
        meeting.world.select(viewer, true, false).unwrap();
    }
    meeting.world.select(there, true, false).unwrap();
    // Longer than ever: it has had to be sent again soon.
    meeting.run(40);
    let crosses = crossing(&mut meeting);
    assert!(crosses < 100_000, "only sound: {crosses} bit/s");
    meeting.world.select(there, true, true).unwrap();
    meeting.shows(1, there, window(720));
    meeting.run(3);
    assert_eq!(meeting.lines(there), 720);

    // The publisher is told nothing of all this, and nobody notices.
    assert_eq!(meeting.wanted(), [true; 3]);
    assert_eq!(meeting.told(), told);
    assert_eq!(meeting.lines(here), 720);
    let longest = meeting.longest(here, from);
    assert!(longest < 300, "{longest} ms without a picture");
    for viewer in [late, later] {
        meeting.longest(viewer, from);
    }
    assert_eq!(meeting.world.viewed(there).unwrap().broken, 0);
}
