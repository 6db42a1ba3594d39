use super::{Newcomer, Registry, Scan};
use crate::group::{
    BaseUrl, ChatMessage, Credentials, Group, GroupError, JoinError, Mailbox, MailboxLimits, Notice,
};
use jiff::Timestamp;
use serde_json::Map;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Setup {
    folder: tempfile::TempDir,
    registry: Arc<Registry>,
}

fn setup(files: &[(&str, &str)]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    for (name, json) in files {
        write(folder.path(), name, json);
    }
    let registry = Registry::new(folder.path().to_owned(), false);
    Setup { folder, registry }
}

fn write(folder: &Path, name: &str, json: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, json).unwrap();
}

fn base() -> BaseUrl {
    BaseUrl::new(true, "example.org")
}

impl Setup {
    fn write(&self, name: &str, json: &str) {
        write(self.folder.path(), name, json);
    }

    async fn public(&self) -> Vec<String> {
        self.registry
            .public_groups(&base())
            .await
            .into_iter()
            .map(|s| s.name)
            .collect()
    }

    async fn join(
        &self,
        group: &str,
        id: &str,
        user: &str,
        password: &str,
    ) -> Result<(Arc<Group>, Arc<Mailbox>), JoinError> {
        let mailbox = Arc::new(Mailbox::new(MailboxLimits::default()));
        let newcomer = Newcomer {
            id: id.into(),
            credentials: Credentials {
                username: Some(user.into()),
                password: password.into(),
                token: None,
            },
            data: Map::new(),
            address: None,
            mailbox: Arc::clone(&mailbox),
        };
        Ok((self.registry.join(group, newcomer).await?, mailbox))
    }
}

/// Waits for what the watcher brings.
async fn eventually<F: Future<Output = bool>>(what: &str, mut test: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !test().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const OPEN: &str =
    r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#;

#[tokio::test]
async fn public_groups_are_loaded_at_start_and_sorted() {
    let setup = setup(&[
        ("z.json", r#"{"public": true}"#),
        ("b/a.json", r#"{"public": true}"#),
        ("hidden.json", "{}"),
        (".dot.json", r#"{"public": true}"#),
        ("broken.json", r#"{"public": true"#),
        ("note.txt", "no group"),
    ]);
    assert_eq!(setup.public().await, ["b/a", "z"]);
    setup.write("m.json", r#"{"public": true}"#);
    eventually("the new group", || async {
        setup.public().await == ["b/a", "m", "z"]
    })
    .await;
    setup.write("z.json", r#"{"public": false}"#);
    assert_eq!(
        setup.public().await,
        ["b/a", "m"],
        "at the next access, without waiting"
    );
    fs::remove_file(setup.folder.path().join("m.json")).unwrap();
    assert_eq!(setup.public().await, ["b/a"]);
}

#[tokio::test]
async fn statuses() {
    let setup = setup(&[
        (
            "open.json",
            r#"{"public": true, "displayName": "Open", "description": "All"}"#,
        ),
        ("closed.json", r#"{"autolock": true}"#),
        (
            "moved.json",
            r#"{"redirect": "https://x.org/", "public": true, "contact": "me"}"#,
        ),
        ("broken.json", "{"),
    ]);
    let status = async |name: &str| {
        let status = setup.registry.status(name, &base()).await?;
        Ok::<_, GroupError>(serde_json::to_string(&status).unwrap())
    };
    insta::assert_snapshot!(status("open").await.unwrap(), @r#"{"name":"open","location":"https://example.org/group/open/","endpoint":"wss://example.org/ws","displayName":"Open","description":"All","clientCount":0}"#);
    insta::assert_snapshot!(status("closed").await.unwrap(), @r#"{"name":"closed","location":"https://example.org/group/closed/","endpoint":"wss://example.org/ws"}"#);
    insta::assert_snapshot!(status("moved").await.unwrap(), @r#"{"name":"moved","redirect":"https://x.org/"}"#);
    assert_eq!(status("broken").await.unwrap_err(), GroupError::Broken);
    assert_eq!(status("none").await.unwrap_err(), GroupError::DoesNotExist);
    assert_eq!(
        status("open/sub").await.unwrap_err(),
        GroupError::DoesNotExist
    );
    assert_eq!(
        status("../open").await.unwrap_err(),
        GroupError::IllegalName
    );
    assert_eq!(status(".dot").await.unwrap_err(), GroupError::IllegalName);
}

#[tokio::test]
async fn automatic_subgroups() {
    let setup = setup(&[(
        "a.json",
        r#"{"auto-subgroups": true, "public": true, "displayName": "A", "description": "d",
            "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "op"}}"#,
    )]);
    let status = setup.registry.status("a/b/c", &base()).await.unwrap();
    assert_eq!(status.display_name, "A");
    assert_eq!(
        (status.description.as_str(), status.client_count),
        ("", None)
    );
    assert!(
        setup.registry.get("a/b/c").is_none(),
        "asking makes nothing"
    );
    let (group, mailbox) = setup.join("a/b/c", "1", "x", "").await.unwrap();
    assert_eq!(setup.registry.subgroups("a"), [("a/b/c".to_owned(), 1)]);
    assert_eq!(setup.public().await, ["a"]);
    group.leave("1");
    assert_eq!(setup.registry.subgroups("a"), []);
    drop((group, mailbox));
    setup.registry.rescan(Scan::All);
    assert!(
        setup.registry.get("a/b/c").is_none(),
        "empty, and nothing was said"
    );
    setup.write("a.json", "{}");
    assert_eq!(
        setup.join("a/b/c", "1", "x", "").await.unwrap_err().error,
        GroupError::DoesNotExist
    );
}

#[tokio::test]
async fn a_changed_file_is_in_force_at_once() {
    let setup = setup(&[("g.json", OPEN)]);
    let (group, mailbox) = setup.join("g", "1", "x", "").await.unwrap();
    while mailbox.try_next().unwrap().is_some() {}
    setup.write(
        "g.json",
        r#"{"wildcard-user": {"password": "new", "permissions": "message"}}"#,
    );
    assert_eq!(
        setup.join("g", "2", "y", "").await.unwrap_err().error,
        GroupError::NotAuthorised
    );
    let (again, _) = setup.join("g", "2", "y", "new").await.unwrap();
    assert!(Arc::ptr_eq(&group, &again), "the same group");
    assert!(matches!(mailbox.next().await.unwrap(), Notice::Changed(_)));
    assert!(
        group.permits("1", "message") && !group.permits("1", "present"),
        "and those inside have the permissions it names"
    );
}

#[tokio::test]
async fn a_broken_edit_changes_nothing() {
    let setup = setup(&[("g.json", OPEN)]);
    setup.join("g", "1", "x", "").await.unwrap();
    setup.write("g.json", "{\"wildcard-user\": ");
    setup.join("g", "2", "y", "").await.unwrap();
    assert!(setup.registry.status("g", &base()).await.is_ok());
    setup.write("g.json", "{}");
    assert_eq!(
        setup.join("g", "3", "z", "").await.unwrap_err().error,
        GroupError::NotAuthorised
    );
}

#[tokio::test]
async fn a_removed_file_keeps_its_members() {
    let setup = setup(&[("g.json", OPEN)]);
    let (group, _mailbox) = setup.join("g", "1", "x", "").await.unwrap();
    fs::remove_file(setup.folder.path().join("g.json")).unwrap();
    assert_eq!(
        setup.join("g", "2", "y", "").await.unwrap_err().error,
        GroupError::DoesNotExist
    );
    setup.registry.rescan(Scan::All);
    assert_eq!(group.client_count(), 1);
    setup.write("g.json", OPEN);
    let (again, _) = setup.join("g", "2", "y", "").await.unwrap();
    assert!(
        Arc::ptr_eq(&group, &again),
        "back, and still the same group"
    );
    fs::remove_file(setup.folder.path().join("g.json")).unwrap();
    group.leave("1");
    group.leave("2");
    drop((group, again));
    setup.registry.rescan(Scan::All);
    assert!(setup.registry.get("g").is_none());
}

#[tokio::test]
async fn slow_passwords_do_not_stop_the_others() {
    let key = bcrypt::hash("sybil", 4).unwrap();
    let json = format!(
        r#"{{"users": {{"vimes": {{"password": {{"type": "bcrypt", "key": "{key}"}}, "permissions": "op"}}}}}}"#
    );
    let setup = setup(&[("g.json", &json)]);
    for (id, password, good) in [("1", "sybil", true), ("2", "sibyl", false)] {
        let result = setup.join("g", id, "vimes", password).await;
        assert_eq!(result.is_ok(), good);
    }
    for bad in ["/x", "../x", "a//b", "a\\b", "."] {
        let error = setup.join("g", "3", bad, "").await.unwrap_err();
        assert_eq!(
            error,
            JoinError {
                username: String::new(),
                error: GroupError::NotAuthorised
            }
        );
    }
}

#[tokio::test]
async fn groups_that_no_one_needs_are_forgotten() {
    let public = OPEN.replacen('{', r#"{"public": true,"#, 1);
    let op = OPEN.replace("present", "op");
    let setup = setup(&[
        ("public.json", &public),
        ("empty.json", OPEN),
        ("fresh.json", OPEN),
        ("inside.json", OPEN),
        ("said.json", OPEN),
        ("locked.json", &op),
        ("data.json", &op),
    ]);
    for name in ["empty", "fresh", "inside", "said", "locked", "data"] {
        let (group, _) = setup.join(name, "1", "x", "").await.unwrap();
        match name {
            "locked" => group.lock("1", Some("")).unwrap(),
            "data" => {
                let data = serde_json::json!({"poll": 1});
                group
                    .set_data("1", data.as_object().unwrap().clone())
                    .unwrap();
            }
            "said" => group
                .chat(ChatMessage {
                    id: None,
                    source: Some("1".to_owned()),
                    username: None,
                    dest: None,
                    kind: None,
                    privileged: false,
                    noecho: false,
                    time: Timestamp::now(),
                    value: "x".into(),
                    weight: 1,
                })
                .unwrap(),
            _ => {}
        }
        if name != "inside" {
            group.leave("1");
        }
        if name != "fresh" {
            group.age();
        }
    }
    setup.registry.get("public").unwrap().age();
    setup.registry.rescan(Scan::All);
    let kept = |name: &&str| setup.registry.get(name).is_some();
    let names = [
        "public", "empty", "fresh", "inside", "said", "locked", "data",
    ];
    let kept: Vec<&str> = names.into_iter().filter(kept).collect();
    assert_eq!(
        kept,
        ["public", "fresh", "inside", "said", "locked", "data"]
    );
    setup.join("empty", "1", "x", "").await.unwrap();
}
