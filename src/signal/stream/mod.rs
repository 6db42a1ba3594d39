//! Streams: what a client publishes, and what it receives.
//!
//! | file | what it is |
//! |---|---|
//! | `local` | what the server says of itself: credentials, candidates |
//! | `up` | `offer` of a client, `close` |
//! | `down` | `offer` of the server, `answer`, `renegotiate`, `abort` |
//! | `pull` | what is received by WHEP |
//! | `request` | `request`, `requestStream`, `window`: which tracks a client wants, and how large |
//! | `encodings` | `encodings`: what a client is to send of its pictures |
//! | `ice` | `ice` |
//! | `voice` | whose voices count, and how many are forwarded |

mod down;
mod encodings;
mod ice;
mod local;
mod pull;
mod request;
mod up;
mod voice;

pub(super) use down::{AnswerIn, OfferOut};
pub(super) use encodings::{EncodingsOut, FEATURE as ENCODINGS};
pub(super) use ice::IceIn;
pub(super) use request::{Request, RequestStream, Window};
pub(super) use up::{Answered, OfferIn};

use super::figures::Way;
use super::message::Outgoing;
use super::session::Session;
use super::state::Followed;
use crate::group::PeerChange;
use crate::net::ShardId;
use crate::shard::{Command, PeerId};
use down::DownStream;
use pull::Pulled;
use std::collections::HashMap;
use std::sync::Arc;
use up::UpStream;

/// The streams of one client, by their ids on the wire.
#[derive(Debug, Default)]
pub(super) struct Streams {
    up: HashMap<String, UpStream>,
    down: HashMap<String, DownStream>,
    /// What is wanted of streams with a label; `""` for all others.
    requested: HashMap<String, Vec<String>>,
    /// By WHEP.
    pulled: Option<Pulled>,
}

impl Session {
    /// From now on this client is told what becomes of `peer`, which is about to carry `stream`.
    fn follow_peer(&self, peer: PeerId, stream: &str, way: Way) {
        let group = self.group.as_ref().map(|group| group.name().to_owned());
        let name = group.as_deref().unwrap_or_default();
        self.state.figures().offered(peer, way, name);
        let followed = Followed {
            mailbox: Arc::clone(&self.mailbox),
            group: group.unwrap_or_default(),
            client: self.id.clone(),
            stream: stream.to_owned(),
        };
        self.state.follow_peer(peer, followed);
    }

    fn remove_peer(&self, shard: ShardId, peer: PeerId) {
        self.state.forget_peer(peer);
        self.state.engine().send(shard, Command::Remove { peer });
    }

    /// Ends everything without a word: the client leaves.
    pub(super) fn end_streams(&mut self) {
        let streams = std::mem::take(&mut self.streams);
        for up in streams.up.into_values() {
            self.remove_peer(up.shard, up.peer);
        }
        for down in streams.down.into_values() {
            self.remove_peer(down.shard, down.peer);
        }
        if let Some(pulled) = streams.pulled {
            self.remove_peer(pulled.shard, pulled.peer);
        }
    }

    /// The media engine tells of a peer connection of this client.
    pub(super) fn peer_changed(&mut self, peer: PeerId, change: &PeerChange) {
        match change {
            PeerChange::Failed => {}
            PeerChange::Watched(wanted) => return self.tell_encodings(peer, wanted),
            PeerChange::Connected | PeerChange::Closed => return,
        }
        let up = self.streams.up.iter().find(|(_, up)| up.peer == peer);
        if let Some(id) = up.map(|(id, _)| id.clone()) {
            self.send(&Outgoing::Renegotiate { id: &id });
            return;
        }
        let down = self.streams.down.iter().find(|(_, down)| down.peer == peer);
        if let Some(id) = down.map(|(id, _)| id.clone()) {
            self.renegotiate(&id);
        }
    }
}
