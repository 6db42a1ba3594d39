//! Draining: no one comes in any more, and the server ends when the last has gone.

use super::state::State;
use crate::group::{Happening, Notice, UserMessage};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How often it is looked whether the last has gone.
const INTERVAL: Duration = Duration::from_millis(200);

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// What those inside are told, now and when they must go.
    pub message: String,
    /// When those who are still inside must go.
    pub until: Timestamp,
    deadline: Instant,
}

impl State {
    /// From now on no one comes in; those inside are told, and may stay until `until`, which is
    /// `timeout` from now. Again: another time, and they are told again.
    pub fn drain(&self, message: String, until: Timestamp, timeout: Duration) {
        tracing::info!(%until, message, "no one is let in any more");
        self.registry().set_open(false);
        let told = Notice::Message(Arc::new(UserMessage {
            kind: Some("warning".to_owned()),
            source: None,
            username: None,
            dest: None,
            privileged: true,
            noecho: false,
            time: Some(Timestamp::now()),
            weight: message.len(),
            value: Some(message.clone().into()),
        }));
        self.tell_all(&told);
        self.registry().tell(Happening::Drain {
            message: message.clone(),
            until,
        });
        self.drain_slot().send_replace(Some(Drain {
            message,
            until,
            deadline: Instant::now() + timeout,
        }));
    }

    /// Lets people in again.
    pub fn cancel_drain(&self) {
        if self.drain_slot().send_replace(None).is_some() {
            self.registry().set_open(true);
            self.registry().tell(Happening::DrainCancelled);
            tracing::info!("people are let in again");
        }
    }

    /// What was decided, if it was.
    pub fn drain_state(&self) -> Option<Drain> {
        self.drain_slot().borrow().clone()
    }

    /// Waits until a drain has come to its end: everyone has gone, or must go.
    pub async fn drained(&self) {
        let mut wish = self.drain_slot().subscribe();
        loop {
            let deadline = wish
                .borrow_and_update()
                .as_ref()
                .map(|drain| drain.deadline);
            let Some(deadline) = deadline else {
                // The sender is here: it cannot be gone.
                let _ = wish.changed().await;
                continue;
            };
            let empty = async {
                while self.registry().census().clients > 0 {
                    sleep(INTERVAL).await;
                }
            };
            tokio::select! {
                _ = timeout_at(deadline, empty) => return,
                _ = wish.changed() => {}
            }
        }
    }
}
