//! What a member or a group says of itself (`setdata`).

use super::error::GroupError;
use serde_json::{Map, Value};
use std::ops::Deref;

/// How much is kept of one member or one group, bytes of JSON.
const LIMIT: usize = 1 << 20;

/// Anything that clients wish to tell each other, by key. Reads like the map that it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    fields: Map<String, Value>,
    weight: usize,
}

impl Data {
    /// # Errors
    /// When it is too much: everyone who joins is sent all of it.
    pub fn new(fields: Map<String, Value>) -> Result<Self, GroupError> {
        match serde_json::to_vec(&fields) {
            Ok(json) if json.len() <= LIMIT => Ok(Self {
                fields,
                weight: json.len(),
            }),
            _ => Err(GroupError::TooMuchData),
        }
    }

    /// With `change` merged in: a null deletes its key.
    ///
    /// # Errors
    /// When it becomes too much.
    pub fn merge(&self, change: Map<String, Value>) -> Result<Self, GroupError> {
        let mut fields = self.fields.clone();
        for (key, value) in change {
            if value.is_null() {
                fields.remove(&key);
            } else {
                fields.insert(key, value);
            }
        }
        Self::new(fields)
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.weight
    }
}

impl Deref for Data {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.fields
    }
}
