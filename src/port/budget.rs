//! How often something may happen. Time is an argument: nothing here asks a clock, or waits.

use crate::plan::Timestamp;
use std::time::Duration;

/// So many at once, and so many a second after that: a token bucket.
#[derive(Clone, Debug)]
pub struct Budget {
    burst: u64,
    a_second: u64,
    /// What is left, in thousandths.
    left: u64,
    at: Timestamp,
}

/// One, in thousandths.
const ONE: u64 = 1000;

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(burst: u64, a_second: u64) -> Self {
        Self { burst, a_second, left: burst * ONE, at: Timestamp::PAST }
    }

    /// Takes one, if there is one left.
    pub fn take(&mut self, now: Timestamp) -> bool {
        self.take_above(0, now).is_ok()
    }

    /// Takes one, if so many are left then.
    ///
    /// # Errors
    /// There are not: when there will be, if nobody takes any until then.
    pub fn take_above(&mut self, kept: u64, now: Timestamp) -> Result<(), Timestamp> {
        self.earn(now);
        let needed = (kept + 1) * ONE;
        if self.left < needed {
            // One thousandth a millisecond is one a second.
            let wait = (needed - self.left).div_ceil(self.a_second.max(1));
            return Err(now.after(Duration::from_millis(wait)));
        }
        self.left -= ONE;
        Ok(())
    }

    /// Takes one, or what there is of it: it happens in any case.
    pub fn draw(&mut self, now: Timestamp) {
        self.earn(now);
        self.left = self.left.saturating_sub(ONE);
    }

    /// No more than so many are left.
    pub fn cut_to(&mut self, kept: u64, now: Timestamp) {
        self.earn(now);
        self.left = self.left.min(kept * ONE);
    }

    fn earn(&mut self, now: Timestamp) {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(self.a_second);
        self.left = self.left.saturating_add(earned).min(self.burst * ONE);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_budget_is_a_burst_and_so_many_a_second() {
        let mut budget = Budget::new(3, 2);
        let mut taken = |at: u64| (0..10).filter(|_| budget.take(Timestamp(NOW.0 + at))).count();
        assert_eq!([taken(0), taken(499), taken(500), taken(1500), taken(60_000)], [3, 0, 1, 2, 3]);
        // A clock that goes back gives nothing.
        assert_eq!(taken(0), 0);
    }

    #[test]
    fn what_is_kept_is_left() {
        let mut budget = Budget::new(5, 4);
        let at = |passed: u64| Timestamp(NOW.0 + passed);
        assert_eq!([budget.take_above(3, at(0)), budget.take_above(3, at(0))], [Ok(()), Ok(())]);
        assert_eq!(budget.take_above(3, at(0)), Err(at(250)));
        assert_eq!(budget.take_above(3, at(249)), Err(at(250)));
        assert_eq!(budget.take_above(3, at(250)), Ok(()));
        assert!(budget.take(at(250)), "what is kept from some is there for others");
        assert_eq!(budget.take_above(3, at(250)), Err(at(750)), "and they wait for it");
    }

    #[test]
    fn what_happens_in_any_case_is_counted_down_to_nothing() {
        let mut budget = Budget::new(2, 1);
        (0..10).for_each(|_| budget.draw(NOW));
        assert_eq!(budget.take_above(0, NOW), Err(Timestamp(NOW.0 + 1000)), "it owes nothing");
        let later = Timestamp(NOW.0 + 60_000);
        budget.cut_to(1, later);
        assert_eq!([budget.take(later), budget.take(later)], [true, false]);
    }
}
