use super::*;
use crate::media::feedback::ReceptionReport;
use crate::media::packet::{self, Header};
use crate::media::red::Blocks;
use crate::media::up::Way;
use crate::media::{Codec, Kind};
use crate::shard::{DownTrackConfig, UpTrackConfig};
use crate::transport::srtp::{Keying, Opener, Profile, RTP_OVERHEAD};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

const OPUS: u8 = 111;
const RED: u8 = 63;
const SSRC: u32 = 4_000;
/// Number of the first packet at the publisher.
const FIRST: u64 = 70_000;

/// Sound of a publisher, and one receiver.
struct Scene {
    now: Instant,
    ups: Vec<UpTrack>,
    down: DownTrack,
    sealer: Sealer,
    opener: Opener,
    drops: Drops,
    log: SendLog,
    /// Every datagram that left, by its number.
    left: HashMap<u64, Vec<u8>>,
}

/// A datagram that a receiver has opened.
#[derive(Debug, PartialEq)]
struct Opened {
    payload_type: u8,
    /// It has a transport-wide number.
    is_stamped: bool,
    /// How much older the earlier ones are, in packets.
    earlier: Vec<u32>,
    primary: Vec<u8>,
}

fn voice(at: u64) -> Vec<u8> {
    vec![at as u8; 20 + at as usize % 7]
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let up = UpTrackConfig {
            mid: "0".to_owned(),
            rid: None,
            ssrc: Some(7),
            kind: Kind::Audio,
            codec: Codec::Opus,
            payload_type: OPUS,
            extensions: Default::default(),
            red: None,
            rtx: None,
            feedback: Default::default(),
        };
        let profile = Profile::Gcm128;
        let material = vec![7; profile.keying_material_len()];
        let (keying, _) = Keying::split(profile, &material).unwrap();
        Self {
            now,
            ups: vec![UpTrack::new(now, up)],
            down: DownTrack::new(Self::config(Some(RED), false), Codec::Opus),
            sealer: Sealer::new(&keying).unwrap(),
            opener: Opener::new(&keying).unwrap(),
            drops: Drops::default(),
            log: SendLog::new(now),
            left: HashMap::new(),
        }
    }

    fn config(red: Option<u8>, transport_cc: bool) -> DownTrackConfig {
        DownTrackConfig {
            mid: "0".to_owned(),
            encodings: vec![0],
            publisher: 0,
            ssrc: SSRC,
            payload_type: OPUS,
            red,
            rtx: None,
            transport_cc,
        }
    }

    /// A packet comes from the publisher, and is sent on.
    fn arrive(&mut self, at: u64) -> Option<Opened> {
        self.now += Duration::from_millis(20);
        let seqno = FIRST + at;
        let timestamp = at as u32 * 960;
        let mut packet = vec![0; 40];
        let header_len = packet::write_bare(&mut packet).unwrap();
        packet.truncate(header_len);
        packet[0] &= !PADDED;
        packet::patch(packet.first_chunk_mut().unwrap(), OPUS, 0, timestamp, 7);
        packet.extend_from_slice(&voice(at));
        let header = Header::parse(&packet).unwrap();
        let way = Way::Direct;
        let kept = self.ups[0].keep(
            self.now, &header, seqno, timestamp, header_len, &packet, way,
        );
        self.ups[0].clear_pending();
        kept.ok()?;
        let mut outlet = Outlet {
            now: self.now,
            sealer: &self.sealer,
            log: Some(&mut self.log),
        };
        let mut out = [0; MAX_DATAGRAM];
        let packet = self.ups[0].packet(seqno).unwrap();
        let (ups, drops) = (&self.ups, &mut self.drops);
        let len = forward(&mut outlet, &mut self.down, ups, 0, packet, drops, &mut out)?;
        Some(self.check(&out[..len]))
    }

    /// What left must be what left before under its number.
    fn check(&mut self, datagram: &[u8]) -> Opened {
        let header = Header::parse(datagram).unwrap();
        let number = u64::from(header.seqno);
        let before = self.left.entry(number).or_insert_with(|| datagram.to_vec());
        assert_eq!(before, datagram, "two packets under number {number}");
        assert!(datagram.len() <= 1_200);
        let mut payload = vec![0; datagram.len() - header.len - RTP_OVERHEAD];
        self.opener
            .open_rtp(datagram, SSRC, number, header.len, &mut payload)
            .unwrap();
        let payload_type = header.payload_type;
        let is_stamped = datagram[16..20] != [0; 4];
        if payload_type == OPUS {
            return Opened {
                payload_type,
                is_stamped,
                earlier: Vec::new(),
                primary: payload,
            };
        }
        let blocks = Blocks::parse(&payload, OPUS).unwrap();
        let at = u64::from(header.timestamp / 960);
        let earlier = blocks.earlier().iter().map(|earlier| {
            let steps = earlier.offset / 960;
            assert_eq!(payload[earlier.range()], voice(at - u64::from(steps)));
            steps
        });
        Opened {
            payload_type,
            is_stamped,
            earlier: earlier.collect(),
            primary: payload[blocks.primary()..].to_vec(),
        }
    }

    /// The receiver asks for a packet: whether it gets it.
    fn ask(&mut self, number: u16) -> bool {
        self.now += Duration::from_secs(2);
        let number = self.down.nacked(number);
        let Some(origin) = self.down.origin(number) else {
            return false;
        };
        let Some((meta, bytes)) = self.ups[0].packet(origin.up) else {
            return false;
        };
        let label = origin.run.label(number, meta);
        if self.down.repair(self.now, None, &label, meta) != Ok(None) {
            return false;
        }
        let mut outlet = Outlet {
            now: self.now,
            sealer: &self.sealer,
            log: Some(&mut self.log),
        };
        let mut out = [0; MAX_DATAGRAM];
        let packet = (&self.ups[0], meta, bytes);
        let sealed = seal_again(&mut outlet, &self.down, packet, &label, &mut out);
        let Some(len) = sealed else {
            return false;
        };
        self.check(&out[..len]);
        true
    }

    fn report(&mut self, share: f64) {
        self.down.reported(&ReceptionReport {
            ssrc: SSRC,
            fraction_lost: (share * 256.0) as u8,
            ..ReceptionReport::default()
        });
    }
}

#[test]
fn who_loses_sound_is_sent_it_more_than_once_until_it_is_well() {
    let mut scene = Scene::new();
    for at in 0..60 {
        let opened = scene.arrive(at).unwrap();
        assert_eq!((opened.payload_type, opened.primary), (OPUS, voice(at)));
    }
    scene.report(0.01);
    assert_eq!(
        scene.arrive(60).unwrap().payload_type,
        OPUS,
        "one in a hundred"
    );
    for at in 61..120 {
        scene.arrive(at).unwrap();
    }
    scene.report(0.1);
    for at in 120..180 {
        let opened = scene.arrive(at).unwrap();
        assert_eq!((opened.payload_type, opened.primary), (RED, voice(at)));
        assert!(!opened.earlier.is_empty());
    }
    assert_eq!(scene.down.figures().redundant, 60);
    // It takes some good reports.
    let mut at = 180;
    for round in 0..20 {
        scene.report(0.0);
        for _ in 0..50 {
            scene.arrive(at).unwrap();
            at += 1;
        }
        assert!(round < 19 || scene.arrive(at).unwrap().payload_type == OPUS);
    }
    let sent = scene.down.figures().redundant;
    assert!((200..1_000).contains(&sent), "{sent}");
}

#[test]
fn who_asks_for_sound_need_not_report() {
    let mut scene = Scene::new();
    for at in 0..60 {
        scene.arrive(at).unwrap();
    }
    let first = SSRC as u16 + 20;
    for lost in first..first + 6 {
        assert!(scene.ask(lost));
    }
    assert_eq!(scene.arrive(60).unwrap().payload_type, RED);
}

#[test]
fn who_did_not_agree_is_sent_every_packet_once() {
    let mut scene = Scene::new();
    scene.down.agree(&Scene::config(None, false));
    for at in 0..300 {
        assert_eq!(scene.arrive(at).unwrap().payload_type, OPUS);
        scene.report(0.3);
        scene.ask(SSRC as u16 + at as u16);
    }
    assert!(!scene.down.is_redundant());
}

#[test]
fn what_is_too_long_goes_alone() {
    let mut scene = Scene::new();
    for at in 0..60 {
        scene.arrive(at).unwrap();
    }
    scene.report(0.2);
    assert_eq!(scene.arrive(60).unwrap().payload_type, RED);
    // Nothing is known of what was before a gap as long as this.
    assert_eq!(scene.arrive(90).unwrap().payload_type, OPUS);
}

/// Sound of which many packets in a row were asked for.
fn lossy() -> Scene {
    let mut scene = Scene::new();
    for at in 0..120 {
        scene.arrive(at).unwrap();
    }
    for burst in [20, 60, 90] {
        for lost in burst..burst + 8 {
            assert!(scene.ask(SSRC as u16 + lost));
        }
    }
    scene
}

#[test]
fn against_bursts_go_copies_that_are_farther_from_the_packet() {
    let mut scene = Scene::new();
    for at in 0..120 {
        scene.arrive(at).unwrap();
    }
    for single in 0..12 {
        assert!(scene.ask(SSRC as u16 + 20 + 5 * single));
    }
    assert_eq!(scene.arrive(120).unwrap().earlier, [4, 2]);
    let mut scene = lossy();
    assert_eq!(scene.arrive(120).unwrap().earlier, [13, 9, 4]);
}

#[test]
fn a_path_that_shrinks_carries_fewer_copies_at_once() {
    let mut scene = lossy();
    let mut at = 120;
    let mut copies = |scene: &mut Scene, room| {
        scene.down.afford(Some(room));
        at += 1;
        scene.arrive(at - 1).unwrap().earlier.len()
    };
    assert_eq!(copies(&mut scene, 5_000_000), 3);
    assert_eq!(copies(&mut scene, 900_000), 2);
    assert_eq!(copies(&mut scene, 700_000), 1);
    assert_eq!(copies(&mut scene, 200_000), 0);
    assert_eq!(copies(&mut scene, 5_000_000), 3);
    // Also while so little is lost that it would not begin, but goes on.
    for _ in 0..8 {
        for _ in 0..50 {
            copies(&mut scene, 5_000_000);
        }
        scene.report(0.0);
    }
    assert_eq!(copies(&mut scene, 5_000_000), 3);
    assert_eq!(copies(&mut scene, 1_000_000), 1, "a smaller share of it");
    assert_eq!(copies(&mut scene, 200_000), 0);
}

/// Chromium asks without having said so in its answer.
#[test]
fn who_asks_for_sound_is_sent_it_without_numbers_of_the_transport_and_then_again() {
    let mut scene = Scene::new();
    scene.down = DownTrack::new(Scene::config(Some(RED), true), Codec::Opus);
    for at in 0..60 {
        assert!(scene.arrive(at).unwrap().is_stamped);
    }
    assert!(!scene.ask(SSRC as u16 + 40), "it would be another packet");
    assert!(!scene.arrive(60).unwrap().is_stamped);
    assert!(scene.ask(SSRC as u16 + 60));
    assert!(!scene.ask(SSRC as u16 + 59));
}

#[derive(Debug, Clone)]
enum Step {
    /// So many packets come, after so many that are late.
    Come(u8, u8),
    /// One of the late ones comes.
    Late,
    /// So far back.
    Ask(u8),
    Report(u8),
    Agree(Option<u8>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..30_u8, 0..4_u8).prop_map(|(come, late)| Step::Come(come, late)),
        2 => Just(Step::Late),
        6 => (0..200_u8).prop_map(Step::Ask),
        3 => (0..60_u8).prop_map(Step::Report),
        1 => (prop_oneof![Just(None), Just(Some(RED)), Just(Some(RED + 1))], any::<bool>())
            .prop_map(|(red, transport_cc)| Step::Agree(red, transport_cc)),
    ]
}

proptest! {
    /// AES-GCM gives its key away otherwise.
    #[test]
    fn under_one_number_there_is_one_packet(
        steps in prop::collection::vec(step(), 1..80),
        transport_cc in any::<bool>(),
    ) {
        let mut scene = Scene::new();
        scene.down = DownTrack::new(Scene::config(Some(RED), transport_cc), Codec::Opus);
        let mut next = 0;
        let mut late = Vec::new();
        for step in steps {
            match step {
                Step::Come(come, gap) => {
                    for _ in 0..gap {
                        late.push(next);
                        next += 1;
                    }
                    for _ in 0..come {
                        scene.arrive(next);
                        next += 1;
                    }
                }
                Step::Late => if let Some(at) = late.pop() {
                    scene.arrive(at);
                },
                Step::Ask(back) => {
                    let newest = scene.left.keys().max().copied().unwrap_or(0);
                    scene.ask((newest as u16).wrapping_sub(u16::from(back)));
                }
                Step::Report(lost) => scene.report(f64::from(lost) / 256.0),
                Step::Agree(red, transport_cc) => {
                    scene.down.agree(&Scene::config(red, transport_cc));
                }
            }
        }
    }
}
