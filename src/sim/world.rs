//! The world: shards, hosts, the links between them, and the order in which things happen.

use super::client::{Client, Media, Outbox};
use super::conference::{PublisherReport, ViewerReport};
use super::link::{Link, LinkConfig, LinkFigures};
use super::queue::{Happening, Queue};
use super::random::Random;
use super::report::{ClientReport, Report};
use crate::media::feedback::NtpClock;
use crate::shard::{
    Batch, Command, Event, PeerId, Shard, ShardConfig, ShardId, ShardSize, ShardStats,
};
use crate::transport::demux::{Protocol, demux};
use crate::transport::description::IceCredentials;
use crate::transport::identity::{Identity, IdentityError};
use crate::transport::{IceError, Path};
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The wall clock at the beginning of the world: 2024-01-01.
pub(super) const UNIX: Duration = Duration::from_secs(1_704_067_200);
/// More events than these at one instant are a loop.
const MAX_AT_ONCE: u64 = 1_000_000;

/// A simulation that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No certificate could be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A client's ICE refused its settings.
    #[error(transparent)]
    Ice(#[from] IceError),
    /// There is no such client, or it has left.
    #[error("no client {0:?}")]
    NoClient(ClientId),
    /// The client is not of the kind that can do this.
    #[error("client {0:?} cannot do that")]
    WrongKind(ClientId),
    /// Time no longer passes.
    #[error("the world loops at {0:?}: {1}")]
    Loop(Duration, &'static str),
}

/// A client of the world: one peer connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub usize);

/// A host of the world: its clients share its two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub usize);

/// How a world begins.
#[derive(Debug, Clone, Copy)]
pub struct WorldConfig {
    /// The instant at which it begins: any.
    pub start: Instant,
    /// Decides everything.
    pub seed: u64,
    /// How many shards there are.
    pub shards: usize,
}

struct Host {
    up: Link,
    down: Link,
    clients: u16,
}

pub(super) struct ShardNode {
    pub(super) shard: Shard,
    pub(super) address: SocketAddr,
    wake: Option<Instant>,
    events: Vec<(Duration, Event)>,
    stats: Option<Box<ShardStats>>,
}

pub(super) struct ClientNode {
    pub(super) client: Client,
    pub(super) host: usize,
    pub(super) shard: usize,
    pub(super) peer: PeerId,
    /// The address that the server sees: that of the NAT, if there is one.
    pub(super) mapped: SocketAddr,
    /// Of the server, and of the client.
    pub(super) credentials: [IceCredentials; 2],
    pub(super) receives: Option<super::signal::Subscription>,
    wake: Option<Instant>,
}

/// Shards and clients in virtual time.
pub struct World {
    pub(super) seed: u64,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) random: Random,
    pub(super) server: Identity,
    pub(super) browser: Identity,
    pub(super) shards: Vec<ShardNode>,
    hosts: Vec<Host>,
    pub(super) clients: BTreeMap<ClientId, ClientNode>,
    departed: BTreeMap<ClientId, ClientReport>,
    pub(super) addresses: HashMap<SocketAddr, ClientId>,
    pub(super) next_client: usize,
    queue: Queue,
    batch: Batch,
    pub(super) outbox: Outbox,
    tape: Option<Vec<(ClientId, Vec<u8>)>>,
    pub(super) relayed: u64,
}

impl World {
    /// A world of shards without clients.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn new(config: WorldConfig) -> Result<Self, SimError> {
        let WorldConfig {
            start,
            seed,
            shards,
        } = config;
        let server = Identity::generate()?;
        let browser = Identity::generate()?;
        let shards = (0..shards.max(1))
            .map(|index| {
                let address = SocketAddr::from(([192, 0, 2, 1], 5_000 + index as u16));
                ShardNode {
                    shard: Shard::new(ShardConfig {
                        id: ShardId(index),
                        identity: server.clone(),
                        locals: vec![address],
                        clock: NtpClock::new(start, UNIX),
                        start,
                        seed: seed.wrapping_add(index as u64),
                    }),
                    address,
                    wake: None,
                    events: Vec::new(),
                    stats: None,
                }
            })
            .collect();
        Ok(Self {
            seed,
            start,
            now: start,
            random: Random::stream(seed, &[0]),
            server,
            browser,
            shards,
            hosts: Vec::new(),
            clients: BTreeMap::new(),
            departed: BTreeMap::new(),
            addresses: HashMap::new(),
            next_client: 0,
            queue: Queue::default(),
            batch: Batch::new(),
            outbox: Outbox::new(),
            tape: None,
            relayed: 0,
        })
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    /// The instant that it is in the world.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A host behind two links.
    pub fn add_host(&mut self, up: LinkConfig, down: LinkConfig) -> HostId {
        let id = self.hosts.len();
        let link =
            |config, direction| Link::new(self.now, config, self.seed, &[1, id as u64, direction]);
        self.hosts.push(Host {
            up: link(up, 0),
            down: link(down, 1),
            clients: 0,
        });
        HostId(id)
    }

    /// A host's links are others from now on.
    pub fn set_links(&mut self, host: HostId, up: LinkConfig, down: LinkConfig) {
        if let Some(host) = self.hosts.get_mut(host.0) {
            host.up.reconfigure(up);
            host.down.reconfigure(down);
        }
    }

    /// What a host's links have done: up, and down.
    pub fn links(&self, host: HostId) -> Option<(LinkFigures, LinkFigures)> {
        let host = self.hosts.get(host.0)?;
        Some((host.up.figures(), host.down.figures()))
    }

    /// A host's link to it: what it carried.
    pub fn down_link(&self, host: HostId) -> Option<&Link> {
        self.hosts.get(host.0).map(|host| &host.down)
    }

    /// A host's link from it.
    pub fn up_link(&self, host: HostId) -> Option<&Link> {
        self.hosts.get(host.0).map(|host| &host.up)
    }

    /// An address of a host that no client had before.
    pub(super) fn new_address(&mut self, host: usize) -> SocketAddr {
        let port = match self.hosts.get_mut(host) {
            Some(host) => {
                host.clients = host.clients.wrapping_add(1);
                host.clients
            }
            None => 0,
        };
        let ip = Ipv4Addr::from(0x0a00_0001 + host as u32);
        // 10.0.0.0/8; ports begin again after some 60,000 clients.
        SocketAddr::from((ip, 2_000 + port % 60_000))
    }

    /// Tells a shard something.
    pub fn command(&mut self, shard: usize, command: Command) {
        let now = self.now;
        if let Some(node) = self.shards.get_mut(shard) {
            node.shard.handle_command(now, command);
        }
        self.after_shard(shard);
    }

    /// Gives a shard a datagram as if it came from this address. It may be anything.
    pub fn inject(&mut self, shard: usize, from: SocketAddr, data: &[u8]) {
        self.arrive(shard, from, data.to_vec());
        // As for a driver, the turn ends here: what was kept for later has come to its end.
        let now = self.now;
        if let Some(node) = self.shards.get_mut(shard) {
            node.shard.handle_timeout(now);
        }
        self.after_shard(shard);
    }

    /// The address that the server sees a client at.
    pub fn address(&self, client: ClientId) -> Option<SocketAddr> {
        self.clients.get(&client).map(|node| node.mapped)
    }

    /// The ICE credentials of a client's connection: the server's, and the client's.
    pub fn credentials_of(&self, client: ClientId) -> Option<&[IceCredentials; 2]> {
        self.clients.get(&client).map(|node| &node.credentials)
    }

    /// Every datagram that clients send to shards from now on is kept, lost ones included.
    pub fn tape(&mut self) {
        self.tape = Some(Vec::new());
    }

    /// What was taped until now: who sent what.
    pub fn taped(&self) -> &[(ClientId, Vec<u8>)] {
        self.tape.as_deref().unwrap_or_default()
    }

    /// A shard, for whoever drives it by hand. Its timers are not heard meanwhile.
    pub fn shard_mut(&mut self, shard: usize) -> Option<&mut Shard> {
        self.shards.get_mut(shard).map(|node| &mut node.shard)
    }

    /// What a shard counts.
    pub fn shard_stats(&mut self, shard: usize) -> ShardStats {
        self.command(shard, Command::Stats { token: 0 });
        let stats = self
            .shards
            .get_mut(shard)
            .and_then(|node| node.stats.take());
        stats.map(|stats| *stats).unwrap_or_default()
    }

    /// How often a shard dropped something for this reason.
    pub fn drops(&mut self, shard: usize, reason: crate::shard::Drop) -> u64 {
        let stats = self.shard_stats(shard);
        let entry = stats.drops.iter().find(|(name, _)| *name == reason.name());
        entry.map_or(0, |(_, count)| *count)
    }

    /// How much a shard remembers.
    pub fn shard_size(&self, shard: usize) -> Option<ShardSize> {
        self.shards.get(shard).map(|node| node.shard.size())
    }

    /// What a shard told, and when.
    pub fn shard_events(&self, shard: usize) -> &[(Duration, Event)] {
        self.shards
            .get(shard)
            .map_or(&[], |node| node.events.as_slice())
    }

    /// What a client saw, until now or until it left.
    pub fn client(&self, client: ClientId) -> ClientReport {
        match self.clients.get(&client) {
            Some(node) => node.client.report(),
            None => self.departed.get(&client).cloned().unwrap_or_default(),
        }
    }

    /// What a publishing browser did.
    pub fn published(&self, client: ClientId) -> Option<PublisherReport> {
        match &self.clients.get(&client)?.client.media {
            Media::Publish(publisher) => Some(publisher.report()),
            _ => None,
        }
    }

    /// What a watching browser saw until now.
    pub fn viewed(&self, client: ClientId) -> Option<ViewerReport> {
        match &self.clients.get(&client)?.client.media {
            Media::View(viewer) => Some(viewer.report(self.now)),
            _ => None,
        }
    }

    /// What all clients saw.
    pub fn report(&self) -> Report {
        Report(
            (0..self.next_client)
                .map(|client| self.client(ClientId(client)))
                .collect(),
        )
    }

    /// Forgets a client; what is on its way to it is lost.
    pub(super) fn forget(&mut self, client: ClientId) {
        if let Some(node) = self.clients.remove(&client) {
            self.addresses.remove(&node.mapped);
            self.departed.insert(client, node.client.report());
        }
    }

    /// Forgets what clients that left have seen: for very long runs.
    pub fn forget_departed(&mut self) {
        self.departed.clear();
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// When it does not.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), SimError> {
        let end = self.now + duration;
        let mut at_once = 0_u64;
        while let Some((at, what)) = self.queue.next_until(end) {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            if at_once > MAX_AT_ONCE {
                let what = match what {
                    Happening::ToShard { .. } => "datagrams to a shard",
                    Happening::ToClient { .. } => "datagrams to a client",
                    Happening::WakeShard(_) => "a shard's timer",
                    Happening::WakeClient(_) => "a client's timer",
                };
                return Err(SimError::Loop(self.elapsed(), what));
            }
            self.now = self.now.max(at);
            self.happen(what);
        }
        self.now = end;
        Ok(())
    }

    /// Lets time pass until something is so; false if it is not so after `limit`.
    ///
    /// # Errors
    /// When time does not pass.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Result<bool, SimError> {
        let end = self.now + limit;
        loop {
            if is_so(self) {
                return Ok(true);
            }
            if self.now >= end {
                return Ok(false);
            }
            self.run_for(Duration::from_millis(5))?;
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::ToShard { shard, from, data } => self.arrive(shard, from, data),
            Happening::ToClient { to, from, mut data } => {
                let Some(client) = self.addresses.get(&to).copied() else {
                    return;
                };
                if let Some(node) = self.clients.get_mut(&client) {
                    node.client
                        .handle_datagram(self.now, from, &mut data, &mut self.outbox);
                }
                self.after_client(client);
            }
            Happening::WakeShard(index) => {
                let now = self.now;
                if let Some(node) = self.shards.get_mut(index)
                    && node.wake == Some(now)
                {
                    node.wake = None;
                    node.shard.handle_timeout(now);
                    self.after_shard(index);
                }
            }
            Happening::WakeClient(client) => {
                let now = self.now;
                if let Some(node) = self.clients.get_mut(&client)
                    && node.wake == Some(now)
                {
                    node.wake = None;
                    node.client.handle_timeout(now, &mut self.outbox);
                    self.after_client(client);
                }
            }
        }
    }

    fn arrive(&mut self, shard: usize, from: SocketAddr, mut data: Vec<u8>) {
        let path = Path {
            local: 0,
            remote: from,
        };
        if let Some(node) = self.shards.get_mut(shard) {
            node.shard.handle_datagram(self.now, path, &mut data);
        }
        self.after_shard(shard);
    }

    /// Sends what a shard has to send, takes down what it tells, and sets its alarm.
    pub(super) fn after_shard(&mut self, index: usize) {
        let now = self.now;
        let elapsed = self.elapsed();
        let mut batch = std::mem::take(&mut self.batch);
        let mut relayed = Vec::new();
        let mut commands = Vec::new();
        let mut watched = Vec::new();
        while let Some(node) = self.shards.get_mut(index) {
            let from = node.address;
            let more = node.shard.poll_transmit(now, &mut batch);
            let relays = node.shard.relays();
            let packets = relays.packets();
            relayed.extend(packets.map(|(to, header, bytes)| (to, *header, bytes.to_vec())));
            relays.clear();
            for (path, data) in batch.datagrams() {
                self.deliver_down(from, path.remote, data);
            }
            batch.clear();
            if !more {
                break;
            }
        }
        self.batch = batch;
        let Some(node) = self.shards.get_mut(index) else {
            return;
        };
        while let Some(event) = node.shard.poll_event() {
            match event {
                Event::Stats { stats, .. } => node.stats = Some(stats),
                Event::Relay { to, command } => commands.push((to, *command)),
                Event::Watched { peer, ref wanted } => {
                    watched.push((peer, wanted.clone()));
                    node.events.push((elapsed, event));
                }
                event => node.events.push((elapsed, event)),
            }
        }
        let wake = node.shard.poll_timeout().map(|at| at.max(now));
        if let Some(at) = wake
            && node.wake.is_none_or(|old| at < old)
        {
            node.wake = Some(at);
            self.queue.enter(at, Happening::WakeShard(index));
        }
        for (peer, wanted) in watched {
            self.tell_wanted(peer, &wanted);
        }
        // Shards of one process reach each other at once.
        for (to, command) in commands {
            self.command(to.0, command);
        }
        for (to, header, bytes) in relayed {
            self.relayed += bytes.len() as u64;
            if let Some(node) = self.shards.get_mut(to.0) {
                node.shard.handle_relay(now, &header, &bytes);
            }
            self.after_shard(to.0);
        }
    }

    fn deliver_down(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        // An address that nobody has: a NAT's old one, or one that was never reachable.
        let Some(client) = self.addresses.get(&to) else {
            return;
        };
        let Some(host) = self
            .clients
            .get(client)
            .and_then(|node| self.hosts.get_mut(node.host))
        else {
            return;
        };
        let protocol = demux(data).unwrap_or(Protocol::Rtp);
        let arrivals = host.down.send(self.now, protocol, data.len());
        for at in arrivals.0.into_iter().flatten() {
            let data = data.to_vec();
            self.queue.enter(at, Happening::ToClient { to, from, data });
        }
    }

    /// Sends what a client has to send, and sets its alarm.
    pub(super) fn after_client(&mut self, client: ClientId) {
        let now = self.now;
        let mut outbox = std::mem::take(&mut self.outbox);
        for (to, data) in outbox.drain(..) {
            self.deliver_up(client, to, data);
        }
        self.outbox = outbox;
        let Some(node) = self.clients.get_mut(&client) else {
            return;
        };
        let wake = node.client.poll_timeout().map(|at| at.max(now));
        if let Some(at) = wake
            && node.wake.is_none_or(|old| at < old)
        {
            node.wake = Some(at);
            self.queue.enter(at, Happening::WakeClient(client));
        }
    }

    fn deliver_up(&mut self, client: ClientId, to: SocketAddr, data: Vec<u8>) {
        if let Some(tape) = &mut self.tape {
            tape.push((client, data.clone()));
        }
        let Some(shard) = self.shards.iter().position(|node| node.address == to) else {
            return;
        };
        let Some(node) = self.clients.get(&client) else {
            return;
        };
        let from = node.mapped;
        let Some(host) = self.hosts.get_mut(node.host) else {
            return;
        };
        let protocol = demux(&data).unwrap_or(Protocol::Rtp);
        let arrivals = host.up.send(self.now, protocol, data.len());
        let [first, copy] = arrivals.0;
        if let Some(at) = copy {
            let data = data.clone();
            self.queue
                .enter(at, Happening::ToShard { shard, from, data });
        }
        if let Some(at) = first {
            self.queue
                .enter(at, Happening::ToShard { shard, from, data });
        }
    }

    pub(super) fn add_client(&mut self, node: NewClient) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        self.addresses.insert(node.mapped, id);
        self.clients.insert(
            id,
            ClientNode {
                client: node.client,
                host: node.host,
                shard: node.shard,
                peer: node.peer,
                mapped: node.mapped,
                credentials: node.credentials,
                receives: node.receives,
                wake: None,
            },
        );
        id
    }
}

/// A client that is about to be part of the world.
pub(super) struct NewClient {
    pub(super) client: Client,
    pub(super) host: usize,
    pub(super) shard: usize,
    pub(super) peer: PeerId,
    pub(super) mapped: SocketAddr,
    pub(super) credentials: [IceCredentials; 2],
    pub(super) receives: Option<super::signal::Subscription>,
}
