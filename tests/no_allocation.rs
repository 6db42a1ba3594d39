//! Forwarding allocates nothing: not per packet, not per receiver.
//!
//! The allocator counts, so this test has a program of its own, and one thread.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator is unsafe by its nature; a test that cannot go on has failed"
)]

mod sim_support;

use perikon::shard::Batch;
use perikon::sim::{ClientId, LinkConfig, ReceiverConfig, SenderConfig};
use perikon::transport::Path;
use sim_support::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what the measuring thread asks of it.
struct Counting;

fn count() {
    if COUNTS.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> u64 {
    ALLOCATIONS.with(|count| count.set(0));
    COUNTS.with(|counts| counts.set(true));
    work();
    COUNTS.with(|counts| counts.set(false));
    ALLOCATIONS.with(Cell::get)
}

const RECEIVERS: usize = 20;

/// What may be counted at a time of the test's choice: who publishes is silent, nothing is under
/// way. With `red` each packet of sound takes earlier ones along, as a line has lost some.
fn quiet(seed: u64, receivers: usize, config: ReceiverConfig) -> (Seeded, [ClientId; 2]) {
    let mut world = world(seed);
    let host = world.add_host(LinkConfig::PERFECT, LinkConfig::PERFECT);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    let loss = if config.red { 0.08 } else { 0.0 };
    let lossy = LinkConfig {
        loss,
        ..LinkConfig::PERFECT
    };
    // One path for all would have no room for copies.
    let hosts: Vec<_> = (0..receivers)
        .map(|_| world.add_host(LinkConfig::PERFECT, lossy))
        .collect();
    let receivers: Vec<_> = hosts
        .iter()
        .map(|host| world.subscribe(*host, publisher, config).unwrap())
        .collect();
    world.run_for(secs(5)).unwrap();
    world.pause(publisher, true).unwrap();
    for host in hosts {
        world.set_links(host, LinkConfig::PERFECT, LinkConfig::PERFECT);
    }
    world.run_for(millis(500)).unwrap();
    for stream in world.shard_stats(0).streams.iter().filter(|one| !one.up) {
        let copies = stream.tracks[AUDIO].copies;
        assert_eq!(copies.is_some_and(|copies| copies > 0), config.red);
    }
    (world, [publisher, receivers[0]])
}

#[test]
fn a_packet_is_forwarded_to_twenty_without_an_allocation() {
    // The count itself works.
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
    for red in [false, true] {
        forwards_without_an_allocation(red);
    }
}

/// A packet that is captured so many times 20 ms from now.
fn craft(world: &mut Seeded, publisher: ClientId, track: usize, at: u32) -> Vec<u8> {
    let later = at * [960, 1_800][track];
    let change = |packet: &mut Vec<u8>| {
        let timestamp: &mut [u8; 4] = packet[4..].first_chunk_mut().unwrap();
        *timestamp = (u32::from_be_bytes(*timestamp).wrapping_add(later)).to_be_bytes();
    };
    world.craft(publisher, track, change).unwrap()
}

/// Packets of sound that were sent with earlier ones in them.
fn redundant(world: &mut Seeded) -> usize {
    let stats = world.shard_stats(0);
    let down = stats.streams.iter().filter(|one| !one.up);
    down.map(|one| one.tracks[AUDIO].redundant as usize).sum()
}

fn forwards_without_an_allocation(red: bool) {
    let config = ReceiverConfig {
        red,
        ..ReceiverConfig::default()
    };
    let (mut world, [publisher, _]) = quiet(90, RECEIVERS, config);
    let before = redundant(&mut world);
    let path = Path {
        local: 0,
        remote: world.address(publisher).unwrap(),
    };
    let now = world.now();
    let packets: Vec<_> = (0..600)
        .map(|at| craft(&mut world, publisher, at % 2, at as u32 / 2))
        .collect();
    let shard = world.shard_mut(0).unwrap();
    let mut batch = Batch::new();
    let mut sent = 0;
    let mut buffer = [0; 2_000];
    let count = allocations(|| {
        for packet in &packets {
            let data = &mut buffer[..packet.len()];
            data.copy_from_slice(packet);
            shard.handle_datagram(now, path, data);
            loop {
                let more = shard.poll_transmit(now, &mut batch);
                sent += batch.datagrams().count();
                batch.clear();
                if !more {
                    break;
                }
            }
        }
    });
    assert_eq!(sent, packets.len() * RECEIVERS);
    assert_eq!(count, 0, "{count} allocations for {sent} packets");
    // Before the first two there is nothing but silence.
    let copied = if red { sent / 2 - 2 * RECEIVERS } else { 0 };
    assert_eq!(redundant(&mut world) - before, copied);
}

#[test]
fn a_repair_is_sent_without_an_allocation() {
    for (track, rtx) in [(VIDEO, true), (VIDEO, false), (AUDIO, true)] {
        // Only sound is redundant, and has no stream for repairs.
        let config = ReceiverConfig {
            rtx,
            red: track == AUDIO,
            ..ReceiverConfig::default()
        };
        repairs_without_an_allocation(track, config);
    }
}

fn repairs_without_an_allocation(track: usize, config: ReceiverConfig) {
    let (mut world, [publisher, receiver]) = quiet(91, 1, config);
    let path = Path {
        local: 0,
        remote: world.address(publisher).unwrap(),
    };
    let now = world.now();
    let packets: Vec<_> = (0..30)
        .map(|at| craft(&mut world, publisher, track, at))
        .collect();
    let shard = world.shard_mut(0).unwrap();
    let mut batch = Batch::new();
    let mut numbers = Vec::new();
    for mut packet in packets {
        shard.handle_datagram(now, path, &mut packet);
        while shard.poll_transmit(now, &mut batch) {}
        let (_, data) = batch.datagrams().last().unwrap();
        numbers.push(u16::from_be_bytes([data[2], data[3]]));
        // Twice as long with an earlier one, if there is one.
        assert!(!config.red || numbers.len() < 5 || data.len() > 250);
        batch.clear();
    }
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1))
    );
    let newest = numbers[29];

    let ssrc = world.ssrcs(receiver)[track];
    let path = Path {
        local: 0,
        remote: world.address(receiver).unwrap(),
    };
    let mut now = world.now();
    // As many as a track may be sent again at once, all of them small.
    let reports: Vec<_> = (0..6)
        .map(|_| {
            let mut space = [0; 300];
            let mut compound =
                perikon::media::feedback::Compound::with_receiver_report(&mut space, 7, &[])
                    .unwrap();
            let lost: Vec<_> = (0..20).map(|back| newest.wrapping_sub(20 - back)).collect();
            compound.nack(7, ssrc, &lost).unwrap();
            let len = compound.len();
            world.craft_rtcp(receiver, &space[..len]).unwrap()
        })
        .collect();
    let shard = world.shard_mut(0).unwrap();
    let mut batch = Batch::new();
    let mut buffer = [0; 2_000];
    let mut sent = 0;
    let mut rounds = Vec::with_capacity(reports.len());
    for report in &reports {
        // A packet is sent again once in a round trip.
        now += secs(1);
        rounds.push(allocations(|| {
            let data = &mut buffer[..report.len()];
            data.copy_from_slice(report);
            shard.handle_datagram(now, path, data);
            while shard.poll_transmit(now, &mut batch) {
                sent += batch.datagrams().count();
                batch.clear();
            }
            sent += batch.datagrams().count();
            batch.clear();
        }));
    }
    assert_eq!(sent, 6 * 20);
    // The first makes room in the lists of repairs.
    assert!(rounds[1..].iter().all(|count| *count == 0), "{rounds:?}");
}
