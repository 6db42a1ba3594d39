use crate::console::{Console, run};
use insta::assert_snapshot;
use perikon::group::Password;
use serde_json::json;

#[tokio::test]
async fn users_are_made_changed_and_deleted() {
    let mut console = Console::new(&[("groups/city-watch.json", "{}")]).await;
    for line in [
        "create-user -group city-watch -user vimes -permissions op",
        "create-user -group city-watch -user vimes",
        "create-user -group city-watch -user fred+colon",
        r#"create-user -group city-watch -user nobby -permissions ["message"]"#,
        "create-user -group city-watch -wildcard -permissions observe",
        "create-user -group city-watch -user ''",
        "create-user -group nowhere -user vimes",
        "create-user -group city-watch -user detritus -permissions troll",
        "create-user -group city-watch",
        "list-users -group city-watch",
        "list-users -l -group city-watch",
        "list-users -l -json -group city-watch",
        "update-user -group city-watch -user nobby -permissions present",
        "update-user -group city-watch -user carrot -permissions op",
        "delete-user -group city-watch -user fred+colon",
        "delete-user -group city-watch -user fred+colon",
        "delete-user -group city-watch -wildcard",
        "list-users --long --group=city-watch",
        "list-users nowhere",
    ] {
        console.run(line).await;
    }
    assert_snapshot!(console.end().await);
}

#[tokio::test]
async fn passwords_are_hashed_before_they_are_sent() {
    let mut console = Console::new(&[(
        "groups/g.json",
        r#"{"users": {"ann": {"permissions": "op"}, "": {}}, "wildcard-user": {}}"#,
    )])
    .await;
    for (line, input) in [
        ("set-password -group g -user ann -password one -cost 4", ""),
        (
            "set-password -group g -user '' -type pbkdf2 -iterations 1000",
            "two\n",
        ),
        ("set-password -group g -wildcard -type wildcard", ""),
        ("set-password -group g -user bob -password x -cost 4", ""),
        ("set-password -group g -user ann -type md5 -password x", ""),
        ("set-password -group g -user ann", ""),
    ] {
        console.run_with(line, input).await;
    }
    let file = console.file("groups/g.json");
    let password = |user: &serde_json::Value| -> Password {
        serde_json::from_value(user["password"].clone()).expect("a password")
    };
    let ann = password(&file["users"]["ann"]);
    assert!(matches!(&ann, Password::Bcrypt(_)) && ann.matches("one") && !ann.matches("two"));
    let nameless = password(&file["users"][""]);
    assert!(matches!(
        &nameless,
        Password::Pbkdf2 {
            iterations: 1000,
            ..
        }
    ));
    assert!(nameless.matches("two"));
    assert_eq!(
        file["wildcard-user"],
        json!({"password": {"type": "wildcard"}})
    );
    console.run("delete-password -group g -user ann").await;
    assert_eq!(
        console.file("groups/g.json")["users"]["ann"],
        json!({"permissions": "op"})
    );
    assert_snapshot!(console.end().await);
}

#[tokio::test]
async fn hashes_are_of_the_password() {
    let folder = tempfile::tempdir().expect("a folder");
    for line in [
        "hash-password -password so+secret -cost 4",
        "hash-password -password so+secret -type pbkdf2 -iterations 100 -key 16 -salt 4",
        "hash-password -password so+secret -type argon2id",
    ] {
        let output = run(folder.path(), line, "").await;
        assert!(output.status.success(), "{output:?}");
        let password: Password = serde_json::from_slice(&output.stdout).expect("a password");
        assert!(password.matches("so secret"), "{line}");
        assert!(!password.matches("so"), "{line}");
        let again = run(folder.path(), line, "").await;
        assert_ne!(again.stdout, output.stdout, "no salt: {line}");
    }
}
