//! The bounded queue of one client.

use super::notice::Notice;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Room for so many notices is kept when none waits.
const SMALL: usize = 16;

/// How much may wait for a client that does not read.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// Notices.
    pub notices: usize,
    /// Bytes, about.
    pub weight: usize,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        // Those who join a large group are told of each member at once.
        Self {
            notices: 16_384,
            weight: 16 << 20,
        }
    }
}

/// The client did not read, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client does not read what it is sent")]
pub struct MailboxClosed;

/// What waits to be told to one client. Whoever tells it never waits: when the queue is full it
/// is closed for good, and so is the client.
#[derive(Debug)]
pub struct Mailbox {
    limits: MailboxLimits,
    queue: Mutex<Queue>,
    ready: Notify,
    closed: Notify,
    kicked: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    notices: VecDeque<Notice>,
    weight: usize,
    closed: bool,
    kicked: bool,
}

impl Mailbox {
    /// An empty one.
    pub fn new(limits: MailboxLimits) -> Self {
        Self {
            limits,
            queue: Mutex::default(),
            ready: Notify::new(),
            closed: Notify::new(),
            kicked: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a notice; closes the mailbox if that is one too many.
    pub fn push(&self, notice: Notice) {
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        queue.weight += notice.weight();
        let kicked = matches!(notice, Notice::Kicked(_));
        queue.kicked |= kicked;
        queue.notices.push_back(notice);
        if queue.notices.len() > self.limits.notices || queue.weight > self.limits.weight {
            Self::close_queue(&mut queue);
            drop(queue);
            self.closed.notify_waiters();
        } else {
            drop(queue);
        }
        if kicked {
            self.kicked.notify_waiters();
        }
        self.ready.notify_one();
    }

    /// Drops what waits, and whatever comes.
    pub fn close(&self) {
        Self::close_queue(&mut self.queue());
        self.closed.notify_waiters();
        self.ready.notify_one();
    }

    fn close_queue(queue: &mut Queue) {
        queue.closed = true;
        queue.notices = VecDeque::new();
        queue.weight = 0;
    }

    /// The next notice if one waits.
    ///
    /// # Errors
    /// When the mailbox is closed.
    pub fn try_next(&self) -> Result<Option<Notice>, MailboxClosed> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(MailboxClosed);
        }
        let notice = queue.notices.pop_front();
        if let Some(notice) = &notice {
            queue.weight -= notice.weight();
        }
        if queue.notices.is_empty() && queue.notices.capacity() > SMALL {
            // The rush when someone joins a large group is over.
            queue.notices = VecDeque::new();
        }
        Ok(notice)
    }

    /// Waits for the next notice. One task reads at a time; nothing is lost if it stops waiting.
    ///
    /// # Errors
    /// When the mailbox is closed.
    pub async fn next(&self) -> Result<Notice, MailboxClosed> {
        loop {
            if let Some(notice) = self.try_next()? {
                return Ok(notice);
            }
            self.ready.notified().await;
        }
    }

    /// Waits until the client is told to go.
    pub async fn kicked(&self) {
        let kicked = self.kicked.notified();
        tokio::pin!(kicked);
        // Registered before the look, or a kick in between would be missed.
        kicked.as_mut().enable();
        if !self.queue().kicked {
            kicked.await;
        }
    }

    /// Waits until the mailbox is closed.
    pub async fn closed(&self) {
        let closed = self.closed.notified();
        tokio::pin!(closed);
        // Registered before the look, or a close in between would be missed.
        closed.as_mut().enable();
        if !self.queue().closed {
            closed.await;
        }
    }
}

#[cfg(test)]
mod tests;
