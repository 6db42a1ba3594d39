//! A jitter buffer for sound that plays on whatever comes, and counts what it had to make up.

use std::collections::{BTreeMap, VecDeque};

/// µs of one packet.
const PACKET: i64 = 20_000;
/// Delays that are remembered.
const WINDOW: usize = 150;
const MIN_TARGET: i64 = 40_000;
const MAX_TARGET: i64 = 1_000_000;
/// By how much one packet is stretched or pressed at the most.
const STRETCH: i64 = 1_000;

/// What was played, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Played {
    pub(super) heard: i64,
    pub(super) concealed: i64,
}

/// Plays one track. All times in µs.
#[derive(Default)]
pub(super) struct Sound {
    /// The least arrival less timestamp: what a packet takes that waits nowhere.
    base: Option<i64>,
    /// How much later than that packets came.
    late: VecDeque<i64>,
    target: i64,
    arrivals: u32,
    /// Number and timestamp.
    buffer: BTreeMap<u64, i64>,
    /// The number to be played next, and when.
    next: Option<(u64, i64)>,
    /// The number and timestamp that were played last.
    last: Option<(u64, i64)>,
    pub(super) played: Played,
    /// From timestamp to playing, relative to the clock of the timestamps.
    pub(super) delay: i64,
}

impl Sound {
    /// A packet arrived.
    pub(super) fn receive(&mut self, now: i64, number: u64, timestamp: i64) {
        let transit = now - timestamp;
        let base = self.base.get_or_insert(transit);
        if transit < *base {
            *base = transit;
        } else {
            *base += (transit - *base) / 500;
        }
        if self.late.len() == WINDOW {
            self.late.pop_front();
        }
        self.late.push_back(transit - *base);
        self.arrivals += 1;
        if self.arrivals % 10 == 1 {
            let mut sorted: Vec<_> = self.late.iter().copied().collect();
            sorted.sort_unstable();
            let at = (sorted.len() * 97 / 100).min(sorted.len() - 1);
            self.target = (sorted[at] + PACKET).clamp(MIN_TARGET, MAX_TARGET);
        }
        match self.next {
            None => self.next = Some((number, now + self.target)),
            Some((next, _)) if number < next => return,
            Some((next, at)) if self.buffer.is_empty() && at <= now => {
                // It had run dry: what was made up until now stands for what is missing.
                let due = at + (number - next) as i64 * PACKET;
                let begin = due.max(now);
                self.played.concealed += begin - at;
                self.next = Some((number, begin));
            }
            Some(_) => {}
        }
        self.buffer.insert(number, timestamp);
    }

    /// Plays what is due.
    pub(super) fn play(&mut self, now: i64) {
        while let Some((number, at)) = self.next.filter(|(_, at)| *at <= now) {
            let Some(timestamp) = self.buffer.remove(&number) else {
                if self.buffer.is_empty() {
                    return;
                }
                self.played.concealed += PACKET;
                self.next = Some((number + 1, at + PACKET));
                continue;
            };
            self.played.heard += PACKET;
            self.last = Some((number, timestamp));
            self.delay = at - timestamp;
            let excess = self.delay - self.base.unwrap_or(0) - self.target;
            let change = if excess > PACKET / 2 {
                -STRETCH
            } else if excess < -PACKET / 2 {
                STRETCH
            } else {
                0
            };
            self.next = Some((number + 1, at + PACKET + change));
        }
    }

    /// Packets before this are of no use any more.
    pub(super) fn next_number(&self) -> Option<u64> {
        self.next.map(|(number, _)| number)
    }

    /// What was heard and made up until now, the present silence included.
    pub(super) fn played_until(&self, now: i64) -> Played {
        let mut played = self.played;
        if let Some((_, at)) = self.next {
            played.concealed += (now - at).max(0);
        }
        played
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays packets that arrive so late, in µs; `None` for never.
    fn play(late: impl Iterator<Item = Option<i64>>) -> Played {
        let mut sound = Sound::default();
        let mut arrivals: Vec<_> = late
            .enumerate()
            .filter_map(|(number, late)| {
                let timestamp = number as i64 * PACKET;
                Some((timestamp + 30_000 + late?, number as u64, timestamp))
            })
            .collect();
        arrivals.sort_unstable();
        for (now, number, timestamp) in arrivals {
            sound.play(now);
            sound.receive(now, number, timestamp);
        }
        sound.played
    }

    #[test]
    fn what_comes_in_time_is_heard_and_the_rest_made_up() {
        let clean = play((0..500).map(|_| Some(0)));
        assert_eq!(clean.concealed, 0);
        let lost = play((0..500).map(|at| (at % 50 != 49).then_some(0)));
        assert_eq!(lost.concealed, 9 * PACKET);
        // A queue that grows once is a gap once.
        let moved = play((0..500).map(|at| Some(if at < 250 { 0 } else { 200_000 })));
        assert!((100_000..220_000).contains(&moved.concealed), "{moved:?}");
    }
}
