//! The API asked at random by schemathesis: all that its description allows, and what it does not.
//! The program is installed in a folder below `target`, in the versions of `requirements.txt`.

use crate::client::Place;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Requests of each kind for each operation; `PERIKON_FUZZ` names another number.
const EXAMPLES: &str = "10";
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/requirements.txt");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");

fn run(command: &mut Command, why: &str) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{why}: {command:?}: {error}"))
}

fn succeed(command: &mut Command, why: &str) {
    let output = run(command, why);
    assert!(output.status.success(), "{why}: {output:#?}");
}

/// The program, which is installed first if it is not there in these versions.
fn schemathesis() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let wanted = std::fs::read_to_string(REQUIREMENTS).expect("a list of versions");
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        let venv = ["-m", "venv", "--clear"];
        succeed(
            Command::new("python3").args(venv).arg(&folder),
            "schemathesis needs Python's package `python3-venv`, which \
             `scripts/install-missing test` installs",
        );
        let mut pip = Command::new(folder.join("bin/pip"));
        let pip = pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
        succeed(pip.arg(REQUIREMENTS), "schemathesis could not be installed");
        std::fs::write(&installed, wanted).expect("a note of what is installed");
    }
    folder.join("bin/schemathesis")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_and_the_answers_agree_whatever_is_asked() {
    let place = Place::start().await;
    let program = tokio::task::spawn_blocking(schemathesis).await.unwrap();
    let examples = std::env::var("PERIKON_FUZZ").unwrap_or(EXAMPLES.to_owned());
    let description = format!(
        "http://{}/galene-api/v0/openapi.json",
        place.server.address()
    );
    let mut command = Command::new(program);
    command
        .current_dir(place.site.folder.path())
        .args(["--config-file", SETTINGS, "run", &description])
        .args(["--auth", "root:secret", "--seed", "6", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", &examples])
        // It would end the server.
        .args(["--exclude-operation-id", "drain"])
        // Who fails to log in so often waits longer each time. `authentication` asks that.
        .args(["--exclude-checks", "ignored_auth"])
        // On a busy machine, and with names that have a pattern.
        .args(["--suppress-health-check", "filter_too_much,too_slow"]);
    let output = tokio::task::spawn_blocking(move || run(&mut command, "schemathesis"));
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // It did ask, and of all operations but one.
    assert!(said.contains("69 selected / 70 total"), "{said}");
    assert!(said.contains("Tested: 69"), "{said}");
    place.server.shutdown().await;
}
