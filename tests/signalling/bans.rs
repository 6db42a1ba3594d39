//! `ban`, `unban` and `bans`.

use crate::harness::{Client, OPEN, Server};
use serde_json::{Value, json};

/// The time in a message, seconds from now.
fn seconds_from_now(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_second() - jiff::Timestamp::now().as_second()
}

/// Bans a client, and returns the ban that the operator is told.
async fn ban(op: &mut Client, dest: &str, value: Value) -> Value {
    op.act_on_user("ban", dest, value).await;
    let mut told = op.until(|message| message["type"] == "usermessage").await;
    assert_eq!(
        (&told["kind"], &told["dest"], &told["privileged"]),
        (&json!("ban"), &json!(op.id), &json!(true)),
        "{told}"
    );
    told["value"].take()
}

async fn list(op: &mut Client) -> Vec<Value> {
    op.settle().await;
    op.act_on_group("bans", Value::Null).await;
    let mut told = op.next().await;
    assert_eq!(told["kind"], "banlist");
    match told["value"].take() {
        Value::Array(list) => list,
        other => panic!("{other}"),
    }
}

async fn kicked(client: &mut Client, text: &str, reason: &str) {
    let told = client.until(|message| message["kind"] == "kicked").await;
    assert_eq!(
        told,
        json!({"type": "usermessage", "kind": "kicked", "error": "banned", "id": "1",
               "username": "op", "dest": client.id, "privileged": true, "value": text})
    );
    assert_eq!(client.closed().await, (1000, reason.into()));
}

#[tokio::test]
async fn by_name() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    let mut second = server.join("3", "bob").await;
    let mut carol = server.join("4", "carol").await;
    let told = ban(
        &mut op,
        "2",
        json!({"message": "enough", "expires": 60_000}),
    )
    .await;
    assert!((58..=61).contains(&seconds_from_now(&told["expires"])));
    assert!((-3..=0).contains(&seconds_from_now(&told["issuedAt"])));
    let id = told["id"].clone();
    assert_eq!(
        told,
        json!({"id": id, "group": "g", "username": "bob", "message": "enough", "by": "op",
               "issuedAt": told["issuedAt"], "expires": told["expires"]}),
        "by name only: everyone here has the operator's address"
    );
    for client in [&mut bob, &mut second] {
        kicked(client, "enough", "kicked out (enough) by op").await;
    }
    assert_eq!(carol.settle().await.len(), 2, "two went");
    let mut again = server.greet("5").await;
    assert_eq!(
        again.join("g", "bob", "").await,
        json!({"type": "joined", "kind": "fail", "error": "banned", "group": "g",
               "username": "bob", "value": "enough"})
    );
    assert_eq!(list(&mut op).await, [told]);
    op.act_on_group("unban", id.clone()).await;
    let left = op.next().await;
    assert_eq!(
        (&left["kind"], &left["value"]),
        (&json!("banlist"), &json!([]))
    );
    assert_eq!(again.join("g", "bob", "").await["kind"], "join");
    op.settle().await;
    let action = op.group_action("unban", &id);
    assert_eq!(op.refused(action).await, "no such ban");
}

#[tokio::test]
async fn by_address() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.greet_from("127.0.0.2", "2").await;
    bob.join("g", "bob", "").await;
    let mut neighbour = server.greet_from("127.0.0.2", "3").await;
    neighbour.join("g", "neighbour", "").await;
    let told = ban(&mut op, "2", json!({"by": ["address"], "expires": "never"})).await;
    assert_eq!(
        (told.get("username"), &told["address"], told.get("expires")),
        (None, &json!("127.0.0.2"), None)
    );
    let text = "you are banned from this group";
    for client in [&mut bob, &mut neighbour] {
        kicked(client, text, &format!("kicked out ({text}) by op")).await;
    }
    let mut other = server.greet_from("127.0.0.2", "4").await;
    assert_eq!(other.join("g", "other", "").await["error"], "banned");
    assert_eq!(
        other.join("g", "op", "op").await["kind"],
        "join",
        "operators pass"
    );
    let mut away = server.greet_from("127.0.0.3", "5").await;
    assert_eq!(
        away.join("g", "bob", "").await["kind"],
        "join",
        "the name is free"
    );
}

#[tokio::test]
async fn by_default_by_both() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.greet_from("127.0.0.2", "2").await;
    bob.join("g", "bob", "").await;
    let told = ban(&mut op, "2", Value::Null).await;
    assert_eq!(
        (&told["username"], &told["address"]),
        (&json!("bob"), &json!("127.0.0.2"))
    );
    assert!(
        (3590..=3601).contains(&seconds_from_now(&told["expires"])),
        "an hour"
    );
    for (from, name) in [("127.0.0.2", "x"), ("127.0.0.3", "bob")] {
        let mut client = server.greet_from(from, "3").await;
        let refused = client.join("g", name, "").await;
        assert_eq!(refused["error"], "banned");
        let text = refused["value"].as_str().unwrap();
        assert!(
            text.starts_with("you are banned from this group until 20"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn bans_that_make_no_sense_are_refused() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let _bob = server.join("2", "bob").await;
    let _nameless = server.join("3", "").await;
    let _other = server.join("4", "op").await;
    op.settle().await;
    let cases = [
        ("1", Value::Null, "you cannot ban yourself"),
        ("9", Value::Null, "no such user"),
        (
            "2",
            json!({"by": ["address"]}),
            "an operator has the same address",
        ),
        ("3", json!({"by": ["username"]}), "this user has no name"),
        ("4", json!({"by": ["username"]}), "this is your own name"),
        (
            "3",
            Value::Null,
            "neither name nor address tell this user from others",
        ),
        ("2", json!("an hour"), "bad value in ban"),
        ("2", json!({"by": "username"}), "bad value in ban"),
        ("2", json!({"by": []}), "bad value in ban"),
        ("2", json!({"by": ["shoe size"]}), "bad value in ban"),
        ("2", json!({"message": 3}), "bad value in ban"),
        ("2", json!({"expires": "tomorrow"}), "bad time value"),
        ("2", json!({"expires": -5}), "bad time value"),
        (
            "2",
            json!({"expires": "2001-01-01T00:00:00Z"}),
            "bad time value",
        ),
        ("2", json!({"expires": i64::MAX}), "bad time value"),
        ("2", json!({"expires": [1]}), "bad time value"),
    ];
    for (dest, value, text) in cases {
        let action = op.user_action("ban", dest, &value);
        assert_eq!(op.refused(action).await, text, "{dest} {value}");
    }
    for (value, text) in [
        (Value::Null, "bad value in ban"),
        (json!({"username": ""}), "bad value in ban"),
        (json!({"address": "bob's house"}), "bad value in ban"),
        (json!({"username": "op"}), "this is your own name"),
        (
            json!({"address": "127.0.0.1"}),
            "an operator has the same address",
        ),
    ] {
        let action = op.group_action("ban", &value);
        assert_eq!(op.refused(action).await, text, "{value}");
    }
    assert_eq!(list(&mut op).await, [json!(null); 0]);
}

#[tokio::test]
async fn of_someone_who_is_gone_and_in_subgroups() {
    let parent = OPEN.replacen('{', r#"{"auto-subgroups": true,"#, 1);
    let server = Server::start(&[("p.json", &parent)]).await;
    let mut bob = server.greet("2").await;
    assert_eq!(bob.join("p/room", "bob", "").await["kind"], "join");
    let mut op = server.greet("1").await;
    op.join("p", "op", "op").await;
    op.settle().await;
    op.act_on_group(
        "ban",
        json!({"username": "bob", "address": "2001:db8::1", "message": "no"}),
    )
    .await;
    let told = op.next().await;
    assert_eq!(told["value"]["group"], "p");
    assert_eq!(told["value"]["address"], "2001:db8::/64");
    kicked(&mut bob, "no", "kicked out (no) by op").await;
    for (group, kind) in [
        ("p", "fail"),
        ("p/room", "fail"),
        ("p/other", "fail"),
        ("g", "join"),
    ] {
        let mut client = server.greet("3").await;
        assert_eq!(client.join(group, "bob", "").await["kind"], kind, "{group}");
    }
}

#[tokio::test]
async fn a_restart_lifts_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("var/bans.jsonl");
    {
        let server = Server::start(&[]).await;
        server.state.registry().keep_bans_in(path.clone());
        let mut op = server.join("1", "op").await;
        let _bob = server.join("2", "bob").await;
        ban(&mut op, "2", Value::Null).await;
    }
    let server = Server::start(&[]).await;
    server.state.registry().keep_bans_in(path);
    let mut bob = server.greet("2").await;
    assert_eq!(bob.join("g", "bob", "").await["error"], "banned");
    let mut op = server.join("1", "op").await;
    assert_eq!(list(&mut op).await[0]["username"], "bob");
}

#[tokio::test]
async fn at_the_door() {
    let lobby = OPEN.replacen('{', r#"{"lobby": true,"#, 1);
    let server = Server::start(&[("l.json", &lobby)]).await;
    let mut op = server.greet("1").await;
    op.join("l", "op", "op").await;
    op.settle().await;
    let mut bob = server.greet("2").await;
    assert_eq!(bob.join("l", "bob", "").await["kind"], "info");
    assert_eq!(op.next().await["kind"], "info");
    ban(&mut op, "2", json!({"message": "no"})).await;
    kicked(&mut bob, "no", "kicked out (no) by op").await;
    let mut bob = server.greet("2").await;
    assert_eq!(bob.join("l", "bob", "").await["error"], "banned");
}
