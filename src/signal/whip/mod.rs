//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): a member that publishes one stream
//! or receives some, and speaks HTTP. HTTP itself is the business of `web::whip`.

mod fragment;
mod whep;

use super::session::Session;
use super::socket::Remote;
use super::state::State;
use super::stream::Answered;
use crate::group::{Credentials, GroupError, Mailbox, Newcomer, Notice, PeerChange, Permissions};
use crate::transport::description::IceCredentials;
use crate::transport::sdp::{SdpError, UpOffer};
use fragment::{Fragment, with_candidates};
use rand::distr::{Alphanumeric, SampleString};
use serde_json::Map;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use whep::Wish;

/// The name of a publisher whose token gives none.
const PUBLISHER: &str = "whip";
/// How long a session may be without a connection: at first, or after it was lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client asks of `ETag` and `If-Match` that stands for any.
const ANY: &str = "*";

/// Why WHIP or WHEP was refused. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub enum WhipError {
    /// The group does not let it in.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// An operator would have to admit it, and there is no one to talk to.
    #[error("this group has a waiting room, which none can wait in by HTTP")]
    Lobby,
    /// Inside, it may not publish.
    #[error("not authorised to publish")]
    NotPermitted,
    /// The offer is no SDP that can be understood.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// It is, but nothing of it can be taken.
    #[error("{0}")]
    Unusable(String),
    /// Nobody publishes what was asked for.
    #[error("there is no such stream now")]
    NoStream,
    /// An answer to no offer.
    #[error("there is no offer to answer")]
    NotOffered,
    /// A fragment that cannot be understood.
    #[error("bad fragment: {0}")]
    Fragment(String),
    /// There is no such session.
    #[error("no such session")]
    NoSession,
    /// The session was made with another token.
    #[error("this is not your session")]
    NotYours,
    /// `If-Match` names another ICE session.
    #[error("the ICE session is another one by now")]
    Stale,
}

/// A new session.
#[derive(Debug)]
pub struct Created {
    /// Its name, unguessable.
    pub id: String,
    /// Of the ICE session, without quotes.
    pub etag: String,
    /// The answer, or the server's offer, with all candidates.
    pub sdp: String,
}

/// What came of a fragment.
#[derive(Debug)]
pub enum Patched {
    /// The candidates were taken.
    Trickled,
    /// ICE begins anew.
    Restarted {
        /// Of the new ICE session, without quotes.
        etag: String,
        /// The server's credentials and candidates.
        fragment: String,
    },
}

/// Which of the two a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// It publishes.
    Whip,
    /// It receives.
    Whep,
}

/// All sessions, by name.
#[derive(Debug, Default)]
pub(super) struct Visits(Mutex<HashMap<String, Arc<Visit>>>);

impl Visits {
    /// How many there are of one kind.
    pub(super) fn count(&self, door: Door) -> usize {
        let map = self.map();
        map.values().filter(|visit| visit.door == door).count()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<Visit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session.
struct Visit {
    door: Door,
    group: String,
    token: Option<String>,
    stop: Notify,
    live: tokio::sync::Mutex<Live>,
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visit")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

struct Live {
    session: Session,
    /// What it publishes, if it does.
    published: Option<String>,
    mid: String,
    etag: String,
}

impl Live {
    /// Whether `If-Match` names this ICE session, or any where `any` will do.
    fn check(&self, matches: Option<&[String]>, any: bool) -> Result<(), WhipError> {
        let named = |tag: &String| *tag == self.etag || (any && tag == ANY);
        match matches {
            Some(tags) if !tags.iter().any(named) => Err(WhipError::Stale),
            _ => Ok(()),
        }
    }

    fn remote_ufrag(&self) -> Option<String> {
        match &self.published {
            Some(stream) => self.session.remote_ufrag(stream),
            None => self.session.pulled_ufrag(),
        }
    }

    fn candidates(&self) -> Vec<String> {
        match &self.published {
            Some(stream) => self.session.candidates_of(stream),
            None => self.session.pulled_candidates(),
        }
    }

    fn add_candidate(&self, candidate: String) {
        match &self.published {
            Some(stream) => self.session.add_candidate(stream, candidate),
            None => self.session.add_pulled_candidate(candidate),
        }
    }

    fn restart(&mut self, ice: IceCredentials, candidates: Vec<String>) -> Option<IceCredentials> {
        match &self.published {
            Some(stream) => self.session.restart_published(stream, ice, candidates),
            None => self.session.restart_pulled(ice, candidates),
        }
    }
}

fn random() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 24)
}

impl State {
    /// Lets a publisher in, and answers its offer. `token` is what it bears.
    ///
    /// # Errors
    /// When the group or the offer is refused.
    pub async fn whip_publish(
        self: &Arc<Self>,
        group: &str,
        token: Option<String>,
        client: Remote,
        sdp: &str,
    ) -> Result<Created, WhipError> {
        // What cannot be understood costs nobody a password check.
        UpOffer::parse(sdp, &[])?;
        let (mut session, permissions) =
            self.enter_by_http(group, PUBLISHER, &token, client).await?;
        if !permissions.has("present") {
            return Err(WhipError::NotPermitted);
        }
        let stream = random();
        let answered = session
            .publish(&stream, String::new(), None, sdp)
            .map_err(WhipError::Unusable)?;
        Ok(self.begin_visit(Door::Whip, group, token, session, Some(stream), answered))
    }

    /// A new member, who has no WebSocket.
    async fn enter_by_http(
        self: &Arc<Self>,
        group: &str,
        username: &str,
        token: &Option<String>,
        client: Remote,
    ) -> Result<(Session, Permissions), WhipError> {
        let mailbox = Arc::new(Mailbox::new(self.limits().mailbox));
        let mut session = Session::without_socket(Arc::clone(self), random(), client, mailbox);
        let newcomer = Newcomer {
            id: session.id.clone(),
            credentials: Credentials {
                username: Some(username.to_owned()),
                password: String::new(),
                token: token.clone(),
            },
            data: Map::new(),
            address: client.address,
            mailbox: Arc::clone(&session.mailbox),
        };
        let joined = self.join_counted(group, newcomer).await;
        let joined = joined.map_err(|refused| refused.error)?;
        let Some(user) = joined.user(&session.id) else {
            joined.leave(&session.id);
            return Err(WhipError::Lobby);
        };
        session.username.clone_from(&user.username);
        session.group = Some(joined);
        Ok((session, user.permissions.clone()))
    }

    fn begin_visit(
        self: &Arc<Self>,
        door: Door,
        group: &str,
        token: Option<String>,
        session: Session,
        published: Option<String>,
        Answered { sdp, mid, .. }: Answered,
    ) -> Created {
        let mailbox = Arc::clone(&session.mailbox);
        let live = Live {
            session,
            published,
            mid,
            etag: random(),
        };
        let created = Created {
            id: random(),
            etag: live.etag.clone(),
            sdp: with_candidates(&sdp, &live.mid, &live.candidates()),
        };
        let visit = Arc::new(Visit {
            door,
            group: group.to_owned(),
            token,
            stop: Notify::new(),
            live: tokio::sync::Mutex::new(live),
        });
        let id = created.id.clone();
        self.visits().map().insert(id.clone(), Arc::clone(&visit));
        tokio::spawn(watch(Arc::clone(self), id, visit, mailbox));
        created
    }

    fn visit(
        &self,
        door: Door,
        group: &str,
        id: &str,
        token: Option<&str>,
    ) -> Result<Arc<Visit>, WhipError> {
        let visit = self.visits().map().get(id).cloned();
        let visit = visit
            .filter(|visit| visit.door == door && visit.group == group)
            .ok_or(WhipError::NoSession)?;
        let bytes = |token: Option<&str>| token.unwrap_or_default().as_bytes().to_owned();
        let same = bytes(token).ct_eq(&bytes(visit.token.as_deref()));
        if !bool::from(same) {
            return Err(WhipError::NotYours);
        }
        Ok(visit)
    }

    /// Takes a fragment: candidates, or credentials that begin ICE anew. `matches` is what
    /// `If-Match` says, without quotes.
    ///
    /// # Errors
    /// When the session is not there or not this client's, or the fragment is refused.
    pub async fn whip_patch(
        &self,
        door: Door,
        group: &str,
        id: &str,
        token: Option<&str>,
        matches: Option<&[String]>,
        fragment: &str,
    ) -> Result<Patched, WhipError> {
        let visit = self.visit(door, group, id, token)?;
        let fragment = Fragment::parse(fragment).map_err(WhipError::Fragment)?;
        let mut live = visit.live.lock().await;
        let known = live.remote_ufrag();
        let restart = fragment
            .ice
            .filter(|ice| known.as_ref().is_some_and(|known| *known != ice.ufrag));
        // A restart is of no session that there is: `*` stands for whichever.
        live.check(matches, restart.is_some())?;
        let Some(ice) = restart else {
            for candidate in fragment.candidates {
                live.add_candidate(candidate);
            }
            return Ok(Patched::Trickled);
        };
        let ours = live
            .restart(ice, fragment.candidates)
            .ok_or(WhipError::NoSession)?;
        live.etag = random();
        Ok(Patched::Restarted {
            etag: live.etag.clone(),
            fragment: Fragment::write(&ours, &live.mid, &live.candidates()),
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When it is not there, not this client's, or not as `If-Match` says.
    pub async fn whip_delete(
        &self,
        door: Door,
        group: &str,
        id: &str,
        token: Option<&str>,
        matches: Option<&[String]>,
    ) -> Result<(), WhipError> {
        let visit = self.visit(door, group, id, token)?;
        let mut live = visit.live.lock().await;
        live.check(matches, true)?;
        self.visits().map().remove(id);
        live.session.leave();
        visit.stop.notify_one();
        Ok(())
    }
}

/// Lives as long as the session: reads what the group tells, and ends with it.
async fn watch(state: Arc<State>, id: String, visit: Arc<Visit>, mailbox: Arc<Mailbox>) {
    let _entered = state.enter(&mailbox);
    let client = visit.live.lock().await.session.id.clone();
    let mut deadline = Some(Instant::now() + PATIENCE);
    let reason = loop {
        let patience = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        tokio::select! {
            () = visit.stop.notified() => break "as it wished",
            () = tokio::time::sleep_until(patience), if deadline.is_some() => {
                break "there is no connection";
            }
            notice = mailbox.next() => match notice {
                Ok(Notice::Peer(_, PeerChange::Connected)) => deadline = None,
                Ok(Notice::Peer(_, PeerChange::Failed)) => {
                    deadline.get_or_insert(Instant::now() + PATIENCE);
                }
                Ok(Notice::Peer(_, PeerChange::Closed)) => break "it said goodbye",
                Ok(Notice::Changed(membership))
                    if visit.door == Door::Whip && !membership.permissions.has("present") =>
                {
                    break "it may no longer publish";
                }
                Ok(Notice::Unpublished(stream)) if stream.source == client => {
                    break "its stream was ended";
                }
                Ok(Notice::Unpublished(stream)) => {
                    if visit.live.lock().await.session.pulled_ended(&stream) {
                        break "its streams are no more";
                    }
                }
                Ok(Notice::Kicked(_)) => break "kicked out",
                Ok(Notice::Left(_)) | Err(_) => break "left",
                Ok(_) => {}
            }
        }
    };
    tracing::info!(group = visit.group, door = ?visit.door, reason, "a session by HTTP ended");
    state.visits().map().remove(&id);
    visit.live.lock().await.session.leave();
}
