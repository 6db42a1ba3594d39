//! Group files that change while the server runs.

use crate::harness::{OPEN, Server, eventually, logged};
use serde_json::json;

#[tokio::test]
async fn those_inside_are_told_of_an_edit() {
    let server = Server::start(&[]).await;
    let mut client = server.join("1", "x").await;
    server.write(
        "g.json",
        &OPEN.replacen('{', r#"{"displayName": "Edited","#, 1),
    );
    // No one asks for it: the watcher must notice.
    let changed = client.next().await;
    assert_eq!(
        changed,
        json!({"type": "joined", "kind": "change", "group": "g", "username": "x",
               "permissions": ["present", "message"],
               "status": {"name": "g", "displayName": "Edited", "clientCount": 1},
               "rtcConfiguration": {}})
    );
}

#[tokio::test]
async fn an_edit_acts_on_the_next_join() {
    let server = Server::start(&[]).await;
    let _inside = server.join("1", "x").await;
    server.write(
        "g.json",
        r#"{"wildcard-user": {"password": "secret", "permissions": "message"}}"#,
    );
    let mut client = server.greet("2").await;
    assert_eq!(client.join("g", "y", "").await["value"], "not authorised");
    let joined = client.join("g", "y", "secret").await;
    assert_eq!(joined["permissions"], json!(["message"]));
}

#[tokio::test]
async fn a_broken_edit_is_logged_and_ignored() {
    let server = Server::start(&[("frail.json", OPEN)]).await;
    let mut client = server.greet("1").await;
    assert_eq!(client.join("frail", "x", "").await["kind"], "join");
    client.settle().await;
    server.write("frail.json", "{\n  \"users\": {},\n  \"public\": maybe\n}");
    let path = server.folder.path().join("frail.json");
    let path = path.to_str().unwrap();
    eventually("the error in the log", || {
        logged(path).iter().any(|line| {
            line.contains("ERROR")
                && line.contains("line 3")
                && line.contains("expected value")
                && line.contains("the last good version stays in force")
        })
    })
    .await;
    let mut second = server.greet("2").await;
    assert_eq!(second.join("frail", "y", "").await["kind"], "join");
    let errors = logged(path).len();
    second.settle().await;
    let mut third = server.greet("3").await;
    assert_eq!(third.join("frail", "z", "").await["kind"], "join");
    assert_eq!(
        logged(path).len(),
        errors,
        "once for each version of the file"
    );

    server.write(
        "frail.json",
        r#"{"unheard-of": 1, "displayName": "Mended"}"#,
    );
    let mended = client.until(|message| message["type"] == "joined").await;
    assert_eq!(mended["status"]["displayName"], "Mended");
    eventually("the warning in the log", || {
        logged(path)
            .iter()
            .any(|line| line.contains("WARN") && line.contains("unheard-of"))
    })
    .await;
}

#[tokio::test]
async fn members_stay_when_the_file_goes() {
    let server = Server::start(&[]).await;
    let mut alice = server.join("1", "alice").await;
    let mut bob = server.join("2", "bob").await;
    alice.settle().await;
    server.remove("g.json");
    let mut late = server.greet("3").await;
    assert_eq!(
        late.join("g", "late", "").await["value"],
        "group does not exist"
    );
    alice.say("still here").await;
    assert_eq!(bob.next().await["value"], "still here");
    server.write("g.json", OPEN);
    assert_eq!(late.join("g", "late", "").await["kind"], "join");
    assert_eq!(
        alice.settle().await.last().unwrap()["id"],
        "3",
        "the same group"
    );
}

#[tokio::test]
async fn a_new_file_is_a_new_group() {
    let server = Server::start(&[]).await;
    let mut client = server.greet("1").await;
    assert_eq!(
        client.join("deep/new", "x", "").await["value"],
        "group does not exist"
    );
    server.write("deep/new.json", OPEN);
    assert_eq!(client.join("deep/new", "x", "").await["kind"], "join");
}
