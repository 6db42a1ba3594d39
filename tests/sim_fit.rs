//! Where nobody has room for what an encoding comes to, its publisher is told how much they have,
//! and they are sent that.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::conference::{PublisherConfig, SIMULCAST3, ViewerConfig};
use perikon::sim::{ClientId, HostId, LinkConfig};
use sim_support::*;
use std::time::Duration;

/// Too little for the largest encoding, which comes to 2.5 Mbit/s; the next comes to 0.5.
const NARROW: LinkConfig = LinkConfig {
    delay: Duration::from_millis(25),
    rate: Some(1_000_000),
    queue_bytes: Some(60_000),
    ..LinkConfig::PERFECT
};

struct Meeting {
    world: Seeded,
    publisher: ClientId,
}

#[derive(Clone, Copy)]
struct Viewer {
    client: ClientId,
    host: HostId,
}

impl Meeting {
    fn new(shards: usize) -> Self {
        let mut world = world_with(37, shards);
        let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let config = PublisherConfig {
            encodings: SIMULCAST3,
            temporal: true,
        };
        let publisher = world.broadcast(host, 0, config).unwrap();
        Self { world, publisher }
    }

    /// Its publisher does as it is told.
    fn heeding(shards: usize) -> Self {
        let mut meeting = Self::new(shards);
        meeting.world.rest(meeting.publisher);
        meeting
    }

    fn viewer(&mut self, shard: usize, down: LinkConfig) -> Viewer {
        let host = self.world.add_host(LinkConfig::GOOD, down);
        let config = ViewerConfig::default();
        let client = self.world.watch_at(shard, host, self.publisher, config);
        let client = client.unwrap();
        Viewer { client, host }
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(secs(seconds)).unwrap();
    }

    /// What the publisher sends of pictures and sound, bit/s.
    fn rate(&self) -> u64 {
        self.world.rate(self.publisher)
    }

    /// The lines of the last picture that was shown.
    fn lines(&self, viewer: Viewer) -> u16 {
        self.world.lines(viewer.client)
    }

    /// Frames a second that are shown in the next seconds, and bit/s that the link to the viewer
    /// carries.
    fn watch(&mut self, viewer: Viewer, seconds: u64) -> (u64, u64) {
        let figures = |meeting: &Self| {
            let seen = meeting.world.viewed(viewer.client).unwrap();
            let link = meeting.world.down_link(viewer.host).unwrap();
            let bytes: u64 = link
                .departures()
                .iter()
                .map(|bytes| u64::from(*bytes))
                .sum();
            (seen.shown.len() as u64, bytes)
        };
        let before = figures(self);
        self.run(seconds);
        let after = figures(self);
        (
            (after.0 - before.0) / seconds,
            (after.1 - before.1) * 8 / seconds,
        )
    }
}

#[test]
fn who_has_less_room_than_a_picture_takes_gets_it_for_what_there_is() {
    for shard in [0, 1] {
        let mut meeting = Meeting::heeding(2);
        let viewer = meeting.viewer(shard, NARROW);
        meeting.run(20);
        assert_eq!(meeting.lines(viewer), 720);
        let (frames, carried) = meeting.watch(viewer, 20);
        assert!(frames >= 28, "{frames} frames a second");
        assert!(carried >= 800_000, "{carried} bit/s of 1,000,000");
        assert_eq!(meeting.lines(viewer), 720);
        assert!(meeting.rate() < 1_700_000, "{} bit/s", meeting.rate());
    }
}

#[test]
fn who_is_not_told_sends_all_and_the_next_smaller_picture_is_seen() {
    let mut meeting = Meeting::new(1);
    let viewer = meeting.viewer(0, NARROW);
    meeting.run(30);
    assert_eq!(meeting.lines(viewer), 360);
    assert!(meeting.rate() > 2_800_000, "{} bit/s", meeting.rate());
}

#[test]
fn the_one_with_the_most_room_decides() {
    for shard in [0, 1] {
        let mut meeting = Meeting::heeding(2);
        let narrow = meeting.viewer(0, NARROW);
        meeting.run(20);
        assert_eq!(meeting.lines(narrow), 720);
        let wide = meeting.viewer(shard, LinkConfig::GOOD);
        meeting.run(8);
        assert!(meeting.rate() > 2_800_000, "{} bit/s", meeting.rate());
        assert_eq!(meeting.lines(wide), 720);
        let (frames, _) = meeting.watch(wide, 10);
        assert!(frames >= 29, "{frames} frames a second");
        assert_eq!(meeting.lines(narrow), 360);
        let (frames, _) = meeting.watch(narrow, 10);
        assert!(frames >= 28, "{frames} frames a second");
        // Alone again.
        meeting.world.leave(wide.client);
        meeting.run(12);
        assert_eq!(meeting.lines(narrow), 720);
        assert!(meeting.rate() < 1_700_000, "{} bit/s", meeting.rate());
    }
}
