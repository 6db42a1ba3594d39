//! Webhooks: what happens in groups, and to all of them, told to URLs by POST. Signed as Standard Webhooks has it
//! (standardwebhooks.com): `webhook-id`, `webhook-timestamp`, `webhook-signature`.

mod deliver;

use crate::config::{SettingsFile, WebhookSettings};
use crate::group::{GroupEvent, Happening};
use deliver::{Delivery, deliver};
use rand::distr::{Alphanumeric, SampleString};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Events that wait to be looked at.
pub const CAPACITY: usize = 4_096;
/// Events that wait for one URL that does not answer.
const QUEUE: usize = 1_024;

/// What is sent.
#[derive(Debug, Serialize)]
struct Body<'a> {
    /// `join`, `leave`, `stream-start`, `stream-end`, `drain`, `drain-cancelled`
    event: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Person<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream<'a>>,
    /// What those inside are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// When they must go.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Debug, Serialize)]
struct Person<'a> {
    id: &'a str,
    username: &'a str,
}

#[derive(Debug, Serialize)]
struct Stream<'a> {
    id: &'a str,
    label: &'a str,
}

fn body(event: &GroupEvent) -> Body<'_> {
    let (name, user, stream) = match &event.happening {
        Happening::Join(user) => ("join", Some((&user.id, &user.username)), None),
        Happening::Leave(user) => ("leave", Some((&user.id, &user.username)), None),
        Happening::Publish(stream) => (
            "stream-start",
            Some((&stream.source, &stream.username)),
            Some(stream),
        ),
        Happening::Unpublish(stream) => (
            "stream-end",
            Some((&stream.source, &stream.username)),
            Some(stream),
        ),
        Happening::Drain { .. } => ("drain", None, None),
        Happening::DrainCancelled => ("drain-cancelled", None, None),
    };
    let drain = match &event.happening {
        Happening::Drain { message, until } => Some((message.as_str(), until.to_string())),
        _ => None,
    };
    Body {
        event: name,
        time: event.time.to_string(),
        group: event.group.as_deref(),
        user: user.map(|(id, username)| Person { id, username }),
        stream: stream.map(|stream| Stream {
            id: &stream.id,
            label: &stream.label,
        }),
        message: drain.as_ref().map(|(message, _)| *message),
        until: drain.as_ref().map(|(_, until)| until.clone()),
    }
}

/// Sends events to the URLs of `config.json`, as it is at that moment, until the events end. Each
/// URL is told in order; one that does not answer holds up no other.
pub async fn run(mut events: mpsc::Receiver<GroupEvent>, settings: Arc<SettingsFile>) {
    let mut queues: HashMap<WebhookSettings, mpsc::Sender<Delivery>> = HashMap::new();
    while let Some(event) = events.recv().await {
        let current = settings.current();
        // Those that were taken out of the file finish what they have.
        queues.retain(|hook, _| current.webhooks.contains(hook));
        if current.webhooks.is_empty() {
            continue;
        }
        let body = body(&event);
        let Ok(text) = serde_json::to_string(&body) else {
            continue;
        };
        let wanted = |hook: &&WebhookSettings| {
            hook.events.is_empty() || hook.events.iter().any(|name| name == body.event)
        };
        for hook in current.webhooks.iter().filter(wanted) {
            let queue = queues.entry(hook.clone()).or_insert_with(|| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(deliver(hook.clone(), receiver));
                sender
            });
            let delivery = Delivery {
                id: format!("msg_{}", Alphanumeric.sample_string(&mut rand::rng(), 24)),
                body: text.clone(),
            };
            if queue.try_send(delivery).is_err() {
                tracing::warn!(url = hook.url, "a webhook is dropped: too many wait");
            }
        }
    }
}
