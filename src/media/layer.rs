//! The qualities in which one source of pictures can be had, and which of them a receiver has
//! use for.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// Spatial and temporal layers that are measured by themselves; higher ones count as the last.
const MAX_LAYERS: usize = 4;
/// The most rungs of a ladder.
const MAX_RUNGS: usize = 32;
/// Where little happens, a larger picture costs no more than a smaller one. If it costs less by more
/// than this, in parts of four and in bit/s, its publisher has not enough for it.
const QUARTERS: u64 = 3;
const SLACK: u64 = 50_000;
/// What an encoding came to once counts for so much less, a part of so many, each [`WINDOW`].
const FORGETS: u64 = 16;
/// Over how long layers are measured.
const WINDOW: Duration = Duration::from_millis(1_000);

/// A quality: an encoding of the source (its place among them, lowest first), and the highest
/// spatial and temporal layer of it. What is beyond the highest there is stands for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// With simulcast, which encoding.
    pub encoding: u8,
    /// Spatial layer.
    pub sid: u8,
    /// Temporal layer.
    pub tid: u8,
}

impl Layer {
    /// The best there is.
    pub const TOP: Self = Self {
        encoding: u8::MAX,
        sid: u8::MAX,
        tid: u8::MAX,
    };
    /// The smallest picture, as seldom as it can be had.
    pub const LOWEST: Self = Self {
        encoding: 0,
        sid: 0,
        tid: 0,
    };
    /// The smallest picture.
    pub const SMALLEST: Self = Self {
        encoding: 0,
        sid: 0,
        tid: u8::MAX,
    };

    /// The best that both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self.encoding.cmp(&other.encoding) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => Self {
                encoding: self.encoding,
                sid: self.sid.min(other.sid),
                tid: self.tid.min(other.tid),
            },
        }
    }
}

/// A quality, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rung {
    /// As in [`Layer`].
    pub encoding: u8,
    /// As in [`Layer`].
    pub sid: u8,
    /// As in [`Layer`].
    pub tid: u8,
    /// What is to be sent in all, lower layers included, bit/s.
    pub bitrate: u64,
}

impl Rung {
    /// Which quality it is.
    pub fn layer(&self) -> Layer {
        Layer {
            encoding: self.encoding,
            sid: self.sid,
            tid: self.tid,
        }
    }
}

/// The qualities that a source can be had in now, lowest first, each costlier than the one before.
#[derive(Debug, Clone, Copy)]
pub struct Ladder {
    rungs: [Rung; MAX_RUNGS],
    count: usize,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            rungs: [Rung::default(); MAX_RUNGS],
            count: 0,
        }
    }
}

impl Ladder {
    /// Adds the rungs of one encoding, `limit` at most; without those of fewer frames if it is to be
    /// had `whole`. Lower encodings come first.
    pub fn add(&mut self, encoding: u8, meter: &LayerMeter, limit: Layer, whole: bool) {
        let (max_sid, max_tid) = meter.highest();
        let below = self.rungs().last().map_or(0, |rung| rung.bitrate);
        let mut own = 0;
        for sid in 0..=max_sid {
            // A larger picture at a quarter of the rate is no better than a smaller one.
            let first = if encoding == 0 && sid == 0 {
                0
            } else {
                max_tid.saturating_sub(1)
            };
            let first = if whole { max_tid } else { first };
            for tid in first..=max_tid {
                let layer = Layer { encoding, sid, tid };
                if (layer != layer.and(limit) && self.count > 0) || self.count == MAX_RUNGS {
                    continue;
                }
                let before = self.rungs().last().map_or(0, |rung| rung.bitrate);
                let measured = meter.bitrate(sid, tid);
                let is_expected = meter.is_expected();
                let is_starved = !is_expected && measured + SLACK < below / 4 * QUARTERS;
                let adds = match measured {
                    0 => is_expected && before > 0,
                    _ => measured > own,
                };
                if is_starved || !adds {
                    continue;
                }
                own = measured;
                self.rungs[self.count] = Rung {
                    encoding,
                    sid,
                    tid,
                    bitrate: match is_expected {
                        // Those below may have grown since it was measured.
                        true => measured.max(before + before / 4),
                        false => measured.max(before + 1),
                    },
                };
                self.count += 1;
            }
        }
    }

    /// What is to be aimed at for a rung: where no rung is between, all that there may be.
    pub fn up_to(&self, rung: usize) -> Layer {
        let Some(own) = self.rungs().get(rung) else {
            return Layer::TOP;
        };
        let mut layer = own.layer();
        let next = self.rungs().get(rung + 1);
        let next = next.filter(|next| next.encoding == own.encoding);
        if next.is_none_or(|next| next.sid != own.sid) {
            layer.tid = u8::MAX;
        }
        if next.is_none() {
            layer.sid = u8::MAX;
        }
        layer
    }

    /// The best rung that a layer allows; the lowest if it allows none.
    pub fn place_of(&self, layer: Layer) -> Option<usize> {
        let allowed = self.rungs().iter().rposition(|rung| rung.layer() <= layer);
        allowed.or((self.count > 0).then_some(0))
    }

    /// The rungs, lowest first.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs[..self.count]
    }
}

/// What a track brings of each layer.
#[derive(Debug, Clone)]
pub struct LayerMeter {
    since: Instant,
    bytes: [[u32; MAX_LAYERS]; MAX_LAYERS],
    /// bit/s of each spatial and temporal layer by itself.
    rates: [[u32; MAX_LAYERS]; MAX_LAYERS],
    size: Option<(u16, u16)>,
    hold: Hold,
    /// What it comes to while its publisher is not told to send less, bit/s.
    natural: u64,
    /// The publisher was told to send no more, bit/s.
    bound: Option<u64>,
    /// It was told so much less just now that nothing is known of what comes.
    settles: bool,
}

/// Whether what was measured is to be remembered, while nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    No,
    /// The publisher was told to pause it.
    Paused,
    /// It was told to go on: measured from the first packet that comes.
    Resumed,
}

impl LayerMeter {
    /// Nothing was counted yet.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: Default::default(),
            rates: Default::default(),
            size: None,
            hold: Hold::No,
            natural: 0,
            bound: None,
            settles: false,
        }
    }

    /// The publisher was told how much of it can be made use of: what exceeds that is taken to be
    /// over, until what comes is measured.
    pub fn set_bound(&mut self, now: Instant, bound: Option<u64>) {
        self.bound = bound;
        let total = self.total();
        self.settles |= bound.is_some_and(|bound| total > bound.saturating_add(bound / 5));
        let Some(bound) = bound.filter(|bound| *bound < total) else {
            return;
        };
        for rate in self.rates.iter_mut().flatten() {
            *rate = u32::try_from(u64::from(*rate) * bound / total).unwrap_or(*rate);
        }
        self.since = now;
        self.bytes = Default::default();
    }

    /// What the publisher was told that can be made use of, if it was told to send less than it
    /// would, bit/s.
    pub fn bound(&self) -> Option<u64> {
        self.bound
    }

    /// It costs much less than it did, if its publisher does as it was told: not known yet.
    pub fn settles(&self) -> bool {
        self.settles
    }

    /// bit/s of all its layers while its publisher is not told to send less; 0 if that is not known.
    pub fn natural(&self) -> u64 {
        self.natural
    }

    /// The publisher was told to pause it: what was measured is remembered.
    pub fn pause(&mut self) {
        self.hold = Hold::Paused;
    }

    /// The publisher was told to go on.
    pub fn resume(&mut self) {
        if self.hold == Hold::Paused {
            self.hold = Hold::Resumed;
        }
    }

    /// It is not expected any more: the publisher has its own reasons not to send it.
    pub fn give_up(&mut self) {
        self.hold = Hold::No;
    }

    /// Nothing may come of it just now, but it can be had.
    pub fn is_expected(&self) -> bool {
        self.hold != Hold::No
    }

    /// A packet of a layer came.
    #[inline]
    pub fn add(&mut self, now: Instant, sid: u8, tid: u8, len: usize) {
        match self.hold {
            Hold::No => {}
            // It was on its way.
            Hold::Paused => return,
            Hold::Resumed => {
                self.hold = Hold::No;
                self.since = now;
                self.bytes = Default::default();
            }
        }
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            self.turn(now, elapsed);
        }
        let bytes = &mut self.bytes[layer_index(sid)][layer_index(tid)];
        *bytes = bytes.saturating_add(len as u32);
    }

    fn turn(&mut self, now: Instant, elapsed: Duration) {
        let ms = elapsed.as_millis().max(1) as u64;
        let rates = self.rates.iter_mut().flatten();
        for (rate, bytes) in rates.zip(self.bytes.iter_mut().flatten()) {
            let measured = u64::from(std::mem::take(bytes)) * 8_000 / ms;
            let measured = u32::try_from(measured).unwrap_or(u32::MAX);
            *rate = if *rate == 0 || measured == 0 {
                measured
            } else {
                *rate / 2 + measured / 2
            };
        }
        self.since = now;
        self.settles = false;
        let total = self.total();
        self.natural = match self.bound {
            // What it was once is forgotten slowly: it may just have been told that it may grow.
            None => total.max(self.natural - self.natural / FORGETS),
            Some(_) => total.max(self.natural),
        };
    }

    /// A keyframe said how large it is.
    pub fn set_size(&mut self, size: (u16, u16)) {
        self.size = Some(size);
    }

    /// The highest spatial and temporal layer that came lately.
    pub fn highest(&self) -> (u8, u8) {
        let mut highest = (0, 0);
        for sid in 0..MAX_LAYERS {
            for tid in 0..MAX_LAYERS {
                if self.bytes[sid][tid] > 0 || self.rates[sid][tid] > 0 {
                    highest.0 = highest.0.max(sid as u8);
                    highest.1 = highest.1.max(tid as u8);
                }
            }
        }
        highest
    }

    /// bit/s of all layers up to these.
    pub fn bitrate(&self, sid: u8, tid: u8) -> u64 {
        let of_layer = |row: &[u32; MAX_LAYERS]| -> u64 {
            row.iter()
                .take(layer_index(tid) + 1)
                .map(|rate| u64::from(*rate))
                .sum()
        };
        self.rates
            .iter()
            .take(layer_index(sid) + 1)
            .map(of_layer)
            .sum()
    }

    /// bit/s of all its layers.
    pub fn total(&self) -> u64 {
        self.bitrate(u8::MAX, u8::MAX)
    }

    /// Width and height of the last keyframe, of its highest layer.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.size
    }

    /// Width and height of a spatial layer: each is half of the next, as all modes of browsers
    /// but those of 3:2 have it.
    pub fn size_of(&self, sid: u8) -> Option<(u16, u16)> {
        let (width, height) = self.size?;
        let steps = u32::from(self.highest().0.saturating_sub(sid));
        Some((width >> steps, height >> steps))
    }
}

fn layer_index(layer: u8) -> usize {
    usize::from(layer).min(MAX_LAYERS - 1)
}

/// How a receiver shows the pictures of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// It asked for `video-low`.
    pub low: bool,
    /// Width and height in pixels of the screen, nothing when it is hidden. `None` if it did not
    /// say.
    pub window: Option<(u16, u16)>,
    /// It is shown larger than others, or pinned.
    pub priority: bool,
}

impl View {
    /// Pictures of this size need not be enlarged, or hardly. A picture may be shown turned, so
    /// the longer sides are compared with each other.
    pub fn is_covered_by(&self, size: (u16, u16)) -> bool {
        let Some((width, height)) = self.window else {
            return false;
        };
        let (width, height) = (u32::from(width), u32::from(height));
        let (own_width, own_height) = (u32::from(size.0), u32::from(size.1));
        // One side that fits is enough: the other has margins.
        let fits =
            |width: u32, height: u32| own_width * 10 >= width * 9 || own_height * 10 >= height * 9;
        fits(width, height) && fits(height, width)
    }
}
