//! The RTP header (RFC 3550, section 5.1; RFC 8285): read once where it arrived, written anew
//! once for all receivers, and patched for each.

use crate::transport::description::{Extension, ExtensionIds};

/// The fixed part of the header, in bytes.
pub const FIXED_HEADER: usize = 12;
/// The bit of a header's first byte that says that padding follows the payload.
pub(crate) const PADDED: u8 = 0x20;
/// Extension elements of one byte (RFC 8285, section 4.2).
const ONE_BYTE: u16 = 0xbede;
/// Extension elements of two bytes (RFC 8285, section 4.3), application bits zero.
const TWO_BYTE: u16 = 0x1000;

/// Why bytes are no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// They end inside of the header, or of what it announces.
    #[error("truncated RTP packet")]
    Truncated,
    /// The version is not 2.
    #[error("not RTP version 2")]
    Version,
}

/// What the header of a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Padding stands at the end of the payload.
    pub padding: bool,
    /// The marker bit: for video, the end of a frame.
    pub marker: bool,
    /// Which format.
    pub payload_type: u8,
    /// 16 bits, wrapping.
    pub seqno: u16,
    /// In units of the clock rate, wrapping.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    /// All of the header, contributing sources and extension included, in bytes.
    pub len: usize,
    /// Where the extension's elements begin, and its profile.
    extension: Option<(usize, u16)>,
}

impl Header {
    /// Reads the header at the start of `packet`.
    ///
    /// # Errors
    /// When it is truncated or of another version.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, PacketError> {
        let fixed: &[u8; FIXED_HEADER] = packet.first_chunk().ok_or(PacketError::Truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(PacketError::Version);
        }
        let mut len = FIXED_HEADER + 4 * usize::from(fixed[0] & 0x0f);
        let mut extension = None;
        if fixed[0] & 0x10 != 0 {
            let head = packet.get(len..len + 4).ok_or(PacketError::Truncated)?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            extension = Some((len + 4, u16::from_be_bytes([head[0], head[1]])));
            len += 4 + 4 * words;
        }
        if packet.len() < len {
            return Err(PacketError::Truncated);
        }
        Ok(Self {
            padding: fixed[0] & 0x20 != 0,
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            seqno: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
            extension,
        })
    }

    /// The extension's elements: id and value. Malformed ones end the iteration.
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Extensions<'a> {
        match self.extension {
            Some((start, ONE_BYTE)) => Extensions {
                rest: packet.get(start..self.len).unwrap_or_default(),
                one_byte: true,
            },
            Some((start, profile)) if profile & 0xfff0 == TWO_BYTE => Extensions {
                rest: packet.get(start..self.len).unwrap_or_default(),
                one_byte: false,
            },
            _ => Extensions {
                rest: &[],
                one_byte: true,
            },
        }
    }

    /// The element that goes by an extension's id in `ids`.
    pub fn extension<'a>(
        &self,
        packet: &'a [u8],
        ids: &ExtensionIds,
        wanted: Extension,
    ) -> Option<&'a [u8]> {
        let id = ids[wanted as usize];
        if id == 0 {
            return None;
        }
        self.extensions(packet)
            .find_map(|(other, value)| (other == id).then_some(value))
    }
}

/// See [`Header::extensions`].
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    rest: &'a [u8],
    one_byte: bool,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = *self.rest.first()?;
            if first == 0 {
                // Padding between elements.
                self.rest = &self.rest[1..];
                continue;
            }
            let (id, len, head) = if self.one_byte {
                if first >> 4 == 15 {
                    // Reserved: stop reading (RFC 8285, section 4.2).
                    self.rest = &[];
                    return None;
                }
                (first >> 4, usize::from(first & 0x0f) + 1, 1)
            } else {
                (first, usize::from(*self.rest.get(1)?), 2)
            };
            let Some(value) = self.rest.get(head..head + len) else {
                self.rest = &[];
                return None;
            };
            self.rest = &self.rest[head + len..];
            return Some((id, value));
        }
    }
}

/// Where the transport-wide number stands in a forwarded header: in front of all extensions, which
/// begin at a word. Four bytes of padding, as long as no number is written there.
const STAMP: std::ops::Range<usize> = FIXED_HEADER + 4..FIXED_HEADER + 8;

/// Writes the transport-wide number of a packet into a forwarded header
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01). The header is then not the same under its
/// first number if it is sent again: who gets it has repairs by RTX, or none.
#[inline]
pub fn stamp(header: &mut [u8], number: u16) {
    let [high, low] = number.to_be_bytes();
    let id = Extension::TransportCc.own_id();
    let one_byte = header.get(FIXED_HEADER) == Some(&0xbe);
    if let Some(room) = header.get_mut(STAMP) {
        room.copy_from_slice(&if one_byte {
            [(id << 4) | 1, high, low, 0]
        } else {
            [id, 2, high, low]
        });
    }
}

/// The extensions that receivers are sent on, by the server's own ids. What belongs to the
/// publisher's transport alone (mid, rid, send times) is left behind.
const FORWARDED: [Extension; 4] = [
    Extension::AudioLevel,
    Extension::VideoOrientation,
    Extension::AbsCaptureTime,
    Extension::DependencyDescriptor,
];

/// The longest header that [`write_forwarded`] writes: a dependency descriptor of 255 bytes is
/// the longest element there can be.
pub const MAX_FORWARDED_HEADER: usize = STAMP.end + 4 * (2 + 255) + 3;

/// Writes the header of a packet that is nothing but padding, with room for [`stamp`]. Returns its
/// length; `None` without room.
pub fn write_bare(out: &mut [u8]) -> Option<usize> {
    let header = out.get_mut(..STAMP.end)?;
    header.fill(0);
    // Version 2, padded, with extensions.
    header[0] = 0xb0;
    header[FIXED_HEADER..FIXED_HEADER + 2].copy_from_slice(&ONE_BYTE.to_be_bytes());
    header[FIXED_HEADER + 3] = 1;
    Some(STAMP.end)
}

/// Writes the header that receivers get, with the server's own extension ids and without
/// contributing sources, to the start of `out`; with room for [`stamp`]. Payload type, sequence
/// number, timestamp and SSRC are still the publisher's; [`patch`] sets them. Returns its length;
/// `None` when `out` is too short.
pub fn write_forwarded(
    header: &Header,
    packet: &[u8],
    ids: &ExtensionIds,
    out: &mut [u8],
) -> Option<usize> {
    let fixed = out.first_chunk_mut::<FIXED_HEADER>()?;
    fixed.copy_from_slice(packet.get(..FIXED_HEADER)?);
    // Version and padding stay; no contributing sources; the extension bit comes below.
    fixed[0] = (fixed[0] & 0xe0) | 0x10;

    let mut found: [(u8, &[u8]); FORWARDED.len()] = [(0, &[]); FORWARDED.len()];
    let mut count = 0;
    let mut one_byte = true;
    for (id, value) in header.extensions(packet) {
        let Some(extension) = FORWARDED
            .iter()
            .find(|extension| ids[**extension as usize] == id)
        else {
            continue;
        };
        let own = extension.own_id();
        if count == found.len() || found[..count].iter().any(|(id, _)| *id == own) {
            continue;
        }
        one_byte &= (1..=16).contains(&value.len());
        found[count] = (own, value);
        count += 1;
    }
    out.get_mut(STAMP)?.fill(0);
    let mut at = STAMP.end;
    for (id, value) in &found[..count] {
        if one_byte {
            *out.get_mut(at)? = (id << 4) | (value.len() - 1) as u8;
            at += 1;
        } else {
            *out.get_mut(at)? = *id;
            *out.get_mut(at + 1)? = value.len() as u8;
            at += 2;
        }
        out.get_mut(at..at + value.len())?.copy_from_slice(value);
        at += value.len();
    }
    let end = at.next_multiple_of(4);
    out.get_mut(at..end)?.fill(0);
    let profile = if one_byte { ONE_BYTE } else { TWO_BYTE };
    let words = ((end - FIXED_HEADER - 4) / 4) as u16;
    out[FIXED_HEADER..FIXED_HEADER + 2].copy_from_slice(&profile.to_be_bytes());
    out[FIXED_HEADER + 2..FIXED_HEADER + 4].copy_from_slice(&words.to_be_bytes());
    Some(end)
}

/// Gives a header what belongs to one receiver.
#[inline]
pub fn patch(
    header: &mut [u8; FIXED_HEADER],
    payload_type: u8,
    seqno: u16,
    timestamp: u32,
    ssrc: u32,
) {
    header[1] = (header[1] & 0x80) | payload_type;
    header[2..4].copy_from_slice(&seqno.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

/// The payload without the padding behind it (RFC 3550, section 5.1). Wrong padding leaves
/// nothing.
pub fn without_padding<'a>(header: &Header, payload: &'a [u8]) -> &'a [u8] {
    unpadded(header.padding, payload)
}

/// The same, if there `is` padding.
pub fn unpadded(is: bool, payload: &[u8]) -> &[u8] {
    if !is {
        return payload;
    }
    match payload.last() {
        Some(0) | None => &[],
        Some(padding) => payload
            .get(..payload.len().wrapping_sub(usize::from(*padding)))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
