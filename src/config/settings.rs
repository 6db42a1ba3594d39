//! `data/config.json`: read at start, and again when it changes.

use crate::group::{Description, UserDescription, line_of};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

/// The content of `data/config.json` (`galene.md`, "The global configuration file").
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Who may administer the server, described as in group files; only `admin` means something.
    pub users: BTreeMap<String, UserDescription>,
    /// The HTTP API may change groups.
    pub writable_groups: bool,
    /// Origins of other sites whose pages may use the WebSocket; `*` for any.
    pub allow_origin: Vec<String>,
    /// Origins of other sites whose pages may use the HTTP API.
    pub allow_admin_origin: Vec<String>,
    /// The URL under which a reverse proxy shows this server.
    #[serde(rename = "proxyURL")]
    pub proxy_url: String,
    /// Browsers that use another host name are redirected to this one.
    pub canonical_host: String,
    /// Who is told what happens in groups.
    pub webhooks: Vec<WebhookSettings>,
    /// Fields that are not known here: ignored, with a warning.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What webhooks can be told of.
const WEBHOOK_EVENTS: [&str; 6] = [
    "join",
    "leave",
    "stream-start",
    "stream-end",
    "drain",
    "drain-cancelled",
];

/// A URL that is told what happens in groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where to: `http` or `https`.
    pub url: String,
    /// What the signature is made with; none without it.
    #[serde(default)]
    pub secret: String,
    /// Of `join`, `leave`, `stream-start`, `stream-end`, `drain`, `drain-cancelled`; all if it is
    /// empty.
    #[serde(default)]
    pub events: Vec<String>,
}

/// Why `config.json` is refused: file, line and reason.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no good JSON, or a value in it makes no sense.
    #[error("{path}, line {line}: {reason}")]
    Content {
        /// Which file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

/// `config.json` and the last good content of it.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    current: RwLock<Arc<Settings>>,
    /// Time and size of the version that was last looked at, good or broken.
    seen: Mutex<Option<(SystemTime, u64)>>,
}

impl SettingsFile {
    /// Reads the file for the first time. There need not be one. Blocks.
    ///
    /// # Errors
    /// When there is a file but it is broken: there is no last good one yet.
    pub fn open(path: PathBuf) -> Result<Self, SettingsError> {
        let seen = stamp(&path);
        let settings = read_and_log(&path)?;
        Ok(Self {
            path,
            current: RwLock::new(Arc::new(settings)),
            seen: Mutex::new(seen),
        })
    }

    /// Settings that no file can change.
    pub fn fixed(settings: Settings) -> Self {
        Self {
            path: PathBuf::new(),
            current: RwLock::new(Arc::new(settings)),
            seen: Mutex::new(None),
        }
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again, changed or not. Otherwise as [`Self::refresh`].
    pub fn reread(&self) -> bool {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.refresh()
    }

    /// Reads the file again if it changed; true if new settings came into force by that. A
    /// broken file is logged, once, and changes nothing. Blocks.
    pub fn refresh(&self) -> bool {
        let stamp = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.path.as_os_str().is_empty() || *seen == stamp {
            return false;
        }
        *seen = stamp;
        match read_and_log(&self.path) {
            Ok(settings) => {
                tracing::info!(file = %self.path.display(), "configuration read again");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
                true
            }
            Err(error) => {
                tracing::error!("{error}; the configuration in force stays as it was");
                false
            }
        }
    }
}

pub(super) fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read_and_log(path: &Path) -> Result<Settings, SettingsError> {
    let (settings, warnings) = read(path)?;
    for warning in warnings {
        tracing::warn!(file = %path.display(), "{warning}");
    }
    Ok(settings)
}

/// The settings in a file, and what the admin should know of them. Blocks.
///
/// # Errors
/// When the file is broken; there need not be one.
pub(crate) fn read(path: &Path) -> Result<(Settings, Vec<String>), SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(source) => {
            return Err(SettingsError::Read {
                path: path.display().to_string(),
                source,
            });
        }
    };
    let content = |line, reason| SettingsError::Content {
        path: path.display().to_string(),
        line,
        reason,
    };
    let settings: Settings =
        serde_json::from_str(&text).map_err(|error| content(error.line(), error.to_string()))?;
    let line_of = |needle: &str| {
        text.lines()
            .position(|line| line.contains(needle))
            .map_or(1, |index| index + 1)
    };
    let proxy = &settings.proxy_url;
    if !proxy.is_empty() && !proxy.starts_with("https://") && !proxy.starts_with("http://") {
        return Err(content(
            line_of("proxyURL"),
            "proxyURL is no http or https URL".to_owned(),
        ));
    }
    let host = &settings.canonical_host;
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@\\".contains(c)) {
        return Err(content(
            line_of("canonicalHost"),
            "canonicalHost is no host name".to_owned(),
        ));
    }
    for hook in &settings.webhooks {
        if !hook.url.starts_with("https://") && !hook.url.starts_with("http://") {
            let reason = format!("{:?} is no http or https URL", hook.url);
            return Err(content(line_of("webhooks"), reason));
        }
        let unknown = |name: &&String| !WEBHOOK_EVENTS.contains(&name.as_str());
        if let Some(name) = hook.events.iter().find(unknown) {
            let known = WEBHOOK_EVENTS.join(", ");
            let reason = format!("there is no event {name:?} for webhooks, only {known}");
            return Err(content(line_of(name), reason));
        }
    }
    let warnings = warnings(&settings, &text);
    Ok((settings, warnings))
}

/// What the admin should know of a good file.
fn warnings(settings: &Settings, text: &str) -> Vec<String> {
    let at = |path: &[&str]| match line_of(text, path) {
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    let mut warnings: Vec<String> = settings
        .unknown
        .keys()
        .map(|field| format!("{}unknown field {field:?} is ignored", at(&[field])))
        .collect();
    for (name, user) in &settings.users {
        let (who, path) = (format!("user {name:?}"), ["users", name.as_str()]);
        let remarks = user.remarks(&who, text, &path);
        warnings.extend(remarks.iter().map(ToString::to_string));
        if !user
            .permissions
            .permissions(&Description::default())
            .has("admin")
        {
            warnings.push(format!(
                "{}{who} may do nothing: only \"admin\" means something here",
                at(&path)
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
