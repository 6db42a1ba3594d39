//! What leaves by the clock: packets that waited for their client's path, and probes of it.

use super::Shard;
use super::batch::Batch;
use super::drops::Drop;
use super::flush::Flush;
use super::pace::{Pace, Waiting};
use super::seal::{Outlet, forward, seal_padding};
use crate::media::bandwidth::{Detector, Probe, ProbeResult};
use std::time::{Duration, Instant};

/// Whether a waiting packet left.
enum Release {
    Sent,
    /// It is not to be sent any more.
    Left,
    /// There is no room in the batch.
    Full,
}

impl Shard {
    /// Writes packets that have waited, of all clients whose paths take some now.
    pub(super) fn write_paced(&mut self, now: Instant, batch: &mut Batch) -> bool {
        for at in 0..self.flush.paced.len() {
            let Some(place) = self.flush.paced.get(at).copied() else {
                break;
            };
            loop {
                let client = self.clients.get(place);
                let Some(waiting) = client.and_then(|client| client.pace.front(now)) else {
                    break;
                };
                if Pace::is_stale(now, &waiting) {
                    self.give_up(place, &waiting);
                    continue;
                }
                let release = self.release_packet(now, &waiting, batch);
                if matches!(release, Release::Full) {
                    return true;
                }
                if let Some(client) = self.clients.get_mut(place) {
                    client.pace.take(now, matches!(release, Release::Sent));
                }
            }
        }
        let clients = &self.clients;
        self.flush.paced.retain(|place| {
            let client = clients.get(*place);
            client.is_some_and(|client| client.pace.waiting() > 0)
        });
        let dues = self.flush.paced.iter();
        let dues = dues.filter_map(|place| clients.get(*place)?.pace.due());
        self.flush.paced_due = dues.min();
        false
    }

    fn release_packet(&mut self, now: Instant, waiting: &Waiting, batch: &mut Batch) -> Release {
        let Self {
            ups,
            downs,
            drops,
            flush,
            ..
        } = self;
        let Some(space) = batch.space() else {
            return Release::Full;
        };
        let mut write = || {
            let down = downs.get_mut(waiting.down as usize)?;
            let at = usize::from(waiting.track);
            let source = down.source_of(down.tracks.get(at)?)?;
            let up = ups.get(source as usize)?;
            let packet = up
                .tracks
                .get(usize::from(waiting.source))?
                .packet(waiting.seqno)?;
            let path = down.peer.transport.path()?;
            let track = down.tracks.get_mut(at)?;
            let mut outlet = Outlet {
                now,
                sealer: down.peer.transport.sealer()?,
                log: down.send_log.as_deref_mut(),
            };
            let (tracks, source) = (&up.tracks, waiting.source);
            let len = forward(&mut outlet, track, tracks, source, packet, drops, space);
            if track.has_switched() && track.take_switched() {
                flush.switched.push((waiting.down, waiting.track));
            }
            Some((path, len?))
        };
        match write() {
            Some((path, len)) => {
                batch.commit(path, len);
                Release::Sent
            }
            None => Release::Left,
        }
    }

    /// A track's packets have waited too long: it begins anew with a keyframe.
    pub(super) fn give_up(&mut self, place: u32, waiting: &Waiting) {
        if let Some(client) = self.clients.get_mut(place) {
            self.flush.paths.given_up += client.pace.forget(waiting.down, Some(waiting.track));
        }
        self.flush.restarts.push((waiting.down, waiting.track));
    }

    /// Tracks that gave up what waited begin anew.
    pub(super) fn settle_restarts(&mut self, now: Instant) {
        while let Some((index, at)) = self.flush.restarts.pop() {
            let down = self.downs.get_mut(index as usize);
            let Some(down) = down else { continue };
            let client = down.client;
            let Some(track) = down.tracks.get_mut(usize::from(at)) else {
                continue;
            };
            track.restart();
            self.drops.count(Drop::PathFull);
            if let Some(client) = self.clients.get_mut(client) {
                self.flush.paths.given_up += client.pace.forget(index, Some(at));
            }
            self.choose_for(now, index);
        }
    }

    /// Tries whether a client's path carries more, if it has use for that and it is time.
    pub(super) fn probe(&mut self, now: Instant, place: u32) {
        let Self {
            clients,
            downs,
            flush,
            ..
        } = self;
        let Some(client) = clients.get_mut(place) else {
            return;
        };
        let Some(bitrate) = client.estimate.bitrate().filter(|_| client.probe.is_none()) else {
            return;
        };
        let Some(cluster) = client.schedule.due(now, bitrate, client.wanted) else {
            return;
        };
        let is_told = client.estimate.is_told();
        let tracks = client.tracks_of_pictures().iter().copied();
        let carriers = tracks.filter_map(|(down, at)| {
            let peer = downs.get(down as usize)?;
            let track = peer.tracks.get(usize::from(at))?;
            // What was paused before any of it was sent has not been told of yet.
            let tells = peer.detector.is_some();
            let carries = track.has_spare() && (tells || is_told);
            carries.then_some((!tells, (down, at)))
        });
        let carrier = carriers.min_by_key(|(untried, _)| *untried);
        let Some((_, (down, track))) = carrier else {
            client.schedule.done(now, ProbeResult::Lost);
            return;
        };
        // What is sent anyway counts too.
        let rate = cluster.rate.saturating_sub(client.estimate.acked());
        client.probe = Some(Cluster {
            down,
            track,
            rate: rate.max(cluster.rate / 2),
            bytes: u64::from(cluster.bytes),
            sent: 0,
            start: now,
        });
        if let Some(down) = downs.get_mut(down as usize) {
            let detector = down
                .detector
                .get_or_insert_with(|| Box::new(Detector::new(now)));
            detector.begin_probe(Probe::new(now, cluster.bytes));
        }
        flush.probing.push(place);
        flush.paths.probes += 1;
    }

    /// Writes what is due of probes.
    pub(super) fn write_probes(&mut self, now: Instant, batch: &mut Batch) -> bool {
        let Self {
            clients,
            downs,
            flush,
            ..
        } = self;
        let Flush { probing, paths, .. } = flush;
        for place in probing.iter() {
            let Some(client) = clients.get_mut(*place) else {
                continue;
            };
            let Some(mut cluster) = client.probe else {
                continue;
            };
            while cluster.sent < cluster.bytes && cluster.due() <= now {
                let Some(space) = batch.space() else {
                    client.probe = Some(cluster);
                    return true;
                };
                let mut write = || {
                    let down = downs.get_mut(cluster.down as usize)?;
                    let path = down.peer.transport.path()?;
                    let track = down.tracks.get_mut(usize::from(cluster.track))?;
                    let label = track.spare()?;
                    let mut outlet = Outlet {
                        now,
                        sealer: down.peer.transport.sealer()?,
                        log: down.send_log.as_deref_mut(),
                    };
                    let len = seal_padding(&mut outlet, track, &label, space)?;
                    Some((path, len))
                };
                let Some((path, len)) = write() else {
                    // The peer is gone, or has agreed on something else.
                    cluster.sent = cluster.bytes;
                    break;
                };
                cluster.sent += len as u64;
                paths.padding_bytes += len as u64;
                batch.commit(path, len);
            }
            client.probe = Some(cluster);
            if cluster.sent >= cluster.bytes {
                client.probe = None;
                let down = downs.get_mut(cluster.down as usize);
                match down.and_then(|down| down.detector.as_mut()) {
                    Some(detector) => detector.end_probe(now),
                    None => {
                        paths.probed(ProbeResult::Lost);
                        client.schedule.done(now, ProbeResult::Lost);
                    }
                }
            }
        }
        flush.probing.retain(|place| {
            clients
                .get(*place)
                .is_some_and(|client| client.probe.is_some())
        });
        let dues = flush.probing.iter();
        let dues = dues.filter_map(|place| Some(clients.get(*place)?.probe?.due()));
        flush.probe_due = dues.min();
        false
    }
}

/// A probe that is being sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster {
    down: u32,
    track: u16,
    /// bit/s.
    rate: u64,
    bytes: u64,
    sent: u64,
    start: Instant,
}

impl Cluster {
    /// When the next packet is to be sent.
    fn due(&self) -> Instant {
        let nanos = (self.sent * 8_000_000_000).checked_div(self.rate);
        self.start + Duration::from_nanos(nanos.unwrap_or(0))
    }
}
