//! Passwords: asked for, and hashed as group files have them.

use crate::Failure;
use crate::output::say;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use clap::ArgMatches;
use perikon::group::Password;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;
use sha2::Sha256;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// What bcrypt looks at of a password, bytes.
const BCRYPT_LIMIT: usize = 72;
/// Keys and salts longer than this are of no use, bytes.
const LENGTH_LIMIT: u32 = 1024;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// It cannot be read.
    #[error("cannot read the password: {0}")]
    Read(#[from] io::Error),
    /// Nothing came.
    #[error("the password is empty")]
    Empty,
    /// It was not typed alike twice.
    #[error("the passwords differ")]
    Differ,
    /// A flag makes no sense.
    #[error("{0}")]
    Bad(String),
}

/// `hash-password`
pub(crate) fn print(arguments: &ArgMatches) -> Result<(), Failure> {
    say(&format!("{}\n", of_flags(arguments)?));
    Ok(())
}

/// The password that the flags describe, hashed; it is asked for if they do not have it.
pub(crate) fn of_flags(arguments: &ArgMatches) -> Result<Value, PasswordError> {
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let number = |name: &str| arguments.get_one::<u32>(name).copied().unwrap_or_default();
    let given = text("password").filter(|password| !password.is_empty());
    let kind = text("type").unwrap_or_default();
    let hashed = match kind {
        "wildcard" if given.is_some() => {
            return Err(PasswordError::Bad(
                "the type wildcard takes any password, and none itself".to_owned(),
            ));
        }
        "wildcard" => Password::Wildcard,
        "bcrypt" => bcrypt(&ask(given)?, number("cost"))?,
        "pbkdf2" => pbkdf2(
            &ask(given)?,
            number("iterations"),
            number("key"),
            number("salt"),
        )?,
        "argon2id" => argon2id(&ask(given)?)?,
        other => {
            return Err(PasswordError::Bad(format!(
                "unknown type {other:?}: bcrypt, pbkdf2, argon2id or wildcard"
            )));
        }
    };
    serde_json::to_value(hashed).map_err(|error| PasswordError::Bad(error.to_string()))
}

/// Of the kind that every Galène understands.
pub(crate) fn bcrypt(password: &str, cost: u32) -> Result<Password, PasswordError> {
    if password.len() > BCRYPT_LIMIT {
        return Err(PasswordError::Bad(format!(
            "bcrypt takes {BCRYPT_LIMIT} bytes at most: choose another -type"
        )));
    }
    let hash = bcrypt::hash(password, cost);
    hash.map(Password::Bcrypt)
        .map_err(|error| PasswordError::Bad(format!("bcrypt: {error}")))
}

fn pbkdf2(password: &str, iterations: u32, key: u32, salt: u32) -> Result<Password, PasswordError> {
    if iterations == 0 || !(1..=LENGTH_LIMIT).contains(&key) || salt > LENGTH_LIMIT {
        return Err(PasswordError::Bad(format!(
            "iterations and key are at least 1, key and salt at most {LENGTH_LIMIT} bytes"
        )));
    }
    let random = || rand::random::<u8>();
    let salt: Vec<u8> = std::iter::repeat_with(random).take(salt as usize).collect();
    let mut derived = vec![0; key as usize];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, &mut derived);
    Ok(Password::Pbkdf2 {
        key: derived,
        salt,
        iterations,
    })
}

fn argon2id(password: &str) -> Result<Password, PasswordError> {
    let salt = rand::random::<[u8; 16]>();
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| Password::Argon2id(hash.to_string()))
        .map_err(|error| PasswordError::Bad(format!("argon2id: {error}")))
}

/// The password given, or else one that is typed unseen, or a line of standard input.
fn ask(given: Option<&str>) -> Result<String, PasswordError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let password = if io::stdin().is_terminal() {
        let first = read_unseen("New password: ")?;
        if !first.is_empty() && read_unseen("Once more: ")? != first {
            return Err(PasswordError::Differ);
        }
        first
    } else {
        read_line()?
    };
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    Ok(password)
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Puts a terminal back as it was.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn read_unseen(prompt: &str) -> io::Result<String> {
    let before = tcgetattr(io::stdin())?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    unseen.local_modes.insert(LocalModes::ECHONL);
    let restore = Restore(before);
    tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
    // Not to standard output, which may be a file.
    let mut error = io::stderr().lock();
    error.write_all(prompt.as_bytes())?;
    error.flush()?;
    let line = read_line();
    drop(restore);
    line
}
