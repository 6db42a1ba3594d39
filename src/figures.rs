//! How durations are counted. Nothing here allocates or locks: media threads use it as well.

use std::time::Duration;

/// How many bounds a histogram has.
pub const BOUNDS: usize = 12;

/// Bounds for what takes microseconds: forwarding. In microseconds.
pub const FAST: [u64; BOUNDS] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000,
];

/// Bounds for what people wait for: joining. In microseconds.
pub const SLOW: [u64; BOUNDS] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// How often something took how long.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [u64; BOUNDS],
    counts: [u64; BOUNDS],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Nothing was counted yet. `bounds` are microseconds, ascending.
    pub const fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self {
            bounds,
            counts: [0; BOUNDS],
            count: 0,
            sum: Duration::ZERO,
        }
    }

    /// Counts one.
    #[inline]
    pub fn observe(&mut self, took: Duration) {
        let micros = took.as_nanos().div_ceil(1_000);
        let at = self
            .bounds
            .iter()
            .position(|bound| micros <= u128::from(*bound));
        if let Some(count) = at.and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
        self.count += 1;
        self.sum += took;
    }

    /// Each bound in seconds, and how many took no longer than that.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut below = 0;
        self.bounds.iter().zip(self.counts).map(move |(bound, n)| {
            below += n;
            (Duration::from_micros(*bound).as_secs_f64(), below)
        })
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long all of them took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_beyond_the_last_still_counts() {
        let mut histogram = Histogram::new(&FAST);
        for nanos in [0, 25_000, 25_001, 100_000_000, 100_000_001] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let below: Vec<(f64, u64)> = histogram.cumulative().collect();
        assert_eq!(below[0], (0.000_025, 2));
        assert_eq!(below[1], (0.000_05, 3));
        assert_eq!(below[BOUNDS - 1], (0.1, 4));
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), Duration::from_nanos(200_050_002));
    }
}
