//! Coming in: from credentials to a place in the group.

use super::Registry;
use crate::group::credentials::Credentials;
use crate::group::data::Data;
use crate::group::description::Entry;
use crate::group::error::GroupError;
use crate::group::mailbox::Mailbox;
use crate::group::membership::{Group, JoinRequest, Stale};
use crate::group::permission::Permissions;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Someone who wants in, before the credentials are checked.
#[derive(Debug)]
pub struct Newcomer {
    /// The client id.
    pub id: String,
    /// Who it says it is.
    pub credentials: Credentials,
    /// What it says of itself.
    pub data: Map<String, Value>,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// Where it is told things.
    pub mailbox: Arc<Mailbox>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct JoinError {
    /// The name it would have had; empty until the credentials were found good.
    pub username: String,
    /// Why.
    pub error: GroupError,
}

impl From<GroupError> for JoinError {
    fn from(error: GroupError) -> Self {
        Self {
            username: String::new(),
            error,
        }
    }
}

impl Registry {
    /// Checks the credentials and lets the client in. From then on, everything that happens in
    /// the group arrives in its mailbox.
    ///
    /// # Errors
    /// The reason to show to the user.
    pub async fn join(
        self: &Arc<Self>,
        name: &str,
        newcomer: Newcomer,
    ) -> Result<Arc<Group>, JoinError> {
        let mut request = JoinRequest {
            id: newcomer.id,
            username: String::new(),
            entry: Entry::Token,
            permissions: Permissions::default(),
            data: Arc::new(Data::new(newcomer.data)?),
            address: newcomer.address,
            mailbox: newcomer.mailbox,
        };
        let address = newcomer.address.map(|address| address.ip());
        // Again if the file changes between the check and the join; it will not do so for ever.
        for _ in 0..10 {
            if !self.open.load(Ordering::Relaxed) {
                return Err(GroupError::ShuttingDown.into());
            }
            let group = self.find(name).await?;
            let description = group.description();
            if !description.redirect.is_empty() {
                return Err(GroupError::Redirect(description.redirect.clone()).into());
            }
            let (username, entry, permissions) = self
                .gate
                .check(name, &description, &newcomer.credentials, address)
                .await?;
            request.username.clone_from(&username);
            request.entry = entry;
            request.permissions = permissions;
            let banned = || {
                let owner = group.source().group;
                let is_op = request.permissions.is_op();
                self.bans
                    .check(&owner, &username, address, is_op, Timestamp::now())
                    .map_err(|error| JoinError {
                        username: username.clone(),
                        error,
                    })
            };
            banned()?;
            match group.join(request.clone(), &description, Timestamp::now()) {
                Ok(Ok(())) => {
                    // One pronounced in between did not see the newcomer.
                    if let Err(error) = banned() {
                        group.leave(&request.id);
                        return Err(error);
                    }
                    return Ok(group);
                }
                Ok(Err(error)) => return Err(JoinError { username, error }),
                Err(Stale) => {}
            }
        }
        Err(GroupError::Internal.into())
    }
}
