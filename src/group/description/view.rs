//! What of a description is shown, and what must not be lost when someone changes the rest.

use super::{Description, UserDescription};

impl Description {
    /// Without users, keys, and what is not understood and could therefore be a secret: what the
    /// HTTP API shows (`galene-api.md`, "Group definition").
    pub fn sanitised(&self) -> Self {
        Self {
            users: Default::default(),
            wildcard_user: None,
            fallback_users: Vec::new(),
            auth_keys: Vec::new(),
            op: Vec::new(),
            presenter: Vec::new(),
            other: Vec::new(),
            unknown: Default::default(),
            ..self.clone()
        }
    }

    /// This, with what [`Self::sanitised`] left out of `before`: for a description that came
    /// back from someone who was shown no more.
    pub fn with_secrets_of(self, before: &Self) -> Self {
        Self {
            users: before.users.clone(),
            wildcard_user: before.wildcard_user.clone(),
            fallback_users: before.fallback_users.clone(),
            auth_keys: before.auth_keys.clone(),
            op: before.op.clone(),
            presenter: before.presenter.clone(),
            other: before.other.clone(),
            unknown: before.unknown.clone(),
            ..self
        }
    }

    /// Why some of its keys are of no use; empty if all are good.
    pub fn key_faults(&self) -> Vec<String> {
        let faults = super::super::jwt::warnings(&self.auth_keys);
        faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Whether it says nothing that [`Self::sanitised`] leaves out.
    pub fn is_sanitised(&self) -> bool {
        self.sanitised() == *self
    }
}

impl UserDescription {
    /// Without the password: what the HTTP API shows.
    pub fn sanitised(&self) -> Self {
        Self {
            password: None,
            permissions: self.permissions.clone(),
            unknown: Default::default(),
        }
    }
}
