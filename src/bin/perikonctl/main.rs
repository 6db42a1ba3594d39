//! `perikonctl` administers a server, this one or a Galène, over the HTTP API: all commands of
//! `galenectl` with their flags, and its configuration file.

mod api;
mod drain;
mod flags;
mod group;
mod output;
mod password;
mod permissions;
mod settings;
mod setup;
mod time;
mod token;
mod user;

use clap::ArgMatches;
use output::say;
use settings::Settings;
use std::io::Write as _;
use std::process::ExitCode;

/// The command line cannot be understood.
const USAGE: u8 = 2;

/// Why a command failed: one line for the one who gave it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The server was not reached, or refused.
    #[error(transparent)]
    Api(#[from] api::ApiError),
    /// `galenectl.json`, or something on the way to it.
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    /// A password cannot be asked for, or hashed.
    #[error(transparent)]
    Password(#[from] password::PasswordError),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{what}: {source}")]
    File {
        /// Which, and what for.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

fn main() -> ExitCode {
    let matches = match flags::parse(std::env::args_os().skip(1)) {
        Ok(matches) => matches,
        Err(flags::Stop::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(flags::Stop::Wrong(text)) => return fail(USAGE, &text),
    };
    let Some((name, arguments)) = matches.subcommand() else {
        return fail(
            USAGE,
            &"a command is missing; `perikonctl -help` lists them",
        );
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    match runtime.block_on(run(name, arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => fail(USAGE, &format!("{name}: {text}")),
        Err(failure) => fail(1, &format!("{name}: {failure}")),
    }
}

async fn run(name: &str, arguments: &ArgMatches) -> Result<(), Failure> {
    // These need no server.
    match name {
        "initial-setup" => return setup::run(arguments),
        "hash-password" => return password::print(arguments),
        "completions" => {
            say(&flags::completions(arguments));
            return Ok(());
        }
        _ => {}
    }
    let settings = Settings::read(arguments)?;
    let api = api::Api::new(&settings)?;
    match name {
        "list-groups" => group::list(&api, arguments).await,
        "get-group" => group::get(&api, arguments).await,
        "create-group" => group::create(&api, arguments).await,
        "update-group" => group::update(&api, arguments).await,
        "delete-group" => group::delete(&api, arguments).await,
        "set-keys" => group::set_keys(&api, arguments).await,
        "delete-keys" => group::delete_keys(&api, arguments).await,
        "list-users" => user::list(&api, arguments).await,
        "create-user" => user::create(&api, arguments).await,
        "update-user" => user::update(&api, arguments).await,
        "delete-user" => user::delete(&api, arguments).await,
        "set-password" => user::set_password(&api, arguments).await,
        "delete-password" => user::delete_password(&api, arguments).await,
        "list-tokens" => token::list(&api, arguments).await,
        "create-token" => token::create(&api, arguments).await,
        "update-token" => token::update(&api, arguments).await,
        "revoke-token" => token::revoke(&api, arguments).await,
        "delete-token" => token::delete(&api, arguments).await,
        "stats" => group::stats(&api).await,
        "drain" => drain::run(&api, arguments).await,
        other => Err(Failure::Usage(format!("{other} is no command"))),
    }
}

/// One line to standard error.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "perikonctl: {error}");
    ExitCode::from(code)
}
