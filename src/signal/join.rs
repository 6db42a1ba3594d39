//! `join` and `joined`.

use super::failure::Failure;
use super::message::{Outgoing, is_empty_data, is_empty_permissions};
use super::session::Session;
use crate::group::{
    Credentials, GroupError, JoinError, Membership, Newcomer, Permissions, Refusal, Status, Wait,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a client that was not authorised waits for the next try.
const PENALTY: Duration = Duration::from_millis(200);
/// How long after a client came to the door of a waiting room it may come to one again: operators
/// are told each time.
const KNOCK: Duration = Duration::from_secs(1);

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
    /// Of kind `wait`: someone inside could decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    operators: Option<bool>,
}

impl Session {
    pub(super) async fn join(&mut self, join: Join) -> Result<(), Failure> {
        let name = join.group.unwrap_or_default();
        match join.kind.as_deref() {
            Some("leave") => {
                let group = self.group.as_ref().or(self.waiting.as_ref());
                if group.is_none_or(|group| group.name() != name) {
                    return Err(Failure::Dismissed("you are not joined"));
                }
                self.leave();
                return Ok(());
            }
            Some("join") => {}
            _ => return Err(Failure::Violation("unknown kind")),
        }
        if self.group.is_some() || self.waiting.is_some() {
            return Err(Failure::Violation("cannot join multiple groups"));
        }
        if let Some(knocked) = self.knocked {
            tokio::time::sleep_until(knocked + KNOCK).await;
        }
        let newcomer = Newcomer {
            id: self.id.clone(),
            credentials: Credentials {
                username: join.username,
                password: join.password.unwrap_or_default(),
                token: join.token.filter(|token| !token.is_empty()),
            },
            data: join.data.unwrap_or_default(),
            address: self.address,
            mailbox: Arc::clone(&self.mailbox),
        };
        match self.state.join_counted(&name, newcomer).await {
            Ok(group) => {
                if let Some(user) = group.user(&self.id) {
                    self.username.clone_from(&user.username);
                    self.group = Some(group);
                } else {
                    self.knocked = Some(Instant::now());
                    self.waiting = Some(group);
                }
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
        if error == GroupError::NotAuthorised {
            tokio::time::sleep(PENALTY).await;
        }
        self.tell_not_joined(group, &username, &error);
    }

    /// Tells the client why it is not let in.
    pub(super) fn tell_not_joined(&mut self, group: &str, username: &str, error: &GroupError) {
        let client = self.address.unwrap_or(self.remote);
        tracing::info!(%client, group, %error, "not let in");
        let text = match error {
            GroupError::Redirect(url) => url.clone(),
            error => error.to_string(),
        };
        let kind = if matches!(error, GroupError::Redirect(_)) {
            "redirect"
        } else {
            "fail"
        };
        self.send(&Outgoing::Joined(Joined {
            kind,
            error: error.code(),
            group,
            username,
            value: Some(&text),
            ..Joined::default()
        }));
    }

    /// Goes out of the group, if it is in one, with all streams.
    pub(super) fn leave(&mut self) {
        self.end_streams();
        for group in [self.group.take(), self.waiting.take()]
            .into_iter()
            .flatten()
        {
            group.leave(&self.id);
        }
    }

    /// The client is in: perhaps it waited until now.
    pub(super) fn joined_group(&mut self, membership: &Membership) {
        if let Some(group) = self
            .waiting
            .take_if(|group| group.name() == membership.group)
        {
            self.username.clone_from(&membership.username);
            self.group = Some(group);
        }
        self.tell_membership("join", membership);
    }

    /// The client waits until an operator decides.
    pub(super) fn tell_wait(&mut self, wait: &Wait) {
        let text = if wait.operators {
            "Please wait: an operator will let you in."
        } else {
            "Please wait: an operator has to let you in, and none is here yet."
        };
        if !self.knows("lobby") {
            self.notify("info", text);
            return;
        }
        self.send(&Outgoing::Joined(Joined {
            kind: "wait",
            group: &wait.group,
            username: &wait.username,
            status: Some(&wait.status),
            operators: Some(wait.operators),
            value: Some(text),
            ..Joined::default()
        }));
    }

    /// The client waited, and is not let in.
    pub(super) fn tell_refusal(&mut self, refusal: &Refusal) {
        self.waiting.take_if(|group| group.name() == refusal.group);
        self.tell_not_joined(&refusal.group, &refusal.username, &refusal.error);
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
