//! A server of the test's own, and requests to its API.

use crate::harness::keep_log;
use crate::support::{Answer, Site, request_with_body};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perikon::Server;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpSocket;

/// `root` may everything.
pub(crate) const CONFIG: &str = r#"{
    "writableGroups": true,
    "users": {
        "root": {"password": "secret", "permissions": "admin"},
        "nobody": {"password": "secret", "permissions": "op"}
    },
    "allowAdminOrigin": ["https://friend.example"]
}"#;

/// A group with one of everything.
pub(crate) const GROUP: &str = r#"{
    "displayName": "The Watch",
    "max-clients": 10,
    "x-kept": {"by": "hand"},
    "users": {
        "vimes": {"password": "vimes", "permissions": "op", "x-badge": 177},
        "fred": {"password": "fred", "permissions": "present"},
        "havelock": {"password": "havelock", "permissions": "admin"},
        "": {"password": "empty", "permissions": "observe"}
    },
    "wildcard-user": {"password": "wild", "permissions": "message"},
    "authKeys": [{"kty": "oct", "alg": "HS256", "k": "MYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGQ"}]
}"#;

/// A token of that group, one of no group, and an administrator's.
pub(crate) const TOKENS: &str = r#"{"token":"tick","group":"watch","username":"fred","permissions":["present"],"expires":"2099-01-01T00:00:00Z"}
{"token":"elsewhere","group":"other","permissions":["present"],"expires":"2099-01-01T00:00:00Z"}
{"token":"all","group":"","includeSubgroups":true,"username":"robot","permissions":["admin"],"expires":"2099-01-01T00:00:00Z"}
{"token":"watchadmin","group":"watch","permissions":["admin"],"expires":"2099-01-01T00:00:00Z"}
"#;

/// A server, and someone who asks it things.
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) server: Server,
    requests: AtomicU32,
}

/// A request that is not sent yet.
#[derive(Clone)]
pub(crate) struct Asking<'a> {
    place: &'a Place,
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Place {
    pub(crate) async fn start() -> Self {
        Self::with(CONFIG).await
    }

    pub(crate) async fn with(config: &str) -> Self {
        keep_log();
        let site = Site::new(&[("data/config.json", config), ("groups/other.json", "{}")]);
        let place = Self {
            server: site.serve(&["-insecure"]).await,
            site,
            requests: AtomicU32::new(0),
        };
        place.reset();
        place
    }

    /// Puts the files back as they were.
    pub(crate) fn reset(&self) {
        self.site.write("groups/watch.json", GROUP);
        self.site.write("data/var/tokens.jsonl", TOKENS);
    }

    /// The group file as JSON.
    pub(crate) fn file(&self) -> Value {
        let text = std::fs::read(self.site.path("groups/watch.json")).expect("a file");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// As `root`; `path` is what follows `/galene-api/v0/`.
    pub(crate) fn ask<'a>(&'a self, method: &'a str, path: &str) -> Asking<'a> {
        self.ask_bare(method, path).basic("root", "secret")
    }

    /// As no one, of something outside of the API.
    pub(crate) fn ask_at<'a>(&'a self, method: &'a str, path: &str) -> Asking<'a> {
        Asking {
            path: path.to_owned(),
            ..self.ask_bare(method, "")
        }
    }

    /// As no one.
    pub(crate) fn ask_bare<'a>(&'a self, method: &'a str, path: &str) -> Asking<'a> {
        Asking {
            place: self,
            method,
            path: format!("/galene-api/v0/{path}"),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

impl Asking<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn basic(mut self, username: &str, password: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        let value = STANDARD.encode(format!("{username}:{password}"));
        self.header("Authorization", &format!("Basic {value}"))
    }

    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, kind: &str, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("Content-Type", kind)
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.body("application/json", body)
    }

    /// From an address of its own, lest the failures of one request slow the next one down.
    pub(crate) async fn send(self) -> Answer {
        let number = self.place.requests.fetch_add(1, Ordering::Relaxed);
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + 1 + number % 60_000);
        self.send_from(from.into()).await
    }

    pub(crate) async fn send_from(self, from: IpAddr) -> Answer {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from, 0)).expect("an address");
        let address = self.place.server.address();
        let stream = socket.connect(address).await.expect("a connection");
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        request_with_body(stream, self.method, &self.path, &headers, &self.body).await
    }

    pub(crate) async fn status(self) -> u16 {
        self.send().await.status
    }
}

impl Answer {
    /// The body, which says that it is JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.body.ends_with(b"\n"), "{self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    #[track_caller]
    pub(crate) fn tag(&self) -> String {
        let tag = self.header("etag").expect("a tag");
        assert!(tag.starts_with('"') && tag.len() > 2, "{tag}");
        tag.to_owned()
    }
}
