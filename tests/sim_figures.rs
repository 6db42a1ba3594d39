//! What shards count, all of them together, is what clients saw, and it never falls.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod sim_support;

use perikon::media::Codec;
use perikon::shard::{Drop, MediaFigures, PathFigures, ShardFigures};
use perikon::sim::conference::{PublisherConfig, SIMULCAST3, ViewerConfig};
use perikon::sim::{LinkConfig, ReceiverConfig, SenderConfig, World};
use sim_support::*;

const SHARDS: usize = 2;

fn figures(world: &mut World) -> Vec<ShardFigures> {
    let of = |shard| world.shard_mut(shard).unwrap().figures();
    (0..SHARDS).map(of).collect()
}

/// All shards together.
fn media(shards: &[ShardFigures], up: bool, codec: Codec) -> MediaFigures {
    let all = shards.iter().flat_map(|shard| &shard.media);
    let same = all.filter(|one| (one.up, one.codec) == (up, codec));
    let sum = same.copied().reduce(|mut sum, one| {
        sum.tracks += one.tracks;
        sum.counts += one.counts;
        sum
    });
    sum.unwrap()
}

/// Every number that may only grow.
fn counters(shards: &[ShardFigures]) -> Vec<u64> {
    let of = |shard: &ShardFigures| {
        let media = shard.media.iter().map(|one| one.counts);
        let media = media.flat_map(|one| {
            [
                one.packets,
                one.bytes,
                one.lost,
                one.nacks,
                one.repaired,
                one.keyframes,
                one.keyframe_requests,
            ]
        });
        let named = shard.drops.iter().chain(&shard.timers);
        let all = media.chain(named.map(|(_, count)| *count));
        all.collect::<Vec<u64>>()
    };
    shards.iter().flat_map(of).collect()
}

#[test]
fn sums_agree_with_what_clients_saw_and_outlive_them() {
    let mut world = world_with(21, SHARDS);
    let lossy = line(0.02, millis(20));
    let host = world.add_host(lossy, LinkConfig::GOOD);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    let receivers: Vec<_> = (0..4)
        .map(|number| {
            let host = world.add_host(LinkConfig::GOOD, lossy);
            let config = ReceiverConfig::default();
            let receiver = world.subscribe_at(number % SHARDS, host, publisher, config);
            receiver.unwrap()
        })
        .collect();
    let mut before = counters(&figures(&mut world));
    let mut grown = |world: &mut World| {
        let now = figures(world);
        let counters = counters(&now);
        for (at, (old, new)) in before.iter().zip(&counters).enumerate() {
            assert!(old <= new, "counter {at} fell from {old} to {new}");
        }
        before = counters;
        now
    };
    for _ in 0..100 {
        world.run_for(millis(100)).unwrap();
        grown(&mut world);
    }

    let seen = grown(&mut world);
    let sent = world.client(publisher);
    let clients: Vec<_> = receivers.iter().map(|one| world.client(*one)).collect();
    for (track, codec) in [(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8)] {
        let (up, down) = (media(&seen, true, codec), media(&seen, false, codec));
        assert_eq!((up.tracks, down.tracks), (1, 4), "{codec:?}");
        let arrived = up.counts.packets;
        let all = sent.sent[track];
        // A mirror does not count again; what was lost a moment ago is not repaired yet.
        assert!(arrived <= all && arrived + 30 > all, "{arrived} of {all}");
        let received: u64 = clients.iter().map(|one| one.tracks[track].received).sum();
        let forwarded = down.counts.packets;
        assert!(forwarded >= received, "{forwarded} out, {received} arrived");
        assert!(forwarded <= 4 * arrived, "{forwarded} of 4 x {arrived}");
        assert!(received * 100 > forwarded * 95, "{received} of {forwarded}");
    }
    let (up, down) = (
        media(&seen, true, Codec::Vp8),
        media(&seen, false, Codec::Vp8),
    );
    let repaired: u64 = clients.iter().map(|one| one.tracks[VIDEO].by_rtx).sum();
    let asked: u64 = clients.iter().map(|one| one.tracks[VIDEO].asked).sum();
    assert!(repaired > 0 && repaired <= down.counts.repaired);
    assert!(down.counts.repaired <= down.counts.nacks && down.counts.nacks <= asked);
    assert!(up.counts.repaired > 0 && up.counts.repaired <= sent.resent);
    assert!(up.counts.keyframes <= sent.keyframes && up.counts.keyframes + 1 >= sent.keyframes);
    assert!(up.counts.keyframe_requests >= sent.keyframe_requests.len() as u64);
    let connected = |of: fn(&ShardFigures) -> usize| seen.iter().map(of).sum::<usize>();
    assert_eq!(connected(|one| one.ups.connected), 1);
    assert_eq!(connected(|one| one.downs.connected), 4);
    assert_eq!(seen.iter().map(|one| one.rtts.len()).sum::<usize>(), 5);

    for client in receivers.into_iter().chain([publisher]) {
        world.leave(client);
        for _ in 0..5 {
            world.run_for(millis(100)).unwrap();
            grown(&mut world);
        }
    }
    let gone = grown(&mut world);
    for shard in &gone {
        assert_eq!(shard.ups.connected + shard.downs.connected, 0);
        assert_eq!((shard.rtts.len(), shard.estimates.len()), (0, 0));
    }
    let (up, down) = (
        media(&gone, true, Codec::Vp8),
        media(&gone, false, Codec::Vp8),
    );
    assert_eq!((up.tracks, down.tracks), (0, 0));
    assert!(down.counts.packets >= 4 * 900, "{}", down.counts.packets);
}

#[test]
fn what_waits_for_a_path_and_what_is_tried_on_it_is_counted() {
    let mut world = world(22);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig {
        encodings: SIMULCAST3,
        temporal: true,
    };
    let publisher = world.broadcast(host, 0, config).unwrap();
    let wide = LinkConfig {
        rate: Some(4_000_000),
        queue_bytes: Some(40_000),
        ..LinkConfig::GOOD
    };
    let watcher = world.add_host(wide, wide);
    let view = world
        .watch(watcher, publisher, ViewerConfig::default())
        .unwrap();
    let mut before = PathFigures::default();
    let mut most = 0;
    let mut pass = |world: &mut World, seconds: u64| {
        for _ in 0..seconds * 20 {
            world.run_for(millis(50)).unwrap();
            let now = world.shard_mut(0).unwrap().figures().paths;
            for (old, new) in [
                (before.delayed, now.delayed),
                (before.given_up, now.given_up),
                (before.probes, now.probes),
                (before.padding_bytes, now.padding_bytes),
            ] {
                assert!(old <= new, "{before:?}, then {now:?}");
            }
            let known = now.carried + now.saturated + now.lost;
            assert!(known <= now.probes && known + 1 >= now.probes, "{now:?}");
            assert!(now.waiting <= now.delayed - now.given_up, "{now:?}");
            // A header at the least.
            assert!(now.waiting_bytes > 12 * now.waiting || now.waiting == 0);
            most = now.waiting.max(most);
            before = now;
        }
        (now_of(world), most)
    };
    // The publisher's bit rate rises faster than what the path is known to carry.
    let (begun, _) = pass(&mut world, 10);
    assert!(
        begun.carried > 0 && begun.padding_bytes > 1_000,
        "{begun:?}"
    );
    let (found, _) = pass(&mut world, 10);
    assert_eq!(found.delayed, begun.delayed, "nothing was in the way");
    assert_eq!((found.waiting, found.given_up), (0, 0));
    // Then there is not.
    let narrow = LinkConfig {
        rate: Some(300_000),
        ..wide
    };
    world.set_links(watcher, narrow, narrow);
    let (full, most) = pass(&mut world, 15);
    assert!(most > 0 && full.delayed > found.delayed, "{full:?}");
    world.leave(view);
    let (gone, _) = pass(&mut world, 1);
    assert_eq!((gone.waiting, gone.waiting_bytes), (0, 0));
    assert!(gone.delayed >= full.delayed, "it stays counted");
}

#[test]
fn what_is_paused_is_said_of_both_ends() {
    let mut world = world(23);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig {
        encodings: SIMULCAST3,
        temporal: false,
    };
    let publisher = world.broadcast(host, 0, config).unwrap();
    world.heed(publisher);
    let run = |world: &mut World, seconds: u64| {
        world.run_for(secs(seconds)).unwrap();
        let streams = world.shard_stats(0).streams;
        let paused = |up: bool| -> Vec<bool> {
            let streams = streams.iter().filter(|stream| stream.up == up);
            let tracks = streams.flat_map(|stream| &stream.tracks);
            tracks.map(|track| track.paused).collect()
        };
        (paused(true), paused(false))
    };
    // Sound, and three encodings: nobody is there to be told that they are paused.
    assert_eq!(run(&mut world, 5).0, [false; 4]);
    assert_eq!(run(&mut world, 15).0, [false, true, true, true]);
    // Who comes is sent pictures, until its path has hardly room for sound.
    let watcher = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let view = world
        .watch(watcher, publisher, ViewerConfig::default())
        .unwrap();
    assert_eq!(run(&mut world, 10), (vec![false; 4], vec![false; 2]));
    let narrow = LinkConfig {
        rate: Some(60_000),
        queue_bytes: Some(20_000),
        ..LinkConfig::GOOD
    };
    world.set_links(watcher, LinkConfig::GOOD, narrow);
    let (up, down) = run(&mut world, 15);
    assert_eq!(down, [false, true], "sound goes on");
    assert!(!up[0] && !up[1], "what may be carried again is at hand");
    let shown = world.viewed(view).unwrap().shown.len();
    assert_eq!(run(&mut world, 2).1, [false, true]);
    assert_eq!(world.viewed(view).unwrap().shown.len(), shown);
    world.set_links(watcher, LinkConfig::GOOD, LinkConfig::GOOD);
    assert_eq!(run(&mut world, 30).1, [false; 2]);
    assert!(world.viewed(view).unwrap().shown.len() > shown);
}

fn now_of(world: &mut World) -> PathFigures {
    world.shard_mut(0).unwrap().figures().paths
}

/// Browsers report on sound and on pictures from two SSRCs, each with indices of its own: neither's
/// are copies of the other's.
#[test]
fn reports_on_sound_and_on_pictures_are_both_heard() {
    let mut world = world(97);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    let lossy = LinkConfig {
        loss: 0.1,
        ..LinkConfig::GOOD
    };
    let host = world.add_host(LinkConfig::GOOD, lossy);
    let config = ReceiverConfig {
        // What is lost is only reported.
        nack: false,
        ..receiver(lossy)
    };
    let one = world.subscribe(host, publisher, config).unwrap();
    let browser = PublisherConfig {
        encodings: SIMULCAST3,
        ..PublisherConfig::default()
    };
    let browser = world.broadcast(host, 0, browser).unwrap();
    let host = world.add_host(LinkConfig::GOOD, lossy);
    let other = world.watch(host, browser, ViewerConfig::default()).unwrap();
    world.run_for(secs(20)).unwrap();

    assert_eq!(world.drops(0, Drop::Replayed), 0);
    let stats = world.shard_stats(0);
    for client in [one, other] {
        let peer = world.peer(client).unwrap();
        let stream = stats.streams.iter().find(|one| one.peer == peer).unwrap();
        assert_eq!(stream.tracks.len(), 2);
        for track in &stream.tracks {
            assert!(track.lost > 0, "{client:?} {track:?}");
        }
    }
    for track in &world.client(one).tracks {
        assert!(track.sender_reports >= 15, "{track:?}");
    }
}

/// A receiver that says nothing of its path loses some sound: earlier packets go with it, but not
/// beside pictures of two people, which are too much perhaps as it is.
#[test]
fn sound_on_an_unknown_path_leaves_room_for_pictures() {
    for video in [true, false] {
        let mut world = world(98);
        let lossy = LinkConfig {
            loss: 0.06,
            ..LinkConfig::GOOD
        };
        let receivers = world.add_host(LinkConfig::GOOD, lossy);
        let config = ReceiverConfig {
            video,
            red: true,
            transport_cc: false,
            ..receiver(lossy)
        };
        let clients = [0, 1].map(|_| {
            let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
            let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
            world.subscribe(receivers, publisher, config).unwrap()
        });
        world.run_for(secs(20)).unwrap();
        let stats = world.shard_stats(0);
        for client in clients {
            let peer = world.peer(client).unwrap();
            let stream = stats.streams.iter().find(|one| one.peer == peer).unwrap();
            assert_eq!(stream.estimate, None);
            let copies = stream.tracks[AUDIO].copies.unwrap();
            assert_eq!(copies > 0, !video, "{copies}");
            let report = &world.client(client).tracks[AUDIO];
            assert_sound(report, "who loses some");
            assert_eq!(report.copies > 0, !video, "{report:?}");
        }
    }
}
