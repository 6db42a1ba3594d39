use super::*;
use crate::media::feedback::{NtpTime, ReceptionReport};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_steady_stream_shows_its_bitrate() {
    let start = Instant::now();
    let mut meter = RateMeter::new(start);
    for at in (0..5000).step_by(10) {
        meter.add(start + ms(at), 1250);
        if at > 300 {
            let rate = meter.bitrate(start + ms(at));
            assert!(
                (950_000..1_070_000).contains(&rate),
                "{rate} bit/s at {at} ms"
            );
        }
    }
}

#[test]
fn a_stream_that_stops_falls_to_zero_and_starts_again_at_its_rate() {
    let start = Instant::now();
    let mut meter = RateMeter::new(start);
    for at in (0..2000).step_by(10) {
        meter.add(start + ms(at), 1250);
    }
    let half = meter.bitrate(start + ms(2500));
    assert!((400_000..600_000).contains(&half), "{half}");
    assert_eq!(meter.bitrate(start + ms(3100)), 0);
    for at in (60_000..60_500).step_by(10) {
        meter.add(start + ms(at), 1250);
    }
    let rate = meter.bitrate(start + ms(60_500));
    assert!((900_000..1_100_000).contains(&rate), "{rate}");
}

#[test]
fn one_packet_is_no_flood() {
    let start = Instant::now();
    let mut meter = RateMeter::new(start);
    meter.add(start, 1250);
    assert_eq!(meter.bitrate(start), 40_000);
}

#[test]
fn even_arrivals_have_no_jitter_and_uneven_ones_have_theirs() {
    let start = Instant::now();
    let mut jitter = Jitter::new(start, 90_000);
    for frame in 0..100u32 {
        // Three packets a picture, paced over 9 ms.
        for packet in 0..3 {
            let at = start + ms(u64::from(frame) * 20 + 3 * packet);
            jitter.receive((u32::MAX - 5000).wrapping_add(frame * 1800), at);
        }
    }
    assert_eq!(jitter.units(), 0);
    let mut jitter = Jitter::new(start, 90_000);
    for frame in 0..400u32 {
        let late = if frame % 2 == 0 { 10 } else { 0 };
        let at = start + ms(10_000 + u64::from(frame) * 20 + late);
        jitter.receive(frame * 1800, at);
    }
    // Every difference is 10 ms: the estimate settles there.
    let settled = jitter.duration();
    assert!(settled.abs_diff(ms(10)) < ms(1), "{settled:?}");
}

#[test]
fn a_jump_of_the_timestamps_is_no_jitter() {
    let start = Instant::now();
    let mut jitter = Jitter::new(start, 48_000);
    for (index, base) in [0u32, 3_000_000_000, 500, 2_000_000_000]
        .into_iter()
        .enumerate()
    {
        for packet in 0..10u32 {
            let at = ms(20 * (10 * index as u64 + u64::from(packet)));
            jitter.receive(base + packet * 960, start + at);
        }
    }
    assert!(jitter.duration() < ms(1), "{:?}", jitter.duration());
}

/// Receives without regard to timestamps.
fn receive(reception: &mut Reception, now: Instant, seqnos: impl IntoIterator<Item = u64>) {
    for seqno in seqnos {
        reception.receive(seqno, 0, now);
    }
}

#[test]
fn a_report_tells_loss_of_the_interval_and_of_all_time() {
    let start = Instant::now();
    let mut reception = Reception::new(start, 90_000);
    assert_eq!(reception.report(1, start), None);
    receive(
        &mut reception,
        start,
        (0..100).filter(|seqno| seqno % 4 != 1).map(|n| n + 65_536),
    );
    let report = reception.report(9, start + ms(1000)).unwrap();
    assert_eq!(
        report,
        ReceptionReport {
            ssrc: 9,
            fraction_lost: 64,
            cumulative_lost: 25,
            highest_seq: 99,
            ..ReceptionReport::default()
        }
    );
    assert!((reception.loss() - 0.25).abs() < 1e-9);
    receive(&mut reception, start, 65_636..65_736);
    let report = reception.report(9, start + ms(2000)).unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 25));
    assert!(reception.loss() == 0.0);
    receive(&mut reception, start, 65_736..131_080);
    let report = reception.report(9, start + ms(3000)).unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 25));
    assert_eq!(
        report.highest_seq, 0x0001_0007,
        "one wrap since the first packet"
    );
}

#[test]
fn duplicates_outweigh_losses_and_all_lost_is_255() {
    let start = Instant::now();
    let mut reception = Reception::new(start, 90_000);
    receive(&mut reception, start, [5, 5, 5, 4]);
    let report = reception.report(1, start).unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (0, -2));
    receive(&mut reception, start, [100_000]);
    assert_eq!(reception.report(1, start).unwrap().fraction_lost, 255);
}

#[test]
fn a_restart_keeps_the_count_of_what_was_lost() {
    let start = Instant::now();
    let mut reception = Reception::new(start, 90_000);
    receive(&mut reception, start, [1, 5]);
    reception.restart();
    assert_eq!(reception.lost(), 3);
    receive(&mut reception, start, [900_000, 900_002]);
    let report = reception.report(1, start).unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (85, 4));
}

#[test]
fn a_report_says_when_the_last_sender_report_came() {
    let start = Instant::now();
    let mut reception = Reception::new(start, 90_000);
    receive(&mut reception, start, [1]);
    reception.sender_report(NtpTime(0x0000_1234_5678_0000), start + ms(500));
    let report = reception.report(1, start + ms(2000)).unwrap();
    assert_eq!(
        (report.last_sr, report.delay_since_last_sr),
        (0x1234_5678, 0x0001_8000)
    );
}

proptest! {
    #[test]
    fn no_arrivals_panic(
        packets in prop::collection::vec((any::<u64>(), any::<u32>(), 0u64..10_000), 1..50),
        clock_rate in any::<u32>(),
    ) {
        let start = Instant::now();
        let mut reception = Reception::new(start, clock_rate);
        let mut meter = RateMeter::new(start + ms(5000));
        for (seqno, rtp_time, at) in packets {
            let now = start + ms(at);
            reception.receive(seqno, rtp_time, now);
            reception.report(1, now);
            reception.jitter().duration();
            meter.add(now, seqno as usize);
            meter.bitrate(now);
        }
    }

    /// However packets are spread, the meter counts the bytes of the last second and no others.
    #[test]
    fn the_meter_agrees_with_a_list(
        packets in prop::collection::vec((0u64..300, 0usize..1500), 1..100),
    ) {
        let start = Instant::now();
        let mut meter = RateMeter::new(start);
        let mut list = Vec::new();
        let mut at = 0;
        for (wait, bytes) in packets {
            at += wait;
            meter.add(start + ms(at), bytes);
            list.push((at, bytes as u64 * 8));
        }
        let rate = meter.bitrate(start + ms(at));
        let bits = |window| list.iter().filter(|&&(t, _)| t + window > at).map(|&(_, b)| b).sum::<u64>();
        prop_assert!(rate <= bits(1024) * 4);
        if at > 2048 {
            prop_assert!(rate >= bits(960) * 1000 / 1024);
        }
    }
}
