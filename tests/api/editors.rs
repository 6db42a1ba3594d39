//! Many who edit the same thing at the same time.

use crate::client::Place;
use serde_json::{Value, json};
use std::sync::Arc;

const EDITORS: usize = 12;
const EDITS: usize = 5;

/// Each adds to a number that is kept in a field, as an editor would: reads, changes, writes it
/// back if no one else did.
async fn add(place: &Place, path: &str, read: fn(&Value) -> i64, write: fn(&mut Value, i64)) {
    loop {
        let shown = place.ask("GET", path).send().await;
        assert_eq!(shown.status, 200, "{shown:?}");
        let mut object = shown.json();
        let count = read(&object);
        write(&mut object, count + 1);
        let put = place
            .ask("PUT", path)
            .header("If-Match", &shown.tag())
            .json(&object.to_string());
        match put.status().await {
            204 => return,
            412 => {}
            other => panic!("{path}: {other}"),
        }
    }
}

async fn edit_together(path: &'static str, read: fn(&Value) -> i64, write: fn(&mut Value, i64)) {
    let place = Arc::new(Place::start().await);
    let begin = read(&place.ask("GET", path).send().await.json());
    let mut editors = tokio::task::JoinSet::new();
    for _ in 0..EDITORS {
        let place = Arc::clone(&place);
        editors.spawn(async move {
            for _ in 0..EDITS {
                add(&place, path, read, write).await;
            }
        });
    }
    editors.join_all().await;
    let end = read(&place.ask("GET", path).send().await.json());
    assert_eq!(end, begin + (EDITORS * EDITS) as i64, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_group_is_lost() {
    edit_together(
        ".groups/watch",
        |group| group["max-clients"].as_i64().unwrap_or(0),
        |group, count| group["max-clients"] = count.into(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_user_is_lost() {
    edit_together(
        ".groups/watch/.users/fred",
        |user| user["permissions"].as_array().map_or(0, Vec::len) as i64,
        |user, count| user["permissions"] = (0..count).map(|n| n.to_string()).collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_token_is_lost() {
    edit_together(
        ".groups/watch/.tokens/tick",
        |token| token["x-count"].as_i64().unwrap_or(0),
        |token, count| token["x-count"] = count.into(),
    )
    .await;
}

/// Whoever changes one thing of a group without a condition undoes nothing of what others change.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_group_are_changed_side_by_side() {
    let place = Arc::new(Place::start().await);
    let mut editors = tokio::task::JoinSet::new();
    for number in 0..EDITORS {
        let place = Arc::clone(&place);
        editors.spawn(async move {
            let user = format!(".groups/watch/.users/recruit{number}");
            let put = place
                .ask("PUT", &user)
                .json(r#"{"permissions": "present"}"#);
            assert_eq!(put.status().await, 201);
            let password = format!("{user}/.password");
            let put = place.ask("PUT", &password).json("\"secret\"");
            assert_eq!(put.status().await, 204);
            let group = place.ask("PUT", ".groups/watch").json("{\"public\": true}");
            assert_eq!(group.status().await, 204);
        });
    }
    editors.join_all().await;
    let file = place.file();
    assert_eq!(file["public"], true);
    assert_eq!(file["users"]["fred"]["password"], "fred");
    for number in 0..EDITORS {
        assert_eq!(
            file["users"][format!("recruit{number}")],
            json!({"password": "secret", "permissions": "present"})
        );
    }
}

/// Only one can be the first.
#[tokio::test(flavor = "multi_thread")]
async fn one_creates_what_many_want_to_create() {
    let place = Arc::new(Place::start().await);
    for path in [
        ".groups/new",
        ".groups/watch/.users/new",
        ".groups/watch/.tokens/new",
    ] {
        let mut editors = tokio::task::JoinSet::new();
        for _ in 0..EDITORS {
            let place = Arc::clone(&place);
            editors.spawn(async move {
                let put = place.ask("PUT", path).header("If-None-Match", "*");
                put.json("{}").status().await
            });
        }
        let mut statuses = editors.join_all().await;
        statuses.sort_unstable();
        let mut expected = vec![412; EDITORS];
        expected[0] = 201;
        assert_eq!(statuses, expected, "{path}");
    }
}
