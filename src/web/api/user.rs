//! Users of a group file: their list, and what they may do.

use super::error::ApiError;
use super::group::{edit, read};
use super::route::Who;
use super::{Answer, Call, body, put, version_of};
use crate::group::{Description, UserDescription, is_legal_username};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;

/// `.groups/NAME/.users/`
pub(super) async fn list(call: &Call, group: &str) -> Answer {
    let description = read(call, group).await?.ok_or(ApiError::NotFound)?;
    call.show(&description.users.keys().collect::<Vec<_>>())
}

/// `.groups/NAME/.users/USER`, `.empty-user` and `.wildcard-user`
pub(super) async fn answer(call: &Call, group: &str, who: &Who, body: Body) -> Answer {
    let description = read(call, group).await?.ok_or(ApiError::NotFound)?;
    let before = who.find(&description);
    if call.reads() {
        return call.show(&before.ok_or(ApiError::NotFound)?.sanitised());
    }
    let conditions = call.conditions.clone();
    let check = move |old: Option<&UserDescription>| {
        let version = old.map(|old| version_of(&old.sanitised())).transpose()?;
        conditions.check(version.as_ref())
    };
    let user = who.clone();
    if call.method == Method::DELETE {
        let change = move |description: &mut Description| {
            check(Some(user.find(description).ok_or(ApiError::NotFound)?))?;
            user.remove(description);
            Ok(())
        };
        edit(call, group, change).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if matches!(who, Who::Named(name) if !is_legal_username(name)) {
        return Err(ApiError::Bad("illegal username".to_owned()));
    }
    check(before)?;
    let new: UserDescription = body::json(&call.headers, body, body::JSON).await?;
    if new.password.is_some() {
        let why = "a password cannot be part of a user here: it has its own URL";
        return Err(ApiError::Bad(why.to_owned()));
    }
    if let Some(field) = new.unknown.keys().next() {
        return Err(ApiError::Bad(format!("unknown field {field:?}")));
    }
    let change = move |description: &mut Description| {
        let old = user.find(description);
        check(old)?;
        let is_new = old.is_none();
        user.find_or_add(description).permissions = new.permissions;
        Ok(is_new)
    };
    Ok(put(edit(call, group, change).await?))
}

impl Who {
    /// The user, if the description has it.
    pub(super) fn find<'a>(&self, description: &'a Description) -> Option<&'a UserDescription> {
        match self {
            Self::Named(name) => description.users.get(name),
            Self::Wildcard => description.wildcard_user.as_ref(),
        }
    }

    pub(super) fn find_mut<'a>(
        &self,
        description: &'a mut Description,
    ) -> Option<&'a mut UserDescription> {
        match self {
            Self::Named(name) => description.users.get_mut(name),
            Self::Wildcard => description.wildcard_user.as_mut(),
        }
    }

    fn find_or_add<'a>(&self, description: &'a mut Description) -> &'a mut UserDescription {
        match self {
            Self::Named(name) => description.users.entry(name.clone()).or_default(),
            Self::Wildcard => description.wildcard_user.get_or_insert_default(),
        }
    }

    fn remove(&self, description: &mut Description) {
        match self {
            Self::Named(name) => {
                description.users.remove(name);
            }
            Self::Wildcard => description.wildcard_user = None,
        }
    }
}
