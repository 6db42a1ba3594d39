//! Who speaks (`docs/protocol.md`, "Speakers").

use super::message::Outgoing;
use super::session::Session;
use super::state::State;
use super::user_message::UserMessageOut;
use crate::group::SpeakingStream;
use crate::shard::Speaker;
use serde::Serialize;
use serde_json::Value;

/// What a client names that wants to be told.
pub(super) const FEATURE: &str = "speakers";

/// A stream of the list.
#[derive(Debug, Serialize)]
struct SpeakerOut<'a> {
    id: &'a str,
    speaks: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
}

impl Session {
    /// Tells who has spoken, the latest first, to those who understand it.
    pub(super) fn tell_speakers(&mut self, speakers: &[SpeakingStream]) {
        if !self.knows(FEATURE) {
            return;
        }
        let value = speakers
            .iter()
            .map(|speaker| SpeakerOut {
                id: &speaker.id,
                speaks: speaker.speaks,
                withheld: speaker.withheld,
            })
            // Only texts: it cannot fail.
            .map(|speaker| serde_json::to_value(speaker).unwrap_or_default());
        let value = Value::Array(value.collect());
        let id = self.id.clone();
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some("speakers"),
            dest: Some(&id),
            privileged: true,
            value: Some(&value),
            ..UserMessageOut::default()
        }));
    }
}

impl State {
    /// The media engine compared the voices of a group.
    pub(super) fn speakers(&self, speakers: &[Speaker]) {
        let group = speakers.iter().find_map(|speaker| {
            let peers = self.peers();
            peers
                .get(&speaker.peer)
                .map(|followed| followed.group.clone())
        });
        if let Some(group) = group.and_then(|name| self.registry().get(&name)) {
            group.speakers(speakers);
        }
    }
}
