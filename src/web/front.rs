//! What every request passes first: its path and host are checked, and the answer is told what
//! browsers may do with it.

use super::State;
use super::origin;
use super::pages::{redirect, text, with_query};
use super::path::{self, Path};
use axum::extract::{self, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

/// The decoded path of the request, without `.`, `..` and empty parts.
#[derive(Debug, Clone)]
pub(super) struct CleanPath(pub(super) String);

/// What the pages may load, and who may show them in a frame. Nothing inline, nothing evaluated.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; connect-src *; img-src 'self' data: blob:; \
     media-src 'self' data: blob:; style-src 'self'; script-src 'self'; object-src 'none'; \
     base-uri 'none'; frame-ancestors 'self'",
);

/// A worker of the web client runs WebAssembly, so that the pages need not be allowed to. It may
/// talk to this server only.
const WORKER: &str = "/app/media/blurring.js";
const WORKER_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     base-uri 'none'; frame-ancestors 'none'",
);

pub(super) async fn front(
    extract::State(state): extract::State<State>,
    mut request: Request,
    next: Next,
) -> Response {
    // Without the query: it may hold a token.
    let (method, asked) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match path::check(request.uri().path()) {
        Path::Bad(reason) => text(StatusCode::BAD_REQUEST, reason),
        Path::Elsewhere(clean) => redirect(
            StatusCode::TEMPORARY_REDIRECT,
            &with_query(&clean, request.uri()),
        ),
        Path::Clean(clean) => match canonical(&state, &clean, &request) {
            Some(response) => response,
            None => {
                request.extensions_mut().insert(CleanPath(clean));
                next.run(request).await
            }
        },
    };
    tracing::debug!(%method, path = asked, status = response.status().as_u16());
    let headers = response.headers_mut();
    let policy = if asked == WORKER {
        WORKER_POLICY
    } else {
        CONTENT_SECURITY_POLICY
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ] as [(HeaderName, HeaderValue); 3]
    {
        headers.entry(name).or_insert(value);
    }
    response
}

/// Sends pages asked for under another host name to the canonical one. Programs, which follow no
/// redirection, are left alone.
fn canonical(state: &State, path: &str, request: &Request) -> Option<Response> {
    let settings = state.settings();
    let canonical = state.redirect().unwrap_or(&settings.canonical_host);
    let exempt = [
        "/ws",
        "/public-groups.json",
        "/metrics",
        "/healthz",
        "/readyz",
    ]
    .contains(&path)
        || path.starts_with("/galene-api/");
    if canonical.is_empty() || exempt {
        return None;
    }
    let uri: &Uri = request.uri();
    let host = origin::host(uri, request.headers()).unwrap_or_default();
    if host.eq_ignore_ascii_case(canonical) {
        return None;
    }
    let path = with_query(&path::encode(path), uri);
    Some(redirect(
        StatusCode::MOVED_PERMANENTLY,
        &format!("https://{canonical}{path}"),
    ))
}
