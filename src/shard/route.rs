//! Which peer a datagram is for.

use super::peer::Place;
use crate::transport::Path;
use crate::transport::demux::stun_route;
use ahash::RandomState;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Answers to checks that come later than this find nobody.
const TRANSACTION_AGE: Duration = Duration::from_secs(8);
/// A path that ICE has authenticated for one peer is not given to another as long as the first
/// shows signs of life at least this often: else anyone who can send from a forged address could
/// take it away.
const PATH_AGE: Duration = Duration::from_secs(15);

/// The three ways to find a peer.
pub(crate) struct Routes {
    paths: HashMap<Path, (Place, Instant), RandomState>,
    ufrags: HashMap<String, Place, RandomState>,
    transactions: HashMap<[u8; 12], Place, RandomState>,
    ages: VecDeque<(Instant, [u8; 12])>,
}

impl Routes {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            paths: HashMap::with_hasher(hasher.clone()),
            ufrags: HashMap::with_hasher(hasher.clone()),
            transactions: HashMap::with_hasher(hasher),
            ages: VecDeque::new(),
        }
    }

    #[inline]
    pub(crate) fn by_path(&self, path: &Path) -> Option<Place> {
        self.paths.get(path).map(|(place, _)| *place)
    }

    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<Place> {
        self.ufrags.get(ufrag).copied()
    }

    pub(crate) fn by_transaction(&self, transaction: &[u8; 12]) -> Option<Place> {
        self.transactions.get(transaction).copied()
    }

    pub(crate) fn add_ufrag(&mut self, ufrag: String, place: Place) {
        self.ufrags.insert(ufrag, place);
    }

    pub(crate) fn remove_ufrag(&mut self, ufrag: &str) {
        self.ufrags.remove(ufrag);
    }

    /// The path belongs to another peer, which was heard there not long ago.
    pub(crate) fn is_taken(&self, now: Instant, path: &Path, place: Place) -> bool {
        self.paths.get(path).is_some_and(|(owner, seen)| {
            *owner != place && now.saturating_duration_since(*seen) < PATH_AGE
        })
    }

    /// ICE has authenticated a path for a peer, which is not [taken](Self::is_taken). True if it
    /// is new to it.
    pub(crate) fn authenticated(&mut self, now: Instant, path: Path, place: Place) -> bool {
        match self.paths.get_mut(&path) {
            Some((owner, seen)) if *owner == place => {
                *seen = now;
                false
            }
            _ => {
                self.paths.insert(path, (place, now));
                true
            }
        }
    }

    /// A datagram of ICE or DTLS was sent: answers to a request will be for its sender.
    pub(crate) fn sent(&mut self, now: Instant, data: &[u8], place: Place) {
        if data.first().is_none_or(|first| *first > 3) {
            return;
        }
        let Some(route) = stun_route(data).filter(|route| route.request) else {
            return;
        };
        while let Some((at, transaction)) = self.ages.front() {
            if now.saturating_duration_since(*at) < TRANSACTION_AGE {
                break;
            }
            self.transactions.remove(transaction);
            self.ages.pop_front();
        }
        self.transactions.insert(route.transaction, place);
        self.ages.push_back((now, route.transaction));
    }

    /// Entries: paths, ufrags, transactions.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        let transactions = self.transactions.len().max(self.ages.len());
        (self.paths.len(), self.ufrags.len(), transactions)
    }

    /// Forgets that a path leads to a peer.
    pub(crate) fn remove_path(&mut self, place: Place, path: &Path) {
        if self.by_path(path) == Some(place) {
            self.paths.remove(path);
        }
    }

    /// Forgets a peer.
    pub(crate) fn remove(&mut self, place: Place, paths: &[Path], ufrags: &[String]) {
        for path in paths {
            self.remove_path(place, path);
        }
        for ufrag in ufrags {
            self.ufrags.remove(ufrag);
        }
        self.transactions.retain(|_, owner| *owner != place);
    }
}
