//! `ice`.

use super::super::failure::Failure;
use super::super::message::stream_id;
use super::super::session::Session;
use crate::shard::Command;
use serde::Deserialize;

/// `ice`
#[derive(Debug, Deserialize)]
pub(in super::super) struct IceIn {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    candidate: Option<CandidateIn>,
}

/// An `RTCIceCandidateInit`; its section does not matter, there is one transport.
#[derive(Debug, Deserialize)]
struct CandidateIn {
    #[serde(default)]
    candidate: Option<String>,
}

impl Session {
    pub(in super::super) fn ice(&mut self, ice: IceIn) -> Result<(), Failure> {
        let id = stream_id(ice.id.as_deref())?;
        let candidate = ice.candidate.ok_or(Failure::Violation("null candidate"))?;
        // An empty one says that there are no more.
        let Some(candidate) = candidate.candidate.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.add_candidate(id, candidate);
        Ok(())
    }

    /// An address of the other end of a stream. Unknown streams are ignored.
    pub(in super::super) fn add_candidate(&self, id: &str, candidate: String) {
        let up = self.streams.up.get(id).map(|up| (up.shard, up.peer));
        let down = || {
            self.streams
                .down
                .get(id)
                .map(|down| (down.shard, down.peer))
        };
        if let Some((shard, peer)) = up.or_else(down) {
            let command = Command::AddCandidate { peer, candidate };
            self.state.engine().send(shard, command);
        }
    }
}
