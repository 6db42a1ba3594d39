//! What a member may do.

use super::description::Description;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The permissions of one member, in the order the wire shows them. Each member has its own:
/// changing one never touches another's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(Vec<String>);

impl Permissions {
    /// Exactly these.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Whether `name` is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }

    /// Whether they make an operator.
    pub fn is_op(&self) -> bool {
        self.has("op")
    }

    /// Adds `name`; true if it was not there.
    pub fn add(&mut self, name: &str) -> bool {
        let new = !self.has(name);
        if new {
            self.0.push(name.to_owned());
        }
        new
    }

    /// Takes `name` away; true if it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|own| own != name);
        self.0.len() != before
    }

    /// These, after the role behind them became another one: what the two have in common stays
    /// as it is here, given or taken by operators.
    pub fn follow(&self, before: &Self, after: &Self) -> Self {
        if self == before {
            return after.clone();
        }
        let mut permissions = self.clone();
        for name in before.iter().filter(|name| !after.has(name)) {
            permissions.remove(name);
        }
        for name in after.iter().filter(|name| !before.has(name)) {
            permissions.add(name);
        }
        permissions
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A named set of permissions (`galene.md`, "Group description reference").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything but administering the group.
    Op,
    /// Publishes and chats.
    Present,
    /// Chats.
    Message,
    /// Receives.
    Observe,
    /// Shows captions, only.
    Caption,
    /// Administers the group through the HTTP API, only.
    Admin,
}

impl Role {
    const ALL: [Self; 6] = [
        Self::Op,
        Self::Present,
        Self::Message,
        Self::Observe,
        Self::Caption,
        Self::Admin,
    ];

    /// As group files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Op => "op",
            Self::Present => "present",
            Self::Message => "message",
            Self::Observe => "observe",
            Self::Caption => "caption",
            Self::Admin => "admin",
        }
    }

    /// What the role allows in a group so described.
    pub fn permissions(self, description: &Description) -> Permissions {
        let (extra, base): (Option<&str>, &[&str]) = match self {
            Self::Op => (
                description.allow_recording.then_some("record"),
                &["op", "present", "message", "caption", "token"],
            ),
            Self::Present => (
                description.unrestricted_tokens.then_some("token"),
                &["present", "message"],
            ),
            Self::Message => (None, &["message"]),
            Self::Observe => (None, &[]),
            Self::Caption => (None, &["caption"]),
            Self::Admin => (None, &["admin"]),
        };
        Permissions::new(extra.into_iter().chain(base.iter().copied()))
    }
}

/// The `permissions` of a user in a group file: a role, or an explicit array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOrList {
    /// A named set.
    Role(Role),
    /// Exactly these, whatever the rest of the file says.
    List(Permissions),
}

impl Default for RoleOrList {
    fn default() -> Self {
        Self::List(Permissions::default())
    }
}

impl RoleOrList {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What it allows in a group so described.
    pub fn permissions(&self, description: &Description) -> Permissions {
        match self {
            Self::Role(role) => role.permissions(description),
            Self::List(list) => list.clone(),
        }
    }
}

impl Serialize for RoleOrList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Role(role) => serializer.serialize_str(role.name()),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RoleOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A visitor, not `untagged`: its errors keep the line and the reason.
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = RoleOrList;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a role such as \"present\", or an array of permissions")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<RoleOrList, E> {
                Role::ALL
                    .into_iter()
                    .find(|role| role.name() == name)
                    .map(RoleOrList::Role)
                    .ok_or_else(|| E::custom(format_args!("unknown role {name:?}")))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<RoleOrList, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element::<String>()? {
                    names.push(name);
                }
                Ok(RoleOrList::List(Permissions(names)))
            }

            fn visit_unit<E: de::Error>(self) -> Result<RoleOrList, E> {
                Ok(RoleOrList::default())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests;
