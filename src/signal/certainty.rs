//! How sure one may be that a rate is above the one that is expected, however often it is looked at.
//!
//! Whoever compares a rate with a bound at each look cries wolf in the end: each look is another chance to be wrong. So
//! this bets against "the rate is at most the expected one", and never more than it has. A fair bet cannot be won for
//! long: that its wealth ever reaches `1/a` has a probability of at most `a`, over all looks together (Ville's inequality;
//! <https://arxiv.org/abs/2210.01948> is a survey). So `certainty` is `1 - 1/w`, where `w` is the most that it ever had.
//!
//! One bet: with `k` bad of `n` new observations, an expected rate `q`, and a worse rate `p` that is betted on, its wealth
//! is multiplied by `(p/q)^k * ((1-p)/(1-q))^(n-k)`. Its mean is 1 where the rate is `q`, and less where it is lower. There
//! are bets on [`BETS`] worse rates. And a bet that began hours ago has lost all by the time that something breaks: so a
//! share `1/(t(t+1))` of the whole is betted from look `t` on (a mixture over the beginnings, as in
//! <https://arxiv.org/abs/2203.03532>). Late breakage costs little more than early breakage, and gross breakage is certain
//! after a handful of observations.
//!
//! Two sides at the same time are compared by [`Certainty::take_beside`]. "The new side fails at most `c` times as often as
//! the old one, and by `a` more" says nothing of how often the old one fails: that may change from window to window. With
//! `k` bad of `n` new observations and `k0` bad of `n0` old ones in a window, wealth is multiplied by
//! `r^k * q^k0 * exp(-n*a*(r-1))`, where `r > 1` and `n0*(1-q) = n*c*(r-1)`. Its mean is at most 1 however often the old side
//! fails: one observation that is bad with a probability of `p` makes it `1 + p*(r-1)`, or `1 - p*(1-q)`, in the mean, and
//! `1 + x <= exp(x)`; so all of them together make at most `exp(n*(c*p0+a)*(r-1) - n0*p0*(1-q) - n*a*(r-1)) = 1`, where `p0`
//! is the share of the old side in the window. Without `a` it is the ratio of two likelihoods: of all that is bad in the
//! window, the new side's share is binomial, with the odds `n*c : n0` if it is as expected, and `w` times that if it is worse
//! (`r = w*q`, `q = (n*c+n0) / (w*n*c+n0)`). So it needs no rare failures, only that requests fail independently of each
//! other once it is known how many there are of each side. It bets on the same worse odds, and in the same mixture. Where the
//! old side fails for reasons of its own, bets on the new one lose; those that begin later do not.
//!
//! What was measured once, of a time before, is a number with an error of its own: "the new side fails more often than the
//! old one *seemed* to" is no accusation. So the expected rate is that of the most that the old side may well fail: [`at_most`]
//! of its `n0` observations, which is too low with a probability of at most [`DOUBT`]. That adds to what certainty leaves.
//!
//! It takes observations for independent. Users who retry, and errors that come in bursts, are not: there it is surer than
//! it should be.

use crate::plan::Timestamp;
use serde::{Deserialize, Serialize};

/// Worse rates that are betted on.
const BETS: usize = 12;
/// How far the nearest is, as the logarithm of its odds over those of the expected rate: a rate of 1 % is worse at 1.08 %.
const NEAREST: f64 = 0.08;
/// Each is so many times as far as the one before: the farthest has a thousand times the odds.
const FARTHER: f64 = 1.5;
/// The wealth of a bet is no further counted: it is as good as certain.
const RICH: f64 = 1e200;
/// How likely it may be that a rate is above what [`at_most`] says.
const DOUBT: f64 = 0.001;
/// An expected rate of nothing at all would make the first error a certainty.
const LEAST: f64 = 1e-6;

/// Observations made since those before: so many, and so many bad ones among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Up to when. What is not later than the newest that was taken is known already.
    pub until: Timestamp,
    /// The bad ones.
    pub bad: u64,
    /// All.
    pub all: u64,
}

/// What both sides counted in the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The side that is judged.
    pub new: Count,
    /// The one that it is compared with.
    pub old: Count,
}

/// The rate that is still fine, by that of the other side: so many times as high, and so much more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Above nothing.
    pub times: f64,
    /// Not below nothing.
    pub more: f64,
}

/// What is known so far. Bounded, and kept from one look to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Certainty {
    /// What each bet has.
    wealth: Vec<f64>,
    /// Looks so far.
    looks: u32,
    /// The most that all of them ever had together.
    most: f64,
    /// The newest count that was taken.
    until: Option<Timestamp>,
}

impl Certainty {
    /// Takes what is new of these counts, in the order of time.
    pub fn take(&mut self, expected: f64, counts: &[Count]) {
        for count in counts {
            if self.until.is_none_or(|until| count.until > until) && count.all > 0 {
                self.until = Some(count.until);
                self.bet(|worse| won(expected, count, worse));
            }
        }
    }

    /// The same of two sides at the same time. Where one of them has no observations, nothing is said.
    pub fn take_beside(&mut self, level: Level, pairs: &[Pair]) {
        for pair in pairs {
            let both = pair.new.all > 0 && pair.old.all > 0;
            if self.until.is_none_or(|until| pair.new.until > until) && both {
                self.until = Some(pair.new.until);
                self.bet(|worse| won_beside(level, pair, worse));
            }
        }
    }

    /// From 0 to 1: how sure one may be that the rate is above the expected one.
    #[must_use]
    pub fn value(&self) -> f64 {
        1.0 - 1.0 / self.most.max(1.0)
    }

    /// By how many powers of two its wealth grew, now and at most: what tells situations apart.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded, and positive")]
    pub(super) fn steps(&self) -> usize {
        let now = self.wealth.iter().sum::<f64>();
        [now, self.most].map(|wealth| wealth.max(1.0).log2() as usize).iter().sum()
    }

    /// Bets once more. `won` says by what wealth is multiplied, as a logarithm, if so many times the odds are betted on.
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    fn bet(&mut self, won: impl Fn(f64) -> f64) {
        self.looks = self.looks.saturating_add(1);
        self.wealth.resize(BETS, 0.0);
        let look = f64::from(self.looks);
        let begins = 1.0 / (look * (look + 1.0));
        let mut far = NEAREST;
        for wealth in &mut self.wealth {
            *wealth = ((*wealth + begins) * won(far.exp()).exp()).min(RICH);
            far *= FARTHER;
        }
        // What begins later is kept as it is.
        let whole = self.wealth.iter().sum::<f64>() / BETS as f64 + 1.0 / (look + 1.0);
        self.most = self.most.max(whole);
    }
}

/// The most that a rate may well be if so many observations showed this one. By Chernoff's bound so low a share `k` of `n` has
/// a probability of at most `exp(-n*KL(k, q))` where the rate is `q`, so it is the `q` at which that is [`DOUBT`]
/// (<https://doi.org/10.1080/01621459.1963.10500830>, theorem 1). Never below it, and 1 without observations.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
pub(super) fn at_most(rate: f64, observations: u64) -> f64 {
    let (rate, doubt) = (rate.clamp(0.0, 1.0), -DOUBT.ln());
    let apart = |part: f64, whole: f64| if part > 0.0 { part * (part / whole).ln() } else { 0.0 };
    let is_likely =
        |bound: f64| observations as f64 * (apart(rate, bound) + apart(1.0 - rate, 1.0 - bound)) <= doubt;
    let (mut low, mut high) = (rate, 1.0);
    // To the last digit.
    for _ in 0..f64::MANTISSA_DIGITS {
        let middle = f64::midpoint(low, high);
        if is_likely(middle) { low = middle } else { high = middle }
    }
    high
}

/// What a bet on so many times the odds of the expected rate wins by these observations, as a logarithm.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn won(expected: f64, count: &Count, worse: f64) -> f64 {
    let expected = expected.clamp(LEAST, 1.0 - LEAST);
    let bad = count.bad.min(count.all) as f64;
    let good = count.all as f64 - bad;
    let odds = expected / (1.0 - expected) * worse;
    let worse = odds / (1.0 + odds);
    bad * (worse / expected).ln() + good * ((1.0 - worse) / (1.0 - expected)).ln()
}

/// What a bet wins by both sides, as a logarithm, if the new one has so many times the odds that it should have to be the
/// one that fails.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn won_beside(level: Level, pair: &Pair, worse: f64) -> f64 {
    let bad = |count: &Count| count.bad.min(count.all) as f64;
    let (new, old) = (pair.new.all as f64, pair.old.all as f64);
    let all = new * level.times.max(LEAST);
    // How far `r` is above 1, and `q` below it.
    let (more, less) = (old * (worse - 1.0) / (all * worse + old), all * (worse - 1.0) / (all * worse + old));
    bad(&pair.new) * more.ln_1p() + bad(&pair.old) * (-less).ln_1p() - new * level.more.max(0.0) * more
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks of this size, with the same bad ones each.
    fn after(looks: u64, expected: f64, bad: u64, all: u64) -> f64 {
        let mut certainty = Certainty::default();
        for look in 1..=looks {
            certainty.take(expected, &[Count { until: Timestamp(look), bad, all }]);
        }
        certainty.value()
    }

    /// Numbers that are the same each time.
    struct Dice(u64);

    impl Dice {
        /// From 0 to 1.
        fn throw(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float has")]
            let share = (self.0 >> 11) as f64 / (1u64 << 53) as f64;
            share
        }

        fn bad(&mut self, rate: f64, all: u64) -> u64 {
            (0..all).filter(|_| self.throw() < rate).count() as u64
        }
    }

    #[test]
    fn the_most_a_rate_may_be_is_what_its_observations_allow() {
        let near = |rate, observations, bound: f64| {
            let found = at_most(rate, observations);
            assert!((found - bound).abs() < 1e-4, "{rate} of {observations}: {found}, not {bound}");
        };
        // None of a hundred: the hundredth power of its complement is the doubt.
        near(0.0, 100, 1.0 - DOUBT.powf(0.01));
        near(0.05, 300, 0.1108);
        near(0.0, 0, 1.0);
        near(1.0, 7, 1.0);
        near(0.3, u64::MAX, 0.3);
    }

    #[test]
    fn a_rate_is_seldom_above_the_most_that_it_may_be() {
        let mut dice = Dice(19);
        for (rate, size) in [(0.002, 300), (0.05, 300), (0.5, 40)] {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let above =
                (0..4000).filter(|_| at_most(dice.bad(rate, size) as f64 / size as f64, size) < rate).count();
            assert!(above <= 4, "{above} of 4000, at {rate} of {size}");
        }
    }

    #[test]
    fn nothing_is_certain_without_observations() {
        assert_eq!(Certainty::default().value().to_bits(), 0.0f64.to_bits());
        assert!(after(100, 0.01, 0, 0) < 0.01);
    }

    #[test]
    fn gross_breakage_is_certain_at_once() {
        assert!(after(1, 0.01, 5, 5) > 0.999, "{}", after(1, 0.01, 5, 5));
        assert!(after(1, 0.01, 1, 1) < 0.99, "one error is none");
    }

    #[test]
    fn what_breaks_late_is_found_as_well() {
        let mut certainty = Certainty::default();
        for look in 1..=1000 {
            certainty.take(0.01, &[Count { until: Timestamp(look), bad: 0, all: 100 }]);
        }
        assert!(certainty.value() < 0.01);
        certainty.take(0.01, &[Count { until: Timestamp(1001), bad: 12, all: 20 }]);
        assert!(certainty.value() > 0.999, "{}", certainty.value());
    }

    #[test]
    fn a_count_that_is_looked_at_twice_is_taken_once() {
        let count = Count { until: Timestamp(7), bad: 2, all: 20 };
        let (mut once, mut twice) = (Certainty::default(), Certainty::default());
        once.take(0.01, &[count]);
        twice.take(0.01, &[count, count]);
        twice.take(0.01, &[count]);
        assert_eq!(once, twice);
    }

    #[test]
    fn healthy_traffic_is_seldom_found_broken_however_often_it_is_looked_at() {
        let mut dice = Dice(7);
        for (rate, size) in [(0.01, 10), (0.01, 300), (0.2, 5), (0.002, 1000)] {
            let alarms = (0..400).filter(|_| {
                let mut certainty = Certainty::default();
                for look in 1..=60 {
                    let bad = dice.bad(rate, size);
                    certainty.take(rate, &[Count { until: Timestamp(look), bad, all: size }]);
                }
                certainty.value() > 0.95
            });
            let alarms = alarms.count();
            assert!(alarms <= 20, "{alarms} of 400 are more than one of twenty, at {rate} of {size}");
        }
    }

    /// How often a look finds the new side worse than 19 of 20 times certain, in so many runs of sixty looks: each look's
    /// weather is how often the old side fails; `new` is how often the new one then does.
    fn beside(
        dice: &mut Dice,
        level: Level,
        (new, old): (u64, u64),
        weather: impl Fn(u64, f64) -> f64,
        fails: impl Fn(u64, f64) -> f64,
    ) -> usize {
        let runs = 0..200;
        let alarms = runs.filter(|_| {
            let mut certainty = Certainty::default();
            for look in 1..=60 {
                let rate = weather(look, dice.throw());
                let until = Timestamp(look);
                let new = Count { until, bad: dice.bad(fails(look, rate), new), all: new };
                let old = Count { until, bad: dice.bad(rate, old), all: old };
                certainty.take_beside(level, &[Pair { new, old }]);
            }
            certainty.value() > 0.95
        });
        alarms.count()
    }

    const LEVEL: Level = Level { times: 1.2, more: 0.001 };

    #[test]
    fn weather_that_hits_both_sides_is_no_alarm() {
        let mut dice = Dice(11);
        // As bad as is still fine, in storms that change with each look, rare failures and frequent ones.
        let fine = |level: Level| move |_: u64, rate: f64| (rate * level.times + level.more).min(1.0);
        let storms: [fn(u64, f64) -> f64; 3] =
            [|_, throw| throw * 0.02, |look, _| if look % 20 < 5 { 0.3 } else { 0.002 }, |_, _| 0.0];
        for level in [LEVEL, Level { times: 1.0, more: 0.0 }] {
            for storm in storms {
                for sizes in [(20, 200), (100, 100), (200, 20)] {
                    let alarms = beside(&mut dice, level, sizes, storm, fine(level));
                    assert!(
                        alarms <= 10,
                        "{alarms} of 200 are more than one of twenty: {level:?}, {sizes:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_new_side_that_is_worse_in_any_weather_is_found() {
        let mut dice = Dice(13);
        let storm = |look: u64, _: f64| if look % 20 < 5 { 0.1 } else { 0.002 };
        let worse = |_: u64, rate: f64| rate + 0.05;
        for sizes in [(50, 450), (100, 100)] {
            let alarms = beside(&mut dice, LEVEL, sizes, storm, worse);
            assert!(alarms >= 199, "only {alarms} of 200: {sizes:?}");
        }
    }

    #[test]
    fn an_outage_of_the_old_side_accuses_nobody_and_hides_nothing_later() {
        let mut dice = Dice(17);
        let outage = |look: u64, _: f64| if (10..20).contains(&look) { 1.0 } else { 0.002 };
        assert!(beside(&mut dice, LEVEL, (100, 100), outage, |_, _| 0.002) <= 10);
        let late = |look: u64, _: f64| if look > 30 { 0.1 } else { 0.002 };
        assert_eq!(beside(&mut dice, LEVEL, (100, 100), outage, late), 200);
    }

    #[test]
    fn without_requests_of_both_sides_nothing_is_said() {
        let mut certainty = Certainty::default();
        let count = |bad, all| Count { until: Timestamp(7), bad, all };
        for (new, old) in [(count(9, 9), count(0, 0)), (count(0, 0), count(9, 9))] {
            certainty.take_beside(LEVEL, &[Pair { new, old }]);
        }
        assert_eq!(certainty, Certainty::default());
        let gross = Pair { new: count(9, 9), old: count(0, 90) };
        certainty.take_beside(LEVEL, &[gross, gross]);
        assert!(certainty.value() > 0.999 && certainty.looks == 1, "{certainty:?}");
    }

    #[test]
    fn numbers_at_the_edge_are_numbers_beside_too() {
        let sides = [(0, 1), (1, 1), (u64::MAX, u64::MAX), (0, u64::MAX), (9, 3)];
        for (level, (new, old)) in [LEVEL, Level { times: 0.0, more: -1.0 }, Level { times: 1e9, more: 1e9 }]
            .into_iter()
            .flat_map(|level| sides.map(|new| (level, new)))
            .flat_map(|(level, new)| sides.map(|old| (level, (new, old))))
        {
            let mut certainty = Certainty::default();
            for look in 1..=50 {
                let count = |(bad, all)| Count { until: Timestamp(look), bad, all };
                certainty.take_beside(level, &[Pair { new: count(new), old: count(old) }]);
            }
            let value = certainty.value();
            assert!((0.0..=1.0).contains(&value), "{level:?} {new:?} {old:?}: {value}");
        }
    }

    #[test]
    fn numbers_at_the_edge_are_numbers() {
        for (expected, bad, all) in [
            (0.0, 1, 1),
            (1.0, 9, 9),
            (-3.0, 5, 5),
            (0.5, u64::MAX, u64::MAX),
            (0.01, 0, u64::MAX),
            (0.1, 9, 3),
        ] {
            let value = after(50, expected, bad, all);
            assert!((0.0..=1.0).contains(&value), "{expected} {bad} {all}: {value}");
        }
    }

    #[test]
    fn what_is_kept_goes_on_as_it_was() {
        let mut certainty = Certainty::default();
        certainty.take(0.01, &[Count { until: Timestamp(7), bad: 2, all: 20 }]);
        let text = serde_json::to_string(&certainty).unwrap();
        let mut kept: Certainty = serde_json::from_str(&text).unwrap();
        for one in [&mut certainty, &mut kept] {
            one.take(0.01, &[Count { until: Timestamp(8), bad: 1, all: 20 }]);
        }
        // The last digit of a number may be lost in its text.
        assert!((kept.value() - certainty.value()).abs() < 1e-9 && kept.looks == 2);
    }
}
