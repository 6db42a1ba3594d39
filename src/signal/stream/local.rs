//! What the server says of itself in offers and answers.

use super::super::message::{IceCandidate, Outgoing};
use super::super::session::Session;
use crate::net::ShardId;
use crate::transport::description::{IceCredentials, LocalTransport, Rtx};
use rand::distr::{Alphanumeric, SampleString};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// New ICE credentials. The ufrag begins with a number that no other has, the rest is random
/// (RFC 8445, section 5.3: at least 24 bits, and 128 bits for the password).
pub(super) fn ice_credentials() -> IceCredentials {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let random = Alphanumeric.sample_string(&mut rand::rng(), 8);
    IceCredentials {
        // `g` is no hexadecimal digit: the number ends there.
        ufrag: format!("{number:x}g{random}"),
        pwd: Alphanumeric.sample_string(&mut rand::rng(), 32),
    }
}

/// A new SSRC that is not `taken`.
fn ssrc(taken: impl Fn(u32) -> bool) -> u32 {
    loop {
        let ssrc = rand::random();
        if ssrc != 0 && !taken(ssrc) {
            return ssrc;
        }
    }
}

/// New SSRCs for what is sent and for its repairs, given those of the tracks that are there.
pub(super) fn ssrcs(others: impl Iterator<Item = (u32, Option<Rtx>)>) -> (u32, u32) {
    let mut taken = Vec::new();
    for (other, rtx) in others {
        taken.push(other);
        taken.extend(rtx.map(|rtx| rtx.ssrc));
    }
    let own = ssrc(|ssrc| taken.contains(&ssrc));
    (own, ssrc(|ssrc| ssrc == own || taken.contains(&ssrc)))
}

/// A host candidate (RFC 8839, section 5.1), without `a=`.
fn candidate(index: usize, address: SocketAddr, ufrag: &str) -> String {
    // RFC 8445, section 5.1.2.1: type preference 126, the first address preferred, component 1.
    let local = 65_535 - u32::try_from(index).unwrap_or(u32::MAX).min(65_535);
    let priority = (126 << 24) + (local << 8) + 255;
    // Each address is a base of its own, so no two share a foundation.
    format!(
        "candidate:{} 1 udp {priority} {} {} typ host ufrag {ufrag}",
        index + 1,
        address.ip(),
        address.port()
    )
}

impl Session {
    /// What the server says of a new peer connection.
    pub(super) fn local_transport(&self) -> LocalTransport {
        LocalTransport {
            ice: ice_credentials(),
            fingerprint: self.state.engine().fingerprint().clone(),
            // RFC 8829, section 5.2.1: 63 bits.
            session: (rand::random::<u64>() >> 1, 1),
        }
    }

    /// The addresses of a shard, as candidates without `a=`.
    pub(super) fn candidates(&self, shard: ShardId, ufrag: &str) -> Vec<String> {
        let addresses = self.state.engine().candidates(shard).iter().enumerate();
        addresses
            .map(|(index, address)| candidate(index, *address, ufrag))
            .collect()
    }

    /// Trickles the addresses of a shard. `mid` is that of the first section.
    pub(super) fn send_candidates(&mut self, id: &str, mid: &str, shard: ShardId, ufrag: &str) {
        for candidate in self.candidates(shard, ufrag) {
            let candidate = IceCandidate {
                candidate: &candidate,
                sdp_mid: mid,
                sdp_m_line_index: 0,
            };
            self.send(&Outgoing::Ice { id, candidate });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{candidate, ice_credentials, ssrc};
    use std::cell::Cell;
    use std::collections::HashSet;

    #[test]
    fn candidates() {
        assert_eq!(
            candidate(0, "127.0.0.1:4000".parse().unwrap(), "X"),
            "candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host ufrag X"
        );
        assert_eq!(
            candidate(1, "[2001:db8::1]:4000".parse().unwrap(), "X"),
            "candidate:2 1 udp 2130706175 2001:db8::1 4000 typ host ufrag X"
        );
    }

    #[test]
    fn ufrags_differ() {
        let all: HashSet<String> = (0..1000).map(|_| ice_credentials().ufrag).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|ufrag| (4..=256).contains(&ufrag.len())));
    }

    #[test]
    fn ssrcs_avoid_those_taken() {
        let asked = Cell::new(0);
        let ssrc = ssrc(|_| {
            asked.set(asked.get() + 1);
            asked.get() < 5
        });
        assert_ne!(ssrc, 0);
        assert_eq!(asked.get(), 5);
    }
}
