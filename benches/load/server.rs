//! A server of this package, for as long as the test lasts.

use super::client::{ClientError, Place};
use super::process;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_perikon");
/// Until it must be ready, or must have ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Everyone may publish; more clients than any test has.
const GROUP: &str = r#"{
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"},
    "allow-anonymous": true,
    "codecs": ["vp8", "opus"]
}"#;

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    pub(crate) url: String,
}

impl Server {
    /// Starts it on a free port of loopback, with a group of this name.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer in time: with what it said.
    pub(crate) async fn start(group: &str, arguments: &[String]) -> Result<Self, ClientError> {
        let folder = tempfile::tempdir()?;
        let sub = |name: &str| -> io::Result<PathBuf> {
            let path = folder.path().join(name);
            fs::create_dir_all(&path)?;
            Ok(path)
        };
        let groups = sub("groups")?;
        let file = groups.join(format!("{group}.json"));
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, GROUP)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(PROGRAM)
            .arg("-http")
            .arg(format!("127.0.0.1:{port}"))
            .arg("-insecure")
            .arg("-groups")
            .arg(groups)
            .arg("-data")
            .arg(sub("data")?)
            .arg("-recordings")
            .arg(sub("recordings")?)
            .args(["--media-address", "127.0.0.1"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self {
            child,
            folder,
            url: format!("http://127.0.0.1:{port}"),
        };
        server.wait_until_ready(group).await?;
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn wait_until_ready(&mut self, group: &str) -> Result<(), ClientError> {
        let place = Place::parse(&self.url, false)?.at(&format!("/group/{group}/.status"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok((200, _)) = place.get().await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.failed("did not answer in time"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn failed(&self, what: &str) -> ClientError {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let mut last: Vec<&str> = log.lines().rev().take(10).collect();
        last.reverse();
        ClientError::Message(format!(
            "nothing: {PROGRAM} {what}. It said:\n{}",
            last.join("\n")
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::terminate(self.child.id());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                _ => return,
            }
        }
        eprintln!("the server does not end: it is killed");
        // It may have ended at last.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
