//! From the secret that DTLS exports to session keys (RFC 5764, section 4.2; RFC 3711,
//! section 4.3).

use super::{Cipher, SrtpError};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

/// An SRTP protection profile (RFC 5764, RFC 7714).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`
    Gcm128,
    /// `SRTP_AEAD_AES_256_GCM`
    Gcm256,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`
    Cm128Sha1_80,
}

impl Profile {
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Gcm128 | Self::Cm128Sha1_80 => 16,
            Self::Gcm256 => 32,
        }
    }

    pub(super) fn salt_len(self) -> usize {
        match self {
            Self::Gcm128 | Self::Gcm256 => 12,
            Self::Cm128Sha1_80 => 14,
        }
    }

    /// How many bytes DTLS must export under `EXTRACTOR-dtls_srtp`.
    pub fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// The master key and salt of one end.
#[derive(Clone)]
pub struct Keying {
    profile: Profile,
    key: [u8; 32],
    salt: [u8; 14],
}

impl Keying {
    /// Splits what DTLS exported into the keys of its client and of its server.
    ///
    /// # Errors
    /// When the material is not [`Profile::keying_material_len`] long.
    pub fn split(profile: Profile, material: &[u8]) -> Result<(Self, Self), SrtpError> {
        let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
        if material.len() != profile.keying_material_len() {
            return Err(SrtpError::Crypto);
        }
        let (keys, salts) = material.split_at(2 * key_len);
        let end = |n: usize| {
            let mut keying = Self {
                profile,
                key: [0; 32],
                salt: [0; 14],
            };
            keying.key[..key_len].copy_from_slice(&keys[n * key_len..(n + 1) * key_len]);
            keying.salt[..salt_len].copy_from_slice(&salts[n * salt_len..(n + 1) * salt_len]);
            keying
        };
        Ok((end(0), end(1)))
    }

    /// The pseudo-random function of RFC 3711, section 4.3.3 (RFC 6188 for 256 bits).
    fn derive(&self, label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
        let algorithm = if self.profile == Profile::Gcm256 {
            &AES_256
        } else {
            &AES_128
        };
        let key = UnboundCipherKey::new(algorithm, &self.key[..self.profile.key_len()])
            .and_then(EncryptingKey::ctr)
            .map_err(|_| SrtpError::Crypto)?;
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        iv[7] ^= label;
        out.fill(0);
        key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv)))
            .map_err(|_| SrtpError::Crypto)?;
        Ok(())
    }

    fn cipher(&self, labels: [u8; 3]) -> Result<Cipher, SrtpError> {
        let [encryption, authentication, salting] = labels;
        let mut key = [0; 32];
        let key = &mut key[..self.profile.key_len()];
        self.derive(encryption, key)?;
        match self.profile {
            Profile::Gcm128 | Profile::Gcm256 => {
                let algorithm = if self.profile == Profile::Gcm256 {
                    &AES_256_GCM
                } else {
                    &AES_128_GCM
                };
                let mut salt = [0; 12];
                self.derive(salting, &mut salt)?;
                let key = UnboundKey::new(algorithm, key).map_err(|_| SrtpError::Crypto)?;
                Ok(Cipher::Gcm {
                    key: LessSafeKey::new(key),
                    salt,
                })
            }
            Profile::Cm128Sha1_80 => {
                let mut salt = [0; 16];
                self.derive(salting, &mut salt[..14])?;
                let mut auth = [0; 20];
                self.derive(authentication, &mut auth)?;
                let key = UnboundCipherKey::new(&AES_128, key)
                    .and_then(EncryptingKey::ctr)
                    .map(Box::new)
                    .map_err(|_| SrtpError::Crypto)?;
                let auth = Box::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth));
                Ok(Cipher::Cm { key, salt, auth })
            }
        }
    }
}

/// What one end seals or opens with.
pub(super) struct SessionKeys {
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
}

impl SessionKeys {
    pub(super) fn derive(keying: &Keying) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: keying.cipher([0, 1, 2])?,
            rtcp: keying.cipher([3, 4, 5])?,
        })
    }
}
