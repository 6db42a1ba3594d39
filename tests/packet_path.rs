//! Bad input: whatever arrives at a shard's socket, it is dropped for the expected reason, which
//! is counted, and the streams that are there go on unharmed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::media::feedback::Compound;
use perikon::shard::{Batch, Drop};
use perikon::sim::{ClientId, HostId, LinkConfig, ReceiverConfig, SenderConfig, World};
use perikon::transport::Path;
use proptest::prelude::*;
use rtc_ice::attributes::control::{AttrControlled, AttrControlling};
use rtc_ice::attributes::use_candidate::UseCandidateAttr;
use rtc_stun::attributes::ATTR_USERNAME;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;
use sim_support::*;
use std::net::SocketAddr;

/// Of a crafted packet: fixed part, and one word of extensions with its head.
const HEADER: usize = 20;
/// Of AES-GCM.
const TAG: usize = 16;

/// A meeting of one publisher and one receiver, both connected, in a moment of silence.
struct Bench {
    world: Seeded,
    host: HostId,
    publisher: ClientId,
    receiver: ClientId,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut world = world(seed);
        let host = world.add_host(LinkConfig::PERFECT, LinkConfig::PERFECT);
        let publisher = world.publish(host, 0, SenderConfig::default()).unwrap();
        let config = ReceiverConfig::default();
        let receiver = world.subscribe(host, publisher, config).unwrap();
        world.run_for(secs(2)).unwrap();
        world.pause(publisher, true).unwrap();
        world.run_for(millis(300)).unwrap();
        Self {
            world,
            host,
            publisher,
            receiver,
        }
    }

    fn at(&self, client: ClientId) -> SocketAddr {
        self.world.address(client).unwrap()
    }

    /// Why a datagram was dropped: exactly once, or not at all.
    fn send(&mut self, from: SocketAddr, data: &[u8]) -> Option<&'static str> {
        let before = self.world.shard_stats(0).drops;
        self.world.inject(0, from, data);
        let after = self.world.shard_stats(0).drops;
        let count = |drops: &[(&'static str, u64)], name: &str| {
            let entry = drops.iter().find(|(other, _)| *other == name);
            entry.map_or(0, |(_, count)| *count)
        };
        let mut reasons = after
            .iter()
            .map(|(name, now)| (*name, now - count(&before, name)))
            .filter(|(_, more)| *more > 0);
        let reason = reasons.next();
        assert_eq!(reasons.next(), None, "one reason a datagram, not {after:?}");
        reason.map(|(name, more)| {
            assert_eq!(more, 1, "{name}");
            name
        })
    }

    #[track_caller]
    fn expect(&mut self, reason: Drop, from: SocketAddr, data: &[u8]) {
        assert_eq!(self.send(from, data), Some(reason.name()));
    }

    #[track_caller]
    fn expect_taken(&mut self, from: SocketAddr, data: &[u8]) {
        assert_eq!(self.send(from, data), None);
    }

    fn craft(&mut self, track: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.world.craft(self.publisher, track, change).unwrap()
    }

    /// The meeting goes on, and nobody has noticed anything.
    #[track_caller]
    fn assert_unharmed(mut self) {
        let frames = self.world.client(self.receiver).tracks[VIDEO].frames;
        self.world.pause(self.publisher, false).unwrap();
        self.world.run_for(secs(3)).unwrap();
        let report = self.world.client(self.receiver);
        for track in &report.tracks {
            assert_sound(track, "afterwards");
            assert_eq!((track.given_up, track.missing), (0, 0));
        }
        let more = report.tracks[VIDEO].frames - frames;
        assert!(more >= 88, "{more} frames in 3 s");
        for client in [self.publisher, self.receiver] {
            let report = self.world.client(client);
            assert!(report.failures.is_empty() && !report.closed);
            assert_eq!((report.stray, report.bad_rtcp), (0, 0), "{client:?}");
        }
        assert_eq!(self.world.failures(0), 0);
    }
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 4_444))
}

fn flip(data: &[u8], bit: usize) -> Vec<u8> {
    let mut data = data.to_vec();
    data[bit / 8] ^= 0x80 >> (bit % 8);
    data
}

fn name(reason: Drop) -> Option<&'static str> {
    Some(reason.name())
}

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

fn receiver_report() -> Vec<u8> {
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

#[test]
fn requests_for_what_is_not_there() {
    let mut bench = Bench::new(77);
    let from = bench.at(bench.receiver);
    let ssrc = bench.world.ssrcs(bench.receiver)[VIDEO];
    let nack = |ssrc, lost: &[u16]| {
        let mut buffer = [0; 1_400];
        let mut compound = Compound::with_receiver_report(&mut buffer, 77, &[]).unwrap();
        compound.nack(77, ssrc, lost).unwrap();
        let len = compound.len();
        buffer[..len].to_vec()
    };
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

/// A Binding request as the client would send it, but for what is changed.
struct Request {
    username: String,
    password: Option<String>,
    controlling: Option<u64>,
    controlled: Option<u64>,
    nominate: bool,
}

impl Request {
    fn of(world: &World, client: ClientId) -> Self {
        let [server, own] = world.credentials_of(client).unwrap();
        Self {
            username: format!("{}:{}", server.ufrag, own.ufrag),
            password: Some(server.pwd.clone()),
            controlling: None,
            controlled: None,
            nominate: false,
        }
    }

    fn write(&self) -> Vec<u8> {
        let provider = rtc_crypto::default_provider().unwrap();
        let username = TextAttribute::new(ATTR_USERNAME, self.username.clone());
        let mut parts: Vec<Box<dyn Setter + '_>> = vec![
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(username),
        ];
        if let Some(tie_breaker) = self.controlling {
            parts.push(Box::new(AttrControlling(tie_breaker)));
        }
        if let Some(tie_breaker) = self.controlled {
            parts.push(Box::new(AttrControlled(tie_breaker)));
        }
        if self.nominate {
            parts.push(Box::<UseCandidateAttr>::default());
        }
        if let Some(password) = &self.password {
            parts.push(Box::new(
                MessageIntegrity::new_short_term_integrity_with_provider(
                    password.clone(),
                    provider.crypto(),
                ),
            ));
        }
        parts.push(Box::new(FINGERPRINT));
        let mut message = Message::new();
        message.build(&parts).unwrap();
        message.raw
    }
}

#[test]
fn stun_cut_or_changed() {
    let mut bench = Bench::new(78);
    let mut request = Request::of(&bench.world, bench.publisher);
    request.controlling = Some(1);
    let request = request.write();
    let from = bench.at(bench.publisher);
    for len in 0..request.len() {
        let reason = match len {
            0 => Drop::UnknownProtocol,
            _ => Drop::StunMalformed,
        };
        assert_eq!(
            bench.send(from, &request[..len]),
            name(reason),
            "{len} bytes"
        );
    }
    // The fingerprint at the end is for telling protocols apart, not for security: without it
    // everything is covered.
    let covered = request.len() - 8;
    let allowed = [
        Drop::UnknownProtocol,
        Drop::UnknownSource,
        Drop::StunMalformed,
        Drop::StunUnknown,
        Drop::StunRefused,
        Drop::DtlsMalformed,
        Drop::UnknownSsrc,
        Drop::Truncated,
        Drop::PayloadType,
    ]
    .map(Drop::name);
    for bit in 0..covered * 8 {
        let got = bench.send(from, &flip(&request, bit));
        let got = got.unwrap_or_else(|| panic!("bit {bit} was accepted"));
        assert!(allowed.contains(&got), "bit {bit}: {got}");
    }
    bench.expect_taken(from, &request);
    bench.assert_unharmed();
}

#[test]
fn stun_of_strangers() {
    let mut bench = Bench::new(79);
    let from = stranger();
    let paths = bench.world.shard_size(0).unwrap().paths;
    let good = || Request::of(&bench.world, bench.publisher);
    let unknown = Request {
        username: "nobody:else".to_owned(),
        ..good()
    };
    let unsigned = Request {
        password: None,
        ..good()
    };
    let guessed = Request {
        password: Some("a password that is not it".to_owned()),
        ..good()
    };
    // Both would settle a conflict of roles in favour of the stranger.
    let usurper = Request {
        controlled: Some(u64::MAX),
        password: None,
        ..good()
    };
    let nominating = Request {
        controlled: Some(0),
        nominate: true,
        password: Some("a password that is not it".to_owned()),
        ..good()
    };
    let cases = [
        (unknown, Drop::StunUnknown),
        (unsigned, Drop::StunRefused),
        (guessed, Drop::StunRefused),
        (usurper, Drop::StunRefused),
        (nominating, Drop::StunRefused),
    ];
    let mdns = SocketAddr::new(from.ip(), 5_353);
    for (request, reason) in cases {
        bench.expect(reason, from, &request.write());
        // The port of multicast DNS is a port like any other.
        bench.expect(reason, mdns, &request.write());
    }
    let response = [&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    bench.expect(Drop::StunUnknown, from, &response);
    let indication = [&[0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    bench.expect(Drop::StunUnknown, from, &indication);
    // An old-style message, without the cookie.
    bench.expect(Drop::StunMalformed, from, &[0; 20]);
    assert_eq!(bench.world.shard_size(0).unwrap().paths, paths);
    bench.expect(Drop::UnknownSource, mdns, &[22, 0xfe, 0xfd, 0, 0]);
    bench.world.run_for(secs(30)).unwrap();
    bench.assert_unharmed();
}

#[test]
fn a_path_that_was_taken_over() {
    let mut bench = Bench::new(80);
    // A member of the same group, who may send from any address.
    let thief = bench
        .world
        .publish(bench.host, 0, SenderConfig::default())
        .unwrap();
    bench.world.run_for(secs(1)).unwrap();
    bench.world.pause(thief, true).unwrap();
    let victim = bench.at(bench.publisher);
    let request = Request {
        controlling: Some(1),
        nominate: true,
        ..Request::of(&bench.world, thief)
    };
    bench.expect(Drop::PathTaken, victim, &request.write());
    // The thief's packets, sent from there, are not the victim's.
    let stolen = bench
        .world
        .craft(thief, AUDIO, |packet| packet[17] = b'9')
        .unwrap();
    let got = bench.send(victim, &stolen).unwrap();
    assert!(
        [Drop::UnknownSsrc.name(), Drop::Forged.name()].contains(&got),
        "{got}"
    );
    bench.world.run_for(secs(10)).unwrap();
    let remote = bench.world.shard_stats(0).streams[0].remote;
    assert_eq!(remote, Some(victim));
    bench.assert_unharmed();
}

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
