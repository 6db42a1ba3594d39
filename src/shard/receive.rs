//! Datagrams that arrive.

use super::Shard;
use super::drops::Drop;
use super::message::RelayMessage;
use super::peer::{DownPeer, Place, UpPeer, peer_at};
use super::resend::Resend;
use crate::media::Kind;
use crate::media::down::DownTrack;
use crate::media::feedback::{LostSeqnos, ReceptionReports, Report, Reports};
use crate::media::packet::{Header, PacketError};
use crate::media::up::{Refusal, UpTrack};
use crate::transport::Path;
use crate::transport::demux::{Protocol, demux, stun_route};
use crate::transport::description::Extension;
use crate::transport::srtp::SrtpError;
use std::time::Instant;

/// The most paths that one peer may have been seen on.
const MAX_PATHS: usize = 32;

impl Shard {
    /// Takes a datagram. RTCP is opened where it stands.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, data: &mut [u8]) {
        match demux(data) {
            Some(Protocol::Rtp) => self.handle_rtp(now, path, data),
            Some(Protocol::Rtcp) => self.handle_rtcp(now, path, data),
            Some(Protocol::Stun) => self.handle_stun(now, path, data),
            Some(Protocol::Dtls) => self.handle_dtls(now, path, data),
            None => self.drops.count(Drop::UnknownProtocol),
        }
    }

    fn handle_stun(&mut self, now: Instant, path: Path, data: &[u8]) {
        let Some(route) = stun_route(data) else {
            return self.drops.count(Drop::StunMalformed);
        };
        let place = if route.request {
            route.ufrag.and_then(|ufrag| self.routes.by_ufrag(ufrag))
        } else {
            self.routes.by_transaction(&route.transaction)
        };
        let Some(place) = place else {
            return self.drops.count(Drop::StunUnknown);
        };
        if self.routes.is_taken(now, &path, place) {
            return self.drops.count(Drop::PathTaken);
        }
        let Self {
            ups,
            downs,
            identity,
            locals,
            ..
        } = self;
        let peer = peer_at(ups, downs, place);
        let Some(peer) = peer else {
            return self.drops.count(Drop::StunUnknown);
        };
        let authentic = peer
            .transport
            .handle_stun(now, identity, locals, path, data);
        peer.rtt = match place {
            // A publisher sends no reports on what it receives: there is nothing.
            Place::Up(_) => peer.transport.rtt(),
            Place::Down(_) => peer.rtt.or(peer.transport.rtt()),
        };
        if !authentic {
            self.drops.count(Drop::StunRefused);
        } else if self.routes.authenticated(now, path, place)
            && let Some(peer) = self.peer_mut(place)
        {
            if peer.paths.len() == MAX_PATHS {
                let oldest = peer.paths.remove(0);
                self.routes.remove_path(place, &oldest);
            }
            if let Some(peer) = self.peer_mut(place) {
                peer.paths.push(path);
            }
        }
        self.after_transport(now, place);
    }

    fn handle_rtp(&mut self, now: Instant, path: Path, data: &[u8]) {
        match self.receive_rtp(now, path, data) {
            Ok(()) => {}
            Err(Drop::NoKeys) if self.wait_for_keys(now, path, data) => {}
            Err(reason) => self.drops.count(reason),
        }
    }

    fn receive_rtp(&mut self, now: Instant, path: Path, data: &[u8]) -> Result<(), Drop> {
        let index = match self.place_of(&path) {
            Some(Place::Up(index)) => index,
            Some(Place::Down(_)) => return Err(Drop::NotPublishing),
            None => return Err(Drop::UnknownSource),
        };
        let header = Header::parse(data).map_err(|error| match error {
            PacketError::Truncated => Drop::Truncated,
            PacketError::Version => Drop::Version,
        })?;
        let Some(up) = self.ups.get_mut(index as usize) else {
            return Err(Drop::UnknownSource);
        };
        let repaired = find_repaired(up, &header, data);
        let is_repair = repaired.is_some();
        let track_index = match repaired {
            Some(at) => at,
            None => find_track(up, &header, data)?,
        };
        let Some(opener) = up.peer.as_mut().and_then(|peer| peer.transport.opener()) else {
            return Err(Drop::NoKeys);
        };
        let track = &mut up.tracks[track_index];
        let begins = track.pending().is_empty();
        let received = if is_repair {
            track.receive_repair(now, &header, data, opener, &mut self.scratch)
        } else {
            let received = track.receive(now, &header, data, opener, &mut self.scratch);
            received.map(Some)
        };
        let received = received.map_err(|refusal| match refusal {
            Refusal::Srtp(SrtpError::Truncated) => Drop::Truncated,
            Refusal::Srtp(SrtpError::Replayed) => Drop::Replayed,
            Refusal::Srtp(SrtpError::Forged) => Drop::Forged,
            Refusal::Srtp(SrtpError::Crypto) | Refusal::Oversized => Drop::Oversized,
            Refusal::Stale => Drop::Stale,
            Refusal::Malformed => Drop::RedMalformed,
        })?;
        let mut due = false;
        if let Some(log) = &mut up.arrivals
            && let Some(number) =
                header.extension(data, &track.config().extensions, Extension::TransportCc)
            && let Some(number) = number.first_chunk()
        {
            let before = log.next_poll();
            log.arrived(now, u16::from_be_bytes(*number));
            due = log.next_poll() != before;
        }
        let Some(received) = received else {
            // A repair of what is here, or a packet that only measures the path.
            if due {
                self.schedule(Place::Up(index));
            }
            return Ok(());
        };
        let level = if up.voice.is_some() && track.config().kind == Kind::Audio {
            header.extension(data, &track.config().extensions, Extension::AudioLevel)
        } else {
            None
        };
        if begins {
            self.flush.active(index, track_index as u16);
        }
        if track.is_pending_full() {
            self.flush.is_urgent = true;
        }
        if let Some(&level) = level.and_then(<[u8]>::first) {
            self.hear(now, index, level);
        }
        if received.due || due {
            self.schedule(Place::Up(index));
        }
        self.watch_encodings(now, index);
        Ok(())
    }

    /// The driver should call [`Self::poll_transmit`] before the next datagram.
    pub fn wants_flush(&self) -> bool {
        self.flush.is_urgent
    }

    fn handle_rtcp(&mut self, now: Instant, path: Path, data: &mut [u8]) {
        let Some(place) = self.place_of(&path) else {
            return self.drops.count(Drop::UnknownSource);
        };
        let Some(opener) = self
            .peer_mut(place)
            .and_then(|peer| peer.transport.opener())
        else {
            if !self.wait_for_keys(now, path, data) {
                self.drops.count(Drop::NoKeys);
            }
            return;
        };
        let len = match opener.open_rtcp(data) {
            Ok(len) => len,
            Err(error) => {
                return self.drops.count(match error {
                    SrtpError::Truncated => Drop::Truncated,
                    SrtpError::Replayed => Drop::Replayed,
                    SrtpError::Forged | SrtpError::Crypto => Drop::Forged,
                });
            }
        };
        for report in Reports::new(&data[..len]) {
            match (report, place) {
                (Ok(report), Place::Up(index)) => self.publisher_reported(now, index, report),
                (Ok(report), Place::Down(index)) => self.receiver_reported(now, index, report),
                (Err(_), _) => self.drops.count(Drop::RtcpMalformed),
            }
        }
    }

    fn publisher_reported(&mut self, now: Instant, index: u32, report: Report<'_>) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        let (ssrc, info) = match report {
            Report::SenderReport { ssrc, info, .. } => (ssrc, info),
            Report::TimeEchoes { mut echoes } => {
                if let Some(echo) = echoes.find(|echo| echo.ssrc == up.own_ssrc)
                    && let Some(rtt) = echo.round_trip(self.clock.at(now))
                    && let Some(peer) = &mut up.peer
                {
                    peer.rtt = Some(rtt);
                }
                return;
            }
            _ => return,
        };
        let Some(track_index) = up
            .tracks
            .iter()
            .position(|track| track.ssrc() == Some(ssrc))
        else {
            return;
        };
        let track = &mut up.tracks[track_index];
        let info = track.sender_report(now, info);
        let at = self.clock.at(now);
        up.clock(at, info.ntp);
        self.tell_mirrors(index, || RelayMessage::Clock {
            track: track_index,
            info,
            at,
        });
    }

    fn receiver_reported(&mut self, now: Instant, index: u32, report: Report<'_>) {
        match report {
            Report::SenderReport { reports, .. } | Report::ReceiverReport { reports, .. } => {
                self.reported(now, index, reports);
            }
            Report::Nack { media_ssrc, lost } => self.nacked(index, media_ssrc, lost),
            Report::Pli { media_ssrc } => self.keyframe_requested(now, index, media_ssrc),
            Report::Fir { entries } => {
                for (ssrc, _) in entries {
                    self.keyframe_requested(now, index, ssrc);
                }
            }
            Report::Remb { bitrate, .. } => self.limited(now, index, bitrate),
            Report::TransportCc { body, .. } => self.acknowledged(now, index, body),
            Report::Bye { .. } | Report::TimeEchoes { .. } | Report::Unknown { .. } => {}
        }
    }

    fn reported(&mut self, now: Instant, index: u32, reports: ReceptionReports<'_>) {
        let room = self.room_of(index);
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        for block in reports {
            let mut tracks = down.tracks.iter_mut();
            let Some(track) = tracks.find(|track| track.config().ssrc == block.ssrc) else {
                continue;
            };
            track.afford(room);
            track.reported(&block);
            if let Some(rtt) = block.round_trip(self.clock.at(now)) {
                down.peer.rtt = Some(rtt);
            }
        }
    }

    /// What a client's path carries has changed, and with it what may go with sound.
    pub(super) fn afford_copies(&mut self, place: u32) {
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        let mut room = None;
        for at in 0..client.downs.len() {
            let client = self.clients.get_mut(place);
            let index = client.and_then(|client| client.downs.get(at).copied());
            let Some(index) = index else { return };
            let is_redundant = |down: &DownPeer| down.tracks.iter().any(DownTrack::is_redundant);
            if !self.downs.get(index as usize).is_some_and(is_redundant) {
                continue;
            }
            // It is the same for all.
            let room = *room.get_or_insert_with(|| self.room_of(index));
            if let Some(down) = self.downs.get_mut(index as usize) {
                let tracks = down.tracks.iter_mut();
                for track in tracks.filter(|track| track.is_redundant()) {
                    track.afford(room);
                }
            }
        }
    }

    fn nacked(&mut self, index: u32, media_ssrc: u32, lost: LostSeqnos<'_>) {
        let room = self.room_of(index);
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        let mut tracks = down.tracks.iter_mut().enumerate();
        let Some((at, track)) = tracks.find(|(_, track)| track.config().ssrc == media_ssrc) else {
            return;
        };
        track.afford(room);
        for seqno in lost {
            let resend = Resend {
                down: index,
                track: at as u16,
                number: track.nacked(seqno),
            };
            if !self.flush.resend(resend) {
                self.drops.count(Drop::TooManyNacks);
            }
        }
    }

    /// The receiver said what it can take, in bit/s.
    fn limited(&mut self, now: Instant, index: u32, bitrate: u64) {
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        if down.detector.is_some() {
            // What its transport tells is more.
            return;
        }
        let before = down.remb.replace(bitrate);
        let before = before.map(|before| down.share(before));
        let share = down.share(bitrate);
        self.for_sources(index, |shard, source| {
            shard.update_remb(source, before, share);
        });
        self.receiver_estimated(now, index);
    }

    fn keyframe_requested(&mut self, now: Instant, index: u32, ssrc: u32) {
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        let is_meant = |track: &DownTrack| track.config().ssrc == ssrc;
        let Some(at) = down.tracks.iter().position(is_meant) else {
            return;
        };
        down.tracks[at].keyframe_requested();
        let track = &down.tracks[at];
        if track.is_paused() {
            // The others would pay for it. It is asked for when the path carries the stream again.
            return;
        }
        if let (Some(source), Some(up_track)) = (down.source_of(track), track.source()) {
            self.request_keyframe(now, source, up_track);
        }
    }
}

/// The track that a packet repairs: by the SSRC of its repairs, else by mid and rid (RFC 8852,
/// section 4.3), else the only one whose repairs have this payload type and no SSRC yet. `None` if
/// it is no repair.
fn find_repaired(up: &UpPeer, header: &Header, data: &[u8]) -> Option<usize> {
    let repairs = |track: &UpTrack| {
        let rtx = track.config().rtx;
        rtx.is_some_and(|rtx| rtx.payload_type == header.payload_type)
    };
    let mut tracks = up.tracks.iter().enumerate();
    let first = tracks.find(|(_, track)| repairs(track))?.0;
    let tracks = || up.tracks.iter().enumerate().skip(first);
    let mut tracks_of = tracks().filter(|(_, track)| repairs(track));
    if let Some((at, _)) = tracks_of.find(|(_, track)| track.repair_ssrc() == Some(header.ssrc)) {
        return Some(at);
    }
    let text = |ids, extension| header.extension(data, ids, extension);
    let named = tracks()
        .filter(|(_, track)| repairs(track))
        .find(|(_, track)| {
            let config = track.config();
            text(&config.extensions, Extension::Mid) == Some(config.mid.as_bytes())
                && text(&config.extensions, Extension::RepairedRid)
                    == config.rid.as_deref().map(str::as_bytes)
        });
    if let Some((at, _)) = named {
        return Some(at);
    }
    let mut free = tracks().filter(|(_, track)| {
        repairs(track) && track.config().rid.is_none() && track.repair_ssrc().is_none()
    });
    match (free.next(), free.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// The track that a packet belongs to: by its SSRC, else by mid and rid (RFC 8843, section 9.2),
/// else by a payload type that only one track has.
fn find_track(up: &UpPeer, header: &Header, data: &[u8]) -> Result<usize, Drop> {
    let tracks = &up.tracks;
    if let Some(at) = tracks
        .iter()
        .position(|track| track.ssrc() == Some(header.ssrc))
    {
        return if tracks[at].takes(header.payload_type) {
            Ok(at)
        } else {
            Err(Drop::PayloadType)
        };
    }
    let text = |ids, extension| header.extension(data, ids, extension);
    let named = tracks.iter().position(|track| {
        let config = track.config();
        let mid = text(&config.extensions, Extension::Mid);
        let rid = text(&config.extensions, Extension::Rid);
        track.takes(header.payload_type)
            && mid == Some(config.mid.as_bytes())
            && rid == config.rid.as_deref().map(str::as_bytes)
    });
    if let Some(at) = named {
        return Ok(at);
    }
    let mut same = tracks.iter().enumerate().filter(|(_, track)| {
        track.takes(header.payload_type) && track.config().rid.is_none() && track.ssrc().is_none()
    });
    match (same.next(), same.next()) {
        (Some((at, _)), None) => Ok(at),
        _ => Err(Drop::UnknownSsrc),
    }
}
