//! When to ask a publisher for a keyframe.
//!
//! A keyframe costs its sender ten times an ordinary picture, and every receiver may ask for
//! one at any time. Requests are therefore coalesced: those made while one is on its way are
//! answered by the same keyframe.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// Between two requests to a track: at most two a second.
const MIN_INTERVAL: Duration = Duration::from_millis(500);
/// However long the round trip, a keyframe is not waited for longer than this before a receiver
/// that asks again is heard.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// A track that is silent is asked ever more rarely, up to this.
const MAX_REPEAT: Duration = Duration::from_secs(8);

/// The keyframe requests of one received track.
#[derive(Debug, Clone, Default)]
pub struct KeyframeRequests {
    /// When to ask next; `None` when no keyframe is wanted.
    due: Option<Instant>,
    /// Until when a new request is taken to be answered by the last one.
    quiet_until: Option<Instant>,
    /// Requests since the last keyframe.
    unanswered: u32,
    command: u8,
    sent: u64,
}

impl KeyframeRequests {
    /// No keyframe is wanted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Someone needs a keyframe. Remembered until one comes.
    pub fn request(&mut self, now: Instant) {
        let earliest = self.quiet_until.map_or(now, |until| until.max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// A keyframe of the track begins to arrive: all requests are answered.
    pub fn keyframe(&mut self) {
        self.due = None;
        self.unanswered = 0;
    }

    /// Whether to send a PLI or FIR now. `rtt` is that to the publisher, once known.
    pub fn poll(&mut self, now: Instant, rtt: Option<Duration>) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let rtt = rtt.unwrap_or_default().min(MAX_WAIT);
        let wait = (rtt + rtt / 4).clamp(MIN_INTERVAL, MAX_WAIT);
        // It, or its answer, may be lost, and all that comes meanwhile is shown to nobody: repeated
        // once soon, and then ever more rarely.
        let repeat = wait
            .saturating_mul(1 << self.unanswered.saturating_sub(1).min(4))
            .min(MAX_REPEAT);
        self.quiet_until = Some(now + wait);
        self.due = Some(now + repeat);
        if self.unanswered == 0 {
            self.command = self.command.wrapping_add(1);
        }
        self.unanswered = self.unanswered.saturating_add(1);
        self.sent += 1;
        true
    }

    /// When [`KeyframeRequests::poll`] should be called next.
    pub fn next_poll(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a keyframe is still waited for.
    pub fn wanted(&self) -> bool {
        self.due.is_some()
    }

    /// The command number of a FIR (RFC 5104, section 4.3.1.2): the same in repetitions.
    pub fn command(&self) -> u8 {
        self.command
    }

    /// How many requests were sent since the track began.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}
