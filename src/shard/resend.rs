//! Packets that receivers ask for again.
//!
//! Those of pictures leave hardly faster than the client's path takes them beside what is sent anyway.
//! What a long burst of losses took would otherwise be a queue on the path, in which sound waits,
//! too: its repairs, and all that comes after.

use super::Shard;
use super::batch::Batch;
use super::drops::Drop;
use super::seal::{Outlet, seal_again, seal_repair};
use crate::media::Kind;
use crate::media::rtx::Refusal;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Of what the path is taken to carry, in percent, how much goes to repairs of pictures.
const SHARE: u64 = 65;
/// So much of that leaves at once, and so many bytes at least.
const AT_ONCE: Duration = Duration::from_millis(40);
const FEW: u64 = 10_000;
/// What has waited so long is asked for anew if it is still of use.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// More do not wait: a second of pictures.
const MAX_WAITING: usize = 512;

/// A packet that a receiver lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resend {
    pub(crate) down: u32,
    pub(crate) track: u16,
    pub(crate) number: u64,
}

/// The repairs of one client's pictures.
#[derive(Debug)]
pub(crate) struct Asked {
    /// When what was sent would have left at their share of the path.
    clear_at: Instant,
    /// Those that wait, and since when.
    queue: VecDeque<(Resend, Instant)>,
}

impl Asked {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            clear_at: now,
            queue: VecDeque::new(),
        }
    }

    /// So many bytes of a repair leave on a path that carries so many bit/s.
    fn sent(&mut self, now: Instant, len: usize, carried: u64) {
        self.clear_at = self.clear_at.max(now) + time_of(len as u64, carried);
    }

    /// When one may leave that overtakes none.
    fn clear(&self, carried: u64) -> Option<Instant> {
        self.clear_at
            .checked_sub(AT_ONCE.max(time_of(FEW, carried)))
    }

    fn is_clear(&self, now: Instant, carried: u64) -> bool {
        self.clear(carried).is_none_or(|at| at <= now)
    }

    /// Forgets what waits for a receiver.
    pub(crate) fn forget(&mut self, down: u32) {
        self.queue.retain(|(resend, _)| resend.down != down);
    }
}

/// How long so many bytes take at the repairs' share of so many bit/s.
fn time_of(len: u64, carried: u64) -> Duration {
    // A receiver may claim anything.
    let share = carried.saturating_mul(SHARE) / 100;
    Duration::from_nanos((len * 8_000_000_000).checked_div(share).unwrap_or(0))
}

/// What became of a packet that was asked for.
enum Written {
    Sent,
    /// It is not sent.
    Left,
    /// There is no room in the batch.
    Full,
}

impl Shard {
    pub(super) fn write_resends(&mut self, now: Instant, batch: &mut Batch) -> bool {
        while let Some(resend) = self.flush.resends.front().copied() {
            if !self.delay_repair(now, resend)
                && matches!(self.write_resend(now, &resend, batch), Written::Full)
            {
                return true;
            }
            self.flush.resends.pop_front();
        }
        false
    }

    /// The client whose pictures a packet belongs to, and what its path carries if that is known.
    fn path_of_repair(&self, resend: &Resend) -> Option<(u32, u64)> {
        let down = self.downs.get(resend.down as usize)?;
        let track = down.tracks.get(usize::from(resend.track))?;
        let carried = self.clients.get(down.client)?.estimate.by_delays()?;
        (track.codec().kind() == Kind::Video).then_some((down.client, carried))
    }

    /// Lets a packet wait if its client's path is to take others first. False if it is to be sent now.
    fn delay_repair(&mut self, now: Instant, resend: Resend) -> bool {
        let Some((place, carried)) = self.path_of_repair(&resend) else {
            return false;
        };
        let Some(client) = self.clients.get_mut(place) else {
            return false;
        };
        let asked = &mut client.asked;
        if asked.queue.is_empty() && asked.is_clear(now, carried) {
            return false;
        }
        let down = self.downs.get_mut(resend.down as usize);
        let has_room = asked.queue.len() < MAX_WAITING;
        let is_new = has_room
            && down.is_some_and(|down| {
                let (rtt, at) = (down.peer.rtt, usize::from(resend.track));
                let track = down.tracks.get_mut(at);
                track.is_some_and(|track| track.repair_waits(now, rtt, resend.number))
            });
        if !has_room {
            self.drops.count(Drop::PathFull);
        } else if is_new {
            if asked.queue.is_empty() {
                self.flush.repairing.push(place);
            }
            asked.queue.push_back((resend, now));
        } else {
            self.drops.count(Drop::RepairedLately);
        }
        true
    }

    /// Writes repairs that have waited, of all clients whose paths take some now.
    pub(super) fn write_waiting_repairs(&mut self, now: Instant, batch: &mut Batch) -> bool {
        let mut due = None;
        let mut at = 0;
        while let Some(place) = self.flush.repairing.get(at).copied() {
            match self.write_repairs_of(now, place, batch) {
                Some((_, true)) => return true,
                Some((next, false)) => {
                    due = Some(due.map_or(next, |due: Instant| due.min(next)));
                    at += 1;
                }
                None => {
                    self.flush.repairing.swap_remove(at);
                }
            }
        }
        self.flush.repairs_due = due;
        false
    }

    /// When the next is due, and whether the batch is full. `None` if none is left.
    fn write_repairs_of(
        &mut self,
        now: Instant,
        place: u32,
        batch: &mut Batch,
    ) -> Option<(Instant, bool)> {
        loop {
            let client = self.clients.get(place)?;
            let carried = client.estimate.by_delays().unwrap_or(u64::MAX / 100);
            let asked = &client.asked;
            let (resend, since) = asked.queue.front().copied()?;
            if !asked.is_clear(now, carried) {
                return Some((asked.clear(carried)?, false));
            }
            let down = self.downs.get_mut(resend.down as usize);
            let track = down.and_then(|down| down.tracks.get_mut(usize::from(resend.track)));
            if let Some(track) = track {
                track.repair_waits_no_more(resend.number);
            }
            if now.saturating_duration_since(since) > MAX_WAIT {
                self.drops.count(Drop::PathFull);
            } else if matches!(self.write_resend(now, &resend, batch), Written::Full) {
                return Some((now, true));
            }
            let client = self.clients.get_mut(place)?;
            client.asked.queue.pop_front();
        }
    }

    /// Writes a packet anew, as its receiver takes it.
    fn write_resend(&mut self, now: Instant, resend: &Resend, batch: &mut Batch) -> Written {
        let Some(space) = batch.space() else {
            return Written::Full;
        };
        let Some(down) = self.downs.get_mut(resend.down as usize) else {
            return Written::Left;
        };
        let at = usize::from(resend.track);
        let source = down.tracks.get(at).and_then(|track| down.source_of(track));
        let (Some(source), Some(path), Some(track)) =
            (source, down.peer.transport.path(), down.tracks.get_mut(at))
        else {
            return Written::Left;
        };
        let found = track.origin(resend.number).and_then(|origin| {
            let up_track = self
                .ups
                .get(source as usize)?
                .tracks
                .get(usize::from(origin.run.source))?;
            let (meta, bytes) = up_track.packet(origin.up)?;
            // What waits for the flush goes out with it, and may grow until then.
            if track.config().rtx.is_none() && up_track.pending().contains(&origin.up) {
                return None;
            }
            let label = origin.run.label(resend.number, meta);
            Some((up_track, meta, bytes, label, origin.run.source))
        });
        let Some((up_track, meta, bytes, label, encoding)) = found else {
            self.drops.count(Drop::NotInCache);
            return Written::Left;
        };
        // A path that is full takes longer still for what nobody waits for any more.
        let is_paced = down.is_paced && track.codec().kind() == Kind::Video;
        let gate = self.clients.get_mut(down.client).filter(|_| is_paced);
        if gate.is_some() && (track.source() != Some(encoding) || track.is_paused()) {
            self.drops.count(Drop::Outdated);
            return Written::Left;
        }
        let gate = gate.filter(|client| client.estimate.is_draining());
        if gate
            .as_ref()
            .is_some_and(|client| !client.pace.is_clear(now))
        {
            self.drops.count(Drop::PathFull);
            return Written::Left;
        }
        let is_gated = gate.is_some();
        let (rtt, place) = (down.peer.rtt, down.client);
        let Some(sealer) = down.peer.transport.sealer() else {
            return Written::Left;
        };
        let mut outlet = Outlet {
            now,
            sealer,
            log: down.send_log.as_deref_mut(),
        };
        let sealed = match track.repair(now, rtt, &label, meta) {
            Ok(Some(repair)) => {
                seal_repair(&mut outlet, track, meta, bytes, &label, &repair, space)
            }
            Ok(None) => {
                let packet = (up_track, meta, bytes);
                seal_again(&mut outlet, track, packet, &label, space)
            }
            Err(refusal) => {
                self.drops.count(match refusal {
                    Refusal::Foreign | Refusal::Unrepeatable => Drop::NotInCache,
                    Refusal::Lately => Drop::RepairedLately,
                    Refusal::TooMuch => Drop::TooManyRepairs,
                });
                return Written::Left;
            }
        };
        match sealed {
            Some(len) => {
                track.repaired();
                let is_picture = track.codec().kind() == Kind::Video;
                batch.commit(path, len);
                if let Some(client) = self.clients.get_mut(place).filter(|_| is_picture) {
                    if is_gated {
                        client.pace.sent(now, len as u16);
                    }
                    if let Some(carried) = client.estimate.by_delays() {
                        client.asked.sent(now, len, carried);
                    }
                }
                Written::Sent
            }
            None => {
                self.drops.count(Drop::Unsealed);
                Written::Left
            }
        }
    }
}

#[cfg(test)]
mod tests;
