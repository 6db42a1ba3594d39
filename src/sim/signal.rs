//! What the clients and the server tell each other outside of the media path. It takes no time.

mod publish;
mod subscribe;

pub(super) use subscribe::Subscription;

use super::client::Media;
use super::world::{ClientId, SimError, World};
use crate::shard::{Command, PeerId};
use crate::transport::description::{IceCredentials, RemoteTransport, Setup};
use crate::transport::identity::Identity;
use std::net::SocketAddr;

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

    /// As the shard knows a client.
    pub fn peer(&self, client: ClientId) -> Option<PeerId> {
        self.clients.get(&client).map(|node| node.peer)
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
