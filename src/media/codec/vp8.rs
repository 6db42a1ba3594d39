//! VP8 (RFC 7741, section 4).

use super::{CodecError, Flags, take_byte, take_picture_id, take_tl0_pic_idx};

pub(super) fn flags(payload: &[u8], marker: bool) -> Result<Flags, CodecError> {
    let mut rest = payload;
    let required = take_byte(&mut rest)?;
    // Of the first partition, of which all else depends.
    let start = required & 0x10 != 0 && required & 0x07 == 0;
    let mut flags = Flags {
        start_of_frame: start,
        end_of_frame: marker,
        end_of_picture: marker,
        discardable: required & 0x20 != 0,
        ..Flags::default()
    };
    if required & 0x80 != 0 {
        let present = take_byte(&mut rest)?;
        if present & 0x80 != 0 {
            flags.picture_id = Some(take_picture_id(payload, &mut rest)?);
        }
        if present & 0x40 != 0 {
            flags.tl0_pic_idx = Some(take_tl0_pic_idx(payload, &mut rest)?);
        }
        // T or K: one byte has both the layer and the key index.
        if present & 0x30 != 0 {
            let layer = take_byte(&mut rest)?;
            if present & 0x20 != 0 {
                flags.tid = layer >> 6;
                flags.tid_upsync = layer & 0x20 != 0;
            }
        }
    }
    if start {
        // P of the payload header: 0 on a keyframe (RFC 6386, section 9.1).
        let first = *rest.first().ok_or(CodecError::Truncated)?;
        flags.keyframe = first & 0x01 == 0;
    }
    if flags.keyframe {
        flags.tid_upsync = true;
        flags.sid_upsync = true;
        flags.size = size(rest);
    }
    Ok(flags)
}

/// Of a keyframe, behind its frame tag and start code.
fn size(frame: &[u8]) -> Option<(u16, u16)> {
    let &[0x9D, 0x01, 0x2A, a, b, c, d] = frame.get(3..10)? else {
        return None;
    };
    // The upper two bits of each are a scale.
    Some((
        u16::from_le_bytes([a, b]) & 0x3FFF,
        u16::from_le_bytes([c, d]) & 0x3FFF,
    ))
}
