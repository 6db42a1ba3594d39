//! What came under each number of an SSRC. AES-GCM is broken where two packets are sealed under one
//! (RFC 7714, section 16.1).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// A hash of each datagram.
    packets: HashMap<u64, u64>,
}

impl Sealed {
    /// False if another packet came under this number before.
    pub(super) fn is_same(&mut self, number: u64, datagram: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(datagram);
        let hash = hasher.finish();
        *self.packets.entry(number).or_insert(hash) == hash
    }
}
