//! `chat` and `chathistory`.

use super::failure::Failure;
use super::session::Session;
use crate::group::{ChatMessage, GroupError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// `chat`, or `usermessage`: they have the same fields.
#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) dest: Option<String>,
    #[serde(default)]
    pub(super) noecho: Option<bool>,
    #[serde(default)]
    pub(super) value: Option<Value>,
}

/// `chat` or `chathistory`
#[derive(Debug, Serialize)]
pub(super) struct ChatOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'a str>,
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
    #[serde(serialize_with = "seconds")]
    pub(super) time: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) noecho: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) value: &'a Value,
}

/// RFC 3339, to the second.
// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

impl<'a> From<&'a ChatMessage> for ChatOut<'a> {
    fn from(message: &'a ChatMessage) -> Self {
        Self {
            kind: message.kind.as_deref(),
            id: message.id.as_deref(),
            source: message.source.as_deref(),
            dest: message.dest.as_deref(),
            username: message.username.as_deref(),
            privileged: message.privileged,
            time: message.time,
            noecho: message.noecho,
            value: &message.value,
        }
    }
}

/// An empty text is as good as none.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Those whom a message is for are called so in its error.
pub(super) fn to_unknown(error: GroupError) -> Failure {
    match error {
        GroupError::NoSuchUser => Failure::refused("user unknown"),
        error => error.into(),
    }
}

impl Session {
    pub(super) fn chat(&mut self, chat: Chat, weight: usize) -> Result<(), Failure> {
        let group = self.joined()?;
        let dest = given(chat.dest);
        let id = given(chat.id).or_else(|| {
            let random: [u8; 8] = rand::random();
            dest.is_none().then(|| URL_SAFE_NO_PAD.encode(random))
        });
        let message = ChatMessage {
            id,
            source: Some(self.id.clone()),
            username: Some(self.username.clone()),
            dest,
            kind: given(chat.kind),
            privileged: false,
            noecho: chat.noecho.unwrap_or_default(),
            time: Timestamp::now(),
            value: chat.value.unwrap_or_default(),
            weight,
        };
        group.chat(message).map_err(to_unknown)
    }
}
