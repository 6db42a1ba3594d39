//! Failed logins, counted by address.
//!
//! An address has an account of failures. It may fail [`BURST`] times at once, because a whole
//! school may be behind one address; after that, once every [`INTERVAL`]. Success gives nothing
//! back: who has one good account could guess another's password with it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// So many failures are free.
const BURST: f64 = 30.0;
/// In this time, one more is.
const INTERVAL: Duration = Duration::from_secs(5);
/// Who would have to wait for longer is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that one has to keep away.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// So many addresses are remembered; of more, those that failed least are forgotten.
const MEMORY: usize = 16_384;

/// When an address may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Now,
    /// After this time, which is worth waiting for.
    Later(Duration),
    /// Not before this time has passed.
    Never(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Account {
    /// Failures that are still free; negative for those beyond.
    credit: f64,
    at: Instant,
}

impl Account {
    fn credit(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / INTERVAL.as_secs_f64();
        (self.credit + gained).min(BURST)
    }
}

/// The accounts of all addresses that failed lately.
#[derive(Debug, Default)]
pub(super) struct Penalties(HashMap<IpAddr, Account>);

impl Penalties {
    pub(super) fn verdict(&self, address: IpAddr, now: Instant) -> Verdict {
        let credit = match self.0.get(&network(address)) {
            Some(account) => account.credit(now),
            None => return Verdict::Now,
        };
        if credit >= 1.0 {
            return Verdict::Now;
        }
        // A little more than exactly, so that it is enough after rounding.
        let wait = INTERVAL.mul_f64(1.0 - credit) + Duration::from_millis(1);
        if wait <= PATIENCE {
            Verdict::Later(wait)
        } else {
            Verdict::Never(wait)
        }
    }

    pub(super) fn failed(&mut self, address: IpAddr, now: Instant) {
        let address = network(address);
        if self.0.len() >= MEMORY && !self.0.contains_key(&address) {
            self.forget(now);
        }
        let lowest = -(LONGEST.as_secs_f64() / INTERVAL.as_secs_f64());
        let account = self.0.entry(address).or_insert(Account {
            credit: BURST,
            at: now,
        });
        *account = Account {
            credit: (account.credit(now) - 1.0).max(lowest),
            at: now,
        };
    }

    /// Makes room: half of the accounts go, those with the most credit.
    fn forget(&mut self, now: Instant) {
        let mut credits: Vec<f64> = self.0.values().map(|account| account.credit(now)).collect();
        credits.sort_by(f64::total_cmp);
        let limit = credits.get(MEMORY / 2).copied().unwrap_or(BURST);
        self.0.retain(|_, account| account.credit(now) < limit);
    }
}

/// Who has one address of IPv6 has at least all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use std::net::Ipv4Addr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn many_failures_slow_down_and_time_heals() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let (bad, good) = (ip("192.0.2.1"), ip("192.0.2.2"));
        for _ in 0..30 {
            assert_eq!(penalties.verdict(bad, start), Verdict::Now);
            penalties.failed(bad, start);
        }
        let Verdict::Later(wait) = penalties.verdict(bad, start) else {
            panic!("it may go on");
        };
        assert!((INTERVAL..PATIENCE).contains(&wait));
        assert_eq!(penalties.verdict(bad, start + wait), Verdict::Now);
        assert_eq!(penalties.verdict(good, start), Verdict::Now);
        for _ in 0..5 {
            penalties.failed(bad, start);
        }
        let Verdict::Never(wait) = penalties.verdict(bad, start) else {
            panic!("it may go on");
        };
        assert_eq!(penalties.verdict(bad, start + wait), Verdict::Now);
        for _ in 0..100_000 {
            penalties.failed(bad, start);
        }
        let later = start + LONGEST + 2 * INTERVAL;
        assert_eq!(penalties.verdict(bad, later), Verdict::Now);
    }

    #[test]
    fn in_the_long_run_one_failure_in_an_interval() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let mut failures = 0;
        for millisecond in (0..3_600_000).step_by(50) {
            let now = start + Duration::from_millis(millisecond);
            if penalties.verdict(ip("192.0.2.1"), now) == Verdict::Now {
                penalties.failed(ip("192.0.2.1"), now);
                failures += 1;
            }
        }
        assert!((740..=751).contains(&failures), "{failures}");
    }

    #[test]
    fn a_network_is_one_address() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for host in 0..30_u16 {
            penalties.failed(ip(&format!("2001:db8:1:2::{host:x}")), now);
            penalties.failed(ip("::ffff:192.0.2.1"), now);
        }
        assert_ne!(
            penalties.verdict(ip("2001:db8:1:2:ffff::1"), now),
            Verdict::Now
        );
        assert_eq!(penalties.verdict(ip("2001:db8:1:3::1"), now), Verdict::Now);
        assert_ne!(penalties.verdict(ip("192.0.2.1"), now), Verdict::Now);
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_kept() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for _ in 0..40 {
            penalties.failed(ip("192.0.2.1"), now);
        }
        for number in 0..100_000_u32 {
            penalties.failed(Ipv4Addr::from(0x0a00_0000 + number).into(), now);
            assert!(penalties.0.len() <= MEMORY);
        }
        assert_ne!(penalties.verdict(ip("192.0.2.1"), now), Verdict::Now);
    }
}
