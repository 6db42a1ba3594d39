use super::*;
use crate::media::red;
use crate::transport::description::{ExtensionIds, Feedback, Repair};
use crate::transport::srtp::{Keying, Profile, RTP_OVERHEAD, Sealer};
use std::path::Path;

/// The packets of a capture (`tests/fixtures/rtp/README.md`).
fn capture(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rtp");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let mut rest = bytes.as_slice();
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        packets.push(packet.to_vec());
        rest = after;
    }
    packets
}

/// A track to which packets come as from the network: sealed.
struct Bench {
    track: UpTrack,
    sealer: Sealer,
    opener: Opener,
    now: Instant,
}

impl Bench {
    fn new(codec: Codec) -> Self {
        let profile = Profile::Gcm128;
        let material = vec![7; profile.keying_material_len()];
        let (keying, _) = Keying::split(profile, &material).unwrap();
        let now = Instant::now();
        let config = UpTrackConfig {
            mid: "0".to_owned(),
            rid: None,
            ssrc: None,
            kind: codec.kind(),
            codec,
            payload_type: 96,
            extensions: ExtensionIds::default(),
            red: None,
            rtx: None,
            feedback: Feedback::default(),
        };
        Self {
            track: UpTrack::new(now, config),
            sealer: Sealer::new(&keying).unwrap(),
            opener: Opener::new(&keying).unwrap(),
            now,
        }
    }

    fn receive(&mut self, packet: &[u8]) -> Received {
        self.try_receive(packet).unwrap()
    }

    fn try_receive(&mut self, packet: &[u8]) -> Result<Received, Refusal> {
        self.now += Duration::from_millis(5);
        let header = Header::parse(packet).unwrap();
        let mut sealed = vec![0; packet.len() + RTP_OVERHEAD];
        sealed[..header.len].copy_from_slice(&packet[..header.len]);
        let index = u64::from(header.seqno);
        let payload = &packet[header.len..];
        let len = self
            .sealer
            .seal_rtp(header.ssrc, index, header.len, payload, &mut sealed)
            .unwrap();
        let mut scratch = [0; SLOT];
        let (now, sealed, opener) = (self.now, &sealed[..len], &self.opener);
        if header.payload_type == RTX {
            let repaired = self
                .track
                .receive_repair(now, &header, sealed, opener, &mut scratch);
            return repaired.map(Option::unwrap_or_default);
        }
        self.track
            .receive(now, &header, sealed, opener, &mut scratch)
    }
}

/// Of repairs.
const RTX: u8 = 97;

/// A packet of a picture of VP8.
fn vp8(ssrc: u32, at: u16, picture: u32, payload_type: u8, original: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&at.to_be_bytes());
    packet.extend_from_slice(&(picture * 3_000).to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(original);
    packet.extend_from_slice(&[0, 1, 2, 3]);
    packet
}

#[test]
fn a_late_packet_of_an_ssrc_that_is_gone_breaks_no_picture_of_the_next() {
    let mut bench = Bench::new(Codec::Vp8);
    bench.receive(&vp8(7, 100, 1, 96, &[]));
    bench.receive(&vp8(7, 102, 1, 96, &[]));
    bench.receive(&vp8(8, 500, 70, 96, &[]));
    let late = bench.try_receive(&vp8(7, 101, 1, 96, &[]));
    assert_eq!(late, Err(Refusal::Stale));
    bench.receive(&vp8(8, 501, 70, 96, &[]));
    let pending = bench.track.pending().iter();
    let taken: Vec<_> = pending
        .map(|seqno| (*seqno, bench.track.packet(*seqno).unwrap().0.timestamp))
        .collect();
    let [.., (last, _), (first, of_first), (second, of_second)] = taken[..] else {
        panic!("{taken:?}");
    };
    assert_eq!((first, second), (last + 1, last + 2));
    assert_eq!(of_first, of_second, "of one picture");
    // It may come back for good.
    bench.now += Duration::from_secs(2);
    bench.receive(&vp8(7, 103, 80, 96, &[]));
}

#[test]
fn a_repair_for_an_ssrc_that_is_gone_does_not_stop_the_next() {
    let mut bench = Bench::new(Codec::Vp8);
    let mut config = bench.track.config().clone();
    config.rtx = Some(Repair {
        payload_type: RTX,
        ssrc: None,
    });
    bench.track.reconfigure(config);
    bench.receive(&vp8(7, 100, 1, 96, &[]));
    bench.receive(&vp8(7, 102, 1, 96, &[]));
    let repair = |at, original: u16| vp8(70, at, 1, RTX, &original.to_be_bytes());
    bench.receive(&repair(1, 101));
    assert_eq!(bench.track.pending().len(), 3);
    for at in 50_000..50_010 {
        bench.receive(&vp8(8, at, 70, 96, &[]));
        // It was under way.
        let late = bench.try_receive(&repair(at - 49_998, 99));
        assert_eq!(late, Err(Refusal::Stale));
    }
    assert_eq!(bench.track.pending().len(), 13);
}

/// A packet of H.264: a delta picture's slice, parameter sets, or a keyframe's slice.
fn h264(at: u16, picture: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&at.to_be_bytes());
    packet.extend_from_slice(&(picture * 3_000).to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 7]);
    packet.extend_from_slice(payload);
    packet
}

#[test]
fn a_keyframe_begins_with_its_parameter_sets_also_if_they_are_late() {
    const DELTA: &[u8] = &[0x41, 0x9a, 1, 2];
    const SETS: &[u8] = &[0x78, 0, 4, 0x67, 66, 0, 30, 0, 2, 0x68, 0xce];
    const KEY: &[u8] = &[0x65, 0x88, 1, 2];
    let mut bench = Bench::new(Codec::H264);
    let mut begins = |at, picture, payload| bench.receive(&h264(at, picture, payload)).keyframe;
    assert!(begins(10, 1, SETS));
    assert!(!begins(11, 1, KEY));
    assert!(!begins(12, 2, DELTA));
    // The sets are lost, and come again.
    assert!(!begins(14, 3, KEY), "who begins here never gets the sets");
    assert!(!begins(15, 4, DELTA));
    assert!(begins(13, 3, SETS));
    // A sender that gave them elsewhere begins with the slice.
    assert!(begins(16, 5, KEY));
    let mut bench = Bench::new(Codec::H264);
    assert!(bench.receive(&h264(10, 1, KEY)).keyframe);
}

const OPUS: u8 = 96;
const RED: u8 = 63;
/// Units of the clock rate of one packet of 20 ms.
const STEP: u32 = 960;

impl Bench {
    fn with_red() -> Self {
        let mut bench = Self::new(Codec::Opus);
        let mut config = bench.track.config().clone();
        config.red = Some(RED);
        config.feedback.nack = true;
        bench.track.reconfigure(config);
        bench
    }

    /// What is asked for a while from now.
    fn asked(&mut self) -> Vec<u16> {
        self.now += Duration::from_millis(50);
        let mut lost = [0; 64];
        let count = self.track.poll_nack(self.now, None, &mut lost);
        lost[..count].to_vec()
    }

    /// The payloads that receivers would be sent since this was last asked, in their order.
    fn taken(&mut self) -> Vec<(u64, u32, Vec<u8>)> {
        let pending = self.track.pending().iter();
        let taken = pending.map(|seqno| {
            let (meta, bytes) = self.track.packet(*seqno).unwrap();
            let header = Header::parse(bytes).unwrap();
            assert_eq!(header.payload_type, OPUS);
            assert_eq!(header.timestamp, meta.timestamp);
            assert!(!header.padding);
            let payload = bytes[usize::from(meta.header_len)..].to_vec();
            (*seqno & 0xffff, meta.timestamp, payload)
        });
        let taken = taken.collect();
        self.track.clear_pending();
        taken
    }
}

fn sound(payload_type: u8, at: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&at.to_be_bytes());
    packet.extend_from_slice(&(u32::from(at) * STEP).to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 7]);
    packet.extend_from_slice(payload);
    packet
}

/// What a packet of sound carries.
fn voice(at: u16) -> Vec<u8> {
    vec![at as u8; 3 + usize::from(at % 5)]
}

/// A packet with those so many before it.
fn redundant(at: u16, distances: &[u16]) -> Vec<u8> {
    let voices: Vec<_> = distances.iter().map(|back| voice(at - back)).collect();
    let offsets = distances.iter().map(|back| u32::from(*back) * STEP);
    let earlier: Vec<_> = offsets.zip(voices.iter().map(Vec::as_slice)).collect();
    let mut payload = [0; 500];
    let len = red::write(&mut payload, OPUS, &earlier, &voice(at)).unwrap();
    sound(RED, at, &payload[..len])
}

fn expected(numbers: &[u16]) -> Vec<(u64, u32, Vec<u8>)> {
    let expected = numbers.iter();
    expected
        .map(|at| (u64::from(*at), u32::from(*at) * STEP, voice(*at)))
        .collect()
}

#[test]
fn redundant_sound_is_unwrapped_and_fills_gaps() {
    let mut bench = Bench::with_red();
    bench.receive(&sound(OPUS, 100, &voice(100)));
    bench.receive(&redundant(101, &[1]));
    assert_eq!(bench.taken(), expected(&[100, 101]), "nothing was missing");
    // The next three are lost; what came with the one behind them is forwarded before it.
    bench.receive(&redundant(105, &[2, 1]));
    assert_eq!(bench.taken(), expected(&[103, 104, 105]));
    assert_eq!(bench.track.figures().restored, 2);
    assert_eq!(bench.asked(), [102], "the rest is not asked for");
    // By itself it comes too late: its number stands for what was forwarded.
    let again = bench.try_receive(&sound(OPUS, 104, &[9; 9]));
    assert_eq!(again, Err(Refusal::Srtp(SrtpError::Replayed)));
    bench.receive(&redundant(102, &[1]));
    assert_eq!(bench.taken(), expected(&[102]));
    assert_eq!(bench.track.reception().lost(), 2, "they never arrived");
}

#[test]
fn what_was_asked_for_and_came_otherwise_is_not_asked_for_again() {
    let mut bench = Bench::with_red();
    bench.receive(&redundant(100, &[]));
    bench.receive(&redundant(103, &[]));
    assert_eq!(bench.asked(), [101, 102]);
    bench.receive(&redundant(104, &[3]));
    bench.now += Duration::from_millis(150);
    assert_eq!(bench.asked(), [102]);
    assert_eq!(bench.taken(), expected(&[100, 103, 101, 104]));
}

#[test]
fn a_number_is_not_guessed() {
    let mut bench = Bench::with_red();
    // Nothing is known of what is before the first.
    bench.receive(&redundant(100, &[2, 1]));
    assert_eq!(bench.taken(), expected(&[100]));
    // Silence: the numbers go on, the time jumps. Which of the two it was cannot be told.
    let mut later = redundant(103, &[1]);
    later[4..8].copy_from_slice(&(150 * STEP + 7).to_be_bytes());
    bench.receive(&later);
    assert_eq!(bench.taken().len(), 1);
    // A single one that is missing can only be that one.
    let mut late = redundant(105, &[1]);
    late[4..8].copy_from_slice(&(152 * STEP).to_be_bytes());
    bench.receive(&late);
    let taken: Vec<_> = bench.taken().iter().map(|one| one.0).collect();
    assert_eq!(taken, [104, 105]);
}

#[test]
fn malformed_redundancy_is_refused_and_changes_nothing() {
    let mut bench = Bench::with_red();
    bench.receive(&redundant(100, &[]));
    for payload in [
        &[][..],
        &[0x80 | OPUS, 1],
        &[0x80 | OPUS, 0, 0, 9, OPUS, 1],
        &[13, 1],
    ] {
        let refused = bench.try_receive(&sound(RED, 101, payload));
        assert_eq!(refused, Err(Refusal::Malformed), "{payload:?}");
    }
    bench.receive(&redundant(102, &[1]));
    assert_eq!(bench.taken(), expected(&[100, 101, 102]));
}

/// The parameter sets and the first slice of an H.264 keyframe are packets of their own: who
/// joins late needs both, and the figures count one keyframe.
#[test]
fn the_replay_of_h264_begins_with_the_parameter_sets() {
    const STAP_A: u8 = 24;
    let packets = capture("h264-chromium.rtp");
    let mut bench = Bench::new(Codec::H264);
    let mut begun = Vec::new();
    for packet in &packets {
        if bench.receive(packet).keyframe {
            begun.push(Header::parse(packet).unwrap().timestamp);
        }
    }
    assert_eq!(begun.len(), 2, "each keyframe begins once");
    assert_ne!(begun[0], begun[1]);
    assert_eq!(bench.track.figures().keyframes, 2);
    let (first, _) = bench.track.replay(bench.now).unwrap();
    let (meta, packet) = bench.track.packet(first).unwrap();
    assert_eq!(packet[usize::from(meta.header_len)] & 0x1F, STAP_A);
    assert_eq!(meta.timestamp, begun[1], "the last keyframe");
}
