//! Meetings over links as people have them: the table in `docs/conference.txt` is what they are
//! like. Whoever changes it says why.
//!
//! `PERIKON_WRITE=1 cargo test --test sim_conference` writes the table and the plots anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use perikon::sim::conference::{Outcome, SCENARIOS, SEED, Scenario, Timeline, plot, table};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conference.txt");
const PLOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conference");

/// All these meetings, under these seeds, on two threads: they share nothing.
fn hold(meetings: &[(u64, &Scenario)]) -> Vec<(Outcome, Timeline)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut held = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((seed, scenario)) = meetings.get(at) else {
                return held;
            };
            held.push((at, scenario.run(*seed).unwrap()));
        }
    };
    let mut held = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut held = work();
        held.extend(other.join().unwrap());
        held
    });
    held.sort_by_key(|(at, _)| *at);
    held.into_iter()
        .flat_map(|(_, outcomes)| outcomes)
        .collect()
}

/// The table, and a plot of each of its rows.
fn write(text: &str, held: &[(Outcome, Timeline)]) {
    fs::write(TABLE, text).unwrap();
    let _ = fs::remove_dir_all(PLOTS);
    fs::create_dir_all(PLOTS).unwrap();
    for (outcome, timeline) in held {
        let path = format!("{PLOTS}/{}.svg", outcome.slug());
        fs::write(path, plot(outcome, timeline)).unwrap();
    }
}

#[test]
fn meetings_are_as_the_table_says() {
    let all: Vec<_> = SCENARIOS.iter().map(|scenario| (SEED, scenario)).collect();
    let held = hold(&all);
    let outcomes: Vec<_> = held.iter().map(|(outcome, _)| outcome.clone()).collect();
    let text = table(SEED, &outcomes);
    if std::env::var_os("PERIKON_WRITE").is_some() {
        write(&text, &held);
        return;
    }
    let kept = fs::read_to_string(TABLE).unwrap();
    if kept == text {
        return;
    }
    let changed: Vec<_> = text
        .lines()
        .zip(kept.lines())
        .filter(|(now, then)| now != then)
        .map(|(now, then)| format!("- {then}\n+ {now}\n"))
        .collect();
    panic!(
        "meetings are not what docs/conference.txt says. If that is meant, run\n\
         PERIKON_WRITE=1 cargo test --test sim_conference\n\
         and say why in the commit.\n\n{}",
        changed.concat()
    );
}

/// A tenth of all packets is lost, some 50 ms at a time: less than one percent of the sound has to be
/// made up, whatever the luck.
#[test]
fn bursts_of_losses_are_hardly_heard() {
    let bursts = SCENARIOS
        .iter()
        .find(|scenario| scenario.name == "10 % in bursts")
        .unwrap();
    let seeds: Vec<_> = (1..=10).map(|seed| (seed, bursts)).collect();
    let held = hold(&seeds);
    let lost: Vec<_> = held.iter().map(|(outcome, _)| outcome.sound_lost).collect();
    assert!(
        lost.len() == 10 && lost.iter().all(|lost| *lost < 100),
        "of 10,000: {lost:?}"
    );
}

/// A path that carries a tenth from one moment to the next stops no picture for a second, whatever
/// the luck, and is used again within ten when it is back.
#[test]
fn a_fall_to_a_tenth_stops_no_picture_for_a_second() {
    let falls = SCENARIOS.iter().filter(|one| one.fall.is_some());
    let each = falls.flat_map(|fall| (1..=5).map(move |seed| (seed, fall)));
    let each: Vec<_> = each.collect();
    let held = hold(&each);
    assert_eq!(held.len(), 15);
    let stopped = held.iter().map(|(outcome, _)| outcome.longest);
    let stopped: Vec<_> = stopped.collect();
    assert!(stopped.iter().all(|ms| *ms < 1_000), "ms: {stopped:?}");
    let back = held
        .iter()
        .map(|(outcome, _)| outcome.up.unwrap_or(i64::MAX));
    let back: Vec<_> = back.collect();
    assert!(back.iter().all(|ms| *ms < 10_000), "ms: {back:?}");
}
