//! Stateful tokens: made, edited and listed over the protocol, and joined with.

use super::harness::{Client, eventually};
use super::{Place, assert_not_authorised};
use jiff::{SignedDuration, Timestamp};
use perikon::group::{Token, TokenStore};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const GROUP: &str = r#"{
    "users": {
        "vimes": {"password": "vimes", "permissions": "op"},
        "fred": {"password": "fred", "permissions": "present"},
        "cheery": {"password": "cheery", "permissions": ["token", "message"]},
        "rufus": {"password": "rufus", "permissions": ["op", "present"]},
        "havelock": {"password": "havelock", "permissions": ["op", "token", "admin"]}
    },
    "allow-recording": true
}"#;
const UNRESTRICTED: &str = r#"{
    "users": {"fred": {"password": "fred", "permissions": "present"}},
    "unrestricted-tokens": true
}"#;
const TREE: &str = r#"{
    "users": {"vimes": {"password": "vimes", "permissions": "op"}},
    "auto-subgroups": true
}"#;

async fn place() -> Place {
    Place::start(&[
        ("groups/watch.json", GROUP),
        ("groups/free.json", UNRESTRICTED),
        ("groups/tree.json", TREE),
        ("groups/yard.json", TREE),
        ("groups/yard/own.json", TREE),
    ])
    .await
}

impl Place {
    /// A member that was told everything.
    async fn member(&self, group: &str, name: &str) -> Client {
        let (mut client, joined) = self.join(name, group, name).await;
        assert_eq!(joined["kind"], "join", "{joined}");
        client.settle().await;
        client
    }

    fn file(&self) -> String {
        fs::read_to_string(self.site.path("data/var/tokens.jsonl")).unwrap_or_default()
    }

    fn store(&self) -> TokenStore {
        TokenStore::new(self.site.path("data/var/tokens.jsonl"))
    }
}

/// The reply to an action on tokens: its `error` (null for none) and its value.
async fn ask(client: &mut Client, action: &str, value: Value) -> (Value, Value) {
    client.act_on_group(action, value).await;
    let kind = if action == "listtokens" {
        "tokenlist"
    } else {
        "token"
    };
    // Others may come and go meanwhile.
    let mut reply = client.until(|message| message["type"] != "user").await;
    let fields = reply.as_object_mut().unwrap();
    let error = fields.remove("error").unwrap_or_default();
    let value = fields.remove("value").unwrap_or_default();
    assert_eq!(
        reply,
        json!({"type": "usermessage", "kind": kind, "privileged": true})
    );
    (error, value)
}

async fn granted(client: &mut Client, action: &str, value: Value) -> Value {
    let (error, value) = ask(client, action, value).await;
    assert_eq!(error, Value::Null, "{value}");
    value
}

async fn refused(client: &mut Client, action: &str, value: Value) -> String {
    let shown = value.to_string();
    let (error, value) = ask(client, action, value).await;
    let text = value.as_str().unwrap_or_else(|| panic!("{shown}: {value}"));
    let code = if text == "not authorised" {
        "not-authorised"
    } else {
        "error"
    };
    assert_eq!(error, code, "{shown}: {text}");
    text.to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn an_invitation() {
    let place = place().await;
    let mut vimes = place.member("watch", "vimes").await;
    let mut token = granted(
        &mut vimes,
        "maketoken",
        json!({"group": "watch", "expires": 3_600_000, "permissions": ["present", "message"]}),
    )
    .await;
    // What the client is told is what stands in the file.
    let line: Value = serde_json::from_str(place.file().trim()).unwrap();
    assert_eq!(line, token);
    let path = place.site.path("data/var/tokens.jsonl");
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let secret = text(&token["token"].take()).to_owned();
    let time = |name: &str| text(&token[name]).parse::<Timestamp>().unwrap();
    let life = time("expires").duration_since(time("issuedAt"));
    assert_eq!(life.as_secs(), 3600);
    assert!(
        time("issuedAt").duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(30)
    );
    token
        .as_object_mut()
        .unwrap()
        .retain(|name, _| name != "expires" && name != "issuedAt");
    assert_eq!(
        token,
        json!({"token": null, "group": "watch", "permissions": ["present", "message"],
               "issuedBy": "vimes"})
    );

    let joined = place.enter("watch", &secret, Some("nobby")).await;
    assert_eq!(joined["kind"], "join", "{joined}");
    assert_eq!(joined["username"], "nobby");
    assert_eq!(joined["permissions"], json!(["present", "message"]));

    // No name at all: the client asks its user.
    let nameless = place.enter("watch", &secret, None).await;
    assert_eq!(
        nameless,
        json!({"type": "joined", "kind": "fail", "group": "watch", "username": "",
               "error": "need-username", "value": "username required"})
    );
    let taken = place.enter("watch", &secret, Some("fred")).await;
    assert_eq!(taken["error"], "duplicate-username");
    assert_eq!(taken["value"], "not authorised: this username is taken");
    for (group, token, name) in [
        ("free", secret.as_str(), "nobby"),
        ("watch", "nonsense", "nobby"),
        ("watch", &secret[1..], "nobby"),
        ("watch", &secret, "../nobby"),
    ] {
        assert_not_authorised(&place.enter(group, token, Some(name)).await, token);
    }
}

#[tokio::test]
async fn what_a_token_may_say() {
    let place = place().await;
    let mut vimes = place.member("watch", "vimes").await;
    let good = json!({"group": "watch", "expires": 1000});
    for (field, value, reason) in [
        ("token", json!("mine"), "client specified token"),
        ("group", json!("free"), "wrong group in token"),
        ("group", json!(null), "wrong group in token"),
        ("group", json!(""), "wrong group in token"),
        ("expires", json!(null), "token doesn't expire"),
        ("expires", json!("tomorrow"), "bad time value"),
        ("expires", json!(1e300), "bad time value"),
        ("expires", json!([]), "bad time value"),
        ("not-before", json!(true), "bad time value"),
        ("username", json!("fred"), "that username is taken"),
        ("username", json!(7), "bad string value"),
        ("username", json!("a/../b"), "bad string value"),
        ("permissions", json!("op"), "bad string list"),
        ("permissions", json!(["op", 7]), "bad string list"),
        ("permissions", json!(["admin"]), "not authorised"),
        ("includeSubgroups", json!("yes"), "bad boolean value"),
    ] {
        let mut wish = good.clone();
        wish[field] = value;
        assert_eq!(
            refused(&mut vimes, "maketoken", wish.clone()).await,
            reason,
            "{wish}"
        );
    }
    for value in [json!(null), json!([]), json!("x"), json!(7)] {
        assert_eq!(
            refused(&mut vimes, "maketoken", value).await,
            "bad token value"
        );
    }
    assert_eq!(place.file(), "", "nothing of this was kept");

    let later = Timestamp::now() + SignedDuration::from_secs(3600);
    let mut wish = good;
    wish["expires"] = later.to_string().into();
    wish["username"] = "nobby".into();
    let token = granted(&mut vimes, "maketoken", wish).await;
    assert_eq!(token["permissions"], Value::Null);
    assert_eq!(text(&token["expires"]).parse::<Timestamp>().unwrap(), later);
    let joined = place
        .enter("watch", text(&token["token"]), Some("colon"))
        .await;
    assert_eq!(
        (&joined["username"], joined.get("permissions")),
        (&json!("nobby"), None)
    );
}

/// Role × action.
#[tokio::test]
async fn who_may_do_what() {
    let place = place().await;
    // Permissions, may make, may edit and list.
    for (group, name, make, rest) in [
        ("watch", "vimes", true, true),
        ("watch", "fred", false, false),
        ("watch", "cheery", true, false),
        ("watch", "rufus", false, false),
        ("watch", "havelock", true, true),
        ("free", "fred", true, false),
    ] {
        let mut client = place.member(group, name).await;
        let wish = json!({"group": group, "expires": 60_000});
        let (error, _) = ask(&mut client, "maketoken", wish).await;
        assert_eq!(error.is_null(), make, "{group} {name} maketoken: {error}");
        let (error, _) = ask(&mut client, "listtokens", json!(null)).await;
        assert_eq!(error.is_null(), rest, "{group} {name} listtokens: {error}");
        let edit = json!({"token": "none", "expires": 0});
        let (error, text) = ask(&mut client, "edittoken", edit).await;
        let expected = if rest {
            json!("file does not exist")
        } else {
            json!("not authorised")
        };
        assert_eq!(text, expected, "{group} {name}");
        assert!(!error.is_null());
    }
    // None gives away what it has not.
    let mut cheery = place.member("watch", "cheery").await;
    let wish = json!({"group": "watch", "expires": 60_000, "permissions": ["present"]});
    assert_eq!(
        refused(&mut cheery, "maketoken", wish).await,
        "not authorised"
    );
}

#[tokio::test]
async fn edited_and_listed() {
    let place = place().await;
    let mut vimes = place.member("watch", "vimes").await;
    let make = async |client: &mut Client, group: &str, expires: i64| {
        let token = granted(
            client,
            "maketoken",
            json!({"group": group, "expires": expires}),
        )
        .await;
        text(&token["token"]).to_owned()
    };
    let late = make(&mut vimes, "watch", 7_200_000).await;
    let soon = make(&mut vimes, "watch", 3_600_000).await;
    let mut fred = place.member("free", "fred").await;
    let other = make(&mut fred, "free", 3_600_000).await;
    let list = async |client: &mut Client| -> Vec<String> {
        let list = granted(client, "listtokens", json!(null)).await;
        let tokens = list.as_array().unwrap();
        tokens
            .iter()
            .map(|token| text(&token["token"]).to_owned())
            .collect()
    };
    assert_eq!(list(&mut vimes).await, [soon.as_str(), &late]);

    for (edit, reason) in [
        (json!({"token": soon}), "trying to edit nothing"),
        (
            json!({"token": soon, "expires": 1, "username": "x"}),
            "this field cannot be edited",
        ),
        (
            json!({"token": soon, "expires": 1, "permissions": []}),
            "this field cannot be edited",
        ),
        (
            json!({"token": soon, "expires": 1, "not-before": 1}),
            "this field cannot be edited",
        ),
        (
            json!({"token": soon, "expires": 1, "group": "free"}),
            "this field cannot be edited",
        ),
        (
            json!({"token": "unknown", "expires": 1}),
            "file does not exist",
        ),
        (json!({"expires": 1}), "file does not exist"),
        // Of another group: as if there were none.
        (json!({"token": other, "expires": 1}), "file does not exist"),
        (json!({"token": 3, "expires": 1}), "bad string value"),
        (json!([]), "bad token value"),
    ] {
        assert_eq!(
            refused(&mut vimes, "edittoken", edit.clone()).await,
            reason,
            "{edit}"
        );
    }
    let edit = json!({"token": soon, "group": "watch", "expires": 9_000_000});
    let edited = granted(&mut vimes, "edittoken", edit).await;
    assert_eq!(edited["token"], soon.as_str());
    assert_eq!(edited["issuedBy"], "vimes");
    assert_eq!(list(&mut vimes).await, [late.as_str(), &soon]);

    // Revoked: it is still listed, and lets no one in.
    let joined = place.enter("watch", &late, Some("nobby")).await;
    assert_eq!(joined["kind"], "join", "{joined}");
    granted(
        &mut vimes,
        "edittoken",
        json!({"token": late, "expires": -1000}),
    )
    .await;
    assert_not_authorised(&place.enter("watch", &late, Some("nobby")).await, "revoked");
    assert_eq!(list(&mut vimes).await.len(), 2);
    let joined = place.enter("free", &other, Some("nobby")).await;
    assert_eq!(
        joined["kind"], "join",
        "nothing happened to the other group's: {joined}"
    );
}

/// An operator who could read or renew such a token would be an administrator by it.
#[tokio::test]
async fn tokens_of_administrators_are_not_for_operators() {
    let place = place().await;
    let expires = Some(Timestamp::now() + SignedDuration::from_hours(1));
    let admin = json!(["admin"]);
    let token = Token {
        token: "for-the-api".into(),
        group: "watch".into(),
        permissions: serde_json::from_value(admin).unwrap(),
        expires,
        ..Token::default()
    };
    place.store().create(token).unwrap();
    let mut vimes = place.member("watch", "vimes").await;
    assert_eq!(
        granted(&mut vimes, "listtokens", json!(null)).await,
        json!([])
    );
    let edit = json!({"token": "for-the-api", "expires": 1});
    assert_eq!(
        refused(&mut vimes, "edittoken", edit).await,
        "file does not exist"
    );
    let mut havelock = place.member("watch", "havelock").await;
    let list = granted(&mut havelock, "listtokens", json!(null)).await;
    assert_eq!(list[0]["token"], "for-the-api");
}

#[tokio::test]
async fn hierarchical_and_global_tokens() {
    let place = place().await;
    let expires = Some(Timestamp::now() + SignedDuration::from_hours(1));
    for (name, group) in [("whole", "yard"), ("global", "")] {
        let token = Token {
            token: name.into(),
            group: group.into(),
            include_subgroups: true,
            username: Some("patrician".into()),
            expires,
            ..Token::default()
        };
        place.store().create(token).unwrap();
    }
    let plain = Token {
        token: "plain".into(),
        group: "yard".into(),
        expires,
        ..Token::default()
    };
    place.store().create(plain).unwrap();
    for (group, token, good) in [
        ("yard", "whole", true),
        ("yard/own", "whole", true),
        ("yard/auto/matic", "whole", true),
        ("tree", "whole", false),
        ("tree", "global", true),
        ("yard/own", "global", true),
        ("yard", "plain", true),
        ("yard/own", "plain", false),
    ] {
        let reply = place.enter(group, token, Some("patrician")).await;
        assert_eq!(reply["kind"] == "join", good, "{group} {token}: {reply}");
    }
    // Operators may open the subgroups that are made when someone comes, but none that has a
    // file and so operators of its own.
    let mut vimes = place.member("tree", "vimes").await;
    let wish = |group: &str| json!({"group": group, "expires": 60_000, "includeSubgroups": true});
    let token = granted(&mut vimes, "maketoken", wish("tree")).await;
    assert_eq!(token["includeSubgroups"], true);
    let reply = place
        .enter("tree/a", text(&token["token"]), Some("nobby"))
        .await;
    assert_eq!(reply["kind"], "join", "{reply}");
    for group in ["yard", "watch"] {
        let mut vimes = place.member(group, "vimes").await;
        let reason = refused(&mut vimes, "maketoken", wish(group)).await;
        assert!(reason.contains("no subgroups"), "{reason}");
    }
}

#[tokio::test]
async fn times_of_a_token() {
    let place = place().await;
    let at = |seconds: i64| Some(Timestamp::now() + SignedDuration::from_secs(seconds));
    for (name, not_before, expires, good) in [
        ("good", at(-60), at(60), true),
        ("expired", None, at(-1), false),
        ("never", None, None, false),
        ("early", at(60), at(120), false),
    ] {
        let token = Token {
            token: name.into(),
            group: "watch".into(),
            not_before,
            expires,
            ..Token::default()
        };
        place.store().create(token).unwrap();
        let reply = place.enter("watch", name, Some("nobby")).await;
        assert_eq!(reply["kind"] == "join", good, "{name}: {reply}");
    }
}

/// A file that Galène wrote, edited by hand while the server runs.
#[tokio::test]
async fn the_file_may_change_under_the_server() {
    let line = |name: &str| {
        json!({"token": name, "group": "watch", "permissions": ["present"],
               "expires": "2099-01-01T00:00:00+02:00", "issuedAt": "2026-01-01T00:00:00.123456789Z",
               "issuedBy": "vimes"})
        .to_string()
    };
    let file = format!("{}\n{{broken\n{}\n", line("one"), line("two"));
    let place = Place::start(&[
        ("groups/watch.json", GROUP),
        ("data/var/tokens.jsonl", &file),
    ])
    .await;
    for token in ["one", "two"] {
        let reply = place.enter("watch", token, Some("nobby")).await;
        assert_eq!(reply["kind"], "join", "{token}: {reply}");
    }
    place
        .site
        .write("data/var/tokens.jsonl", &format!("{}\n", line("six")));
    let reply = place.enter("watch", "six", Some("nobby")).await;
    assert_eq!(reply["kind"], "join", "{reply}");
    assert_not_authorised(&place.enter("watch", "one", Some("nobby")).await, "removed");
}

#[tokio::test]
async fn tokens_that_expired_long_ago_are_forgotten_at_start() {
    let ago = |days: i64| Timestamp::now() - SignedDuration::from_hours(24 * days);
    let line = |name: &str, days| {
        json!({"token": name, "group": "watch", "permissions": null,
               "expires": ago(days).to_string()})
    };
    let file = format!("{}\n{}\n", line("six", 6), line("eight", 8));
    let place = Place::start(&[
        ("groups/watch.json", GROUP),
        ("data/var/tokens.jsonl", &file),
    ])
    .await;
    eventually("the old token goes", || !place.file().contains("eight")).await;
    assert!(place.file().contains("six"));
}
