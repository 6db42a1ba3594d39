//! `offer` and `close` of a client: what it publishes.

use super::super::failure::Failure;
use super::super::figures::Way;
use super::super::message::{Outgoing, stream_id};
use super::super::session::Session;
use super::local::ice_credentials;
use crate::group::{GroupError, PublishedStream, PublishedTrack};
use crate::net::ShardId;
use crate::shard::{Command, PeerId, UpTrackConfig};
use crate::transport::description::{
    Extension, IceCredentials, LocalTransport, RemoteTransport, UpMedia,
};
use crate::transport::sdp::UpOffer;
use serde::Deserialize;
use std::sync::Arc;

/// How many streams one client may publish.
const STREAM_LIMIT: usize = 64;
/// How many tracks one stream may have in its life.
const TRACK_LIMIT: usize = 64;

/// `offer`
#[derive(Debug, Deserialize)]
pub(in super::super) struct OfferIn {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    replace: Option<String>,
    #[serde(default)]
    sdp: Option<String>,
}

/// What is to be said to an offer that was accepted.
#[derive(Debug)]
pub(in super::super) struct Answered {
    /// The answer, without candidates.
    pub(in super::super) sdp: String,
    /// The section that speaks for the transport.
    pub(in super::super) mid: String,
    /// The client does not know the server's candidates yet.
    pub(in super::super) is_new_path: bool,
}

/// A stream that the client publishes.
#[derive(Debug)]
pub(super) struct UpStream {
    pub(super) peer: PeerId,
    pub(super) shard: ShardId,
    pub(super) label: String,
    local: LocalTransport,
    /// What the last offer said of the other end.
    remote: RemoteTransport,
    /// In the order of the shard; a track keeps its place for ever.
    pub(super) tracks: Vec<UpTrack>,
}

/// A track, as the shard and as the group know it.
#[derive(Debug, Clone)]
pub(super) struct UpTrack {
    pub(super) config: UpTrackConfig,
    pub(super) published: PublishedTrack,
}

/// The tracks that a section announces: one, or one a rid.
fn tracks_of(media: &UpMedia) -> Vec<UpTrack> {
    let Some(codec) = media.codec.as_ref().filter(|_| media.sending) else {
        return Vec::new();
    };
    // With rids, which SSRC is whose shows only in the packets.
    let encodings: Vec<(Option<&String>, Option<u32>)> = if !media.rids.is_empty() {
        media.rids.iter().map(|rid| (Some(rid), None)).collect()
    } else if !media.simulcast.is_empty() {
        let ssrcs = media.simulcast.iter();
        ssrcs.map(|ssrc| (None, Some(*ssrc))).collect()
    } else {
        vec![(None, media.ssrcs.first().copied())]
    };
    let extensions = Extension::ALL
        .into_iter()
        .filter(|one| media.extensions[*one as usize] != 0);
    let extensions: Vec<Extension> = extensions.collect();
    encodings
        .into_iter()
        .map(|(rid, ssrc)| UpTrack {
            config: UpTrackConfig {
                mid: media.mid.clone(),
                rid: rid.cloned(),
                ssrc,
                kind: media.kind,
                codec: codec.codec,
                payload_type: codec.payload_type,
                extensions: media.extensions,
                red: media.red.map(|red| red.payload_type),
                rtx: media.repair(ssrc),
                feedback: media.feedback,
            },
            published: PublishedTrack {
                mid: media.mid.clone(),
                rid: rid.cloned(),
                kind: media.kind,
                codec: codec.codec,
                fmtp: codec.fmtp.clone(),
                extensions: extensions.clone(),
                active: true,
            },
        })
        .collect()
}

/// Brings the tracks of a stream up to date with a new offer: a track keeps its place, new ones
/// come at the end, those that are gone stay, inactive.
fn merge(tracks: &mut Vec<UpTrack>, offered: Vec<UpTrack>) {
    for track in tracks.iter_mut() {
        track.published.active = false;
    }
    for track in offered {
        let same = tracks.iter_mut().find(|old| {
            // Those of an SSRC group differ by nothing but their order.
            !old.published.active
                && old.config.mid == track.config.mid
                && old.config.rid == track.config.rid
                && old.config.codec == track.config.codec
        });
        match same {
            Some(old) => *old = track,
            None => tracks.push(track),
        }
    }
}

impl UpStream {
    /// A section has several tracks.
    pub(super) fn has_several(&self, mid: &str) -> bool {
        let same = |track: &&UpTrack| track.config.mid == mid && track.published.active;
        self.tracks.iter().filter(same).count() > 1
    }

    fn configs(&self) -> Vec<UpTrackConfig> {
        self.tracks
            .iter()
            .map(|track| track.config.clone())
            .collect()
    }
}

impl Session {
    pub(in super::super) fn offer(&mut self, offer: OfferIn) -> Result<(), Failure> {
        let id = stream_id(offer.id.as_deref())?.to_owned();
        let replace = offer.replace.filter(|old| !old.is_empty() && *old != id);
        let permitted = self
            .group
            .as_ref()
            .is_some_and(|group| group.permits(&self.id, "present"));
        if !permitted {
            if let Some(old) = replace {
                self.close_published(&old);
            }
            self.abort_offer(&id);
            return Err(GroupError::NotAuthorised.into());
        }
        let sdp = offer.sdp.unwrap_or_default();
        let label = offer.label.unwrap_or_default();
        let answered = self.publish(&id, label, replace, &sdp).map_err(|text| {
            self.abort_offer(&id);
            Failure::Refused(text)
        })?;
        self.send(&Outgoing::Answer {
            id: &id,
            sdp: &answered.sdp,
        });
        if answered.is_new_path
            && let Some(up) = self.streams.up.get(&id)
        {
            let (shard, ufrag) = (up.shard, up.local.ice.ufrag.clone());
            self.send_candidates(&id, &answered.mid, shard, &ufrag);
        }
        Ok(())
    }

    fn abort_offer(&mut self, id: &str) {
        self.send(&Outgoing::Abort { id });
    }

    /// Accepts an offer: tells the shard and the group. The error is for the client; nothing has
    /// changed then.
    pub(in super::super) fn publish(
        &mut self,
        id: &str,
        label: String,
        replace: Option<String>,
        sdp: &str,
    ) -> Result<Answered, String> {
        let group = self.group.clone().ok_or("join a group first")?;
        if self.streams.down.contains_key(id) {
            return Err("this id is that of a stream you receive".to_owned());
        }
        let allowed = group.description().allowed_codecs();
        let offer = UpOffer::parse(sdp, &allowed).map_err(|error| error.to_string())?;
        if offer.media.iter().all(|media| media.codec.is_none()) {
            return Err("the offer has no codec that this group allows".to_owned());
        }
        let offered: Vec<UpTrack> = offer.media.iter().flat_map(tracks_of).collect();
        let old = self.streams.up.remove(id);
        let engine = Arc::clone(self.state.engine());
        // Another certificate is another peer connection, even if the client calls it the same.
        let old = match old {
            Some(old) if old.remote.fingerprint != offer.remote.fingerprint => {
                self.remove_peer(old.shard, old.peer);
                group.unpublish(&self.id, id);
                None
            }
            old => old,
        };
        if old.is_none() && self.streams.up.len() >= STREAM_LIMIT {
            return Err("you publish too many streams".to_owned());
        }
        let is_new = old.is_none();
        let mut restart: Option<(IceCredentials, RemoteTransport)> = None;
        let mut stream = match old {
            Some(mut old) => {
                old.local.session.1 += 1;
                if old.remote.ice != offer.remote.ice {
                    old.local.ice = ice_credentials();
                    restart = Some((old.local.ice.clone(), offer.remote.clone()));
                }
                old
            }
            None => UpStream {
                peer: engine.new_peer(),
                shard: group.shard(|| engine.least_loaded()),
                label,
                local: self.local_transport(),
                remote: offer.remote.clone(),
                tracks: Vec::new(),
            },
        };
        merge(&mut stream.tracks, offered);
        stream.remote = offer.remote.clone();
        let (peer, shard) = (stream.peer, stream.shard);
        let refuse = |text: String| {
            self.remove_peer(shard, peer);
            group.unpublish(&self.id, id);
            text
        };
        if stream.tracks.len() > TRACK_LIMIT {
            return Err(refuse("the stream has too many tracks".to_owned()));
        }
        // The shard is told before the group: those who are offered the stream name its peer.
        let tracks = stream.configs();
        if is_new {
            self.follow_peer(peer, id, Way::Up);
            let local = stream.local.ice.clone();
            let remote = offer.remote.clone();
            engine.send(
                shard,
                Command::AddUp {
                    peer,
                    local,
                    remote,
                    tracks,
                },
            );
            self.enlist(peer, shard, &stream.label);
            self.pause_unwatched(peer, shard);
        } else {
            engine.send(
                shard,
                Command::UpdateUp {
                    peer,
                    restart: restart.clone(),
                    tracks,
                },
            );
        }
        let published = PublishedStream {
            id: id.to_owned(),
            source: self.id.clone(),
            username: self.username.clone(),
            label: stream.label.clone(),
            replace,
            peer,
            shard,
            tracks: stream
                .tracks
                .iter()
                .map(|track| track.published.clone())
                .collect(),
        };
        let replaced = group
            .publish(published)
            .map_err(|error| refuse(error.to_string()))?;
        if let Some(replaced) = replaced
            && let Some(old) = self.streams.up.remove(&replaced.id)
        {
            self.remove_peer(old.shard, old.peer);
        }
        let mut accepted = offer.media.iter().filter(|media| media.codec.is_some());
        let answered = Answered {
            sdp: offer.answer(&stream.local),
            mid: accepted
                .next()
                .map_or_else(|| "0".to_owned(), |media| media.mid.clone()),
            is_new_path: is_new || restart.is_some(),
        };
        self.streams.up.insert(id.to_owned(), stream);
        Ok(answered)
    }

    /// The ufrag of the client that publishes a stream.
    pub(in super::super) fn remote_ufrag(&self, id: &str) -> Option<String> {
        let up = self.streams.up.get(id)?;
        Some(up.remote.ice.ufrag.clone())
    }

    /// Where the server takes a stream, as candidates without `a=`.
    pub(in super::super) fn candidates_of(&self, id: &str) -> Vec<String> {
        let up = self.streams.up.get(id);
        up.map_or_else(Vec::new, |up| {
            self.candidates(up.shard, &up.local.ice.ufrag)
        })
    }

    /// The publisher of a stream begins ICE anew, without an offer. Returns the server's new
    /// credentials.
    pub(in super::super) fn restart_published(
        &mut self,
        id: &str,
        ice: IceCredentials,
        candidates: Vec<String>,
    ) -> Option<IceCredentials> {
        let up = self.streams.up.get_mut(id)?;
        up.local.ice = ice_credentials();
        up.remote.ice = ice;
        up.remote.candidates = candidates;
        let (local, remote) = (up.local.ice.clone(), up.remote.clone());
        let command = Command::UpdateUp {
            peer: up.peer,
            restart: Some((local.clone(), remote)),
            tracks: up.configs(),
        };
        let shard = up.shard;
        self.state.engine().send(shard, command);
        Some(local)
    }

    /// The client ended one of its streams.
    pub(in super::super) fn close_published(&mut self, id: &str) {
        let Some(up) = self.streams.up.remove(id) else {
            return;
        };
        self.remove_peer(up.shard, up.peer);
        if let Some(group) = &self.group {
            group.unpublish(&self.id, id);
        }
    }

    /// A stream of this client was ended by someone else, unless it was by itself.
    pub(in super::super) fn own_stream_ended(&mut self, stream: &PublishedStream) {
        let up = self.streams.up.get(&stream.id);
        if up.is_some_and(|up| up.peer == stream.peer) {
            self.close_published(&stream.id);
            self.abort_offer(&stream.id);
            self.notify("error", "an administrator ended this stream");
        }
    }

    /// The client may no longer publish.
    pub(in super::super) fn abort_published(&mut self) {
        let ids: Vec<String> = self.streams.up.keys().cloned().collect();
        for id in ids {
            self.close_published(&id);
            self.abort_offer(&id);
            self.notify("error", "permission denied");
        }
    }
}
