//! The last packets of a track, decrypted and ready to be sealed for a receiver: a ring of
//! fixed slots that begins to take memory as it fills.

/// Bytes of one slot: the largest RTP packet that fits an Ethernet frame, and some room for
/// extensions that grow when they are written anew.
pub const SLOT: usize = 1_536;

/// What is known about a packet in the cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meta {
    /// Extended sequence number of the publisher.
    pub seqno: u64,
    /// The publisher's timestamp.
    pub timestamp: u32,
    /// The header's length, in bytes.
    pub header_len: u16,
    /// The packet's length, in bytes.
    pub len: u16,
    /// A keyframe begins here.
    pub keyframe: bool,
    pub(super) filled: bool,
}

/// The ring. A packet's place is its sequence number modulo the ring's size.
pub struct Cache {
    meta: Box<[Meta]>,
    bytes: Vec<u8>,
}

impl Cache {
    /// A ring of `slots` packets, at least one.
    pub fn new(slots: usize) -> Self {
        let slots = slots.max(1);
        Self {
            meta: vec![Meta::default(); slots].into(),
            bytes: vec![0; slots * SLOT],
        }
    }

    /// How many packets it holds at most.
    pub fn capacity(&self) -> usize {
        self.meta.len()
    }

    fn index(&self, seqno: u64) -> usize {
        (seqno % self.meta.len() as u64) as usize
    }

    /// The slot where the packet of this number belongs, emptied. It counts once it was
    /// [committed](Self::commit).
    #[inline]
    pub fn slot(&mut self, seqno: u64) -> &mut [u8; SLOT] {
        let index = self.index(seqno);
        self.meta[index].filled = false;
        let bytes = &mut self.bytes[index * SLOT..(index + 1) * SLOT];
        // The length is SLOT by construction.
        #[allow(clippy::expect_used)]
        bytes.first_chunk_mut().expect("a slot's length")
    }

    /// Says what was written to the packet's slot.
    #[inline]
    pub fn commit(&mut self, meta: Meta) {
        let index = self.index(meta.seqno);
        self.meta[index] = Meta {
            filled: true,
            ..meta
        };
    }

    /// Whether the slot of this number holds a later packet already: then this one is too old
    /// to be kept.
    pub fn is_overtaken(&self, seqno: u64) -> bool {
        let meta = &self.meta[self.index(seqno)];
        meta.filled && meta.seqno > seqno
    }

    /// The packet of this number, if it is still there.
    #[inline]
    pub fn get(&self, seqno: u64) -> Option<(&Meta, &[u8])> {
        let index = self.index(seqno);
        let meta = &self.meta[index];
        if !meta.filled || meta.seqno != seqno {
            return None;
        }
        let start = index * SLOT;
        Some((meta, &self.bytes[start..start + usize::from(meta.len)]))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for meta in &mut self.meta {
            meta.filled = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(cache: &mut Cache, seqno: u64) {
        cache.slot(seqno)[..8].copy_from_slice(&seqno.to_be_bytes());
        cache.commit(Meta {
            seqno,
            len: 8,
            ..Meta::default()
        });
    }

    #[test]
    fn packets_are_found_until_the_ring_has_gone_round() {
        let mut cache = Cache::new(4);
        for seqno in 65_534..65_538 {
            insert(&mut cache, seqno);
        }
        for seqno in 65_534..65_538 {
            assert_eq!(cache.get(seqno).unwrap().1, seqno.to_be_bytes());
        }
        insert(&mut cache, 65_538);
        assert!(cache.get(65_534).is_none());
        assert!(cache.is_overtaken(65_534));
        assert!(!cache.is_overtaken(65_539));
        assert!(cache.get(65_535).is_some());
    }

    #[test]
    fn a_slot_that_was_taken_but_not_committed_holds_nothing() {
        let mut cache = Cache::new(4);
        insert(&mut cache, 5);
        cache.slot(9);
        assert!(cache.get(5).is_none());
        assert!(cache.get(9).is_none());
    }
}
