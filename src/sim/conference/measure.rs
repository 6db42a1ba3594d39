//! What a meeting was like, in numbers that a user would notice.

use super::picture::Shown;
use super::publisher::PublisherReport;
use super::scenario::Scenario;
use super::viewer::ViewerReport;
use crate::sim::link::{BIN, Link};
use std::time::Duration;

/// Bins of a second.
const SECOND: usize = 10;
/// What comes before this is the beginning, and not how things are.
const SETTLED: Duration = Duration::from_secs(15);
/// … and what comes so soon after the capacity changed by half.
const UNSETTLED: Duration = Duration::from_secs(8);
/// A queue shorter than this (ms) is none.
const SHORT_QUEUE: u32 = 150;

/// A time without a new picture, µs since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// The last picture before it.
    pub from: i64,
    /// The first after it.
    pub until: i64,
}

/// A row of the table: what one watcher had of a meeting. With several streams, the worst of
/// each, and the sum of their bit rates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The link.
    pub scenario: &'static str,
    /// What was sent.
    pub variant: &'static str,
    /// Which watcher.
    pub watcher: &'static str,
    /// Decodable frames in ten seconds.
    pub frames: u64,
    /// How often the picture froze.
    pub freezes: u64,
    /// … for how long in all, ms.
    pub frozen: i64,
    /// … and at the longest, ms.
    pub longest: i64,
    /// What the narrow link carried, kbit/s on average.
    pub carried: u64,
    /// What it could have, kbit/s on average.
    pub capacity: u64,
    /// In steady state: the share of what it could carry and the best encoding needs, in percent.
    pub used: u64,
    /// From the fall of the capacity until the queue is short for good, in ms; −1 for never.
    pub down: Option<i64>,
    /// From the return of the capacity until rate and size are what they were, ms; −1 for never.
    pub up: Option<i64>,
    /// Sound that had to be made up, of 10,000.
    pub sound_lost: i64,
    /// From capture to the screen, ms: the median.
    pub delay: i64,
    /// … and what one frame in twenty exceeds.
    pub delay_95: i64,
    /// From capture to the ear, ms: the median.
    pub sound_delay: i64,
    /// The share of the time at 720, 360 and 180 lines, percent.
    pub sizes: [u64; 3],
    /// By how much sound and pictures were apart at the worst, ms.
    pub lip_sync: i64,
    /// Keyframes that the publishers made.
    pub keyframes: u64,
    /// Frames that showed garbage or ran back.
    pub broken: u64,
}

/// What one watcher had, moment by moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// Of a bin.
    pub bin: Duration,
    /// What the narrow link could carry, bit/s.
    pub capacity: Vec<u64>,
    /// What it carried, bit/s.
    pub carried: Vec<u64>,
    /// What publishers sent, bit/s, all encodings.
    pub sent: Vec<u64>,
    /// How long datagrams waited before it, ms.
    pub waits: Vec<u32>,
    /// When the picture stood still.
    pub freezes: Vec<Freeze>,
    /// Lines of the first stream's pictures, where they change: µs and lines.
    pub heights: Vec<(i64, u16)>,
}

/// What is measured.
pub(super) struct Watched<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) name: &'static str,
    /// The narrow one.
    pub(super) link: &'a Link,
    pub(super) views: &'a [ViewerReport],
    pub(super) published: &'a [PublisherReport],
}

fn micros(duration: Duration) -> i64 {
    duration.as_micros() as i64
}

/// The value that this share, in percent, does not exceed.
fn percentile(values: impl Iterator<Item = i64>, share: usize) -> i64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let at = values.len().saturating_sub(1) * share / 100;
    values.get(at).copied().unwrap_or(0)
}

/// By the rule of the W3C's `freezeCount`: a picture stands longer than three average ones, and
/// than an average one and 150 ms.
pub(super) fn freezes(shown: &[Shown], end: i64) -> Vec<Freeze> {
    let mut freezes = Vec::new();
    for at in 1..=shown.len() {
        let from = shown[at - 1].at;
        let until = shown.get(at).map_or(end, |shown| shown.at);
        let begin = at.saturating_sub(31);
        let average = match at - 1 - begin {
            0 => 33_333,
            count => (from - shown[begin].at) / count as i64,
        };
        if until - from > (3 * average).max(average + 150_000) {
            freezes.push(Freeze { from, until });
        }
    }
    freezes
}

impl Watched<'_> {
    fn bins(&self) -> usize {
        (self.scenario.duration.as_nanos() / BIN.as_nanos()) as usize
    }

    fn capacity(&self, bin: usize) -> u64 {
        let at = BIN * bin as u32;
        Link::capacity_at(self.link.config(), at).unwrap_or(u64::MAX)
    }

    /// bit/s
    fn carried(&self, bin: usize) -> u64 {
        let bytes = self.link.departures().get(bin).copied().unwrap_or(0);
        u64::from(bytes) * 8 * SECOND as u64
    }

    /// What the watcher would take if there were no limit, bit/s.
    fn wish(&self) -> u64 {
        let encodings = self.scenario.publisher.encodings;
        let video: u64 = if self.scenario.narrow_up {
            encodings.iter().map(|encoding| encoding.target).sum()
        } else {
            encodings.last().map_or(0, |encoding| encoding.max)
        };
        let streams = if self.scenario.narrow_up {
            1
        } else {
            self.scenario.publishers as u64
        };
        (video + 48_000) * streams
    }

    fn is_settled(&self, bin: usize) -> bool {
        if BIN * (bin as u32) < SETTLED {
            return false;
        }
        let back = (UNSETTLED.as_nanos() / BIN.as_nanos()) as usize;
        let now = self.capacity(bin);
        (bin.saturating_sub(back)..bin).all(|before| {
            let then = self.capacity(before);
            then.saturating_mul(2) >= now.saturating_mul(3) / 2 && now.saturating_mul(2) >= then
        })
    }

    fn average(&self, from: usize, bins: usize) -> u64 {
        let sum: u64 = (from..from + bins).map(|bin| self.carried(bin)).sum();
        sum / bins.max(1) as u64
    }

    fn adapted_down(&self, fall: Duration) -> i64 {
        let fall = (fall.as_nanos() / BIN.as_nanos()) as usize;
        let short = |bin: usize| {
            let wait = self.link.waits().get(bin).copied().unwrap_or(0);
            wait < SHORT_QUEUE
        };
        let found = (fall + 1..fall + 15 * SECOND)
            .find(|bin| (*bin..bin + 3 * SECOND).all(short))
            .map(|bin| (bin - fall) as i64 * 100);
        found.unwrap_or(-1)
    }

    fn adapted_up(&self, fall: Duration, rise: Duration) -> i64 {
        let bin = |at: Duration| (at.as_nanos() / BIN.as_nanos()) as usize;
        let (fall, rise) = (bin(fall), bin(rise));
        let before = self.average(fall - 5 * SECOND, 5 * SECOND);
        let height_at = |view: &ViewerReport, bin: usize| {
            let at = bin as i64 * 100_000;
            let next = view.shown.partition_point(|shown| shown.at <= at);
            let last = next.checked_sub(1).and_then(|last| view.shown.get(last));
            last.map_or(0, |shown| shown.height)
        };
        (rise..self.bins().saturating_sub(SECOND))
            .find(|bin| {
                let enough = self.average(*bin, SECOND) * 100 >= before * 85;
                let sharp = self
                    .views
                    .iter()
                    .all(|view| height_at(view, bin + SECOND) >= height_at(view, fall));
                enough && sharp
            })
            .map_or(-1, |bin| (bin - rise) as i64 * 100)
    }

    pub(super) fn outcome(&self) -> Outcome {
        let end = micros(self.scenario.duration);
        let bins = self.bins();
        let mut outcome = Outcome {
            scenario: self.scenario.name,
            variant: self.scenario.variant,
            watcher: self.name,
            frames: u64::MAX,
            ..Outcome::default()
        };
        let (mut wished, mut settled) = (0, 0);
        for bin in (0..bins).filter(|bin| self.is_settled(*bin)) {
            wished += self.capacity(bin).min(self.wish());
            settled += self.carried(bin);
        }
        outcome.used = (settled * 100).checked_div(wished).unwrap_or(0);
        let all: u64 = (0..bins).map(|bin| self.carried(bin)).sum();
        outcome.carried = all / bins as u64 / 1_000;
        let all: u64 = (0..bins).map(|bin| self.capacity(bin)).sum();
        outcome.capacity = all / bins as u64 / 1_000;
        if let Some((fall, rise)) = self.scenario.fall {
            outcome.down = Some(self.adapted_down(fall));
            outcome.up = Some(self.adapted_up(fall, rise));
        }
        outcome.keyframes = self.published.iter().map(|one| one.keyframes).sum();
        for view in self.views {
            outcome.add(view, end);
        }
        for size in &mut outcome.sizes {
            *size /= self.views.len().max(1) as u64;
        }
        outcome
    }

    pub(super) fn timeline(&self) -> Timeline {
        let bins = self.bins();
        let end = micros(self.scenario.duration);
        let mut sent = vec![0; bins];
        for published in self.published {
            for (sum, rate) in sent.iter_mut().zip(&published.rates) {
                *sum += rate;
            }
        }
        let mut heights: Vec<(i64, u16)> = Vec::new();
        for shown in self.views.first().map_or(&[][..], |view| &view.shown) {
            if heights
                .last()
                .is_none_or(|(_, height)| *height != shown.height)
            {
                heights.push((shown.at, shown.height));
            }
        }
        let waits = (0..bins).map(|bin| self.link.waits().get(bin).copied().unwrap_or(0));
        Timeline {
            bin: BIN,
            capacity: (0..bins).map(|bin| self.capacity(bin)).collect(),
            carried: (0..bins).map(|bin| self.carried(bin)).collect(),
            sent,
            waits: waits.collect(),
            freezes: self
                .views
                .iter()
                .flat_map(|view| freezes(&view.shown, end))
                .collect(),
            heights,
        }
    }
}

impl Outcome {
    /// A name for a file, of letters, digits and `-`.
    pub fn slug(&self) -> String {
        let all = format!("{} {} {}", self.scenario, self.variant, self.watcher);
        let words = all.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        words.join("-").to_ascii_lowercase()
    }

    /// The worst of what is known and of this.
    fn add(&mut self, view: &ViewerReport, end: i64) {
        let began = view.began.unwrap_or(0);
        let lasted = (end - began).max(1) as u64;
        let frames = view.shown.len() as u64 * 10_000_000 / lasted;
        self.frames = self.frames.min(frames);
        let freezes = freezes(&view.shown, end);
        self.freezes += freezes.len() as u64;
        let lengths = || freezes.iter().map(|one| (one.until - one.from) / 1_000);
        self.frozen += lengths().sum::<i64>();
        self.longest = self.longest.max(lengths().max().unwrap_or(0));
        let sound = view.heard + view.concealed;
        let lost = (view.concealed * 10_000)
            .checked_div(sound)
            .unwrap_or(10_000);
        self.sound_lost = self.sound_lost.max(lost);
        let delays = || view.shown.iter().map(|shown| shown.delay / 1_000);
        self.delay = self.delay.max(percentile(delays(), 50));
        self.delay_95 = self.delay_95.max(percentile(delays(), 95));
        let sound_delay = percentile(view.sound_delays.iter().copied(), 50) / 1_000;
        self.sound_delay = self.sound_delay.max(sound_delay);
        self.lip_sync = self.lip_sync.max(view.lip_sync / 1_000);
        self.broken += view.broken + view.backward;
        let mut times = [0_i64; 3];
        for (at, shown) in view.shown.iter().enumerate() {
            let until = view.shown.get(at + 1).map_or(end, |next| next.at);
            let size = match shown.height {
                720.. => 0,
                360..720 => 1,
                _ => 2,
            };
            times[size] += until - shown.at;
        }
        let all: i64 = times.iter().sum();
        for (sum, time) in self.sizes.iter_mut().zip(times) {
            *sum += (time * 100).checked_div(all).unwrap_or(0) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_stands_is_a_freeze() {
        let mut shown: Vec<_> = (0..60)
            .map(|at| Shown {
                at: at * 33_333,
                delay: 0,
                height: 180,
            })
            .collect();
        for late in &mut shown[40..] {
            late.at += 500_000;
        }
        let end = shown[59].at + 100_000;
        assert_eq!(freezes(&shown, end).len(), 1);
        assert_eq!(freezes(&shown, end + 400_000).len(), 2, "the end counts");
    }
}
