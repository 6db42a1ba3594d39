//! For tests: an encoder that sends layers and encodings, and a decoder that accepts nothing that
//! a real one could not go on with.

use super::*;
use crate::media::packet::Header;
use crate::media::up::Way;
use crate::shard::UpTrackConfig;
use std::collections::HashSet;

pub(super) fn up_config(rid: &str, codec: Codec) -> UpTrackConfig {
    UpTrackConfig {
        mid: "1".to_owned(),
        rid: Some(rid.to_owned()),
        ssrc: None,
        kind: codec.kind(),
        codec,
        payload_type: 100,
        extensions: Default::default(),
        red: None,
        rtx: None,
        feedback: Default::default(),
    }
}

pub(super) fn down_config(encodings: &[usize]) -> DownTrackConfig {
    DownTrackConfig {
        mid: "1".to_owned(),
        encodings: encodings.to_vec(),
        publisher: 0,
        ssrc: 1_000,
        payload_type: 96,
        red: None,
        rtx: None,
        transport_cc: false,
    }
}

/// Which frame a packet is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) encoding: u8,
    pub(super) index: u16,
    /// Of the frame's packets, which, and how many there are.
    pub(super) part: u8,
    pub(super) parts: u8,
    pub(super) keyframe: bool,
    pub(super) tid: u8,
}

/// One encoding of VP8 with three temporal layers, as Chromium sends it.
pub(super) struct Encoder {
    pub(super) encoding: u8,
    pub(super) seqno: u64,
    pub(super) timestamp: u32,
    picture: u16,
    tl0: u8,
    index: u16,
    since_key: u16,
    pub(super) wants_keyframe: bool,
    size: (u16, u16),
}

impl Encoder {
    pub(super) fn new(encoding: u8, size: (u16, u16)) -> Self {
        let other = u16::from(encoding) + 1;
        Self {
            encoding,
            seqno: 65_000 * u64::from(other),
            timestamp: 0xffff_0000_u32.wrapping_mul(u32::from(other)),
            picture: 0x7ff0_u16.wrapping_add(other * 5),
            tl0: 250 + encoding,
            index: 0,
            since_key: 0,
            wants_keyframe: true,
            size,
        }
    }

    /// Pictures since the last keyframe, that included.
    pub(super) fn since_key(&self) -> u16 {
        self.since_key
    }

    /// The packets of the next frame, kept by the track: their numbers. `ticks` since the last.
    pub(super) fn frame(
        &mut self,
        now: Instant,
        ticks: u32,
        parts: u8,
        track: &mut UpTrack,
    ) -> Vec<u64> {
        let keyframe = std::mem::take(&mut self.wants_keyframe);
        if keyframe {
            self.since_key = 0;
        }
        let tid = [0, 2, 1, 2][usize::from(self.since_key % 4)];
        self.timestamp = self.timestamp.wrapping_add(ticks);
        if tid == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let mut numbers = Vec::new();
        for part in 0..parts {
            let mut packet = vec![0x80, 100];
            if part + 1 == parts {
                packet[1] |= 0x80;
            }
            packet.extend_from_slice(&(self.seqno as u16).to_be_bytes());
            packet.extend_from_slice(&self.timestamp.to_be_bytes());
            packet.extend_from_slice(&u32::from(self.encoding).to_be_bytes());
            let start = if part == 0 { 0x10 } else { 0 };
            let id = (0x8000 | self.picture).to_be_bytes();
            // The first of layer 2 and that of layer 1 need nothing but layer 0.
            let sync = self.since_key % 4 == 1 || tid == 1;
            packet.extend_from_slice(&[0x80 | start, 0xe0, id[0], id[1], self.tl0]);
            packet.push(tid << 6 | u8::from(sync) << 5);
            if part == 0 && keyframe {
                packet.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a]);
                packet.extend_from_slice(&self.size.0.to_le_bytes());
                packet.extend_from_slice(&self.size.1.to_le_bytes());
            } else {
                packet.extend_from_slice(&[0x11; 10]);
            }
            let [high, low] = self.index.to_be_bytes();
            packet.extend_from_slice(&[
                self.encoding,
                high,
                low,
                part,
                parts,
                u8::from(keyframe),
                tid,
            ]);
            let header = Header::parse(&packet).unwrap();
            track
                .keep(
                    now,
                    &header,
                    self.seqno,
                    self.timestamp,
                    12,
                    &packet,
                    Way::Direct,
                )
                .unwrap();
            numbers.push(self.seqno);
            self.seqno += 1;
        }
        self.picture = (self.picture + 1) & 0x7fff;
        self.index += 1;
        self.since_key += 1;
        numbers
    }
}

/// A packet as its receiver gets it.
pub(super) fn written(label: &Label, meta: &Meta, bytes: &[u8]) -> Vec<u8> {
    let mut packet = bytes.to_vec();
    let (header, payload) = packet.split_at_mut(usize::from(meta.header_len));
    packet::patch(
        header.first_chunk_mut().unwrap(),
        label.payload_type,
        label.number as u16,
        label.timestamp,
        1_000,
    );
    label.edit.write_header(&meta.part, header);
    label.edit.write_payload(&meta.part, payload);
    packet
}

/// A decoder of [`Encoder`]'s frames.
#[derive(Default)]
pub(super) struct Decoder {
    number: Option<u16>,
    picture: Option<u16>,
    tl0: Option<u8>,
    timestamp: Option<u32>,
    /// Frames that are whole, since the last keyframe.
    whole: HashSet<u16>,
    began: Option<Name>,
    pub(super) shown: Vec<Name>,
}

impl Decoder {
    pub(super) fn take(&mut self, packet: &[u8]) {
        let header = Header::parse(packet).unwrap();
        if let Some(last) = self.number.replace(header.seqno) {
            assert_eq!(header.seqno, last.wrapping_add(1), "a gap");
        }
        let payload = &packet[header.len..];
        let picture = u16::from_be_bytes([payload[2], payload[3]]) & 0x7fff;
        let (tl0, tid) = (payload[4], payload[5] >> 6);
        let [encoding, high, low, part, parts, keyframe, _] = payload[16..23] else {
            panic!("a packet of another kind");
        };
        let name = Name {
            encoding,
            index: u16::from_be_bytes([high, low]),
            part,
            parts,
            keyframe: keyframe == 1,
            tid,
        };
        if part == 0 {
            if let Some(last) = self.picture.replace(picture) {
                assert_eq!(picture, (last + 1) & 0x7fff, "picture ids");
            }
            if let Some(last) = self.timestamp.replace(header.timestamp) {
                let step = header.timestamp.wrapping_sub(last) as i32;
                assert!(step > 0, "{name:?}: time goes back by {step}");
            }
            let step = u8::from(tid == 0);
            if let Some(last) = self.tl0.replace(tl0) {
                assert_eq!(tl0, last.wrapping_add(step), "TL0PICIDX");
            }
            assert!(self.began.is_none(), "a frame without its end");
        } else {
            let began = self.began.unwrap();
            assert_eq!((began.encoding, began.index), (encoding, name.index));
            assert_eq!(Some(picture), self.picture);
        }
        let is_last = part + 1 == parts;
        assert_eq!(header.marker, is_last);
        self.began = (!is_last).then_some(name);
        if is_last {
            self.decode(name);
        }
    }

    fn decode(&mut self, name: Name) {
        if name.keyframe {
            self.whole.clear();
        } else {
            let last = self.shown.last().unwrap();
            assert_eq!(last.encoding, name.encoding, "without a keyframe");
            let step = |steps: u16| name.index.wrapping_sub(steps);
            // What the frame refers to, by its place in the pattern.
            let needed = match (name.tid, self.whole.contains(&step(1))) {
                (0, _) => step(4),
                (1, _) => step(2),
                // The first of its layer comes after layer 0, the second after layer 1.
                (_, true) => step(1),
                (_, false) => panic!("{name:?} after {last:?}"),
            };
            assert!(self.whole.contains(&needed), "{name:?} lacks {needed}");
        }
        self.whole.insert(name.index);
        self.shown.push(name);
    }
}
