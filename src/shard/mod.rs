//! The forwarding engine: all peers of one core. Pure: it is told the time, the datagrams and
//! the commands, and answers with datagrams, events and its next timeout.
//!
//! Its driver calls `handle_*` as things happen and then [`Shard::poll_transmit`] until the
//! shard has nothing more to send. Packets of one turn go out together, receiver by receiver.

mod allocate;
mod batch;
mod bound;
mod choice;
mod client;
mod command;
mod drops;
mod feedback;
mod figures;
mod flush;
mod handshake;
mod message;
mod mirror;
mod pace;
mod peer;
mod receive;
mod relay;
mod release;
mod resend;
mod route;
mod seal;
mod speaker;
mod stats;
mod watched;
mod withhold;

pub use batch::{Batch, MAX_DATAGRAM, Send};
pub use drops::Drop;
pub use figures::{MediaCounts, MediaFigures, PathFigures, PeerFigures, ShardFigures};
pub use message::{
    ClientId, Command, DownTrackConfig, Event, GroupId, PeerId, RelayMessage, ShardId, ShardStats,
    Speaker, StreamStats, TrackStats, UpTrackConfig, VoiceLimits, Wanted, Withheld,
};
pub use relay::{RelayHeader, Relays};
pub use stats::ShardSize;

use crate::media::cache::SLOT;
use crate::media::feedback::NtpClock;
use crate::transport::Path;
use crate::transport::identity::Identity;
use crate::transport::peer::TransportEvent;
use ahash::RandomState;
use client::Clients;
use drops::Drops;
use figures::Ledger;
use flush::Flush;
use handshake::Handshakes;
use peer::{DownPeer, Peer, Place, UpPeer, peer_at};
use route::Routes;
use slab::Slab;
use speaker::Circles;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Between two reports to the same peer (RFC 3550, section 6.2, reduced minimum).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The same while nothing is sent to the peer (RFC 3550, section 6.2, minimum).
const IDLE_REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// What need not happen at once happens at multiples of this since the shard was made: peers that
/// are idle share their wake-ups.
const GRID: Duration = Duration::from_millis(100);

/// What a shard is made with: all that it must not find out by itself.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Its own name.
    pub id: ShardId,
    /// The certificate of the process.
    pub identity: Identity,
    /// The addresses its sockets are bound to; a [`Path`] names them by their place here.
    pub locals: Vec<SocketAddr>,
    /// The wall clock, for RTCP.
    pub clock: NtpClock,
    /// When it is made.
    pub start: Instant,
    /// Of its hash tables.
    pub seed: u64,
}

/// The engine.
pub struct Shard {
    id: ShardId,
    identity: Identity,
    locals: Vec<SocketAddr>,
    clock: NtpClock,
    start: Instant,
    ups: Slab<UpPeer>,
    downs: Slab<DownPeer>,
    by_id: HashMap<PeerId, Place, RandomState>,
    routes: Routes,
    timers: BinaryHeap<Reverse<(Instant, Place)>>,
    events: VecDeque<Event>,
    drops: Drops,
    ledger: Ledger,
    flush: Flush,
    handshakes: Handshakes,
    relays: Relays,
    circles: Circles,
    clients: Clients,
    scratch: Box<[u8; SLOT]>,
}

impl Shard {
    /// An engine without peers.
    pub fn new(config: ShardConfig) -> Self {
        let hasher = RandomState::with_seed(config.seed as usize);
        Self {
            id: config.id,
            identity: config.identity,
            locals: config.locals,
            clock: config.clock,
            start: config.start,
            ups: Slab::new(),
            downs: Slab::new(),
            by_id: HashMap::with_hasher(hasher.clone()),
            routes: Routes::new(hasher.clone()),
            circles: Circles::new(hasher.clone()),
            clients: Clients::new(hasher),
            timers: BinaryHeap::new(),
            events: VecDeque::new(),
            drops: Drops::default(),
            ledger: Ledger::default(),
            flush: Flush::default(),
            handshakes: Handshakes::default(),
            relays: Relays::default(),
            scratch: Box::new([0; SLOT]),
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.slice_handshakes(now);
        while let Some(Reverse((at, place))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(peer) = self
                .peer_mut(place)
                .filter(|peer| peer.deadline == Some(at))
            else {
                // A later entry, or another peer in the same place, or none.
                self.ledger.timers.superseded += 1;
                continue;
            };
            peer.deadline = None;
            self.time_out(now, place);
        }
    }

    fn time_out(&mut self, now: Instant, place: Place) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let (peer, media_due) = match place {
            Place::Up(index) => {
                let Some(up) = self.ups.get_mut(index as usize) else {
                    return;
                };
                let media = due(up.next_poll());
                let Some(peer) = &mut up.peer else { return };
                let connected = peer.next_report.is_some();
                (peer, media && connected)
            }
            Place::Down(index) => {
                let Some(down) = self.downs.get_mut(index as usize) else {
                    return;
                };
                (&mut down.peer, false)
            }
        };
        let timers = &mut self.ledger.timers;
        let report_due = due(peer.next_report);
        timers.media += u64::from(media_due);
        timers.report += u64::from(report_due);
        if due(peer.transport.poll_timeout()) {
            timers.transport += 1;
            peer.transport
                .handle_timeout(now, &self.identity, &self.locals);
        }
        if media_due || report_due {
            self.flush.feedback(place, peer);
        }
        if report_due {
            self.settle_voice(now, place);
            if let Place::Down(index) = place {
                self.tend(now, index);
            }
        }
        self.after_transport(now, place);
    }

    /// When [`Self::handle_timeout`] should be called next. It has to be called after each round
    /// of datagrams too, due or not.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let flush = [
            self.flush.paced_due,
            self.flush.repairs_due,
            self.flush.probe_due,
        ];
        let flush = flush.into_iter().flatten().min();
        [timer, self.handshakes.due(), flush]
            .into_iter()
            .flatten()
            .min()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many peers it has.
    pub fn peers(&self) -> usize {
        self.ups.len() + self.downs.len()
    }

    fn peer_mut(&mut self, place: Place) -> Option<&mut Peer> {
        peer_at(&mut self.ups, &mut self.downs, place)
    }

    /// Takes up what ICE or DTLS of a peer led to: datagrams, events and a new timeout.
    fn after_transport(&mut self, now: Instant, place: Place) {
        let Some(peer) = self.peer_mut(place) else {
            return;
        };
        let id = peer.id;
        let mut connected = false;
        let mut events = Vec::new();
        while let Some(event) = peer.transport.poll_event() {
            match event {
                TransportEvent::Connected => {
                    connected = true;
                    events.push(Event::Connected { peer: id });
                }
                TransportEvent::Moved => {}
                TransportEvent::Failed(reason) => events.push(Event::Failed { peer: id, reason }),
                TransportEvent::Closed => events.push(Event::Closed { peer: id }),
            }
        }
        if connected && peer.next_report.is_none() {
            // Peers that connect together should not report together for ever.
            let stagger = Duration::from_millis(id.0 * 37 % 500);
            peer.next_report = Some(now + REPORT_INTERVAL / 2 + stagger);
        }
        self.flush_transmits(now, place);
        self.events.extend(events);
        if connected {
            self.begin_media(now, place);
        }
        self.schedule(place);
    }

    /// Moves the datagrams of ICE and DTLS to where the next flush finds them.
    fn flush_transmits(&mut self, now: Instant, place: Place) {
        let Self {
            ups,
            downs,
            locals,
            routes,
            flush,
            ..
        } = self;
        let peer = peer_at(ups, downs, place);
        let Some(peer) = peer else { return };
        while let Some(transmit) = peer.transport.poll_transmit(locals) {
            routes.sent(now, &transmit.data, place);
            flush.transmits.push_back(transmit);
        }
    }

    fn begin_media(&mut self, now: Instant, place: Place) {
        let Place::Down(index) = place else { return };
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        down.connected = true;
        self.begin_tracks(now, index);
    }

    fn begin_tracks(&mut self, now: Instant, index: u32) {
        let count = self
            .downs
            .get(index as usize)
            .map_or(0, |down| down.tracks.len());
        for track in 0..count {
            self.begin_track(now, index, track as u16);
        }
    }

    /// A receiver's track begins: at the last keyframe if that is near, else at the next one. One
    /// that had a break goes on at the next: it has seen the last, or its path has no room for all
    /// that came since.
    fn begin_track(&mut self, now: Instant, index: u32, track: u16) {
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        let Some(down_track) = down.tracks.get(usize::from(track)) else {
            return;
        };
        let is_first = down_track.figures().packets == 0;
        let (true, Some(source), true) = (
            down.connected,
            down.source_of(down_track),
            down_track.is_waiting(),
        ) else {
            return;
        };
        if is_first {
            self.begin_within(now, index, track);
        }
        let Some(up_track) = self.choose_encoding(now, index, track) else {
            return;
        };
        let replay = self
            .ups
            .get(source as usize)
            .and_then(|up| up.tracks.get(usize::from(up_track)))
            .and_then(|track| track.replay(now));
        match replay.filter(|_| is_first) {
            Some(packets) => self.flush.replay(index, track, up_track, packets),
            None => self.request_keyframe(now, source, up_track),
        }
    }

    /// Enters the peer's next deadline into the timer queue, if it is earlier than what stands
    /// there.
    fn schedule(&mut self, place: Place) {
        let Self {
            ups,
            downs,
            timers,
            start,
            ..
        } = self;
        let (peer, media) = match place {
            Place::Up(index) => {
                let Some(up) = ups.get_mut(index as usize) else {
                    return;
                };
                let media = up.next_poll();
                let Some(peer) = &mut up.peer else { return };
                let connected = peer.next_report.is_some();
                (peer, media.filter(|_| connected))
            }
            Place::Down(index) => {
                let Some(down) = downs.get_mut(index as usize) else {
                    return;
                };
                (&mut down.peer, None)
            }
        };
        let report = if peer.feedback_due {
            None
        } else {
            peer.next_report.map(|at| on_grid(*start, at))
        };
        let media = if peer.feedback_due { None } else { media };
        let mut transport = peer.transport.poll_timeout();
        if peer.transport.is_established() {
            transport = transport.map(|at| on_grid(*start, at));
        }
        let next = [transport, report, media].into_iter().flatten().min();
        if let Some(next) = next
            && peer.deadline.is_none_or(|old| next < old)
        {
            peer.deadline = Some(next);
            timers.push(Reverse((next, place)));
        }
    }

    /// Where a datagram that arrived on `path` belongs.
    fn place_of(&self, path: &Path) -> Option<Place> {
        self.routes.by_path(path)
    }
}

/// The next multiple of the grid.
fn on_grid(start: Instant, at: Instant) -> Instant {
    let since = at.saturating_duration_since(start).as_nanos();
    let grid = GRID.as_nanos();
    let behind = (grid - since % grid) % grid;
    at + Duration::from_nanos(behind as u64)
}
