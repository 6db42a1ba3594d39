use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const ME: u32 = 0x1111_1111;
const YOU: u32 = 0x2222_2222;

fn block(ssrc: u32) -> ReceptionReport {
    ReceptionReport {
        ssrc,
        fraction_lost: 64,
        cumulative_lost: -3,
        highest_seq: 0x0001_0005,
        jitter: 17,
        last_sr: 0xAABB_CCDD,
        delay_since_last_sr: 0x0001_8000,
    }
}

/// What `write` appends after an empty receiver report, which is taken off again.
fn written(write: impl FnOnce(&mut Compound<'_>) -> Result<(), FeedbackError>) -> Vec<u8> {
    let mut buffer = [0xEE; 4096];
    let mut compound = Compound::with_receiver_report(&mut buffer, ME, &[]).unwrap();
    write(&mut compound).unwrap();
    let end = compound.len();
    buffer[8..end].to_vec()
}

fn read(bytes: &[u8]) -> Report<'_> {
    let mut reports = Reports::new(bytes);
    let report = reports.next().unwrap().unwrap();
    assert!(reports.next().is_none());
    report
}

#[test]
fn a_sender_report_carries_its_times_counts_and_blocks() {
    let info = SenderInfo {
        ntp: NtpTime(0x0123_4567_89AB_CDEF),
        rtp_time: 1,
        packets: 2,
        octets: 3,
    };
    let mut buffer = [0; 1500];
    let compound =
        Compound::with_sender_report(&mut buffer, ME, &info, &[block(7), block(8)]).unwrap();
    let len = compound.len();
    assert_eq!(len, 28 + 48);
    let Report::SenderReport {
        ssrc,
        info: got,
        reports,
    } = read(&buffer[..len])
    else {
        panic!("not a sender report");
    };
    assert_eq!((ssrc, got), (ME, info));
    assert_eq!(reports.collect::<Vec<_>>(), [block(7), block(8)]);
}

#[test]
fn more_blocks_than_a_report_can_count_go_to_further_reports() {
    let blocks: Vec<_> = (0..70).map(block).collect();
    let mut buffer = [0; 4096];
    let len = Compound::with_receiver_report(&mut buffer, ME, &blocks)
        .unwrap()
        .len();
    let mut counts = Vec::new();
    let mut got = Vec::new();
    for report in Reports::new(&buffer[..len]) {
        let Report::ReceiverReport { ssrc, reports } = report.unwrap() else {
            panic!("not a receiver report");
        };
        assert_eq!(ssrc, ME);
        counts.push(reports.clone().count());
        got.extend(reports);
    }
    assert_eq!(counts, [31, 31, 8]);
    assert_eq!(got, blocks);
}

#[test]
fn the_cumulative_loss_is_clamped_to_24_bits() {
    for (lost, read_back) in [
        (i32::MAX, 0x7F_FFFF),
        (i32::MIN, -0x80_0000),
        (-1, -1),
        (5, 5),
    ] {
        let report = ReceptionReport {
            cumulative_lost: lost,
            ..block(1)
        };
        let mut buffer = [0; 64];
        let len = Compound::with_receiver_report(&mut buffer, ME, &[report])
            .unwrap()
            .len();
        let Report::ReceiverReport { mut reports, .. } = read(&buffer[..len]) else {
            panic!("not a receiver report");
        };
        assert_eq!(reports.next().unwrap().cumulative_lost, read_back);
    }
}

#[test]
fn a_nack_packs_neighbours_into_one_word() {
    let lost = [10, 11, 26, 27, 65_535, 0, 15, 16];
    let bytes = written(|compound| compound.nack(ME, YOU, &lost));
    assert_eq!(bytes.len(), 12 + 4 * 4);
    assert_eq!(bytes[..4], [0x81, 205, 0, 6]);
    assert_eq!(bytes[12..16], [0, 10, 0x80, 0x01]);
    let Report::Nack {
        media_ssrc,
        lost: got,
    } = read(&bytes)
    else {
        panic!("not a NACK")
    };
    assert_eq!(media_ssrc, YOU);
    assert_eq!(got.collect::<Vec<_>>(), lost);
}

#[test]
fn a_nack_of_nothing_is_not_written() {
    assert_eq!(written(|compound| compound.nack(ME, YOU, &[])), [0_u8; 0]);
}

#[test]
fn pli_fir_remb_and_bye_are_read_as_written() {
    let bytes = written(|compound| compound.pli(ME, YOU));
    assert_eq!(
        bytes,
        [
            0x81, 206, 0, 2, 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22
        ]
    );
    assert!(matches!(read(&bytes), Report::Pli { media_ssrc: YOU }));

    let bytes = written(|compound| compound.fir(ME, YOU, 200));
    let Report::Fir { entries } = read(&bytes) else {
        panic!("not a FIR")
    };
    assert_eq!(entries.collect::<Vec<_>>(), [(YOU, 200)]);

    let bytes = written(|compound| compound.remb(ME, 1_000_000, &[YOU, 5]));
    let Report::Remb { bitrate, ssrcs } = read(&bytes) else {
        panic!("not a REMB")
    };
    assert_eq!(bitrate, 1_000_000);
    assert_eq!(ssrcs.collect::<Vec<_>>(), [YOU, 5]);

    let bytes = written(|compound| compound.bye(&[YOU, 5]));
    let Report::Bye { ssrcs } = read(&bytes) else {
        panic!("not a BYE")
    };
    assert_eq!(ssrcs.collect::<Vec<_>>(), [YOU, 5]);
}

#[test]
fn the_first_compound_of_a_browser_is_read_whole() {
    // RR, SDES with CNAME, REMB, NACK, TWCC with padding.
    let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    bytes.extend([
        0x81, 202, 0, 3, 0, 0, 0, 1, 1, 4, b'a', b'b', b'c', b'd', 0, 0,
    ]);
    bytes.extend([0x8F, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend([b'R', b'E', b'M', b'B', 1, 0x1B, 0xD0, 0x90, 0, 0, 0, 2]);
    bytes.extend([0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0, 1]);
    bytes.extend([0xAF, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2]);
    bytes.extend([0, 7, 0, 1, 0, 0, 1, 0, 0x20, 0x01, 4, 1]);
    let reports: Vec<_> = Reports::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(reports.len(), 4);
    let Report::Remb { bitrate, .. } = reports[1] else {
        panic!("not a REMB")
    };
    assert_eq!(bitrate, 0x3_D090 << 6);
    let Report::Nack { lost, .. } = reports[2].clone() else {
        panic!("not a NACK")
    };
    assert_eq!(lost.collect::<Vec<_>>(), [5, 6]);
    let Report::TransportCc {
        media_ssrc: 2,
        body,
    } = reports[3]
    else {
        panic!("not a TWCC of the source")
    };
    assert_eq!(body.len(), 11);
}

#[test]
fn what_is_good_before_and_after_malformed_contents_is_read() {
    let mut bytes = written(|compound| compound.pli(ME, YOU));
    // A FIR without an entry.
    bytes.extend([0x84, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    bytes.extend(written(|compound| compound.bye(&[YOU])));
    let reports: Vec<_> = Reports::new(&bytes).collect();
    assert_eq!(reports.len(), 3);
    assert!(matches!(reports[0], Ok(Report::Pli { .. })));
    assert_eq!(
        *reports[1].as_ref().unwrap_err(),
        FeedbackError::Contents(206)
    );
    assert!(matches!(reports[2], Ok(Report::Bye { .. })));
}

#[test]
fn a_reference_time_is_echoed_in_an_extended_report() {
    let start = Instant::now();
    let clock = NtpClock::new(start, Duration::from_secs(1_700_000_000));
    let bytes = written(|compound| compound.reference_time(ME, clock.at(start)));
    assert_eq!(bytes[..4], [0x80, 207, 0, 4]);
    assert_eq!(bytes[8..12], [4, 0, 0, 2]);
    assert_eq!(bytes[12..], clock.at(start).0.to_be_bytes());
    // Of no interest by itself.
    assert!(Reports::new(&bytes).next().is_none());

    let mut echo = vec![0x80, 207, 0, 8, 0x22, 0x22, 0x22, 0x22];
    echo.extend(&bytes[8..20]);
    echo.extend([5, 0, 0, 3]);
    echo.extend(ME.to_be_bytes());
    echo.extend(clock.at(start).short().to_be_bytes());
    echo.extend(short_from_duration(Duration::from_millis(700)).to_be_bytes());
    let Report::TimeEchoes { echoes } = read(&echo) else {
        panic!("no echo")
    };
    let echoes: Vec<_> = echoes.collect();
    assert_eq!((echoes.len(), echoes[0].ssrc), (1, ME));
    let rtt = echoes[0]
        .round_trip(clock.at(start + Duration::from_millis(750)))
        .unwrap();
    assert!(
        rtt.abs_diff(Duration::from_millis(50)) < Duration::from_micros(50),
        "{rtt:?}"
    );

    // A block that ends too soon.
    echo[3] = 7;
    echo.truncate(32);
    let error = Reports::new(&echo).next().unwrap().unwrap_err();
    assert_eq!(error, FeedbackError::Contents(207));
}

#[test]
fn a_padded_packet_may_be_followed_by_another() {
    let mut bytes = vec![0xA1, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
    bytes.extend(written(|compound| compound.pli(ME, YOU)));
    let reports: Vec<_> = Reports::new(&bytes).map(Result::unwrap).collect();
    assert!(matches!(
        reports[..],
        [Report::Bye { .. }, Report::Pli { .. }]
    ));
}

#[test]
fn framing_errors_end_the_reading() {
    let good = written(|compound| compound.pli(ME, YOU));
    let cases: [(&[u8], FeedbackError); 6] = [
        (&[0x80], FeedbackError::Truncated),
        (&[0x80, 201, 0, 1, 0, 0], FeedbackError::Truncated),
        (
            &[0x80, 201, 0xFF, 0xFF, 0, 0, 0, 0],
            FeedbackError::Truncated,
        ),
        (&[0x40, 201, 0, 1, 0, 0, 0, 0], FeedbackError::Version(1)),
        (&[0xA0, 201, 0, 0], FeedbackError::Padding),
        (&[0xA0, 201, 0, 1, 0, 0, 0, 5], FeedbackError::Padding),
    ];
    for (bad, error) in cases {
        let bytes = [&good, bad].concat();
        let reports: Vec<_> = Reports::new(&bytes).collect();
        assert_eq!(reports.len(), 2, "{bad:?}");
        assert!(matches!(reports[0], Ok(Report::Pli { .. })));
        assert_eq!(*reports[1].as_ref().unwrap_err(), error, "{bad:?}");
    }
}

#[test]
fn a_remb_beyond_64_bits_is_the_largest_bitrate() {
    let mut bytes = vec![
        0x8F, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B',
    ];
    bytes.extend([0, 0xFF, 0xFF, 0xFF]);
    assert!(matches!(
        read(&bytes),
        Report::Remb {
            bitrate: u64::MAX,
            ..
        }
    ));
    bytes.truncate(16);
    bytes.extend([0, 0xFC, 0, 0]);
    assert!(matches!(read(&bytes), Report::Remb { bitrate: 0, .. }));
}

#[test]
fn a_packet_that_does_not_fit_leaves_what_is_there() {
    let mut buffer = [0; 20];
    let mut compound = Compound::with_receiver_report(&mut buffer, ME, &[]).unwrap();
    assert_eq!(compound.remb(ME, 5, &[YOU]), Err(FeedbackError::Full));
    assert_eq!(compound.len(), 8);
    compound.pli(ME, YOU).unwrap();
    assert_eq!(compound.pli(ME, YOU), Err(FeedbackError::Full));
    assert_eq!(compound.len(), 20);
    assert_eq!(Reports::new(&buffer).filter(Result::is_ok).count(), 2);
    assert!(Compound::with_receiver_report(&mut [0; 7], ME, &[]).is_err());
}

#[test]
fn ntp_times_are_seconds_since_1900() {
    let time = NtpTime::from_unix(Duration::new(1, 500_000_000));
    assert_eq!(time.0, (2_208_988_801 << 32) | 0x8000_0000);
    assert_eq!(
        time.short(),
        ((2_208_988_801u64 & 0xFFFF) << 16) as u32 | 0x8000
    );
    let start = Instant::now();
    let clock = NtpClock::new(start, Duration::from_secs(1_000_000));
    let later = clock.at(start + Duration::from_millis(1250));
    assert_eq!(later.since(clock.at(start)), Duration::from_millis(1250));
    assert_eq!(clock.at(start).since(later), Duration::ZERO);
}

#[test]
fn the_round_trip_is_what_the_receiver_did_not_wait() {
    let start = Instant::now();
    let clock = NtpClock::new(start, Duration::from_secs(1_700_000_000));
    let report = ReceptionReport {
        last_sr: clock.at(start).short(),
        delay_since_last_sr: short_from_duration(Duration::from_millis(400)),
        ..block(1)
    };
    let arrives = |after| report.round_trip(clock.at(start + Duration::from_millis(after)));
    let rtt = arrives(475).unwrap();
    assert!(
        rtt.abs_diff(Duration::from_millis(75)) < Duration::from_micros(50),
        "{rtt:?}"
    );
    assert_eq!(arrives(399), Some(Duration::ZERO));
    assert_eq!(arrives(100_000), None);
    assert_eq!(
        ReceptionReport {
            last_sr: 0,
            ..report
        }
        .round_trip(clock.at(start)),
        None
    );
}

/// Reads everything there is to read.
fn exhaust(bytes: &[u8]) -> usize {
    let mut items = 0;
    for report in Reports::new(bytes) {
        items += 1;
        items += match report {
            Ok(Report::SenderReport { reports, .. } | Report::ReceiverReport { reports, .. }) => {
                reports.count()
            }
            Ok(Report::Nack { lost, .. }) => lost.count(),
            Ok(Report::Fir { entries }) => entries.count(),
            Ok(Report::TimeEchoes { echoes }) => echoes.count(),
            Ok(Report::Remb { ssrcs, .. } | Report::Bye { ssrcs }) => ssrcs.count(),
            Ok(_) | Err(_) => 0,
        };
    }
    items
}

#[test]
fn no_truncation_panics() {
    let mut buffer = [0; 1500];
    let mut compound =
        Compound::with_sender_report(&mut buffer, ME, &SenderInfo::default(), &[block(4)]).unwrap();
    compound.cname(ME, "perikon").unwrap();
    compound.nack(ME, YOU, &[1, 2, 3, 40]).unwrap();
    compound.fir(ME, YOU, 1).unwrap();
    compound.pli(ME, YOU).unwrap();
    compound.remb(ME, 77, &[YOU]).unwrap();
    compound.bye(&[ME]).unwrap();
    let len = compound.len();
    assert_eq!(Reports::new(&buffer[..len]).map(Result::unwrap).count(), 6);
    for end in 0..len {
        exhaust(&buffer[..end]);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exhaust(&bytes);
    }

    #[test]
    fn random_contents_never_panic(
        count in 0u8..32,
        kind in 200u8..208,
        mut body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        body.truncate(body.len() / 4 * 4);
        let mut bytes = vec![0x80 | count, kind, 0, (body.len() / 4) as u8];
        bytes.extend(body);
        exhaust(&bytes);
    }

    #[test]
    fn a_nack_asks_for_exactly_what_it_was_given(
        start in any::<u16>(),
        gaps in prop::collection::vec(1u16..40, 1..60),
    ) {
        let lost: Vec<u16> = gaps.iter().scan(start, |seqno, &gap| {
            *seqno = seqno.wrapping_add(gap);
            Some(*seqno)
        }).collect();
        let bytes = written(|compound| compound.nack(ME, YOU, &lost));
        let Report::Nack { lost: got, .. } = read(&bytes) else { panic!("not a NACK") };
        prop_assert_eq!(got.collect::<Vec<_>>(), lost);
    }

    #[test]
    fn a_remb_loses_less_than_its_18_bits(bitrate in any::<u64>()) {
        let bytes = written(|compound| compound.remb(ME, bitrate, &[]));
        let Report::Remb { bitrate: got, .. } = read(&bytes) else { panic!("not a REMB") };
        prop_assert!(got <= bitrate);
        prop_assert!(bitrate - got <= bitrate >> 17);
    }

    #[test]
    fn any_cname_keeps_the_compound_aligned(name in "[a-z]{0,300}") {
        let bytes = written(|compound| {
            compound.cname(ME, &name)?;
            compound.pli(ME, YOU)
        });
        let pli = matches!(read(&bytes), Report::Pli { .. });
        prop_assert!(pli);
    }
}
