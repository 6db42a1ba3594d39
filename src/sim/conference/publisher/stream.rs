//! The streams of a publishing browser: one for each SSRC.

use crate::media::{Codec, Kind};
use crate::sim::client::Endpoint;
use crate::transport::description::{Extension, ExtensionIds};
use crate::transport::srtp::RTP_OVERHEAD;
use std::collections::VecDeque;
use std::time::Duration;

/// Packets that can be sent again.
const HISTORY: usize = 1_024;
/// Bytes of a header as [`Stream::packet`] writes it.
pub(super) const HEADER: usize = 12 + 4 + 8;
const MID_ID: u8 = 4;
const TRANSPORT_CC_ID: u8 = 5;
const RID_ID: u8 = 10;
const AUDIO_LEVEL_ID: u8 = 11;
pub(super) const RTX_TYPE: u8 = 121;

/// One SSRC.
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) mid: u8,
    pub(super) rid: &'static str,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) seqno: u64,
    pub(super) index: u32,
    pub(super) timestamp: u32,
    pub(super) history: VecDeque<Vec<u8>>,
    pub(super) packets: u32,
    pub(super) octets: u32,
}

/// A packet on its way through the pacer.
pub(super) struct Queued {
    pub(super) stream: usize,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
}

impl Stream {
    pub(super) fn timestamp_at(&self, captured: Duration) -> u32 {
        let rate = u128::from(codec(self.kind).clock_rate());
        let ticks = captured.as_nanos() * rate / 1_000_000_000;
        self.timestamp.wrapping_add(ticks as u32)
    }

    pub(super) fn seal(
        &mut self,
        endpoint: &mut Endpoint,
        queued: &Queued,
        number: u16,
    ) -> Option<Vec<u8>> {
        let len = HEADER + queued.payload.len() + RTP_OVERHEAD;
        let mut packet = Vec::with_capacity(len);
        let marker = u8::from(queued.marker) << 7;
        let padded = u8::from(self.payload_type == RTX_TYPE) << 5;
        packet.extend_from_slice(&[0x90 | padded, marker | self.payload_type]);
        packet.extend_from_slice(&(self.seqno as u16).to_be_bytes());
        packet.extend_from_slice(&queued.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(&[0xbe, 0xde, 0, 2, MID_ID << 4, self.mid]);
        match (self.kind, self.rid.as_bytes().first()) {
            (Kind::Audio, _) => packet.extend_from_slice(&[AUDIO_LEVEL_ID << 4, 40]),
            (Kind::Video, Some(rid)) => packet.extend_from_slice(&[RID_ID << 4, *rid]),
            (Kind::Video, None) => packet.extend_from_slice(&[0, 0]),
        }
        let [high, low] = number.to_be_bytes();
        packet.extend_from_slice(&[TRANSPORT_CC_ID << 4 | 1, high, low, 0]);
        packet.resize(len, 0);
        let len = endpoint
            .transport
            .sealer()?
            .seal_rtp(self.ssrc, self.seqno, HEADER, &queued.payload, &mut packet)
            .ok()?;
        packet.truncate(len);
        self.seqno += 1;
        self.index += 1;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(queued.payload.len() as u32);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(packet.clone());
        Some(packet)
    }

    pub(super) fn sent(&self, seqno: u16) -> Option<Vec<u8>> {
        let back = usize::from((self.seqno as u16).wrapping_sub(seqno));
        let at = self.history.len().checked_sub(back)?;
        self.history.get(at).cloned()
    }
}

pub(super) fn codec(kind: Kind) -> Codec {
    match kind {
        Kind::Audio => Codec::Opus,
        Kind::Video => Codec::Vp8,
    }
}

pub(super) fn extension_ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    ids[Extension::AudioLevel as usize] = AUDIO_LEVEL_ID;
    ids[Extension::Mid as usize] = MID_ID;
    ids[Extension::Rid as usize] = RID_ID;
    ids[Extension::TransportCc as usize] = TRANSPORT_CC_ID;
    ids
}
