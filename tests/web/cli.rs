//! The program itself, from its command line to its end.

use crate::support::{PATIENCE, Site};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;

pub(crate) fn perikon(flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perikon"));
    command
        .args(flags)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(flags: &[&str]) -> Output {
    let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
    perikon(&flags).output().expect("the program runs")
}

/// A program that serves, killed when the test ends without having ended it.
pub(crate) struct Running {
    child: Child,
    /// What it said when it started.
    greeting: String,
    pub(crate) url: String,
}

impl Running {
    pub(crate) fn start(site: &Site, more: &[&str]) -> Self {
        let mut flags = site.flags();
        flags.extend(more.iter().map(|&flag| flag.to_owned()));
        Self::spawn(perikon(&flags))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut greeting = String::new();
        let mut url = None;
        // It is told in one piece: the line about the groups is always there, and follows.
        while !greeting.contains("group") {
            let Some(line) = lines.next() else {
                let mut said = String::new();
                let _ = child
                    .stderr
                    .take()
                    .expect("a pipe")
                    .read_to_string(&mut said);
                panic!("it ended before it greeted: {said}");
            };
            let line = line.expect("text");
            if line.trim().starts_with("http") {
                url.get_or_insert(line.trim().to_owned());
            }
            greeting = greeting + &line + "\n";
        }
        Self {
            child,
            greeting,
            url: url.expect("a URL"),
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("a shell");
        assert!(status.success());
    }

    /// What it logs from now on, and nobody has read yet.
    pub(crate) fn take_log(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("a pipe")
    }

    /// Waits for its end: the exit code, and the log unless it was taken.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        while self.child.try_wait().expect("waiting").is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut log = String::new();
        if let Some(mut rest) = self.child.stderr.take() {
            rest.read_to_string(&mut log).expect("text");
        }
        (self.child.wait().expect("waiting").code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_bad_command_line_is_answered_in_one_line() {
    for (flags, expected) in [
        (
            &["-nonsense"][..],
            "perikon: unknown flag: -nonsense; `perikon -help` lists the flags\n",
        ),
        (
            &["--http"],
            "perikon: flag needs a value: --http; `perikon -help` lists the flags\n",
        ),
        (&["-udp-range", "9-8"], "the range ends before it begins"),
        (&["-insecure=perhaps"], "neither true nor false"),
        (&["groups"], "unexpected argument: groups"),
    ] {
        let output = run(flags);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{flags:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_and_version() {
    for flag in ["-h", "-help", "--help"] {
        let output = run(&[flag]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.contains("--udp-range <PORT[-PORT]>"), "{text}");
        assert!(
            text.lines().all(|line| line.len() < 140),
            "readable: {text}"
        );
    }
    let output = run(&["-version"]);
    assert!(output.status.success());
    assert_eq!(
        output.stdout,
        format!("perikon {}\n", env!("CARGO_PKG_VERSION")).as_bytes()
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let broken = Site::new(&[("data/config.json", "{\n\"canonicalHost\": 7}")]);
    let half = Site::new(&[("data/cert.pem", "x")]);
    let whole = Site::new(&[]);
    for (site, more, expected) in [
        (
            &whole,
            &["-http", &address][..],
            format!("cannot listen on {address}: "),
        ),
        (
            &whole,
            &["-static", "/nowhere"],
            "static files /nowhere does not exist".to_owned(),
        ),
        (&broken, &[], "config.json, line 2: ".to_owned()),
        (&half, &[], "key.pem is not".to_owned()),
    ] {
        let mut flags = site.flags();
        flags.extend(more.iter().map(|&flag| flag.to_owned()));
        let output = perikon(&flags).output().expect("the program runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("perikon: ") && last.contains(&expected),
            "{said}"
        );
    }
}

#[test]
fn a_certificate_is_made_and_kept_and_the_url_is_told() {
    let site = Site::new(&[("groups/open.json", r#"{"public": true}"#)]);
    let first = Running::start(&site, &["-turn", ""]);
    assert!(
        first.url.starts_with("https://127.0.0.1:"),
        "{}",
        first.greeting
    );
    let group = format!("A group to try: {}group/open/\n", first.url);
    assert!(first.greeting.contains(&group), "{}", first.greeting);
    first.signal("TERM");
    let (code, log) = first.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the flag -turn has no effect"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains('\x1b'), "{log}");

    let read = |name: &str| std::fs::read(site.path(name)).expect("a file");
    let before = (read("data/cert.pem"), read("data/key.pem"));
    let mode = std::fs::metadata(site.path("data/key.pem"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = Running::start(&site, &[]);
    second.signal("INT");
    assert_eq!(second.end().0, Some(0));
    assert_eq!((read("data/cert.pem"), read("data/key.pem")), before);
}

#[tokio::test]
async fn clients_are_told_that_the_server_ends() {
    let site = Site::new(&[(
        "groups/open.json",
        r#"{"wildcard-user": {"permissions": "present", "password": {"type": "wildcard"}}}"#,
    )]);
    let server = Running::start(&site, &["-insecure"]);
    let url = format!("{}ws", server.url.replacen("http", "ws", 1));
    let (mut socket, _) = tokio_tungstenite::connect_async(&url)
        .await
        .expect("a WebSocket");
    for text in [
        r#"{"type": "handshake", "version": ["2"], "id": "me"}"#,
        r#"{"type": "join", "kind": "join", "group": "open", "username": "Me", "password": ""}"#,
    ] {
        socket.send(Message::text(text)).await.expect("sending");
    }
    let conversation = async {
        let mut told = None;
        while let Some(message) = socket.next().await {
            match message.expect("a message") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["type"] == "joined" {
                        assert_eq!(message["kind"], "join", "{message}");
                        server.signal("TERM");
                    }
                    if message["kind"] == "kicked" {
                        told = message["value"].as_str().map(str::to_owned);
                    }
                }
                Message::Close(Some(frame)) => return (told, u16::from(frame.code)),
                _ => {}
            }
        }
        panic!("not closed");
    };
    let (told, code) = tokio::time::timeout(PATIENCE, conversation)
        .await
        .expect("in time");
    assert_eq!(
        (told.as_deref(), code),
        (Some("server is shutting down"), 1000)
    );
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_bad_log_filter_is_named() {
    let site = Site::new(&[]);
    let output = perikon(&site.flags())
        .env("RUST_LOG", "a=b=c")
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("perikon: bad RUST_LOG"), "{said}");
}
