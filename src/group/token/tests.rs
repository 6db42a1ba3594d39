#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::group::disk::Expected;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn token(name: &str, group: &str, expires: &str) -> Token {
    Token {
        token: name.into(),
        group: group.into(),
        expires: Some(at(expires)),
        ..Token::default()
    }
}

fn store() -> (tempfile::TempDir, TokenStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = TokenStore::new(folder.path().join("var/tokens.jsonl"));
    (folder, store)
}

fn names(tokens: &Tokens) -> Vec<&str> {
    tokens.tokens.iter().map(|t| t.token.as_str()).collect()
}

#[test]
fn a_line_of_galene_is_understood_and_written_back() {
    let line = r#"{"token":"4X5Oe3cEM0k","group":"city-watch","includeSubgroups":true,"username":"nobby","permissions":["present","message"],"expires":"2026-08-01T12:00:00.5+02:00","not-before":"2026-07-01T00:00:00Z","issuedAt":"2026-06-30T08:00:00Z","issuedBy":"vimes","later":[1]}"#;
    let token: Token = serde_json::from_str(line).unwrap();
    assert_eq!(token.username.as_deref(), Some("nobby"));
    assert_eq!(token.expires, Some(at("2026-08-01T10:00:00.5Z")));
    assert_eq!(
        serde_json::to_string(&token).unwrap(),
        line.replace("12:00:00.5+02:00", "10:00:00.5Z")
    );
    let least: Token =
        serde_json::from_str(r#"{"token":"a","group":"g","permissions":null,"expires":null}"#)
            .unwrap();
    assert_eq!(
        serde_json::to_string(&least).unwrap(),
        r#"{"token":"a","group":"g","permissions":null,"expires":null}"#
    );
}

#[test]
fn whom_it_is_for() {
    let is_for = |own: &str, include_subgroups: bool, group: &str| {
        Token {
            include_subgroups,
            ..token("t", own, "2026-01-01T00:00:00Z")
        }
        .is_for(group)
    };
    assert!(is_for("a", false, "a"));
    assert!(!is_for("a", false, "a/b"));
    assert!(is_for("a", true, "a"));
    assert!(is_for("a", true, "a/b/c"));
    assert!(!is_for("a", true, "ab"));
    assert!(!is_for("a/b", true, "a"));
    assert!(is_for("", true, "a/b"));
    assert!(!is_for("", false, "a"));
    assert!(!is_for("", false, ""));
}

#[test]
fn when_it_is_good() {
    let mut token = token("t", "g", "2026-01-02T00:00:00Z");
    assert!(token.is_valid_at(at("2026-01-01T00:00:00Z")));
    assert!(!token.is_valid_at(at("2026-01-02T00:00:01Z")));
    token.not_before = Some(at("2026-01-01T12:00:00Z"));
    assert!(!token.is_valid_at(at("2026-01-01T00:00:00Z")));
    assert!(token.is_valid_at(at("2026-01-01T12:00:00Z")));
    token.expires = None;
    assert!(!token.is_valid_at(at("2026-01-01T12:00:00Z")));
}

#[test]
fn created_changed_listed_and_deleted() {
    let (folder, store) = store();
    let path = folder.path().join("var/tokens.jsonl");
    assert!(store.list(None).tokens.is_empty());
    store
        .create(token("late", "g", "2026-03-01T00:00:00Z"))
        .unwrap();
    store
        .create(token("soon", "g", "2026-02-01T00:00:00Z"))
        .unwrap();
    store
        .create(token("other", "h", "2026-01-01T00:00:00Z"))
        .unwrap();
    let again = store.create(token("soon", "h", "2026-02-01T00:00:00Z"));
    assert!(matches!(again, Err(TokenError::Exists)), "{again:?}");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names(&store.list(Some("g"))), ["soon", "late"]);

    let before = store.list(Some("g")).version;
    let seen = store.get("soon").unwrap().version();
    let postpone = |token: &mut Token| {
        token.token = "renamed".into();
        token.expires = Some(at("2026-04-01T00:00:00Z"));
        Ok::<(), TokenError>(())
    };
    store
        .update(
            "soon",
            Expected::OneOf(std::slice::from_ref(&seen)),
            postpone,
        )
        .unwrap();
    assert_eq!(names(&store.list(Some("g"))), ["late", "soon"]);
    assert_ne!(store.list(Some("g")).version, before);
    let stale = store.update(
        "soon",
        Expected::OneOf(std::slice::from_ref(&seen)),
        postpone,
    );
    assert!(
        matches!(stale, Err(TokenError::Conflict(Some(_)))),
        "{stale:?}"
    );
    let stale = store.delete("soon", Expected::OneOf(&[seen]));
    assert!(
        matches!(stale, Err(TokenError::Conflict(Some(_)))),
        "{stale:?}"
    );

    // Another server, or the same one after a restart, sees the same.
    let other = TokenStore::new(path.clone());
    assert_eq!(names(&other.list(None)), ["other", "late", "soon"]);
    other.delete("soon", Expected::Present).unwrap();
    assert!(store.get("soon").is_none());
    let gone = store.update("soon", Expected::Any, postpone);
    assert!(matches!(gone, Err(TokenError::DoesNotExist)), "{gone:?}");

    let new = || token("put", "g", "2026-02-01T00:00:00Z");
    assert!(store.put(new(), Expected::Absent).unwrap());
    assert!(matches!(
        store.put(new(), Expected::Absent),
        Err(TokenError::Conflict(_))
    ));
    assert!(!store.put(new(), Expected::Present).unwrap());
    for token in store.list(None).tokens {
        store.delete(&token.token, Expected::Any).unwrap();
    }
    assert!(
        !path.exists(),
        "without tokens there is no file, as in Galène"
    );
}

#[test]
fn a_broken_line_voids_itself_only_and_is_kept() {
    let (folder, store) = store();
    let path = folder.path().join("var/tokens.jsonl");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let good =
        |name: &str| serde_json::to_string(&token(name, "g", "2026-02-01T00:00:00Z")).unwrap();
    // The last line was cut off.
    let cut = &good("cut")[..40];
    fs::write(
        &path,
        format!("{}\n{{oops}}\n\n{}\n{cut}", good("a"), good("b")),
    )
    .unwrap();
    assert_eq!(names(&store.list(None)), ["a", "b"]);
    store
        .create(token("c", "g", "2026-02-01T00:00:00Z"))
        .unwrap();
    assert_eq!(
        names(&TokenStore::new(path.clone()).list(None)),
        ["a", "b", "c"]
    );
    store.delete("a", Expected::Any).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("{oops}\n") && text.contains(cut), "{text}");
    assert_eq!(names(&TokenStore::new(path).list(None)), ["b", "c"]);
}

#[test]
fn changes_by_others_are_seen() {
    let (folder, store) = store();
    let path = folder.path().join("var/tokens.jsonl");
    store
        .create(token("mine", "g", "2026-02-01T00:00:00Z"))
        .unwrap();
    let theirs = serde_json::to_string(&token("them", "g", "2026-02-01T00:00:00Z")).unwrap();
    // Of the same length.
    fs::write(&path, theirs + "\n").unwrap();
    assert_eq!(names(&store.list(None)), ["them"]);
    fs::remove_file(&path).unwrap();
    assert!(store.list(None).tokens.is_empty());
}

#[test]
fn expired_tokens_are_kept_for_seven_days() {
    let (_folder, store) = store();
    store
        .create(token("old", "g", "2026-01-01T00:00:00Z"))
        .unwrap();
    store
        .create(token("new", "g", "2026-01-02T00:00:00Z"))
        .unwrap();
    store
        .create(Token {
            expires: None,
            ..token("never", "g", "2026-01-01T00:00:00Z")
        })
        .unwrap();
    store.expire(at("2026-01-08T00:00:00Z")).unwrap();
    assert_eq!(names(&store.list(None)), ["never", "old", "new"]);
    store.expire(at("2026-01-08T00:00:01Z")).unwrap();
    assert_eq!(names(&store.list(None)), ["never", "new"]);
}

#[test]
fn two_servers_lose_nothing() {
    let (folder, _) = store();
    let path = folder.path().join("var/tokens.jsonl");
    std::thread::scope(|scope| {
        for server in 0..4 {
            let path = path.clone();
            scope.spawn(move || {
                let store = TokenStore::new(path);
                for number in 0..20 {
                    let name = format!("{server}-{number}");
                    store
                        .create(token(&name, "g", "2026-02-01T00:00:00Z"))
                        .unwrap();
                    if number % 3 == 0 {
                        store.delete(&name, Expected::Present).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(TokenStore::new(path).list(None).tokens.len(), 4 * 13);
}

#[test]
fn without_a_place_there_are_no_tokens() {
    let store = TokenStore::default();
    assert!(store.list(None).tokens.is_empty());
    let refused = store.create(token("a", "g", "2026-02-01T00:00:00Z"));
    assert!(matches!(refused, Err(TokenError::Nowhere)), "{refused:?}");
}

#[test]
fn the_secret_is_not_shown() {
    let shown = format!("{:?}", token("secret", "g", "2026-02-01T00:00:00Z"));
    assert!(!shown.contains("secret"), "{shown}");
    assert_ne!(Token::new_secret(), Token::new_secret());
    assert_eq!(Token::new_secret().len(), 22);
}

proptest::proptest! {
    // Each writes to the disk.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(50))]

    /// Whatever stands in the file: the good lines count, and nothing of the others is lost.
    #[test]
    fn any_garbage_between_good_lines(garbage in proptest::collection::vec("[^\n]{0,40}", 3)) {
        let (folder, store) = store();
        let path = folder.path().join("var/tokens.jsonl");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let good = |name: &str| {
            serde_json::to_string(&token(name, "g", "2026-02-01T00:00:00Z")).unwrap()
        };
        let [a, b, c] = garbage.as_slice() else { panic!("three") };
        let text = format!("{a}\n{}\n{b}\n{}\n{c}", good("one"), good("two"));
        fs::write(&path, text).unwrap();
        store.create(token("three", "g", "2026-03-01T00:00:00Z")).unwrap();
        store.delete("one", Expected::Any).unwrap();
        let tokens = TokenStore::new(path.clone()).list(None);
        proptest::prop_assert_eq!(names(&tokens), ["two", "three"]);
        let text = fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        for line in garbage {
            let line = line.as_bytes().trim_ascii();
            proptest::prop_assert!(line.is_empty() || lines.contains(&line));
        }
    }
}
