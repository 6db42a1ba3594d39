//! Who receives: the peer connections of one client share its path, and so one estimate of it.

use super::Shard;
use super::allocate::{Allocator, Budget, Demand, rooms};
use super::figures::PathFigures;
use super::message::ClientId;
use super::pace::Pace;
use super::peer::{DownPeer, UpPeer};
use super::relay::UNBOUND;
use super::release::Cluster;
use super::resend::Asked;
use crate::media::Kind;
use crate::media::bandwidth::{Detector, Estimate, Flight, Hold, Reading, Schedule};
use crate::media::down::choice::Allotted;
use ahash::RandomState;
use slab::Slab;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two looks at what the detectors of a client say.
const INTERVAL: Duration = Duration::from_millis(50);
/// A receiver that has not told anything for so long may have got nothing.
const SILENCE: Duration = Duration::from_millis(300);
/// Between two allocations while the path is all that is to be shared …
const ALLOCATION: Duration = Duration::from_millis(200);
/// … and while all get all they have use for.
const IDLE_ALLOCATION: Duration = Duration::from_secs(1);
/// A publisher that sends what it was told to would send so many times as much, perhaps.
const STARVED: u64 = 3;
/// Of what a path carries, the pictures of several are to be made for so much, percent: their
/// keyframes may come together. Those of one for all of it, but where the publisher is told by REMB.
const ROOM: u64 = 95;
/// Taken for what a sound costs until it is known, bit/s.
const SOUND: u64 = 48_000;
/// What a path is taken to carry until something is known of it, bit/s: the first keyframe of more
/// would keep one with less from seeing or hearing anything for seconds.
const UNKNOWN_PATH: u64 = 1_000_000;
/// Taken for the round-trip time of a path until it is known.
const UNKNOWN_RTT: Duration = Duration::from_millis(100);

/// One client, as far as it is known to one shard.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    /// Its down peers.
    pub(crate) downs: Vec<u32>,
    pub(crate) estimate: Estimate,
    pub(crate) schedule: Schedule,
    pub(crate) pace: Pace,
    pub(super) asked: Asked,
    hold: Hold,
    /// Its pictures go on after having been held back.
    resumes: bool,
    /// What is being tried.
    pub(super) probe: Option<Cluster>,
    /// What it would be sent if its path carried all, bit/s.
    pub(crate) wanted: u64,
    allocator: Allocator,
    /// Tracks of pictures, and what they could be sent: filled anew each time.
    places: Vec<(u32, u16)>,
    demands: Vec<Demand>,
    /// What each could make use of, bit/s.
    rooms: Vec<u64>,
    next_allocation: Option<Instant>,
    /// What the path was taken to carry when it was shared last, bit/s.
    allocated: u64,
    /// When its detectors were last asked.
    read: Option<Instant>,
}

/// All clients of a shard.
pub(crate) struct Clients {
    slab: Slab<Client>,
    by_id: HashMap<ClientId, u32, RandomState>,
}

impl Clients {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            slab: Slab::new(),
            by_id: HashMap::with_hasher(hasher),
        }
    }

    /// The place of a client, which is new if it has no peers here.
    pub(crate) fn enter(&mut self, now: Instant, id: ClientId) -> u32 {
        if let Some(place) = self.by_id.get(&id) {
            return *place;
        }
        let place = self.slab.insert(Client {
            id,
            downs: Vec::new(),
            estimate: Estimate::new(),
            schedule: Schedule::default(),
            pace: Pace::new(now),
            asked: Asked::new(now),
            hold: Hold::default(),
            resumes: false,
            probe: None,
            wanted: 0,
            allocator: Allocator::default(),
            places: Vec::new(),
            demands: Vec::new(),
            rooms: Vec::new(),
            next_allocation: None,
            allocated: 0,
            read: None,
        }) as u32;
        self.by_id.insert(id, place);
        place
    }

    /// Forgets a client without peers.
    pub(crate) fn release(&mut self, place: u32) {
        if let Some(client) = self.slab.get(place as usize)
            && client.downs.is_empty()
        {
            self.by_id.remove(&client.id);
            self.slab.remove(place as usize);
        }
    }

    /// A peer of the client is gone.
    pub(crate) fn leave(&mut self, place: u32, down: u32) {
        if let Some(client) = self.slab.get_mut(place as usize) {
            client.downs.retain(|other| *other != down);
            // Its place may be given to a peer of another client.
            client.places.retain(|(other, _)| *other != down);
            client.pace.forget(down, None);
            client.asked.forget(down);
            client.schedule.forget();
            self.release(place);
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<&Client> {
        self.slab.get(place as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut Client> {
        self.slab.get_mut(place as usize)
    }

    /// What the path of a client is taken to carry, bit/s.
    pub(crate) fn carried(&self, place: u32) -> Option<u64> {
        self.get(place)?.estimate.bitrate()
    }

    /// The same for each of its streams. Until something is known of the path, what hurts no path
    /// much.
    pub(crate) fn carried_each(&self, place: u32) -> Option<u64> {
        let client = self.get(place)?;
        let carried = client.estimate.bitrate().unwrap_or(UNKNOWN_PATH);
        Some(carried / client.downs.len().max(1) as u64)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.slab.iter().map(|(_, client)| client)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }
}

impl Client {
    /// Asks the detectors of all its peers.
    fn read(&mut self, now: Instant, downs: &mut Slab<DownPeer>) {
        self.read = Some(now);
        let mut reading = Reading::default();
        let mut rtt = None;
        let (mut queue, mut grows) = (Duration::ZERO, false);
        let before = self.estimate.bitrate();
        for down in &self.downs {
            let Some(down) = downs.get_mut(*down as usize) else {
                continue;
            };
            rtt = rtt.max(down.peer.rtt);
            if let Some(detector) = &mut down.detector {
                reading.add(now, detector);
                if !detector.is_stale(now) {
                    queue = queue.max(detector.latest_queue());
                    grows |= detector.is_steep();
                }
            }
        }
        self.estimate
            .update(now, &reading, rtt.unwrap_or(UNKNOWN_RTT));
        if grows || self.hold.is_on() {
            self.hold(now, (queue, grows), downs);
        }
        let fell = |before: u64| self.estimate.bitrate() < Some(before - before / 20);
        if before.is_some_and(fell) {
            self.schedule.congested(now);
            self.next_allocation = None;
        }
    }

    /// Sends no pictures while they would only wait in the path's queue.
    fn hold(&mut self, now: Instant, queue: (Duration, bool), downs: &mut Slab<DownPeer>) {
        let flights = self.downs.iter().filter_map(|down| {
            let down = downs.get(*down as usize)?;
            // Of what nothing is told any more, what is missing was lost.
            let detector = down.detector.as_ref();
            detector.filter(|detector| !detector.is_stale(now))?;
            down.send_log.as_ref()?.flight(now)
        });
        let before = self.hold.is_on();
        let flight = flights.reduce(Flight::and);
        let flight = flight.or(before.then_some(Flight::default()));
        let (Some(flight), Some(bitrate)) = (flight, self.estimate.bitrate()) else {
            return;
        };
        self.hold.update(now, queue, flight, bitrate);
        let changes = before != self.hold.is_on();
        if changes {
            self.resumes |= before;
            self.next_allocation = None;
        }
        if changes || before {
            for down in &self.downs {
                let detector = downs.get_mut(*down as usize);
                if let Some(detector) = detector.and_then(|down| down.detector.as_mut()) {
                    detector.flooded(now);
                }
            }
        }
        if (changes && before) || self.hold.is_seen(now, flight) {
            self.estimate.hold(now);
        }
    }

    /// Those that were asked last: of which down peer, and which of its tracks.
    pub(super) fn tracks_of_pictures(&self) -> &[(u32, u16)] {
        &self.places
    }

    /// Asks what all its tracks could be sent. Returns what its sounds cost, bit/s.
    fn ask(&mut self, downs: &Slab<DownPeer>, ups: &Slab<UpPeer>) -> u64 {
        self.places.clear();
        self.demands.clear();
        let mut sound = 0;
        self.wanted = 0;
        for index in &self.downs {
            let Some(down) = downs.get(*index as usize).filter(|down| down.connected) else {
                continue;
            };
            for (at, track) in down.tracks.iter().enumerate() {
                let is_sent = track.source().is_some() && !track.is_withheld();
                let source = down.source_of(track).filter(|_| is_sent);
                let Some(up) = source.and_then(|source| ups.get(source as usize)) else {
                    continue;
                };
                if track.codec().kind() == Kind::Audio {
                    sound += match track.figures().bitrate {
                        0 => SOUND,
                        measured => measured,
                    };
                    continue;
                }
                let ladder = track.ladder(&up.tracks);
                let mut demand = Demand::new(ladder.rungs().iter().map(|rung| rung.bitrate));
                demand.natural = track.natural(&up.tracks);
                demand.elastic = track.elastic(&ladder, &up.tracks);
                demand.priority = track.view().priority || up.speaks();
                demand.is_kept = !up.is_layered() && up.has_one_receiver();
                (demand.is_new, demand.current) = match track.allotted() {
                    Allotted::All => (true, None),
                    Allotted::Nothing => (false, None),
                    Allotted::UpTo(layer) => (false, ladder.place_of(layer)),
                };
                demand.is_new |= self.resumes;
                self.wanted += demand.most().max(demand.natural);
                self.demands.push(demand);
                self.places.push((*index, at as u16));
            }
        }
        self.wanted += sound;
        sound
    }

    /// Takes what a probe showed, if it is over.
    fn end_probe(&mut self, now: Instant, detector: &mut Detector, paths: &mut PathFigures) {
        if let Some(result) = detector.probe_result(now) {
            // Others of the client's peers had their part of the path meanwhile.
            let others = self.estimate.acked().saturating_sub(detector.acked());
            self.estimate.probed(now, result.and(others));
            self.schedule.done(now, result);
            paths.probed(result);
        }
    }

    /// The sum of what its receivers estimate by themselves.
    fn sum_remb(&mut self, now: Instant, downs: &Slab<DownPeer>) {
        let each = self
            .downs
            .iter()
            .filter_map(|down| downs.get(*down as usize)?.spare_remb());
        let sum = each.reduce(u64::saturating_add);
        self.estimate.remb(now, sum);
    }
}

impl Shard {
    /// What a receiver's path carries for each of its client's streams, in bit/s. `None` where there
    /// are only sounds: nobody tries how much it is.
    pub(super) fn room_of(&self, down: u32) -> Option<u64> {
        let place = self.downs.get(down as usize)?.client;
        let peers = &self.clients.get(place)?.downs;
        let mut tracks = peers
            .iter()
            .filter_map(|peer| self.downs.get(*peer as usize))
            .flat_map(|peer| &peer.tracks);
        let has_pictures = tracks.any(|track| track.codec().kind() == Kind::Video);
        self.clients.carried_each(place).filter(|_| has_pictures)
    }

    /// A receiver told what became of its packets.
    pub(super) fn acknowledged(&mut self, now: Instant, index: u32, feedback: &[u8]) {
        let Self {
            downs,
            clients,
            flush,
            ..
        } = self;
        let Some(down) = downs.get_mut(index as usize) else {
            return;
        };
        let place = down.client;
        let Some(log) = &mut down.send_log else {
            return;
        };
        let detector = down
            .detector
            .get_or_insert_with(|| Box::new(Detector::new(now)));
        detector.feedback(now, log.feedback(now, feedback));
        let Some(client) = clients.get_mut(place) else {
            return;
        };
        client.end_probe(now, detector, &mut flush.paths);
        let is_due = |read: Instant| now.saturating_duration_since(read) >= INTERVAL;
        if client.read.is_none_or(is_due) {
            client.read(now, downs);
            self.allocate(now, place);
            self.probe(now, place);
        }
    }

    /// Looks after a receiver from time to time: where all is paused, nothing is told of, and what
    /// the path carries has to be tried.
    pub(super) fn tend(&mut self, now: Instant, index: u32) {
        let Self {
            downs,
            clients,
            flush,
            ..
        } = self;
        let Some(down) = downs.get_mut(index as usize) else {
            return;
        };
        let place = down.client;
        let Some(client) = clients.get_mut(place) else {
            return;
        };
        let mut queue = Duration::ZERO;
        if let Some(detector) = &mut down.detector {
            client.end_probe(now, detector, &mut flush.paths);
            queue = detector.latest_queue();
        }
        let is_silent = |read: Instant| now.saturating_duration_since(read) >= SILENCE;
        if client.hold.is_on() && client.read.is_none_or(is_silent) {
            // Perhaps all that would be told of was lost.
            client.hold(now, (queue, false), downs);
        }
        self.allocate(now, place);
        self.probe(now, place);
    }

    /// A receiver said what it estimates by itself.
    pub(super) fn receiver_estimated(&mut self, now: Instant, index: u32) {
        let Self { downs, clients, .. } = self;
        let Some(place) = downs.get(index as usize).map(|down| down.client) else {
            return;
        };
        if let Some(client) = clients.get_mut(place) {
            client.sum_remb(now, downs);
            self.allocate(now, place);
        }
    }

    /// Shares what a client's path carries among the pictures that it receives, if it is time.
    pub(super) fn allocate(&mut self, now: Instant, place: u32) {
        let Self {
            clients,
            downs,
            ups,
            ..
        } = self;
        let Some(client) = clients.get_mut(place) else {
            return;
        };
        let estimate = &client.estimate;
        let (Some(carried), Some(budget), Some(floor)) =
            (estimate.bitrate(), estimate.budget(), estimate.floor())
        else {
            return;
        };
        // What is too much is taken back at once.
        let falls = carried < client.allocated - client.allocated / 8;
        if !falls && client.next_allocation.is_some_and(|at| now < at) {
            return;
        }
        client.allocated = carried;
        let sound = client.ask(downs, ups);
        let limited = client.estimate.is_limited();
        client.pace.set(limited.then_some(floor));
        let budget = Budget {
            now: budget.saturating_sub(sound),
            carried: carried.saturating_sub(sound),
            floor: floor.saturating_sub(sound),
            is_congested: client.estimate.is_congested(),
        };
        let room = match client.demands.len() {
            0 | 1 => budget.carried,
            _ => budget.carried / 100 * ROOM,
        };
        rooms(room, &client.demands, &mut client.rooms);
        for (demand, room) in client.demands.iter_mut().zip(&client.rooms) {
            demand.fit(*room, &budget);
        }
        let holds = client.hold.is_on();
        let resumes = !holds && std::mem::take(&mut client.resumes);
        let decided = if holds {
            client.allocator.hold(&client.demands)
        } else {
            client.allocator.decide(now, &budget, &client.demands)
        };
        let equal = budget.carried / (client.demands.len().max(1) as u64);
        let (mut all, mut starved) = (true, false);
        let each = decided.iter().zip(&client.demands).zip(&client.rooms);
        for (((rung, demand), room), (down, at)) in each.zip(&client.places) {
            all &= *rung == demand.highest() && (!limited || *room >= demand.natural);
            let Some(down) = downs.get_mut(*down as usize) else {
                continue;
            };
            down.is_paced = limited;
            down.useful = Some(match limited {
                true => equal / 100 * ROOM,
                false => UNBOUND,
            });
            let source = down
                .tracks
                .get(usize::from(*at))
                .and_then(|track| down.source_of(track));
            if let Some(up) = source.and_then(|source| ups.get(source as usize))
                && let Some(track) = down.tracks.get_mut(usize::from(*at))
            {
                track.set_room(limited.then_some(*room));
                if holds {
                    track.pause();
                } else {
                    if resumes {
                        track.resume();
                    }
                    track.allot(*rung, &up.tracks);
                }
                // Who sends one size sends more once told that more can be used.
                let useful = down.useful.unwrap_or(0);
                if limited && !up.is_layered() && demand.rate(*rung) * 10 >= useful * 6 {
                    starved = true;
                }
            }
        }
        if starved {
            client.wanted = client.wanted.max(carried * STARVED);
        } else if all {
            // Nothing would be won.
            client.wanted = 0;
        }
        let pause = if all { IDLE_ALLOCATION } else { ALLOCATION };
        client.next_allocation = Some(now + pause);
        let count = client.places.len();
        for at in 0..count {
            let place = self
                .clients
                .get(place)
                .and_then(|client| client.places.get(at));
            if let Some((down, at)) = place.copied() {
                self.apply(now, down, at);
                self.tell_useful(down);
                if falls {
                    self.for_sources(down, |shard, source| shard.fit(now, source));
                }
            }
        }
        self.afford_copies(place);
    }

    /// A publisher of pictures in one size is told what the receiver can use of them.
    fn tell_useful(&mut self, index: u32) {
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        if down.detector.is_none() || down.sources.len() != 1 {
            return;
        }
        let (before, Some(useful)) = (down.remb, down.useful) else {
            return;
        };
        let near = before.is_some_and(|before| useful.abs_diff(before) < before / 20);
        if let (Some(source), false) = (down.sources[0], near) {
            down.remb = Some(useful);
            let layered = self
                .ups
                .get(source as usize)
                .is_some_and(UpPeer::is_layered);
            if !layered {
                self.update_remb(source, before, useful);
            }
        }
    }

    /// A track was given more or less than it had.
    fn apply(&mut self, now: Instant, index: u32, at: u16) {
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        let Some(track) = down.tracks.get_mut(usize::from(at)) else {
            return;
        };
        if !track.take_changed() {
            return;
        }
        if track.is_paused() {
            // It would be sent behind the keyframe that comes next.
            let place = down.client;
            if let Some(client) = self.clients.get_mut(place) {
                self.flush.paths.given_up += client.pace.forget(index, Some(at));
            }
        } else if track.is_waiting() {
            self.begin_track(now, index, at);
        } else {
            self.choose_for(now, index);
        }
    }
}
