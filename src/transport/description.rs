//! What the two ends of a peer connection tell each other in SDP, apart from its spelling.

use crate::media::{Codec, Kind};
use std::fmt;

/// The ICE credentials of one end (RFC 8445, section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Username fragment, `a=ice-ufrag`. Unique among the peers of the server.
    pub ufrag: String,
    /// Password, `a=ice-pwd`.
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// The hash of a certificate, `a=fingerprint` (RFC 8122).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fingerprint {
    /// `sha-256`
    Sha256([u8; 32]),
    /// `sha-384`
    Sha384([u8; 48]),
    /// `sha-512`
    Sha512([u8; 64]),
}

/// Which end begins the DTLS handshake, `a=setup` (RFC 8842).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// This end sends the ClientHello.
    Active,
    /// This end waits for the ClientHello.
    Passive,
    /// Either; only in offers.
    Actpass,
}

/// What this server says of its own transport in an offer or an answer.
#[derive(Debug, Clone)]
pub struct LocalTransport {
    /// The credentials drawn for this peer connection.
    pub ice: IceCredentials,
    /// Of the server's certificate.
    pub fingerprint: Fingerprint,
    /// `o=` session id, and version, which grows with each description.
    pub session: (u64, u64),
}

/// What the other end said of its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTransport {
    /// Its credentials.
    pub ice: IceCredentials,
    /// Of the certificate it will show.
    pub fingerprint: Fingerprint,
    /// Its `a=setup`.
    pub setup: Setup,
    /// `a=ice-lite` was said.
    pub lite: bool,
    /// The candidates already in the description, without `a=` (`candidate:…`).
    pub candidates: Vec<String>,
}

/// An RTP header extension that the server understands (RFC 8285).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Extension {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    AudioLevel = 1,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    AbsSendTime = 2,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    TransportCc = 3,
    /// `urn:3gpp:video-orientation`
    VideoOrientation = 4,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`
    AbsCaptureTime = 5,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`
    DependencyDescriptor = 6,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 9143)
    Mid = 7,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id` (RFC 8852)
    Rid = 8,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id` (RFC 8852)
    RepairedRid = 9,
}

impl Extension {
    /// Every extension.
    pub const ALL: [Self; 9] = [
        Self::AudioLevel,
        Self::AbsSendTime,
        Self::TransportCc,
        Self::VideoOrientation,
        Self::AbsCaptureTime,
        Self::DependencyDescriptor,
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
    ];

    /// The id that the server's own offers give it. The same in each, so that the extensions of
    /// a packet are written once for all its receivers.
    pub fn own_id(self) -> u8 {
        self as u8
    }

    /// The URI of `a=extmap`.
    pub fn uri(self) -> &'static str {
        match self {
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        }
    }
}

/// The ids that one media section gives to the extensions: `ids[extension as usize]`, 0 for none.
pub type ExtensionIds = [u8; 16];

/// The RTCP feedback agreed on for a media section, `a=rtcp-fb` (RFC 4585, RFC 5104).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    /// `nack`
    pub nack: bool,
    /// `nack pli`
    pub pli: bool,
    /// `ccm fir`
    pub fir: bool,
    /// `goog-remb`
    pub remb: bool,
    /// `transport-cc`
    pub transport_cc: bool,
}

impl Feedback {
    /// What both ends have.
    pub fn and(self, other: Self) -> Self {
        Self {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            remb: self.remb && other.remb,
            transport_cc: self.transport_cc && other.transport_cc,
        }
    }
}

impl Setup {
    /// What an answer says to this in an offer (RFC 8842, section 5.3).
    pub fn answered(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive | Self::Actpass => Self::Active,
        }
    }
}

/// One codec as a media section spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecParameters {
    /// Which codec.
    pub codec: Codec,
    /// Its payload type in this section.
    pub payload_type: u8,
    /// Of `a=rtpmap`: 2 for Opus.
    pub channels: u16,
    /// The value of `a=fmtp`, empty for none.
    pub fmtp: String,
}

/// A stream of packets that are sent again (RFC 4588), one for each stream of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtx {
    /// Whose `apt` is the payload type of the media.
    pub payload_type: u8,
    /// Paired with that of the media by `a=ssrc-group:FID`.
    pub ssrc: u32,
}

/// How a publisher sends packets with earlier ones in them (RFC 2198).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Red {
    /// Its blocks are of the media's payload type.
    pub payload_type: u8,
    /// It stands before that in the offer.
    pub is_preferred: bool,
}

/// How a publisher sends packets again (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repair {
    /// Whose `apt` is the payload type of the media.
    pub payload_type: u8,
    /// If the offer said it (`a=ssrc-group:FID`); else it shows in the packets.
    pub ssrc: Option<u32>,
}

/// One media section of a publisher's offer, as the server accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpMedia {
    /// `a=mid`
    pub mid: String,
    /// Sound or pictures.
    pub kind: Kind,
    /// The codec chosen of those offered; `None` rejects the section (port 0 in the answer).
    pub codec: Option<CodecParameters>,
    /// The offer's direction lets the publisher send (sendonly, sendrecv).
    pub sending: bool,
    /// Ids that the offer gives to the extensions the server accepts.
    pub extensions: ExtensionIds,
    /// The payload type of packets of the chosen codec with earlier ones in them (RFC 2198), if
    /// that is offered, and whether the publisher prefers it.
    pub red: Option<Red>,
    /// The payload type that packets of the chosen codec are sent again with, if that is offered.
    pub rtx: Option<u8>,
    /// Pairs of SSRCs of `a=ssrc-group:FID`: of the media, and of its repairs.
    pub repairs: Vec<(u32, u32)>,
    /// Feedback offered for the chosen codec, of that which the server understands.
    pub feedback: Feedback,
    /// SSRCs of `a=ssrc`, in order, those of repair streams (`a=ssrc-group:FID`) left out.
    pub ssrcs: Vec<u32>,
    /// SSRCs of `a=ssrc-group:SIM`, lowest encoding first; empty without.
    pub simulcast: Vec<u32>,
    /// Send rids of `a=rid` / `a=simulcast`, in the offer's order; empty without simulcast.
    pub rids: Vec<String>,
}

impl UpMedia {
    /// How packets of one of its streams are sent again: that of an SSRC, or of a rid.
    pub fn repair(&self, ssrc: Option<u32>) -> Option<Repair> {
        let of_ssrc = |ssrc| self.repairs.iter().find(|(media, _)| *media == ssrc);
        Some(Repair {
            payload_type: self.rtx?,
            ssrc: ssrc.and_then(of_ssrc).map(|(_, repair)| *repair),
        })
    }
}

/// One media section of the server's offer to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownMedia {
    /// `a=mid`
    pub mid: String,
    /// With the server's own fixed payload type.
    pub codec: CodecParameters,
    /// The id on the wire of the stream that the track is of. A client chose it: what is no token
    /// is replaced in SDP.
    pub stream_id: String,
    /// SSRC that the server sends this track with.
    pub ssrc: u32,
    /// The payload type of packets with earlier ones in them (RFC 2198), if the receiver takes it.
    pub red: Option<u8>,
    /// How packets of it are sent again, if the receiver takes it.
    pub rtx: Option<Rtx>,
    /// `a=sendonly` when true, `a=inactive` when false.
    pub active: bool,
    /// Extensions offered, by their own ids.
    pub extensions: Vec<Extension>,
}

/// What a receiver answered about one media section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownMediaAnswer {
    /// `a=mid`
    pub mid: String,
    /// The section was accepted (port not 0, receiving, our payload type kept).
    pub accepted: bool,
    /// The payload type of packets with earlier ones in them was kept.
    pub red: bool,
    /// The payload type of repairs was kept.
    pub rtx: bool,
    /// Feedback that the answer kept.
    pub feedback: Feedback,
    /// Extensions that the answer kept.
    pub extensions: ExtensionIds,
}
