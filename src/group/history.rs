//! What was said, for those who join later.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A chat message on its way through a group. `source` and `username` are the sender's true ones.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatMessage {
    /// Of the message; private messages have none.
    pub id: Option<String>,
    /// The client id of its sender; `None` for the server.
    pub source: Option<String>,
    /// Of its sender.
    pub username: Option<String>,
    /// The receiver's client id; `None` for everyone.
    pub dest: Option<String>,
    /// `me`, `caption`, or nothing.
    pub kind: Option<String>,
    /// The sender was an operator.
    pub privileged: bool,
    /// The sender wants no copy.
    pub noecho: bool,
    /// When it was said.
    pub time: Timestamp,
    /// Most often a text.
    pub value: Value,
    /// About how many bytes it takes.
    pub weight: usize,
}

/// What an operator wants to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clear {
    /// Everything.
    All,
    /// What one client said.
    User(String),
    /// One message of one client.
    Message {
        /// Of the message.
        id: String,
        /// Of the client.
        user: String,
    },
}

/// The last messages said to everyone.
#[derive(Debug, Default)]
pub struct History {
    messages: VecDeque<Arc<ChatMessage>>,
    weight: usize,
}

impl History {
    /// How many messages are kept.
    pub const LIMIT: usize = 50;
    /// About how many bytes are kept: a message can be large.
    pub const WEIGHT_LIMIT: usize = 8 << 20;

    /// Adds what was just said; the oldest give way.
    pub fn push(&mut self, message: Arc<ChatMessage>) {
        self.weight += message.weight;
        self.messages.push_back(message);
        while self.messages.len() > Self::LIMIT
            || (self.weight > Self::WEIGHT_LIMIT && self.messages.len() > 1)
        {
            if let Some(old) = self.messages.pop_front() {
                self.weight -= old.weight;
            }
        }
    }

    /// Forgets what is older than `age`.
    pub fn expire(&mut self, now: Timestamp, age: Duration) {
        self.retain(|message| {
            let age = i128::try_from(age.as_millis()).unwrap_or(i128::MAX);
            i128::from(now.as_millisecond()) - i128::from(message.time.as_millisecond()) <= age
        });
    }

    /// Forgets what an operator wants forgotten.
    pub fn clear(&mut self, what: &Clear) {
        self.retain(|message| match what {
            Clear::All => false,
            Clear::User(user) => message.source.as_ref() != Some(user),
            Clear::Message { id, user } => {
                message.source.as_ref() != Some(user) || message.id.as_ref() != Some(id)
            }
        });
    }

    fn retain(&mut self, keep: impl Fn(&ChatMessage) -> bool) {
        self.messages.retain(|message| keep(message));
        self.weight = self.messages.iter().map(|message| message.weight).sum();
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ChatMessage>> {
        self.messages.iter()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests;
