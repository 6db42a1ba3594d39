//! One client: what it says is checked, then done.

use super::failure::{Failure, kick_reason};
use super::message::{Envelope, FEATURES, Handshake, Incoming, Outgoing, VERSION};
use super::socket::Remote;
use super::state::State;
use super::stream::Streams;
use super::user_message::UserMessageOut;
use crate::group::{Group, Kick, Mailbox};
use crate::shard::ClientId;
use axum::extract::ws::Utf8Bytes;
use rand::distr::{Alphanumeric, SampleString};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// A client that has shaken hands.
pub(super) struct Session {
    pub(super) state: Arc<State>,
    /// Its client id, as the handshake said it.
    pub(super) id: String,
    /// The name that the last group gave it.
    pub(super) username: String,
    pub(super) remote: SocketAddr,
    /// Its own address, if it is known.
    pub(super) address: Option<SocketAddr>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) group: Option<Arc<Group>>,
    /// The group at whose door it waits.
    pub(super) waiting: Option<Arc<Group>>,
    /// When it last came to a door.
    pub(super) knocked: Option<Instant>,
    /// What it understands that is not Galène's (`docs/protocol.md`).
    features: Vec<&'static str>,
    pub(super) streams: Streams,
    /// What the shards call it where it receives.
    pub(super) receives_as: ClientId,
    /// What waits to be written.
    out: VecDeque<Utf8Bytes>,
}

impl Session {
    /// Begins with the first message, which must be a handshake.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn begin(
        state: Arc<State>,
        client: Remote,
        mailbox: Arc<Mailbox>,
        first: &[u8],
    ) -> Result<Self, Failure> {
        if Envelope::read(first)?.kind() != "handshake" {
            return Err(Failure::Violation("you must handshake first"));
        }
        let Incoming::Handshake(Handshake {
            id,
            version,
            features,
        }) = Incoming::read(first)?
        else {
            return Err(Failure::Violation("you must handshake first"));
        };
        let mut features_known = FEATURES.to_vec();
        features_known.retain(|known| {
            let mut named = features.iter().flatten();
            named.any(|feature| feature == known)
        });
        // Who gives no id originates no streams, and still needs a name among the members.
        let id = id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), 20));
        let mut session = Self::without_socket(state, id, client, mailbox);
        session.features.clone_from(&features_known);
        session.send(&Outgoing::Handshake {
            version: [VERSION],
            features: features_known,
        });
        if !version.is_some_and(|offered| offered.iter().any(|version| version == VERSION)) {
            session.notify(
                "warning",
                "This client speaks none of the versions of the protocol that this server knows; \
                 things may not work.",
            );
        }
        Ok(session)
    }

    /// One that nothing was said in yet. What it is to be told waits until it is asked for.
    pub(super) fn without_socket(
        state: Arc<State>,
        id: String,
        client: Remote,
        mailbox: Arc<Mailbox>,
    ) -> Self {
        Self {
            receives_as: state.engine().new_client(),
            state,
            id,
            username: String::new(),
            remote: client.remote,
            address: client.address,
            mailbox,
            group: None,
            waiting: None,
            knocked: None,
            features: Vec::new(),
            streams: Streams::default(),
            out: VecDeque::new(),
        }
    }

    /// Whether the client named a feature in its handshake.
    pub(super) fn knows(&self, feature: &str) -> bool {
        self.features.contains(&feature)
    }

    /// Acts on a message.
    ///
    /// # Errors
    /// When it is refused, or ends the connection.
    pub(super) async fn message(&mut self, json: &[u8]) -> Result<(), Failure> {
        let envelope = Envelope::read(json)?;
        if !envelope.is_known() || envelope.kind() == "handshake" {
            return Err(Failure::Violation("unexpected message"));
        }
        if envelope
            .source
            .as_ref()
            .is_some_and(|source| !source.is_empty() && *source != self.id)
        {
            return Err(Failure::Violation("spoofed client id"));
        }
        // In `join`, it is the name that the client wishes for.
        if envelope.kind() != "join"
            && envelope
                .username
                .as_ref()
                .is_some_and(|username| *username != self.username)
        {
            return Err(Failure::Violation("spoofed username"));
        }
        match Incoming::read(json)? {
            Incoming::Handshake(_) => Err(Failure::Violation("unexpected message")),
            Incoming::Ping => {
                self.send(&Outgoing::Pong);
                Ok(())
            }
            Incoming::Pong => Ok(()),
            Incoming::Join(join) => self.join(join).await,
            Incoming::Request(request) => self.request(request),
            Incoming::RequestStream(request) => self.request_stream(request),
            Incoming::Window(window) => {
                self.window(&window);
                Ok(())
            }
            Incoming::Offer(offer) => self.offer(offer),
            Incoming::Answer(answer) => self.answer(&answer),
            Incoming::Ice(ice) => self.ice(ice),
            Incoming::Renegotiate(stream) => {
                self.renegotiate(stream.id()?);
                Ok(())
            }
            Incoming::Close(stream) => {
                self.close_published(stream.id()?);
                Ok(())
            }
            Incoming::Abort(stream) => {
                self.abort_received(stream.id()?);
                Ok(())
            }
            Incoming::Chat(chat) => self.chat(chat, json.len()),
            Incoming::UserMessage(message) => self.user_message(message, json.len()),
            Incoming::UserAction(action) => self.user_action(action).await,
            Incoming::GroupAction(action) => self.group_action(action).await,
        }
    }

    /// The group that the client is in.
    ///
    /// # Errors
    /// When it is in none.
    pub(super) fn joined(&self) -> Result<Arc<Group>, Failure> {
        self.group
            .clone()
            .ok_or_else(|| Failure::refused("join a group first"))
    }

    /// Will be written after what already waits.
    pub(super) fn send(&mut self, message: &Outgoing<'_>) {
        self.out.push_back(message.to_text());
    }

    /// What is to be written next.
    pub(super) fn next_out(&mut self) -> Option<Utf8Bytes> {
        self.out.pop_front()
    }

    /// Tells the client what it did wrong; if that ends the connection, with which close code and
    /// reason.
    pub(super) fn fail(&mut self, failure: Failure) -> Option<(u16, String)> {
        let text = failure.to_string();
        let code = match failure {
            Failure::Kicked(kick) => {
                self.tell_kicked(&kick);
                return Some((1000, kick_reason(&kick)));
            }
            Failure::Refused(_) => None,
            Failure::Violation(_) => Some(1002),
            Failure::Dismissed(_) => Some(1000),
            Failure::Malformed(_) => Some(1007),
            Failure::Unusable(_) => Some(1011),
        };
        self.notify("error", &text);
        code.map(|code| (code, text))
    }

    fn tell_kicked(&mut self, kick: &Kick) {
        let dest = self.id.clone();
        let message = if kick.message.is_empty() {
            "you have been kicked out"
        } else {
            &kick.message
        };
        let (id, username) = kick.by.as_ref().map_or((None, None), |(id, name)| {
            (Some(id.as_str()), Some(name.as_str()))
        });
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some("kicked"),
            error: kick.code,
            id,
            username,
            dest: Some(&dest),
            privileged: true,
            value: Some(&message.into()),
            ..UserMessageOut::default()
        }));
    }
}

impl Drop for Session {
    /// However the connection ends, nothing of it stays in the group or the shards.
    fn drop(&mut self) {
        self.leave();
    }
}
