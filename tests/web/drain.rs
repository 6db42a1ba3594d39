//! The end of a server that someone is still in.

use crate::cli::Running;
use crate::support::{PATIENCE, Site};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
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
