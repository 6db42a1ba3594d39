//! Clients that publish, and what is asked of them.

use super::description;
use crate::shard::{Command, PeerId, UpTrackConfig, Wanted};
use crate::sim::client::{Client, Media};
use crate::sim::conference::{Publisher, PublisherConfig};
use crate::sim::random::Random;
use crate::sim::sender::{Sender, SenderConfig};
use crate::sim::world::{ClientId, HostId, NewClient, SimError, UNIX, World};
use crate::transport::description::Setup;
use crate::transport::peer::Role;

impl World {
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

    /// A publisher of several encodings sends the largest alone, or all again, without a word.
    pub fn send_alone(&mut self, client: ClientId, alone: bool) {
        if let Some(node) = self.clients.get_mut(&client)
            && let Media::Publish(publisher) = &mut node.client.media
        {
            publisher.send_alone(alone);
        }
    }

    /// A publisher is told what is watched.
    pub(in crate::sim) fn tell_wanted(&mut self, peer: PeerId, wanted: &Wanted) {
        let mut clients = self.clients.values_mut();
        if let Some(node) = clients.find(|node| node.peer == peer)
            && let Media::Publish(publisher) = &mut node.client.media
        {
            publisher.heed(wanted);
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
}
