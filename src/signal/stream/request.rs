//! `request` and `requestStream`: which tracks a client wants.

use super::super::failure::Failure;
use super::super::session::Session;
use crate::group::PublishedStream;
use crate::media::Kind;
use crate::media::layer::View;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// `request`
#[derive(Debug, Deserialize)]
pub(in super::super) struct Request {
    #[serde(default)]
    request: Option<HashMap<String, Option<Vec<String>>>>,
}

/// `requestStream`
#[derive(Debug, Deserialize)]
pub(in super::super) struct RequestStream {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    request: Option<Vec<String>>,
}

/// `window`: how a client shows a stream.
#[derive(Debug, Deserialize)]
pub(in super::super) struct Window {
    #[serde(default)]
    id: Option<String>,
    /// Pixels of the screen, not of the page.
    #[serde(default)]
    width: f64,
    #[serde(default)]
    height: f64,
    #[serde(default)]
    priority: bool,
}

/// A section of the publisher's offer that is still sent: the indexes of its tracks, which are
/// encodings of the same pictures if there are several, lowest first.
pub(super) type Source = Vec<usize>;

/// The sources of one kind, in the order of the offer.
fn sources(stream: &PublishedStream, kind: Kind) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let tracks = stream.tracks.iter().enumerate();
    for (index, track) in tracks.filter(|(_, track)| track.active && track.kind == kind) {
        let mid = |source: &Source| source.first().and_then(|at| stream.tracks.get(*at));
        let same = sources
            .iter_mut()
            .find(|source| mid(source).is_some_and(|other| other.mid == track.mid));
        match same {
            // Browsers are told the best rid first, but name the SSRC of the lowest first.
            Some(source) if track.rid.is_some() => source.insert(0, index),
            Some(source) => source.push(index),
            None => sources.push(vec![index]),
        }
    }
    sources
}

/// The sources of a stream that are requested: at most one of each kind. `video` is the first,
/// `video-low` the last; audio comes first.
pub(super) fn wanted(request: &[String], stream: &PublishedStream) -> Vec<Source> {
    let wants = |what: &str| request.iter().any(|own| own == what);
    let audio = if wants("audio") {
        sources(stream, Kind::Audio).into_iter().next()
    } else {
        None
    };
    let video = if wants("video") {
        sources(stream, Kind::Video).into_iter().next()
    } else if wants("video-low") {
        sources(stream, Kind::Video).into_iter().next_back()
    } else {
        None
    };
    audio.into_iter().chain(video).collect()
}

/// Whether the smallest pictures are requested.
fn wants_low(request: &[String]) -> bool {
    let wants = |what: &str| request.iter().any(|own| own == what);
    wants("video-low") && !wants("video")
}

impl Session {
    pub(in super::super) fn request(&mut self, request: Request) -> Result<(), Failure> {
        let Some(group) = self.group.clone() else {
            return Err(Failure::Unusable("request before join".to_owned()));
        };
        self.streams.requested = request
            .request
            .unwrap_or_default()
            .into_iter()
            .map(|(label, tracks)| (label, tracks.unwrap_or_default()))
            .collect();
        for stream in group.streams_for(&self.id) {
            self.reconsider(&stream);
        }
        Ok(())
    }

    pub(in super::super) fn request_stream(
        &mut self,
        request: RequestStream,
    ) -> Result<(), Failure> {
        let id = request.id.unwrap_or_default();
        let Some(down) = self.streams.down.get_mut(&id) else {
            return Err(Failure::Unusable(
                "requestStream for an unknown id".to_owned(),
            ));
        };
        down.requested = request.request;
        let stream = Arc::clone(&down.stream);
        self.reconsider(&stream);
        Ok(())
    }

    /// How the client shows a stream. One that has just ended is no error.
    pub(in super::super) fn window(&mut self, window: &Window) {
        let id = window.id.as_deref().unwrap_or_default();
        let Some(down) = self.streams.down.get(id) else {
            return;
        };
        // What is no number, or negative, becomes 0.
        let size = (window.width.ceil() as u16, window.height.ceil() as u16);
        let view = View {
            window: Some(size),
            priority: window.priority,
            ..down.view
        };
        self.show(id, view);
    }

    /// The sources that this client wants of a stream, and whether the lowest encoding of them.
    /// `own`: what it said of this very stream.
    pub(super) fn wanted_of(
        &self,
        stream: &PublishedStream,
        own: Option<&[String]>,
    ) -> (Vec<Source>, bool) {
        let requested = &self.streams.requested;
        let by_label = || requested.get(&stream.label).or_else(|| requested.get(""));
        let request = own.or_else(|| by_label().map(Vec::as_slice));
        request.map_or_else(Default::default, |request| {
            (wanted(request, stream), wants_low(request))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, sources, wanted};
    use crate::group::{PublishedStream, PublishedTrack};
    use crate::media::{Codec, Kind};
    use crate::net::ShardId;
    use crate::shard::PeerId;

    /// A track a letter: audio or video, capital when it is no longer sent.
    fn stream(kinds: &str) -> PublishedStream {
        let track = |(index, kind): (usize, char)| PublishedTrack {
            mid: index.to_string(),
            rid: None,
            kind: if kind.eq_ignore_ascii_case(&'a') {
                Kind::Audio
            } else {
                Kind::Video
            },
            codec: Codec::Opus,
            fmtp: String::new(),
            extensions: Vec::new(),
            active: kind.is_lowercase(),
        };
        PublishedStream {
            id: "s".into(),
            source: "c".into(),
            username: String::new(),
            label: "camera".into(),
            replace: None,
            peer: PeerId(1),
            shard: ShardId(0),
            tracks: kinds.chars().enumerate().map(track).collect(),
        }
    }

    fn of(request: &[&str], kinds: &str) -> Vec<usize> {
        let request: Vec<String> = request.iter().map(|&what| what.into()).collect();
        wanted(&request, &stream(kinds)).concat()
    }

    #[test]
    fn the_tracks_of_a_section_are_one_source() {
        let mut stream = stream("avvv");
        for track in &mut stream.tracks[1..] {
            track.mid = "1".to_owned();
        }
        let lowest_first: Vec<Source> = vec![vec![1, 2, 3]];
        assert_eq!(sources(&stream, Kind::Video), lowest_first, "SSRCs");
        for (track, rid) in stream.tracks[1..].iter_mut().zip(["h", "m", "l"]) {
            track.rid = Some(rid.to_owned());
        }
        let lowest_first: Vec<Source> = vec![vec![3, 2, 1]];
        assert_eq!(sources(&stream, Kind::Video), lowest_first, "rids");
        let request = ["audio".to_owned(), "video-low".to_owned()];
        assert_eq!(wanted(&request, &stream), [vec![0], vec![3, 2, 1]]);
    }

    #[test]
    fn the_first_video_and_the_last() {
        assert_eq!(of(&["audio", "video"], "vavv"), [1, 0]);
        assert_eq!(of(&["audio", "video-low"], "vavv"), [1, 3]);
        assert_eq!(of(&["video-low"], "av"), [1]);
        assert_eq!(of(&["video", "video-low"], "vv"), [0], "the better one");
        assert_eq!(of(&["audio"], "vv"), [0_usize; 0]);
        assert_eq!(of(&[], "av"), [0_usize; 0]);
        assert_eq!(of(&["smell"], "av"), [0_usize; 0]);
        assert_eq!(
            of(&["audio", "video"], "AVv"),
            [2],
            "those no longer sent do not count"
        );
    }
}
