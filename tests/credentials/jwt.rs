//! Joining with a JWT, and what must not get anyone in.

use super::signer::{Signer, base64, now};
use super::{Place, assert_not_authorised};
use serde_json::{Value, json};

fn group(keys: &[&Signer]) -> String {
    let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
    json!({"authKeys": keys, "users": {"vimes": {"password": "sybil", "permissions": "op"}},
           "auto-subgroups": true})
    .to_string()
}

fn claims(group: &str) -> Value {
    json!({"sub": "carrot", "aud": format!("https://galene.example.org/group/{group}/"),
           "permissions": ["present", "message"], "iat": now(), "nbf": now(), "exp": now() + 30,
           "iss": "https://auth.example.org/"})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

#[track_caller]
fn assert_joined(reply: &Value, username: &str, permissions: &Value, why: &str) {
    assert_eq!(reply["kind"], "join", "{why}: {reply}");
    assert_eq!(reply["username"], username, "{why}");
    assert_eq!(reply["permissions"], *permissions, "{why}");
}

#[tokio::test]
async fn every_algorithm_lets_in() {
    let signers = Signer::all();
    let keys: Vec<&Signer> = signers.iter().collect();
    let place = Place::start(&[("groups/g.json", &group(&keys))]).await;
    assert_eq!(signers.len(), 10);
    for signer in &signers {
        let reply = place.enter("g", &signer.token(&claims("g")), None).await;
        assert_joined(
            &reply,
            "carrot",
            &json!(["present", "message"]),
            signer.algorithm,
        );
        // One bit of what it says, and it is worth nothing.
        let token = signer.token(&with(claims("g"), "permissions", json!(["present"])));
        let more = base64(with(claims("g"), "permissions", json!(["op"])).to_string());
        let parts: Vec<&str> = token.split('.').collect();
        let forged = format!("{}.{more}.{}", parts[0], parts[2]);
        assert_not_authorised(&place.enter("g", &forged, None).await, signer.algorithm);
    }
}

#[tokio::test]
async fn the_algorithm_is_the_keys() {
    let (curve, own) = (Signer::elliptic("ES256"), Signer::edwards());
    let [rsa, ..] = Signer::rsa();
    let place = Place::start(&[("groups/g.json", &group(&[&curve, &rsa, &own]))]).await;
    // No signature at all, as "none" has it, and with a good one that it disowns.
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None"}),
        json!({"alg": ""}),
        json!({"alg": null}),
        json!({}),
    ] {
        let unsigned = format!(
            "{}.{}.",
            base64(header.to_string()),
            base64(claims("g").to_string())
        );
        assert_not_authorised(&place.enter("g", &unsigned, None).await, &unsigned);
        let token = curve.token_with(&header, &claims("g"));
        assert_not_authorised(&place.enter("g", &token, None).await, &token);
    }
    // The public key as a secret, in the forms that libraries have confused.
    for key in [&curve, &rsa, &own] {
        let jwk = key.jwk.to_string();
        let coordinate = key.jwk.get("x").or(key.jwk.get("n")).unwrap();
        let text = coordinate.as_str().unwrap();
        use ::base64::Engine as _;
        let raw = ::base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap();
        for secret in [jwk.as_bytes(), text.as_bytes(), &raw] {
            for algorithm in ["HS256", "HS384", "HS512"] {
                let token = Signer::secret(algorithm, secret).token(&claims("g"));
                assert_not_authorised(&place.enter("g", &token, None).await, algorithm);
                // And calling it by the name of the key's algorithm.
                let header = json!({"alg": key.algorithm});
                let token = Signer::secret(algorithm, secret).token_with(&header, &claims("g"));
                assert_not_authorised(&place.enter("g", &token, None).await, algorithm);
            }
        }
    }
}

#[tokio::test]
async fn times() {
    let key = Signer::edwards();
    let place = Place::start(&[("groups/g.json", &group(&[&key]))]).await;
    for (claims, good, why) in [
        (
            with(claims("g"), "exp", json!(now() - 2)),
            true,
            "5 s of leeway",
        ),
        (with(claims("g"), "exp", json!(now() - 6)), false, "expired"),
        (with(claims("g"), "exp", json!(0)), false, "long expired"),
        (without(claims("g"), "exp"), false, "no exp"),
        (with(claims("g"), "exp", json!(null)), false, "exp null"),
        (
            with(claims("g"), "exp", json!((now() + 9).to_string())),
            false,
            "exp a text",
        ),
        (
            with(claims("g"), "nbf", json!(now() + 2)),
            true,
            "nbf in the leeway",
        ),
        (
            with(claims("g"), "nbf", json!(now() + 60)),
            false,
            "not yet",
        ),
        (
            with(claims("g"), "iat", json!(now() + 60)),
            false,
            "made in the future",
        ),
        (
            without(without(claims("g"), "nbf"), "iat"),
            true,
            "neither nbf nor iat",
        ),
        (
            with(claims("g"), "exp", json!(now() as f64 + 20.5)),
            true,
            "a fraction",
        ),
    ] {
        let reply = place.enter("g", &key.token(&claims), None).await;
        if good {
            assert_joined(&reply, "carrot", &json!(["present", "message"]), why);
        } else {
            assert_not_authorised(&reply, why);
        }
    }
}

#[tokio::test]
async fn audiences() {
    let (key, other) = (Signer::edwards(), Signer::edwards());
    let place = Place::start(&[
        ("groups/g.json", &group(&[&key])),
        ("groups/other.json", &group(&[&other])),
        (
            "data/config.json",
            r#"{"canonicalHost": "galene.example.org"}"#,
        ),
    ])
    .await;
    let aud = |aud: Value| with(claims("g"), "aud", aud);
    let url = "https://galene.example.org/group/";
    let whole = |path: &str| {
        with(
            aud(json!(format!("{url}{path}"))),
            "include-subgroups",
            json!(true),
        )
    };
    for (group, claims, good) in [
        (
            "g",
            aud(json!([format!("{url}x/"), format!("{url}g/")])),
            true,
        ),
        ("g", aud(json!(format!("{url}other/"))), false),
        ("g", aud(json!(format!("{url}g"))), false),
        ("g", aud(json!("https://evil.example/group/g/")), false),
        ("g", aud(json!([])), false),
        ("g", aud(json!(7)), false),
        ("g", without(claims("g"), "aud"), false),
        ("g/sub", claims("g"), false),
        ("g/sub", whole("g/"), true),
        ("g/sub", whole(""), true),
        ("g", whole("g/sub/"), false),
    ] {
        let reply = place.enter(group, &key.token(&claims), None).await;
        if good {
            assert_joined(&reply, "carrot", &json!(["present", "message"]), group);
        } else {
            assert_not_authorised(&reply, &claims.to_string());
        }
    }
    let wrong_key = other.token(&claims("g"));
    assert_not_authorised(
        &place.enter("g", &wrong_key, None).await,
        "another group's key",
    );
    let elsewhere = key.token(&claims("g"));
    assert_not_authorised(
        &place.enter("other", &elsewhere, None).await,
        "another group",
    );
}

#[tokio::test]
async fn key_ids() {
    let mut named = Signer::edwards();
    named.jwk["kid"] = "2026".into();
    let unnamed = Signer::edwards();
    let place = Place::start(&[("groups/g.json", &group(&[&unnamed, &named]))]).await;
    let header = |kid: Value| json!({"alg": "EdDSA", "kid": kid});
    for (signer, kid, good) in [
        (&named, json!("2026"), true),
        (&named, json!(null), true),
        (&unnamed, json!(null), true),
        (&named, json!("2025"), false),
        (&unnamed, json!("2026"), false),
        (&unnamed, json!(""), false),
    ] {
        let token = signer.token_with(&header(kid.clone()), &claims("g"));
        let reply = place.enter("g", &token, None).await;
        assert_eq!(reply["kind"] == "join", good, "{kid}: {reply}");
    }
    let critical = json!({"alg": "EdDSA", "crit": ["b64"], "b64": true});
    let token = named.token_with(&critical, &claims("g"));
    assert_not_authorised(
        &place.enter("g", &token, None).await,
        "an unknown extension",
    );
}

#[tokio::test]
async fn names_and_permissions() {
    let key = Signer::edwards();
    let place = Place::start(&[("groups/g.json", &group(&[&key]))]).await;
    let enter =
        async |claims: Value, username| place.enter("g", &key.token(&claims), username).await;
    let usual = json!(["present", "message"]);
    let anonymous = without(claims("g"), "sub");
    assert_joined(
        &enter(claims("g"), Some("nobby")).await,
        "carrot",
        &usual,
        "sub wins",
    );
    assert_joined(
        &enter(anonymous.clone(), Some("nobby")).await,
        "nobby",
        &usual,
        "no sub",
    );
    assert_joined(
        &enter(anonymous.clone(), None).await,
        "",
        &usual,
        "no name at all",
    );
    let op = with(claims("g"), "permissions", json!(["op"]));
    assert_joined(
        &enter(op, None).await,
        "carrot",
        &json!(["op"]),
        "as they are",
    );
    let none = enter(without(claims("g"), "permissions"), None).await;
    assert_eq!(
        (&none["kind"], none.get("permissions")),
        (&json!("join"), None),
        "{none}"
    );

    let taken = enter(anonymous, Some("vimes")).await;
    assert_eq!(
        taken,
        json!({"type": "joined", "kind": "fail", "group": "g", "username": "",
               "error": "duplicate-username", "value": "not authorised: this username is taken"})
    );
    for (name, value) in [
        ("permissions", json!("op")),
        ("permissions", json!([1])),
        ("sub", json!(7)),
        ("sub", json!("../x")),
    ] {
        let reply = enter(with(claims("g"), name, value), None).await;
        assert_not_authorised(&reply, name);
    }
}

#[tokio::test]
async fn what_is_cut_off_is_worth_nothing() {
    let key = Signer::secret("HS256", &rand::random::<[u8; 32]>());
    let place = Place::start(&[("groups/g.json", &group(&[&key]))]).await;
    let token = key.token(&claims("g"));
    let parts: Vec<&str> = token.split('.').collect();
    for cut in [
        &token[..token.len() - 1],
        &token[..token.len() / 2],
        parts[0],
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}.{}.", parts[0], parts[1]),
        &format!(".{}.{}", parts[1], parts[2]),
        &format!("{token}."),
        &format!("{token}=="),
        "..",
    ] {
        assert_not_authorised(&place.enter("g", cut, None).await, cut);
    }
    let reply = place.enter("g", &token, None).await;
    assert_joined(&reply, "carrot", &json!(["present", "message"]), "whole");
}

/// One bad key does not void the others, and is named in the log.
#[tokio::test]
async fn a_bad_key_is_skipped() {
    let good = Signer::edwards();
    let mut bad = Signer::elliptic("ES256");
    bad.jwk["crv"] = "P-384".into();
    let place = Place::start(&[("groups/g.json", &group(&[&bad, &good]))]).await;
    let reply = place.enter("g", &good.token(&claims("g")), None).await;
    assert_joined(
        &reply,
        "carrot",
        &json!(["present", "message"]),
        "the second key",
    );
    assert_not_authorised(
        &place.enter("g", &bad.token(&claims("g")), None).await,
        "bad",
    );
}
