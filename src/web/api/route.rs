//! Which object a path of the API names.

/// What stands between the server's root and the API.
const ROOT: &str = "/galene-api/v0";

/// An object of the API. Group names are as in the path: they may be no legal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// `.stats`
    Stats,
    /// `.drain`
    Drain,
    /// `openapi.json`
    OpenApi,
    /// `.groups/`
    Groups,
    /// `.groups/NAME`
    Group(String),
    /// `.groups/NAME/.keys`
    Keys(String),
    /// `.groups/NAME/.users/`
    Users(String),
    /// `.groups/NAME/.users/USER`, `.empty-user` or `.wildcard-user`
    User(String, Who),
    /// The same, with `/.password`
    Password(String, Who),
    /// `.groups/NAME/.tokens/`, or that of one user
    Tokens(Shelf),
    /// `.groups/NAME/.tokens/TOKEN`, or that of one user
    Token(Shelf, String),
    /// `.groups/NAME/.clients/`
    Clients(String),
    /// `.groups/NAME/.clients/ID`
    Client(String, String),
    /// `.groups/NAME/.clients/ID/.mute`
    Mute(String, String),
    /// `.groups/NAME/.clients/ID/.streams/STREAM`
    Stream(String, String, String),
    /// `.groups/NAME/.lock`
    Lock(String),
    /// Something below a group that is not there: only who may see the group is told so.
    UnknownOf(String),
}

/// A user of a group file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// One of `users`; the empty name is one.
    Named(String),
    /// `wildcard-user`
    Wildcard,
}

/// Where tokens are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shelf {
    /// The group they are for; empty for all groups.
    pub(super) group: String,
    /// The user they are for; all if there is none.
    pub(super) user: Option<String>,
}

impl Target {
    /// Finds what a clean, decoded path names.
    pub(super) fn find(path: &str) -> Option<Self> {
        let path = path.strip_prefix(ROOT)?;
        if path == "/openapi.json" {
            return Some(Self::OpenApi);
        }
        match split(path) {
            ("", ".stats", "") => Some(Self::Stats),
            ("", ".drain", "") => Some(Self::Drain),
            ("", ".groups", "/") => Some(Self::Groups),
            ("", ".groups", rest) => Self::below_groups(rest),
            _ => None,
        }
    }

    fn below_groups(path: &str) -> Option<Self> {
        let (group, kind, rest) = split(path);
        if group.is_empty() && kind != ".tokens" {
            return None;
        }
        let group = group.trim_matches('/').to_owned();
        let of_user = |who, rest| match rest {
            "" => Self::User(group.clone(), who),
            "/.password" => Self::Password(group.clone(), who),
            _ => Self::UnknownOf(group.clone()),
        };
        Some(match (kind, rest) {
            ("", _) => Self::Group(group),
            (".keys", "") => Self::Keys(group),
            (".users" | ".tokens" | ".clients", "") => return None,
            (".lock", "") => Self::Lock(group),
            (".clients", "/") => Self::Clients(group),
            (".clients", rest) => Self::below_clients(group, rest),
            (".users", "/") => Self::Users(group),
            (".users", rest) => Self::below_users(group, rest),
            (".empty-user", rest) => of_user(Who::Named(String::new()), rest),
            (".wildcard-user", rest) => of_user(Who::Wildcard, rest),
            (".tokens", rest) => Self::below_tokens(Shelf { group, user: None }, rest),
            _ => Self::UnknownOf(group),
        })
    }

    fn below_users(group: String, path: &str) -> Self {
        let (user, kind, rest) = split(path);
        let user = user.strip_prefix('/').unwrap_or_default().to_owned();
        if user.is_empty() {
            return Self::UnknownOf(group);
        }
        match (kind, rest) {
            ("", _) => Self::User(group, Who::Named(user)),
            (".password", "") => Self::Password(group, Who::Named(user)),
            (".tokens", rest) if !rest.is_empty() => {
                let user = Some(user);
                Self::below_tokens(Shelf { group, user }, rest)
            }
            _ => Self::UnknownOf(group),
        }
    }

    fn below_clients(group: String, path: &str) -> Self {
        let (client, kind, rest) = split(path);
        let client = client.strip_prefix('/').unwrap_or_default().to_owned();
        if client.is_empty() {
            return Self::UnknownOf(group);
        }
        match (kind, rest.strip_prefix('/')) {
            ("", _) => Self::Client(group, client),
            (".mute", None) => Self::Mute(group, client),
            (".streams", Some(stream)) if !stream.is_empty() => {
                Self::Stream(group, client, stream.to_owned())
            }
            _ => Self::UnknownOf(group),
        }
    }

    fn below_tokens(shelf: Shelf, path: &str) -> Self {
        match path.strip_prefix('/') {
            Some("") => Self::Tokens(shelf),
            Some(token) => Self::Token(shelf, token.to_owned()),
            None => Self::UnknownOf(shelf.group),
        }
    }

    /// What kind of object a path names, for traces: names may be secret, or too many.
    pub(super) fn route(path: &str) -> &'static str {
        let Some(target) = Self::find(path) else {
            return "unknown";
        };
        match target {
            Self::Stats => ".stats",
            Self::Drain => ".drain",
            Self::OpenApi => "openapi.json",
            Self::Groups => ".groups/",
            Self::Group(_) => ".groups/{group}",
            Self::Keys(_) => ".groups/{group}/.keys",
            Self::Users(_) => ".groups/{group}/.users/",
            Self::User(..) => ".groups/{group}/.users/{user}",
            Self::Password(..) => ".groups/{group}/.users/{user}/.password",
            Self::Tokens(_) => ".groups/{group}/.tokens/",
            Self::Token(..) => ".groups/{group}/.tokens/{token}",
            Self::Clients(_) => ".groups/{group}/.clients/",
            Self::Client(..) => ".groups/{group}/.clients/{client}",
            Self::Mute(..) => ".groups/{group}/.clients/{client}/.mute",
            Self::Stream(..) => ".groups/{group}/.clients/{client}/.streams/{stream}",
            Self::Lock(_) => ".groups/{group}/.lock",
            Self::UnknownOf(_) => "unknown",
        }
    }

    /// The methods it answers, `OPTIONS` left out.
    pub(super) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Stats | Self::OpenApi | Self::Groups | Self::Users(_) | Self::Clients(_) => {
                &["HEAD", "GET"]
            }
            Self::Group(_) | Self::User(..) | Self::Token(..) | Self::Lock(_) => {
                &["HEAD", "GET", "PUT", "DELETE"]
            }
            Self::Client(..) => &["HEAD", "GET", "DELETE"],
            Self::Drain => &["HEAD", "GET", "POST", "DELETE"],
            Self::Mute(..) => &["POST"],
            Self::Stream(..) => &["DELETE"],
            Self::Keys(_) => &["PUT", "DELETE"],
            Self::Password(..) => &["PUT", "POST", "DELETE"],
            Self::Tokens(_) => &["HEAD", "GET", "POST"],
            Self::UnknownOf(_) => &[],
        }
    }

    /// Whether it is part of a group file, which only `writableGroups` lets the API change.
    pub(super) fn is_of_a_file(&self) -> bool {
        matches!(
            self,
            Self::Group(_) | Self::Keys(_) | Self::User(..) | Self::Password(..)
        )
    }

    /// The group it belongs to, if it is one's.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Self::Stats | Self::Drain | Self::OpenApi | Self::Groups => None,
            Self::Group(group)
            | Self::Keys(group)
            | Self::Users(group)
            | Self::User(group, _)
            | Self::Password(group, _)
            | Self::Clients(group)
            | Self::Client(group, _)
            | Self::Mute(group, _)
            | Self::Stream(group, ..)
            | Self::Lock(group)
            | Self::UnknownOf(group) => Some(group),
            Self::Tokens(shelf) | Self::Token(shelf, _) => Some(&shelf.group),
        }
    }
}

/// A path up to the first part that begins with a dot, that part, and what follows it.
fn split(path: &str) -> (&str, &str, &str) {
    let Some(at) = path.find("/.") else {
        return (path, "", "");
    };
    let (first, rest) = path.split_at(at);
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    match rest.find('/') {
        Some(end) => {
            let (kind, rest) = rest.split_at(end);
            (first, kind, rest)
        }
        None => (first, rest, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{Shelf, Target, Who};

    #[test]
    fn paths() {
        let group = || "a/b".to_owned();
        let shelf = |group: &str, user: Option<&str>| Shelf {
            group: group.to_owned(),
            user: user.map(str::to_owned),
        };
        let named = |name: &str| Who::Named(name.to_owned());
        for (path, expected) in [
            (".stats", Some(Target::Stats)),
            (".stats/", None),
            ("openapi.json", Some(Target::OpenApi)),
            (".groups", None),
            (".groups/", Some(Target::Groups)),
            (".groups/a/b", Some(Target::Group(group()))),
            (".groups/a/b/", Some(Target::Group(group()))),
            (".groups/a/b/.keys", Some(Target::Keys(group()))),
            (".groups/a/b/.keys/", Some(Target::UnknownOf(group()))),
            (".groups/a/b/.users", None),
            (".groups/a/b/.users/", Some(Target::Users(group()))),
            (
                ".groups/a/b/.users/c/d",
                Some(Target::User(group(), named("c/d"))),
            ),
            (
                ".groups/a/b/.users/c/.password",
                Some(Target::Password(group(), named("c"))),
            ),
            (
                ".groups/a/b/.users/c/.password/x",
                Some(Target::UnknownOf(group())),
            ),
            (
                ".groups/a/b/.empty-user",
                Some(Target::User(group(), named(""))),
            ),
            (
                ".groups/a/b/.wildcard-user/.password",
                Some(Target::Password(group(), Who::Wildcard)),
            ),
            (
                ".groups/a/b/.wildcard-user/x",
                Some(Target::UnknownOf(group())),
            ),
            (
                ".groups/a/b/.tokens/",
                Some(Target::Tokens(shelf("a/b", None))),
            ),
            (
                ".groups/a/b/.tokens/t",
                Some(Target::Token(shelf("a/b", None), "t".to_owned())),
            ),
            (".groups/a/b/.tokens", None),
            (".groups/.tokens/", Some(Target::Tokens(shelf("", None)))),
            (".groups/.keys", None),
            (
                ".groups/a/b/.users/c/.tokens/t",
                Some(Target::Token(shelf("a/b", Some("c")), "t".to_owned())),
            ),
            (".groups/a/b/.clients/", Some(Target::Clients(group()))),
            (
                ".groups/a/b/.clients/c",
                Some(Target::Client(group(), "c".to_owned())),
            ),
            (
                ".groups/a/b/.clients/c/.mute",
                Some(Target::Mute(group(), "c".to_owned())),
            ),
            (
                ".groups/a/b/.clients/c/.streams/d",
                Some(Target::Stream(group(), "c".to_owned(), "d".to_owned())),
            ),
            (
                ".groups/a/b/.clients/c/.streams/",
                Some(Target::UnknownOf(group())),
            ),
            (".groups/a/b/.lock", Some(Target::Lock(group()))),
            (".groups/a/b/.unknown", Some(Target::UnknownOf(group()))),
            ("x/.stats", None),
            ("", None),
        ] {
            let path = format!("/galene-api/v0/{path}");
            assert_eq!(Target::find(&path), expected, "{path}");
        }
        assert_eq!(Target::find("/galene-api/v1/.stats"), None);
    }
}
