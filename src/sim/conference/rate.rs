//! How much a publishing browser sends: by loss, by delay where it is told when its packets
//! arrived, and no more than it is told.

use super::gradient::{Aimd, Detector, Meter};
use crate::media::feedback::ReceptionReport;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where browsers begin, bit/s.
const START: f64 = 300_000.0;
const MIN: f64 = 30_000.0;
/// So long after the beginning what the other end allows is taken at its word.
const START_PHASE: Duration = Duration::from_secs(2);

/// A packet that was told of. Times in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) sent: i64,
    /// `None` if it did not arrive.
    pub(super) arrived: Option<i64>,
    pub(super) bytes: usize,
}

/// What transport-wide feedback shows.
struct Delay {
    detector: Detector,
    meter: Meter,
    aimd: Aimd,
}

/// The sending side of libwebrtc's estimation without transport-wide feedback.
pub(super) struct SendRate {
    rate: f64,
    max: f64,
    remb: Option<f64>,
    began: Option<Instant>,
    last_rise: Option<Instant>,
    last_fall: Option<Instant>,
    delay: Option<Delay>,
    /// The highest number of each source at the last report.
    highest: BTreeMap<u32, u32>,
}

impl SendRate {
    pub(super) fn new(max: u64) -> Self {
        Self {
            rate: START,
            max: max as f64,
            remb: None,
            began: None,
            last_rise: None,
            last_fall: None,
            delay: None,
            highest: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// bit/s
    pub(super) fn rate(&self) -> u64 {
        self.rate as u64
    }

    /// Transport-wide feedback arrived.
    pub(super) fn feedback(&mut self, now: Instant, told: &[Told], rtt: Duration) {
        let max = self.max as u64;
        let delay = self.delay.get_or_insert_with(|| Delay {
            detector: Detector::new(),
            meter: Meter::default(),
            aimd: Aimd::new(START as u64, max),
        });
        let mut last = None;
        for packet in told {
            if let Some(arrived) = packet.arrived {
                delay.detector.packet(packet.sent, arrived);
                delay.meter.add(arrived, packet.bytes);
                last = last.max(Some(arrived));
            }
        }
        let acknowledged = last.and_then(|last| delay.meter.rate(last));
        delay
            .aimd
            .update(now, delay.detector.usage(), acknowledged, rtt);
        if delay.aimd.is_fresh() {
            // What a browser finds out by probing.
            self.rate = self.rate.max(delay.aimd.rate() as f64);
        }
        self.cap();
    }

    fn cap(&mut self) {
        let delay = self.delay.as_ref().map(|delay| delay.aimd.rate() as f64);
        let limit = self.remb.unwrap_or(self.max).min(self.max);
        let limit = delay.map_or(limit, |delay| limit.min(delay));
        self.rate = self.rate.min(limit).max(MIN);
    }

    pub(super) fn remb(&mut self, now: Instant, bitrate: u64) {
        self.remb = Some(bitrate as f64);
        let fresh = self
            .began
            .is_some_and(|began| now.saturating_duration_since(began) < START_PHASE);
        if fresh {
            self.rate = self.rate.max(bitrate as f64);
        }
        self.cap();
    }

    pub(super) fn receiver_report(
        &mut self,
        now: Instant,
        blocks: impl Iterator<Item = ReceptionReport>,
    ) {
        let (mut expected, mut lost) = (0_u64, 0_u64);
        for block in blocks {
            let last = self.highest.insert(block.ssrc, block.highest_seq);
            let count = last.map_or(0, |last| block.highest_seq.wrapping_sub(last));
            expected += u64::from(count);
            lost += u64::from(count) * u64::from(block.fraction_lost);
        }
        let Some(fraction) = lost.checked_div(expected) else {
            return;
        };
        let ago = |last: Option<Instant>| {
            last.map_or(Duration::MAX, |last| now.saturating_duration_since(last))
        };
        // In 1/256: below 2 % it grows, above 10 % it shrinks.
        if fraction <= 5 {
            if ago(self.last_rise) >= Duration::from_millis(900) {
                self.last_rise = Some(now);
                self.rate = self.rate * 1.08 + 1_000.0;
            }
        } else if fraction > 26 && ago(self.last_fall) >= Duration::from_millis(400) {
            self.last_fall = Some(now);
            self.rate *= (512 - fraction.min(256)) as f64 / 512.0;
        }
        self.cap();
    }
}
