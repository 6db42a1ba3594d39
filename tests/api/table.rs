//! Every endpoint, with every method, under every condition.

use crate::client::Place;
use std::fmt::Write as _;

/// An object that is there, its like that is not, and a good body with its type.
pub(crate) const OBJECTS: &[(&str, &str, &str)] = &[
    (".stats", "", ""),
    (".groups/", "", ""),
    (".groups/watch", "application/json", "{}"),
    (".groups/absent", "application/json", "{}"),
    (
        ".groups/watch/.keys",
        "application/jwk-set+json",
        r#"{"keys": []}"#,
    ),
    (
        ".groups/other/.keys",
        "application/jwk-set+json",
        r#"{"keys": []}"#,
    ),
    (
        ".groups/absent/.keys",
        "application/jwk-set+json",
        r#"{"keys": []}"#,
    ),
    (".groups/watch/.users/", "", ""),
    (".groups/absent/.users/", "", ""),
    (".groups/watch/.users", "", ""),
    (
        ".groups/watch/.users/vimes",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/watch/.users/carrot",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/absent/.users/vimes",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/watch/.empty-user",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/watch/.wildcard-user",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/other/.wildcard-user",
        "application/json",
        r#"{"permissions": "present"}"#,
    ),
    (
        ".groups/watch/.users/vimes/.password",
        "application/json",
        r#""new""#,
    ),
    (
        ".groups/watch/.users/carrot/.password",
        "application/json",
        r#""new""#,
    ),
    (
        ".groups/watch/.empty-user/.password",
        "application/json",
        r#""new""#,
    ),
    (
        ".groups/watch/.wildcard-user/.password",
        "application/json",
        r#""new""#,
    ),
    (".groups/watch/.tokens/", "application/json", "{}"),
    (".groups/absent/.tokens/", "application/json", "{}"),
    (".groups/.tokens/", "application/json", "{}"),
    (".groups/watch/.tokens/tick", "application/json", "{}"),
    (".groups/watch/.tokens/absent", "application/json", "{}"),
    (".groups/watch/.tokens/elsewhere", "application/json", "{}"),
    (
        ".groups/watch/.users/fred/.tokens/",
        "application/json",
        "{}",
    ),
    (
        ".groups/watch/.users/fred/.tokens/tick",
        "application/json",
        "{}",
    ),
    (
        ".groups/watch/.users/vimes/.tokens/tick",
        "application/json",
        "{}",
    ),
    (".groups/watch/.clients/", "", ""),
    (".groups/absent/.clients/", "", ""),
    (".groups/watch/.clients/absent", "", ""),
    (".groups/watch/.clients/absent/.mute", "", ""),
    (".groups/watch/.clients/absent/.streams/absent", "", ""),
    (
        ".groups/watch/.lock",
        "application/json",
        r#"{"message": "x"}"#,
    ),
    (".drain", "application/json", "{}"),
    ("openapi.json", "", ""),
    (".groups/watch/.unknown", "", ""),
    (".unknown", "", ""),
];

const METHODS: &[&str] = &["HEAD", "GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];

/// Conditions; TAG stands for the object's own.
const CONDITIONS: &[(&str, &str, &str)] = &[
    ("plain", "", ""),
    ("=*", "If-Match", "*"),
    ("=own", "If-Match", "\"other\", TAG"),
    ("=weak", "If-Match", "W/TAG"),
    ("=other", "If-Match", "\"other\""),
    ("!*", "If-None-Match", "*"),
    ("!own", "If-None-Match", "TAG"),
    ("!other", "If-None-Match", "\"other\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_method_of_every_object_under_every_condition() {
    let place = Place::start().await;
    let mut table = format!("{:7}", "");
    for (name, _, _) in CONDITIONS {
        let _ = write!(table, " {name:6}");
    }
    table.push('\n');
    for (path, kind, body) in OBJECTS {
        let _ = writeln!(table, "\n{path}");
        place.reset();
        if path.ends_with(".lock") {
            assert_eq!(place.ask("PUT", path).json(body).status().await, 201);
        }
        let found = place.ask("GET", path).send().await;
        let tag = found.header("etag").unwrap_or("\"none\"").to_owned();
        for method in METHODS {
            let _ = write!(table, "{method:7}");
            for (_, header, value) in CONDITIONS {
                place.reset();
                let _ = std::fs::remove_file(place.site.path("groups/absent.json"));
                place.site.write("groups/other.json", "{}");
                if path.ends_with(".lock") {
                    let lock = place.ask("PUT", path).json(body);
                    assert!(lock.status().await < 300);
                }
                let mut asking = place.ask(method, path);
                if !header.is_empty() {
                    asking = asking.header(header, &value.replace("TAG", &tag));
                }
                if *method == "POST" && path.ends_with(".password") {
                    asking = asking.body("text/plain; charset=utf-8", "new");
                } else if matches!(*method, "PUT" | "POST" | "PATCH") && !body.is_empty() {
                    asking = asking.body(kind, body);
                }
                let before = place.file();
                let answer = asking.send().await;
                let status = answer.status;
                let _ = write!(table, " {status:<6}");
                let what = format!("{method} {path} {header}: {value}");
                assert!(status < 500, "{what}: {answer:?}");
                assert_eq!(answer.header("vary"), Some("Origin"), "{what}");
                assert_eq!(answer.header("cache-control"), Some("no-cache"), "{what}");
                if status >= 400 || !matches!(*method, "PUT" | "POST" | "DELETE") {
                    assert_eq!(place.file(), before, "{what}: changed nevertheless");
                }
                if *method == "HEAD" || status == 304 || status == 204 {
                    assert_eq!(answer.text(), "", "{what}");
                }
                if status == 200 {
                    answer.tag();
                }
                if status == 405 {
                    let allow = answer.header("allow").expect("Allow");
                    let allowed: Vec<_> = allow.split(", ").collect();
                    assert_eq!(allowed[0], "OPTIONS", "{what}");
                    assert!(!allowed.contains(method), "{what}: {allow}");
                }
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}
