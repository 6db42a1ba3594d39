//! One message of each kind that the server sends, as it looks on the wire.

use crate::harness::{Client, OPEN, Server};
use crate::streams::PLAIN;
use perikon::signal::Limits;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What differs from run to run is named instead.
fn blurred(mut message: Value) -> Value {
    fn blur(value: &mut Value) {
        let Value::Object(fields) = value else {
            if let Value::Array(items) = value {
                items.iter_mut().for_each(blur);
            }
            return;
        };
        for (name, value) in fields {
            match (name.as_str(), &*value) {
                ("time" | "since" | "expires" | "issuedAt", _) => *value = "TIME".into(),
                ("sdp", _) => *value = "SDP".into(),
                ("candidate", Value::String(_)) => *value = "CANDIDATE".into(),
                ("address", _) => *value = "ADDRESS".into(),
                ("id", Value::String(id)) if id.len() == 11 => *value = "RANDOM".into(),
                _ => blur(value),
            }
        }
    }
    blur(&mut message);
    message
}

/// The first of each kind.
#[derive(Default)]
struct Album(BTreeMap<String, Value>);

impl Album {
    fn add(&mut self, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            let kind = message["kind"].as_str();
            let mut name = message["type"].as_str().unwrap().to_owned();
            if let Some(kind) = kind {
                name += &format!(" {kind}");
            }
            if let Some(error) = message["error"].as_str() {
                name += &format!(" ({error})");
            }
            self.0.entry(name).or_insert_with(|| blurred(message));
        }
    }

    async fn hear(&mut self, clients: &mut [&mut Client]) {
        for client in clients {
            let told = client.settle().await;
            self.add(told);
        }
    }
}

#[tokio::test]
async fn every_kind_of_message() {
    let lobby = OPEN.replacen('{', r#"{"lobby": true, "displayName": "Lobby","#, 1);
    let files = [
        ("l.json", lobby.as_str()),
        ("moved.json", r#"{"redirect": "https://example.org/"}"#),
        (
            "closed.json",
            r#"{"expires": "2001-01-01T00:00:00Z", "wildcard-user": {"password": {"type": "wildcard"}}}"#,
        ),
    ];
    let server = Server::start(&files).await;
    let mut album = Album::default();

    // Greetings.
    let mut op = server.connect().await;
    op.id = "op-id".into();
    op.send(json!({"type": "handshake", "version": ["2"], "id": "op-id",
                   "features": ["lobby", "ban"]}))
        .await;
    album.add([op.next().await]);
    op.send(json!({"type": "ping"})).await;
    album.add([op.next().await]);
    let impatient = Limits {
        ping: Duration::from_millis(1),
        ..Limits::default()
    };
    let impatient = Server::with_limits(&[], impatient).await;
    album.add([impatient.greet("x").await.next().await]);

    // Joining.
    let mut bob = server.greet("bob-id").await;
    for (group, username) in [("moved", "bob"), ("closed", "bob")] {
        album.add([bob.join(group, username, "").await]);
    }
    bob.send(json!({"type": "join", "kind": "join", "group": "g"}))
        .await;
    album.add([bob.next().await]);
    album.add([op.join("g", "op", "op").await]);
    op.act_on_group("setdata", json!({"topic": "birds"})).await;
    op.say("hello").await;
    op.act_on_user("setdata", "op-id", json!({"raisehand": true}))
        .await;
    album.hear(&mut [&mut op]).await;
    album.add([bob.join("g", "bob", "").await]);
    album.hear(&mut [&mut bob, &mut op]).await;

    // Talking.
    for message in [
        json!({"type": "chat", "kind": "me", "value": "waves"}),
        json!({"type": "chat", "kind": "caption", "value": "birds sing"}),
        json!({"type": "chat", "dest": "nobody", "value": "x"}),
        json!({"type": "usermessage", "kind": "mute", "dest": "bob-id"}),
        json!({"type": "usermessage", "kind": "warning", "dest": "bob-id", "value": "quiet!"}),
    ] {
        op.send(message).await;
    }
    album.hear(&mut [&mut op, &mut bob]).await;

    // Moderating.
    for kind in ["lock", "unlock", "clearchat", "bans"] {
        op.act_on_group(kind, Value::Null).await;
    }
    op.act_on_group(
        "ban",
        json!({"username": "mallory", "address": "192.0.2.1",
                                  "message": "no"}),
    )
    .await;
    op.act_on_user("identify", "bob-id", Value::Null).await;
    op.act_on_user("op", "bob-id", Value::Null).await;
    op.act_on_user("unop", "bob-id", Value::Null).await;
    album.hear(&mut [&mut op, &mut bob]).await;
    for kind in ["maketoken", "listtokens"] {
        bob.act_on_group(kind, json!({})).await;
    }
    album.hear(&mut [&mut bob]).await;

    // Streams.
    bob.request(json!({"": ["audio", "video"]})).await;
    op.publish("stream", "camera", PLAIN).await;
    album.hear(&mut [&mut op]).await;
    let told = bob.settle().await;
    let offer = told.iter().find(|message| message["type"] == "offer");
    let offer = offer.unwrap().clone();
    album.add(told);
    bob.accept(&offer).await;
    bob.settle().await;
    server.fail_peers();
    album.add([op.until(|message| message["type"] == "renegotiate").await]);
    op.act_on_user("unpresent", "op-id", Value::Null).await;
    album.hear(&mut [&mut op, &mut bob]).await;

    // Leaving.
    let mut mallory = server.greet("mallory-id").await;
    album.add([mallory.join("g", "mallory", "").await]);
    let mut carol = server.greet("carol-id").await;
    carol.join("g", "carol", "").await;
    op.act_on_user("kick", "carol-id", "be nice".into()).await;
    album.add([carol.until(|message| message["kind"] == "kicked").await]);
    let mut dan = server.greet("dan-id").await;
    dan.join("g", "dan", "").await;
    op.act_on_user("ban", "dan-id", json!({"message": "no"}))
        .await;
    album.add([dan.until(|message| message["kind"] == "kicked").await]);
    bob.send(json!({"type": "join", "kind": "leave", "group": "g"}))
        .await;
    album.hear(&mut [&mut bob, &mut op]).await;

    // Waiting.
    op.send(json!({"type": "join", "kind": "leave", "group": "g"}))
        .await;
    op.settle().await;
    op.join("l", "op", "op").await;
    let mut erin = server.connect().await;
    erin.id = "erin-id".into();
    erin.send(
        json!({"type": "handshake", "version": ["2"], "id": "erin-id",
                     "features": ["lobby"]}),
    )
    .await;
    erin.next().await;
    album.add([erin.join("l", "erin", "").await]);
    album.add([bob.join("l", "bob", "").await]);
    album.hear(&mut [&mut op]).await;
    op.act_on_user("refuse", "erin-id", Value::Null).await;
    album.add([erin.next().await]);

    let mut text = String::new();
    for (name, message) in &album.0 {
        text += &format!("{name}\n    {message}\n");
    }
    insta::assert_snapshot!(text);
}
