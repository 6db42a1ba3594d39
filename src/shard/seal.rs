//! How a kept packet is written for one receiver.

use super::batch::MAX_DATAGRAM;
use super::drops::{Drop, Drops};
use crate::media::cache::{Meta, SLOT};
use crate::media::down::redundancy::{COPIES, Copies, earlier};
use crate::media::down::{DownTrack, Label};
use crate::media::packet::{self, FIXED_HEADER, PADDED};
use crate::media::red;
use crate::media::rtx::{ORIGINAL, RepairLabel};
use crate::media::send_log::SendLog;
use crate::media::up::UpTrack;
use crate::transport::srtp::Sealer;
use std::time::Instant;

/// What the packets of one receiver go through.
pub(super) struct Outlet<'a> {
    pub(super) now: Instant,
    pub(super) sealer: &'a Sealer,
    /// Of receivers that tell which packets arrived.
    pub(super) log: Option<&'a mut SendLog>,
}

impl Outlet<'_> {
    /// Gives a packet its transport-wide number.
    #[inline]
    fn stamp(&self, track: &DownTrack, header: &mut [u8]) {
        if let Some(log) = self.log.as_deref().filter(|_| track.is_stamped()) {
            packet::stamp(header, log.number());
        }
    }

    /// A packet of this length is sent, if it was stamped under its number.
    #[inline]
    fn sent(&mut self, track: &DownTrack, len: usize) {
        if let Some(log) = self.log.as_deref_mut().filter(|_| track.is_stamped()) {
            log.sent(self.now, len);
        }
    }
}

/// A payload of nothing but padding (RFC 3550, section 5.1).
const PADDING: [u8; 4] = [0, 0, 0, 4];

/// Writes a packet of one of the publisher's `tracks` for the first time, and counts it. Returns
/// its length; `None` if the receiver does not get it.
#[inline]
pub(super) fn forward(
    outlet: &mut Outlet<'_>,
    track: &mut DownTrack,
    tracks: &[UpTrack],
    source: u16,
    (meta, bytes): (&Meta, &[u8]),
    drops: &mut Drops,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let label = track.forward(outlet.now, source, meta, tracks)?;
    let len = if track.is_redundant() {
        let up = tracks.get(usize::from(source))?;
        let copies = track.choose_copies(up, meta, &label);
        let sealed = seal_redundant(outlet, track, (up, meta, bytes), &label, copies, out);
        if let Some((_, extra @ 1..)) = sealed {
            track.sent_copies(extra);
        }
        sealed.map(|(len, _)| len)
    } else {
        seal(outlet, track, meta, bytes, &label, out)
    };
    match len {
        Some(_) => track.sent(meta),
        None => drops.count(Drop::Unsealed),
    }
    len
}

/// Writes a packet as one receiver gets it. Returns its length.
#[inline]
pub(super) fn seal(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    meta: &Meta,
    bytes: &[u8],
    label: &Label,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let len = seal_media(outlet, track, meta, bytes, label, out)?;
    // What stands for a packet that was left out is the same each time.
    if !label.edit.is_left_out {
        outlet.sent(track, len);
    }
    Some(len)
}

#[inline]
fn seal_media(
    outlet: &Outlet<'_>,
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
    if !label.edit.is_none() {
        return seal_edited(outlet, track, meta, payload, label, out);
    }
    outlet.stamp(track, out);
    outlet
        .sealer
        .seal_rtp(track.config().ssrc, label.number, header_len, payload, out)
        .ok()
}

/// Writes a packet as it was written first, with the earlier ones that went with it.
pub(super) fn seal_again(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    packet: (&UpTrack, &Meta, &[u8]),
    label: &Label,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let copies = track.copies(label.number)?;
    let sealed = seal_redundant(outlet, track, packet, label, copies, out);
    sealed.map(|(len, _)| len)
}

/// Writes a packet of sound with earlier ones (RFC 2198), all as they are kept. Returns its length,
/// and how many bytes of that it would not have without them.
fn seal_redundant(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    (up, meta, bytes): (&UpTrack, &Meta, &[u8]),
    label: &Label,
    copies: Copies,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<(usize, usize)> {
    let mut blocks: [(u32, &[u8]); COPIES] = [(0, &[]); COPIES];
    let mut count = 0;
    for distance in copies.into_iter().filter(|distance| *distance > 0) {
        let seqno = meta.seqno.checked_sub(u64::from(distance))?;
        *blocks.get_mut(count)? = earlier(up, meta, seqno)?;
        count += 1;
    }
    let blocks = blocks.get(..count).filter(|blocks| !blocks.is_empty());
    let (Some(blocks), Some(payload_type)) = (blocks, track.redundant_type()) else {
        return seal(outlet, track, meta, bytes, label, out).map(|len| (len, 0));
    };
    let header_len = usize::from(meta.header_len);
    let (header, primary) = bytes.split_at_checked(header_len)?;
    let mut payload = [0; SLOT];
    let len = red::write(&mut payload, label.payload_type, blocks, primary)?;
    out.get_mut(..header_len)?.copy_from_slice(header);
    let wrapped = Label {
        payload_type,
        ..*label
    };
    track.patch(out.first_chunk_mut()?, &wrapped);
    outlet.stamp(track, out);
    let (ssrc, payload) = (track.config().ssrc, payload.get(..len)?);
    let sealer = outlet.sealer;
    let sealed = sealer.seal_rtp(ssrc, label.number, header_len, payload, out);
    let sealed = sealed.ok()?;
    outlet.sent(track, sealed);
    Some((sealed, len - primary.len()))
}

/// Writes a packet that a receiver lacks as a packet of the repairs' stream (RFC 4588,
/// section 4). Returns its length.
pub(super) fn seal_repair(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    meta: &Meta,
    bytes: &[u8],
    label: &Label,
    repair: &RepairLabel,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let header_len = usize::from(meta.header_len);
    let (header, payload) = bytes.split_at_checked(header_len)?;
    // What it was padded with here is of no use to anyone.
    let (payload, padding) = payload.split_at_checked(payload.len() - usize::from(meta.padding))?;
    let room = out.get_mut(..header_len)?;
    room.copy_from_slice(header);
    if !padding.is_empty() {
        *room.first_mut()? &= !PADDED;
    }
    let mut copy = [0; SLOT];
    let repaired = copy.get_mut(..ORIGINAL + payload.len())?;
    let (original, room) = repaired.split_at_mut(ORIGINAL);
    original.copy_from_slice(&(label.number as u16).to_be_bytes());
    room.copy_from_slice(payload);
    if !label.edit.is_none() {
        label.edit.write_payload(&meta.part, room);
        label
            .edit
            .write_header(&meta.part, out.get_mut(..header_len)?);
    }
    seal_rtx(
        outlet,
        track,
        repair,
        label.timestamp,
        (header_len, repaired),
        out,
    )
}

/// The longest padding there is (RFC 3550, section 5.1).
const LONGEST_PADDING: [u8; 255] = {
    let mut padding = [0; 255];
    padding[254] = 255;
    padding
};

/// Writes a packet of the repairs' stream that repairs nothing, and only shows how fast it
/// arrives. Returns its length.
pub(super) fn seal_padding(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    repair: &RepairLabel,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let header_len = packet::write_bare(out)?;
    seal_rtx(
        outlet,
        track,
        repair,
        track.last_timestamp(),
        (header_len, &LONGEST_PADDING),
        out,
    )
}

/// Makes what stands in `out` the header of a packet of the repairs' stream, and seals the payload
/// behind it.
fn seal_rtx(
    outlet: &mut Outlet<'_>,
    track: &DownTrack,
    repair: &RepairLabel,
    timestamp: u32,
    (header_len, payload): (usize, &[u8]),
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let (rtx, number) = (repair.rtx, repair.number);
    packet::patch(
        out.first_chunk_mut()?,
        rtx.payload_type,
        number as u16,
        timestamp,
        rtx.ssrc,
    );
    outlet.stamp(track, out);
    let sealed = outlet
        .sealer
        .seal_rtp(rtx.ssrc, number, header_len, payload, out);
    let len = sealed.ok()?;
    outlet.sent(track, len);
    Some(len)
}

/// The same for a packet that differs from the kept one beyond the fixed fields of its header.
fn seal_edited(
    outlet: &Outlet<'_>,
    track: &DownTrack,
    meta: &Meta,
    payload: &[u8],
    label: &Label,
    out: &mut [u8; MAX_DATAGRAM],
) -> Option<usize> {
    let (ssrc, edit) = (track.config().ssrc, &label.edit);
    let sealer = outlet.sealer;
    if edit.is_left_out {
        // No extension, padding, no marker.
        out[0] = 0xa0;
        out[1] &= 0x7f;
        let seal = sealer.seal_rtp(ssrc, label.number, FIXED_HEADER, &PADDING, out);
        return seal.ok();
    }
    let header_len = usize::from(meta.header_len);
    edit.write_header(&meta.part, out.get_mut(..header_len)?);
    outlet.stamp(track, out);
    let sealed = if edit.is_of_payload(&meta.part) {
        let mut copy = [0; SLOT];
        let copy = copy.get_mut(..payload.len())?;
        copy.copy_from_slice(payload);
        edit.write_payload(&meta.part, copy);
        sealer.seal_rtp(ssrc, label.number, header_len, copy, out)
    } else {
        sealer.seal_rtp(ssrc, label.number, header_len, payload, out)
    };
    sealed.ok()
}

#[cfg(test)]
mod tests;
