//! Stateful tokens.

use super::auth::{Caller, Rank};
use super::error::ApiError;
use super::group::read;
use super::route::Shelf;
use super::{Answer, Call, body, put};
use crate::group::disk::Expected;
use crate::group::{Registry, Token, TokenError, TokenStore, is_legal_name, is_legal_username};
use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use std::sync::Arc;

/// The longest token that someone may think of, in characters.
const MAX_LENGTH: usize = 200;
/// How often a change begins anew when others change the same token meanwhile.
const ATTEMPTS: usize = 100;

/// `….tokens/`
pub(super) async fn list(call: &Call, caller: &Caller, shelf: &Shelf, body: Body) -> Answer {
    let of_shelf = shelf.clone();
    if call.reads() {
        must_exist(call, shelf).await?;
        let list = move |registry: &Registry| {
            let tokens = registry.gate().tokens().list(Some(&of_shelf.group)).tokens;
            let tokens = tokens.iter().filter(|token| of_shelf.holds(token));
            Ok(tokens.map(|token| token.token.clone()).collect::<Vec<_>>())
        };
        return call.show(&call.blocking(list).await?);
    }
    must_exist(call, shelf).await?;
    let token = Token {
        token: Token::new_secret(),
        issued_at: Some(Timestamp::now()),
        issued_by: Some(caller.name.clone()).filter(|name| !name.is_empty()),
        ..specified(call, caller, shelf, body).await?
    };
    let create = |registry: &Registry| Ok(registry.gate().tokens().create(token)?);
    let token = call.blocking(create).await?;
    let location = HeaderValue::try_from(&token.token).map_err(ApiError::internal)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

/// `….tokens/TOKEN`
pub(super) async fn answer(
    call: &Call,
    caller: &Caller,
    shelf: &Shelf,
    name: &str,
    body: Body,
) -> Answer {
    let before = get(call, name).await?;
    let is_here = before.as_ref().is_some_and(|token| shelf.holds(token));
    if call.method != Method::PUT {
        let token = before.filter(|_| is_here).ok_or(ApiError::NotFound)?;
        if call.reads() {
            let shown = Token {
                token: String::new(),
                group: String::new(),
                ..Token::clone(&token)
            };
            return call.show_version(&shown, Some(token.version()));
        }
        delete(call, shelf, name).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    must_exist(call, shelf).await?;
    if before.is_none() && !is_legal(name) {
        return Err(ApiError::Bad("illegal name of a token".to_owned()));
    }
    if before.is_some() && !is_here {
        let why = "there is a token of this name in another group, or of another user";
        return Err(ApiError::Conflict(why.to_owned()));
    }
    let version = before.as_ref().map(|token| token.version());
    call.conditions.check(version.as_ref())?;
    let mut new = specified(call, caller, shelf, body).await?;
    name.clone_into(&mut new.token);
    let (conditions, shelf) = (call.conditions.clone(), shelf.clone());
    let change = move |tokens: &TokenStore| {
        let before = tokens.get(&new.token);
        if before.as_ref().is_some_and(|token| !shelf.holds(token)) {
            return Err(ApiError::Conflict("the token was taken".to_owned()));
        }
        let version = before.map(|token| token.version());
        conditions.check(version.as_ref())?;
        Ok(match &version {
            None => tokens.put(new.clone(), Expected::Absent),
            Some(version) => {
                tokens.put(new.clone(), Expected::OneOf(std::slice::from_ref(version)))
            }
        })
    };
    let is_new = call
        .blocking(move |registry| until_undisturbed(registry, change))
        .await?;
    Ok(put(is_new))
}

/// Whether a new token may be called so. It stands in URLs and in one file with all others.
fn is_legal(name: &str) -> bool {
    name.chars().count() <= MAX_LENGTH
        && !name.chars().any(|c| c.is_control() || c == '\\')
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'))
}

async fn delete(call: &Call, shelf: &Shelf, name: &str) -> Result<(), ApiError> {
    let (conditions, shelf, name) = (call.conditions.clone(), shelf.clone(), name.to_owned());
    let change = move |tokens: &TokenStore| {
        let token = tokens.get(&name).filter(|token| shelf.holds(token));
        let version = token.ok_or(ApiError::NotFound)?.version();
        conditions.check(Some(&version))?;
        Ok(tokens.delete(&name, Expected::OneOf(&[version])))
    };
    call.blocking(move |registry| until_undisturbed(registry, change))
        .await
}

/// Does a change that expects what it has just seen, again if it was disturbed. The conditions of
/// the request are checked each time.
fn until_undisturbed<T>(
    registry: &Registry,
    change: impl Fn(&TokenStore) -> Result<Result<T, TokenError>, ApiError>,
) -> Result<T, ApiError> {
    let tokens = registry.gate().tokens();
    for _ in 0..ATTEMPTS {
        match change(tokens)? {
            Err(TokenError::Conflict(_)) => {}
            result => return Ok(result?),
        }
    }
    Err(ApiError::internal("a token changes all the time"))
}

async fn get(call: &Call, name: &str) -> Result<Option<Arc<Token>>, ApiError> {
    let name = name.to_owned();
    call.blocking(move |registry| Ok(registry.gate().tokens().get(&name)))
        .await
}

/// The group, and the user, that tokens are to be for.
async fn must_exist(call: &Call, shelf: &Shelf) -> Result<(), ApiError> {
    if shelf.group.is_empty() {
        return Ok(());
    }
    if !is_legal_name(&shelf.group) {
        return Err(ApiError::NotFound);
    }
    // One of an automatic subgroup, which has no file, is as good.
    call.state.registry().peek(&shelf.group).await?;
    match &shelf.user {
        None => Ok(()),
        Some(user) => {
            let description = read(call, &shelf.group).await?.ok_or(ApiError::NotFound)?;
            let found = description.users.get(user).map(|_| ());
            found.ok_or(ApiError::NotFound)
        }
    }
}

/// The token that a body describes.
async fn specified(
    call: &Call,
    caller: &Caller,
    shelf: &Shelf,
    body: Body,
) -> Result<Token, ApiError> {
    let mut token: Token = body::json(&call.headers, body, body::JSON).await?;
    let other_user =
        shelf.user.is_some() && token.username.is_some() && token.username != shelf.user;
    if !token.token.is_empty() || !token.group.is_empty() || other_user {
        return Err(ApiError::Bad("overspecified token".to_owned()));
    }
    if shelf.user.is_some() {
        token.username.clone_from(&shelf.user);
    }
    if token
        .username
        .as_ref()
        .is_some_and(|name| !is_legal_username(name))
    {
        return Err(ApiError::Bad("illegal username".to_owned()));
    }
    if token.include_subgroups && caller.rank != Rank::Server {
        // A group below that has a file has operators of its own.
        let below = call.state.registry().directory().join(&shelf.group);
        let exists = tokio::fs::try_exists(below).await;
        if exists.unwrap_or(true) {
            let why = "only an administrator of the server may open groups below this one";
            return Err(ApiError::Forbidden(why));
        }
    }
    shelf.group.clone_into(&mut token.group);
    Ok(token)
}

impl Shelf {
    fn holds(&self, token: &Token) -> bool {
        token.group == self.group && (self.user.is_none() || token.username == self.user)
    }
}
