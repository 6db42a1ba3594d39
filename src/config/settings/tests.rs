use super::*;

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    std::fs::write(&path, content).expect("writing");
    (folder, path)
}

#[test]
fn reads_what_galene_reads() {
    let (_folder, path) = file(
        r#"{"users": {"vetinari": {"password": "lagniappe", "permissions": "admin"}},
            "canonicalHost": "galene.example.org", "writableGroups": true,
            "allowOrigin": ["https://a.example"], "allowAdminOrigin": ["*"],
            "proxyURL": "https://galene.example.org/here/"}"#,
    );
    let settings = SettingsFile::open(path).expect("good").current();
    assert!(settings.writable_groups && settings.users.contains_key("vetinari"));
    assert_eq!(settings.canonical_host, "galene.example.org");
    assert_eq!(settings.allow_origin, ["https://a.example"]);
    assert_eq!(settings.allow_admin_origin, ["*"]);
    assert_eq!(settings.proxy_url, "https://galene.example.org/here/");
}

#[test]
fn no_file_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SettingsFile::open(folder.path().join("config.json")).expect("good");
    assert_eq!(*file.current(), Settings::default());
    assert!(!file.refresh());
}

#[test]
fn errors_name_file_and_line() {
    for (content, line, reason) in [
        ("{\n\"canonicalHost\": 7}", 2, "invalid type"),
        ("{\n\n\"allowOrigin\": \"*\"}", 3, "invalid type"),
        ("{", 1, "EOF"),
        (
            "{\"users\": {\n\"x\": {\"permissions\": \"king\"}}}",
            2,
            "unknown role \"king\"",
        ),
        ("{\n\"proxyURL\": \"example.org\"}", 2, "proxyURL"),
        (
            "{\"canonicalHost\": \"https://example.org/\"}",
            1,
            "canonicalHost",
        ),
    ] {
        let (_folder, path) = file(content);
        let error = SettingsFile::open(path).expect_err(content).to_string();
        assert!(
            error.contains(&format!("config.json, line {line}: ")),
            "{error}"
        );
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_change_comes_into_force_and_a_broken_one_does_not() {
    let (_folder, path) = file(r#"{"canonicalHost": "one"}"#);
    let file = SettingsFile::open(path.clone()).expect("good");
    assert!(!file.refresh(), "nothing changed");

    std::fs::write(&path, r#"{"canonicalHost": "another"}"#).expect("writing");
    assert!(file.refresh());
    assert_eq!(file.current().canonical_host, "another");

    std::fs::write(&path, r#"{"canonicalHost": "#).expect("writing");
    assert!(!file.refresh());
    assert_eq!(file.current().canonical_host, "another");

    std::fs::remove_file(&path).expect("removing");
    assert!(file.refresh());
    assert_eq!(file.current().canonical_host, "");
}

#[test]
fn unknown_fields_are_no_error() {
    let (_folder, path) = file(r#"{"nonsense": 7, "canonicalHost": "one"}"#);
    let settings = SettingsFile::open(path).expect("good").current();
    assert_eq!(settings.canonical_host, "one");
    assert!(settings.unknown.contains_key("nonsense"));
}

#[test]
fn warnings_say_the_line() {
    let text = r#"{
        "users": {
            "root": {"password": "secret", "permissions": "admin"},
            "guest": {"password": "guest", "permissions": "present"},
            "typo": {"pasword": "x", "permissions": ["admin"]}
        },
        "writeableGroups": true
    }"#;
    let settings: Settings = serde_json::from_str(text).expect("good");
    insta::assert_snapshot!(warnings(&settings, text).join("\n"), @r#"
    line 7: unknown field "writeableGroups" is ignored
    line 4: user "guest" may do nothing: only "admin" means something here
    line 5: unknown field "pasword" of user "typo" is ignored (did you mean "password"?)
    "#);
}
