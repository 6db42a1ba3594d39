//! Sound that is sent more than once (RFC 2198): behind the heads of all blocks, packets that were
//! sent before, each said to be so much older, and at the end the packet itself.

#[cfg(test)]
mod tests;

use std::ops::Range;

/// The most blocks of earlier packets that are looked at.
pub const MAX_EARLIER: usize = 8;
/// How much older a block can be, in units of the clock rate: 14 bits.
pub const MAX_OFFSET: u32 = (1 << 14) - 1;
/// How long the block of an earlier packet can be, in bytes: 10 bits.
pub const MAX_LEN: usize = (1 << 10) - 1;
/// Bytes of the head of an earlier packet's block.
const HEAD: usize = 4;
/// Another head follows.
const MORE: u8 = 0x80;

/// Why a payload is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedError {
    /// It ends within its heads, or before the blocks that they announce.
    #[error("redundant payload is truncated")]
    Truncated,
    /// More blocks than anyone sends.
    #[error("redundant payload has too many blocks")]
    TooMany,
    /// The packet itself is of another format than was agreed on.
    #[error("redundant payload has a block of another format")]
    Format,
}

/// The block of an earlier packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Earlier {
    /// So much older than the packet it came with, in units of the clock rate.
    pub offset: u32,
    start: u16,
    len: u16,
}

impl Earlier {
    /// Where in the payload it stands.
    pub fn range(&self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.len)
    }
}

/// What a payload consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    earlier: [Earlier; MAX_EARLIER],
    count: usize,
    primary: u16,
}

impl Blocks {
    /// Reads the heads of a payload whose blocks are to be of one format. Of earlier packets, those
    /// of other formats, and those without contents, are passed over.
    ///
    /// # Errors
    /// When it is malformed, or the packet itself is of another format.
    pub fn parse(payload: &[u8], payload_type: u8) -> Result<Self, RedError> {
        let mut heads = payload;
        let mut read = [(0, Earlier::default()); MAX_EARLIER];
        let mut count = 0;
        let format = loop {
            let (first, _) = heads.split_first().ok_or(RedError::Truncated)?;
            if first & MORE == 0 {
                heads = &heads[1..];
                break *first;
            }
            let (head, rest) = heads
                .split_first_chunk::<HEAD>()
                .ok_or(RedError::Truncated)?;
            let fields = u32::from_be_bytes(*head);
            let place = read.get_mut(count).ok_or(RedError::TooMany)?;
            let earlier = Earlier {
                offset: (fields >> 10) & MAX_OFFSET,
                start: 0,
                len: (fields & MAX_LEN as u32) as u16,
            };
            *place = (first & !MORE, earlier);
            count += 1;
            heads = rest;
        };
        if format != payload_type {
            return Err(RedError::Format);
        }
        let mut blocks = Self {
            earlier: [Earlier::default(); MAX_EARLIER],
            count: 0,
            primary: 0,
        };
        let mut at = payload.len() - heads.len();
        for (format, earlier) in &read[..count] {
            let start = u16::try_from(at).map_err(|_| RedError::TooMany)?;
            at += usize::from(earlier.len);
            if *format == payload_type && earlier.len > 0 {
                blocks.earlier[blocks.count] = Earlier { start, ..*earlier };
                blocks.count += 1;
            }
        }
        if at > payload.len() {
            return Err(RedError::Truncated);
        }
        blocks.primary = u16::try_from(at).map_err(|_| RedError::TooMany)?;
        Ok(blocks)
    }

    /// Of the earlier packets, in the order in which they stand: the oldest first, as everyone
    /// writes them.
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier[..self.count]
    }

    /// Where the packet itself begins; it goes to the end of the payload.
    pub fn primary(&self) -> usize {
        usize::from(self.primary)
    }
}

/// Writes a payload: the earlier packets, each with how much older it is, and the packet itself.
/// Returns its length; `None` if there is no room, or an earlier one is too old or too long.
pub fn write(
    out: &mut [u8],
    payload_type: u8,
    earlier: &[(u32, &[u8])],
    primary: &[u8],
) -> Option<usize> {
    let mut at = 0;
    for (offset, block) in earlier {
        if *offset > MAX_OFFSET || block.len() > MAX_LEN {
            return None;
        }
        let head = u32::from(payload_type | MORE) << 24 | offset << 10 | block.len() as u32;
        out.get_mut(at..at + HEAD)?
            .copy_from_slice(&head.to_be_bytes());
        at += HEAD;
    }
    *out.get_mut(at)? = payload_type;
    at += 1;
    let blocks = earlier.iter().map(|(_, block)| *block);
    for block in blocks.chain([primary]) {
        out.get_mut(at..at + block.len())?.copy_from_slice(block);
        at += block.len();
    }
    Some(at)
}
