//! Who speaks in a group.

use super::membership::{Group, State};
use super::notice::Notice;
use super::stream::PublishedStream;
use crate::shard::{GroupId, Speaker};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stream whose publisher has spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakingStream {
    /// Its id.
    pub id: String,
    /// Its publisher speaks now.
    pub speaks: bool,
    /// Its pictures are withheld (last-N).
    pub withheld: bool,
}

/// A name for a new group, as the media engine knows it.
pub(super) fn new_group_id() -> GroupId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    GroupId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Group {
    /// The media engine compared the voices: the latest speaker is the first. Those whose streams
    /// have ended meanwhile are left out.
    pub fn speakers(&self, speakers: &[Speaker]) {
        let mut state = self.state();
        let stream = |speaker: &Speaker| {
            let own = |stream: &&Arc<PublishedStream>| stream.peer == speaker.peer;
            Some(SpeakingStream {
                id: state.streams.values().find(own)?.id.clone(),
                speaks: speaker.speaks,
                withheld: speaker.withheld,
            })
        };
        state.speakers = speakers.iter().filter_map(stream).collect();
        let told = Arc::clone(&state.speakers);
        state.tell_all(&Notice::Speakers(told));
    }
}

impl State {
    /// A stream is no more, and so its speaker. Who looks at it is told of that anyway.
    pub(super) fn forget_speaker(&mut self, id: &str) {
        if self.speakers.iter().any(|speaker| speaker.id == id) {
            let others = self.speakers.iter().filter(|speaker| speaker.id != id);
            self.speakers = others.cloned().collect();
        }
    }
}
