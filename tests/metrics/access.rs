//! Who may read the figures.

use crate::scrape::client;
use crate::server;
use perikon::Server;
use reqwest::Response;

const ADMIN: &str = r#""users": {
    "root": {"password": "pw", "permissions": "admin"},
    "ann": {"password": "pw", "permissions": "op"}}"#;

async fn get(server: &Server, headers: &[(&str, &str)]) -> Response {
    let url = format!("http://{}/metrics", server.address());
    let mut request = client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// `root:pw`
const ROOT: (&str, &str) = ("authorization", "Basic cm9vdDpwdw==");
/// `ann:pw`, who is no administrator.
const ANN: (&str, &str) = ("authorization", "Basic YW5uOnB3");

#[tokio::test]
async fn this_machine_and_administrators_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(
        &folder,
        &format!("{{{ADMIN}, \"canonicalHost\": \"meet.example\"}}"),
    )
    .await;
    let proxied = ("x-forwarded-for", "192.0.2.1");
    for (headers, status) in [
        (&[][..], 200),
        (&[("host", "localhost:8443")], 200),
        // Through a proxy on this machine, or by a name that someone else has given it.
        (&[proxied], 401),
        (&[("forwarded", "for=192.0.2.1")], 401),
        (&[("via", "1.1 proxy")], 401),
        (&[("host", "meet.example")], 401),
        (&[("host", "rebound.example")], 401),
        (&[proxied, ROOT], 200),
        (&[("host", "meet.example"), ROOT], 200),
        (&[proxied, ANN], 401),
        (&[proxied, ("authorization", "Basic cm9vdDp4")], 401),
        (&[proxied, ("authorization", "Basic nonsense")], 401),
        (&[proxied, ("authorization", "Bearer no-such-token")], 401),
    ] {
        let response = get(&server, headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
        let asks = response.headers().contains_key("www-authenticate");
        assert_eq!(asks, status == 401, "{headers:?}");
        let body = response.text().await.unwrap();
        assert_eq!(body.contains("perikon_"), status == 200, "{headers:?}");
    }
    let url = format!("http://{}/metrics", server.address());
    let posted = client().post(url).send().await.unwrap();
    assert_eq!(posted.status(), 405);
    server.shutdown().await;
}

#[tokio::test]
async fn tokens_of_administrators() {
    let folder = tempfile::tempdir().unwrap();
    let var = folder.path().join("data/var");
    std::fs::create_dir_all(&var).unwrap();
    let token = |name: &str, group: &str, permission: &str| {
        let all = group.is_empty();
        format!(
            "{{\"token\": \"{name}\", \"group\": \"{group}\", \"includeSubgroups\": {all}, \
             \"permissions\": [\"{permission}\"], \"expires\": \"2099-01-01T00:00:00Z\"}}\n"
        )
    };
    let tokens = token("all", "", "admin") + &token("one", "g", "admin") + &token("op", "", "op");
    std::fs::write(var.join("tokens.jsonl"), tokens).unwrap();
    let server = server(&folder, "{}").await;
    for (token, status) in [("all", 200), ("one", 401), ("op", 401)] {
        let bearer = format!("Bearer {token}");
        let headers = [("via", "1.1 proxy"), ("authorization", bearer.as_str())];
        assert_eq!(get(&server, &headers).await.status(), status, "{token}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn behind_a_proxy_no_one_is_local() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{{{ADMIN}, \"proxyURL\": \"https://meet.example/\"}}");
    let server = server(&folder, &config).await;
    // The proxy may tell nothing of whom it speaks for.
    assert_eq!(get(&server, &[]).await.status(), 401);
    assert_eq!(get(&server, &[("host", "localhost")]).await.status(), 401);
    assert_eq!(get(&server, &[ROOT]).await.status(), 200);
    server.shutdown().await;
}
