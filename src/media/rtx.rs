//! Packets that are sent again: how often, how many, and under which numbers (RFC 4588).
//!
//! Without RTX a packet is sent again as it was. With it, it goes by a stream of its own, whose
//! numbers are this track's alone and never come back: under one SSRC and key no number may
//! stand for two packets.

use crate::transport::description::Rtx;
use std::time::{Duration, Instant};

/// Bytes in front of a repair's payload: the number that the packet had at first (RFC 4588,
/// section 4).
pub const ORIGINAL: usize = 2;
/// Repairs of packets that are near to each other are told apart.
const REMEMBERED: usize = 256;
/// What a track may send again at once, in bytes, however little was sent before.
const BURST: u64 = 128 * 1024;
/// Of what was sent, one part in so many may be sent again in the long run.
const SHARE: u64 = 2;
/// Assumed while the round-trip time is unknown.
const DEFAULT_RTT: Duration = Duration::from_millis(50);
/// A longer round-trip time is not waited for.
const MAX_RTT: Duration = Duration::from_millis(1_000);

/// Why a packet is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It was a moment ago, and may not have arrived yet.
    Lately,
    /// It was sent with another payload type than repairs are made for now.
    Foreign,
    /// It cannot be the same again, and repairs have no stream of their own.
    Unrepeatable,
    /// So much was sent again already that more would do harm: the path is full.
    TooMuch,
}

/// What is a repair's own in the header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepairLabel {
    /// The number in full.
    pub number: u64,
    /// Of the repairs' stream.
    pub rtx: Rtx,
}

/// A packet that was sent out of turn, late or again, or is to be.
#[derive(Debug, Clone, Copy)]
struct Repair {
    /// The low bits of its first number.
    number: u32,
    /// The low bits of the clock, in ms.
    at: u32,
    /// It was sent then: what waits may not even be here.
    was_sent: bool,
    /// It is to be sent again, but not yet.
    waits: bool,
}

impl Repair {
    /// It was sent so lately that it may not have arrived yet.
    fn is_under_way(&self, clock: u32, rtt: Option<Duration>) -> bool {
        let rtt = rtt.unwrap_or(DEFAULT_RTT).min(MAX_RTT);
        // Measured times vary, and a receiver may reckon with a shorter one.
        let wait = (rtt - rtt / 8).as_millis() as u32;
        clock.wrapping_sub(self.at) < wait
    }
}

/// The repairs of one down track.
#[derive(Debug)]
pub struct Repairs {
    rtx: Option<Rtx>,
    /// The next number of the repairs' stream.
    next: u64,
    /// Indexed by the number modulo the length; empty until something is asked for.
    lately: Box<[Repair]>,
    start: Option<Instant>,
    /// Bytes that may be sent again, and what had been sent when they were counted.
    allowance: u64,
    counted: u64,
}

impl Repairs {
    /// Nothing was sent yet.
    pub fn new(rtx: Option<Rtx>) -> Self {
        Self {
            rtx,
            // Below 2¹⁵ so that the receiver's roll-over counter begins at 0 with certainty.
            next: rtx.map_or(0, |rtx| u64::from(rtx.ssrc as u16 & 0x7fff)),
            lately: Box::default(),
            start: None,
            allowance: BURST,
            counted: 0,
        }
    }

    /// Takes a changed agreement. The numbers go on, whatever it is.
    pub fn agree(&mut self, rtx: Option<Rtx>) {
        if self.rtx.is_none() && self.next == 0 {
            self.next = Self::new(rtx).next;
        }
        self.rtx = rtx;
    }

    /// The stream that repairs have, if the receiver takes one.
    pub fn rtx(&self) -> Option<Rtx> {
        self.rtx
    }

    /// Whether the packet of this number, of `len` bytes, may be sent again now. `sent` is how
    /// many bytes the track was sent in all, repairs left out. One that may is taken to be sent.
    ///
    /// # Errors
    /// Why it may not.
    pub fn permit(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        number: u64,
        len: u16,
        sent: u64,
    ) -> Result<(), Refusal> {
        let (clock, Some(entry)) = self.entry(now, number) else {
            return Ok(());
        };
        let entry = *entry;
        if entry.number == number as u32 && entry.is_under_way(clock, rtt) {
            return Err(Refusal::Lately);
        }
        let earned = sent.saturating_sub(self.counted) / SHARE;
        self.counted = sent;
        self.allowance = (self.allowance + earned).min(BURST);
        let Some(left) = self.allowance.checked_sub(u64::from(len)) else {
            return Err(Refusal::TooMuch);
        };
        self.allowance = left;
        self.remember(now, number);
        Ok(())
    }

    /// A packet is sent out of turn. Whoever asks for it now could not know that. False if it was
    /// so already, not long ago, and was not asked for anew: asked for while it waited, it overtook
    /// itself.
    pub fn sent_late(&mut self, now: Instant, number: u64) -> bool {
        let (_, Some(entry)) = self.entry(now, number) else {
            return true;
        };
        let is_due = entry.number != number as u32 || entry.waits || !entry.was_sent;
        if is_due {
            self.remember(now, number);
        }
        is_due
    }

    fn remember(&mut self, now: Instant, number: u64) {
        if let (at, Some(entry)) = self.entry(now, number) {
            *entry = Repair {
                number: number as u32,
                at,
                was_sent: true,
                waits: false,
            };
        }
    }

    /// A packet is to be sent again, but not yet. False if that was said before, or it was sent again
    /// a moment ago.
    pub fn wait(&mut self, now: Instant, rtt: Option<Duration>, number: u64) -> bool {
        let (at, Some(entry)) = self.entry(now, number) else {
            return true;
        };
        let number = number as u32;
        if entry.number == number && entry.is_under_way(at, rtt) {
            return false;
        }
        if entry.number != number {
            // So long ago that it may be sent again at once.
            let at = at.wrapping_sub(MAX_RTT.as_millis() as u32);
            *entry = Repair {
                number,
                at,
                was_sent: false,
                waits: false,
            };
        }
        !std::mem::replace(&mut entry.waits, true)
    }

    /// Its turn has come.
    pub fn wait_no_more(&mut self, number: u64) {
        let entry = self.lately.get_mut(number as usize % REMEMBERED);
        if let Some(entry) = entry.filter(|entry| entry.number == number as u32) {
            entry.waits = false;
        }
    }

    /// The time, and where a packet that is sent now is remembered.
    fn entry(&mut self, now: Instant, number: u64) -> (u32, Option<&mut Repair>) {
        let start = *self.start.get_or_insert(now);
        let clock = now.saturating_duration_since(start).as_millis() as u32;
        if self.lately.is_empty() {
            // No number has high bits that are all ones.
            let never = Repair {
                number: u32::MAX,
                at: 0,
                was_sent: false,
                waits: false,
            };
            self.lately = vec![never; REMEMBERED].into();
        }
        (clock, self.lately.get_mut(number as usize % REMEMBERED))
    }

    /// The label of the next packet of the repairs' stream, if there is one. Its number is used
    /// up, whatever becomes of the packet.
    pub fn label(&mut self) -> Option<RepairLabel> {
        let rtx = self.rtx?;
        let number = self.next;
        self.next += 1;
        Some(RepairLabel { number, rtx })
    }
}

#[cfg(test)]
mod tests;
