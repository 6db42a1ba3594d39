//! What the benches share: the other end of a peer connection, and how CPU time is measured.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

pub(crate) mod allocator;
pub(crate) mod clock;
pub(crate) mod pair;

use perikon::media::feedback::NtpClock;
use perikon::media::{Codec, Kind};
use perikon::shard::{
    Batch, ClientId, Command, DownTrackConfig, Event, PeerId, Shard, ShardConfig, ShardId,
    UpTrackConfig,
};
use perikon::transport::Path;
use perikon::transport::description::{
    Extension, ExtensionIds, Feedback, IceCredentials, RemoteTransport, Setup,
};
use perikon::transport::identity::Identity;
use perikon::transport::peer::{Role, Transport, TransportEvent};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The payload type of the video that is forwarded.
pub(crate) const PAYLOAD_TYPE: u8 = 96;
/// The publisher's SSRC.
pub(crate) const SSRC: u32 = 0x1234_5678;

/// What stands behind the fixed header: abs-send-time, transport-cc, mid and the orientation, of
/// which receivers get the last.
const EXTENSIONS: [u8; 16] = [
    0xbe, 0xde, 0, 3, 0x22, 1, 2, 3, 0x31, 4, 5, 0x70, b'0', 0x40, 1, 0,
];

/// The ids that the publisher gives them.
fn extension_ids() -> ExtensionIds {
    let mut ids = [0; 16];
    for extension in Extension::ALL {
        ids[extension as usize] = extension.own_id();
    }
    ids
}

fn credentials(number: usize, side: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{side}{number:06}"),
        pwd: format!("{side}password{number:020}"),
    }
}

fn remote(identity: &Identity, ice: IceCredentials, setup: Setup) -> RemoteTransport {
    RemoteTransport {
        ice,
        fingerprint: identity.fingerprint().clone(),
        setup,
        lite: false,
        candidates: Vec::new(),
    }
}

/// The other end of one peer connection.
pub(crate) struct Endpoint {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) connected: bool,
}

/// A shard with one publisher and its receivers, connected in virtual time.
pub(crate) struct Fanout {
    pub(crate) shard: Shard,
    pub(crate) now: Instant,
    pub(crate) local: SocketAddr,
    pub(crate) publisher: Endpoint,
    pub(crate) receivers: Vec<Endpoint>,
    /// The publisher's packets carry header extensions, as a browser's do.
    pub(crate) extensions: bool,
    identity: Identity,
    by_address: HashMap<SocketAddr, usize>,
}

impl Fanout {
    /// Connects a publisher of one video track at `local` to receivers at `addresses`.
    pub(crate) fn connect(local: SocketAddr, addresses: &[SocketAddr]) -> Self {
        let identity = Identity::generate().unwrap();
        let now = Instant::now();
        let mut shard = Shard::new(ShardConfig {
            id: ShardId(0),
            identity: identity.clone(),
            locals: vec![local],
            clock: NtpClock::new(now, Duration::from_secs(1_700_000_000)),
            start: now,
            seed: 1,
        });
        let publisher_address = "127.0.0.1:9".parse().unwrap();
        let (ours, theirs) = (credentials(0, "up"), credentials(0, "pu"));
        let up = PeerId(1);
        let candidate = format!(
            "candidate:1 1 udp 1 {} {} typ host",
            local.ip(),
            local.port()
        );
        let mut publisher = endpoint(&identity, now, Role::Offerer, publisher_address, &theirs);
        shard.handle_command(
            now,
            Command::AddUp {
                peer: up,
                local: ours.clone(),
                remote: remote(&identity, theirs, Setup::Actpass),
                tracks: vec![UpTrackConfig {
                    mid: "0".to_owned(),
                    rid: None,
                    ssrc: Some(SSRC),
                    kind: Kind::Video,
                    codec: Codec::Vp8,
                    payload_type: PAYLOAD_TYPE,
                    extensions: extension_ids(),
                    red: None,
                    rtx: None,
                    feedback: Feedback {
                        nack: true,
                        pli: true,
                        ..Feedback::default()
                    },
                }],
            },
        );
        publisher.accept(
            &identity,
            now,
            remote(&identity, ours, Setup::Active),
            &candidate,
        );

        let mut fanout = Self {
            shard,
            now,
            local,
            publisher,
            receivers: Vec::new(),
            extensions: false,
            by_address: HashMap::new(),
            identity,
        };
        for (number, address) in addresses.iter().enumerate() {
            fanout.add_receiver(number, *address, up, &candidate);
        }
        fanout.run_until_connected();
        fanout
    }

    fn add_receiver(&mut self, number: usize, address: SocketAddr, up: PeerId, candidate: &str) {
        let (ours, theirs) = (credentials(number, "dn"), credentials(number, "nd"));
        let peer = PeerId(number as u64 + 2);
        let now = self.now;
        self.shard.handle_command(
            now,
            Command::AddDown {
                peer,
                client: ClientId(peer.0),
                source: up,
                home: ShardId(0),
                role: Role::Offerer,
                local: ours.clone(),
            },
        );
        let mut receiver = endpoint(&self.identity, now, Role::Answerer, address, &theirs);
        receiver.accept(
            &self.identity,
            now,
            remote(&self.identity, ours, Setup::Actpass),
            candidate,
        );
        self.shard.handle_command(
            now,
            Command::AcceptDown {
                peer,
                remote: remote(&self.identity, theirs, Setup::Active),
                tracks: vec![DownTrackConfig {
                    mid: "0".to_owned(),
                    encodings: vec![0],
                    publisher: 0,
                    ssrc: 0x0100_0000 + number as u32,
                    payload_type: PAYLOAD_TYPE,
                    red: None,
                    rtx: None,
                    transport_cc: false,
                }],
            },
        );
        self.by_address.insert(address, self.receivers.len());
        self.receivers.push(receiver);
    }

    fn run_until_connected(&mut self) {
        let mut batch = Batch::new();
        for _ in 0..2_000 {
            self.now += Duration::from_millis(10);
            self.shard.handle_timeout(self.now);
            let mut arrived = Vec::new();
            loop {
                let more = self.shard.poll_transmit(self.now, &mut batch);
                for (path, data) in batch.datagrams() {
                    arrived.push((path.remote, data.to_vec()));
                }
                batch.clear();
                if !more {
                    break;
                }
            }
            while let Some(event) = self.shard.poll_event() {
                if let Event::Failed { peer, reason } = event {
                    panic!("peer {peer:?} failed: {reason}");
                }
            }
            for (to, data) in arrived {
                let (identity, now, local) = (&self.identity, self.now, self.local);
                if to == self.publisher.address {
                    self.publisher.receive(identity, now, local, &data);
                } else if let Some(at) = self.by_address.get(&to) {
                    self.receivers[*at].receive(identity, now, local, &data);
                }
            }
            let mut all = true;
            for at in 0..=self.receivers.len() {
                let endpoint = if at == 0 {
                    &mut self.publisher
                } else {
                    &mut self.receivers[at - 1]
                };
                let from = endpoint.address;
                for mut data in endpoint.poll(&self.identity, self.now) {
                    let path = Path {
                        local: 0,
                        remote: from,
                    };
                    self.shard.handle_datagram(self.now, path, &mut data);
                    self.shard.handle_timeout(self.now);
                }
                let endpoint = if at == 0 {
                    &self.publisher
                } else {
                    &self.receivers[at - 1]
                };
                all &= endpoint.connected;
            }
            if all {
                return;
            }
        }
        panic!("not everyone connected");
    }

    /// Packets that the shard has taken from the publisher.
    pub(crate) fn received(&mut self) -> u64 {
        self.shard
            .handle_command(self.now, Command::Stats { token: 0 });
        while let Some(event) = self.shard.poll_event() {
            if let Event::Stats { stats, .. } = event {
                return stats.streams[0].tracks[0].packets;
            }
        }
        panic!("the shard tells no figures");
    }

    /// A sealed packet as the publisher sends it. The first of all must be a keyframe.
    pub(crate) fn packet(
        &mut self,
        index: u64,
        len: usize,
        keyframe: bool,
        marker: bool,
    ) -> Vec<u8> {
        let mut header = vec![0x80, PAYLOAD_TYPE | (u8::from(marker) << 7)];
        header.extend_from_slice(&(index as u16).to_be_bytes());
        header.extend_from_slice(&((index as u32) * 300).to_be_bytes());
        header.extend_from_slice(&SSRC.to_be_bytes());
        if self.extensions {
            header[0] |= 0x10;
            header.extend_from_slice(&EXTENSIONS);
        }
        let mut payload = vec![0xa5; len - header.len()];
        // VP8: start of partition 0; then a frame header with or without the key bit.
        payload[0] = 0x10;
        payload[1] = u8::from(!keyframe);
        if keyframe {
            payload[4..11].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
        }
        let mut out = vec![0; len + 16];
        out[..header.len()].copy_from_slice(&header);
        let sealer = self.publisher.transport.sealer().unwrap();
        let len = sealer
            .seal_rtp(SSRC, index, header.len(), &payload, &mut out)
            .unwrap();
        out.truncate(len);
        out
    }
}

fn endpoint(
    identity: &Identity,
    now: Instant,
    role: Role,
    address: SocketAddr,
    ice: &IceCredentials,
) -> Endpoint {
    let transport = Transport::new(now, identity, role, ice, &[address]).unwrap();
    Endpoint {
        transport,
        address,
        connected: false,
    }
}

impl Endpoint {
    fn accept(
        &mut self,
        identity: &Identity,
        now: Instant,
        remote: RemoteTransport,
        candidate: &str,
    ) {
        self.transport
            .set_remote(now, identity, remote, &[self.address])
            .unwrap();
        self.transport.add_candidate(candidate).unwrap();
    }

    fn receive(&mut self, identity: &Identity, now: Instant, from: SocketAddr, data: &[u8]) {
        let path = Path {
            local: 0,
            remote: from,
        };
        match data[0] {
            0..=3 => {
                self.transport
                    .handle_stun(now, identity, &[self.address], path, data);
            }
            20..=63 => {
                self.transport.handle_dtls(now, path, data);
            }
            _ => {}
        }
    }

    fn poll(&mut self, identity: &Identity, now: Instant) -> Vec<Vec<u8>> {
        self.transport
            .handle_timeout(now, identity, &[self.address]);
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected => self.connected = true,
                TransportEvent::Failed(reason) => panic!("{reason}"),
                _ => {}
            }
        }
        let mut out = Vec::new();
        while let Some(transmit) = self.transport.poll_transmit(&[self.address]) {
            out.push(transmit.data.to_vec());
        }
        out
    }
}
