//! One peer connection: ICE, DTLS, SRTP and SDP. Pure: it is told the time, the datagrams and
//! every random value that others see (certificate and ICE credentials).

pub mod demux;
pub mod description;
mod dtls;
mod ice;
pub mod identity;
pub mod peer;
pub mod sdp;
pub mod srtp;
mod stun;

pub use ice::IceError;

use bytes::BytesMut;
use std::net::SocketAddr;

/// The two ends of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// Which of the shard's local addresses.
    pub local: u8,
    /// The other end.
    pub remote: SocketAddr,
}

/// A datagram of ICE or DTLS to send.
#[derive(Debug)]
pub struct Transmit {
    /// From where to where.
    pub path: Path,
    /// What.
    pub data: BytesMut,
}
