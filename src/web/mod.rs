//! The web server: pages, static files, status, the HTTP API, and the door to the WebSocket.

mod address;
mod api;
mod file;
mod files;
mod front;
mod health;
mod metrics;
mod origin;
mod packed;
mod pages;
mod path;
mod socket;
mod tls;
mod whip;

pub use files::Files;
pub use tls::{Certificate, TlsError};

use crate::config::{Settings, SettingsFile};
use crate::group::Registry;
use crate::signal;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use std::path::PathBuf;
use std::sync::Arc;

/// What the web server serves from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    signal: Arc<signal::State>,
    settings: Arc<SettingsFile>,
    files: Files,
    redirect: Option<String>,
    tls: bool,
    audit: api::Audit,
}

impl State {
    /// `redirect` is the canonical host of the command line; `tls` whether clients come by HTTPS.
    pub fn new(
        registry: Arc<Registry>,
        signal: Arc<signal::State>,
        settings: Arc<SettingsFile>,
        files: Files,
        redirect: Option<String>,
        tls: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            registry,
            signal,
            settings,
            files,
            redirect,
            tls,
            audit: api::Audit::default(),
        }))
    }

    /// Keeps a log of what is changed by the API in a file.
    #[must_use]
    pub fn with_audit(mut self, file: PathBuf) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.audit = api::Audit::of(file);
        }
        self
    }

    fn audit(&self) -> &api::Audit {
        &self.0.audit
    }

    fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    fn signal(&self) -> &Arc<signal::State> {
        &self.0.signal
    }

    fn settings(&self) -> Arc<Settings> {
        self.0.settings.current()
    }

    fn files(&self) -> &Files {
        &self.0.files
    }

    fn redirect(&self) -> Option<&String> {
        self.0.redirect.as_ref()
    }

    fn has_tls(&self) -> bool {
        self.0.tls
    }
}

/// All that the web server answers to. To be served with the client's address as connection info.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/ws", any(socket::socket))
        .route("/metrics", get(metrics::metrics))
        .route("/public-groups.json", get(pages::public_groups))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready))
        .route("/galene-api/{*path}", any(api::serve))
        .fallback(pages::page)
        .layer(from_fn_with_state(state.clone(), whip::whip))
        .layer(from_fn_with_state(state.clone(), front::front))
        .with_state(state)
}
