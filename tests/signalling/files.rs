//! Group files that change while the server runs.

use crate::harness::{OPEN, Server, eventually, logged, write};
use crate::streams::PLAIN;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

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

/// What the file says about those inside, and what they may do from then on.
#[tokio::test]
async fn an_edit_changes_those_inside() {
    let file = |vimes: &str, others: &str, more: &str| {
        format!(
            r#"{{{more} "users": {{"vimes": {{"password": "v", "permissions": {vimes}}}}},
                "wildcard-user": {{"password": {{"type": "wildcard"}}, "permissions": {others}}}}}"#
        )
    };
    let server = Server::start(&[("e.json", &file("\"op\"", "\"present\"", ""))]).await;
    let mut vimes = server.greet("1").await;
    vimes.join("e", "vimes", "v").await;
    let mut bob = server.greet("2").await;
    bob.join("e", "bob", "").await;
    let mut carol = server.greet("3").await;
    carol.join("e", "carol", "").await;
    // By hand, which the file says nothing about: bob may not chat, carol is an operator.
    vimes.act_on_user("shutup", "2", Value::Null).await;
    vimes.act_on_user("op", "3", Value::Null).await;
    for client in [&mut vimes, &mut bob, &mut carol] {
        client.settle().await;
    }
    let steps: [(String, [&[&str]; 3]); 5] = [
        (
            file("\"op\"", "\"present\"", "\"allow-recording\": true,"),
            [
                &["record", "op", "present", "message", "caption", "token"],
                &["present"],
                &["present", "message", "op"],
            ],
        ),
        (
            file("\"present\"", "\"message\"", ""),
            [&["present", "message"], &[], &["message", "op"]],
        ),
        (
            file("[]", "[\"present\", \"caption\"]", ""),
            [&[], &["present", "caption"], &["op", "present", "caption"]],
        ),
        (
            file("\"op\"", "\"observe\"", ""),
            [
                &["op", "present", "message", "caption", "token"],
                &[],
                &["op"],
            ],
        ),
        (
            // Neither has an entry any more.
            "{}".to_owned(),
            [&[], &[], &["op"]],
        ),
    ];
    for (text, permissions) in steps {
        server.write("e.json", &text);
        for (client, permissions) in [&mut vimes, &mut bob, &mut carol]
            .into_iter()
            .zip(permissions)
        {
            let told = client.until(|message| message["type"] == "joined").await;
            assert_eq!(told["kind"], "change");
            let has = told.get("permissions").cloned().unwrap_or(json!([]));
            assert_eq!(has, json!(permissions), "{} after {text}", client.id);
        }
    }
    // The others are told, too.
    carol.settle().await;
    server.write("e.json", &file("\"message\"", "[]", ""));
    let change = carol
        .until(|message| message["type"] == "user" && message["kind"] == "change")
        .await;
    assert_eq!(
        change,
        json!({"type": "user", "kind": "change", "id": "1", "username": "vimes",
               "permissions": ["message"]})
    );
}

#[tokio::test]
async fn an_edit_changes_those_in_automatic_subgroups() {
    let text = OPEN.replacen('{', r#"{"auto-subgroups": true,"#, 1);
    let server = Server::start(&[("p.json", &text)]).await;
    let mut client = server.greet("1").await;
    assert_eq!(client.join("p/room", "x", "").await["kind"], "join");
    client.settle().await;
    server.write("p.json", &text.replace("\"present\"", "\"message\""));
    let told = client.until(|message| message["type"] == "joined").await;
    assert_eq!(
        (&told["group"], &told["permissions"]),
        (&json!("p/room"), &json!(["message"]))
    );
    // The room stays while someone is in it, even if it could not be made any more.
    server.write("p.json", OPEN);
    let mut second = server.greet("2").await;
    assert_eq!(
        second.join("p/room", "y", "").await["value"],
        "group does not exist"
    );
    client.username = "x".into();
    client.say("still here").await;
    client
        .until(|message| message["value"] == "still here")
        .await;
}

#[tokio::test]
async fn an_edit_that_takes_present_ends_streams() {
    let server = Server::start(&[]).await;
    let mut bob = server.join("1", "bob").await;
    let mut op = server.join("2", "op").await;
    bob.publish("s", "camera", PLAIN).await;
    bob.settle().await;
    op.request(json!({"": ["audio"]})).await;
    op.settle().await;
    server.write("g.json", &OPEN.replace("\"present\"", "\"message\""));
    assert_eq!(
        op.until(|message| message["type"] == "close").await["id"],
        "s"
    );
    assert_eq!(
        bob.until(|message| message["type"] == "abort").await["id"],
        "s"
    );
}

/// Writes a text.
type Way<'a> = &'a dyn Fn(&str);

/// How editors and scripts write files; each time, those inside are told without anyone asking.
#[tokio::test]
async fn every_way_to_write_a_file_is_noticed() {
    let server = Server::start(&[]).await;
    let mut client = server.join("1", "x").await;
    let folder = server.folder.path().to_owned();
    let path = folder.join("g.json");
    let text = |name: &str| OPEN.replacen('{', &format!(r#"{{"displayName": "{name}","#), 1);
    let ways: [(&str, Way<'_>); 5] = [
        ("in place", &|text| fs::write(&path, text).unwrap()),
        ("renamed over", &|text| {
            fs::write(folder.join(".g.json.swp"), text).unwrap();
            fs::rename(folder.join(".g.json.swp"), &path).unwrap();
        }),
        ("moved away, written anew", &|text| {
            fs::rename(&path, folder.join("g.json~")).unwrap();
            fs::write(&path, text).unwrap();
        }),
        ("removed, written anew", &|text| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, text).unwrap();
        }),
        ("piece by piece", &|text| {
            let mut file = fs::File::create(&path).unwrap();
            for piece in text.as_bytes().chunks(40) {
                file.write_all(piece).unwrap();
                file.flush().unwrap();
            }
        }),
    ];
    for (name, write) in ways {
        write(&text(name));
        let told = client
            .until(|message| message["status"]["displayName"] == name)
            .await;
        assert_eq!(told["kind"], "change");
    }
}

#[tokio::test]
async fn folders_come_and_go() {
    let server = Server::start(&[]).await;
    let public = OPEN.replacen('{', r#"{"public": true,"#, 1);
    let until = async |names: &[&str]| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.public().await != names {
            assert!(Instant::now() < deadline, "{:?}", server.public().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    server.write("new/folder/a.json", &public);
    until(&["new/folder/a"]).await;
    let folder = server.folder.path();
    fs::rename(folder.join("new"), folder.join("renamed")).unwrap();
    until(&["renamed/folder/a"]).await;
    fs::remove_dir_all(folder.join("renamed")).unwrap();
    until(&[]).await;
}

/// Thousands of files: the start understands only those that may be public.
#[tokio::test]
async fn thousands_of_files() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..5000 {
        let (public, name) = match n {
            77 => (r#""public": true,"#, "many/77".to_owned()),
            78 => (r#""\u0070ublic": true,"#, "many/78".to_owned()),
            n => ("", format!("many/{}/{n}", n % 50)),
        };
        let text = OPEN.replacen('{', &format!("{{{public}"), 1);
        write(folder.path(), &format!("{name}.json"), &text);
    }
    write(folder.path(), "many/broken.json", "{");
    let server = Server::in_folder(folder).await;
    assert_eq!(server.public().await, ["many/77", "many/78"]);
    let registry = server.state.registry();
    assert!(
        registry.get("many/30/4980").is_none(),
        "no one asked for it"
    );
    let mut client = server.greet("1").await;
    assert_eq!(client.join("many/30/4980", "x", "").await["kind"], "join");
    // What is wrong with the others is found afterwards.
    eventually("the error in the log", || {
        logged("many/broken.json")
            .iter()
            .any(|line| line.contains("ERROR"))
    })
    .await;
}
