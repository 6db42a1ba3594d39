//! How much longer sound waits because the page asks for it (`static/protocol/patience.js`): the
//! jitter buffer of libwebrtc weighs by itself what a wait is worth, and gives up two percent of
//! the sound where a tenth is lost in bursts.

use super::Played;

/// µs between two looks.
pub(super) const LOOK: i64 = 1_000_000;
/// What one look changes of the share that is made up of late.
const WEIGHT: f64 = 0.15;
/// From this share on it asks for more, below this it gives some back.
const BAD: f64 = 0.01;
const GOOD: f64 = 0.005;
/// µs: what it asks for more at once, what it gives back where packets still go missing and where
/// they do not, and what it asks for in all: more where so much is made up at once, which is longer
/// gaps.
const MORE: i64 = 80_000;
const SLOWLY: i64 = 500;
const LESS: i64 = 4_000;
const MAX: i64 = 240_000;
const MAX_OF_GAPS: i64 = 300_000;
const GAPS: f64 = 0.05;

/// See the module. Times in µs.
#[derive(Debug, Default)]
pub(super) struct Patience {
    looked: Option<(i64, Played)>,
    /// The share that is made up of late.
    level: f64,
    asked: i64,
}

impl Patience {
    /// When the next look is due.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.looked.is_none_or(|(at, _)| now - at >= LOOK)
    }

    /// Looks at what was played, and whether packets were missing. `own` is what the buffer waits
    /// by itself.
    pub(super) fn look(&mut self, now: i64, played: Played, is_lossy: bool, own: i64) {
        let Some((_, before)) = self.looked.replace((now, played)) else {
            return;
        };
        let concealed = (played.concealed - before.concealed).max(0);
        let all = concealed + (played.heard - before.heard);
        if all == 0 {
            return;
        }
        let share = concealed as f64 / all as f64;
        self.level += (share - self.level) * WEIGHT;
        if share.min(self.level) > BAD && is_lossy {
            let most = if share > GAPS { MAX_OF_GAPS } else { MAX };
            let more = (self.asked.max(own) + MORE).min(most);
            self.asked = self.asked.max(more);
        } else if self.level < GOOD {
            self.asked -= if is_lossy { SLOWLY } else { LESS };
        }
        if self.asked <= own {
            self.asked = 0;
        }
    }

    /// What it asks for; 0 for nothing.
    pub(super) fn asked(&self) -> i64 {
        self.asked
    }
}
