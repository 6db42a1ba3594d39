//! `data/ice-servers.json`: the STUN and TURN servers that clients are told of when they join.

use super::settings::{SettingsError, stamp};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

/// For so long a made-up credential is good, in seconds.
const VALIDITY: i64 = 24 * 60 * 60;

/// A STUN or TURN server, as the file describes it (`galene-install.md`, "Connectivity issues
/// and ICE servers").
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawServer")]
struct IceServer {
    urls: Vec<String>,
    username: String,
    credential: Credential,
    unknown: Vec<String>,
}

#[derive(Clone, PartialEq)]
enum Credential {
    None,
    /// As it is.
    Static(String),
    /// A secret that is shared with the TURN server, of which credentials are made that expire
    /// (`use-auth-secret` of coturn).
    Secret(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Static(_) => "Static(…)",
            Self::Secret(_) => "Secret(…)",
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawServer {
    urls: OneOrMany,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    credential: Option<String>,
    #[serde(default)]
    credential_type: Option<String>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<RawServer> for IceServer {
    type Error = String;

    /// Refuses what browsers refuse: with one bad server in the list they would not connect.
    fn try_from(raw: RawServer) -> Result<Self, String> {
        let urls = match raw.urls {
            OneOrMany::One(url) => vec![url],
            OneOrMany::Many(urls) => urls,
        };
        if urls.is_empty() {
            return Err("a server without URLs".to_owned());
        }
        let username = raw.username.unwrap_or_default();
        let given = raw.credential.unwrap_or_default();
        let credential = match raw.credential_type.as_deref().unwrap_or_default() {
            "" | "password" if given.is_empty() => Credential::None,
            "" | "password" => Credential::Static(given),
            "hmac-sha1" if given.is_empty() => {
                return Err("hmac-sha1 without a credential".to_owned());
            }
            "hmac-sha1" => Credential::Secret(given),
            other => return Err(format!("unknown credentialType {other:?}")),
        };
        for url in &urls {
            let turn = match url.split_once(':') {
                Some(("stun" | "stuns", host)) if !host.is_empty() => false,
                Some(("turn" | "turns", host)) if !host.is_empty() => true,
                _ => return Err(format!("{url:?} is no URL of a STUN or TURN server")),
            };
            let unnamed = username.is_empty() && !matches!(credential, Credential::Secret(_));
            if turn && (credential == Credential::None || unnamed) {
                return Err(format!("{url} needs a username and a credential"));
            }
        }
        Ok(Self {
            urls,
            username,
            credential,
            unknown: raw.unknown.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

impl IceServer {
    /// An `RTCIceServer` of the WebRTC API.
    fn at(&self, now: Timestamp) -> Value {
        let mut server = json!({ "urls": self.urls });
        let (username, credential) = match &self.credential {
            Credential::None => return server,
            Credential::Static(credential) => (self.username.clone(), credential.clone()),
            Credential::Secret(secret) => {
                let until = now.as_second() + VALIDITY;
                let username = if self.username.is_empty() {
                    until.to_string()
                } else {
                    format!("{until}:{}", self.username)
                };
                // SHA-1 is what TURN servers expect here; nothing but the key need be secret.
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
                let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
                (username, credential)
            }
        };
        server["username"] = username.into();
        server["credential"] = credential.into();
        server
    }
}

/// `ice-servers.json`, and the last good content of it.
#[derive(Debug)]
pub struct IceServers {
    path: PathBuf,
    current: RwLock<Arc<Vec<IceServer>>>,
    /// Time and size of the version that was last looked at, good or broken.
    seen: Mutex<Option<(SystemTime, u64)>>,
}

impl IceServers {
    /// Reads the file for the first time. There need not be one; a broken one is logged, and
    /// there are no servers until it is mended. Blocks.
    pub fn open(path: PathBuf) -> Self {
        let servers = Self {
            path,
            current: RwLock::default(),
            seen: Mutex::default(),
        };
        servers.refresh();
        servers
    }

    /// The `RTCConfiguration` for one who joins at this moment: credentials that expire are made
    /// anew each time.
    pub fn configuration(&self, now: Timestamp) -> Value {
        let servers = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        if servers.is_empty() {
            return json!({});
        }
        let servers: Vec<Value> = servers.iter().map(|server| server.at(now)).collect();
        json!({ "iceServers": servers })
    }

    /// Reads the file again, changed or not. Otherwise as [`Self::refresh`].
    pub fn reread(&self) {
        // No file has this stamp.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((SystemTime::UNIX_EPOCH, u64::MAX));
        self.refresh();
    }

    /// Reads the file again if it changed. A broken file is logged, once, and changes nothing.
    /// Blocks.
    pub fn refresh(&self) {
        let stamp = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return;
        }
        *seen = stamp;
        match read(&self.path) {
            Ok(servers) => {
                for field in servers.iter().flat_map(|server| &server.unknown) {
                    let file = self.path.display();
                    tracing::warn!(%file, "unknown field {field:?} is ignored");
                }
                tracing::info!(file = %self.path.display(), servers = servers.len(), "ICE servers");
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(servers);
            }
            Err(error) => tracing::error!("{error}; the ICE servers in force stay as they were"),
        }
    }
}

/// What the admin should know of the file. Blocks.
///
/// # Errors
/// When the file is broken; there need not be one.
pub(crate) fn inspect(path: &Path) -> Result<Vec<String>, SettingsError> {
    let servers = read(path)?;
    let unknown = servers.iter().flat_map(|server| &server.unknown);
    Ok(unknown
        .map(|field| format!("unknown field {field:?} is ignored"))
        .collect())
}

fn read(path: &Path) -> Result<Vec<IceServer>, SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(SettingsError::Read {
                path: path.display().to_string(),
                source,
            });
        }
    };
    let servers: Vec<IceServer> =
        serde_json::from_str(&text).map_err(|error| SettingsError::Content {
            path: path.display().to_string(),
            line: error.line(),
            reason: error.to_string(),
        })?;
    Ok(servers)
}

#[cfg(test)]
mod tests;
