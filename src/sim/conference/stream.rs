//! One SSRC that a watching browser is sent: its numbers, its clock, and what of it is missing.

use super::picture::Moment;
use crate::media::feedback::NtpTime;
use crate::media::rate::Reception;
use crate::media::seq::extend_timestamp;
use crate::media::{Codec, Kind};
use crate::sim::sealed::Sealed;
use crate::transport::description::Rtx;
use crate::transport::srtp::Sequence;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A packet is asked for so often at the most.
const MAX_NACKS: u8 = 10;
/// More than these missing at once, and a keyframe is asked for instead.
pub(super) const MAX_MISSING: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    due: Instant,
    nacks: u8,
}

/// One SSRC.
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) ssrc: u32,
    pub(super) sequence: Sequence,
    pub(super) rtx: Option<Rtx>,
    pub(super) rtx_sequence: Sequence,
    /// Of the stream, and of its repairs.
    pub(super) sealed: [Sealed; 2],
    pub(super) reception: Reception,
    pub(super) highest: Option<u64>,
    pub(super) missing: BTreeMap<u64, Missing>,
    pub(super) near_timestamp: Option<u64>,
    pub(super) last_sr: Option<(NtpTime, u64)>,
    pub(super) last_moment: Option<Moment>,
}

impl Stream {
    /// In full, and in µs.
    pub(super) fn timestamp(&mut self, timestamp: u32) -> i64 {
        let full = self.full_timestamp(timestamp);
        self.near_timestamp = Some(full);
        to_micros(full, self.kind)
    }

    pub(super) fn full_timestamp(&self, timestamp: u32) -> u64 {
        // Not the first turn: what is older must have a place.
        let begin = (1 << 32) + u64::from(timestamp);
        extend_timestamp(timestamp, self.near_timestamp.unwrap_or(begin))
    }

    /// Notes what is missing before a packet. True if the packet itself was asked for.
    pub(super) fn find_missing(&mut self, now: Instant, number: u64) -> bool {
        let Some(highest) = self.highest else {
            self.highest = Some(number);
            return false;
        };
        if number <= highest {
            return self
                .missing
                .remove(&number)
                .is_some_and(|missing| missing.nacks > 0);
        }
        self.highest = Some(number);
        for lost in (highest + 1..number).take(MAX_MISSING + 1) {
            let missing = Missing { due: now, nacks: 0 };
            self.missing.insert(lost, missing);
        }
        false
    }

    pub(super) fn poll_missing(
        &mut self,
        now: Instant,
        rtt: Duration,
        floor: Option<u64>,
    ) -> Vec<u16> {
        if let Some(floor) = floor {
            // What was played over is not asked for any more.
            self.missing = self.missing.split_off(&floor);
        }
        let mut lost = Vec::new();
        self.missing.retain(|number, missing| {
            if missing.due > now || lost.len() >= 250 {
                return true;
            }
            if missing.nacks == MAX_NACKS {
                return false;
            }
            lost.push(*number as u16);
            missing.nacks += 1;
            missing.due = now + rtt;
            true
        });
        lost
    }

    /// When [`Self::poll_missing`] has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due).min()
    }

    /// By the sender's report: when the last packet was captured, less when it really was.
    pub(super) fn clock_error(&self) -> Option<i64> {
        let (ntp, time) = self.last_sr?;
        let moment = self.last_moment?;
        let after = moment.timestamp - to_micros(time, self.kind);
        let reported = ((u128::from(ntp.0) * 1_000_000) >> 32) as i64 + after;
        Some(reported - moment.captured)
    }
}

pub(super) fn clock_rate(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => Codec::Opus.clock_rate(),
        Kind::Video => Codec::Vp8.clock_rate(),
    }
}

fn to_micros(timestamp: u64, kind: Kind) -> i64 {
    (u128::from(timestamp) * 1_000_000 / u128::from(clock_rate(kind))) as i64
}
