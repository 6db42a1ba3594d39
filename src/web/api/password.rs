//! Passwords of users: set, hashed or taken away, never shown.

use super::condition::Current;
use super::error::ApiError;
use super::group::{edit, read};
use super::route::Who;
use super::{Answer, Call, body};
use crate::group::{Description, Password, UserDescription};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;

/// `…/.password`
pub(super) async fn answer(call: &Call, group: &str, who: &Who, body: Body) -> Answer {
    let before = read(call, group).await?.ok_or(ApiError::NotFound)?;
    let conditions = call.conditions.clone();
    let check = move |user: &UserDescription| {
        conditions.check(if user.password.is_some() {
            Current::Hidden
        } else {
            Current::Absent
        })
    };
    check(who.find(&before).ok_or(ApiError::NotFound)?)?;
    let password = match call.method {
        Method::PUT => Some(put(call, body).await?),
        Method::POST => Some(hash(call, body).await?),
        _ => None,
    };
    let user = who.clone();
    let change = move |description: &mut Description| {
        let user = user.find_mut(description).ok_or(ApiError::NotFound)?;
        check(user)?;
        user.password = password;
        Ok(())
    };
    edit(call, group, change).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// As it would stand in a group file.
async fn put(call: &Call, body: Body) -> Result<Password, ApiError> {
    match body::json(&call.headers, body, body::JSON).await? {
        Password::Unusable { reason, .. } => {
            let why = format!("no one could log in with this password: {reason}");
            Err(ApiError::Bad(why))
        }
        password => Ok(password),
    }
}

/// As it is typed.
async fn hash(call: &Call, body: Body) -> Result<Password, ApiError> {
    let text = body::bytes(&call.headers, body, body::TEXT).await?;
    let text = String::from_utf8(text).map_err(body::bad)?;
    let gate = call.state.registry().gate();
    gate.hash_password(text).await.ok_or(ApiError::Internal)
}
