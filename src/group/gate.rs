//! Who someone is: passwords and tokens, checked so that it costs no one else anything.

mod administrator;
mod hashing;
mod penalty;

use super::credentials::Credentials;
use super::description::{Description, Entry, UserDescription};
use super::error::GroupError;
use super::jwt::{self, JwtError, Place};
use super::membership::Group;
use super::name::is_legal_username;
use super::permission::Permissions;
use super::status::BaseUrl;
use super::token::TokenStore;
use hashing::Hashers;
use jiff::Timestamp;
use penalty::{Penalties, Verdict};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

/// Checks credentials. Addresses from which they are wrong too often wait, and are sent away when
/// they do not stop; what is slow on purpose is done by few threads that yield to all others.
#[derive(Debug, Default)]
pub struct Gate {
    tokens: Arc<TokenStore>,
    place: RwLock<Arc<Place>>,
    hashers: Hashers,
    penalties: Mutex<Penalties>,
}

impl Gate {
    /// With these stateful tokens.
    pub fn new(tokens: TokenStore) -> Self {
        Self {
            tokens: Arc::new(tokens),
            ..Self::default()
        }
    }

    /// The stateful tokens. They wait for the disk.
    pub fn tokens(&self) -> &Arc<TokenStore> {
        &self.tokens
    }

    /// Says under which URLs this server is known, which the audience of a JWT must match:
    /// `canonicalHost` and `proxyURL` of the configuration, empty for none.
    pub fn set_place(&self, canonical_host: &str, proxy_url: &str) {
        let path =
            BaseUrl::parse(proxy_url).map_or_else(|_| String::new(), |url| url.path().into());
        let place = Arc::new(Place {
            host: canonical_host.to_owned(),
            path,
        });
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// The name and the permissions that these credentials give in a group. `address` is where
    /// they come from, if that tells one client from the others.
    ///
    /// # Errors
    /// When they are not good, or came from there too often.
    pub async fn authenticate(
        &self,
        group: &Group,
        credentials: &Credentials,
        address: Option<IpAddr>,
    ) -> Result<(String, Permissions), GroupError> {
        let description = group.description();
        let (username, _, permissions) = self
            .check(group.name(), &description, credentials, address)
            .await?;
        Ok((username, permissions))
    }

    pub(super) async fn check(
        &self,
        group: &str,
        description: &Arc<Description>,
        credentials: &Credentials,
        address: Option<IpAddr>,
    ) -> Result<(String, Entry, Permissions), GroupError> {
        let wished = credentials.username.as_deref();
        if wished.is_some_and(|name| !is_legal_username(name)) {
            return Err(GroupError::NotAuthorised);
        }
        if let Some(token) = &credentials.token {
            let (name, permissions) = self
                .check_token(group, description, token, wished, address)
                .await?;
            return if is_legal_username(&name) {
                Ok((name, Entry::Token, permissions))
            } else {
                Err(GroupError::NotAuthorised)
            };
        }
        let username = wished.ok_or(GroupError::UsernameRequired)?.to_owned();
        let slow = description.is_slow(&username);
        let (description, password) = (Arc::clone(description), credentials.password.clone());
        let user = username.clone();
        let (entry, permissions) = self
            .attempt(address, slow, move || description.login(&user, &password))
            .await?;
        Ok((username, entry, permissions))
    }

    /// Whether someone is an administrator of the server: one of `users` of the configuration,
    /// with the permission `admin`.
    ///
    /// # Errors
    /// When not, or when wrong credentials came from `address` too often.
    pub async fn check_administrator(
        &self,
        users: &BTreeMap<String, UserDescription>,
        username: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<(), GroupError> {
        let user = users.get(username).filter(|user| {
            let permissions = user.permissions.permissions(&Description::default());
            permissions.has("admin")
        });
        let own = user.and_then(|user| user.password.clone());
        let slow = own.as_ref().is_some_and(|own| own.is_slow());
        let given = password.to_owned();
        self.attempt(address, slow, move || {
            own.is_some_and(|own| own.matches(&given)).then_some(())
        })
        .await
    }

    /// What a stateful token allows on the server as a whole: one for the root of all groups.
    ///
    /// # Errors
    /// When it is not good, or wrong credentials came from `address` too often.
    pub async fn check_root_token(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Permissions, GroupError> {
        // Neither does the root have keys, nor does it matter what an administrator is called.
        let root = Arc::new(Description::default());
        let checked = self.check_token("", &root, token, Some(""), address);
        checked.await.map(|(_, permissions)| permissions)
    }

    async fn check_token(
        &self,
        group: &str,
        description: &Arc<Description>,
        token: &str,
        wished: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<(String, Permissions), GroupError> {
        let tokens = Arc::clone(&self.tokens);
        let (name, of_group) = (token.to_owned(), group.to_owned());
        let (keys, place) = (Arc::clone(description), self.place());
        self.turn(address).await?;
        let task = tokio::task::spawn_blocking(move || {
            let now = Timestamp::now();
            if let Some(token) = tokens.get(&name) {
                return Ok(Found::Stateful(token, now));
            }
            jwt::check(&name, &keys.auth_keys, &place, &of_group, now).map(Found::Signed)
        });
        let (own, permissions, required) = match task.await.map_err(|_| GroupError::Internal)? {
            Ok(Found::Stateful(token, now)) => {
                if !token.is_for(group) || !token.is_valid_at(now) {
                    tracing::info!(group, "a token is for another group or another time");
                    return Err(GroupError::NotAuthorised);
                }
                let permissions = token.permissions.clone().unwrap_or_default();
                (token.username.clone(), permissions, true)
            }
            Ok(Found::Signed(claims)) => (claims.username, claims.permissions, false),
            Err(reason) => {
                tracing::info!(group, %reason, "a token is not accepted");
                // Old links are no attempts to guess one.
                if matches!(reason, JwtError::Malformed | JwtError::Signature) {
                    self.failed(address);
                }
                return Err(GroupError::NotAuthorised);
            }
        };
        if own.is_none() && wished.is_none() && required {
            return Err(GroupError::UsernameRequired);
        }
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            return Ok((own, permissions));
        }
        // Whoever has a password here must not be impersonated.
        let wished = wished.unwrap_or_default();
        if !wished.is_empty() && description.users.contains_key(wished) {
            return Err(GroupError::DuplicateUsername);
        }
        Ok((wished.to_owned(), permissions))
    }

    fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does `check` when it is the turn of `address`; `None` of it is a failure.
    async fn attempt<T: Send + 'static>(
        &self,
        address: Option<IpAddr>,
        slow: bool,
        check: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<T, GroupError> {
        self.turn(address).await?;
        let result = if slow {
            self.hashers.run(check).await.ok_or(GroupError::Internal)?
        } else {
            check()
        };
        if result.is_none() {
            self.failed(address);
        }
        result.ok_or(GroupError::NotAuthorised)
    }

    /// Waits for the turn of an address.
    async fn turn(&self, address: Option<IpAddr>) -> Result<(), GroupError> {
        let Some(address) = address else {
            return Ok(());
        };
        let verdict = || {
            let penalties = self
                .penalties
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            penalties.verdict(address, Instant::now())
        };
        if let Verdict::Later(wait) = verdict() {
            tokio::time::sleep(wait).await;
        }
        match verdict() {
            Verdict::Now => Ok(()),
            // Others from there were quicker, and wrong.
            Verdict::Later(wait) | Verdict::Never(wait) => {
                tracing::info!(%address, "too many failed logins");
                Err(GroupError::TooManyAttempts(wait.as_secs() + 1))
            }
        }
    }

    fn failed(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.penalties
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .failed(address, Instant::now());
        }
    }
}

/// A token that exists, or is signed.
enum Found {
    Stateful(Arc<super::token::Token>, Timestamp),
    Signed(jwt::Claims),
}

#[cfg(test)]
mod tests;
