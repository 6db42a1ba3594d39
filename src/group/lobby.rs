//! The waiting room of a group with `lobby`: who has come to the door, and who decides.

use super::error::GroupError;
use super::membership::{Group, JoinRequest, State};
use super::notice::{Guest, Membership, Notice, Refusal, Wait};
use jiff::Timestamp;
use std::sync::Arc;

/// So many wait for one group.
const LIMIT: usize = 200;
/// The text of a refusal that has no message of its own.
const REFUSED: &str = "you have not been let in";

/// Someone at the door, with all that it takes to come in.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: JoinRequest,
    since: Timestamp,
}

impl Waiting {
    fn name(&self) -> &str {
        match self.request.username.as_str() {
            "" => "someone without a name",
            name => name,
        }
    }
}

impl Group {
    /// Lets a client wait, and tells it and the operators so.
    pub(super) fn wait(
        &self,
        state: &mut State,
        request: JoinRequest,
        now: Timestamp,
    ) -> Result<(), GroupError> {
        if state.waiting.len() >= LIMIT {
            return Err(GroupError::LobbyFull);
        }
        let operators = state.has_operator();
        state.operators_told = operators;
        let waiting = Waiting {
            request,
            since: now,
        };
        self.tell_one(state, &waiting, operators);
        let news = format!("{} waits to be let in", waiting.name());
        state.waiting.push(waiting);
        state.tell_lobby(Some(news));
        Ok(())
    }

    /// Lets someone in who waits.
    ///
    /// # Errors
    /// Not authorised, no such user, or too many users.
    pub fn admit(&self, by: &str, id: &str, now: Timestamp) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        let place = state.place(id).ok_or(GroupError::NoSuchUser)?;
        if state.is_full() {
            return Err(GroupError::TooManyUsers);
        }
        let waiting = state.waiting.remove(place);
        self.enter(&mut state, waiting.request, now);
        state.tell_lobby(None);
        Ok(())
    }

    /// Lets everyone in who waits, in the order they came.
    ///
    /// # Errors
    /// Not authorised, or too many users: then the others wait on.
    pub fn admit_all(&self, by: &str, now: Timestamp) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        let before = state.waiting.len();
        while !state.waiting.is_empty() && !state.is_full() {
            let waiting = state.waiting.remove(0);
            self.enter(&mut state, waiting.request, now);
        }
        if state.waiting.len() != before {
            state.tell_lobby(None);
        }
        if state.waiting.is_empty() {
            Ok(())
        } else {
            Err(GroupError::TooManyUsers)
        }
    }

    /// Sends someone away who waits; an empty message is the usual one.
    ///
    /// # Errors
    /// Not authorised, or no such user.
    pub fn refuse(&self, by: &str, id: &str, message: &str) -> Result<(), GroupError> {
        let mut state = self.state();
        state.permitted(by, "op")?;
        let place = state.place(id).ok_or(GroupError::NoSuchUser)?;
        let waiting = state.waiting.remove(place);
        let message = if message.is_empty() { REFUSED } else { message };
        self.dismiss(&waiting, &GroupError::LobbyRefused(message.to_owned()));
        state.tell_lobby(None);
        Ok(())
    }

    /// Takes someone from the door who wishes to go. Nothing if it does not wait.
    pub(super) fn stop_waiting(&self, state: &mut State, id: &str) {
        let Some(place) = state.place(id) else {
            return;
        };
        let waiting = state.waiting.remove(place);
        let left = Membership {
            group: self.name().to_owned(),
            username: waiting.request.username.clone(),
            permissions: Default::default(),
            status: self.status_outside(state),
            data: Arc::default(),
        };
        waiting.request.mailbox.push(Notice::Left(Box::new(left)));
        state.tell_lobby(None);
    }

    /// Sends everyone away who waits.
    pub(super) fn dismiss_waiting(&self, state: &mut State, error: &GroupError) {
        let waiting = std::mem::take(&mut state.waiting);
        for waiting in &waiting {
            self.dismiss(waiting, error);
        }
        if !waiting.is_empty() {
            state.tell_lobby(None);
        }
    }

    fn dismiss(&self, waiting: &Waiting, error: &GroupError) {
        let refusal = Refusal {
            group: self.name().to_owned(),
            username: waiting.request.username.clone(),
            error: error.clone(),
        };
        waiting
            .request
            .mailbox
            .push(Notice::Refused(Box::new(refusal)));
    }

    /// The description changed: some may now come in without anyone's word.
    pub(super) fn reconsider_waiting(&self, state: &mut State, now: Timestamp) {
        if state.waiting.is_empty() {
            return;
        }
        let lobby = state.description.lobby;
        for waiting in std::mem::take(&mut state.waiting) {
            if lobby && !waiting.request.permissions.is_op() {
                state.waiting.push(waiting);
            } else if let Err(error) = state.check(&waiting.request, now) {
                self.dismiss(&waiting, &error);
            } else {
                self.enter(state, waiting.request, now);
            }
        }
        state.tell_lobby(None);
    }

    /// Tells those who wait if there is someone to decide now, or no one any more.
    pub(super) fn tell_waiting(&self, state: &mut State) {
        let operators = state.has_operator();
        if operators == state.operators_told {
            return;
        }
        state.operators_told = operators;
        for waiting in &state.waiting {
            self.tell_one(state, waiting, operators);
        }
    }

    fn tell_one(&self, state: &State, waiting: &Waiting, operators: bool) {
        let wait = Wait {
            group: self.name().to_owned(),
            username: waiting.request.username.clone(),
            status: self.status_outside(state),
            operators,
        };
        waiting.request.mailbox.push(Notice::Waits(Box::new(wait)));
    }
}

impl State {
    /// The place of someone among those who wait.
    fn place(&self, id: &str) -> Option<usize> {
        self.waiting
            .iter()
            .position(|waiting| waiting.request.id == id)
    }

    fn guests(&self) -> Arc<[Guest]> {
        self.waiting
            .iter()
            .map(|waiting| Guest {
                id: waiting.request.id.clone(),
                username: waiting.request.username.clone(),
                since: waiting.since,
            })
            .collect()
    }

    /// Tells all operators who waits; `news` is for people.
    fn tell_lobby(&self, news: Option<String>) {
        let notice = Notice::Lobby(self.guests(), news.map(Into::into));
        for member in self.members.values() {
            if member.user.permissions.is_op() {
                member.mailbox.push(notice.clone());
            }
        }
    }

    /// Tells a new operator who waits, if anyone does.
    pub(super) fn tell_lobby_to(&self, id: &str) {
        let Some(member) = self.members.get(id) else {
            return;
        };
        if self.waiting.is_empty() {
            return;
        }
        let names: Vec<&str> = self.waiting.iter().map(Waiting::name).collect();
        let news = format!("waiting to be let in: {}", names.join(", "));
        member
            .mailbox
            .push(Notice::Lobby(self.guests(), Some(news.into())));
    }
}

#[cfg(test)]
mod tests;
