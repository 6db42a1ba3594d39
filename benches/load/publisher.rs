//! The sending end of one up stream: paced packets with a stamp in each.

use super::figures::{Figures, Last};
use super::options::Flow;
use super::payload::{self, Picture, Stamp};
use super::socket::{Burst, wall_clock};
use perikon::media::feedback::{Compound, LostSeqnos, NtpClock, SenderInfo};
use perikon::media::{Codec, Kind};
use perikon::transport::description::Extension;
use perikon::transport::srtp::{RTP_OVERHEAD, Sealer};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// Between two keyframes that nobody asked for.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(5);
/// Packets kept for servers that missed one.
const KEPT: usize = 256;
/// A schedule that is further behind than this is taken up anew.
const HOPELESS: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_millis(2);

/// A flow as signalling made it.
#[derive(Debug, Clone)]
pub(crate) struct FlowConfig {
    pub(crate) flow: Flow,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    /// See [`Stamp`].
    pub(crate) source: u32,
    /// Header extensions of every packet: mid and rid, of simulcast.
    pub(crate) extensions: Vec<(Extension, String)>,
}

/// All flows of one peer connection.
pub(crate) struct Publisher {
    lanes: Vec<Lane>,
    /// Of a period, to space the publishers evenly.
    phase: f64,
}

/// One flow, and how far it is.
struct Lane {
    config: FlowConfig,
    /// Everything of the header that stays.
    header: Vec<u8>,
    /// Extended sequence number of the next packet.
    index: u64,
    counter: u64,
    octets: u32,
    next: Option<Instant>,
    timestamp: u32,
    begun: Option<Instant>,
    in_frame: usize,
    picture: u16,
    keyframe: bool,
    last_keyframe: Option<Instant>,
    kept: Vec<Vec<u8>>,
    random: u64,
}

impl Publisher {
    /// `phase` is 0 to 1: when in its period it begins.
    pub(crate) fn new(flows: Vec<FlowConfig>, phase: f64) -> Self {
        Self {
            lanes: flows.into_iter().map(Lane::new).collect(),
            phase,
        }
    }

    /// Media flows from now on.
    pub(crate) fn begin(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            let start = now + lane.config.flow.interval.mul_f64(self.phase);
            lane.next = Some(start);
            lane.begun.get_or_insert(start);
        }
    }

    /// Media stops.
    pub(crate) fn pause(&mut self) {
        for lane in &mut self.lanes {
            lane.next = None;
        }
    }

    /// When the next packets are due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.next).min()
    }

    /// Sends what is due.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        socket: RawFd,
        to: SocketAddr,
        sealer: &Sealer,
        burst: &mut Burst,
        figures: &mut Figures,
    ) {
        for lane in &mut self.lanes {
            while let Some(due) = lane.next.filter(|due| *due <= now) {
                let late = now - due;
                figures.lateness.record(late.as_nanos() as u64);
                figures.late += u64::from(late > LATE);
                for _ in 0..lane.config.flow.burst {
                    lane.write(now, sealer, burst);
                    figures.sent += 1;
                }
                figures.refused += burst.send(socket, to);
                let interval = lane.config.flow.interval;
                let mut next = due + interval;
                if late > HOPELESS {
                    figures.skipped += (late.as_nanos() / interval.as_nanos().max(1)) as u64;
                    next = now + interval;
                }
                lane.next = Some(next);
            }
        }
    }

    /// A keyframe is wanted.
    pub(crate) fn keyframe_requested(&mut self, ssrc: u32) {
        for lane in &mut self.lanes {
            if lane.config.ssrc == ssrc {
                lane.keyframe = true;
            }
        }
    }

    /// Sends again what the server misses.
    pub(crate) fn resend(
        &mut self,
        ssrc: u32,
        lost: LostSeqnos<'_>,
        socket: RawFd,
        to: SocketAddr,
        burst: &mut Burst,
        figures: &mut Figures,
    ) {
        let Some(lane) = self.lanes.iter().find(|lane| lane.config.ssrc == ssrc) else {
            return;
        };
        for seqno in lost {
            let packet = &lane.kept[usize::from(seqno) % KEPT];
            if packet.get(2..4) == Some(&seqno.to_be_bytes()) {
                burst.push(packet.len(), |room| {
                    room.copy_from_slice(packet);
                    Some(packet.len())
                });
                figures.resent += 1;
            }
        }
        figures.refused += burst.send(socket, to);
    }

    /// Writes the sender reports.
    pub(crate) fn report(
        &self,
        now: Instant,
        clock: &NtpClock,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let mut lanes = self.lanes.iter().filter(|lane| lane.counter > 0);
        let first = lanes.next()?;
        let info = first.sender_info(now, clock);
        let ssrc = first.config.ssrc;
        let mut compound = Compound::with_sender_report(buffer, ssrc, &info, &[]).ok()?;
        compound.cname(ssrc, "load").ok()?;
        for lane in lanes {
            let info = lane.sender_info(now, clock);
            let ssrc = lane.config.ssrc;
            compound.sender_report(ssrc, &info, &[]).ok()?;
            compound.cname(ssrc, "load").ok()?;
        }
        Some(compound.len())
    }

    /// The last packets of the flows.
    pub(crate) fn last(&self) -> impl Iterator<Item = Last> {
        self.lanes.iter().filter_map(|lane| {
            Some(Last {
                source: lane.config.source,
                counter: lane.counter.checked_sub(1)?,
            })
        })
    }
}

impl Lane {
    fn new(config: FlowConfig) -> Self {
        let header = header(&config);
        Self {
            header,
            index: u64::from(rand::random::<u16>() >> 1) + 1,
            counter: 0,
            octets: 0,
            next: None,
            timestamp: 0,
            begun: None,
            in_frame: 0,
            picture: 0,
            keyframe: true,
            last_keyframe: None,
            kept: vec![Vec::new(); KEPT],
            random: u64::from(config.ssrc) | 1,
            config,
        }
    }

    fn rtp_time(&self, now: Instant) -> u32 {
        let since = self
            .begun
            .map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        let rate = u64::from(self.config.codec.clock_rate());
        (since.as_micros() as u64 * rate / 1_000_000) as u32
    }

    fn sender_info(&self, now: Instant, clock: &NtpClock) -> SenderInfo {
        SenderInfo {
            ntp: clock.at(now),
            rtp_time: self.rtp_time(now),
            packets: self.counter as u32,
            octets: self.octets,
        }
    }

    /// Writes the next packet.
    fn write(&mut self, now: Instant, sealer: &Sealer, burst: &mut Burst) {
        let video = self.config.codec.kind() == Kind::Video;
        let first = self.in_frame == 0;
        let mut keyframe = false;
        if first {
            self.timestamp = self.rtp_time(now);
            self.picture = self.picture.wrapping_add(1);
            let old = self
                .last_keyframe
                .is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_INTERVAL);
            keyframe = video && (self.keyframe || old);
            if keyframe {
                self.keyframe = false;
                self.last_keyframe = Some(now);
            }
        }
        self.in_frame += 1;
        let last = self.in_frame >= self.config.flow.frame;
        if last {
            self.in_frame = 0;
        }
        let header_len = self.header.len();
        self.header[1] = self.config.payload_type | if last && video { 0x80 } else { 0 };
        self.header[2..4].copy_from_slice(&(self.index as u16).to_be_bytes());
        self.header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        let payload_len = (self.config.flow.size - self.smaller()).saturating_sub(header_len);
        let stamp = Stamp {
            source: self.config.source,
            counter: self.counter,
            sent: wall_clock(),
        };
        let picture = video.then_some(Picture {
            first,
            keyframe,
            id: self.picture,
        });
        let mut payload = [0; 1_500];
        let payload = &mut payload[..payload_len];
        payload::write(payload, &stamp, picture);
        burst.push(header_len + payload_len + RTP_OVERHEAD, |room| {
            room[..header_len].copy_from_slice(&self.header);
            sealer
                .seal_rtp(self.config.ssrc, self.index, header_len, payload, room)
                .ok()
        });
        let kept = &mut self.kept[usize::from(self.index as u16) % KEPT];
        kept.clear();
        kept.extend_from_slice(burst.last());
        self.index += 1;
        self.counter += 1;
        self.octets = self.octets.wrapping_add(payload_len as u32);
    }

    /// By how many bytes the next packet is smaller than the largest (xorshift).
    fn smaller(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random as usize % (self.config.flow.spread + 1)
    }
}

/// The fixed header, and the extensions in the form of one byte (RFC 8285, section 4.2).
fn header(config: &FlowConfig) -> Vec<u8> {
    let mut header = vec![0x80; 12];
    header[8..12].copy_from_slice(&config.ssrc.to_be_bytes());
    if config.extensions.is_empty() {
        return header;
    }
    header[0] |= 0x10;
    header.extend([0xbe, 0xde, 0, 0]);
    for (extension, value) in &config.extensions {
        header.push((extension.own_id() << 4) | (value.len().clamp(1, 16) - 1) as u8);
        header.extend(value.bytes().take(16));
    }
    header.resize(header.len().next_multiple_of(4), 0);
    header[15] = ((header.len() - 16) / 4) as u8;
    header
}
