//! `join` and `joined`.

use super::failure::Failure;
use super::message::{Outgoing, is_empty_data, is_empty_permissions};
use super::session::Session;
use crate::group::{Credentials, GroupError, JoinError, Membership, Newcomer, Permissions, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long a client that was not authorised waits for the next try.
const PENALTY: Duration = Duration::from_millis(200);

/// `join`
#[derive(Debug, Deserialize)]
pub(super) struct Join {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    data: Option<Map<String, Value>>,
}

/// `joined`
#[derive(Debug, Default, Serialize)]
pub(super) struct Joined<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    group: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "is_empty_permissions")]
    permissions: Option<&'a Permissions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a Status>,
    #[serde(skip_serializing_if = "is_empty_data")]
    data: Option<&'a Map<String, Value>>,
    #[serde(rename = "rtcConfiguration", skip_serializing_if = "Option::is_none")]
    rtc_configuration: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

impl Session {
    pub(super) async fn join(&mut self, join: Join) -> Result<(), Failure> {
        let name = join.group.unwrap_or_default();
        match join.kind.as_deref() {
            Some("leave") => {
                if self.group.as_ref().is_none_or(|group| group.name() != name) {
                    return Err(Failure::Dismissed("you are not joined"));
                }
                self.leave();
                return Ok(());
            }
            Some("join") => {}
            _ => return Err(Failure::Violation("unknown kind")),
        }
        if self.group.is_some() {
            return Err(Failure::Violation("cannot join multiple groups"));
        }
        let newcomer = Newcomer {
            id: self.id.clone(),
            credentials: Credentials {
                username: join.username,
                password: join.password.unwrap_or_default(),
                token: join.token.filter(|token| !token.is_empty()),
            },
            data: join.data.unwrap_or_default(),
            address: Some(self.remote),
            mailbox: Arc::clone(&self.mailbox),
        };
        match self.state.registry().join(&name, newcomer).await {
            Ok(group) => {
                if let Some(user) = group.user(&self.id) {
                    self.username.clone_from(&user.username);
                }
                self.group = Some(group);
                Ok(())
            }
            Err(refused) => {
                self.tell_refused(&name, refused).await;
                Ok(())
            }
        }
    }

    async fn tell_refused(&mut self, group: &str, refused: JoinError) {
        let JoinError { username, error } = refused;
        tracing::info!(client = %self.remote, group, %error, "not let in");
        let text = match &error {
            GroupError::Redirect(url) => url.clone(),
            error => error.to_string(),
        };
        if error == GroupError::NotAuthorised {
            tokio::time::sleep(PENALTY).await;
        }
        let kind = if matches!(error, GroupError::Redirect(_)) {
            "redirect"
        } else {
            "fail"
        };
        self.send(&Outgoing::Joined(Joined {
            kind,
            error: error.code(),
            group,
            username: &username,
            value: Some(&text),
            ..Joined::default()
        }));
    }

    /// Goes out of the group, if it is in one, with all streams.
    pub(super) fn leave(&mut self) {
        self.end_streams();
        if let Some(group) = self.group.take() {
            group.leave(&self.id);
        }
    }

    pub(super) fn tell_membership(&mut self, kind: &'static str, membership: &Membership) {
        let configuration = self.state.rtc_configuration();
        self.send(&Outgoing::Joined(Joined {
            kind,
            group: &membership.group,
            username: &membership.username,
            permissions: (kind != "leave").then_some(&membership.permissions),
            status: Some(&membership.status),
            data: (kind != "leave").then_some(&**membership.data),
            rtc_configuration: Some(&configuration),
            ..Joined::default()
        }));
    }
}
