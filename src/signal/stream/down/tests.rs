use super::{Section, arrange, same};
use crate::group::{PublishedStream, PublishedTrack};
use crate::media::{Codec, Kind};
use crate::net::ShardId;
use crate::shard::PeerId;
use crate::transport::description::Extension;
use std::collections::HashSet;

/// Audio, a better video, a worse video, and a video of another codec.
fn stream() -> PublishedStream {
    let codecs = [Codec::Opus, Codec::Vp8, Codec::Vp8, Codec::H264];
    let track = |(index, codec): (usize, Codec)| PublishedTrack {
        mid: index.to_string(),
        rid: None,
        kind: codec.kind(),
        codec,
        fmtp: String::new(),
        extensions: vec![
            Extension::Mid,
            Extension::AbsSendTime,
            Extension::VideoOrientation,
        ],
        active: true,
    };
    PublishedStream {
        id: "s".into(),
        source: "c".into(),
        username: String::new(),
        label: String::new(),
        replace: None,
        peer: PeerId(1),
        shard: ShardId(0),
        tracks: codecs.into_iter().enumerate().map(track).collect(),
    }
}

/// Mid, track, payload type and activity of each section.
fn shape(sections: &[Section]) -> Vec<(String, usize, u8, bool)> {
    sections
        .iter()
        .map(|section| {
            let media = &section.media;
            (
                media.mid.clone(),
                section.track[0],
                media.codec.payload_type,
                media.active,
            )
        })
        .collect()
}

fn one(mid: usize, track: usize, payload_type: u8, active: bool) -> (String, usize, u8, bool) {
    (mid.to_string(), track, payload_type, active)
}

#[test]
fn sections_stay_where_they_are() {
    let stream = stream();
    let both = arrange(&[], &stream, &[vec![0], vec![1]]);
    assert_eq!(shape(&both), [one(0, 0, 111, true), one(1, 1, 96, true)]);
    let ssrcs: HashSet<u32> = both.iter().map(|section| section.media.ssrc).collect();
    assert_eq!(ssrcs.len(), 2);
    assert!(same(&both, &arrange(&both, &stream, &[vec![0], vec![1]])));

    let audio = arrange(&both, &stream, &[vec![0]]);
    assert_eq!(shape(&audio), [one(0, 0, 111, true), one(1, 1, 96, false)]);
    assert!(!same(&both, &audio));

    let again = arrange(&audio, &stream, &[vec![0], vec![1]]);
    assert!(same(&both, &again));
    assert_eq!(again[0].media.ssrc, both[0].media.ssrc, "it went on");
    let pictures = |sections: &[Section]| {
        let media = &sections[1].media;
        (media.ssrc, media.rtx.map(|rtx| rtx.ssrc))
    };
    assert_ne!(pictures(&again).0, pictures(&both).0, "what comes again");
    assert_ne!(pictures(&again).1, pictures(&both).1, "and its repairs");
    let third = arrange(
        &arrange(&again, &stream, &[vec![0]]),
        &stream,
        &[vec![0], vec![1]],
    );
    assert_eq!(pictures(&third), pictures(&both), "they take turns");
}

#[test]
fn another_track_takes_the_section_with_an_ssrc_of_its_own() {
    let stream = stream();
    let high = arrange(&[], &stream, &[vec![0], vec![1]]);
    let low = arrange(&high, &stream, &[vec![0], vec![2]]);
    assert_eq!(shape(&low), [one(0, 0, 111, true), one(1, 2, 96, true)]);
    assert_eq!(low[0].media.ssrc, high[0].media.ssrc);
    assert_ne!(low[1].media.ssrc, high[1].media.ssrc);
    assert!(!same(&high, &low));

    let other = arrange(&low, &stream, &[vec![3]]);
    assert_eq!(shape(&other), [one(0, 0, 111, false), one(1, 3, 102, true)]);
    // Audio never takes the place of video.
    let video = arrange(&[], &stream, &[vec![1]]);
    assert_eq!(
        shape(&arrange(&video, &stream, &[vec![0]])),
        [one(0, 1, 96, false), one(1, 0, 111, true)]
    );
}

#[test]
fn only_what_reaches_beyond_a_hop_is_offered() {
    let sections = arrange(&[], &stream(), &[vec![1]]);
    let offered = [Extension::VideoOrientation, Extension::TransportCc];
    assert_eq!(sections[0].media.extensions, offered);
    assert_eq!(sections[0].media.codec.codec.kind(), Kind::Video);
    assert_eq!(sections[0].media.codec.channels, 1);
}
