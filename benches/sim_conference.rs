//! What meetings are like over named links (the table of `docs/conference.txt`), and how fast
//! the simulation is: a meeting over bad links in virtual time, shard and clients together, on
//! one core.
//!
//! `cargo bench --bench sim_conference`; its last line is JSON. `-- --seed NUMBER` for the table
//! under another seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::clock::thread_cpu;
use perikon::sim::conference::{SCENARIOS, SEED, table};
use perikon::sim::{LinkConfig, ReceiverConfig, SenderConfig, World, WorldConfig};
use std::time::{Duration, Instant};

/// CPU time after which no further meeting begins.
const PATIENCE: Duration = Duration::from_secs(4);
/// Virtual time between two looks at the clock.
const STEP: Duration = Duration::from_secs(10);
/// Until everyone is connected.
const BEGINNING: Duration = Duration::from_secs(5);

struct Meeting {
    /// Hours of meeting in a second of CPU time.
    hours: f64,
    /// Packets that arrived at receivers, a second of CPU time.
    packets: f64,
    /// The share of the packets that receivers had to give up.
    given_up: f64,
}

fn hold(people: usize, loss: f64) -> Meeting {
    let mut world = World::new(WorldConfig {
        start: Instant::now(),
        seed: 1,
        shards: 1,
    })
    .unwrap();
    let link = LinkConfig {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        loss,
        ..LinkConfig::PERFECT
    };
    let hosts: Vec<_> = (0..people).map(|_| world.add_host(link, link)).collect();
    let publishers: Vec<_> = hosts
        .iter()
        .map(|host| world.publish(*host, 0, SenderConfig::default()).unwrap())
        .collect();
    for (at, host) in hosts.iter().enumerate() {
        for (other, publisher) in publishers.iter().enumerate() {
            if other != at {
                let config = ReceiverConfig::default();
                world.subscribe(*host, *publisher, config).unwrap();
            }
        }
    }
    world.run_for(BEGINNING).unwrap();
    let counts = |world: &World| {
        let tracks = || {
            world
                .report()
                .0
                .into_iter()
                .flat_map(|client| client.tracks)
        };
        let received: u64 = tracks().map(|track| track.received).sum();
        let given_up: u64 = tracks().map(|track| track.given_up).sum();
        assert!(
            world
                .report()
                .0
                .iter()
                .all(|client| client.connected.is_some())
        );
        (received, given_up)
    };
    let before = counts(&world);
    let (begin, virtual_begin) = (thread_cpu(), world.elapsed());
    while thread_cpu() - begin < PATIENCE {
        world.run_for(STEP).unwrap();
    }
    let cpu = (thread_cpu() - begin).as_secs_f64();
    let hours = (world.elapsed() - virtual_begin).as_secs_f64() / 3_600.0;
    let after = counts(&world);
    let received = (after.0 - before.0) as f64;
    Meeting {
        hours: hours / cpu,
        packets: received / cpu,
        given_up: (after.1 - before.1) as f64 / received,
    }
}

/// Under the seed of the arguments, if there is one.
fn print_table() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seed");
    let seed = match arguments.nth(1) {
        Some(seed) => seed.parse().expect("--seed NUMBER"),
        None => SEED,
    };
    let outcomes = SCENARIOS
        .iter()
        .flat_map(|scenario| scenario.run(seed).unwrap())
        .map(|(outcome, _)| outcome);
    let outcomes: Vec<_> = outcomes.collect();
    println!("{}", table(seed, &outcomes));
}

fn main() {
    print_table();
    println!(
        "{:>7} {:>6} {:>12} {:>14} {:>13} {:>9}",
        "people", "loss", "hours/CPU s", "meeting s/s", "packets/CPU s", "given up"
    );
    let mut last = String::new();
    for (people, loss) in [(3, 0.0), (8, 0.0), (8, 0.05)] {
        let Meeting {
            hours,
            packets,
            given_up,
        } = hold(people, loss);
        println!(
            "{people:>7} {:>5.0}% {hours:>12.4} {:>14.1} {packets:>13.0} {:>8.3}%",
            loss * 100.0,
            hours * 3_600.0,
            given_up * 100.0
        );
        last = format!(
            "{{\"bench\":\"sim_conference\",\"people\":{people},\"loss\":{loss},\
             \"hours_per_cpu_second\":{hours:.5},\"packets_per_cpu_second\":{packets:.0}}}"
        );
    }
    println!("{last}");
}
