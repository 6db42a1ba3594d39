//! Meetings over lines of all kinds, in virtual time: what arrives, and when.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::{LinkConfig, Report};
use sim_support::*;

#[test]
fn over_good_lines_everything_arrives_at_once_and_as_it_was_sent() {
    let mut world = world(1);
    let meeting = Meeting::new(&mut world, 3, LinkConfig::GOOD);
    world.run_for(secs(60)).unwrap();
    for (publisher, receiver) in &meeting.receivers {
        let sent = world.client(*publisher).sent;
        let got = world.client(*receiver);
        assert_eq!((got.stray, got.bad_rtcp), (0, 0));
        for (at, track) in got.tracks.iter().enumerate() {
            let who = format!("{receiver:?} track {at}");
            assert_sound(track, &who);
            assert_eq!(track.replayed, 0, "{who}");
            // The last are still under way.
            assert!(track.received + 30 > sent[at], "{who}: {}", track.received);
            assert_eq!(track.range.unwrap().0, 0, "{who} misses the beginning");
            assert_eq!(track.latency(1.0), millis(40), "{who}");
        }
        let video = &got.tracks[VIDEO];
        assert!(video.frames > 59 * 30, "{} frames", video.frames);
        assert!(video.longest_freeze < millis(40));
        assert!(video.first_frame.unwrap() < millis(300));
    }
    let drops = world.shard_stats(0).drops;
    assert!(drops.is_empty(), "{drops:?}");
}

fn bad_meeting(seed: u64) -> Report {
    let mut world = world_of(seed);
    let link = LinkConfig {
        delay: millis(50),
        jitter: millis(10),
        loss: 0.1,
        reordering: 0.05,
        reordering_delay: millis(25),
        duplication: 0.02,
        rate: Some(4_000_000),
        ..LinkConfig::PERFECT
    };
    Meeting::new(&mut world, 3, link);
    world.run_for(secs(10)).unwrap();
    world.report()
}

#[test]
fn a_seed_decides_everything() {
    let seed = seed(7);
    let first = bad_meeting(seed);
    assert_eq!(first, bad_meeting(seed));
    assert_ne!(first, bad_meeting(seed.wrapping_add(1)));
}

#[test]
fn handshakes_get_through_bad_lines() {
    for (seed, loss, delay) in [
        (20, 0.2, 20),
        (21, 0.2, 300),
        (22, 0.4, 50),
        (23, 0.05, 600),
    ] {
        let mut times = Vec::new();
        let mut failed = 0;
        for round in 0..8 {
            let mut world = world(seed + 100 * round);
            let meeting = Meeting::new(&mut world, 3, line(loss, millis(delay)));
            for publisher in &meeting.publishers {
                world.pause(*publisher, true).unwrap();
            }
            world.run_for(secs(30)).unwrap();
            for client in meeting.all() {
                let report = world.client(client);
                match report.connected {
                    Some(at) => times.push(at),
                    // One end says so, rather than both wait for ever.
                    None => assert!(
                        !report.failures.is_empty() || world.failures(0) > 0,
                        "{client:?} hangs"
                    ),
                }
                failed += usize::from(report.connected.is_none());
            }
        }
        times.sort();
        let line = format!("loss {loss}, delay {delay} ms: {failed} failed");
        // A flight that is lost seven times over is given up.
        assert!(failed <= if loss > 0.3 { 4 } else { 0 }, "{line}");
        let slowest = times[times.len() - 1];
        assert!(slowest < secs(15), "{line}, the slowest took {slowest:?}");
        let median = times[times.len() / 2];
        let round_trips = millis(2 * delay) * 8 + millis(1_500);
        assert!(
            loss > 0.3 || median < round_trips,
            "{line}, the median took {median:?}"
        );
    }
}
