//! Transport-wide feedback: which packets arrived, and when
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).

/// Of times: 250 µs.
pub const TICK_MICROS: u64 = 250;
/// Of the reference time: 64 ms, in ticks.
pub const REFERENCE_TICKS: u64 = 256;

/// What one symbol says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Missing,
    /// One byte of ticks since the packet before.
    Small,
    /// Two bytes, signed.
    Large,
}

impl Symbol {
    /// `None` for the reserved one.
    fn read(bits: u16) -> Option<Self> {
        match bits {
            0 => Some(Self::Missing),
            1 => Some(Self::Small),
            2 => Some(Self::Large),
            _ => None,
        }
    }

    /// Bytes of its time.
    fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Small => 1,
            Self::Large => 2,
        }
    }
}

/// The symbols of one chunk that were not given yet.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    /// The next symbol stands on top; not used by a run.
    bits: u16,
    /// Of a symbol; 0 for a run.
    width: u8,
    run: Option<Symbol>,
    left: u16,
}

impl Chunk {
    fn read(word: u16) -> Option<Self> {
        Some(match (word >> 15, (word >> 14) & 1) {
            (0, _) => Self {
                bits: 0,
                width: 0,
                run: Some(Symbol::read((word >> 13) & 3)?),
                left: word & 0x1fff,
            },
            (_, 0) => Self {
                bits: word << 2,
                width: 1,
                run: None,
                left: 14,
            },
            (_, _) => Self {
                bits: word << 2,
                width: 2,
                run: None,
                left: 7,
            },
        })
    }

    fn next(&mut self) -> Option<Symbol> {
        self.left = self.left.checked_sub(1)?;
        if self.run.is_some() {
            return self.run;
        }
        let symbol = Symbol::read(self.bits >> (16 - u16::from(self.width)));
        self.bits <<= self.width;
        symbol
    }
}

/// The packets of one feedback message, in the order of their numbers: number, and when it
/// arrived, in ticks after the reference time; `None` if it did not.
#[derive(Debug, Clone)]
pub struct Arrivals<'a> {
    base: u16,
    reference: u32,
    given: u16,
    count: u16,
    chunk: Chunk,
    chunks: &'a [u8],
    times: &'a [u8],
    at: i64,
}

impl<'a> Arrivals<'a> {
    /// Reads the contents of a message, from the base sequence number on. `None` if they are
    /// malformed: then nothing of them is believed.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let (head, rest) = body.split_first_chunk::<8>()?;
        let [
            base_high,
            base_low,
            count_high,
            count_low,
            time @ ..,
            _feedback,
        ] = *head;
        let [high, middle, low] = time;
        let count = u16::from_be_bytes([count_high, count_low]);
        let mut chunks = rest;
        let (mut symbols, mut len) = (0_u16, 0);
        while symbols < count {
            let (word, others) = chunks.split_first_chunk()?;
            let mut chunk = Chunk::read(u16::from_be_bytes(*word))?;
            if let Some(run) = chunk.run {
                let run_length = chunk.left.min(count - symbols);
                len += run.len() * usize::from(run_length);
                symbols += run_length;
            } else {
                while symbols < count && chunk.left > 0 {
                    len += chunk.next()?.len();
                    symbols += 1;
                }
            }
            chunks = others;
        }
        let (chunks, times) = rest.split_at_checked(rest.len() - chunks.len())?;
        Some(Self {
            base: u16::from_be_bytes([base_high, base_low]),
            reference: u32::from_be_bytes([0, high, middle, low]),
            given: 0,
            count,
            chunk: Chunk {
                bits: 0,
                width: 0,
                run: None,
                left: 0,
            },
            chunks,
            times: times.get(..len)?,
            at: 0,
        })
    }

    /// The number of the first packet.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// Passes over the next packets, so many of them: at no cost where none arrived, and that can be
    /// said of all numbers there are in a few bytes.
    pub fn pass(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            if self.chunk.run == Some(Symbol::Missing) && self.chunk.left > 0 {
                let rest = self.chunk.left.min(self.count - self.given);
                let step = rest.min(u16::try_from(left).unwrap_or(u16::MAX));
                if step == 0 {
                    return;
                }
                self.chunk.left -= step;
                self.given += step;
                left -= u64::from(step);
            } else if self.next().is_some() {
                left -= 1;
            } else {
                return;
            }
        }
    }

    /// How many packets the message tells of.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// When the times begin, by the receiver's clock, in 64 ms; 24 bits, wrapping.
    pub fn reference(&self) -> u32 {
        self.reference
    }
}

impl Iterator for Arrivals<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.given == self.count {
            return None;
        }
        while self.chunk.left == 0 {
            let (word, chunks) = self.chunks.split_first_chunk()?;
            self.chunk = Chunk::read(u16::from_be_bytes(*word))?;
            self.chunks = chunks;
        }
        let number = self.base.wrapping_add(self.given);
        self.given += 1;
        let arrived = match self.chunk.next()? {
            Symbol::Missing => None,
            Symbol::Small => {
                let (time, times) = self.times.split_first()?;
                self.times = times;
                self.at += i64::from(*time);
                Some(self.at)
            }
            Symbol::Large => {
                let (time, times) = self.times.split_first_chunk()?;
                self.times = times;
                self.at += i64::from(i16::from_be_bytes(*time));
                Some(self.at)
            }
        };
        Some((number, arrived))
    }
}

/// What a message says, to be written by [`Compound::arrivals`](super::Compound::arrivals).
#[derive(Debug, Clone, Copy, Default)]
pub struct ArrivalReport<'a> {
    /// The number of the first packet.
    pub base: u16,
    /// When the times begin, in 64 ms; 24 bits.
    pub reference: u32,
    /// The number of the message.
    pub message: u8,
    /// For each packet: 0 if it is missing, 1 if its time is from 0 to 255, else 2.
    pub symbols: &'a [u8],
    /// For each that arrived: ticks after the one before; of the first, after the reference.
    pub times: &'a [i16],
}

/// Symbols as chunks: runs where they are long, vectors elsewhere.
#[derive(Debug)]
pub(super) struct Chunks<'a>(pub(super) &'a [u8]);

impl Iterator for Chunks<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let symbol = *self.0.first()?;
        let run = self.0.iter().take(0x1fff).take_while(|one| **one == symbol);
        let run = run.count();
        let narrow = self.0.iter().take(14).all(|one| *one < 2);
        let room = if narrow { 14 } else { 7 };
        let (chunk, len) = if run >= room.min(self.0.len()) {
            ((u16::from(symbol) << 13) | run as u16, run)
        } else {
            let width = 14 / room;
            let head = if narrow { 0x8000 } else { 0xc000 };
            let bits = self.0.iter().take(room).enumerate();
            let bits = bits.fold(0, |bits, (at, one)| {
                bits | (u16::from(*one) << (14 - width * (at + 1)))
            });
            (head | bits, room.min(self.0.len()))
        };
        self.0 = self.0.get(len..).unwrap_or_default();
        Some(chunk)
    }
}
