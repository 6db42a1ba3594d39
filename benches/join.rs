//! What a peer connection costs to set up and to keep: ICE, DTLS and SRTP between two
//! `Transport`s in memory, the longest single call into one of them (so long may media wait
//! behind a handshake), and the memory that an established one holds.
//!
//! `cargo bench --bench join`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::allocator::{Counting, live, pieces};
use common::clock::median;
use common::pair::{End, Pair};
use perikon::transport::identity::Identity;
use perikon::transport::peer::Transport;
use perikon::transport::srtp::{Opener, Sealer};
use std::collections::BTreeMap;
use std::fs;
use std::mem::size_of;
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Handshakes that are timed.
const HANDSHAKES: usize = 1_000;
/// Peer connections that are held at once to see what each takes.
const HELD: usize = 500;
/// Sizes of allocations that are listed.
const LISTED: usize = 12;

fn micros(cpu: Duration) -> f64 {
    cpu.as_nanos() as f64 / 1_000.0
}

fn connect(offerer: &Identity, answerer: &Identity, number: usize) -> Pair {
    let mut pair = Pair::new(offerer, answerer, number, Instant::now());
    pair.describe(number);
    pair.run_until(Pair::is_connected);
    pair
}

/// What one side of the handshakes cost.
#[derive(Default)]
struct Side {
    total: Vec<f64>,
    /// The longest call of each handshake.
    longest: Vec<f64>,
    /// CPU µs by what was done: of each call.
    by_kind: BTreeMap<&'static str, Vec<f64>>,
}

impl Side {
    fn add(&mut self, end: &End) {
        self.total.push(micros(end.cpu()));
        let longest = end.calls.iter().map(|call| micros(call.cpu));
        self.longest.push(longest.fold(0.0, f64::max));
        for call in &end.calls {
            let calls = self.by_kind.entry(call.what).or_default();
            calls.push(micros(call.cpu));
        }
    }

    fn print(&self, name: &str) {
        println!("\n{name}: {:.0} µs a handshake", median(self.total.clone()));
        println!(
            "{:>20} {:>15} {:>9} {:>9} {:>9}",
            "call", "calls/handshake", "µs p50", "µs max", "share"
        );
        let sum: f64 = self.by_kind.values().flatten().sum();
        for (kind, calls) in &self.by_kind {
            println!(
                "{kind:>20} {:>15.1} {:>9.1} {:>9.1} {:>8.1}%",
                calls.len() as f64 / self.total.len() as f64,
                median(calls.clone()),
                calls.iter().copied().fold(0.0, f64::max),
                calls.iter().sum::<f64>() / sum * 100.0,
            );
        }
    }
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Bytes of the heap that one end and one more step of its life take.
fn stages(offerer: &Identity, answerer: &Identity) -> Vec<(&'static str, f64)> {
    // Both ends of a pair: what is told is half of it. The first steps fill tables of their own.
    drop(connect(offerer, answerer, 0));
    let mut pairs: Vec<_> = Vec::with_capacity(HELD);
    let start = Instant::now();
    let (mut last, mut told) = (live(), Vec::new());
    let mut tell = |pairs: &[Pair], what| {
        // The list of calls belongs to the bench.
        let calls: usize = pairs
            .iter()
            .flat_map(|pair| [&pair.offerer, &pair.answerer])
            .map(|end| end.calls.capacity() * size_of::<common::pair::Call>())
            .sum();
        let now = live() - calls as i64;
        told.push((what, (now - last) as f64 / (2 * HELD) as f64));
        last = now;
    };
    for number in 0..HELD {
        pairs.push(Pair::new(offerer, answerer, number, start));
    }
    tell(&pairs, "made");
    for (number, pair) in pairs.iter_mut().enumerate() {
        pair.describe(number);
    }
    tell(&pairs, "descriptions exchanged");
    for pair in &mut pairs {
        pair.run_until(Pair::is_connected);
    }
    tell(&pairs, "ICE and DTLS done");
    for pair in &mut pairs {
        let end = pair.now + Duration::from_secs(60);
        while pair.now < end {
            pair.advance();
        }
    }
    tell(&pairs, "a minute later");
    told
}

/// Bytes of the process's memory that are in use.
fn resident() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096.0
}

/// What many established ends hold.
struct Held {
    heap: f64,
    /// With what the cryptography library's C code holds, and the allocator's own.
    resident: f64,
    /// The sizes that take most, and how many of each one end has.
    sizes: Vec<(usize, f64)>,
}

/// The first thing to be measured: later, memory that was freed is used again.
fn hold(server: &Identity, browser: &Identity) -> Held {
    drop(connect(server, browser, 0));
    let mut pairs = Vec::with_capacity(HELD);
    let (heap, memory, before) = (live(), resident(), pieces());
    for number in 0..HELD {
        let mut pair = connect(server, browser, number);
        // The list of calls belongs to the bench.
        pair.offerer.calls = Vec::new();
        pair.answerer.calls = Vec::new();
        pairs.push(pair);
    }
    let ends = (2 * HELD) as f64;
    let mut sizes: Vec<_> = pieces()
        .iter()
        .zip(&before)
        .enumerate()
        .map(|(size, (now, then))| (size, (now - then) as f64 / ends))
        .collect();
    sizes.sort_by(|a, b| (b.0 as f64 * b.1).total_cmp(&(a.0 as f64 * a.1)));
    sizes.truncate(LISTED);
    let held = Held {
        heap: (live() - heap) as f64 / ends,
        resident: (resident() - memory) / ends,
        sizes,
    };
    drop(pairs);
    let left = (live() - heap) as f64 / ends;
    assert!(left < 100.0, "each dropped end leaves {left} bytes behind");
    held
}

fn main() {
    let (server, browser) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let Held {
        heap,
        resident,
        sizes,
    } = hold(&server, &browser);
    for number in 0..20 {
        connect(&server, &browser, number);
    }
    let (mut offerer, mut answerer) = (Side::default(), Side::default());
    let (mut datagrams, mut virtual_ms) = (0, Vec::new());
    for number in 0..HANDSHAKES {
        let begin = Instant::now();
        let mut pair = Pair::new(&server, &browser, number, begin);
        pair.describe(number);
        pair.run_until(Pair::is_connected);
        offerer.add(&pair.offerer);
        answerer.add(&pair.answerer);
        datagrams += pair.datagrams;
        virtual_ms.push((pair.now - begin).as_secs_f64() * 1_000.0);
    }
    offerer.print("offerer, DTLS server: a receiver's connection");
    answerer.print("answerer, DTLS client: a publisher's connection");
    // A thread's first random number may need entropy that takes long to gather.
    let first = thread::scope(|scope| {
        let fresh = scope.spawn(|| connect(&server, &browser, 0).longest_call());
        micros(fresh.join().unwrap())
    });
    let (offering, answering) = (median(offerer.total), median(answerer.total));
    let longest: Vec<_> = [offerer.longest, answerer.longest].concat();
    let (p50, p99) = (percentile(&longest, 0.5), percentile(&longest, 0.99));
    let per_second = 1e6 / offering;
    println!(
        "\n{per_second:.0} receivers/s and {:.0} publishers/s on one core; the longest call of one \
         end's handshake {p50:.0} µs p50, {p99:.0} µs p99, {:.0} µs max, {first:.0} µs in the \
         first of a thread;\n{:.1} datagrams, {:.0} ms of \
         timers in a handshake without delay",
        1e6 / answering,
        percentile(&longest, 1.0),
        datagrams as f64 / HANDSHAKES as f64,
        median(virtual_ms),
    );

    println!("\n{:>24} {:>9} {:>9}", "one end, bytes", "heap", "in all");
    let mut sum = 0.0;
    for (what, bytes) in stages(&server, &browser) {
        sum += bytes;
        println!("{what:>24} {bytes:>+9.0} {sum:>9.0}");
    }
    let keys = size_of::<Sealer>() + size_of::<Opener>();
    println!(
        "{:>24} {:>9} (keys {keys}); with {heap:.0} of heap, resident {resident:.0}",
        "Transport itself",
        size_of::<Transport>()
    );
    println!("of which the most, by size of allocation:");
    for (size, count) in sizes {
        println!("{size:>24} x {count:>4.1} = {:>6.0}", size as f64 * count);
    }

    println!(
        "{{\"bench\":\"join\",\"handshakes_per_second\":{per_second:.0},\
         \"offerer_us\":{offering:.1},\"answerer_us\":{answering:.1},\
         \"longest_call_us_p50\":{p50:.1},\"longest_call_us_p99\":{p99:.1},\"first_longest_call_us\":{first:.1},\
         \"heap_bytes\":{heap:.0},\"resident_bytes\":{resident:.0}}}"
    );
}
