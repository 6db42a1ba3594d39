//! Reading bits, most significant first.

use super::CodecError;

/// What is left of a bit string.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits of the first byte that were read.
    used: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, used: 0 }
    }

    /// The next `count` bits, 32 at the most: `f(n)` of the specifications.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, CodecError> {
        let mut value = 0u64;
        let mut missing = count.min(32);
        while missing > 0 {
            let (&byte, rest) = self.bytes.split_first().ok_or(CodecError::Truncated)?;
            let taken = missing.min(8 - self.used);
            let bits = (u32::from(byte) << self.used & 0xFF) >> (8 - taken);
            value = (value << taken) | u64::from(bits);
            missing -= taken;
            self.used += taken;
            if self.used == 8 {
                self.bytes = rest;
                self.used = 0;
            }
        }
        Ok(value as u32)
    }

    pub(super) fn flag(&mut self) -> Result<bool, CodecError> {
        Ok(self.take(1)? == 1)
    }

    /// A value that is small, most likely: `ue(v)` of ITU-T H.264, section 9.1, and `uvlc()` of the
    /// AV1 specification. Those of `se(v)` have as many bits.
    pub(super) fn unary(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == u32::BITS {
                return Err(CodecError::Malformed);
            }
        }
        Ok((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// A value below `limit`, which is not 0: `ns(n)` of the AV1 specification, section 4.10.7.
    pub(super) fn below(&mut self, limit: u32) -> Result<u32, CodecError> {
        let width = u32::BITS - limit.leading_zeros();
        let short = (1u32 << width) - limit;
        let value = self.take(width - 1)?;
        if value < short {
            return Ok(value);
        }
        Ok((value << 1) - short + self.take(1)?)
    }
}
