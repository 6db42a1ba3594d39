//! The transport of a simulated client, and what carries media over it.

use super::conference::{Publisher, Viewer};
use super::receiver::Receiver;
use super::report::ClientReport;
use super::sender::Sender;
use super::world::SimError;
use crate::media::Kind;
use crate::media::feedback::{Compound, SenderInfo};
use crate::transport::Path;
use crate::transport::demux::{Protocol, demux};
use crate::transport::description::{IceCredentials, RemoteTransport};
use crate::transport::identity::Identity;
use crate::transport::peer::{Role, Transport, TransportEvent};
use crate::transport::srtp::RTCP_OVERHEAD;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Datagrams on their way out: where to, and what.
pub(super) type Outbox = Vec<(SocketAddr, Vec<u8>)>;

/// Who reports on what it receives of this kind: a constant of Chromium's for each, where it sends
/// nothing itself.
pub(super) fn reporter(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => 0xfa17_fa17,
        Kind::Video => 1,
    }
}

/// A transport with one local address.
pub(super) struct Endpoint {
    identity: Identity,
    pub(super) transport: Transport,
    local: [SocketAddr; 1],
    /// The index of the last RTCP from each SSRC: they count by themselves (RFC 3711, section
    /// 3.2.3), and in browsers all begin with 1.
    rtcp_indices: BTreeMap<u32, u32>,
}

impl Endpoint {
    fn send(&mut self, outbox: &mut Outbox) {
        while let Some(transmit) = self.transport.poll_transmit(&self.local) {
            outbox.push((transmit.path.remote, transmit.data.to_vec()));
        }
    }

    /// Sends a sender report of each track, from its own SSRC.
    pub(super) fn send_reports(
        &mut self,
        tracks: impl Iterator<Item = (u32, SenderInfo)>,
        outbox: &mut Outbox,
    ) {
        for (ssrc, info) in tracks {
            let mut buffer = vec![0; 100];
            let compound = Compound::with_sender_report(&mut buffer, ssrc, &info, &[]);
            if let Some(len) = compound.ok().map(|compound| compound.len()) {
                self.send_rtcp(buffer, len, outbox);
            }
        }
    }

    /// Protects and sends an RTCP compound that stands in `buffer[..len]`.
    pub(super) fn send_rtcp(&mut self, mut buffer: Vec<u8>, len: usize, outbox: &mut Outbox) {
        buffer.resize(len + RTCP_OVERHEAD, 0);
        let Some(path) = self.transport.path() else {
            return;
        };
        let Some(ssrc) = buffer.get(4..).and_then(|rest| rest.first_chunk()) else {
            return;
        };
        let index = self
            .rtcp_indices
            .entry(u32::from_be_bytes(*ssrc))
            .or_default();
        *index += 1;
        if let Some(sealer) = self.transport.sealer()
            && let Ok(len) = sealer.seal_rtcp_at(*index, &mut buffer, len)
        {
            buffer.truncate(len);
            outbox.push((path.remote, buffer));
        }
    }
}

/// What a client does with its transport.
pub(super) enum Media {
    Send(Box<Sender>),
    Receive(Box<Receiver>),
    /// As browsers do, and not as tests want it.
    Publish(Box<Publisher>),
    View(Box<Viewer>),
}

/// One peer connection of a simulated client.
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) media: Media,
    pub(super) report: ClientReport,
    start: Instant,
    connected: bool,
}

impl Client {
    pub(super) fn new(
        (start, now): (Instant, Instant),
        identity: &Identity,
        role: Role,
        ice: &IceCredentials,
        local: SocketAddr,
        media: Media,
    ) -> Result<Self, SimError> {
        let transport = Transport::new(now, identity, role, ice, &[local])?;
        Ok(Self {
            endpoint: Endpoint {
                identity: identity.clone(),
                transport,
                local: [local],
                rtcp_indices: BTreeMap::new(),
            },
            media,
            report: ClientReport::default(),
            start,
            connected: false,
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.endpoint.local[0]
    }

    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        remote: RemoteTransport,
    ) -> Result<(), SimError> {
        let Endpoint {
            identity,
            transport,
            local,
            ..
        } = &mut self.endpoint;
        transport.set_remote(now, identity, remote, local)?;
        Ok(())
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        data: &mut [u8],
        outbox: &mut Outbox,
    ) {
        let path = Path {
            local: 0,
            remote: from,
        };
        let Endpoint {
            identity,
            transport,
            local,
            ..
        } = &mut self.endpoint;
        match demux(data) {
            Some(Protocol::Stun) => {
                transport.handle_stun(now, identity, local, path, data);
            }
            Some(Protocol::Dtls) => {
                transport.handle_dtls(now, path, data);
            }
            Some(Protocol::Rtp) => self.handle_rtp(now, data),
            Some(Protocol::Rtcp) => self.handle_rtcp(now, data),
            None => self.report.stray += 1,
        }
        self.after(now, outbox);
    }

    fn handle_rtp(&mut self, now: Instant, data: &[u8]) {
        let Some(opener) = self.endpoint.transport.opener() else {
            self.report.before_keys += 1;
            return;
        };
        let taken = match &mut self.media {
            Media::Receive(receiver) => receiver.handle_rtp(now, data, opener),
            Media::View(viewer) => viewer.handle_rtp(now, data, opener),
            Media::Send(_) | Media::Publish(_) => false,
        };
        self.report.stray += u64::from(!taken);
    }

    fn handle_rtcp(&mut self, now: Instant, data: &mut [u8]) {
        let Some(opener) = self.endpoint.transport.opener() else {
            self.report.before_keys += 1;
            return;
        };
        let Ok(len) = opener.open_rtcp(data) else {
            self.report.bad_rtcp += 1;
            return;
        };
        let data = data.get(..len).unwrap_or_default();
        match &mut self.media {
            Media::Send(sender) => sender.handle_rtcp(now, data, &mut self.report),
            Media::Receive(receiver) => receiver.handle_rtcp(now, data, &mut self.report),
            Media::Publish(publisher) => publisher.handle_rtcp(now, data, &mut self.report),
            Media::View(viewer) => viewer.handle_rtcp(now, data, &mut self.report),
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, outbox: &mut Outbox) {
        let Endpoint {
            identity,
            transport,
            local,
            ..
        } = &mut self.endpoint;
        if transport.poll_timeout().is_some_and(|at| at <= now) {
            transport.handle_timeout(now, identity, local);
        }
        self.after(now, outbox);
    }

    /// Sends what the last step led to.
    pub(super) fn after(&mut self, now: Instant, outbox: &mut Outbox) {
        while let Some(event) = self.endpoint.transport.poll_event() {
            match event {
                TransportEvent::Connected => {
                    self.connected = true;
                    let since = now.saturating_duration_since(self.start);
                    self.report.connected.get_or_insert(since);
                }
                TransportEvent::Moved => self.report.moves += 1,
                TransportEvent::Failed(reason) => self.report.failures.push(reason),
                TransportEvent::Closed => self.report.closed = true,
            }
        }
        self.endpoint.send(outbox);
        if self.connected {
            match &mut self.media {
                Media::Send(sender) => {
                    sender.send(now, &mut self.endpoint, outbox, &mut self.report);
                }
                Media::Receive(receiver) => receiver.send(now, &mut self.endpoint, outbox),
                Media::Publish(publisher) => publisher.send(now, &mut self.endpoint, outbox),
                Media::View(viewer) => viewer.send(now, &mut self.endpoint, outbox),
            }
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let media = match &self.media {
            Media::Send(sender) => sender.poll_timeout(),
            Media::Receive(receiver) => receiver.poll_timeout(),
            Media::Publish(publisher) => publisher.poll_timeout(),
            Media::View(viewer) => viewer.poll_timeout(),
        };
        [
            self.endpoint.transport.poll_timeout(),
            media.filter(|_| self.connected),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What it saw until now.
    pub(super) fn report(&self) -> ClientReport {
        let mut report = self.report.clone();
        if let Media::Receive(receiver) = &self.media {
            report.tracks = receiver.reports();
        }
        report
    }
}

/// A time of the world, for reports.
pub(super) fn since(start: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(start)
}
