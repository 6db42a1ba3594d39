//! A browser that publishes: sound, and pictures in one or several encodings, at a rate that it
//! takes from what the server tells it.

mod stream;

use super::encoder::{Encoder, EncodingConfig, FRAME_RATE, Frame, SINGLE, allocate};
use super::mark::{Mark, NONE, Picture};
use super::rate::{SendRate, Told};
use crate::media::Kind;
use crate::media::down::choice::bit;
use crate::media::feedback::{
    Arrivals, NtpClock, REFERENCE_TICKS, Report, Reports, SenderInfo, TICK_MICROS,
};
use crate::media::seq::extend;
use crate::shard::{UpTrackConfig, Wanted};
use crate::sim::client::{Endpoint, Outbox, since};
use crate::sim::random::Random;
use crate::sim::report::ClientReport;
use crate::transport::description::{Feedback, Repair};
use crate::transport::srtp::RTP_OVERHEAD;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use stream::{HEADER, Queued, RTX_TYPE, Stream, codec, extension_ids};

const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const RATE_INTERVAL: Duration = Duration::from_millis(100);
/// The most payload bytes of one packet.
const MAX_PAYLOAD: usize = 1_150;
/// Pictures leave this much faster than they are made.
const PACING: f64 = 2.5;
/// A packet of nothing but padding (RFC 3550, section 5.1).
const PADDING: [u8; 255] = {
    let mut padding = [0; 255];
    padding[254] = 255;
    padding
};
/// Packets that are remembered until it is told that they arrived.
const SENT: usize = 4_096;
/// The round trip that it reckons with.
const RTT: Duration = Duration::from_millis(100);
/// Sound and its headers, bit/s: what pictures cannot have.
const AUDIO_RATE: u64 = 48_000;

/// What a publisher is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublisherConfig {
    /// What it makes of its pictures, lowest first; empty for sound alone.
    pub encodings: &'static [EncodingConfig],
    /// Each in three temporal layers.
    pub temporal: bool,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        Self {
            encodings: SINGLE,
            temporal: false,
        }
    }
}

/// What a publisher did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublisherReport {
    /// Each 100 ms: the rate of all it sends, bit/s.
    pub rates: Vec<u64>,
    /// Keyframes made.
    pub keyframes: u64,
    /// PLI and FIR that arrived: of which encoding, lowest first, and when.
    pub keyframe_requests: Vec<(usize, Duration)>,
    /// Packets sent again.
    pub resent: u64,
}

/// A publishing browser.
pub(in crate::sim) struct Publisher {
    start: Instant,
    clock: NtpClock,
    random: Random,
    streams: Vec<Stream>,
    encoders: Vec<Encoder>,
    /// Which encodings are wanted, lowest first.
    wanted: Vec<bool>,
    /// Where none is, it does not stop the smallest quite.
    rests: bool,
    /// It leaves all but the largest out, of its own accord.
    alone: bool,
    rate: SendRate,
    queue: VecDeque<Queued>,
    /// The transport-wide number of the next packet.
    next_number: u64,
    /// When the last ones were sent, in µs, their lengths, and the probes they were part of.
    sent: VecDeque<(i64, usize, u32)>,
    /// What carries nothing goes by the stream of repairs.
    padding: Stream,
    next_paced: Instant,
    next_audio: Option<Instant>,
    next_frame: Option<Instant>,
    next_report: Instant,
    next_rate: Instant,
    began: bool,
    resends: Vec<Vec<u8>>,
    report: PublisherReport,
}

impl Publisher {
    pub(in crate::sim) fn new(
        (start, now): (Instant, Instant),
        unix: Duration,
        config: PublisherConfig,
        mut random: Random,
    ) -> Self {
        let mut stream = |kind, rid| Stream {
            kind,
            mid: if kind == Kind::Audio { b'0' } else { b'1' },
            rid,
            ssrc: random.next() as u32 | 1,
            payload_type: if kind == Kind::Audio { 109 } else { 120 },
            seqno: random.below(1 << 15),
            index: 0,
            timestamp: random.next() as u32,
            history: VecDeque::new(),
            packets: 0,
            octets: 0,
        };
        let mut streams = vec![stream(Kind::Audio, "")];
        streams.extend(
            config
                .encodings
                .iter()
                .map(|encoding| stream(Kind::Video, encoding.rid)),
        );
        let padding = Stream {
            payload_type: RTX_TYPE,
            ..stream(Kind::Video, "")
        };
        let single = config.encodings.len() == 1;
        let encoders: Vec<_> = config
            .encodings
            .iter()
            .map(|encoding| Encoder::new(*encoding, config.temporal, single, &mut random))
            .collect();
        let max = config.encodings.iter().enumerate().map(|(at, encoding)| {
            if at + 1 == config.encodings.len() {
                encoding.max
            } else {
                encoding.target
            }
        });
        let max: u64 = max.sum();
        Self {
            start,
            clock: NtpClock::new(start, unix + Duration::from_secs(5)),
            random,
            streams,
            wanted: vec![true; encoders.len()],
            rests: false,
            alone: false,
            encoders,
            rate: SendRate::new(max + AUDIO_RATE),
            queue: VecDeque::new(),
            next_number: 0,
            sent: VecDeque::new(),
            padding,
            next_paced: now,
            next_audio: None,
            next_frame: None,
            next_report: now,
            next_rate: now,
            began: false,
            resends: Vec::new(),
            report: PublisherReport::default(),
        }
    }

    /// As its offer describes them: sound, then the encodings from the highest down.
    pub(in crate::sim) fn track_configs(&self) -> Vec<UpTrackConfig> {
        let (sound, pictures) = self.streams.split_at(1);
        // One of them is enough.
        let first = pictures.first().map(|stream| stream.ssrc);
        let is_padded = |stream: &Stream| Some(stream.ssrc) == first;
        sound
            .iter()
            .chain(pictures.iter().rev())
            .map(|stream| UpTrackConfig {
                mid: char::from(stream.mid).to_string(),
                rid: (!stream.rid.is_empty()).then(|| stream.rid.to_owned()),
                ssrc: stream.rid.is_empty().then_some(stream.ssrc),
                kind: stream.kind,
                codec: codec(stream.kind),
                payload_type: stream.payload_type,
                extensions: extension_ids(),
                red: None,
                rtx: is_padded(stream).then_some(Repair {
                    payload_type: RTX_TYPE,
                    ssrc: Some(self.padding.ssrc),
                }),
                feedback: Feedback {
                    nack: true,
                    pli: stream.kind == Kind::Video,
                    fir: stream.kind == Kind::Video,
                    remb: stream.kind == Kind::Video,
                    transport_cc: true,
                },
            })
            .collect()
    }

    pub(in crate::sim) fn report(&self) -> PublisherReport {
        PublisherReport {
            keyframes: self.encoders.iter().map(|encoder| encoder.keyframes).sum(),
            ..self.report.clone()
        }
    }

    pub(in crate::sim) fn handle_rtcp(
        &mut self,
        now: Instant,
        data: &[u8],
        report: &mut ClientReport,
    ) {
        for item in Reports::new(data) {
            match item {
                Ok(Report::Nack { media_ssrc, lost }) => {
                    let Some(stream) = self.streams.iter().find(|one| one.ssrc == media_ssrc)
                    else {
                        report.stray += 1;
                        continue;
                    };
                    let found: Vec<_> = lost.filter_map(|seqno| stream.sent(seqno)).collect();
                    self.report.resent += found.len() as u64;
                    self.resends.extend(found);
                }
                Ok(Report::Pli { media_ssrc }) => self.want_keyframe(now, media_ssrc),
                Ok(Report::Fir { entries }) => {
                    for (ssrc, _) in entries {
                        self.want_keyframe(now, ssrc);
                    }
                }
                Ok(Report::ReceiverReport { reports, .. }) => {
                    let streams = &self.streams;
                    let blocks = reports.filter(|block| {
                        streams
                            .iter()
                            .any(|one| one.ssrc == block.ssrc && one.kind == Kind::Video)
                    });
                    self.rate.receiver_report(now, blocks);
                }
                Ok(Report::Remb { bitrate, .. }) => self.rate.remb(bitrate),
                Ok(Report::TransportCc { body, .. }) => match Arrivals::read(body) {
                    Some(arrivals) => self.told(now, arrivals),
                    None => report.bad_rtcp += 1,
                },
                Ok(_) => {}
                Err(_) => report.bad_rtcp += 1,
            }
        }
    }

    fn told(&mut self, now: Instant, arrivals: Arrivals<'_>) {
        let reference = i64::from(arrivals.reference()) * REFERENCE_TICKS as i64;
        let told = arrivals.filter_map(|(number, ticks)| {
            let number = extend(number, self.next_number);
            let back = usize::try_from(self.next_number.checked_sub(number)?).ok()?;
            let (sent, bytes, cluster) = *self.sent.get(self.sent.len().checked_sub(back)?)?;
            let arrived = ticks.map(|ticks| (reference + ticks) * TICK_MICROS as i64);
            Some(Told {
                sent,
                arrived,
                bytes,
                cluster,
            })
        });
        let told: Vec<_> = told.collect();
        self.rate.feedback(now, &told, RTT);
    }

    fn want_keyframe(&mut self, now: Instant, ssrc: u32) {
        // The first is sound.
        let stream = self.streams.iter().position(|one| one.ssrc == ssrc);
        let Some(at) = stream.and_then(|stream| stream.checked_sub(1)) else {
            return;
        };
        let asked = (at, since(self.start, now));
        self.report.keyframe_requests.push(asked);
        if let Some(encoder) = self.encoders.get_mut(at) {
            encoder.want_keyframe();
        }
    }

    /// The server says what of its tracks, in the order of [`Self::track_configs`], is watched.
    pub(in crate::sim) fn heed(&mut self, told: &Wanted) {
        let count = self.wanted.len();
        let each = self.wanted.iter_mut().zip(&mut self.encoders).enumerate();
        for (at, (wanted, encoder)) in each {
            let track = count - at;
            *wanted = told.paused & bit(track) == 0;
            encoder.bound(told.bound(track));
        }
    }

    /// Where nothing is watched, its smallest encoding goes on at a frame a second, as the web
    /// client has it.
    pub(in crate::sim) fn rest(&mut self) {
        self.rests = true;
    }

    /// Of its encodings it sends the largest alone, or all again.
    pub(in crate::sim) fn send_alone(&mut self, alone: bool) {
        self.alone = alone;
    }

    /// Which encodings are wanted, lowest first.
    pub(in crate::sim) fn wanted(&self) -> &[bool] {
        &self.wanted
    }

    /// Sends what is due.
    pub(in crate::sim) fn send(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        outbox: &mut Outbox,
    ) {
        if !self.began {
            self.began = true;
            self.next_audio = Some(now);
            self.next_frame = (!self.encoders.is_empty()).then_some(now);
            self.next_report = now + REPORT_INTERVAL / 4;
            self.next_rate = now;
            self.rate.begin();
        }
        let Some(path) = endpoint.transport.path() else {
            return;
        };
        for packet in self.resends.drain(..) {
            outbox.push((path.remote, packet));
        }
        while self.next_rate <= now {
            self.next_rate += RATE_INTERVAL;
            let rate = self.rate.rate();
            let rests = self.rests && self.wanted.iter().all(|wanted| !wanted);
            let mut wanted = self.wanted.clone();
            if let (Some(smallest), Some(wanted)) = (self.encoders.first_mut(), wanted.first_mut())
            {
                smallest.rest(now, rests);
                *wanted |= rests;
            }
            if let (true, Some((_, smaller))) = (self.alone, wanted.split_last_mut()) {
                smaller.fill(false);
            }
            let left = rate.saturating_sub(AUDIO_RATE);
            allocate(&mut self.encoders, left, &wanted);
            let sent = self.encoders.iter().map(Encoder::rate).sum::<u64>();
            self.report.rates.push(sent + AUDIO_RATE);
            let sent = (sent + AUDIO_RATE) as f64;
            self.rate.prober.sends(now, sent, rate as f64);
        }
        while let Some(at) = self.next_audio.filter(|at| *at <= now) {
            self.next_audio = Some(at + AUDIO_INTERVAL);
            let packet = self.sound(at);
            self.emit(now, &packet, endpoint, outbox);
        }
        while let Some(at) = self.next_frame.filter(|at| *at <= now) {
            self.next_frame = Some(at + Duration::from_secs(1) / FRAME_RATE as u32);
            for encoding in 0..self.encoders.len() {
                let frame = self.encoders[encoding].encode(at, &mut self.random);
                if let Some(frame) = frame {
                    self.packetize(at, encoding, &frame);
                }
            }
        }
        self.next_paced = self
            .next_paced
            .max(now.min(self.next_paced + AUDIO_INTERVAL));
        while self.next_paced <= now
            && let Some(packet) = self.queue.pop_front()
        {
            let rate = (self.rate.rate() as f64 * PACING).max(200_000.0);
            let bits = (packet.payload.len() + HEADER + RTP_OVERHEAD) as f64 * 8.0;
            self.next_paced =
                self.next_paced.max(now) + Duration::from_micros((bits * 1e6 / rate) as u64);
            self.emit(now, &packet, endpoint, outbox);
        }
        while !self.encoders.is_empty() && self.rate.prober.due(now).is_some_and(|at| at <= now) {
            let packet = self.queue.pop_front().unwrap_or_else(|| Queued {
                stream: usize::MAX,
                timestamp: self.padding.timestamp,
                marker: false,
                payload: PADDING.to_vec(),
            });
            let before = self.next_number;
            self.emit(now, &packet, endpoint, outbox);
            if self.next_number == before {
                break;
            }
        }
        if self.next_report <= now {
            self.next_report += REPORT_INTERVAL;
            self.send_report(now, endpoint, outbox);
        }
    }

    pub(in crate::sim) fn poll_timeout(&self) -> Option<Instant> {
        let paced = (!self.queue.is_empty()).then_some(self.next_paced);
        let probe = self.next_audio.filter(|_| !self.encoders.is_empty());
        let probe = probe.and_then(|at| self.rate.prober.due(at));
        [
            Some(self.next_report),
            Some(self.next_rate),
            self.next_audio,
            self.next_frame,
            paced,
            probe,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn sound(&mut self, at: Instant) -> Queued {
        let captured = since(self.start, at);
        let len = 60 + self.random.below(40) as usize;
        let stream = &self.streams[0];
        let mark = Mark {
            kind: Kind::Audio,
            encoding: 0,
            index: stream.index,
            frame: stream.index,
            refs: [NONE; 2],
            captured,
            height: 0,
            keyframe: false,
        };
        let mut payload = Vec::with_capacity(len);
        mark.write(&mut payload, len);
        Queued {
            stream: 0,
            timestamp: stream.timestamp_at(captured),
            marker: false,
            payload,
        }
    }

    fn packetize(&mut self, at: Instant, encoding: usize, frame: &Frame) {
        let captured = since(self.start, at);
        let stream = encoding + 1;
        let count = frame.bytes.div_ceil(MAX_PAYLOAD).max(1);
        let timestamp = self.streams[stream].timestamp_at(captured);
        for part in 0..count {
            // Parts of nearly one length, as libwebrtc makes them.
            let len = frame.bytes * (part + 1) / count - frame.bytes * part / count;
            let picture = Picture {
                start: part == 0,
                keyframe: frame.keyframe,
                discardable: frame.discardable,
                id: frame.picture_id,
                layer: frame.layer,
                size: Some(frame.size),
            };
            let mark = Mark {
                kind: Kind::Video,
                encoding: encoding as u8,
                index: self.streams[stream].index,
                frame: frame.number,
                refs: frame.refs,
                captured,
                height: frame.size.1,
                keyframe: frame.keyframe,
            };
            let mut payload = Vec::with_capacity(len);
            picture.write(&mut payload);
            mark.write(&mut payload, len);
            self.queue.push_back(Queued {
                stream,
                timestamp,
                marker: part + 1 == count,
                payload,
            });
        }
    }

    fn emit(
        &mut self,
        now: Instant,
        queued: &Queued,
        endpoint: &mut Endpoint,
        outbox: &mut Outbox,
    ) {
        let Some(path) = endpoint.transport.path() else {
            return;
        };
        let streams = &mut self.streams;
        let stream = streams.get_mut(queued.stream);
        let stream = stream.unwrap_or(&mut self.padding);
        if let Some(packet) = stream.seal(endpoint, queued, self.next_number as u16) {
            if self.sent.len() == SENT {
                self.sent.pop_front();
            }
            let at = since(self.start, now).as_micros() as i64;
            let cluster = self.rate.prober.leaves(now, packet.len());
            self.sent.push_back((at, packet.len(), cluster));
            self.next_number += 1;
            outbox.push((path.remote, packet));
        }
    }

    fn send_report(&mut self, now: Instant, endpoint: &mut Endpoint, outbox: &mut Outbox) {
        let captured = since(self.start, now);
        let ntp = self.clock.at(now);
        let sending = self.streams.iter().filter(|stream| stream.packets > 0);
        let reports = sending.map(|stream| {
            let info = SenderInfo {
                ntp,
                rtp_time: stream.timestamp_at(captured),
                packets: stream.packets,
                octets: stream.octets,
            };
            (stream.ssrc, info)
        });
        endpoint.send_reports(reports, outbox);
    }
}
