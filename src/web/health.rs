//! What those who watch over the server ask: `/healthz`, `/readyz`.

use super::State;
use super::pages::text;
use axum::extract;
use axum::http::StatusCode;
use axum::response::Response;

/// `/healthz`: the server runs. If this is not answered, start it anew.
pub(super) async fn health() -> Response {
    text(StatusCode::OK, "ok")
}

/// `/readyz`: the server takes new clients.
pub(super) async fn ready(extract::State(state): extract::State<State>) -> Response {
    if state.signal().is_shutting_down() {
        text(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    } else {
        text(StatusCode::OK, "ok")
    }
}
