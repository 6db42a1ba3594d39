//! Last-N: in a large group only the cameras of those who spoke last are forwarded, and only the
//! loudest voices.

use super::Shard;
use super::message::{RelayMessage, VoiceLimits, Withheld};
use super::peer::UpPeer;
use crate::media::Kind;
use crate::shard::PeerId;
use slab::Slab;
use std::time::Instant;

/// A voice that is heard stays before one that is louder by less than this.
const FAVOUR: f32 = 6.0;

/// Decides what of a group is withheld.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) limits: VoiceLimits,
    /// The voices by their loudness.
    voices: Vec<(f32, u32)>,
    /// Whose pictures are forwarded.
    pictures: Vec<u32>,
    /// What is different from now on.
    changes: Vec<(u32, Withheld)>,
}

fn sends(up: &UpPeer, kind: Kind) -> bool {
    up.tracks.iter().any(|track| track.config().kind == kind)
}

impl Selection {
    /// `members` are places in `ups`, `order` those who spoke, the latest first.
    pub(super) fn select(&mut self, members: &[u32], order: &[PeerId], ups: &Slab<UpPeer>) {
        let peer = |member: u32| ups.get(member as usize);
        let limit = usize::from(self.limits.pictures);
        self.pictures.clear();
        let spoke = order.iter().filter_map(|id| {
            let same = |member: &&u32| peer(**member).is_some_and(|up| up.id == *id);
            members.iter().find(same).copied()
        });
        for member in spoke.chain(members.iter().copied()) {
            let room = limit == 0 || self.pictures.len() < limit;
            let sends = peer(member).is_some_and(|up| sends(up, Kind::Video));
            if room && sends && !self.pictures.contains(&member) {
                self.pictures.push(member);
            }
        }
        self.voices.clear();
        for member in members {
            if let Some(up) = peer(*member)
                && let Some((_, voice)) = &up.voice
                && sends(up, Kind::Audio)
            {
                let favour = if up.withheld.sound { 0.0 } else { FAVOUR };
                self.voices.push((voice.loudness() + favour, *member));
            }
        }
        let limit = usize::from(self.limits.sounds);
        if limit > 0 {
            // Those who are equally silent stay in their order.
            self.voices
                .sort_by(|(one, _), (other, _)| other.total_cmp(one));
            self.voices.truncate(limit);
        }
        self.changes.clear();
        for member in members {
            let Some(up) = peer(*member) else { continue };
            let withheld = Withheld {
                pictures: sends(up, Kind::Video) && !self.pictures.contains(member),
                sound: sends(up, Kind::Audio)
                    && !self.voices.iter().any(|(_, other)| other == member),
            };
            if withheld != up.withheld {
                self.changes.push((*member, withheld));
            }
        }
    }

    pub(super) fn take_change(&mut self) -> Option<(u32, Withheld)> {
        self.changes.pop()
    }
}

impl Shard {
    /// A publisher's sound or pictures are forwarded, or are not any more.
    pub(super) fn set_withheld(&mut self, now: Instant, index: u32, withheld: Withheld) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        up.withheld = withheld;
        self.tell_mirrors(index, || RelayMessage::Withheld(withheld));
        let count = self.ups.get(index as usize).map_or(0, |up| up.downs.len());
        for at in 0..count {
            let up = self.ups.get(index as usize);
            if let Some(down) = up.and_then(|up| up.downs.get(at).copied()) {
                self.withhold_from(now, down);
            }
        }
    }

    /// Sends a receiver what it is to be sent, and withholds the rest.
    pub(super) fn withhold_from(&mut self, now: Instant, index: u32) {
        let count = self
            .downs
            .get(index as usize)
            .map_or(0, |down| down.tracks.len());
        for at in 0..count as u16 {
            let Self { ups, downs, .. } = self;
            let Some(down) = downs.get_mut(index as usize) else {
                return;
            };
            let Some(up) = down
                .tracks
                .get(usize::from(at))
                .and_then(|track| down.source_of(track))
                .and_then(|source| ups.get(source as usize))
            else {
                continue;
            };
            let Some(track) = down.tracks.get_mut(usize::from(at)) else {
                continue;
            };
            let withheld = match track.codec().kind() {
                Kind::Video => up.withheld.pictures && !track.view().priority,
                Kind::Audio => up.withheld.sound,
            };
            if track.withhold(withheld) {
                // It leaves the list of those who are sent the packets, or comes back.
                self.choose_encoding(now, index, at);
                self.begin_track(now, index, at);
            }
        }
    }
}
