#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use serde_json::json;

fn keys(keys: Value) -> Vec<Map<String, Value>> {
    serde_json::from_value(keys).unwrap()
}

fn place(host: &str, path: &str) -> Place {
    Place {
        host: host.into(),
        path: path.into(),
    }
}

#[test]
fn audiences() {
    let any = place("", "");
    for (url, group, whole, good) in [
        ("https://galene.example.org/group/a/", "a", false, true),
        ("https://galene.example.org:8443/group/a/", "a", false, true),
        (
            "https://galene.example.org/group/a/?x=1#y",
            "a",
            false,
            true,
        ),
        ("https://galene.example.org/group/a", "a", false, false),
        ("https://galene.example.org/group/a/", "b", false, false),
        ("https://galene.example.org/group/a/", "a/b", false, false),
        ("https://galene.example.org/group/a/", "a/b", true, true),
        ("https://galene.example.org/group/a/", "ab", true, false),
        ("https://galene.example.org/group/a/b/", "a", true, false),
        ("https://galene.example.org/group/a/b", "a/b/c", true, false),
        ("https://galene.example.org/group/", "a", true, true),
        ("https://galene.example.org/", "a", true, false),
        (
            "https://galene.example.org/group/caf%C3%A9%20x/",
            "café x",
            false,
            true,
        ),
        (
            "https://galene.example.org/proxied/group/a/",
            "a",
            false,
            false,
        ),
        ("/group/a/", "a", false, false),
        ("", "a", true, false),
    ] {
        assert_eq!(any.holds(url, group, whole), good, "{url} {group} {whole}");
    }
    let one = place("Galene.example.org", "/proxied");
    for (url, good) in [
        ("https://galene.example.ORG/group/a/", true),
        ("https://galene.example.org:443/group/a/", true),
        ("https://galene.example.org/proxied/group/a/", true),
        ("https://galene.example.org:8443/group/a/", false),
        ("https://evil.example/group/a/", false),
        ("https://galene.example.org@evil.example/group/a/", false),
        ("https://evil.example/?galene.example.org/group/a/", false),
    ] {
        assert_eq!(one.holds(url, "a", false), good, "{url}");
    }
}

/// The examples of Galène's manual, and of RFC 8037, appendix A.2.
#[test]
fn keys_that_are_understood() {
    let good = keys(json!([
        {"kty": "oct", "alg": "HS256", "k": "MYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGQ"},
        {"kty": "EC", "alg": "ES256", "crv": "P-256",
         "x": "dElK9qBNyCpRXdvJsn4GdjrFzScSzpkz_I0JhKbYC88",
         "y": "pBhVb37haKvwEoleoW3qxnT4y5bK35_RTP7_RmFKR6Q"},
        {"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "use": "sig", "kid": "1",
         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]));
    assert_eq!(warnings(&good), []);
}

#[test]
fn keys_that_are_not() {
    let x = "dElK9qBNyCpRXdvJsn4GdjrFzScSzpkz_I0JhKbYC88";
    for (key, reason) in [
        (json!({}), "no kty"),
        (json!({"kty": "oct", "k": x}), "no alg"),
        (json!({"kty": "oct", "alg": "none", "k": x}), "unknown alg"),
        (json!({"kty": "oct", "alg": "HS512", "k": x}), "64 bytes"),
        (
            json!({"kty": "oct", "alg": "HS256", "k": "a+b"}),
            "base64url",
        ),
        (json!({"kty": "oct", "alg": "HS256", "k": 3}), "no string"),
        (
            json!({"kty": "oct", "alg": "HS256", "k": x, "use": "enc"}),
            "signatures",
        ),
        (
            json!({"kty": "EC", "alg": "ES256", "crv": "P-384", "x": x, "y": x}),
            "P-256",
        ),
        (
            json!({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": x, "y": x}),
            "no key",
        ),
        (
            json!({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": format!("AQAB{x}"), "y": x}),
            "point",
        ),
        (
            json!({"kty": "EC", "alg": "HS256", "crv": "P-256", "x": x, "y": x}),
            "unknown alg",
        ),
        (
            json!({"kty": "RSA", "alg": "RS256", "n": x, "e": "AQAB"}),
            "2048",
        ),
        (
            json!({"kty": "RSA", "alg": "PS256", "n": x, "e": "AQAB"}),
            "unknown alg",
        ),
        (
            json!({"kty": "OKP", "alg": "EdDSA", "crv": "Ed448", "x": x}),
            "Ed25519",
        ),
        (
            json!({"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": "AAAA"}),
            "no key",
        ),
        (json!({"kty": "lock", "alg": "HS256"}), "kty"),
    ] {
        let warnings = warnings(&keys(json!([key])));
        let [(0, warning)] = warnings.as_slice() else {
            panic!("{key}: {warnings:?}");
        };
        assert!(
            warning.starts_with("key 1 ") && warning.contains(reason),
            "{key}: {warning}"
        );
    }
}

/// RFC 7515, appendix A.1, is good but for its audience; nothing that is cut off it is.
#[test]
fn a_token_from_elsewhere() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz\
                 ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU\
                 1p1r_wW1gFWFOEjXk";
    let keys = keys(json!([{"kty": "oct", "alg": "HS256",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]));
    let check = |token: &str, seconds| {
        let now = Timestamp::from_second(seconds).unwrap();
        super::check(token, &keys, &Place::default(), "g", now).unwrap_err()
    };
    assert_eq!(check(token, 1_300_819_384), JwtError::Audience);
    assert_eq!(check(token, 1_300_819_385), JwtError::Expired);
    for end in 0..token.len() {
        let error = check(&token[..end], 1_300_819_384);
        assert!(
            matches!(error, JwtError::Malformed | JwtError::Signature),
            "{end}: {error}"
        );
    }
    for text in ["", ".", "..", "...", "e30.e30.", "a.b.c.d"] {
        assert_eq!(check(text, 0), JwtError::Malformed, "{text}");
    }
}

proptest::proptest! {
    /// Nothing but the right signature gets in, and nothing at all makes it panic.
    #[test]
    fn no_other_text_is_a_token(header in ".{0,60}", payload in ".{0,60}", tail in ".{0,60}") {
        let keys = keys(json!([
            {"kty": "oct", "alg": "HS256", "k": "MYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGQ"},
            {"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519",
             "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        ]));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for token in [
            format!("{header}.{payload}.{tail}"),
            format!("{}.{}.{}", encode(&header), encode(&payload), encode(&tail)),
            format!("{}.{}.{}", encode(r#"{"alg":"HS256"}"#), encode(&payload), encode(&tail)),
            format!("{}.{}.{}", encode(r#"{"alg":"EdDSA"}"#), encode("{}"), tail),
        ] {
            let checked = super::check(&token, &keys, &Place::default(), "g", Timestamp::UNIX_EPOCH);
            let refused =
                matches!(checked, Err(JwtError::Malformed | JwtError::Signature));
            proptest::prop_assert!(refused, "{}: {:?}", token, checked);
        }
    }
}
