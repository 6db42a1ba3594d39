//! How a publishing browser finds out that its path carries more: clusters of packets that are
//! sent faster than the estimate, at the beginning and while it has less to send than it may.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The first clusters, in multiples of the rate that it begins with.
const FIRST: [f64; 2] = [3.0, 6.0];
/// Another follows at so many times what was found, if that is more than so much of what was tried.
const FURTHER: f64 = 2.0;
const ENOUGH: f64 = 0.7;
/// Between two clusters while it has less to send than so much of what it may.
const INTERVAL: Duration = Duration::from_secs(5);
const LIMITED: f64 = 0.65;
/// A cluster lasts so long at the least, and has so many packets.
const LASTS: f64 = 0.015;
const MIN_PACKETS: u32 = 5;
/// Of what was sent, so much must have arrived.
const MIN_SHARE: f64 = 0.8;
/// Arriving slower than this by what it was sent at, it filled a queue; then a little less is taken.
const SATURATED: f64 = 0.9;
const BACK: f64 = 0.95;
/// What is not told of until then is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// A cluster.
struct Cluster {
    id: u32,
    /// bit/s
    rate: f64,
    start: Option<Instant>,
    /// Sent: packets and bytes.
    packets: u32,
    bytes: usize,
    /// Arrived: packets and bytes.
    arrived: u32,
    arrived_bytes: usize,
    /// Times in µs and lengths: first and last sent, first and last that arrived.
    times: Option<[(i64, usize); 4]>,
}

impl Cluster {
    fn wanted(&self) -> usize {
        (self.rate * LASTS / 8.0) as usize
    }

    fn is_sent(&self) -> bool {
        self.packets >= MIN_PACKETS && self.bytes >= self.wanted()
    }

    fn take(&mut self, sent: i64, arrived: i64, bytes: usize) {
        self.arrived += 1;
        self.arrived_bytes += bytes;
        let (out, into) = ((sent, bytes), (arrived, bytes));
        let times = self.times.get_or_insert([out, out, into, into]);
        if sent >= times[1].0 {
            times[1] = out;
        }
        if arrived < times[2].0 {
            times[2] = into;
        }
        times[3] = times[3].max(into);
    }

    /// What it showed, bit/s.
    fn result(&self) -> Option<f64> {
        let [first_out, last_out, first_in, last_in] = self.times?;
        let enough = f64::from(self.arrived) >= f64::from(self.packets) * MIN_SHARE
            && self.arrived_bytes as f64 >= self.bytes as f64 * MIN_SHARE;
        if !enough || last_out.0 <= first_out.0 || last_in.0 <= first_in.0 {
            return None;
        }
        let rate = |without: usize, micros: i64| {
            (self.arrived_bytes - without) as f64 * 8e6 / micros as f64
        };
        let sent = rate(last_out.1, last_out.0 - first_out.0);
        let arrived = rate(first_in.1, last_in.0 - first_in.0);
        Some(if arrived < SATURATED * sent {
            BACK * arrived
        } else {
            arrived.min(sent)
        })
    }
}

/// Decides when to probe, and what that shows.
pub(super) struct Prober {
    /// bit/s: nothing faster is tried.
    max: f64,
    waiting: VecDeque<f64>,
    running: Option<Cluster>,
    sent: Vec<Cluster>,
    last_id: u32,
    /// What was tried last, while something more may follow.
    tried: Option<f64>,
    /// When it has less to send than it may: since when, or the last cluster for that.
    limited: Option<Instant>,
}

impl Prober {
    pub(super) fn new(max: f64) -> Self {
        Self {
            max,
            waiting: VecDeque::new(),
            running: None,
            sent: Vec::new(),
            last_id: 0,
            tried: None,
            limited: None,
        }
    }

    /// It may send, `rate` bit/s at first.
    pub(super) fn begin(&mut self, rate: f64) {
        for times in FIRST {
            self.enter(times * rate);
        }
    }

    fn enter(&mut self, rate: f64) {
        let rate = rate.min(self.max);
        self.waiting.push_back(rate);
        self.tried = Some(rate);
    }

    /// When the next packet of a cluster is due.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        match &self.running {
            Some(cluster) => {
                let start = cluster.start.unwrap_or(now);
                let seconds = cluster.bytes as f64 * 8.0 / cluster.rate;
                Some(start + Duration::from_secs_f64(seconds))
            }
            None => self.waiting.front().map(|_| now),
        }
    }

    /// A packet leaves. Returns the cluster that it is of; 0 if of none.
    pub(super) fn leaves(&mut self, now: Instant, bytes: usize) -> u32 {
        if self.running.is_none()
            && let Some(rate) = self.waiting.pop_front()
        {
            self.last_id += 1;
            self.running = Some(Cluster {
                id: self.last_id,
                rate,
                start: None,
                packets: 0,
                bytes: 0,
                arrived: 0,
                arrived_bytes: 0,
                times: None,
            });
        }
        let Some(cluster) = &mut self.running else {
            return 0;
        };
        cluster.start.get_or_insert(now);
        cluster.packets += 1;
        cluster.bytes += bytes;
        let id = cluster.id;
        if cluster.is_sent() {
            self.sent.extend(self.running.take());
        }
        id
    }

    /// A packet of a cluster arrived. Times in µs.
    pub(super) fn arrived(&mut self, id: u32, sent: i64, arrived: i64, bytes: usize) {
        let clusters = self.sent.iter_mut().chain(&mut self.running);
        for cluster in clusters.filter(|cluster| cluster.id == id) {
            cluster.take(sent, arrived, bytes);
        }
    }

    /// What the clusters showed of which enough was told, bit/s.
    pub(super) fn result(&mut self, now: Instant) -> Option<f64> {
        let mut found = None;
        self.sent.retain(|cluster| {
            let result = cluster.result();
            found = result.or(found);
            let old = cluster.start.is_none_or(|start| now > start + PATIENCE);
            result.is_none() && !old
        });
        if let (Some(found), Some(tried)) = (found, self.tried)
            && self.sent.is_empty()
            && self.waiting.is_empty()
            && self.running.is_none()
        {
            self.tried = None;
            if found > ENOUGH * tried && tried < self.max {
                self.enter(FURTHER * found);
            }
        }
        found
    }

    /// It sends so much, and may send so much, bit/s.
    pub(super) fn sends(&mut self, now: Instant, sent: f64, rate: f64) {
        if sent >= LIMITED * rate || rate >= self.max {
            self.limited = None;
            return;
        }
        let since = *self.limited.get_or_insert(now);
        if now.saturating_duration_since(since) >= INTERVAL {
            self.limited = Some(now);
            self.enter(FURTHER * rate);
        }
    }
}
