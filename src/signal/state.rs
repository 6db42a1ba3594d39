//! What all connections share.

use super::drain::Drain;
use super::figures::Figures;
use super::whip::{Door, Visits};
use crate::group::{Kick, Mailbox, MailboxLimits, Notice, PeerChange, Registry};
use crate::net::{Engine, ShardId};
use crate::shard::{Event, PeerId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};

/// What the server is told to say when it ends.
const SHUTTING_DOWN: &str = "server is shutting down";
/// How long clients have to take leave.
const GRACE: Duration = Duration::from_secs(3);

/// For how long the server waits for its clients, and how much it keeps for them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What may wait for a client that does not read.
    pub mailbox: MailboxLimits,
    /// For the first message.
    pub handshake: Duration,
    /// A client that is silent for this long is pinged.
    pub ping: Duration,
    /// A client that is silent for this long is dropped.
    pub dead: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mailbox: MailboxLimits::default(),
            handshake: Duration::from_secs(15),
            ping: Duration::from_secs(20),
            dead: Duration::from_secs(45),
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub struct State {
    registry: Arc<Registry>,
    engine: Arc<Engine>,
    limits: Limits,
    rtc_configuration: RwLock<RtcConfiguration>,
    /// Who is told of a peer connection.
    peers: Mutex<HashMap<PeerId, Followed>>,
    connections: Mutex<Connections>,
    /// The last connection ended.
    empty: Notify,
    next_connection: AtomicU64,
    drain: watch::Sender<Option<Drain>>,
    visits: Visits,
    figures: Figures,
}

/// A peer connection, and whose it is.
#[derive(Debug)]
pub(super) struct Followed {
    /// Where its client is told what becomes of it.
    pub(super) mailbox: Arc<Mailbox>,
    /// The name of the group.
    pub(super) group: String,
    /// The client's id.
    pub(super) client: String,
    /// The stream's id on the wire.
    pub(super) stream: String,
}

struct RtcConfiguration(Arc<dyn Fn() -> Value + Send + Sync>);

impl fmt::Debug for RtcConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RtcConfiguration(…)")
    }
}

#[derive(Debug, Default)]
struct Connections {
    shutting_down: bool,
    open: HashMap<u64, Arc<Mailbox>>,
}

impl State {
    /// Joins groups and media together; `events` are those of `engine`. Must be called inside a
    /// tokio runtime, on which it follows the events for as long as the state lives.
    pub fn new(
        registry: Arc<Registry>,
        engine: Arc<Engine>,
        events: mpsc::UnboundedReceiver<(ShardId, Event)>,
    ) -> Arc<Self> {
        Self::with_limits(registry, engine, events, Limits::default())
    }

    /// Like [`Self::new`], with other limits than the usual ones.
    pub fn with_limits(
        registry: Arc<Registry>,
        engine: Arc<Engine>,
        events: mpsc::UnboundedReceiver<(ShardId, Event)>,
        limits: Limits,
    ) -> Arc<Self> {
        let state = Arc::new(Self {
            registry,
            engine,
            limits,
            rtc_configuration: RwLock::new(RtcConfiguration(Arc::new(|| json!({})))),
            peers: Mutex::default(),
            connections: Mutex::default(),
            empty: Notify::new(),
            next_connection: AtomicU64::new(0),
            drain: watch::Sender::new(None),
            visits: Visits::default(),
            figures: Figures::default(),
        });
        tokio::spawn(follow(Arc::downgrade(&state), events));
        state
    }

    /// All groups.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// All shards.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The `RTCConfiguration` that clients are told when they join.
    pub fn rtc_configuration(&self) -> Value {
        let source = Arc::clone(
            &self
                .rtc_configuration
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .0,
        );
        source()
    }

    /// Says where the `RTCConfiguration` comes from, for those who join from now on. It is asked
    /// once for each, because it may hold credentials that expire.
    pub fn set_rtc_configuration(&self, source: impl Fn() -> Value + Send + Sync + 'static) {
        *self
            .rtc_configuration
            .write()
            .unwrap_or_else(PoisonError::into_inner) = RtcConfiguration(Arc::new(source));
    }

    /// Tells every client that the server is shutting down, and waits a little for them to go.
    /// Who comes later is told the same.
    pub async fn shutdown(&self) {
        let gone = self.empty.notified();
        tokio::pin!(gone);
        gone.as_mut().enable();
        {
            let mut connections = self.connections();
            connections.shutting_down = true;
            for mailbox in connections.open.values() {
                mailbox.push(self.shutting_down());
            }
            if connections.open.is_empty() {
                return;
            }
        }
        if tokio::time::timeout(GRACE, gone).await.is_err() {
            tracing::info!("not every client took leave");
        }
    }

    /// The sessions of WHIP and WHEP.
    pub(super) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// What is counted.
    pub(super) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// How many WebSockets are open, and how many sessions of WHIP and of WHEP.
    pub fn connected(&self) -> [usize; 3] {
        let all = self.connections().open.len();
        let [whip, whep] = [Door::Whip, Door::Whep].map(|door| self.visits.count(door));
        [all.saturating_sub(whip + whep), whip, whep]
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, HashMap<PeerId, Followed>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection in for as long as the result lives.
    pub(super) fn enter(self: &Arc<Self>, mailbox: &Arc<Mailbox>) -> Entered {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let mut connections = self.connections();
        if connections.shutting_down {
            mailbox.push(self.shutting_down());
        }
        connections.open.insert(id, Arc::clone(mailbox));
        Entered {
            state: Arc::clone(self),
            id,
        }
    }

    /// From now on the client is told what becomes of `peer`.
    pub(super) fn follow_peer(&self, peer: PeerId, followed: Followed) {
        self.peers().insert(peer, followed);
    }

    /// The server takes its leave: no one is let in.
    pub fn is_shutting_down(&self) -> bool {
        self.connections().shutting_down || self.drain.borrow().is_some()
    }

    /// Tells every connection.
    pub(super) fn tell_all(&self, notice: &Notice) {
        for mailbox in self.connections().open.values() {
            mailbox.push(notice.clone());
        }
    }

    /// What was decided about the end of the server.
    pub(super) fn drain_slot(&self) -> &watch::Sender<Option<Drain>> {
        &self.drain
    }

    fn shutting_down(&self) -> Notice {
        let drain = self.drain.borrow();
        let message = drain.as_ref().map(|drain| drain.message.clone());
        Notice::Kicked(Kick {
            by: None,
            message: message.unwrap_or_else(|| SHUTTING_DOWN.to_owned()),
            code: None,
        })
    }

    /// No one wants to know of `peer` any more.
    pub(super) fn forget_peer(&self, peer: PeerId) {
        self.peers().remove(&peer);
        self.figures.forget(peer);
    }
}

/// A connection that counts.
#[derive(Debug)]
pub(super) struct Entered {
    state: Arc<State>,
    id: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut connections = self.state.connections();
        connections.open.remove(&self.id);
        if connections.open.is_empty() {
            self.state.empty.notify_waiters();
        }
    }
}

async fn follow(state: Weak<State>, mut events: mpsc::UnboundedReceiver<(ShardId, Event)>) {
    while let Some((shard, event)) = events.recv().await {
        let Some(state) = state.upgrade() else { return };
        let (peer, change) = match event {
            Event::Connected { peer } => {
                tracing::debug!(?shard, ?peer, "connected");
                state.figures.connected(peer);
                (peer, PeerChange::Connected)
            }
            Event::Failed { peer, reason } => {
                tracing::info!(?shard, ?peer, reason, "a peer connection failed");
                state.figures.failed();
                (peer, PeerChange::Failed)
            }
            Event::Closed { peer } => {
                tracing::debug!(?shard, ?peer, "closed by the other end");
                (peer, PeerChange::Closed)
            }
            Event::Watched { peer, wanted } => {
                tracing::debug!(?shard, ?peer, ?wanted, "watched");
                (peer, PeerChange::Watched(wanted))
            }
            Event::Speakers { speakers, .. } => {
                state.speakers(&speakers);
                continue;
            }
            // These the engine keeps to itself.
            Event::Stats { .. } | Event::Relay { .. } => continue,
        };
        let mailbox = state.peers().get(&peer).map(|one| Arc::clone(&one.mailbox));
        if let Some(mailbox) = mailbox {
            mailbox.push(Notice::Peer(peer, change));
        }
    }
}
