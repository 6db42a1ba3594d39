//! `.drain`: no one comes in any more, and the server ends when the last has gone. Not Galène's.

use super::error::ApiError;
use super::{Answer, Call, body};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What those inside are told when nothing else is said.
const MESSAGE: &str = "the server is about to restart, please join again in a while";
/// So many characters of a message are passed on.
const MESSAGE_LIMIT: usize = 1000;
/// How long they may stay when nothing else is said, seconds; and at most.
const TIMEOUT: u64 = 60 * 60;
const LONGEST: u64 = 7 * 24 * 60 * 60;

/// The body of POST.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    message: Option<String>,
    timeout: Option<u64>,
}

pub(super) async fn answer(call: &Call, body: Body) -> Answer {
    let signal = call.state.signal();
    if call.reads() {
        return call.show(&state(call));
    }
    if call.method == Method::DELETE {
        signal.cancel_drain();
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let wish: Wish = body::json(&call.headers, body, body::JSON).await?;
    let seconds = wish.timeout.unwrap_or(TIMEOUT);
    if seconds > LONGEST {
        let why = format!("the timeout is longer than {LONGEST} seconds");
        return Err(ApiError::Bad(why));
    }
    let message = wish.message.filter(|message| !message.trim().is_empty());
    let message = message.unwrap_or_else(|| MESSAGE.to_owned());
    let message = message.chars().take(MESSAGE_LIMIT).collect();
    let timeout = Duration::from_secs(seconds);
    let until = SignedDuration::try_from(timeout)
        .and_then(|timeout| Timestamp::now().checked_add(timeout))
        .and_then(|until| until.round(Unit::Second))
        .map_err(ApiError::internal)?;
    signal.drain(message, until, timeout);
    // It has only begun.
    Ok((StatusCode::ACCEPTED, axum::Json(state(call))).into_response())
}

/// Whether it is drained, until when, and how many are inside.
fn state(call: &Call) -> Value {
    let clients = call.state.registry().census().clients;
    match call.state.signal().drain_state() {
        None => json!({ "draining": false, "clients": clients }),
        Some(drain) => json!({
            "draining": true,
            "clients": clients,
            "message": drain.message,
            "until": drain.until,
        }),
    }
}
