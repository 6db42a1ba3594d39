//! Which encoding and which layers a receiver is sent: what it asked for, how large it shows it,
//! what is to be spent on it, and what its publisher sends at all.

use super::{DownTrack, Layers};
use crate::media::Kind;
use crate::media::layer::{Ladder, Layer, Rung, View};
use crate::media::up::UpTrack;
use std::time::{Duration, Instant};

/// An encoding of which nothing came for so long, while something came of others, is not sent.
const QUIET: Duration = Duration::from_millis(600);
/// For a switching point to a higher temporal layer one waits so long before a keyframe is asked
/// for.
const SWITCHING_POINT: Duration = Duration::from_secs(2);

/// Of a path of which nothing has been heard for so long, nothing will be.
const CAREFUL: Duration = Duration::from_secs(2);

/// What costs so many times of what a path carries is not to be had soon. Nearer encodings are not
/// to be paused for a path: browsers give what is saved to those below, which it then may carry no
/// more.
const FAR: u64 = 8;

/// Which layers a receiver is sent, and which there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    /// Spatial layer, or encoding.
    pub sid: u8,
    /// The highest there is.
    pub max_sid: u8,
    /// Temporal layer.
    pub tid: u8,
    /// The highest there is.
    pub max_tid: u8,
}

/// What a receiver's path has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allotted {
    /// Nothing was decided yet.
    All,
    /// These layers and encodings, and those below.
    UpTo(Layer),
    /// It is paused.
    Nothing,
}

impl DownTrack {
    /// How the receiver shows it. Takes effect with the next [`Self::choose`].
    pub fn show(&mut self, view: View) {
        self.view = view;
    }

    /// How the receiver shows it.
    pub fn view(&self) -> View {
        self.view
    }

    /// The receiver is to get this at most. Takes effect with the next [`Self::choose`].
    pub fn aim(&mut self, rung: &Rung) {
        self.aim = rung.layer();
    }

    /// Sends nothing from now on, or does again from where it can begin. True if that is new.
    pub fn withhold(&mut self, withheld: bool) -> bool {
        let changes = self.withheld != withheld;
        self.withheld = withheld;
        if withheld {
            self.current = None;
        }
        changes
    }

    /// The group's limits leave it out.
    pub fn is_withheld(&self) -> bool {
        self.withheld
    }

    /// The receiver's path is to be spared what is above this rung of the [`Self::ladder`], or all
    /// of it. Nothing changes while nothing is known of what the publisher sends. Takes effect with
    /// the next [`Self::choose`]; the pictures after a pause begin with a keyframe.
    pub fn allot(&mut self, rung: Option<usize>, tracks: &[UpTrack]) {
        let ladder = self.ladder(tracks);
        if ladder.rungs().is_empty() {
            return;
        }
        self.careful_until = None;
        let Some(rung) = rung else {
            self.pause();
            return;
        };
        let aim = ladder.up_to(rung);
        self.changed |= self.paused || aim != self.aim;
        self.paused = false;
        self.aim = aim;
    }

    /// The receiver's path is to be spared all of it for now, whatever the publisher sends.
    pub fn pause(&mut self) {
        self.changed |= !self.paused;
        self.figures.pauses += u64::from(!self.paused);
        self.paused = true;
        self.current = None;
    }

    /// It goes on, by what was allotted before.
    pub fn resume(&mut self) {
        self.changed |= self.paused;
        self.paused = false;
    }

    /// What was to be sent is given up: it goes on with a keyframe.
    pub fn restart(&mut self) {
        self.current = None;
    }

    /// What was allotted.
    pub fn allotted(&self) -> Allotted {
        match self.aim {
            _ if self.paused => Allotted::Nothing,
            _ if self.careful_until.is_some() => Allotted::All,
            Layer::TOP => Allotted::All,
            layer => Allotted::UpTo(layer),
        }
    }

    /// True once after something else was allotted than before.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The receiver's path does not carry it.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The receiver may get all it asks for.
    pub(super) fn aim_at_top(&mut self) {
        self.aim = Layer::TOP;
        self.careful_until = None;
    }

    /// It is to begin with what costs `room` bit/s at the most, or the least there is, unless
    /// something was allotted; and may get all it asks for if nothing is for a while. Only where
    /// probes soon find that there is room for more. Takes effect with the next [`Self::choose`].
    pub fn begin_within(&mut self, now: Instant, room: u64, tracks: &[UpTrack]) {
        let ladder = self.ladder(tracks);
        let fits = ladder.rungs().iter().rposition(|rung| rung.bitrate <= room);
        let rung = fits.unwrap_or(0);
        let is_known = self.aim != Layer::TOP || rung + 1 >= ladder.rungs().len();
        if self.has_spare() && !is_known {
            self.aim = ladder.up_to(rung);
            self.careful_until = Some(now + CAREFUL);
        }
    }

    /// The encodings of its source, as far as known lowest first.
    pub fn encodings(&self) -> &[u16] {
        &self.encodings
    }

    /// The encoding that it waits for, while it sends another.
    pub fn awaited(&self) -> Option<u16> {
        self.wanted.filter(|_| self.wanted != self.current)
    }

    /// Whether it is to be given the packets of one of the publisher's tracks.
    pub fn stands_in(&self, up_track: u16) -> bool {
        self.current == Some(up_track) || self.awaits(up_track)
    }

    /// Whether a keyframe of this track is to be begun with.
    pub(super) fn awaits(&self, up_track: u16) -> bool {
        match self.current {
            Some(_) => self.wanted == Some(up_track),
            None if self.withheld => false,
            // Whatever comes first that is not too much.
            None if self.paused => false,
            None => {
                let rank = self.rank(up_track);
                rank.is_some() && rank <= self.wanted.and_then(|wanted| self.rank(wanted))
            }
        }
    }

    fn rank(&self, up_track: u16) -> Option<usize> {
        self.encodings.iter().position(|one| *one == up_track)
    }

    /// True once after another encoding has begun.
    pub fn take_switched(&mut self) -> bool {
        std::mem::take(&mut self.switched)
    }

    /// True if another encoding has begun.
    pub fn has_switched(&self) -> bool {
        self.switched
    }

    /// The encodings, lowest first: by their size once it is known of all.
    fn order(&mut self, tracks: &[UpTrack]) {
        let area = |at: &u16| {
            let size = tracks.get(usize::from(*at))?.layers().size()?;
            Some(u32::from(size.0) * u32::from(size.1))
        };
        if self.encodings.iter().all(|at| area(at).is_some()) {
            self.encodings.sort_by_key(area);
        }
    }

    /// What the receiver has use for.
    pub(super) fn useful(&self, tracks: &[UpTrack]) -> Layer {
        if self.view.low {
            return Layer::SMALLEST;
        }
        match self.view.window {
            None => return Layer::TOP,
            Some((0, _) | (_, 0)) => return Layer::LOWEST,
            Some(_) => {}
        }
        for (encoding, at) in self.encodings.iter().enumerate() {
            let Some(meter) = tracks.get(usize::from(*at)).map(UpTrack::layers) else {
                continue;
            };
            for sid in 0..=meter.highest().0 {
                if meter
                    .size_of(sid)
                    .is_some_and(|size| self.view.is_covered_by(size))
                {
                    return Layer {
                        encoding: encoding as u8,
                        sid,
                        tid: u8::MAX,
                    };
                }
            }
        }
        Layer::TOP
    }

    /// What the publisher sends now, or would if told to, of that which the receiver has use for.
    pub fn ladder(&self, tracks: &[UpTrack]) -> Ladder {
        let mut ladder = Ladder::default();
        let limit = self.useful(tracks);
        let newest = self.newest(tracks);
        for (encoding, at) in self.encodings.iter().enumerate() {
            if let Some(track) = tracks.get(usize::from(*at))
                && (is_sent(track, newest) || track.layers().is_expected())
                && (!track.layers().settles() || self.wanted == Some(*at))
            {
                let whole = self.is_elastic(encoding, track.layers());
                ladder.add(encoding as u8, track.layers(), limit, whole);
            }
        }
        ladder
    }

    /// When the last packet of any encoding came.
    fn newest(&self, tracks: &[UpTrack]) -> Option<Instant> {
        let tracks = self
            .encodings
            .iter()
            .filter_map(|at| tracks.get(usize::from(*at)));
        tracks.filter_map(UpTrack::last_arrival).max()
    }

    /// Decides anew what to send, given the publisher's tracks. Returns that of which a keyframe is
    /// to be asked for.
    pub fn choose(&mut self, now: Instant, tracks: &[UpTrack]) -> Option<u16> {
        if self.codec.kind() == Kind::Audio || self.encodings.is_empty() || self.paused {
            return None;
        }
        if self.careful_until.is_some_and(|until| until <= now) {
            self.aim_at_top();
        }
        self.order(tracks);
        let target = self.useful(tracks).and(self.aim);
        let newest = self.newest(tracks);
        let track = |at: usize| {
            let at = self.encodings.get(at)?;
            tracks.get(usize::from(*at))
        };
        let is_expected = |at: &usize| track(*at).is_some_and(|track| track.layers().is_expected());
        let is_here = |at: &usize| track(*at).is_some_and(|track| is_sent(track, newest));
        let sent = |at: &usize| is_here(at) || is_expected(at);
        let last = self.encodings.len() - 1;
        let top = last.min(usize::from(target.encoding));
        let chosen = (0..=top)
            .rev()
            .find(sent)
            .or_else(|| (top + 1..=last).find(sent));
        let chosen = chosen.unwrap_or(top);
        // What can be begun with until that comes which the publisher has yet to be told to send.
        let first = (0..=chosen)
            .rev()
            .find(|at| is_here(at) && !is_expected(at));
        let first = first.and_then(|at| self.encodings.get(at).copied());
        self.wanted = self.encodings.get(chosen).copied();
        self.next_goal = match chosen.cmp(&top) {
            std::cmp::Ordering::Less => Layers::ALL,
            std::cmp::Ordering::Equal => Layers {
                sid: target.sid,
                tid: target.tid,
            },
            std::cmp::Ordering::Greater => Layers {
                sid: 0,
                tid: u8::MAX,
            },
        };
        let Some(current) = self.current else {
            return first.or(self.wanted);
        };
        if self.wanted != Some(current) {
            let falls = self.rank(current) > Some(chosen);
            // What there is no room for goes at once, as far as it can; a smaller window is in no
            // hurry.
            if falls && usize::from(self.aim.encoding) < self.rank(current).unwrap_or(0) {
                self.goal = Layers { sid: 0, tid: 0 };
            }
            return self.wanted;
        }
        self.goal = self.next_goal;
        self.misses_layers(now, tracks, current).then_some(current)
    }

    /// The encodings that the receiver gets or waits for, or has use for, unless its path, which
    /// carries so many bit/s, is far from carrying them; and those below, which it may fall back on
    /// at any time. A bit for each of the publisher's tracks.
    pub fn watched(&self, tracks: &[UpTrack], carried: Option<u64>) -> u64 {
        let Some(last) = self.encodings.len().checked_sub(1) else {
            return 0;
        };
        if self.codec.kind() == Kind::Audio || self.withheld {
            return 0;
        }
        let got = if self.paused {
            0
        } else {
            let ranks = [self.current, self.wanted].into_iter().flatten();
            let got = ranks.filter_map(|at| self.rank(at)).max().unwrap_or(0);
            got.max(last.min(usize::from(self.aim.encoding)))
        };
        let far = carried.map_or(u64::MAX, |carried| carried.saturating_mul(FAR));
        let cost = |rank: usize| {
            let layers = self.layers(rank, tracks);
            layers.map_or(0, |layers| layers.total().max(layers.natural()))
        };
        let useful = last.min(usize::from(self.useful(tracks).encoding));
        let near = (got + 1..=useful).rev().find(|rank| cost(*rank) <= far);
        let best = near.unwrap_or(got);
        let watched = self.encodings.iter().take(best + 1);
        watched.fold(0, |bits, at| bits | bit(usize::from(*at)))
    }

    /// Layers are wanted that only begin with a keyframe.
    fn misses_layers(&mut self, now: Instant, tracks: &[UpTrack], current: u16) -> bool {
        let Some(track) = tracks.get(usize::from(current)) else {
            return false;
        };
        let (max_sid, max_tid) = track.layers().highest();
        let (goal, run) = (self.goal, &self.run);
        let misses_sid = run.sid < goal.sid.min(max_sid);
        if !misses_sid && run.tid >= goal.tid.min(max_tid) {
            self.below_goal = None;
            return false;
        }
        let since = *self.below_goal.get_or_insert(now);
        misses_sid || now.saturating_duration_since(since) >= SWITCHING_POINT
    }

    /// Which layers the receiver is sent, and which there are.
    pub fn shown(&self, tracks: &[UpTrack]) -> Shown {
        let Some(current) = self.current else {
            return Shown::default();
        };
        let Some(track) = tracks.get(usize::from(current)) else {
            return Shown::default();
        };
        let (max_sid, max_tid) = track.layers().highest();
        let is_simulcast = self.encodings.len() > 1;
        let last = self.encodings.len().saturating_sub(1);
        Shown {
            sid: if is_simulcast {
                self.rank(current).unwrap_or(0) as u8
            } else {
                self.run.sid.min(max_sid)
            },
            max_sid: if is_simulcast { last as u8 } else { max_sid },
            tid: self.run.tid.min(max_tid),
            max_tid,
        }
    }
}

/// The bit that stands for one of the publisher's tracks; none for those beyond the 64th.
pub fn bit(track: usize) -> u64 {
    u32::try_from(track).map_or(0, |track| 1_u64.checked_shl(track).unwrap_or(0))
}

/// An encoding is sent now: something came of it when the last of its kind came.
fn is_sent(track: &UpTrack, newest: Option<Instant>) -> bool {
    let (Some(at), Some(newest)) = (track.last_arrival(), newest) else {
        return false;
    };
    newest.saturating_duration_since(at) < QUIET
}
