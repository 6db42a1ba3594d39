//! H.264 as RFC 6184 packs it: a picture is of several slices, each in a packet of its own, and the
//! first of a keyframe goes with the parameter sets.

use super::Truth;
use super::descriptor::Bits;

/// Of several units (RFC 6184, section 5.7.1).
const STAP_A: u8 = 24;
/// A picture parameter set.
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

/// Begins a packet with the parameter sets of pictures of this size. Returns where the slice is to
/// be, for [`end`].
pub(super) fn write_sets((width, height): (u16, u16), out: &mut Vec<u8>) -> usize {
    out.push(0x60 | STAP_A);
    for unit in [&sps(u32::from(width), u32::from(height))[..], &PPS] {
        out.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        out.extend_from_slice(unit);
    }
    out.extend_from_slice(&[0; 2]);
    out.len()
}

/// Says how long the slice is that ends the packet.
pub(super) fn end(slice_at: usize, out: &mut [u8]) {
    let len = out.len() - slice_at;
    out[slice_at - 2..slice_at].copy_from_slice(&(len as u16).to_be_bytes());
}

/// The beginning of a slice: its unit's header, and whether it is the first of its picture.
pub(super) fn write_slice(truth: &Truth, out: &mut Vec<u8>) {
    let kind = if truth.keyframe { 5 } else { 1 };
    let first_block = if truth.part == 0 { 0x80 } else { 0x40 };
    out.extend_from_slice(&[0x60 | kind, first_block]);
}

/// What is in the slice of a packet.
pub(super) fn slice(payload: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = payload.split_first()?;
    if head & 0x1f == STAP_A {
        for _ in 0..2 {
            let (len, after) = rest.split_first_chunk()?;
            rest = after.get(usize::from(u16::from_be_bytes(*len))..)?;
        }
        rest = rest.get(3..)?;
    }
    rest.get(1..)
}

/// The sequence parameter set of the baseline profile (ITU-T H.264, section 7.3.2.1.1).
fn sps(width: u32, height: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0x67_42_c0_1f, 32);
    let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
    // The set's number, those of frames, their order, references.
    for value in [0, 0, 2, 1] {
        unary(&mut bits, value);
    }
    bits.put(0, 1);
    unary(&mut bits, columns - 1);
    unary(&mut bits, rows - 1);
    // Whole frames; what is left over is cut off at the right and the bottom.
    bits.put(0b111, 3);
    let cut = [0, columns * 16 - width, 0, rows * 16 - height];
    for pixels in cut {
        unary(&mut bits, pixels / 2);
    }
    // Nothing is said of how to show it; the last bit.
    bits.put(0b01, 2);
    bits.bytes
}

/// `ue(v)`
fn unary(bits: &mut Bits, value: u32) {
    let len = (u32::BITS - (value + 1).leading_zeros()) as usize;
    bits.put(0, len - 1);
    bits.put(value + 1, len);
}
