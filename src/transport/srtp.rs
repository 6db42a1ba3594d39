//! SRTP and SRTCP (RFC 3711, RFC 7714), keyed by DTLS (RFC 5764). Opens into and seals from
//! buffers of the caller; allocates only when keys are set.
//!
//! A key and an SSRC belong to one [`Sealer`], and the caller gives each packet of an SSRC its
//! own index: two different packets under one index would repeat an AES-GCM nonce, which gives
//! the authentication key away. A packet that is sent again must be the same to the last byte.

mod keys;
mod replay;
#[cfg(test)]
mod tests;

pub use keys::{Keying, Profile};
pub use replay::{ReplayWindow, ReplayWindows, Sequence};

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use keys::SessionKeys;

/// The most that sealing adds to an RTP packet, in bytes.
pub const RTP_OVERHEAD: usize = 16;
/// The most that sealing adds to an RTCP packet, in bytes: tag and index.
pub const RTCP_OVERHEAD: usize = 20;

const GCM_TAG: usize = 16;
const HMAC_TAG: usize = 10;
/// The encrypted flag beside the SRTCP index.
const E_FLAG: u32 = 0x8000_0000;

/// Why a packet could not be opened or sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Shorter than its own header and tag.
    #[error("truncated")]
    Truncated,
    /// The tag does not match: forged, damaged, or another key.
    #[error("authentication failed")]
    Forged,
    /// This index was opened before, or is too old to tell.
    #[error("replayed")]
    Replayed,
    /// The cryptography library refused; the caller's buffer does not fit.
    #[error("cannot encrypt")]
    Crypto,
}

enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    Cm {
        key: Box<EncryptingKey>,
        salt: [u8; 16],
        auth: Box<hmac::Key>,
    },
}

impl Cipher {
    fn gcm_nonce(salt: [u8; 12], ssrc: u32, high: u32, low: u16) -> Nonce {
        // RFC 7714, section 8.1: 00 00 SSRC ROC SEQ, xor salt.
        let mut iv = [0; 12];
        iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
        iv[6..10].copy_from_slice(&high.to_be_bytes());
        iv[10..12].copy_from_slice(&low.to_be_bytes());
        for (byte, salt) in iv.iter_mut().zip(salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(iv)
    }

    /// RFC 3711, section 4.1.1: index is 48 bits for SRTP, 31 for SRTCP.
    fn cm_iv(salt: [u8; 16], ssrc: u32, index: u64) -> EncryptionContext {
        let mut iv = salt;
        for (byte, ssrc) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= ssrc;
        }
        for (byte, index) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= index;
        }
        EncryptionContext::Iv128(FixedLength::from(iv))
    }

    fn cm_tag(auth: &hmac::Key, parts: [&[u8]; 2]) -> [u8; HMAC_TAG] {
        let mut context = hmac::Context::with_key(auth);
        context.update(parts[0]);
        context.update(parts[1]);
        let mut tag = [0; HMAC_TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..HMAC_TAG]);
        tag
    }
}

/// Protects what one end of a peer connection sends.
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    rtcp_index: u32,
}

impl Sealer {
    /// From the keys that DTLS exported for this end.
    ///
    /// # Errors
    /// When the cryptography library refuses the keys.
    pub fn new(keying: &Keying) -> Result<Self, SrtpError> {
        let SessionKeys { rtp, rtcp } = SessionKeys::derive(keying)?;
        Ok(Self {
            rtp,
            rtcp,
            rtcp_index: 0,
        })
    }

    /// Writes the tag and the encrypted payload behind a header that already stands in
    /// `out[..header_len]`. `index` is the extended sequence number (roll-over counter and
    /// sequence number); the header carries its low 16 bits. Returns the packet's length.
    ///
    /// # Errors
    /// When `out` is too short for header, payload and [`RTP_OVERHEAD`].
    #[inline]
    pub fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header_len: usize,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let end = header_len + payload.len();
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let out = out.get_mut(..end + GCM_TAG).ok_or(SrtpError::Crypto)?;
                let (header, body) = out.split_at_mut(header_len);
                let (body, tag) = body.split_at_mut(payload.len());
                let nonce = Cipher::gcm_nonce(*salt, ssrc, (index >> 16) as u32, index as u16);
                key.seal_out_of_place_scatter(nonce, Aad::from(&*header), payload, body, &[], tag)
                    .map_err(|_| SrtpError::Crypto)?;
                Ok(end + GCM_TAG)
            }
            Cipher::Cm { key, salt, auth } => {
                let out = out.get_mut(..end + HMAC_TAG).ok_or(SrtpError::Crypto)?;
                let (packet, tag) = out.split_at_mut(end);
                packet[header_len..].copy_from_slice(payload);
                let iv = Cipher::cm_iv(*salt, ssrc, index);
                key.less_safe_encrypt(&mut packet[header_len..], iv)
                    .map_err(|_| SrtpError::Crypto)?;
                let roc = ((index >> 16) as u32).to_be_bytes();
                tag.copy_from_slice(&Cipher::cm_tag(auth, [packet, &roc]));
                Ok(end + HMAC_TAG)
            }
        }
    }

    /// Protects the RTCP compound in `packet[..len]` where it stands. Returns its new length.
    ///
    /// # Errors
    /// When the compound is shorter than a header, or `packet` than the compound and
    /// [`RTCP_OVERHEAD`].
    pub fn seal_rtcp(&mut self, packet: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let len = self.seal_rtcp_at(self.rtcp_index, packet, len)?;
        self.rtcp_index = (self.rtcp_index + 1) & !E_FLAG;
        Ok(len)
    }

    /// The same under an index (31 bits) of the caller's, who sees to it that no two compounds from
    /// one SSRC have the same. Only for who counts by SSRC, and then for all.
    ///
    /// # Errors
    /// As [`Self::seal_rtcp`].
    pub fn seal_rtcp_at(
        &self,
        index: u32,
        packet: &mut [u8],
        len: usize,
    ) -> Result<usize, SrtpError> {
        if len < 8 || packet.len() < len + RTCP_OVERHEAD {
            return Err(SrtpError::Truncated);
        }
        let ssrc = read_u32(packet, 4);
        let trailer = (index | E_FLAG).to_be_bytes();
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let nonce = Cipher::gcm_nonce(*salt, ssrc, index >> 16, index as u16);
                let aad = rtcp_aad(packet, trailer);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut packet[8..len])
                    .map_err(|_| SrtpError::Crypto)?;
                packet[len..len + GCM_TAG].copy_from_slice(tag.as_ref());
                packet[len + GCM_TAG..len + GCM_TAG + 4].copy_from_slice(&trailer);
                Ok(len + GCM_TAG + 4)
            }
            Cipher::Cm { key, salt, auth } => {
                let iv = Cipher::cm_iv(*salt, ssrc, u64::from(index));
                key.less_safe_encrypt(&mut packet[8..len], iv)
                    .map_err(|_| SrtpError::Crypto)?;
                packet[len..len + 4].copy_from_slice(&trailer);
                let tag = Cipher::cm_tag(auth, [&packet[..len + 4], &[]]);
                packet[len + 4..len + 4 + HMAC_TAG].copy_from_slice(&tag);
                Ok(len + 4 + HMAC_TAG)
            }
        }
    }
}

/// Opens what the other end of a peer connection sends.
pub struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    rtcp_windows: ReplayWindows,
}

impl Opener {
    /// From the keys that DTLS exported for the other end.
    ///
    /// # Errors
    /// When the cryptography library refuses the keys.
    pub fn new(keying: &Keying) -> Result<Self, SrtpError> {
        let SessionKeys { rtp, rtcp } = SessionKeys::derive(keying)?;
        Ok(Self {
            rtp,
            rtcp,
            rtcp_windows: ReplayWindows::default(),
        })
    }

    /// How long the payload of a packet of this length is once opened; `None` when it is too
    /// short to be protected at all.
    pub fn payload_len(&self, packet_len: usize, header_len: usize) -> Option<usize> {
        let tag = match self.rtp {
            Cipher::Gcm { .. } => GCM_TAG,
            Cipher::Cm { .. } => HMAC_TAG,
        };
        packet_len.checked_sub(header_len + tag)
    }

    /// Checks a packet and writes its payload to `out`, whose length is
    /// [`Self::payload_len`]. The index comes from [`Sequence::extend`]; whoever tracks it
    /// checks for replays.
    ///
    /// # Errors
    /// When the packet is short or forged; `out` then holds nothing of use.
    #[inline]
    pub fn open_rtp(
        &self,
        packet: &[u8],
        ssrc: u32,
        index: u64,
        header_len: usize,
        out: &mut [u8],
    ) -> Result<(), SrtpError> {
        let body_len = self
            .payload_len(packet.len(), header_len)
            .ok_or(SrtpError::Truncated)?;
        if out.len() != body_len {
            return Err(SrtpError::Crypto);
        }
        let (header, rest) = packet.split_at(header_len);
        let (body, tag) = rest.split_at(body_len);
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let nonce = Cipher::gcm_nonce(*salt, ssrc, (index >> 16) as u32, index as u16);
                key.open_separate_gather(nonce, Aad::from(header), body, tag, out)
                    .map_err(|_| SrtpError::Forged)
            }
            Cipher::Cm { key, salt, auth } => {
                let roc = ((index >> 16) as u32).to_be_bytes();
                let expected = Cipher::cm_tag(auth, [&packet[..header_len + body_len], &roc]);
                aws_lc_rs::constant_time::verify_slices_are_equal(&expected, tag)
                    .map_err(|_| SrtpError::Forged)?;
                out.copy_from_slice(body);
                key.less_safe_encrypt(out, Cipher::cm_iv(*salt, ssrc, index))
                    .map_err(|_| SrtpError::Crypto)?;
                Ok(())
            }
        }
    }

    /// Opens an RTCP compound where it stands, and returns its length.
    ///
    /// # Errors
    /// When the compound is short, forged or replayed.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let overhead = match self.rtcp {
            Cipher::Gcm { .. } => GCM_TAG,
            Cipher::Cm { .. } => HMAC_TAG,
        } + 4;
        let len = packet
            .len()
            .checked_sub(overhead)
            .ok_or(SrtpError::Truncated)?;
        if len < 8 {
            return Err(SrtpError::Truncated);
        }
        let ssrc = read_u32(packet, 4);
        let index = match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let trailer = read_u32(packet, len + GCM_TAG);
                let index = trailer & !E_FLAG;
                let nonce = Cipher::gcm_nonce(*salt, ssrc, index >> 16, index as u16);
                let (compound, tail) = packet.split_at_mut(len);
                let tag = &tail[..GCM_TAG];
                if trailer & E_FLAG != 0 {
                    let aad = rtcp_aad(compound, trailer.to_be_bytes());
                    key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, &mut compound[8..])
                        .map_err(|_| SrtpError::Forged)?;
                } else {
                    // Authenticated only: everything is additional data (RFC 7714, section 9.2).
                    let mut aad = Vec::with_capacity(len + 4);
                    aad.extend_from_slice(compound);
                    aad.extend_from_slice(&trailer.to_be_bytes());
                    key.open_in_place_separate_tag(nonce, Aad::from(&aad[..]), tag, &mut [])
                        .map_err(|_| SrtpError::Forged)?;
                }
                index
            }
            Cipher::Cm { key, salt, auth } => {
                let trailer = read_u32(packet, len);
                let index = trailer & !E_FLAG;
                let expected = Cipher::cm_tag(auth, [&packet[..len + 4], &[]]);
                aws_lc_rs::constant_time::verify_slices_are_equal(&expected, &packet[len + 4..])
                    .map_err(|_| SrtpError::Forged)?;
                if trailer & E_FLAG != 0 {
                    let iv = Cipher::cm_iv(*salt, ssrc, u64::from(index));
                    key.less_safe_encrypt(&mut packet[8..len], iv)
                        .map_err(|_| SrtpError::Crypto)?;
                }
                index
            }
        };
        if !self.rtcp_windows.accept(ssrc, u64::from(index)) {
            return Err(SrtpError::Replayed);
        }
        Ok(len)
    }
}

fn rtcp_aad(packet: &[u8], trailer: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..8].copy_from_slice(&packet[..8]);
    aad[8..].copy_from_slice(&trailer);
    aad
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
