//! Bundles, ICE and DTLS of an offer.

use super::*;

#[test]
fn a_refused_first_section_leaves_the_bundle() {
    let offer = UpOffer::parse(CHROMIUM, &[Codec::Vp8]).expect("a good offer");
    let text = offer.answer(&local());
    assert_eq!(section(&text, 0)[0], "audio 0 UDP/TLS/RTP/SAVPF 111");
    assert!(text.contains("a=group:BUNDLE 1\r\n"), "{text}");
}

#[test]
fn sections_outside_the_bundle_are_refused() {
    let apart = CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0");
    assert_eq!(chosen(&apart, &USUAL), [Some((Codec::Opus, 111)), None]);
    let none = CHROMIUM.replace("a=group:BUNDLE 0 1\r\n", "");
    assert_eq!(chosen(&none, &USUAL), [Some((Codec::Opus, 111)), None]);
}

#[test]
fn the_server_is_active_unless_the_offer_is() {
    for (setup, remote, answer) in [
        ("actpass", Setup::Actpass, "active"),
        ("active", Setup::Active, "passive"),
        ("passive", Setup::Passive, "active"),
    ] {
        let offer = up(&CHROMIUM.replace("a=setup:actpass", &format!("a=setup:{setup}")));
        assert_eq!(offer.remote.setup, remote);
        assert!(
            offer
                .answer(&local())
                .contains(&format!("a=setup:{answer}\r\n")),
            "{setup}"
        );
    }
    let bad = CHROMIUM.replace("a=setup:actpass", "a=setup:holdconn");
    let error = UpOffer::parse(&bad, &USUAL).expect_err("holdconn");
    assert_eq!(error, SdpError::bad("setup", "holdconn"));
}

#[test]
fn transport_may_stand_at_session_level_and_in_any_case() {
    let offer = up(PION);
    assert_eq!(offer.remote.ice.ufrag, "LnYzcNHlUdVzgHwU");
    let Fingerprint::Sha256(octets) = &offer.remote.fingerprint else {
        panic!("sha-256")
    };
    assert_eq!(octets[..3], [0x0b, 0x30, 0x55]);
    assert_eq!(
        offer.remote.candidates,
        ["candidate:1387637174 1 udp 2130706431 127.0.0.1 45012 typ host ufrag LnYzcNHlUdVzgHwU"],
        "the RTCP component is left out"
    );
    assert!(
        UpOffer::parse(GSTREAMER, &USUAL)
            .expect("a good offer")
            .remote
            .candidates
            .is_empty()
    );

    let line = PION
        .lines()
        .find(|line| line.starts_with("a=fingerprint"))
        .expect("a line");
    let digits = vec!["aB"; 64].join(":");
    let several = format!("{line}\r\na=fingerprint:SHA-512 {digits}\r\na=fingerprint:md5 00:01");
    let offer = up(&PION.replace(line, &several));
    assert_eq!(
        offer.remote.fingerprint,
        Fingerprint::Sha512([0xAB; 64]),
        "the strongest counts"
    );
}

#[test]
fn gathered_candidates_are_kept() {
    let offer = up(CHROMIUM_GATHERED);
    assert_eq!(
        offer.remote.candidates.len(),
        8,
        "those of the first section"
    );
    assert!(
        offer
            .remote
            .candidates
            .iter()
            .all(|text| text.starts_with("candidate:"))
    );
    assert_eq!(up(FIREFOX_GATHERED).remote.candidates.len(), 4);
}
