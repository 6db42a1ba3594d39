//! What is looked at again and again while the server runs.

use crate::config::{IceServers, SettingsFile};
use crate::group::Registry;
use crate::memory;
use crate::net::Engine;
use crate::web::Certificate;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the configuration and the certificate are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two times that the memory of peers who have left is given back.
const TIDY: Duration = Duration::from_secs(20);
/// How often tokens that expired long ago are looked for.
const EXPIRY: Duration = Duration::from_secs(60 * 60);

/// What may change.
#[derive(Debug, Clone)]
pub(super) struct Refreshed {
    pub(super) settings: Arc<SettingsFile>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) ice_servers: Arc<IceServers>,
    pub(super) registry: Arc<Registry>,
    pub(super) engine: Arc<Engine>,
    /// Of the command line.
    pub(super) canonical_host: Option<String>,
}

impl Refreshed {
    /// Looks at everything, for as long as the server runs.
    pub(super) async fn follow(self) {
        let mut removed = 0;
        let mut tidied = Instant::now();
        let mut expired: Option<Instant> = None;
        loop {
            let tidies = tidied.elapsed() >= TIDY && self.engine.removed() != removed;
            if tidies {
                (removed, tidied) = (self.engine.removed(), Instant::now());
            }
            let expires = expired.is_none_or(|last| last.elapsed() > EXPIRY);
            if expires {
                expired = Some(Instant::now());
            }
            let now = self.clone();
            let task = tokio::task::spawn_blocking(move || {
                if tidies {
                    memory::give_back();
                }
                if expires {
                    now.expire_tokens();
                }
                now.refresh();
            });
            if let Err(error) = task.await {
                tracing::error!(%error, "cannot look at the configuration");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn expire_tokens(&self) {
        if let Err(error) = self.registry.gate().tokens().expire(Timestamp::now()) {
            tracing::error!(%error, "cannot forget tokens that expired");
        }
    }

    /// Everything again, changed or not. Blocks.
    pub(super) fn reread(&self) {
        let changed = self.settings.reread();
        self.follow_settings(changed);
        self.ice_servers.reread();
        if let Some(certificate) = &self.certificate {
            certificate.reread();
        }
        self.registry.reread();
    }

    fn follow_settings(&self, changed: bool) {
        if changed {
            let writable = self.settings.current().writable_groups;
            self.registry.set_writable(writable);
        }
        self.set_place();
    }

    /// What changed. Blocks.
    fn refresh(&self) {
        let changed = self.settings.refresh();
        self.follow_settings(changed);
        self.ice_servers.refresh();
        if let Some(certificate) = &self.certificate {
            certificate.refresh();
        }
    }

    /// Tells those who check tokens under which URLs the server is known.
    fn set_place(&self) {
        let settings = self.settings.current();
        let host = self.canonical_host.as_ref();
        self.registry.gate().set_place(
            host.unwrap_or(&settings.canonical_host),
            &settings.proxy_url,
        );
    }
}
