//! An encoder of VP8 that keeps to a rate: how large each frame is, and what it refers to.

use super::mark::NONE;
use crate::sim::random::Random;
use std::time::{Duration, Instant};

/// A keyframe asked for sooner after the last is not made.
const MIN_KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);
/// Frames a second of the camera.
pub(super) const FRAME_RATE: u64 = 30;
/// The most bytes that one frame is pressed into, and the fewest.
const MIN_FRAME: u64 = 120;
/// What an encoding that rests spends at most, bit/s.
const RESTING_RATE: u64 = 30_000;

/// One quality of the source, in bit/s. An encoder switches it off below `min`, and gives it no
/// more than `target` while higher ones have less than theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingConfig {
    /// Its rid; empty without simulcast.
    pub rid: &'static str,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// bit/s
    pub min: u64,
    /// bit/s
    pub target: u64,
    /// bit/s
    pub max: u64,
}

const fn encoding(rid: &'static str, height: u16, rates: [u64; 3]) -> EncodingConfig {
    EncodingConfig {
        rid,
        width: height / 9 * 16,
        height,
        min: rates[0] * 1_000,
        target: rates[1] * 1_000,
        max: rates[2] * 1_000,
    }
}

/// One encoding of any size.
pub const SINGLE: &[EncodingConfig] = &[encoding("", 720, [50, 2_500, 2_500])];
/// Two, a quarter apart.
pub const SIMULCAST2: &[EncodingConfig] = &[
    encoding("l", 180, [30, 150, 200]),
    encoding("h", 720, [600, 2_500, 2_500]),
];
/// Three, as browsers make of 720 lines.
pub const SIMULCAST3: &[EncodingConfig] = &[
    encoding("l", 180, [30, 150, 200]),
    encoding("m", 360, [150, 500, 700]),
    encoding("h", 720, [600, 2_500, 2_500]),
];

/// One frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) number: u32,
    pub(super) refs: [u32; 2],
    pub(super) bytes: usize,
    pub(super) keyframe: bool,
    pub(super) picture_id: u16,
    /// TL0PICIDX, layer, switching point.
    pub(super) layer: Option<(u8, u8, bool)>,
    pub(super) discardable: bool,
    pub(super) size: (u16, u16),
}

/// One encoding under way.
pub(super) struct Encoder {
    pub(super) config: EncodingConfig,
    /// As it is while the server does not say that less is enough.
    unbound: EncodingConfig,
    temporal: bool,
    /// It may choose the size of its pictures.
    scales: bool,
    /// bit/s; 0 while it is off.
    rate: u64,
    size: (u16, u16),
    size_since: Option<Instant>,
    number: u32,
    picture_id: u16,
    tl0: u8,
    /// Position in the pattern of four frames.
    position: u8,
    /// The last frame of each layer.
    last: [u32; 2],
    /// Bytes spent beyond the rate.
    debt: i64,
    keyframe_wanted: bool,
    last_keyframe: Option<Instant>,
    /// It sends a frame a second; when it sent the last.
    rests: Option<Instant>,
    pub(super) keyframes: u64,
}

impl Encoder {
    pub(super) fn new(
        config: EncodingConfig,
        temporal: bool,
        scales: bool,
        random: &mut Random,
    ) -> Self {
        Self {
            config,
            unbound: config,
            temporal,
            scales,
            rate: 0,
            size: (config.width, config.height),
            size_since: None,
            number: 0,
            picture_id: random.below(1 << 15) as u16,
            tl0: random.next() as u8,
            position: 0,
            last: [NONE; 2],
            debt: 0,
            keyframe_wanted: true,
            last_keyframe: None,
            rests: None,
            keyframes: 0,
        }
    }

    pub(super) fn rate(&self) -> u64 {
        match self.rests {
            Some(_) => self.rate.min(RESTING_RATE),
            None => self.rate,
        }
    }

    /// From now on it sends a frame a second, or all again.
    pub(super) fn rest(&mut self, now: Instant, rests: bool) {
        self.rests = rests.then(|| self.rests.unwrap_or(now));
    }

    /// More than this is of no use, bit/s.
    pub(super) fn bound(&mut self, bound: Option<u64>) {
        let most = bound.unwrap_or(u64::MAX);
        self.config.min = self.unbound.min.min(most);
        self.config.target = self.unbound.target.min(most);
        self.config.max = self.unbound.max.min(most);
    }

    /// What it is to spend. An encoding that was off begins with a keyframe.
    pub(super) fn set_rate(&mut self, rate: u64) {
        if self.rate == 0 && rate > 0 {
            self.keyframe_wanted = true;
            self.debt = 0;
        }
        self.rate = rate;
    }

    pub(super) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// The size that looks best at the rate; another takes a keyframe, so not too often.
    fn choose_size(&mut self, now: Instant) {
        if !self.scales {
            return;
        }
        // (lines, from this rate on, down to this rate)
        const SIZES: [(u16, u64, u64); 3] = [
            (720, 700_000, 500_000),
            (360, 250_000, 150_000),
            (180, 0, 0),
        ];
        let wanted = SIZES.iter().find(|(height, up, down)| {
            self.rate >= if *height >= self.size.1 { *up } else { *down }
                || (*height == self.size.1 && self.rate >= *down)
        });
        let height = wanted.map_or(180, |(height, _, _)| *height);
        let settled = self
            .size_since
            .is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(2));
        if height != self.size.1 && settled {
            self.size = (height / 9 * 16, height);
            self.size_since = Some(now);
            self.keyframe_wanted = true;
        }
    }

    /// The frame of this moment, if it is on.
    pub(super) fn encode(&mut self, now: Instant, random: &mut Random) -> Option<Frame> {
        // Drawn whether it is on or not: one encoding's rate decides nothing of another.
        let noise = random.below(401);
        let key_noise = random.below(5);
        if self.rate == 0 {
            return None;
        }
        if let Some(last) = &mut self.rests {
            if now.saturating_duration_since(*last) < Duration::from_secs(1) {
                return None;
            }
            *last = now;
        }
        let usual = match self.rests {
            Some(_) => self.rate() / 8,
            None => self.rate / 8 / FRAME_RATE,
        };
        self.choose_size(now);
        let old = self
            .last_keyframe
            .is_none_or(|last| now.saturating_duration_since(last) >= MIN_KEYFRAME_INTERVAL);
        let keyframe = self.last_keyframe.is_none() || (self.keyframe_wanted && old);
        if keyframe {
            self.position = 0;
            self.keyframe_wanted = false;
            self.last_keyframe = Some(now);
            self.keyframes += 1;
        } else if self.debt > usual as i64 * 20 {
            // It leaves the frame out rather than exceed its rate for long.
            self.debt -= usual as i64;
            return None;
        }
        let position = self.position;
        self.position = (position + 1) % 4;
        let tid = match (self.temporal, position) {
            (false, _) | (true, 0) => 0,
            (true, 2) => 1,
            (true, _) => 2,
        };
        let wished = if keyframe {
            usual * (8 + key_noise)
        } else {
            // The four frames of a pattern take 40, 20, 20 and 20 % of it.
            let share = match (self.temporal, tid) {
                (false, _) => 100,
                (true, 0) => 160,
                (true, _) => 80,
            };
            // It pays its debts over about half a second.
            let repay = (self.debt.max(0) as u64 / 15).min(usual / 2);
            (usual * share / 100 * (800 + noise) / 1_000).saturating_sub(repay * share / 100)
        };
        let bytes = wished.max(MIN_FRAME);
        self.debt = (self.debt + bytes as i64 - usual as i64).max(-(usual as i64) * 5);
        Some(self.frame(keyframe, tid, position, bytes as usize))
    }

    fn frame(&mut self, keyframe: bool, tid: u8, position: u8, bytes: usize) -> Frame {
        let number = self.number;
        self.number += 1;
        let picture_id = self.picture_id;
        self.picture_id = (picture_id + 1) & 0x7fff;
        if tid == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let [base, middle] = self.last;
        let refs = match (keyframe, tid, position) {
            (true, ..) => [NONE; 2],
            (false, 2, 3) => [base, middle],
            _ => [base, NONE],
        };
        if tid == 0 {
            self.last = [number, NONE];
        } else if tid == 1 {
            self.last[1] = number;
        }
        Frame {
            number,
            refs,
            bytes,
            keyframe,
            picture_id,
            layer: self
                .temporal
                .then_some((self.tl0, tid, tid > 0 && position != 3)),
            discardable: tid == 2,
            size: self.size,
        }
    }
}

/// Shares a rate among encodings, lowest first: each gets its target before the next begins, and
/// what is left goes to the highest that is on. `wanted` are those that someone watches.
pub(super) fn allocate(encoders: &mut [Encoder], rate: u64, wanted: &[bool]) {
    let mut left = rate;
    let mut rates = [0_u64; 8];
    let mut highest = None;
    for (at, encoder) in encoders.iter().enumerate().take(rates.len()) {
        let config = encoder.config;
        if !wanted.get(at).copied().unwrap_or(true) {
            continue;
        }
        // One that is on stays on a little below its minimum.
        let min = if encoder.rate > 0 {
            config.min * 9 / 10
        } else {
            config.min
        };
        if highest.is_some() && left < min {
            break;
        }
        rates[at] = left.max(config.min).min(config.target);
        left = left.saturating_sub(rates[at]);
        highest = Some(at);
    }
    if let Some(at) = highest {
        rates[at] = (rates[at] + left).min(encoders[at].config.max);
    }
    for (encoder, rate) in encoders.iter_mut().zip(rates) {
        encoder.set_rate(rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoders(configs: &[EncodingConfig]) -> Vec<Encoder> {
        let mut random = Random::new(1);
        configs
            .iter()
            .map(|config| Encoder::new(*config, true, false, &mut random))
            .collect()
    }

    #[test]
    fn a_rate_is_shared_from_the_lowest_up() {
        let mut three = encoders(SIMULCAST3);
        let mut of = |rate| {
            allocate(&mut three, rate, &[]);
            three.iter().map(Encoder::rate).collect::<Vec<_>>()
        };
        assert_eq!(of(20_000), [30_000, 0, 0]);
        assert_eq!(of(250_000), [200_000, 0, 0]);
        assert_eq!(of(400_000), [150_000, 250_000, 0]);
        assert_eq!(of(1_200_000), [150_000, 700_000, 0]);
        assert_eq!(of(1_260_000), [150_000, 500_000, 610_000]);
        assert_eq!(of(9_000_000), [150_000, 500_000, 2_500_000]);
    }

    #[test]
    fn an_encoder_keeps_to_its_rate_and_refers_to_what_it_made() {
        let mut random = Random::new(2);
        let mut encoder = Encoder::new(SIMULCAST3[1], true, false, &mut random);
        encoder.set_rate(500_000);
        let begin = Instant::now();
        let mut bytes = 0;
        let mut frames = 0;
        for at in 0..600_u32 {
            let now = begin + Duration::from_secs(1) * at / 30;
            if at == 300 {
                encoder.want_keyframe();
            }
            let Some(frame) = encoder.encode(now, &mut random) else {
                continue;
            };
            frames += 1;
            bytes += frame.bytes;
            assert_eq!(frame.keyframe, frame.number == 0 || at == 300);
            let old = frame.refs.iter().filter(|other| **other != NONE);
            assert!(old.clone().all(|other| *other < frame.number));
            assert_eq!(old.count() == 0, frame.keyframe);
        }
        let rate = bytes * 8 / 20;
        assert!((450_000..550_000).contains(&rate), "{rate}");
        assert!(frames > 590, "{frames}");
    }
}
