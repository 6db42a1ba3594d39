//! Where a client is, when a reverse proxy stands before the server.

use crate::config::Settings;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The address of the client itself, by which failed logins are counted and users are identified
/// and banned; `None` if it cannot be told from other clients'. With port 0 if the port is not
/// known.
///
/// A header can be written by anyone. It counts only if `proxyURL` is configured and the request
/// comes from this machine or network; and of the addresses in `X-Forwarded-For` only the last
/// one, which is what the proxy itself saw. Where the proxy does not write that header, all
/// clients look like one, and none is made to suffer for another.
pub(super) fn of_client(
    settings: &Settings,
    headers: &HeaderMap,
    remote: SocketAddr,
) -> Option<SocketAddr> {
    if settings.proxy_url.is_empty() || !is_near(remote.ip()) {
        return Some(remote);
    }
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    let text = last.to_str().ok()?.rsplit(',').next()?.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = bare.parse().ok()?;
    Some(SocketAddr::new(address, 0))
}

/// Where a proxy of this server would be.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(proxy: &str, remote: &str, forwarded: &[&'static str]) -> Option<String> {
        let settings = Settings {
            proxy_url: proxy.to_owned(),
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let remote = remote.parse().ok()?;
        of_client(&settings, &headers, remote).map(|address| address.to_string())
    }

    #[test]
    fn addresses() {
        let proxy = "https://galene.example.org/";
        for (proxy, remote, forwarded, expected) in [
            ("", "127.0.0.1:9", &["192.0.2.1"][..], Some("127.0.0.1:9")),
            ("", "192.0.2.7:9", &["192.0.2.1"], Some("192.0.2.7:9")),
            (proxy, "192.0.2.7:9", &["192.0.2.1"], Some("192.0.2.7:9")),
            (proxy, "127.0.0.1:9", &["192.0.2.1"], Some("192.0.2.1:0")),
            (proxy, "[::1]:9", &["192.0.2.1:77"], Some("192.0.2.1:77")),
            (
                proxy,
                "[::ffff:10.0.0.1]:9",
                &["2001:db8::1"],
                Some("[2001:db8::1]:0"),
            ),
            (
                proxy,
                "10.0.0.1:9",
                &["[2001:db8::1]:77"],
                Some("[2001:db8::1]:77"),
            ),
            // The client wrote the first one itself.
            (
                proxy,
                "127.0.0.1:9",
                &["6.6.6.6, 192.0.2.1"],
                Some("192.0.2.1:0"),
            ),
            (
                proxy,
                "127.0.0.1:9",
                &["6.6.6.6", "192.0.2.1"],
                Some("192.0.2.1:0"),
            ),
            (proxy, "127.0.0.1:9", &["192.0.2.1, unknown"], None),
            (proxy, "127.0.0.1:9", &[], None),
        ] {
            assert_eq!(
                client(proxy, remote, forwarded).as_deref(),
                expected,
                "{proxy} {remote} {forwarded:?}"
            );
        }
    }
}
