use super::stream::{Decoder, Encoder, Name, down_config, up_config, written};
use super::*;
use crate::media::layer::Rung;
use crate::transport::description::Rtx;
use proptest::prelude::*;

fn packet(seqno: u64, keyframe: bool) -> Meta {
    Meta {
        seqno,
        timestamp: seqno as u32 * 3_000,
        keyframe,
        ..Meta::default()
    }
}

#[test]
fn under_another_codec_old_packets_keep_their_label() {
    let now = Instant::now();
    let mut track = DownTrack::new(down_config(&[0]), Codec::Vp8);
    assert_eq!(track.forward(now, 0, &packet(70, false), &[]), None);
    let first = track.forward(now, 0, &packet(71, true), &[]).unwrap();
    assert_eq!((first.number, first.payload_type), (1_000, 96));
    track.select(&[0], Codec::Vp9, 98);
    assert_eq!(track.forward(now, 0, &packet(72, false), &[]), None);
    let next = track.forward(now, 0, &packet(80, true), &[]).unwrap();
    assert_eq!((next.number, next.payload_type), (1_001, 98));
    let old = track.origin(first.number).unwrap();
    assert_eq!((old.up, old.run.payload_type), (71, 96));
    assert_eq!(track.origin(next.number).unwrap().run.payload_type, 98);
}

#[test]
fn a_packet_is_labelled_once_whoever_brings_it() {
    let now = Instant::now();
    let mut track = DownTrack::new(down_config(&[0]), Codec::Vp8);
    let packets = [packet(71, true), packet(72, false), packet(74, false)];
    for meta in &packets {
        assert!(track.forward(now, 0, meta, &[]).is_some());
    }
    // Replayed, they go out as they wait for the path.
    for meta in &packets {
        assert_eq!(track.forward(now, 0, meta, &[]), None);
    }
    let late = packet(73, false);
    assert_eq!(track.forward(now, 0, &late, &[]).unwrap().number, 1_002);
    assert_eq!(track.forward(now, 0, &late, &[]), None);
}

#[test]
fn what_was_counted_under_one_codec_is_not_counted_under_the_next() {
    let mut track = DownTrack::new(down_config(&[0]), Codec::Vp8);
    let meta = Meta {
        len: 100,
        header_len: 12,
        ..packet(1, true)
    };
    let counted = |track: &DownTrack| {
        let figures = track.figures_of_codec();
        (figures.packets, figures.bytes, figures.nacks)
    };
    track.sent(&meta);
    track.nacked(1_000);
    track.select(&[], Codec::Vp8, 96);
    track.select(&[0], Codec::Vp8, 96);
    track.sent(&meta);
    assert_eq!(counted(&track), (2, 200, 1));
    track.select(&[0], Codec::Vp9, 98);
    assert_eq!(counted(&track), (0, 0, 0));
    track.sent(&meta);
    assert_eq!(counted(&track), (1, 100, 0));
    assert_eq!(track.figures().packets, 3, "sender reports go on");
}

#[test]
fn a_packet_that_its_repair_has_overtaken_is_not_sent_again() {
    let now = Instant::now();
    let rtx = Rtx {
        payload_type: 97,
        ssrc: 1_001,
    };
    for rtx in [Some(rtx), None] {
        let config = DownTrackConfig {
            rtx,
            ..down_config(&[0])
        };
        let mut track = DownTrack::new(config, Codec::Vp8);
        let meta = |seqno| Meta {
            len: 1_000,
            header_len: 20,
            ..packet(seqno, seqno == 70)
        };
        let send = |track: &mut DownTrack, seqno| {
            let label = track.forward(now, 0, &meta(seqno), &[]);
            if label.is_some() {
                track.sent(&meta(seqno));
            }
            label
        };
        let first = send(&mut track, 70).unwrap();
        send(&mut track, 73).unwrap();
        // It came late, waits for the path, and is asked for meanwhile.
        let number = track.nacked(first.number as u16 + 1);
        let origin = track.origin(number).unwrap();
        assert_eq!(origin.up, 71);
        let label = origin.run.label(number, &meta(71));
        track.repair(now, None, &label, &meta(71)).unwrap();
        assert_eq!(send(&mut track, 71), None, "its turn has come");
        // One that nobody has asked for yet is sent.
        let late = send(&mut track, 72).unwrap();
        assert_eq!(late.number, first.number + 2);
        assert_eq!(track.figures().packets, 4, "each counts once");
        // Who lacks it all the same may ask again.
        let later = now + Duration::from_secs(1);
        assert!(track.repair(later, None, &label, &meta(71)).is_ok());
    }
}

/// A source of several encodings, and one receiver.
struct Scene {
    now: Instant,
    ups: Vec<UpTrack>,
    encoders: Vec<Encoder>,
    down: DownTrack,
    decoder: Decoder,
    sent: Vec<(u64, Vec<u8>, Instant)>,
    asked: usize,
}

impl Scene {
    fn new(encodings: usize) -> Self {
        let now = Instant::now();
        let at: Vec<usize> = (0..encodings).collect();
        let up = |at: &usize| UpTrack::new(now, up_config(&at.to_string(), Codec::Vp8));
        let encoder = |at: &usize| Encoder::new(*at as u8, (320 << at, 180 << at));
        Self {
            now,
            ups: at.iter().map(up).collect(),
            encoders: at.iter().map(encoder).collect(),
            down: DownTrack::new(down_config(&at), Codec::Vp8),
            decoder: Decoder::default(),
            sent: Vec::new(),
            asked: 0,
        }
    }

    /// The publisher's clock, as its sender reports tell it.
    fn report(&mut self) {
        for (encoder, up) in self.encoders.iter().zip(&mut self.ups) {
            let info = SenderInfo {
                ntp: NtpTime(77 << 32),
                rtp_time: encoder.timestamp,
                packets: 0,
                octets: 0,
            };
            up.sender_report(self.now, info);
        }
    }

    /// One picture of every encoding that is `sending`, 33 ms after the last.
    fn picture(&mut self, parts: u8, sending: impl Fn(usize) -> bool) {
        self.now += Duration::from_millis(33);
        for at in 0..self.encoders.len() {
            let encoder = &mut self.encoders[at];
            if !sending(at) {
                encoder.timestamp = encoder.timestamp.wrapping_add(3_000);
                continue;
            }
            let numbers = encoder.frame(self.now, 3_000, parts, &mut self.ups[at]);
            for number in numbers {
                if !self.down.stands_in(at as u16) {
                    continue;
                }
                let (meta, bytes) = self.ups[at].packet(number).unwrap();
                if let Some(label) = self.down.forward(self.now, at as u16, meta, &self.ups) {
                    let packet = written(&label, meta, bytes);
                    self.decoder.take(&packet);
                    self.sent.push((label.number, packet, self.now));
                }
            }
        }
    }

    fn choose(&mut self) {
        if let Some(wanted) = self.down.choose(self.now, &self.ups) {
            self.encoders[usize::from(wanted)].wants_keyframe = true;
            self.asked += 1;
        }
    }

    fn pictures(&mut self, count: usize) {
        for _ in 0..count {
            self.picture(2, |_| true);
            self.choose();
        }
    }

    fn aim(&mut self, encoding: u8, tid: u8) {
        self.down.aim(&Rung {
            encoding,
            sid: 0,
            tid,
            bitrate: 0,
        });
        self.choose();
    }

    /// Every packet of the last second is sent again as it was sent first.
    fn assert_repeatable(&self) {
        for (number, packet, at) in self.sent.iter().rev() {
            if self.now.duration_since(*at) > Duration::from_secs(1) {
                break;
            }
            let origin = self.down.origin(*number).unwrap();
            let up = &self.ups[usize::from(origin.run.source)];
            let (meta, bytes) = up.packet(origin.up).unwrap();
            let label = origin.run.label(*number, meta);
            assert!(!label.edit.is_left_out);
            assert_eq!(written(&label, meta, bytes), *packet, "{number}");
        }
    }

    fn last(&self) -> Name {
        *self.decoder.shown.last().unwrap()
    }
}

#[test]
fn the_old_encoding_goes_on_until_the_keyframe_of_the_new() {
    let mut scene = Scene::new(3);
    scene.pictures(10);
    scene.report();
    assert_eq!(scene.last().encoding, 2, "the best without limits");
    scene.down.show(View {
        low: true,
        ..View::default()
    });
    let before = scene.decoder.shown.len();
    scene.choose();
    // The publisher takes its time.
    scene.encoders[0].wants_keyframe = false;
    for _ in 0..5 {
        scene.picture(3, |_| true);
    }
    assert_eq!(scene.last().encoding, 2);
    assert_eq!(scene.decoder.shown.len(), before + 5);
    assert!(!scene.down.take_switched() || scene.last().encoding == 2);
    scene.choose();
    let ours = |scene: &Scene| {
        let last = &scene.sent.last().unwrap().1;
        u32::from_be_bytes([last[4], last[5], last[6], last[7]])
    };
    let last = ours(&scene);
    scene.picture(3, |_| true);
    assert_eq!(scene.last().encoding, 0);
    assert!(scene.last().keyframe);
    assert_eq!(
        ours(&scene).wrapping_sub(last),
        3_000,
        "by the sender reports"
    );
    assert!(scene.down.take_switched() && !scene.down.take_switched());
    assert!(!scene.down.stands_in(2));
    scene.assert_repeatable();
    scene.down.show(View::default());
    scene.pictures(3);
    assert_eq!(scene.last().encoding, 2);
    scene.assert_repeatable();
    let shown = scene.down.shown(&scene.ups);
    assert_eq!(
        (shown.sid, shown.max_sid, shown.tid, shown.max_tid),
        (2, 2, 2, 2)
    );
}

#[test]
fn while_nothing_is_sent_reports_tell_the_time_of_what_was_sent() {
    let mut scene = Scene::new(3);
    scene.pictures(10);
    scene.report();
    let clock = NtpTime(77 << 32);
    let told = |scene: &Scene| {
        let info = scene.down.sender_info(clock, clock, &scene.ups);
        info.unwrap().rtp_time
    };
    assert_eq!(told(&scene), scene.down.last_timestamp());
    // A smaller one is waited for when the path carries nothing at all any more.
    scene.aim(0, 2);
    assert_eq!(scene.down.awaited(), Some(0));
    scene.down.pause();
    assert_eq!(told(&scene), scene.down.last_timestamp());
}

#[test]
fn an_encoding_that_is_no_longer_sent_is_not_waited_for() {
    let mut scene = Scene::new(3);
    // At first, there is no bandwidth for more than the lowest.
    for _ in 0..40 {
        scene.picture(1, |at| at == 0);
        scene.choose();
    }
    assert_eq!(scene.last().encoding, 0);
    assert_eq!(scene.decoder.shown.len(), 40, "from the first picture");
    let asked = scene.asked;
    scene.pictures(40);
    assert_eq!(scene.last().encoding, 2);
    assert!(scene.asked <= asked + 3, "asked {} times", scene.asked);
    let shown = scene.decoder.shown.len();
    for _ in 0..60 {
        scene.picture(1, |at| at < 2);
        scene.choose();
    }
    assert_eq!(scene.last().encoding, 1);
    let missed = shown + 60 - scene.decoder.shown.len();
    assert!(missed < 25, "{missed} pictures at 30 a second");
}

#[test]
fn a_window_gets_pictures_of_its_size() {
    let mut scene = Scene::new(3);
    scene.pictures(10);
    for (window, encoding, tid) in [
        ((640, 360), 1, 2),
        ((100, 100), 0, 2),
        ((1_000, 600), 2, 2),
        ((0, 0), 0, 0),
        ((4_000, 3_000), 2, 2),
    ] {
        scene.down.show(View {
            window: Some(window),
            ..View::default()
        });
        scene.pictures(90);
        let shown = scene.down.shown(&scene.ups);
        assert_eq!((shown.sid, shown.tid), (encoding, tid), "{window:?}");
        let highest = scene
            .decoder
            .shown
            .iter()
            .rev()
            .take(12)
            .map(|name| name.tid)
            .max();
        assert_eq!(highest, Some(tid), "{window:?}");
    }
    scene.assert_repeatable();
}

#[test]
fn lower_temporal_layers_are_had_at_once_and_higher_ones_at_a_switching_point() {
    let mut scene = Scene::new(1);
    scene.pictures(9);
    scene.aim(0, 0);
    let before = scene.decoder.shown.len();
    let asked = scene.asked;
    scene.pictures(40);
    assert_eq!(scene.decoder.shown.len(), before + 10);
    scene.assert_repeatable();
    scene.aim(0, 1);
    scene.pictures(40);
    assert_eq!(scene.decoder.shown.len(), before + 30);
    scene.aim(0, 2);
    scene.pictures(10);
    assert_eq!(scene.asked, asked, "without a keyframe");
    assert_eq!(
        scene
            .last()
            .tid
            .max(scene.decoder.shown.iter().nth_back(1).unwrap().tid),
        2
    );
    scene.assert_repeatable();
}

#[test]
fn a_number_that_was_kept_free_for_a_packet_that_is_left_out_is_padding() {
    let mut scene = Scene::new(1);
    scene.pictures(5);
    scene.aim(0, 0);
    scene.pictures(8);
    // A picture of layer 0, one of layer 2 that is late, one of layer 1, one of layer 2, and the
    // next of layer 0.
    assert_eq!(scene.encoders[0].since_key(), 13);
    scene.pictures(3);
    let forward = |scene: &mut Scene, number: u64| {
        let (meta, _) = scene.ups[0].packet(number).unwrap();
        scene.down.forward(scene.now, 0, meta, &scene.ups)
    };
    let all: Vec<u64> = (0..5)
        .flat_map(|_| scene.encoders[0].frame(scene.now, 3_000, 1, &mut scene.ups[0]))
        .collect();
    let first = forward(&mut scene, all[0]).unwrap();
    assert!(forward(&mut scene, all[2]).is_none());
    assert!(forward(&mut scene, all[3]).is_none());
    let next = forward(&mut scene, all[4]).unwrap();
    assert_eq!(next.number, first.number + 2, "all[1] may have to be sent");
    assert!(forward(&mut scene, all[1]).is_none());
    let origin = scene.down.origin(first.number + 1).unwrap();
    assert_eq!(origin.up, all[1]);
    let (meta, _) = scene.ups[0].packet(origin.up).unwrap();
    assert!(origin.run.label(first.number + 1, meta).edit.is_left_out);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Aim(u8, u8),
    Window(u16),
    Keyframe(usize),
    Report,
    Pause(usize),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        (0..4_u8, 0..3_u8).prop_map(|(encoding, tid)| Act::Aim(encoding, tid)),
        prop_oneof![Just(0_u16), 100..1_500_u16].prop_map(Act::Window),
        (0..3_usize).prop_map(Act::Keyframe),
        Just(Act::Report),
        (0..4_usize).prop_map(Act::Pause),
    ];
    proptest::collection::vec((1..40_usize, act), 1..25)
}

proptest! {
    #[test]
    fn whatever_is_wanted_the_decoder_can_follow(acts in acts(), encodings in 1..4_usize, parts in 1..4_u8) {
        let mut scene = Scene::new(encodings);
        let mut paused = 9;
        scene.choose();
        for (pictures, act) in acts {
            for _ in 0..pictures {
                scene.picture(parts, |at| at != paused || encodings == 1);
                scene.choose();
            }
            match act {
                Act::Aim(encoding, tid) => scene.aim(encoding, tid),
                Act::Window(width) => scene.down.show(View {
                    window: Some((width, width / 2)),
                    ..View::default()
                }),
                Act::Keyframe(at) => {
                    if let Some(encoder) = scene.encoders.get_mut(at) {
                        encoder.wants_keyframe = true;
                    }
                }
                Act::Report => scene.report(),
                Act::Pause(at) => paused = at,
            }
        }
        scene.assert_repeatable();
        prop_assert!(!scene.decoder.shown.is_empty());
    }
}

/// Real packets, kept by a track: their numbers, in order.
fn capture(name: &str, codec: Codec) -> (UpTrack, Vec<u64>) {
    use crate::media::packet::{Header, write_forwarded};
    use crate::transport::description::{Extension, ExtensionIds};
    let path = format!("{}/tests/fixtures/rtp/{name}", env!("CARGO_MANIFEST_DIR"));
    let truth = std::fs::read(format!("{path}.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_slice(&truth).unwrap();
    let mut ids = ExtensionIds::default();
    let id = truth["extension"].as_u64().unwrap_or(0);
    ids[Extension::DependencyDescriptor as usize] = id as u8;
    let bytes = std::fs::read(format!("{path}.rtp")).unwrap();
    let now = Instant::now();
    let mut track = UpTrack::new(now, up_config("x", codec));
    let mut numbers = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        let header = Header::parse(packet).unwrap();
        let mut kept = [0; crate::media::cache::SLOT];
        let header_len = write_forwarded(&header, packet, &ids, &mut kept).unwrap();
        let payload = &packet[header.len..];
        let len = header_len + payload.len();
        kept[header_len..len].copy_from_slice(payload);
        let number = 100_000 + numbers.len() as u64;
        let timestamp = header.timestamp;
        track
            .keep(
                now,
                &header,
                number,
                timestamp,
                header_len,
                &kept[..len],
                crate::media::up::Way::Direct,
            )
            .unwrap();
        numbers.push(number);
    }
    // What was not overwritten.
    numbers.retain(|number| track.packet(*number).is_some());
    (track, numbers)
}

/// Real pictures with layers: what is left of them is whole, and each picture ends once.
#[test]
fn what_is_left_of_real_pictures_is_whole() {
    for (name, codec, max_sid) in [
        ("vp8-chromium-l1t3", Codec::Vp8, 0),
        ("vp9-chromium-l1t3", Codec::Vp9, 0),
        ("vp9-chromium-l3t3", Codec::Vp9, 2),
        ("vp9-chromium-l3t3-key", Codec::Vp9, 2),
        ("av1-chromium-l1t3", Codec::Av1, 0),
        ("av1-chromium-l3t3-key", Codec::Av1, 2),
    ] {
        let (up, numbers) = capture(name, codec);
        let ups = [up];
        assert_eq!(ups[0].layers().highest(), (max_sid, 2), "{name}");
        for (sid, tid) in [(0, 0), (0, 1), (0, 2), (1, 2), (max_sid, 1), (2, 2)] {
            let who = format!("{name} up to {sid}, {tid}");
            let mut down = DownTrack::new(down_config(&[0]), codec);
            down.aim(&Rung {
                encoding: 0,
                sid,
                tid,
                bitrate: 0,
            });
            down.choose(Instant::now(), &ups);
            let mut sent: Vec<(u16, bool, u32, Meta)> = Vec::new();
            let mut wanted = 0;
            let mut began = false;
            for number in &numbers {
                let (meta, bytes) = ups[0].packet(*number).unwrap();
                began |= meta.keyframe;
                wanted += usize::from(began && meta.part.sid <= sid && meta.part.tid <= tid);
                let label = down.forward(Instant::now(), 0, meta, &ups);
                if let Some(label) = label {
                    let packet = written(&label, meta, bytes);
                    let header = crate::media::packet::Header::parse(&packet).unwrap();
                    sent.push((header.seqno, header.marker, header.timestamp, *meta));
                }
            }
            assert_eq!(sent.len(), wanted, "{who}");
            assert!(sent.len() > 3, "{who}: {}", sent.len());
            for pair in sent.windows(2) {
                let [(number, ends, timestamp, _), (next, _, later, _)] = pair else {
                    unreachable!();
                };
                assert_eq!(*next, number.wrapping_add(1), "{who}");
                assert_eq!(*ends, timestamp != later, "{who}: a picture ends once");
            }
        }
    }
}
