//! Pages of other sites.

use crate::client::Place;
use crate::support::HOST;

const GROUP: &str = ".groups/watch";

#[tokio::test]
async fn pages_of_other_sites_change_nothing_unless_they_are_listed() {
    let place = Place::start().await;
    let own = format!("https://{HOST}");
    let insecure = format!("http://{}", HOST.to_uppercase());
    for (origin, allowed) in [
        (own.as_str(), true),
        (insecure.as_str(), true),
        ("https://Friend.example", true),
        ("https://evil.example", false),
        ("https://friend.example.evil.example", false),
        ("null", false),
    ] {
        for (method, path, body) in [
            ("PUT", GROUP, "{}"),
            ("DELETE", ".groups/watch/.keys", ""),
            ("POST", ".groups/watch/.tokens/", "{}"),
        ] {
            place.reset();
            let before = place.file();
            let mut asking = place.ask(method, path).header("Origin", origin);
            if !body.is_empty() {
                asking = asking.json(body);
            }
            let answer = asking.send().await;
            assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
            let shown = answer.header("access-control-allow-origin");
            if allowed {
                assert!(answer.status < 300, "{origin} {method}: {answer:?}");
                assert_eq!(shown, Some(origin));
            } else {
                assert_eq!(answer.status, 403, "{origin} {method}");
                assert_eq!(shown, None, "{origin}");
                assert_eq!(place.file(), before, "{origin}");
            }
        }
        let read = place
            .ask("GET", GROUP)
            .header("Origin", origin)
            .send()
            .await;
        let shown = read.header("access-control-allow-origin");
        assert_eq!(shown, allowed.then_some(origin));
        assert_eq!(
            read.header("access-control-expose-headers")
                .is_some_and(|names| names.contains("ETag")),
            allowed
        );
    }
}

#[tokio::test]
async fn a_browser_may_ask_before() {
    let place = Place::start().await;
    let ask = |origin: &str| {
        place
            .ask_bare("OPTIONS", GROUP)
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "PUT")
            .send()
    };
    let answer = ask("https://friend.example").await;
    assert_eq!(answer.status, 204);
    let methods = "OPTIONS, HEAD, GET, PUT, DELETE";
    assert_eq!(answer.header("allow"), Some(methods));
    assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
    let headers = answer.header("access-control-allow-headers");
    assert!(headers.is_some_and(|h| h.contains("Authorization") && h.contains("If-Match")));
    let answer = ask("https://evil.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
}
