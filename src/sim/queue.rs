//! What is going to happen, in order.

use super::world::ClientId;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Instant;

/// Something that happens.
pub(super) enum Happening {
    ToShard {
        shard: usize,
        from: SocketAddr,
        data: Vec<u8>,
    },
    ToClient {
        to: SocketAddr,
        from: SocketAddr,
        data: Vec<u8>,
    },
    WakeShard(usize),
    WakeClient(ClientId),
}

/// … and when.
struct Entry {
    at: Instant,
    order: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// By time, and what is due at one time in the order in which it was entered.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

impl Queue {
    /// It happens at this time.
    pub(super) fn enter(&mut self, at: Instant, what: Happening) {
        let order = self.order;
        self.order += 1;
        self.heap.push(Reverse(Entry { at, order, what }));
    }

    /// What happens next, if it happens by `end`.
    pub(super) fn next_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let Reverse(entry) = self.heap.peek()?;
        if entry.at > end {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some((entry.at, entry.what))
    }
}
