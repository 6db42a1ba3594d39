//! How what a path carries is shared among the pictures that a client receives.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// The most rungs of a ladder.
pub(super) const MAX_RUNGS: usize = 32;
/// A rung must fit with so much to spare before it is climbed.
const MARGIN: f64 = 1.10;
/// What has not gone on before needs more to spare.
const RESUME_MARGIN: f64 = 1.15;
/// … and must have fitted for so long without a break.
const PATIENCE: Duration = Duration::from_millis(400);
/// After a step down, nothing is climbed for so long; twice as long if that was soon after a step
/// up, and so on.
const REST: Duration = Duration::from_millis(1_500);
const MAX_REST: Duration = Duration::from_secs(8);
/// … unless there is so many times as much to share: it is another path.
const ANOTHER: u64 = 2;
/// An estimate that has just fallen is often too low: the lowest rungs are not paused before that
/// has lasted.
const GRACE: Duration = Duration::from_millis(1_000);
/// A step down so soon after a step up means that the step up was wrong.
const REGRET: Duration = Duration::from_secs(8);
/// The lowest rung goes on as long as it needs no more than this of the estimate, which is
/// itself a little below what the path carries.
const LOWEST_ROOM: f64 = 1.15;
/// What is sent already counts for so much less than what is to be added, so that equals do not
/// take turns.
const LOYALTY: f64 = 0.75;

/// So many times what a source comes to is enough for it, in parts of four.
const ENOUGH: u64 = 6;

/// One source of pictures that a client receives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// What each quality costs in all, bit/s, lowest first.
    rates: [u64; MAX_RUNGS],
    count: usize,
    /// What the best of it would cost if its publisher were not told to send less, bit/s.
    pub(super) natural: u64,
    /// This rung costs what there is room for, if that is so many bit/s.
    pub(super) elastic: Option<(usize, u64)>,
    /// It is looked at: pinned, or its sender speaks.
    pub(super) priority: bool,
    /// It is never paused: its publisher sends less when told to, and has no other receiver.
    pub(super) is_kept: bool,
    /// The rung it gets now; `None` while it is paused.
    pub(super) current: Option<usize>,
    /// Nothing was decided yet.
    pub(super) is_new: bool,
}

impl Demand {
    /// A source that can be had at these rates, lowest first, each more than the one before.
    pub(super) fn new(rates: impl Iterator<Item = u64>) -> Self {
        let mut demand = Self {
            rates: [0; MAX_RUNGS],
            count: 0,
            natural: 0,
            elastic: None,
            priority: false,
            is_kept: false,
            current: None,
            is_new: true,
        };
        for (slot, rate) in demand.rates.iter_mut().zip(rates) {
            *slot = rate;
            demand.count += 1;
        }
        demand
    }

    /// What is elastic will cost no more than there is room for, and so nothing below it.
    pub(super) fn fit(&mut self, room: u64, budget: &Budget) {
        if let Some((elastic, least)) = self.elastic
            && room >= least
            && let Some(rates) = self.rates.get_mut(..=elastic)
        {
            // While a queue drains, it goes on with what it has.
            let share =
                u128::from(room) * u128::from(budget.now) / u128::from(budget.carried.max(1));
            let now = (room * 9 / 10).min(u64::try_from(share).unwrap_or(u64::MAX));
            let cost = rates.last().copied().unwrap_or(0).min(now);
            for rate in rates {
                *rate = cost.min(*rate);
            }
        }
    }

    /// What a rung costs.
    pub(super) fn rate(&self, rung: Option<usize>) -> u64 {
        rung.and_then(|rung| self.rates.get(rung))
            .copied()
            .unwrap_or(0)
    }

    /// The best of it.
    pub(super) fn highest(&self) -> Option<usize> {
        self.count.checked_sub(1)
    }

    /// What the best of it costs.
    pub(super) fn most(&self) -> u64 {
        self.rate(self.highest())
    }
}

/// What there is to share, bit/s, what sound needs taken off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// What may be sent now.
    pub(super) now: u64,
    /// What the path is taken to carry.
    pub(super) carried: u64,
    /// What does not fit into this is to be paused, if the path is known to carry no more.
    pub(super) floor: u64,
    /// It is.
    pub(super) is_congested: bool,
}

/// Gives each demand a rung, or `None`, that a budget allows: all lowest rungs first, then the
/// higher ones of those that are looked at, then those of the others, the cheapest first. The order
/// does not depend on the budget, so that nobody gets less because there is more, unless that lets
/// another begin.
fn share(budget: f64, lowest: f64, pauses: bool, demands: &[Demand], rungs: &mut [Option<usize>]) {
    rungs.fill(None);
    let mut spent = 0;
    // Those that go on before those that are paused, and the cheap before the dear.
    loop {
        let left = demands.iter().zip(&*rungs).enumerate();
        let left = left.filter(|(_, (demand, rung))| rung.is_none() && demand.count > 0);
        let next = left.min_by_key(|(_, (demand, _))| {
            let paused = demand.current.is_none() && !demand.is_new;
            (!demand.is_kept, !demand.priority, paused, demand.rates[0])
        });
        let Some((at, (demand, _))) = next else { break };
        let cost = demand.rates[0];
        if pauses && !demand.is_kept && (spent + cost) as f64 > lowest {
            break;
        }
        spent += cost;
        rungs[at] = Some(0);
    }
    loop {
        let steps = demands.iter().zip(&*rungs).enumerate();
        let steps = steps.filter_map(|(at, (demand, rung))| {
            let next = (*rung)? + 1;
            let rate = *demand.rates[..demand.count].get(next)?;
            // What it has already, it keeps before others get as much.
            let has = demand.current.is_some_and(|current| next <= current);
            let weighed = if has {
                rate as f64 * LOYALTY
            } else {
                rate as f64
            };
            Some((
                at,
                rate - demand.rate(*rung),
                (!demand.priority, weighed as u64),
            ))
        });
        let Some((at, cost, _)) = steps.min_by_key(|(_, _, order)| *order) else {
            break;
        };
        if (spent + cost) as f64 > budget {
            break;
        }
        spent += cost;
        rungs[at] = rungs[at].map(|rung| rung + 1);
    }
}

/// What of a budget each demand could make use of, bit/s, if its publisher sent just that: all lowest
/// rungs first, then as much for each that is looked at, then for each of the others; nobody more
/// than enough.
pub(super) fn rooms(budget: u64, demands: &[Demand], rooms: &mut Vec<u64>) {
    rooms.clear();
    rooms.extend(demands.iter().map(|demand| demand.rates[0]));
    let mut left = budget.saturating_sub(rooms.iter().sum());
    for looked_at in [true, false] {
        let own = |demand: &Demand| demand.priority == looked_at;
        let enough = |demand: &Demand| demand.natural.max(demand.most()) / 4 * ENOUGH;
        loop {
            let both = || demands.iter().zip(&*rooms);
            let short = |(demand, room): &(&Demand, &u64)| own(demand) && **room < enough(demand);
            let count = both().filter(short).count() as u64;
            let share = left / count.max(1);
            if count == 0 || share == 0 {
                break;
            }
            for (demand, room) in demands.iter().zip(rooms.iter_mut()) {
                if own(demand) && *room < enough(demand) {
                    let more = share.min(enough(demand) - *room);
                    *room += more;
                    left -= more;
                }
            }
        }
    }
}

/// Shares budgets over time: down at once, up when it has fitted for a while.
#[derive(Debug, Clone, Default)]
pub(super) struct Allocator {
    strict: Vec<Option<usize>>,
    cautious: Vec<Option<usize>>,
    /// Since when more than what is sent would fit.
    fits_since: Option<Instant>,
    /// Since when not even the lowest rungs fit.
    short: Option<Instant>,
    climbed: Option<Instant>,
    fell: Option<Instant>,
    /// What there was to share then.
    fell_with: u64,
    rest: Option<Duration>,
}

impl Allocator {
    /// What each demand gets from now on, in their order; `None` is a pause.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        budget: &Budget,
        demands: &[Demand],
    ) -> &[Option<usize>] {
        let Self {
            strict,
            cautious,
            short,
            ..
        } = self;
        let lowest: u64 = demands.iter().map(|demand| demand.rates[0]).sum();
        let is_short = lowest as f64 > budget.floor as f64 * LOWEST_ROOM;
        let has_paused = demands
            .iter()
            .any(|demand| !demand.is_new && demand.current.is_none() && demand.count > 0);
        // Some are paused already: no grace for what is to be resumed.
        let before = if has_paused {
            now.checked_sub(GRACE)
        } else {
            None
        };
        *short = match (is_short || has_paused, *short) {
            (true, since) => before.or(since).or(Some(now)),
            (false, _) => None,
        };
        let short = *short;
        strict.resize(demands.len(), None);
        cautious.resize(demands.len(), None);
        let (amount, floor) = (budget.now as f64, budget.floor as f64);
        let pauses = budget.is_congested && short.is_some_and(|since| now >= since + GRACE);
        share(amount, floor * LOWEST_ROOM, pauses, demands, strict);
        share(
            amount / MARGIN,
            floor / RESUME_MARGIN,
            pauses,
            demands,
            cautious,
        );
        let mut falls = false;
        let mut wishes = false;
        for ((strict, cautious), demand) in strict.iter().zip(&*cautious).zip(demands) {
            falls |= !demand.is_new && *strict < demand.current;
            wishes |= !demand.is_new && (*cautious).min(*strict) > demand.current;
        }
        let climbs = self.may_climb(now, budget.now, falls, wishes);
        let chosen = self.strict.iter_mut().zip(&self.cautious).zip(demands);
        for ((strict, cautious), demand) in chosen {
            let up = (*cautious).min(*strict);
            if demand.is_new {
                // It begins at once with what fits.
            } else if climbs && up > demand.current {
                *strict = up;
            } else {
                *strict = (*strict).min(demand.current);
            }
        }
        &self.strict
    }

    /// Nothing of all of them for a moment.
    pub(super) fn hold(&mut self, demands: &[Demand]) -> &[Option<usize>] {
        self.strict.clear();
        self.strict.resize(demands.len(), None);
        &self.strict
    }

    fn may_climb(&mut self, now: Instant, budget: u64, falls: bool, wishes: bool) -> bool {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        if falls {
            let regrets = since(self.climbed).is_some_and(|since| since < REGRET);
            let rest = match self.rest {
                Some(rest) if regrets => (rest * 2).min(MAX_REST),
                _ => REST,
            };
            self.rest = Some(rest);
            self.fell = Some(now);
            self.fell_with = budget;
            self.climbed = None;
        }
        if !wishes {
            self.fits_since = None;
            return false;
        }
        let fits = *self.fits_since.get_or_insert(now);
        let rests = since(self.fell)
            .zip(self.rest)
            .is_some_and(|(since, rest)| since < rest && budget < self.fell_with * ANOTHER);
        if rests || now.saturating_duration_since(fits) < PATIENCE {
            return false;
        }
        self.climbed = Some(now);
        true
    }
}
