//! A group: who is inside, and what it takes to come in.

use super::data::Data;
use super::description::{Description, Entry};
use super::error::GroupError;
use super::event::{Follower, Happening, Teller};
use super::history::History;
use super::lobby::Waiting;
use super::mailbox::Mailbox;
use super::notice::{Kick, Membership, Notice, User, UserChange};
use super::permission::Permissions;
use super::registry::Source;
use super::speaker::{SpeakingStream, new_group_id};
use super::status::{BaseUrl, Status};
use super::stream::PublishedStream;
use crate::net::ShardId;
use crate::shard::GroupId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The text of a lock that has no message of its own.
const LOCKED: &str = "this group is locked";
/// How long a group stays in memory that no one asks for.
const IDLE: Duration = Duration::from_secs(60);
/// Why `autokick` empties a group, and keeps it empty.
const NO_OPERATORS: &str = "there are no operators in this group";

/// Someone whose credentials were found good and who now wants in.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// The client id, unique in the group.
    pub id: String,
    /// The name that the credentials allow.
    pub username: String,
    /// By what they allow it.
    pub entry: Entry,
    /// What the credentials allow.
    pub permissions: Permissions,
    /// What the client says of itself.
    pub data: Arc<Data>,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// Where it is told things.
    pub mailbox: Arc<Mailbox>,
}

/// The description changed since the credentials were checked: check them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale;

/// A group. See the module for how it tells its members.
#[derive(Debug)]
pub struct Group {
    name: String,
    /// As the media engine knows it.
    id: GroupId,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) description: Arc<Description>,
    pub(super) source: Source,
    /// Its file is gone: those inside stay.
    pub(super) removed: bool,
    /// The message for those who are kept out.
    pub(super) locked: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) history: History,
    pub(super) data: Arc<Data>,
    pub(super) streams: BTreeMap<String, Arc<PublishedStream>>,
    pub(super) shard: Option<ShardId>,
    /// The streams of those who have spoken, the latest first.
    pub(super) speakers: Arc<[SpeakingStream]>,
    /// Those whom operators have to decide about, in the order they came.
    pub(super) waiting: Vec<Waiting>,
    /// What those who wait were last told: whether there is someone to decide.
    pub(super) operators_told: bool,
    pub(super) can_change_password: bool,
    /// Where it is told what happens.
    pub(super) events: Teller,
    /// When someone last asked for it.
    pub(super) used: Instant,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) user: Arc<User>,
    pub(super) mailbox: Arc<Mailbox>,
    /// What let it in.
    pub(super) entry: Entry,
    /// What that allows, whatever operators gave or took since.
    pub(super) role: Permissions,
}

impl Group {
    pub(super) fn new(
        name: String,
        description: Description,
        source: Source,
        can_change_password: bool,
        follower: Arc<Follower>,
    ) -> Self {
        let locked = description.autolock.then(|| LOCKED.to_owned());
        let state = State {
            description: Arc::new(description),
            source,
            removed: false,
            locked,
            members: BTreeMap::new(),
            history: History::default(),
            data: Arc::default(),
            streams: BTreeMap::new(),
            shard: None,
            speakers: Arc::default(),
            waiting: Vec::new(),
            operators_told: false,
            can_change_password,
            events: Teller {
                group: name.clone(),
                follower,
            },
            used: Instant::now(),
        };
        Self {
            name,
            id: new_group_id(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a bug, but not one that should close the group to all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the media engine knows it: never used twice.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// What is in force now.
    pub fn description(&self) -> Arc<Description> {
        Arc::clone(&self.state().description)
    }

    /// How many are inside.
    pub fn client_count(&self) -> usize {
        self.state().members.len()
    }

    /// A member.
    pub fn user(&self, id: &str) -> Option<Arc<User>> {
        self.state()
            .members
            .get(id)
            .map(|member| Arc::clone(&member.user))
    }

    /// Everyone inside.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.state()
            .members
            .values()
            .map(|member| Arc::clone(&member.user))
            .collect()
    }

    /// What everyone may know. Only names if the group lives elsewhere.
    pub fn status(&self, base: &BaseUrl) -> Status {
        let state = self.state();
        let description = &state.description;
        if !description.redirect.is_empty() {
            return Status {
                name: self.name.clone(),
                redirect: Some(description.redirect.clone()),
                display_name: description.display_name.clone(),
                description: description.description.clone(),
                ..Status::default()
            };
        }
        let mut status = self.status_outside(&state);
        status.location = Some(base.location(&self.name));
        status.endpoint = Some(base.endpoint());
        status
    }

    /// What everyone may know, without where it is.
    pub(super) fn status_outside(&self, state: &State) -> Status {
        let mut status = self.status_inside(state);
        status.can_change_password = false;
        if !state.description.public {
            status.locked = false;
            status.client_count = None;
        }
        status
    }

    /// What members are told.
    fn status_inside(&self, state: &State) -> Status {
        let description = &state.description;
        Status {
            name: self.name.clone(),
            display_name: description.display_name.clone(),
            description: description.description.clone(),
            auth_server: description.auth_server.clone(),
            auth_portal: description.auth_portal.clone(),
            locked: state.locked.is_some(),
            lobby: description.lobby,
            client_count: Some(state.members.len()),
            can_change_password: state.can_change_password,
            ..Status::default()
        }
    }

    /// Lets a client in whose credentials were checked against `description`, or lets it wait at
    /// the door. Operators pass locks and limits.
    pub(super) fn join(
        &self,
        request: JoinRequest,
        description: &Arc<Description>,
        now: Timestamp,
    ) -> Result<Result<(), GroupError>, Stale> {
        let mut state = self.state();
        if !Arc::ptr_eq(&state.description, description) {
            return Err(Stale);
        }
        if let Err(error) = state.check(&request, now) {
            return Ok(Err(error));
        }
        if state.description.lobby && !request.permissions.is_op() {
            return Ok(self.wait(&mut state, request, now));
        }
        self.enter(&mut state, request, now);
        Ok(Ok(()))
    }

    /// Makes a client a member, tells it of the group, and the others of it.
    pub(super) fn enter(&self, state: &mut State, request: JoinRequest, now: Timestamp) {
        let user = Arc::new(User {
            id: request.id.clone(),
            username: request.username,
            permissions: request.permissions.clone(),
            data: request.data,
            address: request.address,
        });
        let mailbox = request.mailbox;
        let member = Member {
            user: Arc::clone(&user),
            mailbox: Arc::clone(&mailbox),
            entry: request.entry,
            role: request.permissions,
        };
        let before: Vec<Arc<User>> = state
            .members
            .values()
            .map(|member| Arc::clone(&member.user))
            .collect();
        state.tell_all(&Notice::User(UserChange::Add, Arc::clone(&user)));
        state.members.insert(request.id, member);
        state.events.tell(Happening::Join(Arc::clone(&user)));

        mailbox.push(Notice::Joined(Box::new(self.membership(state, &user))));
        let age = state.description.history_age();
        state.history.expire(now, age);
        for message in state.history.iter() {
            mailbox.push(Notice::History(Arc::clone(message)));
        }
        mailbox.push(Notice::User(UserChange::Add, Arc::clone(&user)));
        for other in before {
            mailbox.push(Notice::User(UserChange::Add, other));
        }
        if !state.speakers.is_empty() {
            mailbox.push(Notice::Speakers(Arc::clone(&state.speakers)));
        }
        if user.permissions.is_op() {
            state.tell_lobby_to(&user.id);
            self.operators_changed(state);
        }
    }

    pub(super) fn membership(&self, state: &State, user: &User) -> Membership {
        Membership {
            group: self.name.clone(),
            username: user.username.clone(),
            permissions: user.permissions.clone(),
            status: self.status_inside(state),
            data: Arc::clone(&state.data),
        }
    }

    /// Takes a client out, with its streams, and tells everyone. Nothing if it is neither inside
    /// nor at the door.
    pub fn leave(&self, id: &str) {
        let mut state = self.state();
        state.used = Instant::now();
        let Some(member) = state.members.remove(id) else {
            self.stop_waiting(&mut state, id);
            return;
        };
        state.drop_streams(id);
        member.mailbox.push(Notice::Left(Box::new(
            self.membership(&state, &member.user),
        )));
        state.tell_all(&Notice::User(UserChange::Delete, Arc::clone(&member.user)));
        state
            .events
            .tell(Happening::Leave(Arc::clone(&member.user)));
        if state.members.is_empty() {
            state.shard = None;
        }
        if member.user.permissions.is_op() {
            self.operators_changed(&mut state);
        }
    }

    /// Tells those who wait whether there is someone to decide, and puts what `autolock` and
    /// `autokick` ask for into force.
    pub(super) fn operators_changed(&self, state: &mut State) {
        self.tell_waiting(state);
        if state.has_operator() {
            return;
        }
        if state.description.autolock && state.locked.is_none() {
            state.locked = Some(LOCKED.to_owned());
            self.tell_changed(state);
        }
        if state.description.autokick {
            let kick = Kick {
                by: None,
                message: NO_OPERATORS.to_owned(),
                code: None,
            };
            state.tell_all(&Notice::Kicked(kick));
            self.dismiss_waiting(state, &GroupError::NoOperators);
        }
    }

    /// Tells every member how the group is now.
    pub(super) fn tell_changed(&self, state: &State) {
        for member in state.members.values() {
            let membership = self.membership(state, &member.user);
            member.mailbox.push(Notice::Changed(Box::new(membership)));
        }
    }

    /// As if no one had asked for it for a long time.
    #[cfg(test)]
    pub(super) fn age(&self) {
        self.state().used -= 2 * IDLE;
    }

    /// Someone asked for it.
    pub(super) fn touch(&self) {
        self.state().used = Instant::now();
    }

    /// Where its file is, and which version is in force.
    pub(super) fn source(&self) -> Source {
        self.state().source.clone()
    }

    /// Whether it can be forgotten without anyone noticing: what operators said about it is not
    /// in its file.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let age = state.description.history_age();
        state.history.expire(now, age);
        if !state.members.is_empty() || !state.waiting.is_empty() {
            return false;
        }
        let description = &state.description;
        let locked_by_hand = state.locked.is_some() != description.autolock;
        let is_fresh = state.history.is_empty() && state.data.is_empty() && !locked_by_hand;
        let in_use = !state.source.subgroup && (description.public || state.used.elapsed() < IDLE);
        state.removed || (is_fresh && !in_use)
    }

    /// Whether its file is gone.
    pub(super) fn is_removed(&self) -> bool {
        self.state().removed
    }

    /// The shard its streams live on; `choose` is asked when it has none yet.
    pub fn shard(&self, choose: impl FnOnce() -> ShardId) -> ShardId {
        *self.state().shard.get_or_insert_with(choose)
    }
}

impl State {
    pub(super) fn has_operator(&self) -> bool {
        self.members
            .values()
            .any(|member| member.user.permissions.is_op())
    }

    /// Whether someone may come in, or wait at the door.
    pub(super) fn check(&self, request: &JoinRequest, now: Timestamp) -> Result<(), GroupError> {
        if self.removed {
            return Err(GroupError::DoesNotExist);
        }
        if !request.permissions.is_op() {
            let description = &self.description;
            if let Some(message) = &self.locked {
                return Err(GroupError::Locked(message.clone()));
            }
            if description.not_before.is_some_and(|time| now < time) {
                return Err(GroupError::NotOpenYet);
            }
            if description.expires.is_some_and(|time| now > time) {
                return Err(GroupError::Closed);
            }
            if description.autokick && !self.has_operator() {
                return Err(GroupError::NoOperators);
            }
            if self.is_full() {
                return Err(GroupError::TooManyUsers);
            }
        }
        let waits = |id: &str| self.waiting.iter().any(|other| other.request.id == id);
        if self.members.contains_key(&request.id) || waits(&request.id) {
            return Err(GroupError::DuplicateId);
        }
        Ok(())
    }

    /// Whether `max-clients` is reached.
    pub(super) fn is_full(&self) -> bool {
        usize::try_from(self.description.max_clients)
            .is_ok_and(|limit| limit > 0 && self.members.len() >= limit)
    }

    /// Ends the streams of one member for everyone.
    pub(super) fn drop_streams(&mut self, source: &str) {
        let streams: Vec<_> = self
            .streams
            .values()
            .filter(|stream| stream.source == source)
            .cloned()
            .collect();
        for stream in streams {
            self.unpublished(&stream.id);
        }
    }

    /// A stream is no more.
    pub(super) fn unpublished(&mut self, id: &str) {
        if let Some(stream) = self.streams.remove(id) {
            self.forget_speaker(id);
            self.events.tell(Happening::Unpublish(Arc::clone(&stream)));
            self.tell_all(&Notice::Unpublished(stream));
        }
    }

    /// Tells every member the same.
    pub(super) fn tell_all(&self, notice: &Notice) {
        for member in self.members.values() {
            member.mailbox.push(notice.clone());
        }
    }

    pub(super) fn member(&self, id: &str) -> Result<&Member, GroupError> {
        self.members.get(id).ok_or(GroupError::NoSuchUser)
    }

    /// The member if it may do what `permission` says.
    pub(super) fn permitted(&self, id: &str, permission: &str) -> Result<&Member, GroupError> {
        let member = self.members.get(id).ok_or(GroupError::NotAuthorised)?;
        if member.user.permissions.has(permission) {
            Ok(member)
        } else {
            Err(GroupError::NotAuthorised)
        }
    }

    pub(super) fn set_locked(&mut self, message: Option<&str>) {
        self.locked =
            message.map(|message| if message.is_empty() { LOCKED } else { message }.to_owned());
    }
}
