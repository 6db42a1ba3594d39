//! What operators are told of those who wait (`docs/protocol.md`, "The waiting room").

use super::chat::seconds;
use super::message::Outgoing;
use super::session::Session;
use super::user_message::UserMessageOut;
use crate::group::Guest;
use jiff::Timestamp;
use serde::Serialize;

/// Someone who waits.
#[derive(Debug, Serialize)]
struct GuestOut<'a> {
    id: &'a str,
    username: &'a str,
    #[serde(serialize_with = "seconds")]
    since: Timestamp,
}

impl Session {
    /// Tells who waits: all of them if the client understands that, else the news in words.
    pub(super) fn tell_lobby(&mut self, guests: &[Guest], news: Option<&str>) {
        if !self.knows("lobby") {
            if let Some(news) = news {
                let text = format!("{news} (by the server's own page: this one cannot)");
                self.notify("info", &text);
            }
            return;
        }
        let guests: Vec<GuestOut<'_>> = guests
            .iter()
            .map(|guest| GuestOut {
                id: &guest.id,
                username: &guest.username,
                since: guest.since,
            })
            .collect();
        // Only texts: it cannot fail.
        let value = serde_json::to_value(guests).unwrap_or_default();
        let id = self.id.clone();
        self.send(&Outgoing::UserMessage(UserMessageOut {
            kind: Some("lobby"),
            dest: Some(&id),
            privileged: true,
            value: Some(&value),
            ..UserMessageOut::default()
        }));
    }
}
