//! RTCP that the shard sends: reports, and what it asks of publishers.

use super::batch::MAX_DATAGRAM;
use super::peer::{DownPeer, Place, UpPeer};
use super::relay::UNBOUND;
use super::{IDLE_REPORT_INTERVAL, REPORT_INTERVAL, Shard};
use crate::media::feedback::{Compound, FeedbackError, NtpClock, ReceptionReport};
use crate::media::up::UpTrack;
use crate::transport::Path;
use crate::transport::srtp::RTCP_OVERHEAD;
use slab::Slab;
use std::time::Instant;

/// The name of this end in RTCP (RFC 7022 wants it random, but it names no person).
const CNAME: &str = "perikon";
/// The most sequence numbers in one NACK packet.
const MAX_LOST: usize = 128;
/// The most tracks that one compound reports on.
const MAX_REPORTS: usize = 16;

impl Shard {
    /// Writes what a peer is due, protected. Returns where to and how long.
    pub(super) fn write_rtcp(
        &mut self,
        now: Instant,
        place: Place,
        space: &mut [u8; MAX_DATAGRAM],
    ) -> Option<(Path, usize)> {
        let Self {
            ups, downs, clock, ..
        } = self;
        // What is written is taken for asked: only to where it can be sent.
        let peer = match place {
            Place::Up(index) => ups.get_mut(index as usize)?.peer.as_mut()?,
            Place::Down(index) => &mut downs.get_mut(index as usize)?.peer,
        };
        peer.feedback_due = false;
        let path = peer.transport.path()?;
        peer.transport.sealer()?;
        let buffer = &mut space[..MAX_DATAGRAM - RTCP_OVERHEAD];
        let (peer, written) = match place {
            Place::Up(index) => {
                let up = ups.get_mut(index as usize)?;
                let written = write_to_publisher(now, clock, up, buffer);
                (up.peer.as_mut()?, written)
            }
            Place::Down(index) => {
                let down = downs.get_mut(index as usize)?;
                let written = write_to_receiver(now, clock, down, ups, buffer);
                (&mut down.peer, written)
            }
        };
        let len = written?;
        let len = peer.transport.sealer()?.seal_rtcp(space, len).ok()?;
        Some((path, len))
    }
}

/// True when a peer's regular report is due; sets the time of the next.
fn report_due(now: Instant, next_report: &mut Option<Instant>) -> bool {
    match next_report {
        Some(at) if *at <= now => {
            *at = now + REPORT_INTERVAL;
            true
        }
        _ => false,
    }
}

/// A receiver report, and what is asked for: packets, keyframes, a bit rate.
fn write_to_publisher(
    now: Instant,
    clock: &NtpClock,
    up: &mut UpPeer,
    buffer: &mut [u8],
) -> Option<usize> {
    // Who is sent less than all layers estimates no more than that: it would keep the publisher
    // from sending the others, of which there is something for everyone.
    let has_layers = |track: &UpTrack| track.layers().highest() != (0, 0);
    let is_layered = up.is_layered() || (!up.is_simulcast && up.tracks.iter().any(has_layers));
    let UpPeer {
        peer,
        tracks,
        own_ssrc,
        remb,
        is_bound,
        arrivals,
        ..
    } = up;
    let peer = peer.as_mut()?;
    let own_ssrc = *own_ssrc;
    let regular = report_due(now, &mut peer.next_report);
    let mut reports = [ReceptionReport::default(); MAX_REPORTS];
    let mut count = 0;
    if regular {
        for track in tracks.iter_mut() {
            if let Some(ssrc) = track.ssrc()
                && count < MAX_REPORTS
                && let Some(report) = track.reception().report(ssrc, now)
            {
                reports[count] = report;
                count += 1;
            }
        }
    }
    let mut compound = Compound::with_receiver_report(buffer, own_ssrc, &reports[..count]).ok()?;
    let mut asked = count > 0;
    compound.cname(own_ssrc, CNAME).ok()?;
    if count > 0 {
        // A publisher receives nothing that it could report on: the round-trip time has to be
        // asked for.
        compound.reference_time(own_ssrc, clock.at(now)).ok()?;
    }
    for track in tracks.iter_mut() {
        let Some(ssrc) = track.ssrc() else { continue };
        let mut lost = [0; MAX_LOST];
        let count = track.poll_nack(now, peer.rtt, &mut lost);
        if count > 0 && compound.nack(own_ssrc, ssrc, &lost[..count]).is_ok() {
            asked = true;
        }
        if let Some(command) = track.poll_keyframe(now, peer.rtt) {
            let feedback = track.config().feedback;
            let written = if feedback.pli || !feedback.fir {
                compound.pli(own_ssrc, ssrc)
            } else {
                compound.fir(own_ssrc, ssrc, command)
            };
            asked |= written.is_ok();
        }
    }
    if let Some(log) = arrivals {
        let ssrc = tracks.iter().find_map(|track| track.ssrc());
        let told = log.write(now, &mut compound, own_ssrc, ssrc.unwrap_or(own_ssrc));
        asked |= told.is_ok_and(|told| told);
    }
    // What was told before it had layers would hold on.
    let told = match is_layered {
        true => is_bound.then_some(UNBOUND),
        false => *remb,
    };
    if regular && let Some(bitrate) = told {
        let mut ssrcs = [0; MAX_REPORTS];
        let mut count = 0;
        for track in tracks.iter().filter(|track| track.config().feedback.remb) {
            if let Some(ssrc) = track.ssrc()
                && count < MAX_REPORTS
            {
                ssrcs[count] = ssrc;
                count += 1;
            }
        }
        if count > 0 {
            let written = compound.remb(own_ssrc, bitrate, &ssrcs[..count]).is_ok();
            *is_bound |= written;
            asked |= written;
        }
    }
    asked.then(|| compound.len())
}

/// Sender reports, in the server's time, that keep a stream's tracks together.
fn write_to_receiver(
    now: Instant,
    clock: &NtpClock,
    down: &mut DownPeer,
    ups: &Slab<UpPeer>,
    buffer: &mut [u8],
) -> Option<usize> {
    if !report_due(now, &mut down.peer.next_report) {
        return None;
    }
    let mut is_idle = true;
    for track in &mut down.tracks {
        is_idle &= !track.measure(now) && track.figures().packets > 0 && !track.is_paused();
    }
    if is_idle {
        down.peer.next_report = Some(now + IDLE_REPORT_INTERVAL);
    }
    let ntp = clock.at(now);
    let mut compound: Option<Compound<'_>> = None;
    let mut buffer = Some(buffer);
    // Who receives a whole group has more tracks than one datagram has room for: the next report
    // goes on where this one ends.
    let count = down.tracks.len();
    let first = std::mem::take(&mut down.report_from);
    for at in (0..count).map(|step| (first + step) % count) {
        let track = &down.tracks[at];
        let source = down.source_of(track);
        let Some(up) = source.and_then(|source| ups.get(source as usize)) else {
            continue;
        };
        if track.source().is_none() || track.is_waiting() || track.figures().packets == 0 {
            continue;
        }
        let Some(info) = up
            .publisher_time(ntp)
            .and_then(|theirs| track.sender_info(ntp, theirs, &up.tracks))
        else {
            continue;
        };
        let ssrc = track.config().ssrc;
        let written = match (&mut compound, buffer.take()) {
            (Some(compound), _) => compound.sender_report(ssrc, &info, &[]),
            (None, Some(buffer)) => Compound::with_sender_report(buffer, ssrc, &info, &[])
                .map(|begun| compound = Some(begun)),
            (None, None) => Err(FeedbackError::Full),
        };
        let named = written.and_then(|()| match &mut compound {
            Some(compound) => compound.cname(ssrc, CNAME),
            None => Ok(()),
        });
        if named.is_err() {
            down.report_from = at;
            break;
        }
    }
    compound.map(|compound| compound.len())
}
