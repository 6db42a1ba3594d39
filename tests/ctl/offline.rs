use crate::console::{Console, run};
use insta::assert_snapshot;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn initial_setup_lets_one_administer() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "-admin-username root -server http://localhost:1 initial-setup";
    let output = run(folder.path(), line, "").await;
    assert!(output.status.success(), "{output:?}");
    let again = run(folder.path(), line, "").await;
    assert!(!again.status.success(), "it would lose the password");
    for name in ["home/galene/galenectl.json", "config.json"] {
        let mode = fs::metadata(folder.path().join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name} holds a secret");
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
    let own: Value = serde_json::from_str(&read("home/galene/galenectl.json")).expect("JSON");
    let password = own["admin-password"].as_str().expect("a password");
    assert!(
        password.len() >= 20 && own["admin-username"] == "root",
        "{own}"
    );

    // The server takes it as it is.
    let console = Console::with_config(&[("groups/g.json", "{}")], &read("config.json")).await;
    let line = format!("create-group new -admin-username root -admin-password {password}");
    console.quietly(&line).await;
    assert!(console.site.path("groups/new.json").exists());
    console.end().await;
}

#[tokio::test]
async fn help_lists_commands_and_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shown = String::new();
    for line in ["-help", "create-group -help", "--version"] {
        let output = run(folder.path(), line, "").await;
        assert!(output.status.success(), "{output:?}");
        shown += &format!(
            "$ perikonctl {line}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    assert_snapshot!(shown.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn completions_know_commands_and_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = run(folder.path(), &format!("completions {shell}"), "").await;
        let text = String::from_utf8_lossy(&output.stdout);
        for word in ["create-token", "include-subgroups"] {
            assert!(text.contains(word), "{shell}: no {word}");
        }
    }
    assert!(
        !run(folder.path(), "completions cmd", "")
            .await
            .status
            .success()
    );
}
