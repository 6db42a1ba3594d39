//! WHIP (RFC 9725): a member that publishes one stream, and speaks HTTP. HTTP itself is the
//! business of `web::whip`.

mod fragment;

use super::session::Session;
use super::socket::Remote;
use super::state::State;
use super::stream::Answered;
use crate::group::{Credentials, GroupError, Mailbox, Newcomer, Notice, PeerChange};
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

/// The name of a publisher whose token gives none.
const USERNAME: &str = "whip";
/// How long a publisher may be without a connection: at first, or after it was lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client asks of `ETag` and `If-Match` that stands for any.
const ANY: &str = "*";

/// Why WHIP was refused. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub enum WhipError {
    /// The group does not let it in.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// An operator would have to admit it, and there is no one to talk to.
    #[error("this group has a waiting room, which WHIP cannot wait in")]
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
    /// With all candidates.
    pub answer: String,
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

/// All WHIP sessions, by name.
#[derive(Debug, Default)]
pub(super) struct Publications(Mutex<HashMap<String, Arc<Publication>>>);

impl Publications {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<Publication>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session.
struct Publication {
    group: String,
    token: Option<String>,
    stop: Notify,
    live: tokio::sync::Mutex<Live>,
}

impl std::fmt::Debug for Publication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publication")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

struct Live {
    session: Session,
    stream: String,
    mid: String,
    etag: String,
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
        let mailbox = Arc::new(Mailbox::new(self.limits().mailbox));
        let mut session =
            Session::without_socket(Arc::clone(self), random(), client, Arc::clone(&mailbox));
        let newcomer = Newcomer {
            id: session.id.clone(),
            credentials: Credentials {
                username: Some(USERNAME.to_owned()),
                password: String::new(),
                token: token.clone(),
            },
            data: Map::new(),
            address: client.address,
            mailbox: Arc::clone(&mailbox),
        };
        let joined = self.registry().join(group, newcomer).await;
        let joined = joined.map_err(|refused| refused.error)?;
        let Some(user) = joined.user(&session.id) else {
            joined.leave(&session.id);
            return Err(WhipError::Lobby);
        };
        session.username.clone_from(&user.username);
        session.group = Some(joined);
        if !user.permissions.has("present") {
            return Err(WhipError::NotPermitted);
        }
        let stream = random();
        let Answered { sdp, mid, .. } = session
            .publish(&stream, String::new(), None, sdp)
            .map_err(WhipError::Unusable)?;
        let candidates = session.candidates_of(&stream);
        let created = Created {
            id: random(),
            etag: random(),
            answer: with_candidates(&sdp, &mid, &candidates),
        };
        let publication = Arc::new(Publication {
            group: group.to_owned(),
            token,
            stop: Notify::new(),
            live: tokio::sync::Mutex::new(Live {
                session,
                stream,
                mid,
                etag: created.etag.clone(),
            }),
        });
        let watched = Arc::clone(&publication);
        self.publications()
            .map()
            .insert(created.id.clone(), publication);
        tokio::spawn(watch(
            Arc::clone(self),
            created.id.clone(),
            watched,
            mailbox,
        ));
        Ok(created)
    }

    fn whip_session(
        &self,
        group: &str,
        id: &str,
        token: Option<&str>,
    ) -> Result<Arc<Publication>, WhipError> {
        let publication = self.publications().map().get(id).cloned();
        let publication = publication
            .filter(|publication| publication.group == group)
            .ok_or(WhipError::NoSession)?;
        let bytes = |token: Option<&str>| token.unwrap_or_default().as_bytes().to_owned();
        let same = bytes(token).ct_eq(&bytes(publication.token.as_deref()));
        if !bool::from(same) {
            return Err(WhipError::NotYours);
        }
        Ok(publication)
    }

    /// Takes a fragment: candidates, or credentials that begin ICE anew. `matches` is what
    /// `If-Match` says, without quotes.
    ///
    /// # Errors
    /// When the session is not there or not this client's, or the fragment is refused.
    pub async fn whip_patch(
        &self,
        group: &str,
        id: &str,
        token: Option<&str>,
        matches: Option<&[String]>,
        fragment: &str,
    ) -> Result<Patched, WhipError> {
        let publication = self.whip_session(group, id, token)?;
        let fragment = Fragment::parse(fragment).map_err(WhipError::Fragment)?;
        let mut live = publication.live.lock().await;
        let Live {
            session,
            stream,
            mid,
            etag,
        } = &mut *live;
        let known = session.remote_ufrag(stream).ok_or(WhipError::NoSession)?;
        let restart = fragment.ice.filter(|ice| ice.ufrag != known);
        // A restart is of no session that there is: `*` stands for whichever.
        let named = |tag: &String| tag == etag || (restart.is_some() && tag == ANY);
        if matches.is_some_and(|tags| !tags.iter().any(named)) {
            return Err(WhipError::Stale);
        }
        let Some(ice) = restart else {
            for candidate in fragment.candidates {
                session.add_candidate(stream, candidate);
            }
            return Ok(Patched::Trickled);
        };
        let ours = session
            .restart_published(stream, ice, fragment.candidates)
            .ok_or(WhipError::NoSession)?;
        *etag = random();
        Ok(Patched::Restarted {
            etag: etag.clone(),
            fragment: Fragment::write(&ours, mid, &session.candidates_of(stream)),
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When it is not there, not this client's, or not as `If-Match` says.
    pub async fn whip_delete(
        &self,
        group: &str,
        id: &str,
        token: Option<&str>,
        matches: Option<&[String]>,
    ) -> Result<(), WhipError> {
        let publication = self.whip_session(group, id, token)?;
        let mut live = publication.live.lock().await;
        let named = |tag: &String| *tag == live.etag || tag == ANY;
        if matches.is_some_and(|tags| !tags.iter().any(named)) {
            return Err(WhipError::Stale);
        }
        self.publications().map().remove(id);
        live.session.leave();
        publication.stop.notify_one();
        Ok(())
    }
}

/// Lives as long as the session: reads what the group tells, and ends with it.
async fn watch(
    state: Arc<State>,
    id: String,
    publication: Arc<Publication>,
    mailbox: Arc<Mailbox>,
) {
    let _entered = state.enter(&mailbox);
    let client = publication.live.lock().await.session.id.clone();
    let mut deadline = Some(Instant::now() + PATIENCE);
    let reason = loop {
        let patience = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        tokio::select! {
            () = publication.stop.notified() => break "as it wished",
            () = tokio::time::sleep_until(patience), if deadline.is_some() => {
                break "there is no connection";
            }
            notice = mailbox.next() => match notice {
                Ok(Notice::Peer(_, PeerChange::Connected)) => deadline = None,
                Ok(Notice::Peer(_, PeerChange::Failed)) => {
                    deadline.get_or_insert(Instant::now() + PATIENCE);
                }
                Ok(Notice::Peer(_, PeerChange::Closed)) => break "it said goodbye",
                Ok(Notice::Changed(membership)) if !membership.permissions.has("present") => {
                    break "it may no longer publish";
                }
                Ok(Notice::Unpublished(stream)) if stream.source == client => {
                    break "its stream was ended";
                }
                Ok(Notice::Kicked(_)) => break "kicked out",
                Ok(Notice::Left(_)) | Err(_) => break "left",
                Ok(_) => {}
            }
        }
    };
    tracing::info!(group = publication.group, reason, "a WHIP session ended");
    state.publications().map().remove(&id);
    publication.live.lock().await.session.leave();
}
