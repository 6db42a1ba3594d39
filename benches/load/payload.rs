//! What the packets carry: enough of a codec that servers forward it, then a pattern and a
//! stamp that show whether it arrived whole, when, and how much of it.

use perikon::media::Kind;

/// Behind the pattern: mark, source, counter, time.
const STAMP: usize = 24;
const MARK: [u8; 4] = *b"PKld";
/// Bytes at the start that servers may rewrite (descriptor) or read (codec header).
const CODEC_HEADER: usize = 14;
/// TOC of an Opus packet: CELT, fullband, 20 ms, stereo, one frame (RFC 6716, section 3.1).
const OPUS: u8 = 0xfc;

/// What a packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publisher, and which of its flows.
    pub(crate) source: u32,
    /// Packets of the flow before it.
    pub(crate) counter: u64,
    /// When it was sent: nanoseconds of the wall clock, which the kernel's receive times use too.
    pub(crate) sent: u64,
}

/// What a video packet is, for its descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture {
    pub(crate) first: bool,
    pub(crate) keyframe: bool,
    /// Of the picture, 15 bits.
    pub(crate) id: u16,
}

/// Fills a payload. It is at least [`CODEC_HEADER`] and [`STAMP`] long.
pub(crate) fn write(payload: &mut [u8], stamp: &Stamp, picture: Option<Picture>) {
    let Some(end) = payload.len().checked_sub(STAMP) else {
        return;
    };
    let (body, tail) = payload.split_at_mut(end);
    for (word, chunk) in body.chunks_mut(8).enumerate() {
        let bytes = pattern(stamp, word);
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
    match picture {
        Some(picture) => write_vp8(body, picture),
        None => {
            if let Some(first) = body.first_mut() {
                *first = OPUS;
            }
        }
    }
    tail[..4].copy_from_slice(&MARK);
    tail[4..8].copy_from_slice(&stamp.source.to_be_bytes());
    tail[8..16].copy_from_slice(&stamp.counter.to_be_bytes());
    tail[16..24].copy_from_slice(&stamp.sent.to_be_bytes());
}

fn pattern(stamp: &Stamp, word: usize) -> [u8; 8] {
    (stamp.counter ^ u64::from(stamp.source))
        .wrapping_add(word as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_le_bytes()
}

/// RFC 7741, sections 4.2 and 4.3, and RFC 6386, section 9.1: a picture of 640 x 480.
fn write_vp8(body: &mut [u8], picture: Picture) {
    let start = if picture.first { 0x10 } else { 0 };
    let [high, low] = (picture.id & 0x7fff).to_be_bytes();
    let descriptor = [0x80 | start, 0x80, 0x80 | high, low];
    // Frame tag: shown, version 0; the lowest bit is 0 on a keyframe, which its size follows.
    let tag = [0x10 | u8::from(!picture.keyframe), 0x20, 0];
    let size = [0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01];
    let parts: [&[u8]; 3] = match (picture.first, picture.keyframe) {
        (false, _) => [&descriptor, &[], &[]],
        (true, false) => [&descriptor, &tag, &[]],
        (true, true) => [&descriptor, &tag, &size],
    };
    for (to, from) in body.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
}

/// Reads the stamp; `None` when the payload is not as it was sent.
pub(crate) fn read(payload: &[u8], kind: Kind) -> Option<Stamp> {
    let (body, tail) = payload.split_at_checked(payload.len().checked_sub(STAMP)?)?;
    let number =
        |at: usize| -> Option<u64> { Some(u64::from_be_bytes(*tail.get(at..)?.first_chunk()?)) };
    if tail[..4] != MARK {
        return None;
    }
    let stamp = Stamp {
        source: u32::from_be_bytes(*tail.get(4..)?.first_chunk()?),
        counter: number(8)?,
        sent: number(16)?,
    };
    let skipped = match kind {
        Kind::Video => CODEC_HEADER,
        Kind::Audio => 1,
    };
    let intact = body.chunks(8).enumerate().all(|(word, chunk)| {
        let expected = pattern(&stamp, word);
        let from = skipped.saturating_sub(8 * word).min(chunk.len());
        chunk[from..] == expected[from..chunk.len()]
    });
    intact.then_some(stamp)
}
