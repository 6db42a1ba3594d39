//! What the server is told when it starts: the command line, with Galène's flags, and
//! `data/config.json`, which may change while it runs.

mod flags;
mod ice;
mod settings;

pub use flags::{Asked, FlagError, ListenAddress, help, parse};
pub use ice::IceServers;
pub(crate) use ice::inspect as inspect_ice_servers;
pub(crate) use settings::read as read_settings;
pub use settings::{Settings, SettingsError, SettingsFile, WebhookSettings};

use crate::net::PortRange;
use std::net::IpAddr;
use std::path::PathBuf;

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything from the command line.
#[derive(Debug, Clone)]
pub struct Config {
    /// `-http`: where the web server listens.
    pub http: ListenAddress,
    /// `-insecure`: plain HTTP.
    pub insecure: bool,
    /// `-static`: a folder that is served instead of the web client in the program.
    pub static_folder: Option<PathBuf>,
    /// `-data`: the folder of `config.json`, `cert.pem` and `key.pem`.
    pub data_folder: PathBuf,
    /// `-groups`: the folder of the group files.
    pub groups_folder: PathBuf,
    /// `-recordings`: the folder that recordings are written to.
    pub recordings_folder: PathBuf,
    /// `-udp-range`: the ports of media.
    pub udp_range: PortRange,
    /// `--media-address`: the local addresses of media; all of the machine if empty.
    pub media_addresses: Vec<IpAddr>,
    /// `-redirect`: the canonical host, instead of that in `config.json`.
    pub redirect: Option<String>,
    /// `--log-format`: how the log is written.
    pub log_format: LogFormat,
    /// Flags that were given but do nothing here, and why.
    pub unused: Vec<(&'static str, &'static str)>,
}
