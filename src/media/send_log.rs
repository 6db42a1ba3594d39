//! When each packet of a peer connection was sent, so that transport-wide feedback can be
//! understood (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::bandwidth::{Acked, Flight};
use super::feedback::{Arrivals, REFERENCE_TICKS, TICK_MICROS};
use super::seq::extend;
use std::time::{Duration, Instant};

/// Packets that are remembered: a second at 10 Mbit/s. A power of two.
const REMEMBERED: usize = 1_024;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing was heard of it.
    Unknown,
    /// It had not arrived when something later had. It may yet.
    Missing,
    /// It arrived.
    Arrived,
}

/// A packet that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The low bits of the time, in µs.
    at: u32,
    /// In bytes.
    size: u16,
    fate: Fate,
}

/// What was heard in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendFigures {
    /// Packets that arrived.
    pub acked: u64,
    /// Their bytes.
    pub acked_bytes: u64,
    /// Packets that were reported missing; some may have come later.
    pub missing: u64,
    /// Feedback that could not be read.
    pub malformed: u64,
}

/// The last packets that were sent to one peer, by their transport-wide numbers.
#[derive(Debug)]
pub struct SendLog {
    start: Instant,
    next: u64,
    /// The last packet of which it is known that it arrived.
    arrived: Option<u64>,
    ring: Box<[Sent]>,
    /// The reference time of the last feedback, without its wraps.
    reference: Option<u64>,
    figures: SendFigures,
}

impl SendLog {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Self {
        let nothing = Sent {
            at: 0,
            size: 0,
            fate: Fate::Arrived,
        };
        Self {
            start: now,
            next: 0,
            arrived: None,
            ring: vec![nothing; REMEMBERED].into(),
            reference: None,
            figures: SendFigures::default(),
        }
    }

    /// The number of the next packet.
    #[inline]
    pub fn number(&self) -> u16 {
        self.next as u16
    }

    /// The packet of [`Self::number`] was sent, with so many bytes.
    #[inline]
    pub fn sent(&mut self, now: Instant, size: usize) {
        let at = self.clock(now);
        if let Some(entry) = self.ring.get_mut(self.next as usize % REMEMBERED) {
            *entry = Sent {
                at,
                size: u16::try_from(size).unwrap_or(u16::MAX),
                fate: Fate::Unknown,
            };
        }
        self.next += 1;
    }

    /// What feedback says, packet by packet in the order in which they were sent. Nothing that
    /// was said before is said again, but of a packet that was missing that it came after all.
    pub fn feedback<'a>(
        &'a mut self,
        now: Instant,
        body: &'a [u8],
    ) -> impl Iterator<Item = Acked> + 'a {
        let mut arrivals = Arrivals::read(body);
        self.figures.malformed += u64::from(arrivals.is_none());
        let reference = arrivals
            .as_ref()
            .map_or(0, |arrivals| self.unwrap_reference(arrivals.reference()));
        let near = self.next.saturating_sub(1);
        // What comes before is forgotten, what comes after was never sent.
        let oldest = (self.next + 1).saturating_sub(REMEMBERED as u64);
        let first = arrivals.as_mut().map_or(0, |arrivals| {
            let base = extend(arrivals.base(), near);
            arrivals.pass(oldest.saturating_sub(base));
            base.max(oldest)
        });
        let clock = self.clock(now);
        let packets = arrivals.into_iter().flatten().zip(first..self.next);
        packets.filter_map(move |((_, arrived), number)| {
            let entry = self.ring.get_mut(number as usize % REMEMBERED)?;
            match (entry.fate, arrived) {
                (Fate::Arrived, _) | (Fate::Missing, None) => return None,
                (_, Some(_)) => {
                    entry.fate = Fate::Arrived;
                    self.arrived = self.arrived.max(Some(number));
                    self.figures.acked += 1;
                    self.figures.acked_bytes += u64::from(entry.size);
                }
                (Fate::Unknown, None) => {
                    entry.fate = Fate::Missing;
                    self.figures.missing += 1;
                }
            }
            let age = Duration::from_micros(clock.wrapping_sub(entry.at).into());
            Some(Acked {
                sent: now.checked_sub(age)?,
                arrived: arrived.map(|ticks| {
                    let ticks = (reference * REFERENCE_TICKS).saturating_add_signed(ticks);
                    Duration::from_micros(ticks * TICK_MICROS)
                }),
                size: entry.size.into(),
            })
        })
    }

    /// What was sent after the last packet of which it is known that it arrived. `None` if none
    /// is known, or it is forgotten. Looks at each: not to be asked for every packet.
    pub fn flight(&self, now: Instant) -> Option<Flight> {
        let arrived = self.arrived?;
        if arrived + REMEMBERED as u64 <= self.next {
            return None;
        }
        let entry = |number: u64| self.ring.get(number as usize % REMEMBERED);
        let bytes = (arrived + 1..self.next)
            .filter_map(entry)
            .map(|sent| u64::from(sent.size));
        let age = self.clock(now).wrapping_sub(entry(arrived)?.at);
        Some(Flight {
            bytes: bytes.sum(),
            age: Duration::from_micros(age.into()),
        })
    }

    /// Counted since the start.
    pub fn figures(&self) -> SendFigures {
        self.figures
    }

    /// The receiver's clock begins anywhere, and its 24 bits wrap after twelve days.
    fn unwrap_reference(&mut self, reference: u32) -> u64 {
        const WRAP: u64 = 1 << 24;
        let last = self.reference.unwrap_or(WRAP + u64::from(reference));
        let step = (reference.wrapping_sub(last as u32) << 8).cast_signed() >> 8;
        let unwrapped = last.saturating_add_signed(step.into());
        self.reference = Some(self.reference.map_or(unwrapped, |old| old.max(unwrapped)));
        unwrapped
    }

    fn clock(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.start).as_micros() as u32
    }
}

#[cfg(test)]
mod tests;
