//! One peer connection: ICE finds the path, DTLS agrees on keys, SRTP uses them.

use super::description::{IceCredentials, RemoteTransport, Setup};
use super::dtls::{Dtls, Keys, Outcome};
use super::ice::{Ice, IceError, IceEvent};
use super::identity::Identity;
use super::srtp::{Opener, Sealer};
use super::{Path, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// For so long after there are keys the other end may still ask for the last flight.
const DTLS_GRACE: Duration = Duration::from_secs(30);

/// Which end of the peer connection made the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This server: it is the controlling ICE end.
    Offerer,
    /// The other end.
    Answerer,
}

/// What a transport has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// Keys are there, and a path.
    Connected,
    /// The path changed.
    Moved,
    /// No way to the other end, or no keys.
    Failed(String),
    /// The other end said goodbye.
    Closed,
}

/// The transport of one peer connection.
pub struct Transport {
    ice: Ice,
    dtls: Option<Dtls>,
    /// When there were keys.
    keyed: Option<Instant>,
    sealer: Option<Sealer>,
    opener: Option<Opener>,
    role: Role,
    remote: Option<RemoteTransport>,
    /// New credentials that wait for the answer to their offer.
    staged: Option<IceCredentials>,
    path: Option<Path>,
    /// Where DTLS came from before ICE has chosen.
    early: Option<Path>,
    events: VecDeque<TransportEvent>,
}

impl Transport {
    /// A transport reached at `locals`, with the credentials of its own description.
    ///
    /// # Errors
    /// When the credentials are unfit for ICE.
    pub fn new(
        now: Instant,
        identity: &Identity,
        role: Role,
        local: &IceCredentials,
        locals: &[SocketAddr],
    ) -> Result<Self, IceError> {
        Ok(Self {
            ice: Ice::new(now, identity, local, role == Role::Offerer, locals)?,
            dtls: None,
            keyed: None,
            sealer: None,
            opener: None,
            role,
            remote: None,
            staged: None,
            path: None,
            early: None,
            events: VecDeque::new(),
        })
    }

    /// Takes the other end's description. The first begins ICE; a later one with other
    /// credentials restarts it (RFC 8445, section 9).
    ///
    /// # Errors
    /// When the credentials are unfit for ICE. Unreadable candidates are counted in the result.
    pub fn set_remote(
        &mut self,
        now: Instant,
        identity: &Identity,
        remote: RemoteTransport,
        locals: &[SocketAddr],
    ) -> Result<usize, IceError> {
        let begins = match &self.remote {
            None => true,
            Some(old) => old.ice != remote.ice,
        };
        if begins {
            if let Some(credentials) = self.staged.take() {
                self.ice.restart(now, &credentials, locals)?;
            }
            self.ice.start(now, &remote.ice, remote.lite)?;
        }
        if self.dtls.is_none() && self.keyed.is_none() && !self.begins_dtls(&remote) {
            self.dtls = Some(Dtls::server(identity, remote.fingerprint.clone()));
        }
        let mut bad = 0;
        for candidate in &remote.candidates {
            bad += usize::from(self.ice.add_remote_candidate(candidate).is_err());
        }
        self.remote = Some(remote);
        Ok(bad)
    }

    /// New local credentials, which take effect with the other end's next description.
    pub fn stage_restart(&mut self, local: IceCredentials) {
        self.staged = Some(local);
    }

    /// Whether this end sends the ClientHello (RFC 8842): the answerer does, unless the offerer
    /// claimed it; the offerer only when the answer is passive.
    fn begins_dtls(&self, remote: &RemoteTransport) -> bool {
        match self.role {
            Role::Answerer => remote.setup != Setup::Active,
            Role::Offerer => remote.setup == Setup::Passive,
        }
    }

    /// Adds a trickled candidate.
    ///
    /// # Errors
    /// See [`Ice::add_remote_candidate`].
    pub fn add_candidate(&mut self, candidate: &str) -> Result<(), IceError> {
        self.ice.add_remote_candidate(candidate)
    }

    /// Takes a STUN message; true if it was authentic.
    pub fn handle_stun(
        &mut self,
        now: Instant,
        identity: &Identity,
        locals: &[SocketAddr],
        path: Path,
        data: &[u8],
    ) -> bool {
        let Some(local) = locals.get(usize::from(path.local)) else {
            return false;
        };
        let authentic = self.ice.handle_stun(now, *local, path.remote, data);
        self.after_ice(now, identity, locals);
        authentic
    }

    /// Takes a DTLS datagram that came from an address that ICE has authenticated; false if some
    /// of it is no DTLS, or comes when none is expected.
    pub fn handle_dtls(&mut self, now: Instant, path: Path, data: &[u8]) -> bool {
        let Some(dtls) = &mut self.dtls else {
            return self.keyed.is_some();
        };
        self.early = Some(path);
        match dtls.handle_datagram(now, data) {
            Ok(Outcome::Progress) => {}
            Ok(Outcome::Malformed) => return false,
            Ok(Outcome::Keys(keys)) => {
                let Keys { sealer, opener } = *keys;
                self.sealer = Some(sealer);
                self.opener = Some(opener);
                self.keyed = Some(now);
                if self.path.is_some() {
                    self.events.push_back(TransportEvent::Connected);
                }
            }
            Ok(Outcome::Closed) => self.events.push_back(TransportEvent::Closed),
            Err(error) => self
                .events
                .push_back(TransportEvent::Failed(error.to_string())),
        }
        true
    }

    fn after_ice(&mut self, now: Instant, identity: &Identity, locals: &[SocketAddr]) {
        while let Some(event) = self.ice.poll_event(locals) {
            match event {
                IceEvent::Selected(path) => {
                    let first = self.path.is_none();
                    if self.path == Some(path) {
                        continue;
                    }
                    self.path = Some(path);
                    if self.sealer.is_some() {
                        let event = if first {
                            TransportEvent::Connected
                        } else {
                            TransportEvent::Moved
                        };
                        self.events.push_back(event);
                    }
                    self.begin_dtls(now, identity);
                }
                IceEvent::Failed => {
                    self.events
                        .push_back(TransportEvent::Failed("ICE found no path".to_owned()));
                }
            }
        }
    }

    fn begin_dtls(&mut self, now: Instant, identity: &Identity) {
        if self.dtls.is_some() || self.keyed.is_some() {
            return;
        }
        let Some(remote) = &self.remote else { return };
        if !self.begins_dtls(remote) {
            return;
        }
        match Dtls::client(identity, remote.fingerprint.clone(), now) {
            Ok(dtls) => self.dtls = Some(dtls),
            Err(error) => self
                .events
                .push_back(TransportEvent::Failed(error.to_string())),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, identity: &Identity, locals: &[SocketAddr]) {
        self.ice.handle_timeout(now);
        self.after_ice(now, identity, locals);
        if self.role == Role::Offerer && self.keyed.is_some_and(|at| now >= at + DTLS_GRACE) {
            // A meeting has many more receivers than publishers, signalling says when they go,
            // and an association keeps as much memory as all the rest of its transport.
            self.dtls = None;
        }
        if let Some(dtls) = &mut self.dtls
            && let Err(error) = dtls.handle_timeout(now, self.ice.rtt())
        {
            self.dtls = None;
            self.events
                .push_back(TransportEvent::Failed(error.to_string()));
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rtt = self.ice.rtt();
        let dtls = self.dtls.as_ref().and_then(|dtls| dtls.poll_timeout(rtt));
        [self.ice.poll_timeout(), dtls].into_iter().flatten().min()
    }

    /// The next datagram of ICE or DTLS to send.
    pub fn poll_transmit(&mut self, locals: &[SocketAddr]) -> Option<Transmit> {
        while let Some((local, remote, data)) = self.ice.poll_transmit() {
            if let Some(index) = locals.iter().position(|addr| *addr == local) {
                return Some(Transmit {
                    path: Path {
                        local: index as u8,
                        remote,
                    },
                    data,
                });
            }
        }
        let path = self.path.or(self.early)?;
        let data = self.dtls.as_mut()?.poll_transmit()?;
        Some(Transmit { path, data })
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    /// The round-trip time that ICE has measured, smoothed.
    pub fn rtt(&self) -> Option<Duration> {
        self.ice.rtt()
    }

    /// Where media goes.
    pub fn path(&self) -> Option<Path> {
        self.path
    }

    /// There is a path, and there are keys: what ICE still does can wait a little.
    pub fn is_established(&self) -> bool {
        self.path.is_some() && self.sealer.is_some()
    }

    /// For media to send, once there are keys.
    pub fn sealer(&mut self) -> Option<&mut Sealer> {
        self.sealer.as_mut()
    }

    /// For received media, once there are keys.
    pub fn opener(&mut self) -> Option<&mut Opener> {
        self.opener.as_mut()
    }

    /// Says goodbye to the other end, if there still is an association to say it by.
    pub fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
    }
}
