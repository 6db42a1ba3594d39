//! What signalling counts: who came in, and how long things took.

use super::state::State;
use crate::figures::{Histogram, SLOW};
use crate::group::{Group, GroupError, JoinError, Newcomer};
use crate::shard::PeerId;
use crate::trace;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// How often a join led to what.
#[derive(Debug, Clone, Copy, Default)]
pub struct JoinCounts {
    /// The client is in.
    pub joined: u64,
    /// It waits for an operator.
    pub waiting: u64,
    /// It was told to go to another server.
    pub redirected: u64,
    /// It was not let in.
    pub refused: u64,
}

/// What was counted since the server began.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Joins by what came of them.
    pub joins: JoinCounts,
    /// From the client's `join` until it is inside; of those who did not have to wait.
    pub joining: Histogram,
    /// From a client's offer until ICE and DTLS are done.
    pub connecting_up: Histogram,
    /// From the server's offer until ICE and DTLS are done.
    pub connecting_down: Histogram,
    /// Peer connections that failed; one may fail more than once.
    pub failures: u64,
}

/// The same, and what is still under way.
#[derive(Debug)]
pub(super) struct Figures(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    counted: Counted,
    offered: HashMap<PeerId, Offered>,
}

/// A peer connection that is not there yet.
#[derive(Debug)]
struct Offered {
    since: Instant,
    way: Way,
    /// Ends with it.
    span: Span,
}

/// Which way media goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Default for Figures {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            counted: Counted {
                joins: JoinCounts::default(),
                joining: Histogram::new(&SLOW),
                connecting_up: Histogram::new(&SLOW),
                connecting_down: Histogram::new(&SLOW),
                failures: 0,
            },
            offered: HashMap::new(),
        }))
    }
}

impl Figures {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new peer connection was offered.
    pub(super) fn offered(&self, peer: PeerId, way: Way, group: &str) {
        let direction = match way {
            Way::Up => "in",
            Way::Down => "out",
        };
        let offered = Offered {
            since: Instant::now(),
            way,
            span: trace::span!(
                parent: None,
                "negotiate stream",
                group,
                direction,
                connected = Empty
            ),
        };
        self.inner().offered.insert(peer, offered);
    }

    /// It is there; only the first time counts, a restart of ICE is another matter.
    pub(super) fn connected(&self, peer: PeerId) {
        let mut inner = self.inner();
        if let Some(Offered { since, way, span }) = inner.offered.remove(&peer) {
            span.record("connected", true);
            let counted = &mut inner.counted;
            match way {
                Way::Up => &mut counted.connecting_up,
                Way::Down => &mut counted.connecting_down,
            }
            .observe(since.elapsed());
        }
    }

    pub(super) fn failed(&self) {
        self.inner().counted.failures += 1;
    }

    pub(super) fn forget(&self, peer: PeerId) {
        if let Some(offered) = self.inner().offered.remove(&peer) {
            offered.span.record("connected", false);
        }
    }
}

impl State {
    /// What signalling has counted since the server began.
    pub fn counted(&self) -> Counted {
        self.figures().inner().counted.clone()
    }

    /// [`crate::group::Registry::join`], counted.
    pub(super) async fn join_counted(
        &self,
        name: &str,
        newcomer: Newcomer,
    ) -> Result<Arc<Group>, JoinError> {
        let asked = Instant::now();
        let id = newcomer.id.clone();
        let span = trace::span!(
            "join",
            group = name,
            otel.status_code = Empty,
            otel.status_description = Empty
        );
        let joining = self.registry().join(name, newcomer);
        let result = joining.instrument(span.clone()).await;
        if let Err(refused) = &result {
            trace::failed(&span, &refused.error);
        }
        let inside = result.as_ref().map(|group| group.user(&id).is_some());
        let took = asked.elapsed();
        let mut inner = self.figures().inner();
        let Counted { joins, joining, .. } = &mut inner.counted;
        match inside {
            Ok(true) => {
                joins.joined += 1;
                joining.observe(took);
            }
            Ok(false) => joins.waiting += 1,
            Err(refused) if matches!(refused.error, GroupError::Redirect(_)) => {
                joins.redirected += 1;
            }
            Err(_) => joins.refused += 1,
        }
        drop(inner);
        result
    }
}
