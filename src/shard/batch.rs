//! Datagrams on their way to the sockets: one buffer, filled and sent as a whole.

use crate::transport::Path;

/// Room for some forty packets: small enough that what was sealed is still in the cache of the
/// core when the kernel copies it.
const BYTES: usize = 64 * 1024;
/// The largest datagram that is ever written.
pub const MAX_DATAGRAM: usize = 1_600;
/// The most datagrams one send may carry (UDP_MAX_SEGMENTS of older kernels).
const MAX_SEGMENTS: usize = 64;
/// The most bytes one send may carry: the largest UDP payload, with room for IPv6 and IP headers.
const MAX_SEND: usize = 65_000;

/// Datagrams of one length from one local address to one remote one, the last perhaps shorter:
/// what UDP_SEGMENT sends in one call.
#[derive(Debug, Clone, Copy)]
pub struct Send {
    /// From where to where.
    pub path: Path,
    /// Where they stand in [`Batch::bytes`].
    pub start: usize,
    /// Of all of them, in bytes.
    pub len: usize,
    /// Of each but the last, in bytes.
    pub segment: usize,
}

/// A buffer of datagrams, made once and used again and again.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8]>,
    used: usize,
    sends: Vec<Send>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; BYTES].into(),
            used: 0,
            sends: Vec::with_capacity(BYTES / 64),
        }
    }

    /// What to send, in order.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// The bytes of a send.
    pub fn bytes(&self, send: &Send) -> &[u8] {
        &self.bytes[send.start..send.start + send.len]
    }

    /// Each datagram by itself, for whoever cannot send several at once.
    pub fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.sends.iter().flat_map(|send| {
            self.bytes(send)
                .chunks(send.segment.max(1))
                .map(|bytes| (send.path, bytes))
        })
    }

    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.sends.is_empty()
    }

    /// Forgets what was sent.
    pub fn clear(&mut self) {
        self.used = 0;
        self.sends.clear();
    }

    /// Where to write the next datagram; `None` when the batch must be sent first.
    #[inline]
    pub fn space(&mut self) -> Option<&mut [u8; MAX_DATAGRAM]> {
        if self.sends.len() == self.sends.capacity() {
            return None;
        }
        self.bytes.get_mut(self.used..)?.first_chunk_mut()
    }

    /// Keeps what was written to [`Self::space`].
    #[inline]
    pub fn commit(&mut self, path: Path, len: usize) {
        let start = self.used;
        self.used += len;
        if let Some(last) = self.sends.last_mut()
            && last.path == path
            && len <= last.segment
            // A shorter datagram is always the last of its send.
            && last.len.is_multiple_of(last.segment)
            && last.len / last.segment < MAX_SEGMENTS
            && last.len + len <= MAX_SEND
        {
            last.len += len;
            return;
        }
        self.sends.push(Send {
            path,
            start,
            len,
            segment: len.max(1),
        });
    }

    /// Copies a datagram in; false when there is no room for it.
    pub(crate) fn push(&mut self, path: Path, data: &[u8]) -> bool {
        let Some(space) = self.space() else {
            return false;
        };
        let Some(space) = space.get_mut(..data.len()) else {
            // Longer than any path takes: ICE and DTLS never make such, and it would never leave.
            return true;
        };
        space.copy_from_slice(data);
        self.commit(path, data.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path {
            local: 0,
            remote: ([127, 0, 0, 1], port).into(),
        }
    }

    #[test]
    fn equal_datagrams_to_one_place_become_one_send() {
        let mut batch = Batch::new();
        for data in [&[1; 100][..], &[2; 100], &[3; 40], &[4; 40]] {
            assert!(batch.push(path(1), data));
        }
        assert!(batch.push(path(2), &[5; 40]));
        let shapes: Vec<_> = batch
            .sends()
            .iter()
            .map(|s| (s.path.remote.port(), s.len, s.segment))
            .collect();
        assert_eq!(shapes, [(1, 240, 100), (1, 40, 40), (2, 40, 40)]);
        let datagrams: Vec<_> = batch.datagrams().map(|(_, d)| (d[0], d.len())).collect();
        assert_eq!(datagrams, [(1, 100), (2, 100), (3, 40), (4, 40), (5, 40)]);
    }

    #[test]
    fn a_full_batch_says_so_and_loses_nothing() {
        let mut batch = Batch::new();
        let mut pushed = 0;
        while batch.push(path(1), &[7; 1_200]) {
            pushed += 1;
        }
        assert_eq!(batch.datagrams().count(), pushed);
        assert!(pushed >= 40, "{pushed}");
        batch.clear();
        assert!(batch.is_empty() && batch.push(path(1), &[7; 1_200]));
    }
}
