//! The upgrade of what older versions of Galène wrote into group files.

use super::lines::line_of;
use super::{ClientPattern, Description, Remark, UserDescription};
use crate::group::credentials::Password;
use crate::group::permission::{Role, RoleOrList};

impl Description {
    /// Says in today's fields what the fields of old say, and empties those. Returns what was
    /// done; `text` is the file.
    pub(super) fn upgrade(&mut self, text: &str) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let upgraded = |field: &str, what: String| Remark::upgrade(line_of(text, &[field]), what);
        if std::mem::take(&mut self.allow_subgroups) {
            self.auto_subgroups = true;
            let what = "allow-subgroups is read as auto-subgroups".to_owned();
            remarks.push(upgraded("allow-subgroups", what));
        }
        let lists = [
            ("op", std::mem::take(&mut self.op), Role::Op),
            (
                "presenter",
                std::mem::take(&mut self.presenter),
                Role::Present,
            ),
            ("other", std::mem::take(&mut self.other), Role::Message),
        ];
        for (field, patterns, role) in lists {
            if patterns.is_empty() {
                continue;
            }
            let mut named = Vec::new();
            let mut wildcards = 0;
            for pattern in patterns {
                match self.upgrade_pattern(pattern, role) {
                    Upgraded::Named(name) => named.push(format!("{name:?}")),
                    Upgraded::Wildcard => wildcards += 1,
                    Upgraded::Ignored(name) => remarks.push(Remark::warning(
                        line_of(text, &[field]),
                        format!("{field} names the user {name:?} again: only the first counts"),
                    )),
                }
            }
            if wildcards > 0 {
                named.push("everyone else".to_owned());
            }
            if named.is_empty() {
                continue;
            }
            let who = named.join(", ");
            let role = role.name();
            let what = format!("{field} is read as users with the permissions {role:?}: {who}");
            remarks.push(upgraded(field, what));
        }
        if self.wildcard_user.is_none() && !self.fallback_users.is_empty() {
            self.wildcard_user = Some(self.fallback_users.remove(0));
            if line_of(text, &["fallback-users"]).is_some() {
                let what = "the first of fallback-users is read as wildcard-user".to_owned();
                remarks.push(upgraded("fallback-users", what));
            }
        }
        remarks
    }

    fn upgrade_pattern(&mut self, pattern: ClientPattern, role: Role) -> Upgraded {
        let user = UserDescription {
            password: Some(pattern.password.unwrap_or(Password::Wildcard)),
            permissions: RoleOrList::Role(role),
            unknown: pattern.unknown,
        };
        match pattern.username {
            Some(name) if !name.is_empty() => {
                if self.users.contains_key(&name) {
                    return Upgraded::Ignored(name);
                }
                self.users.insert(name.clone(), user);
                Upgraded::Named(name)
            }
            _ => {
                self.fallback_users.push(user);
                Upgraded::Wildcard
            }
        }
    }
}

enum Upgraded {
    Named(String),
    Wildcard,
    Ignored(String),
}
