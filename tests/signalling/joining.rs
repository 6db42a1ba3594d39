//! `join`, `joined` and `user`.

use crate::harness::{Server, without_time};
use serde_json::{Value, json};

#[tokio::test]
async fn the_order_of_a_join() {
    let server = Server::start(&[]).await;
    let mut first = server.join("1", "op").await;
    first.say("hello").await;
    first.act_on_group("setdata", json!({"topic": "x"})).await;
    first.settle().await;

    let mut second = server.greet("2").await;
    second
        .send(
            json!({"type": "join", "kind": "join", "group": "g", "username": "bob",
                     "password": "", "data": {"raisehand": true}, "unknown": [1, 2]}),
        )
        .await;
    let mut told = second.settle().await;
    assert_eq!(told.len(), 4);
    let history = without_time(told.remove(1));
    assert_eq!(history["id"].as_str().unwrap().len(), 11);
    let history_id = history["id"].clone();
    assert_eq!(
        history,
        json!({"type": "chathistory", "id": history_id, "source": "1", "username": "op",
               "value": "hello"})
    );
    assert_eq!(
        told,
        [
            json!({"type": "joined", "kind": "join", "group": "g", "username": "bob",
                   "permissions": ["present", "message"],
                   "status": {"name": "g", "clientCount": 2}, "data": {"topic": "x"},
                   "rtcConfiguration": {}}),
            json!({"type": "user", "kind": "add", "id": "2", "username": "bob",
                   "permissions": ["present", "message"], "data": {"raisehand": true}}),
            json!({"type": "user", "kind": "add", "id": "1", "username": "op",
                   "permissions": ["op", "present", "message", "caption", "token"]}),
        ]
    );

    assert_eq!(
        first.settle().await,
        [
            json!({"type": "user", "kind": "add", "id": "2", "username": "bob",
                "permissions": ["present", "message"], "data": {"raisehand": true}})
        ]
    );

    second
        .send(json!({"type": "join", "kind": "leave", "group": "g"}))
        .await;
    assert_eq!(
        second.settle().await,
        [
            json!({"type": "joined", "kind": "leave", "group": "g", "username": "bob",
                "status": {"name": "g", "clientCount": 1}, "rtcConfiguration": {}})
        ]
    );
    assert_eq!(
        first.settle().await,
        [json!({"type": "user", "kind": "delete", "id": "2", "username": "bob"})]
    );
    // And in again, in one breath, on the same connection.
    for kind in ["join", "leave", "join"] {
        let group = json!({"type": "join", "kind": kind, "group": "g", "username": "bob"});
        second.send(group).await;
    }
    let kinds: Vec<Value> = second
        .settle()
        .await
        .into_iter()
        .filter(|message| message["type"] == "joined")
        .map(|message| message["kind"].clone())
        .collect();
    assert_eq!(kinds, ["join", "leave", "join"]);
}

#[tokio::test]
async fn a_closed_connection_leaves() {
    let server = Server::start(&[]).await;
    let mut first = server.join("1", "a").await;
    let mut second = server.join("2", "b").await;
    first.settle().await;
    second.socket.close(None).await.unwrap();
    assert_eq!(
        first.next().await,
        json!({"type": "user", "kind": "delete", "id": "2", "username": "b"})
    );
    // Without a goodbye.
    let third = server.join("3", "c").await;
    first.settle().await;
    drop(third);
    assert_eq!(
        first.next().await,
        json!({"type": "user", "kind": "delete", "id": "3", "username": "c"})
    );
}

#[tokio::test]
async fn failures() {
    let files = [
        (
            "named.json",
            r#"{"users": {"vimes": {"password": "sybil", "permissions": "op"}}}"#,
        ),
        (
            "future.json",
            r#"{"not-before": "2999-01-01T00:00:00Z", "wildcard-user": {"password": {"type": "wildcard"}}}"#,
        ),
        (
            "past.json",
            r#"{"expires": "2001-01-01T00:00:00Z", "wildcard-user": {"password": {"type": "wildcard"}}}"#,
        ),
        (
            "kick.json",
            r#"{"autokick": true, "wildcard-user": {"password": {"type": "wildcard"}}}"#,
        ),
        (
            "lock.json",
            r#"{"autolock": true, "wildcard-user": {"password": {"type": "wildcard"}}}"#,
        ),
        ("broken.json", "{"),
    ];
    let server = Server::start(&files).await;
    let mut client = server.greet("1").await;
    let cases = [
        ("named", "vimes", "x", "", "not authorised"),
        ("named", "nobby", "", "", "not authorised"),
        ("g", "../x", "", "", "not authorised"),
        ("none", "x", "", "", "group does not exist"),
        ("g/sub", "x", "", "", "group does not exist"),
        ("../g", "x", "", "", "illegal group name"),
        ("", "x", "", "", "illegal group name"),
        ("future", "x", "", "x", "this group is not open yet"),
        ("past", "x", "", "x", "this group is closed"),
        ("kick", "x", "", "x", "there are no operators in this group"),
        ("lock", "x", "", "x", "this group is locked"),
        (
            "broken",
            "x",
            "",
            "",
            "the description of this group is broken, ask its administrator to mend it",
        ),
    ];
    for (group, username, password, told, value) in cases {
        assert_eq!(
            client.join(group, username, password).await,
            json!({"type": "joined", "kind": "fail", "group": group, "username": told,
                   "value": value}),
        );
    }
    client
        .send(json!({"type": "join", "kind": "join", "group": "g"}))
        .await;
    assert_eq!(
        client.next().await,
        json!({"type": "joined", "kind": "fail", "error": "need-username", "group": "g",
               "username": "", "value": "username required"}),
    );
    // The connection is as good as new.
    assert_eq!(
        client.join("g", "", "").await["kind"],
        "join",
        "an empty username is one"
    );
}

#[tokio::test]
async fn a_redirect_is_told_and_kills_no_one() {
    let server = Server::start(&[("moved.json", r#"{"redirect": "https://x.org/"}"#)]).await;
    let mut client = server.greet("1").await;
    assert_eq!(
        client.join("moved", "x", "").await,
        json!({"type": "joined", "kind": "redirect", "group": "moved", "username": "",
               "value": "https://x.org/"})
    );
    assert_eq!(client.join("g", "x", "").await["kind"], "join");
}

#[tokio::test]
async fn limits_do_not_hold_operators() {
    let small = r#"{"max-clients": 1,
        "users": {"op": {"password": "op", "permissions": "op"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "observe"}}"#;
    let server = Server::start(&[("small.json", small)]).await;
    let mut first = server.greet("1").await;
    let joined = first.join("small", "x", "").await;
    assert_eq!(joined["kind"], "join");
    assert_eq!(
        joined.get("permissions"),
        None,
        "empty permissions are left out"
    );
    let mut second = server.greet("2").await;
    assert_eq!(
        second.join("small", "x", "").await["value"],
        "too many users"
    );
    assert_eq!(second.join("small", "op", "op").await["kind"], "join");
    // Client ids are unique in a group, names are not.
    let mut third = server.greet("2").await;
    assert_eq!(
        third.join("small", "op", "op").await["value"],
        "duplicate client id"
    );
    assert_eq!(third.join("g", "op", "op").await["kind"], "join");
    let mut fourth = server.greet("4").await;
    assert_eq!(fourth.join("g", "op", "op").await["kind"], "join");
}

#[tokio::test]
async fn wrong_joins_end_the_connection() {
    let server = Server::start(&[]).await;
    let mut client = server.greet("1").await;
    client
        .send(json!({"type": "join", "kind": "leave", "group": "g"}))
        .await;
    let text = "you are not joined";
    assert_eq!(
        client.told_and_closed().await,
        (json!(text), 1000, text.into())
    );

    let mut client = server.join("2", "x").await;
    client
        .send(json!({"type": "join", "kind": "join", "group": "g", "username": "x"}))
        .await;
    let text = "cannot join multiple groups";
    assert_eq!(
        client.told_and_closed().await,
        (json!(text), 1002, text.into())
    );

    let mut client = server.greet("3").await;
    client
        .send(json!({"type": "join", "kind": "storm", "group": "g"}))
        .await;
    let text = "unknown kind";
    assert_eq!(
        client.told_and_closed().await,
        (json!(text), 1002, text.into())
    );
}

#[tokio::test]
async fn autokick_and_autolock() {
    let file = |what: &str| {
        format!(
            r#"{{"{what}": true, "users": {{"op": {{"password": "op", "permissions": "op"}}}},
                "wildcard-user": {{"password": {{"type": "wildcard"}}, "permissions": "present"}}}}"#
        )
    };
    let (kick, lock) = (file("autokick"), file("autolock"));
    let server = Server::start(&[("kick.json", &kick), ("lock.json", &lock)]).await;

    let mut op = server.greet("op").await;
    op.join("kick", "op", "op").await;
    let mut user = server.greet("user").await;
    assert_eq!(user.join("kick", "x", "").await["kind"], "join");
    user.settle().await;
    op.send(json!({"type": "join", "kind": "leave", "group": "kick"}))
        .await;
    user.next().await;
    assert_eq!(
        user.next().await,
        json!({"type": "usermessage", "kind": "kicked", "dest": "user", "privileged": true,
               "value": "there are no operators in this group"})
    );
    assert_eq!(
        user.closed().await,
        (
            1000,
            "kicked out (there are no operators in this group)".into()
        )
    );

    op.settle().await;
    assert_eq!(op.join("lock", "op", "op").await["status"]["locked"], true);
    op.settle().await;
    op.act_on_group("unlock", Value::Null).await;
    let mut user = server.greet("user").await;
    op.settle().await;
    assert_eq!(user.join("lock", "x", "").await["kind"], "join");
    user.settle().await;
    op.send(json!({"type": "join", "kind": "leave", "group": "lock"}))
        .await;
    assert_eq!(user.next().await["kind"], "delete");
    let changed = user.next().await;
    assert_eq!(
        (&changed["kind"], &changed["status"]["locked"]),
        (&json!("change"), &json!(true))
    );
    let mut late = server.greet("late").await;
    assert_eq!(
        late.join("lock", "x", "").await["value"],
        "this group is locked"
    );
}
