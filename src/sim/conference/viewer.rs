//! A browser that watches one stream: asks for what is missing, reports, and plays.

use super::gradient::{Aimd, Detector, Meter, Usage};
use super::mark::{Mark, Picture};
use super::picture::{Decoder, Moment, Shown};
use super::sound::Sound;
use super::stream::{MAX_MISSING, Stream, clock_rate};
use crate::media::Kind;
use crate::media::feedback::{Compound, Report, Reports};
use crate::media::packet::{Header, without_padding};
use crate::media::rate::Reception;
use crate::media::red::Blocks;
use crate::media::twcc::ArrivalLog;
use crate::shard::DownTrackConfig;
use crate::sim::client::{Endpoint, Outbox, reporter, since};
use crate::sim::link::BIN;
use crate::sim::report::ClientReport;
use crate::transport::description::{Extension, ExtensionIds};
use crate::transport::srtp::{Opener, Sequence, SrtpError};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at what is missing, as libwebrtc does.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// Without a picture for this long a browser asks for a keyframe.
const STUCK: Duration = Duration::from_secs(3);
/// … and this often while it has seen none at all.
const FIRST_KEYFRAME: Duration = Duration::from_millis(200);
/// Between two estimates of what the path takes.
const ESTIMATE_INTERVAL: Duration = Duration::from_millis(100);
/// So long nothing is said of what arrives, unless a queue grows.
const LEARNING: Duration = Duration::from_secs(5);

/// Units of the clock rate of one packet of sound.
const SOUND_STEP: u32 = 960;

/// What a viewer is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewerConfig {
    /// It tells which packets arrived when, as browsers do that are offered it, and leaves it to
    /// the server what to make of that. Otherwise it makes an estimate of its own (REMB).
    pub transport_cc: bool,
    /// The payload type by which it takes sound with earlier packets in it (RFC 2198), as Chromium
    /// does.
    pub red: Option<u8>,
    /// It asks the jitter buffer for more time where that saves sound, as our page does.
    pub patient: bool,
    /// The round trip that it reckons with. A browser that only receives does not measure it.
    pub rtt: Duration,
}

impl Default for ViewerConfig {
    fn default() -> Self {
        Self {
            transport_cc: true,
            red: Some(63),
            patient: true,
            rtt: Duration::from_millis(100),
        }
    }
}

/// What a viewer saw. Times in µs since the beginning of the world unless said otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewerReport {
    /// When it was connected, or first given packets.
    pub began: Option<i64>,
    /// Every frame, in order.
    pub shown: Vec<Shown>,
    /// Frames that showed garbage: the server misled the decoder.
    pub broken: u64,
    /// Frames that never could be shown.
    pub dropped: u64,
    /// Frames whose timestamps went back.
    pub backward: u64,
    /// Sound that was heard, µs.
    pub heard: i64,
    /// Sound that had to be made up, µs.
    pub concealed: i64,
    /// Each second: how much later than captured the sound is heard, µs.
    pub sound_delays: Vec<i64>,
    /// How far pictures and sound were apart at the worst, by the sender reports, µs.
    pub lip_sync: i64,
    /// RTP bytes that arrived, in bins of 100 ms.
    pub bytes: Vec<u32>,
    /// Each 100 ms: its own estimate, bit/s; 0 while there is none.
    pub estimates: Vec<u64>,
    /// Numbers that it asked for, repetitions included.
    pub asked: u64,
    /// Packets that came after they were asked for.
    pub repaired: u64,
    /// Earlier packets of sound that came in later ones.
    pub redundant: u64,
    /// Repairs of what had arrived. Padding is not counted.
    pub needless: u64,
    /// Requests for a keyframe.
    pub keyframe_requests: u64,
    /// Packets whose authentication failed, or whose contents cannot be read.
    pub damaged: u64,
}

/// A watching browser.
pub(in crate::sim) struct Viewer {
    config: ViewerConfig,
    start: Instant,
    streams: Vec<Stream>,
    decoder: Decoder,
    sound: Sound,
    next_report: Option<Instant>,
    next_estimate: Instant,
    next_nack: Instant,
    stuck_at: Option<Instant>,
    pli: bool,
    detector: Detector,
    meter: Meter,
    aimd: Option<Aimd>,
    /// The last estimate that was sent, and when.
    remb: Option<(u64, Instant)>,
    arrivals: ArrivalLog,
    began: Option<Instant>,
    /// The first packet of pictures.
    learning_since: Option<Instant>,
    scratch: Vec<u8>,
    report: ViewerReport,
}

impl Viewer {
    pub(in crate::sim) fn new(
        (start, now): (Instant, Instant),
        config: ViewerConfig,
        tracks: &[(Kind, DownTrackConfig)],
    ) -> Self {
        let streams = tracks.iter().map(|(kind, down)| Stream {
            kind: *kind,
            ssrc: down.ssrc,
            sequence: Sequence::default(),
            rtx: down.rtx,
            rtx_sequence: Sequence::default(),
            sealed: Default::default(),
            reception: Reception::new(now, clock_rate(*kind)),
            highest: None,
            missing: BTreeMap::new(),
            near_timestamp: None,
            last_sr: None,
            last_moment: None,
        });
        Self {
            config,
            start,
            streams: streams.collect(),
            decoder: Decoder::default(),
            sound: if config.patient {
                Sound::patient()
            } else {
                Sound::default()
            },
            next_report: None,
            next_estimate: now,
            next_nack: now,
            stuck_at: None,
            pli: false,
            detector: Detector::new(),
            meter: Meter::default(),
            aimd: None,
            remb: None,
            arrivals: ArrivalLog::new(now),
            began: None,
            learning_since: None,
            scratch: Vec::new(),
            report: ViewerReport::default(),
        }
    }

    fn micros(&self, now: Instant) -> i64 {
        since(self.start, now).as_micros() as i64
    }

    /// Takes a packet. False if no track expects it.
    pub(in crate::sim) fn handle_rtp(
        &mut self,
        now: Instant,
        data: &[u8],
        opener: &Opener,
    ) -> bool {
        let Ok(header) = Header::parse(data) else {
            return false;
        };
        let is_of = |stream: &Stream| {
            let repairs = stream.rtx.is_some_and(|rtx| rtx.ssrc == header.ssrc);
            repairs || stream.ssrc == header.ssrc
        };
        let Some(at) = self.streams.iter().position(is_of) else {
            return false;
        };
        let bin = (since(self.start, now).as_nanos() / BIN.as_nanos()) as usize;
        if self.report.bytes.len() <= bin {
            self.report.bytes.resize(bin + 1, 0);
        }
        self.report.bytes[bin] += data.len() as u32;
        self.began.get_or_insert(now);
        let stream = &mut self.streams[at];
        let is_repair = stream.ssrc != header.ssrc;
        let sequence = if is_repair {
            &mut stream.rtx_sequence
        } else {
            &mut stream.sequence
        };
        let number = sequence.extend(header.seqno);
        if !stream.sealed[usize::from(is_repair)].is_same(number, data) {
            self.report.damaged += 1;
        }
        if !sequence.is_new(number) {
            return true;
        }
        let Some(len) = opener.payload_len(data.len(), header.len) else {
            self.report.damaged += 1;
            return true;
        };
        self.scratch.resize(len, 0);
        let index = Sequence::roc_index(number);
        match opener.open_rtp(data, header.ssrc, index, header.len, &mut self.scratch) {
            Ok(()) => {}
            Err(SrtpError::Crypto) => return false,
            Err(_) => {
                self.report.damaged += 1;
                return true;
            }
        }
        sequence.accept(number);
        if let Some(number) = transport_number(&header, data) {
            self.arrivals.arrived(now, number);
        }
        let buffer = std::mem::take(&mut self.scratch);
        let payload = without_padding(&header, &buffer);
        if !is_repair {
            let stream = &mut self.streams[at];
            stream.reception.receive(index, header.timestamp, now);
            self.receive(now, at, number, &header, payload);
        } else if let Some((original, payload)) = payload.split_first_chunk() {
            let stream = &mut self.streams[at];
            let number = stream.sequence.extend(u16::from_be_bytes(*original));
            if stream.sequence.is_new(number) {
                stream.sequence.accept(number);
                self.receive(now, at, number, &header, payload);
            } else {
                self.report.needless += 1;
            }
        }
        self.scratch = buffer;
        // Sound does not count: browsers estimate by pictures.
        if self.streams[at].kind == Kind::Video {
            let micros = self.micros(now);
            self.meter.add(micros, data.len());
            self.learning_since.get_or_insert(now);
        }
        true
    }

    fn receive(&mut self, now: Instant, at: usize, number: u64, header: &Header, payload: &[u8]) {
        let micros = self.micros(now);
        // What was due before this packet came.
        self.sound.play(micros);
        let stream = &mut self.streams[at];
        let timestamp = stream.timestamp(header.timestamp);
        let in_order = stream.highest.is_none_or(|highest| number > highest);
        if stream.find_missing(now, number) {
            self.report.repaired += 1;
        }
        if stream.missing.len() > MAX_MISSING {
            stream.missing.clear();
            self.pli = true;
        }
        if payload.is_empty() {
            // Padding: a number, and nothing else.
            return;
        }
        match stream.kind {
            Kind::Audio => {
                let is_redundant = self.config.red == Some(header.payload_type);
                let Some(payload) = self.unwrap(is_redundant, number, timestamp, micros, payload)
                else {
                    self.report.damaged += 1;
                    return;
                };
                let Some(mark) = Mark::read(payload) else {
                    self.report.damaged += 1;
                    return;
                };
                let stream = &mut self.streams[at];
                let captured = mark.captured.as_micros() as i64;
                if in_order {
                    stream.last_moment = Some(Moment {
                        timestamp,
                        captured,
                    });
                }
                self.sound.receive(micros, number, timestamp);
            }
            Kind::Video => {
                if in_order {
                    self.detector.packet(timestamp, micros);
                }
                let read = Picture::read(payload)
                    .and_then(|(picture, rest)| Some((picture, Mark::read(rest)?)));
                let Some(read) = read else {
                    self.report.damaged += 1;
                    return;
                };
                self.decoder
                    .receive(micros, number, timestamp, header.marker, read);
                self.stuck_at.get_or_insert(now + FIRST_KEYFRAME);
            }
        }
    }

    /// The packet itself, if others are in it too; those go to be played.
    fn unwrap<'a>(
        &mut self,
        is: bool,
        number: u64,
        timestamp: i64,
        now: i64,
        payload: &'a [u8],
    ) -> Option<&'a [u8]> {
        if !is {
            return Some(payload);
        }
        let format = format_of(payload)?;
        let blocks = Blocks::parse(payload, format).ok()?;
        for earlier in blocks.earlier() {
            Mark::read(payload.get(earlier.range())?)?;
            let steps = u64::from(earlier.offset / SOUND_STEP);
            let before = timestamp - i64::from(earlier.offset) * 1_000 / 48;
            self.report.redundant += 1;
            self.sound.receive_earlier(now, number - steps, before);
        }
        payload.get(blocks.primary()..)
    }

    pub(in crate::sim) fn handle_rtcp(
        &mut self,
        now: Instant,
        data: &[u8],
        report: &mut ClientReport,
    ) {
        for item in Reports::new(data) {
            match item {
                Ok(Report::SenderReport { ssrc, info, .. }) => {
                    match self.streams.iter_mut().find(|one| one.ssrc == ssrc) {
                        Some(stream) => {
                            let time = stream.full_timestamp(info.rtp_time);
                            stream.last_sr = Some((info.ntp, time));
                            stream.reception.sender_report(info.ntp, now);
                        }
                        None => report.stray += 1,
                    }
                }
                Ok(_) => {}
                Err(_) => report.bad_rtcp += 1,
            }
        }
    }

    /// Plays what is due.
    fn play(&mut self, now: Instant) {
        let micros = self.micros(now);
        self.sound.play(micros);
        let Some(moment) = self.decoder.show(micros) else {
            return;
        };
        self.stuck_at = Some(now + STUCK);
        let video = self.streams.iter_mut().find(|one| one.kind == Kind::Video);
        if let Some(stream) = video {
            stream.last_moment = Some(moment);
        }
        let errors: Vec<_> = self.streams.iter().map(Stream::clock_error).collect();
        if let [Some(one), Some(other)] = errors[..] {
            self.report.lip_sync = self.report.lip_sync.max((one - other).abs());
        }
    }

    /// Does and sends what is due.
    pub(in crate::sim) fn send(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        outbox: &mut Outbox,
    ) {
        self.play(now);
        let next_report = *self.next_report.get_or_insert(now + REPORT_INTERVAL / 2);
        let regular = next_report <= now;
        if self.stuck_at.is_some_and(|at| at <= now) {
            let wait = if self.decoder.is_waiting() {
                FIRST_KEYFRAME
            } else {
                STUCK
            };
            self.stuck_at = Some(now + wait);
            self.pli = true;
        }
        let fell = self.estimate(now);
        if regular {
            self.next_report = Some(next_report + REPORT_INTERVAL);
            let sound = self.streams.iter().find(|one| one.kind == Kind::Audio);
            if let Some(moment) = sound.and_then(|stream| stream.last_moment)
                && self.sound.delay != 0
            {
                let offset = moment.timestamp - moment.captured;
                self.report.sound_delays.push(self.sound.delay + offset);
            }
        }
        let nacks = self.next_nack <= now;
        if nacks {
            self.next_nack = now + NACK_INTERVAL;
        }
        let remb = self.due_remb(now, fell);
        let floors = [self.sound.next_number(), self.decoder.floor()];
        let pictures = self.streams.last().map(|stream| stream.ssrc);
        for (at, stream) in self.streams.iter_mut().enumerate() {
            let own = reporter(stream.kind);
            let block = regular.then(|| stream.reception.report(stream.ssrc, now));
            let block = block.flatten();
            let mut buffer = vec![0; 1_200];
            let Ok(mut compound) =
                Compound::with_receiver_report(&mut buffer, own, block.as_slice())
            else {
                return;
            };
            let mut asked = regular;
            let floor = floors[usize::from(stream.kind == Kind::Video)];
            let lost = stream.poll_missing(now, self.config.rtt, floor);
            if !lost.is_empty() && compound.nack(own, stream.ssrc, &lost).is_ok() {
                self.report.asked += lost.len() as u64;
                asked = true;
            }
            if stream.kind == Kind::Video && std::mem::take(&mut self.pli) {
                self.report.keyframe_requests += 1;
                asked |= compound.pli(own, stream.ssrc).is_ok();
            }
            // Of all that arrives, Chromium tells from the first.
            if self.config.transport_cc
                && at == 0
                && let Some(media) = pictures
            {
                // What does not fit is told of with the next.
                asked |= self.arrivals.write(now, &mut compound, own, media) == Ok(true);
            }
            if stream.kind == Kind::Video
                && let Some(rate) = remb
            {
                asked |= compound.remb(own, rate, &[stream.ssrc]).is_ok();
            }
            let len = compound.len();
            if asked {
                endpoint.send_rtcp(buffer, len, outbox);
            }
        }
    }

    /// What it estimates, if that is to be told now.
    fn due_remb(&mut self, now: Instant, fell: bool) -> Option<u64> {
        let rate = self.aimd.as_ref()?.rate();
        let has_pictures = self.streams.iter().any(|one| one.kind == Kind::Video);
        if self.config.transport_cc || !has_pictures {
            return None;
        }
        let due = self.remb.is_none_or(|(last, at)| {
            now.saturating_duration_since(at) >= REPORT_INTERVAL || (fell && rate < last * 97 / 100)
        });
        due.then(|| {
            self.remb = Some((rate, now));
            rate
        })
    }

    /// Estimates what the path takes. True if it became less.
    fn estimate(&mut self, now: Instant) -> bool {
        let Some(began) = self.learning_since else {
            self.next_estimate = now + ESTIMATE_INTERVAL;
            return false;
        };
        let due = self.next_estimate <= now;
        let usage = self.detector.usage();
        if !due && usage != Usage::Over {
            return false;
        }
        let micros = self.micros(now);
        let incoming = self.meter.rate(micros);
        let mut fell = false;
        let learned = now.saturating_duration_since(began) >= LEARNING || usage == Usage::Over;
        match (&mut self.aimd, incoming) {
            (None, Some(incoming)) if learned => {
                let mut aimd = Aimd::known(incoming);
                aimd.update(now, usage, Some(incoming), self.config.rtt);
                self.aimd = Some(aimd);
                fell = true;
            }
            (Some(aimd), incoming) => fell = aimd.update(now, usage, incoming, self.config.rtt),
            _ => {}
        }
        while self.next_estimate <= now {
            self.next_estimate += ESTIMATE_INTERVAL;
            let rate = self.aimd.as_ref().map_or(0, Aimd::rate);
            self.report.estimates.push(rate);
        }
        fell
    }

    /// When [`Self::send`] is due.
    pub(in crate::sim) fn poll_timeout(&self) -> Option<Instant> {
        let frame = self.decoder.poll_timeout().map(|micros| {
            // A µs later at the most: times of the world are finer.
            self.start + Duration::from_micros(micros.max(0) as u64)
        });
        let missing = self.streams.iter().filter_map(Stream::next_due).min();
        [
            self.next_report,
            self.stuck_at,
            Some(self.next_estimate),
            missing.map(|at| at.max(self.next_nack)),
            self.arrivals
                .next_poll()
                .filter(|_| self.config.transport_cc),
            frame,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(in crate::sim) fn report(&self, now: Instant) -> ViewerReport {
        let played = self.sound.played_until(self.micros(now));
        let figures = &self.decoder.figures;
        ViewerReport {
            began: self.began.map(|began| self.micros(began)),
            shown: figures.shown.clone(),
            broken: figures.broken,
            dropped: figures.dropped,
            backward: figures.backward,
            heard: played.heard,
            concealed: played.concealed,
            ..self.report.clone()
        }
    }
}

/// The format of the first block, which is that of all.
fn format_of(payload: &[u8]) -> Option<u8> {
    payload.first().map(|first| first & 0x7f)
}

/// The transport-wide number of a packet, if it has one.
fn transport_number(header: &Header, data: &[u8]) -> Option<u16> {
    let mut ids = ExtensionIds::default();
    ids[Extension::TransportCc as usize] = Extension::TransportCc.own_id();
    let number = header.extension(data, &ids, Extension::TransportCc)?;
    Some(u16::from_be_bytes(*number.first_chunk()?))
}
