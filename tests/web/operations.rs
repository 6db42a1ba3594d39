//! What those who run the server do: check, reload, watch.

use crate::cli::{Running, perikon};
use crate::support::{PATIENCE, Site};
use serde_json::Value;
use std::fs::File;
use std::os::unix::net::UnixDatagram;

/// `--check`: the exit code, and what it says, without the folder's name.
fn check(site: &Site, more: &[&str]) -> (Option<i32>, String) {
    let mut flags = site.flags();
    flags.push("--check".to_owned());
    flags.extend(more.iter().map(|&flag| flag.to_owned()));
    let output = perikon(&flags).output().expect("the program runs");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let folder = site.folder.path().display().to_string();
    (output.status.code(), text.replace(&folder, "FOLDER"))
}

#[test]
fn a_check_of_good_files_changes_nothing() {
    let site = Site::new(&[
        ("groups/a.json", r#"{"public": true}"#),
        ("groups/b/c.json", "{}"),
        ("data/config.json", r#"{"writableGroups": true}"#),
    ]);
    let expected = "Group files: 2. Errors: 0. Warnings: 0.\n".to_owned();
    assert_eq!(check(&site, &[]), (Some(0), expected));
    assert!(!site.path("data/key.pem").exists(), "it made a key");
}

#[test]
fn a_check_names_file_line_and_reason() {
    let site = Site::new(&[
        ("groups/bad.json", "{\n  \"public\": yes\n}"),
        (
            "groups/old.json",
            "{\n  \"op\": [{\"username\": \"ann\"}]\n}",
        ),
        ("groups/typo.json", "{\n\n  \"pubic\": true\n}"),
        ("data/config.json", "{\n  \"proxyURL\": \"here\"\n}"),
        ("data/ice-servers.json", r#"[{"urls": ["http://turn"]}]"#),
        ("data/cert.pem", "no key"),
    ]);
    let (code, text) = check(&site, &["-static", "/nowhere"]);
    insta::assert_snapshot!(text);
    assert_eq!(code, Some(1));
    let (_, text) = check(&site, &["-insecure"]);
    assert!(!text.contains("pem"), "plain HTTP needs no key: {text}");
}

#[test]
fn a_missing_folder_of_groups_is_an_error() {
    let site = Site::new(&[]);
    std::fs::remove_dir(site.path("groups")).expect("removing");
    let (code, text) = check(&site, &[]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: FOLDER/groups: "), "{text}");
}

#[test]
fn a_service_manager_is_told_and_reloads() {
    let site = Site::new(&[
        ("groups/g.json", "{}"),
        ("data/config.json", r#"{"writableGroups": false}"#),
    ]);
    let socket = UnixDatagram::bind(site.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // What it says besides that it lives.
    let told = || loop {
        let mut text = [0; 1024];
        let length = socket.recv(&mut text).expect("it says something in time");
        let text = String::from_utf8_lossy(&text[..length]).trim().to_owned();
        if text != "WATCHDOG=1" {
            return text;
        }
    };
    let flags: Vec<_> = site
        .flags()
        .into_iter()
        .chain(["-insecure".to_owned()])
        .collect();
    let mut command = perikon(&flags);
    command.env("NOTIFY_SOCKET", site.path("notify"));
    command.env("WATCHDOG_USEC", "200000");
    let running = Running::spawn(command);
    assert_eq!(told(), "READY=1");
    let mut text = [0; 64];
    let length = socket.recv(&mut text).expect("it lives");
    assert_eq!(text[..length].trim_ascii(), b"WATCHDOG=1");

    // Nothing but the content says that it is another one.
    let path = site.path("data/config.json");
    let time = path
        .metadata()
        .and_then(|data| data.modified())
        .expect("a time");
    site.write("data/config.json", r#"{"writableGroups": true }"#);
    let file = File::options().append(true).open(&path).expect("the file");
    file.set_modified(time).expect("setting the time");
    running.signal("HUP");
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1");
    running.signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("configuration read again"), "{log}");
}

#[test]
fn the_log_can_be_json() {
    let site = Site::new(&[("groups/g.json", "{")]);
    let running = Running::start(&site, &["-insecure", "--log-format", "json"]);
    running.signal("TERM");
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let ending = lines
        .iter()
        .find(|line| line["message"] == "SIGTERM: ending");
    let ending = ending.expect("it says that it ends");
    assert!(ending["level"] == "INFO" && ending["timestamp"].is_string());
}
