//! What a report block says of a received track.

use crate::media::feedback::{NtpTime, ReceptionReport, short_from_duration};
use std::time::{Duration, Instant};

/// The interarrival jitter of RFC 3550, sections 6.4.1 and A.8.
#[derive(Debug, Clone)]
pub struct Jitter {
    start: Instant,
    clock_rate: u32,
    /// Arrival and timestamp of the last packet that counted, in units of the timestamp.
    last: Option<(u32, u32)>,
    /// Sixteen times the jitter.
    scaled: u32,
}

impl Jitter {
    /// Of a track whose timestamps count `clock_rate` a second.
    pub fn new(now: Instant, clock_rate: u32) -> Self {
        Self {
            start: now,
            clock_rate,
            last: None,
            scaled: 0,
        }
    }

    /// A packet arrived. Only the first of each timestamp counts: the packets of one picture
    /// are sent one after another, which is no jitter of the path.
    pub fn receive(&mut self, rtp_time: u32, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start);
        let arrival = (elapsed.as_micros() * u128::from(self.clock_rate) / 1_000_000) as u32;
        let Some((last_arrival, last_time)) = self.last else {
            self.last = Some((arrival, rtp_time));
            return;
        };
        let step = rtp_time.wrapping_sub(last_time);
        // The same picture, or one that was overtaken.
        if step == 0 || step > u32::MAX / 2 {
            let back = last_time.wrapping_sub(rtp_time);
            // So far back is no reordering: the timestamps began anew.
            if back > self.clock_rate.saturating_mul(5) {
                self.last = Some((arrival, rtp_time));
            }
            return;
        }
        self.last = Some((arrival, rtp_time));
        let difference = arrival.wrapping_sub(last_arrival).wrapping_sub(step);
        let difference = difference.cast_signed().unsigned_abs();
        // A jump of five seconds is a new beginning of the timestamps.
        if difference < self.clock_rate.saturating_mul(5) {
            let decay = self.scaled.saturating_add(8) >> 4;
            self.scaled = self.scaled.saturating_add(difference).saturating_sub(decay);
        }
    }

    /// In units of the timestamps.
    pub fn units(&self) -> u32 {
        self.scaled >> 4
    }

    /// As time.
    pub fn duration(&self) -> Duration {
        let rate = u64::from(self.clock_rate.max(1));
        Duration::from_micros(u64::from(self.units()) * 1_000_000 / rate)
    }
}

/// What is known of the reception of one source, as report blocks tell it.
#[derive(Debug, Clone)]
pub struct Reception {
    jitter: Jitter,
    /// The first sequence number, and the highest.
    range: Option<(u64, u64)>,
    received: u64,
    /// Expected and received at the last report.
    prior: (u64, u64),
    /// Lost before the source began anew.
    lost_before: i64,
    loss: f64,
    /// [`NtpTime::short`] of the last sender report, and its arrival.
    last_sr: Option<(u32, Instant)>,
}

impl Reception {
    /// Of a track whose timestamps count `clock_rate` a second.
    pub fn new(now: Instant, clock_rate: u32) -> Self {
        Self {
            jitter: Jitter::new(now, clock_rate),
            range: None,
            received: 0,
            prior: (0, 0),
            lost_before: 0,
            loss: 0.0,
            last_sr: None,
        }
    }

    /// A packet arrived; duplicates count, as RFC 3550 wants it. `seqno` is extended over all
    /// wraps.
    pub fn receive(&mut self, seqno: u64, rtp_time: u32, now: Instant) {
        self.received += 1;
        match &mut self.range {
            Some((first, highest)) => {
                *first = seqno.min(*first);
                *highest = seqno.max(*highest);
            }
            None => self.range = Some((seqno, seqno)),
        }
        self.jitter.receive(rtp_time, now);
    }

    /// The source jumped or began anew; the next packet is the first. What was lost stays
    /// counted.
    pub fn restart(&mut self) {
        self.lost_before = self.lost();
        self.range = None;
        self.received = 0;
        self.prior = (0, 0);
    }

    /// A sender report of the source arrived.
    pub fn sender_report(&mut self, ntp: NtpTime, now: Instant) {
        self.last_sr = Some((ntp.short(), now));
    }

    /// Ends an interval. `None` while nothing was received.
    pub fn report(&mut self, ssrc: u32, now: Instant) -> Option<ReceptionReport> {
        let (first, highest) = self.range?;
        let expected_in_interval = self.expected().saturating_sub(self.prior.0);
        let received_in_interval = self.received.saturating_sub(self.prior.1);
        self.prior = (self.expected(), self.received);
        let lost = expected_in_interval.saturating_sub(received_in_interval);
        let fraction = (lost << 8).checked_div(expected_in_interval).unwrap_or(0);
        self.loss = if expected_in_interval == 0 {
            0.0
        } else {
            lost as f64 / expected_in_interval as f64
        };
        let (last_sr, delay_since_last_sr) = self.last_sr.map_or((0, 0), |(last_sr, arrival)| {
            (
                last_sr,
                short_from_duration(now.saturating_duration_since(arrival)),
            )
        });
        Some(ReceptionReport {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7F_FFFF) as i32,
            // Cycles are counted from the first packet.
            highest_seq: (highest - (first & !0xFFFF)) as u32,
            jitter: self.jitter.units(),
            last_sr,
            delay_since_last_sr,
        })
    }

    /// Packets that never arrived, since the start; negative when there are more duplicates.
    pub fn lost(&self) -> i64 {
        let expected = i64::try_from(self.expected()).unwrap_or(i64::MAX);
        let received = i64::try_from(self.received).unwrap_or(i64::MAX);
        self.lost_before
            .saturating_add(expected.saturating_sub(received))
    }

    /// The share that was lost in the interval that the last report ended, 0 to 1.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// How unevenly packets arrive.
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    fn expected(&self) -> u64 {
        self.range
            .map_or(0, |(first, highest)| (highest - first).saturating_add(1))
    }
}
