//! What a receiver could make use of if its publisher made it so: between the encodings that a
//! publisher makes there is nothing, but each can be had for less.

use super::DownTrack;
use crate::media::Kind;
use crate::media::layer::{Ladder, LayerMeter};
use crate::media::up::UpTrack;

/// An encoding is not to be pressed below this part of what it comes to by itself …
const LEAST: u64 = 5;
/// … nor below so much of what the next smaller one comes to, in parts of ten.
const ABOVE_NEXT: u64 = 11;
/// … nor below so many bit/s for ten of its pixels: libwebrtc sends none of VP8 for less.
const OF_TEN_PIXELS: u64 = 6;
/// What is pressed goes on being so below that, in parts of twenty.
const LOYALTY: u64 = 17;
/// Who has so much more room than an encoding comes to, in parts of four, is no reason to bound it.
const AMPLE: u64 = 5;
/// A publisher that sends so many times what it was told does not do as it is told, in parts of four.
const OBEYS: u64 = 5;
/// Who has so much of the room by which an encoding is bounded decides of it, in parts of twenty.
const OWN: u64 = 18;

/// Of an encoding, all that there is can be made use of.
pub const ALL: u64 = u64::MAX;

impl DownTrack {
    /// The receiver's path leaves so much for it, bit/s; `None` if it is not known to be limited.
    pub fn set_room(&mut self, room: Option<u64>) {
        self.room = room;
    }

    /// What the best of what the receiver has use for comes to while nothing bounds it, bit/s.
    pub fn natural(&self, tracks: &[UpTrack]) -> u64 {
        let top = usize::from(self.useful(tracks).encoding);
        let useful = 0..self.encodings.len().min(top + 1);
        let natural = useful.map(|rank| self.natural_of(rank, tracks));
        natural.max().unwrap_or(0)
    }

    fn natural_of(&self, rank: usize, tracks: &[UpTrack]) -> u64 {
        self.layers(rank, tracks).map_or(0, LayerMeter::natural)
    }

    /// The publisher makes an encoding as large as this receiver has room, and does as it is told: so
    /// it fits whatever becomes of the room.
    pub(super) fn is_elastic(&self, encoding: usize, meter: &LayerMeter) -> bool {
        let (Some((fitted, room)), Some(bound)) = (self.fitted, meter.bound()) else {
            return false;
        };
        let obeys = meter.total() <= bound / 4 * OBEYS;
        usize::from(fitted) == encoding && room >= bound / 20 * OWN && obeys
    }

    /// The rung of its ladder that is [elastic](Self::is_elastic), and the least that it can be
    /// pressed to, bit/s.
    pub fn elastic(&self, ladder: &Ladder, tracks: &[UpTrack]) -> Option<(usize, u64)> {
        let (Some((fitted, _)), Some(_)) = (self.fitted, self.room) else {
            return None;
        };
        let rank = usize::from(fitted);
        let layers = self.layers(rank, tracks)?;
        let mut rungs = ladder.rungs().iter();
        let rung = rungs.rposition(|rung| rung.encoding == fitted)?;
        let is_elastic = self.is_elastic(rank, layers);
        is_elastic.then(|| (rung, self.least(rank, tracks)))
    }

    pub(super) fn layers<'a>(&self, rank: usize, tracks: &'a [UpTrack]) -> Option<&'a LayerMeter> {
        let at = self.encodings.get(rank)?;
        Some(tracks.get(usize::from(*at))?.layers())
    }

    /// An encoding is not worth having for less, bit/s.
    fn least(&self, rank: usize, tracks: &[UpTrack]) -> u64 {
        let natural = |rank| self.natural_of(rank, tracks);
        let below = (0..rank).rev().map(natural).find(|rate| *rate > 0);
        let least = below.map_or(0, |below| {
            let size = self.layers(rank, tracks).and_then(LayerMeter::size);
            let pixels = size.map_or(0, |(width, height)| u64::from(width) * u64::from(height));
            let least = pixels / 10 * OF_TEN_PIXELS;
            least
                .max(below / 10 * ABOVE_NEXT)
                .max(natural(rank) / LEAST)
        });
        match self.fitted {
            Some((fitted, _)) if usize::from(fitted) == rank => least / 20 * LOYALTY,
            _ => least,
        }
    }

    /// Which of the publisher's tracks suits the receiver best, and for how many bit/s at the most:
    /// [`ALL`] if it need not be told.
    pub fn fit(&mut self, tracks: &[UpTrack]) -> Option<(u16, u64)> {
        let last = self.encodings.len().checked_sub(1)?;
        if self.codec.kind() == Kind::Audio || self.withheld {
            return None;
        }
        let top = last.min(usize::from(self.useful(tracks).encoding));
        let Some(room) = self.room else {
            self.fitted = None;
            return self.encodings.get(top).map(|at| (*at, ALL));
        };
        let natural = |rank| self.natural_of(rank, tracks);
        let suits = |rank: &usize| natural(*rank) > 0 && room >= self.least(*rank, tracks);
        let rank = (0..=top).rev().find(suits)?;
        let ample = match self.layers(rank, tracks)?.bound() {
            Some(_) => natural(rank) / 4 * AMPLE,
            None => natural(rank),
        };
        self.fitted = Some((rank as u8, room));
        let is_smallest = rank == 0 && last > 0;
        let bitrate = if is_smallest || (rank == top && room >= ample) {
            ALL
        } else {
            room
        };
        self.encodings.get(rank).map(|at| (*at, bitrate))
    }
}
