//! What arrived, over windows of up to a second.

/// Milliseconds that a bucket covers.
const WIDTH: u64 = 16;
/// All together about a second.
const BUCKETS: usize = 64;

/// Bytes by the time at which they arrived, in a ring. Times are milliseconds of any clock that
/// does not go back.
#[derive(Debug, Clone)]
pub(super) struct Throughput {
    buckets: [u32; BUCKETS],
    /// The bucket of the latest arrival.
    newest: u64,
    /// The bucket of the first arrival since there was nothing.
    began: Option<u64>,
}

impl Throughput {
    pub(super) fn new() -> Self {
        Self {
            buckets: [0; BUCKETS],
            newest: 0,
            began: None,
        }
    }

    /// Bytes that arrived at a time which may lie a little before the latest.
    pub(super) fn add(&mut self, at: u64, bytes: u32) {
        let bucket = at / WIDTH;
        match self.began {
            None => (self.newest, self.began) = (bucket, Some(bucket)),
            Some(_) if bucket >= self.newest + BUCKETS as u64 => {
                self.buckets = [0; BUCKETS];
                (self.newest, self.began) = (bucket, Some(bucket));
            }
            Some(_) if bucket > self.newest => {
                for passed in self.newest + 1..=bucket {
                    self.buckets[passed as usize % BUCKETS] = 0;
                }
                self.newest = bucket;
            }
            Some(began) if self.newest - bucket >= BUCKETS as u64 || bucket < began => return,
            Some(_) => {}
        }
        let slot = &mut self.buckets[bucket as usize % BUCKETS];
        *slot = slot.saturating_add(bytes);
    }

    /// bit/s over the last `window` milliseconds before the latest arrival. A beginning is taken
    /// to have lasted a quarter of a second.
    pub(super) fn rate(&self, window: u64) -> f64 {
        let Some(began) = self.began else { return 0.0 };
        let wanted = (window / WIDTH).clamp(1, BUCKETS as u64 - 1);
        let covered = wanted.min((self.newest - began + 1).max(250 / WIDTH));
        let oldest = (self.newest + 1).saturating_sub(covered).max(began);
        let sum: u64 = (oldest..=self.newest)
            .map(|bucket| u64::from(self.buckets[bucket as usize % BUCKETS]))
            .sum();
        sum as f64 * 8_000.0 / (covered * WIDTH) as f64
    }
}
