//! Bans: who is kept out of which groups (`docs/protocol.md`, "Bans").

use super::disk::{self, Expected};
use super::error::GroupError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// So many bans are kept for one group file.
const LIMIT: usize = 1000;
/// What the banned are told when the operator said nothing.
const BANNED: &str = "you are banned from this group";

/// An address, or for IPv6 the network of 64 bits that one subscriber has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
            }
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

impl FromStr for Network {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: IpAddr = text.strip_suffix("/64").unwrap_or(text).parse()?;
        Ok(address.into())
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Someone is kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ban {
    /// Names the ban.
    pub id: String,
    /// The group whose file it belongs to; it holds in the automatic subgroups, too.
    pub group: String,
    /// Everyone of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Everyone from there but operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Network>,
    /// What the banned are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The name of the operator.
    #[serde(default)]
    pub by: String,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it ends; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Ban {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it keeps someone out.
    pub fn holds(&self, username: &str, address: Option<IpAddr>, is_op: bool) -> bool {
        let named = self.username.as_ref().is_some_and(|own| own == username);
        let network = address.map(Network::from);
        named || (!is_op && self.address.is_some() && self.address == network)
    }

    /// What the banned are told.
    pub fn text(&self) -> String {
        match (&self.message, self.expires) {
            (Some(message), _) => message.clone(),
            (None, Some(expires)) => {
                format!("{BANNED} until {} UTC", expires.strftime("%Y-%m-%d %H:%M"))
            }
            (None, None) => BANNED.to_owned(),
        }
    }
}

/// All bans of a server.
#[derive(Debug, Default)]
pub struct Bans {
    lists: Mutex<Lists>,
    file: OnceLock<PathBuf>,
    /// Held while the file is written, so that the last writer has the last word.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Lists {
    by_group: BTreeMap<String, Vec<Ban>>,
    /// Lines that were not understood, to be written back.
    strange: Vec<String>,
}

impl Bans {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a file, one ban a line, and keeps all bans there from then on. Blocks. Lines that
    /// are not understood are logged and left alone.
    pub fn keep_in(&self, path: PathBuf) {
        match disk::read(&path) {
            Ok(content) => {
                let content = content.map(|(content, _)| content).unwrap_or_default();
                self.read(&path, &String::from_utf8_lossy(&content));
            }
            Err(error) => tracing::error!(file = %path.display(), %error, "cannot read the bans"),
        }
        let _ = self.file.set(path);
    }

    fn read(&self, path: &Path, text: &str) {
        let mut lists = self.lists();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Ban>(line) {
                Ok(ban) => {
                    let list = lists.by_group.entry(ban.group.clone()).or_default();
                    list.push(ban);
                }
                Err(error) => {
                    let (file, line_number) = (path.display(), index + 1);
                    tracing::error!(%file, "line {line_number} is no ban: {error}");
                    lists.strange.push(line.to_owned());
                }
            }
        }
    }

    /// Writes the file, if there is one, without the bans that are over. Blocks.
    pub fn save(&self, now: Timestamp) {
        let Some(path) = self.file.get() else { return };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        {
            let mut lists = self.lists();
            lists.by_group.retain(|_, bans| {
                bans.retain(|ban| !ban.is_over(now));
                !bans.is_empty()
            });
            let bans = lists.by_group.values().flatten();
            let bans = bans.filter_map(|ban| serde_json::to_string(ban).ok());
            for line in bans.chain(lists.strange.iter().cloned()) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        if let Err(error) = disk::write(path, Expected::Any, text.as_bytes()) {
            let file = path.display();
            tracing::error!(%file, %error, "cannot write the bans: a restart will forget some");
        }
    }

    /// Adds one.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add(&self, ban: Ban, now: Timestamp) -> Result<(), GroupError> {
        let mut lists = self.lists();
        let list = lists.by_group.entry(ban.group.clone()).or_default();
        list.retain(|ban| !ban.is_over(now));
        if list.len() >= LIMIT {
            return Err(GroupError::TooManyBans);
        }
        list.push(ban);
        Ok(())
    }

    /// Lifts one.
    ///
    /// # Errors
    /// When the group has none of this id.
    pub fn lift(&self, group: &str, id: &str) -> Result<(), GroupError> {
        let mut lists = self.lists();
        let list = lists.by_group.get_mut(group).ok_or(GroupError::NoSuchBan)?;
        let before = list.len();
        list.retain(|ban| ban.id != id);
        let lifted = list.len() != before;
        if list.is_empty() {
            lists.by_group.remove(group);
        }
        lifted.then_some(()).ok_or(GroupError::NoSuchBan)
    }

    /// Those in force, oldest first.
    pub fn list(&self, group: &str, now: Timestamp) -> Vec<Ban> {
        let lists = self.lists();
        let bans = lists.by_group.get(group).into_iter().flatten();
        bans.filter(|ban| !ban.is_over(now)).cloned().collect()
    }

    /// Refuses the banned.
    ///
    /// # Errors
    /// With the text of the ban.
    pub fn check(
        &self,
        group: &str,
        username: &str,
        address: Option<IpAddr>,
        is_op: bool,
        now: Timestamp,
    ) -> Result<(), GroupError> {
        let lists = self.lists();
        let mut bans = lists.by_group.get(group).into_iter().flatten();
        match bans.find(|ban| !ban.is_over(now) && ban.holds(username, address, is_op)) {
            Some(ban) => Err(GroupError::Banned(ban.text())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
