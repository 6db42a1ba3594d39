//! `/metrics`: what an operator wants to know, for Prometheus. `docs/metrics.md` explains each.
//!
//! Nothing here is counted twice: shards, media threads and signalling count as they go, and are
//! asked for a copy when someone scrapes.

mod exposition;
mod media;
mod people;
mod process;

use super::State;
use super::address;
use super::api::auth;
use super::origin;
use super::pages::text;
use crate::group::GroupError;
use axum::extract::{self, ConnectInfo};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use exposition::{CONTENT_TYPE, Exposition};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A media thread that does not answer for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// What proxies add to a request.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

pub(super) async fn metrics(
    extract::State(state): extract::State<State>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !is_local(&state, remote.ip(), &uri, &headers) {
        let client = address::of_client(&state.settings(), &headers, remote);
        let client = client.map(|client| client.ip());
        if let Err(error) = auth::check_administrator(&state, &headers, client).await {
            return refused(&error);
        }
    }
    let Ok(threads) = tokio::time::timeout(PATIENCE, state.signal().engine().figures()).await
    else {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "a media thread does not answer",
        );
    };
    let mut exposition = Exposition::default();
    media::write(&mut exposition, &threads);
    let signal = Arc::clone(state.signal());
    // Reads files, and takes the lock of each group.
    let rest = tokio::task::spawn_blocking(move || {
        people::write(&mut exposition, &signal);
        process::write(&mut exposition);
        exposition.into_text()
    });
    match rest.await {
        Ok(body) => (
            [
                (header::CONTENT_TYPE, CONTENT_TYPE),
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the figures");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
        }
    }
}

/// The request comes from a program on this machine, and not through a proxy on it. `Host` must
/// say so too: neither a page of another site whose name leads here, nor a proxy that tells
/// nothing of itself, is local.
fn is_local(state: &State, remote: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool {
    let host = origin::host(uri, headers).unwrap_or_default();
    remote.to_canonical().is_loopback()
        && state.settings().proxy_url.is_empty()
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
        && is_loopback_name(host)
}

/// Of a `Host`, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().to_canonical().is_loopback();
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
}

fn refused(error: &GroupError) -> Response {
    let (status, name, value) = match error {
        GroupError::TooManyAttempts(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            header::RETRY_AFTER,
            seconds.to_string(),
        ),
        GroupError::NotAuthorised => (
            StatusCode::UNAUTHORIZED,
            header::WWW_AUTHENTICATE,
            "basic realm=\"/metrics\"".to_owned(),
        ),
        _ => return text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error"),
    };
    let mut response = text(status, &error.to_string());
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::is_loopback_name;

    #[test]
    fn names_of_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:8443", true),
            ("127.0.0.1", true),
            ("127.3.2.1:80", true),
            ("[::1]", true),
            ("[::1]:8443", true),
            ("[::ffff:127.0.0.1]:8443", true),
            ("", false),
            ("meet.example", false),
            ("localhost.example:8443", false),
            ("127.0.0.1.example", false),
            ("192.0.2.1:8443", false),
        ] {
            assert_eq!(is_loopback_name(host), expected, "{host:?}");
        }
    }
}
