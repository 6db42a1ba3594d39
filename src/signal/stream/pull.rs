//! A stream that is received outside of the WebSocket protocol (WHEP): the receiver makes the
//! offer, or asks for one.

use super::super::figures::Way;
use super::super::session::Session;
use super::down::{Section, arrange, forwarded};
use super::local::{ice_credentials, ssrc};
use super::request::wanted;
use super::up::Answered;
use crate::group::PublishedStream;
use crate::media::Codec;
use crate::net::ShardId;
use crate::shard::{Command, DownTrackConfig, PeerId};
use crate::transport::description::{
    CodecParameters, IceCredentials, LocalTransport, RemoteTransport,
};
use crate::transport::peer::Role;
use crate::transport::sdp::{DownOffer, PullMedia, PullOffer, SdpError};
use std::sync::Arc;

/// The one stream that a receiver of this kind has.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) peer: PeerId,
    pub(super) shard: ShardId,
    stream: Arc<PublishedStream>,
    local: LocalTransport,
    /// What the server offered, and has no answer to yet.
    offered: Option<Vec<Section>>,
    tracks: Vec<DownTrackConfig>,
    remote: Option<RemoteTransport>,
}

/// Sound and pictures, the best there are.
fn tracks_of(stream: &PublishedStream) -> Vec<usize> {
    wanted(&["audio".to_owned(), "video".to_owned()], stream)
}

/// What of a stream fits an offer, with the place of each track.
fn fitting(stream: &PublishedStream, offer: &PullOffer) -> Vec<(usize, PullMedia)> {
    let mut media: Vec<PullMedia> = Vec::new();
    let mut places = Vec::new();
    for place in tracks_of(stream) {
        let Some(track) = stream.tracks.get(place) else {
            continue;
        };
        let codec = CodecParameters {
            codec: track.codec,
            payload_type: 0,
            channels: if track.codec == Codec::Opus { 2 } else { 1 },
            fmtp: track.fmtp.clone(),
        };
        let own = ssrc(|ssrc| media.iter().any(|other| other.ssrc == ssrc));
        if let Some(fit) = offer.fit(&codec, own, &forwarded(track), &media) {
            media.push(fit);
            places.push(place);
        }
    }
    places.into_iter().zip(media).collect()
}

impl Session {
    /// Begins to receive a stream, by the receiver's offer or by one of the server's. The error is
    /// for the client; nothing has begun then.
    pub(in super::super) fn pull(
        &mut self,
        stream: &Arc<PublishedStream>,
        offer: Option<&PullOffer>,
    ) -> Result<Answered, String> {
        let local = self.local_transport();
        let nothing = || "the offer has no codec of the stream".to_owned();
        let (sdp, mid, offered, tracks, remote, role) = match offer {
            Some(offer) => {
                let fitting = fitting(stream, offer);
                let (_, first) = fitting.first().ok_or_else(nothing)?;
                let mid = first.mid.clone();
                let tracks = fitting.iter().map(|(place, media)| DownTrackConfig {
                    mid: media.mid.clone(),
                    up_track: Some(*place),
                    ssrc: media.ssrc,
                    payload_type: media.codec.payload_type,
                });
                let tracks: Vec<_> = tracks.collect();
                let media: Vec<_> = fitting.into_iter().map(|(_, media)| media).collect();
                let sdp = offer.answer(&local, &stream.id, &media);
                let remote = Some(offer.remote.clone());
                (sdp, mid, None, tracks, remote, Role::Answerer)
            }
            None => {
                let sections = arrange(&[], stream, &tracks_of(stream));
                let sdp = offer_of(stream, &sections).to_sdp(&local);
                let mid = "0".to_owned();
                (sdp, mid, Some(sections), Vec::new(), None, Role::Offerer)
            }
        };
        let engine = Arc::clone(self.state.engine());
        let pulled = Pulled {
            peer: engine.new_peer(),
            shard: engine.place(stream.shard),
            stream: Arc::clone(stream),
            local,
            offered,
            tracks,
            remote,
        };
        self.follow_peer(pulled.peer, &stream.id);
        self.state.figures().offered(pulled.peer, Way::Down);
        let command = Command::AddDown {
            peer: pulled.peer,
            source: stream.peer,
            home: stream.shard,
            role,
            local: pulled.local.ice.clone(),
        };
        engine.send(pulled.shard, command);
        self.streams.pulled = Some(pulled);
        self.connect_pulled();
        Ok(Answered {
            sdp,
            mid,
            is_new_path: true,
        })
    }

    /// Tells the shard what was agreed on, once it was.
    fn connect_pulled(&self) {
        let Some(pulled) = &self.streams.pulled else {
            return;
        };
        if let Some(remote) = pulled.remote.clone() {
            let command = Command::AcceptDown {
                peer: pulled.peer,
                remote,
                tracks: pulled.tracks.clone(),
            };
            self.state.engine().send(pulled.shard, command);
        }
    }

    /// Takes the answer to the server's offer. False if there is none to answer.
    ///
    /// # Errors
    /// When the answer is no SDP, or does not fit.
    pub(in super::super) fn answer_pulled(&mut self, answer: &str) -> Result<bool, SdpError> {
        let Some(pulled) = &mut self.streams.pulled else {
            return Ok(false);
        };
        let Some(sections) = &pulled.offered else {
            return Ok(false);
        };
        let accepted = offer_of(&pulled.stream, sections).accept(answer)?;
        let kept = sections.iter().zip(&accepted.media);
        pulled.tracks = kept
            .filter(|(_, answer)| answer.accepted)
            .map(|(section, _)| section.config())
            .collect();
        pulled.remote = Some(accepted.remote);
        pulled.offered = None;
        self.connect_pulled();
        Ok(true)
    }

    /// The ufrag of the receiver, if it has said one.
    pub(in super::super) fn pulled_ufrag(&self) -> Option<String> {
        let pulled = self.streams.pulled.as_ref()?;
        pulled
            .remote
            .as_ref()
            .map(|remote| remote.ice.ufrag.clone())
    }

    /// Where the server sends the stream from, as candidates without `a=`.
    pub(in super::super) fn pulled_candidates(&self) -> Vec<String> {
        let pulled = self.streams.pulled.as_ref();
        pulled.map_or_else(Vec::new, |pulled| {
            self.candidates(pulled.shard, &pulled.local.ice.ufrag)
        })
    }

    /// An address of the receiver.
    pub(in super::super) fn add_pulled_candidate(&self, candidate: String) {
        if let Some(pulled) = &self.streams.pulled {
            let peer = pulled.peer;
            let command = Command::AddCandidate { peer, candidate };
            self.state.engine().send(pulled.shard, command);
        }
    }

    /// The receiver begins ICE anew. Returns the server's new credentials.
    pub(in super::super) fn restart_pulled(
        &mut self,
        ice: IceCredentials,
        candidates: Vec<String>,
    ) -> Option<IceCredentials> {
        let pulled = self.streams.pulled.as_mut()?;
        let remote = pulled.remote.as_mut()?;
        remote.ice = ice;
        remote.candidates = candidates;
        pulled.local.ice = ice_credentials();
        let (peer, local) = (pulled.peer, pulled.local.ice.clone());
        let command = Command::RestartDown {
            peer,
            local: local.clone(),
        };
        self.state.engine().send(pulled.shard, command);
        self.connect_pulled();
        Some(local)
    }

    /// Whether this is what it receives.
    pub(in super::super) fn is_pulled(&self, stream: &PublishedStream) -> bool {
        let pulled = self.streams.pulled.as_ref();
        pulled.is_some_and(|pulled| pulled.stream.peer == stream.peer)
    }
}

fn offer_of(stream: &PublishedStream, sections: &[Section]) -> DownOffer {
    DownOffer {
        stream_id: stream.id.clone(),
        media: sections.iter().map(Section::media).collect(),
    }
}
