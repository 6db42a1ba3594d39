//! An authorisation server, and a portal: real ones, over HTTP on loopback. The server's part is
//! to say in `.status` and in `joined` where clients must go, and to take the tokens that they
//! bring back; the test does what a browser does.

use super::harness::Client;
use super::signer::{Signer, now};
use super::{Place, assert_not_authorised};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// `galene-protocol.md`, "Authorisation protocol": 200 with a token, 403 for a wrong password,
/// 204 for those that the server knows nothing of.
async fn authorize(State(key): State<Arc<Signer>>, Json(request): Json<Value>) -> Response {
    let (username, password) = (&request["username"], &request["password"]);
    match (username.as_str().unwrap(), password.as_str().unwrap()) {
        ("carrot", "ironfoundersson") => key
            .token(&json!({
                "sub": username, "aud": request["location"], "permissions": ["present", "message"],
                "iat": now(), "exp": now() + 30, "iss": "http://auth.example.org/",
            }))
            .into_response(),
        ("carrot", _) => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A portal that knows who you are already.
async fn portal(
    State(key): State<Arc<Signer>>,
    Query(query): Query<HashMap<String, String>>,
) -> Redirect {
    let location = &query["location"];
    let token = key.token(&json!({
        "sub": "angua", "aud": location, "permissions": ["op"], "exp": now() + 30,
    }));
    Redirect::to(&format!("{location}?token={token}"))
}

async fn serve(key: &Arc<Signer>) -> SocketAddr {
    let app = Router::new()
        .route("/", post(authorize))
        .route("/portal", get(portal))
        .with_state(Arc::clone(key));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn browser() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

struct Site {
    place: Place,
    browser: reqwest::Client,
    status: Value,
}

impl Site {
    /// A group that sends its clients to `field`, and what its `.status` says.
    async fn start(key: &Arc<Signer>, field: &str, path: &str) -> Self {
        let url = format!("http://{}{path}", serve(key).await);
        let mut group = json!({
            "authKeys": [key.jwk],
            "users": {"vimes": {"password": "sybil", "permissions": "op"}},
        });
        group[field] = url.clone().into();
        let place = Place::start(&[("groups/watch.json", &group.to_string())]).await;
        let browser = browser();
        let location = format!("http://{}/group/watch/.status", place.server.address());
        let text = browser
            .get(location)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let status: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status[field], url, "{status}");
        Self {
            place,
            browser,
            status,
        }
    }

    /// What a browser does with a name and a password.
    async fn log_in(&self, username: &str, password: &str) -> (u16, Client, Value) {
        let body = json!({"location": self.status["location"], "username": username,
                          "password": password});
        let server = self.status["authServer"].as_str().unwrap();
        let answer = self.browser.post(server).json(&body).send().await.unwrap();
        let code = answer.status().as_u16();
        let mut client = self.place.greet(&format!("{username} {password}")).await;
        let mut join = json!({"type": "join", "kind": "join", "group": "watch",
                              "username": username});
        match code {
            200 => join["token"] = answer.text().await.unwrap().into(),
            204 => join["password"] = password.into(),
            _ => return (code, client, Value::Null),
        }
        client.send(join).await;
        let reply = client.next().await;
        (code, client, reply)
    }
}

#[tokio::test]
async fn an_authorisation_server() {
    let key = Arc::new(Signer::elliptic("ES256"));
    let site = Site::start(&key, "authServer", "/").await;

    let (code, _client, joined) = site.log_in("carrot", "ironfoundersson").await;
    assert_eq!((code, &joined["kind"]), (200, &json!("join")), "{joined}");
    assert_eq!(joined["username"], "carrot");
    assert_eq!(joined["permissions"], json!(["present", "message"]));
    assert_eq!(joined["status"]["authServer"], site.status["authServer"]);

    let (code, ..) = site.log_in("carrot", "wrong").await;
    assert_eq!(code, 403);

    // It has no opinion: the password is that of the group file.
    let (code, _client, joined) = site.log_in("vimes", "sybil").await;
    assert_eq!((code, &joined["kind"]), (204, &json!("join")), "{joined}");
    let (code, _client, refused) = site.log_in("vimes", "wrong").await;
    assert_eq!(code, 204);
    assert_not_authorised(&refused, "a wrong password");
}

/// What another authorisation server signs is worth nothing here.
#[tokio::test]
async fn a_false_authorisation_server() {
    let (key, forger) = (Arc::new(Signer::edwards()), Arc::new(Signer::edwards()));
    let mut site = Site::start(&key, "authServer", "/").await;
    site.status["authServer"] = format!("http://{}/", serve(&forger).await).into();
    let (code, _client, refused) = site.log_in("carrot", "ironfoundersson").await;
    assert_eq!(code, 200);
    assert_not_authorised(&refused, "a forged token");
}

#[tokio::test]
async fn a_portal() {
    let key = Arc::new(Signer::secret("HS256", &rand::random::<[u8; 32]>()));
    let site = Site::start(&key, "authPortal", "/portal").await;
    let location = site.status["location"].as_str().unwrap();
    let portal = format!(
        "{}?location={location}",
        site.status["authPortal"].as_str().unwrap()
    );
    let answer = site.browser.get(portal).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    // The page is there for it.
    let page = site.browser.get(&back).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let (_, token) = back.split_once("?token=").unwrap();
    let joined = site.place.enter("watch", token, None).await;
    assert_eq!(joined["kind"], "join", "{joined}");
    assert_eq!(
        (&joined["username"], &joined["permissions"]),
        (&json!("angua"), &json!(["op"]))
    );
    assert_eq!(joined["status"]["authPortal"], site.status["authPortal"]);
}
