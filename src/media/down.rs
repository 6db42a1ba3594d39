//! A track that one receiver is sent: what of the publisher's packets, and under which numbers.

use super::feedback::{NtpTime, ReceptionReport, SenderInfo};
use super::packet;
use super::rtx::{Refusal, RepairLabel, Repairs};
use super::seqmap::{Origin, SeqMap};
use super::{Codec, Kind};
use crate::media::cache::Meta;
use crate::shard::DownTrackConfig;
use std::time::{Duration, Instant};

/// One forwarded track.
pub struct DownTrack {
    config: DownTrackConfig,
    codec: Codec,
    /// The track of the publisher that is sent on, if the section is active.
    source: Option<u16>,
    map: SeqMap,
    repairs: Repairs,
    /// Video waits for a keyframe before it begins.
    waiting: bool,
    timestamp_offset: u32,
    last_timestamp: Option<(u32, Instant)>,
    last_report: Option<(u64, Instant)>,
    figures: DownFigures,
    /// Of `figures`, what was counted under other codecs.
    before: DownFigures,
}

/// What is a receiver's own in the header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The sequence number in full.
    pub number: u64,
    /// The timestamp.
    pub timestamp: u32,
    /// The payload type.
    pub payload_type: u8,
}

/// What was counted since the track began.
#[derive(Debug, Clone, Copy, Default)]
pub struct DownFigures {
    /// Packets sent, repairs left out.
    pub packets: u64,
    /// Their bytes, RTP headers included.
    pub bytes: u64,
    /// Payload bytes, as sender reports count them.
    pub payload_bytes: u64,
    /// bit/s over the last report interval.
    pub bitrate: u64,
    /// Packets that the receiver asked for again.
    pub nacks: u64,
    /// Packets sent again.
    pub repaired: u64,
    /// Keyframes that began.
    pub keyframes: u64,
    /// PLI and FIR received.
    pub keyframe_requests: u64,
    /// The receiver's last report: packets lost since the start,
    pub lost: u64,
    /// … the share lost in its last interval, 0 to 1,
    pub loss: f64,
    /// … and its jitter.
    pub jitter: Duration,
}

impl DownTrack {
    /// A track of which nothing was sent yet. The numbers of its packets begin at one that the
    /// SSRC, which is random, decides.
    pub fn new(config: DownTrackConfig, codec: Codec) -> Self {
        let source = config.up_track.map(|index| index as u16);
        Self {
            map: SeqMap::new(config.ssrc as u16),
            repairs: Repairs::new(config.rtx),
            codec,
            source,
            waiting: true,
            timestamp_offset: 0,
            last_timestamp: None,
            last_report: None,
            figures: DownFigures::default(),
            before: DownFigures::default(),
            config,
        }
    }

    /// What was agreed on.
    pub fn config(&self) -> &DownTrackConfig {
        &self.config
    }

    /// Which track of the publisher it sends on.
    pub fn source(&self) -> Option<u16> {
        self.source
    }

    /// Sends another track of the publisher from now on, or none. The receiver's numbers go on:
    /// under one SSRC and key, no number may ever stand for two packets, which differ if only
    /// their payload type does.
    pub fn select(&mut self, source: Option<u16>, codec: Codec, payload_type: u8) {
        if source != self.source || codec != self.codec || payload_type != self.config.payload_type
        {
            if codec != self.codec {
                self.before = self.figures;
            }
            self.config.payload_type = payload_type;
            self.source = source;
            self.codec = codec;
            self.waiting = true;
        }
        self.config.up_track = source.map(usize::from);
    }

    /// Which codec it carries.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Nothing of the current source was sent yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting && self.source.is_some()
    }

    /// The receiver can begin at any packet of this track.
    fn begins_anywhere(&self) -> bool {
        self.codec.kind() == Kind::Audio
    }

    /// How a packet of the source is labelled. `None` if this receiver does not get it.
    #[inline]
    pub fn forward(&mut self, now: Instant, meta: &Meta) -> Option<Label> {
        let source = self.source?;
        if self.waiting {
            if !meta.keyframe && !self.begins_anywhere() {
                return None;
            }
            self.begin(now, source, meta);
        }
        let (number, offset) = self.map.map(source, meta.seqno)?;
        if !self.map.is_latest(number) {
            self.repairs.sent_late(now, number);
        }
        let timestamp = meta.timestamp.wrapping_add(offset);
        self.last_timestamp = Some((timestamp, now));
        Some(Label {
            number,
            timestamp,
            payload_type: self.config.payload_type,
        })
    }

    fn begin(&mut self, now: Instant, source: u16, meta: &Meta) {
        self.waiting = false;
        if let Some((last, at)) = self.last_timestamp {
            // The clocks of two sources have nothing to do with each other.
            let elapsed = now.saturating_duration_since(at).as_micros() as u64;
            let ticks = elapsed * u64::from(self.codec.clock_rate()) / 1_000_000;
            let next = last.wrapping_add((ticks as u32).max(1));
            self.timestamp_offset = next.wrapping_sub(meta.timestamp);
        }
        self.map.begin(Origin {
            source,
            up: meta.seqno,
            timestamp_offset: self.timestamp_offset,
            payload_type: self.config.payload_type,
        });
    }

    /// Counts a packet that was sent.
    #[inline]
    pub fn sent(&mut self, meta: &Meta) {
        self.figures.packets += 1;
        self.figures.bytes += u64::from(meta.len);
        let payload = meta.len - meta.header_len - u16::from(meta.padding);
        self.figures.payload_bytes += u64::from(payload);
        self.figures.keyframes += u64::from(meta.keyframe);
    }

    /// Gives a header what belongs to this receiver.
    #[inline]
    pub fn patch(&self, header: &mut [u8; packet::FIXED_HEADER], label: &Label) {
        packet::patch(
            header,
            label.payload_type,
            label.number as u16,
            label.timestamp,
            self.config.ssrc,
        );
    }

    /// The receiver lacks a packet: its number in full.
    pub fn nacked(&mut self, seqno: u16) -> u64 {
        self.figures.nacks += 1;
        self.map.extend(seqno)
    }

    /// The packet that a number stood for. Sent again, it must be the same to the last byte.
    pub fn origin(&self, seqno: u64) -> Option<Origin> {
        self.map.unmap(seqno)
    }

    /// Takes what was agreed on of repairs.
    pub fn agree(&mut self, config: &DownTrackConfig) {
        self.config.rtx = config.rtx;
        self.repairs.agree(config.rtx);
    }

    /// Whether a packet that was asked for may be sent again now, and by which label if repairs
    /// have a stream of their own.
    ///
    /// # Errors
    /// Why it may not.
    pub fn repair(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        label: &Label,
        meta: &Meta,
    ) -> Result<Option<RepairLabel>, Refusal> {
        if self.config.rtx.is_some() && label.payload_type != self.config.payload_type {
            return Err(Refusal::Foreign);
        }
        let sent = self.figures.bytes;
        self.repairs
            .permit(now, rtt, label.number, meta.len, sent)?;
        Ok(self.repairs.label())
    }

    /// Counts a packet that was sent again.
    pub fn repaired(&mut self) {
        self.figures.repaired += 1;
    }

    /// The receiver asked for a keyframe.
    pub fn keyframe_requested(&mut self) {
        self.figures.keyframe_requests += 1;
    }

    /// The receiver reported.
    pub fn reported(&mut self, report: &ReceptionReport) {
        self.figures.lost = u64::try_from(report.cumulative_lost).unwrap_or(0);
        self.figures.loss = f64::from(report.fraction_lost) / 256.0;
        self.figures.jitter = Duration::from_micros(
            u64::from(report.jitter) * 1_000_000 / u64::from(self.codec.clock_rate()),
        );
    }

    /// Measures the bit rate since the last call. False if nothing was sent since then.
    pub fn measure(&mut self, now: Instant) -> bool {
        let mut is_active = true;
        if let Some((bytes, at)) = self.last_report {
            let elapsed = now.saturating_duration_since(at).as_micros() as u64;
            let sent = self.figures.bytes - bytes;
            is_active = sent > 0;
            self.figures.bitrate = (sent * 8_000_000).checked_div(elapsed).unwrap_or(0);
        }
        self.last_report = Some((self.figures.bytes, now));
        is_active
    }

    /// What a sender report says, given the publisher's timestamp at that moment.
    pub fn sender_info(&self, ntp: NtpTime, timestamp: u32) -> SenderInfo {
        SenderInfo {
            ntp,
            rtp_time: timestamp.wrapping_add(self.timestamp_offset),
            packets: self.figures.packets as u32,
            octets: self.figures.payload_bytes as u32,
        }
    }

    /// What was counted.
    pub fn figures(&self) -> &DownFigures {
        &self.figures
    }

    /// What was counted since it carries its codec.
    pub fn figures_of_codec(&self) -> DownFigures {
        let (now, before) = (&self.figures, &self.before);
        DownFigures {
            packets: now.packets - before.packets,
            bytes: now.bytes - before.bytes,
            payload_bytes: now.payload_bytes - before.payload_bytes,
            nacks: now.nacks - before.nacks,
            repaired: now.repaired - before.repaired,
            keyframes: now.keyframes - before.keyframes,
            keyframe_requests: now.keyframe_requests - before.keyframe_requests,
            // The receiver's own word, which may become less.
            lost: now.lost.saturating_sub(before.lost),
            ..*now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seqno: u64, keyframe: bool) -> Meta {
        Meta {
            seqno,
            timestamp: seqno as u32 * 3_000,
            keyframe,
            ..Meta::default()
        }
    }

    #[test]
    fn under_another_codec_old_packets_keep_their_label() {
        let now = Instant::now();
        let config = DownTrackConfig {
            mid: "0".to_owned(),
            up_track: Some(0),
            publisher: 0,
            ssrc: 1_000,
            payload_type: 96,
            rtx: None,
        };
        let mut track = DownTrack::new(config, Codec::Vp8);
        assert_eq!(track.forward(now, &packet(70, false)), None);
        let first = track.forward(now, &packet(71, true)).unwrap();
        assert_eq!((first.number, first.payload_type), (1_000, 96));
        track.select(Some(0), Codec::Vp9, 98);
        assert_eq!(track.forward(now, &packet(72, false)), None);
        let next = track.forward(now, &packet(80, true)).unwrap();
        assert_eq!((next.number, next.payload_type), (1_001, 98));
        let old = track.origin(first.number).unwrap();
        assert_eq!((old.up, old.payload_type), (71, 96));
        assert_eq!(track.origin(next.number).unwrap().payload_type, 98);
    }

    #[test]
    fn what_was_counted_under_one_codec_is_not_counted_under_the_next() {
        let config = DownTrackConfig {
            mid: "0".to_owned(),
            up_track: Some(0),
            publisher: 0,
            ssrc: 1_000,
            payload_type: 96,
            rtx: None,
        };
        let mut track = DownTrack::new(config, Codec::Vp8);
        let meta = Meta {
            len: 100,
            header_len: 12,
            ..packet(1, true)
        };
        let counted = |track: &DownTrack| {
            let figures = track.figures_of_codec();
            (figures.packets, figures.bytes, figures.nacks)
        };
        track.sent(&meta);
        track.nacked(1_000);
        track.select(None, Codec::Vp8, 96);
        track.select(Some(0), Codec::Vp8, 96);
        track.sent(&meta);
        assert_eq!(counted(&track), (2, 200, 1));
        track.select(Some(0), Codec::Vp9, 98);
        assert_eq!(counted(&track), (0, 0, 0));
        track.sent(&meta);
        assert_eq!(counted(&track), (1, 100, 0));
        assert_eq!(track.figures().packets, 3, "sender reports go on");
    }
}
