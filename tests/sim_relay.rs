//! A group over two shards, in virtual time: a receiver notices nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::media::feedback::Compound;
use perikon::shard::{ClientId, Command, DownTrackConfig, Event, PeerId, ShardId};
use perikon::sim::conference::{PublisherConfig, SINGLE, ViewerConfig};
use perikon::sim::{LinkConfig, ReceiverConfig, SenderConfig};
use perikon::transport::Path;
use perikon::transport::description::{IceCredentials, RemoteTransport, Rtx, Setup};
use perikon::transport::identity::Identity;
use perikon::transport::peer::Role;
use sim_support::*;

#[test]
fn receivers_in_another_shard_get_all_that_those_beside_the_publisher_get() {
    let mut world = world_with(11, 2);
    let lossy = line(0.02, millis(20));
    let host = world.add_host(lossy, lossy);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    world.run_for(secs(2)).unwrap();
    let mut receivers = Vec::new();
    for number in 0..6 {
        let host = world.add_host(LinkConfig::GOOD, lossy);
        let at = world.now();
        let shard = number % 2;
        let receiver = world
            .subscribe_at(shard, host, publisher, ReceiverConfig::default())
            .unwrap();
        receivers.push((receiver, shard, at));
        world.run_for(millis(300)).unwrap();
    }
    world.run_for(secs(20)).unwrap();

    assert_eq!(
        world.shard_size(1).unwrap().peers,
        3 + 1,
        "three receivers and one mirror"
    );
    for (receiver, shard, _) in &receivers {
        let got = world.client(*receiver);
        for (at, track) in got.tracks.iter().enumerate() {
            let who = format!("receiver in shard {shard}, track {at}");
            assert_sound(track, &who);
            // Two percent of losses on both ways, all repaired but for those just now.
            assert!(track.received > 900, "{who}: {}", track.received);
            assert!(
                track.given_up * 200 < track.received,
                "{who}: {}",
                track.given_up
            );
            assert!(
                track.sender_reports > 10,
                "{who}: {} reports",
                track.sender_reports
            );
        }
        let video = &got.tracks[VIDEO];
        let begun = video.first_frame.unwrap() - got.connected.unwrap();
        assert!(
            begun < secs(1),
            "a picture after {begun:?} in shard {shard}"
        );
        assert!(
            video.frames > 500,
            "{} frames in shard {shard}",
            video.frames
        );
        let apart = got.tracks[AUDIO].clock_offset.unwrap() - video.clock_offset.unwrap();
        assert!(
            apart.abs() < 5_000,
            "sound and picture are {apart} µs apart"
        );
    }
    let drops = world.shard_stats(1).drops;
    assert!(
        !drops
            .iter()
            .any(|(reason, _)| ["relay-full", "unknown-peer"].contains(reason)),
        "{drops:?}"
    );

    for (receiver, _, _) in &receivers {
        world.leave(*receiver);
    }
    world.run_for(secs(1)).unwrap();
    assert_eq!(
        world.shard_size(1).unwrap().peers,
        0,
        "the mirror went with its last receiver"
    );
    assert_eq!(world.shard_size(0).unwrap().peers, 1);
    world.leave(publisher);
    world.run_for(secs(1)).unwrap();
    assert_eq!(world.shard_size(0).unwrap().peers, 0);
}

#[test]
fn a_publisher_that_leaves_leaves_no_mirror_behind() {
    let mut world = world_with(12, 3);
    for _ in 0..5 {
        let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
        let receivers: Vec<_> = (0..3)
            .map(|shard| {
                world
                    .subscribe_at(shard, host, publisher, ReceiverConfig::default())
                    .unwrap()
            })
            .collect();
        world.run_for(secs(2)).unwrap();
        world.leave(publisher);
        world.run_for(secs(1)).unwrap();
        for receiver in receivers {
            assert!(world.client(receiver).tracks[VIDEO].frames > 20);
            world.leave(receiver);
        }
        world.run_for(secs(1)).unwrap();
    }
    for shard in 0..3 {
        let size = world.shard_size(shard).unwrap();
        assert_eq!(
            (size.peers, size.receivers, size.waiting),
            (0, 0, 0),
            "shard {shard}"
        );
    }
}

/// Players that make the offer themselves (WHEP) have agreed before the other shard has said which
/// tracks there are.
#[test]
fn what_arrives_is_told_of_also_where_it_was_agreed_on_before_the_tracks_were_known() {
    let mut world = world_with(13, 2);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    world.run_for(secs(1)).unwrap();
    let source = world.peer(publisher).unwrap();
    let peer = PeerId(1_000);
    let credentials = |name: &str| IceCredentials {
        ufrag: name.repeat(4),
        pwd: name.repeat(12),
    };
    let now = world.now();
    let shard = world.shard_mut(1).unwrap();
    shard.handle_command(
        now,
        Command::AddDown {
            peer,
            client: ClientId(1_000),
            source,
            home: ShardId(0),
            role: Role::Answerer,
            local: credentials("us"),
        },
    );
    let video = DownTrackConfig {
        mid: "0".to_owned(),
        encodings: vec![VIDEO],
        publisher: 0,
        ssrc: 77,
        payload_type: 96,
        red: None,
        rtx: Some(Rtx {
            payload_type: 97,
            ssrc: 78,
        }),
        transport_cc: true,
    };
    let answer = RemoteTransport {
        ice: credentials("me"),
        fingerprint: Identity::generate().unwrap().fingerprint().clone(),
        setup: Setup::Active,
        lite: false,
        candidates: Vec::new(),
    };
    shard.handle_command(
        now,
        Command::AcceptDown {
            peer,
            remote: answer,
            tracks: vec![video],
        },
    );
    let tracks = |world: &mut Seeded| {
        let stats = world.shard_stats(1);
        let stream = stats.streams.into_iter().find(|one| one.peer == peer);
        let stream = stream.unwrap();
        (stream.tracks.len(), stream.sent.is_some())
    };
    // The first question lets the shards reach each other.
    assert_eq!(tracks(&mut world), (0, false));
    assert_eq!(tracks(&mut world), (1, true));
}

/// One of two has a line for a fraction of what is published in one size: whether they are in one
/// shard or not, the other does not suffer, and that one hears.
#[test]
fn a_narrow_line_is_spared_pictures_whichever_shard_it_is_in() {
    let narrow = LinkConfig {
        delay: millis(40),
        rate: Some(400_000),
        queue_bytes: Some(32_000),
        ..LinkConfig::PERFECT
    };
    for (good, bad) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut world = world_with(14, 2);
        let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
        let config = PublisherConfig {
            encodings: SINGLE,
            temporal: false,
        };
        let publisher = world.broadcast(host, 0, config).unwrap();
        let viewers = [(good, LinkConfig::GOOD), (bad, narrow)].map(|(shard, link)| {
            let host = world.add_host(LinkConfig::GOOD, link);
            let config = ViewerConfig::default();
            world.watch_at(shard, host, publisher, config).unwrap()
        });
        world.run_for(secs(40)).unwrap();
        let [good_seen, bad_seen] = viewers.map(|viewer| world.viewed(viewer).unwrap());
        let published = world.published(publisher).unwrap();
        let who = format!("shards {good} and {bad}");
        assert!(good_seen.shown.len() > 1_150, "{who}");
        assert!(published.keyframes < 15, "{who}: {}", published.keyframes);
        assert!(
            bad_seen.concealed < 1_000_000,
            "{who}: {}",
            bad_seen.concealed
        );
        // Alone, it is sent pictures that are made for it.
        let [good, bad] = viewers;
        world.leave(good);
        world.run_for(secs(20)).unwrap();
        let more = world.viewed(bad).unwrap().shown.len() - bad_seen.shown.len();
        assert!(more > 400, "{who}: {more} frames");
    }
}

/// Whoever asks for keyframes as often as there is room for in a datagram is heard, and not more: the
/// other shard has other things to do.
#[test]
fn a_flood_of_requests_for_keyframes_crosses_once() {
    let mut world = world_with(15, 2);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig::default();
    let publisher = world.broadcast(host, 0, config).unwrap();
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = ViewerConfig::default();
    let viewer = world.watch_at(1, host, publisher, config).unwrap();
    world.run_for(secs(5)).unwrap();
    let picture = world.ssrcs(viewer)[VIDEO];
    let mut buffer = [0; 1_200];
    let mut compound = Compound::with_receiver_report(&mut buffer, 1, &[]).unwrap();
    while compound.pli(1, picture).is_ok() {}
    let len = compound.len();
    let path = Path {
        local: 0,
        remote: world.address(viewer).unwrap(),
    };
    for _ in 0..3 {
        let mut flood = world.craft_rtcp(viewer, &buffer[..len]).unwrap();
        let now = world.now();
        let shard = world.shard_mut(1).unwrap();
        shard.handle_datagram(now, path, &mut flood);
        let told = std::iter::from_fn(|| shard.poll_event());
        let relayed = told.filter(|event| matches!(event, Event::Relay { .. }));
        assert_eq!(relayed.count(), 1);
        world.run_for(millis(20)).unwrap();
    }
}
