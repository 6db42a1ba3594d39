//! Permissions as they are typed: the name of a role, or a JSON array.

use crate::Failure;
use serde_json::{Value, json};

/// What is typed after `-permissions`, as a group file has it: a role stays one.
pub(crate) fn parse(text: &str) -> Result<Value, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::Usage("the permissions are empty".to_owned()));
    }
    if text.starts_with('[') {
        let list: Vec<String> = serde_json::from_str(text).map_err(|error| {
            Failure::Usage(format!("the permissions are no array of strings: {error}"))
        })?;
        return Ok(json!(list));
    }
    match of_role(text) {
        Some(_) => Ok(json!(text)),
        None => Err(Failure::Usage(format!(
            "unknown permissions {text:?}: op, present, message, observe, caption, admin, \
             or a JSON array"
        ))),
    }
}

/// The same, with roles spelt out: tokens know no roles.
pub(crate) fn parse_spelt_out(text: &str) -> Result<Value, Failure> {
    let parsed = parse(text)?;
    let of_role = parsed.as_str().and_then(of_role);
    Ok(of_role.map_or(parsed.clone(), |list| json!(list)))
}

/// What a role may do in a group that changes nothing of that (`galene.md`).
fn of_role(role: &str) -> Option<&'static [&'static str]> {
    Some(match role {
        "op" => &["op", "present", "message", "caption", "token"],
        "present" => &["present", "message"],
        "message" => &["message"],
        "observe" => &[],
        "caption" => &["caption"],
        "admin" => &["admin"],
        _ => return None,
    })
}

/// Permissions as a table shows them.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::String(role) => role.clone(),
        Value::Array(list) => {
            let names: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            format!("[{}]", names.join(", "))
        }
        _ => "-".to_owned(),
    }
}
