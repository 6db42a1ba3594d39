//! Who comes in, as a client sees it: a whole server with its folders, on loopback.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authorization;
mod crash;
#[allow(dead_code)]
#[path = "../signalling/harness.rs"]
mod harness;
mod ice;
mod jwt;
mod passwords;
mod signer;
#[allow(dead_code)]
#[path = "../web/support.rs"]
mod support;
mod tokens;

use harness::Client;
use perikon::Server;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use support::Site;
use tokio::net::TcpSocket;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

/// A server in this process, with folders of its own.
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) server: Server,
    clients: AtomicU32,
}

impl Place {
    pub(crate) async fn start(files: &[(&str, &str)]) -> Self {
        harness::keep_log();
        let site = Site::new(files);
        let server = site.serve(&["-insecure"]).await;
        Self {
            site,
            server,
            clients: AtomicU32::new(0),
        }
    }

    /// Another one for each client, lest the failures of one test slow the next one down.
    fn next_address(&self) -> IpAddr {
        let number = self.clients.fetch_add(1, Ordering::Relaxed);
        Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + 1 + number % 60_000).into()
    }

    /// A client that has shaken hands.
    pub(crate) async fn greet(&self, id: &str) -> Client {
        greet(self.server.address(), id, self.next_address(), &[]).await
    }

    /// Joins by password, and returns the reply with the client.
    pub(crate) async fn join(&self, id: &str, group: &str, name: &str) -> (Client, Value) {
        let mut client = self.greet(id).await;
        let joined = client.join(group, name, name).await;
        (client, joined)
    }

    /// The reply to a join with a token.
    pub(crate) async fn enter(&self, group: &str, token: &str, username: Option<&str>) -> Value {
        let mut client = self.greet("bearer").await;
        let mut join = json!({"type": "join", "kind": "join", "group": group, "token": token});
        if let Some(username) = username {
            join["username"] = username.into();
        }
        client.send(join).await;
        client.next().await
    }
}

/// A client at an address of its own that has shaken hands.
pub(crate) async fn greet(
    server: SocketAddr,
    id: &str,
    from: IpAddr,
    headers: &[(&'static str, &'static str)],
) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let stream = socket.connect(server).await.unwrap();
    let mut request = format!("ws://{server}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let stream = MaybeTlsStream::Plain(stream);
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let mut client = Client {
        socket,
        id: id.into(),
        username: String::new(),
    };
    client
        .send(json!({"type": "handshake", "version": ["2"], "id": id}))
        .await;
    assert_eq!(
        client.next().await,
        json!({"type": "handshake", "version": ["2"]})
    );
    client
}

/// Sees that a join failed for want of authorisation, and says no more than that.
#[track_caller]
pub(crate) fn assert_not_authorised(reply: &Value, why: &str) {
    let group = &reply["group"];
    assert_eq!(
        *reply,
        json!({"type": "joined", "kind": "fail", "group": group, "username": "",
               "value": "not authorised"}),
        "{why}"
    );
}
