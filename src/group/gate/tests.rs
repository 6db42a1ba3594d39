#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::group::token::Token;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn administrators_of_the_server() {
    let gate = Gate::default();
    let hash = bcrypt::hash("lagniappe", 4).unwrap();
    let users: BTreeMap<String, UserDescription> = serde_json::from_value(json!({
        "vetinari": {"password": {"type": "bcrypt", "key": hash}, "permissions": "admin"},
        "drumknott": {"password": "ink", "permissions": ["admin"]},
        "vimes": {"password": "sybil", "permissions": "op"},
        "moist": {"permissions": "admin"},
    }))
    .unwrap();
    for (name, password, good) in [
        ("vetinari", "lagniappe", true),
        ("vetinari", "ink", false),
        ("vetinari", "", false),
        ("drumknott", "ink", true),
        ("vimes", "sybil", false),
        ("moist", "", false),
        ("", "", false),
    ] {
        let checked = gate.check_administrator(&users, name, password, None).await;
        assert_eq!(checked.is_ok(), good, "{name} {password}: {checked:?}");
    }
    // From one address not for ever.
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    for _ in 0..31 {
        let wrong = gate.check_administrator(&users, "vetinari", "wrong", Some(address));
        assert_eq!(wrong.await, Err(GroupError::NotAuthorised));
    }
    let spent = || {
        gate.penalties
            .lock()
            .unwrap()
            .verdict(address, Instant::now())
    };
    assert_ne!(spent(), Verdict::Now);
}

#[tokio::test]
async fn tokens_of_the_whole_server() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new(TokenStore::new(folder.path().join("tokens.jsonl")));
    let hour = SignedDuration::from_hours(1);
    for (name, group, include_subgroups, expires) in [
        ("root", "", true, Timestamp::now() + hour),
        ("expired", "", true, Timestamp::now() - hour),
        ("nowhere", "", false, Timestamp::now() + hour),
        ("one", "g", true, Timestamp::now() + hour),
    ] {
        let token = Token {
            token: name.into(),
            group: group.into(),
            include_subgroups,
            permissions: Some(Permissions::new(["admin"])),
            expires: Some(expires),
            ..Token::default()
        };
        gate.tokens().create(token).unwrap();
    }
    for (name, good) in [
        ("root", true),
        ("expired", false),
        ("nowhere", false),
        ("one", false),
        ("unknown", false),
        ("", false),
    ] {
        let checked = gate.check_root_token(name, None).await;
        assert_eq!(checked.is_ok_and(|own| own.has("admin")), good, "{name}");
    }
}
