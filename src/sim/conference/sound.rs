//! A jitter buffer for sound that plays on whatever comes, and counts what it had to make up.
//!
//! How long it waits is what libwebrtc's waits (NetEq): for packets in order, what all but one in
//! twenty took; for those out of order, which are repairs, as long as that is worth it.

mod patience;
mod target;

use patience::Patience;
use std::collections::BTreeMap;
use target::Target;

/// µs of one packet.
const PACKET: i64 = 20_000;
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
    target: Target,
    /// Of a page that asks for more. `None` where the buffer is left to itself.
    patience: Option<Patience>,
    /// Packets were missing since it looked.
    is_lossy: bool,
    highest: u64,
    /// Number and timestamp.
    buffer: BTreeMap<u64, i64>,
    /// The number to be played next, and when.
    next: Option<(u64, i64)>,
    pub(super) played: Played,
    /// From timestamp to playing, relative to the clock of the timestamps.
    pub(super) delay: i64,
}

impl Sound {
    /// Played by a page that asks for more time where that saves sound.
    pub(super) fn patient() -> Self {
        Self {
            patience: Some(Patience::default()),
            ..Self::default()
        }
    }

    /// A packet arrived.
    pub(super) fn receive(&mut self, now: i64, number: u64, timestamp: i64) {
        self.target.arrived(now, timestamp);
        self.is_lossy |= self.highest > 0 && number > self.highest + 1;
        self.highest = self.highest.max(number);
        self.store(now, number, timestamp);
        self.look(now);
    }

    fn look(&mut self, now: i64) {
        let (played, own) = (self.played_until(now), self.target.get());
        let patience = self.patience.as_mut();
        if let Some(patience) = patience.filter(|patience| patience.is_due(now)) {
            patience.look(now, played, self.is_lossy, own);
            self.is_lossy = false;
        }
    }

    /// How long it waits.
    fn wait(&self) -> i64 {
        let asked = self.patience.as_ref().map_or(0, Patience::asked);
        self.target.get().max(asked)
    }

    /// A packet came in another one: it says nothing of how long packets take.
    pub(super) fn receive_earlier(&mut self, now: i64, number: u64, timestamp: i64) {
        if self.next.is_some() {
            self.store(now, number, timestamp);
        }
    }

    fn store(&mut self, now: i64, number: u64, timestamp: i64) {
        match self.next {
            None => self.next = Some((number, now + self.wait())),
            Some((next, _)) if number < next => return,
            // What was made up until now stands for what is missing, if it was as long. Otherwise
            // the rest of that may yet come.
            Some((next, at)) if at < now && at + (number - next) as i64 * PACKET <= now => {
                self.make_up(number, now);
            }
            Some(_) => {}
        }
        self.buffer.insert(number, timestamp);
    }

    /// Goes on with a number at this moment, and not with what should have been next.
    fn make_up(&mut self, number: u64, until: i64) {
        if let Some((_, at)) = self.next {
            self.played.concealed += until - at;
        }
        self.next = Some((number, until));
    }

    /// Plays what is due.
    pub(super) fn play(&mut self, now: i64) {
        while let Some((number, at)) = self.next.filter(|(_, at)| *at <= now) {
            let Some((&first, _)) = self.buffer.first_key_value() else {
                return;
            };
            if first > number {
                let due = at + (first - number) as i64 * PACKET;
                if due > now {
                    return;
                }
                self.make_up(first, due);
                continue;
            }
            let Some((_, timestamp)) = self.buffer.pop_first() else {
                return;
            };
            self.played.heard += PACKET;
            self.delay = at - timestamp;
            let excess = self.delay - self.target.base() - self.wait();
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
mod tests;
