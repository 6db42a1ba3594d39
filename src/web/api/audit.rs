//! Who changed what, when, and from where: `data/var/audit.jsonl`, one JSON object a line. It is
//! begun anew when it is full.

use super::Call;
use super::auth::{Caller, Rank};
use super::route::Target;
use crate::group::disk::Version;
use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The largest the file becomes, in bytes, before another is begun.
const LARGEST: u64 = 16 << 20;
/// So many full files are kept: `audit.jsonl.1` is the newest.
const KEPT: u32 = 8;

/// The audit log. Its file is opened for each line, so it may be moved away at any time.
#[derive(Debug, Default)]
pub(in super::super) struct Audit {
    /// Without one, nothing is written.
    path: Option<PathBuf>,
    /// One line at a time, so that files are begun anew once.
    turn: Mutex<()>,
}

/// One change.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    time: Timestamp,
    /// The name of the one who did it; empty for a token without one.
    user: String,
    /// `server`, `group` or `user`: how far its rights reach.
    rank: &'static str,
    /// Where it came from, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    method: String,
    path: String,
    status: u16,
    /// What was asked for, if the path does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
}

impl Line {
    pub(super) fn of(
        call: &Call,
        caller: &Caller,
        target: &Target,
        path: &str,
        status: StatusCode,
    ) -> Self {
        let path = match target {
            // Its name is a secret: enough of a digest to know it again.
            Target::Token(_, token) => {
                let digest = Version::of(token.as_bytes());
                let digest = digest.as_str().get(..8).unwrap_or_default();
                path.replace(token.as_str(), &format!("sha256:{digest}"))
            }
            _ => path.to_owned(),
        };
        let drain = call.state.signal().drain_state();
        let drain = drain.filter(|_| *target == Target::Drain && call.method == Method::POST);
        Self {
            time: Timestamp::now(),
            user: caller.name.clone(),
            rank: match caller.rank {
                Rank::Server => "server",
                Rank::Group => "group",
                Rank::User => "user",
            },
            address: call.address.map(|address| address.ip().to_string()),
            method: call.method.to_string(),
            path,
            status: status.as_u16(),
            detail: drain.map(|drain| json!({"message": drain.message, "until": drain.until})),
        }
    }
}

impl Audit {
    pub(in super::super) fn of(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            turn: Mutex::default(),
        }
    }

    /// Adds a line; the log says if that fails. Waits for the disk.
    pub(super) fn write(&self, line: &Line) {
        if let Some(path) = &self.path
            && let Err(error) = self.append(path, LARGEST, line)
        {
            tracing::error!(%error, ?line, "cannot write the audit log");
        }
    }

    fn append(&self, path: &Path, largest: u64, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let size = path.metadata().map_or(0, |data| data.len());
        if size > 0
            && size + text.len() as u64 > largest
            && let Err(error) = rotate(path)
        {
            // Better too long a file than no line.
            tracing::warn!(%error, "cannot begin a new audit log");
        }
        // In one piece, so that lines of several processes do not mix.
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(path)?;
        file.write_all(&text)
    }
}

/// Moves a full file away, and those that were there before it; the oldest makes room.
fn rotate(path: &Path) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..KEPT).rev() {
        match std::fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: u16) -> Line {
        Line {
            time: Timestamp::UNIX_EPOCH,
            user: "root".to_owned(),
            rank: "server",
            address: None,
            method: "PUT".to_owned(),
            path: "/x".to_owned(),
            status,
            detail: None,
        }
    }

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/audit.jsonl");
        let audit = Audit::of(path.clone());
        let length = serde_json::to_vec(&line(100)).unwrap().len() as u64 + 1;
        // Two lines fit.
        for status in 100..125 {
            audit.append(&path, 2 * length, &line(status)).unwrap();
        }
        let statuses = |name: &str| {
            let text = std::fs::read_to_string(path.with_file_name(name)).unwrap();
            let lines = text.lines().map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["status"].as_u64().unwrap()
            });
            lines.collect::<Vec<_>>()
        };
        assert_eq!(statuses("audit.jsonl"), [124]);
        assert_eq!(statuses("audit.jsonl.1"), [122, 123]);
        assert_eq!(statuses("audit.jsonl.8"), [108, 109]);
        assert!(!path.with_file_name("audit.jsonl.9").exists());
        // Someone else, such as logrotate, moves it away.
        std::fs::rename(&path, path.with_file_name("mine")).unwrap();
        audit.append(&path, 2 * length, &line(200)).unwrap();
        assert_eq!(statuses("audit.jsonl"), [200]);
    }
}
