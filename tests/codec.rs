//! Flags of the packets of real senders, against what ffprobe and Chromium's own encoder said of
//! the frames in them. See `tests/fixtures/rtp/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure of a test is a panic"
)]

use perikon::media::Codec;
use perikon::media::codec::dependency::{Mandatory, Structure};
use perikon::media::codec::{self, CodecError, Flags};
use perikon::media::packet::{Header, without_padding};
use serde::Deserialize;
use std::path::Path;

/// What another program said of a capture.
#[derive(Deserialize)]
struct Truth {
    codec: String,
    /// The id of the dependency descriptor.
    extension: Option<u8>,
    frames: Vec<TrueFrame>,
}

#[derive(Deserialize, Clone, Debug, PartialEq)]
struct TrueFrame {
    #[serde(default)]
    rtp: u32,
    key: bool,
    #[serde(default)]
    sid: u8,
    #[serde(default)]
    tid: u8,
    bytes: usize,
    width: Option<u16>,
    height: Option<u16>,
}

struct Packet {
    header: Header,
    payload: Vec<u8>,
    descriptor: Option<Vec<u8>>,
}

struct Capture {
    codec: Codec,
    packets: Vec<Packet>,
    truth: Truth,
}

fn load(name: &str) -> Capture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rtp");
    let truth = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    let truth: Truth = serde_json::from_slice(&truth).unwrap();
    let bytes = std::fs::read(folder.join(format!("{name}.rtp"))).unwrap();
    let mut rest = bytes.as_slice();
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        let header = Header::parse(packet).unwrap();
        let descriptor = header
            .extensions(packet)
            .find(|&(id, _)| Some(id) == truth.extension)
            .map(|(_, value)| value.to_vec());
        let payload = without_padding(&header, &packet[header.len..]).to_vec();
        packets.push(Packet {
            header,
            payload,
            descriptor,
        });
    }
    assert!(packets.len() > 10);
    Capture {
        codec: truth.codec.parse().unwrap(),
        packets,
        truth,
    }
}

const VIDEO: [&str; 14] = [
    "vp8-ffmpeg",
    "vp8-chromium-l1t1",
    "vp8-chromium-l1t3",
    "vp8-chromium-l1t3-dd",
    "vp9-ffmpeg",
    "vp9-chromium-l1t3",
    "vp9-chromium-l3t3",
    "vp9-chromium-l3t3-key",
    "h264-ffmpeg",
    "h264-stap-ffmpeg",
    "h264-chromium",
    "av1-chromium-l1t1",
    "av1-chromium-l1t3",
    "av1-chromium-l3t3-key",
];

impl Capture {
    /// The flags of every packet, completed from the dependency descriptor where there is one.
    fn flags(&self) -> Vec<Flags> {
        let mut structure = None;
        let read = |packet: &Packet| {
            let descriptor = packet.descriptor.as_deref();
            let marker = packet.header.marker;
            let mut flags = codec::flags(self.codec, &packet.payload, marker, descriptor).unwrap();
            if let Some(descriptor) = descriptor {
                if let Some(new) = Structure::parse(descriptor).unwrap() {
                    structure = Some(new);
                }
                let structure = structure.as_ref().unwrap();
                structure
                    .frame(descriptor)
                    .unwrap()
                    .apply(structure, &mut flags);
            }
            flags
        };
        self.packets.iter().map(read).collect()
    }

    /// The frames that the flags show, up to the last one that is whole.
    fn frames(&self) -> Vec<TrueFrame> {
        let mut frames: Vec<TrueFrame> = Vec::new();
        let mut whole = 0;
        let mut open = false;
        for (packet, flags) in self.packets.iter().zip(self.flags()) {
            if !open {
                assert!(flags.start_of_frame, "a frame without its beginning");
                let (rtp, sid, tid) = (packet.header.timestamp, flags.sid, flags.tid);
                let size = flags.size;
                frames.push(TrueFrame {
                    rtp,
                    key: false,
                    sid,
                    tid,
                    bytes: 0,
                    width: size.map(|(width, _)| width),
                    height: size.map(|(_, height)| height),
                });
            } else if self.codec != Codec::H264 {
                assert!(!flags.start_of_frame, "a frame within a frame");
            }
            let frame = frames.last_mut().unwrap();
            assert_eq!(
                frame.rtp, packet.header.timestamp,
                "a frame of two pictures"
            );
            assert_eq!(
                (frame.sid, frame.tid),
                (flags.sid, flags.tid),
                "two layers in a frame"
            );
            frame.key |= flags.keyframe;
            frame.bytes += packet.payload.len();
            open = !flags.end_of_frame;
            assert!(
                !flags.end_of_picture || !open,
                "a picture that ends within a frame"
            );
            if !open {
                whole = frames.len();
            }
        }
        frames.truncate(whole);
        frames
    }
}

#[test]
fn frames_layers_and_keyframes_are_those_that_were_encoded() {
    for name in VIDEO {
        let capture = load(name);
        let frames = capture.frames();
        let truth = &capture.truth.frames;
        let chromium = truth[0].rtp != 0;
        // A capture from Chromium ends anywhere within its last picture.
        let last = truth.last().unwrap().rtp;
        let certain = truth
            .iter()
            .filter(|frame| !chromium || frame.rtp != last)
            .count();
        assert!((certain..=truth.len()).contains(&frames.len()), "{name}");
        assert!(frames.len() > 10, "{name}");
        for (frame, truth) in frames.iter().zip(truth) {
            assert_eq!(frame.key, truth.key, "{name}: {frame:?} {truth:?}");
            assert_eq!(
                (frame.sid, frame.tid),
                (truth.sid, truth.tid),
                "{name}: {truth:?}"
            );
            if chromium {
                assert_eq!(frame.rtp, truth.rtp, "{name}");
            }
        }
        let keyframes = frames.iter().filter(|frame| frame.key).count();
        assert!(keyframes >= 2, "{name}: {keyframes} keyframes");
        let spatial = frames.iter().map(|frame| frame.sid).max();
        let temporal = frames.iter().map(|frame| frame.tid).max();
        assert_eq!(
            spatial,
            Some(if name.contains("l3") { 2 } else { 0 }),
            "{name}"
        );
        assert_eq!(
            temporal,
            Some(if name.contains("t3") { 2 } else { 0 }),
            "{name}"
        );
    }
}

#[test]
fn keyframes_tell_the_size_that_was_encoded() {
    for name in VIDEO {
        let capture = load(name);
        // Of all spatial layers the highest.
        let sized = capture
            .truth
            .frames
            .iter()
            .filter(|frame| frame.width.is_some());
        let highest = sized.max_by_key(|frame| frame.sid);
        let size = highest.map_or((None, None), |frame| (frame.width, frame.height));
        let mut keyframes = 0;
        for frame in capture.frames().iter().filter(|frame| frame.key) {
            if name.starts_with("av1-chromium-l1") && frame.width.is_none() {
                // With one spatial layer Chromium says the size in the bitstream alone.
                continue;
            }
            let expected = if size.0.is_some() {
                size
            } else {
                (Some(320), Some(180))
            };
            assert_eq!((frame.width, frame.height), expected, "{name}");
            keyframes += 1;
        }
        assert!(keyframes >= 2 || name.starts_with("av1"), "{name}");
    }
}

#[test]
fn payload_and_dependency_descriptor_agree() {
    let mut compared = 0;
    for name in VIDEO {
        let capture = load(name);
        for packet in &capture.packets {
            let Some(descriptor) = packet.descriptor.as_deref() else {
                continue;
            };
            let marker = packet.header.marker;
            let flags = codec::flags(capture.codec, &packet.payload, marker, None).unwrap();
            let mandatory = Mandatory::parse(descriptor).unwrap();
            if flags.keyframe && flags.start_of_frame && mandatory.start_of_frame {
                assert!(Structure::parse(descriptor).unwrap().is_some(), "{name}");
            }
            // AV1 alone cannot tell frames of one picture apart.
            if capture.codec != Codec::Av1 {
                assert_eq!(mandatory.end_of_frame, flags.end_of_frame, "{name}");
            }
            if matches!(capture.codec, Codec::Vp8 | Codec::Vp9) {
                assert_eq!(mandatory.start_of_frame, flags.start_of_frame, "{name}");
            }
            compared += 1;
        }
        // The layers in the payload are those of the extension; VP8 leaves its own out.
        if matches!(capture.codec, Codec::Vp9) && capture.truth.extension.is_some() {
            for (packet, completed) in capture.packets.iter().zip(capture.flags()) {
                let flags = codec::flags(capture.codec, &packet.payload, false, None).unwrap();
                assert_eq!(
                    (flags.sid, flags.tid),
                    (completed.sid, completed.tid),
                    "{name}"
                );
            }
        }
    }
    assert!(compared > 200);
}

#[test]
fn only_frames_of_high_layers_are_discardable() {
    for name in VIDEO {
        let capture = load(name);
        let flags = capture.flags();
        assert!(
            flags
                .iter()
                .all(|flags| flags.tid > 0 || flags.sid > 0 || !flags.discardable)
        );
        // Where Chromium says it: of three temporal layers nothing refers to the highest.
        if name.contains("t3") && capture.codec != Codec::Vp9 {
            let highest = |flags: &&Flags| flags.tid == 2 && flags.sid == 0;
            let discardable = flags
                .iter()
                .filter(highest)
                .filter(|flags| flags.discardable);
            assert!(discardable.count() > 4, "{name}");
        }
    }
}

#[test]
fn picture_ids_and_tl0_indices_count_as_they_should() {
    // ffmpeg writes none, nor does Chromium for VP8 with the dependency descriptor.
    let without = ["vp8-ffmpeg", "vp9-ffmpeg", "vp8-chromium-l1t3-dd"];
    let mut counted = 0;
    for name in VIDEO.into_iter().filter(|name| name.starts_with("vp")) {
        let capture = load(name);
        // Timestamp, picture id and TL0PICIDX of the picture before.
        let mut before: Option<(u32, u16, Option<u8>)> = None;
        for (packet, flags) in capture.packets.iter().zip(capture.flags()) {
            let Some(id) = flags.picture_id else {
                assert!(without.contains(&name), "{name}");
                continue;
            };
            let index = flags.tl0_pic_idx.map(|index| index.value);
            let rtp = packet.header.timestamp;
            if let Some((last_rtp, last_id, last_index)) = before {
                let step = u16::from(rtp != last_rtp);
                let mask = if id.wide { 0x7FFF } else { 0x7F };
                assert_eq!(id.value, (last_id + step) & mask, "{name}");
                if let (Some(index), Some(last_index)) = (index, last_index) {
                    let base = u8::from(step == 1 && flags.tid == 0);
                    assert_eq!(index, last_index.wrapping_add(base), "{name}");
                    counted += 1;
                }
            }
            before = Some((rtp, id.value, index));
        }
    }
    assert!(counted > 30, "{counted}");
}

#[test]
fn rewritten_numbers_are_read_again_and_nothing_else_changes() {
    for name in VIDEO.into_iter().filter(|name| name.starts_with("vp")) {
        let capture = load(name);
        for packet in &capture.packets {
            let marker = packet.header.marker;
            let flags = codec::flags(capture.codec, &packet.payload, marker, None).unwrap();
            let mut payload = packet.payload.clone();
            let Some(id) = flags.picture_id else { continue };
            let value = id.value.wrapping_sub(99) & if id.wide { 0x7FFF } else { 0x7F };
            id.write(&mut payload, value);
            let mut expected = flags;
            expected.picture_id = Some(codec::PictureId { value, ..id });
            if let Some(index) = flags.tl0_pic_idx {
                let value = index.value.wrapping_sub(99);
                index.write(&mut payload, value);
                expected.tl0_pic_idx = Some(codec::Tl0PicIdx { value, ..index });
            }
            let read = codec::flags(capture.codec, &payload, marker, None).unwrap();
            assert_eq!(read, expected, "{name}");
        }
    }
}

#[test]
fn opus_is_silent_when_nothing_is_said() {
    for (name, silent) in [("opus-ffmpeg", false), ("opus-chromium-dtx", true)] {
        let capture = load(name);
        assert_eq!(capture.packets.len(), capture.truth.frames.len());
        let flags = capture.flags();
        for ((packet, flags), truth) in capture
            .packets
            .iter()
            .zip(&flags)
            .zip(&capture.truth.frames)
        {
            assert_eq!(packet.payload.len(), truth.bytes, "{name}");
            assert!(flags.start_of_frame && flags.end_of_frame && !flags.keyframe);
            assert_eq!(flags.silence, truth.bytes <= 2, "{name}");
        }
        assert_eq!(flags.iter().any(|flags| flags.silence), silent, "{name}");
        assert!(flags.iter().any(|flags| !flags.silence), "{name}");
    }
}

#[test]
fn no_packet_truncated_anywhere_panics() {
    for name in VIDEO
        .into_iter()
        .chain(["opus-ffmpeg", "opus-chromium-dtx"])
    {
        let capture = load(name);
        let mut structure = None;
        for packet in &capture.packets {
            // Behind its first hundred bytes nothing of a payload is looked at.
            for end in 0..packet.payload.len().min(100) {
                let payload = &packet.payload[..end];
                let result = codec::flags(capture.codec, payload, true, None);
                assert_eq!(end == 0, result == Err(CodecError::Empty), "{name}");
            }
            let Some(descriptor) = packet.descriptor.as_deref() else {
                continue;
            };
            structure = Structure::parse(descriptor).unwrap().or(structure);
            for end in 0..descriptor.len() {
                let _ = Structure::parse(&descriptor[..end]);
                let _ = structure.as_ref().unwrap().frame(&descriptor[..end]);
                let cut = Some(&descriptor[..end]);
                let _ = codec::flags(capture.codec, &packet.payload, true, cut);
            }
        }
    }
}
