//! From the publisher's sequence numbers to those one receiver is sent, and back.
//!
//! What a receiver is sent falls into *runs*: of one track of the publisher, up to certain layers,
//! all packets written anew in the same way. A packet that is left out ends a run, and the next
//! goes on with its number.

#[cfg(test)]
mod tests;

use super::cache::{Meta, Part};

/// How many runs are remembered, for NACKs and late packets.
const RUNS: usize = 8;
/// The same while layers are left out, which ends a run for every picture: some three seconds.
const LAYERED_RUNS: usize = 128;

/// What all packets of a run have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Which track of the publisher.
    pub source: u16,
    /// The payload type they are sent with.
    pub payload_type: u8,
    /// The highest spatial layer that is sent.
    pub sid: u8,
    /// The highest temporal layer that is sent.
    pub tid: u8,
    /// Added to the publisher's TL0PICIDX.
    pub tl0: u8,
    /// Added to the publisher's picture ids.
    pub picture: u16,
    /// Added to the publisher's frame numbers.
    pub frame: u16,
    /// Added to the publisher's timestamps.
    pub timestamp: u32,
}

impl Run {
    /// All layers of a track, as they come.
    pub fn new(source: u16, payload_type: u8) -> Self {
        Self {
            source,
            payload_type,
            sid: u8::MAX,
            tid: u8::MAX,
            tl0: 0,
            picture: 0,
            frame: 0,
            timestamp: 0,
        }
    }

    /// Whether a packet belongs to the layers that are sent.
    #[inline]
    pub fn has(&self, part: &Part) -> bool {
        part.sid <= self.sid && part.tid <= self.tid
    }

    /// How a packet is written under a number of this run. It depends on nothing else: sent again,
    /// it must be the same to the last byte.
    #[inline]
    pub fn label(&self, number: u64, meta: &Meta) -> Label {
        let is_sent = self.has(&meta.part);
        Label {
            number,
            timestamp: meta.timestamp.wrapping_add(self.timestamp),
            payload_type: self.payload_type,
            edit: Edit {
                ends_picture: self.sid != u8::MAX
                    && meta.part.end_of_frame
                    && meta.part.sid == self.sid,
                is_left_out: !is_sent,
                tl0: self.tl0,
                picture: self.picture,
                frame: self.frame,
            },
        }
    }
}

/// What is a receiver's own in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The sequence number in full.
    pub number: u64,
    /// The timestamp.
    pub timestamp: u32,
    /// The payload type.
    pub payload_type: u8,
    /// What else differs from the kept packet.
    pub edit: Edit,
}

/// What a receiver's packet differs in from the kept one, beyond the fixed fields of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edit {
    /// The picture ends with it, as higher layers are left out: the marker is set.
    pub ends_picture: bool,
    /// It was left out after its number had been kept free for it: nothing but padding goes out
    /// under that.
    pub is_left_out: bool,
    /// Added to TL0PICIDX.
    pub tl0: u8,
    /// Added to the picture id.
    pub picture: u16,
    /// Added to the frame number of the dependency descriptor.
    pub frame: u16,
}

impl Edit {
    /// Nothing but fixed fields differ.
    #[inline]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Changes a header that was written out.
    pub fn write_header(&self, part: &Part, header: &mut [u8]) {
        if self.ends_picture
            && let Some(second) = header.get_mut(1)
        {
            *second |= 0x80;
        }
        let at = usize::from(part.frame_at);
        if at > 0
            && let Some(frame) = header.get_mut(at..at + 2)
        {
            let number = part.frame.wrapping_add(self.frame);
            frame.copy_from_slice(&number.to_be_bytes());
        }
    }

    /// Whether something of the payload differs.
    #[inline]
    pub fn is_of_payload(&self, part: &Part) -> bool {
        (self.picture != 0 && part.picture_at > 0) || (self.tl0 != 0 && part.tl0_at > 0)
    }

    /// Changes a copy of the payload.
    pub fn write_payload(&self, part: &Part, payload: &mut [u8]) {
        let at = usize::from(part.picture_at);
        let picture = part.picture.wrapping_add(self.picture);
        if at > 0 && part.wide {
            if let Some(bytes) = payload.get_mut(at..at + 2) {
                bytes.copy_from_slice(&(0x8000 | picture).to_be_bytes());
            }
        } else if at > 0
            && let Some(byte) = payload.get_mut(at)
        {
            *byte = picture as u8 & 0x7f;
        }
        let at = usize::from(part.tl0_at);
        if at > 0
            && let Some(byte) = payload.get_mut(at)
        {
            *byte = part.tl0.wrapping_add(self.tl0);
        }
    }
}

/// The packet behind a receiver's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its number at the publisher.
    pub up: u64,
    /// The run it belongs to.
    pub run: Run,
}

/// A run, and where it begins on both sides.
#[derive(Debug, Clone, Copy)]
struct Range {
    first_up: u64,
    first_down: u64,
    run: Run,
}

/// The numbers of one down track: without a gap where it goes from one source to another, and
/// where packets are left out.
#[derive(Debug, Clone)]
pub struct SeqMap {
    /// A ring.
    ranges: Vec<Range>,
    /// Where the newest stands.
    newest: usize,
    /// How many it may hold.
    capacity: usize,
    /// The next number that no packet has.
    next_down: u64,
    /// The publisher's number behind the highest that was sent or left out in the newest range.
    next_up: u64,
}

impl SeqMap {
    /// Numbers begin at `first`, below 2¹⁵ so that the receiver's roll-over counter begins at 0
    /// with certainty (RFC 3711, section 3.3.1).
    pub fn new(first: u16) -> Self {
        Self {
            ranges: Vec::with_capacity(RUNS),
            newest: 0,
            capacity: RUNS,
            next_down: u64::from(first & 0x7fff),
            next_up: 0,
        }
    }

    /// From now on layers may be left out: there is to be room for many runs.
    pub fn reserve_layers(&mut self) {
        if self.capacity < LAYERED_RUNS {
            let order = self.ranges.len() - self.ranges.len().min(self.newest + 1);
            self.ranges.rotate_right(order);
            self.newest = self.ranges.len().saturating_sub(1);
            self.capacity = LAYERED_RUNS;
            self.ranges.reserve_exact(LAYERED_RUNS - self.ranges.len());
        }
    }

    fn push(&mut self, range: Range) {
        if self.ranges.len() < self.capacity {
            self.newest = self.ranges.len();
            self.ranges.push(range);
        } else {
            self.newest = (self.newest + 1) % self.capacity;
            self.ranges[self.newest] = range;
        }
    }

    /// The ranges, the newest first.
    fn backwards(&self) -> impl Iterator<Item = &Range> {
        let (older, newer) = self.ranges.split_at(self.ranges.len().min(self.newest + 1));
        older.iter().rev().chain(newer.iter().rev())
    }

    /// The run that goes on.
    pub fn run(&self) -> Option<&Run> {
        self.ranges.get(self.newest).map(|range| &range.run)
    }

    /// Another run begins, with this packet of the publisher.
    pub fn begin(&mut self, up: u64, run: Run) {
        self.push(Range {
            first_up: up,
            first_down: self.next_down,
            run,
        });
        self.next_up = up;
    }

    /// The same source goes on, but from this packet on in another way. Numbers that are kept free
    /// for packets before it stay so.
    pub fn change(&mut self, up: u64, run: Run) {
        let Some(range) = self.ranges.get_mut(self.newest) else {
            return self.begin(up, run);
        };
        let first_down = range.first_down + up.saturating_sub(range.first_up);
        if up <= range.first_up {
            range.run = run;
            return;
        }
        self.push(Range {
            first_up: up,
            first_down,
            run,
        });
        self.next_down = self.next_down.max(first_down);
        self.next_up = self.next_up.max(up);
    }

    /// The next number that no packet has.
    pub fn next(&self) -> u64 {
        self.next_down
    }

    /// The packet comes after all of its source that were sent or left out so far.
    #[inline]
    pub fn is_next(&self, up: u64) -> bool {
        up >= self.next_up
    }

    /// The number of a packet of the current source, and the run it belongs to. `None` for a packet
    /// from before its beginning, of another source, or that was left out.
    #[inline]
    pub fn map(&mut self, source: u16, up: u64) -> Option<(u64, Run)> {
        let range = self.ranges.get(self.newest)?;
        if range.run.source != source {
            return None;
        }
        if up < range.first_up {
            return self.map_late(source, up);
        }
        let down = range.first_down + (up - range.first_up);
        let run = range.run;
        if down >= self.next_down {
            self.next_down = down + 1;
            self.next_up = up + 1;
        }
        Some((down, run))
    }

    /// A packet from before the newest range: a number may have been kept free for it.
    fn map_late(&self, source: u16, up: u64) -> Option<(u64, Run)> {
        let mut end = u64::MAX;
        for range in self.backwards() {
            if range.run.source != source {
                return None;
            }
            if let Some(steps) = up.checked_sub(range.first_up) {
                let down = range.first_down + steps;
                return (down < end).then_some((down, range.run));
            }
            end = range.first_down;
        }
        None
    }

    /// A packet of the newest range, which was not sent, is left out, and its number given to the
    /// next; unless later ones were sent already. From then on packets are written as `run` says.
    pub fn leave_out(&mut self, up: u64, run: Run) {
        if !self.is_next(up) {
            return;
        }
        let Some(range) = self.ranges.get_mut(self.newest) else {
            return;
        };
        let number = range.first_down + (up - range.first_up);
        self.next_up = up + 1;
        self.next_down = self.next_down.max(number);
        if up == range.first_up {
            // Nothing of the range was sent.
            range.first_up = up + 1;
            range.run = run;
        } else {
            self.push(Range {
                first_up: up + 1,
                first_down: number,
                run,
            });
        }
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
        let range = self.backwards().find(|range| range.first_down <= down)?;
        Some(Origin {
            up: range.first_up + (down - range.first_down),
            run: range.run,
        })
    }
}
