use super::*;
use proptest::prelude::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Polls whenever due until `end` (ms), and tells when a request was sent.
fn run(requests: &mut KeyframeRequests, start: Instant, end: u64, rtt: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    while let Some(due) = requests.next_poll().filter(|&due| due <= start + ms(end)) {
        assert!(requests.poll(due, Some(ms(rtt))), "due, but not sent");
        sent.push((due - start).as_millis() as u64);
    }
    sent
}

#[test]
fn the_first_request_is_sent_at_once_and_only_once() {
    let start = Instant::now();
    let mut requests = KeyframeRequests::new();
    assert!(!requests.poll(start, None));
    requests.request(start);
    requests.request(start);
    assert!(requests.poll(start, None));
    assert!(!requests.poll(start, None));
    requests.request(start + ms(100));
    assert!(!requests.poll(start + ms(100), None));
    requests.keyframe();
    assert!(!requests.wanted());
    assert_eq!(requests.next_poll(), None);
}

#[test]
fn without_a_keyframe_it_is_repeated_once_soon_and_then_ever_more_rarely() {
    let start = Instant::now();
    let mut requests = KeyframeRequests::new();
    requests.request(start);
    assert_eq!(
        run(&mut requests, start, 32_000, 40),
        [0, 500, 1000, 2000, 4000, 8000, 16_000, 24_000, 32_000]
    );
    assert!(requests.wanted());
    assert_eq!(requests.command(), 1, "a repetition keeps its number");
    requests.keyframe();
    requests.request(start + ms(33_000));
    assert!(requests.poll(start + ms(33_000), None));
    assert_eq!(requests.command(), 2);
    assert_eq!(requests.sent(), 10);
}

#[test]
fn a_newcomer_need_not_wait_for_a_rare_repetition() {
    let start = Instant::now();
    let mut requests = KeyframeRequests::new();
    requests.request(start);
    run(&mut requests, start, 15_000, 40);
    requests.request(start + ms(15_000));
    assert_eq!(run(&mut requests, start, 15_100, 40), [15_000]);
}

#[test]
fn a_request_after_the_keyframe_waits_half_a_second_from_the_last() {
    let start = Instant::now();
    let mut requests = KeyframeRequests::new();
    requests.request(start);
    assert!(requests.poll(start, None));
    requests.keyframe();
    requests.request(start + ms(100));
    assert_eq!(requests.next_poll(), Some(start + ms(500)));
}

#[test]
fn on_a_long_path_the_answer_is_waited_for() {
    let start = Instant::now();
    let mut requests = KeyframeRequests::new();
    requests.request(start);
    assert!(requests.poll(start, Some(ms(800))));
    requests.request(start + ms(700));
    assert_eq!(requests.next_poll(), Some(start + ms(1000)));
}

proptest! {
    #[test]
    fn never_more_than_two_a_second_and_none_forgotten(
        events in prop::collection::vec((0u64..700, any::<bool>()), 1..100),
    ) {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new();
        let (mut at, mut sent) = (0, Vec::new());
        for (wait, keyframe) in events {
            at += wait;
            sent.extend(run(&mut requests, start, at, 30));
            if keyframe {
                requests.keyframe();
            } else {
                requests.request(start + ms(at));
                prop_assert!(requests.next_poll().unwrap() <= start + ms(at + 500));
            }
        }
        prop_assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 500));
    }
}
