//! `If-Match` and `If-None-Match` (RFC 9110, section 13.1). Weak tags never match.

use super::error::ApiError;
use crate::group::disk::Version;
use axum::http::{HeaderMap, HeaderName, header};

/// The conditions of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    matches: Option<Vec<String>>,
    none_match: Option<Vec<String>>,
}

/// An object as the conditions see it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Current<'a> {
    /// There is none.
    Absent,
    /// It can be read, and this is its version.
    Version(&'a Version),
    /// It is there, but it is never shown, so no one knows a tag of it.
    Hidden,
}

impl<'a> From<Option<&'a Version>> for Current<'a> {
    fn from(version: Option<&'a Version>) -> Self {
        version.map_or(Self::Absent, Self::Version)
    }
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            matches: tags(headers, &header::IF_MATCH),
            none_match: tags(headers, &header::IF_NONE_MATCH),
        }
    }

    /// For a request that changes the object.
    pub(super) fn check<'a>(&self, current: impl Into<Current<'a>>) -> Result<(), ApiError> {
        let current = current.into();
        let fails = |condition: &Option<Vec<String>>, wanted: bool| {
            let tags = condition.as_ref();
            tags.is_some_and(|tags| has(tags, current) != wanted)
        };
        if fails(&self.matches, true) || fails(&self.none_match, false) {
            return Err(ApiError::Precondition);
        }
        Ok(())
    }

    /// For a request that reads the object, which is there: false if the client has it already.
    pub(super) fn is_news(&self, current: &Version) -> Result<bool, ApiError> {
        let current = Current::Version(current);
        let is_in = |tags: &Vec<String>| has(tags, current);
        if self.matches.as_ref().is_some_and(|tags| !is_in(tags)) {
            return Err(ApiError::Precondition);
        }
        Ok(!self.none_match.as_ref().is_some_and(is_in))
    }
}

/// An entity tag.
pub(super) fn tag(version: &Version) -> String {
    format!("\"{version}\"")
}

/// The tags of all headers of this name; a header that makes no sense has one that never matches.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let values = headers.get_all(name);
    let mut tags = Vec::new();
    for value in values {
        let text = value.to_str().unwrap_or_default();
        tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
    }
    (!tags.is_empty()).then_some(tags)
}

fn has(tags: &[String], current: Current<'_>) -> bool {
    tags.iter().any(|candidate| match current {
        Current::Absent => false,
        Current::Hidden => candidate == "*",
        Current::Version(version) => candidate == "*" || *candidate == tag(version),
    })
}

#[cfg(test)]
mod tests {
    use super::{Conditions, Current};
    use crate::group::disk::Version;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    #[test]
    fn conditions() {
        let version = Version::of(b"x");
        let own = format!("\"{version}\"");
        let list = format!("\"a\", {own}");
        let weak = format!("W/{own}");
        // Whether a change of an absent, a present and a hidden object is allowed.
        for (name, value, absent, present, hidden) in [
            ("if-match", "*", false, true, true),
            ("if-match", own.as_str(), false, true, false),
            ("if-match", list.as_str(), false, true, false),
            ("if-match", weak.as_str(), false, false, false),
            ("if-match", "\"a\"", false, false, false),
            ("if-match", "", false, false, false),
            ("if-none-match", "*", true, false, false),
            ("if-none-match", own.as_str(), true, false, true),
            ("if-none-match", list.as_str(), true, false, true),
            ("if-none-match", weak.as_str(), true, true, true),
            ("if-none-match", "\"a\"", true, true, true),
            ("x-other", "*", true, true, true),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(value).expect("a value");
            headers.insert(HeaderName::from_static(name), value.clone());
            let conditions = Conditions::of(&headers);
            let passes = |current: Current<'_>| conditions.check(current).is_ok();
            assert_eq!(passes(Current::Absent), absent, "{name}: {value:?}");
            assert_eq!(
                passes(Current::Version(&version)),
                present,
                "{name}: {value:?}"
            );
            assert_eq!(passes(Current::Hidden), hidden, "{name}: {value:?}");
        }
    }
}
