//! What happens in all groups, and to all of them, for someone outside.

use super::notice::User;
use super::stream::PublishedStream;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// Something that happened in a group, or to all groups.
#[derive(Debug, Clone)]
pub struct GroupEvent {
    /// When.
    pub time: Timestamp,
    /// The group's name; none if it is about all.
    pub group: Option<String>,
    /// What.
    pub happening: Happening,
}

/// What may happen.
#[derive(Debug, Clone)]
pub enum Happening {
    /// Someone came in.
    Join(Arc<User>),
    /// Someone went.
    Leave(Arc<User>),
    /// A stream is published, or has other tracks.
    Publish(Arc<PublishedStream>),
    /// A stream is no more.
    Unpublish(Arc<PublishedStream>),
    /// No one is let in any more, anywhere, and the server is about to end.
    Drain {
        /// What those inside are told.
        message: String,
        /// When they must go.
        until: Timestamp,
    },
    /// It was thought better of.
    DrainCancelled,
}

/// Where the events of all groups go: nowhere, until someone follows.
#[derive(Debug, Default)]
pub(super) struct Follower(OnceLock<mpsc::Sender<GroupEvent>>);

impl Follower {
    /// The events from now on; `None` if someone follows already. More than `capacity` that wait
    /// are dropped.
    pub(super) fn follow(&self, capacity: usize) -> Option<mpsc::Receiver<GroupEvent>> {
        let (sender, receiver) = mpsc::channel(capacity);
        self.0.set(sender).ok().map(|()| receiver)
    }

    pub(super) fn tell(&self, group: Option<String>, happening: Happening) {
        let event = GroupEvent {
            time: Timestamp::now(),
            group,
            happening,
        };
        if let Some(sender) = self.0.get()
            && sender.try_send(event).is_err()
        {
            tracing::warn!("an event of a group is dropped: too many wait");
        }
    }
}

/// Tells what happens in one group.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) group: String,
    pub(super) follower: Arc<Follower>,
}

impl Teller {
    pub(super) fn tell(&self, happening: Happening) {
        self.follower.tell(Some(self.group.clone()), happening);
    }
}
