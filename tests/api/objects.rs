//! What is shown, what is kept, and what is refused.

use crate::client::Place;
use serde_json::{Value, json};

const GROUP: &str = ".groups/watch";
const TOKENS: &str = ".groups/watch/.tokens/";

#[tokio::test]
async fn what_is_shown() {
    let place = Place::start().await;
    place.site.write("groups/watch/deep/er.json", "{}");
    place.site.write("groups/.hidden.json", "{}");
    for (path, expected) in [
        (".groups/", json!(["other", "watch", "watch/deep/er"])),
        (
            GROUP,
            json!({"displayName": "The Watch", "max-clients": 10}),
        ),
        (".groups/watch/deep/er", json!({})),
        (
            ".groups/watch/.users/",
            json!(["", "fred", "havelock", "vimes"]),
        ),
        (".groups/watch/.users/vimes", json!({"permissions": "op"})),
        (
            ".groups/watch/.empty-user",
            json!({"permissions": "observe"}),
        ),
        (
            ".groups/watch/.wildcard-user",
            json!({"permissions": "message"}),
        ),
        (TOKENS, json!(["tick", "watchadmin"])),
        (".groups/watch/.users/fred/.tokens/", json!(["tick"])),
        (".groups/watch/.users/vimes/.tokens/", json!([])),
        (".groups/.tokens/", json!(["all"])),
        (
            ".groups/watch/.tokens/tick",
            json!({"token": "", "group": "", "username": "fred", "permissions": ["present"],
                   "expires": "2099-01-01T00:00:00Z"}),
        ),
        (".stats", json!([])),
    ] {
        let answer = place.ask("GET", path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json(), expected, "{path}");
        let head = place.ask("HEAD", path).send().await;
        assert_eq!((head.status, head.text()), (200, ""), "{path}");
        assert_eq!(head.header("etag"), answer.header("etag"), "{path}");
    }
}

/// Method, path, type and body of a request, its status, and what it does to the file.
type Change<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    u16,
    &'a dyn Fn(&mut Value),
);

/// A file comes out of each change with everything that was not changed.
#[tokio::test]
async fn what_is_kept() {
    let place = Place::start().await;
    let json = "application/json";
    let set = r#"{"keys": [{"kty": "oct", "alg": "HS512", "kid": "2",
        "k": "MYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGRMYz3IfCq4Yq-UmPdNqWEOdPl4C_m9imHHs9uveDUJGQ"}]}"#;
    let changes: &[Change<'_>] = &[
        (
            "PUT",
            GROUP,
            json,
            r#"{"public": true, "codecs": ["vp9"], "expires": "2099-01-01T00:00:00Z"}"#,
            204,
            &|file| {
                let fields = file.as_object_mut().unwrap();
                fields.remove("displayName");
                fields.remove("max-clients");
                fields.insert("public".to_owned(), true.into());
                fields.insert("codecs".to_owned(), json!(["vp9"]));
                fields.insert("expires".to_owned(), "2099-01-01T00:00:00Z".into());
            },
        ),
        (
            "PUT",
            ".groups/watch/.users/vimes",
            json,
            r#"{"permissions": ["present", "x"]}"#,
            204,
            &|file| file["users"]["vimes"]["permissions"] = json!(["present", "x"]),
        ),
        (
            "PUT",
            ".groups/watch/.users/carrot",
            json,
            "{}",
            201,
            &|file| file["users"]["carrot"] = json!({}),
        ),
        (
            "DELETE",
            ".groups/watch/.users/fred",
            "",
            "",
            204,
            &|file| {
                file["users"].as_object_mut().unwrap().remove("fred");
            },
        ),
        (
            "DELETE",
            ".groups/watch/.wildcard-user",
            "",
            "",
            204,
            &|file| {
                file.as_object_mut().unwrap().remove("wildcard-user");
            },
        ),
        (
            "PUT",
            ".groups/watch/.empty-user",
            json,
            r#"{"permissions": "op"}"#,
            204,
            &|file| file["users"][""]["permissions"] = "op".into(),
        ),
        (
            "PUT",
            ".groups/watch/.users/vimes/.password",
            json,
            r#"{"type": "bcrypt", "key": "$2a$10$afrYX6IHEvq3vx4pT4LE8uGLvSVY2zmgsGuBVYVbWDCXHOHdqlYHm"}"#,
            204,
            &|file| {
                file["users"]["vimes"]["password"] = json!({"type": "bcrypt",
                    "key": "$2a$10$afrYX6IHEvq3vx4pT4LE8uGLvSVY2zmgsGuBVYVbWDCXHOHdqlYHm"});
            },
        ),
        (
            "DELETE",
            ".groups/watch/.users/vimes/.password",
            "",
            "",
            204,
            &|file| {
                let vimes = file["users"]["vimes"].as_object_mut().unwrap();
                vimes.remove("password");
            },
        ),
        (
            "PUT",
            ".groups/watch/.keys",
            "application/jwk-set+json",
            set,
            204,
            &|file| {
                file["authKeys"] = serde_json::from_str::<Value>(set).unwrap()["keys"].clone();
            },
        ),
        ("DELETE", ".groups/watch/.keys", "", "", 204, &|file| {
            file.as_object_mut().unwrap().remove("authKeys");
        }),
    ];
    for (method, path, kind, body, status, change) in changes {
        place.reset();
        let mut expected = place.file();
        change(&mut expected);
        let mut asking = place.ask(method, path);
        if !kind.is_empty() {
            asking = asking.body(kind, body);
        }
        assert_eq!(asking.status().await, *status, "{method} {path}");
        assert_eq!(place.file(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_change_without_a_difference_leaves_the_file_as_it_was_written() {
    let place = Place::start().await;
    let text = || std::fs::read_to_string(place.site.path("groups/watch.json")).unwrap();
    let before = text();
    let shown = place.ask("GET", GROUP).send().await;
    let put = place.ask("PUT", GROUP).json(shown.text());
    assert_eq!(put.status().await, 204);
    assert_eq!(text(), before);
}

#[tokio::test]
async fn what_is_refused() {
    let place = Place::start().await;
    let json = "application/json";
    let big = format!("{{\"comment\": \"{}\"}}", "x".repeat(1 << 20));
    let long = format!(".groups/{}", "x".repeat(251));
    let almost = format!(".groups/{}", "x".repeat(250));
    let password = ".groups/watch/.users/vimes/.password";
    let keys = ".groups/watch/.keys";
    let set = "application/jwk-set+json";
    for (method, path, kind, body, status) in [
        ("PUT", GROUP, "", "", 415),
        ("PUT", GROUP, "text/plain", "{}", 415),
        ("PUT", GROUP, "application/json; charset=utf-8", "{}", 204),
        ("PUT", GROUP, json, "", 400),
        ("PUT", GROUP, json, "{", 400),
        ("PUT", GROUP, json, "null", 400),
        ("PUT", GROUP, json, "[]", 400),
        ("PUT", GROUP, json, "\"x\"", 400),
        ("PUT", GROUP, json, "{} x", 400),
        ("PUT", GROUP, json, "{\"max-clients\": \"many\"}", 400),
        ("PUT", GROUP, json, "{\"not-before\": \"soon\"}", 400),
        ("PUT", GROUP, json, "{\"unknown\": 1}", 400),
        ("PUT", GROUP, json, "{\"users\": {\"x\": {}}}", 400),
        ("PUT", GROUP, json, "{\"wildcard-user\": {}}", 400),
        ("PUT", GROUP, json, "{\"authKeys\": [{}]}", 400),
        ("PUT", GROUP, json, "{\"op\": [{\"username\": \"x\"}]}", 400),
        ("PUT", GROUP, json, &big, 413),
        ("PUT", &long, json, "{}", 400),
        ("PUT", &almost, json, "{}", 400),
        ("GET", &long, "", "", 404),
        ("DELETE", &long, "", "", 404),
        ("PUT", ".groups/watch.json/x", json, "{}", 409),
        ("GET", ".groups/watch.json/x", "", "", 404),
        (
            "PUT",
            ".groups/watch/.users/x",
            json,
            "{\"password\": \"x\"}",
            400,
        ),
        (
            "PUT",
            ".groups/watch/.users/x",
            json,
            "{\"permissions\": \"king\"}",
            400,
        ),
        (
            "PUT",
            ".groups/watch/.users/x",
            json,
            "{\"unknown\": 1}",
            400,
        ),
        ("PUT", ".groups/watch/.users/x", json, "[]", 400),
        ("PUT", ".groups/watch/.users/x/", json, "{}", 400),
        ("PUT", password, json, "{}", 400),
        ("PUT", password, json, "null", 400),
        ("PUT", password, json, "{\"type\": \"magic\"}", 400),
        (
            "PUT",
            password,
            json,
            "{\"type\": \"bcrypt\", \"key\": \"x\"}",
            400,
        ),
        ("PUT", password, "text/plain", "x", 415),
        ("POST", password, json, "\"x\"", 415),
        ("POST", password, "text/plain", &"x".repeat(4097), 413),
        ("PUT", keys, json, "{\"keys\": []}", 415),
        ("PUT", keys, set, "{}", 400),
        ("PUT", keys, set, "{\"keys\": [{}]}", 400),
        (
            "PUT",
            keys,
            set,
            "{\"keys\": [{\"kty\": \"oct\", \"alg\": \"none\", \"k\": \"\"}]}",
            400,
        ),
        ("POST", TOKENS, "", "", 415),
        ("POST", TOKENS, json, "{", 400),
        ("POST", TOKENS, json, "[]", 400),
        ("POST", TOKENS, json, "{\"token\": \"x\"}", 400),
        ("POST", TOKENS, json, "{\"group\": \"watch\"}", 400),
        ("POST", TOKENS, json, "{\"expires\": 5}", 400),
        ("POST", TOKENS, json, "{\"username\": \"../x\"}", 400),
        (
            "POST",
            ".groups/watch/.users/fred/.tokens/",
            json,
            "{\"username\": \"vimes\"}",
            400,
        ),
        (
            "POST",
            ".groups/watch/.users/carrot/.tokens/",
            json,
            "{}",
            404,
        ),
        (
            "PUT",
            ".groups/watch/.tokens/tick",
            json,
            "{\"token\": \"x\"}",
            400,
        ),
        ("GET", ".groups/a\\b", "", "", 400),
    ] {
        place.reset();
        let before = place.file();
        let mut asking = place.ask(method, path);
        if !kind.is_empty() {
            asking = asking.body(kind, body);
        }
        let answer = asking.send().await;
        let what = format!("{method} {path} {:.60}: {answer:?}", body);
        assert_eq!(answer.status, status, "{what}");
        if status == 415 {
            assert!(answer.header("accept").is_some(), "{what}");
        }
        if status >= 400 {
            assert_eq!(place.file(), before, "{what}");
            let tokens = std::fs::read_to_string(place.site.path("data/var/tokens.jsonl"));
            assert_eq!(tokens.unwrap(), crate::client::TOKENS, "{what}");
        }
    }
}

/// A broken file is not written over: it says more than what the API knows of it.
#[tokio::test]
async fn broken_files_stay_as_they_are() {
    let place = Place::start().await;
    let broken = "{\"users\": {\"vimes\": {\"password\": \"x\"}},}";
    place.site.write("groups/watch.json", broken);
    for (method, path) in [
        ("GET", GROUP),
        ("PUT", GROUP),
        ("PUT", ".groups/watch/.users/vimes"),
        ("GET", ".groups/watch/.users/"),
    ] {
        let answer = place.ask(method, path).json("{}").send().await;
        assert_eq!(answer.status, 409, "{method} {path}");
        assert!(answer.text().contains("line 1"), "{answer:?}");
    }
    let file = std::fs::read_to_string(place.site.path("groups/watch.json"));
    assert_eq!(file.unwrap(), broken);
}

#[tokio::test]
async fn the_life_of_a_token() {
    let place = Place::start().await;
    let body = r#"{"permissions": ["present"], "expires": "2099-01-01T00:00:00Z", "x-note": 1}"#;
    let made = place.ask("POST", TOKENS).json(body).send().await;
    assert_eq!(made.status, 201);
    let name = made.header("location").expect("a name").to_owned();
    assert!(!name.contains('/') && name.len() > 20, "{name}");
    let path = format!("{TOKENS}{name}");
    let shown = place.ask("GET", &path).send().await;
    let mut token = shown.json();
    assert_eq!(token["issuedBy"], "root");
    assert_eq!(token["x-note"], 1);
    assert_eq!((&token["token"], &token["group"]), (&"".into(), &"".into()));

    token["expires"] = "2098-01-01T00:00:00Z".into();
    let put = place.ask("PUT", &path).header("If-Match", &shown.tag());
    assert_eq!(put.json(&token.to_string()).status().await, 204);
    let again = place.ask("GET", &path).send().await;
    assert_eq!(again.json(), token);
    assert_ne!(again.tag(), shown.tag());
    let late = place.ask("DELETE", &path).header("If-Match", &shown.tag());
    assert_eq!(late.status().await, 412);
    assert_eq!(place.ask("DELETE", &path).status().await, 204);
    assert_eq!(place.ask("DELETE", &path).status().await, 404);
    let list = place.ask("GET", TOKENS).send().await.json();
    assert_eq!(list, json!(["tick", "watchadmin"]));

    // Of one user: the name need not be said, and is said.
    let of_fred = ".groups/watch/.users/fred/.tokens/";
    let made = place.ask("POST", of_fred).json("{}").send().await;
    let path = format!("{of_fred}{}", made.header("location").expect("a name"));
    assert_eq!(
        place.ask("GET", &path).send().await.json()["username"],
        "fred"
    );
}
