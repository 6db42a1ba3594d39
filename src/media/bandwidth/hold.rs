//! Pictures that would only wait in a queue which is long already need not be sent yet. Where a
//! path suddenly carries a tenth, its queue is full before anyone knows. Whatever is sent then waits
//! behind what is old by now, and as much of it is lost as is sent too much. If nothing is sent until
//! most of the queue is gone, what is sent next arrives as early, and whole.

use std::time::{Duration, Instant};

/// What is sent now would wait so long: it is not sent.
const LONG: Duration = Duration::from_millis(400);
/// … and a queue as long as this has been seen already.
const SEEN: Duration = Duration::from_millis(120);
/// It goes on while this is left, so that the path is not idle meanwhile.
const SHORT: Duration = Duration::from_millis(200);
/// Nothing is held for longer: what the queue is taken to be may be wrong.
const MOST: Duration = Duration::from_millis(1_000);
/// … nor again so soon.
const PAUSE: Duration = Duration::from_millis(1_000);

/// What has been sent and not told of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flight {
    /// Bytes sent since the last packet of which it is known that it arrived.
    pub bytes: u64,
    /// How long ago that was sent.
    pub age: Duration,
}

impl Flight {
    /// Both, over one path.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            age: self.age.min(other.age),
        }
    }
}

/// Whether the pictures for a client are held back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hold {
    is_on: bool,
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl Hold {
    /// Nothing is to be sent but sound.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// What is told of was sent while next to nothing was.
    pub fn is_seen(&self, now: Instant, flight: Flight) -> bool {
        let lasted = now.saturating_duration_since(self.began.unwrap_or(now));
        self.is_on && flight.age < lasted
    }

    /// The last packet that arrived had waited for `queue`, and longer and longer did those before it
    /// if it `grows`; `flight` was sent after it, over a path that carries `bitrate`, bit/s.
    pub fn update(
        &mut self,
        now: Instant,
        (queue, grows): (Duration, bool),
        flight: Flight,
        bitrate: u64,
    ) {
        let ahead = flight.bytes as f64 * 8.0 / bitrate.max(1) as f64;
        let wait = (queue.as_secs_f64() + ahead - flight.age.as_secs_f64()).max(0.0);
        let mut wait = Duration::from_secs_f64(wait.min(60.0));
        if let Some(began) = self.began.filter(|_| self.is_on && !grows) {
            // It was full: what came later was lost, and waits nowhere.
            let gone = began + queue;
            wait = wait.min(gone.saturating_duration_since(now));
        }
        let passed = |at: Option<Instant>, time: Duration| {
            at.is_none_or(|at| now.saturating_duration_since(at) >= time)
        };
        if !self.is_on && grows && wait > LONG && queue > SEEN && passed(self.ended, PAUSE) {
            self.is_on = true;
            self.began = Some(now);
        } else if self.is_on && (wait < SHORT || passed(self.began, MOST)) {
            self.is_on = false;
            self.ended = Some(now);
        }
    }
}
