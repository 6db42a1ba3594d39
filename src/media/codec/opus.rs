//! Opus (RFC 6716, RFC 7587).

use super::{Flags, sound};

/// Every packet can be decoded. One of at most two bytes carries no sound: its encoder is in
/// discontinuous transmission.
pub(super) fn flags(payload: &[u8]) -> Flags {
    Flags {
        silence: payload.len() <= 2,
        ..sound()
    }
}
