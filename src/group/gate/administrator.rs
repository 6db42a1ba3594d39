//! Those who may administer, and passwords that the server hashes for them.

use super::Gate;
use crate::group::credentials::Password;
use jiff::Timestamp;
use sha2::Sha256;
use std::sync::Arc;

/// Rounds of PBKDF2 for new passwords. Galène does 4096; this takes some 30 ms.
const ITERATIONS: u32 = 100_000;

impl Gate {
    /// Whether a stateful token makes an administrator of the whole server: one for all groups,
    /// with the permission `admin`. Its name for the audit log, if it does.
    pub async fn check_administrator_token(&self, token: &str) -> Option<String> {
        let tokens = Arc::clone(self.tokens());
        let token = token.to_owned();
        let found = tokio::task::spawn_blocking(move || tokens.get(&token));
        let token = found.await.ok().flatten()?;
        let is_admin = token.permissions.as_ref().is_some_and(|p| p.has("admin"));
        let is_global = token.group.is_empty() && token.is_for("");
        let is_good = is_admin && is_global && token.is_valid_at(Timestamp::now());
        is_good.then(|| token.username.clone().unwrap_or_default())
    }

    /// Hashes a new password, in turn with those that are checked. `None` if that failed.
    pub async fn hash_password(&self, password: String) -> Option<Password> {
        let hash = move || {
            let salt = rand::random::<[u8; 16]>().to_vec();
            let mut key = vec![0; 32];
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, ITERATIONS, &mut key);
            Password::Pbkdf2 {
                key,
                salt,
                iterations: ITERATIONS,
            }
        };
        self.hashers.run(hash).await
    }
}
