//! The ICE agent of one peer connection (RFC 8445, trickle by RFC 8838).

use super::Path;
use super::demux::stun_route;
use super::description::IceCredentials;
use super::identity::Identity;
use super::stun;
use bytes::BytesMut;
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::agent::{Agent, Event};
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{CandidateConfig, CandidateType, unmarshal_candidate};
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::network_type::NetworkType;
use rtc_ice::state::ConnectionState;
use rtc_shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use sansio::Protocol;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More candidates than a real browser has; each costs checks.
const MAX_REMOTE_CANDIDATES: usize = 32;
/// Requests whose answers tell the round-trip time.
const MAX_REQUESTS: usize = 16;
/// Addresses that the other end may be seen at, candidates included.
const MAX_ADDRESSES: usize = 64;
/// Consent freshness (RFC 7675): a request at least every 5 s.
const KEEPALIVE: Duration = Duration::from_secs(4);
const DISCONNECTED: Duration = Duration::from_secs(6);
const FAILED: Duration = Duration::from_secs(10);
/// Between two rounds of checks, when nothing is heard of the other end.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Between two rounds of checks at the least.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Checks of a pair that stay unanswered before it is given up.
const MAX_CHECKS: u16 = 20;
/// How often an agent that has its pair is asked whether that is still so.
const CONNECTED_TICK: Duration = Duration::from_secs(2);

/// Why the agent refused something.
#[derive(Debug, thiserror::Error)]
pub enum IceError {
    /// The candidate cannot be read or used.
    #[error("bad candidate: {0}")]
    Candidate(String),
    /// The library refused.
    #[error("ICE: {0}")]
    Agent(String),
}

/// What the agent has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IceEvent {
    /// Send here from now on.
    Selected(Path),
    /// No pair works any more.
    Failed,
}

/// One agent.
pub(super) struct Ice {
    agent: Agent,
    controlling: bool,
    connected: bool,
    started: bool,
    next_tick: Option<Instant>,
    /// When the agent last had a chance to send checks.
    last_contact: Instant,
    remote_candidates: usize,
    local: IceCredentials,
    remote: Option<IceCredentials>,
    /// The last requests that were sent, and when.
    requests: VecDeque<([u8; 12], Instant)>,
    rtt: Option<Duration>,
}

impl Ice {
    /// An agent that is reached at `locals`.
    ///
    /// # Errors
    /// When the library refuses the credentials or an address.
    pub(super) fn new(
        now: Instant,
        identity: &Identity,
        credentials: &IceCredentials,
        controlling: bool,
        locals: &[SocketAddr],
    ) -> Result<Self, IceError> {
        let config = AgentConfig {
            local_ufrag: credentials.ufrag.clone(),
            local_pwd: credentials.pwd.clone(),
            multicast_dns_mode: MulticastDnsMode::Disabled,
            multicast_dns_local_name: "perikon.local".to_owned(),
            disconnected_timeout: Some(DISCONNECTED),
            failed_timeout: Some(FAILED),
            keepalive_interval: Some(KEEPALIVE),
            // What it may do; `Self::tick` says what it is asked to do.
            check_interval: SHORTEST_INTERVAL,
            max_binding_requests: Some(MAX_CHECKS),
            candidate_types: vec![CandidateType::Host],
            network_types: vec![NetworkType::Udp4, NetworkType::Udp6],
            is_controlling: controlling,
            // Ours are all host candidates; the other end's need no head start over each other.
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            srflx_acceptance_min_wait: Some(Duration::from_millis(100)),
            relay_acceptance_min_wait: Some(Duration::from_millis(500)),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), Arc::clone(&identity.provider))
            .map_err(|error| IceError::Agent(error.to_string()))?;
        let mut ice = Self {
            agent,
            controlling,
            connected: false,
            started: false,
            next_tick: None,
            last_contact: now,
            remote_candidates: 0,
            local: credentials.clone(),
            remote: None,
            requests: VecDeque::with_capacity(MAX_REQUESTS),
            rtt: None,
        };
        ice.add_locals(locals)?;
        Ok(ice)
    }

    fn add_locals(&mut self, locals: &[SocketAddr]) -> Result<(), IceError> {
        for (index, local) in locals.iter().enumerate() {
            let config = CandidateHostConfig {
                base_config: CandidateConfig {
                    network: "udp".to_owned(),
                    address: local.ip().to_string(),
                    port: local.port(),
                    component: 1,
                    // Given so that no random id is drawn.
                    candidate_id: format!("candidate:{index}"),
                    ..CandidateConfig::default()
                },
                ..CandidateHostConfig::default()
            };
            config
                .new_candidate_host()
                .and_then(|candidate| self.agent.add_local_candidate(candidate))
                .map_err(|error| IceError::Agent(error.to_string()))?;
        }
        Ok(())
    }

    /// Begins the checks against the other end's credentials.
    ///
    /// # Errors
    /// When the library refuses the credentials.
    pub(super) fn start(
        &mut self,
        now: Instant,
        remote: &IceCredentials,
        lite: bool,
    ) -> Result<(), IceError> {
        self.started = true;
        self.next_tick = Some(now);
        self.remote = Some(remote.clone());
        self.agent
            .start_connectivity_checks(
                now,
                self.controlling || lite,
                remote.ufrag.clone(),
                remote.pwd.clone(),
            )
            .map_err(|error| IceError::Agent(error.to_string()))
    }

    /// Forgets the old session; [`Self::start`] begins the new one.
    ///
    /// # Errors
    /// When the library refuses the credentials.
    pub(super) fn restart(
        &mut self,
        now: Instant,
        credentials: &IceCredentials,
        locals: &[SocketAddr],
    ) -> Result<(), IceError> {
        self.connected = false;
        self.started = false;
        self.remote_candidates = 0;
        self.local = credentials.clone();
        self.remote = None;
        self.agent
            .restart(
                now,
                credentials.ufrag.clone(),
                credentials.pwd.clone(),
                false,
            )
            .map_err(|error| IceError::Agent(error.to_string()))?;
        self.add_locals(locals)
    }

    /// Adds a candidate of the other end, as SDP writes it (`candidate:…`).
    ///
    /// # Errors
    /// When it cannot be read, or there are too many. Candidates that cannot be used (TCP,
    /// mDNS names) are no error.
    pub(super) fn add_remote_candidate(&mut self, text: &str) -> Result<(), IceError> {
        let text = text.trim().trim_start_matches("candidate:");
        if text.is_empty() {
            // The end of the candidates (RFC 8838, section 13).
            return Ok(());
        }
        let candidate =
            unmarshal_candidate(text).map_err(|error| IceError::Candidate(error.to_string()))?;
        if candidate.network_type().is_tcp() || candidate.address().ends_with(".local") {
            return Ok(());
        }
        if self.remote_candidates >= MAX_REMOTE_CANDIDATES {
            return Err(IceError::Candidate("too many".to_owned()));
        }
        self.remote_candidates += 1;
        self.agent
            .add_remote_candidate(candidate)
            .map_err(|error| IceError::Candidate(error.to_string()))?;
        if self.started && !self.connected {
            self.next_tick = self.tick(false);
        }
        Ok(())
    }

    /// Takes a STUN message. True if it was authentic.
    pub(super) fn handle_stun(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        // The library acts on some of what a message says (a conflict of roles) before it looks
        // whether it is authentic, and takes whatever comes from the port of mDNS for true.
        if !self.knows_password(data) || !self.has_room_for(from) {
            return false;
        }
        let message = TaggedBytesMut {
            now,
            transport: context(local, from),
            message: BytesMut::from(data),
        };
        let authentic = self.agent.handle_read(message).is_ok();
        if authentic {
            self.measure(now, data);
        }
        if !self.connected && self.started {
            // A message may be the answer that makes a pair fit to be nominated, or a check that
            // calls for one in return (RFC 8445, section 7.3.1.4); the controlling agent of the
            // library leaves both to its next round.
            self.next_tick = self.tick(authentic && self.controlling);
        }
        authentic
    }

    /// When an agent without a pair is to be asked again: at once when it wants to, `soon` when
    /// something new is known, else at the next round of checks.
    fn tick(&mut self, soon: bool) -> Option<Instant> {
        let at = self.agent.poll_timeout()?;
        let wanted = at <= self.last_contact;
        if wanted || soon {
            return Some(at);
        }
        let round = at.max(self.last_contact + CHECK_INTERVAL);
        // An earlier one may have been asked for before.
        Some(self.next_tick.map_or(round, |next| next.min(round)))
    }

    /// Learns the round-trip time from an answer.
    fn measure(&mut self, now: Instant, data: &[u8]) {
        let Some(route) = stun_route(data).filter(|route| !route.request) else {
            return;
        };
        let sent = self
            .requests
            .iter()
            .find(|(transaction, _)| *transaction == route.transaction);
        if let Some((_, sent)) = sent {
            let measured = now.saturating_duration_since(*sent);
            self.rtt = Some(
                self.rtt
                    .map_or(measured, |rtt| (rtt * 3 + measured).div_f64(4.0)),
            );
        }
    }

    /// The round-trip time to the other end, smoothed, once a check was answered.
    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Whether a request proves to know our password, or an answer the other end's.
    fn knows_password(&self, data: &[u8]) -> bool {
        let (Some(route), Some(remote)) = (stun_route(data), &self.remote) else {
            return false;
        };
        let password = if route.request {
            &self.local.pwd
        } else {
            &remote.pwd
        };
        stun::is_authentic(data, password)
    }

    /// An address that is new makes a candidate, of which there is no end.
    fn has_room_for(&self, from: SocketAddr) -> bool {
        let known = self.agent.get_remote_candidates();
        known.len() < MAX_ADDRESSES || known.iter().any(|candidate| candidate.addr() == from)
    }

    /// Sends checks that are due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_tick.is_none_or(|at| at > now) {
            return;
        }
        if let Err(error) = self.agent.handle_timeout(now) {
            tracing::debug!(%error, "ICE timeout");
        }
        // The library would be asked five times a second even when all it has to do is to keep
        // a pair alive.
        self.last_contact = now;
        self.next_tick = None;
        self.next_tick = if self.connected {
            Some(now + CONNECTED_TICK)
        } else {
            self.tick(false).map(|at| at.max(now + SHORTEST_INTERVAL))
        };
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next_tick
    }

    /// The next check or answer to send: from which local address, to which remote one.
    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, SocketAddr, BytesMut)> {
        let message = self.agent.poll_write()?;
        if let Some(route) = stun_route(&message.message).filter(|route| route.request) {
            if self.requests.len() == MAX_REQUESTS {
                self.requests.pop_front();
            }
            self.requests.push_back((route.transaction, message.now));
        }
        Some((
            message.transport.local_addr,
            message.transport.peer_addr,
            message.message,
        ))
    }

    /// What happened.
    pub(super) fn poll_event(&mut self, locals: &[SocketAddr]) -> Option<IceEvent> {
        while let Some(event) = self.agent.poll_event() {
            match event.event {
                Event::SelectedCandidatePairChange(local, remote) => {
                    let local_addr = local.addr();
                    let Some(index) = locals.iter().position(|addr| *addr == local_addr) else {
                        continue;
                    };
                    self.connected = true;
                    return Some(IceEvent::Selected(Path {
                        local: index as u8,
                        remote: remote.addr(),
                    }));
                }
                Event::ConnectionStateChange(ConnectionState::Failed) => {
                    self.connected = false;
                    self.next_tick = None;
                    return Some(IceEvent::Failed);
                }
                _ => {}
            }
        }
        None
    }
}

fn context(local_addr: SocketAddr, peer_addr: SocketAddr) -> TransportContext {
    TransportContext {
        local_addr,
        peer_addr,
        transport_protocol: TransportProtocol::UDP,
        ecn: None,
    }
}

#[cfg(test)]
mod tests;
