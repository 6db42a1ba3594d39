//! `maketoken`, `edittoken` and `listtokens`: links that let others in.

use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use super::user_message::UserMessageOut;
use crate::group::disk::Expected;
use crate::group::{Permissions, Registry, Token, TokenError, is_legal_username};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::sync::Arc;

/// So many tokens of one group may be good at a time.
const LIMIT: usize = 10_000;

/// Why a token was refused: the stable code of the protocol, and the text.
struct Refusal(&'static str, String);

impl Refusal {
    fn not_authorised() -> Self {
        Self("not-authorised", "not authorised".to_owned())
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        Self("error", text.to_owned())
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        if let TokenError::Io(error) = error {
            tracing::error!(%error, "cannot keep a token");
            return "internal server error".into();
        }
        Self("error", error.to_string())
    }
}

/// Who asks.
struct Asker {
    group: String,
    username: String,
    permissions: Permissions,
    /// Who has a password of their own in the group.
    users: Vec<String>,
    /// Subgroups are made when someone comes.
    auto_subgroups: bool,
}

/// The value of the action, as far as it can be read.
struct Wish {
    token: Option<String>,
    group: Option<String>,
    username: Option<String>,
    permissions: Option<Permissions>,
    include_subgroups: Option<bool>,
    expires: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

impl Session {
    /// Makes a token for this group. Its maker can give away only what it has itself.
    pub(super) async fn make_token(&mut self, value: Option<Value>) -> Result<(), Failure> {
        self.act_on_tokens("token", value, make).await
    }

    /// Changes when a token of this group expires. Needs `op` as well.
    pub(super) async fn edit_token(&mut self, value: Option<Value>) -> Result<(), Failure> {
        self.act_on_tokens("token", value, edit).await
    }

    /// Lists the tokens of this group. Needs `op` as well.
    pub(super) async fn list_tokens(&mut self) -> Result<(), Failure> {
        self.act_on_tokens("tokenlist", None, list).await
    }

    async fn act_on_tokens(
        &mut self,
        kind: &str,
        value: Option<Value>,
        act: fn(&Registry, &Asker, Option<Value>) -> Result<Value, Refusal>,
    ) -> Result<(), Failure> {
        let group = self.joined()?;
        let description = group.description();
        let asker = Asker {
            group: group.name().to_owned(),
            username: self.username.clone(),
            permissions: group
                .user(&self.id)
                .map(|user| user.permissions.clone())
                .unwrap_or_default(),
            users: description.users.keys().cloned().collect(),
            auto_subgroups: description.auto_subgroups,
        };
        let registry = Arc::clone(self.state.registry());
        let task = tokio::task::spawn_blocking(move || act(&registry, &asker, value));
        let result = task
            .await
            .unwrap_or_else(|_| Err("internal server error".into()));
        let (error, value) = match result {
            Ok(value) => (None, value),
            Err(Refusal(code, text)) => (Some(code), text.into()),
        };
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some(kind),
            error,
            privileged: true,
            value: Some(&value),
            ..UserMessageOut::default()
        }));
        Ok(())
    }
}

fn make(registry: &Registry, asker: &Asker, value: Option<Value>) -> Result<Value, Refusal> {
    if !asker.permissions.has("token") {
        return Err(Refusal::not_authorised());
    }
    let now = Timestamp::now();
    let wish = Wish::read(value, now)?;
    if wish.token.is_some_and(|token| !token.is_empty()) {
        return Err("client specified token".into());
    }
    if wish.group.as_deref() != Some(&asker.group) {
        return Err("wrong group in token".into());
    }
    if wish.expires.is_none() {
        return Err("token doesn't expire".into());
    }
    if let Some(name) = &wish.username {
        if !is_legal_username(name) {
            return Err("bad string value".into());
        }
        if asker.users.contains(name) {
            return Err("that username is taken".into());
        }
    }
    if let Some(wished) = &wish.permissions
        && !wished.iter().all(|name| asker.permissions.has(name))
    {
        return Err(Refusal::not_authorised());
    }
    let include_subgroups = wish.include_subgroups.unwrap_or_default();
    if include_subgroups {
        if !asker.permissions.is_op() {
            return Err(Refusal::not_authorised());
        }
        // A group below that has a file has operators of its own: only an administrator may
        // open it.
        let below = registry.directory().join(&asker.group);
        if !asker.auto_subgroups || below.exists() {
            return Err("this group has no subgroups that a token of yours could open".into());
        }
    }
    let tokens = registry.gate().tokens();
    let of_group = tokens.list(Some(&asker.group)).tokens;
    if of_group.iter().filter(|t| t.expires > Some(now)).count() >= LIMIT {
        return Err("this group has too many tokens".into());
    }
    let by = Some(asker.username.clone()).filter(|name| !name.is_empty());
    let token = tokens.create(Token {
        token: Token::new_secret(),
        group: asker.group.clone(),
        include_subgroups,
        username: wish.username,
        permissions: wish.permissions,
        expires: wish.expires,
        not_before: wish.not_before,
        issued_at: Some(now),
        issued_by: by,
        unknown: Map::new(),
    })?;
    Ok(shown(&token))
}

fn edit(registry: &Registry, asker: &Asker, value: Option<Value>) -> Result<Value, Refusal> {
    if !asker.permissions.is_op() || !asker.permissions.has("token") {
        return Err(Refusal::not_authorised());
    }
    let wish = Wish::read(value, Timestamp::now())?;
    let same_group = wish
        .group
        .is_none_or(|group| group.is_empty() || group == asker.group);
    if !same_group
        || wish.username.is_some()
        || wish.permissions.is_some()
        || wish.include_subgroups.is_some()
        || wish.not_before.is_some()
    {
        return Err("this field cannot be edited".into());
    }
    let expires = wish.expires.ok_or("trying to edit nothing")?;
    let name = wish.token.unwrap_or_default();
    let change = |token: &mut Token| {
        if !asker.may_see(token) {
            return Err(TokenError::DoesNotExist);
        }
        token.expires = Some(expires);
        Ok(())
    };
    let token = registry
        .gate()
        .tokens()
        .update(&name, Expected::Any, change)?;
    Ok(shown(&token))
}

fn list(registry: &Registry, asker: &Asker, _: Option<Value>) -> Result<Value, Refusal> {
    if !asker.permissions.is_op() || !asker.permissions.has("token") {
        return Err(Refusal::not_authorised());
    }
    let tokens = registry.gate().tokens().list(Some(&asker.group)).tokens;
    Ok(tokens
        .iter()
        .filter(|token| asker.may_see(token))
        .map(|token| shown(token))
        .collect())
}

impl Asker {
    /// Whether a token is of this group, and would not make an administrator of an operator who
    /// was told it.
    fn may_see(&self, token: &Token) -> bool {
        let administers = token
            .permissions
            .as_ref()
            .is_some_and(|own| own.has("admin"));
        token.group == self.group && (!administers || self.permissions.has("admin"))
    }
}

fn shown(token: &Token) -> Value {
    // All its keys are strings: it can always be written.
    serde_json::to_value(token).unwrap_or_default()
}

impl Wish {
    fn read(value: Option<Value>, now: Timestamp) -> Result<Self, Refusal> {
        let Some(Value::Object(mut fields)) = value else {
            return Err("bad token value".into());
        };
        let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_null());
        let text = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err("bad string value"),
        };
        Ok(Self {
            token: text(take("token"))?,
            username: text(take("username"))?,
            group: text(take("group"))?,
            permissions: take("permissions").map(permissions).transpose()?,
            include_subgroups: match take("includeSubgroups") {
                None => None,
                Some(Value::Bool(value)) => Some(value),
                Some(_) => return Err("bad boolean value".into()),
            },
            expires: take("expires").map(|value| time(&value, now)).transpose()?,
            not_before: take("not-before")
                .map(|value| time(&value, now))
                .transpose()?,
        })
    }
}

fn permissions(value: Value) -> Result<Permissions, Refusal> {
    let Value::Array(names) = value else {
        return Err("bad string list".into());
    };
    let mut permissions = Permissions::default();
    for name in &names {
        // Each once: the list is kept.
        permissions.add(name.as_str().ok_or("bad string list")?);
    }
    Ok(permissions)
}

/// A time of RFC 3339, or so many milliseconds from now.
fn time(value: &Value, now: Timestamp) -> Result<Timestamp, Refusal> {
    let time = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number
            .as_f64()
            .and_then(|milliseconds| SignedDuration::try_from_secs_f64(milliseconds / 1000.0).ok())
            .and_then(|duration| now.checked_add(duration).ok()),
        _ => None,
    };
    time.ok_or_else(|| "bad time value".into())
}
