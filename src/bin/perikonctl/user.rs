//! Users of groups, and their passwords.

use crate::api::{Api, ApiError, JSON};
use crate::group::{NAMELESS, name, or_missing, path, print_names};
use crate::output::{say_json, say_table};
use crate::{Failure, password, permissions};
use clap::ArgMatches;
use serde_json::{Map, Value, json};

/// A user as the flags name it.
struct User {
    /// In the API.
    path: String,
    /// In words.
    words: String,
}

fn user(arguments: &ArgMatches) -> Result<User, Failure> {
    let group = name(arguments)?;
    let named = arguments.get_one::<String>("user");
    let wildcard = arguments.get_one("wildcard") == Some(&true);
    let (end, who) = match (named.map(String::as_str), wildcard) {
        (None | Some(""), true) => (".wildcard-user".to_owned(), "wildcard user".to_owned()),
        (Some(""), false) => (".empty-user".to_owned(), "user without a name".to_owned()),
        (Some(user), false) => (format!(".users/{user}"), format!("user {user:?}")),
        (None, false) | (Some(_), true) => {
            let why = "it takes -user or -wildcard, and not both";
            return Err(Failure::Usage(why.to_owned()));
        }
    };
    Ok(User {
        path: format!("{}/{end}", path(group)),
        words: format!("{who} in group {group:?}"),
    })
}

/// `list-users`
pub(crate) async fn list(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let group = name(arguments)?;
    let users = format!("{}/.users/", path(group));
    let names = or_missing(api.names(&users).await, &format!("group {group:?}"))?;
    if !arguments.get_flag("long") {
        print_names(&names, arguments);
        return Ok(());
    }
    let mut described = Vec::new();
    // The empty name has an object of its own.
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let user = get(api, &format!("{users}{name}")).await?;
        described.extend(user.map(|user| (name, user)));
    }
    let mut special = Vec::new();
    for (end, words) in [(".empty-user", NAMELESS), (".wildcard-user", "(wildcard)")] {
        let user = get(api, &format!("{}/{end}", path(group))).await?;
        special.extend(user.map(|user| (end, words, user)));
    }
    if arguments.get_one("json") == Some(&true) {
        let users: Map<String, Value> = described.into_iter().collect();
        let mut object = json!({ "users": users });
        for (end, _, user) in special {
            if let Some(name) = end.strip_prefix('.') {
                object[name] = user;
            }
        }
        say_json(&object);
        return Ok(());
    }
    let special = special.into_iter();
    let special = special.map(|(_, words, user)| (words.to_owned(), user));
    let row = |(name, user): (String, Value)| {
        let shown = user.get("permissions").map(permissions::show);
        vec![name, shown.unwrap_or_else(|| "-".to_owned())]
    };
    say_table(
        &described
            .into_iter()
            .chain(special)
            .map(row)
            .collect::<Vec<_>>(),
    );
    Ok(())
}

/// A user, if it is there: it may go while users are listed.
async fn get(api: &Api, path: &str) -> Result<Option<Value>, ApiError> {
    match api.get(path).await {
        Err(error) if error.status() == Some(404) => Ok(None),
        result => result.map(Some),
    }
}

fn wanted(arguments: &ArgMatches) -> Result<Value, Failure> {
    let text = arguments.get_one::<String>("permissions");
    permissions::parse(text.map_or("", String::as_str))
}

/// `create-user`
pub(crate) async fn create(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let user = user(arguments)?;
    let description = json!({ "permissions": wanted(arguments)? });
    let result = api.create(&user.path, &description).await;
    let why = || format!("there is a {} already", user.words);
    let result = result.map_err(|error| error.in_words(412, why()));
    or_missing(result, &format!("group {:?}", name(arguments)?))
}

/// `update-user`
pub(crate) async fn update(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let user = user(arguments)?;
    let permissions = wanted(arguments)?;
    let change = |description: &mut Map<String, Value>| {
        description.insert("permissions".to_owned(), permissions.clone());
    };
    or_missing(api.update(&user.path, change).await, &user.words)
}

/// `delete-user`
pub(crate) async fn delete(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let user = user(arguments)?;
    or_missing(api.delete(&user.path).await, &user.words)
}

/// `set-password`
pub(crate) async fn set_password(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let user = user(arguments)?;
    // Hashed here: the server, and whoever reads its traffic, never sees it.
    let password = password::of_flags(arguments)?;
    let path = format!("{}/.password", user.path);
    or_missing(api.put(&path, JSON, &password).await, &user.words)
}

/// `delete-password`
pub(crate) async fn delete_password(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let user = user(arguments)?;
    let result = api.delete(&format!("{}/.password", user.path)).await;
    or_missing(result, &format!("{} with a password", user.words))
}
