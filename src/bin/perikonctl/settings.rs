//! `galenectl.json`: where the server is, and who asks.

use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Where a server is if nothing says.
const DEFAULT_SERVER: &str = "https://localhost:8443";

/// The content of `galenectl.json`, or of the flags that stand in for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The URL of the server.
    pub(crate) server: String,
    /// Who asks, by password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) admin_username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) admin_password: String,
    /// Who asks, by token; this goes before the password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) admin_token: String,
    /// Take any certificate; of the command line only.
    #[serde(skip)]
    pub(crate) insecure: bool,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is broken.
    #[error("{path}, line {line}: {reason}")]
    Content {
        /// Which.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// There is no home to look in.
    #[error("there is neither $XDG_CONFIG_HOME nor $HOME: name the file with -config")]
    Homeless,
}

impl Settings {
    /// Reads the file, and lets flags override it. There need not be a file.
    pub(crate) fn read(arguments: &ArgMatches) -> Result<Self, SettingsError> {
        let mut settings = match file(arguments) {
            Ok(path) => Self::of_file(&path)?,
            // Flags may say everything.
            Err(_) => Self::default(),
        };
        settings.override_by(arguments);
        if settings.server.is_empty() {
            DEFAULT_SERVER.clone_into(&mut settings.server);
        }
        Ok(settings)
    }

    /// Only what the flags say.
    pub(crate) fn of_flags(arguments: &ArgMatches) -> Self {
        let mut settings = Self::default();
        settings.override_by(arguments);
        settings
    }

    fn override_by(&mut self, arguments: &ArgMatches) {
        // Whoever says who they are on the command line is not who the file says.
        let token = given(arguments, "admin-token");
        let (name, password) = (
            given(arguments, "admin-username"),
            given(arguments, "admin-password"),
        );
        if token.is_none() && (name.is_some() || password.is_some()) {
            self.admin_token.clear();
        }
        for (value, own) in [
            (given(arguments, "server"), &mut self.server),
            (token, &mut self.admin_token),
            (name, &mut self.admin_username),
            (password, &mut self.admin_password),
        ] {
            if let Some(value) = value {
                *own = value;
            }
        }
        self.insecure = arguments.get_one("insecure").copied().unwrap_or_default();
    }

    fn of_file(path: &Path) -> Result<Self, SettingsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(SettingsError::Read {
                    path: path.display().to_string(),
                    source,
                });
            }
        };
        serde_json::from_str(&text).map_err(|error| SettingsError::Content {
            path: path.display().to_string(),
            line: error.line(),
            reason: error.to_string(),
        })
    }
}

fn given(arguments: &ArgMatches, name: &str) -> Option<String> {
    let value = arguments.get_one::<String>(name)?;
    (!value.is_empty()).then(|| value.clone())
}

/// The file: that of `-config`, or where `galenectl` keeps it.
pub(crate) fn file(arguments: &ArgMatches) -> Result<PathBuf, SettingsError> {
    if let Some(path) = given(arguments, "config") {
        return Ok(path.into());
    }
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))
    };
    let base = base.ok_or(SettingsError::Homeless)?;
    Ok(base.join("galene/galenectl.json"))
}
