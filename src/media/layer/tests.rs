use super::*;

#[test]
fn the_better_of_two_limits_does_not_count() {
    let layer = |encoding, sid, tid| Layer { encoding, sid, tid };
    assert_eq!(Layer::TOP.and(layer(1, 0, 2)), layer(1, 0, 2));
    assert_eq!(layer(0, 2, 2).and(layer(1, 0, 0)), layer(0, 2, 2));
    assert_eq!(layer(1, 2, 0).and(layer(1, 1, 2)), layer(1, 1, 0));
}

#[test]
fn each_rung_costs_what_all_below_it_cost_too() {
    let start = Instant::now();
    let mut meter = LayerMeter::new(start);
    let mut now = start;
    for picture in 0..90 {
        let tid = [0, 2, 1, 2][picture % 4];
        for sid in 0..3 {
            meter.add(now, sid, tid, 1_000 << sid);
        }
        now += Duration::from_millis(33);
    }
    assert_eq!(meter.highest(), (2, 2));
    let mut ladder = Ladder::default();
    ladder.add(0, &meter, Layer::TOP, false);
    let rungs: Vec<_> = ladder.rungs().iter().map(|r| (r.sid, r.tid)).collect();
    assert_eq!(
        rungs,
        [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
    );
    assert!(
        ladder
            .rungs()
            .windows(2)
            .all(|pair| pair[0].bitrate < pair[1].bitrate)
    );
    let all = ladder.rungs().last().unwrap().bitrate;
    let sent = 7_000 * 8 * 30;
    assert!(all.abs_diff(sent) < sent / 20, "{all} of {sent}");

    let mut limited = Ladder::default();
    let limit = Layer {
        encoding: 0,
        sid: 1,
        tid: 1,
    };
    limited.add(0, &meter, limit, false);
    let top = limited.rungs().last().unwrap();
    assert_eq!(top.layer(), limit);
}

#[test]
fn a_window_is_covered_by_pictures_that_need_not_be_enlarged() {
    let view = |width, height| View {
        window: Some((width, height)),
        ..View::default()
    };
    assert!(view(320, 180).is_covered_by((320, 180)));
    assert!(view(340, 190).is_covered_by((320, 180)), "hardly");
    assert!(!view(640, 360).is_covered_by((320, 180)));
    assert!(view(640, 300).is_covered_by((640, 360)));
    assert!(!view(360, 640).is_covered_by((320, 180)), "turned");
    assert!(view(360, 640).is_covered_by((640, 360)));
    assert!(!View::default().is_covered_by((1_280, 720)));
}

#[test]
fn what_a_paused_encoding_cost_is_remembered() {
    let begin = Instant::now();
    let at = |ms: u64| begin + Duration::from_millis(ms);
    let mut meter = LayerMeter::new(begin);
    // 1 Mbit/s.
    for ms in (0..5_000).step_by(8) {
        meter.add(at(ms), 0, 0, 1_000);
    }
    let before = meter.bitrate(0, 0);
    assert!((950_000..1_050_000).contains(&before), "{before}");
    meter.pause();
    // What was on its way.
    meter.add(at(5_010), 0, 0, 1_000);
    assert!(meter.is_expected());
    meter.resume();
    assert!(meter.is_expected(), "not before something comes");
    for ms in (600_000..603_000).step_by(8) {
        meter.add(at(ms), 0, 0, 1_000);
        assert!(!meter.is_expected());
        let rate = meter.bitrate(0, 0);
        assert!((950_000..1_050_000).contains(&rate), "{rate}");
    }
    meter.pause();
    meter.resume();
    meter.give_up();
    assert!(!meter.is_expected());
}

#[test]
fn a_larger_picture_that_costs_no_more_is_to_be_had() {
    let begin = Instant::now();
    let meter = |tids: &[u8], len: usize| {
        let mut meter = LayerMeter::new(begin);
        for (at, ms) in (0..3_000).step_by(10).enumerate() {
            let tid = tids[at % tids.len()];
            meter.add(begin + Duration::from_millis(ms), 0, tid, len);
        }
        meter
    };
    let layers = [0, 2, 1, 2];
    // Of slides 80 kbit/s each, of a film that has not enough 800 and 400.
    for (low, high, rungs) in [(100, 99, 2), (100, 100, 2), (100, 110, 2), (1_000, 500, 0)] {
        for tids in [&layers[..], &layers[..1]] {
            let (low, high) = (meter(tids, low), meter(tids, high));
            let mut ladder = Ladder::default();
            ladder.add(0, &low, Layer::TOP, false);
            let below = ladder.rungs().len();
            ladder.add(1, &high, Layer::TOP, false);
            let (below, above) = ladder.rungs().split_at(below);
            assert_eq!(above.len(), rungs.min(tids.len()));
            for pair in ladder.rungs().windows(2) {
                assert!(pair[0].bitrate < pair[1].bitrate);
            }
            if let (Some(below), Some(above)) = (below.last(), above.last()) {
                assert!(
                    above.bitrate < below.bitrate + below.bitrate / 8,
                    "{above:?}"
                );
            }
        }
    }
}

#[test]
fn a_paused_encoding_is_a_rung_even_if_those_below_have_grown() {
    let begin = Instant::now();
    let meter = |len: usize| {
        let mut meter = LayerMeter::new(begin);
        for ms in (0..3_000).step_by(10) {
            meter.add(begin + Duration::from_millis(ms), 0, 0, len);
        }
        meter
    };
    let (low, mut high) = (meter(1_000), meter(250));
    let rungs = |high: &LayerMeter| {
        let mut ladder = Ladder::default();
        ladder.add(0, &low, Layer::TOP, false);
        ladder.add(1, high, Layer::TOP, false);
        ladder.rungs().to_vec()
    };
    assert_eq!(rungs(&high).len(), 1, "starved");
    high.pause();
    let both = rungs(&high);
    assert_eq!(both.len(), 2);
    assert!(both[1].bitrate > both[0].bitrate);
}

#[test]
fn what_its_publisher_is_told_to_save_counts_at_once_and_what_it_was_is_remembered() {
    let begin = Instant::now();
    let mut meter = LayerMeter::new(begin);
    let mut now = begin;
    // 1 Mbit/s, a third of it in a higher layer.
    let send = |meter: &mut LayerMeter, now: &mut Instant, seconds: u64, bytes: usize| {
        for packet in 0..seconds * 125 {
            meter.add(*now, 0, u8::from(packet % 3 == 0), bytes);
            *now += Duration::from_millis(8);
        }
    };
    send(&mut meter, &mut now, 5, 1_000);
    let natural = meter.natural();
    assert!((950_000..1_050_000).contains(&natural), "{natural}");
    meter.set_bound(now, Some(400_000));
    assert!(
        meter.settles(),
        "it is not known whether it does as it is told"
    );
    assert!((395_000..=400_000).contains(&meter.total()));
    assert!(meter.bitrate(0, 0) < 300_000);
    // It does.
    send(&mut meter, &mut now, 20, 380);
    assert!(!meter.settles());
    assert!((360_000..400_000).contains(&meter.total()));
    assert_eq!(meter.natural(), natural);
    meter.set_bound(now, None);
    send(&mut meter, &mut now, 5, 1_000);
    assert!(meter.natural() > 900_000, "{}", meter.natural());
    // It does not.
    meter.set_bound(now, Some(400_000));
    send(&mut meter, &mut now, 5, 1_000);
    assert!(meter.total() > 900_000, "{}", meter.total());
}
