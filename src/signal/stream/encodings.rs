//! Which encodings a publisher is to send (`docs/protocol.md`, "Encodings").

use super::super::message::Outgoing;
use super::super::session::Session;
use crate::media::Kind;
use crate::media::down::choice::bit;
use crate::net::ShardId;
use crate::shard::{Command, PeerId, Wanted};
use serde::Serialize;

/// What a client names that pauses encodings when told.
pub(in super::super) const FEATURE: &str = "encodings";

/// `encodings`
#[derive(Debug, Serialize)]
pub(in super::super) struct EncodingsOut {
    id: String,
    encodings: Vec<EncodingOut>,
}

/// One encoding of the client's offer.
#[derive(Debug, Serialize)]
struct EncodingOut {
    mid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<String>,
    active: bool,
    #[serde(rename = "maxBitrate", skip_serializing_if = "Option::is_none")]
    max_bitrate: Option<u64>,
}

impl Session {
    /// A client that understands it is told what nobody watches.
    pub(super) fn pause_unwatched(&self, peer: PeerId, shard: ShardId) {
        if self.knows(FEATURE) {
            let command = Command::PauseUnwatched { peer };
            self.state.engine().send(shard, command);
        }
    }

    /// The media engine tells what of a stream is watched.
    pub(super) fn tell_encodings(&mut self, peer: PeerId, wanted: &Wanted) {
        let up = self.streams.up.iter().find(|(_, up)| up.peer == peer);
        let Some((id, up)) = up else { return };
        let pictures = up.tracks.iter().enumerate().filter(|(_, track)| {
            // Without a rid, one of several cannot be named.
            let is_named = track.config.rid.is_some() || !up.has_several(&track.config.mid);
            track.config.kind == Kind::Video && track.published.active && is_named
        });
        let encodings: Vec<_> = pictures
            .map(|(at, track)| EncodingOut {
                mid: track.config.mid.clone(),
                rid: track.config.rid.clone(),
                active: wanted.paused & bit(at) == 0,
                max_bitrate: wanted.bound(at),
            })
            .collect();
        if !encodings.is_empty() {
            let id = id.clone();
            self.send(&Outgoing::Encodings(EncodingsOut { id, encodings }));
        }
    }
}
