//! What becomes of several streams over the path of one client, when some of them end or fall
//! silent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::conference::{EncodingConfig, PublisherConfig, SINGLE, ViewerConfig};
use perikon::sim::{ClientId, HostId, LinkConfig, World};
use sim_support::*;

/// Who publishes, to somebody on a good line: nobody is sent less for another's sake.
fn broadcast(world: &mut World, encodings: &'static [EncodingConfig]) -> (HostId, ClientId) {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig {
        encodings,
        temporal: false,
    };
    let publisher = world.broadcast(host, 0, config).unwrap();
    watch(world, publisher);
    (host, publisher)
}

fn watch(world: &mut World, publisher: ClientId) -> ClientId {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = ViewerConfig::default();
    world.watch(host, publisher, config).unwrap()
}

fn shown(world: &World, viewer: ClientId) -> usize {
    world.viewed(viewer).unwrap().shown.len()
}

/// A path that carries no picture had no room for a stream when it came, and none of it was ever
/// sent. The one that was there before ends, and later there is room.
#[test]
fn who_came_to_a_full_path_is_seen_once_there_is_room() {
    let mut world = world(71);
    let (_, first) = broadcast(&mut world, SINGLE);
    let (far, second) = broadcast(&mut world, SINGLE);
    // So far that its first picture is not there at once.
    let satellite = line(0.0, millis(400));
    world.set_links(far, satellite, satellite);
    let config = ViewerConfig::default();
    let narrow = LinkConfig {
        delay: millis(25),
        rate: Some(250_000),
        queue_bytes: Some(20_000),
        ..LinkConfig::PERFECT
    };
    let mut viewers: Vec<_> = (0..4)
        .map(|_| {
            let host = world.add_host(LinkConfig::GOOD, narrow);
            (host, world.watch(host, first, config).unwrap())
        })
        .collect();
    world.run_for(secs(15)).unwrap();
    for (host, viewer) in &mut viewers {
        let before = std::mem::replace(viewer, world.watch(*host, second, config).unwrap());
        world.run_for(millis(4_130)).unwrap();
        assert_eq!(shown(&world, *viewer), 0, "there is no room for it");
        world.leave(before);
        world.set_links(*host, LinkConfig::GOOD, LinkConfig::GOOD);
    }
    world.run_for(secs(12)).unwrap();
    for (_, viewer) in &viewers {
        let shown = shown(&world, *viewer);
        assert!(shown > 150, "{shown} frames");
    }
}
