//! What a simulated receiver does with the tracks it is sent.

use super::client::{Endpoint, Outbox, reporter, since};
use super::decode::{Decoder, Screen};
use super::layers::{self, LayersConfig};
use super::payload::{self, Mark};
use super::report::{ClientReport, TrackReport};
use super::sealed::Sealed;
use super::sender::level;
use crate::media::feedback::{Compound, NtpClock, NtpTime, Report, Reports};
use crate::media::packet::{self, Header};
use crate::media::rate::Reception;
use crate::media::red::Blocks;
use crate::media::twcc::ArrivalLog;
use crate::media::{Codec, Kind};
use crate::shard::DownTrackConfig;
use crate::transport::description::{Extension, ExtensionIds, Rtx};
use crate::transport::srtp::{Opener, Sequence, SrtpError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Between two receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two requests for a keyframe.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(400);
/// A gap longer than this is no loss.
const MAX_GAP: u64 = 2_000;

/// What a receiver is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiverConfig {
    /// It takes the sound.
    pub audio: bool,
    /// It takes the pictures.
    pub video: bool,
    /// It asks for what is missing.
    pub nack: bool,
    /// It takes repairs of pictures as a stream of their own (RFC 4588).
    pub rtx: bool,
    /// It takes sound with earlier packets in each (RFC 2198).
    pub red: bool,
    /// It tells which packets arrived, by transport-wide numbers.
    pub transport_cc: bool,
    /// How late a packet may be before it is asked for.
    pub patience: Duration,
    /// The round trip that it reckons with before it asks again.
    pub rtt: Duration,
    /// How long it asks before it gives a packet up.
    pub age: Duration,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
            nack: true,
            rtx: true,
            red: false,
            transport_cc: true,
            patience: Duration::from_millis(10),
            rtt: Duration::from_millis(100),
            age: Duration::from_secs(3),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Instant,
    due: Instant,
    asked: bool,
}

/// One track.
struct Track {
    kind: Kind,
    sender: u64,
    ssrc: u32,
    payload_type: u8,
    sequence: Sequence,
    red: Option<u8>,
    rtx: Option<Rtx>,
    rtx_sequence: Sequence,
    /// Of the stream, and of its repairs.
    sealed: [Sealed; 2],
    /// Numbers that came by a repair first.
    restored: BTreeSet<u64>,
    reception: Reception,
    /// The first number that arrived, and the highest.
    range: Option<(u64, u64)>,
    /// Runs of packets whose numbers keep their distance to the sender's: the first number known of
    /// each, and the distance.
    runs: Vec<(u64, i128)>,
    /// The highest number, and the sender's.
    last: Option<(u64, u64)>,
    seen: BTreeSet<u64>,
    missing: BTreeMap<u64, Missing>,
    decoder: Decoder,
    /// Decodes pictures with layers.
    layers: Option<Box<layers::Decoder>>,
    screen: Screen,
    keyframe_request: Option<Instant>,
    last_sr: Option<(NtpTime, u32)>,
    /// Timestamp and true time of the packet that was captured last.
    last_capture: Option<(u32, Duration)>,
    report: TrackReport,
}

/// All tracks of one stream.
pub(super) struct Receiver {
    config: ReceiverConfig,
    start: Instant,
    clock: NtpClock,
    tracks: Vec<Track>,
    next_report: Option<Instant>,
    arrivals: ArrivalLog,
    scratch: Vec<u8>,
}

impl Receiver {
    /// Of the stream of client `sender`, in these tracks.
    pub(super) fn new(
        (start, now): (Instant, Instant),
        unix: Duration,
        config: ReceiverConfig,
        (sender, layers): (u64, Option<LayersConfig>),
        tracks: &[(Kind, DownTrackConfig)],
    ) -> Self {
        let tracks = tracks
            .iter()
            .map(|(kind, down)| Track {
                kind: *kind,
                sender,
                ssrc: down.ssrc,
                payload_type: down.payload_type,
                sequence: Sequence::default(),
                red: down.red,
                rtx: down.rtx,
                rtx_sequence: Sequence::default(),
                sealed: Default::default(),
                restored: BTreeSet::new(),
                reception: Reception::new(now, clock_rate(*kind)),
                range: None,
                runs: Vec::new(),
                last: None,
                seen: BTreeSet::new(),
                missing: BTreeMap::new(),
                decoder: Decoder::default(),
                layers: layers
                    .filter(|_| *kind == Kind::Video)
                    .map(|layers| Box::new(layers::Decoder::new(layers))),
                screen: Screen::default(),
                keyframe_request: None,
                last_sr: None,
                last_capture: None,
                report: TrackReport::default(),
            })
            .collect();
        Self {
            config,
            start,
            clock: NtpClock::new(start, unix),
            tracks,
            next_report: None,
            arrivals: ArrivalLog::new(now),
            scratch: Vec::new(),
        }
    }

    /// Takes a packet. False if no track expects it.
    pub(super) fn handle_rtp(&mut self, now: Instant, data: &[u8], opener: &Opener) -> bool {
        let Ok(header) = Header::parse(data) else {
            return false;
        };
        let is_repair = |track: &Track| track.rtx.is_some_and(|rtx| rtx.ssrc == header.ssrc);
        let mut tracks = self.tracks.iter_mut();
        let Some(track) = tracks.find(|track| track.ssrc == header.ssrc || is_repair(track)) else {
            return false;
        };
        let is_repair = is_repair(track);
        let sequence = if is_repair {
            &mut track.rtx_sequence
        } else {
            &mut track.sequence
        };
        let extended = sequence.extend(header.seqno);
        if !track.sealed[usize::from(is_repair)].is_same(extended, data) {
            track.report.resealed += 1;
        }
        if !sequence.is_new(extended) {
            if !is_repair && track.restored.contains(&extended) {
                // It waited somewhere, and its repair overtook it.
                track.report.needless += 1;
            } else {
                track.report.replayed += 1;
            }
            return true;
        }
        let Some(len) = opener.payload_len(data.len(), header.len) else {
            track.report.forged += 1;
            return true;
        };
        self.scratch.resize(len, 0);
        let index = Sequence::roc_index(extended);
        match opener.open_rtp(data, header.ssrc, index, header.len, &mut self.scratch) {
            Ok(()) => {}
            Err(SrtpError::Forged | SrtpError::Truncated | SrtpError::Replayed) => {
                track.report.forged += 1;
                return true;
            }
            Err(SrtpError::Crypto) => return false,
        }
        sequence.accept(extended);
        let mut ids = ExtensionIds::default();
        ids[Extension::TransportCc as usize] = Extension::TransportCc.own_id();
        let number = header.extension(data, &ids, Extension::TransportCc);
        let stamped = self.config.transport_cc
            && match track.kind {
                Kind::Audio => !self.config.nack,
                Kind::Video => track.rtx.is_some(),
            };
        match number.and_then(|number| number.first_chunk()) {
            Some(number) if stamped => self.arrivals.arrived(now, u16::from_be_bytes(*number)),
            None if !stamped => {}
            _ => track.report.mislabelled += 1,
        }
        let times = (self.start, now);
        if !is_repair {
            let mut header = header;
            let Some(payload) = track.unwrap(&mut header, &self.scratch) else {
                track.report.corrupted += 1;
                return true;
            };
            track.receive(times, &self.config, extended, &header, data, payload);
            return true;
        }
        if packet::without_padding(&header, &self.scratch).is_empty() {
            // It repairs nothing, and was only to arrive.
            return true;
        }
        track.report.by_rtx += 1;
        let restored = self.scratch.split_first_chunk();
        let Some((original, payload)) = restored.filter(|_| track.is_rtx(&header)) else {
            track.report.mislabelled += 1;
            return true;
        };
        let extended = track.sequence.extend(u16::from_be_bytes(*original));
        if !track.sequence.is_new(extended) {
            track.report.needless += 1;
            return true;
        }
        track.sequence.accept(extended);
        track.restored.insert(extended);
        let mut header = header;
        header.payload_type = track.payload_type;
        track.receive(times, &self.config, extended, &header, data, payload);
        true
    }

    pub(super) fn handle_rtcp(&mut self, now: Instant, data: &[u8], report: &mut ClientReport) {
        for item in Reports::new(data) {
            match item {
                Ok(Report::SenderReport { ssrc, info, .. }) => {
                    match self.tracks.iter_mut().find(|track| track.ssrc == ssrc) {
                        Some(track) => {
                            track.report.sender_reports += 1;
                            track.last_sr = Some((info.ntp, info.rtp_time));
                            track.reception.sender_report(info.ntp, now);
                        }
                        None => report.stray += 1,
                    }
                }
                Ok(_) => {}
                Err(_) => report.bad_rtcp += 1,
            }
        }
    }

    /// Sends what is due: requests and reports.
    pub(super) fn send(&mut self, now: Instant, endpoint: &mut Endpoint, outbox: &mut Outbox) {
        let next_report = *self
            .next_report
            .get_or_insert_with(|| now + REPORT_INTERVAL / 2);
        let regular = next_report <= now;
        if !regular && self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        if regular {
            self.next_report = Some(next_report + REPORT_INTERVAL);
        }
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let own = reporter(track.kind);
            let block = regular.then(|| track.reception.report(track.ssrc, now));
            let block = block.flatten();
            let mut buffer = vec![0; 1_200];
            let Ok(mut compound) =
                Compound::with_receiver_report(&mut buffer, own, block.as_slice())
            else {
                return;
            };
            let mut asked = regular;
            let lost = track.poll_missing((self.start, now), &self.config);
            // What does not fit is asked for with the next.
            if !lost.is_empty() && compound.nack(own, track.ssrc, &lost).is_ok() {
                asked = true;
            }
            if track.keyframe_request.is_some_and(|at| at <= now) {
                track.keyframe_request = Some(now + KEYFRAME_INTERVAL);
                track.report.keyframe_requests += 1;
                asked |= compound.pli(own, track.ssrc).is_ok();
            }
            // Of all that arrives, Chromium tells from the first.
            if at == 0 {
                let told = self.arrivals.write(now, &mut compound, own, track.ssrc);
                asked |= told.is_ok_and(|told| told);
            }
            let len = compound.len();
            if asked {
                endpoint.send_rtcp(buffer, len, outbox);
            }
        }
    }

    /// When [`Self::send`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let tracks = self.tracks.iter().flat_map(|track| {
            let missing = track.missing.values().map(|missing| missing.due).min();
            [missing, track.keyframe_request]
        });
        let arrivals = self.arrivals.next_poll();
        let others = self.next_report.into_iter().chain(arrivals);
        tracks.flatten().chain(others).min()
    }

    /// It needs a keyframe of every track, now.
    pub(super) fn request_keyframe(&mut self, now: Instant) {
        for track in &mut self.tracks {
            if track.kind == Kind::Video {
                track.keyframe_request = Some(now);
            }
        }
    }

    pub(super) fn reports(&self) -> Vec<TrackReport> {
        self.tracks
            .iter()
            .map(|track| TrackReport {
                missing: track.missing.len() as u64,
                first_frame: track.screen.first,
                last_frame: track.screen.last,
                longest_freeze: track.screen.longest_freeze,
                clock_offset: track.clock_offset(&self.clock, self.start),
                layers: track.layers.as_ref().map(|layers| layers.report().clone()),
                ..track.report.clone()
            })
            .collect()
    }
}

impl Track {
    fn is_rtx(&self, header: &Header) -> bool {
        let agreed = self.rtx.map(|rtx| rtx.payload_type);
        agreed == Some(header.payload_type)
    }

    /// The packet itself, if it came with earlier ones, which must be whole.
    fn unwrap<'a>(&mut self, header: &mut Header, payload: &'a [u8]) -> Option<&'a [u8]> {
        if self.red != Some(header.payload_type) {
            return Some(payload);
        }
        header.payload_type = self.payload_type;
        let blocks = Blocks::parse(payload, self.payload_type).ok()?;
        for earlier in blocks.earlier() {
            payload::read(self.kind, payload.get(earlier.range())?)?;
            self.report.copies += 1;
        }
        payload.get(blocks.primary()..)
    }

    fn receive(
        &mut self,
        (start, now): (Instant, Instant),
        config: &ReceiverConfig,
        seqno: u64,
        header: &Header,
        data: &[u8],
        payload: &[u8],
    ) {
        let elapsed = since(start, now);
        self.report.received += 1;
        self.report.first_packet.get_or_insert(elapsed);
        self.reception
            .receive(Sequence::roc_index(seqno), header.timestamp, now);
        let repaired = self.find_missing(now, config, seqno);
        if let Some(layers) = &mut self.layers {
            let payload = packet::without_padding(header, payload);
            layers.receive(elapsed, seqno, header, data, payload);
            let waits = layers.needs_keyframe(elapsed);
            self.await_keyframe(now, waits);
            return;
        }

        let mark = payload::read(self.kind, payload).filter(|mark| mark.sender == self.sender);
        let Some(mark) = mark else {
            self.report.corrupted += 1;
            return;
        };
        if !self.seen.insert(mark.index) {
            self.report.repeated += 1;
        }
        self.check_number(seqno, mark.index);
        if header.payload_type != self.payload_type || !is_labelled(header, data, &mark) {
            self.report.mislabelled += 1;
        }
        let latency = elapsed.saturating_sub(mark.captured).as_micros();
        self.report.latencies.push(latency as u32);
        if repaired {
            self.report.repaired += 1;
            self.report.repairs.push(latency as u32);
        }
        let range = self.report.range.get_or_insert((mark.index, mark.index));
        range.1 = range.1.max(mark.index);
        if self
            .last_capture
            .is_none_or(|(_, captured)| captured < mark.captured)
        {
            self.last_capture = Some((header.timestamp, mark.captured));
        }
        if self.kind == Kind::Video {
            self.decoder.receive(seqno, &mark, header.marker);
            self.decode(elapsed, now);
        }
    }

    /// Numbers follow the sender's. The sender's may jump, as when the track was off for a while,
    /// but then the server's go on without a gap. Packets around a jump may be lost, or come late:
    /// where exactly it lies shows only in time.
    fn check_number(&mut self, seqno: u64, index: u64) {
        let distance = i128::from(index) - i128::from(seqno);
        let (last_seqno, last_index) = self.last.unwrap_or((seqno, index));
        let at = self.runs.partition_point(|(first, _)| *first <= seqno);
        let (before, after) = self.runs.split_at_mut(at);
        match (before.last_mut(), after.first_mut()) {
            (Some((_, known)), _) if *known == distance => {}
            (_, Some((first, known))) if *known == distance => *first = seqno,
            (Some((_, known)), None)
                if distance > *known && seqno > last_seqno && index > last_index =>
            {
                self.report.cuts += 1;
                self.report.left_out += (distance - *known) as u64;
                self.runs.push((seqno, distance));
            }
            (None, None) => self.runs.push((seqno, distance)),
            _ => self.report.misnumbered += 1,
        }
        if self.last.is_none_or(|(last, _)| seqno > last) {
            self.last = Some((seqno, index));
        }
    }

    fn decode(&mut self, elapsed: Duration, now: Instant) {
        let decoded = self.decoder.decode();
        if decoded.frames > 0 {
            self.screen.show(elapsed);
        }
        self.report.frames += decoded.frames;
        self.report.keyframes += decoded.keyframes;
        self.report.skipped += decoded.skipped;
        if decoded.keyframes > 0 {
            self.keyframe_request = None;
        } else if self.decoder.needs_keyframe() {
            self.await_keyframe(now, true);
        }
    }

    /// It waits for a keyframe, or does not any more.
    fn await_keyframe(&mut self, now: Instant, waits: bool) {
        if !waits {
            self.keyframe_request = None;
        } else if self.keyframe_request.is_none() {
            // Not at once: the keyframe may be under way, or still incomplete.
            self.keyframe_request = Some(now + KEYFRAME_INTERVAL);
        }
    }

    /// Notes what is missing before a packet. True if the packet itself was asked for.
    fn find_missing(&mut self, now: Instant, config: &ReceiverConfig, seqno: u64) -> bool {
        let Some((first, highest)) = self.range else {
            self.range = Some((seqno, seqno));
            return false;
        };
        if seqno < first {
            self.report.early += 1;
            return false;
        }
        if seqno < highest {
            let missing = self.missing.remove(&seqno);
            // Too late, but here after all.
            self.report.given_up -= u64::from(missing.is_none());
            return missing.is_none_or(|missing| missing.asked);
        }
        self.range = Some((first, seqno));
        if seqno - highest > MAX_GAP {
            self.report.jumps += 1;
            return false;
        }
        let due = now
            + if config.nack {
                config.patience
            } else {
                config.age
            };
        for lost in highest + 1..seqno {
            let missing = Missing {
                since: now,
                due,
                asked: false,
            };
            self.missing.insert(lost, missing);
        }
        false
    }

    /// What to ask for now; gives up what is too old.
    fn poll_missing(
        &mut self,
        (start, now): (Instant, Instant),
        config: &ReceiverConfig,
    ) -> Vec<u16> {
        let mut lost = Vec::new();
        let mut old = Vec::new();
        for (seqno, missing) in &mut self.missing {
            if now.saturating_duration_since(missing.since) >= config.age {
                old.push(*seqno);
            } else if missing.due <= now && lost.len() < 200 {
                lost.push(*seqno as u16);
                let end = missing.since + config.age;
                missing.due = end.min(now + config.rtt + config.rtt / 8);
                missing.asked = true;
            }
        }
        self.report.asked += lost.len() as u64;
        for seqno in old {
            self.missing.remove(&seqno);
            self.report.given_up += 1;
            self.decoder.give_up(seqno);
            if let Some(layers) = &mut self.layers {
                layers.give_up(since(start, now), seqno);
            }
            let layers = self.layers.as_ref();
            let waits = layers.map_or(self.decoder.needs_keyframe(), |layers| {
                layers.needs_keyframe(since(start, now))
            });
            if self.kind == Kind::Video && waits {
                self.keyframe_request.get_or_insert(now);
            }
        }
        lost
    }

    fn clock_offset(&self, clock: &NtpClock, start: Instant) -> Option<i64> {
        let (ntp, rtp_time) = self.last_sr?;
        let (timestamp, captured) = self.last_capture?;
        let ticks = i64::from(timestamp.wrapping_sub(rtp_time) as i32);
        let after = (ticks << 32) / i64::from(clock_rate(self.kind));
        let shown = ntp.0.wrapping_add(after as u64);
        let truly = clock.at(start + captured).0;
        let offset = i128::from(shown.wrapping_sub(truly) as i64);
        Some(((offset * 1_000_000) >> 32) as i64)
    }
}

fn clock_rate(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => Codec::Opus.clock_rate(),
        Kind::Video => Codec::Vp8.clock_rate(),
    }
}

/// The audio level goes by the server's own id, and nothing else was let through.
fn is_labelled(header: &Header, data: &[u8], mark: &Mark) -> bool {
    // Numbers of the transport are looked at elsewhere.
    let transport = Extension::TransportCc.own_id();
    let extensions = header.extensions(data);
    let mut extensions = extensions.filter(|(id, _)| *id != transport);
    let first = extensions.next();
    let own = Extension::AudioLevel.own_id();
    first.is_some_and(|(id, value)| id == own && *value == [level(mark)])
        && extensions.next().is_none()
}
