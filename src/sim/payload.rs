//! Payloads that say which packet they are, so that a receiver can tell what became of it.

use super::random::Random;
use crate::media::Kind;
use std::sync::LazyLock;
use std::time::Duration;

/// What a payload says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Of the client that made it.
    pub sender: u64,
    /// Sound or pictures.
    pub kind: Kind,
    /// Counts the packets of a track, from 0.
    pub index: u64,
    /// Counts the frames of a track, from 0.
    pub frame: u64,
    /// When it was captured, since the beginning of the world.
    pub captured: Duration,
    /// Pictures: it is the first packet of its frame.
    pub start: bool,
    /// Pictures: the frame needs no other.
    pub keyframe: bool,
}

/// The bytes of a mark.
const MARK: usize = 8 + 1 + 8 + 8 + 8 + 1;
/// The bytes before the mark: descriptor and frame header of VP8 at the most.
const HEAD: usize = 4 + 10;
/// The shortest payload that [`write`] makes.
pub(super) const MIN: usize = HEAD + MARK;
/// Where the filling comes from.
const TABLE: usize = 4_096;

static FILLING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random::new(0x5eed);
    (0..TABLE / 8)
        .flat_map(|_| random.next().to_be_bytes())
        .collect()
});

fn filling(index: u64, len: usize) -> &'static [u8] {
    let start = (index % (TABLE as u64 / 2)) as usize;
    FILLING.get(start..start + len).unwrap_or_default()
}

/// Writes a payload of `len` bytes, from [`MIN`] to 1,400.
pub(super) fn write(mark: &Mark, len: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    if mark.kind == Kind::Video {
        // RFC 7741: X and perhaps S; I; a picture id of 15 bits.
        let start = if mark.start { 0x10 } else { 0 };
        let id = (mark.frame as u16 | 0x8000).to_be_bytes();
        out.extend_from_slice(&[0x80 | start, 0x80, id[0], id[1]]);
        if mark.start && mark.keyframe {
            // RFC 6386, section 9.1: a keyframe of 640 by 360, which is shown.
            out.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
        } else if mark.start {
            out.extend_from_slice(&[0x11, 0, 0]);
        }
    }
    out.extend_from_slice(&mark.sender.to_be_bytes());
    out.push(u8::from(mark.kind == Kind::Video));
    out.extend_from_slice(&mark.index.to_be_bytes());
    out.extend_from_slice(&mark.frame.to_be_bytes());
    out.extend_from_slice(&(mark.captured.as_nanos() as u64).to_be_bytes());
    out.push(u8::from(mark.start) | u8::from(mark.keyframe) << 1);
    let rest = (begin + len.max(MIN)).saturating_sub(out.len());
    out.extend_from_slice(filling(mark.index, rest));
}

/// Where the picture id is, which the server numbers anew when it goes from one source to another.
const PICTURE_ID: std::ops::Range<usize> = 2..4;

/// Reads a payload; `None` when a single byte of it is not as it was written, but for the picture
/// id.
pub(super) fn read(kind: Kind, payload: &[u8]) -> Option<Mark> {
    let mut rest = payload;
    if kind == Kind::Video {
        let descriptor = take(&mut rest, 4)?;
        if descriptor[0] & 0x10 != 0 {
            let keyframe = rest.first()? & 1 == 0;
            take(&mut rest, if keyframe { 10 } else { 3 })?;
        }
    }
    let sender = take_u64(&mut rest)?;
    let video = take(&mut rest, 1)?[0] == 1;
    let index = take_u64(&mut rest)?;
    let frame = take_u64(&mut rest)?;
    let captured = Duration::from_nanos(take_u64(&mut rest)?);
    let flags = take(&mut rest, 1)?[0];
    let mark = Mark {
        sender,
        kind: if video { Kind::Video } else { Kind::Audio },
        index,
        frame,
        captured,
        start: flags & 1 != 0,
        keyframe: flags & 2 != 0,
    };
    let mut again = Vec::with_capacity(payload.len());
    write(&mark, payload.len(), &mut again);
    if kind == Kind::Video {
        let id = payload.get(PICTURE_ID).filter(|id| id[0] & 0x80 != 0)?;
        again.get_mut(PICTURE_ID)?.copy_from_slice(id);
    }
    (kind == mark.kind && again == payload).then_some(mark)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, others) = rest.split_at_checked(len)?;
    *rest = others;
    Some(taken)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(take(rest, 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, codec};

    #[test]
    fn a_payload_is_read_as_it_was_written_and_every_changed_byte_is_seen() {
        for (kind, start, keyframe) in [
            (Kind::Audio, false, false),
            (Kind::Video, true, true),
            (Kind::Video, true, false),
            (Kind::Video, false, false),
        ] {
            let mark = Mark {
                sender: 3,
                kind,
                index: 70_000,
                frame: 9,
                captured: Duration::from_millis(1_234),
                start,
                keyframe,
            };
            let mut payload = Vec::new();
            write(&mark, 200, &mut payload);
            assert_eq!(payload.len(), 200);
            assert_eq!(read(kind, &payload), Some(mark));
            for at in 0..payload.len() {
                if kind == Kind::Video && PICTURE_ID.contains(&at) {
                    continue;
                }
                payload[at] ^= 0x40;
                assert_ne!(read(kind, &payload), Some(mark), "byte {at}");
                payload[at] ^= 0x40;
            }
            if kind == Kind::Video {
                let flags = codec::flags(Codec::Vp8, &payload, false, None).unwrap();
                assert_eq!((flags.start_of_frame, flags.keyframe), (start, keyframe));
            }
        }
    }
}
