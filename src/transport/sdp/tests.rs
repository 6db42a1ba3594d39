//! What is written and read with the offers and answers of browsers.

mod down;
mod transport;
mod up;

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
