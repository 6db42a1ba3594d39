//! `ban`, `unban` and `bans` (`docs/protocol.md`, "Bans").

use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use super::user_message::UserMessageOut;
use crate::group::{Ban, BanRequest, Banned, GroupError, Network};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// How long a ban holds for which no one said how long.
const USUAL: SignedDuration = SignedDuration::from_hours(1);

impl Session {
    /// `useraction` of kind `ban`.
    pub(super) async fn ban_client(
        &mut self,
        dest: &str,
        value: Option<Value>,
    ) -> Result<(), Failure> {
        self.operates()?;
        let value = fields(value)?;
        let by = match value.get("by") {
            None | Some(Value::Null) => None,
            Some(Value::Array(list)) => Some(list),
            Some(_) => return Err(bad()),
        };
        let says = |what: &str| by.map(|list| list.iter().any(|item| item == what));
        let known = |item: &Value| item == "username" || item == "address";
        if by.is_some_and(|list| list.is_empty() || !list.iter().all(known)) {
            return Err(bad());
        }
        let whom = Banned::Client {
            id: dest.to_owned(),
            name: says("username"),
            address: says("address"),
        };
        self.ban(whom, &value).await
    }

    /// `groupaction` of kind `ban`.
    pub(super) async fn ban_anyone(&mut self, value: Option<Value>) -> Result<(), Failure> {
        self.operates()?;
        let value = fields(value)?;
        let address: Option<Network> = text(&value, "address")?
            .map(|address| address.parse().map_err(|_| bad()))
            .transpose()?;
        let username = text(&value, "username")?.map(str::to_owned);
        if username.is_none() && address.is_none() {
            return Err(bad());
        }
        let whom = Banned::Anyone { username, address };
        self.ban(whom, &value).await
    }

    /// What a message says is looked at only if its sender may say it.
    fn operates(&self) -> Result<(), Failure> {
        if self.joined()?.permits(&self.id, "op") {
            return Ok(());
        }
        Err(GroupError::NotAuthorised.into())
    }

    async fn ban(&mut self, whom: Banned, value: &Map<String, Value>) -> Result<(), Failure> {
        let group = self.joined()?;
        let request = BanRequest {
            whom,
            expires: expires(value.get("expires"), Timestamp::now())?,
            message: text(value, "message")?.unwrap_or_default().to_owned(),
        };
        let registry = self.state.registry().clone();
        let ban = registry.ban(&group, &self.id, request).await?;
        self.tell_bans("ban", &ban);
        Ok(())
    }

    /// `groupaction` of kind `unban`.
    pub(super) async fn unban(&mut self, value: Option<Value>) -> Result<(), Failure> {
        let group = self.joined()?;
        let id = value.as_ref().and_then(Value::as_str).unwrap_or_default();
        let registry = self.state.registry().clone();
        let bans = registry.unban(&group, &self.id, id).await?;
        self.tell_bans("banlist", &bans);
        Ok(())
    }

    /// `groupaction` of kind `bans`.
    pub(super) fn list_bans(&mut self) -> Result<(), Failure> {
        let group = self.joined()?;
        let bans = self.state.registry().bans(&group, &self.id)?;
        self.tell_bans::<[Ban]>("banlist", &bans);
        Ok(())
    }

    fn tell_bans<T: serde::Serialize + ?Sized>(&mut self, kind: &str, value: &T) {
        // Texts and times: it cannot fail.
        let value = serde_json::to_value(value).unwrap_or_default();
        let id = self.id.clone();
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some(kind),
            dest: Some(&id),
            privileged: true,
            value: Some(&value),
            ..UserMessageOut::default()
        }));
    }
}

fn bad() -> Failure {
    Failure::refused("bad value in ban")
}

fn fields(value: Option<Value>) -> Result<Map<String, Value>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(bad()),
    }
}

/// A text; `None` if it is empty.
fn text<'a>(value: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Failure> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(bad()),
    }
}

/// When a ban ends; `None` for never.
fn expires(value: Option<&Value>, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let bad = || Failure::refused("bad time value");
    let time = match value {
        None | Some(Value::Null) => now.checked_add(USUAL).map_err(|_| bad())?,
        Some(Value::String(text)) if text == "never" => return Ok(None),
        Some(Value::String(text)) => text.parse().map_err(|_| bad())?,
        Some(value) => {
            let span = value.as_i64().ok_or_else(bad)?;
            let span = SignedDuration::from_millis(span);
            now.checked_add(span).map_err(|_| bad())?
        }
    };
    if time <= now {
        return Err(bad());
    }
    // To the second, and not sooner than asked for.
    let time = Timestamp::from_second(time.as_second() + i64::from(time.subsec_nanosecond() > 0))
        .map_err(|_| bad())?;
    Ok(Some(time))
}
