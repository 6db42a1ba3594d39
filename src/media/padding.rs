//! Packets of one length: those of a frame differ by a byte or two, and the kernel sends several
//! datagrams to one receiver in one call only if they are equally long (UDP_SEGMENT).

/// The most bytes that a packet grows by.
const MAX_PADDING: u16 = 16;

/// Takes the lengths of packets that are sent together, and gives those that they are to grow to
/// by padding (RFC 3550, section 5.1): of neighbours that are nearly as long as each other, that of
/// the longest. The last of them may stay shorter.
pub fn equalize(lengths: &mut [u16]) {
    let mut rest = lengths;
    while !rest.is_empty() {
        let (count, longest) = run(rest);
        let (alike, others) = rest.split_at_mut(count);
        if let Some((_, all_but_last)) = alike.split_last_mut() {
            all_but_last.fill(longest);
        }
        rest = others;
    }
}

/// How many of the first packets are of nearly one length, and the longest of them.
fn run(lengths: &[u16]) -> (usize, u16) {
    let (mut shortest, mut longest) = (u16::MAX, 0);
    for (at, length) in lengths.iter().enumerate() {
        let (low, high) = (shortest.min(*length), longest.max(*length));
        if high - low > MAX_PADDING {
            return (at, longest);
        }
        (shortest, longest) = (low, high);
    }
    (lengths.len(), longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn equalized(lengths: &[u16]) -> Vec<u16> {
        let mut lengths = lengths.to_vec();
        equalize(&mut lengths);
        lengths
    }

    #[test]
    fn pieces_of_a_frame_become_one_length() {
        let frame = [1_100, 1_101, 1_100, 1_101, 1_099];
        assert_eq!(equalized(&frame), [1_101, 1_101, 1_101, 1_101, 1_099]);
        let two = [1_100, 1_101, 1_102, 600, 1_100, 1_098];
        assert_eq!(equalized(&two), [1_102, 1_102, 1_102, 600, 1_100, 1_098]);
        assert_eq!(equalized(&[80, 1_100]), [80, 1_100]);
        assert_eq!(equalized(&[]), [0_u16; 0]);
    }

    proptest! {
        #[test]
        fn packets_grow_a_little_to_the_length_of_another(lengths in prop::collection::vec(0_u16..1_500, 0..64)) {
            let once = equalized(&lengths);
            for (before, after) in lengths.iter().zip(&once) {
                prop_assert!(after >= before && after - before <= MAX_PADDING);
                prop_assert!(lengths.contains(after));
            }
        }
    }
}
