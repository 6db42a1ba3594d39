//! AV1 (RTP Payload Format For AV1, section 4).

use super::dependency::Mandatory;
use super::{CodecError, Flags, take_byte};

const SEQUENCE_HEADER: u8 = 1;

pub(super) fn flags(
    payload: &[u8],
    marker: bool,
    dependency_descriptor: Option<&[u8]>,
) -> Result<Flags, CodecError> {
    let mut rest = payload;
    let aggregation = take_byte(&mut rest)?;
    let continues = aggregation & 0x80 != 0;
    let unfinished = aggregation & 0x40 != 0;
    let elements = (aggregation >> 4) & 0x03;
    let new_sequence = aggregation & 0x08 != 0;
    if continues && new_sequence {
        return Err(CodecError::Malformed);
    }
    let mut flags = Flags {
        start_of_frame: !continues,
        end_of_frame: marker,
        end_of_picture: marker,
        ..Flags::default()
    };
    // Only with one element has the first no length.
    let first = if elements == 1 {
        rest
    } else {
        take_element(&mut rest)?
    };
    if !continues {
        let (header, layer) = match *first {
            [header, layer, ..] => (header, layer),
            // Without the extension an OBU may be one byte.
            [header] if header & 0x04 == 0 => (header, 0),
            _ => return Err(CodecError::Truncated),
        };
        if header & 0x80 != 0 {
            return Err(CodecError::Malformed);
        }
        // Some senders leave out N.
        flags.keyframe = new_sequence || (header >> 3) & 0x0F == SEQUENCE_HEADER;
        if header & 0x04 != 0 {
            flags.tid = layer >> 5;
            flags.sid = (layer >> 3) & 0x03;
        }
    }
    if let Some(descriptor) = dependency_descriptor {
        let mandatory = Mandatory::parse(descriptor)?;
        flags.start_of_frame = mandatory.start_of_frame;
        flags.end_of_frame = mandatory.end_of_frame;
    } else if unfinished {
        flags.end_of_frame = false;
    }
    flags.tid_upsync = flags.keyframe;
    flags.sid_upsync = flags.keyframe;
    Ok(flags)
}

/// An OBU element with its length before it (leb128: AV1 specification, section 4.10.5).
fn take_element<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], CodecError> {
    let mut length = 0usize;
    for shift in (0..35).step_by(7) {
        let byte = take_byte(rest)?;
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let (element, after) = rest.split_at_checked(length).ok_or(CodecError::Truncated)?;
            *rest = after;
            return Ok(element);
        }
    }
    Err(CodecError::Malformed)
}
