//! Who comes to a meeting sees and hears something at once, whatever their line carries, and the best
//! picture soon where that is carried.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::sim::LinkConfig;
use perikon::sim::conference::{PublisherConfig, SIMULCAST3, ViewerConfig};
use sim_support::*;

/// What a newcomer noticed, ms after they came.
#[derive(Debug)]
struct Newcomer {
    /// The first picture.
    first: i64,
    /// The last picture that was not the largest; there was a larger one later.
    settled: Option<i64>,
    /// Sound that had to be made up, in all.
    concealed: i64,
}

/// Of twelve seconds in a meeting that has gone on for a while, over a line of so many bit/s.
fn come(number: u64, rate: Option<u64>) -> Newcomer {
    let mut world = world(900 + number);
    let host = world.add_host(LinkConfig::GOOD, LinkConfig::GOOD);
    let config = PublisherConfig {
        encodings: SIMULCAST3,
        temporal: number.is_multiple_of(2),
    };
    let publisher = world.broadcast(host, 0, config).unwrap();
    world.run_for(millis(20_000 + number * 1_700)).unwrap();
    let link = LinkConfig {
        delay: millis(40),
        rate,
        queue: millis(600),
        ..LinkConfig::GOOD
    };
    let watcher = world.add_host(link, link);
    let from = world.elapsed().as_micros() as i64;
    let view = world
        .watch(watcher, publisher, ViewerConfig::default())
        .unwrap();
    world.run_for(secs(12)).unwrap();
    let seen = world.viewed(view).unwrap();
    let since = |at: i64| (at - from) / 1_000;
    let is_largest = |height: u16| height == 720;
    let ends_largest = seen.shown.last().is_some_and(|one| is_largest(one.height));
    let smaller = seen.shown.iter().filter(|one| !is_largest(one.height));
    let settled = smaller.map(|one| since(one.at)).max().unwrap_or(0);
    Newcomer {
        first: seen.shown.first().map_or(i64::MAX, |one| since(one.at)),
        settled: ends_largest.then_some(settled),
        concealed: seen.concealed / 1_000,
    }
}

#[test]
fn a_narrow_line_is_not_filled_by_the_first_picture() {
    for number in 0..6 {
        let newcomer = come(number, Some(800_000));
        assert!(newcomer.first < 1_200, "{number}: {newcomer:?}");
        assert!(newcomer.concealed < 400, "{number}: {newcomer:?}");
    }
}

#[test]
fn the_best_picture_is_not_late() {
    for rate in [None, Some(20_000_000)] {
        for number in 0..6 {
            let newcomer = come(number, rate);
            assert!(newcomer.first < 600, "{number}: {newcomer:?}");
            let settled = newcomer.settled.unwrap();
            assert!(settled < 2_500, "{number}: {newcomer:?}");
        }
    }
}
