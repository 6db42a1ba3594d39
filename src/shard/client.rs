//! Who receives: the peer connections of one client share its path, and so one estimate of it.

use super::Shard;
use super::message::ClientId;
use super::peer::DownPeer;
use crate::media::bandwidth::{Acked, Detector, Estimate, Reading, Schedule};
use ahash::RandomState;
use slab::Slab;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two looks at what the detectors of a client say.
const INTERVAL: Duration = Duration::from_millis(50);
/// Taken for the round-trip time of a path until it is known.
const UNKNOWN_RTT: Duration = Duration::from_millis(100);

/// One client, as far as it is known to one shard.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    /// Its down peers.
    pub(crate) downs: Vec<u32>,
    pub(crate) estimate: Estimate,
    pub(crate) schedule: Schedule,
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
    pub(crate) fn enter(&mut self, id: ClientId) -> u32 {
        if let Some(place) = self.by_id.get(&id) {
            return *place;
        }
        let place = self.slab.insert(Client {
            id,
            downs: Vec::new(),
            estimate: Estimate::new(),
            schedule: Schedule::default(),
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
        let before = self.estimate.bitrate();
        for down in &self.downs {
            let Some(down) = downs.get_mut(*down as usize) else {
                continue;
            };
            rtt = rtt.max(down.peer.rtt);
            if let Some(detector) = &mut down.detector {
                reading.add(now, detector);
            }
        }
        self.estimate
            .update(now, &reading, rtt.unwrap_or(UNKNOWN_RTT));
        let fell = |before: u64| self.estimate.bitrate() < Some(before - before / 20);
        if before.is_some_and(fell) {
            self.schedule.congested(now);
        }
    }

    /// The sum of what its receivers estimate by themselves.
    fn sum_remb(&mut self, now: Instant, downs: &Slab<DownPeer>) {
        let each = self
            .downs
            .iter()
            .filter_map(|down| downs.get(*down as usize)?.remb);
        let sum = each.reduce(u64::saturating_add);
        self.estimate.remb(now, sum);
    }
}

impl Shard {
    /// A receiver told what became of its packets.
    #[expect(dead_code, reason = "feedback of the transport is not negotiated yet")]
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        index: u32,
        packets: impl Iterator<Item = Acked>,
    ) {
        let Self { downs, clients, .. } = self;
        let Some(down) = downs.get_mut(index as usize) else {
            return;
        };
        let place = down.client;
        let detector = down
            .detector
            .get_or_insert_with(|| Box::new(Detector::new(now)));
        detector.feedback(now, packets);
        let result = detector.probe_result(now);
        let Some(client) = clients.get_mut(place) else {
            return;
        };
        if let Some(result) = result {
            client.estimate.probed(now, result);
            client.schedule.done(now, result);
        }
        let is_due = |read: Instant| now.saturating_duration_since(read) >= INTERVAL;
        if client.read.is_none_or(is_due) {
            client.read(now, downs);
        }
    }

    /// A receiver said what it estimates by itself.
    pub(super) fn receiver_estimated(&mut self, now: Instant, index: u32) {
        let Self { downs, clients, .. } = self;
        let Some(place) = downs.get(index as usize).map(|down| down.client) else {
            return;
        };
        if let Some(client) = clients.get_mut(place) {
            client.sum_remb(now, downs);
        }
    }
}
