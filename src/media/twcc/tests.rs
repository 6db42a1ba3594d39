use super::super::feedback::{Arrivals, Report, Reports};
use super::*;
use proptest::prelude::*;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_shared::marshal::Unmarshal;

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// What the sender is told: number and time of each packet, in ticks.
fn told(log: &mut ArrivalLog, now: Instant) -> Vec<(u16, Option<i64>)> {
    let mut buffer = [0; 1_400];
    let mut compound = Compound::with_receiver_report(&mut buffer, 1, &[]).unwrap();
    log.write(now, &mut compound, 1, 2).unwrap();
    let len = compound.len();
    let mut told = Vec::new();
    for report in Reports::new(&buffer[..len]).skip(1) {
        let Ok(Report::TransportCc { media_ssrc, body }) = report else {
            panic!("{report:?}");
        };
        assert_eq!(media_ssrc, 2);
        let arrivals = Arrivals::read(body).unwrap();
        let reference = i64::from(arrivals.reference()) * 256;
        told.extend(arrivals.map(|(number, at)| (number, at.map(|at| reference + at))));
    }
    // And as the reference reads it.
    let mut rest = &buffer[8..len];
    let mut read = 0;
    while !rest.is_empty() {
        let (packet, others) =
            rest.split_at(4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1));
        let reference = TransportLayerCc::unmarshal(&mut &*packet).unwrap();
        read += usize::from(reference.packet_status_count);
        rest = others;
    }
    assert_eq!(read, told.len());
    told
}

#[test]
fn the_sender_is_told_after_a_tenth_of_a_second_or_sooner_when_much_comes() {
    let start = Instant::now();
    let mut log = ArrivalLog::new(start);
    assert_eq!(log.next_poll(), None);
    log.arrived(start, 7);
    assert_eq!(log.next_poll(), Some(start + INTERVAL));
    assert_eq!(told(&mut log, start + micros(99_999)), []);
    assert_eq!(told(&mut log, start + INTERVAL), [(7, Some(0))]);
    assert_eq!(log.next_poll(), None);
    let later = start + Duration::from_secs(1);
    for number in 0..30 {
        log.arrived(later + micros(number * 1_000), 8 + number as u16);
    }
    assert_eq!(log.next_poll(), Some(later + BUSY_INTERVAL));
    let all = told(&mut log, later + BUSY_INTERVAL);
    assert_eq!(all.len(), 30);
    assert_eq!(all[29], (37, Some(4_000 + 29 * 4)));
}

#[test]
fn what_is_missing_is_said_and_said_otherwise_once_it_has_come() {
    let start = Instant::now();
    let mut log = ArrivalLog::new(start);
    for number in [65_534, 65_535, 2] {
        log.arrived(start + micros(500), number);
    }
    let now = start + INTERVAL * 2;
    let at = Some(2);
    assert_eq!(
        told(&mut log, now),
        [(65_534, at), (65_535, at), (0, None), (1, None), (2, at)]
    );
    log.arrived(now, 1);
    log.arrived(now, 1);
    log.arrived(now, 3);
    let late = Some(800);
    assert_eq!(
        told(&mut log, now + INTERVAL),
        [(1, late), (2, at), (3, late)]
    );
}

#[test]
fn a_long_silence_and_a_jump_are_no_trouble() {
    let start = Instant::now();
    let mut log = ArrivalLog::new(start);
    log.arrived(start, 1);
    // More than two bytes of ticks.
    let later = start + Duration::from_secs(20);
    log.arrived(later, 2);
    log.arrived(later, 30_000);
    log.arrived(later, 60_000);
    let told = told(&mut log, later + INTERVAL);
    assert_eq!(told, [(60_000, Some(80_000))], "nothing else is known");
    let mut log = ArrivalLog::new(start);
    log.arrived(start, 1);
    log.arrived(later, 2);
    let told = super::tests::told(&mut log, later + INTERVAL);
    assert_eq!(told, [(1, Some(0)), (2, Some(80_000))]);
}

#[test]
fn what_does_not_fit_is_told_later() {
    let start = Instant::now();
    let mut log = ArrivalLog::new(start);
    for number in 0..600_u16 {
        log.arrived(start + micros(u64::from(number) * 100), number);
    }
    let now = start + INTERVAL;
    let mut buffer = [0; 400];
    let mut compound = Compound::with_receiver_report(&mut buffer, 1, &[]).unwrap();
    assert_eq!(
        log.write(now, &mut compound, 1, 2),
        Err(FeedbackError::Full)
    );
    assert!(log.next_poll().is_some());
    let rest = told(&mut log, now);
    assert_eq!(rest[rest.len() - 1].0, 599);
    assert_eq!(log.next_poll(), None);
}

proptest! {
    #[test]
    fn every_packet_is_told_of_once_at_least(
        packets in prop::collection::vec((0_u16..40, 0_u64..200_000, 0_u16..3), 1..200),
        first: u16,
    ) {
        let start = Instant::now();
        let mut log = ArrivalLog::new(start);
        let (mut now, mut number) = (start, first);
        let mut expected = std::collections::BTreeMap::new();
        let mut heard = std::collections::BTreeMap::new();
        for (step, pause, back) in packets {
            now += micros(pause);
            number = number.wrapping_add(step);
            let number = number.wrapping_sub(back);
            let ticks = (now - start).as_micros() as i64 / 250;
            log.arrived(now, number);
            expected.entry(number).or_insert(ticks);
            for (number, at) in told(&mut log, now) {
                if let Some(at) = at {
                    heard.insert(number, at);
                }
            }
        }
        for (number, at) in told(&mut log, now + INTERVAL) {
            if let Some(at) = at {
                heard.insert(number, at);
            }
        }
        prop_assert!(!expected.is_empty() && heard.len() <= expected.len());
        // Those before the first that arrived are not told of if it was told of already.
        for (number, at) in heard {
            prop_assert_eq!(expected.get(&number), Some(&at));
        }
    }
}
