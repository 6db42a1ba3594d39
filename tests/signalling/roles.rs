//! What each role may do: one table, to be compared with the manual.

use crate::harness::{Client, Server};
use crate::streams::PLAIN;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// `y` may, `.` may not; `P` may, and the receiver is told that an operator said it.
///
/// `record` and `invite` are `op` and `present` in a group with `allow-recording` and
/// `unrestricted-tokens`; `none` is the empty array of permissions.
const TABLE: &str = "
                      op  record present invite message observe caption admin none
    chat              P   P      y       y      y       .       .       .     .
    private chat      P   P      y       y      y       .       .       .     .
    caption           P   P      .       .      .       .       y       .     .
    mute              P   P      y       y      y       .       .       .     .
    warn              P   P      y       y      y       .       .       .     .
    publish           y   y      y       y      .       .       .       .     .
    setdata own       y   y      y       y      y       y       y       y     y
    setdata other     .   .      .       .      .       .       .       .     .
    op                y   y      .       .      .       .       .       .     .
    unop              y   y      .       .      .       .       .       .     .
    present           y   y      .       .      .       .       .       .     .
    unpresent         y   y      .       .      .       .       .       .     .
    shutup            y   y      .       .      .       .       .       .     .
    unshutup          y   y      .       .      .       .       .       .     .
    kick              y   y      .       .      .       .       .       .     .
    ban               y   y      .       .      .       .       .       .     .
    identify          y   y      .       .      .       .       .       .     .
    admit             y   y      .       .      .       .       .       .     .
    refuse            y   y      .       .      .       .       .       .     .
    group lock        y   y      .       .      .       .       .       .     .
    group unlock      y   y      .       .      .       .       .       .     .
    group clearchat   y   y      .       .      .       .       .       .     .
    group setdata     y   y      .       .      .       .       .       .     .
    group subgroups   y   y      .       .      .       .       .       .     .
    group admit       y   y      .       .      .       .       .       .     .
    group ban         y   y      .       .      .       .       .       .     .
    group unban       y   y      .       .      .       .       .       .     .
    group bans        y   y      .       .      .       .       .       .     .
    group record      .   y      .       .      .       .       .       .     .
    group unrecord    .   y      .       .      .       .       .       .     .
    group maketoken   y   y      .       y      .       .       .       .     .
    group edittoken   y   y      .       .      .       .       .       .     .
    group listtokens  y   y      .       .      .       .       .       .     .
    join locked       y   y      .       .      .       .       .       .     .
    join full         y   y      .       .      .       .       .       .     .
    join future       y   y      .       .      .       .       .       .     .
    join past         y   y      .       .      .       .       .       .     .
    join autokick     y   y      .       .      .       .       .       .     .
    join lobby        y   y      .       .      .       .       .       .     .
";

/// A group where everyone has the permissions of `role`; `fields` of its description.
fn group(role: &str, fields: &str) -> String {
    let (permissions, more) = match role {
        "record" => ("\"op\"".to_owned(), "\"allow-recording\": true,"),
        "invite" => ("\"present\"".to_owned(), "\"unrestricted-tokens\": true,"),
        "none" => ("[]".to_owned(), ""),
        role => (format!("{role:?}"), ""),
    };
    format!(
        r#"{{{fields} {more} "users": {{
            "actor": {{"password": "x", "permissions": {permissions}}},
            "target": {{"password": "x", "permissions": "present"}}}}}}"#
    )
}

#[tokio::test]
async fn what_each_role_may_do() {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let roles: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let rows: Vec<(&str, &str)> = lines.map(|line| line.split_at(22)).collect();
    let mut files = Vec::new();
    for role in &roles {
        let variants = [
            ("", ""),
            ("-locked", r#""autolock": true,"#),
            ("-full", r#""max-clients": 1,"#),
            ("-future", r#""not-before": "2999-01-01T00:00:00Z","#),
            ("-past", r#""expires": "2001-01-01T00:00:00Z","#),
            ("-autokick", r#""autokick": true,"#),
            ("-lobby", r#""lobby": true,"#),
        ];
        for (suffix, fields) in variants {
            files.push((format!("{role}{suffix}.json"), group(role, fields)));
        }
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, json)| (name.as_str(), json.as_str()))
        .collect();
    let server = Server::start(&files).await;

    let columns = roles.iter().map(async |role| {
        let mut column = Vec::new();
        for (action, _) in &rows {
            let action = action.trim();
            column.push(match action.strip_prefix("join ") {
                Some(door) => join(&server, &format!("{role}-{door}")).await,
                None => act(&server, role, action).await,
            });
        }
        column
    });
    let columns = join_all(columns).await;
    for (index, (action, expected)) in rows.iter().enumerate() {
        let outcome: Vec<&str> = columns.iter().map(|column| column[index]).collect();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(outcome, expected, "{action}, of {roles:?}");
    }
}

/// Whether the actor comes in at once.
async fn join(server: &Server, group: &str) -> &'static str {
    let mut actor = server.greet("actor").await;
    let mut target = server.greet("target").await;
    if group.ends_with("-full") {
        assert_eq!(target.join(group, "target", "x").await["kind"], "join");
    }
    match actor.join(group, "actor", "x").await["kind"].as_str() {
        Some("join") => "y",
        Some("fail" | "info") => ".",
        other => panic!("{other:?}"),
    }
}

async fn act(server: &Server, group: &str, action: &str) -> &'static str {
    let (mut actor, mut target) = (server.greet("actor").await, server.greet("target").await);
    for (client, name) in [(&mut actor, "actor"), (&mut target, "target")] {
        assert_eq!(client.join(group, name, "x").await["kind"], "join");
    }
    target.settle().await;
    actor.settle().await;
    actor.send(message(&actor, action)).await;
    let told = actor.settle().await;
    let refused = |message: &Value| {
        let error = message["kind"] == "error" || message["error"] == "not-authorised";
        let texts = ["not authorised", "recording is not allowed in this group"];
        error && texts.iter().any(|text| message["value"] == *text)
    };
    let outcome = if told.iter().any(refused) {
        "."
    } else if ["chat", "private chat", "caption", "mute", "warn"].contains(&action) {
        let heard = target.next().await;
        assert_eq!(heard["source"], "actor", "{heard}");
        if heard["privileged"] == true {
            "P"
        } else {
            "y"
        }
    } else {
        "y"
    };
    // The next one finds the group as this one did, but for a ban.
    if outcome == "y" && action == "ban" {
        let ban = told.iter().find(|message| message["kind"] == "ban");
        let id = &ban.unwrap()["value"]["id"];
        actor.act_on_group("unban", id.clone()).await;
    }
    if outcome == "y" && action == "group lock" {
        actor.act_on_group("unlock", Value::Null).await;
    }
    actor.settle().await;
    for mut client in [actor, target] {
        let _ = client.socket.close(None).await;
    }
    let gone = || {
        let group = server.state.registry().get(group);
        group.is_none_or(|group| group.client_count() == 0)
    };
    crate::harness::eventually("both are gone", gone).await;
    outcome
}

fn message(actor: &Client, action: &str) -> Value {
    let value = match action {
        "setdata own" | "setdata other" | "group setdata" => json!({"a": 1}),
        "group ban" => json!({"username": "nobody", "expires": 1}),
        "group maketoken" => json!({}),
        "group edittoken" => json!({"token": "none"}),
        "ban" => json!({"by": ["username"], "expires": 600_000}),
        _ => Value::Null,
    };
    if let Some(kind) = action.strip_prefix("group ") {
        return actor.group_action(kind, &value);
    }
    match action {
        "chat" => json!({"type": "chat", "value": "x"}),
        "private chat" => json!({"type": "chat", "dest": "target", "value": "x"}),
        "caption" => json!({"type": "chat", "kind": "caption", "value": "x"}),
        "mute" => json!({"type": "usermessage", "kind": "mute", "dest": "target"}),
        "warn" => json!({"type": "usermessage", "kind": "warning", "dest": "target", "value": "x"}),
        "publish" => json!({"type": "offer", "id": "s", "label": "camera", "sdp": PLAIN}),
        "setdata own" => actor.user_action("setdata", "actor", &value),
        "setdata other" => actor.user_action("setdata", "target", &value),
        kind => actor.user_action(kind, "target", &value),
    }
}
