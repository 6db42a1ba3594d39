//! What a packet is to its picture: read once, for all receivers.

use super::UpTrack;
use crate::media::cache::Part;
use crate::media::codec::{self, Flags, dependency};
use crate::media::packet::{self, Header};
use crate::media::{Codec, Kind};
use crate::transport::description::Extension;
use std::time::Instant;

/// So many packets of an H.264 picture may be before its first slice.
const MAX_BEFORE_SLICE: u64 = 8;

impl UpTrack {
    /// What a packet is to its picture. Packets that are not understood, and padding, are of the
    /// lowest layer: everyone gets them.
    pub(super) fn part(
        &mut self,
        marker: bool,
        padding: bool,
        header_len: usize,
        bytes: &[u8],
    ) -> (Flags, Part) {
        let codec = self.config.codec;
        if self.config.kind != Kind::Video {
            return (Flags::default(), Part::default());
        }
        let payload = packet::unpadded(padding, &bytes[header_len..]);
        let descriptor = (codec == Codec::Av1).then(|| descriptor(bytes)).flatten();
        let (at, descriptor) = descriptor.unzip();
        let Ok(mut flags) = codec::flags(codec, payload, marker, descriptor) else {
            return (Flags::default(), Part::default());
        };
        let mut frame = None;
        if let Some(descriptor) = descriptor {
            if let Ok(Some(structure)) = dependency::Structure::parse(descriptor) {
                self.structure = Some(Box::new(structure));
            }
            if let Some(structure) = &self.structure
                && let Ok(frame) = structure.frame(descriptor)
            {
                frame.apply(structure, &mut flags);
            }
            frame = dependency::Mandatory::parse(descriptor).ok();
        }
        let picture = flags.picture_id;
        let tl0 = flags.tl0_pic_idx;
        let part = Part {
            sid: flags.sid,
            tid: flags.tid,
            start_of_frame: flags.start_of_frame,
            end_of_frame: flags.end_of_frame,
            tid_upsync: flags.tid_upsync,
            wide: picture.is_some_and(|picture| picture.wide),
            picture_at: picture.map_or(0, |picture| picture.offset),
            picture: picture.map_or(0, |picture| picture.value),
            tl0_at: tl0.map_or(0, |tl0| tl0.offset),
            tl0: tl0.map_or(0, |tl0| tl0.value),
            frame: frame.map_or(0, |frame| frame.frame_number),
            // Behind its first byte.
            frame_at: frame.and(at).map_or(0, |at| at as u16 + 1),
        };
        (flags, part)
    }

    pub(super) fn measure(&mut self, now: Instant, part: Part, flags: &Flags, len: usize) {
        if self.config.kind == Kind::Video {
            self.layers.add(now, part.sid, part.tid, len);
            if let Some(size) = flags.size {
                self.layers.set_size(size);
            }
        }
    }

    /// Decoding can begin with a packet.
    pub(super) fn begins_keyframe(&self, flags: &Flags, seqno: u64, timestamp: u32) -> bool {
        flags.keyframe
            && flags.start_of_frame
            && !self.is_in_keyframe(seqno, timestamp)
            && !self.lacks_parameters(flags, seqno, timestamp)
    }

    /// The packet is a later one of the keyframe that began last. The parameter sets and the
    /// first slice of an H.264 keyframe both say that decoding can begin with them.
    fn is_in_keyframe(&self, seqno: u64, timestamp: u32) -> bool {
        self.last_keyframe.is_some_and(|(first, _)| {
            let began = self.cache.get(first);
            seqno > first && began.is_some_and(|(meta, _)| meta.timestamp == timestamp)
        })
    }

    /// It is not known what is before the first slice of an H.264 keyframe: most likely the parameter
    /// sets. Who begins without them is not sent them when they come, and shows nothing, or the slice
    /// by the sets of another encoding.
    fn lacks_parameters(&self, flags: &Flags, seqno: u64, timestamp: u32) -> bool {
        if self.config.codec != Codec::H264 || flags.parameters || self.highest.is_none() {
            return false;
        }
        let before = (seqno.saturating_sub(MAX_BEFORE_SLICE)..seqno).rev();
        let mut before = before.map(|before| self.cache.get(before));
        let other = before.find(|one| one.is_none_or(|(meta, _)| meta.timestamp != timestamp));
        matches!(other, Some(None))
    }
}

/// The dependency descriptor of a kept packet, and where it is.
fn descriptor(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let own = Header::parse(bytes).ok()?;
    let id = Extension::DependencyDescriptor.own_id();
    let value = own
        .extensions(bytes)
        .find_map(|(other, value)| (other == id).then_some(value))?;
    let at = (value.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
    Some((at, value))
}
