//! Sound that is sent more than once (RFC 2198), to a receiver that loses some of it: with each
//! packet go earlier ones, as they are in the cache.

use super::DownTrack;
use crate::media::cache::Meta;
use crate::media::packet::PADDED;
use crate::media::red::{MAX_LEN, MAX_OFFSET};
use crate::media::seqmap::Label;
use crate::media::up::UpTrack;

/// Which earlier packets go with one, counted back from it, the most useful first. These come soon
/// enough for who waits for nothing …
const NEAR: [u8; 2] = [2, 4];
/// … and these beyond the end of most bursts: what is next to a lost packet is lost with it. The last
/// comes in time for who waits as long as our page asks for at most (`static/protocol/patience.js`).
const FAR: [u8; COPIES] = [4, 9, 13];
/// How many earlier ones go with a packet at most.
pub const COPIES: usize = 3;
/// The most bytes of a packet with earlier ones in it: any path takes them.
const MAX_PACKET: usize = 1_150;
/// What a head says of a block, and of the last.
const HEADS: usize = 4 * COPIES + 1;
/// Of so many packets it is remembered what was in them: as many as the cache of sound has.
const REMEMBERED: usize = 128;

/// The share lost from which on it is worth it, and below which it is not any more.
const BAD: f32 = 0.02;
const GOOD: f32 = 0.005;
/// Reports on fewer packets say nothing.
const MIN_PACKETS: u64 = 25;
/// What a sound takes, bit/s: that of browsers' Opus, and its headers.
const SOUND: u64 = 40_000;
/// Of what the path carries, one part in so many may go to copies, and where a lot is lost …
const SHARE: u64 = 16;
const BAD_SHARE: u64 = 8;
/// … which is such a share, and not because the path is narrow, bit/s.
const VERY_BAD: f32 = 0.05;
const WIDE: u64 = 900_000;
/// So many packets asked for since the last report, and it is not waited for.
const MANY: u64 = 3;
/// So many packets in a row are a burst …
const RUN: u64 = 3;
/// … and losses are bursts from this share of them on that lies so far or farther in one.
const BURSTS: f32 = 0.2;

/// What a receiver says of losses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    /// Packets that were sent until the last report.
    counted: u64,
    /// Packets asked for since then, and the last of these.
    asked: u64,
    last_asked: u64,
    /// How many in a row, up to the last, and the share of those that followed two others of late.
    run: u64,
    bursts: f32,
    /// The share that is lost of late.
    level: f32,
    /// What the path carries of this stream, if that is known, bit/s.
    room: Option<u64>,
}

impl Losses {
    /// A packet is asked for, of `sent` ones in all.
    fn asked(&mut self, number: u64, sent: u64) {
        if number > self.last_asked {
            let follows = number == self.last_asked + 1;
            self.run = if follows { self.run + 1 } else { 1 };
            let is_far = if self.run >= RUN { 1.0 } else { 0.0 };
            self.bursts += (is_far - self.bursts) * 0.05;
            self.last_asked = number;
            self.asked += 1;
        }
        let share = self.share(sent);
        if self.asked >= MANY && share > self.level {
            self.level = self.level.max(share / 2.0);
        }
    }

    /// Which earlier packets are worth sending.
    fn distances(&self) -> &'static [u8] {
        if self.bursts >= BURSTS { &FAR } else { &NEAR }
    }

    fn share(&self, sent: u64) -> f32 {
        let sent = sent.saturating_sub(self.counted).max(2 * MIN_PACKETS);
        self.asked as f32 / sent as f32
    }

    /// A report on what arrived since the last.
    fn reported(&mut self, lost: f32, sent: u64) {
        if sent.saturating_sub(self.counted) < MIN_PACKETS {
            return;
        }
        // What was repaired in time is not in the report.
        let share = lost.max(self.share(sent));
        self.level += (share - self.level) * 0.3;
        self.counted = sent;
        self.asked = 0;
    }
}

/// What went with a packet: how far back each is in numbers, 0 for none. Packets of sound are
/// numbered through, so it is as far at the publisher.
pub type Copies = [u8; COPIES];

#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    copies: Copies,
}

/// Of a receiver that has ever been sent such packets.
#[derive(Debug)]
pub(super) struct Redundancy {
    payload_type: u8,
    /// The receiver loses enough for it.
    is_needed: bool,
    /// Which earlier packets go with each.
    distances: &'static [u8],
    /// Packets before this had nothing in them.
    first: u64,
    highest: u64,
    sent: [Sent; REMEMBERED],
}

impl Redundancy {
    fn new(payload_type: u8, first: u64) -> Self {
        let never = Sent {
            number: u64::MAX,
            copies: [0; COPIES],
        };
        Self {
            payload_type,
            is_needed: false,
            distances: &[],
            first,
            // A number that was kept free before belongs to those that are sent as they are.
            highest: first.saturating_sub(1),
            sent: [never; REMEMBERED],
        }
    }

    fn find(&self, number: u64) -> Option<Copies> {
        if number < self.first {
            return Some([0; COPIES]);
        }
        let sent = self.sent.get(number as usize % REMEMBERED)?;
        (sent.number == number).then_some(sent.copies)
    }

    fn remember(&mut self, number: u64, copies: Copies) {
        if let Some(sent) = self.sent.get_mut(number as usize % REMEMBERED) {
            *sent = Sent { number, copies };
        }
        self.highest = self.highest.max(number);
    }
}

impl DownTrack {
    /// The receiver said something of what it lost: from now on earlier packets go with each, or no
    /// more.
    pub(super) fn consider_redundancy(&mut self) {
        let level = self.losses.level;
        let Some(payload_type) = self.config.red else {
            return;
        };
        if level < BAD && self.redundancy.is_none() {
            return;
        }
        let first = self.map.next();
        let redundancy = self
            .redundancy
            .get_or_insert_with(|| Box::new(Redundancy::new(payload_type, first)));
        if level >= BAD {
            redundancy.is_needed = true;
        } else if level < GOOD {
            redundancy.is_needed = false;
        }
        // Pictures that freeze are worse than the sound that this would save.
        let room = match self.losses.room {
            _ if !redundancy.is_needed => 0,
            None => COPIES,
            Some(room) => {
                let is_bad = level >= VERY_BAD && room >= WIDE;
                let share = if is_bad { BAD_SHARE } else { SHARE };
                usize::try_from(room / share / SOUND).unwrap_or(COPIES)
            }
        };
        let distances = self.losses.distances();
        redundancy.distances = distances.get(..room).unwrap_or(distances);
    }

    /// The agreement on it has changed.
    pub(super) fn agree_on_redundancy(&mut self, red: Option<u8>) {
        self.config.red = red;
        let Some(redundancy) = &mut self.redundancy else {
            return;
        };
        match red {
            None => {
                redundancy.is_needed = false;
                redundancy.distances = &[];
            }
            Some(payload_type) if payload_type != redundancy.payload_type => {
                // What was sent before cannot be the same again.
                let highest = redundancy.highest;
                **redundancy = Redundancy::new(payload_type, redundancy.first);
                redundancy.highest = highest;
            }
            Some(_) => {}
        }
    }

    /// What the path carries of this receiver's streams, for each of them, bit/s.
    pub fn afford(&mut self, room: Option<u64>) {
        self.losses.room = room;
        if self.is_redundant() {
            self.consider_redundancy();
        }
    }

    /// A packet was asked for.
    pub(super) fn asked_for(&mut self, number: u64) {
        if self.config.red.is_some() {
            self.losses.asked(number, self.figures.packets);
            self.consider_redundancy();
        }
    }

    /// The receiver reports the share that it lost.
    pub(super) fn lost(&mut self, share: f64) {
        if self.config.red.is_some() {
            self.losses.reported(share as f32, self.figures.packets);
            self.consider_redundancy();
        }
    }

    /// Whether it must be remembered what goes with each packet.
    #[inline]
    pub fn is_redundant(&self) -> bool {
        self.redundancy.is_some()
    }

    /// Chooses what goes with a packet that is sent for the first time, and remembers it.
    pub fn choose_copies(&mut self, up: &UpTrack, meta: &Meta, label: &Label) -> Copies {
        let mut copies = [0; COPIES];
        let Some(redundancy) = &self.redundancy else {
            return copies;
        };
        // What comes late is wanted at once, not a third time.
        let is_newest = label.number > redundancy.highest;
        let room = MAX_PACKET.checked_sub(usize::from(meta.len) + HEADS);
        if let Some(mut room) = room
            && is_newest
            && up.packet(meta.seqno).is_some_and(|(_, own)| !padded(own))
        {
            for (copy, distance) in copies.iter_mut().zip(redundancy.distances.iter().copied()) {
                let number = label.number.checked_sub(u64::from(distance));
                let origin = number.and_then(|number| self.map.unmap(number));
                let seqno = meta.seqno.checked_sub(u64::from(distance));
                let is_same =
                    origin.is_some_and(|origin| Some(origin.up) == seqno && origin.run == self.run);
                let Some((_, block)) = seqno
                    .filter(|_| is_same)
                    .and_then(|seqno| earlier(up, meta, seqno))
                else {
                    continue;
                };
                if let Some(left) = room.checked_sub(block.len()) {
                    room = left;
                    *copy = distance;
                }
            }
            // The oldest first, as everyone writes them.
            copies.sort_unstable_by(|one, other| other.cmp(one));
        }
        if let Some(redundancy) = &mut self.redundancy {
            redundancy.remember(label.number, copies);
        }
        copies
    }

    /// What went with a packet when it was sent. `None` if that is not known any more: it cannot be
    /// the same again.
    pub fn copies(&self, number: u64) -> Option<Copies> {
        match &self.redundancy {
            Some(redundancy) => redundancy.find(number),
            None => Some([0; COPIES]),
        }
    }

    /// The payload type of packets with others in them.
    pub fn redundant_type(&self) -> Option<u8> {
        self.redundancy.as_ref().map(|red| red.payload_type)
    }

    /// How many earlier packets go with each now; `None` where the receiver agreed to none.
    pub fn redundant_copies(&self) -> Option<u8> {
        self.config.red?;
        let distances = self.redundancy.as_ref().map(|red| red.distances.len());
        Some(distances.map_or(0, |copies| copies as u8))
    }

    /// Counts what went with a packet, in bytes.
    pub fn sent_copies(&mut self, bytes: usize) {
        self.figures.redundant += 1;
        self.figures.bytes += bytes as u64;
        self.figures.payload_bytes += bytes as u64;
    }
}

fn padded(packet: &[u8]) -> bool {
    packet.first().is_none_or(|first| first & PADDED != 0)
}

/// A kept packet that can go with a later one: how much older it is, and its payload.
pub fn earlier<'a>(up: &'a UpTrack, meta: &Meta, seqno: u64) -> Option<(u32, &'a [u8])> {
    let (other, bytes) = up.packet(seqno)?;
    let offset = meta.timestamp.wrapping_sub(other.timestamp);
    let block = bytes.get(usize::from(other.header_len)..)?;
    let fits = (1..=MAX_OFFSET).contains(&offset) && (1..=MAX_LEN).contains(&block.len());
    (fits && !padded(bytes)).then_some((offset, block))
}
