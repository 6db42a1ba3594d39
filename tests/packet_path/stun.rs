//! STUN that is cut, changed, from strangers, or of a thief.

use super::*;
use perikon::sim::World;
use rtc_ice::attributes::control::{AttrControlled, AttrControlling};
use rtc_ice::attributes::use_candidate::UseCandidateAttr;
use rtc_stun::attributes::ATTR_USERNAME;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;

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
