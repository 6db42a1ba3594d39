//! `useraction` and `groupaction`.

use crate::harness::{Client, OPEN, Server, without_time};
use perikon::signal::Limits;
use serde_json::{Value, json};
use std::time::Duration;

const OP: [&str; 5] = ["op", "present", "message", "caption", "token"];

/// What a change of permissions tells the one it is about, and then everyone.
async fn changed(target: &mut Client, other: &mut Client, permissions: &[&str]) {
    let joined = target.next().await;
    assert_eq!(
        (&joined["type"], &joined["kind"]),
        (&json!("joined"), &json!("change"))
    );
    assert_eq!(joined["permissions"], json!(permissions));
    assert_eq!(joined["status"]["name"], "g");
    let user = json!({"type": "user", "kind": "change", "id": target.id,
                      "username": target.username, "permissions": permissions});
    assert_eq!(target.next().await, user);
    assert_eq!(other.next().await, user);
}

#[tokio::test]
async fn permissions_are_each_ones_own() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    op.settle().await;
    let steps: [(&str, &[&str]); 6] = [
        ("op", &["present", "message", "op"]),
        ("unpresent", &["message", "op"]),
        ("shutup", &["op"]),
        ("present", &["op", "present"]),
        ("unshutup", &["op", "present", "message"]),
        ("unop", &["present", "message"]),
    ];
    for (kind, permissions) in steps {
        op.act_on_user(kind, "2", Value::Null).await;
        changed(&mut bob, &mut op, permissions).await;
    }
    // An operator who loses it is the only one who does.
    bob.settle().await;
    op.act_on_user("unop", "1", Value::Null).await;
    op.act_on_user("op", "2", Value::Null).await;
    op.next().await;
    op.next().await;
    let message = "not authorised";
    assert_eq!(op.next().await["value"], message);
    let mut late = server.greet("3").await;
    assert_eq!(late.join("g", "op", "op").await["permissions"], json!(OP));
    for kind in [
        "op",
        "unop",
        "present",
        "unpresent",
        "shutup",
        "unshutup",
        "kick",
        "identify",
    ] {
        bob.settle().await;
        let action = bob.user_action(kind, "3", &Value::Null);
        assert_eq!(bob.refused(action).await, message);
    }
    for kind in [
        "lock",
        "unlock",
        "setdata",
        "subgroups",
        "record",
        "unrecord",
    ] {
        let action = bob.group_action(kind, &Value::Null);
        assert_eq!(bob.refused(action).await, message);
    }
    late.settle().await;
    for (kind, text) in [
        ("op", "no such user"),
        ("kick", "no such user"),
        ("identify", "client not found"),
    ] {
        let action = late.user_action(kind, "none", &Value::Null);
        assert_eq!(late.refused(action).await, text);
    }
}

#[tokio::test]
async fn kicks() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let cases = [
        (json!("be nice"), "be nice", "kicked out (be nice) by op"),
        (Value::Null, "you have been kicked out", "kicked out by op"),
    ];
    for (value, text, reason) in cases {
        let mut bob = server.join("2", "bob").await;
        op.settle().await;
        op.act_on_user("kick", "2", value).await;
        assert_eq!(
            bob.next().await,
            json!({"type": "usermessage", "kind": "kicked", "id": "1", "username": "op",
                   "dest": "2", "privileged": true, "value": text})
        );
        assert_eq!(bob.closed().await, (1000, reason.into()));
        assert_eq!(
            op.next().await,
            json!({"type": "user", "kind": "delete", "id": "2", "username": "bob"})
        );
    }
    // A reason too long for a close frame is cut, between characters.
    let mut bob = server.join("2", "bob").await;
    op.settle().await;
    op.act_on_user("kick", "2", "ż".repeat(200).into()).await;
    assert_eq!(bob.next().await["value"], "ż".repeat(200));
    let (code, reason) = bob.closed().await;
    assert_eq!(code, 1000);
    assert!(reason.len() > 100 && reason.ends_with('ż'), "{reason}");
}

#[tokio::test]
async fn who_does_not_read_is_kicked_all_the_same() {
    let limits = Limits {
        dead: Duration::from_secs(3600),
        ..Limits::default()
    };
    let server = Server::with_limits(&[], limits).await;
    let mut op = server.join("1", "op").await;
    let deaf = server.join("2", "bob").await;
    op.settle().await;
    // More than the system keeps for a socket, less than the server does.
    for _ in 0..14 {
        let text = "x".repeat(1_000_000);
        op.send(json!({"type": "chat", "noecho": true, "value": text}))
            .await;
    }
    op.settle().await;
    op.act_on_user("kick", "2", Value::Null).await;
    assert_eq!(
        op.next().await,
        json!({"type": "user", "kind": "delete", "id": "2", "username": "bob"})
    );
    drop(deaf);
}

#[tokio::test]
async fn identify() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    op.settle().await;
    op.act_on_user("identify", "2", Value::Null).await;
    let told = op.next().await;
    let address = told["value"]["address"].as_str().unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(
        told,
        json!({"type": "usermessage", "kind": "userinfo", "privileged": true,
               "value": {"id": "2", "username": "bob", "address": address}})
    );
    let warning = bob.next().await;
    assert_eq!(
        (&warning["kind"], &warning["dest"]),
        (&json!("warning"), &json!("2"))
    );
    assert_eq!(warning["privileged"], true);
    assert!(warning["value"].as_str().unwrap().contains("address"));
}

#[tokio::test]
async fn data_of_users() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    op.settle().await;
    let change = json!({"raisehand": true, "n": 1});
    bob.act_on_user("setdata", "2", change).await;
    for client in [&mut op, &mut bob] {
        assert_eq!(
            client.next().await,
            json!({"type": "user", "kind": "change", "id": "2", "username": "bob",
                   "permissions": ["present", "message"], "data": {"raisehand": true, "n": 1}})
        );
    }
    bob.act_on_user("setdata", "2", json!({"raisehand": null, "n": 2}))
        .await;
    assert_eq!(bob.next().await["data"], json!({"n": 2}));
    bob.act_on_user("setdata", "2", json!({"n": null})).await;
    assert_eq!(bob.next().await.get("data"), None);
    let action = op.user_action("setdata", "2", &json!({"n": 3}));
    op.settle().await;
    assert_eq!(
        op.refused(action).await,
        "not authorised",
        "not even for operators"
    );
    let action = bob.user_action("setdata", "2", &json!("x"));
    assert_eq!(bob.refused(action).await, "Bad value in setdata");
    // Everyone would be sent it, again and again.
    for n in 0..2 {
        let action = bob.user_action("setdata", "2", &json!({n.to_string(): "x".repeat(600_000)}));
        bob.send(action).await;
    }
    assert_eq!(bob.next().await["kind"], "change");
    assert_eq!(bob.next().await["value"], "too much data");
}

#[tokio::test]
async fn data_of_the_group() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    op.settle().await;
    op.act_on_group("setdata", json!({"poll": {"a": 1}})).await;
    for (client, permissions) in [(&mut op, &OP[..]), (&mut bob, &["present", "message"][..])] {
        assert_eq!(
            client.next().await,
            json!({"type": "joined", "kind": "change", "group": "g", "username": client.username,
                   "permissions": permissions, "status": {"name": "g", "clientCount": 2},
                   "data": {"poll": {"a": 1}}, "rtcConfiguration": {}})
        );
    }
    op.act_on_group("setdata", json!({"poll": null})).await;
    assert_eq!(op.next().await.get("data"), None);
    let action = op.group_action("setdata", &json!([]));
    assert_eq!(op.refused(action).await, "Bad value in setdata");
}

#[tokio::test]
async fn locks() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    op.act_on_group("lock", json!("back at noon")).await;
    let told = op.settle().await;
    assert_eq!(told.len(), 1, "nothing but the change: {told:?}");
    assert_eq!(
        (&told[0]["kind"], &told[0]["status"]["locked"]),
        (&json!("change"), &json!(true))
    );
    let mut bob = server.greet("2").await;
    assert_eq!(bob.join("g", "bob", "").await["value"], "back at noon");
    assert_eq!(
        bob.join("g", "op", "op").await["kind"],
        "join",
        "operators pass"
    );
    op.act_on_group("lock", Value::Null).await;
    op.settle().await;
    let mut carol = server.greet("3").await;
    let refused = carol.join("g", "carol", "").await;
    assert_eq!(
        refused,
        json!({"type": "joined", "kind": "fail", "group": "g", "username": "carol",
               "value": "this group is locked"})
    );
    op.act_on_group("unlock", Value::Null).await;
    let told = op.settle().await;
    assert_eq!(told.last().unwrap()["status"].get("locked"), None);
    assert_eq!(carol.join("g", "carol", "").await["kind"], "join");
}

#[tokio::test]
async fn subgroups() {
    let parent = OPEN.replacen('{', r#"{"auto-subgroups": true,"#, 1);
    let server = Server::start(&[("p.json", &parent)]).await;
    let mut op = server.greet("1").await;
    op.join("p", "op", "op").await;
    op.settle().await;
    op.act_on_group("subgroups", Value::Null).await;
    assert_eq!(without_time(op.next().await)["value"], "");
    let mut members = Vec::new();
    for (id, group) in [("2", "p/b"), ("3", "p/a"), ("4", "p/a")] {
        let mut client = server.greet(id).await;
        assert_eq!(client.join(group, "x", "").await["kind"], "join");
        members.push(client);
    }
    op.act_on_group("subgroups", Value::Null).await;
    assert_eq!(
        without_time(op.next().await),
        json!({"type": "chat", "username": "Server", "dest": "1",
               "value": "p/a (2 clients)\np/b (1 client)\n"})
    );
}

#[tokio::test]
async fn what_is_to_come_is_refused_in_words() {
    let recording = OPEN.replacen('{', r#"{"allow-recording": true,"#, 1);
    let server = Server::start(&[("r.json", &recording)]).await;
    let mut op = server.greet("1").await;
    let joined = op.join("r", "op", "op").await;
    assert_eq!(joined["permissions"][0], "record");
    op.settle().await;
    for kind in ["record", "unrecord"] {
        let action = op.group_action(kind, &Value::Null);
        assert_eq!(op.refused(action).await, "this server cannot record yet");
    }
    let mut elsewhere = server.join("1", "op").await;
    let action = elsewhere.group_action("record", &Value::Null);
    let text = "recording is not allowed in this group";
    assert_eq!(elsewhere.refused(action).await, text);
    // Where it is, who becomes an operator may record, and who was one may not.
    let mut dan = server.greet("4").await;
    dan.join("r", "dan", "").await;
    for (kind, permissions) in [
        ("op", json!(["present", "message", "op", "record"])),
        ("unop", json!(["present", "message"])),
    ] {
        op.act_on_user(kind, "4", Value::Null).await;
        let told = dan.until(|message| message["kind"] == "change").await;
        assert_eq!(told["permissions"], permissions);
        dan.settle().await;
    }
    op.settle().await;
    op.act_on_group("maketoken", json!({"group": "r"})).await;
    let told = op.next().await;
    assert_eq!(
        (&told["kind"], &told["error"]),
        (&json!("token"), &json!("error"))
    );
    let mut bob = server.join("2", "bob").await;
    for (kind, reply) in [
        ("maketoken", "token"),
        ("edittoken", "token"),
        ("listtokens", "tokenlist"),
    ] {
        bob.act_on_group(kind, json!({})).await;
        assert_eq!(
            bob.next().await,
            json!({"type": "usermessage", "kind": reply, "error": "not-authorised",
                   "privileged": true, "value": "not authorised"})
        );
    }
}
