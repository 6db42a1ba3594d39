//! Hand-assembled payloads; those of real senders are in `tests/codec.rs`.

use super::*;
use proptest::prelude::*;

const CODECS: [Codec; 8] = [
    Codec::Opus,
    Codec::G722,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::Vp8,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
];

fn read(codec: Codec, payload: &[u8]) -> Flags {
    flags(codec, payload, false, None).unwrap()
}

#[test]
fn a_vp8_descriptor_with_everything_is_read_and_rewritten() {
    // X N S; I L T K; picture id 0x1234; TL0PICIDX 7; TID 2, Y, KEYIDX 3; an interframe.
    let mut payload = [0xB0, 0xF0, 0x92, 0x34, 7, 0xA3, 0x01, 0, 0];
    let flags = read(Codec::Vp8, &payload);
    let expected = Flags {
        start_of_frame: true,
        tid: 2,
        tid_upsync: true,
        discardable: true,
        picture_id: Some(PictureId {
            value: 0x1234,
            wide: true,
            offset: 2,
        }),
        tl0_pic_idx: Some(Tl0PicIdx {
            value: 7,
            offset: 4,
        }),
        ..Flags::default()
    };
    assert_eq!(flags, expected);
    flags.picture_id.unwrap().write(&mut payload, 0x7FFF);
    flags.tl0_pic_idx.unwrap().write(&mut payload, 255);
    assert_eq!(payload, [0xB0, 0xF0, 0xFF, 0xFF, 255, 0xA3, 0x01, 0, 0]);
}

#[test]
fn a_short_picture_id_keeps_its_seven_bits() {
    let mut payload = [0x90, 0xC0, 0x7F, 9, 0x01];
    let flags = read(Codec::Vp8, &payload);
    let id = flags.picture_id.unwrap();
    assert_eq!(
        id,
        PictureId {
            value: 127,
            wide: false,
            offset: 2
        }
    );
    assert_eq!(
        flags.tl0_pic_idx,
        Some(Tl0PicIdx {
            value: 9,
            offset: 3
        })
    );
    id.write(&mut payload, 128 + 5);
    assert_eq!(payload[2], 5);
    // A payload that is not the one that was read does no harm.
    id.write(&mut [], 1);
    PictureId { wide: true, ..id }.write(&mut [0; 3], 1);
}

#[test]
fn a_vp8_keyframe_tells_its_size_and_its_other_packets_are_no_keyframes() {
    let flags = read(
        Codec::Vp8,
        &[0x10, 0x10, 0, 0, 0x9D, 1, 0x2A, 0x80, 0x42, 0x68, 0x81],
    );
    assert!(flags.keyframe && flags.tid_upsync && flags.start_of_frame);
    assert_eq!(flags.size, Some((640, 360)));
    // The second partition of the same frame, and the middle of the first.
    assert!(!read(Codec::Vp8, &[0x11, 0x10]).start_of_frame);
    assert!(!read(Codec::Vp8, &[0x00, 0x10]).keyframe);
    // Cut before the size.
    let flags = read(Codec::Vp8, &[0x10, 0x10, 0, 0, 0x9D]);
    assert_eq!((flags.keyframe, flags.size), (true, None));
}

#[test]
fn a_vp9_packet_of_non_flexible_mode_has_its_layers_and_both_numbers() {
    // I P L B Z; picture id 5; TID 1, U, SID 2, D; TL0PICIDX 200.
    let flags = read(Codec::Vp9, &[0xE9, 5, 0x35, 200, 0x86]);
    let expected = Flags {
        start_of_frame: true,
        tid: 1,
        tid_upsync: true,
        sid: 2,
        sid_non_reference: true,
        picture_id: Some(PictureId {
            value: 5,
            wide: false,
            offset: 1,
        }),
        tl0_pic_idx: Some(Tl0PicIdx {
            value: 200,
            offset: 3,
        }),
        ..Flags::default()
    };
    assert_eq!(flags, expected);
}

#[test]
fn a_vp9_keyframe_has_no_reference_and_the_size_of_its_structure() {
    // L F B V; SID 0; two layers with sizes, a group of two pictures with a reference each.
    let structure = [0x38, 0, 160, 0, 90, 1, 64, 0, 180, 2, 0x04, 1, 0x24, 2];
    let mut payload = vec![0x3A, 0x00];
    payload.extend(structure);
    // An encrypted frame.
    payload.extend([0, 0]);
    let flags = read(Codec::Vp9, &payload);
    assert!(flags.keyframe && flags.sid_upsync && flags.tid_upsync);
    assert_eq!(flags.size, Some((320, 180)));
    // The layer above refers to the one below only: it can be switched to, but not begun with.
    let flags = read(Codec::Vp9, &[0x38, 0x03, 0x86]);
    assert!(!flags.keyframe && flags.sid_upsync);
    assert_eq!(flags.sid, 1);
    assert!(!read(Codec::Vp9, &[0x38, 0x03, 0x00]).keyframe, "encrypted");
    // An intra-only frame keeps references of the decoder.
    assert!(!read(Codec::Vp9, &[0x08, 0x84]).keyframe);
    // A frame that is shown again.
    assert!(!read(Codec::Vp9, &[0x08, 0x88]).keyframe);
}

#[test]
fn vp9_references_of_flexible_mode_end_after_three() {
    // I P F B, id, then references.
    assert!(read(Codec::Vp9, &[0xD8, 1, 0x03, 0x05, 0x06, 0x86]).start_of_frame);
    let endless = flags(
        Codec::Vp9,
        &[0xD8, 1, 0x03, 0x05, 0x07, 0x09, 0x86],
        false,
        None,
    );
    assert_eq!(endless, Err(CodecError::Malformed));
}

#[test]
fn h264_parameter_sets_and_idr_slices_are_keyframes() {
    let keyframes: [&[u8]; 5] = [
        &[0x67, 0x42, 0xE0],
        &[0x65, 0x88, 0x84],
        // STAP-A with SPS and PPS.
        &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE],
        // The first fragment of an IDR slice.
        &[0x7C, 0x85, 0x88],
        &[0x27, 0x42],
    ];
    for payload in keyframes {
        let flags = read(Codec::H264, payload);
        assert!(flags.keyframe && flags.start_of_frame, "{payload:?}");
    }
    let others: [(&[u8], bool); 6] = [
        // The second slice of an IDR picture, and a later fragment of one.
        (&[0x65, 0x00, 0x84], false),
        (&[0x7C, 0x05, 0x88], false),
        (&[0x7C, 0x45, 0x88], false),
        // A first slice that is no IDR slice, a PPS, an SEI.
        (&[0x61, 0x9A], true),
        (&[0x68, 0xCE], true),
        (&[0x06, 0x05], true),
    ];
    for (payload, start) in others {
        let flags = read(Codec::H264, payload);
        assert!(!flags.keyframe, "{payload:?}");
        assert_eq!(flags.start_of_frame, start, "{payload:?}");
    }
    assert!(read(Codec::H264, &[0x01, 0x9A]).discardable);
    assert!(!read(Codec::H264, &[0x21, 0x9A]).discardable);
}

#[test]
fn h264_that_nobody_negotiated_is_malformed() {
    for kind in [0, 25, 26, 27, 29, 30, 31] {
        let result = flags(Codec::H264, &[0x60 | kind, 0, 0, 0], false, None);
        assert_eq!(result, Err(CodecError::Malformed), "type {kind}");
    }
    for aggregate in [
        &[0x78][..],
        &[0x78, 0],
        &[0x78, 0, 9, 0x67],
        &[0x78, 0, 1, 0x67, 0],
    ] {
        assert!(
            flags(Codec::H264, aggregate, false, None).is_err(),
            "{aggregate:?}"
        );
    }
}

#[test]
fn av1_keyframes_begin_a_sequence() {
    // N, W = 1, a sequence header; the same without N; W = 0 with lengths.
    assert!(read(Codec::Av1, &[0x18, 0x08, 0]).keyframe);
    assert!(read(Codec::Av1, &[0x10, 0x08, 0]).keyframe);
    assert!(read(Codec::Av1, &[0x08, 2, 0x0A, 0, 1, 0x30]).keyframe);
    // A frame with the layers of its extension: TID 2, SID 1.
    let flags = read(Codec::Av1, &[0x10, 0x34, 0x48, 0]);
    assert_eq!(
        (flags.keyframe, flags.start_of_frame, flags.tid, flags.sid),
        (false, true, 2, 1)
    );
    // The rest of an OBU whose first byte looks like a sequence header.
    let flags = read(Codec::Av1, &[0x90, 0x08, 0]);
    assert!(!flags.keyframe && !flags.start_of_frame);
    for bad in [
        &[0x88, 0x08][..],
        &[0x10, 0x88],
        &[0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
    ] {
        let result = super::flags(Codec::Av1, bad, false, None);
        assert_eq!(result, Err(CodecError::Malformed), "{bad:?}");
    }
}

#[test]
fn the_dependency_descriptor_tells_where_frames_end() {
    let payload = [0x10, 0x34, 0x48, 0];
    let flags = |descriptor| super::flags(Codec::Av1, &payload, true, Some(descriptor));
    let middle = flags(&[0x01, 0, 5]).unwrap();
    assert!(!middle.start_of_frame && !middle.end_of_frame && middle.end_of_picture);
    let whole = flags(&[0xC1, 0, 5]).unwrap();
    assert!(whole.start_of_frame && whole.end_of_frame);
    assert_eq!(flags(&[0xC1, 0]), Err(CodecError::Truncated));
}

#[test]
fn sound_is_whole_frames_and_opus_says_when_it_is_silent() {
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma] {
        let flags = read(codec, &[0x78, 1, 2, 3]);
        assert!(flags.start_of_frame && flags.end_of_frame && flags.end_of_picture);
        assert!(!flags.keyframe && !flags.silence);
    }
    assert!(read(Codec::Opus, &[0x78]).silence);
    assert!(read(Codec::Opus, &[0x78, 0]).silence);
}

#[test]
fn padding_is_empty_for_every_codec() {
    for codec in CODECS {
        assert_eq!(flags(codec, &[], true, None), Err(CodecError::Empty));
    }
}

#[test]
fn a_frame_of_an_unknown_template_wants_its_structure() {
    // Two templates from id 62: (0,0) and (0,1); one target; no chain; no sizes.
    // 62 | 0 | 01 11 | 10 01 | 0 0 | 0 | 0
    let bits = "111110 00000 01 11 10 01 0 0 0 0".replace(' ', "");
    let mut descriptor = vec![0xFE, 0, 1];
    let bits = format!("10000{bits:0<27}");
    for byte in 0..4 {
        descriptor.push(u8::from_str_radix(&bits[8 * byte..8 * byte + 8], 2).unwrap());
    }
    assert!(dependency::has_structure(&descriptor));
    let structure = dependency::Structure::parse(&descriptor).unwrap().unwrap();
    assert_eq!(structure.targets().collect::<Vec<_>>(), [(0, 1)]);
    let frame = structure.frame(&[0xFF, 0, 2]).unwrap();
    assert_eq!((frame.sid, frame.tid), (0, 1));
    let mut flags = Flags::default();
    frame.apply(&structure, &mut flags);
    assert!(flags.discardable && flags.tid == 1);
    assert_eq!(structure.frame(&[0xC0, 0, 3]), Err(CodecError::NoStructure));
    // With the structure, the sender says that it sends no target for now.
    descriptor[3] |= 0x40;
    let frame = structure.frame(&descriptor).unwrap();
    assert_eq!(frame.active_targets, Some(0));
    descriptor[3] &= !0x40;
    assert_eq!(
        structure.frame(&descriptor).unwrap().active_targets,
        Some(1)
    );
    for end in 0..descriptor.len() {
        let _ = dependency::Structure::parse(&descriptor[..end]);
        let _ = structure.frame(&descriptor[..end]);
    }
}

proptest! {
    #[test]
    fn random_payloads_never_panic(
        mut payload in prop::collection::vec(any::<u8>(), 0..64),
        descriptor in prop::collection::vec(any::<u8>(), 0..80),
        marker in any::<bool>(),
    ) {
        for codec in CODECS {
            if let Ok(flags) = flags(codec, &payload, marker, Some(&descriptor)) {
                let before = payload.clone();
                if let Some(id) = flags.picture_id {
                    id.write(&mut payload, id.value);
                }
                if let Some(index) = flags.tl0_pic_idx {
                    index.write(&mut payload, index.value);
                }
                prop_assert_eq!(&payload, &before);
            }
        }
    }

    #[test]
    fn random_descriptors_never_panic(
        mut descriptor in prop::collection::vec(any::<u8>(), 3..120),
        other in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        if let Some(flags) = descriptor.get_mut(3) {
            *flags |= 0x80;
        }
        if let Ok(Some(structure)) = dependency::Structure::parse(&descriptor) {
            for descriptor in [&descriptor, &other] {
                if let Ok(frame) = structure.frame(descriptor) {
                    frame.apply(&structure, &mut Flags::default());
                }
            }
        }
    }
}
