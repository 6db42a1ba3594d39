//! SDP offers and answers (RFC 8829), read from and written to [`super::description`].
//!
//! Every peer connection is one bundle (RFC 9143) with RTP and RTCP on one port (RFC 8834): a
//! media section outside the first bundle is rejected, one without `a=rtcp-mux` is an error.
//! Texts come from clients, so nothing in here trusts them: they are bounded, and every value
//! that is written again has been checked to be a plain token.

mod down;
mod pull;
mod read;
mod up;
mod write;

pub use down::{DownAnswer, DownOffer};
pub use pull::{PullMedia, PullOffer};
pub use up::UpOffer;

/// The longest description that is looked at, in bytes. Browsers send about 10 kB.
const MAX_LENGTH: usize = 256 * 1024;
/// The most media sections of one description.
const MAX_SECTIONS: usize = 32;

/// Why a description is refused. The text is meant for the one who wrote the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// No SDP by RFC 8866.
    #[error("malformed SDP: {0}")]
    Syntax(String),
    /// Too long, or too many of something.
    #[error("SDP too large: {0}")]
    TooLarge(&'static str),
    /// Something that every description must say is not there.
    #[error("SDP without {0}")]
    Missing(&'static str),
    /// An attribute has a value that it cannot have.
    #[error("bad a={attribute} in SDP: {value:?}")]
    BadValue {
        /// The name of the attribute.
        attribute: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// RTP and RTCP on two ports are not supported.
    #[error("media section {mid:?} does not offer rtcp-mux")]
    NoRtcpMux {
        /// The section's `a=mid`.
        mid: String,
    },
    /// Two media sections with one name.
    #[error("two media sections have the mid {0:?}")]
    DuplicateMid(String),
    /// The media sections of an answer are not those of the offer (RFC 3264, section 6).
    #[error("the answer's media sections are not those of the offer")]
    Mismatch,
}

impl SdpError {
    /// A value as an error text shows it: whatever a client sent, it stays short.
    fn bad(attribute: &'static str, value: &str) -> Self {
        Self::BadValue {
            attribute,
            value: value.chars().take(80).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
