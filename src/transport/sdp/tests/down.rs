//! What receivers are offered, and what they answer.

use super::*;

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
