//! A publisher that has agreed on several encodings may send one alone: to a single receiver, whose
//! path its rate then follows as if there were no others; and all of them again, without a word.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::conference::{PublisherConfig, SIMULCAST3, ViewerConfig};
use perikon::sim::{ClientId, LinkConfig};
use sim_support::*;

/// What the receiver's path carries, bit/s: the largest encoding takes 600 kbit/s at least.
const NARROW: u64 = 1_000_000;

struct Call {
    world: Seeded,
    publisher: ClientId,
    viewer: ClientId,
}

impl Call {
    /// The viewer may be in another shard.
    fn new(shard: usize, down: LinkConfig) -> Self {
        let mut world = world_with(47, 2);
        let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let config = PublisherConfig {
            encodings: SIMULCAST3,
            temporal: false,
        };
        let publisher = world.broadcast(host, 0, config).unwrap();
        world.heed(publisher);
        world.send_alone(publisher, true);
        let mut call = Self {
            world,
            publisher,
            viewer: publisher,
        };
        call.viewer = call.join(shard, down);
        call
    }

    /// Somebody watches.
    fn join(&mut self, shard: usize, down: LinkConfig) -> ClientId {
        let host = self.world.add_host(LinkConfig::GOOD, down);
        let config = ViewerConfig::default();
        let viewer = self.world.watch_at(shard, host, self.publisher, config);
        viewer.unwrap()
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(secs(seconds)).unwrap();
    }

    /// What is sent of pictures and sound, bit/s.
    fn rate(&self) -> u64 {
        self.world.rate(self.publisher)
    }

    /// The lines of the last picture that was shown.
    fn lines(&self) -> u16 {
        self.world.lines(self.viewer)
    }

    /// How many pictures are shown in the next ten seconds.
    fn ten_seconds(&mut self) -> usize {
        let shown = |call: &Self| call.world.viewed(call.viewer).unwrap().shown.len();
        let before = shown(self);
        self.run(10);
        shown(self) - before
    }
}

fn narrow() -> LinkConfig {
    LinkConfig {
        rate: Some(NARROW),
        ..LinkConfig::GOOD
    }
}

#[test]
fn the_rate_of_the_largest_alone_follows_its_receiver_and_is_free_again_with_the_others() {
    for shard in [0, 1] {
        let mut call = Call::new(shard, narrow());
        call.run(20);
        assert!(call.rate() < NARROW, "shard {shard}: {} bit/s", call.rate());
        assert_eq!(call.lines(), 720);
        let shown = call.ten_seconds();
        assert!(shown > 250, "{shown} pictures in ten seconds");

        // A third joins, who can take more: what one can take says nothing of all.
        let third = call.join(shard, LinkConfig::GOOD);
        call.world.send_alone(call.publisher, false);
        call.run(20);
        assert!(call.rate() > 2 * NARROW, "{} bit/s", call.rate());
        let lines = call.lines();
        assert!(lines < 720 && lines > 0, "{lines} lines");
        let shown = call.ten_seconds();
        assert!(shown > 250, "{shown} pictures in ten seconds");

        // And goes.
        call.world.leave(third);
        call.world.send_alone(call.publisher, true);
        call.run(20);
        assert!(call.rate() < NARROW, "shard {shard}: {} bit/s", call.rate());
        assert_eq!(call.lines(), 720);
        let shown = call.ten_seconds();
        assert!(shown > 200, "{shown} pictures in ten seconds");
    }
}

#[test]
fn a_good_path_gets_all_of_the_largest() {
    let mut call = Call::new(0, LinkConfig::GOOD);
    call.run(20);
    assert!(call.rate() > 2_000_000, "{} bit/s", call.rate());
    assert_eq!(call.lines(), 720);
}
