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
    ladder.add(0, &meter, Layer::TOP);
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
    limited.add(0, &meter, limit);
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
