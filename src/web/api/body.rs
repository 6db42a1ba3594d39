//! Bodies of requests: their types, their sizes, and JSON.

use super::error::ApiError;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

/// The largest JSON, in bytes.
const JSON_LIMIT: usize = 1 << 20;
/// The longest password, in bytes.
const TEXT_LIMIT: usize = 4096;

pub(super) const JSON: &str = "application/json";
pub(super) const KEYS: &str = "application/jwk-set+json";
pub(super) const TEXT: &str = "text/plain";

/// A body of this type, of which there is only one that will do.
pub(super) async fn bytes(
    headers: &HeaderMap,
    body: Body,
    kind: &'static str,
) -> Result<Vec<u8>, ApiError> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split(';').next());
    if !given.is_some_and(|given| given.trim().eq_ignore_ascii_case(kind)) {
        return Err(ApiError::ContentType(kind));
    }
    let limit = if kind == TEXT { TEXT_LIMIT } else { JSON_LIMIT };
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ApiError::TooLarge);
    }
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes.into()),
        // Without a length announced, only the reading shows it.
        Err(error) if is_limit(&error) => Err(ApiError::TooLarge),
        Err(_) => Err(ApiError::Bad("the body did not come whole".to_owned())),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit") {
            return true;
        }
        source = error.source();
    }
    false
}

/// JSON of this type.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    kind: &'static str,
) -> Result<T, ApiError> {
    let bytes = bytes(headers, body, kind).await?;
    serde_json::from_slice(&bytes).map_err(bad)
}

/// 400 for something that is not understood.
pub(super) fn bad(error: impl std::fmt::Display) -> ApiError {
    ApiError::Bad(error.to_string())
}
