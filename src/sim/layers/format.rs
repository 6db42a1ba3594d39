//! What the payload of a packet says: the words of the codec, and the truth behind them.

use super::{LayersConfig, Truth, h264};
use crate::media::Codec;
use std::time::Duration;

/// The first byte of a truth. No VP9 frame begins with it.
const MAGIC: u8 = 0x17;

/// What a codec says of a packet, beyond what is in its dependency descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Told {
    /// The picture id, of 15 bits.
    pub(super) picture: Option<u16>,
    pub(super) tl0: Option<u8>,
    /// Temporal and spatial layer.
    pub(super) layer: Option<(u8, u8)>,
    /// How many pictures back the frame refers.
    pub(super) back: Option<u8>,
}

/// Writes a payload of about `len` bytes.
pub(super) fn write(
    config: &LayersConfig,
    truth: &Truth,
    (picture, tl0, is_switching_point): (u16, u8, bool),
    len: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let id = (picture | 0x8000).to_be_bytes();
    let (first, last) = (truth.part == 0, truth.part + 1 == truth.parts);
    let begins = truth.keyframe && truth.sid == 0 && first;
    let mut slice_at = None;
    match config.codec {
        Codec::Vp8 => {
            // RFC 7741, section 4.2.
            let layer = truth.tid << 6 | u8::from(is_switching_point) << 5;
            out.extend_from_slice(&[0x80 | u8::from(first) << 4, 0xe0, id[0], id[1], tl0, layer]);
            if begins {
                let (width, height) = config.size(truth.encoding, 0);
                out.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a]);
                out.extend_from_slice(&width.to_le_bytes());
                out.extend_from_slice(&height.to_le_bytes());
            } else if first {
                out.extend_from_slice(&[0x11, 0, 0]);
            }
        }
        Codec::Vp9 => vp9(config, truth, (id, tl0, is_switching_point), &mut out),
        Codec::H264 if begins => {
            slice_at = Some(h264::write_sets(config.size(truth.encoding, 0), &mut out));
            h264::write_slice(truth, &mut out);
        }
        Codec::H264 => h264::write_slice(truth, &mut out),
        _ => {
            // RTP Payload Format For AV1, section 4.4: one element, a sequence or a frame.
            let more = u8::from(!last) << 6;
            out.push(u8::from(!first) << 7 | more | 0x10 | u8::from(begins) << 3);
            if first {
                let kind = if begins { 1 } else { 6 };
                out.extend_from_slice(&[kind << 3 | 0x04, truth.tid << 5 | truth.sid << 3]);
            }
        }
    }
    truth.write(&mut out);
    let len = len.max(out.len());
    out.resize(len, MAGIC);
    if let Some(slice_at) = slice_at {
        h264::end(slice_at, &mut out);
    }
    out
}

/// RFC 9628, section 4.2.
fn vp9(
    config: &LayersConfig,
    truth: &Truth,
    (id, tl0, is_switching_point): ([u8; 2], u8, bool),
    out: &mut Vec<u8>,
) {
    let flexible = config.is_flexible();
    let (first, last) = (truth.part == 0, truth.part + 1 == truth.parts);
    let begins = truth.keyframe && truth.sid == 0 && first;
    let back = truth.refs.iter().find(|(other, _)| *other != truth.picture);
    let inter = back.is_some();
    let on_lower = truth
        .refs
        .contains(&(truth.picture, truth.sid.wrapping_sub(1)));
    let unused = truth.sid + 1 == config.spatial || (config.key_only && !truth.keyframe);
    out.push(
        0xa0 | u8::from(inter) << 6
            | u8::from(flexible) << 4
            | u8::from(first) << 3
            | u8::from(last) << 2
            | u8::from(begins) << 1
            | u8::from(unused),
    );
    out.extend_from_slice(&id);
    let switch = u8::from(is_switching_point) << 4;
    out.push(truth.tid << 5 | switch | truth.sid << 1 | u8::from(on_lower));
    match back {
        Some((other, _)) if flexible => out.push(((truth.picture - other) as u8) << 1),
        None if flexible => {}
        _ => out.push(tl0),
    }
    if begins {
        out.push((config.spatial - 1) << 5 | 0x10);
        for sid in 0..config.spatial {
            let (width, height) = config.size(truth.encoding, sid);
            out.extend_from_slice(&width.to_be_bytes());
            out.extend_from_slice(&height.to_be_bytes());
        }
    }
}

/// Reads a payload; `None` if it is none that [`write`] made.
pub(super) fn read(config: &LayersConfig, payload: &[u8]) -> Option<(Told, Truth)> {
    let mut told = Told::default();
    let mut rest = payload;
    match config.codec {
        Codec::Vp8 => {
            let [head, _, high, low, tl0, layer] = take(&mut rest)?;
            told.picture = Some(u16::from_be_bytes([high, low]) & 0x7fff);
            told.tl0 = Some(tl0);
            told.layer = Some((layer >> 6, 0));
            if head & 0x10 != 0 {
                let len = if rest.first()? & 1 == 0 { 10 } else { 3 };
                rest = rest.get(len..)?;
            }
        }
        Codec::Vp9 => {
            let [head, high, low, layer] = take(&mut rest)?;
            told.picture = Some(u16::from_be_bytes([high, low]) & 0x7fff);
            told.layer = Some((layer >> 5, layer >> 1 & 7));
            if head & 0x10 == 0 {
                let [tl0] = take(&mut rest)?;
                told.tl0 = Some(tl0);
            } else if head & 0x40 != 0 {
                let [back] = take(&mut rest)?;
                told.back = Some(back >> 1);
            }
            if head & 0x02 != 0 {
                let [structure] = take(&mut rest)?;
                rest = rest.get(4 * (usize::from(structure >> 5) + 1)..)?;
            }
        }
        Codec::H264 => rest = h264::slice(rest)?,
        _ => {
            let [head] = take(&mut rest)?;
            if head & 0x80 == 0 {
                let [_, layer] = take(&mut rest)?;
                told.layer = Some((layer >> 5, layer >> 3 & 3));
            }
        }
    }
    Some((told, Truth::read(rest)?))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*taken)
}

impl Truth {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[
            MAGIC,
            self.encoding,
            self.sid,
            self.tid,
            self.part,
            self.parts,
        ]);
        out.extend_from_slice(&[u8::from(self.keyframe), self.refs.len() as u8]);
        out.extend_from_slice(&self.picture.to_be_bytes());
        out.extend_from_slice(&(self.captured.as_nanos() as u64).to_be_bytes());
        for (picture, sid) in &self.refs {
            out.extend_from_slice(&picture.to_be_bytes());
            out.push(*sid);
        }
    }

    fn read(mut rest: &[u8]) -> Option<Self> {
        let rest = &mut rest;
        let [MAGIC, encoding, sid, tid, part, parts] = take(rest)? else {
            return None;
        };
        let [keyframe, count] = take(rest)?;
        let picture = u32::from_be_bytes(take(rest)?);
        let captured = Duration::from_nanos(u64::from_be_bytes(take(rest)?));
        let mut refs = Vec::new();
        for _ in 0..count {
            let picture = u32::from_be_bytes(take(rest)?);
            let [sid] = take(rest)?;
            refs.push((picture, sid));
        }
        Some(Self {
            encoding,
            picture,
            sid,
            tid,
            part,
            parts,
            keyframe: keyframe == 1,
            captured,
            refs,
        })
    }
}
