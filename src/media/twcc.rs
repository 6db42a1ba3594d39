//! Which packets of a peer connection arrived, and when, for who sends them
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::feedback::{ArrivalReport, Compound, FeedbackError, REFERENCE_TICKS, TICK_MICROS};
use super::seq::extend;
use std::time::{Duration, Instant};

/// Packets that are remembered until they were told of. A power of two.
const REMEMBERED: usize = 1_024;
/// The sender is told at least this often …
const INTERVAL: Duration = Duration::from_millis(100);
/// … or, when so many packets have come, this often.
const BUSY: u32 = 20;
const BUSY_INTERVAL: Duration = Duration::from_millis(50);
/// The most packets that one message tells of.
const MAX_PACKETS: usize = 256;
/// A packet that comes later than this many others is not told of.
const MAX_LATENESS: u64 = 256;

/// The last packets that arrived, by their transport-wide numbers.
#[derive(Debug)]
pub struct ArrivalLog {
    start: Instant,
    /// When, in ticks since the start and one more; 0 is not at all.
    ring: Box<[u32]>,
    highest: Option<u64>,
    /// The first number that the sender was not told of.
    first: u64,
    /// Packets it was not told of.
    waiting: u32,
    due: Option<Instant>,
    /// Of the first that waits.
    since: Instant,
    messages: u8,
}

impl ArrivalLog {
    /// Nothing arrived yet.
    pub fn new(now: Instant) -> Self {
        Self {
            start: now,
            ring: vec![0; REMEMBERED].into(),
            highest: None,
            first: 0,
            waiting: 0,
            due: None,
            since: now,
            messages: 0,
        }
    }

    /// An authentic packet arrived.
    pub fn arrived(&mut self, now: Instant, number: u16) {
        let number = match self.highest {
            // Far above 0, so that what comes late has a number too.
            None => u64::from(number) + (1 << 16),
            Some(highest) => extend(number, highest),
        };
        match self.highest {
            Some(highest) if number <= highest => {
                if highest - number >= MAX_LATENESS || *self.entry(number) != 0 {
                    return;
                }
                // Told to be missing, perhaps; now it is not.
                self.first = self.first.min(number);
            }
            Some(highest) if number - highest < REMEMBERED as u64 / 2 => {
                for missing in highest + 1..number {
                    *self.entry(missing) = 0;
                }
                // What waits must not be overtaken by what comes.
                self.first = self
                    .first
                    .max((number + 1).saturating_sub(REMEMBERED as u64));
                self.highest = Some(number);
            }
            _ => {
                self.ring.fill(0);
                self.first = number;
                self.highest = Some(number);
            }
        }
        let ticks = now.saturating_duration_since(self.start).as_micros() as u64 / TICK_MICROS;
        *self.entry(number) = ticks as u32 + 1;
        self.waiting += 1;
        match self.due {
            None => {
                self.since = now;
                self.due = Some(now + INTERVAL);
            }
            Some(due) if self.waiting >= BUSY => {
                self.due = Some(due.min(self.since + BUSY_INTERVAL));
            }
            Some(_) => {}
        }
    }

    /// When the sender is to be told.
    pub fn next_poll(&self) -> Option<Instant> {
        self.due
    }

    /// Tells the sender what arrived, if that is due. False if nothing was written.
    ///
    /// # Errors
    /// `Full`: what did not fit stays due.
    pub fn write(
        &mut self,
        now: Instant,
        compound: &mut Compound<'_>,
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> Result<bool, FeedbackError> {
        let Some(highest) = self
            .highest
            .filter(|_| self.due.is_some_and(|due| due <= now))
        else {
            return Ok(false);
        };
        let mut written = false;
        while self.first <= highest {
            let mut symbols = [0; MAX_PACKETS];
            let mut report = ArrivalReport {
                base: self.first as u16,
                message: self.messages,
                ..ArrivalReport::default()
            };
            let mut times = [0; MAX_PACKETS];
            let (mut count, mut arrived) = (0, 0);
            let mut last = None;
            for number in (self.first..=highest).take(MAX_PACKETS) {
                let at = *self.entry(number);
                if at > 0 {
                    let ticks = i64::from(at - 1);
                    let before = last.unwrap_or_else(|| {
                        let reference = ticks as u64 / REFERENCE_TICKS;
                        report.reference = reference as u32;
                        (reference * REFERENCE_TICKS) as i64
                    });
                    let Ok(time) = i16::try_from(ticks - before) else {
                        // Another message begins at another time.
                        break;
                    };
                    last = Some(ticks);
                    times[arrived] = time;
                    arrived += 1;
                    symbols[count] = if (0..=255).contains(&time) { 1 } else { 2 };
                }
                count += 1;
            }
            report.symbols = &symbols[..count];
            report.times = &times[..arrived];
            if arrived > 0 {
                compound.arrivals(sender_ssrc, media_ssrc, &report)?;
                self.messages = self.messages.wrapping_add(1);
                written = true;
            }
            self.first += count as u64;
        }
        self.due = None;
        self.waiting = 0;
        Ok(written)
    }

    fn entry(&mut self, number: u64) -> &mut u32 {
        &mut self.ring[number as usize % REMEMBERED]
    }
}

#[cfg(test)]
mod tests;
