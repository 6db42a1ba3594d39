//! The waiting room: `"lobby": true`.

use crate::harness::{Client, Server, without_time};
use serde_json::{Value, json};

const LOBBY: &str = r#"{"lobby": true, "displayName": "Lecture",
    "users": {"op": {"password": "op", "permissions": "op"}},
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#;

/// A client that knows of waiting rooms.
async fn modern(server: &Server, id: &str) -> Client {
    let mut client = server.connect().await;
    client.id = id.into();
    let features = ["lobby", "ban", "time-travel"];
    client
        .send(json!({"type": "handshake", "version": ["2"], "id": id, "features": features}))
        .await;
    assert_eq!(
        client.next().await,
        json!({"type": "handshake", "version": ["2"], "features": ["lobby", "ban"]})
    );
    client
}

/// A modern operator inside, who has read everything.
async fn operator(server: &Server, id: &str) -> Client {
    let mut op = modern(server, id).await;
    assert_eq!(op.join("lobby", "op", "op").await["kind"], "join");
    op.settle().await;
    op
}

async fn lobby(text: &str) -> Server {
    Server::start(&[("lobby.json", text)]).await
}

/// The ids and names of those who wait, as an operator is told.
fn guests(message: &Value) -> Vec<(&str, &str)> {
    assert_eq!(message["kind"], "lobby", "{message}");
    assert_eq!(message["privileged"], true);
    message["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|guest| {
            assert!(guest["since"].as_str().unwrap().ends_with('Z'));
            (
                guest["id"].as_str().unwrap(),
                guest["username"].as_str().unwrap(),
            )
        })
        .collect()
}

fn wait(username: &str, operators: bool) -> Value {
    let text = if operators {
        "Please wait: an operator will let you in."
    } else {
        "Please wait: an operator has to let you in, and none is here yet."
    };
    json!({"type": "joined", "kind": "wait", "group": "lobby", "username": username,
           "operators": operators, "value": text,
           "status": {"name": "lobby", "displayName": "Lecture", "lobby": true}})
}

#[tokio::test]
async fn who_is_admitted_is_in() {
    let server = lobby(LOBBY).await;
    let mut op = operator(&server, "1").await;
    op.say("before").await;
    op.settle().await;
    let mut bob = modern(&server, "2").await;
    assert_eq!(bob.join("lobby", "bob", "").await, wait("bob", true));
    let told = op.next().await;
    assert_eq!(guests(&told), [("2", "bob")]);
    // It is told nothing, and can do nothing.
    op.say("a secret").await;
    op.act_on_group("lock", "later".into()).await;
    op.settle().await;
    for kind in ["chat", "usermessage", "useraction", "groupaction"] {
        let message = json!({"type": kind, "kind": "admit", "dest": "2", "value": "x"});
        assert_eq!(bob.refused(message).await, "join a group first");
    }
    assert_eq!(bob.settle().await, [json!(null); 0]);

    op.act_on_user("admit", "2", Value::Null).await;
    let told = bob.settle().await;
    let kinds: Vec<(&str, &str)> = told
        .iter()
        .map(|message| {
            let text = |field: &str| message[field].as_str().unwrap_or_default();
            (text("type"), text("kind"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("joined", "join"),
            ("chathistory", ""),
            ("chathistory", ""),
            ("user", "add"),
            ("user", "add")
        ],
        "although it was locked in the meantime"
    );
    assert_eq!(told[0]["permissions"], json!(["present", "message"]));
    assert_eq!(op.next().await["kind"], "add");
    assert_eq!(guests(&op.next().await), []);
    bob.username = "bob".into();
    bob.say("hello").await;
    assert_eq!(op.next().await["value"], "hello");
    // Of two operators who decide at once, one comes too late.
    let again = op.user_action("admit", "2", &Value::Null);
    assert_eq!(op.refused(again).await, "no such user");
}

#[tokio::test]
async fn who_is_refused_may_knock_again() {
    let server = lobby(LOBBY).await;
    let mut op = operator(&server, "1").await;
    let mut bob = modern(&server, "2").await;
    for (value, text) in [
        (json!("not today"), "not today"),
        (Value::Null, "you have not been let in"),
    ] {
        assert_eq!(bob.join("lobby", "bob", "").await["kind"], "wait");
        op.settle().await;
        op.act_on_user("refuse", "2", value).await;
        assert_eq!(
            bob.next().await,
            json!({"type": "joined", "kind": "fail", "error": "lobby-refused", "group": "lobby",
                   "username": "bob", "value": text})
        );
        assert_eq!(guests(&op.next().await), []);
    }
    assert_eq!(bob.join("g", "bob", "").await["kind"], "join", "elsewhere");
}

#[tokio::test]
async fn clients_of_old_are_told_in_words() {
    let server = lobby(LOBBY).await;
    let mut op = server.greet("1").await;
    assert_eq!(op.join("lobby", "op", "op").await["kind"], "join");
    op.settle().await;
    let mut bob = server.greet("2").await;
    let info = |dest: &str, value: &str| {
        json!({"type": "usermessage", "kind": "info", "dest": dest, "privileged": true,
               "value": value})
    };
    assert_eq!(
        bob.join("lobby", "bob", "").await,
        info("2", "Please wait: an operator will let you in.")
    );
    assert_eq!(
        op.next().await,
        info(
            "1",
            "bob waits to be let in (by the server's own page: this one cannot)"
        )
    );
    let mut second = server.greet("3").await;
    second.join("lobby", "op", "op").await;
    assert_eq!(
        second.settle().await.last().unwrap(),
        &info(
            "3",
            "waiting to be let in: bob (by the server's own page: this one cannot)"
        )
    );
    op.settle().await;
    op.act_on_user("admit", "2", Value::Null).await;
    assert_eq!(bob.next().await["kind"], "join");
    assert_eq!(op.settle().await.len(), 1, "the new user, no more");
}

#[tokio::test]
async fn operators_come_and_go() {
    let server = lobby(LOBBY).await;
    let mut bob = modern(&server, "2").await;
    assert_eq!(bob.join("lobby", "bob", "").await, wait("bob", false));
    let mut op = modern(&server, "1").await;
    op.join("lobby", "op", "op").await;
    assert_eq!(guests(op.settle().await.last().unwrap()), [("2", "bob")]);
    assert_eq!(bob.next().await, wait("bob", true));
    // A member who becomes an operator is told who waits.
    op.act_on_user("admit", "2", Value::Null).await;
    bob.settle().await;
    let mut carol = modern(&server, "3").await;
    assert_eq!(carol.join("lobby", "carol", "").await, wait("carol", true));
    assert_eq!(
        bob.settle().await,
        [json!(null); 0],
        "who is no operator is not told"
    );
    op.act_on_user("op", "2", Value::Null).await;
    assert_eq!(
        guests(&bob.until(|message| message["type"] == "usermessage").await),
        [("3", "carol")]
    );
    drop(op);
    bob.until(|message| message["kind"] == "delete").await;
    assert_eq!(carol.settle().await, [json!(null); 0], "there is still one");
    bob.username = "bob".into();
    bob.send(json!({"type": "join", "kind": "leave", "group": "lobby"}))
        .await;
    assert_eq!(carol.next().await, wait("carol", false));
}

#[tokio::test]
async fn who_waits_may_go() {
    let server = lobby(LOBBY).await;
    let mut op = operator(&server, "1").await;
    let mut bob = modern(&server, "2").await;
    bob.join("lobby", "bob", "").await;
    assert_eq!(guests(&op.next().await), [("2", "bob")]);
    bob.send(json!({"type": "join", "kind": "leave", "group": "lobby"}))
        .await;
    let left = bob.next().await;
    assert_eq!(
        (&left["type"], &left["kind"]),
        (&json!("joined"), &json!("leave"))
    );
    assert_eq!(left["status"].get("clientCount"), None, "not even now");
    assert_eq!(guests(&op.next().await), []);
    bob.join("lobby", "bob", "").await;
    assert_eq!(guests(&op.next().await), [("2", "bob")]);
    drop(bob);
    assert_eq!(guests(&op.next().await), [], "without a goodbye");
    // One who waits is in a group, as far as other groups go; and its id is taken.
    let mut carol = modern(&server, "3").await;
    carol.join("lobby", "carol", "").await;
    let mut double = modern(&server, "3").await;
    assert_eq!(
        double.join("lobby", "x", "").await["value"],
        "duplicate client id"
    );
    carol
        .send(json!({"type": "join", "kind": "join", "group": "g", "username": "c"}))
        .await;
    let text = "cannot join multiple groups";
    assert_eq!(
        carol.told_and_closed().await,
        (json!(text), 1002, text.into())
    );
}

#[tokio::test]
async fn moderation_reaches_the_door() {
    let server = lobby(LOBBY).await;
    let mut op = operator(&server, "1").await;
    let mut bob = modern(&server, "2").await;
    bob.join("lobby", "bob", "").await;
    op.settle().await;
    op.act_on_user("identify", "2", Value::Null).await;
    assert_eq!(op.next().await["value"]["username"], "bob");
    assert_eq!(bob.next().await["kind"], "warning");
    op.act_on_user("kick", "2", "go".into()).await;
    assert_eq!(bob.next().await["value"], "go");
    assert_eq!(bob.closed().await, (1000, "kicked out (go) by op".into()));
    assert_eq!(guests(&op.next().await), []);
    // Members decide nothing.
    let mut carol = modern(&server, "3").await;
    carol.join("lobby", "carol", "").await;
    op.settle().await;
    op.act_on_user("admit", "3", Value::Null).await;
    carol.settle().await;
    carol.username = "carol".into();
    let mut dan = modern(&server, "4").await;
    dan.join("lobby", "dan", "").await;
    for kind in ["admit", "refuse"] {
        let action = carol.user_action(kind, "4", &Value::Null);
        assert_eq!(carol.refused(action).await, "not authorised");
    }
    let action = carol.group_action("admit", &Value::Null);
    assert_eq!(carol.refused(action).await, "not authorised");
}

#[tokio::test]
async fn all_at_once_up_to_the_limit() {
    let server = lobby(&LOBBY.replacen('{', r#"{"max-clients": 3,"#, 1)).await;
    let mut op = operator(&server, "1").await;
    let mut clients = Vec::new();
    for id in ["z", "y", "x"] {
        let mut client = modern(&server, id).await;
        assert_eq!(client.join("lobby", id, "").await["kind"], "wait");
        clients.push(client);
    }
    let told = op.settle().await;
    assert_eq!(
        guests(told.last().unwrap()),
        [("z", "z"), ("y", "y"), ("x", "x")]
    );
    let action = op.group_action("admit", &Value::Null);
    op.send(action).await;
    let told = op.settle().await;
    assert!(
        told.iter()
            .any(|message| message["value"] == "too many users"),
        "{told:?}"
    );
    let last = told.last().unwrap();
    assert_eq!(guests(last), [("x", "x")], "in the order they came");
    assert_eq!(clients[0].next().await["kind"], "join");
    assert_eq!(clients[1].next().await["kind"], "join");
    let action = op.user_action("admit", "x", &Value::Null);
    assert_eq!(op.refused(action).await, "too many users");
    assert_eq!(clients[2].settle().await, [json!(null); 0]);
    // And at the door.
    let mut late = modern(&server, "late").await;
    assert_eq!(
        late.join("lobby", "late", "").await["value"],
        "too many users"
    );
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let server = lobby(LOBBY).await;
    let mut clients = Vec::new();
    for n in 0..200 {
        let mut client = server.greet(&format!("c{n}")).await;
        assert_eq!(client.join("lobby", "x", "").await["kind"], "info");
        clients.push(client);
    }
    let mut late = server.greet("late").await;
    assert_eq!(
        late.join("lobby", "x", "").await,
        json!({"type": "joined", "kind": "fail", "error": "lobby-full", "group": "lobby",
               "username": "x", "value": "too many wait to be let in"})
    );
    drop(clients.pop());
    // Its place becomes free when the server notices that it is gone.
    while late.join("lobby", "x", "").await["kind"] != "info" {}
}

#[tokio::test]
async fn edits_of_the_file_act_on_those_who_wait() {
    let server = lobby(LOBBY).await;
    let mut bob = modern(&server, "2").await;
    bob.join("lobby", "bob", "").await;
    server.write("lobby.json", &LOBBY.replace("true", "false"));
    assert_eq!(bob.next().await["kind"], "join", "the door is open now");

    server.write("lobby.json", LOBBY);
    bob.until(|message| message["status"]["lobby"] == true)
        .await;
    let mut carol = modern(&server, "3").await;
    assert_eq!(carol.join("lobby", "carol", "").await["kind"], "wait");
    let mut dan = modern(&server, "4").await;
    assert_eq!(dan.join("lobby", "dan", "").await["kind"], "wait");
    server.write(
        "lobby.json",
        r#"{"lobby": true, "wildcard-user": {"password": "x", "permissions": "op"}}"#,
    );
    assert_eq!(carol.next().await["kind"], "wait", "bob is an operator now");
    assert_eq!(carol.next().await["kind"], "join", "and so is she");
    assert_eq!(
        dan.until(|message| message["kind"] == "join").await["username"],
        "dan"
    );
}

#[tokio::test]
async fn a_removed_group_sends_them_away() {
    let server = lobby(LOBBY).await;
    let mut bob = modern(&server, "2").await;
    bob.join("lobby", "bob", "").await;
    server.remove("lobby.json");
    assert_eq!(
        bob.next().await,
        json!({"type": "joined", "kind": "fail", "group": "lobby", "username": "bob",
               "value": "group does not exist"})
    );
    let kicking = LOBBY.replacen('{', r#"{"autokick": true,"#, 1);
    server.write("lobby.json", &kicking);
    let mut op = operator(&server, "1").await;
    assert_eq!(bob.join("lobby", "bob", "").await["kind"], "wait");
    op.send(json!({"type": "join", "kind": "leave", "group": "lobby"}))
        .await;
    let refused = bob.until(|message| message["kind"] == "fail").await;
    assert_eq!(refused["value"], "there are no operators in this group");
}

#[tokio::test]
async fn the_status_says_that_there_is_a_door() {
    let server = lobby(LOBBY).await;
    let mut op = operator(&server, "1").await;
    op.act_on_group("setdata", json!({"a": 1})).await;
    assert_eq!(op.next().await["status"]["lobby"], true);
    op.say("x").await;
    assert_eq!(without_time(op.next().await)["value"], "x");
}
