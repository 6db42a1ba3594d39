//! Field names as Galène takes them: without regard to case, the last of several that are the same.

use super::lines::line_of;
use super::remarks::{FIELDS, USER_FIELDS};
use super::{Description, DescriptionError, Remark};
use serde_json::{Map, Value};

/// The fields of an entry of `op`, `presenter` or `other`.
const PATTERN_FIELDS: [&str; 2] = ["username", "password"];

impl Description {
    /// Reads the text of a file, and says what is spelt in an unusual way.
    pub(super) fn read_fields(text: &str) -> Result<(Self, Vec<Remark>), DescriptionError> {
        let mut remarks = Vec::new();
        match serde_json::from_str::<Self>(text) {
            Ok(description) if description.is_well_spelt() => return Ok((description, remarks)),
            Ok(_) => {}
            Err(error) if error.to_string().starts_with("duplicate field") => {
                let reason = error.to_string();
                let field = reason.split('`').nth(1).unwrap_or_default();
                let what = format!("{field:?} stands there twice: the last one counts");
                remarks.push(Remark::warning(Some(error.line()), what));
            }
            Err(error) => return Err(error.into()),
        }
        let mut file: Map<String, Value> = serde_json::from_str(text)?;
        let mut mend = |fields: &mut Map<String, Value>, known: &[&'static str], path: &[&str]| {
            for (was, is) in respell(fields, known) {
                let path: Vec<&str> = path.iter().copied().chain([was.as_str()]).collect();
                let what = format!("{was:?} is read as {is:?}");
                remarks.push(Remark::upgrade(line_of(text, &path), what));
            }
        };
        mend(&mut file, &FIELDS, &[]);
        for (name, value) in &mut file {
            let known: &[&'static str] = match name.as_str() {
                "users" | "wildcard-user" | "fallback-users" => &USER_FIELDS,
                "op" | "presenter" | "other" => &PATTERN_FIELDS,
                _ => continue,
            };
            match value {
                Value::Object(user) if name == "wildcard-user" => mend(user, known, &[name]),
                Value::Object(users) => {
                    for (user, fields) in users {
                        if let Value::Object(fields) = fields {
                            mend(fields, known, &[name, user]);
                        }
                    }
                }
                Value::Array(users) => {
                    for (index, fields) in users.iter_mut().enumerate() {
                        if let Value::Object(fields) = fields {
                            mend(fields, known, &[name, &index.to_string()]);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok((serde_json::from_value(file.into())?, remarks))
    }

    /// Whether no unknown field differs from a known one by case alone.
    fn is_well_spelt(&self) -> bool {
        let users = self.users.values().chain(&self.wildcard_user);
        let mut users = users.chain(&self.fallback_users);
        let patterns = self.op.iter().chain(&self.presenter);
        let mut patterns = patterns.chain(&self.other);
        let odd = |unknown: &Map<String, Value>, known: &[&str]| {
            unknown.keys().any(|name| meant(name, known).is_some())
        };
        !odd(&self.unknown, &FIELDS)
            && !users.any(|user| odd(&user.unknown, &USER_FIELDS))
            && !patterns.any(|pattern| odd(&pattern.unknown, &PATTERN_FIELDS))
    }
}

fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .copied()
}

/// Gives fields their usual names, unless a field is called so already. Returns what they were
/// called and are.
fn respell(fields: &mut Map<String, Value>, known: &[&'static str]) -> Vec<(String, &'static str)> {
    let odd: Vec<(String, &'static str)> = fields
        .keys()
        .filter_map(|name| Some((name.clone(), meant(name, known)?)))
        .filter(|(was, is)| was != is)
        .collect();
    let mut done = Vec::new();
    for (was, is) in odd {
        if !fields.contains_key(is)
            && let Some(value) = fields.remove(&was)
        {
            fields.insert(is.to_owned(), value);
            done.push((was, is));
        }
    }
    done
}
