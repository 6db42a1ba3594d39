//! How a kept packet is written for one receiver.

use super::batch::MAX_DATAGRAM;
use crate::media::cache::Meta;
use crate::media::down::{DownTrack, Label};
use crate::transport::srtp::Sealer;

/// Writes a packet as one receiver gets it. Returns its length.
#[inline]
pub(super) fn seal(
    sealer: &Sealer,
    track: &DownTrack,
    meta: &Meta,
    bytes: &[u8],
    label: &Label,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let header_len = usize::from(meta.header_len);
    let (header, payload) = bytes.split_at_checked(header_len)?;
    out.get_mut(..header_len)?.copy_from_slice(header);
    track.patch(out.first_chunk_mut()?, label);
    sealer
        .seal_rtp(track.config().ssrc, label.number, header_len, payload, out)
        .ok()
}
