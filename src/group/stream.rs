//! What is published in a group.

use super::error::GroupError;
use super::event::Happening;
use super::membership::Group;
use super::notice::Notice;
use crate::media::{Codec, Kind};
use crate::net::ShardId;
use crate::shard::PeerId;
use crate::transport::description::Extension;
use std::sync::Arc;

/// A stream that a member sends to the server, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedStream {
    /// The id its publisher gave it; its receivers see the same.
    pub id: String,
    /// The publisher's client id.
    pub source: String,
    /// The publisher's name.
    pub username: String,
    /// `camera`, `screenshare`, `video`, or anything else.
    pub label: String,
    /// The stream whose place it took.
    pub replace: Option<String>,
    /// The peer connection that it arrives on.
    pub peer: PeerId,
    /// Where that peer lives.
    pub shard: ShardId,
    /// Its tracks, in the order of its offer; the place of a track here is its index in the shard.
    pub tracks: Vec<PublishedTrack>,
}

/// A track of a published stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTrack {
    /// `a=mid` in the publisher's offer.
    pub mid: String,
    /// Its rid, with simulcast.
    pub rid: Option<String>,
    /// Sound or pictures.
    pub kind: Kind,
    /// Its codec.
    pub codec: Codec,
    /// `a=fmtp` of the publisher, which receivers must be told of (H.264, AV1, VP9 profiles).
    pub fmtp: String,
    /// The header extensions that its publisher sends.
    pub extensions: Vec<Extension>,
    /// Still sent: false once a new offer dropped it.
    pub active: bool,
}

impl Group {
    /// Makes a stream known to everyone else, or its changed tracks. Needs `present`. Returns the
    /// stream it replaced, if that was the publisher's own.
    ///
    /// # Errors
    /// Not authorised, or the id is another member's stream.
    pub fn publish(
        &self,
        stream: PublishedStream,
    ) -> Result<Option<Arc<PublishedStream>>, GroupError> {
        let mut state = self.state();
        state.permitted(&stream.source, "present")?;
        if state
            .streams
            .get(&stream.id)
            .is_some_and(|other| other.source != stream.source)
        {
            return Err(GroupError::DuplicateStream);
        }
        let old = stream
            .replace
            .as_ref()
            .filter(|old| {
                **old != stream.id
                    && state
                        .streams
                        .get(*old)
                        .is_some_and(|old| old.source == stream.source)
            })
            .cloned();
        let old = old.and_then(|old| state.streams.remove(&old));
        if let Some(old) = &old {
            state.events.tell(Happening::Unpublish(Arc::clone(old)));
        }
        let stream = Arc::new(stream);
        state.streams.insert(stream.id.clone(), Arc::clone(&stream));
        state.events.tell(Happening::Publish(Arc::clone(&stream)));
        for (id, member) in &state.members {
            if *id != stream.source {
                member.mailbox.push(Notice::Published(Arc::clone(&stream)));
            }
        }
        Ok(old)
    }

    /// The publisher ended one of its streams.
    pub fn unpublish(&self, source: &str, id: &str) {
        let mut state = self.state();
        if state
            .streams
            .get(id)
            .is_some_and(|stream| stream.source == source)
        {
            state.unpublished(id);
        }
    }

    /// What the others publish.
    pub fn streams_for(&self, id: &str) -> Vec<Arc<PublishedStream>> {
        self.state()
            .streams
            .values()
            .filter(|stream| stream.source != id)
            .cloned()
            .collect()
    }

    /// One stream of the others.
    pub fn stream(&self, id: &str) -> Option<Arc<PublishedStream>> {
        self.state().streams.get(id).cloned()
    }
}
