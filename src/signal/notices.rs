//! What the group tells a member, in the words of the protocol.

use super::failure::Failure;
use super::message::{Outgoing, UserOut};
use super::session::Session;
use crate::group::{Membership, Notice, PublishedStream, UserChange};

impl Session {
    /// Passes on what happened.
    ///
    /// # Errors
    /// When it ends the connection.
    pub(super) fn notice(&mut self, notice: Notice) -> Result<(), Failure> {
        match notice {
            Notice::Joined(membership) => self.joined_group(&membership),
            Notice::Changed(membership) => self.changed(&membership),
            Notice::Left(membership) => self.tell_membership("leave", &membership),
            Notice::Chat(message) => self.send(&Outgoing::Chat((&*message).into())),
            Notice::History(message) => {
                let mut past = super::chat::ChatOut::from(&*message);
                past.privileged = false;
                past.noecho = false;
                self.send(&Outgoing::ChatHistory(past));
            }
            Notice::Message(message) => self.send(&Outgoing::UserMessage((&*message).into())),
            Notice::User(UserChange::Add, user) => {
                self.send(&Outgoing::User(UserOut::full("add", &user)));
            }
            Notice::User(UserChange::Change, user) => {
                self.send(&Outgoing::User(UserOut::full("change", &user)));
            }
            Notice::User(UserChange::Delete, user) => self.send(&Outgoing::User(UserOut {
                kind: "delete",
                id: &user.id,
                username: &user.username,
                permissions: None,
                data: None,
            })),
            Notice::Published(stream) => {
                if self.is_inside(&stream) {
                    self.stream_published(&stream);
                }
            }
            Notice::Unpublished(stream) if stream.source == self.id => {
                self.own_stream_ended(&stream);
            }
            Notice::Unpublished(stream) => self.stream_unpublished(&stream),
            Notice::Peer(peer, change) => self.peer_changed(peer, &change),
            Notice::Waits(wait) => self.tell_wait(&wait),
            Notice::Refused(refusal) => self.tell_refusal(&refusal),
            Notice::Lobby(guests, news) => self.tell_lobby(&guests, news.as_deref()),
            Notice::Speakers(speakers) => self.tell_speakers(&speakers),
            Notice::Kicked(kick) => return Err(Failure::Kicked(kick)),
        }
        Ok(())
    }

    /// Whether a stream is one of this client's group: the notice may be older than a `leave`.
    fn is_inside(&self, stream: &PublishedStream) -> bool {
        self.group.as_ref().is_some_and(|group| {
            stream.source != self.id
                && group
                    .stream(&stream.id)
                    .is_some_and(|now| now.source == stream.source)
        })
    }

    fn changed(&mut self, membership: &Membership) {
        self.tell_membership("change", membership);
        if !membership.permissions.has("present") {
            self.abort_published();
        }
        self.update_limits();
    }
}
