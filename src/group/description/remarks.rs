//! What the admin should know about a group file that is in force nevertheless.

use super::lines::line_of;
use super::{Description, RoleOrList, UserDescription};
use crate::group::credentials::Password;
use crate::media::Codec;
use std::fmt;

/// Something about a group file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Counted from 1.
    pub line: Option<usize>,
    /// Not wrong: a field of old that was understood.
    pub is_upgrade: bool,
    text: String,
}

impl Remark {
    pub(super) fn warning(line: Option<usize>, text: String) -> Self {
        Self {
            line,
            is_upgrade: false,
            text,
        }
    }

    pub(super) fn upgrade(line: Option<usize>, text: String) -> Self {
        Self {
            line,
            is_upgrade: true,
            text,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Every field of a group file.
pub(super) const FIELDS: [&str; 30] = [
    "users",
    "wildcard-user",
    "fallback-users",
    "authKeys",
    "authServer",
    "authPortal",
    "public",
    "displayName",
    "description",
    "contact",
    "comment",
    "max-clients",
    "max-history-age",
    "not-before",
    "expires",
    "allow-recording",
    "unrestricted-tokens",
    "allow-anonymous",
    "auto-subgroups",
    "allow-subgroups",
    "autolock",
    "autokick",
    "lobby",
    "last-n",
    "loudest",
    "redirect",
    "codecs",
    "op",
    "presenter",
    "other",
];
pub(super) const USER_FIELDS: [&str; 2] = ["password", "permissions"];
const PERMISSIONS: [&str; 7] = [
    "op", "present", "message", "caption", "token", "record", "admin",
];

impl Description {
    /// What is odd in it, before the upgrade; `text` is the file.
    pub(super) fn warnings(&self, text: &str) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = self
            .unknown
            .keys()
            .map(|name| {
                let hint = hint(name, &FIELDS);
                let what = format!("unknown field {name:?} is ignored{hint}");
                Remark::warning(line_of(text, &[name]), what)
            })
            .collect();
        for (name, user) in &self.users {
            user.warn(
                &format!("user {name:?}"),
                text,
                &["users", name],
                &mut remarks,
            );
        }
        if let Some(user) = &self.wildcard_user {
            user.warn("the wildcard user", text, &["wildcard-user"], &mut remarks);
        }
        for (index, user) in self.fallback_users.iter().enumerate() {
            let (who, index) = (format!("fallback user {}", index + 1), index.to_string());
            user.warn(&who, text, &["fallback-users", &index], &mut remarks);
        }
        for (field, patterns) in [
            ("op", &self.op),
            ("presenter", &self.presenter),
            ("other", &self.other),
        ] {
            for (index, pattern) in patterns.iter().enumerate() {
                for name in pattern.unknown.keys() {
                    let what = format!("unknown field {name:?} of {field} is ignored");
                    let path = [field, &index.to_string(), name.as_str()];
                    remarks.push(Remark::warning(line_of(text, &path), what));
                }
                if let Some(Password::Unusable { reason, .. }) = &pattern.password {
                    let what = format!(
                        "entry {} of {field} lets no one in, the password is unusable: {reason}",
                        index + 1
                    );
                    let path = [field, &index.to_string(), "password"];
                    remarks.push(Remark::warning(line_of(text, &path), what));
                }
            }
        }
        for name in &self.codecs {
            if let Err(error) = name.parse::<Codec>() {
                let what = format!("{error} is ignored");
                remarks.push(Remark::warning(line_of(text, &["codecs"]), what));
            }
        }
        for (index, what) in super::super::jwt::warnings(&self.auth_keys) {
            let path = ["authKeys", &index.to_string()];
            remarks.push(Remark::warning(line_of(text, &path), what));
        }
        if !self.codecs.is_empty() && self.allowed_codecs().is_empty() {
            let what = "no codec is left: nothing can be published here".to_owned();
            remarks.push(Remark::warning(line_of(text, &["codecs"]), what));
        }
        if self.allow_anonymous {
            let what = "allow-anonymous has no effect: empty usernames are allowed".to_owned();
            remarks.push(Remark::upgrade(line_of(text, &["allow-anonymous"]), what));
        }
        remarks
    }
}

impl UserDescription {
    /// What is odd in it; `path` leads to it in the file's `text`.
    pub(crate) fn remarks(&self, who: &str, text: &str, path: &[&str]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        self.warn(who, text, path, &mut remarks);
        remarks
    }

    fn warn(&self, who: &str, text: &str, path: &[&str], remarks: &mut Vec<Remark>) {
        let line = |field: &str| {
            let path: Vec<&str> = path.iter().copied().chain([field]).collect();
            line_of(text, &path)
        };
        for field in self.unknown.keys() {
            let hint = hint(field, &USER_FIELDS);
            let what = format!("unknown field {field:?} of {who} is ignored{hint}");
            remarks.push(Remark::warning(line(field), what));
        }
        if let Some(Password::Unusable { reason, .. }) = &self.password {
            let what = format!("{who} cannot log in, the password is unusable: {reason}");
            remarks.push(Remark::warning(line("password"), what));
        }
        if let RoleOrList::List(list) = &self.permissions {
            for name in list.iter().filter(|name| !PERMISSIONS.contains(name)) {
                let hint = hint(name, &PERMISSIONS);
                let what = format!("unknown permission {name:?} of {who}{hint}");
                remarks.push(Remark::warning(line("permissions"), what));
            }
        }
    }
}

/// What was perhaps meant.
fn hint(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len());
    match near {
        Some((_, known)) => format!(" (did you mean {known:?}?)"),
        None => String::new(),
    }
}

/// How many letters must be put in, taken out or changed; case, `-` and `_` do not count.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars()
            .filter(|c| !matches!(c, '-' | '_'))
            .map(|c| c.to_ascii_lowercase())
            .take(64)
            .collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (before + usize::from(x != y)).min(above + 1).min(left + 1);
            before = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
