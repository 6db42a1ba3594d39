//! WHIP over HTTP (RFC 9725): `/group/NAME/.whip` publishes a stream, `/group/NAME/.whip/ID` is
//! a session.

use super::State;
use super::address;
use super::front::CleanPath;
use super::origin;
use super::pages::text;
use super::path::encode;
use crate::group::{GroupError, is_legal_name};
use crate::signal::{Created, Patched, Remote, WhipError};
use axum::body::{Body, to_bytes};
use axum::extract::{self, ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::net::SocketAddr;

/// The longest body, bytes.
const LIMIT: usize = 1 << 20;
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ENDPOINT_METHODS: &str = "OPTIONS, POST";
const SESSION_METHODS: &str = "OPTIONS, PATCH, DELETE";

/// The answer to what was refused.
type Refused = Box<Response>;

/// What a path of WHIP names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Endpoint(&'a str),
    Session(&'a str, &'a str),
}

fn place(path: &str) -> Option<Place<'_>> {
    let rest = path.strip_prefix("/group/")?;
    let place = match rest.strip_suffix("/.whip") {
        Some(group) => Place::Endpoint(group),
        None => {
            let (group, id) = rest.rsplit_once("/.whip/")?;
            Place::Session(group, id)
        }
    };
    let (Place::Endpoint(group) | Place::Session(group, _)) = place;
    is_legal_name(group).then_some(place)
}

/// Answers what is asked of WHIP, and passes on everything else.
pub(super) async fn whip(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<CleanPath>().cloned();
    let Some(CleanPath(path)) = path else {
        return next.run(request).await;
    };
    let Some(place) = place(&path) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let host = origin::host(&parts.uri, headers);
    let allowed = origin::is_allowed(&state.settings(), host, headers);
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let mut response = match remote {
        _ if !allowed => text(StatusCode::FORBIDDEN, "this origin is not in allowOrigin"),
        Some(ConnectInfo(remote)) => {
            act(&state, place, &parts.method, headers, *remote, body).await
        }
        None => text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error"),
    };
    let vary = HeaderValue::from_static("Origin");
    response.headers_mut().append(header::VARY, vary);
    if let Some(origin) = headers.get(header::ORIGIN).filter(|_| allowed) {
        let any = state.settings().allow_origin.iter().any(|one| one == "*");
        let origin = if any {
            "*".parse().ok()
        } else {
            Some(origin.clone())
        };
        share(place, origin, response.headers_mut());
    }
    response
}

/// Lets a page of an allowed origin see the answer (CORS).
fn share(place: Place<'_>, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    let methods = match place {
        Place::Endpoint(_) => ENDPOINT_METHODS,
        Place::Session(..) => SESSION_METHODS,
    };
    let (asked, shown) = (
        "Authorization, Content-Type, If-Match",
        "Location, Content-Type, Link, ETag",
    );
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods.parse().ok()),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, asked.parse().ok()),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, shown.parse().ok()),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}

async fn act(
    state: &State,
    place: Place<'_>,
    method: &Method,
    headers: &HeaderMap,
    remote: SocketAddr,
    body: Body,
) -> Response {
    let answer = match (place, method.as_str()) {
        (_, "OPTIONS") => Ok(options(state, place)),
        (Place::Endpoint(group), "POST") => publish(state, group, headers, remote, body).await,
        (Place::Session(group, id), "PATCH") => patch(state, group, id, headers, body).await,
        (Place::Session(group, id), "DELETE") => delete(state, group, id, headers).await,
        (Place::Endpoint(_), _) => Err(Box::new(method_not_allowed(ENDPOINT_METHODS))),
        (Place::Session(..), _) => Err(Box::new(method_not_allowed(SESSION_METHODS))),
    };
    answer.unwrap_or_else(|refused| *refused)
}

fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn options(state: &State, place: Place<'_>) -> Response {
    let (allow, accept) = match place {
        Place::Endpoint(_) => (ENDPOINT_METHODS, ("accept-post", SDP)),
        Place::Session(..) => (SESSION_METHODS, ("accept-patch", FRAGMENT)),
    };
    let mut response = (StatusCode::NO_CONTENT, [accept]).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    add_links(headers, &state.signal().rtc_configuration());
    response
}

async fn publish(
    state: &State,
    group: &str,
    headers: &HeaderMap,
    remote: SocketAddr,
    body: Body,
) -> Result<Response, Refused> {
    let address = address::of_client(&state.settings(), headers, remote);
    let client = Remote { remote, address };
    let token = bearer(headers)?;
    let sdp = read(headers, body, SDP).await?;
    let created = state
        .signal()
        .whip_publish(group, token, client, &sdp)
        .await;
    let Created { id, etag, answer } = created.map_err(|error| Box::new(refused(&error)))?;
    let location = encode(&format!("/group/{group}/.whip/{id}"));
    let mut response = (
        StatusCode::CREATED,
        [
            (header::CONTENT_TYPE, SDP.to_owned()),
            (header::LOCATION, location),
            (header::ETAG, format!("\"{etag}\"")),
        ],
        answer,
    )
        .into_response();
    add_links(response.headers_mut(), &state.signal().rtc_configuration());
    Ok(response)
}

async fn patch(
    state: &State,
    group: &str,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let token = bearer(headers)?;
    let fragment = read(headers, body, FRAGMENT).await?;
    let matches = if_match(headers);
    let patched = state
        .signal()
        .whip_patch(group, id, token.as_deref(), matches.as_deref(), &fragment)
        .await;
    match patched.map_err(|error| Box::new(refused(&error)))? {
        Patched::Trickled => Ok(StatusCode::NO_CONTENT.into_response()),
        Patched::Restarted { etag, fragment } => Ok((
            [
                (header::CONTENT_TYPE, FRAGMENT.to_owned()),
                (header::ETAG, format!("\"{etag}\"")),
            ],
            fragment,
        )
            .into_response()),
    }
}

async fn delete(
    state: &State,
    group: &str,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let token = bearer(headers)?;
    let matches = if_match(headers);
    state
        .signal()
        .whip_delete(group, id, token.as_deref(), matches.as_deref())
        .await
        .map_err(|error| Box::new(refused(&error)))?;
    Ok(StatusCode::OK.into_response())
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.to_str().ok().and_then(|text| text.split_once(' '));
    match value {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty()))
        }
        _ => Err(Box::new(unauthorised("this needs Authorization: Bearer"))),
    }
}

fn unauthorised(reason: &str) -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, reason);
    let value = HeaderValue::from_static("Bearer");
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, value);
    response
}

/// The tags of `If-Match`, without quotes. Weak ones match nothing (RFC 9110, section 13.1.1).
fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    headers.get(header::IF_MATCH)?;
    let values = headers.get_all(header::IF_MATCH).iter();
    let tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter_map(|tag| match tag {
            "*" => Some(tag.to_owned()),
            tag => tag.strip_prefix('"')?.strip_suffix('"').map(str::to_owned),
        });
    Some(tags.collect())
}

async fn read(headers: &HeaderMap, body: Body, wanted: &'static str) -> Result<String, Refused> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(wanted) {
        let mut response = text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &format!("the body must be {wanted}"),
        );
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(wanted));
        return Err(Box::new(response));
    }
    let bytes = to_bytes(body, LIMIT)
        .await
        .map_err(|_| Box::new(text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")))?;
    String::from_utf8(bytes.into())
        .map_err(|_| Box::new(text(StatusCode::BAD_REQUEST, "the body is not UTF-8")))
}

/// `Link` headers of the ICE servers (RFC 9725, section 4.6).
fn add_links(headers: &mut HeaderMap, configuration: &Value) {
    let servers = configuration["iceServers"].as_array().into_iter().flatten();
    for server in servers {
        let urls = &server["urls"];
        let urls: Vec<&str> = match urls {
            Value::Array(urls) => urls.iter().filter_map(Value::as_str).collect(),
            urls => urls.as_str().into_iter().collect(),
        };
        for url in urls {
            let mut link = format!("<{url}>; rel=\"ice-server\"");
            for (field, name) in [("username", "username"), ("credential", "credential")] {
                if let Some(value) = server[field].as_str() {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                    link += &format!("; {name}=\"{value}\"");
                }
            }
            if server["credential"].is_string() {
                link += "; credential-type=\"password\"";
            }
            if let Ok(link) = HeaderValue::from_str(&link) {
                headers.append(header::LINK, link);
            }
        }
    }
}

fn refused(error: &WhipError) -> Response {
    let reason = error.to_string();
    let status = match error {
        WhipError::Group(error) => match error {
            GroupError::IllegalName | GroupError::DoesNotExist => StatusCode::NOT_FOUND,
            GroupError::NotAuthorised
            | GroupError::UsernameRequired
            | GroupError::DuplicateUsername => return unauthorised(&reason),
            GroupError::TooManyUsers | GroupError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            GroupError::Redirect(url) => {
                let location = format!("{}/.whip", url.trim_end_matches('/'));
                return super::pages::redirect(StatusCode::TEMPORARY_REDIRECT, &location);
            }
            _ => StatusCode::FORBIDDEN,
        },
        WhipError::Lobby | WhipError::NotPermitted | WhipError::NotYours => StatusCode::FORBIDDEN,
        WhipError::Sdp(_) | WhipError::Fragment(_) => StatusCode::BAD_REQUEST,
        WhipError::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        WhipError::NoSession => StatusCode::NOT_FOUND,
        WhipError::Stale => StatusCode::PRECONDITION_FAILED,
    };
    text(status, &reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places() {
        assert_eq!(place("/group/a/b/.whip"), Some(Place::Endpoint("a/b")));
        assert_eq!(place("/group/a/.whip/x"), Some(Place::Session("a", "x")));
        for other in ["/group/.whip", "/a/.whip", "/group/a/.whip2", "/group/a/"] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn ice_servers_become_links() {
        let mut headers = HeaderMap::new();
        let servers = json!({"iceServers": [
            {"urls": ["stun:s.example"]},
            {"urls": ["turn:t.example?transport=udp"], "username": "u", "credential": "p\"q"},
        ]});
        add_links(&mut headers, &servers);
        let links: Vec<_> = headers.get_all("link").iter().collect();
        assert_eq!(
            links,
            [
                "<stun:s.example>; rel=\"ice-server\"",
                "<turn:t.example?transport=udp>; rel=\"ice-server\"; username=\"u\"; \
                 credential=\"p\\\"q\"; credential-type=\"password\"",
            ]
        );
    }

    #[test]
    fn tags() {
        let mut headers = HeaderMap::new();
        assert_eq!(if_match(&headers), None);
        headers.insert("if-match", HeaderValue::from_static("\"a\", W/\"b\", *"));
        assert_eq!(
            if_match(&headers),
            Some(vec!["a".to_owned(), "*".to_owned()])
        );
    }
}
