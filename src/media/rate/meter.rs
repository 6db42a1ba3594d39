//! A bitrate over the last second.

use std::time::Instant;

const BUCKETS: usize = 16;
/// Milliseconds that a bucket covers; all together about a second.
const WIDTH: u64 = 64;

/// Counts bytes in buckets that follow each other in a ring.
#[derive(Debug, Clone)]
pub struct RateMeter {
    start: Instant,
    buckets: [u32; BUCKETS],
    sum: u64,
    /// The bucket of the latest packet, counted from the start.
    newest: u64,
    /// The first packet after the meter was empty, in ms since the start.
    began: Option<u64>,
}

impl RateMeter {
    /// Nothing was counted yet.
    pub fn new(now: Instant) -> Self {
        Self {
            start: now,
            buckets: [0; BUCKETS],
            sum: 0,
            newest: 0,
            began: None,
        }
    }

    /// A packet of so many bytes passed.
    pub fn add(&mut self, now: Instant, bytes: usize) {
        let now = self.advance(now);
        self.began.get_or_insert(now);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(bucket) = self
            .buckets
            .get_mut((self.newest % BUCKETS as u64) as usize)
        {
            let before = *bucket;
            *bucket = before.saturating_add(bytes);
            self.sum += u64::from(*bucket - before);
        }
    }

    /// bit/s over the last second, or since the first packet when that is nearer.
    pub fn bitrate(&mut self, now: Instant) -> u64 {
        let now = self.advance(now);
        let Some(began) = self.began else { return 0 };
        // The newest bucket is not over yet.
        let window = (BUCKETS as u64 - 1) * WIDTH + now % WIDTH;
        // A first burst is no rate: it is taken to last a quarter of a second.
        let covered = window.min(now - began).max(250);
        self.sum.saturating_mul(8000) / covered
    }

    /// Empties the buckets whose time has passed. Returns the time in ms since the start.
    fn advance(&mut self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let bucket = elapsed / WIDTH;
        // A time before the newest bucket counts as its beginning.
        if bucket <= self.newest {
            return elapsed
                .max(self.newest * WIDTH)
                .max(self.began.unwrap_or(0));
        }
        if bucket - self.newest >= BUCKETS as u64 {
            self.buckets = [0; BUCKETS];
            self.sum = 0;
        } else {
            for passed in self.newest + 1..=bucket {
                if let Some(bytes) = self.buckets.get_mut((passed % BUCKETS as u64) as usize) {
                    self.sum -= u64::from(std::mem::take(bytes));
                }
            }
        }
        self.newest = bucket;
        if self.sum == 0 {
            self.began = None;
        }
        elapsed
    }
}
