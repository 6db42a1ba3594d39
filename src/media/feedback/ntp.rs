//! NTP times as RTCP carries them (RFC 3550, section 4).

use std::time::{Duration, Instant};

/// Seconds from 1900, the epoch of NTP, to 1970, the epoch of Unix.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A wall-clock time: seconds since 1900 in the upper, fractions of 2⁻³² s in the lower 32 bits.
/// Wraps in 2036, as RTCP expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From the time since the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs().wrapping_add(UNIX_EPOCH);
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 32) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    /// The middle 32 bits, in 1/65536 s: what a report block calls LSR.
    pub fn short(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// From an earlier to this time; zero when it is not earlier. Right across the wrap of 2036.
    pub fn since(self, earlier: Self) -> Duration {
        let difference = self.0.wrapping_sub(earlier.0);
        if difference > u64::MAX / 2 {
            return Duration::ZERO;
        }
        let nanos = ((difference & u64::from(u32::MAX)) * 1_000_000_000) >> 32;
        Duration::from_secs(difference >> 32) + Duration::from_nanos(nanos)
    }
}

/// Tells the wall-clock time of any `Instant`, from one moment at which both were known.
///
/// It never jumps: RTCP needs a clock that is steady more than one that is right.
#[derive(Debug, Clone, Copy)]
pub struct NtpClock {
    at: Instant,
    unix: Duration,
}

impl NtpClock {
    /// The moment `at` was `since_epoch` after the Unix epoch.
    pub fn new(at: Instant, since_epoch: Duration) -> Self {
        Self {
            at,
            unix: since_epoch,
        }
    }

    /// The wall-clock time of `now`, which may lie before the moment the clock was made.
    pub fn at(&self, now: Instant) -> NtpTime {
        let unix = match now.checked_duration_since(self.at) {
            Some(after) => self.unix.saturating_add(after),
            None => self
                .unix
                .saturating_sub(self.at.saturating_duration_since(now)),
        };
        NtpTime::from_unix(unix)
    }
}

/// A duration of 1/65536 s units (DLSR, or a difference of LSRs).
pub fn short_to_duration(short: u32) -> Duration {
    Duration::from_nanos((u64::from(short) * 1_000_000_000) >> 16)
}

/// A duration in 1/65536 s, as DLSR has it; the largest value when it is longer than 18 hours.
pub fn short_from_duration(duration: Duration) -> u32 {
    let units = (duration.as_nanos() << 16) / 1_000_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}
