//! Whether a STUN message was made by someone who knows a password (RFC 8489, section 14.5).

use aws_lc_rs::{constant_time, hmac};

const HEADER: usize = 20;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const TAG: usize = 20;

/// Whether the message carries a MESSAGE-INTEGRITY made with this password. Attributes behind it
/// are not covered by it.
pub(super) fn is_authentic(message: &[u8], password: &str) -> bool {
    let Some(at) = integrity_at(message) else {
        return false;
    };
    let (Some(covered), Some(tag)) = (message.get(HEADER..at), message.get(at + 4..at + 4 + TAG))
    else {
        return false;
    };
    let Some(mut header) = message.first_chunk::<HEADER>().copied() else {
        return false;
    };
    // The length counts as if the message ended with this attribute.
    let length = (at + 4 + TAG - HEADER) as u16;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(&header);
    context.update(covered);
    constant_time::verify_slices_are_equal(context.sign().as_ref(), tag).is_ok()
}

/// Where the first MESSAGE-INTEGRITY begins.
fn integrity_at(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let head = message.get(at..at + 4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if u16::from_be_bytes([head[0], head[1]]) == MESSAGE_INTEGRITY {
            return (length == TAG).then_some(at);
        }
        at += 4 + length.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, section 2.1: a request with the password of that section.
    const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
        802200105354554e207465737420636c69656e74\
        002400046e0001ff80290008932ff9b151263b36\
        000600096576746a3a68367659202020\
        000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2\
        80280004e57a3bcb";
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_example_of_rfc_5769_is_authentic_and_nothing_else_is() {
        let mut message = hex::decode(REQUEST).unwrap();
        assert!(is_authentic(&message, PASSWORD));
        assert!(!is_authentic(&message, "VOkJxbRl1RmTxUk/WvJxBu"));
        let covered = message.len() - 8;
        for at in 0..covered {
            // The length field is replaced for the check; others look at it.
            if (2..4).contains(&at) {
                continue;
            }
            message[at] ^= 1;
            assert!(!is_authentic(&message, PASSWORD), "byte {at}");
            message[at] ^= 1;
        }
        for cut in 0..covered {
            assert!(!is_authentic(&message[..cut], PASSWORD), "cut at {cut}");
        }
    }
}
