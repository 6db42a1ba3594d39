//! One URL: signed, tried again, in order.

use crate::config::WebhookSettings;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Before the second try, the third, …; after the last it is given up.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
];

/// An event on its way to one URL.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The same at each try.
    pub(super) id: String,
    /// JSON
    pub(super) body: String,
}

/// What came of a try.
enum Outcome {
    Taken,
    /// Not now: why.
    Later(String),
    /// The receiver wants no more of this one: why.
    Refused(StatusCode),
}

/// Delivers until the queue ends.
pub(super) async fn deliver(hook: WebhookSettings, mut queue: mpsc::Receiver<Delivery>) {
    // The choice was perhaps made already, and is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .timeout(TIMEOUT)
        // A signed event is for whom it is addressed to.
        .redirect(Policy::none())
        .user_agent(concat!("perikon/", env!("CARGO_PKG_VERSION")))
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(url = hook.url, %error, "no webhooks are sent");
            return;
        }
    };
    while let Some(delivery) = queue.recv().await {
        let mut pauses = PAUSES.iter();
        loop {
            let reason = match attempt(&client, &hook, &delivery).await {
                Outcome::Taken => break,
                Outcome::Refused(status) => {
                    tracing::warn!(url = hook.url, %status, "a webhook is refused");
                    break;
                }
                Outcome::Later(reason) => reason,
            };
            let Some(pause) = pauses.next() else {
                tracing::warn!(url = hook.url, reason, "a webhook is given up");
                break;
            };
            tracing::info!(url = hook.url, reason, again_in = ?pause, "a webhook waits");
            sleep(*pause).await;
        }
    }
}

async fn attempt(client: &Client, hook: &WebhookSettings, delivery: &Delivery) -> Outcome {
    let Delivery { id, body } = delivery;
    let time = Timestamp::now().as_second();
    let mut request = client
        .post(&hook.url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", time)
        .body(body.clone());
    if !hook.secret.is_empty() {
        let signature = signature(&hook.secret, id, time, body);
        request = request.header("webhook-signature", signature);
    }
    match request.send().await {
        Ok(answer) => match answer.status() {
            status if status.is_success() => Outcome::Taken,
            status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                Outcome::Later(status.to_string())
            }
            status if status.is_client_error() => Outcome::Refused(status),
            status => Outcome::Later(status.to_string()),
        },
        Err(error) => Outcome::Later(error.without_url().to_string()),
    }
}

/// `v1,` and the HMAC-SHA256 of id, time and body, joined by dots. A secret that begins with
/// `whsec_` goes on in base64, others are taken as they are.
fn signature(secret: &str, id: &str, time: i64, body: &str) -> String {
    let decoded = secret
        .strip_prefix("whsec_")
        .and_then(|rest| STANDARD.decode(rest).ok());
    let bytes = decoded.as_deref().unwrap_or(secret.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let tag = hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // printf '%s' 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' |
        //     openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf %s KEY | base64 -d | xxd -p)
        assert_eq!(
            signature(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_ne!(signature("a", "b", 1, "c"), signature("aa", "b", 1, "c"));
    }
}
