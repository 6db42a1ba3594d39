//! What a datagram is, by its first byte (RFC 7983), and whom a STUN message is for.

/// The protocols that share a UDP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 8489
    Stun,
    /// RFC 6347
    Dtls,
    /// RFC 3550, protected by RFC 3711
    Rtp,
    /// RFC 3550, protected by RFC 3711; told from RTP by RFC 5761
    Rtcp,
}

/// The protocol of a datagram; `None` for none of them.
#[inline]
pub fn demux(data: &[u8]) -> Option<Protocol> {
    match *data.first()? {
        0..=3 => Some(Protocol::Stun),
        20..=63 => Some(Protocol::Dtls),
        128..=191 => match *data.get(1)? {
            // RFC 5761, section 4: RTCP packet types 192 to 223.
            192..=223 => Some(Protocol::Rtcp),
            _ => Some(Protocol::Rtp),
        },
        _ => None,
    }
}

/// The parts of a STUN message that say whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StunRoute<'a> {
    /// It asks (a Binding request), rather than answers.
    pub request: bool,
    /// Its transaction id.
    pub transaction: [u8; 12],
    /// The part of USERNAME before the colon: the ufrag of the end that is asked.
    pub ufrag: Option<&'a str>,
}

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;

/// Reads the route of a STUN message; `None` when it is malformed.
pub fn stun_route(data: &[u8]) -> Option<StunRoute<'_>> {
    let (header, mut attributes) = data.split_at_checked(20)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != MAGIC_COOKIE || attributes.len() != length || !length.is_multiple_of(4) {
        return None;
    }
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&header[8..20]);
    let class = u16::from_be_bytes([header[0], header[1]]) & 0x0110;
    let mut ufrag = None;
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        if kind == USERNAME {
            ufrag = std::str::from_utf8(value)
                .ok()
                .and_then(|name| name.split(':').next());
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(StunRoute {
        request: class == 0,
        transaction,
        ufrag,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart_by_the_ranges_of_rfc_7983() {
        assert_eq!(demux(&[]), None);
        assert_eq!(demux(&[0, 1]), Some(Protocol::Stun));
        assert_eq!(demux(&[22]), Some(Protocol::Dtls));
        assert_eq!(demux(&[0x80, 111]), Some(Protocol::Rtp));
        assert_eq!(demux(&[0x80, 0x80 | 96]), Some(Protocol::Rtp));
        assert_eq!(demux(&[0x80, 200]), Some(Protocol::Rtcp));
        assert_eq!(demux(&[0x80]), None);
        assert_eq!(demux(&[64]), None);
    }

    #[test]
    fn a_request_is_routed_by_the_first_half_of_its_username() {
        let mut message = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        message.extend_from_slice(b"transaction!");
        message.extend_from_slice(&[0, 6, 0, 7]);
        message.extend_from_slice(b"abc:def\0");
        let route = stun_route(&message).unwrap();
        assert!(route.request);
        assert_eq!(route.ufrag, Some("abc"));
        assert_eq!(&route.transaction, b"transaction!");
        for cut in 0..message.len() {
            assert_eq!(stun_route(&message[..cut]), None, "cut at {cut}");
        }
    }
}
