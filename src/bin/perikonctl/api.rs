//! The client's side of the HTTP API (`galene-api.md`): only what that document describes, so
//! that it works with a Galène.

use crate::settings::Settings;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// What need not be written as `%xx` in a path; the slash is part of names.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
/// How long a server may take to take a connection, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a change is tried that others disturb.
const ATTEMPTS: usize = 8;

pub(crate) const JSON: &str = "application/json";
pub(crate) const KEYS: &str = "application/jwk-set+json";

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// `-server` makes no sense.
    #[error("the server {0:?} is no http or https URL")]
    Url(String),
    /// It was not reached, or broke off.
    #[error("cannot reach {url}: {reason}")]
    Reach {
        /// The server.
        url: String,
        /// Why, from the first cause to the last.
        reason: String,
    },
    /// It answered, but not with what was asked for.
    #[error("{}", refusal(*status, text))]
    Refused {
        /// Of HTTP.
        status: u16,
        /// What it said.
        text: String,
    },
    /// It answered something that this program does not understand.
    #[error("the answer of the server makes no sense: {0}")]
    Nonsense(String),
    /// Others changed the same thing again and again.
    #[error("someone else changes the same all the time; try again")]
    Disturbed,
}

fn refusal(status: u16, text: &str) -> String {
    match status {
        401 => "not authorised: check -admin-username and -admin-password, or -admin-token, or \
                the configuration file"
            .to_owned(),
        300..=399 => format!("the server is somewhere else: {text}"),
        _ if text.is_empty() => format!("the server answered {status}"),
        _ => format!("{text} ({status})"),
    }
}

impl ApiError {
    /// The status of HTTP, if that is what it is about.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The same, in other words if the server refused with this status.
    pub(crate) fn in_words(self, on: u16, words: impl Into<String>) -> Self {
        match self {
            Self::Refused { status, .. } if status == on => Self::Refused {
                status,
                text: words.into(),
            },
            other => other,
        }
    }
}

/// A server.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    base: String,
    settings: Settings,
}

impl Api {
    /// Of the server that the settings name.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ApiError> {
        let base = settings.server.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).ok();
        if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Err(ApiError::Url(settings.server.clone()));
        }
        let reach = |error: &dyn std::error::Error| ApiError::Reach {
            url: base.clone(),
            reason: causes(error),
        };
        // Fails if there is one already, which does as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // A change that is sent on would become a GET.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("perikonctl/", env!("CARGO_PKG_VERSION")))
            .tls_danger_accept_invalid_certs(settings.insecure)
            .build()
            .map_err(|error| reach(&error))?;
        Ok(Self {
            client,
            base,
            settings: settings.clone(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = utf8_percent_encode(path, IN_PATH);
        let url = format!("{}/galene-api/v0/{path}", self.base);
        let request = self.client.request(method, url);
        let settings = &self.settings;
        if !settings.admin_token.is_empty() {
            request.bearer_auth(&settings.admin_token)
        } else if !settings.admin_username.is_empty() {
            request.basic_auth(&settings.admin_username, Some(&settings.admin_password))
        } else {
            request
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        let response = request.send().await.map_err(|error| self.reach(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = if status.is_redirection() {
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            location.unwrap_or_default().to_owned()
        } else {
            let text = response.text().await.unwrap_or_default();
            let line = text.lines().next().unwrap_or_default().trim();
            // Not the page of some proxy.
            if line.is_empty() || line.starts_with('<') {
                status.canonical_reason().unwrap_or_default().to_owned()
            } else {
                line.to_owned()
            }
        };
        Err(ApiError::Refused {
            status: status.as_u16(),
            text,
        })
    }

    fn reach(&self, error: &reqwest::Error) -> ApiError {
        ApiError::Reach {
            url: self.base.clone(),
            reason: causes(error),
        }
    }

    async fn json(&self, response: Response) -> Result<Value, ApiError> {
        let text = response.text().await.map_err(|error| self.reach(&error))?;
        serde_json::from_str(&text).map_err(|error| ApiError::Nonsense(error.to_string()))
    }

    /// What there is.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        self.json(response).await
    }

    /// A list of names, sorted.
    pub(crate) async fn names(&self, path: &str) -> Result<Vec<String>, ApiError> {
        let list = self.get(path).await?;
        // Go writes an empty list as null.
        let names: Option<Vec<String>> =
            serde_json::from_value(list).map_err(|error| ApiError::Nonsense(error.to_string()))?;
        let mut names = names.unwrap_or_default();
        names.sort();
        Ok(names)
    }

    /// Makes something that is not there; 412 if it is.
    pub(crate) async fn create(&self, path: &str, value: &Value) -> Result<(), ApiError> {
        let request = self.request(Method::PUT, path);
        let request = request.header(IF_NONE_MATCH, "*");
        self.send(with_body(request, JSON, value)).await.map(drop)
    }

    /// Puts something there, whatever was.
    pub(crate) async fn put(&self, path: &str, kind: &str, value: &Value) -> Result<(), ApiError> {
        let request = self.request(Method::PUT, path);
        self.send(with_body(request, kind, value)).await.map(drop)
    }

    /// Adds something; the answer is its name.
    pub(crate) async fn post(&self, path: &str, value: &Value) -> Result<String, ApiError> {
        let request = with_body(self.request(Method::POST, path), JSON, value);
        let response = self.send(request).await?;
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let name = location.and_then(|location| location.rsplit('/').next());
        let name = name.ok_or_else(|| ApiError::Nonsense("there is no Location".to_owned()))?;
        Ok(percent_encoding::percent_decode_str(name)
            .decode_utf8_lossy()
            .into_owned())
    }

    /// Asks for something to be done; the answer is what the server says of it.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        value: &Value,
    ) -> Result<Value, ApiError> {
        let request = with_body(self.request(method, path), JSON, value);
        let response = self.send(request).await?;
        self.json(response).await
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.send(self.request(Method::DELETE, path))
            .await
            .map(drop)
    }

    /// Changes something that is there, so that no change of anyone else is lost.
    pub(crate) async fn update(
        &self,
        path: &str,
        change: impl Fn(&mut serde_json::Map<String, Value>),
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let response = self.send(self.request(Method::GET, path)).await?;
            let Some(tag) = response.headers().get(ETAG).cloned() else {
                return Err(ApiError::Nonsense("there is no ETag".to_owned()));
            };
            let Value::Object(mut object) = self.json(response).await? else {
                return Err(ApiError::Nonsense("it is no object".to_owned()));
            };
            change(&mut object);
            let request = self.request(Method::PUT, path).header(IF_MATCH, tag);
            let request = with_body(request, JSON, &Value::Object(object));
            match self.send(request).await {
                Err(ApiError::Refused { status: 412, .. }) => {}
                result => return result.map(drop),
            }
        }
        Err(ApiError::Disturbed)
    }
}

fn with_body(request: RequestBuilder, kind: &str, value: &Value) -> RequestBuilder {
    request.header(CONTENT_TYPE, kind).body(value.to_string())
}

/// An error with all that led to it: the last is often the one that says something.
fn causes(error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    let text = text.unwrap_or_else(|| error.to_string());
    if text.contains("certificate") {
        return format!("{text}; -insecure does not check certificates");
    }
    text
}
