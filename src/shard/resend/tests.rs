use super::*;

const KBIT: u64 = 1_000;

fn resend(down: u32, number: u64) -> Resend {
    Resend {
        down,
        track: 0,
        number,
    }
}

/// How many repairs of 1,000 bytes leave at once, and how many in the half second after that.
fn leave(carried: u64) -> (usize, usize) {
    let start = Instant::now();
    let mut asked = Asked::new(start);
    let mut in_all = |at: u64| {
        let now = start + Duration::from_millis(at);
        let mut count = 0;
        while asked.is_clear(now, carried) {
            asked.sent(now, 1_000, carried);
            count += 1;
        }
        count
    };
    let at_once = in_all(0);
    let later = (1..=50).map(|step| in_all(step * 10)).sum();
    (at_once, later)
}

#[test]
fn what_a_long_burst_took_leaves_bit_by_bit() {
    let (at_once, later) = leave(5_000 * KBIT);
    // 40 ms of it, so that sound waits for no longer behind it.
    assert!((15..=25).contains(&at_once), "{at_once}");
    assert!((190..=210).contains(&later), "most of the path: {later}");
}

#[test]
fn a_few_repairs_never_wait_however_narrow_the_path() {
    let (at_once, later) = leave(300 * KBIT);
    assert!((10..=11).contains(&at_once), "{at_once}");
    assert!((10..=14).contains(&later), "{later}");
}

#[test]
fn nothing_is_left_for_a_receiver_that_is_gone() {
    let now = Instant::now();
    let mut asked = Asked::new(now);
    for number in 0..10 {
        asked
            .queue
            .push_back((resend(number as u32 % 2, number), now));
    }
    asked.forget(1);
    assert!(asked.queue.iter().all(|(resend, _)| resend.down == 0));
    assert_eq!(asked.queue.len(), 5);
}

#[test]
fn who_claims_a_path_without_end_is_sent_everything_at_once() {
    let start = Instant::now();
    let mut asked = Asked::new(start);
    for carried in [u64::MAX, u64::MAX / 2, u64::MAX / 65 + 1] {
        for _ in 0..1_000 {
            assert!(asked.is_clear(start, carried));
            asked.sent(start, 1_200, carried);
        }
    }
}
