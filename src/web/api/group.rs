//! Groups: their list, their descriptions, their keys.

use super::condition::Current;
use super::error::ApiError;
use super::{Answer, Call, body, put, version_of};
use crate::group::{Description, Registry, is_legal_name};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `.groups/`
pub(super) async fn list(call: &Call) -> Answer {
    let names = call.blocking(|registry| Ok(registry.names())).await?;
    call.show(&names)
}

/// `.groups/NAME`
pub(super) async fn answer(call: &Call, name: &str, body: Body) -> Answer {
    if call.method == Method::PUT && !is_legal_name(name) {
        return Err(ApiError::Bad("illegal group name".to_owned()));
    }
    let before = read(call, name).await?;
    if call.reads() {
        return call.show(&before.ok_or(ApiError::NotFound)?.sanitised());
    }
    let conditions = call.conditions.clone();
    let check = move |old: Option<&Description>| {
        let version = old.map(|old| version_of(&old.sanitised())).transpose()?;
        conditions.check(version.as_ref())
    };
    let group = name.to_owned();
    if call.method == Method::DELETE {
        if before.is_none() {
            return Err(ApiError::NotFound);
        }
        let delete = move |registry: &Registry| {
            registry.edit(&group, |old| {
                check(Some(old.as_ref().ok_or(ApiError::NotFound)?))?;
                Ok(None)
            })
        };
        call.blocking(delete).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // Before the body is looked at: who is too late should learn just that.
    check(before.as_ref())?;
    let json = body::bytes(&call.headers, body, body::JSON).await?;
    let new = Description::parse(&json).map_err(body::bad)?;
    refuse_hidden(&new)?;
    let write = move |registry: &Registry| {
        let mut is_new = false;
        registry.edit(&group, |old| -> Result<_, ApiError> {
            check(old.as_ref())?;
            is_new = old.is_none();
            Ok(Some(match &old {
                Some(old) => new.with_secrets_of(old),
                None => new,
            }))
        })?;
        Ok(is_new)
    };
    Ok(put(call.blocking(write).await?))
}

/// What the API does not show it does not take either: it has objects of its own, or no one knows
/// what it means.
fn refuse_hidden(new: &Description) -> Result<(), ApiError> {
    if let Some(field) = new.unknown.keys().next() {
        return Err(ApiError::Bad(format!("unknown field {field:?}")));
    }
    if !new.is_sanitised() {
        let why = "users and keys cannot be part of a description here: they have their own URLs";
        return Err(ApiError::Bad(why.to_owned()));
    }
    Ok(())
}

/// What the file of a group says; `None` if there is none.
pub(super) async fn read(call: &Call, name: &str) -> Result<Option<Description>, ApiError> {
    let name = name.to_owned();
    call.blocking(move |registry| Ok(registry.read_file(&name)?))
        .await
}

/// Changes the file of a group that is there.
pub(super) async fn edit<T: Send + 'static>(
    call: &Call,
    name: &str,
    change: impl FnOnce(&mut Description) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let name = name.to_owned();
    call.blocking(move |registry| {
        let mut result = None;
        registry.edit(&name, |old| -> Result<_, ApiError> {
            let mut description = old.ok_or(ApiError::NotFound)?;
            result = Some(change(&mut description)?);
            Ok(Some(description))
        })?;
        result.ok_or(ApiError::Internal)
    })
    .await
}

/// A JSON Web Key Set (RFC 7517, section 5).
#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// `.groups/NAME/.keys`
pub(super) async fn keys(call: &Call, name: &str, body: Body) -> Answer {
    let before = read(call, name).await?.ok_or(ApiError::NotFound)?;
    let conditions = call.conditions.clone();
    let check = move |description: &Description| {
        conditions.check(if description.auth_keys.is_empty() {
            Current::Absent
        } else {
            Current::Hidden
        })
    };
    check(&before)?;
    let keys = if call.method == Method::PUT {
        let set: KeySet = body::json(&call.headers, body, body::KEYS).await?;
        let described = Description {
            auth_keys: set.keys,
            ..Description::default()
        };
        if let Some(fault) = described.key_faults().into_iter().next() {
            return Err(ApiError::Bad(fault));
        }
        described.auth_keys
    } else {
        Vec::new()
    };
    let change = move |description: &mut Description| {
        check(description)?;
        description.auth_keys = keys;
        Ok(())
    };
    edit(call, name, change).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
