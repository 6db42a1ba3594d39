//! Who asks: Basic and Bearer authentication (RFC 7617, RFC 6750).

use super::super::State;
use super::Call;
use super::error::ApiError;
use super::route::{Target, Who};
use crate::group::{Credentials, GroupError};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;

/// Someone who may do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// For the audit log.
    pub(super) name: String,
    /// What makes it one.
    pub(super) rank: Rank,
}

/// How far someone's rights reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Everything.
    Server,
    /// One group.
    Group,
    /// The own password.
    User,
}

/// What came in `Authorization`.
enum Offer {
    Password(String, String),
    Token(String),
}

/// Finds out whether the caller may use an object.
pub(super) async fn authenticate(call: &Call, target: &Target) -> Result<Caller, ApiError> {
    let offer = read(&call.headers).ok_or(ApiError::Unauthorised)?;
    let gate = call.state.registry().gate();
    let address = call.address.map(|address| address.ip());
    let server = |name: String| Caller {
        name,
        rank: Rank::Server,
    };
    match &offer {
        Offer::Token(token) => {
            if let Some(name) = gate.check_administrator_token(token).await {
                return Ok(server(name));
            }
        }
        // Others are not even tried: each failure counts.
        Offer::Password(username, password)
            if call.settings.users.contains_key(username) || target.group().is_none() =>
        {
            let users = &call.settings.users;
            let checked = gate.check_administrator(users, username, password, address);
            match checked.await {
                Ok(()) => return Ok(server(username.clone())),
                Err(GroupError::NotAuthorised) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Offer::Password(..) => {}
    }
    let Some(name) = target.group().filter(|name| !name.is_empty()) else {
        return Err(ApiError::Unauthorised);
    };
    let group = match call.state.registry().peek(name).await {
        Ok(group) => group,
        Err(GroupError::ShuttingDown) => return Err(ApiError::ShuttingDown),
        Err(_) => return Err(ApiError::Unauthorised),
    };
    let (credentials, by_password) = match offer {
        Offer::Token(token) => {
            let credentials = Credentials {
                username: Some(String::new()),
                token: Some(token),
                ..Credentials::default()
            };
            (credentials, false)
        }
        Offer::Password(username, password) => {
            let credentials = Credentials {
                username: Some(username),
                password,
                token: None,
            };
            (credentials, true)
        }
    };
    let (name, permissions) = gate.authenticate(&group, &credentials, address).await?;
    if permissions.has("admin") {
        let rank = Rank::Group;
        return Ok(Caller { name, rank });
    }
    // With the old password, users may change their own. One who is listed never came in by the
    // wildcard's.
    let is_own = matches!(target, Target::Password(_, Who::Named(user)) if *user == name)
        && group.description().users.contains_key(&name);
    if by_password && is_own {
        let rank = Rank::User;
        return Ok(Caller { name, rank });
    }
    Err(ApiError::Unauthorised)
}

/// Whether a request comes from an administrator of the whole server. `address` is the client's.
///
/// # Errors
/// When it brings wrong credentials or none, or wrong ones came from there too often.
pub(in crate::web) async fn check_administrator(
    state: &State,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<(), GroupError> {
    let gate = state.registry().gate();
    match read(headers).ok_or(GroupError::NotAuthorised)? {
        Offer::Token(token) => {
            let name = gate.check_administrator_token(&token).await;
            name.map(|_| ()).ok_or(GroupError::NotAuthorised)
        }
        Offer::Password(username, password) => {
            let settings = state.settings();
            let users = &settings.users;
            let checked = gate.check_administrator(users, &username, &password, address);
            checked.await
        }
    }
}

fn read(headers: &HeaderMap) -> Option<Offer> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| Offer::Token(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Offer::Password(username.to_owned(), password.to_owned()))
}
