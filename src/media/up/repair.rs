//! What a publisher sends again by RTX (RFC 4588).

use super::{Received, Refusal, SLOT, UpTrack, Way};
use crate::media::packet::{self, Header, PADDED};
use crate::media::rtx::ORIGINAL;
use crate::transport::srtp::{Opener, Sequence, SrtpError};
use std::time::Instant;

/// The stream of repairs, once it has begun.
#[derive(Default)]
pub(super) struct Repairer {
    ssrc: Option<u32>,
    sequence: Sequence,
}

impl UpTrack {
    /// Who sends its repairs, once known.
    pub fn repair_ssrc(&self) -> Option<u32> {
        let offered = self.config.rtx.and_then(|rtx| rtx.ssrc);
        self.repairer.ssrc.or(offered)
    }

    /// Opens a packet of the stream of repairs and keeps what it carries, if that is missing:
    /// `None` if it is not, or if it carries nothing, as packets do that only measure the path.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn receive_repair(
        &mut self,
        now: Instant,
        header: &Header,
        datagram: &[u8],
        opener: &Opener,
        scratch: &mut [u8; SLOT],
    ) -> Result<Option<Received>, Refusal> {
        let fresh = Sequence::default();
        let known = self.repairer.ssrc == Some(header.ssrc);
        let sequence = if known {
            &self.repairer.sequence
        } else {
            &fresh
        };
        let extended = sequence.extend(header.seqno);
        if !sequence.is_new(extended) {
            return Err(Refusal::Srtp(SrtpError::Replayed));
        }
        let (header_len, payload) = self.open(header, extended, datagram, opener, scratch)?;

        // From here on the packet is authentic.
        if !known {
            self.repairer = Repairer {
                ssrc: Some(header.ssrc),
                sequence: fresh,
            };
        }
        self.repairer.sequence.accept(extended);
        let carried = packet::without_padding(header, payload).len();
        let (Some(original), Some(ssrc)) = (payload.first_chunk::<ORIGINAL>(), self.ssrc) else {
            return Ok(None);
        };
        let original = u16::from_be_bytes(*original);
        let extended = self.sequence.extend(original);
        if carried <= ORIGINAL || !self.sequence.is_new(extended) {
            return Ok(None);
        }
        if self.sequence.is_far_ahead(extended) {
            // Of an SSRC that is gone: nobody repairs what is yet to come.
            return Err(Refusal::Stale);
        }
        payload.copy_within(ORIGINAL..carried, 0);
        self.sequence.accept(extended);
        let seqno = extended.wrapping_add(self.seqno_shift);
        if seqno < self.floor {
            return Err(Refusal::Stale);
        }
        let mut header = *header;
        header.padding = false;
        header.payload_type = self.config.payload_type;
        header.seqno = original;
        header.ssrc = ssrc;
        let timestamp = header.timestamp.wrapping_add(self.timestamp_shift);
        if let Some(fixed) = scratch.first_chunk_mut() {
            packet::patch(fixed, header.payload_type, original, timestamp, ssrc);
            fixed[0] &= !PADDED;
        }
        let bytes = &scratch[..header_len + carried - ORIGINAL];
        let way = Way::Repair;
        let received = self.keep(now, &header, seqno, timestamp, header_len, bytes, way)?;
        Ok(Some(received))
    }
}
