//! Stateful tokens: secrets in links that let their bearers in.
//!
//! The format is that of Galène's `data/var/tokens.jsonl`: one JSON object a line.

mod store;

pub use store::{TokenError, TokenStore, Tokens};

use super::disk::Version;
use super::permission::Permissions;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// For so long tokens are kept after they expired, so that they can be seen and renewed.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A stateful token.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Token {
    /// The secret, which is its name too.
    pub token: String,
    /// The group it is for. Empty together with `include_subgroups`: for all groups.
    pub group: String,
    /// It is for all groups below that one, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_subgroups: bool,
    /// Whoever bears it goes by this name; without one, by a name of their choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What its bearer may do.
    pub permissions: Option<Permissions>,
    /// It is good until then; never, if this is missing.
    pub expires: Option<Timestamp>,
    /// It is good from then on.
    #[serde(rename = "not-before", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<String>,
    /// Fields that this server does not know, to be written back.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl fmt::Debug for Token {
    /// Never shows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("group", &self.group)
            .field("username", &self.username)
            .field("permissions", &self.permissions)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// A secret that no one can guess: 128 random bits, base64url.
    pub fn new_secret() -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
    }

    /// Of this content.
    pub fn version(&self) -> Version {
        // It has no key that is no string: it can always be written.
        Version::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether it is for this group.
    pub fn is_for(&self, group: &str) -> bool {
        if !self.include_subgroups {
            return !self.group.is_empty() && self.group == group;
        }
        self.group.is_empty()
            || group
                .strip_prefix(self.group.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it is good at this moment.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now <= expires)
            && self.not_before.is_none_or(|begin| now >= begin)
    }

    /// Whether it expired so long ago that it need not be kept.
    fn is_forgotten_at(&self, now: Timestamp) -> bool {
        self.expires
            .is_some_and(|expires| now.duration_since(expires) > KEPT)
    }
}

#[cfg(test)]
mod tests;
