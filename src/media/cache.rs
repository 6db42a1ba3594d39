//! The last packets of a track, decrypted and ready to be sealed for a receiver: a ring of
//! fixed slots that begins to take memory as it fills.

use super::packet::PADDED;

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
    /// Of that, the padding that was added here, in bytes.
    pub padding: u8,
    /// A keyframe begins here.
    pub keyframe: bool,
    pub(super) filled: bool,
    /// What it is to its picture.
    pub part: Part,
}

/// What a packet of pictures is to its picture, and where the numbers lie that must go on when a
/// receiver is sent something else. All zero where the codec does not say it, or has no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Spatial layer.
    pub sid: u8,
    /// Temporal layer.
    pub tid: u8,
    /// The first packet of a frame.
    pub start_of_frame: bool,
    /// The last packet of a frame.
    pub end_of_frame: bool,
    /// Who had only lower temporal layers can decode this one from here on.
    pub tid_upsync: bool,
    /// The picture id has 15 bits, not 7.
    pub wide: bool,
    /// Where in the payload the picture id is; 0 for nowhere.
    pub picture_at: u8,
    /// Where in the payload TL0PICIDX is; 0 for nowhere.
    pub tl0_at: u8,
    /// TL0PICIDX
    pub tl0: u8,
    /// The picture id.
    pub picture: u16,
    /// The number of the frame in the dependency descriptor.
    pub frame: u16,
    /// Where in the packet that is; 0 for nowhere.
    pub frame_at: u16,
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

    /// Pads a packet to a length (RFC 3550, section 5.1), unless it is padded already. To be done
    /// before anyone was sent it: sent again, it must be the same.
    pub fn pad(&mut self, seqno: u64, len: u16) {
        let index = self.index(seqno);
        let meta = &mut self.meta[index];
        let bytes = &mut self.bytes[index * SLOT..(index + 1) * SLOT];
        let here = meta.filled && meta.seqno == seqno;
        let Some(padding) = len
            .checked_sub(meta.len)
            .filter(|_| here && bytes[0] & PADDED == 0)
        else {
            return;
        };
        let (Ok(padding @ 1..), Some(room)) = (
            u8::try_from(padding),
            bytes.get_mut(usize::from(meta.len)..usize::from(len)),
        ) else {
            return;
        };
        room.fill(0);
        if let Some(last) = room.last_mut() {
            *last = padding;
        }
        bytes[0] |= PADDED;
        meta.len = len;
        meta.padding = padding;
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
    fn what_is_known_of_a_packet_takes_little_room() {
        assert!(size_of::<Meta>() <= 40, "{}", size_of::<Meta>());
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
    fn padding_says_how_long_it_is_and_is_added_once() {
        let mut cache = Cache::new(4);
        insert(&mut cache, 5);
        cache.pad(5, 11);
        let (meta, bytes) = cache.get(5).unwrap();
        assert_eq!((meta.len, meta.padding), (11, 3));
        assert_eq!(bytes, [PADDED, 0, 0, 0, 0, 0, 0, 5, 0, 0, 3]);
        for len in [0, 11, 14, u16::MAX] {
            cache.pad(5, len);
            assert_eq!(cache.get(5).unwrap().0.len, 11);
        }
        cache.pad(9, 20);
        insert(&mut cache, 6);
        for len in [7, 8, 300, SLOT as u16 + 1] {
            cache.pad(6, len);
        }
        assert_eq!(cache.get(6).unwrap().0.len, 8);
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
