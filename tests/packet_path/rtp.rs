//! RTP that is cut, changed, late, or out of place.

use super::*;
use perikon::shard::Batch;
use perikon::transport::Path;

#[test]
fn rtp_cut_at_any_byte() {
    let mut bench = Bench::new(70);
    let from = bench.at(bench.publisher);
    for track in [AUDIO, VIDEO] {
        let packet = bench.craft(track, |_| {});
        for len in 0..packet.len() {
            let reason = match len {
                0..2 => Drop::UnknownProtocol,
                2.. if len < HEADER + TAG => Drop::Truncated,
                _ => Drop::Forged,
            };
            let got = bench.send(from, &packet[..len]);
            assert_eq!(got, name(reason), "cut to {len} bytes");
        }
        bench.expect_taken(from, &packet);
    }
    bench.assert_unharmed();
}

#[test]
fn rtp_with_any_bit_changed() {
    let mut bench = Bench::new(71);
    let from = bench.at(bench.publisher);
    let packet = bench.craft(VIDEO, |_| {});
    for bit in 0..packet.len() * 8 {
        let got = bench.send(from, &flip(&packet, bit)).unwrap();
        let allowed: &[Drop] = match bit / 8 {
            // Version, or what is in the header.
            0 if bit < 2 => &[Drop::UnknownProtocol],
            0 => &[Drop::Forged, Drop::Truncated],
            // The marker and one bit of the type turn it into RTCP.
            1 => &[Drop::PayloadType, Drop::Forged],
            2..4 => &[Drop::Forged, Drop::Replayed],
            4..14 => &[Drop::Forged],
            // The length of the extensions.
            14..16 => &[Drop::Forged, Drop::Truncated],
            _ => &[Drop::Forged],
        };
        let allowed: Vec<_> = allowed.iter().map(|reason| reason.name()).collect();
        assert!(allowed.contains(&got), "bit {bit}: {got}");
    }
    bench.expect_taken(from, &packet);
    bench.assert_unharmed();
}

#[test]
fn rtp_that_comes_twice_late_or_too_large() {
    let mut bench = Bench::new(72);
    let from = bench.at(bench.publisher);
    let packet = bench.craft(AUDIO, |_| {});
    bench.expect_taken(from, &packet);
    bench.expect(Drop::Replayed, from, &packet);

    for more in [1_500, 9_000, 60_000] {
        let large = bench.craft(VIDEO, |packet| packet.resize(packet.len() + more, 7));
        bench.expect(Drop::Oversized, from, &large);
        // What is too large is sent again in vain, until it is given up: not part of this test.
    }
    let late = bench.craft(VIDEO, |_| {});
    let later = bench.craft(AUDIO, |_| {});
    for _ in 0..600 {
        let packet = bench.craft(VIDEO, |_| {});
        bench.expect_taken(from, &packet);
    }
    bench.expect(Drop::Stale, from, &late);
    let mut newest = Vec::new();
    for _ in 0..1_100 {
        newest = bench.craft(AUDIO, |_| {});
    }
    bench.expect_taken(from, &newest);
    // Nothing is known of what is older than the replay window.
    bench.expect(Drop::Replayed, from, &later);
}

#[test]
fn rtp_of_the_wrong_kind_or_place() {
    let mut bench = Bench::new(73);
    let from = bench.at(bench.publisher);
    // All are told apart before anything is opened.
    let good = bench.craft(VIDEO, |_| {});
    let mut other = good.clone();
    other[1] = other[1] & 0x80 | 97;
    bench.expect(Drop::PayloadType, from, &other);
    other = good.clone();
    other[8..12].copy_from_slice(&[1, 2, 3, 4]);
    // An SSRC that the right mid vouches for, but that nobody has signed.
    bench.expect(Drop::Forged, from, &other);
    other[16..18].fill(0);
    bench.expect(Drop::UnknownSsrc, from, &other);
    // The version is where DTLS and others have the upper bits of what they begin with.
    for version in [0x00, 0x40, 0xc0] {
        let mut other = good.clone();
        other[0] = other[0] & 0x3f | version;
        bench.expect(Drop::UnknownProtocol, from, &other);
    }
    let receiver = bench.at(bench.receiver);
    bench.expect(Drop::NotPublishing, receiver, &good);
    bench.expect(Drop::UnknownSource, stranger(), &good);
    bench.expect_taken(from, &good);
    bench.assert_unharmed();
}

#[test]
fn media_before_keys() {
    let mut bench = Bench::new(74);
    let slow = line(0.0, millis(50));
    let host = bench.world.add_host(slow, slow);
    let config = SenderConfig::default();
    let newcomer = bench.world.publish(host, 0, config).unwrap();
    let paths = bench.world.shard_size(0).unwrap().paths;
    let found = bench
        .world
        .run_until(secs(2), |world| world.shard_size(0).unwrap().paths > paths)
        .unwrap();
    assert!(found && bench.world.client(newcomer).connected.is_none());
    let from = bench.at(newcomer);
    // By payload type and mid it would be for the newcomer's track.
    let mut rtp = vec![0x90, 120, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9, 0xbe, 0xde, 0, 1];
    rtp.extend_from_slice(&[4 << 4, b'1', 0, 0]);
    rtp.extend_from_slice(&[7; 60]);
    bench.expect(Drop::NoKeys, from, &rtp);
    let rtcp = [&[0x80, 201, 0, 1, 0, 0, 0, 1][..], &[7; 20]].concat();
    bench.expect(Drop::NoKeys, from, &rtcp);
    bench.world.run_for(secs(1)).unwrap();
    assert!(bench.world.client(newcomer).connected.is_some());
    bench.assert_unharmed();
}

#[test]
fn the_pieces_of_a_frame_leave_in_one_send_though_their_lengths_differ() {
    let mut bench = Bench::new(91);
    let pieces: Vec<_> = [0, 3, 1, 2, 9]
        .map(|shorter| bench.craft(VIDEO, |packet| packet.truncate(packet.len() - shorter)))
        .into();
    let now = bench.world.now();
    let (from, to) = (bench.at(bench.publisher), bench.at(bench.receiver));
    let shard = bench.world.shard_mut(0).unwrap();
    for mut piece in pieces {
        let path = Path {
            local: 0,
            remote: from,
        };
        shard.handle_datagram(now, path, &mut piece);
    }
    let mut batch = Batch::new();
    while shard.poll_transmit(now, &mut batch) {}
    let sends: Vec<_> = batch
        .sends()
        .iter()
        .filter(|send| send.path.remote == to)
        .collect();
    assert_eq!(sends.len(), 1, "{sends:?}");
    // The last is the shortest, and stays so.
    assert_eq!(sends[0].len, 5 * sends[0].segment - 9);
}
