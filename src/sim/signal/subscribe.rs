//! Clients that receive, and what they ask for.

use super::description;
use crate::media::Kind;
use crate::shard::{Command, DownTrackConfig, PeerId, ShardId};
use crate::sim::client::{Client, Media};
use crate::sim::conference::{Viewer, ViewerConfig};
use crate::sim::receiver::{Receiver, ReceiverConfig};
use crate::sim::world::{ClientId, HostId, NewClient, SimError, UNIX, World};
use crate::transport::description::{RemoteTransport, Rtx, Setup};
use crate::transport::peer::Role;

/// Payload types of the server's offers.
const AUDIO_TYPE: u8 = 111;
const RED_TYPE: u8 = 63;
const VIDEO_TYPE: u8 = 96;

/// What a receiver agreed to.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Subscription {
    pub(in crate::sim) tracks: Vec<DownTrackConfig>,
    /// What its answer says of its transport.
    pub(in crate::sim) answer: RemoteTransport,
}

/// Whose stream it is, and on which shard.
#[derive(Clone, Copy)]
struct Source {
    peer: PeerId,
    home: usize,
}

impl World {
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
                red: (config.red && kind == Kind::Audio).then_some(RED_TYPE),
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

    /// The SSRCs that a receiver's tracks are sent with, sound first.
    pub fn ssrcs(&self, client: ClientId) -> Vec<u32> {
        let subscription = self
            .clients
            .get(&client)
            .and_then(|node| node.receives.as_ref());
        let tracks = subscription.map_or(&[][..], |subscription| &subscription.tracks);
        tracks.iter().map(|track| track.ssrc).collect()
    }
}
