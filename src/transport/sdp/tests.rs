use super::{DownOffer, SdpError, UpOffer};
use crate::media::{Codec, Kind};
use crate::transport::description::{
    CodecParameters, DownMedia, Extension, Feedback, Fingerprint, IceCredentials, LocalTransport,
    Rtx, Setup, UpMedia,
};
use proptest::prelude::*;

const CHROMIUM: &str = include_str!("../../../tests/fixtures/sdp/chromium-audio-video.sdp");
const CHROMIUM_AUDIO: &str = include_str!("../../../tests/fixtures/sdp/chromium-audio.sdp");
const CHROMIUM_DATA: &str = include_str!("../../../tests/fixtures/sdp/chromium-datachannel.sdp");
const CHROMIUM_GATHERED: &str = include_str!("../../../tests/fixtures/sdp/chromium-gathered.sdp");
const CHROMIUM_SIMULCAST: &str = include_str!("../../../tests/fixtures/sdp/chromium-simulcast.sdp");
const FIREFOX: &str = include_str!("../../../tests/fixtures/sdp/firefox-audio-video.sdp");
const FIREFOX_AUDIO: &str = include_str!("../../../tests/fixtures/sdp/firefox-audio.sdp");
const FIREFOX_DATA: &str = include_str!("../../../tests/fixtures/sdp/firefox-datachannel.sdp");
const FIREFOX_GATHERED: &str = include_str!("../../../tests/fixtures/sdp/firefox-gathered.sdp");
const FIREFOX_SIMULCAST: &str = include_str!("../../../tests/fixtures/sdp/firefox-simulcast.sdp");
const PION: &str = include_str!("../../../tests/fixtures/sdp/pion.sdp");
const GSTREAMER: &str = include_str!("../../../tests/fixtures/sdp/gstreamer.sdp");
const CHROMIUM_ANSWER: &str = include_str!("../../../tests/fixtures/sdp/chromium-answer.sdp");
const FIREFOX_ANSWER: &str = include_str!("../../../tests/fixtures/sdp/firefox-answer.sdp");
const FIREFOX_NO_H264: &str =
    include_str!("../../../tests/fixtures/sdp/firefox-no-h264-answer.sdp");

const OFFERS: [&str; 12] = [
    CHROMIUM,
    CHROMIUM_AUDIO,
    CHROMIUM_DATA,
    CHROMIUM_GATHERED,
    CHROMIUM_SIMULCAST,
    FIREFOX,
    FIREFOX_AUDIO,
    FIREFOX_DATA,
    FIREFOX_GATHERED,
    FIREFOX_SIMULCAST,
    PION,
    GSTREAMER,
];

const USUAL: [Codec; 2] = [Codec::Vp8, Codec::Opus];

fn local() -> LocalTransport {
    LocalTransport {
        ice: IceCredentials {
            ufrag: "srv0Ufrag".to_owned(),
            pwd: "aServerPasswordOf24Chars".to_owned(),
        },
        fingerprint: Fingerprint::Sha256([0xA5; 32]),
        session: (4711, 2),
    }
}

fn up(sdp: &str) -> UpOffer {
    UpOffer::parse(sdp, &USUAL).expect("a good offer")
}

/// The lines of the n-th media section.
fn section(sdp: &str, index: usize) -> Vec<&str> {
    let mut sections = sdp.split("\r\nm=").skip(1);
    sections.nth(index).expect("a section").lines().collect()
}

fn chosen(sdp: &str, allowed: &[Codec]) -> Vec<Option<(Codec, u8)>> {
    let offer = UpOffer::parse(sdp, allowed).expect("a good offer");
    let codec = |media: &UpMedia| {
        media
            .codec
            .as_ref()
            .map(|codec| (codec.codec, codec.payload_type))
    };
    offer.media.iter().map(codec).collect()
}

#[test]
fn reads_what_chromium_offers() {
    let offer = up(CHROMIUM);
    assert_eq!(offer.remote.setup, Setup::Actpass);
    assert!(!offer.remote.lite);
    assert!(offer.remote.candidates.is_empty());
    assert!(CHROMIUM.contains(&format!("a=ice-ufrag:{}\r\n", offer.remote.ice.ufrag)));
    assert!(CHROMIUM.contains(&format!("a=ice-pwd:{}\r\n", offer.remote.ice.pwd)));

    let [audio, video] = &offer.media[..] else {
        panic!("two sections")
    };
    assert_eq!(
        (audio.kind, audio.mid.as_str(), audio.sending),
        (Kind::Audio, "0", true)
    );
    let opus = audio.codec.as_ref().expect("opus");
    assert_eq!(
        (opus.codec, opus.payload_type, opus.channels),
        (Codec::Opus, 111, 2)
    );
    assert_eq!(opus.fmtp, "minptime=10;useinbandfec=1");
    assert_eq!(
        audio.feedback,
        Feedback {
            transport_cc: true,
            ..Feedback::default()
        }
    );
    assert_eq!(audio.extensions[Extension::AudioLevel as usize], 1);
    assert_eq!(audio.ssrcs.len(), 1);

    assert_eq!(
        (video.kind, video.mid.as_str(), video.sending),
        (Kind::Video, "1", true)
    );
    let all = Feedback {
        nack: true,
        pli: true,
        fir: true,
        remb: true,
        transport_cc: true,
    };
    assert_eq!(video.feedback, all);
    assert_eq!(video.ssrcs.len(), 1, "the RTX stream is left out");
    assert!(CHROMIUM.contains(&format!("a=ssrc-group:FID {} ", video.ssrcs[0])));
    assert!(video.rids.is_empty());
}

#[test]
fn reads_what_firefox_offers() {
    let offer = up(FIREFOX_SIMULCAST);
    let [audio, video] = &offer.media[..] else {
        panic!("two sections")
    };
    assert_eq!(
        audio.codec.as_ref().map(|codec| codec.payload_type),
        Some(109)
    );
    assert!(
        FIREFOX_SIMULCAST.contains("m=video 0 "),
        "port 0 because of a=bundle-only"
    );
    assert_eq!(
        video.codec.as_ref().map(|codec| codec.payload_type),
        Some(120)
    );
    assert!(video.sending);
    assert_eq!(video.extensions[Extension::AbsSendTime as usize], 4);
    assert_eq!(audio.extensions[Extension::Mid as usize], 3);
}

#[test]
fn chooses_the_first_allowed_codec_in_its_most_common_form() {
    use Codec::{Av1, G722, H264, Opus, Pcma, Pcmu, Vp8, Vp9};
    let cases: [(&[Codec], _); 9] = [
        (&[Vp8, Opus], [Some((Opus, 111)), Some((Vp8, 96))]),
        (&[Vp9, Vp8, Opus], [Some((Opus, 111)), Some((Vp8, 96))]),
        // 108 is the first with mode 1 that every receiver decodes; 102 is plain baseline.
        (&[H264, Opus], [Some((Opus, 111)), Some((H264, 108))]),
        (&[Vp9, Pcma], [Some((Pcma, 8)), Some((Vp9, 98))]),
        (&[Av1, Pcmu], [Some((Pcmu, 0)), Some((Av1, 45))]),
        (&[Av1, G722], [Some((G722, 9)), Some((Av1, 45))]),
        (&[Vp8], [None, Some((Vp8, 96))]),
        (&[Opus], [Some((Opus, 111)), None]),
        (&[], [None, None]),
    ];
    for (allowed, expected) in cases {
        assert_eq!(chosen(CHROMIUM, allowed), expected, "{allowed:?}");
    }
    let odd = CHROMIUM.replace("profile-id=0", "profile-id=3");
    assert_eq!(
        chosen(&odd, &[Vp9])[1],
        Some((Vp9, 98)),
        "any form is better than none"
    );
    assert_eq!(
        chosen(GSTREAMER, &[H264, Opus]),
        [Some((H264, 96)), Some((Opus, 97))]
    );
    assert_eq!(
        chosen(PION, &[H264, Opus]),
        [Some((H264, 125)), Some((Opus, 111))]
    );
    // Static payload types need no rtpmap.
    let bare = CHROMIUM.replace("a=rtpmap:0 PCMU/8000\r\n", "");
    assert_eq!(chosen(&bare, &[Pcmu])[0], Some((Pcmu, 0)));
    // A codec at a clock rate of its own is another codec.
    let slow = CHROMIUM.replace("opus/48000/2", "opus/16000/2");
    assert_eq!(chosen(&slow, &[Opus])[0], None);
}

#[test]
fn the_answer_keeps_payload_types_and_says_only_what_was_offered() {
    let text = up(CHROMIUM).answer(&local());
    assert!(
        text.starts_with("v=0\r\no=- 4711 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"),
        "{text}"
    );
    assert!(text.contains("\r\na=group:BUNDLE 0 1\r\n"));
    assert!(text.contains("\r\na=extmap-allow-mixed\r\n"));
    let audio = section(&text, 0);
    let video = section(&text, 1);
    assert_eq!(audio[0], "audio 9 UDP/TLS/RTP/SAVPF 111 63");
    assert_eq!(video[0], "video 9 UDP/TLS/RTP/SAVPF 96 97");
    assert!(video.contains(&"a=fmtp:97 apt=96"), "{video:?}");
    for lines in [&audio, &video] {
        for line in [
            "a=setup:active",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            "a=recvonly",
            "a=ice-options:trickle",
            "a=ice-ufrag:srv0Ufrag",
            "a=ice-pwd:aServerPasswordOf24Chars",
        ] {
            assert!(lines.contains(&line), "{line} in {lines:?}");
        }
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("a=fingerprint:sha-256 A5:A5:"))
        );
    }
    assert!(audio.contains(&"a=fmtp:111 minptime=10;useinbandfec=1"));
    assert!(video.contains(&"a=rtpmap:96 VP8/90000"));
    for feedback in ["goog-remb", "transport-cc", "nack", "nack pli", "ccm fir"] {
        assert!(
            video.contains(&format!("a=rtcp-fb:96 {feedback}").as_str()),
            "{feedback}"
        );
    }
    assert_eq!(text.matches("transport-wide").count(), 2);
    assert_eq!(text.matches("rtx/").count(), 1, "of the chosen codec only");
    assert!(!text.contains("toffset"));
    for line in text.lines().filter(|line| line.starts_with("a=extmap:")) {
        assert!(CHROMIUM.contains(line), "{line} was not offered");
    }
    assert!(!text.contains("a=candidate"), "candidates are trickled");
}

#[test]
fn simulcast_is_answered_rid_by_rid() {
    for (name, sdp) in [
        ("Chromium", CHROMIUM_SIMULCAST),
        ("Firefox", FIREFOX_SIMULCAST),
    ] {
        let offer = up(sdp);
        assert_eq!(offer.media[1].rids, ["h", "m", "l"], "{name}");
        assert_ne!(
            offer.media[1].extensions[Extension::Rid as usize],
            0,
            "{name}"
        );
        let text = offer.answer(&local());
        let video = section(&text, 1);
        for line in [
            "a=rid:h recv",
            "a=rid:m recv",
            "a=rid:l recv",
            "a=simulcast:recv h;m;l",
        ] {
            assert!(video.contains(&line), "{name}: {line}");
        }
    }
    assert_eq!(
        up(FIREFOX_SIMULCAST).media[1].ssrcs.len(),
        3,
        "of six, three are repairs"
    );
    let paused = CHROMIUM_SIMULCAST.replace("send h;m;l", "recv x send h,m;~l;undeclared");
    assert_eq!(up(&paused).media[1].rids, ["h", "l"]);
}

#[test]
fn directed_extensions_are_turned_round() {
    let text = up(FIREFOX_SIMULCAST).answer(&local());
    let id = "a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    assert!(
        section(&text, 1).iter().any(|line| line.starts_with(id)),
        "{text}"
    );
    let wanted = FIREFOX.replace("extmap:3 urn", "extmap:3/recvonly urn");
    assert_eq!(up(&wanted).media[0].extensions[Extension::Mid as usize], 0);
}

#[test]
fn the_dependency_descriptor_is_for_av1_alone() {
    let codecs = Codec::ALL.map(|codec| {
        let offer = UpOffer::parse(CHROMIUM_SIMULCAST, &[codec]).unwrap();
        let id = offer.media[1].extensions[Extension::DependencyDescriptor as usize];
        let named = offer.answer(&local()).contains("#dependency-descriptor");
        assert_eq!(named, id != 0, "{codec:?}");
        (codec, id != 0 && offer.media[1].codec.is_some())
    });
    let described: Vec<_> = codecs.iter().filter(|(_, is)| *is).collect();
    assert_eq!(described, [&(Codec::Av1, true)]);
}

#[test]
fn an_ssrc_group_is_a_simulcast_too() {
    assert_eq!(up(CHROMIUM).media[1].simulcast, [0_u32; 0]);
    let plain = up(CHROMIUM).media[1].ssrcs[0];
    let group = format!("a=ssrc:77 cname:x\r\na=ssrc-group:SIM {plain} 77 78\r\na=ssrc:{plain} ");
    let sim = CHROMIUM.replacen(&format!("a=ssrc:{plain} "), &group, 1);
    assert_eq!(up(&sim).media[1].simulcast, [plain, 77], "78 is not there");
    assert_eq!(
        up(&sim.replace("SIM", "sim")).media[1].simulcast,
        [0_u32; 0]
    );
}

#[test]
fn data_channels_are_rejected_in_their_place() {
    for sdp in [CHROMIUM_DATA, FIREFOX_DATA] {
        let offer = up(sdp);
        assert_eq!(offer.media.len(), 3);
        assert_eq!(offer.media[2].codec, None);
        let text = offer.answer(&local());
        assert!(text.contains("a=group:BUNDLE 0 1\r\n"), "{text}");
        assert_eq!(
            section(&text, 2)[0],
            "application 0 UDP/DTLS/SCTP webrtc-datachannel"
        );
    }
}

#[test]
fn an_audio_only_offer_is_answered_so() {
    for sdp in [CHROMIUM_AUDIO, FIREFOX_AUDIO] {
        let text = up(sdp).answer(&local());
        assert_eq!(text.matches("\r\nm=").count(), 1);
        assert!(text.contains("m=audio 9 "), "{text}");
    }
}

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
fn stopped_and_receiving_sections() {
    let stopped = CHROMIUM.replacen("m=audio 9", "m=audio 0", 1);
    assert_eq!(chosen(&stopped, &USUAL), [None, Some((Codec::Vp8, 96))]);
    let receiving = CHROMIUM.replace("a=sendonly", "a=recvonly");
    let offer = up(&receiving);
    assert!(!offer.media[1].sending);
    assert!(section(&offer.answer(&local()), 1).contains(&"a=inactive"));
    assert!(up(&CHROMIUM.replace("a=sendonly", "a=sendrecv")).media[1].sending);
    assert!(
        up(&CHROMIUM.replace("a=sendonly\r\n", "")).media[1].sending,
        "sendrecv by default"
    );
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

#[test]
fn refusals_say_what_is_wrong() {
    let without = |line: &str| {
        let kept: Vec<&str> = CHROMIUM
            .lines()
            .filter(|other| !other.starts_with(line))
            .collect();
        kept.join("\r\n")
    };
    let cases = [
        (String::new(), "malformed SDP"),
        ("hello".to_owned(), "malformed SDP"),
        ("v=0\r\n".to_owned(), "malformed SDP"),
        (
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned(),
            "a media section",
        ),
        (
            without("a=rtcp-mux"),
            "media section \"0\" does not offer rtcp-mux",
        ),
        (without("a=ice-ufrag"), "SDP without ice-ufrag"),
        (without("a=ice-pwd"), "SDP without ice-pwd"),
        (without("a=fingerprint"), "SDP without a fingerprint"),
        (without("a=mid"), "SDP without a=mid"),
        (
            CHROMIUM.replace("a=mid:1", "a=mid:0"),
            "two media sections have the mid \"0\"",
        ),
        (CHROMIUM.replace("a=mid:1", "a=mid:1 a=x"), "bad a=mid"),
        (
            CHROMIUM.replace("sha-256 ", "sha-256 zz"),
            "bad a=fingerprint",
        ),
        (
            CHROMIUM.replace("a=ice-pwd:", "a=ice-pwd:x:"),
            "bad a=ice-pwd",
        ),
        (
            CHROMIUM.replace("a=rtcp-mux", "a=x\ry"),
            "control character",
        ),
        (CHROMIUM.replace("a=ssrc:", "a=ssrc:x"), "bad a=ssrc"),
        (
            CHROMIUM_SIMULCAST.replace("send h;m;l", "send h;m;l!"),
            "bad a=simulcast",
        ),
        (
            format!("{CHROMIUM}{}", "a=x\r\n".repeat(100_000)),
            "SDP too large",
        ),
        (
            format!("{CHROMIUM}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(40)),
            "SDP too large",
        ),
    ];
    for (sdp, expected) in cases {
        let error = UpOffer::parse(&sdp, &USUAL)
            .expect_err(expected)
            .to_string();
        assert!(
            error.contains(expected),
            "{error:?} should contain {expected:?}"
        );
        assert!(error.len() < 300, "{error}");
    }
}

fn down(video: CodecParameters, active: bool) -> DownOffer {
    let opus = CodecParameters {
        codec: Codec::Opus,
        payload_type: 111,
        channels: 2,
        fmtp: String::new(),
    };
    DownOffer {
        media: vec![
            DownMedia {
                mid: "0".to_owned(),
                codec: opus,
                stream_id: "{a b}\r\nx".to_owned(),
                ssrc: 1111,
                red: Some(63),
                rtx: None,
                active: true,
                extensions: vec![
                    Extension::AudioLevel,
                    Extension::AbsSendTime,
                    Extension::AbsCaptureTime,
                    Extension::Mid,
                ],
            },
            DownMedia {
                mid: "1".to_owned(),
                codec: video,
                stream_id: "{a b}\r\nx".to_owned(),
                ssrc: 2222,
                red: None,
                rtx: Some(Rtx {
                    payload_type: 97,
                    ssrc: 3333,
                }),
                active,
                extensions: vec![
                    Extension::AbsSendTime,
                    Extension::TransportCc,
                    Extension::VideoOrientation,
                    Extension::AbsCaptureTime,
                    Extension::DependencyDescriptor,
                    Extension::Mid,
                ],
            },
        ],
    }
}

fn video(codec: Codec, payload_type: u8, fmtp: &str) -> CodecParameters {
    CodecParameters {
        codec,
        payload_type,
        channels: 1,
        fmtp: fmtp.to_owned(),
    }
}

#[test]
fn the_offer_to_a_receiver() {
    let text = down(video(Codec::Vp8, 96, ""), true).to_sdp(&local());
    assert!(text.contains("a=group:BUNDLE 0 1\r\n") && text.contains("a=extmap-allow-mixed\r\n"));
    let audio = section(&text, 0);
    assert_eq!(audio[0], "audio 9 UDP/TLS/RTP/SAVPF 111 63");
    for line in [
        "a=sendonly",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=msid:_a_b___x _a_b___x-0",
        "a=ssrc:1111 cname:_a_b___x",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid",
    ] {
        assert!(audio.contains(&line), "{line} in {audio:?}");
    }
    let asked = audio.iter().filter(|line| line.starts_with("a=rtcp-fb"));
    assert_eq!(asked.collect::<Vec<_>>(), [&"a=rtcp-fb:111 nack"]);
    assert!(!audio.iter().any(|line| line.contains("transport-wide")));
    let video = section(&text, 1);
    for line in [
        "video 9 UDP/TLS/RTP/SAVPF 96 97",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=ssrc-group:FID 2222 3333",
        "a=ssrc:2222 cname:_a_b___x",
        "a=ssrc:3333 cname:_a_b___x",
        "a=rtcp-fb:96 goog-remb",
        "a=rtcp-fb:96 transport-cc",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=extmap:4 urn:3gpp:video-orientation",
    ] {
        assert!(video.contains(&line), "{line} in {video:?}");
    }
}

#[test]
fn an_inactive_section_keeps_its_place_without_a_track() {
    let text = down(video(Codec::Vp8, 96, ""), false).to_sdp(&local());
    let video = section(&text, 1);
    assert!(video.contains(&"a=inactive"));
    assert!(
        !video
            .iter()
            .any(|line| line.starts_with("a=msid") || line.starts_with("a=ssrc"))
    );
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
}

#[test]
fn fmtp_of_the_offer_to_a_receiver() {
    let line = "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=";
    for (given, expected) in [
        (
            "packetization-mode=1;profile-level-id=640c1f;sprop-parameter-sets=Z0,aM",
            "1;profile-level-id=640c1f",
        ),
        (
            "packetization-mode=0; profile-level-id=42001f",
            "0;profile-level-id=42001f",
        ),
        ("profile-level-id=nonsense", "1;profile-level-id=42e01f"),
        ("", "1;profile-level-id=42e01f"),
    ] {
        let text = down(video(Codec::H264, 102, given), true).to_sdp(&local());
        assert!(
            text.contains(&format!("{line}{expected}\r\n")),
            "{given}: {text}"
        );
    }
    let text = down(video(Codec::Vp9, 98, "profile-id=2"), true).to_sdp(&local());
    assert!(text.contains("a=fmtp:98 profile-id=2\r\n"));
}

#[test]
fn answers_of_browsers_are_accepted() {
    let all = Feedback {
        nack: true,
        pli: true,
        fir: true,
        remb: true,
        transport_cc: false,
    };
    for (name, answer) in [("Chromium", CHROMIUM_ANSWER), ("Firefox", FIREFOX_ANSWER)] {
        let offer = down(video(Codec::Vp8, 96, ""), true);
        let answer = offer.accept(answer).expect(name);
        assert_eq!(answer.remote.setup, Setup::Active, "{name}");
        assert!(answer.media.iter().all(|media| media.accepted), "{name}");
        assert_eq!(answer.media[0].feedback, Feedback::default(), "{name}");
        assert_eq!(answer.media[1].feedback, all, "{name}");
        assert_eq!(
            answer.media[1].extensions[Extension::Mid as usize],
            7,
            "{name}"
        );
        assert_eq!(
            answer.media[1].extensions[Extension::TransportCc as usize],
            0,
            "{name}"
        );
    }
}

#[test]
fn repairs_have_a_stream_of_their_own_where_the_answer_keeps_it() {
    let offer = down(video(Codec::Vp8, 96, ""), true);
    let kept = |formats: &str, lines: &str| {
        let answer = CHROMIUM_ANSWER
            .replace("SAVPF 96", &format!("SAVPF {formats}"))
            .replace("a=rtpmap:96 ", &format!("{lines}a=rtpmap:96 "));
        offer.accept(&answer).expect("a good answer").media[1].rtx
    };
    let rtx = "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";
    assert!(kept("96 97", rtx));
    assert!(!kept("96", ""));
    assert!(!kept("96", rtx), "it is not among the formats");
    assert!(!kept("96 97", &rtx.replace("=96", "=98")), "of another");
    assert!(
        !kept("96 99", &rtx.replace(":97", ":99")),
        "another payload type would not be understood"
    );
    let answer = CHROMIUM_ANSWER
        .replace("SAVPF 96", "SAVPF 96 97")
        .replace("a=rtpmap:96 ", &format!("{rtx}a=rtpmap:96 "))
        .replace("a=rtcp-fb:96 nack\r\n", "");
    let answer = offer.accept(&answer).expect("a good answer");
    assert!(!answer.media[1].rtx, "nobody would ask");
}

#[test]
fn answers_that_refuse_a_section() {
    let offer = down(video(Codec::H264, 102, ""), true);
    let answer = offer.accept(FIREFOX_NO_H264).expect("a good answer");
    assert_eq!(
        [true, false],
        [answer.media[0].accepted, answer.media[1].accepted]
    );

    let offer = down(video(Codec::Vp8, 96, ""), true);
    let accepted = |answer: &str| {
        let answer = offer.accept(answer).expect("a good answer");
        answer
            .media
            .iter()
            .map(|media| media.accepted)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        accepted(&CHROMIUM_ANSWER.replace("m=video 9", "m=video 0")),
        [true, false]
    );
    assert_eq!(
        accepted(&CHROMIUM_ANSWER.replace("a=recvonly", "a=inactive")),
        [false, false]
    );
    let other = CHROMIUM_ANSWER
        .replace("SAVPF 96", "SAVPF 97")
        .replace(":96 ", ":97 ");
    assert_eq!(
        accepted(&other),
        [true, false],
        "another payload type would not be understood"
    );
    let inactive = down(video(Codec::Vp8, 96, ""), false);
    let answer = inactive.accept(CHROMIUM_ANSWER).expect("a good answer");
    assert!(
        !answer.media[1].accepted,
        "what was not offered is not accepted"
    );
}

#[test]
fn answers_that_fit_no_offer_are_errors() {
    let offer = down(video(Codec::Vp8, 96, ""), true);
    let error = |answer: &str| offer.accept(answer).expect_err("a bad answer").to_string();
    let mismatch = SdpError::Mismatch.to_string();
    let shorter = &CHROMIUM_ANSWER[..CHROMIUM_ANSWER.find("m=video").expect("a section")];
    assert_eq!(error(shorter), mismatch);
    assert_eq!(
        error(&CHROMIUM_ANSWER.replace("a=mid:1", "a=mid:7")),
        mismatch
    );
    assert!(error(&CHROMIUM_ANSWER.replace("a=rtcp-mux\r\n", "")).contains("rtcp-mux"));
    assert!(error(&CHROMIUM_ANSWER.replace("setup:active", "setup:actpass")).contains("setup"));
    assert!(error("").contains("malformed"));
}

#[test]
fn every_offer_is_answered_section_by_section() {
    let sections = |text: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix("m=").or(line.strip_prefix("a=mid:")))
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    for sdp in OFFERS {
        let offer = UpOffer::parse(sdp, &[Codec::Opus, Codec::Vp8]).expect("a good offer");
        let text = offer.answer(&local());
        assert_eq!(sections(&text), sections(sdp));
        assert!(super::read::parse(&text).is_ok(), "{text}");
    }
}

proptest! {
    /// A client may send anything: no panic, and no line that it did not send reaches another.
    #[test]
    fn mutated_offers_never_panic(
        which in 0..OFFERS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..12),
    ) {
        let mut bytes = OFFERS[which].as_bytes().to_vec();
        for (index, kind, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at),
                _ => {
                    let end = (at + usize::from(byte)).min(bytes.len());
                    let piece: Vec<u8> = bytes.drain(at..end).collect();
                    let to = (usize::from(byte) * 31) % (bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(offer) = UpOffer::parse(&text, &USUAL) {
            let answer = offer.answer(&local());
            prop_assert_eq!(answer.matches("\r\nm=").count(), offer.media.len());
            prop_assert!(answer.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')));
        }
        let _ = down(video(Codec::Vp8, 96, ""), true).accept(&text);
    }
}

/// Chromium sends what stands first in the answer, and offers RED in any case.
#[test]
fn redundant_sound_is_accepted_where_it_is_offered() {
    let plain = CHROMIUM_AUDIO;
    let preferred = plain.replace("UDP/TLS/RTP/SAVPF 111 63", "UDP/TLS/RTP/SAVPF 63 111");
    assert_ne!(plain, preferred);
    for (sdp, formats) in [(plain, "111 63"), (&preferred, "63 111")] {
        let offer = UpOffer::parse(sdp, &USUAL).unwrap();
        let media = &offer.media[0];
        assert_eq!(media.codec.as_ref().unwrap().payload_type, 111);
        assert_eq!(media.red.unwrap().payload_type, 63);
        let answer = offer.answer(&local());
        assert!(
            answer.contains(&format!("m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\n")),
            "{answer}"
        );
        assert!(answer.contains("a=rtpmap:63 red/48000/2\r\n"), "{answer}");
        assert!(answer.contains("a=fmtp:63 111/111\r\n"), "{answer}");
    }
    // Blocks of something else, or of who knows what.
    for other in ["a=fmtp:63 111/0", "a=x:63 111/111"] {
        let offer = UpOffer::parse(&plain.replace("a=fmtp:63 111/111", other), &USUAL).unwrap();
        assert_eq!(offer.media[0].red, None, "{other}");
        assert!(!offer.answer(&local()).contains("red/48000"));
    }
    let offer = UpOffer::parse(FIREFOX_AUDIO, &USUAL).unwrap();
    assert_eq!(offer.media[0].red, None);
}

#[test]
fn who_takes_redundant_sound_says_so() {
    let offer = down(video(Codec::Vp8, 96, ""), true);
    let kept = |formats: &str, lines: &str| {
        let answer = CHROMIUM_ANSWER
            .replace("SAVPF 111", &format!("SAVPF {formats}"))
            .replace("a=rtpmap:111 ", &format!("{lines}a=rtpmap:111 "));
        let answer = offer.accept(&answer).expect("a good answer");
        assert!(answer.media[0].accepted && !answer.media[1].red);
        answer.media[0].red
    };
    let red = "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n";
    assert!(kept("111 63", red));
    assert!(kept("63 111", red));
    assert!(!kept("111", ""));
    assert!(!kept("111", red), "it is not among the formats");
    assert!(
        !kept("111 63", &red.replace("111/111", "9/9")),
        "of another"
    );
    assert!(
        !kept("111 64", &red.replace(":63", ":64")),
        "by another number"
    );
}
