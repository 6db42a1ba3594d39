//! What is missing of a received track, and when to ask for it (RFC 4585, section 6.2.1).
//!
//! The state is a fixed window of the latest sequence numbers. Nothing in it grows: a packet
//! that leaves the window unrepaired is given up.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// Assumed while the round-trip time is unknown.
const DEFAULT_RTT: Duration = Duration::from_millis(100);
/// Repeated requests are never nearer to each other than this.
const MIN_INTERVAL: Duration = Duration::from_millis(15);
/// A longer round-trip time is not waited for before a request is repeated.
const MAX_RTT: Duration = Duration::from_secs(1);
/// However much reordering there is, a first request waits no longer.
const MAX_TOLERANCE_MS: u32 = 40;
/// So many consecutive packets from before the window mean that the sender began anew.
const RESTART_AFTER: u32 = 16;

/// How patient a [`LossDetector`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossConfig {
    /// Sequence numbers that are remembered: a power of two from 64 to 4096, else rounded up to
    /// the next. A jump as long as that is a restart.
    pub window: usize,
    /// How late a packet may be before it is first asked for, while no reordering was seen.
    pub reordering: Duration,
    /// How often a packet is asked for.
    pub tries: u8,
    /// How long after it was missed a packet is still asked for.
    pub age: Duration,
}

impl LossConfig {
    /// About a second of a high bitrate; pictures can wait long for a packet.
    pub const VIDEO: Self = Self {
        window: 1024,
        reordering: Duration::from_millis(4),
        tries: 8,
        age: Duration::from_secs(2),
    };
    /// Sound that comes later than this is not played any more.
    pub const AUDIO: Self = Self {
        window: 128,
        reordering: Duration::from_millis(4),
        tries: 4,
        age: Duration::from_millis(400),
    };
}

/// What the arrival of a packet meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is newer than all before it.
    New,
    /// It was missing. `asked`: it was asked for, so that it is probably a repair.
    Recovered {
        /// At least once.
        asked: bool,
    },
    /// It had been given up, or is from before the first packet that was seen. Useful yet.
    Late,
    /// It was here before.
    Duplicate,
    /// It is from before the window: nothing is known of it.
    Old,
    /// The sender jumped or began anew. All that was missing is given up; of video a keyframe
    /// is needed.
    Jump,
}

/// The answer of [`LossDetector::poll`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// How many numbers were written to the buffer.
    pub count: usize,
    /// How many packets were given up since the last call. Of video a keyframe is needed when
    /// there are any.
    pub given_up: usize,
}

/// The figures of a track since it began, in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossFigures {
    /// Requests, repeated ones counted each time.
    pub asked: u64,
    /// Arrived after it was asked for.
    pub recovered: u64,
    /// Arrived late without being asked for.
    pub reordered: u64,
    /// Never arrived, or too late.
    pub given_up: u64,
    /// Arrived more than once.
    pub duplicates: u64,
}

/// A packet that is missing. Times are the low bits of [`LossDetector::clock`]: no packet stays
/// missing for long.
#[derive(Debug, Clone, Copy, Default)]
struct Missing {
    since: u32,
    asked_at: u32,
    due: u32,
    tries: u8,
}

/// Finds the losses of one received track.
#[derive(Debug)]
pub struct LossDetector {
    config: LossConfig,
    start: Instant,
    highest: Option<u64>,
    /// Indexed by the sequence number modulo the window, as the two bitmaps that follow.
    slots: Box<[Missing]>,
    missing: Box<[u64]>,
    received: Box<[u64]>,
    missing_count: usize,
    /// Not later than the earliest `due` of what is missing, by the whole clock.
    next_due: Option<u64>,
    /// How late a packet may be before it is asked for, in ms: adapts to the reordering seen.
    tolerance: u32,
    /// Of the last `poll`, in ms.
    rtt: u32,
    /// The last of a run of packets from before the window, and the length of the run.
    old_run: (u64, u32),
    /// Given up and not yet told by `poll`.
    unreported: usize,
    figures: LossFigures,
}

impl LossDetector {
    /// Nothing was received yet.
    pub fn new(now: Instant, config: LossConfig) -> Self {
        let window = config.window.clamp(64, 4096).next_power_of_two();
        Self {
            config: LossConfig { window, ..config },
            start: now,
            highest: None,
            slots: vec![Missing::default(); window].into(),
            missing: vec![0; window / 64].into(),
            received: vec![0; window / 64].into(),
            missing_count: 0,
            next_due: None,
            tolerance: millis(config.reordering),
            rtt: 0,
            old_run: (0, 0),
            unreported: 0,
            figures: LossFigures::default(),
        }
    }

    /// A packet arrived, by itself or by repair. `seqno` is extended over all wraps. Takes time
    /// in proportion to the gap before the packet, which is bounded by the window.
    pub fn receive(&mut self, seqno: u64, now: Instant) -> Arrival {
        let Some(highest) = self.highest else {
            self.begin(seqno);
            return Arrival::New;
        };
        let window = self.config.window as u64;
        if seqno > highest {
            self.old_run = (0, 0);
            if seqno - highest > window {
                self.begin(seqno);
                return Arrival::Jump;
            }
            let now = self.clock(now);
            for missed in highest + 1..seqno {
                self.evict(missed);
                self.miss(missed, now);
            }
            self.evict(seqno);
            self.mark_received(seqno);
            self.highest = Some(seqno);
            return Arrival::New;
        }
        if highest - seqno >= window {
            return self.receive_old(seqno);
        }
        self.old_run = (0, 0);
        let (word, mask) = self.place(seqno);
        if self.received.get(word).is_some_and(|bits| bits & mask != 0) {
            self.figures.duplicates += 1;
            return Arrival::Duplicate;
        }
        self.mark_received(seqno);
        if self.missing.get(word).is_some_and(|bits| bits & mask != 0) {
            self.forget(seqno);
            let asked = self.recover(seqno, self.clock(now) as u32);
            return Arrival::Recovered { asked };
        }
        Arrival::Late
    }

    /// A packet came in a later one: it is not asked for any more. Says nothing of how late packets
    /// of this path are.
    pub fn restore(&mut self, seqno: u64, now: Instant) -> Arrival {
        let (word, mask) = self.place(seqno);
        let is_near = self
            .highest
            .is_some_and(|highest| highest >= seqno && highest - seqno < self.config.window as u64);
        if !is_near || self.missing.get(word).is_none_or(|bits| bits & mask == 0) {
            return self.receive(seqno, now);
        }
        let asked = self.slots.get(self.index(seqno));
        let asked = asked.is_some_and(|slot| slot.tries > 0);
        self.mark_received(seqno);
        self.forget(seqno);
        Arrival::Recovered { asked }
    }

    /// Writes the sequence numbers to ask for now, ascending, and gives up what is too old or
    /// was asked for too often. `rtt` is that to the sender, once known. When the buffer is full
    /// the rest stays due: ask again. The buffer must not be empty.
    pub fn poll(&mut self, now: Instant, rtt: Option<Duration>, lost: &mut [u16]) -> Ask {
        let now = self.clock(now);
        let mut count = 0;
        if self.next_due.is_some_and(|due| due <= now) {
            let rtt = rtt.unwrap_or(DEFAULT_RTT).min(MAX_RTT);
            let interval = millis((rtt + rtt / 4).max(MIN_INTERVAL)) + self.tolerance;
            self.rtt = millis(rtt);
            self.next_due = None;
            let window = self.config.window as u64;
            let mut from = self.highest.unwrap_or(0).saturating_sub(window - 1);
            while let Some(seqno) = self.next_missing(from) {
                count += usize::from(self.visit(seqno, now, interval, lost.get_mut(count)));
                from = seqno + 1;
            }
        }
        Ask {
            count,
            given_up: std::mem::take(&mut self.unreported),
        }
    }

    /// Gives up all that is missing: who could have sent it again is gone.
    pub fn abandon(&mut self) {
        self.figures.given_up += self.missing_count as u64;
        self.missing.fill(0);
        self.missing_count = 0;
        self.next_due = None;
    }

    /// When [`LossDetector::poll`] should be called next.
    pub fn next_poll(&self) -> Option<Instant> {
        if self.unreported > 0 {
            return Some(self.start);
        }
        self.start
            .checked_add(Duration::from_millis(self.next_due?))
    }

    /// How many packets are missing now and not given up.
    pub fn missing(&self) -> usize {
        self.missing_count
    }

    /// Counted since the start.
    pub fn figures(&self) -> LossFigures {
        self.figures
    }

    /// Whether a packet is due, and then what becomes of it. True when it is asked for.
    fn visit(&mut self, seqno: u64, now: u64, interval: u32, room: Option<&mut u16>) -> bool {
        let age = millis(self.config.age);
        let tries = self.config.tries;
        let clock = now as u32;
        let index = self.index(seqno);
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let mut asked = false;
        if elapsed(slot.due, clock).is_some() {
            if slot.tries >= tries || elapsed(slot.since, clock).is_some_and(|old| old >= age) {
                self.give_up(seqno);
                return false;
            }
            if let Some(room) = room {
                *room = seqno as u16;
                asked = true;
                slot.tries += 1;
                slot.asked_at = clock;
                // The end of its age comes first if it is nearer than the next request.
                let left = slot.since.wrapping_add(age).wrapping_sub(clock);
                slot.due = clock.wrapping_add(interval.min(left.max(1)));
                self.figures.asked += 1;
            }
        }
        let due = now
            + u64::from(
                slot.due
                    .wrapping_sub(clock)
                    .cast_signed()
                    .max(0)
                    .cast_unsigned(),
            );
        self.schedule(due);
        asked
    }

    /// From before the window: of no use, but a long run of them is a sender that began anew.
    fn receive_old(&mut self, seqno: u64) -> Arrival {
        let (last, length) = self.old_run;
        let length = if length > 0 && seqno == last.wrapping_add(1) {
            length + 1
        } else {
            1
        };
        self.old_run = (seqno, length);
        if length < RESTART_AFTER {
            return Arrival::Old;
        }
        self.begin(seqno);
        Arrival::Jump
    }

    /// Forgets everything but the figures.
    fn begin(&mut self, seqno: u64) {
        self.abandon();
        self.old_run = (0, 0);
        self.received.fill(0);
        self.highest = Some(seqno);
        self.mark_received(seqno);
    }

    /// A missing packet came: learns from it how late packets of this path are. True when it
    /// was asked for.
    fn recover(&mut self, seqno: u64, now: u32) -> bool {
        let slot = self
            .slots
            .get(self.index(seqno))
            .copied()
            .unwrap_or_default();
        let usual = millis(self.config.reordering);
        let asked = slot.tries > 0;
        // Sooner after the request than an answer can be: it was only late.
        let late = !asked || (slot.tries == 1 && now.wrapping_sub(slot.asked_at) < self.rtt / 2);
        if late {
            let lateness = now.wrapping_sub(slot.since).saturating_add(1);
            self.tolerance = self
                .tolerance
                .max(lateness)
                .min(MAX_TOLERANCE_MS.max(usual));
        } else {
            self.tolerance -= self.tolerance.saturating_sub(usual).div_ceil(8);
        }
        if asked {
            self.figures.recovered += 1;
        } else {
            self.figures.reordered += 1;
        }
        asked
    }

    fn miss(&mut self, seqno: u64, now: u64) {
        let since = now as u32;
        let due = since.wrapping_add(self.tolerance);
        let (word, mask) = self.place(seqno);
        let index = self.index(seqno);
        if let (Some(bits), Some(slot)) = (self.missing.get_mut(word), self.slots.get_mut(index)) {
            *bits |= mask;
            *slot = Missing {
                since,
                asked_at: since,
                due,
                tries: 0,
            };
            self.missing_count += 1;
            self.schedule(now + u64::from(self.tolerance));
        }
    }

    fn give_up(&mut self, seqno: u64) {
        self.forget(seqno);
        self.figures.given_up += 1;
        self.unreported += 1;
    }

    /// Makes room for a new number: what had its place leaves the window.
    fn evict(&mut self, seqno: u64) {
        let (word, mask) = self.place(seqno);
        if self.missing.get(word).is_some_and(|bits| bits & mask != 0) {
            self.give_up(seqno);
        }
        if let Some(bits) = self.received.get_mut(word) {
            *bits &= !mask;
        }
    }

    fn forget(&mut self, seqno: u64) {
        let (word, mask) = self.place(seqno);
        if let Some(bits) = self.missing.get_mut(word) {
            *bits &= !mask;
            self.missing_count -= 1;
        }
    }

    fn mark_received(&mut self, seqno: u64) {
        let (word, mask) = self.place(seqno);
        if let Some(bits) = self.received.get_mut(word) {
            *bits |= mask;
        }
    }

    fn schedule(&mut self, due: u64) {
        self.next_due = Some(self.next_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// The first missing packet from `seqno` on.
    fn next_missing(&self, mut seqno: u64) -> Option<u64> {
        let highest = self.highest.filter(|_| self.missing_count > 0)?;
        while seqno < highest {
            let (word, mask) = self.place(seqno);
            let below = mask.trailing_zeros();
            let bits = self.missing.get(word)? >> below;
            if bits != 0 {
                let found = seqno + u64::from(bits.trailing_zeros());
                return (found < highest).then_some(found);
            }
            seqno = seqno.checked_add(u64::from(64 - below))?;
        }
        None
    }

    fn index(&self, seqno: u64) -> usize {
        // The window is a power of two.
        (seqno as usize) & (self.config.window - 1)
    }

    /// The word of the bitmaps that has the number, and its bit.
    fn place(&self, seqno: u64) -> (usize, u64) {
        let index = self.index(seqno);
        (index / 64, 1 << (index % 64))
    }

    fn clock(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// In whole ms, at most 12 days: far below where the clock of a slot wraps.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis())
        .unwrap_or(u32::MAX)
        .min(1 << 30)
}

/// From a moment to `now`; `None` when it is yet to come.
fn elapsed(moment: u32, now: u32) -> Option<u32> {
    let elapsed = now.wrapping_sub(moment);
    (elapsed <= u32::MAX / 2).then_some(elapsed)
}
