use super::Description;
use crate::group::Permissions;
use crate::media::Codec;
use std::time::Duration;

fn parse(json: &str) -> Description {
    Description::parse(json.as_bytes()).unwrap()
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
    assert_eq!(empty.login("", ""), None);
    assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
    assert_eq!(
        parse("{\"users\": null, \"public\": null, \"max-clients\": null}"),
        empty
    );
    assert_eq!(parse("\u{feff}{}"), empty, "a byte order mark");
}

#[test]
fn what_is_unknown_is_told_and_kept() {
    let odd = parse(
        r#"{"colour": "red", "users": {"x": {"password": {"type": "rot13"}, "age": 3}}, "codecs": ["mp3"]}"#,
    );
    insta::assert_snapshot!(odd.warnings().join("\n"), @r#"
    unknown field "colour" is ignored
    unknown field "age" of user "x" is ignored
    user "x" cannot log in, the password is unusable: unknown type "rot13"
    unknown codec "mp3" is ignored
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
    assert!(group.login("vimes", "sybil").unwrap().is_op());
    assert_eq!(group.login("vimes", "1234"), None);
    assert_eq!(group.login("nobby", "1234"), None, "no password of his own");
    assert_eq!(group.login("nobby", ""), None);
    assert_eq!(
        group.login("carrot", "1234"),
        Some(Permissions::new(["message"]))
    );
    assert_eq!(group.login("", "1234"), Some(Permissions::new(["message"])));
    assert_eq!(group.login("carrot", "sybil"), None);
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
    assert!(group.login("vimes", "sybil").unwrap().is_op());
    assert_eq!(group.login("vimes", "x"), None, "the first entry counts");
    assert_eq!(
        group.login("carrot", "any"),
        Some(Permissions::new(["present", "message"]))
    );
    assert!(group.login("nobby", "ops").unwrap().is_op());
    assert_eq!(
        group.login("nobby", "any"),
        Some(Permissions::new(["message"]))
    );
}
