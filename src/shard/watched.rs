//! Which encodings of a publisher somebody watches. It is told to pause the others: what nobody is
//! sent costs its processor and its uplink.
//!
//! An encoding is watched as long as a receiver gets it, waits for it, or would be sent it if it
//! came; and so are those below it, on which a receiver falls back at once when its path gets worse.
//! What it cost last is remembered (`LayerMeter`), so that a receiver can be given it again.

use super::Shard;
use super::bound::{Bound, MAX_TRACKS, Uses};
use super::client::Clients;
use super::message::{Event, PeerId, RelayMessage, ShardId, Wanted};
use super::peer::{DownPeer, Place, UpPeer};
use crate::media::Kind;
use crate::media::down::choice::bit;
use crate::media::down::fit::ALL;
use crate::media::up::UpTrack;
use slab::Slab;
use std::time::{Duration, Instant};

/// Between two looks for encodings that nobody watches.
const INTERVAL: Duration = Duration::from_millis(500);
/// An encoding goes on for so long in the beginning: those who are to watch are being told.
const FIRST: Duration = Duration::from_secs(10);
/// What has not come for so long is not sent.
const QUIET: Duration = Duration::from_secs(2);
/// Unwatched for so long, an encoding is paused …
const HOLD: Duration = Duration::from_secs(5);
/// … or for so long, if it is only that no path is near carrying it …
const PATH_HOLD: Duration = Duration::from_secs(30);
/// … and longer, if it has had to be resumed soon after the last pause.
const MAX_HOLD: Duration = Duration::from_secs(40);
const SOON: Duration = Duration::from_secs(30);
/// What was resumed comes within this time, or its publisher has its own reasons.
const EXPECTED: Duration = Duration::from_secs(4);
/// It begins with a keyframe by itself: it is asked for one only if none has come so soon.
const BEGINS: Duration = Duration::from_millis(600);

/// When to ask for a keyframe of a track that may only be about to come.
pub(super) fn begins(now: Instant, track: &UpTrack) -> Instant {
    let is_quiet = |at: Instant| now.saturating_duration_since(at) >= QUIET;
    if track.layers().is_expected() && track.last_arrival().is_none_or(is_quiet) {
        now + BEGINS
    } else {
        now
    }
}

/// What of a publisher is watched. Sets of its tracks have a bit for each.
#[derive(Debug)]
pub(crate) struct Watch {
    /// It was told to pause these. A mirror: and what it does without.
    paused: u64,
    /// A mirror: what the publisher was told to pause.
    pub(super) paused_there: u64,
    /// A mirror: what it is not sent, as nobody here has use for it.
    pub(super) without: u64,
    /// A mirror: what the publisher's shard was told that is watched here.
    told: u64,
    /// … and how much of it can be made use of.
    pub(super) told_uses: Uses,
    tracks: Vec<WatchedTrack>,
    next: Instant,
}

#[derive(Debug, Clone, Copy)]
struct WatchedTrack {
    bound: Bound,
    /// When its first packet was seen.
    began: Option<Instant>,
    /// Since when nobody has watched it.
    unwatched: Option<Instant>,
    paused: Option<Instant>,
    resumed: Option<Instant>,
    hold: Duration,
}

impl Watch {
    fn new(now: Instant) -> Self {
        Self {
            paused: 0,
            paused_there: 0,
            without: 0,
            told: 0,
            told_uses: [0; MAX_TRACKS],
            tracks: Vec::new(),
            next: now,
        }
    }

    /// It is time to look what is watched.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// What the publisher was told to pause.
    pub(super) fn paused(&self) -> u64 {
        self.paused
    }

    /// What the publisher is to send.
    pub(super) fn wanted(&self) -> Wanted {
        let bounds = self.tracks.iter().map(|track| track.bound.told);
        let bounds = bounds.enumerate().filter(|(_, told)| *told != ALL);
        Wanted {
            paused: self.paused,
            bounds: bounds.collect(),
        }
    }

    pub(super) fn bound_mut(&mut self, at: usize) -> Option<&mut Bound> {
        self.track(at).map(|track| &mut track.bound)
    }

    fn track(&mut self, at: usize) -> Option<&mut WatchedTrack> {
        if at >= self.tracks.len() && at < u64::BITS as usize {
            let fresh = WatchedTrack {
                bound: Bound::default(),
                began: None,
                unwatched: None,
                paused: None,
                resumed: None,
                hold: HOLD,
            };
            self.tracks.resize(at + 1, fresh);
        }
        self.tracks.get_mut(at)
    }
}

/// What the receivers here watch; with `clients`, only what their paths are near carrying.
fn watched_here(up: &UpPeer, index: u32, downs: &Slab<DownPeer>, clients: Option<&Clients>) -> u64 {
    let mut watched = 0;
    for down in up.downs.iter().filter_map(|down| downs.get(*down as usize)) {
        let carried = clients.and_then(|clients| clients.carried(down.client));
        let tracks = down.tracks.iter();
        if down.tracks.is_empty() && !down.connected {
            // What it asks for is not agreed on yet.
            watched |= lowest(up);
        }
        watched |= tracks
            .filter(|track| down.source_of(track) == Some(index))
            .fold(0, |bits, track| bits | track.watched(&up.tracks, carried));
    }
    watched
}

/// The smallest encoding of each source.
fn lowest(up: &UpPeer) -> u64 {
    let cost = |at: usize| {
        let track = up.tracks.get(at);
        track.map_or(0, |track| track.layers().total())
    };
    let mut lowest = 0;
    for (at, track) in up.tracks.iter().enumerate() {
        let config = track.config();
        let mut others = up.tracks.iter().enumerate().filter(|(other, track)| {
            *other != at && track.config().mid == config.mid && track.config().kind == config.kind
        });
        let is_lowest = others.all(|(other, _)| (cost(at), at) < (cost(other), other));
        if config.kind == Kind::Video && is_lowest {
            lowest |= bit(at);
        }
    }
    lowest
}

impl UpPeer {
    /// Remembers what was told to be paused, and what was told to go on.
    pub(super) fn set_paused(&mut self, now: Instant, paused: u64) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let changed = watch.paused ^ paused;
        watch.paused = paused;
        for (at, track) in self.tracks.iter_mut().enumerate() {
            if changed & bit(at) == 0 {
                continue;
            }
            let Some(own) = watch.track(at) else { continue };
            own.unwatched = None;
            if paused & bit(at) == 0 {
                let is_soon =
                    |paused: Instant| now.saturating_duration_since(paused) < SOON + own.hold;
                own.hold = match own.paused {
                    Some(paused) if is_soon(paused) => (own.hold * 2).min(MAX_HOLD),
                    _ => HOLD,
                };
                own.resumed = Some(now);
                track.layers_mut().resume();
                if self.home.is_none() {
                    let begins = begins(now, track);
                    track.request_keyframe(begins);
                }
            } else {
                own.paused = Some(now);
                own.resumed = None;
                track.layers_mut().pause();
            }
        }
    }

    /// What came of the encodings, and which of them are to be paused, given what is watched.
    /// Of what is `useful`, only the paths keep it from being watched.
    fn unwatched(&mut self, now: Instant, watched: u64, useful: u64) -> u64 {
        let Some(watch) = &mut self.watch else {
            return 0;
        };
        let mut unwatched = 0;
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let arrival = track.last_arrival();
            let is_paused = watch.paused & bit(at) != 0;
            let Some(own) = watch.track(at) else { continue };
            let since = |at: Instant| now.saturating_duration_since(at);
            if own.resumed.is_some_and(|at| since(at) >= EXPECTED) {
                own.resumed = None;
                track.layers_mut().give_up();
            }
            own.began = own.began.or(arrival.map(|_| now));
            if track.config().kind == Kind::Audio || is_paused || watched & bit(at) != 0 {
                own.unwatched = None;
                continue;
            }
            // What does not come need not be paused, and is not to be waited for as if it were.
            if arrival.is_none_or(|at| since(at) >= QUIET) {
                own.unwatched = None;
                continue;
            }
            let begin = *own.unwatched.get_or_insert(now);
            let is_old = own.began.is_some_and(|at| since(at) >= FIRST);
            let hold = if useful & bit(at) != 0 {
                own.hold.max(PATH_HOLD)
            } else {
                own.hold
            };
            if is_old && since(begin) >= hold {
                unwatched |= bit(at);
            }
        }
        unwatched
    }
}

impl Shard {
    /// A publisher pauses what it is told to.
    pub(super) fn pause_unwatched(&mut self, now: Instant, peer: PeerId) {
        let Some(Place::Up(index)) = self.by_id.get(&peer).copied() else {
            return;
        };
        if let Some(up) = self.ups.get_mut(index as usize) {
            up.watch.get_or_insert_with(|| Box::new(Watch::new(now)));
        }
        self.describe(index);
    }

    /// Somebody wants these tracks: those that are paused go on.
    pub(super) fn want(&mut self, now: Instant, index: u32, tracks: u64) {
        let from = self.id;
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        let (peer, home) = (up.id, up.home);
        let Some(watch) = &mut up.watch else { return };
        match home {
            None if watch.paused & tracks != 0 => {
                let paused = watch.paused & !tracks;
                up.set_paused(now, paused);
                self.tell_wanted_to_all(index);
                self.schedule(Place::Up(index));
            }
            Some(home) => {
                let (told, without) = (watch.told, watch.without);
                watch.told |= tracks;
                if without & tracks != 0 {
                    self.do_without(now, index, without & !tracks);
                }
                let tracks = told | tracks;
                if tracks != told {
                    self.tell(home, peer, RelayMessage::Watched { from, tracks });
                }
            }
            None => {}
        }
    }

    /// Sees that nothing is paused that a receiver of a publisher wants.
    pub(super) fn see_watched(&mut self, now: Instant, index: u32) {
        let up = self.ups.get(index as usize);
        if let Some(up) = up.filter(|up| up.watch.is_some()) {
            let clients = up.home.is_none().then_some(&self.clients);
            let watched = watched_here(up, index, &self.downs, clients);
            self.want(now, index, watched);
        }
    }

    /// Does something with each publisher of a receiver.
    pub(super) fn for_sources(&mut self, down: u32, mut act: impl FnMut(&mut Self, u32)) {
        let mut at = 0;
        while let Some(peer) = self.downs.get(down as usize)
            && let Some(source) = peer.sources.get(at).copied()
        {
            at += 1;
            if let Some(source) = source {
                act(self, source);
            }
        }
    }

    /// Looks what of a publisher is watched, and pauses what has not been for a while.
    #[cold]
    pub(super) fn look_for_unwatched(&mut self, now: Instant, index: u32) {
        let from = self.id;
        let Self {
            ups,
            downs,
            clients,
            ..
        } = self;
        let Some(up) = ups.get_mut(index as usize) else {
            return;
        };
        let here = watched_here(up, index, downs, None);
        let (peer, home) = (up.id, up.home);
        let near = match home {
            None => watched_here(up, index, downs, Some(clients)),
            Some(_) => here,
        };
        let Some(watch) = &mut up.watch else { return };
        watch.next = now + INTERVAL;
        let there = up.mirrors.iter().map(|mirror| mirror.watched);
        let there = there.fold(0, |all, one| all | one);
        let watched = near | there;
        let unwatched = up.unwatched(now, watched, here | there);
        let Some(watch) = &mut up.watch else { return };
        match home {
            Some(home) => {
                let (told, without) = (watch.told, watch.without | unwatched);
                watch.told = here;
                if unwatched != 0 {
                    self.do_without(now, index, without);
                }
                if told != here {
                    let tracks = here;
                    self.tell(home, peer, RelayMessage::Watched { from, tracks });
                }
            }
            None if unwatched != 0 => {
                let paused = watch.paused | unwatched;
                up.set_paused(now, paused);
                self.tell_wanted_to_all(index);
            }
            _ => {}
        }
        self.want(now, index, watched);
        self.fit(now, index);
    }

    /// A mirror says what its receivers watch.
    pub(super) fn mirror_watches(&mut self, now: Instant, index: u32, from: ShardId, tracks: u64) {
        if let Some(mirror) = self.mirror_mut(index, from) {
            mirror.watched = tracks;
            self.want(now, index, tracks);
        }
    }

    /// A mirror learns what the publisher was told to send.
    pub(super) fn mirror_learns_wanted(&mut self, now: Instant, index: u32, wanted: &Wanted) {
        let from = self.id;
        let paused = wanted.paused;
        let Self { ups, downs, .. } = self;
        let Some(up) = ups.get_mut(index as usize) else {
            return;
        };
        let is_new = up.watch.is_none();
        up.watch.get_or_insert_with(|| Box::new(Watch::new(now)));
        if let Some(watch) = &mut up.watch {
            watch.paused_there = paused;
            let all = paused | watch.without;
            up.set_paused(now, all);
        }
        up.set_bounds(now, wanted);
        let tracks = watched_here(up, index, downs, None);
        let (peer, home) = (up.id, up.home);
        let Some(watch) = &mut up.watch else { return };
        // It is said again where it crossed what was decided there.
        if let Some(home) = home
            && (is_new || tracks != watch.told || tracks & paused != 0)
        {
            watch.told = tracks;
            self.tell(home, peer, RelayMessage::Watched { from, tracks });
        }
    }

    /// Tells the publisher, and its mirrors.
    pub(super) fn tell_wanted_to_all(&mut self, index: u32) {
        let up = self.ups.get(index as usize);
        let Some((peer, watch)) = up.and_then(|up| Some((up.id, up.watch.as_ref()?))) else {
            return;
        };
        let wanted = watch.wanted();
        self.tell_mirrors(index, || RelayMessage::Wanted(wanted.clone()));
        self.events.push_back(Event::Watched { peer, wanted });
    }

    /// Tells the publisher again.
    pub(super) fn tell_wanted(&mut self, index: u32) {
        let up = self.ups.get(index as usize);
        if let Some((peer, watch)) = up.and_then(|up| Some((up.id, up.watch.as_ref()?)))
            && watch.wanted() != Wanted::default()
        {
            let wanted = watch.wanted();
            self.events.push_back(Event::Watched { peer, wanted });
        }
    }
}
