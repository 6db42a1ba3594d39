//! Stateful tokens: secrets in links that let their bearers in.

use crate::api::Api;
use crate::group::{any_name, or_missing, path, print_names};
use crate::output::{say, say_json, say_table};
use crate::permissions;
use crate::{Failure, time};
use clap::ArgMatches;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The tokens of a group; those of all groups if the name is empty.
fn shelf(arguments: &ArgMatches) -> String {
    match any_name(arguments) {
        "" => ".groups/.tokens/".to_owned(),
        name => format!("{}/.tokens/", path(name)),
    }
}

fn given<'a>(arguments: &'a ArgMatches, name: &str) -> Option<&'a str> {
    arguments.get_one::<String>(name).map(String::as_str)
}

fn token(arguments: &ArgMatches) -> Result<&str, Failure> {
    let token = given(arguments, "token").filter(|token| !token.is_empty());
    token.ok_or_else(|| Failure::Usage("the token is empty".to_owned()))
}

fn missing(arguments: &ArgMatches) -> String {
    match any_name(arguments) {
        "" => "such token".to_owned(),
        name => format!("such token, or no group {name:?}"),
    }
}

/// What the flags say of a token.
fn fields(arguments: &ArgMatches) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    let now = Timestamp::now();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let moment = |name: &str| match given(arguments, name) {
        Some("") => Ok(Some(Value::Null)),
        Some(text) => time::moment(text, now)
            .map(|time| Some(json!(time)))
            .map_err(|why| Failure::Usage(format!("-{name}: {why}"))),
        None => Ok(None),
    };
    set("expires", moment("expires")?);
    set("not-before", moment("not-before")?);
    let permissions = given(arguments, "permissions");
    set(
        "permissions",
        permissions.map(permissions::parse_spelt_out).transpose()?,
    );
    set(
        "username",
        given(arguments, "user").map(|name| match name {
            "" => Value::Null,
            name => json!(name),
        }),
    );
    set(
        "includeSubgroups",
        arguments
            .get_one::<bool>("include-subgroups")
            .map(|value| json!(value)),
    );
    Ok(fields)
}

/// `list-tokens`
pub(crate) async fn list(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let shelf = shelf(arguments);
    let names = or_missing(api.names(&shelf).await, &missing(arguments))?;
    if !arguments.get_flag("long") {
        print_names(&names, arguments);
        return Ok(());
    }
    let mut tokens = Vec::new();
    for name in &names {
        match api.get(&format!("{shelf}{name}")).await {
            Ok(mut token) => {
                // The API leaves out what the path says.
                token["token"] = json!(name);
                tokens.push(token);
            }
            Err(error) if error.status() == Some(404) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if arguments.get_one("json") == Some(&true) {
        say_json(&tokens);
        return Ok(());
    }
    say_table(&tokens.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Token, who, what, until when, and what else there is to say.
fn row(token: &Value) -> Vec<String> {
    let text = |name: &str| token.get(name).and_then(Value::as_str);
    let mut more = Vec::new();
    if token.get("includeSubgroups") == Some(&Value::Bool(true)) {
        more.push("with subgroups".to_owned());
    }
    if let Some(time) = text("not-before") {
        more.push(format!("from {time}"));
    }
    if let Some(name) = text("issuedBy") {
        more.push(format!("by {name}"));
    }
    vec![
        text("token").unwrap_or_default().to_owned(),
        text("username").unwrap_or("-").to_owned(),
        token
            .get("permissions")
            .map_or("-".to_owned(), permissions::show),
        text("expires").unwrap_or("-").to_owned(),
        more.join(", "),
    ]
}

/// `create-token`
pub(crate) async fn create(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let mut fields = fields(arguments)?;
    fields.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
    if any_name(arguments).is_empty() && !fields.contains_key("includeSubgroups") {
        let why = "a token without a group is for all of them: say -include-subgroups";
        return Err(Failure::Usage(why.to_owned()));
    }
    let description = Value::Object(fields);
    let created = api.post(&shelf(arguments), &description).await;
    let name = or_missing(created, &format!("group {:?}", any_name(arguments)))?;
    if arguments.get_one("json") == Some(&true) {
        let mut object = description;
        object["token"] = json!(name);
        say_json(&object);
    } else {
        say(&format!("{name}\n"));
    }
    Ok(())
}

/// `update-token`
pub(crate) async fn update(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let fields = fields(arguments)?;
    if fields.is_empty() {
        return Err(Failure::Usage("nothing is to be changed".to_owned()));
    }
    change(api, arguments, &fields).await
}

/// `revoke-token`: it can still be seen, and renewed.
pub(crate) async fn revoke(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let past = Timestamp::now() - SignedDuration::from_mins(1);
    let past = past.round(jiff::Unit::Second).unwrap_or(past);
    let fields = Map::from_iter([("expires".to_owned(), json!(past))]);
    change(api, arguments, &fields).await
}

async fn change(
    api: &Api,
    arguments: &ArgMatches,
    fields: &Map<String, Value>,
) -> Result<(), Failure> {
    let path = format!("{}{}", shelf(arguments), token(arguments)?);
    let change = |token: &mut Map<String, Value>| {
        for (name, value) in fields {
            if value.is_null() {
                token.remove(name);
            } else {
                token.insert(name.clone(), value.clone());
            }
        }
    };
    or_missing(api.update(&path, change).await, &missing(arguments))
}

/// `delete-token`
pub(crate) async fn delete(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let path = format!("{}{}", shelf(arguments), token(arguments)?);
    or_missing(api.delete(&path).await, &missing(arguments))
}
