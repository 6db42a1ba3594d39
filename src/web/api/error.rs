//! What the API says when it refuses.

use super::super::pages::text;
use crate::group::disk::DiskError;
use crate::group::{EditError, GroupError, TokenError};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::io;

/// Why a request was refused. Each has its status; the text is for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// 400
    #[error("{0}")]
    Bad(String),
    /// 401
    #[error("not authorised")]
    Unauthorised,
    /// 403
    #[error("{0}")]
    Forbidden(&'static str),
    /// 404
    #[error("not found")]
    NotFound,
    /// 405, and what is allowed.
    #[error("method not allowed")]
    Method(&'static [&'static str]),
    /// 409
    #[error("{0}")]
    Conflict(String),
    /// 412: a condition of the request does not hold.
    #[error("precondition failed")]
    Precondition,
    /// 413
    #[error("the body is too large")]
    TooLarge,
    /// 415, and the only type that is understood.
    #[error("unsupported content type")]
    ContentType(&'static str),
    /// 429: in so many seconds it may try again.
    #[error("too many failed logins from your address, try again in {0} seconds")]
    TooManyAttempts(u64),
    /// 500: the log says more.
    #[error("internal server error")]
    Internal,
    /// 503
    #[error("server is shutting down")]
    ShuttingDown,
}

impl ApiError {
    /// Something that the server, not the client, should have done better.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of the API failed");
        Self::Internal
    }

    pub(super) fn into_response(self) -> Response {
        let (status, name, value) = match &self {
            Self::Bad(_) => (StatusCode::BAD_REQUEST, None, String::new()),
            Self::Unauthorised => (
                StatusCode::UNAUTHORIZED,
                Some(header::WWW_AUTHENTICATE),
                "basic realm=\"/galene-api/\"".to_owned(),
            ),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, None, String::new()),
            Self::NotFound => (StatusCode::NOT_FOUND, None, String::new()),
            Self::Method(methods) => (
                StatusCode::METHOD_NOT_ALLOWED,
                Some(header::ALLOW),
                allow(methods),
            ),
            Self::Conflict(_) => (StatusCode::CONFLICT, None, String::new()),
            Self::Precondition => (StatusCode::PRECONDITION_FAILED, None, String::new()),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None, String::new()),
            Self::ContentType(accept) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Some(header::ACCEPT),
                (*accept).to_owned(),
            ),
            Self::TooManyAttempts(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                Some(header::RETRY_AFTER),
                seconds.to_string(),
            ),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, None, String::new()),
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, None, String::new()),
        };
        let mut response = text(status, &self.to_string());
        let value = HeaderValue::try_from(value);
        if let (Some(name), Ok(value)) = (name as Option<HeaderName>, value) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The value of `Allow`.
pub(super) fn allow(methods: &[&str]) -> String {
    let mut allow = "OPTIONS".to_owned();
    for method in methods {
        allow += ", ";
        allow += method;
    }
    allow
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::TooManyAttempts(seconds) => Self::TooManyAttempts(seconds),
            GroupError::DoesNotExist | GroupError::IllegalName | GroupError::NoSuchUser => {
                Self::NotFound
            }
            GroupError::ShuttingDown => Self::ShuttingDown,
            GroupError::Internal => Self::Internal,
            _ => Self::Unauthorised,
        }
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::IllegalName => Self::NotFound,
            EditError::Broken(_) | EditError::InTheWay => Self::Conflict(error.to_string()),
            EditError::NameTooLong => Self::Bad(error.to_string()),
            EditError::Io(error) => Self::internal(error),
        }
    }
}

impl From<io::Error> for ApiError {
    fn from(error: io::Error) -> Self {
        EditError::from(error).into()
    }
}

impl From<DiskError> for ApiError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Conflict(_) => Self::Precondition,
            DiskError::Io(error) => error.into(),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::DoesNotExist => Self::NotFound,
            TokenError::Exists => Self::Conflict(error.to_string()),
            TokenError::Conflict(_) => Self::Precondition,
            TokenError::Nowhere => Self::Forbidden("this server keeps no tokens"),
            TokenError::Io(error) => Self::internal(error),
        }
    }
}
