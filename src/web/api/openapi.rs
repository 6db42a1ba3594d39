//! The description of the API for programs (OpenAPI 3.1), for everyone: it is no secret.

use super::condition::tag;
use super::{Answer, Call};
use crate::group::disk::Version;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

const TEXT: &str = include_str!("openapi.json");

/// `openapi.json`
pub(super) fn answer(call: &Call) -> Answer {
    let version = Version::of(TEXT.as_bytes());
    let tag = [(header::ETAG, tag(&version))];
    if !call.conditions.is_news(&version)? {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, tag, TEXT).into_response())
}
