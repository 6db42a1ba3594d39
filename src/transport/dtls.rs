//! The DTLS association of one peer connection, until it has given up its SRTP keys.

mod record;

use super::description::Fingerprint;
use super::identity::{FLIGHT_INTERVAL, Identity};
use super::srtp::{Keying, Opener, Profile, Sealer};
use record::{Sieve, Sifted};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The endpoint names associations by address, but ICE may move this one: it has a fixed name.
const OTHER_END: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(0, 0, 0, 1), 1));

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum DtlsError {
    /// The other end showed another certificate than its description promised.
    #[error("the certificate does not match the fingerprint")]
    Fingerprint,
    /// No SRTP profile was agreed on.
    #[error("no SRTP profile in common")]
    Profile,
    /// The handshake went wrong.
    #[error("DTLS: {0}")]
    Handshake(String),
}

/// The keys of both directions.
pub(super) struct Keys {
    /// For what is sent.
    pub(super) sealer: Sealer,
    /// For what is received.
    pub(super) opener: Opener,
}

/// The longest time between two repetitions of a flight.
const MAX_INTERVAL: Duration = Duration::from_secs(4);

/// What a datagram led to.
pub(super) enum Outcome {
    /// Nothing: some of it is no DTLS record.
    Malformed,
    /// Nothing that others need to know.
    Progress,
    /// The handshake is done.
    Keys(Box<Keys>),
    /// The other end said goodbye.
    Closed,
}

/// One association.
pub(super) struct Dtls {
    endpoint: Endpoint,
    is_client: bool,
    fingerprint: Fingerprint,
    sieve: Sieve,
    finished: bool,
    /// Repetitions of the current flight.
    repeats: u32,
}

impl Dtls {
    /// An association that waits for the other end to begin.
    pub(super) fn server(identity: &Identity, fingerprint: Fingerprint) -> Self {
        let config = Some(Arc::clone(&identity.server));
        let endpoint = Endpoint::new(OTHER_END, TransportProtocol::UDP, config);
        Self {
            endpoint,
            is_client: false,
            fingerprint,
            sieve: Sieve::default(),
            finished: false,
            repeats: 0,
        }
    }

    /// An association that begins now.
    ///
    /// # Errors
    /// When the first flight cannot be made.
    pub(super) fn client(
        identity: &Identity,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Result<Self, DtlsError> {
        let mut endpoint = Endpoint::new(OTHER_END, TransportProtocol::UDP, None);
        endpoint
            .connect(now, OTHER_END, Arc::clone(&identity.client), None)
            .map_err(|error| DtlsError::Handshake(error.to_string()))?;
        Ok(Self {
            endpoint,
            is_client: true,
            fingerprint,
            sieve: Sieve::default(),
            finished: false,
            repeats: 0,
        })
    }

    /// Takes one datagram.
    ///
    /// # Errors
    /// When the handshake failed for good, or the certificate is not the promised one. Damaged
    /// or foreign records are no error.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        data: &[u8],
    ) -> Result<Outcome, DtlsError> {
        let Sifted { fresh, malformed } = self.sieve.sift(data, self.finished);
        let mut outcome = if malformed {
            Outcome::Malformed
        } else {
            Outcome::Progress
        };
        if fresh.is_empty() {
            return Ok(outcome);
        }
        self.repeats = 0;
        let events = match self
            .endpoint
            .read(now, OTHER_END, None, fresh.as_slice().into())
        {
            Ok(events) => events,
            Err(error) => {
                // A forged record must not end the association: only what DTLS itself declares
                // fatal does.
                tracing::debug!(%error, "DTLS record");
                return if matches!(error, rtc_shared::error::Error::ErrAlertFatalOrClose) {
                    Err(DtlsError::Handshake(error.to_string()))
                } else {
                    Ok(outcome)
                };
            }
        };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.finished = true;
                    outcome = Outcome::Keys(self.keys()?);
                }
                EndpointEvent::PeerClosed => return Ok(Outcome::Closed),
                // There is no data channel: nothing to read.
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn keys(&self) -> Result<Box<Keys>, DtlsError> {
        let failed = |error: &dyn std::fmt::Display| DtlsError::Handshake(error.to_string());
        let state = self
            .endpoint
            .get_connection_state(OTHER_END)
            .ok_or_else(|| failed(&"the association is gone"))?;
        let certificate = state
            .peer_certificates
            .first()
            .ok_or(DtlsError::Fingerprint)?;
        if !self.fingerprint.matches(certificate) {
            return Err(DtlsError::Fingerprint);
        }
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::Gcm128,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Profile::Gcm256,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Cm128Sha1_80,
            _ => return Err(DtlsError::Profile),
        };
        let material = state
            .export_keying_material("EXTRACTOR-dtls_srtp", &[], profile.keying_material_len())
            .map_err(|error| failed(&error))?;
        let (client, server) =
            Keying::split(profile, material.as_ref()).map_err(|error| failed(&error))?;
        let (ours, theirs) = if self.is_client {
            (client, server)
        } else {
            (server, client)
        };
        Ok(Box::new(Keys {
            sealer: Sealer::new(&ours).map_err(|error| failed(&error))?,
            opener: Opener::new(&theirs).map_err(|error| failed(&error))?,
        }))
    }

    /// Sends a flight again when its time has come.
    ///
    /// # Errors
    /// When it was sent often enough.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
    ) -> Result<(), DtlsError> {
        if self.poll_timeout(rtt).is_some_and(|at| at <= now) {
            self.repeats += 1;
            self.endpoint
                .handle_timeout(OTHER_END, now)
                .map_err(|error| DtlsError::Handshake(error.to_string()))?;
        }
        Ok(())
    }

    /// When the next flight is due. The library repeats at even intervals, and only so often;
    /// here they grow, from what the round trip allows, so that a slow or bad path is not given
    /// up too soon.
    pub(super) fn poll_timeout(&self, rtt: Option<Duration>) -> Option<Instant> {
        let due = self.endpoint.poll_timeout(&OTHER_END)?;
        let patience = rtt.map_or(FLIGHT_INTERVAL, |rtt| (rtt + rtt / 2).max(FLIGHT_INTERVAL));
        let interval = patience
            .mul_f64(1.5_f64.powi(self.repeats.min(16).cast_signed()))
            .min(MAX_INTERVAL);
        Some(due + interval.saturating_sub(FLIGHT_INTERVAL))
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<bytes::BytesMut> {
        let datagram = self.endpoint.poll_transmit()?.message;
        self.sieve.sent(&datagram);
        Some(datagram)
    }

    /// Says goodbye to the other end.
    pub(super) fn close(&mut self, now: Instant) {
        if let Err(error) = self.endpoint.close(now) {
            tracing::debug!(%error, "DTLS close");
        }
    }
}
