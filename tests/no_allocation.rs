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
use perikon::sim::{LinkConfig, ReceiverConfig, SenderConfig};
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

#[test]
fn a_packet_is_forwarded_to_twenty_without_an_allocation() {
    // The count itself works.
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);

    let mut world = world(90);
    let host = world.add_host(LinkConfig::PERFECT, LinkConfig::PERFECT);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    for _ in 0..RECEIVERS {
        let config = ReceiverConfig::default();
        world.subscribe(host, publisher, config).unwrap();
    }
    world.run_for(secs(3)).unwrap();
    world.pause(publisher, true).unwrap();
    world.run_for(millis(100)).unwrap();

    let path = Path {
        local: 0,
        remote: world.address(publisher).unwrap(),
    };
    let now = world.now();
    let packets: Vec<_> = (0..600)
        .map(|at| world.craft(publisher, at % 2, |_| {}).unwrap())
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
}

#[test]
fn a_repair_is_sent_without_an_allocation() {
    for rtx in [true, false] {
        repairs_without_an_allocation(rtx);
    }
}

fn repairs_without_an_allocation(rtx: bool) {
    let mut world = world(91);
    let host = world.add_host(LinkConfig::PERFECT, LinkConfig::PERFECT);
    let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
    let config = ReceiverConfig {
        rtx,
        ..ReceiverConfig::default()
    };
    let receiver = world.subscribe(host, publisher, config).unwrap();
    world.run_for(secs(3)).unwrap();
    world.pause(publisher, true).unwrap();
    world.run_for(millis(100)).unwrap();

    let ssrc = world.ssrcs(receiver)[VIDEO];
    let (_, newest) = world.client(receiver).tracks[VIDEO].range.unwrap();
    let newest = (ssrc as u16 & 0x7fff).wrapping_add(newest as u16);
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
