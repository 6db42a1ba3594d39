//! Which encodings and layers the receivers of a stream are sent.

use super::Shard;
use super::peer::Place;
use std::time::{Duration, Instant};

/// How often it is looked at which encodings a publisher sends: it begins and ends them as its
/// bandwidth allows, without a word.
const INTERVAL: Duration = Duration::from_millis(200);

impl Shard {
    /// Decides anew for all receivers of a publisher with several encodings, from time to time.
    /// Called with its packets: if there are none, there is nothing to decide.
    #[inline]
    pub(super) fn watch_encodings(&mut self, now: Instant, up: u32) {
        let Some(up_peer) = self.ups.get_mut(up as usize) else {
            return;
        };
        if up_peer
            .watch
            .as_ref()
            .is_some_and(|watch| watch.is_due(now))
        {
            self.look_for_unwatched(now, up);
        }
        let Some(up_peer) = self.ups.get_mut(up as usize) else {
            return;
        };
        if up_peer.next_choice.is_none_or(|at| at > now) {
            return;
        }
        up_peer.next_choice = Some(now + INTERVAL);
        let count = up_peer.downs.len();
        let is_layered = up_peer.is_layered();
        if std::mem::replace(&mut up_peer.was_layered, is_layered) != is_layered {
            // What its receivers can take means something else from now on.
            self.collect_remb(up);
        }
        // Without a list of its own.
        for at in 0..count {
            let downs = self.ups.get(up as usize).map(|up| &up.downs);
            if let Some(down) = downs.and_then(|downs| downs.get(at).copied()) {
                self.choose_for(now, down);
            }
        }
    }

    /// Decides anew what one receiver is sent.
    pub(super) fn choose_for(&mut self, now: Instant, down: u32) {
        let Some(peer) = self.downs.get(down as usize) else {
            return;
        };
        for track in 0..peer.tracks.len() as u16 {
            let Some((source, wanted)) =
                self.choose_encoding(now, down, track).and_then(|wanted| {
                    let down = self
                        .downs
                        .get(down as usize)
                        .filter(|down| down.connected)?;
                    let track = down.tracks.get(usize::from(track))?;
                    Some((down.source_of(track)?, wanted))
                })
            else {
                continue;
            };
            if self.awaits_keyframe(source, wanted) {
                continue;
            }
            self.request_keyframe(now, source, wanted);
        }
    }

    /// A receiver's track is about to begin: with what its path is taken to carry.
    pub(super) fn begin_within(&mut self, now: Instant, down: u32, at: u16) {
        let Self {
            ups,
            downs,
            clients,
            ..
        } = self;
        let Some(peer) = downs.get_mut(down as usize) else {
            return;
        };
        let Some(room) = clients.carried_each(peer.client) else {
            return;
        };
        let Some(track) = peer.tracks.get(usize::from(at)) else {
            return;
        };
        let source = peer.source_of(track);
        if let Some(up) = source.and_then(|source| ups.get(source as usize))
            && let Some(track) = peer.tracks.get_mut(usize::from(at))
        {
            track.begin_within(now, room, &up.tracks);
        }
    }

    /// A keyframe of the track has been asked for already.
    fn awaits_keyframe(&self, up: u32, track: u16) -> bool {
        let up = self.ups.get(up as usize);
        let track = up.and_then(|up| up.tracks.get(usize::from(track)));
        track.is_some_and(|track| track.keyframe_requests().wanted())
    }

    /// Decides anew about one track of a receiver. Returns the publisher's track of which it needs
    /// a keyframe.
    pub(super) fn choose_encoding(&mut self, now: Instant, down: u32, at: u16) -> Option<u16> {
        let Self {
            ups,
            downs,
            clients,
            ..
        } = self;
        let peer = downs.get_mut(down as usize)?;
        let source = peer.source_of(peer.tracks.get(usize::from(at))?)?;
        let up = ups.get_mut(source as usize)?;
        let track = peer.tracks.get_mut(usize::from(at))?;
        let keyframe = track.choose(now, &up.tracks);
        up.place(down, at, track);
        if up.watch.is_some() {
            // A mirror speaks of use only.
            let carried = clients.carried(peer.client).filter(|_| up.home.is_none());
            let watched = track.watched(&up.tracks, carried);
            self.want(now, source, watched);
        }
        keyframe
    }

    /// Receivers have begun to send another encoding: they leave the list of the one before, and
    /// report at once which time its timestamps mean.
    pub(super) fn settle_switches(&mut self, now: Instant) {
        while let Some((down, at)) = self.flush.switched.pop() {
            self.choose_encoding(now, down, at);
            let Some(peer) = self.downs.get_mut(down as usize) else {
                continue;
            };
            if let Some(report) = &mut peer.peer.next_report {
                *report = (*report).min(now);
            }
            self.schedule(Place::Down(down));
        }
    }
}
