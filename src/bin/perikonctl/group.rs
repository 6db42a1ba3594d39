//! Groups and their keys.

use crate::Failure;
use crate::api::{Api, ApiError, KEYS};
use crate::flags::{FIELDS, Field, Kind};
use crate::output::{say, say_json};
use crate::time::{duration, moment};
use clap::ArgMatches;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal as _, Read as _};

/// The name of the group that a command is about.
pub(crate) fn name(arguments: &ArgMatches) -> Result<&str, Failure> {
    let name = any_name(arguments);
    if name.is_empty() {
        return Err(Failure::Usage("the name of the group is empty".to_owned()));
    }
    Ok(name)
}

/// The same; for tokens the empty name is the server.
pub(crate) fn any_name(arguments: &ArgMatches) -> &str {
    let text = |name| arguments.get_one::<String>(name).map(String::as_str);
    let name = text("group").or_else(|| text("name")).unwrap_or_default();
    name.trim_matches('/')
}

/// What the API calls it.
pub(crate) fn path(name: &str) -> String {
    format!(".groups/{name}")
}

/// The refusal of something that is not there names it.
pub(crate) fn or_missing<T>(result: Result<T, ApiError>, what: &str) -> Result<T, Failure> {
    let why = || format!("there is no {what}");
    result.map_err(|error| error.in_words(404, why()).into())
}

fn missing(name: &str) -> String {
    format!("group {name:?}")
}

/// `list-groups`
pub(crate) async fn list(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let names = api.names(".groups/").await?;
    print_names(&names, arguments);
    Ok(())
}

/// What stands for the empty name where people read it.
pub(crate) const NAMELESS: &str = "(no name)";

/// Names, one a line or as JSON.
pub(crate) fn print_names(names: &[String], arguments: &ArgMatches) {
    if arguments.get_one("json") == Some(&true) {
        say_json(&names);
    } else {
        let shown = |name: &String| match name.as_str() {
            "" => format!("{NAMELESS}\n"),
            name => format!("{name}\n"),
        };
        say(&names.iter().map(shown).collect::<String>());
    }
}

/// `get-group`
pub(crate) async fn get(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    say_json(&or_missing(api.get(&path(name)).await, &missing(name))?);
    Ok(())
}

/// `create-group`
pub(crate) async fn create(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    let mut description = if arguments.get_one("json") == Some(&true) {
        template()?
    } else {
        Map::new()
    };
    merge(&mut description, &fields(arguments)?);
    let result = api.create(&path(name), &Value::Object(description)).await;
    let why = || format!("there is a group {name:?} already");
    Ok(result.map_err(|error| error.in_words(412, why()))?)
}

/// `update-group`
pub(crate) async fn update(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    let fields = fields(arguments)?;
    // Galène's manual pipes a template into the command without saying so.
    let asked = arguments.get_one("json").copied();
    let piped = || fields.is_empty() && !io::stdin().is_terminal();
    let mut change = if asked.unwrap_or_else(piped) {
        template()?
    } else {
        Map::new()
    };
    for (name, value) in fields {
        change.insert(name, value);
    }
    if change.is_empty() {
        return Err(Failure::Usage("nothing is to be changed".to_owned()));
    }
    let result = api.update(&path(name), |group| merge(group, &change)).await;
    or_missing(result, &missing(name))
}

/// `delete-group`
pub(crate) async fn delete(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    or_missing(api.delete(&path(name)).await, &missing(name))
}

/// `set-keys`
pub(crate) async fn set_keys(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    let (text, what) = match arguments.get_one::<String>("file") {
        Some(file) => (std::fs::read_to_string(file), file.as_str()),
        None => (read_input(), "standard input"),
    };
    let text = text.map_err(|source| Failure::File {
        what: format!("cannot read {what}"),
        source,
    })?;
    let keys: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{what} is no JSON: {error}")))?;
    if !keys.get("keys").is_some_and(Value::is_array) {
        let why = format!("{what} is no JSON Web Key Set: it has no array \"keys\"");
        return Err(Failure::Usage(why));
    }
    let result = api.put(&format!("{}/.keys", path(name)), KEYS, &keys).await;
    or_missing(result, &missing(name))
}

/// `delete-keys`
pub(crate) async fn delete_keys(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let name = name(arguments)?;
    let result = api.delete(&format!("{}/.keys", path(name))).await;
    or_missing(result, &format!("{} with keys", missing(name)))
}

/// `stats`
pub(crate) async fn stats(api: &Api) -> Result<(), Failure> {
    say_json(&api.get(".stats").await?);
    Ok(())
}

fn read_input() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// A group description from standard input.
fn template() -> Result<Map<String, Value>, Failure> {
    let text = read_input().map_err(|source| Failure::File {
        what: "cannot read standard input".to_owned(),
        source,
    })?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("standard input is no JSON object: {error}")))
}

/// Puts fields into a description; null takes one away.
fn merge(description: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (name, value) in change {
        if value.is_null() {
            description.remove(name);
        } else {
            description.insert(name.clone(), value.clone());
        }
    }
}

/// What the flags say of a group.
fn fields(arguments: &ArgMatches) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    let now = Timestamp::now();
    for field in &FIELDS {
        let value = if field.kind == Kind::Bool {
            arguments
                .get_one::<bool>(field.flag)
                .map(|value| json!(value))
        } else {
            let text = arguments.get_one::<String>(field.flag);
            text.map(|text| read(field, text, now)).transpose()?
        };
        if let Some(value) = value {
            fields.insert(field.name.to_owned(), value);
        }
    }
    Ok(fields)
}

fn read(field: &Field, text: &str, now: Timestamp) -> Result<Value, Failure> {
    let bad = |why: String| Failure::Usage(format!("-{}: {why}", field.flag));
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match field.kind {
        Kind::Text | Kind::Bool => Ok(json!(text)),
        Kind::Number => {
            let number: u32 = text
                .parse()
                .map_err(|_| bad(format!("{text:?} is no number")))?;
            Ok(json!(number))
        }
        Kind::Duration => duration(text).map(|seconds| json!(seconds)).map_err(bad),
        Kind::Time => moment(text, now).map(|time| json!(time)).map_err(bad),
        Kind::List => Ok(json!(text.split(',').map(str::trim).collect::<Vec<_>>())),
    }
}
