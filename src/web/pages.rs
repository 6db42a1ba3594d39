//! Pages, static files, and what everyone may know of the groups.

use super::State;
use super::files::Found;
use super::front::CleanPath;
use super::origin;
use super::path::encode;
use crate::group::{BaseUrl, GroupError, is_legal_name};
use axum::Extension;
use axum::extract;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Everything that has no route of its own: files, and below `/group/` the groups.
pub(super) async fn page(
    extract::State(state): extract::State<State>,
    Extension(CleanPath(path)): Extension<CleanPath>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
            "method not allowed\n",
        )
            .into_response();
    }
    if let Some(rest) = path.strip_prefix("/group/") {
        return group(&state, rest, &uri, &headers).await;
    }
    match path.as_str() {
        "/recordings" => permanently(&with_query("/recordings/", &uri)),
        "/recordings/" => text(StatusCode::BAD_REQUEST, "which group's recordings?"),
        path => file(&state, path, &uri, &headers).await,
    }
}

/// `/public-groups.json`
pub(super) async fn public_groups(
    extract::State(state): extract::State<State>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match base(&state, &uri, &headers) {
        Some(base) => json(&state.registry().public_groups(&base).await),
        None => no_host(),
    }
}

/// What follows `/group/`.
async fn group(state: &State, rest: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    // The part that begins with a dot names something of the group; what is before, the group.
    let (name, resource) = match rest.rsplit_once('/') {
        Some((name, "")) => (name, ""),
        Some((name, last)) if last.starts_with('.') => (name, last),
        _ => (rest, "page without slash"),
    };
    if !is_legal_name(name) {
        return missing(state).await;
    }
    match resource {
        "" => group_page(state, name, headers).await,
        ".status" => match base(state, uri, headers) {
            Some(base) => match state.registry().status(name, &base).await {
                Ok(status) => json(&status),
                Err(error) => refused(state, &error).await,
            },
            None => no_host(),
        },
        ".status.json" => permanently(&with_query(&encode(&format!("/group/{name}/.status")), uri)),
        "page without slash" => match state.registry().peek(name).await {
            Ok(_) => permanently(&with_query(&encode(&format!("/group/{name}/")), uri)),
            Err(error) => refused(state, &error).await,
        },
        _ => missing(state).await,
    }
}

async fn group_page(state: &State, name: &str, headers: &HeaderMap) -> Response {
    match state.registry().peek(name).await {
        Ok(group) => {
            let description = group.description();
            if !description.redirect.is_empty() {
                return permanently(&description.redirect);
            }
        }
        Err(error) => return refused(state, &error).await,
    }
    // A folder made for Galène calls it by another name.
    for page in ["/group.html", "/galene.html"] {
        match state.files().find(page, headers).await {
            Ok(Found::File(file)) => return file.respond(headers),
            Ok(_) => {}
            Err(error) => return unreadable(page, &error),
        }
    }
    missing(state).await
}

async fn file(state: &State, path: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    match state.files().find(path, headers).await {
        Ok(Found::File(file)) => file.respond(headers),
        Ok(Found::Folder) => permanently(&with_query(&encode(&format!("{path}/")), uri)),
        Ok(Found::Closed) => text(StatusCode::FORBIDDEN, "forbidden"),
        Ok(Found::Missing) => missing(state).await,
        Err(error) => unreadable(path, &error),
    }
}

async fn refused(state: &State, error: &GroupError) -> Response {
    let status = match error {
        GroupError::IllegalName | GroupError::DoesNotExist => return missing(state).await,
        GroupError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    text(status, &error.to_string())
}

/// 404 with the page for it.
pub(super) async fn missing(state: &State) -> Response {
    match state.files().find("/404.html", &HeaderMap::new()).await {
        Ok(Found::File(file)) => file.respond_with(StatusCode::NOT_FOUND),
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> Response {
    tracing::error!(path, %error, "cannot read a static file");
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
}

/// The URL under which this client sees the server, if the request says or the settings do.
fn base(state: &State, uri: &Uri, headers: &HeaderMap) -> Option<BaseUrl> {
    let settings = state.settings();
    if !settings.proxy_url.is_empty() {
        match BaseUrl::parse(&settings.proxy_url) {
            Ok(base) => return Some(base),
            Err(error) => tracing::error!("proxyURL: {error}"),
        }
    }
    Some(BaseUrl::new(state.has_tls(), origin::host(uri, headers)?))
}

fn no_host() -> Response {
    text(StatusCode::BAD_REQUEST, "the request names no host")
}

/// A path with the query of the request: `?token=` must not get lost.
pub(super) fn with_query(path: &str, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// 308
fn permanently(location: &str) -> Response {
    redirect(StatusCode::PERMANENT_REDIRECT, location)
}

/// A redirection to what may stand in a header; what may not is a mistake of the group's file.
pub(super) fn redirect(status: StatusCode, location: &str) -> Response {
    match header::HeaderValue::try_from(location) {
        Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
        Err(_) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the place to go to is no URL",
        ),
    }
}

/// A short text, with its line end.
pub(super) fn text(status: StatusCode, text: &str) -> Response {
    (
        status,
        [(header::CACHE_CONTROL, "no-cache")],
        format!("{text}\n"),
    )
        .into_response()
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, text + "\n").into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot write JSON");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
        }
    }
}
