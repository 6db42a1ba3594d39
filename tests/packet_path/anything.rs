//! Arbitrary bytes, and too many.

use super::rtcp::receiver_report;
use super::*;
use proptest::prelude::*;

#[test]
fn nothing_at_all_and_too_much() {
    let mut bench = Bench::new(82);
    for from in [
        stranger(),
        bench.at(bench.publisher),
        bench.at(bench.receiver),
    ] {
        bench.expect(Drop::UnknownProtocol, from, &[]);
        for first in [4, 19, 64, 127, 192, 255] {
            bench.expect(Drop::UnknownProtocol, from, &[first; 100]);
        }
    }
    let from = bench.at(bench.publisher);
    for first in [0, 22, 128, 144] {
        let data = vec![first; 65_507];
        assert!(bench.send(from, &data).is_some(), "{first}");
    }
    bench.assert_unharmed();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn random_datagrams_never_panic(
        seed in 0_u64..1_000,
        datagrams in proptest::collection::vec(
            (0_usize..3, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..400)),
            400,
        ),
    ) {
        let mut bench = Bench::new(1_000 + seed);
        let places = [stranger(), bench.at(bench.publisher), bench.at(bench.receiver)];
        // Random first bytes would be of no protocol, mostly.
        let begins = [0, 1, 20, 21, 22, 23, 128, 144, 0x90, 0x80];
        for (place, begin, mut data) in datagrams {
            if let Some(first) = data.first_mut() {
                *first = begins[usize::from(begin) % begins.len()];
            }
            bench.world.inject(0, places[place], &data);
        }
        bench.assert_unharmed();
    }

    #[test]
    fn random_contents_with_the_right_keys_never_panic(
        seed in 0_u64..1_000,
        payloads in proptest::collection::vec(
            (0_usize..2, proptest::collection::vec(any::<u8>(), 0..60)),
            200,
        ),
        reports in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 4..120), 200),
    ) {
        let mut bench = Bench::new(2_000 + seed);
        let from = bench.at(bench.publisher);
        for (track, payload) in payloads {
            let packet = bench.craft(track, |packet| {
                // The extension's elements, the padding bit, and the payload.
                let padding = payload.first().is_some_and(|first| first & 1 == 1);
                packet[0] |= u8::from(padding) << 5;
                packet.truncate(HEADER);
                packet.extend_from_slice(&payload);
                for (to, from) in packet[16..HEADER].iter_mut().zip(&payload) {
                    *to = *from;
                }
            });
            bench.world.inject(0, from, &packet);
        }
        for (at, contents) in reports.iter().enumerate() {
            let client = [bench.publisher, bench.receiver][at % 2];
            let mut compound = receiver_report();
            let kinds = [200, 201, 202, 203, 205, 206, 207, 204];
            compound.extend_from_slice(&[0x80 | contents[0] & 0x1f, kinds[at % kinds.len()]]);
            compound.extend_from_slice(&(contents.len() as u16 / 4).to_be_bytes());
            compound.extend_from_slice(contents);
            let packet = bench.world.craft_rtcp(client, &compound).unwrap();
            let from = bench.at(client);
            bench.world.inject(0, from, &packet);
        }
        bench.world.run_for(secs(2)).unwrap();
        prop_assert_eq!(bench.world.failures(0), 0);
    }
}
