//! `request` and `requestStream`: which tracks a client wants.

use super::super::failure::Failure;
use super::super::session::Session;
use crate::group::PublishedStream;
use crate::media::Kind;
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

/// The tracks of a stream that are requested, as indexes: at most one of each kind. `video` is
/// the first video track, `video-low` the last; audio comes first.
pub(super) fn wanted(request: &[String], stream: &PublishedStream) -> Vec<usize> {
    let wants = |what: &str| request.iter().any(|own| own == what);
    let of = |kind: Kind| {
        let tracks = stream.tracks.iter().enumerate();
        tracks
            .filter(move |(_, track)| track.active && track.kind == kind)
            .map(|(index, _)| index)
    };
    let audio = if wants("audio") {
        of(Kind::Audio).next()
    } else {
        None
    };
    let video = if wants("video") {
        of(Kind::Video).next()
    } else if wants("video-low") {
        of(Kind::Video).next_back()
    } else {
        None
    };
    audio.into_iter().chain(video).collect()
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

    /// The tracks that this client wants of a stream. `own`: what it said of this very stream.
    pub(super) fn wanted_of(&self, stream: &PublishedStream, own: Option<&[String]>) -> Vec<usize> {
        let requested = &self.streams.requested;
        let by_label = || requested.get(&stream.label).or_else(|| requested.get(""));
        let request = own.or_else(|| by_label().map(Vec::as_slice));
        request.map_or_else(Vec::new, |request| wanted(request, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;
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
        wanted(&request, &stream(kinds))
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
