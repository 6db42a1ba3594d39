#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(content: &str) -> (tempfile::TempDir, IceServers) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ice-servers.json");
    std::fs::write(&path, content).unwrap();
    let servers = IceServers::open(path);
    (folder, servers)
}

/// The examples of Galène's installation manual.
#[test]
fn what_galene_reads() {
    let (_folder, servers) = open(
        r#"[{"urls": ["stun:stun.example.org"]},
            {"urls": ["turn:turn.example.org:443", "turn:turn.example.org:443?transport=tcp"],
             "username": "galene", "credential": "secret"},
            {"urls": "turns:turn.example.org", "username": "galene", "credential": "secret",
             "credentialType": "hmac-sha1"},
            {"urls": ["turn:turn.example.org"], "credential": "secret",
             "credentialType": "hmac-sha1"}]"#,
    );
    // printf 1600086400:galene | openssl dgst -sha1 -hmac secret -binary | base64
    assert_eq!(
        servers.configuration(at(1_600_000_000)),
        json!({"iceServers": [
            {"urls": ["stun:stun.example.org"]},
            {"urls": ["turn:turn.example.org:443", "turn:turn.example.org:443?transport=tcp"],
             "username": "galene", "credential": "secret"},
            {"urls": ["turns:turn.example.org"], "username": "1600086400:galene",
             "credential": "fTGgHYpKyWTnw45vyhfqr24dTFg="},
            {"urls": ["turn:turn.example.org"], "username": "1600086400",
             "credential": "N0hJnjNv6MR73b3FtamTQ+xXIiQ="},
        ]})
    );
    assert_ne!(
        servers.configuration(at(1_600_000_000)),
        servers.configuration(at(1_600_000_001))
    );
}

#[test]
fn without_a_file_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let servers = IceServers::open(folder.path().join("ice-servers.json"));
    assert_eq!(servers.configuration(at(0)), json!({}));
}

#[test]
fn a_broken_file_is_refused_with_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ice-servers.json");
    for (content, line, reason) in [
        ("[\n{]", 2, "key must be a string"),
        ("{}", 1, "sequence"),
        ("[\n{}]", 2, "urls"),
        (
            "[{\"urls\": [\"stun:a\"]},\n{\"urls\": [\"http://a\"]}]",
            2,
            "http://a",
        ),
        ("[{\"urls\": []}]", 1, "without URLs"),
        ("[{\"urls\": [\"turn:a\"]}]", 1, "credential"),
        (
            "[{\"urls\": \"turn:a\", \"username\": \"a\", \"credential\": \"b\",\n\
           \"credentialType\": \"magic\"}]",
            2,
            "magic",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = read(&path).unwrap_err().to_string();
        let place = format!("ice-servers.json, line {line}: ");
        assert!(
            error.contains(&place) && error.contains(reason),
            "{content}: {error}"
        );
    }
}

#[test]
fn the_last_good_version_stays() {
    let (folder, servers) = open(r#"[{"urls": "stun:one.example"}]"#);
    let write = |content: &str| {
        std::fs::write(folder.path().join("ice-servers.json"), content).unwrap();
        servers.refresh();
        servers.configuration(at(0))
    };
    let one = json!({"iceServers": [{"urls": ["stun:one.example"]}]});
    assert_eq!(write("[{"), one);
    assert_eq!(
        write(r#"[{"urls": "stun:second.example"}]"#),
        json!({"iceServers": [{"urls": ["stun:second.example"]}]})
    );
    std::fs::remove_file(folder.path().join("ice-servers.json")).unwrap();
    servers.refresh();
    assert_eq!(servers.configuration(at(0)), json!({}));
}

#[test]
fn secrets_are_not_shown() {
    let (_folder, servers) = open(r#"[{"urls": "turn:a", "username": "a", "credential": "hush"}]"#);
    assert!(!format!("{servers:?}").contains("hush"));
}
