//! What the payload of one packet says of the frame it carries: layers, keyframes, and where
//! the numbers lie that are rewritten when frames are left out.
//!
//! [`flags`] needs nothing but the packet. [`dependency`] reads the rest of the dependency
//! descriptor, which needs what a keyframe said before.

mod av1;
mod bits;
pub mod dependency;
mod h264;
mod opus;
#[cfg(test)]
mod tests;
mod vp8;
mod vp9;

use super::Codec;

/// What one packet is to its frame, and its frame to the stream.
///
/// A *picture* is what is shown at one moment; with spatial layers it has a *frame* for each of
/// them. Without, picture and frame are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Decoding can begin at this packet: it is the first of a keyframe of the lowest layer.
    /// Later packets of the same keyframe do not have it. H.264 may have it on several packets
    /// with the same timestamp: its parameter sets, and each first slice.
    pub keyframe: bool,
    /// H.264: it has a parameter set, which comes before the first slice if it comes at all.
    pub parameters: bool,
    /// The first packet of a frame. H.264: every packet with which a frame can begin.
    pub start_of_frame: bool,
    /// The last packet of a frame; of a picture where the codec does not say it of the frame.
    pub end_of_frame: bool,
    /// The last packet of a picture: the marker of RTP.
    pub end_of_picture: bool,
    /// Temporal layer, 0 is the lowest.
    pub tid: u8,
    /// Spatial layer, 0 is the lowest.
    pub sid: u8,
    /// Who had only lower temporal layers can decode this one from here on.
    pub tid_upsync: bool,
    /// Who had only lower spatial layers can decode this one from here on: the frame refers to
    /// no earlier picture.
    pub sid_upsync: bool,
    /// Frames of higher spatial layers do not refer to this one.
    pub sid_non_reference: bool,
    /// No frame refers to this one. False where the codec does not say it.
    pub discardable: bool,
    /// Sound: the sender has nothing to say (Opus DTX).
    pub silence: bool,
    /// Width and height in pixels, on the first packet of a keyframe where it is cheap to know, and
    /// wherever VP9 describes its layers; of the highest spatial layer that the packet describes.
    pub size: Option<(u16, u16)>,
    /// VP8 and VP9: the number of the picture.
    pub picture_id: Option<PictureId>,
    /// VP8 and VP9: the number of the picture of temporal layer 0 that this one builds upon.
    pub tl0_pic_idx: Option<Tl0PicIdx>,
}

/// A picture id, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// 7 or 15 bits.
    pub value: u16,
    /// Whether it has 15 bits.
    pub wide: bool,
    /// The byte of the payload at which it begins.
    pub offset: u8,
}

impl PictureId {
    /// Puts another number in its place: its low 7 or 15 bits.
    pub fn write(self, payload: &mut [u8], value: u16) {
        let offset = usize::from(self.offset);
        if self.wide {
            if let Some(bytes) = payload.get_mut(offset..offset + 2) {
                bytes.copy_from_slice(&(0x8000 | value).to_be_bytes());
            }
        } else if let Some(byte) = payload.get_mut(offset) {
            *byte = value as u8 & 0x7F;
        }
    }
}

/// A TL0PICIDX, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tl0PicIdx {
    /// 8 bits.
    pub value: u8,
    /// The byte of the payload that it is.
    pub offset: u8,
}

impl Tl0PicIdx {
    /// Puts another number in its place.
    pub fn write(self, payload: &mut [u8], value: u8) {
        if let Some(byte) = payload.get_mut(usize::from(self.offset)) {
            *byte = value;
        }
    }
}

/// A payload that is not of its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There is none: the packet is padding, as senders use to probe a path.
    #[error("empty payload")]
    Empty,
    /// It ends within its descriptor.
    #[error("payload ends within its descriptor")]
    Truncated,
    /// Its fields contradict each other or name what does not exist.
    #[error("malformed payload descriptor")]
    Malformed,
    /// A dependency descriptor refers to a template structure that was not received.
    #[error("dependency descriptor without its template structure")]
    NoStructure,
}

/// Reads the payload of one packet. `marker` is that of RTP; `dependency_descriptor` the
/// contents of the header extension of that name, which AV1 needs to tell the frames of a
/// picture apart.
///
/// # Errors
/// When the payload is empty or malformed.
pub fn flags(
    codec: Codec,
    payload: &[u8],
    marker: bool,
    dependency_descriptor: Option<&[u8]>,
) -> Result<Flags, CodecError> {
    if payload.is_empty() {
        return Err(CodecError::Empty);
    }
    match codec {
        Codec::Vp8 => vp8::flags(payload, marker),
        Codec::Vp9 => vp9::flags(payload, marker),
        Codec::H264 => h264::flags(payload, marker),
        Codec::Av1 => av1::flags(payload, marker, dependency_descriptor),
        Codec::Opus => Ok(opus::flags(payload)),
        Codec::G722 | Codec::Pcmu | Codec::Pcma => Ok(sound()),
    }
}

/// A packet of sound is a frame, and a picture is nothing else.
fn sound() -> Flags {
    Flags {
        start_of_frame: true,
        end_of_frame: true,
        end_of_picture: true,
        ..Flags::default()
    }
}

/// The next byte of a payload, which is taken off.
fn take_byte(rest: &mut &[u8]) -> Result<u8, CodecError> {
    let (&byte, others) = rest.split_first().ok_or(CodecError::Truncated)?;
    *rest = others;
    Ok(byte)
}

/// The next two bytes of a payload.
fn take_u16(rest: &mut &[u8]) -> Result<u16, CodecError> {
    Ok(u16::from_be_bytes([take_byte(rest)?, take_byte(rest)?]))
}

/// A picture id of 7 or 15 bits (VP8 and VP9 have the same).
fn take_picture_id(payload: &[u8], rest: &mut &[u8]) -> Result<PictureId, CodecError> {
    let offset = (payload.len() - rest.len()) as u8;
    let first = take_byte(rest)?;
    let wide = first & 0x80 != 0;
    let value = if wide {
        u16::from_be_bytes([first & 0x7F, take_byte(rest)?])
    } else {
        u16::from(first)
    };
    Ok(PictureId {
        value,
        wide,
        offset,
    })
}

fn take_tl0_pic_idx(payload: &[u8], rest: &mut &[u8]) -> Result<Tl0PicIdx, CodecError> {
    let offset = (payload.len() - rest.len()) as u8;
    Ok(Tl0PicIdx {
        value: take_byte(rest)?,
        offset,
    })
}
