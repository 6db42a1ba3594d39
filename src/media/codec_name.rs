//! The codecs this server forwards, by the names that SDP and group files give them.

use std::str::FromStr;

/// The kind of a track (`m=audio` or `m=video`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
}

/// A codec that tracks can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587
    Opus,
    /// RFC 3551, section 4.5.2
    G722,
    /// RFC 3551, section 4.5.14
    Pcmu,
    /// RFC 3551, section 4.5.14
    Pcma,
    /// RFC 7741
    Vp8,
    /// RFC 9628
    Vp9,
    /// RFC 6184
    H264,
    /// AV1 RTP payload format
    Av1,
}

impl Codec {
    /// Every codec, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Opus,
        Self::G722,
        Self::Pcmu,
        Self::Pcma,
        Self::Vp8,
        Self::Vp9,
        Self::H264,
        Self::Av1,
    ];

    /// Whether the codec carries sound or pictures.
    pub fn kind(self) -> Kind {
        match self {
            Self::Opus | Self::G722 | Self::Pcmu | Self::Pcma => Kind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => Kind::Video,
        }
    }

    /// The RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            // RFC 3551 keeps 8000 for G.722 although it samples at 16000.
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
        }
    }

    /// The encoding name of `a=rtpmap`, in its usual spelling.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::Av1 => "AV1",
        }
    }
}

/// The name is no codec that this server forwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec {0:?}")]
pub struct UnknownCodec(pub String);

impl FromStr for Codec {
    type Err = UnknownCodec;

    /// Reads an encoding name of `a=rtpmap` or an entry of a group's `codecs`, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}
