//! `useraction`: what operators do to users, and users to themselves.

use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use super::user_message::UserMessageOut;
use crate::group::{Grant, GroupError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `useraction`
#[derive(Debug, Deserialize)]
pub(super) struct UserAction {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dest: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

impl Session {
    pub(super) async fn user_action(&mut self, action: UserAction) -> Result<(), Failure> {
        let group = self.joined()?;
        let dest = action.dest.unwrap_or_default();
        let grant = match action.kind.as_deref().unwrap_or_default() {
            "op" => Grant::Op,
            "unop" => Grant::Unop,
            "present" => Grant::Present,
            "unpresent" => Grant::Unpresent,
            "shutup" => Grant::Shutup,
            "unshutup" => Grant::Unshutup,
            "kick" => {
                let message = action
                    .value
                    .as_ref()
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                return Ok(group.kick(&self.id, &dest, message)?);
            }
            "admit" => return Ok(group.admit(&self.id, &dest, Timestamp::now())?),
            "refuse" => {
                let message = action
                    .value
                    .as_ref()
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                return Ok(group.refuse(&self.id, &dest, message)?);
            }
            "ban" => return self.ban_client(&dest, action.value).await,
            "identify" => return self.identify(&dest),
            "setdata" => {
                if dest != self.id {
                    return Err(GroupError::NotAuthorised.into());
                }
                let Some(Value::Object(change)) = action.value else {
                    return Err(Failure::refused("Bad value in setdata"));
                };
                return Ok(group.set_user_data(&self.id, change)?);
            }
            _ => return Err(Failure::Dismissed("unknown user action")),
        };
        Ok(group.grant(&self.id, &dest, grant)?)
    }

    fn identify(&mut self, dest: &str) -> Result<(), Failure> {
        let group = self.joined()?;
        let user = group
            .identify(&self.id, dest)
            .map_err(|error| match error {
                GroupError::NoSuchUser => Failure::refused("client not found"),
                error => error.into(),
            })?;
        let mut value = Map::new();
        value.insert("id".to_owned(), user.id.clone().into());
        if !user.username.is_empty() {
            value.insert("username".to_owned(), user.username.clone().into());
        }
        if let Some(address) = user.address {
            let text = match address.port() {
                0 => address.ip().to_string(),
                _ => address.to_string(),
            };
            value.insert("address".to_owned(), text.into());
        }
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some("userinfo"),
            privileged: true,
            value: Some(&Value::Object(value)),
            ..UserMessageOut::default()
        }));
        Ok(())
    }
}
