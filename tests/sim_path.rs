//! What becomes of several streams over the path of one client, when some of them end or fall
//! silent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::conference::{EncodingConfig, PublisherConfig, SIMULCAST3, SINGLE, ViewerConfig};
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

/// The path falls to what carries one of two streams. The other is paused, and the last that was
/// heard of it is that its packets waited longer and longer.
#[test]
fn what_was_heard_last_of_a_stream_that_is_paused_holds_up_no_other() {
    for queue_bytes in [60_000, 80_000] {
        let mut world = world(72);
        let (_, small) = broadcast(&mut world, SIMULCAST3);
        let (_, large) = broadcast(&mut world, SINGLE);
        let wide = LinkConfig {
            delay: millis(25),
            rate: Some(6_000_000),
            queue_bytes: Some(queue_bytes),
            ..LinkConfig::PERFECT
        };
        let host = world.add_host(LinkConfig::GOOD, wide);
        let config = ViewerConfig::default();
        let small = world.watch(host, small, config).unwrap();
        let large = world.watch(host, large, config).unwrap();
        world.run_for(secs(15)).unwrap();
        let fallen = LinkConfig {
            rate: Some(400_000),
            ..wide
        };
        world.set_links(host, LinkConfig::GOOD, fallen);
        world.run_for(secs(10)).unwrap();
        let (from, before) = (world.elapsed().as_micros() as i64, shown(&world, large));
        world.run_for(secs(30)).unwrap();
        assert_eq!(shown(&world, large), before, "there is no room for it");
        let seen = world.viewed(small).unwrap();
        let times = seen.shown.iter().map(|one| one.at).filter(|at| *at >= from);
        let times: Vec<_> = times.collect();
        let longest = times.windows(2).map(|two| two[1] - two[0]).max();
        assert!(longest < Some(500_000), "{queue_bytes}: {longest:?} µs");
        assert!(times.len() > 800, "{queue_bytes}: {} frames", times.len());
    }
}
