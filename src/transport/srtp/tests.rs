use super::*;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

const PROFILES: [(Profile, ProtectionProfile); 3] = [
    (Profile::Gcm128, ProtectionProfile::AeadAes128Gcm),
    (Profile::Gcm256, ProtectionProfile::AeadAes256Gcm),
    (
        Profile::Cm128Sha1_80,
        ProtectionProfile::Aes128CmHmacSha1_80,
    ),
];

fn material(profile: Profile) -> Vec<u8> {
    (0..profile.keying_material_len())
        .map(|n| (n * 7 + 3) as u8)
        .collect()
}

fn reference(profile: Profile, reference: ProtectionProfile) -> Context {
    let material = material(profile);
    let (key, salt) = (profile.key_len(), profile.salt_len());
    Context::new(
        &material[..key],
        &material[2 * key..2 * key + salt],
        reference,
        None,
        None,
        rtc_crypto::default_provider().unwrap().crypto(),
    )
    .unwrap()
}

fn packet(seqno: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&seqno.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 1, 2, 0xde, 0xad, 0xbe, 0xef]);
    packet.extend_from_slice(payload);
    packet
}

const SSRC: u32 = 0xdead_beef;

fn seal(sealer: &Sealer, plain: &[u8], index: u64) -> Vec<u8> {
    let mut out = vec![0; plain.len() + RTP_OVERHEAD];
    out[..12].copy_from_slice(&plain[..12]);
    let len = sealer
        .seal_rtp(SSRC, index, 12, &plain[12..], &mut out)
        .unwrap();
    out.truncate(len);
    out
}

#[test]
fn sealed_rtp_is_what_the_reference_seals_over_a_roll_over() {
    for (profile, other) in PROFILES {
        let sealer = Sealer::new(&Keying::split(profile, &material(profile)).unwrap().0).unwrap();
        let mut reference = reference(profile, other);
        for index in 65_530_u64..65_545 {
            let plain = packet(index as u16, &[index as u8; 100]);
            let expected = reference.encrypt_rtp(&plain).unwrap();
            assert_eq!(
                seal(&sealer, &plain, index),
                &expected[..],
                "{profile:?} {index}"
            );
        }
    }
}

#[test]
fn opened_rtp_is_what_was_sealed_and_a_changed_bit_is_forged() {
    for (profile, _) in PROFILES {
        let keying = Keying::split(profile, &material(profile)).unwrap().0;
        let (sealer, opener) = (Sealer::new(&keying).unwrap(), Opener::new(&keying).unwrap());
        let plain = packet(7, b"a payload of some length");
        let sealed = seal(&sealer, &plain, 7);
        let len = opener.payload_len(sealed.len(), 12).unwrap();
        let mut out = vec![0; len];
        opener.open_rtp(&sealed, SSRC, 7, 12, &mut out).unwrap();
        assert_eq!(out, &plain[12..]);
        for bit in 0..sealed.len() * 8 {
            // The SSRC is an argument of its own, read from these bytes by the caller.
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                opener.open_rtp(&forged, SSRC, 7, 12, &mut out),
                Err(SrtpError::Forged),
                "{profile:?} bit {bit}"
            );
        }
        for short in 0..sealed.len() {
            let len = opener.payload_len(short, 12);
            let mut out = vec![0; len.unwrap_or(0)];
            assert!(
                opener
                    .open_rtp(&sealed[..short], SSRC, 7, 12, &mut out)
                    .is_err()
            );
        }
    }
}

#[test]
fn rtcp_agrees_with_the_reference_in_both_directions() {
    for (profile, other) in PROFILES {
        let keying = Keying::split(profile, &material(profile)).unwrap().0;
        let (mut sealer, mut opener) =
            (Sealer::new(&keying).unwrap(), Opener::new(&keying).unwrap());
        let mut ours = reference(profile, other);
        let mut theirs = reference(profile, other);
        for round in 0..3_u8 {
            let plain = [&[0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef][..], &[round; 24]].concat();
            let mut sealed = plain.clone();
            sealed.resize(plain.len() + RTCP_OVERHEAD, 0);
            let len = sealer.seal_rtcp(&mut sealed, plain.len()).unwrap();
            assert_eq!(
                &theirs.decrypt_rtcp(&sealed[..len]).unwrap()[..],
                &plain[..]
            );

            let foreign = ours.encrypt_rtcp(&plain).unwrap();
            let mut opened = foreign.to_vec();
            let len = opener.open_rtcp(&mut opened).unwrap();
            assert_eq!(&opened[..len], &plain[..], "{profile:?}");
            let mut again = foreign.to_vec();
            assert_eq!(opener.open_rtcp(&mut again), Err(SrtpError::Replayed));
            for cut in 0..foreign.len() {
                assert!(opener.open_rtcp(&mut foreign.to_vec()[..cut]).is_err());
            }
        }
    }
}

#[test]
fn the_senders_of_one_session_count_their_rtcp_by_themselves() {
    for (profile, other) in PROFILES {
        let keying = Keying::split(profile, &material(profile)).unwrap().0;
        let mut opener = Opener::new(&keying).unwrap();
        let mut ours = reference(profile, other);
        // One says ten times as much as the other, as feedback and reports do.
        let mut sent = Vec::new();
        for round in 0..3_000 {
            let sender = u8::from(round % 10 == 0);
            let plain = [&[0x80, 201, 0, 1, 0, 0, 0, sender][..], &[0; 24]].concat();
            let packet = ours.encrypt_rtcp(&plain).unwrap().to_vec();
            assert!(opener.open_rtcp(&mut packet.clone()).is_ok(), "{round}");
            sent.push(packet);
        }
        for mut packet in sent {
            assert_eq!(opener.open_rtcp(&mut packet), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn however_many_senders_there_are_those_heard_last_are_remembered() {
    let mut windows = ReplayWindows::default();
    for ssrc in 0..1_000 {
        assert!(windows.accept(ssrc, 7));
        assert!(windows.accept(0, u64::from(ssrc) + 8));
    }
    for ssrc in 980..1_000 {
        assert!(!windows.accept(ssrc, 7));
    }
    assert!(!windows.accept(0, 8));
}

#[test]
fn the_replay_window_takes_each_index_once_and_forgets_the_old() {
    let mut window = ReplayWindow::default();
    for index in [70_000, 70_005, 70_003, 70_002] {
        assert!(window.accept(index));
        assert!(!window.accept(index));
    }
    assert!(window.accept(70_001));
    assert!(window.accept(71_029));
    assert!(!window.accept(70_005), "just outside of the window");
    assert!(window.accept(70_006), "the oldest inside");
    assert!(window.accept(1 << 40));
    assert!(!window.accept(71_029));
    assert!(window.accept((1 << 40) - 1));
}

#[test]
fn a_sequence_begun_just_before_its_wrap_counts_on() {
    let mut sequence = Sequence::default();
    let first = sequence.extend(65_535);
    assert!(sequence.accept(first));
    assert_eq!(Sequence::roc_index(first), 65_535);
    let next = sequence.extend(0);
    assert_eq!(Sequence::roc_index(next), 65_536);
    assert!(sequence.is_new(sequence.extend(65_534)));
}
