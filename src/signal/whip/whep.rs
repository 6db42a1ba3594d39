//! WHEP: who wants to receive the streams of a group.

use super::super::socket::Remote;
use super::super::state::State;
use super::{Created, Door, WhipError};
use crate::group::{Group, PublishedStream};
use crate::media::Kind;
use crate::transport::sdp::PullOffer;
use std::sync::Arc;

/// The name of a receiver whose token gives none.
const RECEIVER: &str = "whep";

/// Which streams are wanted: all of the group, or those that this fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Its id.
    pub stream: Option<String>,
    /// The name of its publisher.
    pub username: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

impl Wish {
    /// The streams that are wanted and have something to send, those with pictures first, then by
    /// label and id: a `camera` before a `screenshare`.
    fn choose(&self, group: &Group, own: &str) -> Vec<Arc<PublishedStream>> {
        let is = |wish: &Option<String>, has: &str| wish.as_deref().is_none_or(|wish| wish == has);
        let mut streams = group.streams_for(own);
        streams.retain(|stream| {
            is(&self.stream, &stream.id)
                && is(&self.username, &stream.username)
                && is(&self.label, &stream.label)
                && stream.tracks.iter().any(|track| track.active)
        });
        streams.sort_by_cached_key(|stream| {
            let mut tracks = stream.tracks.iter();
            let pictures = tracks.any(|track| track.active && track.kind == Kind::Video);
            (!pictures, stream.label.clone(), stream.id.clone())
        });
        streams
    }
}

impl State {
    /// Lets a receiver in, and answers its offer; without one, makes it an offer.
    ///
    /// # Errors
    /// When the group or the offer is refused, or there is no such stream.
    pub async fn whep_pull(
        self: &Arc<Self>,
        group: &str,
        token: Option<String>,
        client: Remote,
        wish: &Wish,
        sdp: Option<&str>,
    ) -> Result<Created, WhipError> {
        let offer = sdp.map(PullOffer::parse).transpose()?;
        let (mut session, _) = self.enter_by_http(group, RECEIVER, &token, client).await?;
        let joined = session.group.clone().ok_or(WhipError::NoSession)?;
        let streams = wish.choose(&joined, &session.id);
        if streams.is_empty() {
            return Err(WhipError::NoStream);
        }
        let answered = session
            .pull(&streams, offer.as_ref())
            .map_err(WhipError::Unusable)?;
        Ok(self.begin_visit(Door::Whep, group, token, session, None, answered))
    }

    /// Takes a receiver's answer to the server's offer.
    ///
    /// # Errors
    /// When the session is not there or not this client's, or the answer is refused.
    pub async fn whep_answer(
        &self,
        group: &str,
        id: &str,
        token: Option<&str>,
        sdp: &str,
    ) -> Result<(), WhipError> {
        let visit = self.visit(Door::Whep, group, id, token)?;
        let answered = visit.live.lock().await.session.answer_pulled(sdp)?;
        if answered {
            Ok(())
        } else {
            Err(WhipError::NotOffered)
        }
    }
}
