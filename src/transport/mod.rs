//! One peer connection: ICE, DTLS, SRTP and SDP. Pure: it is told the time, the datagrams and
//! every random value.

pub mod description;
pub mod sdp;
