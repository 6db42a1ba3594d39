//! Passwords, and who a client says it is.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// The most memory that one password may take while it is checked, KiB: a gigabyte.
const ARGON2_MEMORY: u32 = 1 << 20;

/// What a client offers in `join`.
#[derive(Clone, Default)]
pub struct Credentials {
    /// `username`, if it was given.
    pub username: Option<String>,
    /// `password`; empty if it was not given.
    pub password: String,
    /// `token`, if it was given.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The `password` of a user in a group file.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// As it is typed.
    Plain(String),
    /// Any password will do.
    Wildcard,
    /// RFC 8018 with HMAC-SHA-256.
    Pbkdf2 {
        /// What the password must yield.
        key: Vec<u8>,
        /// Mixed in.
        salt: Vec<u8>,
        /// Rounds.
        iterations: u32,
    },
    /// A string such as `$2a$10$…`.
    Bcrypt(String),
    /// A string such as `$argon2id$v=19$m=19456,t=2,p=1$…` (RFC 9106, in the PHC string format).
    Argon2id(String),
    /// Not understood: it lets no one in, and the rest of the file stays in force.
    Unusable {
        /// As it was, so that it can be written back.
        raw: Map<String, Value>,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Debug for Password {
    /// Never shows the secret: descriptions end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(…)",
            Self::Wildcard => "Wildcard",
            Self::Pbkdf2 { .. } => "Pbkdf2(…)",
            Self::Bcrypt(_) => "Bcrypt(…)",
            Self::Argon2id(_) => "Argon2id(…)",
            Self::Unusable { .. } => "Unusable(…)",
        })
    }
}

impl Password {
    /// Whether checking it takes long on purpose, so that it must be kept off the async threads.
    pub fn is_slow(&self) -> bool {
        matches!(
            self,
            Self::Pbkdf2 { .. } | Self::Bcrypt(_) | Self::Argon2id(_)
        )
    }

    /// Whether `given` is the password. Takes as long for a wrong one as for the right one.
    pub fn matches(&self, given: &str) -> bool {
        match self {
            Self::Wildcard => true,
            // Digests have one length: comparing them does not tell that of the password.
            Self::Plain(own) => Sha256::digest(own)
                .as_slice()
                .ct_eq(Sha256::digest(given).as_slice())
                .into(),
            Self::Pbkdf2 {
                key,
                salt,
                iterations,
            } => {
                let mut derived = vec![0; key.len()];
                pbkdf2::pbkdf2_hmac::<Sha256>(given.as_bytes(), salt, *iterations, &mut derived);
                derived.as_slice().ct_eq(key).into()
            }
            Self::Bcrypt(hash) => bcrypt::verify(given, hash).unwrap_or(false),
            Self::Argon2id(hash) => Argon2::default()
                .verify_password(given.as_bytes(), hash.as_str())
                .is_ok(),
            Self::Unusable { .. } => false,
        }
    }

    fn from_object(raw: Map<String, Value>) -> Self {
        match Self::read_object(&raw) {
            Ok(password) => password,
            Err(reason) => Self::Unusable { raw, reason },
        }
    }

    fn read_object(raw: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| match raw.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(format!("its {name} is no string")),
            None => Err(format!("it has no {name}")),
        };
        let bytes = |name: &str| {
            hex::decode(text(name)?)
                .map_err(|error| format!("its {name} is not hexadecimal: {error}"))
        };
        match text("type")? {
            "plain" => Ok(Self::Plain(text("key")?.to_owned())),
            "wildcard" => Ok(Self::Wildcard),
            "bcrypt" => {
                let key = text("key")?;
                key.parse::<bcrypt::HashParts>()
                    .map_err(|error| format!("its key is no bcrypt hash: {error}"))?;
                Ok(Self::Bcrypt(key.to_owned()))
            }
            "argon2id" => {
                let key = text("key")?;
                let hash = PasswordHash::new(key)
                    .map_err(|error| format!("its key is no argon2id hash: {error}"))?;
                let params = argon2::Params::try_from(&hash)
                    .map_err(|error| format!("its key is no argon2id hash: {error}"))?;
                if hash.algorithm != argon2::ARGON2ID_IDENT || hash.hash.is_none() {
                    return Err("its key is no argon2id hash".to_owned());
                }
                if params.m_cost() > ARGON2_MEMORY {
                    return Err(format!(
                        "its key asks for more than {ARGON2_MEMORY} KiB of memory"
                    ));
                }
                Ok(Self::Argon2id(key.to_owned()))
            }
            "pbkdf2" => {
                let hash = text("hash")?;
                if hash != "sha-256" {
                    return Err(format!("unknown hash {hash:?}"));
                }
                let key = bytes("key")?;
                if key.is_empty() || key.len() > 1024 {
                    return Err("its key has a bad length".to_owned());
                }
                let iterations = raw
                    .get("iterations")
                    .and_then(Value::as_u64)
                    .and_then(|n| u32::try_from(n).ok())
                    .filter(|n| *n > 0)
                    .ok_or("its iterations are no positive number")?;
                let salt = if raw.contains_key("salt") {
                    bytes("salt")?
                } else {
                    Vec::new()
                };
                Ok(Self::Pbkdf2 {
                    key,
                    salt,
                    iterations,
                })
            }
            other => Err(format!("unknown type {other:?}")),
        }
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = match self {
            Self::Plain(text) => return serializer.serialize_str(text),
            Self::Unusable { raw, .. } => return raw.serialize(serializer),
            Self::Wildcard => serde_json::json!({ "type": "wildcard" }),
            Self::Bcrypt(key) => serde_json::json!({ "type": "bcrypt", "key": key }),
            Self::Argon2id(key) => serde_json::json!({ "type": "argon2id", "key": key }),
            Self::Pbkdf2 {
                key,
                salt,
                iterations,
            } => serde_json::json!({
                "type": "pbkdf2",
                "hash": "sha-256",
                "key": hex::encode(key),
                "salt": hex::encode(salt),
                "iterations": iterations,
            }),
        };
        object.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Password;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a password: a string, or an object with a type")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Password, E> {
                Ok(Password::Plain(text.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Password, A::Error> {
                Map::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(Password::from_object)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests;
