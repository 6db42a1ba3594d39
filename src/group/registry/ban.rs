//! Banning someone from a group, and from the automatic subgroups of the same file.

use super::Registry;
use crate::group::ban::{Ban, Network};
use crate::group::error::{BANNED, GroupError};
use crate::group::membership::Group;
use crate::group::notice::Kick;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// What an operator asks for.
#[derive(Debug, Clone, Default)]
pub struct BanRequest {
    /// Who is banned.
    pub whom: Banned,
    /// Until when; `None` for ever.
    pub expires: Option<Timestamp>,
    /// What the banned are told; a usual text if empty.
    pub message: String,
}

/// Who is banned.
#[derive(Debug, Clone)]
pub enum Banned {
    /// Someone inside or at the door.
    Client {
        /// The client id.
        id: String,
        /// By name; `None` if that makes sense.
        name: Option<bool>,
        /// By address; `None` if that makes sense.
        address: Option<bool>,
    },
    /// Whoever has this name or this address.
    Anyone {
        /// Of the user.
        username: Option<String>,
        /// Where it comes from.
        address: Option<Network>,
    },
}

impl Default for Banned {
    fn default() -> Self {
        Self::Anyone {
            username: None,
            address: None,
        }
    }
}

impl Registry {
    /// Keeps bans in a file, from now on. Blocks.
    pub fn keep_bans_in(&self, path: PathBuf) {
        self.bans.keep_in(path);
    }

    /// Keeps someone out, and sends out whoever it is that is inside.
    ///
    /// # Errors
    /// Not authorised, no such user, or a ban that makes no sense.
    pub async fn ban(
        self: &Arc<Self>,
        group: &Group,
        by: &str,
        request: BanRequest,
    ) -> Result<Ban, GroupError> {
        let now = Timestamp::now();
        let (username, address) = group.whom_to_ban(by, &request.whom)?;
        let operator = group.user(by).ok_or(GroupError::NotAuthorised)?;
        let id: [u8; 8] = rand::random();
        let ban = Ban {
            id: URL_SAFE_NO_PAD.encode(id),
            group: group.source().group,
            username,
            address,
            message: Some(request.message).filter(|message| !message.is_empty()),
            by: operator.username.clone(),
            // To the second, as all times of the protocol.
            issued_at: Timestamp::from_second(now.as_second()).unwrap_or(now),
            expires: request.expires,
        };
        tracing::info!(group = ban.group, by = ban.by, ?ban.username, ?ban.address, "banned");
        self.bans.add(ban.clone(), now)?;
        let kick = Kick {
            by: Some((by.to_owned(), ban.by.clone())),
            message: ban.text(),
            code: Some(BANNED),
        };
        for group in self.loaded() {
            if group.source().group == ban.group {
                group.throw_out(by, &kick, &ban);
            }
        }
        self.save_bans().await;
        Ok(ban)
    }

    /// Lets someone in again. Returns the bans that are left.
    ///
    /// # Errors
    /// Not authorised, or no such ban.
    pub async fn unban(
        self: &Arc<Self>,
        group: &Group,
        by: &str,
        id: &str,
    ) -> Result<Vec<Ban>, GroupError> {
        if !group.permits(by, "op") {
            return Err(GroupError::NotAuthorised);
        }
        self.bans.lift(&group.source().group, id)?;
        self.save_bans().await;
        self.bans(group, by)
    }

    /// The bans of a group, oldest first.
    ///
    /// # Errors
    /// Not authorised.
    pub fn bans(&self, group: &Group, by: &str) -> Result<Vec<Ban>, GroupError> {
        if !group.permits(by, "op") {
            return Err(GroupError::NotAuthorised);
        }
        Ok(self.bans.list(&group.source().group, Timestamp::now()))
    }

    async fn save_bans(self: &Arc<Self>) {
        let registry = Arc::clone(self);
        // What fails is in the log.
        let _ = tokio::task::spawn_blocking(move || registry.bans.save(Timestamp::now())).await;
    }
}

impl Group {
    /// The name and the address that a ban is for.
    fn whom_to_ban(
        &self,
        by: &str,
        whom: &Banned,
    ) -> Result<(Option<String>, Option<Network>), GroupError> {
        let state = self.state();
        let operator = Arc::clone(&state.permitted(by, "op")?.user);
        let own_name = operator.username.as_str();
        let is_operators = |network: Network| {
            state.members.values().any(|member| {
                let address = member.user.address.map(|address| address.ip().into());
                member.user.permissions.is_op() && address == Some(network)
            })
        };
        let (name, network, by_name, by_address) = match whom {
            Banned::Client { id, name, address } => {
                if id == by {
                    return Err(GroupError::Unbannable("you cannot ban yourself"));
                }
                let (_, user) = state.reach(id)?;
                let network = user.address.map(|address| Network::from(address.ip()));
                let username = Some(user.username.clone()).filter(|name| !name.is_empty());
                (username, network, *name, *address)
            }
            Banned::Anyone { username, address } => (
                username.clone(),
                *address,
                Some(username.is_some()),
                Some(address.is_some()),
            ),
        };
        let name = match (name, by_name) {
            (_, Some(false)) => None,
            (Some(name), _) if name != own_name => Some(name),
            (_, None) => None,
            (Some(_), Some(true)) => {
                return Err(GroupError::Unbannable("this is your own name"));
            }
            (None, Some(true)) => {
                return Err(GroupError::Unbannable("this user has no name"));
            }
        };
        let network = match (network, by_address) {
            (_, Some(false)) => None,
            (Some(network), _) if !is_operators(network) => Some(network),
            (_, None) => None,
            (Some(_), Some(true)) => {
                let text = "an operator has the same address";
                return Err(GroupError::Unbannable(text));
            }
            (None, Some(true)) => {
                return Err(GroupError::Unbannable("this user has no address"));
            }
        };
        if name.is_none() && network.is_none() {
            let text = "neither name nor address tell this user from others";
            return Err(GroupError::Unbannable(text));
        }
        Ok((name, network))
    }
}
