use super::Password;
use serde_json::json;

fn password(value: serde_json::Value) -> Password {
    serde_json::from_value(value).unwrap()
}

#[test]
fn plain() {
    for password in [
        password(json!("sybil")),
        password(json!({"type": "plain", "key": "sybil"})),
    ] {
        assert!(password.matches("sybil"));
        assert!(!password.matches("sybi"));
        assert!(!password.matches(""));
        assert!(!password.is_slow());
    }
    assert!(password(json!("")).matches(""), "an empty password is one");
}

#[test]
fn wildcard() {
    let any = password(json!({"type": "wildcard"}));
    assert!(any.matches(""));
    assert!(any.matches("whatever"));
}

/// RFC 7914, section 11: PBKDF2-HMAC-SHA-256 ("passwd", "salt", 1).
#[test]
fn pbkdf2() {
    let hashed = password(json!({
        "type": "pbkdf2",
        "hash": "sha-256",
        "key": "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        "salt": "73616c74",
        "iterations": 1,
    }));
    assert!(hashed.is_slow());
    assert!(hashed.matches("passwd"));
    assert!(!hashed.matches("salt"));
    let json = serde_json::to_value(&hashed).unwrap();
    assert_eq!(password(json), hashed, "survives being written");
}

#[test]
fn pbkdf2_of_a_known_password() {
    // hashlib.pbkdf2_hmac("sha256", b"sybil", bytes.fromhex("92bff2ace56fe38f"), 4096)
    let hashed = password(json!({
        "type": "pbkdf2",
        "hash": "sha-256",
        "key": "cf36ea51f9ed07a51b50942591a89f1a5643864d4dd7d70b495e8c82c3cb5663",
        "salt": "92bff2ace56fe38f",
        "iterations": 4096,
    }));
    assert!(hashed.matches("sybil"));
    assert!(!hashed.matches("Sybil"));
}

#[test]
fn bcrypt() {
    let key = bcrypt::hash("lagniappe", 4).unwrap();
    let hashed = password(json!({"type": "bcrypt", "key": key}));
    assert!(hashed.is_slow());
    assert!(hashed.matches("lagniappe"));
    assert!(!hashed.matches("lagniappes"));
    // The prefix that Go writes.
    let go = key.replacen("$2b$", "$2a$", 1);
    assert!(password(json!({"type": "bcrypt", "key": go})).matches("lagniappe"));
}

/// The test vector of the reference implementation for 2 rounds and 256 KiB.
#[test]
fn argon2id() {
    let key =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let hashed = password(json!({"type": "argon2id", "key": key}));
    assert!(hashed.is_slow());
    assert!(hashed.matches("password"));
    assert!(!hashed.matches("Password"));
    assert!(!hashed.matches(""));
    let json = serde_json::to_value(&hashed).unwrap();
    assert_eq!(json, json!({"type": "argon2id", "key": key}));
    assert_eq!(password(json), hashed, "survives being written");
}

#[test]
fn an_unusable_password_lets_no_one_in() {
    for bad in [
        json!({}),
        json!({"type": "rot13", "key": "x"}),
        json!({"type": "pbkdf2", "hash": "md5", "key": "00", "iterations": 1}),
        json!({"type": "pbkdf2", "hash": "sha-256", "key": "", "iterations": 1}),
        json!({"type": "pbkdf2", "hash": "sha-256", "key": "00", "iterations": 0}),
        json!({"type": "pbkdf2", "hash": "sha-256", "key": "zz", "iterations": 1}),
        json!({"type": "bcrypt", "key": "x"}),
        json!({"type": "plain"}),
        json!({"type": "argon2id"}),
        json!({"type": "argon2id", "key": "$argon2id$"}),
        json!({"type": "argon2id", "key": "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ"}),
        // Of another kind, and of one that would take all the memory of the machine.
        json!({"type": "argon2id",
               "key": "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"}),
        json!({"type": "argon2id",
               "key": "$argon2id$v=19$m=4000000000,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"}),
    ] {
        let password = password(bad.clone());
        assert!(matches!(password, Password::Unusable { .. }), "{bad}");
        assert!(!password.matches(""));
        assert!(!password.matches("x"));
        assert_eq!(
            serde_json::to_value(&password).unwrap(),
            bad,
            "is written back as it was"
        );
    }
    assert!(serde_json::from_value::<Password>(json!(3)).is_err());
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", password(json!("sybil"))), "Plain(…)");
}
