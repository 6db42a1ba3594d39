//! From the publisher's sequence numbers to those one receiver is sent, and back.

/// How many changes of source are remembered, for NACKs and late packets.
const RANGES: usize = 8;

/// A run of packets whose numbers keep their distance to the publisher's.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    /// Which track of the publisher.
    source: u16,
    first_up: u64,
    first_down: u64,
    /// Added to the publisher's timestamps.
    timestamp_offset: u32,
    payload_type: u8,
}

/// The packet behind a receiver's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Which track of the publisher.
    pub source: u16,
    /// Its number there.
    pub up: u64,
    /// What was added to its timestamp.
    pub timestamp_offset: u32,
    /// The payload type it was sent with.
    pub payload_type: u8,
}

/// The numbers of one down track: without a gap where it goes from one source to another.
#[derive(Debug, Clone)]
pub struct SeqMap {
    ranges: [Range; RANGES],
    count: usize,
    /// The next number that no packet has.
    next_down: u64,
}

impl SeqMap {
    /// Numbers begin at `first`, below 2¹⁵ so that the receiver's roll-over counter begins at 0
    /// with certainty (RFC 3711, section 3.3.1).
    pub fn new(first: u16) -> Self {
        Self {
            ranges: [Range::default(); RANGES],
            count: 0,
            next_down: u64::from(first & 0x7fff),
        }
    }

    /// From now on packets of the origin's source are sent, beginning with that which it names.
    pub fn begin(&mut self, origin: Origin) {
        if self.count == RANGES {
            self.ranges.copy_within(1.., 0);
            self.count -= 1;
        }
        self.ranges[self.count] = Range {
            source: origin.source,
            first_up: origin.up,
            first_down: self.next_down,
            timestamp_offset: origin.timestamp_offset,
            payload_type: origin.payload_type,
        };
        self.count += 1;
    }

    /// The number of a packet of the current source, and what to add to its timestamp. `None`
    /// for a packet from before its beginning, or of another source.
    #[inline]
    pub fn map(&mut self, source: u16, up: u64) -> Option<(u64, u32)> {
        let range = self.ranges[..self.count].last()?;
        if range.source != source || up < range.first_up {
            return None;
        }
        let down = range.first_down + (up - range.first_up);
        if down >= self.next_down {
            self.next_down = down + 1;
        }
        Some((down, range.timestamp_offset))
    }

    /// Nothing was sent under a later number.
    #[inline]
    pub fn is_latest(&self, number: u64) -> bool {
        number + 1 >= self.next_down
    }

    /// The 16-bit number that a receiver names, in full; it is near the highest sent.
    pub fn extend(&self, down: u16) -> u64 {
        super::seq::extend(down, self.next_down.saturating_sub(1))
    }

    /// Which packet of which source a number stood for. `None` if nothing was sent under it, or
    /// too long ago.
    pub fn unmap(&self, down: u64) -> Option<Origin> {
        if down >= self.next_down {
            return None;
        }
        let (index, range) = self.ranges[..self.count]
            .iter()
            .enumerate()
            .rev()
            .find(|(_, range)| range.first_down <= down)?;
        // The old source's run ended where the next one began.
        let end = self.ranges[..self.count]
            .get(index + 1)
            .map(|next| next.first_down);
        if end.is_some_and(|end| down >= end) {
            return None;
        }
        Some(Origin {
            source: range.source,
            up: range.first_up + (down - range.first_down),
            timestamp_offset: range.timestamp_offset,
            payload_type: range.payload_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_of_source_leaves_no_gap() {
        let origin = |source, up, timestamp_offset| Origin {
            source,
            up,
            timestamp_offset,
            payload_type: 96 + source as u8,
        };
        let mut map = SeqMap::new(100);
        map.begin(origin(0, 5_000, 0));
        assert_eq!(map.map(0, 5_000), Some((100, 0)));
        assert_eq!(map.map(0, 5_002), Some((102, 0)));
        assert_eq!(
            map.map(0, 5_001),
            Some((101, 0)),
            "a late packet gets its own number"
        );
        assert_eq!(map.map(0, 4_999), None);
        map.begin(origin(1, 77, 9_000));
        assert_eq!(map.map(0, 5_003), None);
        assert_eq!(map.map(1, 77), Some((103, 9_000)));
        assert_eq!(map.unmap(102), Some(origin(0, 5_002, 0)));
        assert_eq!(map.unmap(103), Some(origin(1, 77, 9_000)));
        assert_eq!(map.unmap(104), None);
        assert_eq!(map.unmap(99), None);
    }

    proptest! {
        #[test]
        fn every_number_leads_back_to_its_packet(
            runs in proptest::collection::vec((0_u16..3, 70_000_u64..80_000, 1_u64..200), 1..7),
            first: u16,
        ) {
            let mut map = SeqMap::new(first);
            let mut sent = Vec::new();
            for (source, first_up, len) in runs {
                let first = Origin {
                    source,
                    up: first_up,
                    timestamp_offset: u32::from(source),
                    payload_type: 96 + source as u8,
                };
                map.begin(first);
                for up in first_up..first_up + len {
                    let (down, timestamp_offset) = map.map(source, up).unwrap();
                    sent.push((down, Origin { up, timestamp_offset, ..first }));
                }
            }
            for (down, origin) in &sent {
                prop_assert_eq!(map.extend(*down as u16), *down);
                prop_assert_eq!(map.unmap(*down), Some(*origin));
            }
            prop_assert!(sent.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
        }
    }
}
