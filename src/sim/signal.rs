//! What the clients and the server tell each other outside of the media path. It takes no time.

use super::client::{Client, Media};
use super::conference::{Publisher, PublisherConfig, Viewer, ViewerConfig};
use super::random::Random;
use super::receiver::{Receiver, ReceiverConfig};
use super::sender::{Sender, SenderConfig};
use super::world::{ClientId, HostId, NewClient, SimError, UNIX, World};
use crate::media::Kind;
use crate::shard::{Command, DownTrackConfig, PeerId, ShardId, UpTrackConfig};
use crate::transport::description::{IceCredentials, RemoteTransport, Rtx, Setup};
use crate::transport::identity::Identity;
use crate::transport::peer::Role;
use std::net::SocketAddr;

/// Payload types of the server's offers.
const AUDIO_TYPE: u8 = 111;
const VIDEO_TYPE: u8 = 96;

/// What a receiver agreed to.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) tracks: Vec<DownTrackConfig>,
    /// What its answer says of its transport.
    pub(super) answer: RemoteTransport,
}

/// Whose stream it is, and on which shard.
#[derive(Clone, Copy)]
struct Source {
    peer: PeerId,
    home: usize,
}

fn description(
    identity: &Identity,
    ice: &IceCredentials,
    setup: Setup,
    address: SocketAddr,
) -> RemoteTransport {
    RemoteTransport {
        ice: ice.clone(),
        fingerprint: identity.fingerprint().clone(),
        setup,
        lite: false,
        candidates: vec![format!(
            "candidate:1 1 udp 2130706431 {} {} typ host",
            address.ip(),
            address.port()
        )],
    }
}

impl World {
    fn credentials(&mut self) -> IceCredentials {
        IceCredentials {
            ufrag: self.random.text(8),
            pwd: self.random.text(24),
        }
    }

    fn peer_of(client: usize) -> PeerId {
        PeerId(client as u64 + 1)
    }

    /// A client of `host` begins to publish a stream on a shard.
    ///
    /// # Errors
    /// When ICE refuses the client's settings.
    pub fn publish(
        &mut self,
        host: HostId,
        shard: usize,
        config: SenderConfig,
    ) -> Result<ClientId, SimError> {
        let id = self.next_client;
        let random = Random::stream(self.seed, &[2, id as u64]);
        let times = (self.start, self.now);
        let sender = Sender::new(id as u64, times, UNIX, config, random);
        let tracks = sender.track_configs();
        self.send_media(host, shard, Media::Send(Box::new(sender)), tracks)
    }

    /// A browser of `host` begins to publish a stream on a shard.
    ///
    /// # Errors
    /// When ICE refuses the client's settings.
    pub fn broadcast(
        &mut self,
        host: HostId,
        shard: usize,
        config: PublisherConfig,
    ) -> Result<ClientId, SimError> {
        let random = Random::stream(self.seed, &[2, self.next_client as u64]);
        let times = (self.start, self.now);
        let publisher = Publisher::new(times, UNIX, config, random);
        let tracks = publisher.track_configs();
        self.send_media(host, shard, Media::Publish(Box::new(publisher)), tracks)
    }

    /// From now on a publishing browser is told what nobody watches, and does not send it.
    pub fn heed(&mut self, client: ClientId) {
        if let Some(node) = self.clients.get(&client) {
            let (shard, peer) = (node.shard, node.peer);
            self.command(shard, Command::PauseUnwatched { peer });
        }
    }

    /// The same, and it does as the web client: where nothing is watched, its smallest encoding goes
    /// on at a frame a second.
    pub fn rest(&mut self, client: ClientId) {
        if let Some(node) = self.clients.get_mut(&client)
            && let Media::Publish(publisher) = &mut node.client.media
        {
            publisher.rest();
        }
        self.heed(client);
    }

    /// A publisher is told what nobody watches.
    pub(super) fn pause_unwatched(&mut self, peer: PeerId, tracks: u64) {
        let mut clients = self.clients.values_mut();
        if let Some(node) = clients.find(|node| node.peer == peer)
            && let Media::Publish(publisher) = &mut node.client.media
        {
            publisher.pause(tracks);
        }
    }

    /// Which of its encodings a publishing browser is to send, lowest first.
    ///
    /// # Errors
    /// When there is no such publisher.
    pub fn wanted(&self, client: ClientId) -> Result<Vec<bool>, SimError> {
        match self.clients.get(&client).map(|node| &node.client.media) {
            Some(Media::Publish(publisher)) => Ok(publisher.wanted().to_vec()),
            _ => Err(SimError::WrongKind(client)),
        }
    }

    fn send_media(
        &mut self,
        host: HostId,
        shard: usize,
        media: Media,
        tracks: Vec<UpTrackConfig>,
    ) -> Result<ClientId, SimError> {
        let id = self.next_client;
        let peer = Self::peer_of(id);
        let ours = self.credentials();
        let theirs = self.credentials();
        let address = self.new_address(host.0);
        let times = (self.start, self.now);
        let mut client = Client::new(times, &self.browser, Role::Offerer, &theirs, address, media)?;
        let server = self.server_address(shard);
        let answer = description(&self.server, &ours, Setup::Active, server);
        client.set_remote(self.now, answer)?;
        let offer = description(&self.browser, &theirs, Setup::Actpass, address);
        let client = self.add_client(NewClient {
            client,
            host: host.0,
            shard,
            peer,
            mapped: address,
            credentials: [ours.clone(), theirs],
            receives: None,
        });
        self.command(
            shard,
            Command::AddUp {
                peer,
                local: ours,
                remote: offer,
                tracks,
            },
        );
        self.settle(client);
        Ok(client)
    }

    /// A client of `host` begins to receive the stream of another.
    ///
    /// # Errors
    /// When there is no such stream, or ICE refuses the client's settings.
    pub fn subscribe(
        &mut self,
        host: HostId,
        source: ClientId,
        config: ReceiverConfig,
    ) -> Result<ClientId, SimError> {
        let node = self.clients.get(&source);
        let shard = node.ok_or(SimError::NoClient(source))?.shard;
        self.subscribe_at(shard, host, source, config)
    }

    /// A client of `host` begins to receive the stream of another at this shard, which may be
    /// another than the publisher's.
    ///
    /// # Errors
    /// When there is no such stream, or ICE refuses the client's settings.
    pub fn subscribe_at(
        &mut self,
        shard: usize,
        host: HostId,
        source: ClientId,
        config: ReceiverConfig,
    ) -> Result<ClientId, SimError> {
        let node = self
            .clients
            .get(&source)
            .ok_or(SimError::NoClient(source))?;
        let (home, source_peer) = (node.shard, node.peer);
        let Media::Send(sender) = &node.client.media else {
            return Err(SimError::WrongKind(source));
        };
        let layers = sender.layers();
        let ups = sender.track_configs();
        let encodings = |kind| {
            let of_kind = ups
                .iter()
                .enumerate()
                .filter(move |(_, up)| up.kind == kind);
            of_kind.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let sources = [Kind::Audio, Kind::Video].map(|kind| (kind, encodings(kind)));
        let wanted = |kind| match kind {
            Kind::Audio => config.audio,
            Kind::Video => config.video,
        };
        let mut tracks = Vec::new();
        for (kind, encodings) in sources {
            let Some(at) = encodings.first().copied().filter(|_| wanted(kind)) else {
                continue;
            };
            let ssrc = self.random.next() as u32;
            let rtx = (config.rtx && kind == Kind::Video).then_some(Rtx {
                payload_type: VIDEO_TYPE + 1,
                // Its first number leaves room for as many as that of the media.
                ssrc: ssrc ^ 0x8000_0000,
            });
            let config = DownTrackConfig {
                mid: at.to_string(),
                encodings,
                publisher: 0,
                ssrc,
                red: None,
                rtx,
                // Sound that is sent again must be the same.
                transport_cc: config.transport_cc && !(config.nack && kind == Kind::Audio),
                payload_type: match kind {
                    Kind::Audio => AUDIO_TYPE,
                    Kind::Video => VIDEO_TYPE,
                },
            };
            tracks.push((kind, config));
        }
        let times = (self.start, self.now);
        let receiver = Receiver::new(times, UNIX, config, (source.0 as u64, layers), &tracks);
        let media = Media::Receive(Box::new(receiver));
        let from = Source {
            peer: source_peer,
            home,
        };
        self.receive_media((shard, host), from, media, tracks)
    }

    /// A browser of `host` begins to watch the stream of another. It gets what the server gives
    /// to one that asks for sound and pictures.
    ///
    /// # Errors
    /// When there is no such stream, or ICE refuses the client's settings.
    pub fn watch(
        &mut self,
        host: HostId,
        source: ClientId,
        config: ViewerConfig,
    ) -> Result<ClientId, SimError> {
        let node = self.clients.get(&source);
        let shard = node.ok_or(SimError::NoClient(source))?.shard;
        self.watch_at(shard, host, source, config)
    }

    /// The same at this shard, which may be another than the publisher's.
    ///
    /// # Errors
    /// When there is no such stream, or ICE refuses the client's settings.
    pub fn watch_at(
        &mut self,
        shard: usize,
        host: HostId,
        source: ClientId,
        config: ViewerConfig,
    ) -> Result<ClientId, SimError> {
        let node = self
            .clients
            .get(&source)
            .ok_or(SimError::NoClient(source))?;
        let (home, peer) = (node.shard, node.peer);
        let Media::Publish(publisher) = &node.client.media else {
            return Err(SimError::WrongKind(source));
        };
        let ups = publisher.track_configs();
        let mut tracks = Vec::new();
        for (kind, payload_type) in [(Kind::Audio, AUDIO_TYPE), (Kind::Video, VIDEO_TYPE)] {
            let of_kind = ups.iter().enumerate().filter(|(_, up)| up.kind == kind);
            // The offer has the highest first, the server wants the lowest first.
            let encodings: Vec<_> = of_kind.map(|(at, _)| at).rev().collect();
            if encodings.is_empty() {
                continue;
            }
            let ssrc = self.random.next() as u32;
            let rtx = (kind == Kind::Video).then_some(Rtx {
                payload_type: VIDEO_TYPE + 1,
                ssrc: ssrc ^ 0x8000_0000,
            });
            let config = DownTrackConfig {
                mid: tracks.len().to_string(),
                encodings,
                publisher: 0,
                ssrc,
                payload_type,
                red: config.red.filter(|_| kind == Kind::Audio),
                rtx,
                transport_cc: config.transport_cc && kind == Kind::Video,
            };
            tracks.push((kind, config));
        }
        let viewer = Viewer::new((self.start, self.now), config, &tracks);
        let media = Media::View(Box::new(viewer));
        let from = Source { peer, home };
        self.receive_media((shard, host), from, media, tracks)
    }

    fn receive_media(
        &mut self,
        (shard, host): (usize, HostId),
        source: Source,
        media: Media,
        tracks: Vec<(Kind, DownTrackConfig)>,
    ) -> Result<ClientId, SimError> {
        let id = self.next_client;
        let peer = Self::peer_of(id);
        let ours = self.credentials();
        let theirs = self.credentials();
        let address = self.new_address(host.0);
        let times = (self.start, self.now);
        let mut client = Client::new(
            times,
            &self.browser,
            Role::Answerer,
            &theirs,
            address,
            media,
        )?;
        let tracks: Vec<_> = tracks.into_iter().map(|(_, track)| track).collect();
        let server = self.server_address(shard);
        let offer = description(&self.server, &ours, Setup::Actpass, server);
        client.set_remote(self.now, offer)?;
        let answer = description(&self.browser, &theirs, Setup::Active, address);
        let client = self.add_client(NewClient {
            client,
            host: host.0,
            shard,
            peer,
            mapped: address,
            credentials: [ours.clone(), theirs],
            receives: Some(Subscription {
                tracks: tracks.clone(),
                answer: answer.clone(),
            }),
        });
        self.command(
            shard,
            Command::AddDown {
                peer,
                // Those of one host share its path.
                client: crate::shard::ClientId(host.0 as u64),
                source: source.peer,
                home: ShardId(source.home),
                role: Role::Offerer,
                local: ours,
            },
        );
        self.command(
            shard,
            Command::AcceptDown {
                peer,
                remote: answer,
                tracks,
            },
        );
        self.settle(client);
        Ok(client)
    }

    fn server_address(&self, shard: usize) -> SocketAddr {
        self.shards
            .get(shard)
            .map_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)), |node| node.address)
    }

    /// Lets a client do what it would do after a change from outside.
    fn settle(&mut self, client: ClientId) {
        let now = self.now;
        if let Some(node) = self.clients.get_mut(&client) {
            node.client.after(now, &mut self.outbox);
        }
        self.after_client(client);
    }

    /// A client's peer connection is closed by the server, and the client is gone.
    pub fn leave(&mut self, client: ClientId) {
        if let Some(node) = self.clients.get(&client) {
            let (shard, peer) = (node.shard, node.peer);
            self.command(shard, Command::Remove { peer });
            self.forget(client);
        }
    }

    /// A client vanishes without a word; its peer connection stays.
    pub fn vanish(&mut self, client: ClientId) -> Option<PeerId> {
        let peer = self.clients.get(&client).map(|node| node.peer);
        self.forget(client);
        peer
    }

    /// The server removes a client's peer connection, and the client does not know yet.
    pub fn remove(&mut self, client: ClientId) {
        if let Some(node) = self.clients.get(&client) {
            let (shard, peer) = (node.shard, node.peer);
            self.command(shard, Command::Remove { peer });
        }
    }

    /// The NAT before a client gives it another address: what is sent to the old one is lost.
    pub fn rebind(&mut self, client: ClientId) {
        let Some(host) = self.clients.get(&client).map(|node| node.host) else {
            return;
        };
        let address = self.new_address(host);
        if let Some(node) = self.clients.get_mut(&client) {
            self.addresses.remove(&node.mapped);
            node.mapped = address;
            self.addresses.insert(address, client);
        }
    }

    /// A client's ICE begins anew, with new credentials at both ends.
    ///
    /// # Errors
    /// When there is no such client, or ICE refuses.
    pub fn restart_ice(&mut self, client: ClientId) -> Result<(), SimError> {
        let ours = self.credentials();
        let theirs = self.credentials();
        let now = self.now;
        let node = self
            .clients
            .get(&client)
            .ok_or(SimError::NoClient(client))?;
        let (shard, peer, local) = (node.shard, node.peer, node.client.local());
        let server = self.server_address(shard);
        let subscription = node.receives.clone();
        let tracks = match &node.client.media {
            Media::Send(sender) => sender.track_configs(),
            Media::Publish(publisher) => publisher.track_configs(),
            Media::Receive(_) | Media::View(_) => Vec::new(),
        };
        let (theirs_setup, ours_setup) = if subscription.is_some() {
            (Setup::Active, Setup::Actpass)
        } else {
            (Setup::Actpass, Setup::Active)
        };
        let of_client = description(&self.browser, &theirs, theirs_setup, local);
        let of_server = description(&self.server, &ours, ours_setup, server);
        let credentials = [ours.clone(), theirs.clone()];
        match subscription {
            Some(Subscription { tracks, .. }) => {
                self.command(shard, Command::RestartDown { peer, local: ours });
                self.command(
                    shard,
                    Command::AcceptDown {
                        peer,
                        remote: of_client,
                        tracks,
                    },
                );
            }
            None => self.command(
                shard,
                Command::UpdateUp {
                    peer,
                    restart: Some((ours, of_client)),
                    tracks,
                },
            ),
        }
        if let Some(node) = self.clients.get_mut(&client) {
            node.credentials = credentials;
            if let Some(subscription) = &mut node.receives {
                subscription.answer.ice = theirs.clone();
            }
            node.client.endpoint.transport.stage_restart(theirs);
            node.client.set_remote(now, of_server)?;
        }
        self.settle(client);
        Ok(())
    }

    /// A receiver takes only these kinds of tracks from now on.
    ///
    /// # Errors
    /// When there is no such receiver.
    pub fn select(&mut self, client: ClientId, audio: bool, video: bool) -> Result<(), SimError> {
        let node = self
            .clients
            .get(&client)
            .ok_or(SimError::NoClient(client))?;
        let (shard, peer) = (node.shard, node.peer);
        let subscription = node.receives.clone().ok_or(SimError::WrongKind(client))?;
        let tracks = subscription
            .tracks
            .into_iter()
            .filter(|track| match track.payload_type {
                AUDIO_TYPE => audio,
                _ => video,
            })
            .collect();
        self.command(
            shard,
            Command::AcceptDown {
                peer,
                remote: subscription.answer,
                tracks,
            },
        );
        Ok(())
    }

    /// A receiver asks for a keyframe of each of its tracks.
    ///
    /// # Errors
    /// When there is no such receiver.
    pub fn request_keyframe(&mut self, client: ClientId) -> Result<(), SimError> {
        let now = self.now;
        let node = self
            .clients
            .get_mut(&client)
            .ok_or(SimError::NoClient(client))?;
        let Media::Receive(receiver) = &mut node.client.media else {
            return Err(SimError::WrongKind(client));
        };
        receiver.request_keyframe(now);
        self.settle(client);
        Ok(())
    }

    fn sender(&mut self, client: ClientId) -> Result<(&mut Client, usize), SimError> {
        let node = self
            .clients
            .get_mut(&client)
            .ok_or(SimError::NoClient(client))?;
        match node.client.media {
            Media::Send(_) => Ok((&mut node.client, node.shard)),
            _ => Err(SimError::WrongKind(client)),
        }
    }

    /// A publisher goes on under other SSRCs.
    ///
    /// # Errors
    /// When there is no such publisher.
    pub fn change_ssrcs(&mut self, client: ClientId) -> Result<(), SimError> {
        if let Media::Send(sender) = &mut self.sender(client)?.0.media {
            sender.change_ssrcs();
        }
        Ok(())
    }

    /// A publisher sends no packets, or does again.
    ///
    /// # Errors
    /// When there is no such publisher.
    pub fn pause(&mut self, client: ClientId, paused: bool) -> Result<(), SimError> {
        let now = self.now;
        if let Media::Send(sender) = &mut self.sender(client)?.0.media {
            sender.pause(now, paused);
        }
        self.settle(client);
        Ok(())
    }

    /// From now on a publisher's sound has this level (RFC 6464), which its receivers do not
    /// expect; `None` for that which they do.
    ///
    /// # Errors
    /// When there is no such publisher.
    pub fn set_level(&mut self, client: ClientId, level: Option<u8>) -> Result<(), SimError> {
        if let Media::Send(sender) = &mut self.sender(client)?.0.media {
            sender.level = level;
        }
        Ok(())
    }

    /// As the shard knows a client.
    pub fn peer(&self, client: ClientId) -> Option<PeerId> {
        self.clients.get(&client).map(|node| node.peer)
    }

    /// The SSRCs that a receiver's tracks are sent with, sound first.
    pub fn ssrcs(&self, client: ClientId) -> Vec<u32> {
        let subscription = self
            .clients
            .get(&client)
            .and_then(|node| node.receives.as_ref());
        let tracks = subscription.map_or(&[][..], |subscription| &subscription.tracks);
        tracks.iter().map(|track| track.ssrc).collect()
    }

    /// A packet of a publisher, protected with its keys and under its next number, but not sent.
    /// `change` may change its header of 20 bytes and the payload behind it before that.
    ///
    /// # Errors
    /// When there is no such publisher, or it has no keys yet.
    pub fn craft(
        &mut self,
        client: ClientId,
        track: usize,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<u8>, SimError> {
        let now = self.now;
        let (
            Client {
                endpoint, media, ..
            },
            _,
        ) = self.sender(client)?;
        let Media::Send(sender) = media else {
            return Err(SimError::WrongKind(client));
        };
        sender
            .craft(now, endpoint, track, change)
            .ok_or(SimError::WrongKind(client))
    }

    /// An RTCP compound, protected with a client's keys, but not sent.
    ///
    /// # Errors
    /// When there is no such client, or it has no keys yet.
    pub fn craft_rtcp(&mut self, client: ClientId, compound: &[u8]) -> Result<Vec<u8>, SimError> {
        let node = self
            .clients
            .get_mut(&client)
            .ok_or(SimError::NoClient(client))?;
        let mut outbox = Vec::new();
        node.client
            .endpoint
            .send_rtcp(compound.to_vec(), compound.len(), &mut outbox);
        let made = outbox.pop().map(|(_, data)| data);
        made.ok_or(SimError::WrongKind(client))
    }
}
