//! What publishers offer, and how they are answered.

use super::*;

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
