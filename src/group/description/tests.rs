use super::{Description, Remark};
use crate::group::Permissions;
use crate::media::Codec;
use std::time::Duration;

fn parse(json: &str) -> Description {
    Description::parse(json.as_bytes()).unwrap()
}

fn text(remarks: &[Remark]) -> String {
    let lines: Vec<String> = remarks.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn may(group: &Description, username: &str, password: &str) -> Option<Permissions> {
    group
        .login(username, password)
        .map(|(_, permissions)| permissions)
}

/// Every field of the manual of Galène 1.1.
const FULL: &str = r#"{
    "users": {"vimes": {"password": "sybil", "permissions": "op"}},
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"},
    "authKeys": [{"kty": "oct", "alg": "HS256", "k": "MYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGQ"}],
    "authServer": "https://auth.example.org",
    "authPortal": "https://auth.example.org/portal",
    "public": true,
    "displayName": "City Watch",
    "description": "The Watch",
    "contact": "vimes@example.org",
    "comment": "ask Carrot",
    "max-clients": 30,
    "max-history-age": 60,
    "not-before": "2026-01-01T00:00:00+02:00",
    "expires": "2027-01-01T00:00:00Z",
    "allow-recording": true,
    "unrestricted-tokens": true,
    "allow-anonymous": true,
    "auto-subgroups": true,
    "autolock": true,
    "autokick": true,
    "redirect": "https://example.org/",
    "codecs": ["vp9", "opus", "VP8", "vp9"]
}"#;

#[test]
fn every_field_is_known_and_survives() {
    let full = parse(FULL);
    assert_eq!(full.unknown.len(), 0);
    assert_eq!(full.max_clients, 30);
    assert_eq!(full.history_age(), Duration::from_secs(60));
    assert_eq!(full.not_before.unwrap().to_string(), "2025-12-31T22:00:00Z");
    assert_eq!(full.allowed_codecs(), [Codec::Vp9, Codec::Opus, Codec::Vp8]);
    let written = serde_json::to_string(&full).unwrap();
    assert_eq!(parse(&written), full);
    let mut before: serde_json::Value = serde_json::from_str(FULL).unwrap();
    before["not-before"] = "2025-12-31T22:00:00Z".into();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&written).unwrap(),
        before
    );
}

#[test]
fn an_empty_file_is_a_group_no_one_can_join() {
    let empty = parse("{}");
    assert_eq!(empty.allowed_codecs(), [Codec::Vp8, Codec::Opus]);
    assert_eq!(empty.history_age(), Duration::from_secs(4 * 3600));
    assert_eq!(may(&empty, "", ""), None);
    assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
    assert_eq!(
        parse("{\"users\": null, \"public\": null, \"max-clients\": null}"),
        empty
    );
    assert_eq!(parse("\u{feff}{}"), empty, "a byte order mark");
}

#[test]
fn what_is_unknown_is_told_and_kept() {
    let (odd, remarks) = Description::read(
        r#"{"colour": "red", "users": {"x": {"password": {"type": "rot13"}, "age": 3}}, "codecs": ["mp3"]}"#.as_bytes(),
    ).unwrap();
    insta::assert_snapshot!(text(&remarks), @r#"
    line 1: unknown field "colour" is ignored
    line 1: unknown field "age" of user "x" is ignored
    line 1: user "x" cannot log in, the password is unusable: unknown type "rot13"
    line 1: unknown codec "mp3" is ignored
    line 1: no codec is left: nothing can be published here
    "#);
    assert_eq!(serde_json::to_value(&odd).unwrap()["colour"], "red");
}

#[test]
fn errors_say_the_line() {
    let error = Description::parse(b"{\n  \"public\": true,\n  \"max-clients\": \"many\"\n}");
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("line 3") && text.contains("\"many\""),
        "{text}"
    );
    let text = Description::parse(b"{\n  \"public\": true,\n")
        .unwrap_err()
        .to_string();
    assert!(text.contains("line 3"), "{text}");
    for bad in [
        "",
        "[]",
        "null",
        "3",
        "{\"users\": {\"x\": {\"permissions\": \"king\"}}}",
    ] {
        assert!(Description::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_named_user_never_falls_back() {
    let group = parse(
        r#"{
            "users": {"vimes": {"password": "sybil", "permissions": "op"},
                      "nobby": {"permissions": "op"}},
            "wildcard-user": {"password": "1234", "permissions": "message"}
        }"#,
    );
    assert!(may(&group, "vimes", "sybil").unwrap().is_op());
    assert_eq!(may(&group, "vimes", "1234"), None);
    assert_eq!(may(&group, "nobby", "1234"), None, "no password of his own");
    assert_eq!(may(&group, "nobby", ""), None);
    assert_eq!(
        may(&group, "carrot", "1234"),
        Some(Permissions::new(["message"]))
    );
    assert_eq!(may(&group, "", "1234"), Some(Permissions::new(["message"])));
    assert_eq!(may(&group, "carrot", "sybil"), None);
}

#[test]
fn files_of_old_work() {
    let group = parse(
        r#"{
            "op": [{"username": "vimes", "password": "sybil"}, {"password": "ops"}],
            "presenter": [{"username": "carrot"}, {"username": "vimes", "password": "x"}],
            "other": [{}],
            "allow-subgroups": true
        }"#,
    );
    assert!(group.auto_subgroups);
    assert!(may(&group, "vimes", "sybil").unwrap().is_op());
    assert_eq!(may(&group, "vimes", "x"), None, "the first entry counts");
    assert_eq!(
        may(&group, "carrot", "any"),
        Some(Permissions::new(["present", "message"]))
    );
    assert!(may(&group, "nobby", "ops").unwrap().is_op());
    assert_eq!(
        may(&group, "nobby", "any"),
        Some(Permissions::new(["message"]))
    );
}

#[test]
fn typos_are_found_with_their_lines() {
    let file = br#"{
    "autolok": true,
    "max_clients": 3,
    "users": {
        "vimes": {
            "pasword": "sybil",
            "permissions": ["op", "presnt"]
        }
    },
    "wildcard-user": {
        "password": {"type": "wildcard"},
        "permission": "present"
    },
    "fallback-users": [
        {"password": "a"},
        {"password": "b", "users": {"public": 1}}
    ],
    "\u0070urple": {"colour": [1, {"x": "\"}"}]}
}"#;
    let (_, remarks) = Description::read(file).unwrap();
    insta::assert_snapshot!(text(&remarks), @r#"
    line 2: unknown field "autolok" is ignored (did you mean "autolock"?)
    line 3: unknown field "max_clients" is ignored (did you mean "max-clients"?)
    line 6: unknown field "pasword" of user "vimes" is ignored (did you mean "password"?)
    line 7: unknown permission "presnt" of user "vimes" (did you mean "present"?)
    line 12: unknown field "permission" of the wildcard user is ignored (did you mean "permissions"?)
    line 16: unknown field "users" of fallback user 2 is ignored
    line 18: unknown field "purple" is ignored
    "#);
}

/// Galène takes field names in any case, and the last of several.
#[test]
fn odd_spellings_mean_the_same() {
    let file = br#"{
    "PUBLIC": true,
    "displayname": "Watch",
    "comment": "first",
    "users": {"vimes": {"Password": "sybil", "PERMISSIONS": "op"}},
    "comment": "last",
    "Wildcard-User": {"permissions": "message"},
    "autolock": false,
    "AutoLock": true,
    "op": [{"userName": "carrot", "age": 3}]
}"#;
    let (description, remarks) = Description::read(file).unwrap();
    let usual = parse(
        r#"{"public": true, "displayName": "Watch", "comment": "last",
            "autolock": false, "AutoLock": true,
            "users": {"vimes": {"password": "sybil", "permissions": "op"},
                      "carrot": {"password": {"type": "wildcard"}, "permissions": "op", "age": 3}},
            "wildcard-user": {"permissions": "message"}}"#,
    );
    assert_eq!(description, usual);
    insta::assert_snapshot!(text(&remarks), @r#"
    line 2: "PUBLIC" is read as "public"
    line 3: "displayname" is read as "displayName"
    line 5: "PERMISSIONS" is read as "permissions"
    line 5: "Password" is read as "password"
    line 6: "comment" stands there twice: the last one counts
    line 7: "Wildcard-User" is read as "wildcard-user"
    line 9: unknown field "AutoLock" is ignored (did you mean "autolock"?)
    line 10: "userName" is read as "username"
    line 10: unknown field "age" of op is ignored
    line 10: op is read as users with the permissions "op": "carrot"
    "#);
    // What is wrong is still an error.
    let error = Description::read(br#"{"Public": true, "users": 7}"#);
    assert!(error.is_err());
    let error = Description::read(b"{\"comment\": \"\xff\"}");
    assert!(error.is_err());
}

/// File of old; what it becomes; what the log says of it.
#[test]
fn formats_of_old_are_upgraded_and_the_log_says_so() {
    let cases = [
        (
            r#"{"allow-subgroups": true}"#,
            r#"{"auto-subgroups": true}"#,
            "line 1: allow-subgroups is read as auto-subgroups",
        ),
        (
            r#"{"allow-anonymous": true}"#,
            r#"{"allow-anonymous": true}"#,
            "line 1: allow-anonymous has no effect: empty usernames are allowed",
        ),
        (
            "{\"op\": [{\"username\": \"a\", \"password\": \"p\"}],\n\"presenter\": [{}]}",
            r#"{"users": {"a": {"password": "p", "permissions": "op"}},
                "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
            "line 1: op is read as users with the permissions \"op\": \"a\"\n\
             line 2: presenter is read as users with the permissions \"present\": everyone else",
        ),
        (
            r#"{"op": [{"username": "a"}], "other": [{"username": "a", "password": "p"}]}"#,
            r#"{"users": {"a": {"password": {"type": "wildcard"}, "permissions": "op"}}}"#,
            "line 1: op is read as users with the permissions \"op\": \"a\"\n\
             line 1: other names the user \"a\" again: only the first counts",
        ),
        (
            r#"{"other": [{"password": "x"}, {"username": ""}]}"#,
            r#"{"wildcard-user": {"password": "x", "permissions": "message"},
                "fallback-users": [{"password": {"type": "wildcard"}, "permissions": "message"}]}"#,
            "line 1: other is read as users with the permissions \"message\": everyone else",
        ),
        (
            r#"{"fallback-users": [{"password": "x", "permissions": "observe"}]}"#,
            r#"{"wildcard-user": {"password": "x", "permissions": "observe"}}"#,
            "line 1: the first of fallback-users is read as wildcard-user",
        ),
        (
            r#"{"op": [], "presenter": null, "allow-subgroups": false}"#,
            "{}",
            "",
        ),
    ];
    for (old, new, log) in cases {
        let (description, remarks) = Description::read(old.as_bytes()).unwrap();
        assert_eq!(description, parse(new), "{old}");
        assert_eq!(text(&remarks), log, "{old}");
        let written = description.to_json().unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written).unwrap(),
            serde_json::from_str::<serde_json::Value>(new).unwrap(),
            "it is written in today's words"
        );
    }
}

#[test]
fn the_sanitised_view_shows_no_secret_and_loses_none() {
    let full = parse(&FULL.replacen('{', r#"{"pasword": "typo", "#, 1));
    let shown = full.sanitised();
    let text = shown.to_json().unwrap();
    for secret in ["sybil", "typo", "MYz3", "wildcard", "users"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(shown.is_sanitised() && !full.is_sanitised());
    assert!(shown.public && shown.auth_server == full.auth_server);
    let mut edited = parse(&text);
    edited.display_name = "Night Watch".to_owned();
    let mut after = full.clone();
    after.display_name = "Night Watch".to_owned();
    assert_eq!(edited.with_secrets_of(&full), after);
    let user = full.users["vimes"].sanitised();
    assert_eq!(
        serde_json::to_string(&user).unwrap(),
        r#"{"permissions":"op"}"#
    );
}

mod meaning;
