use super::*;

/// Plays packets that arrive so late, in µs; `None` for never.
fn play(late: impl Iterator<Item = Option<i64>>) -> Played {
    let mut sound = Sound::default();
    let mut arrivals: Vec<_> = late
        .enumerate()
        .filter_map(|(number, late)| {
            let timestamp = number as i64 * PACKET;
            Some((timestamp + 30_000 + late?, number as u64, timestamp))
        })
        .collect();
    arrivals.sort_unstable();
    for (now, number, timestamp) in arrivals {
        sound.play(now);
        sound.receive(now, number, timestamp);
    }
    sound.played
}

#[test]
fn what_comes_in_time_is_heard_and_the_rest_made_up() {
    let clean = play((0..500).map(|_| Some(0)));
    assert_eq!(clean.concealed, 0);
    let lost = play((0..500).map(|at| (at % 50 != 49).then_some(0)));
    assert_eq!(lost.concealed, 9 * PACKET);
    // A queue that grows once is a gap once.
    let moved = play((0..500).map(|at| Some(if at < 250 { 0 } else { 200_000 })));
    assert!((100_000..220_000).contains(&moved.concealed), "{moved:?}");
}

#[test]
fn what_came_in_a_later_packet_is_heard() {
    let mut sound = Sound::default();
    for number in 0..500_u64 {
        let timestamp = number as i64 * PACKET;
        sound.play(timestamp + 30_000);
        if number % 50 != 49 {
            sound.receive(timestamp + 30_000, number, timestamp);
        }
        if number > 0 {
            sound.receive_earlier(timestamp + 30_000, number - 1, timestamp - PACKET);
        }
    }
    assert_eq!(sound.played.concealed, 0);
}

/// Of a long gap only that is made up which is due: the rest comes again in time, and is heard.
#[test]
fn what_comes_again_before_its_turn_is_heard_behind_what_was_made_up() {
    // Ten packets are lost, and come again with the eleventh, in this order.
    let at = |number: i64| match number {
        200..210 => 210 * PACKET + 15_000,
        210 => 210 * PACKET,
        number => number * PACKET,
    };
    let late = |number: i64| Some(at(number) - number * PACKET);
    let played = play((0..500).map(late));
    assert!(
        (120_000..=180_000).contains(&played.concealed),
        "{played:?}"
    );
    // The first of them are heard later, and nothing is skipped. The last wait at the end.
    assert!(played.heard >= 495 * PACKET, "{played:?}");
}

/// Repairs are waited for where many packets need them, and not where few do.
#[test]
fn repairs_are_worth_a_wait_if_there_are_many() {
    let heard = |every: usize| {
        let late = (0..2_000).map(|at| Some(if at % every == 0 { 141_000 } else { 0 }));
        let played = play(late);
        (played.concealed / PACKET) as usize * every * 10 / 2_000
    };
    // One in ten: 20 ms of waiting for each percent is more than the repairs take.
    assert!(heard(10) <= 2, "{}", heard(10));
    assert!(heard(400) >= 8, "{}", heard(400));
}

/// A tenth is lost, 100 ms of each second; what was lost comes again 150 ms after its time.
fn play_patiently(lossy: std::ops::Range<i64>, seconds: i64) -> (Sound, Vec<i64>) {
    let mut sound = Sound::patient();
    let mut arrivals = Vec::new();
    for number in 0..seconds * 50 {
        let timestamp = number * PACKET;
        let is_lost = lossy.contains(&(number / 50)) && number % 50 >= 45;
        let late = if is_lost { 150_000 } else { 0 };
        arrivals.push((timestamp + 30_000 + late, number, timestamp));
    }
    arrivals.sort_unstable();
    let mut waits = Vec::new();
    for (now, number, timestamp) in arrivals {
        sound.play(now);
        sound.receive(now, number as u64, timestamp);
        if number % 50 == 0 {
            waits.push(sound.wait());
        }
    }
    (sound, waits)
}

#[test]
fn a_page_asks_for_time_where_that_saves_sound_and_gives_it_back() {
    let (clean, waits) = play_patiently(0..0, 60);
    assert_eq!(clean.played.concealed, 0);
    assert!(waits.iter().all(|wait| *wait <= 80_000), "{waits:?}");
    let (lossy, waits) = play_patiently(5..25, 180);
    let wait = |at: usize| waits[at];
    assert!(wait(4) <= 80_000 && wait(24) >= 150_000, "{waits:?}");
    assert!(wait(179) <= 80_000, "{waits:?}");
    assert!(lossy.played.concealed < 500_000, "{:?}", lossy.played);
}
