//! The door to the WebSocket protocol: `/ws`.

use super::State;
use super::address;
use super::origin;
use super::pages::text;
use crate::signal;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{self, ConnectInfo};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) async fn socket(
    extract::State(state): extract::State<State>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            return text(
                StatusCode::BAD_REQUEST,
                "this is the address of a WebSocket",
            );
        }
    };
    if !origin::is_allowed(&state.settings(), origin::host(&uri, &headers), &headers) {
        return text(StatusCode::FORBIDDEN, "this origin is not in allowOrigin");
    }
    let signal = Arc::clone(state.signal());
    let address = address::of_client(&state.settings(), &headers, remote);
    let client = signal::Remote { remote, address };
    signal::limit(upgrade).on_upgrade(move |socket| signal::serve(socket, client, signal))
}
