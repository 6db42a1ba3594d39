//! The estimate over a small model of a path: what a sender that follows it would notice.

use super::*;
use std::time::{Duration, Instant};

const PACKET: u32 = 1_200;
const MS: Duration = Duration::from_millis(1);

/// A path with one queue.
#[derive(Debug, Clone, Copy)]
struct Path {
    /// bit/s.
    capacity: f64,
    /// The share that is lost whatever is sent.
    loss: f64,
    /// How much longer a packet takes at most, in ms; order is kept.
    jitter: f64,
    /// The longest wait in the queue, in ms.
    queue: f64,
    /// All is lost for so long, in ms, now and then: a tenth of the time in all.
    outage: f64,
}

const WIDE: Path = Path {
    capacity: 4e6,
    loss: 0.0,
    jitter: 0.0,
    queue: 300.0,
    outage: 0.0,
};

/// A sender that sends what it has as fast as the estimate allows, and the path to its receivers.
struct Model {
    start: Instant,
    now: Instant,
    path: Path,
    random: u64,
    busy: Duration,
    last_arrival: Vec<Duration>,
    /// So long it is still out, in ms.
    outage: f64,
    credit: f64,
    detectors: Vec<Detector>,
    flight: Vec<Vec<Acked>>,
    estimate: Estimate,
    schedule: Schedule,
    /// Rate, bytes left, and bytes that are due, of a probe.
    probe: Option<(u64, f64, f64)>,
    probing: bool,
    sent: u64,
    arrived: u64,
    /// The longest wait in the queue since it was last asked, in ms.
    longest: f64,
}

impl Model {
    fn new(path: Path, peers: usize) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            path,
            random: 1,
            busy: Duration::ZERO,
            last_arrival: vec![Duration::ZERO; peers],
            outage: 0.0,
            credit: 0.0,
            detectors: vec![Detector::new(start); peers],
            flight: vec![Vec::new(); peers],
            estimate: Estimate::new(),
            schedule: Schedule::default(),
            probe: None,
            probing: true,
            sent: 0,
            arrived: 0,
            longest: 0.0,
        }
    }

    fn fraction(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn send(&mut self, peer: usize, size: u32) {
        let at = self.now - self.start;
        let begin = self.busy.max(at);
        let wait = (begin - at).as_secs_f64() * 1_000.0;
        self.longest = self.longest.max(wait);
        let lost = self.fraction() < self.path.loss || self.outage > 0.0;
        let jitter = self.fraction() * self.path.jitter / 1_000.0;
        let mut arrived = None;
        if wait <= self.path.queue {
            self.busy = begin + Duration::from_secs_f64(f64::from(size) * 8.0 / self.path.capacity);
            if !lost {
                let arrival = self.busy + 20 * MS + Duration::from_secs_f64(jitter);
                let arrival = arrival.max(self.last_arrival[peer]);
                self.last_arrival[peer] = arrival;
                self.arrived += u64::from(size);
                // Each receiver's clock began at some other time.
                arrived = Some(arrival + Duration::from_secs(1_000 * (1 + peer as u64)));
            }
        }
        self.sent += u64::from(size);
        self.flight[peer].push(Acked {
            sent: self.now,
            arrived,
            size,
        });
    }

    /// Goes on for a while; the application has `app` bit/s to send. Returns bit/s sent.
    fn run(&mut self, seconds: f64, app: f64) -> f64 {
        let before = self.sent;
        for _ in 0..(seconds * 1_000.0) as u64 {
            self.step(app);
        }
        (self.sent - before) as f64 * 8.0 / seconds
    }

    fn step(&mut self, app: f64) {
        self.now += MS;
        self.outage -= 1.0;
        let begins = self.path.outage > 0.0
            && self.outage < 0.0
            && self.fraction() * self.path.outage * 9.0 < 1.0;
        if begins {
            // Now longer, now shorter.
            self.outage = -self.fraction().max(1e-6).ln() * self.path.outage;
        }
        let peers = self.detectors.len();
        let rate = app.min(self.estimate.budget().map_or(1e6, |bitrate| bitrate as f64));
        self.credit += rate / 8_000.0;
        while self.credit >= f64::from(PACKET) {
            self.credit -= f64::from(PACKET);
            let peer = (self.fraction() * peers as f64) as usize;
            self.send(peer, PACKET);
        }
        while let Some((_, left, due)) = &mut self.probe
            && *due >= 1_000.0
        {
            *due -= 1_000.0;
            *left -= 1_000.0;
            let over = *left <= 0.0;
            self.send(0, 1_000);
            if over {
                self.probe = None;
                self.detectors[0].end_probe(self.now);
            }
        }
        if let Some((rate, _, due)) = &mut self.probe {
            *due += *rate as f64 / 8_000.0;
        }
        let elapsed = (self.now - self.start).as_millis() as usize;
        for peer in 0..peers {
            if (elapsed + peer * 37).is_multiple_of(100) {
                self.feedback(peer, app);
            }
        }
    }

    /// What of a peer's packets has arrived, and what is known to be lost, is told.
    fn feedback(&mut self, peer: usize, app: f64) {
        let clock = self.now - self.start + Duration::from_secs(1_000 * (1 + peer as u64));
        let heard = clock.saturating_sub(20 * MS);
        let flight = &self.flight[peer];
        let told = flight
            .iter()
            .rposition(|packet| packet.arrived.is_some_and(|at| at <= heard))
            .map_or(0, |last| last + 1);
        let packets: Vec<_> = self.flight[peer].drain(..told).collect();
        self.detectors[peer].feedback(self.now, packets.into_iter());
        let mut reading = Reading::default();
        for detector in &mut self.detectors {
            reading.add(self.now, detector);
        }
        let before = self.bitrate();
        self.estimate.update(self.now, &reading, 40 * MS);
        if self.bitrate() < before * 0.95 {
            self.schedule.congested(self.now);
        }
        if let Some(result) = self.detectors[0].probe_result(self.now) {
            self.estimate.probed(self.now, result);
            self.schedule.done(self.now, result);
        }
        let bitrate = self.bitrate() as u64;
        if self.probing
            && let Some(cluster) = self.schedule.due(self.now, bitrate, app as u64)
        {
            self.detectors[0].begin_probe(Probe::new(self.now + MS, cluster.bytes));
            self.probe = Some((cluster.rate, f64::from(cluster.bytes), 1_000.0));
        }
    }

    fn bitrate(&self) -> f64 {
        self.estimate
            .bitrate()
            .map_or(1.5e6, |bitrate| bitrate as f64)
    }

    /// Runs until the estimate is in a range, for so many seconds at most. Returns how long.
    fn until(&mut self, range: std::ops::Range<f64>, most: f64, app: f64) -> f64 {
        for step in 0..(most * 1_000.0) as u64 {
            if range.contains(&self.bitrate()) {
                return step as f64 / 1_000.0;
            }
            self.step(app);
        }
        panic!("the estimate is {} after {most} s", self.bitrate());
    }
}

#[test]
fn a_wide_path_is_found_and_used() {
    let mut model = Model::new(WIDE, 1);
    let took = model.until(3e6..4.4e6, 5.0, 10e6);
    assert!(took < 4.0, "{took}");
    model.run(5.0, 10e6);
    let before = model.arrived;
    model.longest = 0.0;
    model.run(30.0, 10e6);
    let used = (model.arrived - before) as f64 * 8.0 / 30.0 / 4e6;
    assert!(used > 0.85, "{used} of the capacity");
    assert!(model.longest < 200.0, "a queue of {} ms", model.longest);
}

#[test]
fn a_fall_to_a_tenth_is_followed_within_a_second_and_recovered_from_within_ten() {
    for peers in [1, 5] {
        let mut model = Model::new(WIDE, peers);
        model.run(20.0, 3.5e6);
        model.path.capacity = 3e5;
        let took = model.until(0.0..1e6, 1.5, 3.5e6);
        assert!(took < 0.45, "{took} s until the fall was seen");
        let took = took + model.until(0.0..4e5, 1.5, 3.5e6);
        assert!(took < 1.0, "{took} s until the estimate fell");
        model.run(4.0, 3.5e6);
        model.longest = 0.0;
        let before = model.arrived;
        model.run(20.0, 3.5e6);
        let used = (model.arrived - before) as f64 * 8.0 / 20.0 / 3e5;
        assert!(used > 0.7, "{used} of the capacity");
        model.path.capacity = 4e6;
        let took = model.until(3e6..5e6, 10.0, 3.5e6);
        assert!(took < 10.0, "{took} s until the estimate rose");
    }
}

#[test]
fn losses_that_have_nothing_to_do_with_the_rate_do_not_bring_it_down() {
    for loss in [0.02, 0.05, 0.1, 0.15] {
        let mut model = Model::new(Path { loss, ..WIDE }, 1);
        model.run(20.0, 3e6);
        let sent = model.run(40.0, 3e6);
        assert!(sent > 2.2e6, "{sent} with {loss} lost");
    }
}

#[test]
fn a_radio_that_is_gone_now_and_then_does_not_bring_the_rate_down() {
    for outage in [20.0, 50.0, 80.0] {
        let mut model = Model::new(Path { outage, ..WIDE }, 1);
        model.run(10.0, 3e6);
        let mut least = f64::MAX;
        for _ in 0..60 {
            least = least.min(model.run(1.0, 3e6));
        }
        let lost = 1.0 - model.arrived as f64 / model.sent as f64;
        assert!((0.05..0.15).contains(&lost), "{lost} lost");
        assert!(least > 2e6, "{least} with {outage} ms at a time");
    }
}

#[test]
fn losses_of_a_path_without_a_queue_bring_the_rate_down() {
    let path = Path {
        capacity: 1e6,
        queue: 12.0,
        ..WIDE
    };
    let mut model = Model::new(path, 1);
    model.run(10.0, 3e6);
    let sent = model.run(30.0, 3e6);
    assert!((0.6e6..1.4e6).contains(&sent), "{sent} sent");
}

#[test]
fn jitter_does_not_bring_the_rate_down() {
    for jitter in [5.0, 15.0, 40.0] {
        let mut model = Model::new(Path { jitter, ..WIDE }, 3);
        model.run(15.0, 2e6);
        let sent = model.run(30.0, 2e6);
        assert!(sent > 1.7e6, "{sent} with {jitter} ms of jitter");
    }
}

#[test]
fn where_little_is_sent_the_estimate_is_neither_raised_nor_forgotten() {
    let mut model = Model::new(WIDE, 1);
    model.run(15.0, 3.5e6);
    let before = model.bitrate();
    model.path.jitter = 10.0;
    model.run(60.0, 1e5);
    let idle = model.bitrate();
    assert!(
        idle > before * 0.5 && idle < before * 1.05,
        "{before}, then {idle}"
    );
    let mut fresh = Model::new(WIDE, 1);
    fresh.run(300.0, 1e5);
    assert!(fresh.bitrate() < 2e6, "{}", fresh.bitrate());
}

#[test]
fn other_traffic_on_the_path_is_given_way_to() {
    let mut model = Model::new(WIDE, 2);
    model.run(15.0, 3.5e6);
    // Two of four Mbit/s go to others.
    model.path.capacity = 2e6;
    model.run(3.0, 3.5e6);
    model.longest = 0.0;
    let sent = model.run(20.0, 3.5e6);
    assert!((1.5e6..2.1e6).contains(&sent), "{sent}");
}

#[test]
fn without_feedback_of_the_transport_the_receivers_word_is_taken() {
    let now = Instant::now();
    let mut estimate = Estimate::new();
    assert_eq!(estimate.bitrate(), None);
    estimate.remb(now, Some(700_000));
    assert_eq!(estimate.bitrate(), Some(700_000));
    estimate.update(now + MS, &Reading::default(), 50 * MS);
    estimate.remb(now + 2 * MS, Some(80_000));
    assert!(
        estimate.bitrate() > Some(700_000),
        "feedback says more than REMB"
    );
    estimate.remb(now + Duration::from_secs(10), Some(80_000));
    assert_eq!(estimate.bitrate(), Some(80_000), "it stopped coming");
}

#[test]
fn what_would_wait_in_a_long_queue_is_held_back_until_that_is_short() {
    let start = Instant::now();
    let mut hold = Hold::default();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let ms = Duration::from_millis;
    let flight = |bytes, age| Flight {
        bytes,
        age: ms(age),
    };
    // Two Mbit/s over a path that carries as much.
    hold.update(start, (ms(10), true), flight(20_000, 80), 2_000_000);
    assert!(!hold.is_on(), "there is no queue");
    // The path carries 300 kbit/s now, and 30 kB are under way.
    hold.update(at(100), (ms(200), false), flight(30_000, 250), 300_000);
    assert!(!hold.is_on(), "it does not grow");
    hold.update(at(100), (ms(200), true), flight(30_000, 250), 300_000);
    assert!(hold.is_on());
    assert!(!hold.is_seen(at(200), flight(25_000, 400)));
    hold.update(at(300), (ms(400), true), flight(23_000, 500), 300_000);
    assert!(hold.is_on(), "half a second of it is left");
    hold.update(at(650), (ms(750), true), flight(10_000, 830), 300_000);
    assert!(
        !hold.is_on(),
        "the rest is gone when something new is there"
    );
    hold.update(at(700), (ms(800), true), flight(60_000, 880), 300_000);
    assert!(!hold.is_on(), "pictures have had a moment only");
    hold.update(at(2_000), (ms(800), true), flight(600_000, 880), 300_000);
    assert!(hold.is_on());
    assert!(hold.is_seen(at(2_500), flight(600_000, 400)));
    hold.update(at(3_000), (ms(800), true), flight(600_000, 880), 300_000);
    assert!(!hold.is_on(), "it may be wrong, and is not for ever");
}

#[test]
fn what_a_full_queue_has_lost_is_not_waited_for() {
    let start = Instant::now();
    let mut hold = Hold::default();
    let ms = Duration::from_millis;
    let flight = |bytes, age| Flight {
        bytes,
        age: ms(age),
    };
    hold.update(start, (ms(150), true), flight(300_000, 200), 1_500_000);
    assert!(hold.is_on());
    hold.update(
        start + ms(150),
        (ms(290), true),
        flight(300_000, 340),
        1_500_000,
    );
    assert!(hold.is_on(), "nobody knows yet how long the queue is");
    // It is 300 ms long, and most of what was sent never came into it.
    hold.update(
        start + ms(250),
        (ms(300), false),
        flight(280_000, 350),
        1_500_000,
    );
    assert!(!hold.is_on());
}

#[test]
fn what_a_full_queue_has_lost_is_no_loss_of_the_path() {
    let start = Instant::now();
    // Half of all that is sent is lost, for a second; and told of half a second later.
    let share = |flooded: bool| {
        let mut detector = Detector::new(start);
        if flooded {
            detector.flooded(start + 1_000 * MS);
        }
        for number in 0..200 {
            let sent = start + number * 10 * MS;
            let lost = number < 100 && number % 2 == 0;
            let packet = Acked {
                sent,
                size: PACKET,
                arrived: (!lost).then(|| Duration::from_millis(20 + u64::from(number) * 10)),
            };
            detector.feedback(sent + 500 * MS, std::iter::once(packet));
        }
        let mut reading = Reading::default();
        reading.add(start + 2_500 * MS, &mut detector);
        reading.losses.share()
    };
    let (usual, flooded) = (share(false), share(true));
    assert!((usual - 0.25).abs() < 1e-6, "{usual}");
    assert!(flooded < 1e-6, "{flooded}");
}

/// Receivers may tell the time by a clock that somebody sets.
#[test]
fn an_arrival_clock_that_is_set_back_is_followed() {
    let start = Instant::now();
    let mut detector = Detector::new(start);
    let mut send = |from: u32, clock: Duration, (size, wait): (u32, u32)| {
        for at in from..from + 200 {
            let sent = start + at * 10 * MS;
            let arrived = clock + at * 10 * MS + (at - from) * wait * MS;
            detector.feedback(
                sent,
                std::iter::once(Acked {
                    sent,
                    arrived: Some(arrived),
                    size,
                }),
            );
        }
        (detector.acked(), detector.usage())
    };
    let (before, usage) = send(0, Duration::from_secs(7_200), (1_250, 0));
    assert!((950_000..1_050_000).contains(&before), "{before}");
    assert_eq!(usage, Usage::Normal);
    // It goes back by an hour; a second for two of what is sent arrives in three.
    let (after, usage) = send(200, Duration::from_secs(3_600), (250, 5));
    assert!((125_000..140_000).contains(&after), "{after}");
    assert_eq!(usage, Usage::Over, "a queue is seen");
}

/// A picture that stands still, and is lost now and then.
#[test]
fn one_loss_among_a_few_packets_says_nothing_of_the_path() {
    let lossy = Path { loss: 0.03, ..WIDE };
    let mut model = Model::new(lossy, 1);
    model.probing = false;
    model.run(20.0, 1e6);
    let before = model.estimate.floor().unwrap();
    let mut worst = before;
    for _ in 0..300 {
        model.run(1.0, 15_000.0);
        worst = worst.min(model.estimate.floor().unwrap());
        worst = worst.min(model.estimate.bitrate().unwrap());
    }
    assert!(worst * 2 > before, "{worst} of {before}");
}
