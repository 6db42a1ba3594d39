use crate::console::Console;
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn groups_are_made_changed_and_deleted() {
    let mut console = Console::new(&[(
        "groups/old.json",
        r#"{"users": {"ann": {"password": "x", "permissions": "op"}}}"#,
    )])
    .await;
    console.run("list-groups").await;
    console
        .run("create-group -group city-watch -unrestricted-tokens --display-name=City+Watch -max-history-age 1h30m -not-before 2026-01-01T00:00:00Z -codecs vp9,opus")
        .await;
    console.run("create-group -group city-watch").await;
    console.run("get-group city-watch").await;
    console
        .run("update-group -group city-watch -unrestricted-tokens=false -max-clients 20 -displayName ''")
        .await;
    console.run("get-group -group=city-watch").await;
    console
        .run_with(
            "create-group -group amcw -json",
            r#"{"redirect": "https://example.org/"}"#,
        )
        .await;
    console.run("get-group amcw").await;
    console
        .run_with(
            "update-group -group amcw",
            r#"{"redirect": null, "public": true}"#,
        )
        .await;
    console.run("get-group amcw").await;
    console.run("update-group old -description Ours").await;
    console
        .run("create-group unseen/university -auto-subgroups")
        .await;
    console.run("list-groups").await;
    console.run("list-groups -json").await;
    console.run("delete-group -group amcw").await;
    console.run("delete-group -group amcw").await;
    console.run("list-groups").await;
    // What the API does not show was not lost.
    assert_eq!(
        console.file("groups/old.json"),
        json!({
            "description": "Ours",
            "users": {"ann": {"password": "x", "permissions": "op"}},
        })
    );
    assert_snapshot!(console.end().await);
}

#[tokio::test]
async fn keys_are_set_and_deleted() {
    let mut console = Console::new(&[("groups/g.json", "{}")]).await;
    let keys = r#"{"keys": [{"kty": "oct", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}]}"#;
    console.run_with("set-keys -group g", keys).await;
    assert_eq!(console.file("groups/g.json")["authKeys"][0]["kty"], "oct");
    console.run_with("set-keys -group g", "[]").await;
    console.run("set-keys -group g -file missing.json").await;
    console.run("delete-keys -group g").await;
    console.run_with("set-keys -group nowhere", keys).await;
    assert_eq!(console.file("groups/g.json").get("authKeys"), None);
    assert_snapshot!(console.end().await);
}
