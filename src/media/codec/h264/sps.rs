//! The sequence parameter set: how large pictures are (ITU-T H.264, section 7.3.2.1.1).

#[cfg(test)]
mod tests;

use crate::media::codec::CodecError;
use crate::media::codec::bits::Bits;

/// What is read of a set at the most: what comes before the size is short, but for scaling lists
/// that nobody sends to a meeting.
const MAX: usize = 256;
/// Profiles that say how colours are stored.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Width and height of what is shown, of a set without the byte of its unit's type. `None` if they
/// cannot be told.
pub(super) fn size(set: &[u8]) -> Option<(u16, u16)> {
    let mut buffer = [0; MAX];
    let mut bits = Bits::new(unescaped(set, &mut buffer));
    let (width, height) = read(&mut bits).ok()?;
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|side| *side > 0);
    Some((side(width)?, side(height)?))
}

/// Takes out the bytes that keep a unit from looking like the start of another (section 7.4.1).
fn unescaped<'a>(unit: &[u8], buffer: &'a mut [u8; MAX]) -> &'a [u8] {
    let mut zeros = 0;
    let mut count = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        let Some(place) = buffer.get_mut(count) else {
            break;
        };
        *place = *byte;
        count += 1;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
    }
    &buffer[..count]
}

fn read(bits: &mut Bits<'_>) -> Result<(u32, u32), CodecError> {
    let profile = bits.take(8)?;
    // Constraints, and the level.
    bits.take(16)?;
    bits.unary()?;
    // 4:2:0, unless it is said.
    let mut chroma = 1;
    if HIGH.contains(&profile) {
        chroma = bits.unary()?;
        let lists = if chroma == 3 { 12 } else { 8 };
        if chroma == 3 && bits.flag()? {
            // Three planes, each as if it had no colour.
            chroma = 0;
        }
        // Bits of a sample; whether a transform is bypassed.
        bits.unary()?;
        bits.unary()?;
        bits.flag()?;
        if bits.flag()? {
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    // log2_max_frame_num
    bits.unary()?;
    match bits.unary()? {
        0 => {
            bits.unary()?;
        }
        1 => {
            bits.flag()?;
            bits.unary()?;
            bits.unary()?;
            // Ends with the bits, at the latest.
            for _ in 0..bits.unary()? {
                bits.unary()?;
            }
        }
        _ => {}
    }
    // How many pictures are referred to; whether numbers may be left out.
    bits.unary()?;
    bits.flag()?;
    let columns = side(bits)?;
    let rows = side(bits)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?;
    }
    // direct_8x8_inference
    bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    let (width, height) = (columns * 16, rows * 16 * fields);
    if !bits.flag()? {
        return Ok((width, height));
    }
    let unit_x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma == 1 { 2 } else { 1 } * fields;
    let mut cut = |unit: u32| -> Result<u32, CodecError> {
        let both = bits.unary()?.saturating_add(bits.unary()?);
        Ok(both.saturating_mul(unit))
    };
    Ok((
        width.saturating_sub(cut(unit_x)?),
        height.saturating_sub(cut(unit_y)?),
    ))
}

/// How many macroblocks, less one.
fn side(bits: &mut Bits<'_>) -> Result<u32, CodecError> {
    let blocks = bits.unary()?;
    if blocks < 4_096 {
        Ok(blocks + 1)
    } else {
        Err(CodecError::Malformed)
    }
}

/// Section 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, len: usize) -> Result<(), CodecError> {
    let mut last = 8;
    for _ in 0..len {
        let code = bits.unary()?;
        // Signed: 1, -1, 2, -2, … A list goes on with its last value where the next would be 0.
        let half = i64::from(code.div_ceil(2));
        let delta = if code % 2 == 1 { half } else { -half };
        match (last + delta).rem_euclid(256) {
            0 => return Ok(()),
            next => last = next,
        }
    }
    Ok(())
}
