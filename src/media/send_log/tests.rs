use super::*;
use bytes::BytesMut;
use proptest::prelude::*;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::*;
use rtc_shared::marshal::Marshal;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A message as the reference writes it: each packet in a vector of two-bit symbols.
fn message(base: u16, reference: u32, ticks: &[Option<i16>]) -> Vec<u8> {
    let symbol = |delta: &Option<i16>| match delta {
        None => SymbolTypeTcc::PacketNotReceived,
        Some(0..=255) => SymbolTypeTcc::PacketReceivedSmallDelta,
        Some(_) => SymbolTypeTcc::PacketReceivedLargeDelta,
    };
    let packet = TransportLayerCc {
        sender_ssrc: 1,
        media_ssrc: 2,
        base_sequence_number: base,
        packet_status_count: ticks.len() as u16,
        reference_time: reference,
        fb_pkt_count: 0,
        packet_chunks: ticks
            .chunks(7)
            .map(|some| {
                let mut symbols: Vec<_> = some.iter().map(symbol).collect();
                symbols.resize(7, SymbolTypeTcc::PacketNotReceived);
                PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                    type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
                    symbol_size: SymbolSizeTypeTcc::TwoBit,
                    symbol_list: symbols,
                })
            })
            .collect(),
        recv_deltas: ticks
            .iter()
            .filter(|delta| delta.is_some())
            .map(|delta| RecvDelta {
                type_tcc_packet: symbol(delta),
                delta: i64::from(delta.unwrap_or(0)) * 250,
            })
            .collect(),
    };
    let mut bytes = BytesMut::zeroed(2_000);
    let len = packet.marshal_to(&mut bytes).unwrap();
    // Behind the header and both SSRCs.
    bytes[12..len].to_vec()
}

fn log_of(start: Instant, count: u64) -> SendLog {
    let mut log = SendLog::new(start);
    for number in 0..count {
        assert_eq!(log.number(), number as u16);
        log.sent(start + millis(10 * number), 1_000 + number as usize % 100);
    }
    log
}

#[test]
fn feedback_says_when_each_packet_was_sent_and_when_it_arrived() {
    let start = Instant::now();
    let mut log = log_of(start, 5);
    let now = start + millis(100);
    let body = message(0, 7, &[Some(4), Some(40), None, Some(-8)]);
    let heard: Vec<_> = log.feedback(now, &body).collect();
    let sent: Vec<_> = heard.iter().map(|packet| packet.sent - start).collect();
    assert_eq!(sent, [0, 10, 20, 30].map(millis));
    let sizes: Vec<_> = heard.iter().map(|packet| packet.size).collect();
    assert_eq!(sizes, [1_000, 1_001, 1_002, 1_003]);
    let first = heard[0].arrived.unwrap();
    let after: Vec<_> = heard
        .iter()
        .map(|packet| packet.arrived.map(|at| at - first))
        .collect();
    assert_eq!(
        after,
        [Some(millis(0)), Some(millis(10)), None, Some(millis(8))]
    );
    let figures = log.figures();
    assert_eq!((figures.acked, figures.missing), (3, 1));
    assert_eq!(figures.acked_bytes, 1_000 + 1_001 + 1_003);
}

#[test]
fn nothing_is_said_twice_but_what_was_missing_may_come() {
    let start = Instant::now();
    let mut log = log_of(start, 4);
    let now = start + millis(100);
    let first = message(0, 7, &[Some(0), None]);
    assert_eq!(log.feedback(now, &first).count(), 2);
    assert_eq!(log.feedback(now, &first).count(), 0);
    // One that came after all, one that is new, and one that was never sent.
    let second = message(1, 8, &[Some(0), Some(0), Some(0), Some(0)]);
    let heard: Vec<_> = log.feedback(now, &second).collect();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|packet| packet.arrived.is_some()));
    assert_eq!(log.figures().acked, 4);
}

#[test]
fn numbers_and_times_wrap() {
    let start = Instant::now();
    let mut log = log_of(start, 65_540);
    let now = start + millis(655_400);
    let body = message(65_530, 0xff_ffff, &[Some(0); 10]);
    let heard: Vec<_> = log.feedback(now, &body).collect();
    assert_eq!(heard.len(), 10);
    assert_eq!(heard[9].sent - start, millis(655_390));
    log.sent(now, 500);
    let body = message(4, 0, &[Some(0)]);
    let next = log.feedback(now, &body).next().unwrap();
    assert_eq!(
        next.arrived.unwrap() - heard[9].arrived.unwrap(),
        millis(64)
    );
    assert_eq!((next.sent, next.size), (now, 500));
    let old = message(1_000, 0, &[Some(0)]);
    assert_eq!(log.feedback(now, &old).count(), 0, "forgotten");
}

#[test]
fn what_is_malformed_changes_nothing() {
    let start = Instant::now();
    let mut log = log_of(start, 50);
    let body = message(0, 7, &[Some(300); 40]);
    for len in 0..body.len() - 4 {
        assert_eq!(log.feedback(start, &body[..len]).count(), 0, "{len}");
    }
    // A reserved symbol.
    let reserved = [0, 0, 0, 3, 0, 0, 0, 0, 0x60, 3];
    assert_eq!(log.feedback(start, &reserved).count(), 0);
    assert_eq!(log.figures().acked, 0);
    assert_eq!(log.feedback(start, &body).count(), 40);
}

proptest! {
    #[test]
    fn bytes_never_panic(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let start = Instant::now();
        let mut log = log_of(start, 100);
        for body in bodies {
            prop_assert!(log.feedback(start, &body).count() <= 100);
        }
    }

    #[test]
    fn what_the_reference_writes_is_read(
        base: u16,
        ticks in prop::collection::vec(prop::option::of(-3_000_i16..3_000), 1..100),
    ) {
        let body = message(base, 9, &ticks);
        let read: Vec<_> = Arrivals::read(&body).unwrap().collect();
        prop_assert_eq!(read.len(), ticks.len());
        let mut at = 0;
        for (place, ((number, arrived), delta)) in read.into_iter().zip(&ticks).enumerate() {
            prop_assert_eq!(number, base.wrapping_add(place as u16));
            at += i64::from(delta.unwrap_or(0));
            prop_assert_eq!(arrived, delta.map(|_| at));
        }
    }
}

#[test]
fn what_is_under_way_is_what_was_sent_after_the_last_that_arrived() {
    let start = Instant::now();
    let mut log = log_of(start, 10);
    let now = start + millis(200);
    assert_eq!(log.flight(now), None, "nothing is known to have arrived");
    let body = message(0, 7, &[Some(4), None, Some(8), Some(4), None]);
    assert_eq!(log.feedback(now, &body).count(), 5);
    let flight = log.flight(now).unwrap();
    assert_eq!(
        flight.bytes,
        (4..10).map(|number| 1_000 + number).sum::<u64>()
    );
    assert_eq!(flight.age, millis(170));
    for _ in 0..2_000 {
        log.sent(now, 1_000);
    }
    assert_eq!(log.flight(now), None, "what arrived is forgotten");
}

/// A few bytes can say of 65,535 packets that they are missing: that costs hardly more than to say it
/// of those that are remembered.
#[test]
fn what_tells_of_numbers_that_nobody_knows_costs_next_to_nothing() {
    let start = Instant::now();
    let mut log = log_of(start, 70_000);
    let last = log.number().wrapping_sub(1);
    let mut costs = |count: u16| {
        let mut body = last.wrapping_sub(count - 1).to_be_bytes().to_vec();
        body.extend(count.to_be_bytes());
        body.extend([0, 0, 7, 0]);
        let whole = std::iter::repeat_n(8_191, usize::from(count / 8_191));
        for run in whole.chain([count % 8_191]) {
            body.extend(run.to_be_bytes());
        }
        let once = |_| {
            let began = Instant::now();
            log.feedback(start, &body).for_each(drop);
            began.elapsed()
        };
        // Whatever else the machine does, it does not do it all the time.
        (0..100).map(once).min().unwrap()
    };
    let (few, many) = (costs(1_000), costs(32_000));
    assert!(many < few * 8, "{many:?}, {few:?}");
    assert_eq!(log.figures().malformed, 0);
}
