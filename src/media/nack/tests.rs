use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const RTT: Option<Duration> = Some(Duration::from_millis(40));

/// A detector, its clock, and what it asked for.
struct Bench {
    detector: LossDetector,
    start: Instant,
    asked: Vec<(u64, u16)>,
    given_up: usize,
}

impl Bench {
    fn new(config: LossConfig) -> Self {
        let start = Instant::now();
        Self {
            detector: LossDetector::new(start, config),
            start,
            asked: vec![],
            given_up: 0,
        }
    }

    fn receive(&mut self, ms: u64, seqnos: impl IntoIterator<Item = u64>) -> Vec<Arrival> {
        let now = self.start + Duration::from_millis(ms);
        seqnos
            .into_iter()
            .map(|seqno| self.detector.receive(seqno, now))
            .collect()
    }

    /// Polls whenever the detector wants it, up to and with `ms`.
    fn run(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        let mut rounds = 0;
        while let Some(now) = self.detector.next_poll().filter(|&due| due <= end) {
            let mut lost = [0; 8];
            let ask = self.detector.poll(now, RTT, &mut lost);
            let at = (now - self.start).as_millis() as u64;
            self.asked
                .extend(lost[..ask.count].iter().map(|&seqno| (at, seqno)));
            self.given_up += ask.given_up;
            rounds += 1;
            assert!(rounds < 10_000, "the detector spins");
        }
    }
}

#[test]
fn packets_in_order_ask_for_nothing() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    assert!(
        bench
            .receive(0, 65_000..67_000)
            .iter()
            .all(|arrival| *arrival == Arrival::New)
    );
    assert_eq!(bench.detector.next_poll(), None);
    assert_eq!(bench.detector.figures(), LossFigures::default());
}

#[test]
fn a_gap_is_asked_for_after_the_tolerance_and_again_after_a_round_trip() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [65_534, 65_535, 65_538]);
    bench.run(3);
    assert_eq!(bench.asked, []);
    bench.run(4);
    assert_eq!(bench.asked, [(4, 0), (4, 1)]);
    assert_eq!(
        bench.receive(30, [65_536]),
        [Arrival::Recovered { asked: true }]
    );
    bench.run(60);
    assert_eq!(bench.asked[2..], [(58, 1)]);
    assert_eq!(bench.detector.missing(), 1);
    assert_eq!(
        bench.receive(98, [65_537]),
        [Arrival::Recovered { asked: true }]
    );
    bench.run(10_000);
    assert_eq!(bench.asked.len(), 3);
    let figures = LossFigures {
        asked: 3,
        recovered: 2,
        ..LossFigures::default()
    };
    assert_eq!(bench.detector.figures(), figures);
    assert_eq!(bench.given_up, 0);
}

#[test]
fn a_packet_that_is_only_reordered_is_not_asked_for() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [1, 3]);
    assert_eq!(bench.receive(2, [2]), [Arrival::Recovered { asked: false }]);
    bench.run(10_000);
    assert_eq!(bench.asked, []);
    assert_eq!(bench.detector.figures().reordered, 1);
}

#[test]
fn the_tolerance_grows_with_reordering_and_shrinks_with_loss() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [1, 3]);
    bench.run(4);
    assert_eq!(bench.asked, [(4, 2)]);
    // 12 ms late, 8 ms after the request: no answer is so fast on a path of 40 ms.
    bench.receive(12, [2]);
    bench.receive(100, [5]);
    bench.run(112);
    assert_eq!(bench.asked.len(), 1);
    bench.receive(112, [4]);
    assert_eq!(bench.detector.figures().reordered, 1);
    for lost in 0..20 {
        let at = 1000 * (lost + 1);
        bench.receive(at, [7 + 2 * lost]);
        bench.run(at + 30);
        bench.receive(at + 60, [6 + 2 * lost]);
    }
    let (last, seqno) = *bench.asked.last().unwrap();
    assert_eq!((last, seqno), (20_004, 44));
}

#[test]
fn what_never_comes_is_asked_for_as_often_as_configured_and_given_up() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [1, 3]);
    bench.run(10_000);
    assert_eq!(bench.asked.len(), 8);
    assert_eq!(bench.given_up, 1);
    assert_eq!(bench.detector.missing(), 0);
    assert_eq!(bench.detector.next_poll(), None);
    assert_eq!(
        bench.receive(10_001, [2, 2]),
        [Arrival::Late, Arrival::Duplicate]
    );
}

#[test]
fn sound_is_given_up_when_it_is_too_old_to_be_played() {
    let mut bench = Bench::new(LossConfig {
        tries: 100,
        ..LossConfig::AUDIO
    });
    bench.receive(0, [1, 3]);
    bench.run(399);
    assert_eq!(bench.given_up, 0);
    bench.run(400);
    assert_eq!(bench.given_up, 1);
    assert!(bench.asked.iter().all(|&(at, _)| at < 400));
}

#[test]
fn a_full_buffer_leaves_the_rest_for_the_next_poll() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [100, 121]);
    bench.run(4);
    let asked: Vec<_> = bench.asked.iter().map(|&(_, seqno)| seqno).collect();
    assert_eq!(asked, (101..121).collect::<Vec<_>>());
}

#[test]
fn a_jump_forgets_what_was_missing() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [1, 3]);
    assert_eq!(bench.receive(1, [3 + 1025]), [Arrival::Jump]);
    bench.run(10_000);
    assert_eq!(bench.asked, []);
    assert_eq!(bench.detector.figures().given_up, 1);
    assert_eq!(
        bench.receive(2, [1029, 1028, 1027]),
        [Arrival::New, Arrival::Duplicate, Arrival::Late,]
    );
}

#[test]
fn what_is_abandoned_is_not_asked_for_but_may_still_come() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    bench.receive(0, [1, 4]);
    bench.detector.abandon();
    bench.run(10_000);
    assert_eq!((bench.asked.len(), bench.detector.missing()), (0, 0));
    assert_eq!(bench.detector.figures().given_up, 2);
    assert_eq!(bench.receive(10_001, [2, 5]), [Arrival::Late, Arrival::New]);
}

#[test]
fn a_sender_that_begins_anew_below_is_followed() {
    let mut bench = Bench::new(LossConfig::AUDIO);
    bench.receive(0, 10_000..10_100);
    let arrivals = bench.receive(1, 500..520);
    assert!(
        arrivals[..15]
            .iter()
            .all(|arrival| *arrival == Arrival::Old)
    );
    assert_eq!(arrivals[15], Arrival::Jump);
    assert!(
        arrivals[16..]
            .iter()
            .all(|arrival| *arrival == Arrival::New)
    );
    // A few stragglers change nothing.
    assert_eq!(
        bench.receive(2, [3, 700, 4, 5]),
        [Arrival::Old, Arrival::Jump, Arrival::Old, Arrival::Old,]
    );
    assert_eq!(bench.receive(2, [701]), [Arrival::New]);
}

#[test]
fn what_leaves_the_window_is_given_up_at_once() {
    let mut bench = Bench::new(LossConfig {
        window: 64,
        ..LossConfig::VIDEO
    });
    bench.receive(0, [1]);
    bench.receive(0, 3..=66);
    assert_eq!(bench.detector.missing(), 0);
    bench.run(0);
    assert_eq!(bench.given_up, 1);
    assert_eq!(bench.receive(0, [2]), [Arrival::Old]);
}

#[test]
fn odd_times_and_configurations_do_no_harm() {
    let config = LossConfig {
        window: usize::MAX,
        reordering: Duration::MAX,
        tries: 0,
        age: Duration::MAX,
    };
    let mut bench = Bench::new(config);
    bench.receive(0, [u64::MAX - 5, u64::MAX - 1, u64::MAX, 0]);
    let mut lost = [0; 8];
    let far = bench.start + Duration::from_secs(100 * 24 * 3600);
    bench.detector.poll(far, Some(Duration::MAX), &mut lost);
    bench
        .detector
        .poll(bench.start, Some(Duration::ZERO), &mut lost);
    assert!(bench.detector.missing() <= 3);
}

proptest! {
    /// A lossy path whose repairs are lossy as well: the detector agrees with a plain set.
    #[test]
    fn it_agrees_with_a_set(
        start in 0u64..200_000,
        fates in prop::collection::vec((0u8..10, 0u64..30), 1..400),
    ) {
        let mut bench = Bench::new(LossConfig::VIDEO);
        let mut seen = HashSet::new();
        let mut at = 0;
        for (index, &(fate, wait)) in fates.iter().enumerate() {
            at += wait;
            let seqno = start + index as u64;
            bench.run(at);
            // One in ten is lost, one in ten comes again later.
            if fate > 0 {
                prop_assert_eq!(bench.receive(at, [seqno])[0], Arrival::New);
                seen.insert(seqno);
            }
            if fate == 1 && index > 5 {
                let again = seqno - 5;
                let arrival = bench.receive(at, [again])[0];
                prop_assert_eq!(arrival == Arrival::Duplicate, !seen.insert(again));
            }
        }
        let figures = bench.detector.figures();
        let newest = seen.iter().max().copied().unwrap_or(start);
        // Nothing is expected from before the first that arrived, even if something of it comes.
        let first = fates.iter().position(|(fate, _)| *fate > 0).unwrap_or(0) as u64 + start;
        let lost = (first..newest).filter(|seqno| !seen.contains(seqno)).count();
        prop_assert!(bench.detector.missing() <= lost);
        prop_assert!(bench.detector.missing() as u64 + figures.given_up >= lost as u64);
        for &(_, seqno) in &bench.asked {
            prop_assert!((start..=newest).any(|candidate| candidate as u16 == seqno));
        }
    }

    #[test]
    fn no_sequence_of_numbers_panics(
        seqnos in prop::collection::vec((any::<u64>(), 0u64..5000, 0u64..100), 1..50),
    ) {
        let mut bench = Bench::new(LossConfig::AUDIO);
        let mut at = 0;
        for (base, step, wait) in seqnos {
            at += wait;
            bench.receive(at, [base, base.wrapping_add(step), base.wrapping_add(2 * step)]);
            bench.run(at);
        }
    }
}

#[test]
fn long_gaps_one_after_another_stay_bounded() {
    let mut bench = Bench::new(LossConfig::VIDEO);
    for burst in 0..100 {
        bench.receive(burst * 10, [burst * 1000]);
        bench.run(burst * 10 + 9);
        assert!(bench.detector.missing() < 1024);
    }
}
