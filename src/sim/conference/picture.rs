//! A decoder of VP8: puts frames together, finds out by what they say of themselves which can be
//! decoded, and shows them in time.
//!
//! It goes by what libwebrtc goes by: picture ids, TL0PICIDX and layers. Whether the frames that
//! a decoded one refers to were really there is asked of its mark, and counted.

use super::mark::{Mark, NONE, Picture};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Packets that are kept at the most, and frames.
const MAX_PACKETS: usize = 2_048;
const MAX_FRAMES: usize = 300;
/// µs that a frame waits for its moment at the most.
const MAX_DELAY: i64 = 1_000_000;
const MIN_DELAY: i64 = 10_000;

/// One packet of a frame.
#[derive(Debug, Clone, Copy)]
struct Piece {
    timestamp: i64,
    picture: Picture,
    mark: Mark,
    end: bool,
}

/// A frame of which every packet is there.
#[derive(Debug, Clone, Copy)]
struct Frame {
    timestamp: i64,
    first: u64,
    picture: Picture,
    mark: Mark,
    /// TL0PICIDX in full.
    tl0: i64,
}

/// The last decoded frame.
#[derive(Debug, Clone)]
struct Decoded {
    /// The number of its first packet.
    first: u64,
    id: i64,
    timestamp: i64,
    tl0: i64,
    /// Ids since the last frame of layer 0, itself included.
    ids: BTreeSet<i64>,
}

/// A frame that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// When, in µs since the beginning of the world.
    pub at: i64,
    /// From its capture, µs.
    pub delay: i64,
    /// Lines.
    pub height: u16,
}

/// What became of frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Figures {
    pub(super) shown: Vec<Shown>,
    /// Decoded though something that they refer to was missing: the server misled the decoder.
    pub(super) broken: u64,
    /// Passed over: never complete, or not decodable.
    pub(super) dropped: u64,
    /// Frames whose timestamp lies before that of the last.
    pub(super) backward: u64,
}

/// What a decoded frame was, for the measure of lip-sync.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) timestamp: i64,
    /// µs
    pub(super) captured: i64,
}

/// Decodes one track. All times in µs, timestamps in full, in µs as well.
#[derive(Default)]
pub(super) struct Decoder {
    pieces: BTreeMap<u64, Piece>,
    frames: BTreeMap<i64, Frame>,
    last: Option<Decoded>,
    near_id: Option<i64>,
    near_tl0: Option<i64>,
    /// The least arrival less timestamp.
    base: Option<i64>,
    delay: i64,
    /// Truly decoded: encoding and frame.
    truth: BTreeSet<(u8, u32)>,
    order: VecDeque<(u8, u32)>,
    pub(super) figures: Figures,
}

/// The number nearest to `near` that is `value` modulo 2 to the `bits`.
fn extend(value: i64, near: Option<i64>, bits: u32) -> i64 {
    let Some(near) = near else { return value };
    let size = 1_i64 << bits;
    let distance = (value - near).rem_euclid(size);
    near + if distance >= size / 2 {
        distance - size
    } else {
        distance
    }
}

impl Decoder {
    /// A packet arrived.
    pub(super) fn receive(
        &mut self,
        now: i64,
        number: u64,
        timestamp: i64,
        end: bool,
        (picture, mark): (Picture, Mark),
    ) {
        self.pieces.insert(
            number,
            Piece {
                timestamp,
                picture,
                mark,
                end,
            },
        );
        if self.pieces.len() > MAX_PACKETS {
            self.pieces.pop_first();
        }
        let Some((first, last)) = self.complete(number, timestamp) else {
            return;
        };
        let Some(piece) = self.pieces.get(&first).copied() else {
            return;
        };
        for number in first..=last {
            self.pieces.remove(&number);
        }
        let id = extend(i64::from(piece.picture.id), self.near_id, 15);
        self.near_id = Some(id);
        if self.last.as_ref().is_some_and(|last| id <= last.id) {
            // It was shown without.
            self.figures.dropped += 1;
            return;
        }
        let tl0 = piece.picture.layer.map_or(0, |(tl0, ..)| {
            let tl0 = extend(i64::from(tl0), self.near_tl0, 8);
            self.near_tl0 = Some(tl0);
            tl0
        });
        self.time(now, piece.timestamp);
        self.frames.insert(
            id,
            Frame {
                timestamp: piece.timestamp,
                first,
                picture: piece.picture,
                mark: piece.mark,
                tl0,
            },
        );
        if self.frames.len() > MAX_FRAMES {
            self.frames.pop_first();
            self.figures.dropped += 1;
        }
    }

    /// The first and the last packet of the frame around this one, if all are there.
    fn complete(&self, number: u64, timestamp: i64) -> Option<(u64, u64)> {
        let mut first = number;
        while !self.pieces.get(&first)?.picture.start {
            first = first.checked_sub(1)?;
            if self.pieces.get(&first)?.timestamp != timestamp {
                return None;
            }
        }
        let mut last = number;
        while !self.pieces.get(&last)?.end {
            last += 1;
            if self.pieces.get(&last)?.timestamp != timestamp {
                return None;
            }
        }
        Some((first, last))
    }

    /// Learns how long frames are to wait, so that later ones are in time.
    fn time(&mut self, now: i64, timestamp: i64) {
        let transit = now - timestamp;
        let base = self.base.get_or_insert(transit);
        if transit < *base {
            *base = transit;
        } else {
            *base += (transit - *base) / 1_000;
        }
        let late = transit - *base;
        if late > self.delay {
            self.delay += (late - self.delay) / 4;
        } else {
            self.delay -= (self.delay - late) / 200;
        }
        self.delay = self.delay.clamp(MIN_DELAY, MAX_DELAY);
    }

    fn moment(&self, timestamp: i64) -> i64 {
        timestamp + self.base.unwrap_or(0) + self.delay
    }

    fn is_decodable(&self, id: i64, frame: &Frame) -> bool {
        if frame.picture.keyframe {
            return true;
        }
        let Some(last) = &self.last else {
            return false;
        };
        match frame.picture.layer {
            None => id == last.id + 1,
            Some((_, 0, _)) => frame.tl0 == last.tl0 + 1,
            Some((_, _, true)) => frame.tl0 == last.tl0,
            Some(_) => {
                let first = last.ids.first().copied().unwrap_or(id);
                frame.tl0 == last.tl0 && (first..id).all(|other| last.ids.contains(&other))
            }
        }
    }

    /// The next frame that can be decoded, and when it is to be shown.
    fn next(&self) -> Option<(i64, i64)> {
        self.frames
            .iter()
            .find(|(id, frame)| self.is_decodable(**id, frame))
            .map(|(id, frame)| (*id, self.moment(frame.timestamp)))
    }

    /// Shows what is due. What was shown last.
    pub(super) fn show(&mut self, now: i64) -> Option<Moment> {
        let mut moment = None;
        while let Some((id, at)) = self.next()
            && at <= now
        {
            let frame = self.frames.remove(&id)?;
            let later = self.frames.split_off(&id);
            self.figures.dropped += self.frames.len() as u64;
            self.frames = later;
            self.pieces = self.pieces.split_off(&frame.first);
            moment = Some(self.decode(now, id, &frame));
        }
        moment
    }

    fn decode(&mut self, now: i64, id: i64, frame: &Frame) -> Moment {
        let Mark {
            encoding,
            frame: number,
            refs,
            ..
        } = frame.mark;
        let mut others = refs.iter().filter(|other| **other != NONE);
        let whole = others.all(|other| self.truth.contains(&(encoding, *other)));
        if frame.mark.keyframe || whole {
            self.truth.insert((encoding, number));
            self.order.push_back((encoding, number));
            if self.order.len() > 64
                && let Some(old) = self.order.pop_front()
            {
                self.truth.remove(&old);
            }
        } else {
            self.figures.broken += 1;
        }
        if self
            .last
            .as_ref()
            .is_some_and(|last| frame.timestamp <= last.timestamp)
        {
            self.figures.backward += 1;
        }
        let ids = match (&mut self.last, frame.picture.layer) {
            (Some(last), Some((_, tid, _))) if tid > 0 => {
                let mut ids = std::mem::take(&mut last.ids);
                ids.insert(id);
                ids
            }
            _ => BTreeSet::from([id]),
        };
        self.last = Some(Decoded {
            first: frame.first,
            id,
            timestamp: frame.timestamp,
            tl0: frame.tl0,
            ids,
        });
        let captured = frame.mark.captured.as_micros() as i64;
        self.figures.shown.push(Shown {
            at: now,
            delay: now - captured,
            height: frame.mark.height,
        });
        Moment {
            timestamp: frame.timestamp,
            captured,
        }
    }

    /// Nothing was decoded yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.last.is_none()
    }

    /// Packets before this are of no use any more.
    pub(super) fn floor(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.first)
    }

    /// When [`Self::show`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<i64> {
        self.next().map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Kind;
    use std::time::Duration;

    /// A packet that is a frame: its id, TL0PICIDX, layer, switching point and true references.
    fn frame(
        at: u32,
        tl0: u8,
        tid: u8,
        upsync: bool,
        refs: [u32; 2],
    ) -> (u64, i64, (Picture, Mark)) {
        let keyframe = refs == [NONE; 2];
        let captured = Duration::from_millis(u64::from(at) * 33);
        let picture = Picture {
            start: true,
            keyframe,
            discardable: false,
            id: (at as u16).wrapping_add(0x7ffe) & 0x7fff,
            layer: Some((tl0, tid, upsync)),
            size: None,
        };
        let mark = Mark {
            kind: Kind::Video,
            encoding: 0,
            index: at,
            frame: at,
            refs,
            captured,
            height: 180,
            keyframe,
        };
        (u64::from(at), captured.as_micros() as i64, (picture, mark))
    }

    fn pattern() -> Vec<(u64, i64, (Picture, Mark))> {
        vec![
            frame(0, 255, 0, false, [NONE; 2]),
            frame(1, 255, 2, true, [0, NONE]),
            frame(2, 255, 1, true, [0, NONE]),
            frame(3, 255, 2, false, [0, 2]),
            frame(4, 0, 0, false, [0, NONE]),
            frame(5, 0, 2, true, [4, NONE]),
        ]
    }

    fn shown(lost: &[u64]) -> (usize, u64) {
        let mut decoder = Decoder::default();
        for (number, timestamp, frame) in pattern() {
            if !lost.contains(&number) {
                decoder.receive(timestamp + 5_000, number, timestamp, true, frame);
            }
            decoder.show(timestamp + 30_000);
        }
        (decoder.figures.shown.len(), decoder.figures.broken)
    }

    #[test]
    fn what_a_frame_needs_decides_whether_it_is_shown() {
        assert_eq!(shown(&[]), (6, 0));
        assert_eq!(shown(&[1]), (4, 0), "3 cannot know that 1 does not matter");
        assert_eq!(shown(&[2]), (4, 0));
        assert_eq!(shown(&[4]), (4, 0), "without the lowest layer nothing");
        assert_eq!(shown(&[0]), (0, 0));
    }

    #[test]
    fn a_decoder_that_is_told_wrong_numbers_shows_broken_frames() {
        let mut decoder = Decoder::default();
        for (number, timestamp, (mut picture, mark)) in pattern() {
            if number == 4 {
                continue;
            }
            if number > 4 {
                picture.layer = Some((255, 2, true));
            }
            decoder.receive(timestamp, number, timestamp, true, (picture, mark));
            decoder.show(timestamp + 30_000);
        }
        assert_eq!(decoder.figures.broken, 1);
    }
}
