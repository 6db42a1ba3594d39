//! Packets that wait because their client's path would not take them all at once. They stay where
//! they are kept; what waits is their names.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much faster than the estimate packets leave: a queue here is delay too. But what leaves much
/// faster than the path takes it fills the queue there, which looks as if the path carried less: the
/// first keyframe of a larger picture would be the reason to take it away again.
const FACTOR: u64 = 5;
const DIVISOR: u64 = 4;
/// So much leaves at once after a silence.
const BURST: Duration = Duration::from_millis(25);
/// What has waited so long is not worth sending any more.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// More does not wait: it would not be kept until its turn.
const MAX_WAITING: usize = 400;

/// A packet that waits: for whom, and which of which track of the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) down: u32,
    pub(crate) track: u16,
    pub(crate) source: u16,
    pub(crate) seqno: u64,
    /// In bytes.
    pub(crate) len: u16,
    pub(crate) since: Instant,
}

/// The gate to one client's path.
#[derive(Debug)]
pub(crate) struct Pace {
    /// bit/s; 0 while everything goes straight through.
    rate: u64,
    /// When what was sent would have left at this rate.
    clear_at: Instant,
    queue: VecDeque<Waiting>,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rate: 0,
            clear_at: now,
            queue: VecDeque::new(),
        }
    }

    /// The path is taken to carry so many bit/s; `None` if that is not known, or was not seen to
    /// be the limit.
    pub(crate) fn set(&mut self, carried: Option<u64>) {
        self.rate = carried.map_or(0, |carried| carried * FACTOR / DIVISOR);
        if self.rate > 0 {
            // Once a client, not when packets come.
            self.queue.reserve(MAX_WAITING);
        }
    }

    /// A packet left.
    #[inline]
    pub(crate) fn sent(&mut self, now: Instant, len: u16) {
        if let Some(nanos) = (u64::from(len) * 8_000_000_000).checked_div(self.rate) {
            self.clear_at = self.clear_at.max(now) + Duration::from_nanos(nanos);
        }
    }

    /// A packet may leave now, and overtakes none.
    #[inline]
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.queue.is_empty() && self.is_clear(now)
    }

    /// What was sent has left at the path's rate, or nearly.
    pub(crate) fn is_clear(&self, now: Instant) -> bool {
        self.rate == 0 || self.clear_at <= now + BURST
    }

    /// Lets a packet wait. False if too many do already.
    pub(crate) fn push(&mut self, waiting: Waiting) -> bool {
        let room = self.queue.len() < MAX_WAITING;
        if room {
            self.queue.push_back(waiting);
        }
        room
    }

    /// The packet whose turn it is, if there is one now: it stays first until it is taken.
    pub(crate) fn front(&self, now: Instant) -> Option<Waiting> {
        self.queue.front().copied().filter(|_| self.is_clear(now))
    }

    /// The first was sent, or is not to be.
    pub(crate) fn take(&mut self, now: Instant, was_sent: bool) {
        if let Some(first) = self.queue.pop_front()
            && was_sent
        {
            self.sent(now, first.len);
        }
    }

    /// It has waited too long: what its track has here is to be given up.
    pub(crate) fn is_stale(now: Instant, waiting: &Waiting) -> bool {
        now.saturating_duration_since(waiting.since) > MAX_WAIT
    }

    /// Forgets what waits for a track of a receiver, or for all of them. Returns how many packets.
    pub(crate) fn forget(&mut self, down: u32, track: Option<u16>) -> u64 {
        let before = self.queue.len();
        self.queue.retain(|waiting| {
            waiting.down != down || track.is_some_and(|track| waiting.track != track)
        });
        (before - self.queue.len()) as u64
    }

    /// When the first may leave.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.queue.front()?.since;
        let clear = self.clear_at.checked_sub(BURST).unwrap_or(since);
        Some(clear.max(since))
    }

    /// How many packets wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many packets wait, and their bytes. Looks at each: not to be asked for every packet.
    pub(crate) fn backlog(&self) -> (u64, u64) {
        let bytes = self.queue.iter().map(|waiting| u64::from(waiting.len));
        (self.queue.len() as u64, bytes.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(seqno: u64, since: Instant) -> Waiting {
        Waiting {
            down: 1,
            track: 0,
            source: 0,
            seqno,
            len: 1_000,
            since,
        }
    }

    #[test]
    fn nothing_waits_where_nothing_is_known() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..10_000 {
            assert!(pace.is_open(now));
            pace.sent(now, 1_200);
        }
    }

    #[test]
    fn a_burst_leaves_at_the_rate_of_the_path_and_in_order() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.set(Some(800_000));
        let mut at_once = 0;
        for seqno in 0..100 {
            if pace.is_open(start) {
                pace.sent(start, 1_000);
                at_once += 1;
            } else {
                assert!(pace.push(waiting(seqno, start)));
            }
        }
        // A megabit a second: a packet takes 8 ms.
        assert!((3..6).contains(&at_once), "{at_once} left at once");
        let mut now = start;
        let mut next = at_once;
        while let Some(due) = pace.due() {
            assert!(due >= now, "it goes on");
            now = due.max(now);
            while let Some(first) = pace.front(now) {
                assert_eq!(first.seqno, next);
                next += 1;
                pace.take(now, true);
            }
        }
        let took = now - start;
        assert_eq!(next, 100);
        assert!(took > Duration::from_millis(700) && took < Duration::from_millis(800));
    }

    #[test]
    fn what_is_forgotten_does_not_hold_up_the_others() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.set(Some(100_000));
        while pace.is_open(now) {
            pace.sent(now, 1_000);
        }
        pace.push(waiting(1, now));
        pace.push(Waiting {
            track: 1,
            ..waiting(2, now)
        });
        assert_eq!(pace.backlog(), (2, 2_000));
        assert_eq!(pace.forget(1, Some(0)), 1);
        assert_eq!(pace.backlog(), (1, 1_000));
        assert_eq!(pace.forget(1, None), 1);
        assert_eq!((pace.waiting(), pace.due()), (0, None));
        assert!(Pace::is_stale(
            now + Duration::from_secs(1),
            &waiting(1, now)
        ));
    }
}
