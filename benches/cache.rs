//! What it costs to keep a packet and to find it again, at several sizes of the ring.
//!
//! `cargo bench --bench cache`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::clock::ns_per_call;
use perikon::media::cache::{Cache, Meta};
use std::hint::black_box;

/// Bytes of the packets.
const PACKET: usize = 1_100;
const ROUNDS: usize = 15;
const CALLS: u64 = 40_000;
/// Prime to every size: what is far from the last look in memory.
const STRIDE: u64 = 7_919;

struct Costs {
    insert: f64,
    hit: f64,
    far_hit: f64,
    resend: f64,
    miss: f64,
}

fn measure(slots: usize) -> Costs {
    let mut cache = Cache::new(slots);
    let packet = vec![0xa5_u8; PACKET];
    let mut meta = Meta::default();
    meta.header_len = 12;
    meta.len = PACKET as u16;
    let mut next = 0;
    let insert = ns_per_call(ROUNDS, CALLS, |_| {
        cache.slot(next)[..PACKET].copy_from_slice(&packet);
        meta.seqno = next;
        cache.commit(meta);
        next += 1;
    });
    let first = next - slots as u64;
    let slots = slots as u64;
    let cache = &cache;
    let found = |seqno| black_box(cache).get(black_box(seqno)).unwrap();
    let hit = ns_per_call(ROUNDS, CALLS, |call| {
        let (meta, bytes) = found(first + call % slots);
        black_box((meta.timestamp, bytes[0]));
    });
    let far_hit = ns_per_call(ROUNDS, CALLS, |call| {
        let (meta, bytes) = found(first + call * STRIDE % slots);
        black_box((meta.timestamp, bytes[0]));
    });
    let mut out = vec![0_u8; PACKET];
    let resend = ns_per_call(ROUNDS, CALLS, |call| {
        let (_, bytes) = found(first + call * STRIDE % slots);
        out[..bytes.len()].copy_from_slice(bytes);
        black_box(&out);
    });
    // Half of them overwritten, half of them still to come.
    let miss = ns_per_call(ROUNDS, CALLS, |call| {
        let seqno = if call % 2 == 0 {
            first - 1 - call % slots
        } else {
            next + call % slots
        };
        assert!(black_box(cache).get(black_box(seqno)).is_none());
    });
    Costs {
        insert,
        hit,
        far_hit,
        resend,
        miss,
    }
}

fn main() {
    println!("CPU ns a call, packets of {PACKET} bytes");
    println!(
        "{:>6} {:>8} {:>8} {:>8} {:>13} {:>8}",
        "slots", "insert", "hit", "far hit", "hit and copy", "miss"
    );
    let mut last = String::new();
    for slots in [128, 512, 4_096] {
        let Costs {
            insert,
            hit,
            far_hit,
            resend,
            miss,
        } = measure(slots);
        println!("{slots:>6} {insert:>8.1} {hit:>8.1} {far_hit:>8.1} {resend:>13.1} {miss:>8.1}");
        if slots == 512 {
            last = format!(
                "{{\"bench\":\"cache\",\"slots\":{slots},\"insert_ns\":{insert:.1},\
                 \"hit_ns\":{hit:.1},\"far_hit_ns\":{far_hit:.1},\"hit_and_copy_ns\":{resend:.1},\
                 \"miss_ns\":{miss:.1}}}"
            );
        }
    }
    println!("{last}");
}
