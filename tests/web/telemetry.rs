//! Traces, as a collector gets them.

use crate::cli::{Running, perikon};
use crate::support::{Site, get, request_with_body, until};
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use futures_util::SinkExt as _;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// What is in the requests. Names stand in OTLP as they are; all else is not looked at.
type Arrived = Arc<Mutex<Vec<u8>>>;

async fn collector() -> (SocketAddr, Arrived) {
    let arrived: Arrived = Arc::default();
    let noted = Arc::clone(&arrived);
    let traces = move |headers: HeaderMap, body: Bytes| {
        let noted = Arc::clone(&noted);
        async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            assert_eq!(headers["x-who"], "me");
            noted.lock().expect("bytes").extend_from_slice(&body);
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    let router = Router::new().route("/v1/traces", post(traces));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, arrived)
}

fn site() -> Site {
    Site::new(&[(
        "groups/g.json",
        r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    )])
}

/// A server that sends its traces there, and asks for nothing else.
fn start(site: &Site, variables: &[(&str, String)]) -> (Running, SocketAddr) {
    let flags = site.flags().into_iter().chain(["-insecure".to_owned()]);
    let mut command = perikon(&flags.collect::<Vec<_>>());
    for (name, value) in variables {
        command.env(name, value);
    }
    command.env("OTEL_BSP_SCHEDULE_DELAY", "50");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-who=me");
    let running = Running::spawn(command);
    let address = running.url.trim_start_matches("http://");
    let address = address.trim_end_matches('/').parse().expect("an address");
    (running, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_streams_and_requests_reach_the_collector() {
    let (collector, arrived) = collector().await;
    let site = site();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
        ("OTEL_SERVICE_NAME", "night-watch".to_owned()),
    ];
    let (running, server) = start(&site, &variables);
    let url = format!("ws://{server}/ws");
    let (mut socket, _) = tokio_tungstenite::connect_async(url)
        .await
        .expect("a socket");
    for message in [
        json!({"type": "handshake", "version": ["2"], "id": "ann"}),
        json!({"type": "join", "kind": "join", "group": "g", "username": "ann", "password": ""}),
        json!({"type": "join", "kind": "leave", "group": "g"}),
        json!({"type": "join", "kind": "join", "group": "nowhere", "username": "", "password": ""}),
    ] {
        let text = Message::text(message.to_string());
        socket.send(text).await.expect("a connection");
    }
    let answer = get(server, "/galene-api/v0/.groups/g/.tokens/very-secret").await;
    assert_eq!(answer.status, 401);
    let offer = include_bytes!("../fixtures/sdp/chromium-gathered.sdp");
    let stream = TcpStream::connect(server).await.expect("a connection");
    let kind = [("content-type", "application/sdp")];
    let created = request_with_body(stream, "POST", "/group/g/.whip", &kind, offer).await;
    assert_eq!(created.status, 201);
    // The peer connection never comes to be: that ends with the session.
    let session = created.header("location").expect("a session");
    let stream = TcpStream::connect(server).await.expect("a connection");
    let ended = request_with_body(stream, "DELETE", session, &[], &[]).await;
    assert_eq!(ended.status, 200);

    let expected = [
        "join",
        "negotiate stream",
        "GET .groups/{group}/.tokens/{token}",
        "night-watch",
        "group does not exist",
    ];
    let said = until("all spans", || async {
        let said = String::from_utf8_lossy(&arrived.lock().expect("bytes")).into_owned();
        expected
            .iter()
            .all(|one| said.contains(one))
            .then_some(said)
    })
    .await;
    assert!(!said.contains("very-secret"), "{said}");
    running.signal("TERM");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        !log.contains("negotiate stream"),
        "spans are no part of the log: {log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_asked_for() {
    let (collector, arrived) = collector().await;
    let site = site();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
        ("OTEL_SDK_DISABLED", "true".to_owned()),
    ];
    let (running, server) = start(&site, &variables);
    assert_eq!(get(server, "/galene-api/v0/.groups/").await.status, 401);
    running.signal("TERM");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(arrived.lock().expect("bytes").is_empty());
}
