//! One peer connection of the generator: its socket, its transport, and what it does.

use super::figures::Figures;
use super::publisher::Publisher;
use super::receiver::{Receiver, Taken};
use super::socket::{Burst, Sender, wall_clock};
use perikon::media::feedback::{NtpClock, Report, Reports};
use perikon::transport::Path;
use perikon::transport::demux::{Protocol, demux};
use perikon::transport::description::RemoteTransport;
use perikon::transport::identity::Identity;
use perikon::transport::peer::{Transport, TransportEvent};
use perikon::transport::srtp::RTCP_OVERHEAD;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EndpointId(pub(crate) u64);

/// What a media thread tells the client whose peer connection it is.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// There are a path and keys.
    Connected(EndpointId),
    /// The first media packet was decrypted.
    FirstMedia(EndpointId, Instant),
    /// There is no way to the server, or no keys.
    Failed(String),
}

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const MAX_DATAGRAM: usize = 1_500;

/// What all endpoints of a thread share.
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) clock: NtpClock,
    pub(crate) figures: Figures,
    pub(crate) burst: Burst,
    pub(crate) scratch: Box<[u8]>,
}

/// What an endpoint does.
pub(crate) enum Role {
    Publish(Publisher),
    Receive(Receiver),
}

/// One peer connection.
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    socket: UdpSocket,
    locals: [SocketAddr; 1],
    transport: Transport,
    pub(crate) role: Role,
    events: UnboundedSender<Event>,
    pub(crate) connected: bool,
    /// There is nothing to wait for any more.
    ended: bool,
    next_report: Option<Instant>,
    heard: bool,
}

impl Endpoint {
    pub(crate) fn new(
        id: EndpointId,
        socket: UdpSocket,
        local: SocketAddr,
        transport: Transport,
        role: Role,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            id,
            socket,
            locals: [local],
            transport,
            role,
            events,
            connected: false,
            ended: false,
            next_report: None,
            heard: false,
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// It still waits for a path, keys or media.
    pub(crate) fn is_connecting(&self) -> bool {
        !self.ended && !(self.connected && (self.heard || matches!(self.role, Role::Publish(_))))
    }

    pub(crate) fn set_remote(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        remote: RemoteTransport,
    ) {
        let set = self
            .transport
            .set_remote(now, &shared.identity, remote, &self.locals);
        if let Err(error) = set {
            self.fail(error.to_string());
        }
        self.after_transport(now);
    }

    pub(crate) fn add_candidate(&mut self, now: Instant, candidate: &str) {
        // What cannot be used is no loss: there are others.
        let _ = self.transport.add_candidate(candidate);
        self.after_transport(now);
    }

    /// Takes a datagram; true if nothing falls due by it.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        from: Sender<'_>,
        arrival: u64,
        data: &mut [u8],
        shared: &mut Shared,
    ) -> bool {
        match demux(data) {
            Some(Protocol::Rtp) => {
                self.handle_rtp(now, arrival, data, shared);
                return match &self.role {
                    Role::Receive(receiver) => receiver.nack_due().is_none(),
                    Role::Publish(_) => true,
                };
            }
            Some(Protocol::Rtcp) => self.handle_rtcp(now, data, shared),
            Some(Protocol::Stun) => {
                if let Some(remote) = from.address() {
                    let path = Path { local: 0, remote };
                    self.transport
                        .handle_stun(now, &shared.identity, &self.locals, path, data);
                    self.after_transport(now);
                }
            }
            Some(Protocol::Dtls) => {
                if let Some(remote) = from.address() {
                    let path = Path { local: 0, remote };
                    self.transport.handle_dtls(now, path, data);
                    self.after_transport(now);
                }
            }
            None => shared.figures.unknown += 1,
        }
        false
    }

    fn handle_rtp(&mut self, now: Instant, arrival: u64, data: &[u8], shared: &mut Shared) {
        let (Role::Receive(receiver), Some(opener)) = (&mut self.role, self.transport.opener())
        else {
            shared.figures.unknown += 1;
            return;
        };
        let taken = receiver.take(
            now,
            arrival,
            data,
            opener,
            &mut shared.figures,
            &mut shared.scratch,
        );
        if taken == Taken::First {
            self.heard = true;
            // A client that has gone needs no news.
            let _ = self.events.send(Event::FirstMedia(self.id, now));
        }
    }

    fn handle_rtcp(&mut self, now: Instant, data: &mut [u8], shared: &mut Shared) {
        let Some(Ok(len)) = self.transport.opener().map(|opener| opener.open_rtcp(data)) else {
            shared.figures.unknown += 1;
            return;
        };
        let fd = self.fd();
        let path = self.transport.path();
        for report in Reports::new(&data[..len]).flatten() {
            match (&mut self.role, report) {
                (Role::Receive(receiver), report) => receiver.reported(now, &report),
                (Role::Publish(publisher), Report::Pli { media_ssrc }) => {
                    shared.figures.keyframe_requests += 1;
                    publisher.keyframe_requested(media_ssrc);
                }
                (Role::Publish(publisher), Report::Fir { entries }) => {
                    for (ssrc, _) in entries {
                        shared.figures.keyframe_requests += 1;
                        publisher.keyframe_requested(ssrc);
                    }
                }
                (Role::Publish(publisher), Report::Nack { media_ssrc, lost }) => {
                    let Some(path) = path else { continue };
                    publisher.resend(
                        media_ssrc,
                        lost,
                        fd,
                        path.remote,
                        &mut shared.burst,
                        &mut shared.figures,
                    );
                }
                (Role::Publish(_), _) => {}
            }
        }
    }

    /// Sends what ICE and DTLS have to say, and takes their news.
    fn after_transport(&mut self, now: Instant) {
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected => {
                    self.connected = true;
                    self.next_report = Some(now + REPORT_INTERVAL);
                    if let Role::Receive(receiver) = &mut self.role {
                        receiver.connected(wall_clock());
                    }
                    let _ = self.events.send(Event::Connected(self.id));
                }
                TransportEvent::Moved => {}
                TransportEvent::Failed(reason) => self.fail(reason),
                TransportEvent::Closed => {
                    self.connected = false;
                    self.ended = true;
                }
            }
        }
        while let Some(transmit) = self.transport.poll_transmit(&self.locals) {
            // What is lost is sent again.
            let _ = self.socket.send_to(&transmit.data, transmit.path.remote);
        }
    }

    fn fail(&mut self, reason: String) {
        self.connected = false;
        self.ended = true;
        let _ = self.events.send(Event::Failed(reason));
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if self.transport.poll_timeout().is_some_and(|at| at <= now) {
            self.transport
                .handle_timeout(now, &shared.identity, &self.locals);
            self.after_transport(now);
        }
        if !self.connected {
            return;
        }
        let mut buffer = [0; MAX_DATAGRAM];
        let room = &mut buffer[..MAX_DATAGRAM - RTCP_OVERHEAD];
        if self.next_report.is_some_and(|at| at <= now) {
            self.next_report = Some(now + REPORT_INTERVAL);
            let written = match &mut self.role {
                Role::Publish(publisher) => publisher.report(now, &shared.clock, room),
                Role::Receive(receiver) => receiver.report(now, room),
            };
            self.send_rtcp(&mut buffer, written);
        }
        if let Role::Receive(receiver) = &mut self.role
            && receiver.nack_due().is_some_and(|at| at <= now)
        {
            let room = &mut buffer[..MAX_DATAGRAM - RTCP_OVERHEAD];
            let written = receiver.nack(now, room, &mut shared.figures);
            self.send_rtcp(&mut buffer, written);
        }
    }

    fn send_rtcp(&mut self, buffer: &mut [u8; MAX_DATAGRAM], written: Option<usize>) {
        let (Some(len), Some(path)) = (written, self.transport.path()) else {
            return;
        };
        let Some(sealer) = self.transport.sealer() else {
            return;
        };
        if let Ok(len) = sealer.seal_rtcp(buffer, len) {
            let _ = self.socket.send_to(&buffer[..len], path.remote);
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let nack = match &self.role {
            Role::Receive(receiver) => receiver.nack_due(),
            Role::Publish(_) => None,
        };
        [self.transport.poll_timeout(), self.next_report, nack]
            .into_iter()
            .flatten()
            .min()
    }

    /// Sends the media that is due. Returns when it is due again.
    pub(crate) fn publish(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
        let fd = self.fd();
        let path = self.transport.path();
        let (Role::Publish(publisher), Some(path), Some(sealer)) =
            (&mut self.role, path, self.transport.sealer())
        else {
            return None;
        };
        publisher.publish(
            now,
            fd,
            path.remote,
            sealer,
            &mut shared.burst,
            &mut shared.figures,
        );
        publisher.next()
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, now: Instant) {
        self.transport.close(now);
        self.after_transport(now);
    }
}
