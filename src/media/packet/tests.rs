use super::*;
use proptest::prelude::*;
use rtc_rtp::header::Extension as ReferenceExtension;
use rtc_shared::marshal::{Marshal, Unmarshal};

fn ids(pairs: &[(Extension, u8)]) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for (extension, id) in pairs {
        ids[*extension as usize] = *id;
    }
    ids
}

fn reference(profile: u16, elements: &[(u8, &[u8])], csrc: &[u32], payload: &[u8]) -> Vec<u8> {
    let packet = rtc_rtp::Packet {
        header: rtc_rtp::header::Header {
            version: 2,
            marker: true,
            payload_type: 97,
            sequence_number: 0xfffe,
            timestamp: 0x0102_0304,
            ssrc: 0x0a0b_0c0d,
            csrc: csrc.to_vec(),
            extension: !elements.is_empty(),
            extension_profile: profile,
            extensions: elements
                .iter()
                .map(|(id, value)| ReferenceExtension {
                    id: *id,
                    payload: bytes::Bytes::copy_from_slice(value),
                })
                .collect(),
            ..Default::default()
        },
        payload: bytes::Bytes::copy_from_slice(payload),
    };
    packet.marshal().unwrap().to_vec()
}

#[test]
fn a_header_is_read_as_the_reference_writes_it() {
    let packet = reference(
        0xbede,
        &[(3, b"\x85"), (5, b"12345678")],
        &[7, 8],
        b"payload",
    );
    let header = Header::parse(&packet).unwrap();
    assert!(header.marker && !header.padding);
    assert_eq!(header.payload_type, 97);
    assert_eq!(header.seqno, 0xfffe);
    assert_eq!(header.timestamp, 0x0102_0304);
    assert_eq!(header.ssrc, 0x0a0b_0c0d);
    assert_eq!(&packet[header.len..], b"payload");
    let elements: Vec<_> = header.extensions(&packet).collect();
    assert_eq!(elements, [(3, &b"\x85"[..]), (5, &b"12345678"[..])]);
}

#[test]
fn every_truncation_and_every_other_version_is_refused() {
    let packet = reference(0x1000, &[(1, b"abc"), (20, &[9; 40])], &[1], b"");
    let header = Header::parse(&packet).unwrap();
    for cut in 0..header.len {
        assert_eq!(
            Header::parse(&packet[..cut]),
            Err(PacketError::Truncated),
            "cut at {cut}"
        );
    }
    for version in [0, 1, 3] {
        let mut other = packet.clone();
        other[0] = (other[0] & 0x3f) | (version << 6);
        assert_eq!(Header::parse(&other), Err(PacketError::Version));
    }
}

#[test]
fn forwarded_headers_carry_our_ids_and_nothing_of_the_publishers_transport() {
    let ids = ids(&[
        (Extension::AudioLevel, 9),
        (Extension::Mid, 4),
        (Extension::AbsSendTime, 3),
        (Extension::AbsCaptureTime, 12),
    ]);
    let elements: &[(u8, &[u8])] = &[
        (4, b"0"),
        (12, b"captured"),
        (3, b"now"),
        (9, b"\x7f"),
        (14, b"unknown"),
    ];
    let packet = reference(0xbede, elements, &[1, 2, 3], b"sound");
    let header = Header::parse(&packet).unwrap();
    let mut out = [0xaa; 64];
    let len = write_forwarded(&header, &packet, &ids, &mut out).unwrap();
    patch(out.first_chunk_mut().unwrap(), 111, 500, 0xdead_beef, 42);

    let forwarded = rtc_rtp::header::Header::unmarshal(&mut &out[..len]).unwrap();
    assert_eq!(forwarded.csrc, Vec::<u32>::new());
    assert!(forwarded.marker);
    assert_eq!(
        (
            forwarded.payload_type,
            forwarded.sequence_number,
            forwarded.timestamp,
            forwarded.ssrc
        ),
        (111, 500, 0xdead_beef, 42)
    );
    let elements: Vec<_> = forwarded
        .extensions
        .iter()
        .map(|e| (e.id, e.payload.to_vec()))
        .collect();
    assert_eq!(
        elements,
        [
            (Extension::AbsCaptureTime.own_id(), b"captured".to_vec()),
            (Extension::AudioLevel.own_id(), b"\x7f".to_vec())
        ]
    );
}

#[test]
fn long_elements_are_forwarded_in_two_byte_form() {
    let ids = ids(&[(Extension::DependencyDescriptor, 11)]);
    let descriptor = [0x5a; 200];
    let packet = reference(0x1000, &[(11, &descriptor)], &[], b"obu");
    let header = Header::parse(&packet).unwrap();
    let mut out = [0; 300];
    let len = write_forwarded(&header, &packet, &ids, &mut out).unwrap();
    let forwarded = Header::parse(&out[..len]).unwrap();
    let own = Extension::DependencyDescriptor.own_id();
    assert_eq!(
        forwarded.extensions(&out).collect::<Vec<_>>(),
        [(own, &descriptor[..])]
    );
    for short in 0..len {
        assert_eq!(
            write_forwarded(&header, &packet, &ids, &mut out[..short]),
            None
        );
    }
}

#[test]
fn a_transport_wide_number_has_room_in_every_header() {
    let ids = ids(&[
        (Extension::DependencyDescriptor, 11),
        (Extension::AudioLevel, 5),
    ]);
    let id = Extension::TransportCc.own_id();
    let long = [0x5a; 40];
    let elements: [&[(u8, &[u8])]; 3] = [&[], &[(5, b"\x7f")], &[(11, &long)]];
    for elements in elements {
        let packet = reference(
            if elements.len() == 1 && elements[0].1.len() > 16 {
                0x1000
            } else {
                0xbede
            },
            elements,
            &[],
            b"",
        );
        let header = Header::parse(&packet).unwrap();
        let mut out = [0xaa; 100];
        let len = write_forwarded(&header, &packet, &ids, &mut out).unwrap();
        let before = Header::parse(&out[..len]).unwrap();
        let others: Vec<_> = before
            .extensions(&out)
            .map(|(id, value)| (id, value.to_vec()))
            .collect();
        assert_eq!(others.len(), elements.len());
        stamp(&mut out, 0xabcd);
        let after = rtc_rtp::header::Header::unmarshal(&mut &out[..len]).unwrap();
        let all: Vec<_> = after
            .extensions
            .iter()
            .map(|one| (one.id, one.payload.to_vec()))
            .collect();
        assert_eq!(all[0], (id, vec![0xab, 0xcd]));
        assert_eq!(all[1..], others);
        assert_eq!(Header::parse(&out[..len]).unwrap().len, len);
    }
}

#[test]
fn padding_is_taken_off_and_wrong_padding_leaves_nothing() {
    let mut packet = reference(0, &[], &[], b"abc\0\0\x03");
    packet[0] |= 0x20;
    let header = Header::parse(&packet).unwrap();
    assert_eq!(without_padding(&header, &packet[header.len..]), b"abc");
    assert_eq!(without_padding(&header, b"abc\x09"), b"");
    assert_eq!(without_padding(&header, b"abc\0"), b"");
    assert_eq!(without_padding(&header, b""), b"");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut packet in proptest::collection::vec(any::<u8>(), 0..200),
                              raw in any::<[u8; 16]>()) {
        if let Some(first) = packet.first_mut() {
            *first = (*first & 0x3f) | 0x80;
        }
        if let Ok(header) = Header::parse(&packet) {
            prop_assert!(header.len <= packet.len());
            let mut out = [0; MAX_FORWARDED_HEADER];
            let len = write_forwarded(&header, &packet, &raw, &mut out).unwrap();
            let again = Header::parse(&out[..len]).unwrap();
            prop_assert_eq!(again.len, len);
            prop_assert_eq!(again.seqno, header.seqno);
            without_padding(&header, &packet[header.len..]);
        }
    }
}
