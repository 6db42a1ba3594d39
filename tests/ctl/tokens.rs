use crate::console::Console;
use insta::assert_snapshot;
use jiff::Timestamp;

#[tokio::test]
async fn tokens_are_made_changed_and_deleted() {
    let mut console = Console::new(&[("groups/g.json", "{}")]).await;
    console.run("list-tokens -group g").await;
    let line = "create-token -group g -user ann -permissions op -expires 2100-01-01T00:00:00Z -include-subgroups";
    let first = console.quietly(line).await.trim().to_owned();
    let second = console.quietly("create-token g").await.trim().to_owned();
    let root = console
        .quietly("create-token -group '' -include-subgroups -expires 2100-01-01T00:00:00Z")
        .await;
    let root = root.trim().to_owned();
    let shown = console.quietly("list-tokens -l -json -group g").await;
    let tokens: Vec<serde_json::Value> = serde_json::from_str(&shown).expect("JSON");
    let of = |name: &str| {
        tokens
            .iter()
            .find(|token| token["token"] == name)
            .expect("listed")
    };
    let expires: Timestamp = of(&second)["expires"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    let hours = expires.duration_since(Timestamp::now()).as_hours();
    assert!((23..=24).contains(&hours), "a day by default: {hours}");
    assert_eq!(
        of(&second)["permissions"],
        serde_json::json!(["present", "message"])
    );
    console.quietly(&format!("update-token -group g -token {second} -expires 2099-01-01T00:00:00Z -user bob -permissions message")).await;

    let (first_name, second_name, root_name) = (first.clone(), second.clone(), root.clone());
    console.hide(&first_name, "FIRST-TOKEN");
    console.hide(&second_name, "SECOND-TOKEN");
    console.hide(&root_name, "ROOT-TOKEN");
    for group in ["-group g", "-group ''"] {
        let shown = console.quietly(&format!("list-tokens -l {group}")).await;
        let mut lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), if group == "-group g" { 2 } else { 1 });
        lines.sort_by_key(|line| !line.contains(&first));
        let lines = lines.join("\n");
        let lines = lines
            .replace(&first, "FIRST")
            .replace(&second, "SECOND")
            .replace(&root, "ROOT");
        assert_snapshot!(lines);
    }
    console
        .run(&format!("revoke-token -group g -token {first}"))
        .await;
    let shown = console.quietly("list-tokens -l -json -group g").await;
    let tokens: Vec<serde_json::Value> = serde_json::from_str(&shown).expect("JSON");
    let revoked = tokens
        .iter()
        .find(|token| token["token"] == *first)
        .expect("listed");
    let expires: Timestamp = revoked["expires"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    assert!(expires < Timestamp::now(), "{expires}");
    assert_eq!(revoked["username"], "ann", "the rest stays as it was");
    for line in [
        format!("delete-token -group g -token {first}"),
        format!("delete-token -group g -token {first}"),
        format!("revoke-token -group other -token {second}"),
        "create-token -group nowhere".to_owned(),
        "create-token -group ''".to_owned(),
        "create-token -group g -expires soon".to_owned(),
        "list-tokens g".to_owned(),
    ] {
        console.run(&line).await;
    }
    assert_snapshot!(console.end().await);
}

#[tokio::test]
async fn a_token_administers_where_a_password_would() {
    let console = Console::new(&[("groups/g.json", "{}")]).await;
    let token = console
        .quietly(r#"create-token -group '' -include-subgroups -permissions ["admin"]"#)
        .await;
    let line = format!("list-groups -admin-token {}", token.trim());
    assert_eq!(console.quietly(&line).await, "g\n");
    console.end().await;
}
