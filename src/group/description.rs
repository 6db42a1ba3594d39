//! A group file, `groups/NAME.json` (`galene.md`, "Group description reference").

mod legacy;
mod lines;
mod remarks;
mod spelling;
mod view;

pub(crate) use lines::line_of;
pub use remarks::Remark;

use super::credentials::Password;
use super::permission::{Permissions, RoleOrList};
use crate::media::Codec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long chat is kept when the file does not say.
const DEFAULT_HISTORY_AGE: Duration = Duration::from_secs(4 * 60 * 60);

/// A group file that was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It is no JSON, or a field has the wrong type. The text says the line.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// What a group file says. Everything is optional; every field is written back as it was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Description {
    /// Who has a password of their own.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub users: BTreeMap<String, UserDescription>,
    /// Everyone else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wildcard_user: Option<UserDescription>,
    /// Several wildcard users, tried in turn (a format of old).
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub fallback_users: Vec<UserDescription>,
    /// JWKs that sign tokens.
    #[serde(
        rename = "authKeys",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "nullable"
    )]
    pub auth_keys: Vec<Map<String, Value>>,
    /// Of an authorisation server.
    #[serde(
        rename = "authServer",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub auth_server: String,
    /// Of an authorisation portal.
    #[serde(
        rename = "authPortal",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub auth_portal: String,
    /// Shown on the landing page.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub public: bool,
    /// A name for people.
    #[serde(
        rename = "displayName",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub display_name: String,
    /// A text for people.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub description: String,
    /// Whom to ask; the server ignores it.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub contact: String,
    /// For the admin; the server ignores it.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub comment: String,
    /// How many may be inside; 0 or less for any number.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "nullable")]
    pub max_clients: i64,
    /// Seconds that chat is kept; 0 for 4 hours.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "nullable")]
    pub max_history_age: i64,
    /// Joining is allowed from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Joining is allowed until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Operators may record.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub allow_recording: bool,
    /// Everyone who may present may invite.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub unrestricted_tokens: bool,
    /// Read, and of no effect: as in Galène, an empty username is like any other.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub allow_anonymous: bool,
    /// `group/anything` is made when someone comes.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub auto_subgroups: bool,
    /// An old name of `auto-subgroups`.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub allow_subgroups: bool,
    /// Locked whenever no operator is inside.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub autolock: bool,
    /// Emptied whenever no operator is inside.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub autokick: bool,
    /// Everyone but operators waits until an operator lets them in. Not Galène's.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "nullable"
    )]
    pub lobby: bool,
    /// Of how many cameras pictures are forwarded at most, those of who spoke last; 0 or less for
    /// all. Not Galène's.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "nullable")]
    pub last_n: i64,
    /// How many voices are forwarded at most, the loudest; 0 or less for all. Not Galène's.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "nullable")]
    pub loudest: i64,
    /// Where the group lives instead.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub redirect: String,
    /// Codecs allowed, best first; empty for VP8 and Opus.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub codecs: Vec<String>,
    /// Operators, in files of old.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub op: Vec<ClientPattern>,
    /// Presenters, in files of old.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub presenter: Vec<ClientPattern>,
    /// Everyone else, in files of old.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub other: Vec<ClientPattern>,
    /// Fields that this server does not know.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A user of a group file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserDescription {
    /// Without one the user cannot log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// What the user may do.
    #[serde(skip_serializing_if = "RoleOrList::is_default")]
    pub permissions: RoleOrList,
    /// Fields that this server does not know.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// An entry of `op`, `presenter` or `other` in files of old.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientPattern {
    /// Anyone if absent or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// Fields that this server does not know.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// `null` is as good as nothing.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Description {
    /// Reads a group file, and translates what is of old.
    ///
    /// # Errors
    /// When it is no JSON object of this shape; unknown fields are no error.
    pub fn parse(json: &[u8]) -> Result<Self, DescriptionError> {
        Self::read(json).map(|(description, _)| description)
    }

    /// Like [`Self::parse`], with what the admin should know about a file that is in force
    /// nevertheless.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(json: &[u8]) -> Result<(Self, Vec<Remark>), DescriptionError> {
        // Windows editors put a byte order mark before the text.
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let Ok(text) = std::str::from_utf8(json) else {
            // serde_json says where.
            return Ok((serde_json::from_slice(json)?, Vec::new()));
        };
        let (mut description, mut remarks) = Self::read_fields(text)?;
        remarks.extend(description.warnings(text));
        remarks.extend(description.upgrade(text));
        remarks.sort_by_key(|remark| remark.line);
        Ok((description, remarks))
    }

    /// The text of the file, whole, as the server writes it to disk.
    ///
    /// # Errors
    /// None is known: everything in it has been JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// What an automatic subgroup has of it.
    pub(super) fn for_subgroup(mut self) -> Self {
        self.public = false;
        self.description.clear();
        self
    }

    /// The codecs allowed, best first.
    pub fn allowed_codecs(&self) -> Vec<Codec> {
        let mut codecs = Vec::new();
        for codec in self.codecs.iter().filter_map(|name| name.parse().ok()) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        if self.codecs.is_empty() {
            vec![Codec::Vp8, Codec::Opus]
        } else {
            codecs
        }
    }

    /// For how long chat is kept.
    pub fn history_age(&self) -> Duration {
        match u64::try_from(self.max_history_age) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => DEFAULT_HISTORY_AGE,
        }
    }

    /// Those of whom one must be matched for `username` to come in. A user with an entry never
    /// falls back to the wildcard.
    fn candidates(&self, username: &str) -> impl Iterator<Item = (Entry, &UserDescription)> {
        let named = self.users.get(username);
        let others = self.wildcard_user.iter().chain(&self.fallback_users);
        let others = others
            .enumerate()
            .map(|(index, user)| (Entry::Wildcard(index), user));
        named
            .map(|user| (Entry::Named, user))
            .into_iter()
            .chain(others.filter(move |_| named.is_none()))
    }

    /// Whether [`Self::login`] takes long for this user.
    pub(super) fn is_slow(&self, username: &str) -> bool {
        self.candidates(username)
            .any(|(_, user)| user.password.as_ref().is_some_and(Password::is_slow))
    }

    /// What the user may do, and by which entry, if the password is right. May take long: see
    /// [`Self::is_slow`].
    pub(super) fn login(&self, username: &str, password: &str) -> Option<(Entry, Permissions)> {
        self.candidates(username)
            .find(|(_, user)| {
                user.password
                    .as_ref()
                    .is_some_and(|own| own.matches(password))
            })
            .map(|(entry, user)| (entry, user.permissions.permissions(self)))
    }

    /// What the file says now about someone whom `entry` let in; `None` if it has no say in it.
    pub(super) fn role_of(&self, entry: Entry, username: &str) -> Option<Permissions> {
        let user = match entry {
            Entry::Named => self.users.get(username),
            Entry::Wildcard(index) => self
                .wildcard_user
                .iter()
                .chain(&self.fallback_users)
                .nth(index),
            Entry::Token => return None,
        };
        let permissions = user.map(|user| user.permissions.permissions(self));
        Some(permissions.unwrap_or_default())
    }
}

/// What let a member in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// That of the username in `users`.
    Named,
    /// The wildcard user, or one of the fallback users after it, counted together.
    Wildcard(usize),
    /// None of the file: a token.
    Token,
}

#[cfg(test)]
mod tests;
