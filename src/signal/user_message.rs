//! `usermessage`.

use super::chat::{Chat, given, seconds, to_unknown};
use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use crate::group::UserMessage;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// `usermessage`
#[derive(Debug, Default, Serialize)]
pub(super) struct UserMessageOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) privileged: bool,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_seconds"
    )]
    pub(super) time: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) noecho: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<&'a Value>,
}

// The signature is serde's.
#[allow(clippy::ref_option)]
fn optional_seconds<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, to),
        None => to.serialize_none(),
    }
}

impl<'a> From<&'a UserMessage> for UserMessageOut<'a> {
    fn from(message: &'a UserMessage) -> Self {
        Self {
            kind: message.kind.as_deref(),
            source: message.source.as_deref(),
            dest: message.dest.as_deref(),
            username: message.username.as_deref(),
            privileged: message.privileged,
            time: message.time,
            noecho: message.noecho,
            value: message.value.as_ref(),
            ..Self::default()
        }
    }
}

impl Session {
    pub(super) fn user_message(&mut self, message: Chat, weight: usize) -> Result<(), Failure> {
        let group = self.joined()?;
        let message = UserMessage {
            kind: given(message.kind),
            source: Some(self.id.clone()),
            username: Some(self.username.clone()),
            dest: given(message.dest),
            privileged: false,
            noecho: message.noecho.unwrap_or_default(),
            time: Some(Timestamp::now()),
            value: message.value,
            weight,
        };
        group.message(message).map_err(to_unknown)
    }

    /// Tells this client something, in the server's name.
    pub(super) fn notify(&mut self, kind: &str, text: &str) {
        let id = self.id.clone();
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some(kind),
            dest: Some(&id),
            privileged: true,
            value: Some(&text.into()),
            ..UserMessageOut::default()
        }));
    }
}
