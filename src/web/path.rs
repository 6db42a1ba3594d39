//! Paths of requests: decoded once, and clean before anyone looks at them.

use crate::group::PATH;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

/// What a request's path turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// Decoded, absolute, without `.`, `..` and empty parts, perhaps with a slash at its end.
    Clean(String),
    /// The same place under its clean name, encoded.
    Elsewhere(String),
    /// Not a path that names anything here, and why.
    Bad(&'static str),
}

/// Looks at the path of a request as it was sent.
pub(super) fn check(raw: &str) -> Path {
    if !raw.starts_with('/') {
        return Path::Bad("the path does not begin with a slash");
    }
    let Ok(decoded) = percent_decode_str(raw).decode_utf8() else {
        return Path::Bad("the path is not UTF-8");
    };
    if decoded.contains(|c: char| c.is_control()) {
        return Path::Bad("the path contains a control character");
    }
    if decoded.contains('\\') {
        return Path::Bad("the path contains a backslash");
    }
    let clean = clean(&decoded);
    if clean == decoded {
        Path::Clean(clean)
    } else {
        Path::Elsewhere(encode(&clean))
    }
}

/// Escapes a decoded path for a header.
pub(super) fn encode(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for part in &parts {
        clean.push('/');
        clean.push_str(part);
    }
    if path.ends_with('/') || clean.is_empty() {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::{Path, check};

    #[test]
    fn clean_paths_pass_decoded() {
        for (raw, decoded) in [
            ("/", "/"),
            ("/group/a%20b/", "/group/a b/"),
            ("/group/a%2Fb/.status", "/group/a/b/.status"),
            ("/gr%C3%BCn", "/grün"),
            ("/...", "/..."),
        ] {
            assert_eq!(check(raw), Path::Clean(decoded.to_owned()), "{raw}");
        }
    }

    #[test]
    fn others_are_sent_to_the_clean_name() {
        for (raw, clean) in [
            ("//", "/"),
            ("//example.org/x", "/example.org/x"),
            ("/a/./b/", "/a/b/"),
            ("/a/../b", "/b"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("/a/%2e%2e/%2E/b", "/b"),
            ("/a%2f..%2f..%2fb%20c/", "/b%20c/"),
            ("/a/..", "/"),
            ("/a/.", "/a"),
            ("/gr%C3%BCn//", "/gr%C3%BCn/"),
        ] {
            assert_eq!(check(raw), Path::Elsewhere(clean.to_owned()), "{raw}");
        }
    }

    #[test]
    fn bad_paths() {
        for raw in ["*", "", "/a%5Cb", "/a%00", "/%ff", "/a%0d%0ab"] {
            assert!(matches!(check(raw), Path::Bad(_)), "{raw}");
        }
    }
}
