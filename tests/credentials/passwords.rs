//! Passwords: the ways to keep them, and what happens to those who guess.

use super::harness::Client;
use super::{Place, assert_not_authorised, greet};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Of "password": the test vector of the reference implementation.
const ARGON2ID: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

/// One more failure is free in this time, after the first thirty.
const INTERVAL: Duration = Duration::from_secs(5);

fn other(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

fn hashed() -> Value {
    let bcrypt = bcrypt::hash("sybil", 6).unwrap();
    json!({"users": {
        "plain": {"password": "sybil", "permissions": "present"},
        "typed": {"password": {"type": "plain", "key": "sybil"}, "permissions": "present"},
        "pbkdf2": {"password": {"type": "pbkdf2", "hash": "sha-256",
            "key": "cf36ea51f9ed07a51b50942591a89f1a5643864d4dd7d70b495e8c82c3cb5663",
            "salt": "92bff2ace56fe38f", "iterations": 4096}, "permissions": "present"},
        "bcrypt": {"password": {"type": "bcrypt", "key": bcrypt}, "permissions": "present"},
        "argon2id": {"password": {"type": "argon2id", "key": ARGON2ID}, "permissions": "present"},
        "none": {"permissions": "present"},
        "broken": {"password": {"type": "argon2id", "key": "$argon2id$"}, "permissions": "op"},
    }})
}

#[tokio::test]
async fn every_kind_of_password() {
    let place = Place::start(&[("groups/g.json", &hashed().to_string())]).await;
    for name in [
        "plain", "typed", "pbkdf2", "bcrypt", "argon2id", "none", "broken", "unknown",
    ] {
        let good = !["none", "broken", "unknown"].contains(&name);
        let own = if name == "argon2id" {
            "password"
        } else {
            "sybil"
        };
        for (password, right) in [(own, good), ("Sybil", false), ("", false)] {
            let mut client = place.greet("1").await;
            let reply = client.join("g", name, password).await;
            if right {
                assert_eq!(reply["kind"], "join", "{name}: {reply}");
            } else {
                assert_not_authorised(&reply, name);
            }
        }
    }
}

/// One attempt from an address, and how long the answer took.
async fn attempt(mut client: Client, name: &str, password: &str) -> (Value, Duration) {
    let start = Instant::now();
    let reply = client.join("g", name, password).await;
    (reply, start.elapsed())
}

#[tokio::test]
async fn who_fails_again_and_again_is_slowed_down() {
    let group = json!({"users": {
        "vimes": {"password": "sybil", "permissions": "op"},
        "nobby": {"password": "nobby", "permissions": "present"}}});
    let place = Place::start(&[("groups/g.json", &group.to_string())]).await;
    let server = place.server.address();
    let start = Instant::now();
    let mut guesses = JoinSet::new();
    for number in 0..30 {
        guesses.spawn(async move {
            let client = greet(server, "1", other(77), &[]).await;
            attempt(client, "vimes", &format!("guess {number}")).await.0
        });
    }
    for reply in guesses.join_all().await {
        assert_not_authorised(&reply, "a guess");
    }
    // A class that mistypes was not slowed down; from now on there is one failure in 5 s.
    // Someone at another address does not notice.
    let client = greet(server, "1", other(78), &[]).await;
    let (reply, took) = attempt(client, "vimes", "sybil").await;
    assert_eq!(reply["kind"], "join", "{reply}");
    assert!(took < Duration::from_secs(3), "{took:?}");

    // Even the right password waits here, and success does not pay for more guesses.
    let client = greet(server, "1", other(77), &[]).await;
    let (reply, _) = attempt(client, "nobby", "nobby").await;
    assert_eq!(reply["kind"], "join", "{reply}");
    assert!(start.elapsed() > INTERVAL, "{:?}", start.elapsed());
    let mut guesses = JoinSet::new();
    for number in 0..20 {
        guesses.spawn(async move {
            let client = greet(server, "1", other(77), &[]).await;
            attempt(client, "vimes", &format!("another guess {number}")).await
        });
    }
    let mut looked_at = 0_u64;
    for (reply, took) in guesses.join_all().await {
        assert!(
            took < Duration::from_secs(15),
            "no one waits for ever: {took:?}"
        );
        let text = reply["value"].as_str().unwrap();
        if text == "not authorised" {
            looked_at += 1;
        } else {
            let told = "too many failed logins from your address, try again in ";
            assert!(text.starts_with(told), "{text}");
            assert_eq!(reply["error"], "too-many-attempts");
            assert_eq!(
                (&reply["kind"], &reply["username"]),
                (&json!("fail"), &json!(""))
            );
        }
    }
    let due = start.elapsed().as_secs() / INTERVAL.as_secs();
    assert!(looked_at <= due, "{looked_at} of 20 guesses were looked at");
}

/// Behind a proxy, each client is the one that the proxy saw.
#[tokio::test]
async fn behind_a_proxy() {
    let group = json!({"users": {"vimes": {"password": "sybil", "permissions": "op"}}});
    let place = Place::start(&[
        ("groups/g.json", &group.to_string()),
        (
            "data/config.json",
            r#"{"proxyURL": "https://galene.example.org/"}"#,
        ),
    ])
    .await;
    let server = place.server.address();
    let home = Ipv4Addr::LOCALHOST.into();
    let guess = async |forwarded: &'static [(&'static str, &'static str)]| {
        let mut guesses = JoinSet::new();
        for _ in 0..40 {
            guesses.spawn(async move {
                let client = greet(server, "1", home, forwarded).await;
                attempt(client, "vimes", "wrong").await
            });
        }
        guesses.join_all().await;
    };
    let enter = async |forwarded: &'static [(&'static str, &'static str)]| {
        let client = greet(server, "1", home, forwarded).await;
        attempt(client, "vimes", "sybil").await
    };
    let start = Instant::now();
    // The first of the two the client made up, to be another one each time.
    guess(&[("x-forwarded-for", "198.51.100.1, 192.0.2.1")]).await;
    enter(&[("x-forwarded-for", "198.51.100.2, 192.0.2.1")]).await;
    assert!(start.elapsed() > 2 * INTERVAL, "{:?}", start.elapsed());
    let (reply, took) = enter(&[("x-forwarded-for", "192.0.2.2")]).await;
    assert_eq!(reply["kind"], "join", "another client: {reply}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    // A proxy that does not say whom it speaks for: no one suffers for all.
    guess(&[]).await;
    let (reply, took) = enter(&[]).await;
    assert_eq!(reply["kind"], "join", "{reply}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

/// 200 logins whose passwords take long: those inside go on as if nothing were.
#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_once_hold_no_one_up() {
    let hash = bcrypt::hash("sybil", 8).unwrap();
    let group = json!({
        "wildcard-user": {"password": {"type": "bcrypt", "key": hash}, "permissions": "present"},
        "users": {"vimes": {"password": "sybil", "permissions": "op"}}});
    let place = Place::start(&[("groups/g.json", &group.to_string())]).await;
    let server = place.server.address();
    let mut inside = place.greet("inside").await;
    assert_eq!(inside.join("g", "vimes", "sybil").await["kind"], "join");
    inside.settle().await;
    let mut logins = JoinSet::new();
    for number in 0..200 {
        logins.spawn(async move {
            let mut client = greet(server, &number.to_string(), other(9), &[]).await;
            client.join("g", &format!("user {number}"), "sybil").await["kind"] == "join"
        });
    }
    let mut slowest = Duration::ZERO;
    let mut done = 0;
    while done < 200 {
        let start = Instant::now();
        inside.settle().await;
        slowest = slowest.max(start.elapsed());
        while let Some(joined) = logins.try_join_next() {
            assert!(joined.unwrap(), "each of them comes in");
            done += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
