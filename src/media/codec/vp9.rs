//! VP9 (RFC 9628, section 4).

use super::bits::Bits;
use super::{CodecError, Flags, take_byte, take_picture_id, take_tl0_pic_idx, take_u16};

pub(super) fn flags(payload: &[u8], marker: bool) -> Result<Flags, CodecError> {
    let mut rest = payload;
    let first = take_byte(&mut rest)?;
    let [
        has_id,
        inter,
        has_layer,
        flexible,
        begin,
        end,
        has_structure,
        non_reference,
    ] = std::array::from_fn(|bit| first & (0x80 >> bit) != 0);
    let mut flags = Flags {
        start_of_frame: begin,
        end_of_frame: end,
        end_of_picture: marker,
        sid_upsync: !inter,
        sid_non_reference: non_reference,
        ..Flags::default()
    };
    if has_id {
        flags.picture_id = Some(take_picture_id(payload, &mut rest)?);
    }
    if has_layer {
        let layer = take_byte(&mut rest)?;
        flags.tid = layer >> 5;
        flags.tid_upsync = layer & 0x10 != 0;
        flags.sid = (layer >> 1) & 0x07;
        if !flexible {
            flags.tl0_pic_idx = Some(take_tl0_pic_idx(payload, &mut rest)?);
        }
    }
    if flexible && inter {
        skip_references(&mut rest)?;
    }
    let described = if has_structure {
        take_structure(&mut rest)?
    } else {
        None
    };
    // Also where it only says that layers came or went.
    flags.size = described;
    if begin && !inter && flags.sid == 0 {
        match frame_header(rest) {
            Header::Keyframe(size) => {
                flags.keyframe = true;
                flags.size = described.or(size);
            }
            // An encrypted frame: the descriptor has to do.
            Header::Unknown => {
                flags.keyframe = true;
                flags.size = described;
            }
            Header::Other => {}
        }
    }
    flags.tid_upsync |= flags.keyframe;
    Ok(flags)
}

/// The reference indices of flexible mode: three at most, each says whether one follows.
fn skip_references(rest: &mut &[u8]) -> Result<(), CodecError> {
    for _ in 0..3 {
        if take_byte(rest)? & 0x01 == 0 {
            return Ok(());
        }
    }
    Err(CodecError::Malformed)
}

/// The scalability structure (section 4.2.1): the size of its highest spatial layer.
fn take_structure(rest: &mut &[u8]) -> Result<Option<(u16, u16)>, CodecError> {
    let head = take_byte(rest)?;
    let layers = (head >> 5) + 1;
    let mut size = None;
    if head & 0x10 != 0 {
        for _ in 0..layers {
            size = Some((take_u16(rest)?, take_u16(rest)?));
        }
    }
    if head & 0x08 != 0 {
        for _ in 0..take_byte(rest)? {
            let picture = take_byte(rest)?;
            for _ in 0..(picture >> 2) & 0x03 {
                take_byte(rest)?;
            }
        }
    }
    Ok(size)
}

enum Header {
    Keyframe(Option<(u16, u16)>),
    /// A frame that refers to none but is no keyframe, or one that shows an existing frame.
    Other,
    Unknown,
}

/// The uncompressed header of the bitstream (VP9 specification, section 6.2).
fn frame_header(frame: &[u8]) -> Header {
    let mut bits = Bits::new(frame);
    match key_profile(&mut bits) {
        Ok(Some(Some(profile))) => Header::Keyframe(frame_size(&mut bits, profile).ok()),
        Ok(Some(None)) => Header::Other,
        Ok(None) | Err(_) => Header::Unknown,
    }
}

/// `None` when this is no VP9; `Some(None)` when it is no keyframe; else its profile.
fn key_profile(bits: &mut Bits<'_>) -> Result<Option<Option<u32>>, CodecError> {
    if bits.take(2)? != 2 {
        return Ok(None);
    }
    let profile = bits.take(1)? | (bits.take(1)? << 1);
    if profile == 3 && bits.flag()? {
        return Ok(None);
    }
    let shows_existing = bits.flag()?;
    if shows_existing || bits.flag()? {
        return Ok(Some(None));
    }
    Ok(Some(Some(profile)))
}

/// What follows the frame type of a keyframe.
fn frame_size(bits: &mut Bits<'_>, profile: u32) -> Result<(u16, u16), CodecError> {
    const RGB: u32 = 7;
    // show_frame, error_resilient_mode
    bits.take(2)?;
    if bits.take(24)? != 0x49_83_42 {
        return Err(CodecError::Malformed);
    }
    if profile >= 2 {
        bits.flag()?;
    }
    let subsampling = profile == 1 || profile == 3;
    if bits.take(3)? == RGB {
        bits.take(u32::from(subsampling))?;
    } else {
        bits.take(if subsampling { 4 } else { 1 })?;
    }
    let width = bits.take(16)? as u16;
    let height = bits.take(16)? as u16;
    Ok((width.saturating_add(1), height.saturating_add(1)))
}
