use super::{arrange, fitting};
use crate::group::{PublishedStream, PublishedTrack};
use crate::media::Codec;
use crate::net::ShardId;
use crate::shard::PeerId;
use crate::transport::sdp::PullOffer;
use std::sync::Arc;

const BASELINE: &str = "packetization-mode=1;profile-level-id=42e01f";
const HIGH: &str = "packetization-mode=1;profile-level-id=640c1f";

fn stream(number: u64, tracks: &[(Codec, &str)]) -> Arc<PublishedStream> {
    let track = |(at, (codec, fmtp)): (usize, &(Codec, &str))| PublishedTrack {
        mid: at.to_string(),
        rid: None,
        kind: codec.kind(),
        codec: *codec,
        fmtp: (*fmtp).to_owned(),
        extensions: Vec::new(),
        active: true,
    };
    Arc::new(PublishedStream {
        id: format!("s{number}"),
        source: "c".into(),
        username: String::new(),
        label: "camera".into(),
        replace: None,
        peer: PeerId(number),
        shard: ShardId(0),
        tracks: tracks.iter().enumerate().map(track).collect(),
    })
}

#[test]
fn a_payload_type_means_one_thing_in_an_offer() {
    let streams = [
        stream(1, &[(Codec::Opus, ""), (Codec::H264, BASELINE)]),
        stream(2, &[(Codec::Opus, "stereo=1"), (Codec::H264, HIGH)]),
        stream(3, &[(Codec::H264, HIGH)]),
        stream(4, &[]),
        stream(5, &[(Codec::Opus, "")]),
    ];
    let (used, sections) = arrange(&streams);
    let ids: Vec<&str> = used.iter().map(|stream| stream.id.as_str()).collect();
    assert_eq!(ids, ["s1", "s2", "s3", "s5"], "one has nothing to send");
    let found: Vec<_> = sections
        .iter()
        .map(|carried| {
            let media = &carried.section.media;
            let stream = used[carried.stream].id.as_str();
            assert_eq!(media.stream_id, stream);
            (media.mid.as_str(), stream, media.codec.payload_type)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("0", "s1", 111),
            ("1", "s1", 102),
            // Others than the usual ones of any codec and of its repairs.
            ("2", "s2", 100),
            ("3", "s2", 101),
            ("4", "s3", 101),
            ("5", "s5", 111),
        ]
    );
}

#[test]
fn an_offer_with_room_for_one_stream_gets_one() {
    let sections = |kinds: &[&str]| {
        let mut sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
        let mids: Vec<String> = (0..kinds.len()).map(|mid| mid.to_string()).collect();
        sdp += &format!("a=group:BUNDLE {}\r\n", mids.join(" "));
        for (mid, kind) in kinds.iter().enumerate() {
            let format = match *kind {
                "audio" => "109 opus/48000/2",
                _ => "120 VP8/90000",
            };
            let payload_type = &format[..3];
            sdp += &format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\n\
                 a=mid:{mid}\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
                 a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=rtcp-mux\r\n\
                 a=recvonly\r\na=rtpmap:{format}\r\n",
                ["AA"; 32].join(":")
            );
        }
        PullOffer::parse(&sdp).unwrap()
    };
    let streams = [
        stream(1, &[(Codec::Vp9, "")]),
        stream(2, &[(Codec::Vp8, "")]),
        stream(3, &[(Codec::Opus, ""), (Codec::Vp8, "")]),
    ];
    let of = |kinds: &[&str]| {
        let (used, _, tracks) = fitting(&streams, &sections(kinds));
        let track = tracks.iter().map(|track| {
            let stream = used[track.publisher].id.as_str();
            (stream, track.encodings[0], track.mid.parse().unwrap())
        });
        let found: Vec<(String, usize, usize)> = track
            .map(|(stream, track, mid)| (stream.to_owned(), track, mid))
            .collect();
        found
    };
    let s = str::to_owned;
    // The first can be sent nowhere; the third would fit into what the second leaves.
    assert_eq!(of(&["audio", "video"]), [(s("s2"), 0, 1)]);
    assert_eq!(
        of(&["audio", "video", "video", "video"]),
        [(s("s2"), 0, 1), (s("s3"), 0, 0), (s("s3"), 1, 2)]
    );
    assert_eq!(of(&["audio"]), [(s("s3"), 0, 0)]);
}
