//! The two ends of one peer connection, joined in memory and in virtual time. Every call into
//! them is timed.

use super::clock::thread_cpu;
use super::{credentials, remote};
use perikon::transport::Path;
use perikon::transport::description::Setup;
use perikon::transport::identity::Identity;
use perikon::transport::peer::{Role, Transport, TransportEvent};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Rounds of virtual time until a pair must be connected.
const PATIENCE: usize = 1_000;

/// One call into a transport.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) what: &'static str,
    pub(crate) cpu: Duration,
}

/// One end.
pub(crate) struct End {
    pub(crate) transport: Transport,
    pub(crate) connected: bool,
    /// Every call so far.
    pub(crate) calls: Vec<Call>,
    identity: Identity,
    address: SocketAddr,
    other: SocketAddr,
}

impl End {
    fn timed<T>(&mut self, what: &'static str, call: impl FnOnce(&mut Self) -> T) -> T {
        let begin = thread_cpu();
        let result = call(self);
        let cpu = thread_cpu() - begin;
        self.calls.push(Call { what, cpu });
        result
    }

    /// CPU time of all calls.
    pub(crate) fn cpu(&self) -> Duration {
        self.calls.iter().map(|call| call.cpu).sum()
    }

    fn receive(&mut self, now: Instant, data: &[u8]) {
        let path = Path {
            local: 0,
            remote: self.other,
        };
        self.timed(kind(data), |end| match data[0] {
            0..=3 => {
                let locals = [end.address];
                end.transport
                    .handle_stun(now, &end.identity, &locals, path, data);
            }
            _ => {
                end.transport.handle_dtls(now, path, data);
            }
        });
    }

    fn timeout(&mut self, now: Instant) {
        if self.transport.poll_timeout().is_some_and(|at| at <= now) {
            self.timed("timeout", |end| {
                let locals = [end.address];
                end.transport.handle_timeout(now, &end.identity, &locals);
            });
        }
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected => self.connected = true,
                TransportEvent::Failed(reason) => panic!("{reason}"),
                TransportEvent::Moved | TransportEvent::Closed => {}
            }
        }
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        let transmit = self.timed("transmit", |end| {
            end.transport.poll_transmit(&[end.address])
        });
        transmit.map(|transmit| transmit.data.to_vec())
    }
}

/// What a datagram is: STUN, or the first handshake message of DTLS.
fn kind(data: &[u8]) -> &'static str {
    match (data[0], data.get(13)) {
        (0..=3, _) => "STUN",
        // Of epoch 1: encrypted.
        (22, _) if data[4] != 0 => "Finished",
        (22, Some(1)) => "ClientHello",
        (22, Some(2)) => "ServerHello",
        (22, Some(3)) => "HelloVerifyRequest",
        (22, Some(11)) => "Certificate",
        (22, Some(12)) => "ServerKeyExchange",
        (22, Some(13)) => "CertificateRequest",
        (22, Some(14)) => "ServerHelloDone",
        (22, Some(15)) => "CertificateVerify",
        (22, Some(16)) => "ClientKeyExchange",
        (20, _) => "ChangeCipherSpec",
        _ => "other DTLS",
    }
}

/// Both ends: the offerer, which waits for the ClientHello as this server does for those who
/// receive; and the answerer, which begins DTLS as this server does towards those who publish.
pub(crate) struct Pair {
    pub(crate) offerer: End,
    pub(crate) answerer: End,
    pub(crate) now: Instant,
    /// Datagrams that were sent.
    pub(crate) datagrams: u64,
}

impl Pair {
    /// Two ends that know nothing of each other.
    pub(crate) fn new(
        offerer: &Identity,
        answerer: &Identity,
        number: usize,
        now: Instant,
    ) -> Self {
        let addresses = ["192.0.2.1:4000", "192.0.2.2:5000"].map(|text| text.parse().unwrap());
        let end = |identity: &Identity, role, at: usize| {
            let ice = credentials(number, ["of", "an"][at]);
            let begin = thread_cpu();
            let transport = Transport::new(now, identity, role, &ice, &[addresses[at]]).unwrap();
            let cpu = thread_cpu() - begin;
            let mut calls = Vec::with_capacity(256);
            calls.push(Call { what: "new", cpu });
            End {
                transport,
                connected: false,
                calls,
                identity: identity.clone(),
                address: addresses[at],
                other: addresses[1 - at],
            }
        };
        Self {
            offerer: end(offerer, Role::Offerer, 0),
            answerer: end(answerer, Role::Answerer, 1),
            now,
            datagrams: 0,
        }
    }

    /// Hands the descriptions over.
    pub(crate) fn describe(&mut self, number: usize) {
        let now = self.now;
        let accept = |end: &mut End, description, other: SocketAddr| {
            end.timed("description", |end| {
                let locals = [end.address];
                end.transport
                    .set_remote(now, &end.identity, description, &locals)
                    .unwrap();
            });
            let candidate = format!(
                "candidate:1 1 udp 1 {} {} typ host",
                other.ip(),
                other.port()
            );
            end.timed("candidate", |end| end.transport.add_candidate(&candidate))
                .unwrap();
        };
        let (ours, theirs) = (credentials(number, "of"), credentials(number, "an"));
        let offer = remote(&self.offerer.identity, ours, Setup::Actpass);
        let answer = remote(&self.answerer.identity, theirs, Setup::Active);
        let (offerer, answerer) = (self.offerer.address, self.answerer.address);
        accept(&mut self.answerer, offer, offerer);
        accept(&mut self.offerer, answer, answerer);
    }

    /// Carries datagrams to and fro until nobody has one, at one instant.
    pub(crate) fn exchange(&mut self) {
        loop {
            let mut idle = true;
            while let Some(data) = self.offerer.transmit() {
                self.answerer.receive(self.now, &data);
                self.datagrams += 1;
                idle = false;
            }
            while let Some(data) = self.answerer.transmit() {
                self.offerer.receive(self.now, &data);
                self.datagrams += 1;
                idle = false;
            }
            if idle {
                return;
            }
        }
    }

    /// Goes on to the next instant at which either has something to do.
    pub(crate) fn advance(&mut self) {
        let next = [&self.offerer, &self.answerer]
            .into_iter()
            .filter_map(|end| end.transport.poll_timeout())
            .min();
        if let Some(next) = next {
            self.now = self.now.max(next);
        }
        self.offerer.timeout(self.now);
        self.answerer.timeout(self.now);
        self.exchange();
    }

    /// Until `is_so`.
    pub(crate) fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            if is_so(self) {
                return;
            }
            self.advance();
        }
        panic!("the ends do not connect");
    }

    /// CPU time of the longest call into either end.
    pub(crate) fn longest_call(&self) -> Duration {
        let calls = self.offerer.calls.iter().chain(&self.answerer.calls);
        calls.map(|call| call.cpu).max().unwrap_or_default()
    }

    /// Keys and a path at both ends.
    pub(crate) fn is_connected(&self) -> bool {
        self.offerer.transport.is_established() && self.answerer.transport.is_established()
    }
}
