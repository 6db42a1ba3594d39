//! DTLS that is cut, from strangers, or out of place.

use super::*;

#[test]
fn dtls_cut_from_strangers_or_out_of_place() {
    let mut bench = Bench::new(81);
    bench.world.tape();
    let host = bench.host;
    let config = ReceiverConfig::default();
    let first = bench
        .world
        .subscribe(host, bench.publisher, config)
        .unwrap();
    bench.world.run_for(secs(1)).unwrap();
    assert!(bench.world.client(first).connected.is_some());
    let handshake: Vec<_> = bench
        .world
        .taped()
        .iter()
        .filter(|(client, data)| *client == first && (20..=63).contains(&data[0]))
        .map(|(_, data)| data.clone())
        .collect();
    assert!(handshake.len() >= 3, "two ClientHellos and a long flight");
    for datagram in &handshake {
        bench.expect(Drop::UnknownSource, stranger(), datagram);
    }

    // Another one, in the middle of its own handshake.
    let slow = line(0.0, millis(50));
    let host = bench.world.add_host(slow, slow);
    let second = bench
        .world
        .subscribe(host, bench.publisher, config)
        .unwrap();
    let paths = bench.world.shard_size(0).unwrap().paths;
    bench
        .world
        .run_until(secs(2), |world| world.shard_size(0).unwrap().paths > paths)
        .unwrap();
    assert!(bench.world.client(second).connected.is_none());
    for from in [bench.at(second), bench.at(first), bench.at(bench.publisher)] {
        for datagram in &handshake {
            let record = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
            for len in 1..record {
                bench.expect(Drop::DtlsMalformed, from, &datagram[..len]);
            }
            let mut other = datagram.clone();
            other[1] = 3;
            bench.expect(Drop::DtlsMalformed, from, &other);
            other = datagram.clone();
            other[0] = 26;
            bench.expect(Drop::DtlsMalformed, from, &other);
        }
    }
    bench.world.run_for(secs(2)).unwrap();
    assert!(bench.world.client(second).connected.is_some());

    // An association that is done is not moved by what was said to another.
    for from in [bench.at(second), bench.at(first), bench.at(bench.publisher)] {
        for datagram in &handshake {
            for bit in (0..datagram.len() * 8).step_by(7) {
                bench.send(from, &flip(datagram, bit));
            }
            // In the clear, an alert means nothing any more.
            bench.send(from, &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 9, 9, 0, 2, 2, 40]);
        }
    }
    bench.assert_unharmed();
}
