//! What it costs to receive one packet: from the datagram to its place in the cache, header read
//! and written anew, loss and rate counted. Next to the floor: the same bytes opened with the same
//! cryptography into a ring of the same size, and nothing else.
//!
//! `cargo bench --bench receive`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::allocator::{Counting, allocations};
use common::clock::{median, thread_cpu};
use common::{Fanout, SSRC};
use perikon::media::cache::SLOT;
use perikon::shard::Batch;
use perikon::transport::Path;
use perikon::transport::srtp::{Keying, Opener, Profile, Sealer};
use std::hint::black_box;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Packets of one measurement.
const PACKETS: u64 = 5_000;
/// Packets between two flushes: a track keeps up to 64 waiting.
const BURST: u64 = 50;
/// Measurements of each kind, in turn; the median counts.
const ROUNDS: usize = 11;
/// As many as a video track's cache has.
const SLOTS: u64 = 512;

struct Bench {
    fanout: Fanout,
    next: u64,
    batch: Batch,
    sealer: Sealer,
    opener: Opener,
    ring: Vec<u8>,
    size: usize,
}

impl Bench {
    fn new(size: usize, extensions: bool) -> Self {
        // Nobody receives: what is received is kept, and nothing else.
        let mut fanout = Fanout::connect("127.0.0.1:4".parse().unwrap(), &[]);
        fanout.extensions = extensions;
        let material = vec![7; Profile::Gcm128.keying_material_len()];
        let keying = Keying::split(Profile::Gcm128, &material).unwrap().0;
        let mut bench = Self {
            fanout,
            next: 0,
            batch: Batch::new(),
            sealer: Sealer::new(&keying).unwrap(),
            opener: Opener::new(&keying).unwrap(),
            ring: vec![0; SLOTS as usize * SLOT],
            size,
        };
        let mut first = [bench.fanout.packet(0, size, true, true)];
        bench.next = 1;
        bench.receive(&mut first);
        bench
    }

    fn receive(&mut self, packets: &mut [Vec<u8>]) -> Duration {
        let path = Path {
            local: 0,
            remote: self.fanout.publisher.address,
        };
        let begin = thread_cpu();
        for packet in packets.iter_mut() {
            let now = self.fanout.now;
            self.fanout.shard.handle_datagram(now, path, packet);
        }
        let cpu = thread_cpu() - begin;
        while self
            .fanout
            .shard
            .poll_transmit(self.fanout.now, &mut self.batch)
        {
            self.batch.clear();
        }
        self.batch.clear();
        cpu
    }

    /// CPU ns and allocations per packet.
    fn measure(&mut self) -> (f64, f64) {
        let (mut cpu, mut allocated) = (Duration::ZERO, 0);
        for _ in 0..PACKETS / BURST {
            let mut packets: Vec<_> = (0..BURST)
                .map(|at| {
                    let ends = at + 1 == BURST;
                    self.fanout.packet(self.next + at, self.size, false, ends)
                })
                .collect();
            self.next += BURST;
            self.fanout.now += Duration::from_micros(3_333 * BURST);
            let before = allocations();
            cpu += self.receive(&mut packets);
            allocated += allocations() - before;
        }
        let packets = PACKETS as f64;
        (cpu.as_nanos() as f64 / packets, allocated as f64 / packets)
    }

    fn measure_floor(&mut self) -> f64 {
        let mut cpu = Duration::ZERO;
        let payload = vec![0xa5; self.size - 12];
        for _ in 0..PACKETS / BURST {
            let packets: Vec<_> = (0..BURST)
                .map(|at| {
                    let mut out = vec![0; self.size + 16];
                    out[..2].copy_from_slice(&[0x80, 96]);
                    self.sealer
                        .seal_rtp(SSRC, self.next + at, 12, &payload, &mut out)
                        .unwrap();
                    out
                })
                .collect();
            let begin = thread_cpu();
            for (at, packet) in packets.iter().enumerate() {
                let index = self.next + at as u64;
                let slot = (index % SLOTS) as usize * SLOT;
                let out = &mut self.ring[slot + 12..slot + self.size];
                self.opener.open_rtp(packet, SSRC, index, 12, out).unwrap();
                self.ring[slot..slot + 12].copy_from_slice(&packet[..12]);
            }
            cpu += thread_cpu() - begin;
            black_box(&self.ring);
        }
        cpu.as_nanos() as f64 / PACKETS as f64
    }
}

fn main() {
    println!(
        "{:>6} {:>11} {:>10} {:>10} {:>6} {:>12}",
        "bytes", "extensions", "ns/packet", "floor ns", "ratio", "allocations"
    );
    let mut last = String::new();
    for (size, extensions) in [(100, false), (1_100, false), (1_100, true)] {
        let mut bench = Bench::new(size, extensions);
        let (mut own, mut floor, mut allocated) = (Vec::new(), Vec::new(), 0.0);
        bench.measure();
        bench.measure_floor();
        for _ in 0..ROUNDS {
            let (ns, allocations) = bench.measure();
            own.push(ns);
            allocated += allocations / ROUNDS as f64;
            floor.push(bench.measure_floor());
        }
        let received = bench.fanout.received();
        assert_eq!(received, bench.next, "some packets were not taken");
        let (own, floor) = (median(own), median(floor));
        let ratio = own / floor;
        println!(
            "{size:>6} {:>11} {own:>10.0} {floor:>10.0} {ratio:>6.2} {allocated:>12.4}",
            if extensions { "four" } else { "none" },
        );
        last = format!(
            "{{\"bench\":\"receive\",\"bytes\":{size},\"ns_per_packet\":{own:.0},\
             \"floor_ns_per_packet\":{floor:.0},\"ratio\":{ratio:.3},\
             \"allocations_per_packet\":{allocated:.6}}}"
        );
        assert!(allocated == 0.0, "the packet path allocated");
    }
    println!("{last}");
}
