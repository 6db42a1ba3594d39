//! What is told to everyone about a group: `.status` and `public-groups.json`.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

/// Escaped in a path of a URL; everything else may stand there (RFC 3986, section 3.3).
pub(crate) const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The root URL under which clients see this server: from the `Host` header, or `proxyURL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    tls: bool,
    host: String,
    /// Without a slash at its end.
    path: String,
}

/// The text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an http:// or https:// URL")]
pub struct BaseUrlError(pub String);

impl BaseUrl {
    /// `host` as in a `Host` header, with its port.
    pub fn new(tls: bool, host: impl Into<String>) -> Self {
        Self {
            tls,
            host: host.into(),
            path: String::new(),
        }
    }

    /// Reads `proxyURL`; its path is kept, query and fragment are dropped. `wss` and `ws` pass.
    ///
    /// # Errors
    /// When it is no URL of a web server.
    pub fn parse(url: &str) -> Result<Self, BaseUrlError> {
        let error = || BaseUrlError(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(error)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(error()),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(error());
        }
        let path = path.trim_matches('/');
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            tls,
            host: host.to_owned(),
            path,
        })
    }

    /// The path before those of this server, without a slash at its end.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The URL of a group's page.
    pub fn location(&self, group: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let group = utf8_percent_encode(group, PATH);
        format!("{scheme}://{}{}/group/{group}/", self.host, self.path)
    }

    /// The URL of the WebSocket.
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}/ws", self.host, self.path)
    }
}

/// What everyone may know about a group (`galene-protocol.md`, "Before connecting"). Fields that
/// do not apply are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The group's name.
    pub name: String,
    /// Where the group moved: only names go with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// The URL of its page. Not in `joined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The URL of the WebSocket. Not in `joined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A longer name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// A text for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The authorisation server, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_server: String,
    /// The authorisation portal, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_portal: String,
    /// Only operators can join. Told of public groups, and inside.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Whoever is no operator waits at the door.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lobby: bool,
    /// How many are inside. Told of public groups, and inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_count: Option<usize>,
    /// Users may change their own passwords through the HTTP API. Only inside.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub can_change_password: bool,
}

#[cfg(test)]
mod tests;
