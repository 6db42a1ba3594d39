//! What a publisher need spend on each encoding of its pictures. Where all who watch one have less
//! room than it comes to, it is told how much they have.

use super::Shard;
use super::message::{RelayMessage, ShardId, Wanted};
use super::peer::{DownPeer, UpPeer};
use crate::media::Kind;
use crate::media::down::fit::ALL;
use slab::Slab;
use std::time::{Duration, Instant};

/// Tracks that are looked at.
pub(super) const MAX_TRACKS: usize = u64::BITS as usize;
/// What differs by less, in percent, is not worth telling.
const STEP: u64 = 5;
/// What has just been bounded is not allowed more before this.
const PAUSE: Duration = Duration::from_millis(1_000);
/// Nothing is bounded below this, bit/s.
const LEAST: u64 = 30_000;

/// What of each of a publisher's tracks can be made use of, bit/s; 0 of those that suit nobody best.
pub(super) type Uses = [u64; MAX_TRACKS];

/// What a publisher was told of one of its tracks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// bit/s, or [`ALL`].
    pub(super) told: u64,
    since: Option<Instant>,
}

impl Default for Bound {
    fn default() -> Self {
        Self {
            told: ALL,
            since: None,
        }
    }
}

/// It is worth saying.
fn differs(one: u64, other: u64) -> bool {
    match (one, other) {
        (0 | ALL, _) | (_, 0 | ALL) => one != other,
        _ => one.abs_diff(other) > other / 100 * STEP,
    }
}

impl Bound {
    /// What it is from now on, given what can be made use of. True if that is to be told.
    fn update(&mut self, now: Instant, useful: u64) -> bool {
        let useful = match useful {
            0 => self.told,
            ALL => ALL,
            useful => useful.max(LEAST) / 1_000 * 1_000,
        };
        let settled = |since: Instant| now.saturating_duration_since(since) >= PAUSE;
        let changes = match self.told {
            told if useful == ALL || told == ALL => useful != told,
            told if useful < told => useful < told / 100 * (100 - STEP),
            told => useful > told / 100 * (100 + STEP) && self.since.is_none_or(settled),
        };
        if changes {
            *self = Self {
                told: useful,
                since: Some(now),
            };
        }
        changes
    }
}

/// What the receivers here can make use of.
fn used_here(up: &UpPeer, index: u32, downs: &mut Slab<DownPeer>) -> Uses {
    let mut uses = [0; MAX_TRACKS];
    for down in &up.downs {
        let Some(down) = downs.get_mut(*down as usize).filter(|down| down.connected) else {
            continue;
        };
        let sources = &down.sources;
        for track in &mut down.tracks {
            let source = sources.get(track.config().publisher).copied().flatten();
            if source != Some(index) {
                continue;
            }
            let fit = track.fit(&up.tracks);
            if let Some((at, bitrate)) = fit
                && let Some(most) = uses.get_mut(usize::from(at))
            {
                *most = bitrate.max(*most);
            }
        }
    }
    uses
}

impl Shard {
    /// Tells a publisher how much can be made use of, where that has changed; a mirror tells its
    /// shard.
    pub(super) fn fit(&mut self, now: Instant, index: u32) {
        let Self { ups, downs, id, .. } = self;
        let from = *id;
        let Some(up) = ups.get_mut(index as usize) else {
            return;
        };
        if up.watch.is_none() {
            return;
        }
        let mut uses = match up.is_layered() {
            true => used_here(up, index, downs),
            // What its receivers can take it is told by REMB.
            false => [ALL; MAX_TRACKS],
        };
        let (peer, home) = (up.id, up.home);
        let Some(watch) = &mut up.watch else { return };
        if let Some(home) = home {
            let mut both = uses.iter().zip(&watch.told_uses);
            if both.any(|(use_, told)| differs(*use_, *told)) {
                watch.told_uses = uses;
                let uses = uses[..up.tracks.len().min(MAX_TRACKS)].to_vec();
                self.tell(home, peer, RelayMessage::Uses { from, uses });
            }
            return;
        }
        for mirror in &up.mirrors {
            for (own, theirs) in uses.iter_mut().zip(&mirror.uses) {
                *own = (*own).max(*theirs);
            }
        }
        let mut changes = false;
        for (at, track) in up.tracks.iter_mut().enumerate().take(MAX_TRACKS) {
            if track.config().kind == Kind::Video
                && let Some(bound) = watch.bound_mut(at)
                && bound.update(now, uses[at])
            {
                let told = Some(bound.told).filter(|told| *told != ALL);
                track.layers_mut().set_bound(now, told);
                changes = true;
            }
        }
        if changes {
            self.tell_wanted_to_all(index);
        }
    }

    /// A mirror says how much its receivers can make use of.
    pub(super) fn mirror_uses(&mut self, now: Instant, index: u32, from: ShardId, uses: &[u64]) {
        let Some(mirror) = self.mirror_mut(index, from) else {
            return;
        };
        mirror.uses = [0; MAX_TRACKS];
        for (own, told) in mirror.uses.iter_mut().zip(uses) {
            *own = *told;
        }
        self.fit(now, index);
    }
}

impl UpPeer {
    /// A mirror learns what its publisher was told.
    pub(super) fn set_bounds(&mut self, now: Instant, wanted: &Wanted) {
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let told = wanted.bound(at);
            if told != track.layers().bound() {
                track.layers_mut().set_bound(now, told);
            }
        }
    }
}
