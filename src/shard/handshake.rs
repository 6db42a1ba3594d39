//! Handshakes in slices: media never waits for more than one of them.

use super::Shard;
use super::drops::Drop;
use crate::transport::Path;
use crate::transport::demux::{Protocol, demux};
use std::collections::VecDeque;
use std::time::Instant;

/// Datagrams that wait at most; the ends repeat what is dropped.
const MAX_WAITING: usize = 1_024;

/// A datagram that waits for its turn.
struct Late {
    at: Instant,
    path: Path,
    data: Box<[u8]>,
    is_dtls: bool,
}

/// DTLS datagrams, each of which may cost as much as forwarding a thousand packets, and what
/// arrived behind them from peers that have no keys yet.
#[derive(Default)]
pub(super) struct Handshakes {
    waiting: VecDeque<Late>,
    /// One was worked on in this turn.
    spent: bool,
}

impl Handshakes {
    /// When the oldest came.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|late| late.at)
    }
}

impl Shard {
    /// DTLS that arrives: the first datagram of a turn is worked on at once, others wait.
    pub(super) fn handle_dtls(&mut self, now: Instant, path: Path, data: &[u8]) {
        if self.handshakes.waiting.is_empty() && !self.handshakes.spent {
            self.handshakes.spent = true;
            self.work_on_dtls(now, path, data);
        } else if self.place_of(&path).is_none() {
            self.drops.count(Drop::UnknownSource);
        } else {
            self.wait(now, path, data);
        }
    }

    /// Media of a peer without keys, whose last flight may still wait: keeps it behind that.
    /// False if there is nothing to wait for.
    pub(super) fn wait_for_keys(&mut self, now: Instant, path: Path, data: &[u8]) -> bool {
        let mut waiting = self.handshakes.waiting.iter();
        let waits = waiting.any(|late| late.is_dtls && late.path == path);
        if waits {
            self.wait(now, path, data);
        }
        waits
    }

    fn wait(&mut self, at: Instant, path: Path, data: &[u8]) {
        if self.handshakes.waiting.len() < MAX_WAITING {
            self.handshakes.waiting.push_back(Late {
                at,
                path,
                data: data.into(),
                is_dtls: matches!(demux(data), Some(Protocol::Dtls)),
            });
        } else {
            self.drops.count(Drop::HandshakesFull);
        }
    }

    /// A new turn: works on the oldest handshake, and on the media behind it.
    pub(super) fn slice_handshakes(&mut self, now: Instant) {
        self.handshakes.spent = false;
        while let Some(late) = self.handshakes.waiting.front() {
            if late.is_dtls && self.handshakes.spent {
                break;
            }
            let Some(mut late) = self.handshakes.waiting.pop_front() else {
                break;
            };
            if late.is_dtls {
                self.handshakes.spent = true;
                self.work_on_dtls(now, late.path, &late.data);
            } else {
                self.handle_datagram(now, late.path, &mut late.data);
            }
        }
    }

    fn work_on_dtls(&mut self, now: Instant, path: Path, data: &[u8]) {
        let Some(place) = self.place_of(&path) else {
            return self.drops.count(Drop::UnknownSource);
        };
        if let Some(peer) = self.peer_mut(place)
            && !peer.transport.handle_dtls(now, path, data)
        {
            self.drops.count(Drop::DtlsMalformed);
        }
        self.after_transport(now, place);
    }
}
