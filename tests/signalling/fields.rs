//! Each field of a group file, where someone would notice it.

use crate::harness::{Client, Server, eventually, logged};
use crate::streams::PLAIN;
use serde_json::{Value, json};

/// Everyone may come in and present; `op` with the password `op` is an operator.
const DOORS: &str = r#""users": {"op": {"password": "op", "permissions": "op"}},
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}"#;

/// A file with these fields, in which an operator and everyone else may come.
fn open(fields: &str) -> String {
    format!(
        "{{{fields}{}{DOORS}}}",
        if fields.is_empty() { "" } else { ", " }
    )
}

/// What comes of a join, in short.
fn outcome(reply: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match reply["kind"].as_str().unwrap() {
        "join" => {
            let permissions = reply["permissions"].as_array().cloned().unwrap_or_default();
            permissions.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        _ => format!("{}: {}", text(&reply["kind"]), text(&reply["value"])),
    }
}

/// The file; its `.status` but for the name and the URLs; what `op` and what anyone else gets.
#[tokio::test]
async fn what_is_told_and_who_comes_in() {
    const OP: &str = "op present message caption token";
    const ANY: &str = "present message";
    let wild = |permissions: &str| {
        format!(
            r#"{{"wildcard-user": {{"password": {{"type": "wildcard"}}, "permissions": {permissions}}}}}"#
        )
    };
    let refused = "fail: not authorised";
    let rows: Vec<(String, Value, &str, &str)> = vec![
        ("{}".into(), json!({}), refused, refused),
        (open(""), json!({}), OP, ANY),
        (
            r#"{"users": {"op": {"password": "op", "permissions": "op"}}}"#.into(),
            json!({}),
            OP,
            refused,
        ),
        (
            r#"{"users": {"op": {"permissions": "op"}}}"#.into(),
            json!({}),
            refused,
            refused,
        ),
        (wild("\"op\""), json!({}), OP, OP),
        (wild("\"message\""), json!({}), "message", "message"),
        (wild("\"observe\""), json!({}), "", ""),
        (wild("\"caption\""), json!({}), "caption", "caption"),
        (wild("\"admin\""), json!({}), "admin", "admin"),
        (
            wild(r#"["message", "record", "x"]"#),
            json!({}),
            "message record x",
            "message record x",
        ),
        (
            open(r#""public": true"#),
            json!({"clientCount": 0}),
            OP,
            ANY,
        ),
        (
            open(r#""public": true, "autolock": true"#),
            json!({"clientCount": 0, "locked": true}),
            OP,
            "fail: this group is locked",
        ),
        (
            open(r#""autolock": true"#),
            json!({}),
            OP,
            "fail: this group is locked",
        ),
        (open(r#""autokick": true"#), json!({}), OP, ANY),
        (
            open(r#""displayName": "Name""#),
            json!({"displayName": "Name"}),
            OP,
            ANY,
        ),
        (
            open(r#""description": "Text""#),
            json!({"description": "Text"}),
            OP,
            ANY,
        ),
        (
            open(r#""contact": "c", "comment": "c""#),
            json!({}),
            OP,
            ANY,
        ),
        (
            open(r#""authServer": "https://a.org/", "authPortal": "https://p.org/""#),
            json!({"authServer": "https://a.org/", "authPortal": "https://p.org/"}),
            OP,
            ANY,
        ),
        (
            open(r#""max-clients": 1"#),
            json!({}),
            OP,
            "fail: too many users",
        ),
        (open(r#""max-clients": 2"#), json!({}), OP, ANY),
        (open(r#""max-clients": -1"#), json!({}), OP, ANY),
        (
            open(r#""not-before": "2999-01-01T00:00:00Z""#),
            json!({}),
            OP,
            "fail: this group is not open yet",
        ),
        (
            open(r#""not-before": "2001-01-01T00:00:00+02:00""#),
            json!({}),
            OP,
            ANY,
        ),
        (
            open(r#""expires": "2001-01-01T00:00:00Z""#),
            json!({}),
            OP,
            "fail: this group is closed",
        ),
        (
            open(r#""expires": "2999-01-01T00:00:00.5-08:00""#),
            json!({}),
            OP,
            ANY,
        ),
        (
            open(r#""allow-recording": true"#),
            json!({}),
            "record op present message caption token",
            ANY,
        ),
        (
            open(r#""unrestricted-tokens": true"#),
            json!({}),
            OP,
            "token present message",
        ),
        (open(r#""allow-anonymous": true"#), json!({}), OP, ANY),
        (
            open(r#""lobby": true"#),
            json!({"lobby": true}),
            OP,
            "info: Please wait: an operator will let you in.",
        ),
        (
            open(r#""redirect": "https://x.org/", "displayName": "N", "public": true"#),
            json!({"redirect": "https://x.org/", "displayName": "N"}),
            "redirect: https://x.org/",
            "redirect: https://x.org/",
        ),
        (open(r#""unheard-of": [1]"#), json!({}), OP, ANY),
        (
            r#"{"op": [{"username": "op", "password": "op"}], "presenter": [{}]}"#.into(),
            json!({}),
            OP,
            ANY,
        ),
        (
            r#"{"op": [{"username": "op"}], "other": [{"password": "y"}, {"password": ""}]}"#
                .into(),
            json!({}),
            OP,
            "message",
        ),
    ];
    let files: Vec<(String, &str)> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| (format!("f{index}.json"), row.0.as_str()))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, json)| (name.as_str(), *json))
        .collect();
    let server = Server::start(&files).await;
    for (index, (file, status, op, any)) in rows.iter().enumerate() {
        let name = format!("f{index}");
        let mut told = server.get(&format!("/group/{name}/.status")).await;
        let fields = told.as_object_mut().unwrap();
        assert_eq!(fields.remove("name").unwrap(), *name);
        for url in ["location", "endpoint"] {
            assert_eq!(
                fields.remove(url).is_some(),
                !file.contains("redirect"),
                "{file}"
            );
        }
        assert_eq!(told, *status, "{file}");
        let mut first = server.greet("1").await;
        assert_eq!(outcome(&first.join(&name, "op", "op").await), *op, "{file}");
        let mut second = server.greet("2").await;
        assert_eq!(
            outcome(&second.join(&name, "anyone", "").await),
            *any,
            "{file}"
        );
        let listed = server.public().await.contains(&name);
        assert_eq!(listed, file.contains(r#""public": true"#), "{file}");
    }
}

async fn joined(server: &Server, group: &str, id: &str, name: &str) -> Client {
    let mut client = server.greet(id).await;
    assert_eq!(client.join(group, name, name).await["kind"], "join");
    client.settle().await;
    client
}

#[tokio::test]
async fn auto_subgroups() {
    let files = [
        (
            "with.json",
            open(
                r#""auto-subgroups": true, "public": true, "displayName": "W", "description": "d""#,
            ),
        ),
        ("with/own.json", open(r#""displayName": "Own""#)),
        ("without.json", open("")),
    ];
    let files = files.each_ref().map(|(name, json)| (*name, json.as_str()));
    let server = Server::start(&files).await;
    for (group, kind) in [
        ("with/a", "join"),
        ("with/a/b", "join"),
        ("with/own", "join"),
        ("with/own/a", "fail"),
        ("without/a", "fail"),
    ] {
        let mut client = server.greet("1").await;
        assert_eq!(client.join(group, "x", "").await["kind"], kind, "{group}");
    }
    let status = server.get("/group/with/a/.status").await;
    assert_eq!(
        (&status["displayName"], status.get("description")),
        (&json!("W"), None)
    );
    assert_eq!(server.public().await, ["with"]);
}

#[tokio::test]
async fn max_history_age() {
    let server = Server::start(&[
        ("short.json", &open(r#""max-history-age": 1"#)),
        ("usual.json", &open(r#""max-history-age": 0"#)),
    ])
    .await;
    let history = async |group: &str| {
        let mut client = server.greet("reader").await;
        client.join(group, "reader", "").await;
        let told = client.settle().await;
        drop(client);
        told.iter()
            .filter(|message| message["type"] == "chathistory")
            .count()
    };
    for group in ["short", "usual"] {
        let mut client = joined(&server, group, "1", "op").await;
        client.say("x").await;
        client.settle().await;
    }
    while history("short").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(history("usual").await, 1, "which is older");
}

#[tokio::test]
async fn codecs() {
    for (fields, kept) in [
        ("", vec!["opus", "red", "VP8", "rtx"]),
        (
            r#""codecs": ["h264", "opus"]"#,
            vec!["opus", "red", "H264", "rtx"],
        ),
        (r#""codecs": ["OPUS"]"#, vec!["opus", "red"]),
        (r#""codecs": ["vp9", "pcmu"]"#, vec!["PCMU", "VP9", "rtx"]),
    ] {
        let server = Server::start(&[("c.json", &open(fields))]).await;
        let mut client = joined(&server, "c", "1", "op").await;
        client.publish("s", "camera", PLAIN).await;
        let answer = client.next().await;
        let sdp = answer["sdp"].as_str().unwrap();
        let offered: Vec<&str> = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("a=rtpmap:"))
            .filter_map(|line| line.split([' ', '/']).nth(1))
            .collect();
        assert_eq!(offered, kept, "{fields}");
    }
}

#[tokio::test]
async fn what_the_log_says() {
    let server = Server::start(&[(
        "log-of-old.json",
        "{\n\"op\": [{\"username\": \"vimes\"}],\n\"publik\": true}",
    )])
    .await;
    let path = server.folder.path().join("log-of-old.json");
    let path = path.to_str().unwrap();
    // No one asks for it.
    eventually("both in the log", || {
        let lines = logged(path);
        let has = |level: &str, text: &str| {
            lines
                .iter()
                .any(|line| line.contains(level) && line.contains(text))
        };
        has(
            "INFO",
            "line 2: op is read as users with the permissions \"op\": \"vimes\"",
        ) && has(
            "WARN",
            "line 3: unknown field \"publik\" is ignored (did you mean \"public\"?)",
        )
    })
    .await;
    let before = logged(path).len();
    let _inside = joined(&server, "log-of-old", "1", "vimes").await;
    assert_eq!(
        logged(path).len(),
        before,
        "once for each version of the file"
    );
}
