//! Sets written here; those of real encoders are in `tests/codec.rs`.

use super::*;
use crate::media::Codec;
use crate::media::codec::{Flags, flags};
use proptest::prelude::*;

/// Bits, the highest first.
#[derive(Default)]
struct Writer(Vec<bool>);

impl Writer {
    fn put(&mut self, value: u32, bits: u32) -> &mut Self {
        self.0
            .extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn unary(&mut self, value: u32) -> &mut Self {
        let bits = u32::BITS - (value + 1).leading_zeros();
        self.put(0, bits - 1).put(value + 1, bits)
    }

    fn signed(&mut self, value: i32) -> &mut Self {
        let code = value.unsigned_abs() * 2;
        self.unary(if value > 0 { code - 1 } else { code })
    }

    fn flag(&mut self, flag: bool) -> &mut Self {
        self.put(u32::from(flag), 1)
    }

    /// With its last bit, and with bytes in between where it would look like the start of a unit.
    fn escaped(&self) -> Vec<u8> {
        let mut bits = self.0.clone();
        bits.push(true);
        bits.resize(bits.len().next_multiple_of(8), false);
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        let mut out: Vec<u8> = Vec::new();
        for byte in bits.chunks(8).map(byte) {
            if byte <= 3 && out.ends_with(&[0, 0]) {
                out.push(3);
            }
            out.push(byte);
        }
        out
    }
}

#[derive(Debug, Clone)]
struct Set {
    profile: u32,
    level: u32,
    id: u32,
    chroma: u32,
    separate: bool,
    /// The steps within each list that is given.
    scaling: Option<Vec<Option<Vec<i32>>>>,
    order: u32,
    offsets: Vec<i32>,
    columns: u32,
    rows: u32,
    frames_only: bool,
    /// Left, right, top, bottom.
    cut: Option<[u32; 4]>,
}

impl Set {
    fn plain(columns: u32, rows: u32) -> Self {
        Self {
            profile: 66,
            level: 31,
            id: 0,
            chroma: 1,
            separate: false,
            scaling: None,
            order: 2,
            offsets: Vec::new(),
            columns,
            rows,
            frames_only: true,
            cut: None,
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.put(self.profile, 8).put(0, 8).put(self.level, 8);
        out.unary(self.id);
        if self.profile >= 100 {
            out.unary(self.chroma);
            if self.chroma == 3 {
                out.flag(self.separate);
            }
            out.unary(0).unary(0).flag(false);
            out.flag(self.scaling.is_some());
            let count = if self.chroma == 3 { 12 } else { 8 };
            for (list, steps) in self.scaling.iter().flatten().take(count).enumerate() {
                out.flag(steps.is_some());
                let Some(steps) = steps else { continue };
                let len = if list < 6 { 16 } else { 64 };
                let mut last = 8;
                for at in 0..len {
                    let step = steps[at % steps.len()];
                    out.signed(step);
                    last = (last + step + 256) % 256;
                    if last == 0 {
                        break;
                    }
                }
            }
        }
        out.unary(4).unary(self.order);
        match self.order {
            0 => {
                out.unary(2);
            }
            1 => {
                out.flag(false).signed(-2).signed(1);
                out.unary(self.offsets.len() as u32);
                for offset in &self.offsets {
                    out.signed(*offset);
                }
            }
            _ => {}
        }
        out.unary(1).flag(false);
        let fields = if self.frames_only { 1 } else { 2 };
        out.unary(self.columns - 1).unary(self.rows / fields - 1);
        out.flag(self.frames_only);
        if !self.frames_only {
            out.flag(true);
        }
        out.flag(true).flag(self.cut.is_some());
        for cut in self.cut.iter().flatten() {
            out.unary(*cut);
        }
        out.flag(false).escaped()
    }

    /// By table 6-1 and equations 7-13 to 7-22.
    fn size(&self) -> (u16, u16) {
        let in_colour = self.profile < 100 || (self.chroma != 0 && !self.separate);
        let chroma = if self.profile < 100 { 1 } else { self.chroma };
        let (mut x, mut y) = match chroma {
            1 if in_colour => (2, 2),
            2 if in_colour => (2, 1),
            _ => (1, 1),
        };
        if !self.frames_only {
            y *= 2;
        }
        let [left, right, top, bottom] = self.cut.unwrap_or_default();
        x *= left + right;
        y *= top + bottom;
        ((self.columns * 16 - x) as u16, (self.rows * 16 - y) as u16)
    }
}

fn read(payload: &[u8]) -> Flags {
    flags(Codec::H264, payload, false, None).unwrap()
}

#[test]
fn the_usual_sets_tell_their_size() {
    for (columns, rows, cut, size) in [
        (40, 30, None, (640, 480)),
        (20, 12, Some([0, 0, 0, 6]), (320, 180)),
        (40, 23, Some([0, 0, 0, 4]), (640, 360)),
        (120, 68, Some([0, 0, 0, 4]), (1920, 1080)),
    ] {
        let set = Set {
            cut,
            ..Set::plain(columns, rows)
        };
        assert_eq!(super::size(&set.write()), Some(size));
    }
}

#[test]
fn a_set_is_found_in_packets_of_one_unit_and_of_several() {
    let set = Set::plain(40, 30).write();
    let single = [&[0x67][..], &set].concat();
    let flags = read(&single);
    assert!(flags.keyframe && flags.start_of_frame);
    assert_eq!(flags.size, Some((640, 480)));
    let mut several = vec![0x78];
    for unit in [&single[..], &[0x68, 0xCE, 0x3C, 0x80], &[0x65, 0x88, 0x80]] {
        several.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        several.extend_from_slice(unit);
    }
    assert_eq!(read(&several).size, Some((640, 480)));
    // A slice of a keyframe alone says nothing of it.
    assert_eq!(read(&[0x65, 0x88, 0x80]).size, None);
}

#[test]
fn a_set_without_a_size_is_a_keyframe_nevertheless() {
    let set = Set::plain(40, 30).write();
    for end in 0..set.len() - 1 {
        let cut = [&[0x67][..], &set[..end]].concat();
        let flags = read(&cut);
        assert_eq!((flags.keyframe, flags.size), (true, None), "{end} bytes");
    }
    let nothing_left = Set {
        cut: Some([0, 0, 200, 40]),
        ..Set::plain(40, 30)
    };
    assert_eq!(super::size(&nothing_left.write()), None);
    assert_eq!(super::size(&Set::plain(4_096, 1).write()), None);
    assert_eq!(super::size(&Set::plain(5_000, 1).write()), None);
}

fn sets() -> impl Strategy<Value = Set> {
    let scaling = prop::collection::vec(prop::option::of(prop::collection::vec(-20..20, 1..4)), 12);
    let beginning = (
        prop::sample::select(vec![66_u32, 77, 88, 100, 110, 122, 244]),
        0..52_u32,
        0..32_u32,
        0..4_u32,
        any::<bool>(),
        prop::option::of(scaling),
    );
    let end = (
        0..3_u32,
        prop::collection::vec(-40..40, 0..6),
        1..256_u32,
        1..128_u32,
        any::<bool>(),
        prop::option::of(prop::array::uniform4(0..4_u32)),
    );
    (beginning, end).prop_map(|(beginning, end)| {
        let (profile, level, id, chroma, separate, scaling) = beginning;
        let (order, offsets, columns, rows, frames_only, cut) = end;
        Set {
            profile,
            level,
            id,
            chroma,
            separate: separate && chroma == 3,
            scaling,
            order,
            offsets,
            // So large that something is left of it.
            columns: columns + 1,
            rows: rows * 2,
            frames_only,
            cut,
        }
    })
}

proptest! {
    #[test]
    fn what_a_set_says_is_read(set in sets()) {
        let written = set.write();
        // Longer ones are not looked through.
        prop_assume!(written.len() < MAX);
        prop_assert_eq!(super::size(&written), Some(set.size()));
    }

    #[test]
    fn damaged_sets_never_panic(
        set in sets(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        random in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut damaged = set.write();
        for (at, byte) in edits {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        for bytes in [damaged, random] {
            let _ = super::size(&bytes);
            prop_assert!(read(&[&[0x67][..], &bytes].concat()).keyframe);
        }
    }
}
