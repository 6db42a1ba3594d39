//! All shards of the process, as signalling sees them.

use super::bind;
use super::driver::{Driver, Load};
use super::figures::ThreadFigures;
use super::link::{self, Address, Inbox, Links, Message};
use crate::media::feedback::NtpClock;
use crate::shard::{ClientId, Command, Event, PeerId, Shard, ShardConfig, ShardId, ShardStats};
use crate::transport::description::Fingerprint;
use crate::transport::identity::Identity;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// A shard that is busy for more than this share of its time takes no more receivers if another
/// is cooler; in thousandths.
const HOT: u32 = 600;
/// By how much the other must be cooler, in thousandths.
const COOLER: u32 = 200;
/// Shards whose loads differ by less than this are told apart by their peers, in thousandths.
const BUSY_STEP: u32 = 50;

/// The UDP ports that media may use (`-udp-range`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortRange {
    /// A free port a shard, chosen by the system; one shard a core.
    #[default]
    Any,
    /// One port, one shard.
    One(u16),
    /// Shard n takes the n-th port from the first; at most one shard a port or core.
    Between(u16, u16),
}

/// What the shards are started with.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// `-udp-range`
    pub ports: PortRange,
    /// `--media-address`; empty for all addresses of the interfaces.
    pub addresses: Vec<IpAddr>,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A socket could not be bound.
    #[error("cannot use UDP {address} for media: {source}")]
    Bind {
        /// Which address and port.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("cannot start the media engine: {0}")]
    Start(String),
}

/// The running shards. Dropping it stops them.
#[derive(Debug)]
pub struct Engine {
    fingerprint: Fingerprint,
    next_peer: AtomicU64,
    next_client: AtomicU64,
    removed: AtomicU64,
    shards: Vec<ShardHandle>,
}

#[derive(Debug)]
struct ShardHandle {
    address: Address,
    candidates: Vec<SocketAddr>,
    load: Arc<Load>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Makes the DTLS certificate, binds the sockets and starts the threads. Events of all
    /// shards come out of the receiver.
    ///
    /// # Errors
    /// When a socket cannot be bound, or a thread not started.
    pub fn start(
        config: &EngineConfig,
    ) -> Result<(Self, mpsc::UnboundedReceiver<(ShardId, Event)>), EngineError> {
        let failed = |error: &dyn std::fmt::Display| EngineError::Start(error.to_string());
        let identity = Identity::generate().map_err(|error| failed(&error))?;
        let (events, receiver) = mpsc::unbounded_channel();
        let addresses = if config.addresses.is_empty() {
            bind::interface_addresses()
        } else {
            config.addresses.clone()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let start = Instant::now();
        let clock = NtpClock::new(
            start,
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        let sockets = bind_shards(&addresses, config.ports, cores)?;
        let mut inboxes = Vec::new();
        for _ in &sockets {
            inboxes.push(Inbox::new().map_err(|error| failed(&error))?);
        }
        let links: Vec<Links> = link::connect(&inboxes);
        let mut shards = Vec::new();
        for (number, ((sockets, inbox), links)) in
            sockets.into_iter().zip(inboxes).zip(links).enumerate()
        {
            let candidates = sockets
                .iter()
                .map(std::net::UdpSocket::local_addr)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| failed(&error))?;
            let shard = Shard::new(ShardConfig {
                id: ShardId(number),
                identity: identity.clone(),
                locals: candidates.clone(),
                clock,
                start,
                seed: rand::random(),
            });
            let load = Arc::new(Load::default());
            let address = inbox.address();
            let driver = Driver::new(
                ShardId(number),
                shard,
                sockets,
                inbox,
                links,
                events.clone(),
                Arc::clone(&load),
            )
            .map_err(|error| failed(&error))?;
            let thread = std::thread::Builder::new()
                .name(format!("shard-{number}"))
                .spawn(move || driver.run())
                .map_err(|error| failed(&error))?;
            tracing::info!(shard = number, addresses = ?candidates, "media");
            shards.push(ShardHandle {
                address,
                candidates,
                load,
                thread: Some(thread),
            });
        }
        let engine = Self {
            fingerprint: identity.fingerprint().clone(),
            next_peer: AtomicU64::new(1),
            next_client: AtomicU64::new(1),
            removed: AtomicU64::new(0),
            shards,
        };
        Ok((engine, receiver))
    }

    /// Of the certificate that every peer connection of this process shows.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// A name for a new peer.
    pub fn new_peer(&self) -> PeerId {
        PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed))
    }

    /// A name for a new client that receives.
    pub fn new_client(&self) -> ClientId {
        ClientId(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// Where a new group should live.
    pub fn least_loaded(&self) -> ShardId {
        let loads = self.shards.iter().map(|shard| shard.load.read());
        let least = loads
            .enumerate()
            .min_by_key(|(_, (busy, peers))| (busy / BUSY_STEP, *peers));
        ShardId(least.map_or(0, |(at, _)| at))
    }

    /// Where a new receiver of a group should live: with its group, unless that shard is hot and
    /// another is not.
    pub fn place(&self, home: ShardId) -> ShardId {
        let busy = |shard: &ShardHandle| shard.load.read().0;
        let Some(at_home) = self.shards.get(home.0).map(busy) else {
            return home;
        };
        if at_home < HOT {
            return home;
        }
        let coolest = self
            .shards
            .iter()
            .map(busy)
            .enumerate()
            .min_by_key(|(_, busy)| *busy);
        match coolest {
            Some((at, busy)) if busy + COOLER < at_home => ShardId(at),
            _ => home,
        }
    }

    /// The addresses that a shard's peers announce as host candidates.
    pub fn candidates(&self, shard: ShardId) -> &[SocketAddr] {
        self.shards
            .get(shard.0)
            .map_or(&[], |shard| &shard.candidates)
    }

    /// Tells a shard. Never blocks; commands of one caller arrive in order.
    pub fn send(&self, shard: ShardId, command: Command) {
        if matches!(command, Command::Remove { .. }) {
            self.removed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(shard) = self.shards.get(shard.0) {
            shard.address.tell(Message::Command(Box::new(command)));
        }
    }

    /// How many peers were removed so far.
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// The sums of every shard, cheaper than [`Self::stats`].
    pub async fn figures(&self) -> Vec<(ShardId, ThreadFigures)> {
        let mut replies = Vec::new();
        for (at, shard) in self.shards.iter().enumerate() {
            let (reply, answer) = oneshot::channel();
            shard.address.tell(Message::Figures(reply));
            replies.push((ShardId(at), answer));
        }
        let mut all = Vec::new();
        for (shard, answer) in replies {
            if let Ok(figures) = answer.await {
                all.push((shard, figures));
            }
        }
        all
    }

    /// A snapshot of every shard's figures.
    pub async fn stats(&self) -> Vec<(ShardId, ShardStats)> {
        let mut replies = Vec::new();
        for (at, shard) in self.shards.iter().enumerate() {
            let (reply, answer) = oneshot::channel();
            shard.address.tell(Message::Stats(reply));
            replies.push((ShardId(at), answer));
        }
        let mut all = Vec::new();
        for (shard, answer) in replies {
            if let Ok(stats) = answer.await {
                all.push((shard, stats));
            }
        }
        all
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.address.tell(Message::Stop);
        }
        for shard in &mut self.shards {
            if let Some(thread) = shard.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a media thread panicked");
            }
        }
    }
}

/// The sockets of all shards: one shard a core, as far as the ports go.
fn bind_shards(
    addresses: &[IpAddr],
    mut ports: PortRange,
    cores: usize,
) -> Result<Vec<Vec<UdpSocket>>, EngineError> {
    let mut shards: Vec<Vec<UdpSocket>> = Vec::new();
    for number in 0..bind::shard_count(ports, cores) {
        let sockets = match bind::bind(addresses, ports) {
            Ok(sockets) => sockets,
            // A range that other programs have eaten into carries fewer shards.
            Err(error) if number > 0 => {
                tracing::warn!(%error, "fewer media threads than cores");
                break;
            }
            Err(error) => return Err(error),
        };
        let port = sockets.first().and_then(|socket| socket.local_addr().ok());
        if let (PortRange::Between(_, high), Some(first)) = (ports, port) {
            // The next shard looks behind this one's port.
            if first.port() >= high {
                shards.push(sockets);
                break;
            }
            ports = PortRange::Between(first.port() + 1, high);
        }
        shards.push(sockets);
    }
    Ok(shards)
}
