//! Which names groups and users may have.

/// Whether a group may be called so (`galene-protocol.md`, "Group").
///
/// A name becomes a path below the groups folder and in URLs, so it is relative, clean, and none
/// of its parts is hidden: parts that begin with a dot name files of the server such as
/// `.status`.
pub fn is_legal_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 1024
        && !name.contains(['\\', '\0'])
        && !name.chars().any(char::is_control)
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.len() <= 250)
}

/// Whether a user may be called so. Usernames end in paths of recordings and of the HTTP API, so
/// they must be clean; the empty name is a user who gave none.
pub fn is_legal_username(name: &str) -> bool {
    name.is_empty()
        || (name.len() <= 1024
            && !name.contains(['\\', '\0'])
            && name.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

#[cfg(test)]
mod tests;
