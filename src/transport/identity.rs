//! The certificate that this server shows in DTLS, and how it shakes hands.

use super::description::Fingerprint;
use super::srtp::Profile;
use aws_lc_rs::digest;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::config::ExtendedMasterSecretType;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a DTLS flight may stay unanswered before it is sent again. RFC 6347 says 1 s for the
/// wide internet; a meeting begins sooner when a lost flight costs less.
pub(super) const FLIGHT_INTERVAL: Duration = Duration::from_millis(400);
/// Room for the headers of IP, UDP and a tunnel.
const DTLS_MTU: usize = 1_200;

/// The server could not make its certificate.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the DTLS certificate: {0}")]
pub struct IdentityError(String);

/// The certificate of this process, shared by all of its peer connections.
#[derive(Clone)]
pub struct Identity {
    fingerprint: Fingerprint,
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    pub(super) client: Arc<HandshakeConfig>,
    pub(super) server: Arc<HandshakeConfig>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes a key and a self-signed certificate. This draws randomness: it belongs to the
    /// start of the process, not to the pure core.
    ///
    /// # Errors
    /// When the cryptography library refuses.
    pub fn generate() -> Result<Self, IdentityError> {
        // AES-GCM first: AES-CM costs several times as much.
        Self::with_profiles(&[Profile::Gcm128, Profile::Gcm256, Profile::Cm128Sha1_80])
    }

    /// [`Self::generate`], with the SRTP profiles that handshakes offer and accept, the best
    /// first.
    ///
    /// # Errors
    /// When the cryptography library refuses.
    pub fn with_profiles(profiles: &[Profile]) -> Result<Self, IdentityError> {
        let profiles: Vec<_> = profiles
            .iter()
            .map(|profile| match profile {
                Profile::Gcm128 => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                Profile::Gcm256 => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
                Profile::Cm128Sha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            })
            .collect();
        // By name: tests and benches depend on crates for which the default is another, and would
        // measure what is not shipped.
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate =
            Certificate::generate_self_signed(vec!["perikon".to_owned()], provider.crypto())
                .map_err(|error| IdentityError(error.to_string()))?;
        let der = certificate
            .certificate
            .first()
            .ok_or_else(|| IdentityError("no certificate came out".to_owned()))?;
        let fingerprint = Fingerprint::Sha256(sha256(der));
        // Both ends of WebRTC show self-signed certificates; the fingerprints in SDP vouch for
        // them, and `Dtls` checks those once the handshake is done.
        let builder = || {
            ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&provider))
                .with_certificates(vec![certificate.clone()])
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                .with_flight_interval(FLIGHT_INTERVAL)
                .with_mtu(DTLS_MTU)
                .with_server_name("perikon".to_owned())
                .with_srtp_protection_profiles(profiles.clone())
        };
        let build = |client| {
            builder()
                .build(client, None)
                .map_err(|error| IdentityError(error.to_string()))
        };
        Ok(Self {
            fingerprint,
            client: Arc::new(build(true)?),
            server: Arc::new(build(false)?),
            provider: Arc::clone(&provider),
        })
    }

    /// What offers and answers say of the certificate.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

fn sha256(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
    hash
}

impl Fingerprint {
    /// Whether this is the fingerprint of a certificate (DER).
    pub(super) fn matches(&self, der: &[u8]) -> bool {
        match self {
            Self::Sha256(hash) => digest::digest(&digest::SHA256, der).as_ref() == hash,
            Self::Sha384(hash) => digest::digest(&digest::SHA384, der).as_ref() == hash,
            Self::Sha512(hash) => digest::digest(&digest::SHA512, der).as_ref() == hash,
        }
    }
}
