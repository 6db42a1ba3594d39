//! A group file that changes, and those who are inside meanwhile.

use super::description::Description;
use super::error::GroupError;
use super::membership::{Group, State};
use super::notice::{Notice, User, UserChange};
use super::registry::Source;
use jiff::Timestamp;
use std::sync::Arc;

impl Group {
    /// A new version of its file is in force: it acts on those inside, too.
    pub(super) fn update(&self, description: Description, source: Source, now: Timestamp) {
        let mut state = self.state();
        state.source = source;
        state.removed = false;
        if *state.description == description {
            return;
        }
        state.description = Arc::new(description);
        let changed = state.follow_description();
        let locked_before = state.locked.is_some();
        self.operators_changed(&mut state);
        // If autolock has just locked it, everyone was told of everything.
        if state.locked.is_some() == locked_before {
            self.tell_changed(&state);
        }
        for user in changed {
            if !user.permissions.has("present") {
                state.drop_streams(&user.id);
            }
            if user.permissions.is_op() {
                state.tell_lobby_to(&user.id);
            }
            state.tell_all(&Notice::User(UserChange::Change, user));
        }
        self.reconsider_waiting(&mut state, now);
    }

    /// Whether users may change their passwords, from now on.
    pub(super) fn set_can_change_password(&self, can: bool) {
        let mut state = self.state();
        if state.can_change_password != can {
            state.can_change_password = can;
            self.tell_changed(&state);
        }
    }

    /// Its file is gone: those inside stay, no one else comes in.
    pub(super) fn file_removed(&self) {
        let mut state = self.state();
        state.removed = true;
        self.dismiss_waiting(&mut state, &GroupError::DoesNotExist);
    }
}

impl State {
    /// Gives members what a new description allows them, and takes what it does not. What
    /// operators gave or took stays where their role says nothing new of it. Returns those whose
    /// permissions changed.
    fn follow_description(&mut self) -> Vec<Arc<User>> {
        let description = &self.description;
        for waiting in &mut self.waiting {
            let request = &mut waiting.request;
            if let Some(role) = description.role_of(request.entry, &request.username) {
                request.permissions = role;
            }
        }
        let mut changed = Vec::new();
        for member in self.members.values_mut() {
            let old = member.user.permissions.clone();
            let mut permissions = old.clone();
            if let Some(role) = description.role_of(member.entry, &member.user.username) {
                permissions = permissions.follow(&member.role, &role);
                member.role = role;
            }
            if !description.allow_recording && !member.role.has("record") {
                permissions.remove("record");
            }
            if permissions != old {
                Arc::make_mut(&mut member.user).permissions = permissions;
                changed.push(Arc::clone(&member.user));
            }
        }
        changed
    }
}
