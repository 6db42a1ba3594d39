//! How CPU time is measured, and what is made of many measurements.

use std::time::Duration;

/// CPU time of this thread so far.
pub(crate) fn thread_cpu() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: one timespec, which outlives the call.
    #[allow(unsafe_code)]
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU ns that one call takes: the median of `rounds` times `calls`. The number of the call is
/// handed in; it goes on from round to round.
pub(crate) fn ns_per_call(rounds: usize, calls: u64, mut work: impl FnMut(u64)) -> f64 {
    in_turn(rounds, calls, [&mut work])[0]
}

/// [`ns_per_call`] of several, one round of each after the other: what the machine does besides
/// strikes all alike.
pub(crate) fn in_turn<const N: usize>(
    rounds: usize,
    calls: u64,
    mut works: [&mut dyn FnMut(u64); N],
) -> [f64; N] {
    let mut costs = [const { Vec::new() }; N];
    // The first warms the caches.
    for round in 0..=rounds as u64 {
        for (work, costs) in works.iter_mut().zip(&mut costs) {
            let begin = thread_cpu();
            for call in round * calls..(round + 1) * calls {
                work(call);
            }
            let cpu = (thread_cpu() - begin).as_nanos() as f64;
            if round > 0 {
                costs.push(cpu / calls as f64);
            }
        }
    }
    costs.map(median)
}
