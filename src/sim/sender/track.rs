//! One track of a simulated publisher: how its packets are written, protected and kept.

use super::config::VideoConfig;
use crate::media::packet::{Header, patch};
use crate::media::{Codec, Kind};
use crate::sim::client::Endpoint;
use crate::sim::layers::{Source, Written};
use crate::sim::payload::{self, Mark};
use crate::sim::random::Random;
use crate::transport::description::{Extension, ExtensionIds, Rtx};
use crate::transport::srtp::RTP_OVERHEAD;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that can be sent again.
const HISTORY: usize = 1_024;
/// Keyframes asked for sooner after the last are not made.
const MIN_KEYFRAME_INTERVAL: Duration = Duration::from_millis(200);
/// The id that publishers give to the audio level; not the server's own.
const AUDIO_LEVEL_ID: u8 = 11;
/// The id that publishers give to the mid; not the server's own.
const MID_ID: u8 = 4;
/// The id that publishers give to transport-wide numbers; not the server's own.
const TRANSPORT_CC_ID: u8 = 5;
/// The id that publishers give to the rid; not the server's own.
const RID_ID: u8 = 10;
/// The id that publishers give to the dependency descriptor; not the server's own.
const DESCRIPTOR_ID: u8 = 12;
/// Of packets without such a number: the fixed part, and one word of extensions with its head.
const HEADER: usize = 20;

/// One track of a publisher.
pub(super) struct Track {
    pub(super) mid: u8,
    pub(super) kind: Kind,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    /// Of the next packet, extended; the roll-over counter begins at 0.
    pub(super) seqno: u64,
    pub(super) index: u64,
    pub(super) frame: u64,
    pub(super) timestamp: u32,
    pub(super) next: Instant,
    pub(super) last_keyframe: Option<Instant>,
    pub(super) keyframe_wanted: bool,
    pub(super) keyframes: u64,
    /// Packets as they were sent and before they were protected, the last with the number before
    /// `seqno`.
    pub(super) history: VecDeque<(Vec<u8>, Vec<u8>)>,
    pub(super) rtx: Option<Rtx>,
    pub(super) rtx_seqno: u64,
    pub(super) packets: u32,
    pub(super) octets: u32,
    /// Its rid, if packets say it.
    pub(super) rid: Option<u8>,
    /// Makes its pictures, if they have layers.
    pub(super) source: Option<Box<Source>>,
}

impl Track {
    pub(super) fn timestamp_at(&self, captured: Duration) -> u32 {
        let rate = match self.kind {
            Kind::Audio => Codec::Opus.clock_rate(),
            Kind::Video => Codec::Vp8.clock_rate(),
        };
        let ticks = captured.as_nanos() * u128::from(rate) / 1_000_000_000;
        self.timestamp.wrapping_add(ticks as u32)
    }

    /// The packets of the next picture, which has layers.
    pub(super) fn picture(
        &mut self,
        now: Instant,
        captured: Duration,
        random: &mut Random,
    ) -> Vec<Written> {
        let keyframe = self.begins_keyframe(now, &VideoConfig::default());
        let source = self.source.as_mut();
        source.map_or(Vec::new(), |source| {
            source.picture(captured, keyframe, random)
        })
    }

    /// Header and payload of a packet of a picture with layers, unprotected.
    pub(super) fn layered(
        &self,
        written: &Written,
        timestamp: u32,
        number: Option<u16>,
    ) -> Vec<u8> {
        let marker = u8::from(written.marker) << 7;
        let mut packet = vec![0x90, marker | self.payload_type];
        packet.extend_from_slice(&(self.seqno as u16).to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        // RFC 8285, two bytes a header: descriptors may be longer than the other form allows.
        let number = number.map(u16::to_be_bytes);
        let elements = [
            (MID_ID, Some(&[self.mid][..])),
            (RID_ID, self.rid.as_ref().map(std::slice::from_ref)),
            (TRANSPORT_CC_ID, number.as_ref().map(|number| &number[..])),
            (DESCRIPTOR_ID, Some(written.descriptor.as_slice())),
        ];
        let mut extensions = Vec::new();
        for (id, value) in elements {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                extensions.extend_from_slice(&[id, value.len() as u8]);
                extensions.extend_from_slice(value);
            }
        }
        extensions.resize(extensions.len().next_multiple_of(4), 0);
        packet.extend_from_slice(&[0x10, 0, 0, (extensions.len() / 4) as u8]);
        packet.extend_from_slice(&extensions);
        packet.extend_from_slice(&written.payload);
        packet
    }

    pub(super) fn begins_keyframe(&mut self, now: Instant, video: &VideoConfig) -> bool {
        let age = self
            .last_keyframe
            .map(|last| now.saturating_duration_since(last));
        let due = match age {
            None => true,
            Some(age) => {
                (self.keyframe_wanted && age >= MIN_KEYFRAME_INTERVAL)
                    || video
                        .keyframe_interval
                        .is_some_and(|interval| age >= interval)
            }
        };
        if due {
            self.last_keyframe = Some(now);
            self.keyframe_wanted = false;
            self.keyframes += 1;
        }
        due
    }

    /// Header and payload, unprotected.
    pub(super) fn packet(
        &self,
        mark: &Mark,
        len: usize,
        last: bool,
        timestamp: u32,
        number: Option<u16>,
    ) -> Vec<u8> {
        let mut packet = Vec::with_capacity(24 + len + RTP_OVERHEAD);
        let marker = u8::from(last && self.kind == Kind::Video) << 7;
        packet.extend_from_slice(&[0x90, marker | self.payload_type]);
        packet.extend_from_slice(&(self.seqno as u16).to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        // RFC 8285, one byte a header: the mid, and a level that its receivers know to expect.
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1 + u8::from(number.is_some())]);
        packet.extend_from_slice(&[MID_ID << 4, self.mid, AUDIO_LEVEL_ID << 4, level(mark)]);
        if let Some([high, low]) = number.map(u16::to_be_bytes) {
            packet.extend_from_slice(&[(TRANSPORT_CC_ID << 4) | 1, high, low, 0]);
        }
        payload::write(mark, len, &mut packet);
        packet
    }

    /// Protects a packet, and keeps it.
    pub(super) fn seal(&mut self, endpoint: &mut Endpoint, packet: &[u8]) -> Option<Vec<u8>> {
        let (header, payload) = packet.split_at_checked(header_len(packet))?;
        let mut sealed = Vec::with_capacity(packet.len() + RTP_OVERHEAD);
        sealed.extend_from_slice(header);
        sealed.resize(packet.len() + RTP_OVERHEAD, 0);
        let len = endpoint
            .transport
            .sealer()?
            .seal_rtp(self.ssrc, self.seqno, header.len(), payload, &mut sealed)
            .ok()?;
        sealed.truncate(len);
        self.seqno += 1;
        self.index += 1;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((sealed.clone(), packet.to_vec()));
        Some(sealed)
    }

    pub(super) fn sent(&self, seqno: u16) -> Option<&(Vec<u8>, Vec<u8>)> {
        let back = usize::from((self.seqno as u16).wrapping_sub(seqno));
        let at = self.history.len().checked_sub(back)?;
        self.history.get(at)
    }

    /// A packet that was sent, to be sent again.
    pub(super) fn again(&mut self, endpoint: &mut Endpoint, seqno: u16) -> Option<Vec<u8>> {
        let (sealed, plain) = self.sent(seqno)?;
        let Some(rtx) = self.rtx else {
            return Some(sealed.clone());
        };
        let (header, payload) = plain.split_at_checked(header_len(plain))?;
        let mut packet = header.to_vec();
        let timestamp = u32::from_be_bytes(*plain.get(4..)?.first_chunk()?);
        let number = self.rtx_seqno;
        patch(
            packet.first_chunk_mut()?,
            rtx.payload_type,
            number as u16,
            timestamp,
            rtx.ssrc,
        );
        let repaired = [&seqno.to_be_bytes(), payload].concat();
        packet.resize(header.len() + repaired.len() + RTP_OVERHEAD, 0);
        let sealer = endpoint.transport.sealer()?;
        let len = sealer
            .seal_rtp(rtx.ssrc, number, header.len(), &repaired, &mut packet)
            .ok()?;
        packet.truncate(len);
        self.rtx_seqno += 1;
        Some(packet)
    }
}

fn header_len(packet: &[u8]) -> usize {
    Header::parse(packet).map_or(HEADER, |header| header.len)
}

pub(super) fn extension_ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    ids[Extension::AudioLevel as usize] = AUDIO_LEVEL_ID;
    ids[Extension::Mid as usize] = MID_ID;
    ids[Extension::TransportCc as usize] = TRANSPORT_CC_ID;
    ids[Extension::Rid as usize] = RID_ID;
    ids[Extension::DependencyDescriptor as usize] = DESCRIPTOR_ID;
    ids
}

/// The audio level that a packet is sent with.
pub(in crate::sim) fn level(mark: &Mark) -> u8 {
    (mark.index % 127) as u8
}
