//! `/metrics`, and what is made of it: the numbers agree with what real peers counted, promtool
//! accepts them, and the documents, the dashboard and the alert rules name figures that exist.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod documents;
#[path = "../webrtc_peers/lossy.rs"]
mod lossy;
#[allow(dead_code, reason = "its other user is another program")]
#[path = "../webrtc_peers/member.rs"]
mod member;
mod numbers;
mod promtool;
mod scrape;

use perikon::Server;
use perikon::config::{Asked, parse};
use std::time::Duration;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the group `g`, into which everyone comes, and with this `config.json`.
async fn server(folder: &tempfile::TempDir, config: &str) -> Server {
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["groups", "data"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("data/config.json"), config).unwrap();
    std::fs::write(
        folder.path().join("groups/g.json"),
        r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    )
    .unwrap();
    let flags = [
        ("-http", "127.0.0.1:0".to_owned()),
        ("-data", path("data")),
        ("-groups", path("groups")),
        ("-recordings", path("recordings")),
        ("-media-address", "127.0.0.1".to_owned()),
    ];
    let flags = flags
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value]);
    let flags = flags.chain(["-insecure".to_owned()]);
    let Ok(Asked::Run(config)) = parse(flags.map(Into::into)) else {
        panic!("good flags")
    };
    Server::start(*config).await.unwrap()
}
