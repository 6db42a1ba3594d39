//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: `/group/NAME/.whip` publishes a
//! stream, `/group/NAME/.whep` receives one; `/group/NAME/.whip/ID` and `/group/NAME/.whep/ID` are
//! sessions.

use super::State;
use super::address;
use super::front::CleanPath;
use super::origin;
use super::pages::text;
use super::path::encode;
use crate::group::{GroupError, is_legal_name};
use crate::signal::{Created, Door, Patched, Remote, WhipError, Wish};
use axum::body::{Body, to_bytes};
use axum::extract::{self, ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
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

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<'a> {
    door: Door,
    group: &'a str,
    /// Of a session.
    id: Option<&'a str>,
}

impl Place<'_> {
    fn methods(&self) -> &'static str {
        if self.id.is_some() {
            SESSION_METHODS
        } else {
            ENDPOINT_METHODS
        }
    }
}

fn place(path: &str) -> Option<Place<'_>> {
    let rest = path.strip_prefix("/group/")?;
    let (group, last) = rest.rsplit_once('/')?;
    let (group, door, id) = match last {
        ".whip" => (group, Door::Whip, None),
        ".whep" => (group, Door::Whep, None),
        id => match group.rsplit_once('/')? {
            (group, ".whip") => (group, Door::Whip, Some(id)),
            (group, ".whep") => (group, Door::Whep, Some(id)),
            _ => return None,
        },
    };
    is_legal_name(group).then_some(Place { door, group, id })
}

/// Answers what is asked of WHIP and WHEP, and passes on everything else.
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
        Some(ConnectInfo(remote)) => act(&state, place, &parts, *remote, body).await,
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
    let methods = place.methods();
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
    parts: &Parts,
    remote: SocketAddr,
    body: Body,
) -> Response {
    let answer = match (place.id, parts.method.as_str()) {
        (_, "OPTIONS") => Ok(options(state, place)),
        (None, "POST") => begin(state, place, parts, remote, body).await,
        (Some(id), "PATCH") => patch(state, place, id, &parts.headers, body).await,
        (Some(id), "DELETE") => delete(state, place, id, &parts.headers).await,
        _ => Err(Box::new(method_not_allowed(place.methods()))),
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
    let accept = match (place.door, place.id) {
        (_, None) => ("accept-post", SDP.to_owned()),
        (Door::Whip, _) => ("accept-patch", FRAGMENT.to_owned()),
        (Door::Whep, _) => ("accept-patch", format!("{FRAGMENT}, {SDP}")),
    };
    let mut response = (StatusCode::NO_CONTENT, [accept]).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(place.methods()));
    add_links(headers, &state.signal().rtc_configuration());
    response
}

/// Which stream the query of a receiver asks for.
fn wish(query: Option<&str>) -> Wish {
    let mut wish = Wish::default();
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
        match key {
            "stream" => wish.stream = Some(value),
            "username" => wish.username = Some(value),
            "label" => wish.label = Some(value),
            _ => {}
        }
    }
    wish
}

async fn begin(
    state: &State,
    place: Place<'_>,
    parts: &Parts,
    remote: SocketAddr,
    body: Body,
) -> Result<Response, Refused> {
    let headers = &parts.headers;
    let address = address::of_client(&state.settings(), headers, remote);
    let client = Remote { remote, address };
    let token = bearer(headers)?;
    let (signal, group) = (state.signal(), place.group);
    let (kind, created) = match place.door {
        Door::Whip => {
            let (_, sdp) = read(headers, body, &[SDP]).await?;
            let created = signal.whip_publish(group, token, client, &sdp).await;
            ("whip", created)
        }
        Door::Whep => {
            let wish = wish(parts.uri.query());
            // Who sends nothing wants an offer.
            let (_, sdp) = read(headers, body, &[SDP, ""]).await?;
            let sdp = Some(sdp.as_str()).filter(|sdp| !sdp.is_empty());
            let created = signal.whep_pull(group, token, client, &wish, sdp).await;
            ("whep", created)
        }
    };
    let Created { id, etag, sdp } = created.map_err(|error| Box::new(refused(place, &error)))?;
    let location = encode(&format!("/group/{group}/.{kind}/{id}"));
    let mut response = (
        StatusCode::CREATED,
        [
            (header::CONTENT_TYPE, SDP.to_owned()),
            (header::LOCATION, location),
            (header::ETAG, format!("\"{etag}\"")),
        ],
        sdp,
    )
        .into_response();
    add_links(response.headers_mut(), &signal.rtc_configuration());
    Ok(response)
}

async fn patch(
    state: &State,
    place: Place<'_>,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let Place { door, group, .. } = place;
    let token = bearer(headers)?;
    let (signal, token) = (state.signal(), token.as_deref());
    let kinds: &[&str] = match door {
        Door::Whip => &[FRAGMENT],
        Door::Whep => &[FRAGMENT, SDP],
    };
    let (kind, text) = read(headers, body, kinds).await?;
    if kind == SDP {
        let answered = signal.whep_answer(group, id, token, &text).await;
        answered.map_err(|error| Box::new(refused(place, &error)))?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let matches = if_match(headers);
    let patched = signal
        .whip_patch(door, group, id, token, matches.as_deref(), &text)
        .await;
    match patched.map_err(|error| Box::new(refused(place, &error)))? {
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
    place: Place<'_>,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let token = bearer(headers)?;
    let matches = if_match(headers);
    state
        .signal()
        .whip_delete(
            place.door,
            place.group,
            id,
            token.as_deref(),
            matches.as_deref(),
        )
        .await
        .map_err(|error| Box::new(refused(place, &error)))?;
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

/// The body, if it is of a kind that is wanted, and which; `""` is none at all.
async fn read<'a>(
    headers: &HeaderMap,
    body: Body,
    wanted: &[&'a str],
) -> Result<(&'a str, String), Refused> {
    let bytes = to_bytes(body, LIMIT)
        .await
        .map_err(|_| Box::new(text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")))?;
    if bytes.is_empty() && wanted.contains(&"") {
        // Some libraries call nothing by a name, too.
        return Ok(("", String::new()));
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let named = |one: &&&str| !one.is_empty() && kind.eq_ignore_ascii_case(one);
    let Some(known) = wanted.iter().find(named) else {
        let mut wanted = wanted.to_vec();
        wanted.retain(|one| !one.is_empty());
        let wanted = wanted.join(", ");
        let reason = format!("the body must be {wanted}");
        let mut response = text(StatusCode::UNSUPPORTED_MEDIA_TYPE, &reason);
        if let Ok(wanted) = HeaderValue::from_str(&wanted) {
            response.headers_mut().insert(header::ACCEPT, wanted);
        }
        return Err(Box::new(response));
    };
    let text = String::from_utf8(bytes.into())
        .map_err(|_| Box::new(text(StatusCode::BAD_REQUEST, "the body is not UTF-8")))?;
    Ok((known, text))
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

fn refused(place: Place<'_>, error: &WhipError) -> Response {
    let reason = error.to_string();
    let status = match error {
        WhipError::Group(error) => match error {
            GroupError::IllegalName | GroupError::DoesNotExist => StatusCode::NOT_FOUND,
            GroupError::NotAuthorised
            | GroupError::UsernameRequired
            | GroupError::DuplicateUsername => return unauthorised(&reason),
            GroupError::TooManyUsers | GroupError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            GroupError::Redirect(url) => {
                let door = match place.door {
                    Door::Whip => ".whip",
                    Door::Whep => ".whep",
                };
                let location = format!("{}/{door}", url.trim_end_matches('/'));
                return super::pages::redirect(StatusCode::TEMPORARY_REDIRECT, &location);
            }
            _ => StatusCode::FORBIDDEN,
        },
        WhipError::Lobby | WhipError::NotPermitted | WhipError::NotYours => StatusCode::FORBIDDEN,
        WhipError::Sdp(_) | WhipError::Fragment(_) => StatusCode::BAD_REQUEST,
        WhipError::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        WhipError::NoSession => StatusCode::NOT_FOUND,
        WhipError::Stale => StatusCode::PRECONDITION_FAILED,
        WhipError::NoStream | WhipError::NotOffered => StatusCode::CONFLICT,
    };
    text(status, &reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places() {
        let (whip, whep) = (Door::Whip, Door::Whep);
        for (path, door, group, id) in [
            ("/group/a/b/.whip", whip, "a/b", None),
            ("/group/a/.whip/x", whip, "a", Some("x")),
            ("/group/a/.whep", whep, "a", None),
            ("/group/a/b/.whep/x", whep, "a/b", Some("x")),
        ] {
            assert_eq!(place(path), Some(Place { door, group, id }), "{path}");
        }
        for other in [
            "/group/.whip",
            "/a/.whip",
            "/group/a/.whip2",
            "/group/a/",
            "/group/a/b",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn wishes() {
        let all = wish(Some("username=Ann+B%20C&label=camera&x=y"));
        assert_eq!(all.username.as_deref(), Some("Ann B C"));
        assert_eq!(all.label.as_deref(), Some("camera"));
        assert_eq!(wish(None), Wish::default());
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
