//! Handshake, keeping alive, and what ends a connection.

use crate::harness::{Client, Server};
use perikon::group::MailboxLimits;
use perikon::signal::Limits;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn the_handshake_comes_first() {
    let server = Server::start(&[]).await;
    for first in [
        json!({"type": "ping"}),
        json!({}),
        json!({"type": "join", "kind": "join"}),
    ] {
        let mut client = server.connect().await;
        client.send(first).await;
        assert_eq!(
            client.closed().await,
            (1002, "you must handshake first".into())
        );
    }
    let mut client = server.connect().await;
    client.send(json!({"type": "handshake", "id": "1"})).await;
    assert_eq!(
        client.next().await,
        json!({"type": "handshake", "version": ["2"]})
    );
    let warning = client.next().await;
    assert_eq!(
        (&warning["type"], &warning["kind"]),
        (&json!("usermessage"), &json!("warning"))
    );
    assert_eq!(
        client.join("g", "x", "").await["kind"],
        "join",
        "it goes on nevertheless"
    );
}

#[tokio::test]
async fn silence() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ping: Duration::from_millis(400),
        dead: Duration::from_millis(1000),
        ..Limits::default()
    };
    let server = Server::with_limits(&[], limits).await;
    let mut mute = server.connect().await;
    assert_eq!(
        mute.closed().await,
        (1002, "you must handshake first".into())
    );

    let mut client = server.greet("1").await;
    // One that answers stays, well beyond the time after which it would be dropped.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        assert_eq!(client.next().await, json!({"type": "ping"}));
        client.send(json!({"type": "pong"})).await;
    }
    let silent = Instant::now();
    let mut pings = 0;
    loop {
        use futures_util::StreamExt as _;
        match client.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                assert_eq!(text.as_str(), r#"{"type":"ping"}"#);
                pings += 1;
            }
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => break,
        }
    }
    assert!((1..=3).contains(&pings), "{pings}");
    assert!(
        silent.elapsed() >= Duration::from_millis(900),
        "{:?}",
        silent.elapsed()
    );
}

async fn dies_with(client: &mut Client, code: u16, text: &str) {
    assert_eq!(
        client.told_and_closed().await,
        (json!(text), code, text.into())
    );
}

#[tokio::test]
async fn violations() {
    let server = Server::start(&[]).await;
    let cases = [
        (json!({"type": "unknown"}), "unexpected message"),
        (json!({}), "unexpected message"),
        (
            json!({"type": "handshake", "version": ["2"], "id": "1"}),
            "unexpected message",
        ),
        (
            json!({"type": "chat", "source": "2", "value": "x"}),
            "spoofed client id",
        ),
        (
            json!({"type": "chat", "username": "op", "value": "x"}),
            "spoofed username",
        ),
        (
            json!({"type": "useraction", "source": "2", "kind": "op"}),
            "spoofed client id",
        ),
        (
            json!({"type": "offer", "username": "", "id": "s"}),
            "spoofed username",
        ),
        (json!({"type": "offer", "sdp": ""}), "empty id"),
        (json!({"type": "answer", "id": ""}), "empty id"),
        (json!({"type": "close"}), "empty id"),
        (json!({"type": "abort"}), "empty id"),
        (json!({"type": "renegotiate"}), "empty id"),
        (
            json!({"type": "ice", "candidate": {"candidate": "x"}}),
            "empty id",
        ),
        (json!({"type": "ice", "id": "s"}), "null candidate"),
        (
            json!({"type": "ice", "id": "s", "candidate": null}),
            "null candidate",
        ),
    ];
    for (message, text) in cases {
        let mut client = server.join("1", "x").await;
        client.send(message).await;
        dies_with(&mut client, 1002, text).await;
    }
    for (kind, text) in [
        ("useraction", "unknown user action"),
        ("groupaction", "unknown group action"),
    ] {
        for action in [
            json!({"type": kind}),
            json!({"type": kind, "kind": "dance"}),
        ] {
            let mut client = server.join("1", "x").await;
            client.send(action).await;
            dies_with(&mut client, 1000, text).await;
        }
    }
}

#[tokio::test]
async fn unusable_messages() {
    let server = Server::start(&[]).await;
    for message in [
        json!({"type": "chat", "kind": 3}),
        json!({"type": 3}),
        json!({"type": "join", "kind": "join", "group": ["g"]}),
        json!({"type": "request", "request": 3}),
        json!({"type": "request", "request": {"": 3}}),
        json!({"type": "requestStream", "id": "none", "request": ["audio"]}),
        json!(3),
        json!("x"),
    ] {
        let mut client = server.join("1", "x").await;
        client.send(message.clone()).await;
        let (_, code, _) = client.told_and_closed().await;
        assert_eq!(code, 1011, "{message}");
    }
    let mut client = server.greet("1").await;
    client
        .send(json!({"type": "request", "request": {"": ["audio"]}}))
        .await;
    assert_eq!(client.told_and_closed().await.1, 1011, "before join");

    for text in [
        "{",
        "",
        "{\"type\": \"ping\"",
        "nonsense",
        "{\"type\": \"ping\"} x",
    ] {
        let mut client = server.join("1", "x").await;
        client.send_raw(Message::text(text)).await;
        let (told, code, _) = client.told_and_closed().await;
        assert_eq!(code, 1007, "{text:?}");
        assert!(
            told.as_str().unwrap().starts_with("malformed JSON"),
            "{told}"
        );
    }
    let mut client = server.join("1", "x").await;
    client
        .send_raw(Message::binary(vec![b'{', 0xff, b'}']))
        .await;
    assert_eq!(client.told_and_closed().await.1, 1007);
}

#[tokio::test]
async fn sizes() {
    let server = Server::start(&[]).await;
    let long = |length: usize| {
        let empty = json!({"type": "chat", "value": ""}).to_string().len();
        json!({"type": "chat", "value": "x".repeat(length - empty)}).to_string()
    };
    let mut client = server.join("1", "x").await;
    client.send_raw(Message::text(long(1 << 20))).await;
    assert_eq!(
        client.next().await["value"].as_str().unwrap().len(),
        (1 << 20) - 26
    );
    // Binary frames count as JSON.
    client
        .send_raw(Message::binary(br#"{"type":"ping"}"#.to_vec()))
        .await;
    assert_eq!(client.next().await, json!({"type": "pong"}));
    client.send_raw(Message::text(long((1 << 20) + 1))).await;
    assert_eq!(client.closed().await.0, 1009);
    // What is too long even to be read.
    let mut client = server.join("2", "x").await;
    client.send_raw(Message::text(long(3 << 20))).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_delays_no_one() {
    let limits = Limits {
        mailbox: MailboxLimits {
            notices: 100,
            weight: 4 << 20,
        },
        ..Limits::default()
    };
    let server = Server::with_limits(&[], limits).await;
    let mut talker = server.join("1", "x").await;
    let sleeper = server.join("2", "y").await;
    let text = "x".repeat(900_000);
    // More than the sockets between them can hold.
    let deadline = Instant::now() + Duration::from_secs(60);
    'talk: loop {
        assert!(Instant::now() < deadline, "never closed");
        talker.say(&text).await;
        for message in talker.settle().await {
            if message["type"] == "user" && message["kind"] == "delete" {
                assert_eq!(message["id"], "2");
                break 'talk;
            }
        }
    }
    drop(sleeper);
}

#[tokio::test]
async fn the_end_of_the_server() {
    let server = Server::start(&[]).await;
    let mut joined = server.join("1", "x").await;
    let mut greeted = server.greet("2").await;
    let state = std::sync::Arc::clone(&server.state);
    let shutdown = tokio::spawn(async move { state.shutdown().await });
    for client in [&mut joined, &mut greeted] {
        let id = client.id.clone();
        assert_eq!(
            client.next().await,
            json!({"type": "usermessage", "kind": "kicked", "dest": id, "privileged": true,
                   "value": "server is shutting down"})
        );
        assert_eq!(
            client.closed().await,
            (1000, "kicked out (server is shutting down)".into())
        );
    }
    tokio::time::timeout(Duration::from_secs(10), shutdown)
        .await
        .unwrap()
        .unwrap();
    let mut late = server.greet("3").await;
    assert_eq!(late.next().await["value"], "server is shutting down");
}
