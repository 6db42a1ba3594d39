//! RTCP that is cut, changed, or asks for what is not there.

use super::*;
use perikon::media::feedback::Compound;
use perikon::shard::Batch;
use perikon::transport::Path;
use std::collections::HashMap;

pub(crate) fn receiver_report() -> Vec<u8> {
    let mut buffer = [0; 200];
    let mut compound = Compound::with_receiver_report(&mut buffer, 77, &[]).unwrap();
    compound.cname(77, "someone").unwrap();
    let len = compound.len();
    buffer[..len].to_vec()
}

#[test]
fn rtcp_cut_changed_and_repeated() {
    let mut bench = Bench::new(75);
    for client in [bench.publisher, bench.receiver] {
        let from = bench.at(client);
        let report = receiver_report();
        let packet = bench.world.craft_rtcp(client, &report).unwrap();
        for len in 0..packet.len() {
            let reason = match len {
                0..2 => Drop::UnknownProtocol,
                // Header and sender; tag and index.
                2.. if len < 8 + TAG + 4 => Drop::Truncated,
                _ => Drop::Forged,
            };
            let got = bench.send(from, &packet[..len]);
            assert_eq!(got, name(reason), "cut to {len} bytes");
        }
        for bit in 0..packet.len() * 8 {
            let got = bench.send(from, &flip(&packet, bit));
            match bit {
                0 => assert_eq!(got, name(Drop::StunMalformed)),
                1 => assert_eq!(got, name(Drop::UnknownProtocol)),
                // RTCP's type is where RTP has its own: some flips make it RTP.
                8..16 => assert!(got.is_some(), "bit {bit}"),
                _ => assert_eq!(got, name(Drop::Forged), "bit {bit}"),
            }
        }
        bench.expect_taken(from, &packet);
        bench.expect(Drop::Replayed, from, &packet);
        bench.expect(Drop::UnknownSource, stranger(), &packet);
    }
    bench.assert_unharmed();
}

#[test]
fn rtcp_that_is_authentic_and_malformed() {
    let mut bench = Bench::new(76);
    for client in [bench.publisher, bench.receiver] {
        let from = bench.at(client);
        for (what, tail) in [
            (
                "longer than the datagram",
                &[0x80, 201, 0, 9, 0, 0, 0, 1][..],
            ),
            ("another version", &[0x40, 201, 0, 1, 0, 0, 0, 1]),
            ("more blocks than bytes", &[0x81, 201, 0, 1, 0, 0, 0, 1]),
            ("half a header", &[0x80, 201]),
            ("a NACK of nothing", &[0x81, 205, 0, 1, 0, 0, 0, 1]),
            ("a PLI of nobody", &[0x81, 206, 0, 1, 0, 0, 0, 1]),
        ] {
            let compound = [&receiver_report(), tail].concat();
            let packet = bench.world.craft_rtcp(client, &compound).unwrap();
            assert_eq!(
                bench.send(from, &packet),
                name(Drop::RtcpMalformed),
                "{what}"
            );
        }
    }
    bench.assert_unharmed();
}

fn nack(ssrc: u32, lost: &[u16]) -> Vec<u8> {
    let mut buffer = [0; 1_400];
    let mut compound = Compound::with_receiver_report(&mut buffer, 77, &[]).unwrap();
    compound.nack(77, ssrc, lost).unwrap();
    let len = compound.len();
    buffer[..len].to_vec()
}

#[test]
fn requests_for_what_is_not_there() {
    let mut bench = Bench::new(77);
    let from = bench.at(bench.receiver);
    let ssrc = bench.world.ssrcs(bench.receiver)[VIDEO];
    // Another SSRC is nobody's.
    let other = nack(ssrc ^ 0xff, &[1, 2, 3]);
    let other = bench.world.craft_rtcp(bench.receiver, &other).unwrap();
    bench.expect_taken(from, &other);

    let (_, newest) = bench.world.client(bench.receiver).tracks[VIDEO]
        .range
        .unwrap();
    let before = bench.world.drops(0, Drop::NotInCache);
    let first = ssrc as u16 & 0x7fff;
    let future = first.wrapping_add(newest as u16).wrapping_add(50);
    let future = nack(ssrc, &[future, future.wrapping_add(1)]);
    let future = bench.world.craft_rtcp(bench.receiver, &future).unwrap();
    bench.world.inject(0, from, &future);
    assert_eq!(bench.world.drops(0, Drop::NotInCache), before + 2);

    // All numbers there are: more than one turn repairs.
    let all: Vec<_> = (0..1_300)
        .map(|n| first.wrapping_sub(900).wrapping_add(n))
        .collect();
    let all = nack(ssrc, &all);
    let all = bench.world.craft_rtcp(bench.receiver, &all).unwrap();
    bench.world.inject(0, from, &all);
    assert_eq!(bench.world.drops(0, Drop::TooManyNacks), 1_300 - 1_024);
    assert_eq!(bench.world.shard_size(0).unwrap().waiting, 0);

    // What was sent is sent again, and the receiver has it already.
    bench.world.run_for(millis(10)).unwrap();
    let needless = bench.world.client(bench.receiver).tracks[VIDEO].needless;
    let last = nack(ssrc, &[first.wrapping_add(newest as u16)]);
    let last = bench.world.craft_rtcp(bench.receiver, &last).unwrap();
    bench.expect_taken(from, &last);
    bench.world.run_for(millis(10)).unwrap();
    let again = bench.world.client(bench.receiver).tracks[VIDEO].needless;
    assert_eq!(again, needless + 1);
    bench.assert_unharmed();
}

/// Under one number there is one packet: AES-GCM gives its key away otherwise.
#[test]
fn a_packet_that_is_asked_for_as_it_comes_is_the_same_when_it_is_asked_for_again() {
    let mut bench = Bench::with(
        92,
        ReceiverConfig {
            rtx: false,
            ..ReceiverConfig::default()
        },
    );
    let mut now = bench.world.now();
    let ssrc = bench.world.ssrcs(bench.receiver)[VIDEO];
    let [from, to] = [bench.publisher, bench.receiver].map(|client| bench.at(client));
    // Those of one turn grow to one length.
    let pieces: Vec<_> = [0, 0, 3, 0, 0]
        .map(|shorter| bench.craft(VIDEO, |packet| packet.truncate(packet.len() - shorter)))
        .into();
    let mut left: HashMap<u16, Vec<Vec<u8>>> = HashMap::new();
    let mut turn = |bench: &mut Bench, now, came: &[&Vec<u8>], asked: Option<u16>| {
        let request = asked.map(|number| nack(ssrc, &[number]));
        let request = request.map(|nack| bench.world.craft_rtcp(bench.receiver, &nack).unwrap());
        let came = came.iter().map(|piece| (from, (*piece).clone()));
        let came = came.chain(request.map(|request| (to, request)));
        let shard = bench.world.shard_mut(0).unwrap();
        for (remote, mut data) in came {
            shard.handle_datagram(now, Path { local: 0, remote }, &mut data);
        }
        let mut batch = Batch::new();
        while shard.poll_transmit(now, &mut batch) {}
        let mut newest = 0;
        for (path, data) in batch.datagrams() {
            if path.remote == to && data[8..12] == ssrc.to_be_bytes() {
                newest = u16::from_be_bytes([data[2], data[3]]);
                left.entry(newest).or_default().push(data.to_vec());
            }
        }
        newest
    };
    let late = turn(&mut bench, now, &[&pieces[0], &pieces[1]], None).wrapping_add(1);
    turn(&mut bench, now, &[&pieces[3]], None);
    turn(&mut bench, now, &[&pieces[2], &pieces[4]], Some(late));
    for _ in 0..2 {
        now += secs(1);
        turn(&mut bench, now, &[], Some(late));
    }
    let copies = &left[&late];
    assert!(copies.len() > 2, "{}", copies.len());
    assert!(copies.iter().all(|copy| *copy == copies[0]));
}
