//! Why datagrams and packets are dropped. A bad packet is no error: it is counted.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A reason to drop a datagram or a packet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Drop {
            $($(#[$doc])* $name,)*
        }

        impl Drop {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in figures.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Neither STUN nor DTLS, RTP or RTCP.
    UnknownProtocol => "unknown-protocol",
    /// From an address that ICE did not authenticate.
    UnknownSource => "unknown-source",
    /// A STUN message that cannot be read.
    StunMalformed => "stun-malformed",
    /// STUN for a ufrag, or in answer to a request, that nobody has.
    StunUnknown => "stun-unknown",
    /// STUN that does not prove that it knows the password, or does not fit ICE's state.
    StunRefused => "stun-refused",
    /// STUN for one peer on a path that belongs to another.
    PathTaken => "path-taken",
    /// DTLS records that cannot be read, or that come before ICE has begun.
    DtlsMalformed => "dtls-malformed",
    /// More handshakes at once than may wait.
    HandshakesFull => "handshakes-full",
    /// Media before DTLS has agreed on keys.
    NoKeys => "no-keys",
    /// Shorter than it says, or than SRTP needs.
    Truncated => "truncated",
    /// Longer than any packet may be.
    Oversized => "oversized",
    /// Not RTP version 2.
    Version => "version",
    /// RTP on a connection that was to receive only.
    NotPublishing => "not-publishing",
    /// No track of the peer sends this SSRC, rid or payload type.
    UnknownSsrc => "unknown-ssrc",
    /// The payload type is not that of the track.
    PayloadType => "payload-type",
    /// Its authentication tag is wrong.
    Forged => "forged",
    /// Seen before, or too old to tell.
    Replayed => "replayed",
    /// Too late for the cache.
    Stale => "stale",
    /// Sound that says to be sent more than once (RED), and cannot be read.
    RedMalformed => "red-malformed",
    /// RTCP whose contents are malformed.
    RtcpMalformed => "rtcp-malformed",
    /// A candidate that cannot be read, or too many of them.
    BadCandidate => "bad-candidate",
    /// A command for a peer that is gone.
    UnknownPeer => "unknown-peer",
    /// A NACK for a packet that is no longer in the cache.
    NotInCache => "not-in-cache",
    /// A NACK for a packet that was sent again less than a round trip ago.
    RepairedLately => "repaired-lately",
    /// A NACK of a packet of an encoding that its receiver is not sent any more.
    Outdated => "outdated",
    /// Packets of a track waited too long for its receiver's path: each time counted, not each
    /// packet. Or a NACK while that path is full.
    PathFull => "path-full",
    /// A NACK of a track of which too much was sent again already.
    TooManyRepairs => "too-many-repairs",
    /// More packets were asked for again than one turn sends.
    TooManyNacks => "too-many-nacks",
    /// Another shard does not take packets as fast as they come.
    RelayFull => "relay-full",
    /// The cryptography library refused to seal.
    Unsealed => "unsealed",
}

/// How often each reason applied.
#[derive(Debug, Clone)]
pub(crate) struct Drops([u64; Drop::ALL.len()]);

impl Default for Drops {
    fn default() -> Self {
        Self([0; Drop::ALL.len()])
    }
}

impl Drops {
    #[inline]
    pub(crate) fn count(&mut self, reason: Drop) {
        self.0[reason as usize] += 1;
    }

    /// Every reason, and how often it applied.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = Drop::ALL.iter().map(|reason| reason.name());
        names.zip(self.0)
    }

    /// Reasons that applied at least once.
    pub(crate) fn snapshot(&self) -> Vec<(&'static str, u64)> {
        Drop::ALL
            .iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| (reason.name(), count))
            .collect()
    }
}
