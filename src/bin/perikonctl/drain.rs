//! `drain`: the server takes no one in any more, and ends when it is empty. Only Perikon can.

use crate::Failure;
use crate::api::{Api, ApiError};
use crate::output::{say, say_json};
use crate::time::duration;
use clap::ArgMatches;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = ".drain";

pub(crate) async fn run(api: &Api, arguments: &ArgMatches) -> Result<(), Failure> {
    let is_set = |name: &str| arguments.get_one(name) == Some(&true);
    let words = |error: ApiError| error.in_words(404, "this server cannot be drained");
    if is_set("status") {
        say_json(&api.get(PATH).await.map_err(words)?);
        return Ok(());
    }
    if is_set("cancel") {
        api.delete(PATH).await.map_err(words)?;
        say("The server lets people in again.\n");
        return Ok(());
    }
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let timeout = duration(text("timeout").unwrap_or_default())
        .map_err(|why| Failure::Usage(format!("-timeout: {why}")))?;
    let mut wish = json!({ "timeout": timeout });
    if let Some(message) = text("message").filter(|message| !message.is_empty()) {
        wish["message"] = json!(message);
    }
    let state = api.ask(Method::POST, PATH, &wish).await.map_err(words)?;
    let inside = state.get("clients").and_then(Value::as_u64).unwrap_or(0);
    let until = state.get("until").and_then(Value::as_str).unwrap_or("?");
    say(&format!(
        "The server takes no one in any more. It ends when the {inside} inside have gone, \
         at {until} at the latest.\n"
    ));
    Ok(())
}
