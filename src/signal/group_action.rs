//! `groupaction`: what operators do to the group.

use super::chat::ChatOut;
use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use crate::group::{Clear, GroupError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;

/// `groupaction`
#[derive(Debug, Deserialize)]
pub(super) struct GroupAction {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

impl Session {
    pub(super) async fn group_action(&mut self, action: GroupAction) -> Result<(), Failure> {
        let group = self.joined()?;
        match action.kind.as_deref().unwrap_or_default() {
            "clearchat" => {
                if !group.permits(&self.id, "op") {
                    return Err(GroupError::NotAuthorised.into());
                }
                let what = what_to_clear(action.value.as_ref())
                    .ok_or_else(|| Failure::refused("bad value in clearchat"))?;
                Ok(group.clear_chat(&self.id, &what, action.value)?)
            }
            "lock" => {
                let message = action
                    .value
                    .as_ref()
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Ok(group.lock(&self.id, Some(message))?)
            }
            "unlock" => Ok(group.lock(&self.id, None)?),
            "setdata" => {
                if !group.permits(&self.id, "op") {
                    return Err(GroupError::NotAuthorised.into());
                }
                let Some(Value::Object(change)) = action.value else {
                    return Err(Failure::refused("Bad value in setdata"));
                };
                Ok(group.set_data(&self.id, change)?)
            }
            "subgroups" => {
                if !group.permits(&self.id, "op") {
                    return Err(GroupError::NotAuthorised.into());
                }
                self.tell_subgroups(group.name());
                Ok(())
            }
            "admit" => Ok(group.admit_all(&self.id, Timestamp::now())?),
            "ban" => self.ban_anyone(action.value).await,
            "unban" => self.unban(action.value).await,
            "bans" => self.list_bans(),
            "record" | "unrecord" => {
                if !group.permits(&self.id, "record") {
                    if group.permits(&self.id, "op") && !group.description().allow_recording {
                        return Err(Failure::refused("recording is not allowed in this group"));
                    }
                    return Err(GroupError::NotAuthorised.into());
                }
                Err(Failure::refused("this server cannot record yet"))
            }
            "maketoken" => self.make_token(action.value).await,
            "edittoken" => self.edit_token(action.value).await,
            "listtokens" => self.list_tokens().await,
            _ => Err(Failure::Dismissed("unknown group action")),
        }
    }

    fn tell_subgroups(&mut self, name: &str) {
        let mut text = String::new();
        for (name, clients) in self.state.registry().subgroups(name) {
            let plural = if clients == 1 { "" } else { "s" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} ({clients} client{plural})");
        }
        let id = self.id.clone();
        self.send(&Outgoing::Chat(ChatOut {
            kind: None,
            id: None,
            source: None,
            dest: Some(&id),
            username: Some("Server"),
            privileged: false,
            time: Timestamp::now(),
            noecho: false,
            value: &text.into(),
        }));
    }
}

/// What the value of a `clearchat` asks for; `None` if it makes no sense.
fn what_to_clear(value: Option<&Value>) -> Option<Clear> {
    let fields = match value {
        None | Some(Value::Null) => return Some(Clear::All),
        Some(Value::Object(fields)) => fields,
        Some(_) => return None,
    };
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Some(""),
        Some(value) => value.as_str(),
    };
    match (text("id")?, text("userId")?) {
        ("", "") => Some(Clear::All),
        ("", user) => Some(Clear::User(user.to_owned())),
        (_, "") => None,
        (id, user) => Some(Clear::Message {
            id: id.to_owned(),
            user: user.to_owned(),
        }),
    }
}
