//! What waits to be sent, and the sending of it.

use super::Shard;
use super::batch::Batch;
use super::figures::PathFigures;
use super::pace::{Pace, Waiting};
use super::peer::{Peer, Place};
use super::relay::RelayHeader;
use super::resend::Resend;
use super::seal::{Outlet, forward};
use crate::media::Kind;
use crate::transport::Transmit;
use std::collections::VecDeque;
use std::time::Instant;

/// Packets asked for again that one turn sends at most: a second of video for each of a few.
const MAX_RESENDS: usize = 1_024;

/// The packets since a keyframe, for a receiver that begins.
#[derive(Debug, Clone, Copy)]
struct Replay {
    down: u32,
    track: u16,
    source: u16,
    next: u64,
    last: u64,
}

/// Which packet of which track is next, and for whom.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    active: usize,
    receiver: usize,
    mirror: usize,
    packet: usize,
}

/// All that waits.
#[derive(Default)]
pub(crate) struct Flush {
    /// Of ICE and DTLS.
    pub(crate) transmits: VecDeque<Transmit>,
    /// Peers that are due RTCP.
    feedback: Vec<Place>,
    pub(super) resends: VecDeque<Resend>,
    replays: Vec<Replay>,
    /// Tracks with packets that came since the last flush.
    active: Vec<(u32, u16)>,
    cursor: Cursor,
    /// Tracks of receivers that have begun to send another encoding.
    pub(crate) switched: Vec<(u32, u16)>,
    /// Clients for which packets wait until their paths take them.
    pub(crate) paced: Vec<u32>,
    /// When the first of those may leave.
    pub(crate) paced_due: Option<Instant>,
    /// Clients for which repairs wait.
    pub(super) repairing: Vec<u32>,
    /// When the first of those may leave.
    pub(super) repairs_due: Option<Instant>,
    /// Clients whose paths are probed.
    pub(crate) probing: Vec<u32>,
    /// When the next packet of a probe is to leave.
    pub(crate) probe_due: Option<Instant>,
    /// Tracks of receivers whose packets have waited too long.
    pub(crate) restarts: Vec<(u32, u16)>,
    pub(crate) is_urgent: bool,
    /// What was counted of that which waits, and of probes.
    pub(crate) paths: PathFigures,
}

impl Flush {
    /// The peer is due RTCP.
    pub(crate) fn feedback(&mut self, place: Place, peer: &mut Peer) {
        if !peer.feedback_due {
            peer.feedback_due = true;
            self.feedback.push(place);
        }
    }

    /// False if too many wait already.
    pub(crate) fn resend(&mut self, resend: Resend) -> bool {
        let room = self.resends.len() < MAX_RESENDS;
        if room {
            self.resends.push_back(resend);
        }
        room
    }

    pub(crate) fn replay(&mut self, down: u32, track: u16, source: u16, (next, last): (u64, u64)) {
        let waits = |replay: &Replay| (replay.down, replay.track) == (down, track);
        if self.replays.iter().any(waits) {
            // Accepted again before the first was sent.
            return;
        }
        self.replays.push(Replay {
            down,
            track,
            source,
            next,
            last,
        });
    }

    /// A publisher is gone, and its place may be given to another.
    pub(crate) fn forget_up(&mut self, up: u32) {
        self.active.retain(|(other, _)| *other != up);
    }

    /// A receiver is gone, and its place may be given to another.
    pub(crate) fn forget_down(&mut self, down: u32) {
        self.resends.retain(|resend| resend.down != down);
        self.replays.retain(|replay| replay.down != down);
        self.switched.retain(|(other, _)| *other != down);
        self.restarts.retain(|(other, _)| *other != down);
    }

    /// A packet is to wait until its client's path takes it.
    fn wait(&mut self, client: u32, pace: &mut Pace, waiting: Waiting) {
        if pace.waiting() == 0 {
            self.paced.push(client);
        }
        if pace.push(waiting) {
            self.paths.delayed += 1;
        } else {
            self.paths.given_up += 1;
            self.restarts.push((waiting.down, waiting.track));
        }
    }

    /// Entries of all kinds.
    pub(crate) fn waiting(&self) -> usize {
        self.transmits.len()
            + self.feedback.len()
            + self.resends.len()
            + self.replays.len()
            + self.active.len()
            + self.switched.len()
    }

    pub(crate) fn active(&mut self, up: u32, track: u16) {
        self.active.push((up, track));
    }
}

impl Shard {
    /// Writes what waits to the batch, and packets for other shards to [`Shard::relays`]. True
    /// if either is full: send them, clear them, and call again before anything else.
    pub fn poll_transmit(&mut self, now: Instant, batch: &mut Batch) -> bool {
        let full = self.write_transmits(batch)
            || self.write_feedback(now, batch)
            || self.write_resends(now, batch)
            || self.write_waiting_repairs(now, batch)
            || self.write_replays(now, batch)
            || self.write_paced(now, batch)
            || self.write_pending(now, batch)
            || self.write_probes(now, batch);
        if !full {
            self.flush.is_urgent = false;
            self.settle_switches(now);
            self.settle_restarts(now);
        }
        full
    }

    fn write_transmits(&mut self, batch: &mut Batch) -> bool {
        while let Some(transmit) = self.flush.transmits.front() {
            if !batch.push(transmit.path, &transmit.data) {
                return true;
            }
            self.flush.transmits.pop_front();
        }
        false
    }

    fn write_feedback(&mut self, now: Instant, batch: &mut Batch) -> bool {
        while let Some(place) = self.flush.feedback.last().copied() {
            let Some(space) = batch.space() else {
                return true;
            };
            self.flush.feedback.pop();
            if let Some((path, len)) = self.write_rtcp(now, place, space) {
                batch.commit(path, len);
            }
            self.schedule(place);
        }
        false
    }

    fn write_replays(&mut self, now: Instant, batch: &mut Batch) -> bool {
        while let Some(mut replay) = self.flush.replays.last().copied() {
            if self.write_replay(now, &mut replay, batch) {
                if let Some(last) = self.flush.replays.last_mut() {
                    *last = replay;
                }
                return true;
            }
            self.flush.replays.pop();
        }
        false
    }

    fn write_replay(&mut self, now: Instant, replay: &mut Replay, batch: &mut Batch) -> bool {
        let Self {
            ups,
            downs,
            drops,
            flush,
            ..
        } = self;
        let Some(down) = downs.get_mut(replay.down as usize) else {
            return false;
        };
        let at = usize::from(replay.track);
        let source = down.tracks.get(at).and_then(|track| down.source_of(track));
        let (Some(source), Some(path), Some(track)) =
            (source, down.peer.transport.path(), down.tracks.get_mut(at))
        else {
            return false;
        };
        let Some(up) = ups.get(source as usize) else {
            return false;
        };
        let Some(up_track) = up.tracks.get(usize::from(replay.source)) else {
            return false;
        };
        let Some(sealer) = down.peer.transport.sealer() else {
            return false;
        };
        let mut outlet = Outlet {
            now,
            sealer,
            log: down.send_log.as_deref_mut(),
        };
        while replay.next <= replay.last {
            let Some(space) = batch.space() else {
                return true;
            };
            let seqno = replay.next;
            replay.next += 1;
            // What waits for the flush goes out with it.
            if up_track.pending().contains(&seqno) {
                continue;
            }
            let Some(packet) = up_track.packet(seqno) else {
                continue;
            };
            let (tracks, source) = (&up.tracks, replay.source);
            let len = forward(&mut outlet, track, tracks, source, packet, drops, space);
            if let Some(len) = len {
                batch.commit(path, len);
            }
            if track.has_switched() && track.take_switched() {
                flush.switched.push((replay.down, replay.track));
            }
        }
        false
    }

    fn write_pending(&mut self, now: Instant, batch: &mut Batch) -> bool {
        let Self {
            ups,
            downs,
            drops,
            flush,
            relays,
            clients,
            ..
        } = self;
        let mut cursor = flush.cursor;
        while let Some((up_index, track_index)) = flush.active.get(cursor.active).copied() {
            let Some(up) = ups.get_mut(up_index as usize) else {
                cursor = Cursor {
                    active: cursor.active + 1,
                    ..Cursor::default()
                };
                continue;
            };
            if cursor.receiver == 0 && cursor.packet == 0 && cursor.mirror == 0 {
                up.tracks[usize::from(track_index)].equalize_pending();
            }
            let up_track = &up.tracks[usize::from(track_index)];
            let receivers = &up.receivers[usize::from(track_index)];
            while let Some(receiver) = receivers.get(cursor.receiver) {
                if let Some(down) = downs.get_mut(receiver.down as usize)
                    && down.connected
                    && let Some(path) = down.peer.transport.path()
                    && let Some(track) = down.tracks.get_mut(usize::from(receiver.track))
                    && let Some(sealer) = down.peer.transport.sealer()
                {
                    let mut outlet = Outlet {
                        now,
                        sealer,
                        log: down.send_log.as_deref_mut(),
                    };
                    // Sound never waits.
                    let is_paced = down.is_paced && track.codec().kind() == Kind::Video;
                    let mut gate = if is_paced {
                        clients.get_mut(down.client)
                    } else {
                        None
                    };
                    while let Some(seqno) = up_track.pending().get(cursor.packet) {
                        let Some(space) = batch.space() else {
                            flush.cursor = cursor;
                            return true;
                        };
                        cursor.packet += 1;
                        let Some((meta, bytes)) = up_track.packet(*seqno) else {
                            continue;
                        };
                        if let Some(client) = &mut gate
                            && !client.pace.is_open(now)
                        {
                            let waiting = Waiting {
                                down: receiver.down,
                                track: receiver.track,
                                source: track_index,
                                seqno: *seqno,
                                len: meta.len,
                                since: now,
                            };
                            flush.wait(down.client, &mut client.pace, waiting);
                            continue;
                        }
                        let (tracks, packet) = (&up.tracks, (meta, bytes));
                        let source = track_index;
                        let len = forward(&mut outlet, track, tracks, source, packet, drops, space);
                        if let Some(len) = len {
                            batch.commit(path, len);
                            if let Some(client) = &mut gate {
                                client.pace.sent(now, meta.len);
                            }
                        }
                    }
                    if track.has_switched() && track.take_switched() {
                        flush.switched.push((receiver.down, receiver.track));
                    }
                }
                cursor.packet = 0;
                cursor.receiver += 1;
            }
            for mirror in up.mirrors.iter().skip(cursor.mirror) {
                let is_sent = mirror.takes(track_index);
                while let Some(seqno) = up_track.pending().get(cursor.packet).filter(|_| is_sent) {
                    if let Some((meta, bytes)) = up_track.packet(*seqno) {
                        let header = RelayHeader {
                            peer: up.id,
                            track: track_index,
                            meta: *meta,
                        };
                        if !relays.push(mirror.shard, header, bytes) {
                            flush.cursor = cursor;
                            return true;
                        }
                    }
                    cursor.packet += 1;
                }
                cursor.packet = 0;
                cursor.mirror += 1;
            }
            up.tracks[usize::from(track_index)].clear_pending();
            cursor = Cursor {
                active: cursor.active + 1,
                ..Cursor::default()
            };
        }
        flush.active.clear();
        flush.cursor = Cursor::default();
        false
    }
}
