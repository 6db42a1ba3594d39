//! Who may use this server from where: hosts and origins.

use crate::config::Settings;
use axum::http::{HeaderMap, Uri, header};

/// The host that the client used, with its port: of `:authority` or `Host`. Checked to be no
/// more than a host, because it is shown again.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let host = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(header::HOST)?.to_str().ok()?,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.is_empty() && host.len() < 300 && host.bytes().all(plain)).then_some(host)
}

/// Whether a page may use the WebSocket: one of this server, under any of its names, or one of
/// an origin in `allowOrigin`. Programs send no origin.
pub(super) fn is_allowed(settings: &Settings, host: Option<&str>, headers: &HeaderMap) -> bool {
    is_among(&settings.allow_origin, settings, host, headers)
}

/// Whether a page may use the HTTP API: one of this server, under any of its names, or one of an
/// origin in `allowAdminOrigin`. Programs send no origin.
pub(super) fn is_allowed_to_administer(
    settings: &Settings,
    host: Option<&str>,
    headers: &HeaderMap,
) -> bool {
    is_among(&settings.allow_admin_origin, settings, host, headers)
}

fn is_among(
    allowed: &[String],
    settings: &Settings,
    host: Option<&str>,
    headers: &HeaderMap,
) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let listed = |allowed: &String| {
        allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)
    };
    if allowed.iter().any(listed) {
        return true;
    }
    let Some((_, origin_host)) = origin.split_once("://") else {
        return false;
    };
    let proxy = settings
        .proxy_url
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let canonical = Some(settings.canonical_host.as_str());
    [host, proxy, canonical]
        .into_iter()
        .flatten()
        .any(|host| !host.is_empty() && host.eq_ignore_ascii_case(origin_host))
}

#[cfg(test)]
mod tests {
    use super::{host, is_allowed};
    use crate::config::Settings;
    use axum::http::{HeaderMap, HeaderValue, Uri};

    fn origin(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers
    }

    #[test]
    fn origins() {
        let settings = Settings {
            allow_origin: vec!["https://Friend.example".to_owned()],
            proxy_url: "https://proxy.example:444/path/".to_owned(),
            canonical_host: "canonical.example".to_owned(),
            ..Settings::default()
        };
        let allowed =
            |headers: &HeaderMap| is_allowed(&settings, Some("Here.example:8443"), headers);
        assert!(allowed(&HeaderMap::new()));
        for good in [
            "https://here.example:8443",
            "http://here.example:8443",
            "https://friend.example",
            "https://proxy.example:444",
            "https://canonical.example",
        ] {
            assert!(allowed(&origin(good)), "{good}");
        }
        for bad in [
            "https://here.example",
            "https://here.example:8443.evil.example",
            "http://friend.example",
            "https://proxy.example",
            "null",
            "",
        ] {
            assert!(!allowed(&origin(bad)), "{bad}");
        }
        let any = Settings {
            allow_origin: vec!["*".to_owned()],
            ..Settings::default()
        };
        assert!(is_allowed(&any, None, &origin("https://anywhere.example")));
        assert!(!is_allowed(
            &Settings::default(),
            None,
            &origin("https://anywhere.example")
        ));
    }

    #[test]
    fn hosts() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(value));
            host(&Uri::from_static("/"), &headers).map(str::to_owned)
        };
        assert_eq!(of("example.org:8443").as_deref(), Some("example.org:8443"));
        assert_eq!(of("[::1]:8443").as_deref(), Some("[::1]:8443"));
        for bad in ["", "a/b", "a b", "a\"b", "user@host"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        let h2 = Uri::from_static("https://example.org/x");
        assert_eq!(host(&h2, &HeaderMap::new()), Some("example.org"));
    }
}
