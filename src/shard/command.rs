//! What signalling says.

use super::Shard;
use super::drops::Drop;
use super::message::{
    Command, DownTrackConfig, Event, PeerId, RelayMessage, ShardId, UpTrackConfig,
};
use super::peer::{DownPeer, Peer, Place, UpPeer, peer_at};
use crate::media::down::DownTrack;
use crate::media::layer::View;
use crate::media::send_log::SendLog;
use crate::transport::description::{IceCredentials, RemoteTransport};
use crate::transport::peer::{Role, Transport};
use std::time::Instant;

/// Credentials of one peer that are remembered: those in force, and those offered.
const MAX_UFRAGS: usize = 4;

impl Shard {
    /// Takes a command. What cannot be done is an [`Event::Failed`] of its peer, or counted.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::AddUp {
                peer,
                local,
                remote,
                tracks,
            } => {
                self.add_up(now, peer, local, remote, tracks);
            }
            Command::UpdateUp {
                peer,
                restart,
                tracks,
            } => {
                self.update_up(now, peer, restart, tracks);
            }
            Command::Enlist {
                peer,
                group,
                limits,
            } => {
                if let Some((Place::Up(index), _)) = self.find(peer) {
                    self.enlist(now, index, group, limits);
                }
            }
            Command::PauseUnwatched { peer } => self.pause_unwatched(now, peer),
            Command::AddDown {
                peer,
                client,
                source,
                home,
                role,
                local,
            } => {
                let client = self.clients.enter(now, client);
                self.add_down(now, (peer, client), (source, home), role, &local);
            }
            Command::AddSource { peer, source, home } => self.add_source(now, peer, source, home),
            Command::AcceptDown {
                peer,
                remote,
                tracks,
            } => {
                self.accept_down(now, peer, remote, tracks);
            }
            Command::ShowDown { peer, view } => self.show_down(now, peer, view),
            Command::RestartDown { peer, local } => {
                if let Some((place, _)) = self.find(peer) {
                    self.stage_restart(place, local);
                }
            }
            Command::AddCandidate { peer, candidate } => {
                let Some((place, peer)) = self.find(peer) else {
                    return;
                };
                if peer.transport.add_candidate(&candidate).is_err() {
                    self.drops.count(Drop::BadCandidate);
                }
                self.schedule(place);
            }
            Command::Remove { peer } => self.remove(now, peer),
            Command::Relay { peer, message } => self.handle_relay_message(now, peer, message),
            Command::Stats { token } => {
                let stats = Box::new(self.stats(now));
                self.events.push_back(Event::Stats { token, stats });
            }
        }
    }

    fn find(&mut self, peer: PeerId) -> Option<(Place, &mut Peer)> {
        let Some(place) = self.by_id.get(&peer).copied() else {
            self.drops.count(Drop::UnknownPeer);
            return None;
        };
        self.peer_mut(place).map(|peer| (place, peer))
    }

    /// The peer is reached by new credentials too. Of the old ones, the last are kept: checks
    /// may be under way.
    fn stage_restart(&mut self, place: Place, local: IceCredentials) {
        let Some(peer) = self.peer_mut(place) else {
            return;
        };
        peer.ufrags.push(local.ufrag.clone());
        let oldest = (peer.ufrags.len() > MAX_UFRAGS).then(|| peer.ufrags.remove(0));
        peer.transport.stage_restart(local.clone());
        if let Some(oldest) = oldest {
            self.routes.remove_ufrag(&oldest);
        }
        self.routes.add_ufrag(local.ufrag, place);
    }

    fn fail(&mut self, peer: PeerId, reason: &dyn std::fmt::Display) {
        self.events.push_back(Event::Failed {
            peer,
            reason: reason.to_string(),
        });
    }

    fn new_peer(
        &mut self,
        now: Instant,
        id: PeerId,
        role: Role,
        local: &IceCredentials,
    ) -> Option<Peer> {
        match Transport::new(now, &self.identity, role, local, &self.locals) {
            Ok(transport) => Some(Peer::new(id, transport, local.ufrag.clone())),
            Err(error) => {
                self.fail(id, &error);
                None
            }
        }
    }

    fn add_up(
        &mut self,
        now: Instant,
        id: PeerId,
        local: IceCredentials,
        remote: RemoteTransport,
        tracks: Vec<UpTrackConfig>,
    ) {
        let Some(peer) = self.new_peer(now, id, Role::Answerer, &local) else {
            return;
        };
        let mut up = UpPeer::new(id, Some(peer), None);
        up.update_tracks(now, tracks);
        let index = self.ups.insert(up);
        let place = Place::Up(index as u32);
        self.by_id.insert(id, place);
        self.routes.add_ufrag(local.ufrag, place);
        self.set_remote(now, place, remote);
    }

    fn update_up(
        &mut self,
        now: Instant,
        id: PeerId,
        restart: Option<(IceCredentials, RemoteTransport)>,
        tracks: Vec<UpTrackConfig>,
    ) {
        let Some((place, _)) = self.find(id) else {
            return;
        };
        let mut new_remote = None;
        if let Some((local, remote)) = restart {
            self.stage_restart(place, local);
            new_remote = Some(remote);
        }
        let Place::Up(index) = place else { return };
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        up.update_tracks(now, tracks);
        self.describe(index);
        // What was paused may be sent by another sender now.
        self.tell_wanted(index);
        match new_remote {
            Some(remote) => self.set_remote(now, place, remote),
            None => self.schedule(place),
        }
    }

    fn add_down(
        &mut self,
        now: Instant,
        (id, client): (PeerId, u32),
        (source, home): (PeerId, ShardId),
        role: Role,
        local: &IceCredentials,
    ) {
        let Some(peer) = self.new_peer(now, id, role, local) else {
            self.clients.release(client);
            return;
        };
        let index = self.downs.insert(DownPeer {
            peer,
            client,
            sources: Vec::new(),
            tracks: Vec::new(),
            wanted: Vec::new(),
            view: View::default(),
            connected: false,
            send_log: None,
            report_from: 0,
            remb: None,
            useful: None,
            is_paced: false,
            detector: None,
        }) as u32;
        if let Some(client) = self.clients.get_mut(client) {
            client.downs.push(index);
        }
        let place = Place::Down(index);
        self.by_id.insert(id, place);
        self.routes.add_ufrag(local.ufrag.clone(), place);
        self.add_source(now, id, source, home);
    }

    fn add_source(&mut self, now: Instant, id: PeerId, source: PeerId, home: ShardId) {
        let Some((Place::Down(index), _)) = self.find(id) else {
            return;
        };
        let source = self.source(source, home);
        if let Some(down) = self.downs.get_mut(index as usize) {
            down.sources.push(source);
        }
        if let Some(up) = source.and_then(|source| self.ups.get_mut(source as usize)) {
            up.downs.push(index);
        }
        if let Some(source) = source {
            self.tell_shared(source);
            self.see_watched(now, source);
        }
    }

    fn accept_down(
        &mut self,
        now: Instant,
        id: PeerId,
        remote: RemoteTransport,
        tracks: Vec<DownTrackConfig>,
    ) {
        let Some((place, _)) = self.find(id) else {
            return;
        };
        let Place::Down(index) = place else { return };
        self.set_remote(now, place, remote);
        self.select_tracks(now, index, tracks);
        self.withhold_from(now, index);
        self.begin_tracks(now, index);
        self.for_sources(index, |shard, source| shard.see_watched(now, source));
    }

    /// What the receiver agreed to be sent, from now on.
    pub(super) fn select_tracks(&mut self, now: Instant, index: u32, wanted: Vec<DownTrackConfig>) {
        let Self {
            ups, downs, ledger, ..
        } = self;
        let Some(down) = downs.get_mut(index as usize) else {
            return;
        };
        down.wanted.clone_from(&wanted);
        for source in down.sources.iter().flatten() {
            if let Some(up) = ups.get_mut(*source as usize) {
                up.forget_receiver(index);
            }
        }
        for track in &mut down.tracks {
            if !wanted
                .iter()
                .any(|config| config.ssrc == track.config().ssrc)
            {
                let codec = track.codec();
                let payload_type = track.config().payload_type;
                track.select(&[], codec, payload_type);
            }
        }
        for config in wanted {
            let publisher = down.sources.get(config.publisher).copied().flatten();
            let Some(up) = publisher.and_then(|publisher| ups.get_mut(publisher as usize)) else {
                continue;
            };
            let Some(codec) = up.codec_of(&config.encodings) else {
                continue;
            };
            let at = down
                .tracks
                .iter()
                .position(|track| track.config().ssrc == config.ssrc);
            let at = match at {
                Some(at) => {
                    if down.tracks[at].codec() != codec {
                        ledger.track_gone(&down.tracks[at]);
                    }
                    down.tracks[at].select(&config.encodings, codec, config.payload_type);
                    down.tracks[at].agree(&config);
                    at
                }
                None => {
                    down.tracks.push(DownTrack::new(config, codec));
                    down.tracks.len() - 1
                }
            };
            let track = &mut down.tracks[at];
            track.show(down.view);
            track.choose(now, &up.tracks);
            up.place(index, at as u16, track);
        }
        if down.send_log.is_none() && down.tracks.iter().any(DownTrack::is_stamped) {
            down.send_log = Some(Box::new(SendLog::new(now)));
        }
    }

    /// How a receiver shows the pictures.
    fn show_down(&mut self, now: Instant, id: PeerId, view: View) {
        let Some((Place::Down(index), _)) = self.find(id) else {
            return;
        };
        let Some(down) = self.downs.get_mut(index as usize) else {
            return;
        };
        if down.view == view {
            return;
        }
        down.view = view;
        for track in &mut down.tracks {
            track.show(view);
        }
        self.withhold_from(now, index);
        self.choose_for(now, index);
    }

    fn set_remote(&mut self, now: Instant, place: Place, remote: RemoteTransport) {
        let Self {
            ups,
            downs,
            identity,
            locals,
            ..
        } = self;
        let peer = peer_at(ups, downs, place);
        let Some(peer) = peer else { return };
        let id = peer.id;
        match peer.transport.set_remote(now, identity, remote, locals) {
            Ok(bad) => (0..bad).for_each(|_| self.drops.count(Drop::BadCandidate)),
            Err(error) => self.fail(id, &error),
        }
        self.after_transport(now, place);
    }

    fn remove(&mut self, now: Instant, id: PeerId) {
        let Some((place, peer)) = self.find(id) else {
            return;
        };
        peer.transport.close(now);
        self.flush_transmits(now, place);
        self.by_id.remove(&id);
        let peer = match place {
            Place::Up(index) => {
                self.tell_mirrors(index, || RelayMessage::Gone);
                let mut up = self.ups.remove(index as usize);
                self.ledger.up_gone(&mut up);
                self.fall_silent(index, &up);
                for down in up.downs {
                    if let Some(down) = self.downs.get_mut(down as usize) {
                        for source in &mut down.sources {
                            *source = source.filter(|source| *source != index);
                        }
                    }
                }
                self.flush.forget_up(index);
                up.peer
            }
            Place::Down(index) => {
                let down = self.downs.remove(index as usize);
                self.ledger.down_gone(&down);
                self.flush.forget_down(index);
                self.clients.leave(down.client, index);
                for source in down.sources.into_iter().flatten() {
                    if let Some(up) = self.ups.get_mut(source as usize) {
                        up.downs.retain(|other| *other != index);
                        up.forget_receiver(index);
                    }
                    self.tell_shared(source);
                    self.collect_remb(source);
                    self.release(source);
                }
                Some(down.peer)
            }
        };
        if let Some(peer) = peer {
            self.routes.remove(place, &peer.paths, &peer.ufrags);
        }
    }
}
