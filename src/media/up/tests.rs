use super::*;
use crate::transport::description::{ExtensionIds, Feedback};
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
        self.track
            .receive(
                self.now,
                &header,
                &sealed[..len],
                &self.opener,
                &mut scratch,
            )
            .unwrap()
    }
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
