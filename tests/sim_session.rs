//! What happens to streams as people come, go and move, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::shard::{Event, ShardSize};
use perikon::sim::{ClientId, LinkConfig, ReceiverConfig, SenderConfig, World};
use sim_support::*;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(20);

fn publisher(world: &mut World) -> ClientId {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    world.publish(host, 0, SenderConfig::default()).unwrap()
}

fn receiver_of(world: &mut World, publisher: ClientId) -> ClientId {
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = receiver(LinkConfig::GOOD);
    world.subscribe(host, publisher, config).unwrap()
}

/// From the end of the handshake to the first picture.
fn first_picture(world: &World, receiver: ClientId) -> Duration {
    let report = world.client(receiver);
    report.tracks[VIDEO].first_frame.unwrap() - report.connected.unwrap()
}

fn assert_all_sound(world: &World, client: ClientId) {
    for (at, track) in world.client(client).tracks.iter().enumerate() {
        assert_sound(track, &format!("{client:?} track {at}"));
        assert_eq!(track.given_up, 0, "{client:?} track {at}");
    }
}

#[test]
fn who_joins_soon_after_a_keyframe_has_a_picture_at_once() {
    let mut world = world(50);
    let publisher = publisher(&mut world);
    world.run_for(secs(1)).unwrap();
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(5)).unwrap();
    // The replay follows the server's half of the handshake.
    let waited = first_picture(&world, receiver);
    assert!(waited <= 2 * DELAY, "{waited:?}");
    assert_all_sound(&world, receiver);
    let sent = world.client(publisher);
    assert_eq!(sent.keyframe_requests.len(), 0, "nobody had to ask");
    assert_eq!(sent.keyframes, 1);
}

#[test]
fn who_joins_later_has_a_picture_a_round_trip_after_asking() {
    let mut world = world(51);
    let publisher = publisher(&mut world);
    world.run_for(secs(20)).unwrap();
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(5)).unwrap();
    // To the publisher, to its next frame, and all the way to the receiver.
    let waited = first_picture(&world, receiver);
    assert!(waited <= 4 * DELAY + millis(34), "{waited:?}");
    assert_all_sound(&world, receiver);
    assert_eq!(world.client(publisher).keyframe_requests.len(), 1);
}

#[test]
fn requests_for_keyframes_become_one() {
    let mut world = world(52);
    let publisher = publisher(&mut world);
    world.run_for(secs(10)).unwrap();
    let receivers: Vec<_> = (0..12)
        .map(|_| receiver_of(&mut world, publisher))
        .collect();
    world.run_for(secs(2)).unwrap();
    assert_eq!(world.client(publisher).keyframe_requests.len(), 1);
    for receiver in &receivers {
        let waited = first_picture(&world, *receiver);
        assert!(waited <= 4 * DELAY + millis(34), "{waited:?}");
    }
    // All ask again and again: twice a second is enough.
    let before = world.client(publisher).keyframe_requests.len();
    for _ in 0..50 {
        for receiver in &receivers {
            world.request_keyframe(*receiver).unwrap();
        }
        world.run_for(millis(100)).unwrap();
    }
    let asked = world.client(publisher).keyframe_requests.len() - before;
    assert!((8..=11).contains(&asked), "asked {asked} times in 5 s");
    for receiver in &receivers {
        assert_all_sound(&world, *receiver);
    }
}

#[test]
fn a_receiver_that_was_first_waits_without_a_storm() {
    let mut world = world(53);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = SenderConfig {
        announces_ssrcs: false,
        ..SenderConfig::default()
    };
    let publisher = world.publish(host, 0, config).unwrap();
    world.pause(publisher, true).unwrap();
    let receiver = receiver_of(&mut world, publisher);
    // Nobody knows yet whom to ask for a keyframe: time must pass all the same.
    world.run_for(secs(10)).unwrap();
    assert!(world.client(receiver).connected.is_some());
    world.pause(publisher, false).unwrap();
    world.run_for(secs(2)).unwrap();
    let video = &world.client(receiver).tracks[VIDEO];
    let first = video.first_frame.unwrap();
    assert!(first <= secs(10) + 2 * DELAY + millis(34), "{first:?}");
    assert_all_sound(&world, receiver);
}

#[test]
fn sound_and_pictures_of_a_stream_keep_together() {
    let mut world = world(54);
    let link = LinkConfig {
        delay: millis(30),
        jitter: millis(20),
        loss: 0.02,
        ..LinkConfig::PERFECT
    };
    let host = world.add_host(link, link);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    let receiver = receiver_of(&mut world, publisher);
    for _ in 0..10 {
        world.run_for(secs(6)).unwrap();
        let tracks = world.client(receiver).tracks;
        let [sound, picture] = [&tracks[AUDIO], &tracks[VIDEO]].map(|track| {
            assert!(track.sender_reports > 3);
            track.clock_offset.unwrap()
        });
        let apart = (sound - picture).abs();
        assert!(apart < 2_000, "{apart} µs apart");
        // In the server's time, though the publisher's clock is five seconds ahead.
        assert!((0..60_000).contains(&sound), "{sound} µs off");
    }
}

#[test]
fn an_ice_restart_interrupts_nothing() {
    let mut world = world(55);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(3)).unwrap();
    for _ in 0..3 {
        world.restart_ice(publisher).unwrap();
        world.run_for(secs(2)).unwrap();
        world.restart_ice(receiver).unwrap();
        world.run_for(secs(2)).unwrap();
    }
    world.run_for(secs(30)).unwrap();
    let report = world.client(receiver);
    assert_all_sound(&world, receiver);
    assert!(report.tracks[VIDEO].longest_freeze < millis(40));
    assert!(report.tracks[VIDEO].last_frame.unwrap() > secs(44));
    assert_eq!(world.failures(0), 0);
    let size = world.shard_size(0).unwrap();
    assert!(size.ufrags <= 8, "{size:?}");
}

#[test]
fn a_new_address_and_a_restart_bring_a_publisher_back() {
    let mut world = world(56);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(5)).unwrap();
    let before = world.address(publisher).unwrap();
    world.rebind(publisher);
    assert_ne!(world.address(publisher).unwrap(), before);
    world.run_for(millis(500)).unwrap();
    world.restart_ice(publisher).unwrap();
    world.run_for(secs(40)).unwrap();
    let report = world.client(receiver);
    for track in &report.tracks {
        assert_sound(track, "after the move");
    }
    let video = &report.tracks[VIDEO];
    assert!(
        video.longest_freeze < millis(1_500),
        "{:?}",
        video.longest_freeze
    );
    assert!(video.last_frame.unwrap() > secs(45));
    assert_eq!(world.failures(0), 0);
    let remote = world
        .shard_stats(0)
        .streams
        .iter()
        .find(|stream| stream.up)
        .unwrap()
        .remote;
    assert_eq!(remote, world.address(publisher));
}

#[test]
fn a_new_address_and_a_restart_bring_a_receiver_back() {
    let mut world = world(57);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(5)).unwrap();
    world.rebind(receiver);
    world.run_for(secs(1)).unwrap();
    world.restart_ice(receiver).unwrap();
    world.run_for(secs(40)).unwrap();
    let report = world.client(receiver);
    for track in &report.tracks {
        assert_sound(track, "after the move");
    }
    let video = &report.tracks[VIDEO];
    assert!(
        video.longest_freeze < millis(2_500),
        "{:?}",
        video.longest_freeze
    );
    assert!(video.last_frame.unwrap() > secs(45));
    // What it missed is repaired: the cache reaches back that far.
    assert_eq!(report.tracks[VIDEO].given_up, 0);
}

#[test]
fn another_ssrc_goes_on_where_the_last_ended() {
    let mut world = world(58);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    for _ in 0..5 {
        world.run_for(secs(3)).unwrap();
        world.change_ssrcs(publisher).unwrap();
    }
    world.run_for(secs(3)).unwrap();
    assert_all_sound(&world, receiver);
    let report = world.client(receiver);
    let video = &report.tracks[VIDEO];
    assert!(
        video.longest_freeze < millis(100),
        "{:?}",
        video.longest_freeze
    );
    assert_eq!(video.cuts, 0);
    let apart = report.tracks[AUDIO].clock_offset.unwrap() - video.clock_offset.unwrap();
    assert!(apart.abs() < 5_000, "{apart} µs apart");
}

#[test]
fn another_ssrc_keeps_sound_and_pictures_together_in_another_shard() {
    let mut world = world_with(64, 2);
    let publisher = publisher(&mut world);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = receiver(LinkConfig::GOOD);
    let receiver = world.subscribe_at(1, host, publisher, config).unwrap();
    world.run_for(secs(5)).unwrap();
    world.change_ssrcs(publisher).unwrap();
    world.run_for(secs(5)).unwrap();
    assert_all_sound(&world, receiver);
    let tracks = world.client(receiver).tracks;
    let [sound, picture] = [AUDIO, VIDEO].map(|at| tracks[at].clock_offset.unwrap());
    assert!((sound - picture).abs() < 5_000, "{sound} and {picture} µs");
    assert!((0..60_000).contains(&sound), "{sound} µs off");
}

#[test]
fn a_track_that_was_off_goes_on_without_a_gap() {
    let mut world = world(59);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(5)).unwrap();
    world.select(receiver, true, false).unwrap();
    world.run_for(millis(100)).unwrap();
    let before = world.client(receiver).tracks[VIDEO].received;
    world.run_for(secs(5)).unwrap();
    assert_eq!(world.client(receiver).tracks[VIDEO].received, before);
    world.select(receiver, true, true).unwrap();
    world.run_for(secs(5)).unwrap();
    let report = world.client(receiver);
    assert_all_sound(&world, receiver);
    let video = &report.tracks[VIDEO];
    assert_eq!((video.cuts, video.asked), (1, 0));
    assert!(video.frames > 9 * 30, "{}", video.frames);
    assert_eq!(report.tracks[AUDIO].cuts, 0);
    let apart = report.tracks[AUDIO].clock_offset.unwrap() - video.clock_offset.unwrap();
    assert!(apart.abs() < 5_000, "{apart} µs apart");
}

#[test]
fn who_is_removed_is_told() {
    let mut world = world(60);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(2)).unwrap();
    world.remove(receiver);
    world.remove(publisher);
    world.run_for(secs(1)).unwrap();
    assert!(world.client(receiver).closed && world.client(publisher).closed);
}

#[test]
fn who_vanishes_is_noticed() {
    let mut world = world(61);
    let publisher = publisher(&mut world);
    let receiver = receiver_of(&mut world, publisher);
    world.run_for(secs(2)).unwrap();
    let gone = world.vanish(receiver).unwrap();
    world.run_for(secs(30)).unwrap();
    let failed: Vec<_> = world
        .shard_events(0)
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Failed { peer, .. } => Some((*at, *peer)),
            _ => None,
        })
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (at, peer) = failed[0];
    assert_eq!(peer, gone);
    assert!(at < secs(25), "{at:?}");
}

#[test]
fn a_publisher_in_the_place_of_another_is_not_sent_to_the_others_receivers() {
    let mut world = world(62);
    let first = publisher(&mut world);
    let receiver = receiver_of(&mut world, first);
    world.run_for(secs(3)).unwrap();
    world.leave(first);
    let second = publisher(&mut world);
    let other = receiver_of(&mut world, second);
    world.run_for(millis(100)).unwrap();
    let before = world.client(receiver).tracks[VIDEO].received;
    world.request_keyframe(receiver).unwrap();
    world.run_for(secs(5)).unwrap();
    let report = world.client(receiver);
    assert_eq!(report.tracks[VIDEO].received, before);
    assert_all_sound(&world, receiver);
    assert_all_sound(&world, other);
    assert!(world.client(other).tracks[VIDEO].frames > 100);
}

#[test]
fn nothing_is_left_of_those_who_left() {
    let mut world = world(63);
    let link = LinkConfig {
        loss: 0.05,
        ..LinkConfig::GOOD
    };
    // Two stay, so that something goes on all the time.
    let meeting = Meeting::new(&mut world, 2, link);
    world.run_for(secs(3)).unwrap();
    let mut largest = ShardSize::default();
    let mut after_warming = ShardSize::default();
    let host = world.add_host(link, link);
    let video_only = ReceiverConfig {
        audio: false,
        ..ReceiverConfig::default()
    };
    for round in 0..250 {
        let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
        let source = meeting.publishers[round % 2];
        let one = world
            .subscribe(host, source, ReceiverConfig::default())
            .unwrap();
        let two = world.subscribe(host, publisher, video_only).unwrap();
        let three = world.subscribe(host, source, video_only).unwrap();
        // Some go before they are connected, some in the middle of a restart.
        let stay = [50, 130, 400, 700][round % 4];
        world.run_for(millis(stay)).unwrap();
        if round % 3 == 0 {
            world.restart_ice(one).unwrap();
            world.rebind(two);
            world.run_for(millis(30)).unwrap();
        }
        let size = world.shard_size(0).unwrap();
        for (most, now) in fields(&mut largest)
            .into_iter()
            .zip(fields(&mut size.clone()))
        {
            *most = (*most).max(*now);
        }
        match round % 2 {
            0 => [publisher, one, two, three],
            _ => [three, two, one, publisher],
        }
        .into_iter()
        .for_each(|client| world.leave(client));
        if round == 50 {
            after_warming = largest;
        }
    }
    // A thousand later, a shard is as large as when there were two hundred.
    let grown = fields(&mut largest.clone())
        .into_iter()
        .zip(fields(&mut after_warming))
        .any(|(later, early)| *later > *early + *early / 2 + 8);
    assert!(!grown, "{after_warming:?}, later {largest:?}");

    world.run_for(secs(12)).unwrap();
    let rest = world.shard_size(0).unwrap();
    assert_eq!((rest.peers, rest.receivers), (4, 4), "{rest:?}");
    assert_eq!((rest.paths, rest.ufrags), (4, 4), "{rest:?}");
    assert_eq!((rest.waiting, rest.events), (0, 0), "{rest:?}");
    for (_, receiver) in &meeting.receivers {
        for track in &world.client(*receiver).tracks {
            assert_sound(track, "one who stayed");
        }
    }
    for client in meeting.all() {
        world.leave(client);
    }
    world.run_for(secs(12)).unwrap();
    let rest = world.shard_size(0).unwrap();
    let nothing = ShardSize {
        transactions: rest.transactions,
        ..ShardSize::default()
    };
    assert_eq!(rest, nothing);
    // Those are forgotten as others come.
    assert!(rest.transactions < 400, "{rest:?}");
}

fn fields(size: &mut ShardSize) -> [&mut usize; 8] {
    [
        &mut size.peers,
        &mut size.paths,
        &mut size.ufrags,
        &mut size.transactions,
        &mut size.timers,
        &mut size.waiting,
        &mut size.receivers,
        &mut size.events,
    ]
}
