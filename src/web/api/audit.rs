//! Who changed what, when, and from where: `data/var/audit.jsonl`, one JSON object a line.

use super::Call;
use super::auth::{Caller, Rank};
use super::route::Target;
use crate::group::disk::Version;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// The file of the audit log; without one, nothing is written.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Audit(pub(in super::super) Option<PathBuf>);

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
        }
    }
}

impl Audit {
    /// Adds a line; the log says if that fails. Waits for the disk.
    pub(super) fn write(&self, line: &Line) {
        if let Err(error) = self.append(line) {
            tracing::error!(%error, ?line, "cannot write the audit log");
        }
    }

    fn append(&self, line: &Line) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        // In one piece, so that lines of several processes do not mix.
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(path)?;
        file.write_all(&text)
    }
}
