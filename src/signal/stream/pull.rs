//! Streams that are received outside of the WebSocket protocol (WHEP), all over one peer connection:
//! the receiver makes the offer, or asks for one.

use super::super::figures::Way;
use super::super::session::Session;
use super::down::{Section, forwarded, is_usual, media};
use super::local::{ice_credentials, ssrcs};
use super::request::{Source, wanted};
use super::up::Answered;
use crate::group::{PublishedStream, PublishedTrack};
use crate::media::Codec;
use crate::net::ShardId;
use crate::shard::{Command, DownTrackConfig, PeerId};
use crate::transport::description::{
    CodecParameters, Extension, IceCredentials, LocalTransport, RemoteTransport,
};
use crate::transport::peer::Role;
use crate::transport::sdp::{DownOffer, PullMedia, PullOffer, SdpError};
use std::sync::Arc;

/// The most tracks that one receiver is sent; what is beyond is left out.
const MAX_TRACKS: usize = 128;
/// Payload types for codecs whose own is taken, in RTP/SAVPF with RTCP multiplexed (RFC 5761,
/// section 4).
const SPARE: [std::ops::RangeInclusive<u8>; 2] = [96..=127, 36..=63];

/// What a receiver of this kind has.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) peer: PeerId,
    pub(super) shard: ShardId,
    /// Those that have not ended.
    streams: Vec<Arc<PublishedStream>>,
    local: LocalTransport,
    /// What the server offered, and has no answer to yet.
    offered: Option<Vec<Carried<Section>>>,
    tracks: Vec<DownTrackConfig>,
    remote: Option<RemoteTransport>,
}

/// A section, and the stream whose track it carries, by its place among the streams.
#[derive(Debug)]
struct Carried<S> {
    stream: usize,
    section: S,
}

/// What is begun with.
struct Plan {
    streams: Vec<Arc<PublishedStream>>,
    answered: Answered,
    offered: Option<Vec<Carried<Section>>>,
    tracks: Vec<DownTrackConfig>,
    role: Role,
}

/// Sound and pictures of all streams, the best there are of each, in order.
fn tracks_of(
    streams: &[Arc<PublishedStream>],
) -> impl Iterator<Item = (&Arc<PublishedStream>, Source, &PublishedTrack)> {
    streams.iter().flat_map(|stream| {
        let places = wanted(&["audio".to_owned(), "video".to_owned()], stream);
        let with_track = move |source: Source| {
            let track = stream.tracks.get(*source.first()?)?;
            Some((stream, source, track))
        };
        places.into_iter().filter_map(with_track)
    })
}

/// The place of a stream among those that are received, to whose end it is added if it is new.
fn place(streams: &mut Vec<Arc<PublishedStream>>, stream: &Arc<PublishedStream>) -> usize {
    let known = streams.iter().position(|one| Arc::ptr_eq(one, stream));
    known.unwrap_or_else(|| {
        streams.push(Arc::clone(stream));
        streams.len() - 1
    })
}

/// What of the streams fits an offer. One with room for one stream only is not filled with the
/// sound of one and the pictures of another.
fn fitting(
    streams: &[Arc<PublishedStream>],
    offer: &PullOffer,
) -> (
    Vec<Arc<PublishedStream>>,
    Vec<PullMedia>,
    Vec<DownTrackConfig>,
) {
    let several = offer.has_room_for_several();
    let (mut used, mut taken, mut tracks) = (Vec::new(), Vec::<PullMedia>::new(), Vec::new());
    for (stream, at, track) in tracks_of(streams) {
        let is_other = used
            .first()
            .is_some_and(|first| !Arc::ptr_eq(first, stream));
        if taken.len() == MAX_TRACKS || (is_other && !several) {
            break;
        }
        let codec = CodecParameters {
            codec: track.codec,
            payload_type: 0,
            channels: if track.codec == Codec::Opus { 2 } else { 1 },
            fmtp: track.fmtp.clone(),
        };
        let ssrcs = ssrcs(taken.iter().map(|other| (other.ssrc, other.rtx)));
        let fit = offer.fit(&codec, &stream.id, ssrcs, &forwarded(track), &taken);
        if let Some(fit) = fit {
            tracks.push(DownTrackConfig {
                mid: fit.mid.clone(),
                encodings: at,
                publisher: place(&mut used, stream),
                ssrc: fit.ssrc,
                payload_type: fit.codec.payload_type,
                red: fit.red,
                rtx: fit.rtx,
                transport_cc: fit.extensions.contains(&Extension::TransportCc),
            });
            taken.push(fit);
        }
    }
    (used, taken, tracks)
}

/// The sections of an offer of all streams.
fn arrange(streams: &[Arc<PublishedStream>]) -> (Vec<Arc<PublishedStream>>, Vec<Carried<Section>>) {
    let (mut used, mut sections) = (Vec::new(), Vec::<Carried<Section>>::new());
    for (stream, at, track) in tracks_of(streams).take(MAX_TRACKS) {
        let others = || sections.iter().map(|other| &other.section.media);
        let ssrcs = ssrcs(others().map(|other| (other.ssrc, other.rtx)));
        let mut media = media(sections.len().to_string(), stream, track, ssrcs);
        // RFC 8843, section 10.1.2: in all sections of a bundle, a payload type is the same to the
        // last parameter.
        let means = |payload_type| {
            let mut codecs = others().map(|other| &other.codec);
            codecs.find(|codec| codec.payload_type == payload_type)
        };
        let same = |codec: &CodecParameters| {
            codec.codec == media.codec.codec && codec.fmtp == media.codec.fmtp
        };
        if means(media.codec.payload_type).is_some_and(|codec| !same(codec)) {
            let as_before = others().map(|other| &other.codec).find(|codec| same(codec));
            let before = as_before.map(|codec| codec.payload_type);
            let mut spare = SPARE.into_iter().flatten();
            let free = || spare.find(|one| !is_usual(*one) && means(*one).is_none());
            let Some(payload_type) = before.or_else(free) else {
                continue;
            };
            media.codec.payload_type = payload_type;
            // Nor is there a payload type for its repairs.
            media.rtx = None;
            media.red = None;
            media
                .extensions
                .retain(|extension| *extension != Extension::TransportCc);
        }
        sections.push(Carried {
            stream: place(&mut used, stream),
            section: Section {
                media,
                track: at,
                spare: None,
            },
        });
    }
    (used, sections)
}

impl Session {
    /// Begins to receive streams, by the receiver's offer or by one of the server's. The error is
    /// for the client; nothing has begun then.
    pub(in super::super) fn pull(
        &mut self,
        streams: &[Arc<PublishedStream>],
        offer: Option<&PullOffer>,
    ) -> Result<Answered, String> {
        let local = self.local_transport();
        let answered = |sdp, mid| Answered {
            sdp,
            mid,
            is_new_path: true,
        };
        let plan = match offer {
            Some(offer) => {
                let (streams, media, tracks) = fitting(streams, offer);
                let mid = media.first().map(|first| first.mid.clone());
                Plan {
                    streams,
                    answered: answered(offer.answer(&local, &media), mid.unwrap_or_default()),
                    offered: None,
                    tracks,
                    role: Role::Answerer,
                }
            }
            None => {
                let (streams, sections) = arrange(streams);
                Plan {
                    streams,
                    answered: answered(offer_of(&sections).to_sdp(&local), "0".to_owned()),
                    offered: Some(sections),
                    tracks: Vec::new(),
                    role: Role::Offerer,
                }
            }
        };
        let Some((first, others)) = plan.streams.split_first() else {
            return Err("the offer has no codec of the stream".to_owned());
        };
        let engine = Arc::clone(self.state.engine());
        let (peer, shard) = (engine.new_peer(), engine.place(first.shard));
        let ids: Vec<&str> = plan.streams.iter().map(|one| one.id.as_str()).collect();
        self.follow_peer(peer, &ids.join(" "), Way::Down);
        let command = Command::AddDown {
            peer,
            client: self.receives_as,
            source: first.peer,
            home: first.shard,
            role: plan.role,
            local: local.ice.clone(),
        };
        engine.send(shard, command);
        for stream in others {
            let (source, home) = (stream.peer, stream.shard);
            engine.send(shard, Command::AddSource { peer, source, home });
        }
        self.streams.pulled = Some(Pulled {
            peer,
            shard,
            streams: plan.streams,
            local,
            offered: plan.offered,
            tracks: plan.tracks,
            remote: offer.map(|offer| offer.remote.clone()),
        });
        self.connect_pulled();
        Ok(plan.answered)
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
        let accepted = offer_of(sections).accept(answer)?;
        let kept = sections.iter().zip(&accepted.media);
        pulled.tracks = kept
            .filter(|(_, answer)| answer.accepted)
            .map(|(carried, answer)| DownTrackConfig {
                publisher: carried.stream,
                ..carried.section.config(answer)
            })
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

    /// A stream of the group has ended. True if it was the last that is received here.
    pub(in super::super) fn pulled_ended(&mut self, stream: &PublishedStream) -> bool {
        let Some(pulled) = &mut self.streams.pulled else {
            return false;
        };
        pulled.streams.retain(|one| one.peer != stream.peer);
        pulled.streams.is_empty()
    }
}

fn offer_of(sections: &[Carried<Section>]) -> DownOffer {
    let media = sections.iter().map(|one| one.section.media.clone());
    DownOffer {
        media: media.collect(),
    }
}

#[cfg(test)]
mod tests;
