//! What members do in a group. Every method takes the client id of who does it, and checks under
//! the lock that this member may.

use super::ban::Ban;
use super::error::GroupError;
use super::history::{ChatMessage, Clear};
use super::mailbox::Mailbox;
use super::membership::{Group, State};
use super::notice::{Kick, Notice, User, UserChange, UserMessage};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A change of someone's permissions by an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// `op`, and `record` where that is allowed.
    Op,
    /// Neither `op` nor `record`.
    Unop,
    /// `present`
    Present,
    /// Not `present`.
    Unpresent,
    /// Not `message`.
    Shutup,
    /// `message`
    Unshutup,
}

impl Group {
    /// Whether a member may do what `permission` says.
    pub fn permits(&self, id: &str, permission: &str) -> bool {
        self.state().permitted(id, permission).is_ok()
    }

    /// Says something, to everyone or to one. Needs `message`, or `caption` for captions. Whether
    /// the sender is an operator is filled in here; the rest is the caller's.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn chat(&self, mut message: ChatMessage) -> Result<(), GroupError> {
        let caption = message.kind.as_deref() == Some("caption");
        let mut state = self.state();
        let by = message.source.clone().unwrap_or_default();
        let sender = state.permitted(&by, if caption { "caption" } else { "message" })?;
        message.privileged = sender.user.permissions.is_op();
        let message = Arc::new(message);
        if let Some(dest) = &message.dest {
            state
                .member(dest)?
                .mailbox
                .push(Notice::Chat(Arc::clone(&message)));
            return Ok(());
        }
        for (id, member) in &state.members {
            if !(message.noecho && *id == by) {
                member.mailbox.push(Notice::Chat(Arc::clone(&message)));
            }
        }
        state.history.push(message);
        Ok(())
    }

    /// Sends something that is no chat, to everyone or to one. Needs `message`.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn message(&self, mut message: UserMessage) -> Result<(), GroupError> {
        let state = self.state();
        let by = message.source.clone().unwrap_or_default();
        message.privileged = state.permitted(&by, "message")?.user.permissions.is_op();
        let message = Arc::new(message);
        if let Some(dest) = &message.dest {
            state
                .member(dest)?
                .mailbox
                .push(Notice::Message(Arc::clone(&message)));
            return Ok(());
        }
        for (id, member) in &state.members {
            if !(message.noecho && *id == by) {
                member.mailbox.push(Notice::Message(Arc::clone(&message)));
            }
        }
        Ok(())
    }

    /// Forgets chat, and tells everyone to forget it: `value` is what the operator wrote.
    ///
    /// # Errors
    /// Not authorised.
    pub fn clear_chat(
        &self,
        by: &str,
        what: &Clear,
        value: Option<Value>,
    ) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        state.history.clear(what);
        state.tell_all(&Notice::Message(Arc::new(UserMessage {
            kind: Some("clearchat".to_owned()),
            privileged: true,
            value,
            ..UserMessage::default()
        })));
        Ok(())
    }

    /// Locks it with a message for those who are kept out (empty: the usual one), or unlocks it.
    ///
    /// # Errors
    /// Not authorised.
    pub fn lock(&self, by: &str, message: Option<&str>) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        state.set_locked(message);
        self.tell_changed(&state);
        Ok(())
    }

    /// Changes what the group says of itself; a null deletes its key.
    ///
    /// # Errors
    /// Not authorised, or too much data.
    pub fn set_data(&self, by: &str, change: Map<String, Value>) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        state.data = Arc::new(state.data.merge(change)?);
        self.tell_changed(&state);
        Ok(())
    }

    /// Changes what a member says of itself; a null deletes its key.
    ///
    /// # Errors
    /// No such user, or too much data.
    pub fn set_user_data(&self, id: &str, change: Map<String, Value>) -> Result<(), GroupError> {
        let mut state = self.state();
        let data = Arc::new(state.member(id)?.user.data.merge(change)?);
        state.change_user(id, |user| user.data = data);
        Ok(())
    }

    /// Changes the permissions of one member, and of no one else.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn grant(&self, by: &str, id: &str, grant: Grant) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        let mut permissions = state.member(id)?.user.permissions.clone();
        match grant {
            Grant::Op => {
                permissions.add("op");
                if state.description.allow_recording {
                    permissions.add("record");
                }
            }
            Grant::Unop => {
                permissions.remove("op");
                permissions.remove("record");
            }
            Grant::Present => {
                permissions.add("present");
            }
            Grant::Unpresent => {
                permissions.remove("present");
            }
            Grant::Shutup => {
                permissions.remove("message");
            }
            Grant::Unshutup => {
                permissions.add("message");
            }
        }
        let user = state.member(id)?.user.as_ref().clone();
        let user = User {
            permissions,
            ..user
        };
        // The member is told before the others.
        let membership = self.membership(&state, &user);
        state
            .member(id)?
            .mailbox
            .push(Notice::Changed(Box::new(membership)));
        state.change_user(id, |own| *own = user);
        match grant {
            Grant::Op => {
                state.tell_lobby_to(id);
                self.operators_changed(&mut state);
            }
            Grant::Unop => self.operators_changed(&mut state),
            // At once, even if the one it was taken from does not read what it is told.
            Grant::Unpresent => state.drop_streams(id),
            _ => {}
        }
        Ok(())
    }

    /// Throws a member out.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn kick(&self, by: &str, id: &str, message: &str) -> Result<(), GroupError> {
        let state = self.state();
        let operator = state.permitted(by, "op")?;
        let kick = Kick {
            by: Some((by.to_owned(), operator.user.username.clone())),
            message: message.to_owned(),
            code: None,
        };
        state.reach(id)?.0.push(Notice::Kicked(kick));
        Ok(())
    }

    /// Throws out whom a ban holds, but not the operator who pronounced it.
    pub(super) fn throw_out(&self, by: &str, kick: &Kick, ban: &Ban) {
        let state = self.state();
        for (id, member) in &state.members {
            let user = &member.user;
            let address = user.address.map(|address| address.ip());
            if id != by && ban.holds(&user.username, address, user.permissions.is_op()) {
                member.mailbox.push(Notice::Kicked(kick.clone()));
            }
        }
        for waiting in &state.waiting {
            let request = &waiting.request;
            let address = request.address.map(|address| address.ip());
            if ban.holds(&request.username, address, false) {
                request.mailbox.push(Notice::Kicked(kick.clone()));
            }
        }
    }

    /// Tells an operator who a member is, and the member that this was told.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn identify(&self, by: &str, id: &str) -> Result<Arc<User>, GroupError> {
        let state = self.state();
        let operator = state.permitted(by, "op")?;
        let (mailbox, user) = state.reach(id)?;
        let name = &operator.user.username;
        mailbox.push(Notice::Message(Arc::new(UserMessage {
            kind: Some("warning".to_owned()),
            dest: Some(id.to_owned()),
            privileged: true,
            value: Some(format!("the operator {name} was told your network address").into()),
            ..UserMessage::default()
        })));
        Ok(user)
    }
}

impl State {
    /// A member, or someone who waits to be one.
    pub(super) fn reach(&self, id: &str) -> Result<(&Mailbox, Arc<User>), GroupError> {
        if let Some(waiting) = self.waiting.iter().find(|other| other.request.id == id) {
            let request = &waiting.request;
            let user = User {
                id: request.id.clone(),
                username: request.username.clone(),
                permissions: request.permissions.clone(),
                data: Arc::clone(&request.data),
                address: request.address,
            };
            return Ok((&request.mailbox, Arc::new(user)));
        }
        let member = self.member(id)?;
        Ok((&member.mailbox, Arc::clone(&member.user)))
    }

    fn change_user(&mut self, id: &str, change: impl FnOnce(&mut User)) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        change(Arc::make_mut(&mut member.user));
        let user = Arc::clone(&member.user);
        self.tell_all(&Notice::User(UserChange::Change, user));
    }
}
