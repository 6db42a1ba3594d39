//! Webhooks as their receiver sees them: signed, in order, and sent again until they are taken.

use crate::support::{PATIENCE, Site, until};
use aws_lc_rs::hmac;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const SECRET: &str = "very secret";

/// What arrived: the id, and the body.
pub(crate) type Arrived = Arc<Mutex<Vec<(String, Value)>>>;

/// A receiver that does not take the first request.
pub(crate) async fn receiver() -> (String, Arrived) {
    let arrived: Arrived = Arc::default();
    let noted = Arc::clone(&arrived);
    let hook = move |headers: HeaderMap, body: String| {
        let noted = Arc::clone(&noted);
        async move {
            let header = |name: &str| headers[name].to_str().expect("text").to_owned();
            let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            let signed = format!("{id}.{time}.{body}");
            let signature = header("webhook-signature");
            let signature = signature.strip_prefix("v1,").expect("a version");
            let signature = STANDARD.decode(signature).expect("base64");
            hmac::verify(&key, signed.as_bytes(), &signature).expect("a good signature");
            let body = serde_json::from_str(&body).expect("JSON");
            let mut noted = noted.lock().expect("a list");
            noted.push((id, body));
            if noted.len() == 1 {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::NO_CONTENT
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("a port"));
    let router = Router::new().route("/hook", post(hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, arrived)
}

#[tokio::test]
async fn joins_and_leaves_are_told_signed_and_again() {
    let (url, arrived) = receiver().await;
    let settings = json!({"webhooks": [
        {"url": url, "secret": SECRET, "events": ["join", "leave"]},
        // Nobody is there: that must not hold up the other.
        {"url": "http://127.0.0.1:9/", "events": []},
    ]});
    let site = Site::new(&[
        ("data/config.json", &settings.to_string()),
        (
            "groups/g.json",
            r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
        ),
    ]);
    let server = site.serve(&["-insecure"]).await;
    let url = format!("ws://{}/ws", server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url)
        .await
        .expect("a socket");
    for message in [
        json!({"type": "handshake", "version": ["2"], "id": "ann-1"}),
        json!({"type": "join", "kind": "join", "group": "g", "username": "ann", "password": ""}),
        json!({"type": "join", "kind": "leave", "group": "g"}),
    ] {
        let text = Message::text(message.to_string());
        socket.send(text).await.expect("a connection");
    }
    let all = until("three deliveries", || async {
        let all = arrived.lock().expect("a list").clone();
        (all.len() >= 3).then_some(all)
    })
    .await;
    let events: Vec<_> = all.iter().map(|(_, body)| body["event"].clone()).collect();
    assert_eq!(events, ["join", "join", "leave"], "the first was not taken");
    assert_eq!(all[0], all[1], "the same again");
    assert_ne!(all[1].0, all[2].0);
    for (_, body) in &all {
        assert_eq!(body["group"], "g");
        assert_eq!(body["user"], json!({"id": "ann-1", "username": "ann"}));
        assert!(
            body["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
    }
    tokio::time::timeout(PATIENCE, server.shutdown())
        .await
        .expect("an end");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    for (settings, reason) in [
        (
            r#"{"webhooks": [{"url": "ftp://a"}]}"#,
            "no http or https URL",
        ),
        (
            r#"{"webhooks": [{"url": "http://a", "events": ["jion"]}]}"#,
            "no event \"jion\"",
        ),
        (
            r#"{"webhooks": [{"url": "http://a", "secrt": "x"}]}"#,
            "secrt",
        ),
    ] {
        let site = Site::new(&[("data/config.json", settings)]);
        let path = site.path("data/config.json");
        let error = perikon::config::SettingsFile::open(path).expect_err("an error");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
