//! The ICE servers that those who join are told of.

use super::Place;
use super::harness::eventually;
use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::{Value, json};

const GROUP: &str = r#"{"wildcard-user": {"password": {"type": "wildcard"}}}"#;

async fn told(place: &Place) -> Value {
    let (_client, joined) = place.join("1", "g", "nobby").await;
    assert_eq!(joined["kind"], "join", "{joined}");
    joined["rtcConfiguration"].clone()
}

#[tokio::test]
async fn they_follow_the_file() {
    let servers = r#"[
        {"urls": ["stun:stun.example.org"]},
        {"urls": ["turn:turn.example.org:443?transport=tcp"], "username": "galene",
         "credential": "secret", "credentialType": "hmac-sha1"}]"#;
    let place = Place::start(&[("groups/g.json", GROUP)]).await;
    assert_eq!(told(&place).await, json!({}));

    place.site.write("data/ice-servers.json", servers);
    let mut configuration = json!({});
    let deadline = std::time::Instant::now() + super::support::PATIENCE;
    while configuration == json!({}) && std::time::Instant::now() < deadline {
        configuration = told(&place).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let [stun, turn] = configuration["iceServers"].as_array().unwrap().as_slice() else {
        panic!("{configuration}");
    };
    assert_eq!(*stun, json!({"urls": ["stun:stun.example.org"]}));
    assert_eq!(
        turn["urls"],
        json!(["turn:turn.example.org:443?transport=tcp"])
    );
    // As a TURN server checks it.
    let username = turn["username"].as_str().unwrap();
    let (until, name) = username.split_once(':').unwrap();
    assert_eq!(name, "galene");
    let left = until.parse::<i64>().unwrap() - jiff::Timestamp::now().as_second();
    assert!((86_340..=86_400).contains(&left), "{left} s");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"secret");
    let credential = base64::engine::general_purpose::STANDARD
        .decode(turn["credential"].as_str().unwrap())
        .unwrap();
    hmac::verify(&key, username.as_bytes(), &credential).unwrap();

    // Another join, another credential.
    let first = username.to_owned();
    let deadline = std::time::Instant::now() + super::support::PATIENCE;
    while told(&place).await["iceServers"][1]["username"] == first.as_str() {
        assert!(std::time::Instant::now() < deadline, "it stays the same");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    // A broken one is named in the log, with its line, and changes nothing.
    place
        .site
        .write("data/ice-servers.json", "[\n{\"urls\": [\"http://x\"]}]");
    eventually("the broken file is named", || {
        super::harness::logged("ice-servers.json, line 2").len() == 1
    })
    .await;
    assert_eq!(
        told(&place).await["iceServers"].as_array().unwrap().len(),
        2
    );
}
