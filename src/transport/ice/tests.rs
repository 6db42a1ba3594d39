use super::*;
use std::time::{Duration, Instant};

/// Datagrams on their way: when they arrive, at which end.
type Flight = (Instant, usize, Vec<u8>);

const STEP: Duration = Duration::from_millis(1);

/// When an end learns what of the other, in milliseconds after the beginning.
#[derive(Debug, Clone, Copy)]
struct Learns {
    credentials: u32,
    candidate: u32,
}

/// How long two ends over a line of this delay need for a pair, once both know everything. The
/// first one is the controlling one.
fn time_to_connect(delay: Duration, learns: [Learns; 2]) -> Duration {
    let identity = Identity::generate().unwrap();
    let begin = Instant::now();
    let locals: [SocketAddr; 2] = [([127, 0, 0, 1], 1000).into(), ([127, 0, 0, 1], 2000).into()];
    let credentials = ["ufra", "ufrb"].map(|ufrag| IceCredentials {
        ufrag: ufrag.to_owned(),
        pwd: "0123456789abcdef01234567".to_owned(),
    });
    let mut ends: Vec<Ice> = (0..2)
        .map(|end| {
            let local = &locals[end..=end];
            Ice::new(begin, &identity, &credentials[end], end == 0, local).unwrap()
        })
        .collect();
    let mut flights: Vec<Flight> = Vec::new();
    let mut connected = [None; 2];
    let mut now = begin;
    while now < begin + Duration::from_secs(5) {
        for end in 0..2 {
            let other = 1 - end;
            if now == begin + STEP * learns[end].credentials {
                ends[end].start(now, &credentials[other], false).unwrap();
            }
            if now == begin + STEP * learns[end].candidate {
                let port = locals[other].port();
                let candidate = format!("candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host");
                ends[end].add_remote_candidate(&candidate).unwrap();
            }
            let arrived: Vec<Vec<u8>> = flights
                .extract_if(.., |(at, to, _)| *at <= now && *to == end)
                .map(|(_, _, data)| data)
                .collect();
            for data in arrived {
                ends[end].handle_stun(now, locals[end], locals[other], &data);
            }
            ends[end].handle_timeout(now);
            while let Some(IceEvent::Selected(_)) = ends[end].poll_event(&locals[end..=end]) {
                connected[end].get_or_insert(now);
            }
            while let Some((_, _, data)) = ends[end].poll_transmit() {
                flights.push((now + delay, other, data.to_vec()));
            }
        }
        if let [Some(first), Some(second)] = connected {
            let known = learns
                .map(|learns| learns.credentials.max(learns.candidate))
                .into_iter()
                .max()
                .unwrap();
            return first
                .max(second)
                .saturating_duration_since(begin + STEP * known);
        }
        now += STEP;
    }
    panic!("no pair, delay {delay:?}, {learns:?}");
}

/// A check and its answer, a nomination and its answer: two round trips and a little.
#[test]
fn two_ends_that_know_of_each_other_are_connected_without_waiting_for_the_next_round() {
    let times = [0, 1, 2, 5, 11, 30];
    for delay in [0, 1, 5, 20].map(|steps| STEP * steps) {
        let allowed = delay * 4 + Duration::from_millis(20);
        for order in 0..times.len().pow(4) {
            let at = |digit: u32| times[order / times.len().pow(digit) % times.len()];
            let learns = [(at(0), at(1)), (at(2), at(3))].map(|(credentials, candidate)| Learns {
                credentials,
                candidate,
            });
            let needed = time_to_connect(delay, learns);
            assert!(needed <= allowed, "delay {delay:?}, {learns:?}: {needed:?}");
        }
    }
}
