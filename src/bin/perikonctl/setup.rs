//! `initial-setup`: who may administer, written down for both sides.

use crate::output::say;
use crate::settings::{self, Settings};
use crate::{Failure, password};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ArgMatches;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Of the administrator's password, which the server checks at every request.
const COST: u32 = 8;

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let own = settings::file(arguments)?;
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let output = text("output").unwrap_or("config.json");
    let mut settings = Settings::of_flags(arguments);
    if !settings.admin_token.is_empty() {
        let why = "a token is made by a server that is set up already: leave out -admin-token";
        return Err(Failure::Usage(why.to_owned()));
    }
    if settings.server.is_empty() {
        "https://localhost:8443".clone_into(&mut settings.server);
    }
    if settings.admin_username.is_empty() {
        "admin".clone_into(&mut settings.admin_username);
    }
    if settings.admin_password.is_empty() {
        settings.admin_password = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>());
    }
    let hashed = password::bcrypt(&settings.admin_password, COST)?;
    let mut users = serde_json::Map::new();
    let user = json!({ "password": hashed, "permissions": "admin" });
    users.insert(settings.admin_username.clone(), user);
    let config = json!({ "users": users, "writableGroups": true });
    // Both or none: a file that is in the way may be the only copy of a password.
    for path in [own.as_path(), Path::new(output)] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(file(path, io::ErrorKind::AlreadyExists.into()));
        }
    }
    if let Some(folder) = own.parent() {
        fs::create_dir_all(folder).map_err(|error| file(folder, error))?;
    }
    write(&own, &json!(settings))?;
    if let Err(failure) = write(Path::new(output), &config) {
        let _ = fs::remove_file(&own);
        return Err(failure);
    }
    say(&format!(
        "{}: this program will use it.\n{output}: put it into the server's folder data/.\n",
        own.display()
    ));
    Ok(())
}

fn write(path: &Path, value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    opened
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(|error| file(path, error))
}

fn file(path: &Path, source: io::Error) -> Failure {
    Failure::File {
        what: format!("cannot write {}", path.display()),
        source,
    }
}
