//! Which frames a decoder could show, by the packets that arrived.

use super::payload::Mark;
use std::collections::BTreeMap;
use std::time::Duration;

/// Packets that wait for others at the most.
const MAX_WAITING: usize = 2_048;

/// What of a packet matters.
#[derive(Debug, Clone, Copy)]
struct Piece {
    frame: u64,
    start: bool,
    end: bool,
    keyframe: bool,
}

/// What became of frames since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Decoded {
    pub(super) frames: u64,
    pub(super) keyframes: u64,
    pub(super) skipped: u64,
}

/// A decoder that never shows a frame of which, or of whose predecessors since the last keyframe,
/// a packet is missing.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pieces: BTreeMap<u64, Piece>,
    /// The number of the next frame's first packet; `None` while a keyframe is waited for.
    next: Option<u64>,
    last_frame: Option<u64>,
}

impl Decoder {
    /// A packet arrived.
    pub(super) fn receive(&mut self, seqno: u64, mark: &Mark, end: bool) {
        if self.next.is_some_and(|next| seqno < next) {
            return;
        }
        let piece = Piece {
            frame: mark.frame,
            start: mark.start,
            end,
            keyframe: mark.keyframe,
        };
        self.pieces.insert(seqno, piece);
        if self.pieces.len() > MAX_WAITING {
            self.pieces.pop_first();
        }
    }

    /// A packet will never come.
    pub(super) fn give_up(&mut self, seqno: u64) {
        if self.next.is_some_and(|next| seqno >= next) {
            self.next = None;
        }
    }

    /// It waits for a keyframe, though packets have come.
    pub(super) fn needs_keyframe(&self) -> bool {
        self.next.is_none()
    }

    /// Decodes all it can.
    pub(super) fn decode(&mut self) -> Decoded {
        let mut decoded = Decoded::default();
        loop {
            let next = self
                .next
                .and_then(|next| Some((next, self.end_of(next)?)))
                // A later keyframe is shown rather than nothing.
                .or_else(|| self.complete_keyframe());
            let Some((first, last)) = next else {
                return decoded;
            };
            let Some(piece) = self.pieces.get(&first).copied() else {
                return decoded;
            };
            decoded.frames += 1;
            decoded.keyframes += u64::from(piece.keyframe);
            let follows = self.last_frame.map_or(piece.frame, |frame| frame + 1);
            decoded.skipped += piece.frame.saturating_sub(follows);
            self.last_frame = Some(piece.frame);
            self.next = Some(last + 1);
            self.pieces = self.pieces.split_off(&(last + 1));
        }
    }

    fn complete_keyframe(&self) -> Option<(u64, u64)> {
        self.pieces
            .iter()
            .filter(|(_, piece)| piece.start && piece.keyframe)
            .find_map(|(first, _)| Some((*first, self.end_of(*first)?)))
    }

    /// The last packet of the frame that begins with `first`, if all of it is there.
    fn end_of(&self, first: u64) -> Option<u64> {
        if !self.pieces.get(&first)?.start {
            return None;
        }
        for (expected, (seqno, piece)) in (first..).zip(self.pieces.range(first..)) {
            if *seqno != expected || (piece.start && *seqno != first) {
                return None;
            }
            if piece.end {
                return Some(*seqno);
            }
        }
        None
    }
}

/// How even the pictures are that are shown.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) first: Option<Duration>,
    pub(super) last: Option<Duration>,
    pub(super) longest_freeze: Duration,
}

impl Screen {
    pub(super) fn show(&mut self, at: Duration) {
        if let Some(last) = self.last {
            self.longest_freeze = self.longest_freeze.max(at.saturating_sub(last));
        }
        self.first.get_or_insert(at);
        self.last = Some(at);
    }
}
