//! All shards of the process, as signalling sees them.

use super::bind;
use super::driver::{Driver, Message};
use crate::media::feedback::NtpClock;
use crate::shard::{Command, Event, PeerId, Shard, ShardConfig, ShardStats};
use crate::transport::description::Fingerprint;
use crate::transport::identity::Identity;
use mio::Waker;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// A shard of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub usize);

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
    shards: Vec<ShardHandle>,
}

#[derive(Debug)]
struct ShardHandle {
    messages: Sender<Message>,
    waker: Arc<Waker>,
    candidates: Vec<SocketAddr>,
    /// Peers it has.
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl ShardHandle {
    fn tell(&self, message: Message) {
        if self.messages.send(message).is_err() {
            tracing::error!("a media thread has ended");
        } else if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a media thread");
        }
    }
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
        let clock = NtpClock::new(
            Instant::now(),
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        let mut shards = Vec::new();
        let mut ports = config.ports;
        for number in 0..bind::shard_count(config.ports, cores) {
            let sockets = match bind::bind(&addresses, ports) {
                Ok(sockets) => sockets,
                // A range that other programs have eaten into carries fewer shards.
                Err(error) if number > 0 => {
                    tracing::warn!(%error, "fewer media threads than cores");
                    break;
                }
                Err(error) => return Err(error),
            };
            let candidates = sockets
                .iter()
                .map(std::net::UdpSocket::local_addr)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| failed(&error))?;
            if let (PortRange::Between(_, high), Some(first)) = (ports, candidates.first()) {
                // The next shard looks behind this one's port.
                ports = PortRange::Between(first.port().saturating_add(1), high);
            }
            let shard = Shard::new(ShardConfig {
                identity: identity.clone(),
                locals: candidates.clone(),
                clock,
                seed: rand::random(),
            });
            let load = Arc::new(AtomicUsize::new(0));
            let (messages, inbox) = std::sync::mpsc::channel();
            let (driver, waker) = Driver::new(
                ShardId(number),
                shard,
                sockets,
                inbox,
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
                messages,
                waker,
                candidates,
                load,
                thread: Some(thread),
            });
        }
        let engine = Self {
            fingerprint: identity.fingerprint().clone(),
            next_peer: AtomicU64::new(1),
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

    /// Where a new group should live.
    pub fn least_loaded(&self) -> ShardId {
        let loads = self
            .shards
            .iter()
            .map(|shard| shard.load.load(Ordering::Relaxed));
        ShardId(
            loads
                .enumerate()
                .min_by_key(|(_, load)| *load)
                .map_or(0, |(at, _)| at),
        )
    }

    /// The addresses that a shard's peers announce as host candidates.
    pub fn candidates(&self, shard: ShardId) -> &[SocketAddr] {
        self.shards
            .get(shard.0)
            .map_or(&[], |shard| &shard.candidates)
    }

    /// Tells a shard. Never blocks; commands of one caller arrive in order.
    pub fn send(&self, shard: ShardId, command: Command) {
        if let Some(shard) = self.shards.get(shard.0) {
            shard.tell(Message::Command(Box::new(command)));
        }
    }

    /// A snapshot of every shard's figures.
    pub async fn stats(&self) -> Vec<(ShardId, ShardStats)> {
        let mut replies = Vec::new();
        for (at, shard) in self.shards.iter().enumerate() {
            let (reply, answer) = oneshot::channel();
            shard.tell(Message::Stats(reply));
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
            shard.tell(Message::Stop);
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
