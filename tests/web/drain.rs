//! The end of a server that someone is still in.

use crate::cli::Running;
use crate::support::{PATIENCE, Site, get, request_with_body, until as eventually};
use crate::webhooks::{SECRET, receiver};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn site() -> Site {
    Site::new(&[
        (
            "groups/g.json",
            r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
        ),
        (
            "data/config.json",
            r#"{"users": {"root": {"password": "secret", "permissions": "admin"}}}"#,
        ),
    ])
}

/// What `perikonctl` prints, on either side, and whether it succeeded.
fn ctl(running: &Running, command: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_perikonctl"))
        .args(["-config", "/nonexistent", "-server", running.url.as_str()])
        .args(["-admin-username", "root", "-admin-password", "secret"])
        .args(command)
        .output()
        .expect("perikonctl");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8(text).expect("text"),
    )
}

async fn join(running: &Running, id: &str) -> (Socket, Value) {
    let url = format!("{}ws", running.url.replace("http", "ws"));
    let (mut socket, _) = connect_async(url).await.expect("a connection");
    for message in [
        json!({"type": "handshake", "version": ["2"], "id": id}),
        json!({"type": "join", "kind": "join", "group": "g", "username": id, "password": ""}),
    ] {
        let sent = socket.send(Message::text(message.to_string())).await;
        sent.expect("it is taken");
    }
    let joined = until(&mut socket, "joined").await;
    (socket, joined)
}

/// The next message of a type, or of a kind.
async fn until(socket: &mut Socket, wanted: &str) -> Value {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("in time");
        let message = message.expect("not closed").expect("no error");
        let Message::Text(text) = message else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if message["type"] == wanted || message["kind"] == wanted {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_server_ends_when_the_last_has_gone() {
    let site = site();
    let running = Running::start(&site, &["-insecure"]);
    let (mut inside, joined) = join(&running, "ann").await;
    assert_eq!(joined["kind"], "join");

    let (done, text) = ctl(&running, &["drain", "-message", "back at ten"]);
    assert!(done && text.contains("the 1 inside"), "{text}");
    let warned = until(&mut inside, "warning").await;
    assert_eq!(warned["value"], "back at ten");
    let (_, refused) = join(&running, "bob").await;
    assert_eq!(refused["kind"], "fail");
    assert_eq!(refused["value"], "server is shutting down");

    // Someone thinks better of it, and then again not.
    assert!(ctl(&running, &["drain", "-cancel"]).0);
    let (mut again, joined) = join(&running, "bob").await;
    assert_eq!(joined["kind"], "join");
    assert!(ctl(&running, &["drain", "-timeout", "1h"]).0);
    let (_, text) = ctl(&running, &["drain", "-status"]);
    let state: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&state["draining"], &state["clients"]),
        (&json!(true), &json!(2))
    );

    again.close(None).await.expect("a close");
    inside.close(None).await.expect("a close");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_still_inside_at_the_end_is_told_why() {
    let site = site();
    let running = Running::start(&site, &["-insecure"]);
    let (mut inside, _) = join(&running, "ann").await;
    let (done, text) = ctl(
        &running,
        &["drain", "-timeout", "0", "-message", "moving house"],
    );
    assert!(done, "{text}");
    let kicked = until(&mut inside, "kicked").await;
    assert_eq!(kicked["value"], "moving house");
    // Taking leave, as clients do.
    while let Some(Ok(_)) = timeout(PATIENCE, inside.next()).await.expect("in time") {}
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
}

/// An offer of an encoder.
const OFFER: &[u8] = include_bytes!("../fixtures/sdp/chromium-gathered.sdp");

/// What an encoder and a player are told.
async fn whip_and_whep(server: SocketAddr) -> [u16; 2] {
    let post = async |path: &str, body: &[u8]| {
        let stream = TcpStream::connect(server).await.expect("a connection");
        let kind = [("content-type", "application/sdp")];
        let answer = request_with_body(stream, "POST", path, &kind, body).await;
        answer.status
    };
    [
        post("/group/g/.whip", OFFER).await,
        post("/group/g/.whep", &[]).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_told_to_all_who_ask_and_is_on_record() {
    let (hook, arrived) = receiver().await;
    let site = site();
    let config = json!({
        "users": {"root": {"password": "secret", "permissions": "admin"}},
        "webhooks": [{"url": hook, "secret": SECRET, "events": ["drain", "drain-cancelled"]}],
    });
    site.write("data/config.json", &config.to_string());
    let running = Running::start(&site, &["-insecure"]);
    let server = running.url.trim_start_matches("http://");
    let server: SocketAddr = server.trim_end_matches('/').parse().expect("an address");
    let (mut inside, _) = join(&running, "ann").await;
    assert_eq!(get(server, "/readyz").await.status, 200);
    assert_eq!(whip_and_whep(server).await, [201, 201]);

    assert!(ctl(&running, &["drain", "-message", "back at ten"]).0);
    let ready = get(server, "/readyz").await;
    assert_eq!((ready.status, ready.text().trim()), (503, "shutting down"));
    assert_eq!(get(server, "/healthz").await.status, 200, "it lives");
    assert_eq!(whip_and_whep(server).await, [503, 503]);
    assert!(ctl(&running, &["drain", "-cancel"]).0);
    assert_eq!(get(server, "/readyz").await.status, 200);
    assert_eq!(whip_and_whep(server).await, [201, 201]);

    // The first delivery was not taken, so it came again.
    let told = eventually("three deliveries", || async {
        let told = arrived.lock().expect("a list").clone();
        (told.len() >= 3).then_some(told)
    })
    .await;
    let drain = &told[1].1;
    assert_eq!(told[0].1, *drain);
    assert_eq!(
        (&drain["event"], &drain["message"], drain.get("group")),
        (&json!("drain"), &json!("back at ten"), None)
    );
    assert!(drain["until"].is_string(), "{drain}");
    assert_eq!(told[2].1["event"], "drain-cancelled");

    let log = std::fs::read_to_string(site.path("data/var/audit.jsonl")).expect("a log");
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    let lines: Vec<Value> = lines.collect();
    let [begun, cancelled] = lines.as_slice() else {
        panic!("{log}");
    };
    assert_eq!(begun["detail"]["message"], "back at ten");
    assert_eq!(begun["detail"]["until"], drain["until"]);
    for (line, method, status) in [(begun, "POST", 202), (cancelled, "DELETE", 204)] {
        let path = "/galene-api/v0/.drain";
        assert_eq!(
            (
                &line["user"],
                &line["method"],
                &line["path"],
                &line["status"]
            ),
            (&json!("root"), &json!(method), &json!(path), &json!(status))
        );
        assert_eq!(line["address"], "127.0.0.1", "{line}");
    }
    assert!(ctl(&running, &["drain", "-timeout", "0"]).0);
    while let Some(Ok(_)) = timeout(PATIENCE, inside.next()).await.expect("in time") {}
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
}
