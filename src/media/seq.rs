//! Sequence numbers: their wrapping order, and their extension to 64 bits.

/// The extended number nearest to `near` whose low 16 bits are `seqno` (RFC 3550, appendix A.1).
/// Never below 0.
#[inline]
pub fn extend(seqno: u16, near: u64) -> u64 {
    let distance = i64::from(seqno.wrapping_sub(near as u16) as i16);
    match near.checked_add_signed(distance) {
        Some(extended) => extended,
        None => u64::from(seqno),
    }
}

/// The extended timestamp nearest to `near` whose low 32 bits are `timestamp`.
#[inline]
pub fn extend_timestamp(timestamp: u32, near: u64) -> u64 {
    let distance = i64::from(timestamp.wrapping_sub(near as u32) as i32);
    match near.checked_add_signed(distance) {
        Some(extended) => extended,
        None => u64::from(timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_extend_over_a_wrap_in_both_directions() {
        assert_eq!(extend(0, 0x1_ffff), 0x2_0000);
        assert_eq!(extend(0xffff, 0x2_0000), 0x1_ffff);
        assert_eq!(extend(0x1234, 0x5_1230), 0x5_1234);
        assert_eq!(extend(0xfff0, 3), 0xfff0);
        assert_eq!(extend_timestamp(5, 0x1_ffff_fff0), 0x2_0000_0005);
    }
}
