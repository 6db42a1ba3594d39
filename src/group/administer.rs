//! What administrators do in a group without being inside. Who calls these has checked that they
//! may.

use super::error::GroupError;
use super::membership::Group;
use super::notice::{Kick, Notice, User, UserMessage};
use super::stream::PublishedStream;
use std::sync::Arc;

impl Group {
    /// Everyone inside, with what they publish.
    pub fn clients(&self) -> Vec<(Arc<User>, Vec<Arc<PublishedStream>>)> {
        let state = self.state();
        let clients = state.members.values().map(|member| {
            let own = |stream: &&Arc<PublishedStream>| stream.source == member.user.id;
            let streams = state.streams.values().filter(own).cloned().collect();
            (Arc::clone(&member.user), streams)
        });
        clients.collect()
    }

    /// Throws out a member, or one who waits at the door.
    ///
    /// # Errors
    /// No such user.
    pub fn remove_client(&self, id: &str, message: &str) -> Result<(), GroupError> {
        let kick = Kick {
            by: None,
            message: message.to_owned(),
            code: None,
        };
        self.state().reach(id)?.0.push(Notice::Kicked(kick));
        Ok(())
    }

    /// Asks a member's program to switch its microphone off, as operators do.
    ///
    /// # Errors
    /// No such user.
    pub fn ask_to_mute(&self, id: &str) -> Result<(), GroupError> {
        let message = UserMessage {
            kind: Some("mute".to_owned()),
            dest: Some(id.to_owned()),
            privileged: true,
            ..UserMessage::default()
        };
        let state = self.state();
        let member = state.member(id)?;
        member.mailbox.push(Notice::Message(Arc::new(message)));
        Ok(())
    }

    /// Ends a stream of a member for everyone, its publisher included.
    ///
    /// # Errors
    /// No such stream.
    pub fn end_stream(&self, source: &str, id: &str) -> Result<(), GroupError> {
        let mut state = self.state();
        let own = |stream: &&Arc<PublishedStream>| stream.source == source;
        if !state.streams.get(id).is_some_and(|stream| own(&stream)) {
            return Err(GroupError::NoSuchUser);
        }
        state.unpublished(id);
        Ok(())
    }

    /// The message for those who are kept out, if it is locked.
    pub fn lock_message(&self) -> Option<String> {
        self.state().locked.clone()
    }

    /// Locks it with a message for those who are kept out (empty: the usual one), or unlocks it,
    /// if `check` does not refuse the lock that is there.
    ///
    /// # Errors
    /// That of `check`.
    pub fn set_lock<T, E>(
        &self,
        message: Option<&str>,
        check: impl FnOnce(Option<&str>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.state();
        let result = check(state.locked.as_deref())?;
        state.set_locked(message);
        self.tell_changed(&state);
        Ok(result)
    }
}
