//! What it costs to number a packet for a receiver, and to find the packet behind a number, with
//! few and with many changes of source remembered.
//!
//! `cargo bench --bench seqmap`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::clock::ns_per_call;
use perikon::media::seqmap::{Run, SeqMap};
use std::hint::black_box;

const ROUNDS: usize = 15;
const CALLS: u64 = 200_000;
/// Packets between two changes of source.
const RUN: u64 = 100;

fn run_of(source: u16) -> Run {
    Run {
        timestamp: 90_000,
        ..Run::new(source, 96)
    }
}

/// A map that went from source to source so often, and the number that its last run began with.
fn map_of(runs: u64) -> (SeqMap, u64) {
    let mut map = SeqMap::new(100);
    for run in 0..runs {
        map.begin(70_000, run_of(run as u16));
        for up in 70_000..70_000 + RUN {
            map.map(run as u16, up).unwrap();
        }
    }
    (map, 100 + (runs - 1) * RUN)
}

struct Costs {
    map: f64,
    unmap_new: f64,
    unmap_old: f64,
    miss: f64,
}

fn measure(runs: u64) -> Costs {
    let (mut map, last_run) = map_of(runs);
    let source = runs as u16 - 1;
    let (reader, _) = map_of(runs);
    let reader = &reader;
    let unmap_new = ns_per_call(ROUNDS, CALLS, |call| {
        let number = black_box(reader).extend(black_box((last_run + call % RUN) as u16));
        assert!(black_box(reader.unmap(number)).is_some());
    });
    // The oldest that is remembered: of eight runs.
    let oldest = last_run - (runs.min(8) - 1) * RUN;
    let unmap_old = ns_per_call(ROUNDS, CALLS, |call| {
        let number = black_box(reader).extend(black_box((oldest + call % RUN) as u16));
        assert!(black_box(reader.unmap(number)).is_some());
    });
    let end = last_run + RUN;
    let miss = ns_per_call(ROUNDS, CALLS, |call| {
        let number = if call % 2 == 0 {
            end + call % RUN
        } else {
            call % 100
        };
        assert!(black_box(reader).unmap(black_box(number)).is_none());
    });
    let map = ns_per_call(ROUNDS, CALLS, |call| {
        let mapped = black_box(&mut map).map(source, black_box(70_000 + call));
        assert!(black_box(mapped).is_some());
    });
    Costs {
        map,
        unmap_new,
        unmap_old,
        miss,
    }
}

fn main() {
    println!("CPU ns a call");
    println!(
        "{:>6} {:>8} {:>13} {:>13} {:>8}",
        "runs", "map", "unmap newest", "unmap oldest", "miss"
    );
    let mut last = String::new();
    for runs in [1, 2, 8, 100] {
        let Costs {
            map,
            unmap_new,
            unmap_old,
            miss,
        } = measure(runs);
        println!("{runs:>6} {map:>8.2} {unmap_new:>13.2} {unmap_old:>13.2} {miss:>8.2}");
        last = format!(
            "{{\"bench\":\"seqmap\",\"runs\":{runs},\"map_ns\":{map:.2},\
             \"unmap_newest_ns\":{unmap_new:.2},\"unmap_oldest_ns\":{unmap_old:.2},\
             \"miss_ns\":{miss:.2}}}"
        );
    }
    let begin = ns_per_call(ROUNDS, CALLS, {
        let (mut map, _) = map_of(1);
        move |call| black_box(&mut map).begin(call, run_of(black_box(call as u16)))
    });
    println!("a change of source: {begin:.2}");
    println!("{last}");
}
