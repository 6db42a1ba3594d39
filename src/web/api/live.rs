//! Who is inside, and what is done about it at this moment. Not Galène's.

use super::error::ApiError;
use super::{Answer, Call, body, version_of};
use crate::group::{Group, PublishedStream, User};
use crate::media::Kind;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What those who are thrown out are told when nothing else is said.
const KICKED: &str = "you have been kicked out";
/// So many characters of a message are passed on.
const MESSAGE_LIMIT: usize = 1000;

async fn find(call: &Call, name: &str) -> Result<Arc<Group>, ApiError> {
    Ok(call.state.registry().find(name).await?)
}

fn shown(user: &User, streams: &[Arc<PublishedStream>]) -> Value {
    let track = |stream: &PublishedStream| -> Vec<Value> {
        let active = stream.tracks.iter().filter(|track| track.active);
        let shown = active.map(|track| {
            let kind = match track.kind {
                Kind::Audio => "audio",
                Kind::Video => "video",
            };
            json!({"kind": kind, "codec": track.codec.encoding_name()})
        });
        shown.collect()
    };
    let streams: Vec<Value> = streams
        .iter()
        .map(|stream| json!({"id": stream.id, "label": stream.label, "tracks": track(stream)}))
        .collect();
    json!({
        "id": user.id,
        "username": user.username,
        "permissions": user.permissions,
        "address": user.address.map(|address| address.ip().to_string()),
        "streams": streams,
    })
}

/// `.clients/`
pub(super) async fn clients(call: &Call, group: &str) -> Answer {
    let clients = find(call, group).await?.clients();
    let clients = clients.iter().map(|(user, streams)| shown(user, streams));
    call.show(&clients.collect::<Vec<_>>())
}

/// `.clients/ID`: one who is inside, or is thrown out.
pub(super) async fn client(call: &Call, group: &str, id: &str) -> Answer {
    let group = find(call, group).await?;
    let clients = group.clients();
    let found = clients.iter().find(|(user, _)| user.id == id);
    if call.reads() {
        let (user, streams) = found.ok_or(ApiError::NotFound)?;
        return call.show(&shown(user, streams));
    }
    match found {
        Some((user, streams)) => {
            let version = version_of(&shown(user, streams))?;
            call.conditions.check(Some(&version))?;
        }
        // One who waits at the door is not shown.
        None => {
            let checked = call.conditions.check(None);
            checked.map_err(|_| ApiError::NotFound)?;
        }
    }
    let message = message(call.query.as_deref())?;
    group.remove_client(id, message.as_deref().unwrap_or(KICKED))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `message` of a query.
fn message(query: Option<&str>) -> Result<Option<String>, ApiError> {
    let parts = query.unwrap_or_default().split('&');
    let mut messages = parts.filter_map(|part| part.strip_prefix("message="));
    let Some(message) = messages.next() else {
        return Ok(None);
    };
    let plain = message.replace('+', " ");
    let text = percent_decode_str(&plain)
        .decode_utf8()
        .map_err(body::bad)?;
    Ok(Some(text.chars().take(MESSAGE_LIMIT).collect()))
}

/// `.clients/ID/.mute`
pub(super) async fn mute(call: &Call, group: &str, id: &str) -> Answer {
    find(call, group).await?.ask_to_mute(id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `.clients/ID/.streams/STREAM`
pub(super) async fn stream(call: &Call, group: &str, id: &str, stream: &str) -> Answer {
    find(call, group).await?.end_stream(id, stream)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Whether a group is locked.
#[derive(Debug, Serialize, Deserialize)]
struct Lock {
    /// For those who are kept out.
    #[serde(default)]
    message: String,
}

/// `.lock`: there while the group is locked.
pub(super) async fn lock(call: &Call, group: &str, body: Body) -> Answer {
    let group = find(call, group).await?;
    let lock = |message: Option<&str>| {
        let message = message.map(str::to_owned);
        message.map(|message| Lock { message })
    };
    if call.reads() {
        let current = lock(group.lock_message().as_deref());
        return call.show(&current.ok_or(ApiError::NotFound)?);
    }
    // True if it is not locked.
    let check = |current: Option<&str>| {
        let version = lock(current).as_ref().map(version_of).transpose()?;
        call.conditions.check(version.as_ref())?;
        Ok::<bool, ApiError>(version.is_none())
    };
    if call.method == Method::DELETE {
        group.set_lock(None, |current| {
            current.ok_or(ApiError::NotFound)?;
            check(current)
        })?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    check(group.lock_message().as_deref())?;
    let new: Lock = body::json(&call.headers, body, body::JSON).await?;
    Ok(super::put(group.set_lock(Some(&new.message), check)?))
}
