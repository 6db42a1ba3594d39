//! Bad input: whatever arrives at a shard's socket, it is dropped for the expected reason, which
//! is counted, and the streams that are there go on unharmed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod anything;
mod dtls;
mod rtcp;
mod rtp;
#[path = "../sim_support/mod.rs"]
mod sim_support;
mod stun;

use perikon::shard::Drop;
use perikon::sim::{ClientId, HostId, LinkConfig, ReceiverConfig, SenderConfig};
use sim_support::*;
use std::net::SocketAddr;

/// Of a crafted packet: fixed part, and one word of extensions with its head.
const HEADER: usize = 20;
/// Of AES-GCM.
const TAG: usize = 16;

/// A meeting of one publisher and one receiver, both connected, in a moment of silence.
struct Bench {
    world: Seeded,
    host: HostId,
    publisher: ClientId,
    receiver: ClientId,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self::with(seed, ReceiverConfig::default())
    }

    fn with(seed: u64, config: ReceiverConfig) -> Self {
        let mut world = world(seed);
        let host = world.add_host(LinkConfig::PERFECT, LinkConfig::PERFECT);
        let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
        let receiver = world.subscribe(host, publisher, config).unwrap();
        world.run_for(secs(2)).unwrap();
        world.pause(publisher, true).unwrap();
        world.run_for(millis(300)).unwrap();
        Self {
            world,
            host,
            publisher,
            receiver,
        }
    }

    fn at(&self, client: ClientId) -> SocketAddr {
        self.world.address(client).unwrap()
    }

    /// Why a datagram was dropped: exactly once, or not at all.
    fn send(&mut self, from: SocketAddr, data: &[u8]) -> Option<&'static str> {
        let before = self.world.shard_stats(0).drops;
        self.world.inject(0, from, data);
        let after = self.world.shard_stats(0).drops;
        let count = |drops: &[(&'static str, u64)], name: &str| {
            let entry = drops.iter().find(|(other, _)| *other == name);
            entry.map_or(0, |(_, count)| *count)
        };
        let mut reasons = after
            .iter()
            .map(|(name, now)| (*name, now - count(&before, name)))
            .filter(|(_, more)| *more > 0);
        let reason = reasons.next();
        assert_eq!(reasons.next(), None, "one reason a datagram, not {after:?}");
        reason.map(|(name, more)| {
            assert_eq!(more, 1, "{name}");
            name
        })
    }

    #[track_caller]
    fn expect(&mut self, reason: Drop, from: SocketAddr, data: &[u8]) {
        assert_eq!(self.send(from, data), Some(reason.name()));
    }

    #[track_caller]
    fn expect_taken(&mut self, from: SocketAddr, data: &[u8]) {
        assert_eq!(self.send(from, data), None);
    }

    fn craft(&mut self, track: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.world.craft(self.publisher, track, change).unwrap()
    }

    /// The meeting goes on, and nobody has noticed anything.
    #[track_caller]
    fn assert_unharmed(mut self) {
        let frames = self.world.client(self.receiver).tracks[VIDEO].frames;
        self.world.pause(self.publisher, false).unwrap();
        self.world.run_for(secs(3)).unwrap();
        let report = self.world.client(self.receiver);
        for track in &report.tracks {
            assert_sound(track, "afterwards");
            assert_eq!((track.given_up, track.missing), (0, 0));
        }
        let more = report.tracks[VIDEO].frames - frames;
        assert!(more >= 88, "{more} frames in 3 s");
        for client in [self.publisher, self.receiver] {
            let report = self.world.client(client);
            assert!(report.failures.is_empty() && !report.closed);
            assert_eq!((report.stray, report.bad_rtcp), (0, 0), "{client:?}");
        }
        assert_eq!(self.world.failures(0), 0);
    }
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 4_444))
}

fn flip(data: &[u8], bit: usize) -> Vec<u8> {
    let mut data = data.to_vec();
    data[bit / 8] ^= 0x80 >> (bit % 8);
    data
}

fn name(reason: Drop) -> Option<&'static str> {
    Some(reason.name())
}
