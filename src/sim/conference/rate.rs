//! How much a publishing browser sends: by loss, by delay where it is told when its packets
//! arrived, and no more than it is told.

use super::gradient::{Aimd, Detector, Meter, Usage};
use super::probe::Prober;
use crate::media::feedback::ReceptionReport;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where browsers begin, bit/s.
const START: f64 = 300_000.0;
const MIN: f64 = 30_000.0;

/// A packet that was told of. Times in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) sent: i64,
    /// `None` if it did not arrive.
    pub(super) arrived: Option<i64>,
    pub(super) bytes: usize,
    /// The probe that it was part of; 0 if of none.
    pub(super) cluster: u32,
}

/// What transport-wide feedback shows.
struct Delay {
    detector: Detector,
    meter: Meter,
    aimd: Aimd,
}

/// The sending side of libwebrtc's estimation: each bound by itself, and probes.
pub(super) struct SendRate {
    /// What losses allow.
    bound: f64,
    max: f64,
    remb: Option<f64>,
    last_rise: Option<Instant>,
    last_fall: Option<Instant>,
    delay: Option<Delay>,
    pub(super) prober: Prober,
    /// The highest number of each source at the last report.
    highest: BTreeMap<u32, u32>,
}

impl SendRate {
    pub(super) fn new(max: u64) -> Self {
        Self {
            bound: max as f64,
            max: max as f64,
            remb: None,
            last_rise: None,
            last_fall: None,
            delay: None,
            prober: Prober::new(max as f64),
            highest: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self) {
        self.prober.begin(START);
    }

    /// bit/s
    pub(super) fn rate(&self) -> u64 {
        // Each says by itself what it allows: when one of them allows more, so do they together.
        let delay = self
            .delay
            .as_ref()
            .map_or(START, |delay| delay.aimd.rate() as f64);
        let limit = self.remb.unwrap_or(self.max).min(self.max);
        self.bound.min(delay).min(limit).max(MIN) as u64
    }

    /// Transport-wide feedback arrived.
    pub(super) fn feedback(&mut self, now: Instant, told: &[Told], rtt: Duration) {
        let max = self.max as u64;
        let delay = self.delay.get_or_insert_with(|| Delay {
            detector: Detector::new(),
            meter: Meter::default(),
            aimd: Aimd::steady(START as u64, max),
        });
        let mut last = None;
        for packet in told {
            if let Some(arrived) = packet.arrived {
                delay.detector.packet(packet.sent, arrived);
                delay.meter.add(arrived, packet.bytes);
                last = last.max(Some(arrived));
                let Told { sent, bytes, .. } = *packet;
                self.prober.arrived(packet.cluster, sent, arrived, bytes);
            }
        }
        let acknowledged = last.and_then(|last| delay.meter.rate(last));
        delay
            .aimd
            .update(now, delay.detector.usage(), acknowledged, rtt);
        if let Some(found) = self.prober.result(now)
            && delay.detector.usage() != Usage::Over
        {
            delay.aimd.probed(found);
        }
    }

    pub(super) fn remb(&mut self, bitrate: u64) {
        self.remb = Some(bitrate as f64);
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
                self.bound = (self.bound * 1.08 + 1_000.0).min(self.max);
            }
        } else if fraction > 26 && ago(self.last_fall) >= Duration::from_millis(400) {
            self.last_fall = Some(now);
            let share = (512 - fraction.min(256)) as f64 / 512.0;
            self.bound = self.rate() as f64 * share;
        }
    }
}
