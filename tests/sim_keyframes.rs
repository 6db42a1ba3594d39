//! How often a publisher is asked for keyframes, and for how long, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::media::feedback::Compound;
use perikon::media::layer::View;
use perikon::shard::Command;
use perikon::sim::conference::{PublisherConfig, SIMULCAST3, ViewerConfig};
use perikon::sim::{ClientId, HostId, LinkConfig, Random, ReceiverConfig, SenderConfig, World};
use sim_support::*;
use std::time::Duration;

/// Between two requests to one track: twice a second at most.
const INTERVAL: Duration = Duration::from_millis(500);
const SHARDS: usize = 2;

/// How a receiver asks for a keyframe.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Pli,
    Fir(u8),
}

/// A receiver asks for a keyframe of its pictures, once, and its request arrives. Nothing happens
/// while it is not connected.
fn ask(world: &mut World, shard: usize, client: ClientId, how: Ask) {
    let Some(ssrc) = world.ssrcs(client).last().copied() else {
        return;
    };
    let mut buffer = [0; 128];
    let mut compound = Compound::with_receiver_report(&mut buffer, 1, &[]).unwrap();
    match how {
        Ask::Pli => compound.pli(1, ssrc).unwrap(),
        Ask::Fir(command) => compound.fir(1, ssrc, command).unwrap(),
    }
    let len = compound.len();
    let from = world.address(client).unwrap();
    if let Ok(datagram) = world.craft_rtcp(client, &buffer[..len]) {
        world.inject(shard, from, &datagram);
    }
}

/// The line delays all alike, so that it is asked as often as the server asks.
fn assert_seldom(times: &[Duration], who: &str) {
    for pair in times.windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= INTERVAL, "{who} is asked again after {pause:?}");
    }
}

fn watch(world: &mut World, publisher: ClientId) -> ClientId {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = ViewerConfig::default();
    world.watch(host, publisher, config).unwrap()
}

#[test]
fn whoever_asks_and_in_whatever_way_each_encoding_is_asked_twice_a_second_at_most() {
    let seed = seed(90);
    let mut world = world_of(seed);
    let mut random = Random::stream(seed, &[90]);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig {
        encodings: SIMULCAST3,
        temporal: true,
    };
    let publisher = world.broadcast(host, 0, config).unwrap();
    world.run_for(secs(8)).unwrap();
    let mut watchers: Vec<_> = (0..30).map(|_| watch(&mut world, publisher)).collect();
    world.run_for(secs(5)).unwrap();
    let before = world.published(publisher).unwrap();
    let (mut asked, mut switched, mut joined) = (0, 0, 0);
    for round in 0..300_u64 {
        for _ in 0..3 {
            let watcher = watchers[random.below(watchers.len() as u64) as usize];
            match random.below(6) {
                0 | 1 => ask(&mut world, 0, watcher, Ask::Pli),
                2 => ask(&mut world, 0, watcher, Ask::Fir(round as u8)),
                _ => {
                    let size = [(320, 180), (640, 360), (1_280, 720), (0, 0)];
                    let view = View {
                        window: Some(size[random.below(4) as usize]),
                        ..View::default()
                    };
                    let peer = world.peer(watcher).unwrap();
                    world.command(0, Command::ShowDown { peer, view });
                    switched += 1;
                    continue;
                }
            }
            asked += 1;
        }
        if round % 10 == 0 {
            let leaves = watchers.remove(0);
            world.leave(leaves);
            watchers.push(watch(&mut world, publisher));
            joined += 1;
        }
        world.run_for(millis(50)).unwrap();
    }
    let published = world.published(publisher).unwrap();
    let times = |encoding: usize| {
        let all = published.keyframe_requests.iter();
        let of = all.filter(|(at, _)| *at == encoding);
        of.map(|(_, at)| *at).collect::<Vec<_>>()
    };
    let mut total = 0;
    for encoding in 0..3 {
        let times = times(encoding);
        assert_seldom(&times, &format!("encoding {encoding}"));
        total += times.len();
    }
    // Some 900 wishes in 15 s.
    assert!(asked > 300 && switched > 300 && joined == 30);
    let requests = published.keyframe_requests.len() - before.keyframe_requests.len();
    assert!((20..=93).contains(&requests), "{requests} requests");
    assert_eq!(total, published.keyframe_requests.len());
    world.run_for(secs(5)).unwrap();
    let after = world.published(publisher).unwrap();
    let late = after.keyframe_requests.iter();
    let late = late.filter(|(_, at)| *at > world.elapsed() - secs(3));
    assert_eq!(late.count(), 0, "nobody needs one any more");
    for watcher in watchers {
        let seen = world.viewed(watcher).unwrap();
        assert_eq!((seen.broken, seen.backward), (0, 0), "{watcher:?}");
        let last = seen.shown.last().unwrap().at;
        let ago = world.elapsed().as_micros() as i64 - last;
        assert!(ago < 400_000, "{watcher:?} stands still for {ago} µs");
    }
}

#[test]
fn all_shards_together_ask_twice_a_second_at_most() {
    let mut world = world_with(91, SHARDS);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    world.run_for(secs(10)).unwrap();
    let receivers: Vec<_> = (0..16)
        .map(|number| {
            let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
            let config = ReceiverConfig::default();
            let receiver = world.subscribe_at(number % SHARDS, host, publisher, config);
            (number % SHARDS, receiver.unwrap())
        })
        .collect();
    world.run_for(secs(3)).unwrap();
    let before = world.client(publisher).keyframe_requests.len();
    for round in 0..100 {
        for (shard, receiver) in &receivers {
            let how = match round % 2 {
                0 => Ask::Pli,
                _ => Ask::Fir(round),
            };
            ask(&mut world, *shard, *receiver, how);
        }
        world.run_for(millis(50)).unwrap();
    }
    let times = world.client(publisher).keyframe_requests;
    assert_seldom(&times, "it");
    let asked = times.len() - before;
    assert!((8..=11).contains(&asked), "asked {asked} times in 5 s");
}

/// A publisher for ten seconds, its host, and one who watches.
fn pair(world: &mut World, config: SenderConfig) -> (HostId, ClientId, ClientId) {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let publisher = world.publish(host, 0, config).unwrap();
    let viewer = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = ReceiverConfig::default();
    let receiver = world.subscribe(viewer, publisher, config).unwrap();
    world.run_for(secs(10)).unwrap();
    (host, publisher, receiver)
}

const DEAD: LinkConfig = LinkConfig {
    loss: 1.0,
    ..LinkConfig::GOOD
};

#[test]
fn a_request_that_is_lost_is_made_again_until_a_keyframe_came() {
    let mut world = world(92);
    let (host, publisher, receiver) = pair(&mut world, SenderConfig::default());
    let before = world.client(publisher);
    assert_eq!(before.keyframe_requests.len(), 0);
    // What the server says to the publisher is lost.
    world.set_links(host, LinkConfig::GOOD, DEAD);
    ask(&mut world, 0, receiver, Ask::Pli);
    world.run_for(secs(3)).unwrap();
    assert_eq!(world.client(publisher).keyframes, before.keyframes);
    world.set_links(host, LinkConfig::GOOD, LinkConfig::GOOD);
    // Made after 0, 0.5 and 1.5 s already.
    world.run_for(secs(2)).unwrap();
    let asked = world.client(publisher);
    assert_eq!(asked.keyframe_requests.len(), 1, "it is remembered");
    assert_eq!(asked.keyframes, before.keyframes + 1);
    world.run_for(secs(20)).unwrap();
    let later = world.client(publisher);
    assert_eq!(later.keyframe_requests.len(), 1, "it was answered");
    assert_eq!(later.keyframes, before.keyframes + 1);
}

#[test]
fn a_keyframe_that_is_lost_is_asked_for_again() {
    let mut world = world(93);
    // It would bring the keyframe later.
    let config = SenderConfig {
        nack: false,
        ..SenderConfig::default()
    };
    let (host, publisher, receiver) = pair(&mut world, config);
    let before = world.client(publisher);
    // What the publisher says is lost.
    world.set_links(host, DEAD, LinkConfig::GOOD);
    ask(&mut world, 0, receiver, Ask::Pli);
    world.run_for(millis(1_200)).unwrap();
    world.set_links(host, LinkConfig::GOOD, LinkConfig::GOOD);
    world.run_for(secs(5)).unwrap();
    let after = world.client(publisher);
    let asked = &after.keyframe_requests[before.keyframe_requests.len()..];
    assert_seldom(asked, "it");
    assert!((3..=4).contains(&asked.len()), "{asked:?}");
    assert!(after.keyframes >= before.keyframes + 3);
    let video = &world.client(receiver).tracks[VIDEO];
    let ago = world.elapsed() - video.last_frame.unwrap();
    assert!(ago < millis(100), "no picture for {ago:?}");
    let quiet = after.keyframe_requests.len();
    world.run_for(secs(10)).unwrap();
    assert_eq!(world.client(publisher).keyframe_requests.len(), quiet);
}
