//! What a simulated publisher sends: marked packets of sound and pictures.

mod config;
mod track;

pub use config::{SenderConfig, VideoConfig};
pub(super) use track::level;

use super::client::{Endpoint, Outbox, since};
use super::layers::{self, LayersConfig, Source};
use super::payload::{self, Mark};
use super::random::Random;
use super::report::ClientReport;
use crate::media::feedback::{NtpClock, Report, Reports, SenderInfo};
use crate::media::send_log::SendLog;
use crate::media::{Codec, Kind};
use crate::shard::UpTrackConfig;
use crate::transport::description::{Feedback, Repair, Rtx};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use track::{Track, extension_ids};

/// Between two packets of sound.
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
/// Between two sender reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The most payload bytes of one packet.
const MAX_PAYLOAD: usize = 1_100;
/// Where the audio level of a packet lies.
const LEVEL_AT: usize = 19;

/// A publisher's tracks.
pub(super) struct Sender {
    id: u64,
    config: SenderConfig,
    start: Instant,
    clock: NtpClock,
    random: Random,
    tracks: Vec<Track>,
    next_report: Option<Instant>,
    /// Tracks, and the numbers to send again.
    resends: Vec<(usize, u16)>,
    log: SendLog,
    /// Sends nothing for now.
    paused: bool,
    /// The level of its sound, if not that which its receivers know to expect.
    pub(super) level: Option<u8>,
}

impl Sender {
    pub(super) fn new(
        id: u64,
        (start, now): (Instant, Instant),
        unix: Duration,
        config: SenderConfig,
        mut random: Random,
    ) -> Self {
        let mut kinds = Vec::new();
        kinds.extend(config.audio.then_some((Kind::Audio, 0)));
        match config.layers {
            Some(layers) => kinds.extend((0..layers.encodings).map(|one| (Kind::Video, one))),
            None => kinds.extend(config.video.map(|_| (Kind::Video, 0))),
        }
        let tracks = kinds
            .into_iter()
            .map(|(kind, encoding)| Track {
                rid: (kind == Kind::Video && config.has_rids()).then_some(b'0' + encoding),
                source: config
                    .layers
                    .filter(|_| kind == Kind::Video)
                    .map(|layers| Box::new(Source::new(layers, encoding, &mut random))),
                mid: b'0' + u8::from(kind == Kind::Video && config.audio),
                kind,
                ssrc: random.next() as u32 | 1,
                payload_type: match kind {
                    Kind::Audio => 109,
                    Kind::Video => 120,
                },
                seqno: config
                    .first_seqno
                    .map_or_else(|| random.below(1 << 15), u64::from),
                index: 0,
                frame: 0,
                timestamp: random.next() as u32,
                next: now,
                last_keyframe: None,
                keyframe_wanted: true,
                keyframes: 0,
                history: VecDeque::new(),
                rtx: None,
                rtx_seqno: 0,
                packets: 0,
                octets: 0,
            })
            .collect();
        let mut sender = Self {
            id,
            config,
            start,
            clock: NtpClock::new(start, unix + config.clock_ahead),
            random,
            tracks,
            next_report: None,
            resends: Vec::new(),
            log: SendLog::new(now),
            paused: false,
            level: None,
        };
        for track in &mut sender.tracks {
            if config.rtx && track.kind == Kind::Video && !config.has_rids() {
                track.rtx = Some(Rtx {
                    payload_type: 121,
                    ssrc: sender.random.next() as u32 & !1,
                });
                track.rtx_seqno = sender.random.below(1 << 15);
            }
        }
        sender
    }

    /// As its offer describes them.
    pub(super) fn track_configs(&self) -> Vec<UpTrackConfig> {
        self.tracks
            .iter()
            .map(|track| UpTrackConfig {
                mid: char::from(track.mid).to_string(),
                rid: track.rid.map(|rid| char::from(rid).to_string()),
                ssrc: self.announces(track).then_some(track.ssrc),
                kind: track.kind,
                codec: match track.kind {
                    Kind::Audio => Codec::Opus,
                    Kind::Video => self.layers().map_or(Codec::Vp8, |layers| layers.codec),
                },
                payload_type: track.payload_type,
                extensions: extension_ids(),
                red: None,
                rtx: track.rtx.map(|rtx| Repair {
                    payload_type: rtx.payload_type,
                    ssrc: self.announces(track).then_some(rtx.ssrc),
                }),
                feedback: Feedback {
                    nack: self.config.nack,
                    pli: track.kind == Kind::Video,
                    fir: track.kind == Kind::Video,
                    remb: false,
                    transport_cc: self.config.transport_cc,
                },
            })
            .collect()
    }

    fn announces(&self, track: &Track) -> bool {
        self.config.announces_ssrcs && track.rid.is_none()
    }

    /// What its pictures are, if they have layers.
    pub(super) fn layers(&self) -> Option<LayersConfig> {
        self.config.layers
    }

    /// Goes on under other SSRCs and sequence numbers, as a browser does that replaces a track.
    pub(super) fn change_ssrcs(&mut self) {
        for track in &mut self.tracks {
            track.ssrc = self.random.next() as u32 | 1;
            track.seqno = self.random.below(1 << 15);
            track.timestamp = self.random.next() as u32;
            track.history.clear();
            if let Some(rtx) = &mut track.rtx {
                rtx.ssrc = self.random.next() as u32 & !1;
                track.rtx_seqno = self.random.below(1 << 15);
            }
            track.keyframe_wanted = true;
        }
    }

    pub(super) fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        for track in &mut self.tracks {
            track.next = track.next.max(now);
        }
    }

    /// A protected packet of the track's next number, which counts as sent; its header and
    /// payload were changed by `change`. For tests of bad input.
    pub(super) fn craft(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        track: usize,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Vec<u8>> {
        let captured = since(self.start, now);
        let track = self.tracks.get_mut(track)?;
        let mark = Mark {
            sender: self.id,
            kind: track.kind,
            index: track.index,
            frame: track.frame,
            captured,
            start: true,
            keyframe: false,
        };
        track.frame += 1;
        let mut packet = track.packet(&mark, 120, true, track.timestamp_at(captured), None);
        change(&mut packet);
        track.seal(endpoint, &packet)
    }

    pub(super) fn handle_rtcp(&mut self, now: Instant, data: &[u8], report: &mut ClientReport) {
        let mut wanted = Vec::new();
        for item in Reports::new(data) {
            match item {
                Ok(Report::TransportCc { body, .. }) => {
                    self.log.feedback(now, body).for_each(drop);
                    report.heard = self.log.figures();
                }
                Ok(Report::Nack { media_ssrc, lost }) => {
                    let Some(track) = self.track(media_ssrc) else {
                        report.stray += 1;
                        continue;
                    };
                    for seqno in lost {
                        if track.sent(seqno).is_some() {
                            report.resent += 1;
                            wanted.push((media_ssrc, seqno));
                        } else {
                            report.forgotten += 1;
                        }
                    }
                }
                Ok(Report::Pli { media_ssrc }) => {
                    self.want_keyframe(now, media_ssrc, report);
                }
                Ok(Report::Fir { entries }) => {
                    for (ssrc, _) in entries {
                        self.want_keyframe(now, ssrc, report);
                    }
                }
                Ok(Report::ReceiverReport { reports, .. }) => {
                    report.receiver_reports += 1;
                    for block in reports {
                        let loss = f64::from(block.fraction_lost) / 256.0;
                        report.reported_loss = report.reported_loss.max(loss);
                    }
                }
                Ok(_) => {}
                Err(_) => report.bad_rtcp += 1,
            }
        }
        for (ssrc, seqno) in wanted {
            let at = self.tracks.iter().position(|track| track.ssrc == ssrc);
            self.resends.extend(at.map(|at| (at, seqno)));
        }
    }

    fn track(&mut self, ssrc: u32) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.ssrc == ssrc)
    }

    fn want_keyframe(&mut self, now: Instant, ssrc: u32, report: &mut ClientReport) {
        report.keyframe_requests.push(since(self.start, now));
        match self.track(ssrc) {
            Some(track) => track.keyframe_wanted = true,
            None => report.stray += 1,
        }
    }

    /// Sends what is due.
    pub(super) fn send(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        outbox: &mut Outbox,
        report: &mut ClientReport,
    ) {
        if let Some(path) = endpoint.transport.path() {
            for (at, seqno) in self.resends.drain(..) {
                if let Some(packet) = self.tracks[at].again(endpoint, seqno) {
                    outbox.push((path.remote, packet));
                }
            }
        }
        let next_report = *self.next_report.get_or_insert_with(|| {
            // It captures from the moment it is connected.
            for track in &mut self.tracks {
                track.next = now;
            }
            now + REPORT_INTERVAL / 4
        });
        for at in 0..self.tracks.len() {
            while !self.paused && self.tracks[at].next <= now {
                self.send_frame(at, endpoint, outbox);
            }
        }
        if next_report <= now {
            self.next_report = Some(next_report + REPORT_INTERVAL);
            self.send_report(now, endpoint, outbox);
        }
        report.sent = self.tracks.iter().map(|track| track.index).collect();
        report.keyframes = self.tracks.iter().map(|track| track.keyframes).sum();
    }

    fn send_frame(&mut self, at: usize, endpoint: &mut Endpoint, outbox: &mut Outbox) {
        let Self {
            id,
            config,
            start,
            random,
            tracks,
            level,
            log,
            ..
        } = self;
        let Some(track) = tracks.get_mut(at) else {
            return;
        };
        let moment = track.next;
        let captured = since(*start, moment);
        if track.source.is_some() {
            track.next = moment + layers::INTERVAL;
            for written in track.picture(moment, captured, random) {
                let number = config.transport_cc.then(|| log.number());
                let packet = track.layered(&written, track.timestamp_at(captured), number);
                if config.transport_cc {
                    log.sent(moment, packet.len());
                }
                if let Some(packet) = track.seal(endpoint, &packet)
                    && let Some(path) = endpoint.transport.path()
                {
                    outbox.push((path.remote, packet));
                }
            }
            return;
        }
        let (mut bytes, keyframe) = match (track.kind, config.video) {
            (Kind::Video, Some(video)) => {
                track.next = moment + Duration::from_secs(1) / video.rate.max(1);
                let keyframe = track.begins_keyframe(moment, &video);
                let spread = video.frame as u64 / 2;
                let frame = video.frame - spread as usize / 2 + random.below(spread + 1) as usize;
                (if keyframe { video.keyframe } else { frame }, keyframe)
            }
            _ => {
                track.next = moment + AUDIO_INTERVAL;
                (60 + random.below(80) as usize, false)
            }
        };
        let timestamp = track.timestamp_at(captured);
        let mut first = true;
        while bytes > 0 {
            let len = bytes.min(MAX_PAYLOAD);
            bytes -= len;
            let mark = Mark {
                sender: *id,
                kind: track.kind,
                index: track.index,
                frame: track.frame,
                captured,
                start: first,
                keyframe: first && keyframe,
            };
            first = false;
            let number = config.transport_cc.then(|| log.number());
            let len = len.max(payload::MIN);
            let mut packet = track.packet(&mark, len, bytes == 0, timestamp, number);
            if config.transport_cc {
                log.sent(moment, packet.len());
            }
            if let (Some(level), Some(place)) = (*level, packet.get_mut(LEVEL_AT)) {
                *place = level;
            }
            let withheld = random.chance(config.withheld);
            if let Some(packet) = track.seal(endpoint, &packet)
                && !withheld
                && let Some(path) = endpoint.transport.path()
            {
                outbox.push((path.remote, packet));
            }
        }
        track.frame += 1;
    }

    fn send_report(&mut self, now: Instant, endpoint: &mut Endpoint, outbox: &mut Outbox) {
        let captured = since(self.start, now);
        let ntp = self.clock.at(now);
        let sending = self.tracks.iter().filter(|track| track.packets > 0);
        let reports = sending.map(|track| {
            let info = SenderInfo {
                ntp,
                rtp_time: track.timestamp_at(captured),
                packets: track.packets,
                octets: track.octets,
            };
            (track.ssrc, info)
        });
        endpoint.send_reports(reports, outbox);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let tracks = self
            .tracks
            .iter()
            .map(|track| track.next)
            .filter(|_| !self.paused);
        tracks.chain(self.next_report).min()
    }
}
