//! What goes wrong with a client, sorted by what follows.

use crate::group::{GroupError, Kick};

/// What a client did wrong, or what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The client is told why not, and goes on.
    #[error("{0}")]
    Refused(String),
    /// The protocol was violated: told, and closed with 1002.
    #[error("{0}")]
    Violation(&'static str),
    /// Told, and closed with 1000.
    #[error("{0}")]
    Dismissed(&'static str),
    /// Not JSON: told, and closed with 1007.
    #[error("{0}")]
    Malformed(String),
    /// JSON of the wrong shape: told, and closed with 1011.
    #[error("{0}")]
    Unusable(String),
    /// Thrown out: told, and closed with 1000.
    #[error("kicked out")]
    Kicked(Kick),
}

impl Failure {
    /// A refusal in the protocol's words.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

impl From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// The reason of a kick, for the close frame.
pub(super) fn kick_reason(kick: &Kick) -> String {
    let mut reason = "kicked out".to_owned();
    if !kick.message.is_empty() {
        reason = format!("{reason} ({})", kick.message);
    }
    match &kick.by {
        Some((_, username)) if !username.is_empty() => format!("{reason} by {username}"),
        _ => reason,
    }
}
