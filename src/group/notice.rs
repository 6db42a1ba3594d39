//! What a group tells one of its members.

use super::data::Data;
use super::error::GroupError;
use super::history::ChatMessage;
use super::permission::Permissions;
use super::speaker::SpeakingStream;
use super::status::Status;
use super::stream::PublishedStream;
use crate::shard::{PeerId, Wanted};
use jiff::Timestamp;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a group tells one of its members, in the order it happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// You are in.
    Joined(Box<Membership>),
    /// Your permissions, the group's status or its data changed.
    Changed(Box<Membership>),
    /// You are out, as you wished.
    Left(Box<Membership>),
    /// Something said before you came.
    History(Arc<ChatMessage>),
    /// Something said.
    Chat(Arc<ChatMessage>),
    /// Something that is no chat.
    Message(Arc<UserMessage>),
    /// Someone came, changed or went.
    User(UserChange, Arc<User>),
    /// Someone publishes a stream, or changed its tracks.
    Published(Arc<PublishedStream>),
    /// A stream is no more.
    Unpublished(Arc<PublishedStream>),
    /// You wait until an operator decides.
    Waits(Box<Wait>),
    /// You waited, and are not let in.
    Refused(Box<Refusal>),
    /// Who waits, all of them, and what an operator should be told in words.
    Lobby(Arc<[Guest]>, Option<Arc<str>>),
    /// The streams of those who have spoken, the latest first.
    Speakers(Arc<[SpeakingStream]>),
    /// You must go.
    Kicked(Kick),
    /// The media engine tells of one of your peer connections.
    Peer(PeerId, PeerChange),
}

/// A member as it is itself told.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The group's name.
    pub group: String,
    /// The name the member goes by.
    pub username: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Of the group.
    pub status: Status,
    /// Of the group.
    pub data: Arc<Data>,
}

/// What someone is told who waits.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The group's name.
    pub group: String,
    /// The name it would go by.
    pub username: String,
    /// Of the group, as everyone may know it.
    pub status: Status,
    /// There is someone inside who could decide.
    pub operators: bool,
}

/// Why someone who waited is not let in.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The group's name.
    pub group: String,
    /// The name it would have gone by.
    pub username: String,
    /// Why.
    pub error: GroupError,
}

/// Someone who waits, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Its client id.
    pub id: String,
    /// Its name.
    pub username: String,
    /// When it came.
    pub since: Timestamp,
}

/// A member as the others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its client id.
    pub id: String,
    /// Its name.
    pub username: String,
    /// What it may do.
    pub permissions: Permissions,
    /// What it says of itself.
    pub data: Arc<Data>,
    /// Where it connects from; only operators are told.
    pub address: Option<SocketAddr>,
}

/// What happened to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// Came, or is there.
    Add,
    /// Has other permissions or data.
    Change,
    /// Went.
    Delete,
}

/// A `usermessage`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserMessage {
    /// What it is.
    pub kind: Option<String>,
    /// The sender's client id; `None` for the server.
    pub source: Option<String>,
    /// The sender's name.
    pub username: Option<String>,
    /// The receiver's client id; `None` for everyone.
    pub dest: Option<String>,
    /// The sender was an operator, or the server.
    pub privileged: bool,
    /// The sender wants no copy.
    pub noecho: bool,
    /// When.
    pub time: Option<Timestamp>,
    /// Anything.
    pub value: Option<Value>,
    /// About how many bytes it takes.
    pub weight: usize,
}

/// Why a member must go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kick {
    /// Client id and name of the operator; `None` for the server.
    pub by: Option<(String, String)>,
    /// What the member is told; empty for the usual text.
    pub message: String,
    /// The stable code for programs, if there is one.
    pub code: Option<&'static str>,
}

/// What became of a peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerChange {
    /// Media flows.
    Connected,
    /// Lost; an ICE restart may bring it back.
    Failed,
    /// Closed by the other end.
    Closed,
    /// What of its pictures somebody has use for.
    Watched(Wanted),
}

impl Notice {
    /// About how many bytes it keeps from being freed.
    pub fn weight(&self) -> usize {
        let own = match self {
            Self::History(message) | Self::Chat(message) => message.weight,
            Self::Message(message) => message.weight,
            // Shared by all who are told, but each change leaves another one behind.
            Self::User(_, user) => user.data.weight(),
            Self::Joined(membership) | Self::Changed(membership) | Self::Left(membership) => {
                membership.data.weight()
            }
            Self::Lobby(guests, _) => guests.len() * 128,
            Self::Speakers(speakers) => speakers.len() * 64,
            _ => 0,
        };
        own + 256
    }
}
