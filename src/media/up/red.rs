//! Sound that a publisher sends more than once (RFC 2198): what it says of packets that never
//! came fills their places, so that all receivers profit, whatever they understand.

use super::{MAX_PENDING, Received, Refusal, SLOT, UpTrack, Way};
use crate::media::packet::{self, Header, PADDED};
use crate::media::red::{Blocks, MAX_LEN};
use std::time::Instant;

/// How far back in numbers the neighbours of a missing packet are looked for.
const REACH: u64 = 32;
/// Room for the header of a packet that never came.
const BARE_HEADER: usize = 32;

impl UpTrack {
    /// Whether packets of this payload type are the track's.
    pub fn takes(&self, payload_type: u8) -> bool {
        self.config.payload_type == payload_type || self.config.red == Some(payload_type)
    }

    /// The blocks of an authentic payload, if it is redundant.
    pub(super) fn blocks(
        &self,
        header: &Header,
        payload: &[u8],
    ) -> Result<Option<Blocks>, Refusal> {
        if self.config.red != Some(header.payload_type) {
            return Ok(None);
        }
        let payload = packet::without_padding(header, payload);
        Blocks::parse(payload, self.config.payload_type)
            .map(Some)
            .map_err(|_| Refusal::Malformed)
    }

    /// Keeps a packet, whose new header is `header_len` bytes of `scratch[..len]`, and before it
    /// those of the earlier ones in it that are missing.
    #[allow(clippy::too_many_arguments, reason = "all that is known of a packet")]
    pub(super) fn keep_unwrapped(
        &mut self,
        now: Instant,
        header: &Header,
        seqno: u64,
        timestamp: u32,
        header_len: usize,
        (blocks, len): (&Blocks, usize),
        scratch: &mut [u8; SLOT],
    ) -> Result<Received, Refusal> {
        if !self.cache.is_overtaken(seqno) {
            let payload = &scratch[header_len..len];
            for earlier in blocks.earlier() {
                if let Some(block) = payload.get(earlier.range()) {
                    self.fill(now, seqno, timestamp, earlier.offset, block);
                }
            }
        }
        let end = header_len + packet::without_padding(header, &scratch[header_len..len]).len();
        let begin = header_len + blocks.primary();
        scratch.copy_within(begin..end, header_len);
        let len = header_len + end.saturating_sub(begin);
        let mut header = *header;
        header.padding = false;
        header.payload_type = self.config.payload_type;
        scratch[0] &= !PADDED;
        scratch[1] = (scratch[1] & 0x80) | header.payload_type;
        let bytes = &scratch[..len];
        let way = Way::Direct;
        self.keep(now, &header, seqno, timestamp, header_len, bytes, way)
    }

    /// Keeps a packet that another one brought, if it is missing.
    fn fill(&mut self, now: Instant, by: u64, timestamp: u32, offset: u32, payload: &[u8]) {
        let Some(seqno) = self.missing_before(by, timestamp, offset) else {
            return;
        };
        let extended = seqno.wrapping_sub(self.seqno_shift);
        // The packet itself must find room.
        let is_full = self.pending.len() + 1 >= MAX_PENDING;
        if is_full || !self.sequence.is_new(extended) || self.cache.is_overtaken(seqno) {
            return;
        }
        let mut bytes = [0; BARE_HEADER + MAX_LEN];
        let Some(header_len) = packet::write_bare(&mut bytes) else {
            return;
        };
        let end = header_len + payload.len();
        let (Some(ssrc), Some(room)) = (self.ssrc, bytes.get_mut(header_len..end)) else {
            return;
        };
        room.copy_from_slice(payload);
        let timestamp = timestamp.wrapping_sub(offset);
        if let Some(fixed) = bytes.first_chunk_mut() {
            let payload_type = self.config.payload_type;
            fixed[0] &= !PADDED;
            packet::patch(fixed, payload_type, extended as u16, timestamp, ssrc);
        }
        let Ok(header) = Header::parse(&bytes[..end]) else {
            return;
        };
        // From now on the packet itself is a replay: its number stands for this one.
        self.sequence.accept(extended);
        self.figures.restored += 1;
        let way = Way::Redundant;
        let bytes = &bytes[..end];
        // It was looked whether there is room.
        let _ = self.keep(now, &header, seqno, timestamp, header_len, bytes, way);
    }

    /// The number of the packet that is so much older than another, as receivers see both. `None`
    /// if it is here, or cannot be told: only timestamps say which it is, and they grow by the same
    /// for each packet unless there is silence between them.
    fn missing_before(&self, seqno: u64, timestamp: u32, offset: u32) -> Option<u64> {
        let wanted = timestamp.wrapping_sub(offset);
        // Number and distance in time of the nearest packet behind it that is here.
        let mut next = (seqno, offset);
        let first = self.floor.max(seqno.saturating_sub(REACH));
        for before in (first..seqno).rev() {
            let Some((meta, _)) = self.cache.get(before) else {
                continue;
            };
            let after = meta.timestamp.wrapping_sub(wanted).cast_signed();
            if after >= 0 {
                next = (before, after.cast_unsigned());
                continue;
            }
            let elapsed = after.unsigned_abs();
            let ticks = elapsed.checked_add(next.1)?;
            let steps = u32::try_from(next.0 - before).ok()?;
            return match (next.1, steps) {
                // It is here, or has no number between these two.
                (0, _) | (_, 0 | 1) => None,
                (_, 2) => Some(before + 1),
                _ => {
                    let step = ticks / steps;
                    let is_even = ticks % steps == 0 && elapsed.checked_rem(step) == Some(0);
                    is_even.then(|| before + u64::from(elapsed / step))
                }
            };
        }
        None
    }
}
