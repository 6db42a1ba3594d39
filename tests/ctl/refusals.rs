use crate::console::{Console, run};
use insta::assert_snapshot;

#[tokio::test]
async fn refusals_are_said_in_one_line() {
    let config = r#"{"users": {"root": {"password": "secret", "permissions": "admin"}}}"#;
    let mut console = Console::with_config(&[("groups/g.json", "{}")], config).await;
    for line in [
        "create-group -group new",
        "list-groups -admin-password wrong",
        "list-groups -admin-token wrong",
        "get-group nowhere",
        "list-groups -server localhost:8443",
        "list-groups -server http://127.0.0.1:1",
        "list-groups -config broken.json",
        "update-group g",
        "fly",
        "list-groups -fly",
        "''",
    ] {
        if line.contains("broken") {
            console
                .site
                .write("broken.json", "{\n\"server\": \"x\",\n\"sever\": 1}");
        }
        console.run(line).await;
    }
    assert_snapshot!(console.end().await);
}

#[tokio::test]
async fn a_certificate_is_checked_unless_one_says_otherwise() {
    let console = Console::new(&[]).await;
    let server = console.site.serve(&[]).await;
    let line = format!(
        "list-groups -server https://127.0.0.1:{}",
        server.address().port()
    );
    let folder = console.site.folder.path();
    let refused = run(folder, &line, "").await;
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("certificate"),
        "{text}"
    );
    let taken = run(folder, &format!("-insecure {line}"), "").await;
    assert!(taken.status.success(), "{taken:?}");
    server.shutdown().await;
    console.end().await;
}
