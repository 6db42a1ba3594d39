//! H.264 in the packetization modes 0 and 1 (RFC 6184, section 5).

mod sps;

use super::{CodecError, Flags};

/// Types of NAL units (ITU-T H.264, table 7-1) and of packets (RFC 6184, table 3).
mod unit {
    pub(super) const SLICE: u8 = 1;
    pub(super) const PARTITION_A: u8 = 2;
    pub(super) const IDR_SLICE: u8 = 5;
    pub(super) const SEI: u8 = 6;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    pub(super) const DELIMITER: u8 = 9;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

pub(super) fn flags(payload: &[u8], marker: bool) -> Result<Flags, CodecError> {
    let (&indicator, rest) = payload.split_first().ok_or(CodecError::Empty)?;
    let mut flags = Flags {
        end_of_frame: marker,
        end_of_picture: marker,
        // NRI: nothing refers to the unit when it is 0.
        discardable: indicator & 0x60 == 0,
        ..Flags::default()
    };
    match indicator & 0x1F {
        unit::STAP_A => {
            let mut units = rest;
            // Its own NRI should be the highest of its units, but ffmpeg leaves it 0.
            flags.discardable = true;
            while let Some((&length, after)) = units.split_first_chunk() {
                let length = usize::from(u16::from_be_bytes(length));
                let (nal, after) = after
                    .split_at_checked(length)
                    .ok_or(CodecError::Truncated)?;
                let (&header, body) = nal.split_first().ok_or(CodecError::Malformed)?;
                add_unit(&mut flags, header & 0x1F, body);
                flags.discardable &= header & 0x60 == 0;
                units = after;
            }
            if !units.is_empty() || rest.is_empty() {
                return Err(CodecError::Truncated);
            }
        }
        unit::FU_A => {
            let (&header, body) = rest.split_first().ok_or(CodecError::Truncated)?;
            if header & 0x80 != 0 {
                add_unit(&mut flags, header & 0x1F, body);
            }
        }
        kind @ 1..=23 => add_unit(&mut flags, kind, rest),
        // Interleaved mode, which nothing here negotiates, and types that do not exist.
        _ => return Err(CodecError::Malformed),
    }
    flags.tid_upsync = flags.keyframe;
    flags.sid_upsync = flags.keyframe;
    Ok(flags)
}

/// Adds what a unit says that begins in the packet, perhaps to end in another.
fn add_unit(flags: &mut Flags, kind: u8, body: &[u8]) {
    match kind {
        unit::SLICE | unit::PARTITION_A | unit::IDR_SLICE => {
            // first_mb_in_slice is 0, which is one set bit, in the first slice of a picture.
            let first = body.first().is_some_and(|byte| byte & 0x80 != 0);
            flags.start_of_frame |= first;
            flags.keyframe |= first && kind == unit::IDR_SLICE;
        }
        unit::SPS => {
            flags.start_of_frame = true;
            flags.keyframe = true;
            flags.parameters = true;
            flags.size = sps::size(body);
        }
        unit::PPS | unit::SEI | unit::DELIMITER => flags.start_of_frame = true,
        _ => {}
    }
}
