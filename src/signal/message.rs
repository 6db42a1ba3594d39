//! What comes in and goes out, as JSON.

use super::chat::{Chat, ChatOut};
use super::failure::Failure;
use super::group_action::GroupAction;
use super::join::{Join, Joined};
use super::stream::{
    AnswerIn, EncodingsOut, IceIn, OfferIn, OfferOut, Request, RequestStream, Window,
};
use super::user_action::UserAction;
use super::user_message::UserMessageOut;
use crate::group::{Permissions, User};
use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The version of the protocol that this server speaks.
pub(super) const VERSION: &str = "2";

/// What this server adds to Galène's protocol (`docs/protocol.md`).
pub(super) const FEATURES: [&str; 5] = [
    "lobby",
    "ban",
    super::speaker::FEATURE,
    "window",
    super::stream::ENCODINGS,
];

/// What every message may say, read before the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    /// Who the client says it is.
    #[serde(borrow, default)]
    pub(super) source: Option<Cow<'a, str>>,
    /// Its name, as it says.
    #[serde(borrow, default)]
    pub(super) username: Option<Cow<'a, str>>,
}

/// The names of all messages that clients send.
const TYPES: [&str; 16] = [
    "handshake",
    "ping",
    "pong",
    "join",
    "request",
    "requestStream",
    "window",
    "offer",
    "answer",
    "ice",
    "renegotiate",
    "close",
    "abort",
    "chat",
    "usermessage",
    "useraction",
];

impl<'a> Envelope<'a> {
    /// Reads the common fields.
    ///
    /// # Errors
    /// When the text is no JSON, or a field has the wrong type.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Failure> {
        serde_json::from_slice(json).map_err(|error| failure(&error))
    }

    /// The message's `type`.
    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Whether there is such a message at all.
    pub(super) fn is_known(&self) -> bool {
        self.kind() == "groupaction" || TYPES.contains(&self.kind())
    }
}

/// A message of a client.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Incoming {
    /// Begins everything.
    Handshake(Handshake),
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// Wants in or out.
    Join(Join),
    /// Says what streams are wanted.
    Request(Request),
    /// Says what is wanted of one stream.
    RequestStream(RequestStream),
    /// Says how one stream is shown.
    Window(Window),
    /// Publishes a stream.
    Offer(OfferIn),
    /// Answers an offer of the server.
    Answer(AnswerIn),
    /// Trickles a candidate.
    Ice(IceIn),
    /// Wants a stream offered anew.
    Renegotiate(ById),
    /// Ends a stream of its own.
    Close(ById),
    /// Wants a stream ended.
    Abort(ById),
    /// Says something.
    Chat(Chat),
    /// Sends something that is no chat.
    #[serde(rename = "usermessage")]
    UserMessage(Chat),
    /// Acts on a user.
    #[serde(rename = "useraction")]
    UserAction(UserAction),
    /// Acts on the group.
    #[serde(rename = "groupaction")]
    GroupAction(GroupAction),
}

impl Incoming {
    /// Reads a message whose envelope is known.
    ///
    /// # Errors
    /// When a field has the wrong type.
    pub(super) fn read(json: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(json).map_err(|error| failure(&error))
    }
}

fn failure(error: &serde_json::Error) -> Failure {
    if error.is_data() {
        Failure::Unusable(format!("bad message: {error}"))
    } else {
        Failure::Malformed(format!("malformed JSON: {error}"))
    }
}

/// `handshake`
#[derive(Debug, Deserialize)]
pub(super) struct Handshake {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) version: Option<Vec<String>>,
    /// What it understands that is not Galène's (`docs/protocol.md`).
    #[serde(default)]
    pub(super) features: Option<Vec<String>>,
}

/// A message that only names a stream.
#[derive(Debug, Deserialize)]
pub(super) struct ById {
    #[serde(default)]
    id: Option<String>,
}

impl ById {
    /// The stream's id.
    ///
    /// # Errors
    /// When it is empty.
    pub(super) fn id(&self) -> Result<&str, Failure> {
        stream_id(self.id.as_deref())
    }
}

/// The id that a message about a stream must have.
pub(super) fn stream_id(id: Option<&str>) -> Result<&str, Failure> {
    id.filter(|id| !id.is_empty())
        .ok_or(Failure::Violation("empty id"))
}

/// A message to a client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Outgoing<'a> {
    /// Answers the handshake.
    Handshake {
        version: [&'static str; 1],
        #[serde(skip_serializing_if = "Vec::is_empty")]
        features: Vec<&'static str>,
    },
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// What became of a join, and what changed since.
    Joined(Joined<'a>),
    /// Someone came, changed or went.
    User(UserOut<'a>),
    /// Something said.
    Chat(ChatOut<'a>),
    /// Something said before.
    ChatHistory(ChatOut<'a>),
    /// Something that is no chat.
    UserMessage(UserMessageOut<'a>),
    /// A stream for the client.
    Offer(OfferOut<'a>),
    /// Accepts a stream of the client.
    Answer { id: &'a str, sdp: &'a str },
    /// Trickles a candidate.
    Ice {
        id: &'a str,
        candidate: IceCandidate<'a>,
    },
    /// Wants a stream offered anew.
    Renegotiate { id: &'a str },
    /// What of a stream of the client somebody watches.
    Encodings(EncodingsOut),
    /// A stream ended.
    Close { id: &'a str },
    /// A stream of the client is not wanted.
    Abort { id: &'a str },
}

impl Outgoing<'_> {
    /// The text of the message.
    pub(super) fn to_text(&self) -> Utf8Bytes {
        // Only strings, numbers and maps with string keys: it cannot fail.
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

/// `user`
#[derive(Debug, Serialize)]
pub(super) struct UserOut<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) username: &'a str,
    #[serde(skip_serializing_if = "is_empty_permissions")]
    pub(super) permissions: Option<&'a Permissions>,
    #[serde(skip_serializing_if = "is_empty_data")]
    pub(super) data: Option<&'a Map<String, Value>>,
}

impl<'a> UserOut<'a> {
    /// One who is there, with everything that is known.
    pub(super) fn full(kind: &'static str, user: &'a User) -> Self {
        Self {
            kind,
            id: &user.id,
            username: &user.username,
            permissions: Some(&user.permissions),
            data: Some(&user.data),
        }
    }
}

// The signatures are serde's.
#[allow(clippy::ref_option)]
pub(super) fn is_empty_permissions(permissions: &Option<&Permissions>) -> bool {
    permissions.is_none_or(Permissions::is_empty)
}

#[allow(clippy::ref_option)]
pub(super) fn is_empty_data(data: &Option<&Map<String, Value>>) -> bool {
    data.is_none_or(Map::is_empty)
}

/// An `RTCIceCandidateInit`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IceCandidate<'a> {
    pub(super) candidate: &'a str,
    pub(super) sdp_mid: &'a str,
    #[serde(rename = "sdpMLineIndex")]
    pub(super) sdp_m_line_index: u16,
}
