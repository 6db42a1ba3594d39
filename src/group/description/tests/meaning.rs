//! What a file means, whatever it looks like.

use super::{Description, parse};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn password() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,12}".prop_map(Value::from),
        Just(json!({"type": "wildcard"})),
        ".{0,12}".prop_map(|key| json!({"type": "plain", "key": key})),
        ("([0-9a-f]{2}){1,40}", "([0-9a-f]{2}){0,9}", 1..9999).prop_map(|(key, salt, n)| {
            json!({"type": "pbkdf2", "hash": "sha-256", "key": key, "salt": salt,
                   "iterations": n})
        }),
        "[a-z]{1,9}".prop_map(|kind| json!({"type": kind, "key": 3})),
    ]
}

fn permissions() -> impl Strategy<Value = Value> {
    let role = proptest::sample::select(vec![
        "op", "present", "message", "observe", "caption", "admin",
    ]);
    prop_oneof![
        role.prop_map(Value::from),
        vec("[a-z]{0,9}", 0..4).prop_map(Value::from),
    ]
}

fn user() -> impl Strategy<Value = Value> {
    let unknown = btree_map("x-[a-z]{1,5}", any::<i32>(), 0..2);
    (option::of(password()), option::of(permissions()), unknown).prop_map(
        |(password, permissions, unknown)| {
            let mut user: Map<String, Value> = unknown
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect();
            user.extend(password.map(|value| ("password".to_owned(), value)));
            user.extend(permissions.map(|value| ("permissions".to_owned(), value)));
            user.into()
        },
    )
}

fn pattern() -> impl Strategy<Value = Value> {
    (option::of("[a-c]{0,1}"), option::of(password())).prop_map(|(username, password)| {
        let mut pattern = Map::new();
        pattern.extend(username.map(|value| ("username".to_owned(), value.into())));
        pattern.extend(password.map(|value| ("password".to_owned(), value)));
        pattern.into()
    })
}

fn time() -> impl Strategy<Value = Value> {
    (0..4_000_000_000_i64).prop_map(|second| {
        let time = jiff::Timestamp::from_second(second).unwrap();
        time.to_string().into()
    })
}

/// Every field, each sometimes there, sometimes null.
fn file() -> impl Strategy<Value = Value> {
    let text = || ".{0,9}".prop_map(Value::from).boxed();
    let flag = || any::<bool>().prop_map(Value::from).boxed();
    let number = || (-2..100_000_i64).prop_map(Value::from).boxed();
    let users = || vec(user(), 0..3).prop_map(Value::from).boxed();
    let patterns = || vec(pattern(), 0..3).prop_map(Value::from).boxed();
    let named = btree_map("[a-e]{0,2}", user(), 0..3)
        .prop_map(|users| users.into_iter().collect::<Map<_, _>>().into())
        .boxed();
    let codecs = vec("(vp8|VP9|opus|x)", 0..4).prop_map(Value::from).boxed();
    let keys = Just(json!([{"kty": "oct", "k": "AAAA"}])).boxed();
    let fields = [
        ("users", named),
        ("wildcard-user", user().boxed()),
        ("fallback-users", users()),
        ("authKeys", keys),
        ("authServer", text()),
        ("authPortal", text()),
        ("public", flag()),
        ("displayName", text()),
        ("description", text()),
        ("contact", text()),
        ("comment", text()),
        ("max-clients", number()),
        ("max-history-age", number()),
        ("not-before", time().boxed()),
        ("expires", time().boxed()),
        ("allow-recording", flag()),
        ("unrestricted-tokens", flag()),
        ("allow-anonymous", flag()),
        ("auto-subgroups", flag()),
        ("allow-subgroups", flag()),
        ("autolock", flag()),
        ("autokick", flag()),
        ("lobby", flag()),
        ("last-n", number()),
        ("loudest", number()),
        ("redirect", text()),
        ("codecs", codecs),
        ("op", patterns()),
        ("presenter", patterns()),
        ("other", patterns()),
        ("x-unknown", number()),
    ];
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| {
            let value = prop_oneof![3 => value, 1 => Just(Value::Null)];
            option::of(value).prop_map(move |value| (name.to_owned(), value))
        })
        .collect();
    fields.prop_map(|fields| {
        let there = |(name, value): (String, Option<Value>)| Some((name, value?));
        fields
            .into_iter()
            .filter_map(there)
            .collect::<Map<_, _>>()
            .into()
    })
}

proptest! {
    #[test]
    fn printing_keeps_it(file in file()) {
        let description = parse(&file.to_string());
        let written = description.to_json().unwrap();
        let (again, remarks) = Description::read(written.as_bytes()).unwrap();
        prop_assert_eq!(&again, &description);
        let upgrades = remarks.iter().filter(|remark| remark.is_upgrade).count();
        let anonymous = usize::from(description.allow_anonymous);
        prop_assert_eq!(upgrades, anonymous, "nothing of old is written");
        prop_assert_eq!(
            description.sanitised().with_secrets_of(&description),
            description
        );
    }

    #[test]
    fn names_of_fields_have_no_case(file in file(), upper in any::<u32>()) {
        let Value::Object(fields) = &file else { unreachable!() };
        let odd: Map<String, Value> = fields
            .iter()
            .enumerate()
            .map(|(index, (name, value))| {
                let spelt = if upper >> (index % 32) & 1 == 1 && !name.starts_with("x-") {
                    name.to_uppercase()
                } else {
                    name.clone()
                };
                (spelt, value.clone())
            })
            .collect();
        prop_assert_eq!(parse(&Value::from(odd).to_string()), parse(&file.to_string()));
    }

    #[test]
    fn garbage_is_an_error_at_worst(bytes in vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _ = Description::read(&bytes);
        let _ = Description::read(text.as_bytes());
    }

    #[test]
    fn any_json_is_an_error_at_worst(json in json()) {
        let _ = Description::read(json.to_string().as_bytes());
        // And where it could be anything.
        for field in ["users", "wildcard-user", "fallback-users", "op", "codecs", "x", "Public"] {
            let file = json!({field: json});
            let _ = Description::read(file.to_string().as_bytes());
        }
        let file = json!({"users": {"x": {"password": json, "permissions": "op"}}});
        prop_assert!(
            Description::read(file.to_string().as_bytes()).is_ok()
                || !(file["users"]["x"]["password"].is_object()
                    || file["users"]["x"]["password"].is_string())
        );
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = "(users|password|type|key|permissions|PASSWORD|[a-z\"\\\\]{0,3})";
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key, inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}
