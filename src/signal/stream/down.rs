//! `offer` of the server, `answer`, `renegotiate` and `abort`: what a client receives.

use super::super::failure::Failure;
use super::super::figures::Way;
use super::super::message::{Outgoing, stream_id};
use super::super::session::Session;
use super::local::{ice_credentials, ssrcs};
use super::request::Source;
use crate::group::{PublishedStream, PublishedTrack};
use crate::media::Codec;
use crate::media::layer::View;
use crate::net::ShardId;
use crate::shard::{Command, DownTrackConfig, PeerId};
use crate::transport::description::{
    CodecParameters, DownMedia, DownMediaAnswer, Extension, LocalTransport, Rtx,
};
use crate::transport::peer::Role;
use crate::transport::sdp::DownOffer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `answer`
#[derive(Debug, Deserialize)]
pub(in super::super) struct AnswerIn {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    sdp: Option<String>,
}

/// `offer`
#[derive(Debug, Serialize)]
pub(in super::super) struct OfferOut<'a> {
    id: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace: Option<&'a str>,
    source: &'a str,
    username: &'a str,
    sdp: &'a str,
}

/// A stream that the client receives.
#[derive(Debug)]
pub(super) struct DownStream {
    pub(super) peer: PeerId,
    pub(super) shard: ShardId,
    pub(super) stream: Arc<PublishedStream>,
    /// What `requestStream` said.
    pub(super) requested: Option<Vec<String>>,
    /// How the client shows it.
    pub(super) view: View,
    local: LocalTransport,
    /// As they are to be, or were last, offered.
    sections: Vec<Section>,
    /// The offer that the client has not answered yet.
    offered: Option<Vec<Section>>,
    /// What must be offered once the client has answered.
    pending: Option<Renewal>,
}

/// Why a stream is offered anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Renewal {
    /// Other tracks.
    Tracks,
    /// Other ICE credentials, and perhaps other tracks.
    Restart,
}

/// A media section, and the track it carries.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) media: DownMedia,
    pub(super) track: Source,
    /// The SSRCs of what is sent and of its repairs before it paused last.
    pub(super) spare: Option<(u32, u32)>,
}

impl Section {
    /// It is active again, by other SSRCs: Chromium decodes what comes again by those that it had,
    /// and shows nothing of it. Two of them take turns, for each is numbered for ever.
    fn resume(&mut self, fresh: (u32, u32)) {
        let (ssrc, repair_ssrc) = self.spare.unwrap_or(fresh);
        let repairs = self.media.rtx.map_or(fresh.1, |rtx| rtx.ssrc);
        self.spare = Some((self.media.ssrc, repairs));
        self.media.ssrc = ssrc;
        if let Some(rtx) = &mut self.media.rtx {
            rtx.ssrc = repair_ssrc;
        }
        self.media.active = true;
    }

    /// What the shard is told once a receiver has accepted it.
    pub(super) fn config(&self, answer: &DownMediaAnswer) -> DownTrackConfig {
        DownTrackConfig {
            mid: self.media.mid.clone(),
            encodings: self.track.clone(),
            publisher: 0,
            ssrc: self.media.ssrc,
            payload_type: self.media.codec.payload_type,
            red: self.media.red.filter(|_| answer.red),
            rtx: self.media.rtx.filter(|_| answer.rtx),
            transport_cc: answer.feedback.transport_cc,
        }
    }
}

/// Whether some codec is sent with this payload type, if nothing speaks against it.
pub(super) fn is_usual(one: u8) -> bool {
    let mut codecs = Codec::ALL.into_iter();
    codecs.any(|codec| {
        let types = [
            Some(payload_type(codec)),
            repair_type(codec),
            redundant_type(codec),
        ];
        types.contains(&Some(one))
    })
}

/// The payload type that the server sends each codec with.
fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Av1 => 35,
        Codec::Vp8 => 96,
        Codec::Vp9 => 98,
        Codec::H264 => 102,
        Codec::Opus => 111,
    }
}

/// The payload type that the server sends packets of a codec again with.
fn repair_type(codec: Codec) -> Option<u8> {
    match codec {
        Codec::Av1 | Codec::Vp8 | Codec::Vp9 | Codec::H264 => Some(payload_type(codec) + 1),
        // No browser has it for sound.
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => None,
    }
}

/// The payload type that the server sends packets of a codec with that have earlier ones in them.
fn redundant_type(codec: Codec) -> Option<u8> {
    (codec == Codec::Opus).then_some(63)
}

/// The extensions of a publisher that are of use beyond its own hop, and those of the server's.
pub(super) fn forwarded(track: &PublishedTrack) -> Vec<Extension> {
    let of_use = [
        Extension::AudioLevel,
        Extension::VideoOrientation,
        Extension::AbsCaptureTime,
        Extension::DependencyDescriptor,
    ];
    of_use
        .into_iter()
        .filter(|extension| track.extensions.contains(extension))
        .chain([Extension::TransportCc])
        .collect()
}

pub(super) fn media(
    mid: String,
    stream: &PublishedStream,
    track: &PublishedTrack,
    (ssrc, repair_ssrc): (u32, u32),
) -> DownMedia {
    DownMedia {
        mid,
        stream_id: stream.id.clone(),
        codec: CodecParameters {
            codec: track.codec,
            payload_type: payload_type(track.codec),
            channels: if track.codec == Codec::Opus { 2 } else { 1 },
            fmtp: track.fmtp.clone(),
        },
        ssrc,
        red: redundant_type(track.codec),
        rtx: repair_type(track.codec).map(|payload_type| Rtx {
            payload_type,
            ssrc: repair_ssrc,
        }),
        active: true,
        extensions: forwarded(track),
    }
}

/// The sections that carry the `wanted` sources. A section once offered stays: with the source it
/// had if that is wanted, with another of its kind, or inactive.
pub(super) fn arrange(
    old: &[Section],
    stream: &PublishedStream,
    wanted: &[Source],
) -> Vec<Section> {
    let mut sections = old.to_vec();
    let mut placed = vec![false; sections.len()];
    let kind = |section: &Section| section.media.codec.codec.kind();
    // First those that stay where they are, so that no other takes their place.
    let (staying, moving): (Vec<&Source>, Vec<&Source>) = wanted
        .iter()
        .partition(|track| old.iter().any(|section| section.track == **track));
    for track in staying {
        for at in 0..sections.len() {
            if sections[at].track == *track {
                if !sections[at].media.active {
                    let others = sections.iter().map(|other| &other.media);
                    let fresh = ssrcs(others.map(|other| (other.ssrc, other.rtx)));
                    sections[at].resume(fresh);
                }
                placed[at] = true;
            }
        }
    }
    for source in moving {
        let Some(track) = source.first().and_then(|at| stream.tracks.get(*at)) else {
            continue;
        };
        let free = (0..sections.len()).find(|&at| !placed[at] && kind(&sections[at]) == track.kind);
        let at = free.unwrap_or_else(|| {
            placed.push(false);
            sections.len()
        });
        // Another track is another sequence of packets: it gets an SSRC of its own.
        let others = sections.iter().map(|other| &other.media);
        let ssrcs = ssrcs(others.map(|other| (other.ssrc, other.rtx)));
        let mid = sections
            .get(at)
            .map_or_else(|| at.to_string(), |old| old.media.mid.clone());
        let section = Section {
            media: media(mid, stream, track, ssrcs),
            track: source.clone(),
            spare: None,
        };
        if at == sections.len() {
            sections.push(section);
        } else {
            sections[at] = section;
        }
        placed[at] = true;
    }
    for (section, placed) in sections.iter_mut().zip(placed) {
        if !placed {
            section.media.active = false;
        }
    }
    sections
}

fn same(a: &[Section], b: &[Section]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.track == b.track && a.media.active == b.media.active)
}

impl Session {
    /// Someone publishes a stream, or changed it.
    pub(in super::super) fn stream_published(&mut self, stream: &Arc<PublishedStream>) {
        let old = stream.replace.as_ref().filter(|old| {
            self.streams
                .down
                .get(*old)
                .is_some_and(|down| down.stream.source == stream.source)
        });
        let old = old.and_then(|old| self.streams.down.remove(old));
        let Some(old) = old else {
            return self.reconsider(stream);
        };
        // What the client said of the old stream holds for that in its place.
        self.remove_peer(old.shard, old.peer);
        let replaced = old.stream.id.clone();
        if self.streams.down.contains_key(&stream.id) {
            self.send(&Outgoing::Close { id: &replaced });
            return self.reconsider(stream);
        }
        let (wanted, low) = self.wanted_of(stream, old.requested.as_deref());
        let view = View { low, ..old.view };
        if wanted.is_empty() || self.streams.up.contains_key(&stream.id) {
            self.send(&Outgoing::Close { id: &replaced });
        } else {
            self.offer_stream(stream, (old.requested, view), &wanted, Some(&replaced));
        }
    }

    /// A stream is no more.
    pub(in super::super) fn stream_unpublished(&mut self, stream: &PublishedStream) {
        let down = self.streams.down.get(&stream.id);
        if down.is_some_and(|down| down.stream.peer == stream.peer) {
            self.close_received(&stream.id);
        }
    }

    /// Offers a stream, changes what is offered of it, or ends it, as the client's requests say.
    pub(super) fn reconsider(&mut self, stream: &Arc<PublishedStream>) {
        let id = &stream.id;
        if self
            .streams
            .down
            .get(id)
            .is_some_and(|down| down.stream.peer != stream.peer)
        {
            self.close_received(id);
        }
        let Some(down) = self.streams.down.get(id) else {
            let (wanted, low) = self.wanted_of(stream, None);
            let view = View {
                low,
                ..View::default()
            };
            // A client cannot receive what it calls the same as a stream of its own.
            if !wanted.is_empty() && !self.streams.up.contains_key(id) {
                self.offer_stream(stream, (None, view), &wanted, None);
            }
            return;
        };
        let (wanted, low) = self.wanted_of(stream, down.requested.as_deref());
        if wanted.is_empty() {
            return self.close_received(id);
        }
        let view = View { low, ..down.view };
        self.show(id, view);
        let Some(down) = self.streams.down.get(id) else {
            return;
        };
        let sections = arrange(&down.sections, stream, &wanted);
        if let Some(down) = self.streams.down.get_mut(id) {
            down.stream = Arc::clone(stream);
            if !same(&down.sections, &sections) {
                down.sections = sections;
                self.renew(id, Renewal::Tracks);
            }
        }
    }

    /// Offers a stream for the first time.
    fn offer_stream(
        &mut self,
        stream: &Arc<PublishedStream>,
        (requested, view): (Option<Vec<String>>, View),
        wanted: &[Source],
        replace: Option<&str>,
    ) {
        let engine = Arc::clone(self.state.engine());
        let down = DownStream {
            peer: engine.new_peer(),
            shard: engine.place(stream.shard),
            stream: Arc::clone(stream),
            requested,
            view,
            local: self.local_transport(),
            sections: arrange(&[], stream, wanted),
            offered: None,
            pending: None,
        };
        self.follow_peer(down.peer, &stream.id, Way::Down);
        let command = Command::AddDown {
            peer: down.peer,
            client: self.receives_as,
            source: stream.peer,
            home: stream.shard,
            role: Role::Offerer,
            local: down.local.ice.clone(),
        };
        engine.send(down.shard, command);
        let peer = down.peer;
        engine.send(down.shard, Command::ShowDown { peer, view });
        self.streams.down.insert(stream.id.clone(), down);
        self.send_offer(&stream.id, replace, true);
    }

    /// A stream is shown in another way.
    pub(super) fn show(&mut self, id: &str, view: View) {
        if let Some(down) = self.streams.down.get_mut(id)
            && down.view != view
        {
            down.view = view;
            let (shard, peer) = (down.shard, down.peer);
            let command = Command::ShowDown { peer, view };
            self.state.engine().send(shard, command);
        }
    }

    fn send_offer(&mut self, id: &str, replace: Option<&str>, candidates: bool) {
        let Some(down) = self.streams.down.get_mut(id) else {
            return;
        };
        down.offered = Some(down.sections.clone());
        let stream = Arc::clone(&down.stream);
        let media = down
            .sections
            .iter()
            .map(|section| section.media.clone())
            .collect();
        let sdp = DownOffer { media }.to_sdp(&down.local);
        let shard = down.shard;
        let ufrag = down.local.ice.ufrag.clone();
        self.send(&Outgoing::Offer(OfferOut {
            id,
            label: &stream.label,
            replace,
            source: &stream.source,
            username: &stream.username,
            sdp: &sdp,
        }));
        if candidates {
            self.send_candidates(id, "0", shard, &ufrag);
        }
    }

    /// Offers a stream anew, once the client has answered what it was offered last.
    fn renew(&mut self, id: &str, renewal: Renewal) {
        let Some(down) = self.streams.down.get_mut(id) else {
            return;
        };
        if down.offered.is_some() {
            down.pending = down.pending.max(Some(renewal));
            return;
        }
        down.local.session.1 += 1;
        if renewal == Renewal::Restart {
            down.local.ice = ice_credentials();
            let (peer, local) = (down.peer, down.local.ice.clone());
            self.state
                .engine()
                .send(down.shard, Command::RestartDown { peer, local });
        }
        self.send_offer(id, None, renewal == Renewal::Restart);
    }

    pub(in super::super) fn answer(&mut self, answer: &AnswerIn) -> Result<(), Failure> {
        let id = stream_id(answer.id.as_deref())?;
        let Some(down) = self.streams.down.get_mut(id) else {
            self.send(&Outgoing::Close { id });
            return Ok(());
        };
        let Some(offered) = down.offered.take() else {
            self.close_received(id);
            return Err(Failure::refused("an answer to no offer"));
        };
        let media = offered
            .iter()
            .map(|section| section.media.clone())
            .collect();
        let offer = DownOffer { media };
        let accepted = match offer.accept(answer.sdp.as_deref().unwrap_or_default()) {
            Ok(accepted) => accepted,
            Err(error) => {
                self.close_received(id);
                return Err(Failure::Refused(error.to_string()));
            }
        };
        let tracks = offered
            .iter()
            .zip(&accepted.media)
            .filter(|(section, answer)| section.media.active && answer.accepted)
            .map(|(section, answer)| section.config(answer))
            .collect();
        let command = Command::AcceptDown {
            peer: down.peer,
            remote: accepted.remote,
            tracks,
        };
        self.state.engine().send(down.shard, command);
        if let Some(renewal) = down.pending.take() {
            // The wish may have been taken back in the meantime.
            if renewal == Renewal::Restart || !same(&offered, &down.sections) {
                let id = id.to_owned();
                self.renew(&id, renewal);
            }
        }
        Ok(())
    }

    /// Restarts ICE for a stream that the client receives. Unknown ids are ignored.
    pub(in super::super) fn renegotiate(&mut self, id: &str) {
        self.renew(id, Renewal::Restart);
    }

    /// The client does not want a stream any more.
    pub(in super::super) fn abort_received(&mut self, id: &str) {
        if self.streams.down.contains_key(id) {
            self.close_received(id);
        } else {
            self.send(&Outgoing::Close { id });
        }
    }

    fn close_received(&mut self, id: &str) {
        if let Some(down) = self.streams.down.remove(id) {
            self.remove_peer(down.shard, down.peer);
            self.send(&Outgoing::Close { id });
        }
    }
}

#[cfg(test)]
mod tests;
