//! Prometheus' own opinion.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs promtool with something on its standard input; it must have nothing to object.
pub(crate) fn accepts(arguments: &[&str], input: &str) {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.expect(
        "promtool is needed: it is in Debian's package `prometheus`, which \
         `scripts/install-missing test` installs",
    );
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "promtool {arguments:?} says:\n{said}\nof:\n{input}"
    );
}
