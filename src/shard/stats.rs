//! A snapshot of what the shard counts.

use super::Shard;
use super::message::{ShardStats, StreamStats, TrackStats};
use super::peer::{DownPeer, Peer, UpPeer};
use crate::media::down::choice::{Shown, bit};
use slab::Slab;
use std::time::Instant;

/// How much a shard remembers, in entries: nothing of it may grow as peers come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardSize {
    /// Peers, of both kinds.
    pub peers: usize,
    /// Paths that lead to a peer.
    pub paths: usize,
    /// ICE user names that lead to a peer.
    pub ufrags: usize,
    /// STUN requests whose answers are waited for, or were not long ago.
    pub transactions: usize,
    /// Entries of the timer queue, those out of date included.
    pub timers: usize,
    /// What waits to be sent: datagrams, reports, repairs, replays and tracks with packets.
    pub waiting: usize,
    /// Receivers that tracks are forwarded to.
    pub receivers: usize,
    /// Clients with receivers.
    pub clients: usize,
    /// Groups with voices.
    pub circles: usize,
    /// Events that nobody has taken.
    pub events: usize,
}

impl Shard {
    /// How much it remembers.
    pub fn size(&self) -> ShardSize {
        let (paths, ufrags, transactions) = self.routes.size();
        ShardSize {
            peers: self.peers(),
            clients: self.clients.len(),
            paths,
            ufrags,
            transactions,
            timers: self.timers.len(),
            waiting: self.flush.waiting(),
            receivers: self
                .ups
                .iter()
                .flat_map(|(_, up)| up.receivers.iter().map(Vec::len))
                .sum(),
            circles: self.circles.len(),
            events: self.events.len(),
        }
    }

    pub(super) fn stats(&mut self, now: Instant) -> ShardStats {
        // A mirror's figures are those of the shard that has the publisher.
        let ups = self.ups.iter_mut().filter(|(_, up)| up.home.is_none());
        let ups = ups.map(|(_, up)| up_stats(now, up));
        let mut streams: Vec<_> = ups.collect();
        streams.extend(self.downs.iter().map(|(_, down)| {
            let client = self.clients.get(down.client);
            let estimate = client.and_then(|client| client.estimate.bitrate());
            down_stats(down, &self.ups, estimate)
        }));
        ShardStats {
            streams,
            drops: self.drops.snapshot(),
        }
    }
}

fn up_stats(now: Instant, up: &mut UpPeer) -> StreamStats {
    let unwatched = up.watch.as_ref().map_or(0, |watch| watch.paused());
    let tracks = up
        .tracks
        .iter_mut()
        .enumerate()
        .map(|(at, track)| {
            let figures = track.figures();
            let loss = track.loss().figures();
            TrackStats {
                mid: track.config().mid.clone(),
                rid: track.config().rid.clone(),
                packets: figures.packets,
                bytes: figures.bytes,
                bitrate: track.bitrate(now),
                lost: u64::try_from(track.reception().lost()).unwrap_or(0),
                loss: track.reception().loss(),
                jitter: track.reception().jitter().duration(),
                nacks: loss.asked,
                repaired: loss.recovered,
                redundant: figures.restored,
                keyframes: figures.keyframes,
                keyframe_requests: track.keyframe_requests().sent(),
                paused: unwatched & bit(at) != 0,
                ..TrackStats::default()
            }
        })
        .collect();
    StreamStats {
        peer: up.id,
        up: true,
        rtt: up.peer.as_ref().and_then(|peer| peer.rtt),
        remb: up.remb,
        estimate: None,
        sent: None,
        remote: up.peer.as_ref().and_then(Peer::remote),
        tracks,
    }
}

fn down_stats(down: &DownPeer, ups: &Slab<UpPeer>, estimate: Option<u64>) -> StreamStats {
    let tracks = down
        .tracks
        .iter()
        .map(|track| {
            let figures = track.figures();
            let publisher = down.source_of(track).and_then(|up| ups.get(up as usize));
            TrackStats {
                mid: track.config().mid.clone(),
                rid: None,
                packets: figures.packets,
                bytes: figures.bytes,
                bitrate: figures.bitrate,
                lost: figures.lost,
                loss: figures.loss,
                jitter: figures.jitter,
                nacks: figures.nacks,
                repaired: figures.repaired,
                redundant: figures.redundant,
                copies: track.redundant_copies(),
                keyframes: figures.keyframes,
                keyframe_requests: figures.keyframe_requests,
                switches: figures.switches,
                pauses: figures.pauses,
                paused: track.is_paused(),
                shown: publisher.map_or_else(Shown::default, |up| track.shown(&up.tracks)),
            }
        })
        .collect();
    StreamStats {
        peer: down.peer.id,
        up: false,
        rtt: down.peer.rtt,
        remb: down.remb,
        estimate,
        sent: down.send_log.as_ref().map(|log| log.figures()),
        remote: down.peer.remote(),
        tracks,
    }
}
