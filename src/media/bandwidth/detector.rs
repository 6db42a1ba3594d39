//! One peer connection's part: groups of packets, their delays, and what of them arrived.

use super::loss::Losses;
use super::probe::{Probe, ProbeResult};
use super::throughput::Throughput;
use super::trend::{Trend, Usage};
use std::time::{Duration, Instant};

/// Packets that are sent within this of the first make one group.
const BURST: f64 = 5.0;
/// … and those that arrive together because something held them up, up to this.
const MAX_BURST: f64 = 100.0;
/// A jump of the arrival clock, in ms.
const JUMP: f64 = 3_000.0;
/// The least delay is that of the last two periods of this length, in ms.
const BASE_PERIOD: f64 = 15_000.0;
/// Groups that all took longer by this, in ms, and longer than at the last feedback, show a queue
/// before a line through them does.
const EVIDENT: f64 = 80.0;
const EVIDENT_RISE: f64 = 15.0;
/// … and so do packets each of which waited longer than the one before, by more than half of the
/// time between their arrivals: the path carries less than half of what is sent.
const STEEP: f64 = 0.5;
const STEEP_PACKETS: u32 = 3;
/// Feedback older than this says nothing of now.
const AGE: Duration = Duration::from_millis(1_000);
/// The window of what arrives, in ms, and a shorter one for when it has just become less.
const WINDOW: u64 = 700;
const SHORT_WINDOW: u64 = 250;

/// A packet whose fate the receiver has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// When it was sent.
    pub sent: Instant,
    /// When it arrived, by the receiver's clock, whose beginning is anywhere; `None` if it did
    /// not.
    pub arrived: Option<Duration>,
    /// In bytes, as it was sent.
    pub size: u32,
}

/// Packets that were sent together, all in ms.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: f64,
    last_sent: f64,
    first_arrived: f64,
    last_arrived: f64,
}

/// The least delay there was.
#[derive(Debug, Clone, Copy)]
struct Base {
    since: f64,
    least: f64,
    before: f64,
}

/// Packets each of which waited longer than the one before, all in ms.
#[derive(Debug, Clone, Copy, Default)]
struct Rise {
    count: u32,
    /// How long the first waited, and when it arrived.
    first: f64,
    since: f64,
    /// The last of all.
    last: f64,
    at: f64,
}

impl Rise {
    fn add(&mut self, arrived: f64, wait: f64) {
        if self.count > 0 && wait > self.last {
            self.count += 1;
        } else {
            (self.count, self.first, self.since) = (1, wait, arrived);
        }
        (self.last, self.at) = (wait, arrived);
    }

    fn is_steep(&self) -> bool {
        let growth = self.last - self.first;
        self.count >= STEEP_PACKETS
            && self.last > EVIDENT
            && growth > EVIDENT / 2.0
            && growth > (self.at - self.since) * STEEP
    }
}

/// What one peer connection's packets say of the path.
#[derive(Debug, Clone)]
pub struct Detector {
    start: Instant,
    group: Option<Group>,
    previous: Option<Group>,
    trend: Trend,
    throughput: Throughput,
    base: Option<Base>,
    delay: f64,
    rise: Rise,
    /// How long the last two groups waited, in ms.
    waits: [f64; 2],
    /// … at least, at the last feedback.
    waited: f64,
    rising: bool,
    losses: Losses,
    /// What was sent before was lost to a full queue, which says nothing of the path's losses.
    flooded: Option<Instant>,
    heard: Option<Instant>,
    probe: Option<Probe>,
}

impl Detector {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Self {
        Self {
            // What is told of first was sent a little before.
            start: now.checked_sub(AGE).unwrap_or(now),
            group: None,
            previous: None,
            trend: Trend::new(),
            throughput: Throughput::new(),
            base: None,
            delay: 0.0,
            rise: Rise::default(),
            waits: [0.0; 2],
            waited: 0.0,
            rising: false,
            losses: Losses::default(),
            flooded: None,
            heard: None,
            probe: None,
        }
    }

    /// Takes the fate of packets, in the order in which they were sent.
    pub fn feedback(&mut self, now: Instant, packets: impl Iterator<Item = Acked>) {
        let mut any = false;
        for packet in packets {
            any = true;
            if self.flooded.is_none_or(|until| packet.sent > until) {
                self.losses.packet(packet.arrived.is_none());
            }
            if let Some(probe) = &mut self.probe {
                probe.acked(&packet);
            }
            if let Some(arrived) = packet.arrived {
                self.arrived(&packet, arrived);
            }
        }
        if any {
            self.heard = Some(now);
            let waited = self.waits[0].min(self.waits[1]);
            self.rising = waited > EVIDENT && waited > self.waited + EVIDENT_RISE;
            self.waited = waited;
            if self.rise.is_steep() {
                self.rising = true;
                self.delay = self.delay.max(self.rise.last);
            }
        }
    }

    fn arrived(&mut self, packet: &Acked, arrived: Duration) {
        let millis = arrived.as_millis() as u64;
        let sent = packet.sent.saturating_duration_since(self.start);
        let sent = sent.as_secs_f64() * 1_000.0;
        let arrived = arrived.as_secs_f64() * 1_000.0;
        let was_set_back = |group: Group| group.last_arrived - arrived > JUMP;
        if self.group.is_some_and(was_set_back) {
            (self.group, self.previous, self.base) = (None, None, None);
            self.trend = Trend::new();
            self.throughput = Throughput::new();
        }
        self.throughput.add(millis, packet.size);
        let queue = self.delayed(arrived - sent, sent);
        self.rise.add(arrived, queue);
        let Some(group) = &mut self.group else {
            self.group = Some(Group::new(sent, arrived));
            return;
        };
        if sent < group.first_sent {
            // Overtaken by a whole group: it says nothing of the queue.
            return;
        }
        if group.takes(sent, arrived) {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrived = group.last_arrived.max(arrived);
            return;
        }
        let complete = *group;
        *group = Group::new(sent, arrived);
        if let Some(base) = self.base {
            let wait = complete.last_arrived - complete.last_sent - base.lowest();
            self.waits = [self.waits[1], wait];
        }
        if let Some(previous) = self.previous.replace(complete) {
            let sent = complete.last_sent - previous.last_sent;
            let delta = complete.last_arrived - previous.last_arrived - sent;
            if delta.abs() > JUMP {
                self.trend = Trend::new();
                self.base = None;
            } else {
                self.trend.group(complete.last_arrived, delta, sent);
            }
        }
    }

    /// Packets wait longer and longer, and have begun to wait for long.
    pub fn is_steep(&self) -> bool {
        self.rise.is_steep()
    }

    /// How long a packet waited, by how long it took.
    fn delayed(&mut self, delay: f64, at: f64) -> f64 {
        let base = self.base.get_or_insert(Base {
            since: at,
            least: delay,
            before: delay,
        });
        if at - base.since > BASE_PERIOD {
            *base = Base {
                since: at,
                least: delay,
                before: base.least,
            };
        }
        base.least = base.least.min(delay);
        let queue = (delay - base.lowest()).max(0.0);
        // Whatever else delays packets, it is not the queue that makes one fast.
        let weight = if queue < self.delay { 0.5 } else { 0.2 };
        self.delay += (queue - self.delay) * weight;
        queue
    }

    /// What its delays say.
    pub fn usage(&self) -> Usage {
        if self.rising {
            return Usage::Over;
        }
        self.trend.usage()
    }

    /// How long its packets wait in a queue, beyond the least delay of the last while.
    pub fn queue(&self) -> Duration {
        Duration::from_secs_f64(self.delay / 1_000.0)
    }

    /// The same of the last packet alone.
    pub fn latest_queue(&self) -> Duration {
        Duration::from_secs_f64(self.rise.last / 1_000.0)
    }

    /// What was sent until now met a full queue: what is missing of it is not a loss of the path's,
    /// and would be told of long after the queue is gone.
    pub fn flooded(&mut self, now: Instant) {
        self.flooded = Some(now);
    }

    /// What is sent from now on is a probe.
    pub fn begin_probe(&mut self, probe: Probe) {
        self.probe = Some(probe);
    }

    /// What is sent from now on is not part of the probe any more.
    pub fn end_probe(&mut self, now: Instant) {
        if let Some(probe) = &mut self.probe {
            probe.close(now);
        }
    }

    /// bit/s that arrived lately.
    pub fn acked(&self) -> u64 {
        self.throughput.rate(WINDOW) as u64
    }

    /// What the probe showed, once.
    pub fn probe_result(&mut self, now: Instant) -> Option<ProbeResult> {
        let result = self.probe.as_ref()?.result(now)?;
        self.probe = None;
        Some(result)
    }

    /// The last feedback is too old to say anything.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.heard
            .is_none_or(|heard| now.saturating_duration_since(heard) > AGE)
    }
}

impl Base {
    fn lowest(&self) -> f64 {
        self.least.min(self.before)
    }
}

impl Group {
    fn new(sent: f64, arrived: f64) -> Self {
        Self {
            first_sent: sent,
            last_sent: sent,
            first_arrived: arrived,
            last_arrived: arrived,
        }
    }

    fn takes(&self, sent: f64, arrived: f64) -> bool {
        if sent - self.first_sent <= BURST {
            return true;
        }
        let gap = arrived - self.last_arrived;
        // What waited for a radio arrives together, and faster than it was sent.
        gap <= BURST
            && gap - (sent - self.last_sent) < 0.0
            && arrived - self.first_arrived < MAX_BURST
    }
}

/// What all peer connections of a client say together, at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// bit/s that arrive.
    pub(super) acked: f64,
    /// The same over a shorter time.
    pub(super) acked_lately: f64,
    /// Of `acked`, those of connections that see a queue grow, and shrink.
    over: f64,
    under: f64,
    /// How much longer packets take than those before them, ms a ms: the worst.
    pub(super) slope: f64,
    /// One of them sees a queue that grows fast.
    pub(super) steep: bool,
    /// The longest queue, in ms.
    pub(super) queue: f64,
    pub(super) losses: Losses,
}

/// A queue is believed when so much of the traffic sees it.
const VOTE: f64 = 0.3;

impl Reading {
    /// Asks a detector, which forgets the losses that it tells.
    pub fn add(&mut self, now: Instant, detector: &mut Detector) {
        self.losses.add(detector.losses.take());
        if detector.is_stale(now) {
            return;
        }
        let acked = detector.throughput.rate(WINDOW);
        self.acked += acked;
        self.acked_lately += detector.throughput.rate(SHORT_WINDOW);
        match detector.usage() {
            Usage::Over => {
                self.over += acked;
                self.slope = self.slope.max(detector.trend.slope());
            }
            Usage::Under => self.under += acked,
            Usage::Normal => {}
        }
        self.queue = self.queue.max(detector.delay);
        self.steep |= detector.is_steep();
    }

    /// What they say together. Where one sees a queue and most do not, it is not the path's.
    pub(super) fn usage(&self) -> Usage {
        if self.over > self.acked * VOTE {
            Usage::Over
        } else if self.under > self.acked * VOTE || self.over > 0.0 {
            Usage::Under
        } else {
            Usage::Normal
        }
    }
}
