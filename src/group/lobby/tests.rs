//! Whatever happens, in whatever order: what clients were told is what is so.

use crate::group::data::Data;
use crate::group::description::Description;
use crate::group::membership::{Group, JoinRequest};
use crate::group::registry::Source;
use crate::group::{Grant, Mailbox, MailboxLimits, Notice, Permissions};
use jiff::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;

/// Clients; each is outside, at the door or inside.
const CLIENTS: usize = 5;

/// The versions of the file.
const FILES: [&str; 6] = [
    r#"{"lobby": true, "users": {"op": {"password": {"type": "wildcard"}, "permissions": "op"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    r#"{"lobby": false, "users": {"op": {"password": {"type": "wildcard"}, "permissions": "op"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "message"}}"#,
    r#"{"lobby": true, "max-clients": 2,
        "users": {"op": {"password": {"type": "wildcard"}, "permissions": "present"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "op"}}"#,
    r#"{"lobby": true, "autokick": true,
        "users": {"op": {"password": {"type": "wildcard"}, "permissions": "op"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    r#"{"lobby": true, "autolock": true,
        "users": {"op": {"password": {"type": "wildcard"}, "permissions": "op"}},
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    "{}",
];

#[derive(Debug, Clone)]
enum Step {
    Join(usize, bool),
    Leave(usize),
    Admit(usize, usize),
    AdmitAll(usize),
    Refuse(usize, usize),
    Kick(usize, usize),
    Grant(usize, usize, bool),
    Lock(usize, bool),
    Edit(usize),
    Remove,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CLIENTS;
    prop_oneof![
        4 => (who(), any::<bool>()).prop_map(|(a, op)| Step::Join(a, op)),
        2 => who().prop_map(Step::Leave),
        2 => (who(), who()).prop_map(|(a, b)| Step::Admit(a, b)),
        1 => who().prop_map(Step::AdmitAll),
        1 => (who(), who()).prop_map(|(a, b)| Step::Refuse(a, b)),
        1 => (who(), who()).prop_map(|(a, b)| Step::Kick(a, b)),
        2 => (who(), who(), any::<bool>()).prop_map(|(a, b, op)| Step::Grant(a, b, op)),
        1 => (who(), any::<bool>()).prop_map(|(a, lock)| Step::Lock(a, lock)),
        2 => (0..FILES.len()).prop_map(Step::Edit),
        1 => Just(Step::Remove),
    ]
}

/// What a client believes.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Outside,
    AtTheDoor { operators: bool },
    Inside { permissions: Permissions },
}

struct Client {
    id: String,
    mailbox: Arc<Mailbox>,
    place: Place,
    /// Who waits, as it was told.
    guests: Vec<String>,
}

impl Client {
    /// Reads everything; true if it was told to go.
    fn read(&mut self) -> bool {
        let mut kicked = false;
        while let Some(notice) = self.mailbox.try_next().unwrap() {
            let inside = matches!(self.place, Place::Inside { .. });
            match notice {
                Notice::Joined(own) => {
                    assert!(!inside);
                    self.guests.clear();
                    let permissions = own.permissions;
                    self.place = Place::Inside { permissions };
                }
                Notice::Changed(own) => {
                    assert!(inside);
                    let permissions = own.permissions;
                    if !permissions.is_op() {
                        self.guests.clear();
                    }
                    self.place = Place::Inside { permissions };
                }
                Notice::Waits(wait) => {
                    assert!(!inside);
                    let operators = wait.operators;
                    self.place = Place::AtTheDoor { operators };
                }
                Notice::Refused(_) => {
                    assert!(matches!(self.place, Place::AtTheDoor { .. }));
                    self.place = Place::Outside;
                }
                Notice::Left(_) => {
                    assert_ne!(self.place, Place::Outside);
                    self.place = Place::Outside;
                }
                Notice::Lobby(guests, _) => {
                    assert!(
                        matches!(&self.place, Place::Inside { permissions } if permissions.is_op())
                    );
                    self.guests = guests.iter().map(|guest| guest.id.clone()).collect();
                }
                Notice::User(..) => assert!(inside, "it is told of members"),
                Notice::Kicked(_) => kicked = true,
                other => panic!("{other:?}"),
            }
        }
        kicked
    }
}

fn take(group: &Group, clients: &mut [Client], step: &Step) {
    let now = Timestamp::now();
    let id = |index: &usize| index.to_string();
    // Most are refused, for want of permission or of someone: that must change nothing.
    let _ = match step {
        Step::Join(client, op) => {
            let client = &clients[*client];
            if client.place != Place::Outside {
                return;
            }
            let username = if *op { "op" } else { "x" };
            let description = group.description();
            let Some((entry, permissions)) = description.login(username, "") else {
                return;
            };
            let request = JoinRequest {
                id: client.id.clone(),
                username: username.to_owned(),
                entry,
                permissions,
                data: Arc::new(Data::default()),
                address: None,
                mailbox: Arc::clone(&client.mailbox),
            };
            let _ = group.join(request, &description, now).unwrap();
            Ok(())
        }
        Step::Leave(client) => {
            group.leave(&id(client));
            Ok(())
        }
        Step::Admit(by, client) => group.admit(&id(by), &id(client), now),
        Step::AdmitAll(by) => group.admit_all(&id(by), now),
        Step::Refuse(by, client) => group.refuse(&id(by), &id(client), ""),
        Step::Kick(by, client) => group.kick(&id(by), &id(client), ""),
        Step::Grant(by, client, op) => {
            let grant = if *op { Grant::Op } else { Grant::Unop };
            group.grant(&id(by), &id(client), grant)
        }
        Step::Lock(by, lock) => group.lock(&id(by), lock.then_some("")),
        Step::Edit(file) => {
            let description = Description::parse(FILES[*file].as_bytes()).unwrap();
            group.update(description, Source::none(), now);
            Ok(())
        }
        Step::Remove => {
            group.file_removed();
            Ok(())
        }
    };
}

fn settle(group: &Group, clients: &mut [Client]) {
    loop {
        let mut quiet = true;
        for client in &mut *clients {
            if client.read() {
                // The connection of one who must go ends.
                group.leave(&client.id);
                quiet = false;
            }
        }
        if quiet {
            return;
        }
    }
}

fn check(group: &Group, clients: &[Client]) -> Result<(), TestCaseError> {
    let state = group.state();
    let waiting: Vec<String> = state
        .waiting
        .iter()
        .map(|waiting| waiting.request.id.clone())
        .collect();
    for client in clients {
        let member = state.members.get(&client.id);
        match &client.place {
            Place::Inside { permissions } => {
                prop_assert_eq!(Some(permissions), member.map(|m| &m.user.permissions));
                if permissions.is_op() {
                    prop_assert_eq!(&client.guests, &waiting, "what {} was told", client.id);
                }
            }
            Place::AtTheDoor { operators } => {
                prop_assert!(waiting.contains(&client.id));
                prop_assert_eq!(*operators, state.has_operator());
            }
            Place::Outside => {
                prop_assert!(member.is_none() && !waiting.contains(&client.id));
            }
        }
        prop_assert!(member.is_none() || !waiting.contains(&client.id));
    }
    prop_assert!(waiting.is_empty() || (state.description.lobby && !state.removed));
    prop_assert!(
        state
            .waiting
            .iter()
            .all(|waiting| !waiting.request.permissions.is_op())
    );
    prop_assert!(state.has_operator() || !state.description.autolock || state.locked.is_some());
    prop_assert!(
        state.has_operator() || !state.description.autokick || state.members.is_empty(),
        "autokick"
    );
    Ok(())
}

proptest! {
    #[test]
    fn what_clients_were_told_is_so(steps in proptest::collection::vec(step(), 1..60)) {
        let description = Description::parse(FILES[0].as_bytes()).unwrap();
        let group = Group::new("g".to_owned(), description, Source::none(), false, Arc::default());
        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|index| Client {
                id: index.to_string(),
                mailbox: Arc::new(Mailbox::new(MailboxLimits::default())),
                place: Place::Outside,
                guests: Vec::new(),
            })
            .collect();
        for step in &steps {
            take(&group, &mut clients, step);
            settle(&group, &mut clients);
            check(&group, &clients)?;
        }
    }
}
