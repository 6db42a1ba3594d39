use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const OPUS: u8 = 111;

#[test]
fn a_packet_of_chromium_is_read() {
    // Two heads, a block of three bytes that is 20 ms older, and the packet itself.
    let payload = [0x80 | OPUS, 0x0f, 0x00, 0x03, OPUS, 1, 2, 3, 4, 5];
    let blocks = Blocks::parse(&payload, OPUS).unwrap();
    let [earlier] = blocks.earlier() else {
        panic!("{blocks:?}");
    };
    assert_eq!(earlier.offset, 960);
    assert_eq!(payload[earlier.range()], [1, 2, 3]);
    assert_eq!(payload[blocks.primary()..], [4, 5]);
}

#[test]
fn malformed_payloads_are_refused() {
    let good = [0x80 | OPUS, 0x0f, 0x00, 0x03, OPUS, 1, 2, 3, 4, 5];
    for len in 0..8 {
        let error = Blocks::parse(&good[..len], OPUS).unwrap_err();
        assert_eq!(error, RedError::Truncated, "{len}");
    }
    assert_eq!(Blocks::parse(&good, 96), Err(RedError::Format));
    let endless = [0x80 | OPUS; 400];
    assert_eq!(Blocks::parse(&endless, OPUS), Err(RedError::TooMany));
    // Of another format, or empty: of no use, and no error.
    let odd = [0x80 | 13, 0, 0, 1, 0x80 | OPUS, 0x0f, 0, 0, OPUS, 9, 7];
    let blocks = Blocks::parse(&odd, OPUS).unwrap();
    assert_eq!((blocks.earlier(), blocks.primary()), (&[][..], 10));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut out = [0; 1_500];
    let long = [0; MAX_LEN + 1];
    assert_eq!(write(&mut out, OPUS, &[(960, &long)], &[1]), None);
    assert_eq!(write(&mut out, OPUS, &[(MAX_OFFSET + 1, &[1])], &[1]), None);
    assert_eq!(write(&mut out[..6], OPUS, &[(960, &[1])], &[1]), None);
    assert_eq!(write(&mut out[..7], OPUS, &[(960, &[1])], &[1]), Some(7));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_within_its_bounds(payload in vec(any::<u8>(), 0..1_400)) {
        if let Ok(blocks) = Blocks::parse(&payload, payload.first().map_or(0, |first| first & 0x7f)) {
            prop_assert!(blocks.primary() <= payload.len());
            for earlier in blocks.earlier() {
                prop_assert!(earlier.range().end <= blocks.primary());
            }
        }
    }

    #[test]
    fn what_was_written_is_read(
        earlier in vec((0..=MAX_OFFSET, vec(any::<u8>(), 1..120)), 0..=MAX_EARLIER),
        primary in vec(any::<u8>(), 0..300),
    ) {
        let blocks: Vec<_> = earlier.iter().map(|(offset, block)| (*offset, &block[..])).collect();
        let mut out = [0; 1_500];
        let len = write(&mut out, OPUS, &blocks, &primary).unwrap();
        let read = Blocks::parse(&out[..len], OPUS).unwrap();
        prop_assert_eq!(&out[read.primary()..len], &primary[..]);
        prop_assert_eq!(read.earlier().len(), blocks.len());
        for (read, (offset, block)) in read.earlier().iter().zip(blocks) {
            prop_assert_eq!(read.offset, offset);
            prop_assert_eq!(&out[read.range()], block);
        }
    }
}
