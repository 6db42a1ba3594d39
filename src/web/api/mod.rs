//! The HTTP API, `/galene-api/v0/` (`galene-api.md`).
//!
//! [`route`] says what a path names, [`auth`] who may ask; each kind of object has a file. An
//! object's tag is that of what is shown of it: an editor is refused if what it was shown has
//! changed, and what it was not shown is kept whatever it writes.

mod audit;
pub(super) mod auth;
mod body;
mod condition;
mod drain;
mod error;
mod group;
mod live;
mod openapi;
mod password;
mod route;
mod stats;
mod token;
mod user;

pub(super) use audit::Audit;

use super::State;
use super::front::CleanPath;
use super::{address, origin};
use crate::config::Settings;
use crate::group::Registry;
use crate::group::disk::Version;
use crate::trace;
use auth::Caller;
use axum::Extension;
use axum::body::Body;
use axum::extract::{self, ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use condition::Conditions;
use error::{ApiError, allow};
use route::Target;
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use tracing::Instrument as _;
use tracing::field::Empty;

/// One request, before its body is read.
struct Call {
    state: State,
    settings: Arc<Settings>,
    method: Method,
    /// What follows the question mark.
    query: Option<String>,
    headers: HeaderMap,
    conditions: Conditions,
    /// Where it comes from, if that is known.
    address: Option<SocketAddr>,
}

type Answer = Result<Response, ApiError>;

/// Answers everything below `/galene-api/`.
pub(super) async fn serve(
    extract::State(state): extract::State<State>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(CleanPath(path)): Extension<CleanPath>,
    request: Request,
) -> Response {
    let settings = state.settings();
    let (parts, body) = request.into_parts();
    let host = origin::host(&parts.uri, &parts.headers);
    let allowed = origin::is_allowed_to_administer(&settings, host, &parts.headers);
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let call = Call {
        address: address::of_client(&settings, &parts.headers, remote),
        conditions: Conditions::of(&parts.headers),
        state,
        settings,
        method: parts.method,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
    };
    let span = trace::span!(
        parent: None,
        "HTTP",
        otel.name = format!("{} {}", call.method, Target::route(&path)),
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        http.request.method = call.method.as_str(),
        http.route = Target::route(&path),
        http.response.status_code = Empty
    );
    let answering = answer(&call, &path, allowed, body);
    let mut response = match answering.instrument(span.clone()).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        trace::failed(&span, &status);
    }
    drop(span);
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|_| allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("ETag, Location, Allow, Accept, WWW-Authenticate"),
        );
    }
    response
}

async fn answer(call: &Call, path: &str, allowed: bool, body: Body) -> Answer {
    let target = Target::find(path).ok_or(ApiError::NotFound)?;
    if call.method == Method::OPTIONS {
        return options(&target, allowed);
    }
    let writes = !call.reads();
    // Browsers add credentials that they remember to requests of any page.
    if writes && !allowed {
        return Err(ApiError::Forbidden(
            "this origin is not in allowAdminOrigin",
        ));
    }
    if target == Target::OpenApi && call.reads() {
        return openapi::answer(call);
    }
    let caller = auth::authenticate(call, &target).await?;
    if target.methods().is_empty() {
        return Err(ApiError::NotFound);
    }
    if !target.methods().contains(&call.method.as_str()) {
        return Err(ApiError::Method(target.methods()));
    }
    if writes && target.is_of_a_file() && !call.state.registry().is_writable() {
        return Err(ApiError::Forbidden(
            "groups are not writable (writableGroups)",
        ));
    }
    let response = dispatch(call, &caller, &target, body).await?;
    if writes {
        let state = call.state.clone();
        let line = audit::Line::of(call, &caller, &target, path, response.status());
        // Waited for: whoever was told that it was done finds it in the log.
        let _ = tokio::task::spawn_blocking(move || state.audit().write(&line)).await;
    }
    Ok(response)
}

async fn dispatch(call: &Call, caller: &Caller, target: &Target, body: Body) -> Answer {
    match target {
        Target::Stats => stats::answer(call).await,
        Target::Drain => drain::answer(call, body).await,
        Target::OpenApi => openapi::answer(call),
        Target::UnknownOf(_) => Err(ApiError::NotFound),
        Target::Groups => group::list(call).await,
        Target::Group(group) => group::answer(call, group, body).await,
        Target::Keys(group) => group::keys(call, group, body).await,
        Target::Users(group) => user::list(call, group).await,
        Target::User(group, who) => user::answer(call, group, who, body).await,
        Target::Password(group, who) => password::answer(call, group, who, body).await,
        Target::Tokens(shelf) => token::list(call, caller, shelf, body).await,
        Target::Clients(group) => live::clients(call, group).await,
        Target::Client(group, id) => live::client(call, group, id).await,
        Target::Mute(group, id) => live::mute(call, group, id).await,
        Target::Stream(group, id, stream) => live::stream(call, group, id, stream).await,
        Target::Lock(group) => live::lock(call, group, body).await,
        Target::Token(shelf, token) => token::answer(call, caller, shelf, token, body).await,
    }
}

/// What a browser asks before it lets a page of another site use the API, too.
fn options(target: &Target, allowed: bool) -> Answer {
    let allow = allow(target.methods());
    let value = HeaderValue::try_from(allow).map_err(ApiError::internal)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, value.clone());
    if allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, value);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, If-Match, If-None-Match"),
        );
    }
    Ok(response)
}

impl Call {
    fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// The object as JSON, or 304, as the conditions say.
    fn show(&self, value: &impl Serialize) -> Answer {
        self.show_version(value, None)
    }

    /// Like [`Self::show`], with a version of its own.
    fn show_version(&self, value: &impl Serialize, version: Option<Version>) -> Answer {
        let mut json = serde_json::to_string(value).map_err(ApiError::internal)?;
        let version = version.unwrap_or_else(|| Version::of(json.as_bytes()));
        json.push('\n');
        let tag = [(header::ETAG, condition::tag(&version))];
        if !self.conditions.is_news(&version)? {
            return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
        }
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok((kind, tag, json).into_response())
    }

    /// Does something with the groups that waits for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let registry = Arc::clone(self.state.registry());
        let task = tokio::task::spawn_blocking(move || work(&registry));
        task.await
            .unwrap_or_else(|error| Err(ApiError::internal(error)))
    }
}

/// The version of what is shown of an object.
fn version_of(value: &impl Serialize) -> Result<Version, ApiError> {
    let json = serde_json::to_string(value).map_err(ApiError::internal)?;
    Ok(Version::of(json.as_bytes()))
}

/// The answer to a PUT.
fn put(is_new: bool) -> Response {
    if is_new {
        StatusCode::CREATED.into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}
