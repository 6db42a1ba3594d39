//! Payloads that say which frame they belong to and what that frame refers to.
//!
//! Before the mark stands what the codec says of itself, which the server reads and may rewrite:
//! a decoder must find its way by that alone. The mark is the truth behind it, by which the
//! measurement tells whether the decoder was misled.

use crate::media::Kind;
use std::time::Duration;

/// No frame.
pub(super) const NONE: u32 = u32::MAX;
/// Bytes of a mark.
const LEN: usize = 34;
/// Says that a mark begins.
const MAGIC: u16 = 0x4d4b;

/// What a payload says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    /// Which encoding of the source it is of.
    pub(super) encoding: u8,
    /// Counts the packets of an encoding, from 0.
    pub(super) index: u32,
    /// Counts the frames of an encoding, from 0.
    pub(super) frame: u32,
    /// Frames of the encoding that it is made of; [`NONE`] for none.
    pub(super) refs: [u32; 2],
    /// When it was captured, since the beginning of the world.
    pub(super) captured: Duration,
    /// Lines of the picture.
    pub(super) height: u16,
    pub(super) keyframe: bool,
}

/// What VP8 says of a packet (RFC 7741, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) start: bool,
    pub(super) keyframe: bool,
    pub(super) discardable: bool,
    pub(super) id: u16,
    /// TL0PICIDX, layer and whether it can be switched up to; `None` without layers.
    pub(super) layer: Option<(u8, u8, bool)>,
    /// Width and height, on the first packet of a keyframe.
    pub(super) size: Option<(u16, u16)>,
}

impl Picture {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = if self.start { 0x10 } else { 0 };
        let discardable = if self.discardable { 0x20 } else { 0 };
        out.push(0x80 | start | discardable);
        out.push(0x80 | if self.layer.is_some() { 0x60 } else { 0 });
        out.extend_from_slice(&(self.id | 0x8000).to_be_bytes());
        if let Some((tl0, tid, upsync)) = self.layer {
            out.extend_from_slice(&[tl0, tid << 6 | u8::from(upsync) << 5]);
        }
        if self.start && self.keyframe {
            let (width, height) = self.size.unwrap_or_default();
            out.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a]);
            out.extend_from_slice(&width.to_le_bytes());
            out.extend_from_slice(&height.to_le_bytes());
        } else if self.start {
            out.extend_from_slice(&[0x11, 0, 0]);
        }
    }

    /// Also what stands behind it.
    pub(super) fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (&[required, present], rest) = payload.split_first_chunk()?;
        let (id, mut rest) = rest.split_first_chunk()?;
        if required & 0x80 == 0 || present & 0x80 == 0 || id[0] & 0x80 == 0 {
            return None;
        }
        let mut picture = Self {
            start: required & 0x10 != 0,
            keyframe: false,
            discardable: required & 0x20 != 0,
            id: u16::from_be_bytes(*id) & 0x7fff,
            layer: None,
            size: None,
        };
        if present & 0x60 == 0x60 {
            let (&[tl0, layer], others) = rest.split_first_chunk()?;
            picture.layer = Some((tl0, layer >> 6, layer & 0x20 != 0));
            rest = others;
        }
        if picture.start {
            picture.keyframe = rest.first()? & 1 == 0;
            if picture.keyframe {
                let (head, others) = rest.split_first_chunk::<10>()?;
                picture.size = Some((
                    u16::from_le_bytes([head[6], head[7]]),
                    u16::from_le_bytes([head[8], head[9]]),
                ));
                rest = others;
            } else {
                rest = rest.get(3..)?;
            }
        }
        Some((picture, rest))
    }
}

impl Mark {
    /// Writes it, and fills up to `end`.
    pub(super) fn write(&self, out: &mut Vec<u8>, end: usize) {
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.push(u8::from(self.kind == Kind::Video) | u8::from(self.keyframe) << 1);
        out.push(self.encoding);
        for number in [self.index, self.frame, self.refs[0], self.refs[1]] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&(self.captured.as_nanos() as u64).to_be_bytes());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        if out.len() < end {
            out.resize(end, 0x5a);
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mark = bytes.first_chunk::<LEN>()?;
        let u32_at = |at: usize| {
            let bytes = mark.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        if !mark.starts_with(&MAGIC.to_be_bytes()) {
            return None;
        }
        let captured = u64::from(u32_at(20)?) << 32 | u64::from(u32_at(24)?);
        Some(Self {
            kind: if mark[2] & 1 != 0 {
                Kind::Video
            } else {
                Kind::Audio
            },
            encoding: mark[3],
            index: u32_at(4)?,
            frame: u32_at(8)?,
            refs: [u32_at(12)?, u32_at(16)?],
            captured: Duration::from_nanos(captured),
            height: u16::from_be_bytes([mark[28], mark[29]]),
            keyframe: mark[2] & 2 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, codec};

    #[test]
    fn the_server_and_the_decoder_read_what_the_encoder_wrote() {
        let mark = Mark {
            kind: Kind::Video,
            encoding: 2,
            index: 70_000,
            frame: 9,
            refs: [8, NONE],
            captured: Duration::from_micros(1_234_567),
            height: 720,
            keyframe: true,
        };
        for (start, keyframe, layer) in [
            (true, true, Some((7, 0, false))),
            (true, false, Some((7, 2, true))),
            (false, false, Some((7, 1, false))),
            (true, false, None),
        ] {
            let picture = Picture {
                start,
                keyframe,
                discardable: !keyframe,
                id: 0x1234,
                layer,
                size: keyframe.then_some((1_280, 720)),
            };
            let mut payload = Vec::new();
            picture.write(&mut payload);
            mark.write(&mut payload, 200);
            assert_eq!(payload.len(), 200);
            let (read, rest) = Picture::read(&payload).unwrap();
            assert_eq!(read, picture);
            assert_eq!(Mark::read(rest), Some(mark));
            let flags = codec::flags(Codec::Vp8, &payload, true, None).unwrap();
            assert_eq!(flags.start_of_frame, start);
            assert_eq!(flags.keyframe, keyframe);
            assert_eq!(flags.size, picture.size);
            assert_eq!(flags.picture_id.unwrap().value, 0x1234);
            let tid = layer.map_or(0, |(_, tid, _)| tid);
            assert_eq!(flags.tid, tid);
        }
    }
}
