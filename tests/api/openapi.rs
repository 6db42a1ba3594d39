//! The description of the API, next to what the server answers.

use crate::client::Place;
use crate::table::OBJECTS;
use serde_json::Value;
use std::collections::BTreeSet;

/// Parameters that name something which is there, or could be.
fn fill(path: &str) -> String {
    let path = path.strip_prefix("/galene-api/v0/").expect("a path");
    [
        ("{group}", "watch"),
        ("{user}", "fred"),
        ("{token}", "tick"),
        ("{client}", "someone"),
        ("{stream}", "something"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (name, value)| {
        path.replace(name, value)
    })
}

/// Whether a path is one of those that a template stands for.
fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(template, part)| {
            let is_name = !part.is_empty() && !part.starts_with('.');
            template == part || (template.starts_with('{') && is_name)
        })
}

#[tokio::test]
async fn what_is_described_is_answered_and_nothing_else() {
    let place = Place::start().await;
    // For everyone.
    let description = place.ask_bare("GET", "openapi.json").send().await;
    assert_eq!(description.status, 200);
    let description = description.json();
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().expect("paths");
    for (template, operations) in paths {
        let path = fill(template);
        let operations = operations.as_object().expect("operations");
        let described: BTreeSet<String> = operations
            .keys()
            .filter(|key| *key != "parameters")
            .map(|key| key.to_uppercase())
            .chain(["OPTIONS".to_owned()])
            .collect();
        let options = place.ask_bare("OPTIONS", &path).send().await;
        let allow = options.header("allow").unwrap_or_default();
        let answered: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
        assert_eq!(described, answered, "{template}");

        for (method, operation) in operations.iter().filter(|(key, _)| *key != "parameters") {
            place.reset();
            let (method, what) = (method.to_uppercase(), format!("{method} {template}"));
            let mut asking = place.ask(&method, &path);
            let content = operation["requestBody"]["content"].as_object();
            if let Some(kind) = content.and_then(|content| content.keys().next()) {
                let body = match kind.as_str() {
                    "application/jwk-set+json" => r#"{"keys": []}"#,
                    _ if path.ends_with(".password") => "\"x\"",
                    _ => "{}",
                };
                asking = asking.body(kind, body);
            }
            let status = asking.status().await;
            let described = operation["responses"].as_object().expect("responses");
            assert!(
                described.contains_key(&status.to_string()),
                "{what}: {status}"
            );
            assert!(status != 405 && status < 500, "{what}: {status}");
            if !path.contains("someone") && !path.ends_with(".lock") {
                let root = path == ".groups/.tokens/tick" && method != "PUT";
                let other = path == ".groups/.tokens/tick" && method == "PUT";
                let expected = if root {
                    404
                } else if other {
                    409
                } else {
                    status
                };
                assert_eq!(status, expected, "{what}");
                assert!(status < 300 || root || other, "{what}: {status}");
            }
        }
    }
    for (path, ..) in OBJECTS {
        let is_answered = place.ask_bare("OPTIONS", path).send().await.status != 404;
        let is_unknown = path.contains(".unknown");
        let full = format!("/galene-api/v0/{path}");
        let is_described = paths.keys().any(|template| fits(template, &full));
        assert_eq!(is_described, is_answered && !is_unknown, "{path}");
    }
}

/// Every reference leads to something.
#[test]
fn the_description_is_whole() {
    let text = include_str!("../../src/web/api/openapi.json");
    let description: Value = serde_json::from_str(text).expect("JSON");
    let mut stack = vec![&description];
    let (mut references, mut operations) = (0, BTreeSet::new());
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    references += 1;
                    let pointer = reference.strip_prefix('#').expect("in this file");
                    assert!(description.pointer(pointer).is_some(), "{reference}");
                }
                if let Some(Value::String(id)) = fields.get("operationId") {
                    assert!(operations.insert(id), "{id} twice");
                }
                stack.extend(fields.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    assert!(references > 100 && operations.len() > 40);
}
