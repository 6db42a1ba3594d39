//! What a media thread counts: plain numbers of its own, copied when someone asks.

use super::driver::Load;
use crate::figures::{FAST, Histogram};
use crate::shard::{Batch, ShardFigures};
use std::time::{Duration, Instant};

/// A snapshot of what one media thread has counted since it began.
#[derive(Debug, Clone)]
pub struct ThreadFigures {
    /// Of its shard.
    pub shard: ShardFigures,
    /// Peers it has now.
    pub peers: usize,
    /// The share of its time that it worked, lately, 0 to 1.
    pub load: f64,
    /// For how long it worked, all in all.
    pub busy: Duration,
    /// Of its sockets.
    pub sockets: SocketFigures,
    /// From the moment datagrams were read to the moment the kernel has taken a batch of what
    /// they led to: one entry a batch, and none for batches that only time led to.
    pub forwarding: Histogram,
}

/// What passed between a thread and the kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketFigures {
    /// How often the thread woke up.
    pub wakeups: u64,
    /// Calls that read at least one datagram.
    pub receive_calls: u64,
    /// Datagrams read.
    pub received: u64,
    /// Their bytes, without UDP headers.
    pub received_bytes: u64,
    /// Calls that send.
    pub send_calls: u64,
    /// Datagrams given to the kernel.
    pub sent: u64,
    /// Their bytes, without UDP headers.
    pub sent_bytes: u64,
    /// Sends, of one datagram or several, that the kernel refused.
    pub refused: u64,
}

/// What a thread counts as it goes.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) sockets: SocketFigures,
    pub(super) forwarding: Histogram,
    began: Instant,
    idle: Duration,
}

impl Counts {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sockets: SocketFigures::default(),
            forwarding: Histogram::new(&FAST),
            began: now,
            idle: Duration::ZERO,
        }
    }

    /// The thread woke up after it had waited for so long.
    pub(super) fn woke(&mut self, waited: Duration) {
        self.sockets.wakeups += 1;
        self.idle += waited;
    }

    /// A datagram was read.
    #[inline]
    pub(super) fn received(&mut self, bytes: usize) {
        self.sockets.received += 1;
        self.sockets.received_bytes += bytes as u64;
    }

    /// A batch goes to the kernel.
    pub(super) fn sends(&mut self, batch: &Batch) {
        for send in batch.sends() {
            self.sockets.sent += send.len.div_ceil(send.segment.max(1)) as u64;
            self.sockets.sent_bytes += send.len as u64;
        }
    }

    pub(super) fn snapshot(&self, now: Instant, shard: ShardFigures, load: &Load) -> ThreadFigures {
        let (busy, _) = load.read();
        let (ups, downs) = (shard.ups, shard.downs);
        ThreadFigures {
            peers: ups.connected + ups.connecting + downs.connected + downs.connecting,
            shard,
            load: f64::from(busy) / 1_000.0,
            busy: (now - self.began).saturating_sub(self.idle),
            sockets: self.sockets,
            forwarding: self.forwarding.clone(),
        }
    }
}
