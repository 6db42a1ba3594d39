//! Packets between shards: one that is published in one shard and received in another crosses
//! once, not once per receiver. The other shard keeps a *mirror* of the publisher: its tracks,
//! fed by the first shard instead of a peer connection.

use super::Shard;
use super::drops::Drop;
use super::message::{Command, Event, PeerId, RelayMessage, ShardId, UpTrackConfig};
use super::mirror::Mirror;
use super::peer::{Place, UpPeer};
use super::watched::begins;
use crate::media::cache::{Meta, SLOT};
use crate::media::down::choice::bit;
use crate::media::twcc::ArrivalLog;
use crate::media::up::{MAX_PENDING, UpTrack};
use crate::media::{Codec, Kind};
use std::time::Instant;

/// What publishers are told who are to send what they can, bit/s.
pub(super) const UNBOUND: u64 = 50_000_000;

/// Whose packet it is.
#[derive(Debug, Clone, Copy)]
pub struct RelayHeader {
    /// The publisher.
    pub peer: PeerId,
    /// Which of its tracks.
    pub track: u16,
    /// As in the cache of the first shard.
    pub meta: Meta,
}

/// Packets on their way to other shards. The driver hands them on after each
/// [`Shard::poll_transmit`].
#[derive(Debug, Default)]
pub struct Relays {
    entries: Vec<(ShardId, RelayHeader, usize)>,
    bytes: Vec<u8>,
}

impl Relays {
    /// Room that is made when the first mirror appears.
    fn reserve(&mut self) {
        self.entries.reserve(MAX_PENDING);
        self.bytes.reserve(MAX_PENDING * SLOT);
    }

    /// False when it is full.
    pub(crate) fn push(&mut self, to: ShardId, header: RelayHeader, bytes: &[u8]) -> bool {
        let room = self.entries.len() < self.entries.capacity()
            && self.bytes.len() + bytes.len() <= self.bytes.capacity();
        if room {
            self.entries.push((to, header, self.bytes.len()));
            self.bytes.extend_from_slice(bytes);
        }
        room
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is on its way, and where to.
    pub fn packets(&self) -> impl Iterator<Item = (ShardId, &RelayHeader, &[u8])> {
        self.entries.iter().map(|(to, header, start)| {
            let end = start + usize::from(header.meta.len);
            (*to, header, &self.bytes[*start..end])
        })
    }

    /// They were handed on.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }
}

impl Shard {
    /// Packets for other shards; hand them on and clear them.
    pub fn relays(&mut self) -> &mut Relays {
        &mut self.relays
    }

    /// Takes a packet of a publisher that this shard mirrors.
    pub fn handle_relay(&mut self, now: Instant, header: &RelayHeader, bytes: &[u8]) {
        let Some(Place::Up(index)) = self.by_id.get(&header.peer).copied() else {
            return self.drops.count(Drop::UnknownPeer);
        };
        let track = self
            .ups
            .get_mut(index as usize)
            .filter(|up| up.home.is_some())
            .and_then(|up| up.tracks.get_mut(usize::from(header.track)));
        let Some(track) = track else {
            return self.drops.count(Drop::UnknownPeer);
        };
        let begins = track.pending().is_empty();
        if track.receive_relayed(now, header.meta, bytes).is_err() {
            return self.drops.count(Drop::Stale);
        }
        if begins {
            self.flush.active(index, header.track);
        }
        if track.is_pending_full() {
            self.flush.is_urgent = true;
        }
        self.watch_encodings(now, index);
    }

    /// The driver could not hand on so many packets.
    pub fn relay_dropped(&mut self, count: u64) {
        for _ in 0..count {
            self.drops.count(Drop::RelayFull);
        }
    }

    pub(super) fn tell(&mut self, to: ShardId, peer: PeerId, message: RelayMessage) {
        let command = Box::new(Command::Relay { peer, message });
        self.events.push_back(Event::Relay { to, command });
    }

    /// The publisher of a new receiver: here, or mirrored from `home`.
    pub(super) fn source(&mut self, peer: PeerId, home: ShardId) -> Option<u32> {
        match self.by_id.get(&peer) {
            Some(Place::Up(index)) => return Some(*index),
            Some(Place::Down(_)) => return None,
            None => {}
        }
        if home == self.id {
            return None;
        }
        let index = self.ups.insert(UpPeer::new(peer, None, Some(home))) as u32;
        self.by_id.insert(peer, Place::Up(index));
        let from = self.id;
        self.tell(home, peer, RelayMessage::Subscribe { from });
        Some(index)
    }

    /// A mirror without receivers is given up.
    pub(super) fn release(&mut self, index: u32) {
        let Some(up) = self.ups.get(index as usize) else {
            return;
        };
        let Some(home) = up.home.filter(|_| up.downs.is_empty()) else {
            return;
        };
        let peer = up.id;
        self.ups.remove(index as usize);
        self.by_id.remove(&peer);
        self.flush.forget_up(index);
        let from = self.id;
        self.tell(home, peer, RelayMessage::Unsubscribe { from });
    }

    /// A receiver needs a keyframe: the publisher is asked, or the shard that has it.
    pub(super) fn request_keyframe(&mut self, now: Instant, index: u32, track: u16) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        let (peer, home) = (up.id, up.home);
        let Some(up_track) = up.tracks.get_mut(usize::from(track)) else {
            return;
        };
        match home {
            Some(home) => {
                let track = usize::from(track);
                let asked = up.asked.filter(|(at, _)| *at == now);
                let asked = asked.map_or(0, |(_, tracks)| tracks);
                // What one datagram asks for a hundred times crosses once.
                if asked & bit(track) == 0 {
                    up.asked = Some((now, asked | bit(track)));
                    self.tell(home, peer, RelayMessage::Keyframe { track });
                }
            }
            None => {
                let at = begins(now, up_track);
                up_track.request_keyframe(at);
                self.schedule(Place::Up(index));
            }
        }
    }

    /// A receiver's estimate changed: whether that changes the best is seldom worth asking all.
    pub(super) fn update_remb(&mut self, index: u32, before: Option<u64>, bitrate: u64) {
        let best = self.ups.get(index as usize).and_then(|up| up.remb);
        if best < Some(bitrate) || (best == before && before > Some(bitrate)) {
            self.collect_remb(index);
        }
    }

    /// A publisher need not send more than the best of its receivers can take.
    pub(super) fn collect_remb(&mut self, index: u32) {
        let Self { ups, downs, .. } = self;
        let Some(up) = ups.get_mut(index as usize) else {
            return;
        };
        let own = up
            .downs
            .iter()
            .filter_map(|down| downs.get(*down as usize))
            .filter_map(|down| down.remb.map(|estimate| down.share(estimate)));
        let best = own
            .chain(up.mirrors.iter().filter_map(|mirror| mirror.remb))
            .max();
        // Where receivers are sent some of what there is, what one can take says nothing of what
        // is to be sent in all.
        let best = if up.is_free() {
            up.remb.map(|_| UNBOUND)
        } else {
            best
        };
        let changed = up.remb != best;
        up.remb = best;
        if let Some(home) = up.home.filter(|_| changed) {
            let (peer, from) = (up.id, self.id);
            self.tell(
                home,
                peer,
                RelayMessage::Remb {
                    from,
                    bitrate: best,
                },
            );
        }
    }

    /// Tells the mirrors of a publisher.
    pub(super) fn tell_mirrors(&mut self, index: u32, message: impl Fn() -> RelayMessage) {
        let Some(up) = self.ups.get(index as usize) else {
            return;
        };
        let peer = up.id;
        for at in 0..up.mirrors.len() {
            let Some(up) = self.ups.get(index as usize) else {
                return;
            };
            let to = up.mirrors[at].shard;
            self.tell(to, peer, message());
        }
    }

    /// The tracks of a publisher, for its mirrors.
    pub(super) fn describe(&mut self, index: u32) {
        let Some(up) = self.ups.get(index as usize) else {
            return;
        };
        if up.mirrors.is_empty() {
            return;
        }
        let tracks: Vec<_> = up
            .tracks
            .iter()
            .map(|track| track.config().clone())
            .collect();
        let withheld = up.withheld;
        let wanted = up.watch.as_ref().map(|watch| watch.wanted());
        self.tell_mirrors(index, || RelayMessage::Tracks(tracks.clone()));
        self.tell_mirrors(index, || RelayMessage::Withheld(withheld));
        if let Some(wanted) = wanted {
            self.tell_mirrors(index, || RelayMessage::Wanted(wanted.clone()));
        }
    }

    pub(super) fn handle_relay_message(
        &mut self,
        now: Instant,
        peer: PeerId,
        message: RelayMessage,
    ) {
        let Some(Place::Up(index)) = self.by_id.get(&peer).copied() else {
            // It went away while the message was on its way.
            if let RelayMessage::Subscribe { from } = message {
                self.tell(from, peer, RelayMessage::Gone);
            }
            return;
        };
        match message {
            RelayMessage::Subscribe { from } => {
                self.relays.reserve();
                if let Some(up) = self.ups.get_mut(index as usize) {
                    up.mirrors.retain(|mirror| mirror.shard != from);
                    up.mirrors.push(Mirror::new(from));
                }
                self.describe(index);
                self.tell_shared(index);
            }
            RelayMessage::Unsubscribe { from } => {
                if let Some(up) = self.ups.get_mut(index as usize) {
                    up.mirrors.retain(|mirror| mirror.shard != from);
                }
                self.tell_shared(index);
                self.collect_remb(index);
            }
            RelayMessage::Keyframe { track } => {
                self.request_keyframe(now, index, track as u16);
            }
            RelayMessage::Remb { from, bitrate } => {
                if let Some(mirror) = self.mirror_mut(index, from) {
                    mirror.remb = bitrate;
                }
                self.collect_remb(index);
            }
            RelayMessage::Tracks(tracks) => self.mirror(now, index, tracks),
            RelayMessage::Clock { track, info, at } => {
                let Some(up) = self.ups.get_mut(index as usize) else {
                    return;
                };
                up.clock(at, info.ntp);
                if let Some(track) = up.tracks.get_mut(track) {
                    track.sender_report(now, info);
                }
            }
            RelayMessage::Withheld(withheld) => self.set_withheld(now, index, withheld),
            RelayMessage::Watched { from, tracks } => {
                self.mirror_watches(now, index, from, tracks);
            }
            RelayMessage::Without { from, tracks } => {
                if let Some(mirror) = self.mirror_mut(index, from) {
                    mirror.without = tracks;
                }
            }
            RelayMessage::Wanted(wanted) => self.mirror_learns_wanted(now, index, &wanted),
            RelayMessage::Uses { from, uses } => self.mirror_uses(now, index, from, &uses),
            RelayMessage::Shared(is_shared) => {
                if let Some(up) = self.ups.get_mut(index as usize) {
                    up.is_shared = is_shared;
                }
            }
            RelayMessage::Gone => {
                if let Some(up) = self.ups.get_mut(index as usize) {
                    up.tracks.clear();
                    up.receivers.clear();
                }
                self.flush.forget_up(index);
            }
        }
    }

    /// The tracks of a mirrored publisher became known, or changed.
    fn mirror(&mut self, now: Instant, index: u32, tracks: Vec<UpTrackConfig>) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        up.update_tracks(now, tracks);
        for down in up.downs.clone() {
            // What was agreed on before its tracks were known here.
            let Some(peer) = self.downs.get(down as usize) else {
                continue;
            };
            let wanted = peer.wanted.clone();
            self.select_tracks(now, down, wanted);
            self.begin_tracks(now, down);
        }
        self.see_watched(now, index);
    }
}

impl UpPeer {
    /// Takes the tracks of a new agreement: old ones first, each in its place.
    pub(super) fn update_tracks(&mut self, now: Instant, tracks: Vec<UpTrackConfig>) {
        let simulcast = tracks.iter().enumerate().any(|(at, config)| {
            let mut others = tracks.iter().skip(at + 1);
            config.kind == Kind::Video && others.any(|other| other.mid == config.mid)
        });
        self.is_simulcast = simulcast;
        let has_layers = |config: &UpTrackConfig| matches!(config.codec, Codec::Vp9 | Codec::Av1);
        if simulcast || tracks.iter().any(has_layers) {
            self.next_choice.get_or_insert(now);
        }
        if self.peer.is_some() && tracks.iter().any(|config| config.feedback.transport_cc) {
            self.arrivals
                .get_or_insert_with(|| Box::new(ArrivalLog::new(now)));
        }
        for (at, config) in tracks.into_iter().enumerate() {
            match self.tracks.get_mut(at) {
                Some(track) => track.reconfigure(config),
                None => {
                    self.tracks.push(UpTrack::new(now, config));
                    self.receivers.push(Vec::new());
                }
            }
        }
    }
}
