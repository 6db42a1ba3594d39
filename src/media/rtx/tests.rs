use super::*;

const RTX: Rtx = Rtx {
    payload_type: 97,
    ssrc: 0xabcd_ffff,
};
const LONG: u64 = 1 << 40;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn numbers_of_repairs_never_come_back() {
    let mut repairs = Repairs::new(Some(RTX));
    let first = repairs.label().unwrap();
    assert_eq!((first.number, first.rtx), (0x7fff, RTX));
    repairs.agree(None);
    assert_eq!(repairs.label(), None);
    repairs.agree(Some(RTX));
    assert_eq!(repairs.label().unwrap().number, 0x8000);
    let other = Rtx {
        payload_type: 99,
        ..RTX
    };
    repairs.agree(Some(other));
    let label = repairs.label().unwrap();
    assert_eq!((label.number, label.rtx.payload_type), (0x8001, 99));
}

#[test]
fn a_packet_is_sent_again_once_in_a_round_trip() {
    let mut repairs = Repairs::new(None);
    let start = Instant::now();
    let rtt = Some(millis(80));
    let mut ask = |at, number| repairs.permit(start + millis(at), rtt, number, 100, LONG);
    assert_eq!(ask(0, 7), Ok(()));
    assert_eq!(ask(0, 7), Err(Refusal::Lately));
    assert_eq!(ask(69, 7), Err(Refusal::Lately));
    assert_eq!(ask(69, 8), Ok(()));
    assert_eq!(ask(70, 7), Ok(()), "it is due again");
    assert_eq!(ask(100, 7), Err(Refusal::Lately));
    assert_eq!(
        ask(100, 7 + (1 << 16)),
        Ok(()),
        "another packet with the same 16 bits"
    );
}

#[test]
fn a_packet_that_waits_for_its_turn_is_taken_once_and_then_sent() {
    let mut repairs = Repairs::new(Some(RTX));
    let start = Instant::now();
    let rtt = Some(millis(300));
    assert!(repairs.wait(start, rtt, 7));
    assert!(
        !repairs.wait(start + millis(100), rtt, 7),
        "it waits already"
    );
    repairs.wait_no_more(7);
    let now = start + millis(150);
    assert_eq!(
        repairs.permit(now, rtt, 7, 100, LONG),
        Ok(()),
        "it was not sent before"
    );
    assert_eq!(repairs.permit(now, rtt, 7, 100, LONG), Err(Refusal::Lately));
    assert!(!repairs.wait(now + millis(200), rtt, 7), "it is under way");
    assert!(repairs.wait(now + millis(300), rtt, 7), "asked for again");
}

#[test]
fn a_packet_that_was_sent_late_is_not_sent_twice() {
    let mut repairs = Repairs::new(None);
    let start = Instant::now();
    let rtt = Some(millis(80));
    repairs.sent_late(start, 7);
    let mut ask = |at| repairs.permit(start + millis(at), rtt, 7, 100, LONG);
    assert_eq!(ask(20), Err(Refusal::Lately));
    assert_eq!(ask(90), Ok(()));
}

/// It was lost on its way to the server, too.
#[test]
fn a_packet_that_was_asked_for_before_it_came_is_sent_when_it_comes() {
    let start = Instant::now();
    let rtt = Some(millis(80));
    let now = start + millis(20);
    // The request may still wait behind others, or its turn may have come when there was nothing.
    for waits in [true, false] {
        let mut repairs = Repairs::new(None);
        assert!(repairs.wait(start, rtt, 7));
        if !waits {
            repairs.wait_no_more(7);
        }
        assert!(repairs.sent_late(now, 7), "it was not sent before");
        assert!(!repairs.sent_late(now, 7));
        let ask = repairs.permit(now, rtt, 7, 100, LONG);
        assert_eq!(ask, Err(Refusal::Lately), "once is enough");
    }
}

#[test]
fn repairs_are_a_part_of_what_is_sent() {
    let mut repairs = Repairs::new(None);
    let now = Instant::now();
    let mut sent = 0;
    let mut number = 0;
    let mut repaired = |sent: u64| {
        let mut bytes = 0;
        while repairs.permit(now, None, number, 1_000, sent).is_ok() {
            number += 1;
            bytes += 1_000;
        }
        number += 1;
        bytes
    };
    let burst = repaired(sent);
    assert!((130_000..=BURST).contains(&burst), "{burst} at once");
    let mut later = 0;
    for _ in 0..100 {
        sent += 10_000;
        later += repaired(sent);
    }
    assert!((495_000..=505_000).contains(&later), "{later} of {sent}");
    sent += 1 << 30;
    assert!(repaired(sent) <= BURST, "nothing is saved up for long");
}
