//! A console that remembers what was typed and what came back.

use crate::support::Site;
use perikon::Server;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Of the server's administrator.
pub(crate) const CONFIG: &str = r#"{
    "users": {"root": {"password": "secret", "permissions": "admin"}},
    "writableGroups": true
}"#;

/// A server, and a console of someone who may administer it.
pub(crate) struct Console {
    pub(crate) site: Site,
    pub(crate) server: Server,
    transcript: String,
    /// What is not the same each time, and what stands for it.
    hidden: Vec<(String, &'static str)>,
}

impl Console {
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with_config(files, CONFIG).await
    }

    pub(crate) async fn with_config(files: &[(&str, &str)], config: &str) -> Self {
        let site = Site::new(files);
        site.write("data/config.json", config);
        let server = site.serve(&["-insecure"]).await;
        let url = format!("http://{}", server.address());
        let settings = serde_json::json!({
            "server": url,
            "admin-username": "root",
            "admin-password": "secret",
        });
        site.write("home/galene/galenectl.json", &settings.to_string());
        let hidden = vec![
            (url, "SERVER"),
            (site.folder.path().display().to_string(), "FOLDER"),
        ];
        Self {
            site,
            server,
            transcript: String::new(),
            hidden,
        }
    }

    /// From now on this reads otherwise in the transcript.
    pub(crate) fn hide(&mut self, text: &str, name: &'static str) {
        self.hidden.insert(0, (text.to_owned(), name));
    }

    /// Types a command line: words with blanks in between, `+` for a blank in a word.
    pub(crate) async fn run(&mut self, line: &str) -> Output {
        self.run_with(line, "").await
    }

    /// The same, with something on standard input.
    pub(crate) async fn run_with(&mut self, line: &str, input: &str) -> Output {
        let output = run(self.site.folder.path(), line, input).await;
        let mut shown = format!("$ perikonctl {line}\n");
        for line in input.lines() {
            shown += &format!("< {line}\n");
        }
        shown += std::str::from_utf8(&output.stdout).expect("text");
        for line in std::str::from_utf8(&output.stderr).expect("text").lines() {
            shown += &format!("! {line}\n");
        }
        match output.status.code() {
            Some(0) => {}
            code => {
                shown += &format!("exit code {code:?}\n");
            }
        }
        for (text, name) in &self.hidden {
            shown = shown.replace(text, name);
        }
        self.transcript += &shown;
        output
    }

    /// A command that must succeed, and what it prints, which is no part of the transcript.
    pub(crate) async fn quietly(&self, line: &str) -> String {
        let output = run(self.site.folder.path(), line, "").await;
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn file(&self, name: &str) -> serde_json::Value {
        let text = std::fs::read_to_string(self.site.path(name)).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    }

    /// All that was typed and all that came back.
    pub(crate) async fn end(self) -> String {
        self.server.shutdown().await;
        self.transcript
    }
}

/// Runs the program in a folder, with its configuration in `home` there.
pub(crate) async fn run(folder: &Path, line: &str, input: &str) -> Output {
    let words = line.split(' ').map(|word| word.replace('+', " "));
    let words = words.map(|word| if word == "''" { String::new() } else { word });
    let mut command = Command::new(env!("CARGO_BIN_EXE_perikonctl"));
    command
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("XDG_CONFIG_HOME", folder.join("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    // The server may be on this thread.
    let task = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("perikonctl");
        let mut stdin = child.stdin.take().expect("standard input");
        // It may end without reading.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("an end")
    });
    task.await.expect("an end")
}
