//! False alarms and misses: soaks of a quarter of an hour over traffic that is healthy, or fails more often, or has become
//! slower. Three judges look at the same counts: ours, a plain threshold, and Mann-Whitney as Kayenta uses it. Prints a
//! table in Markdown; fails if healthy runs are turned back too often.
//!
//! A run has two signals: requests that fail, of which one in five hundred does on the old side; and requests that are
//! slower than nineteen of twenty were there (latencies are lognormal, with a deviation of a half of the logarithm).
//! Rollbacks by either count. Its dice are seeded: the table is the same each time.
//!
//! A second table is of weather: what both sides share makes more requests fail on both, for a third of the time. There the
//! old side is measured at the same time, beside a baseline of before.
//!
//! ```text
//! cargo bench --bench alarms
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::cast_precision_loss, reason = "counts of requests")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, and positive")]

use switchover::plan::Timestamp;
use switchover::signal::{Certainty, Count, Level, Pair};

const SOAKS: usize = 1000;
/// Between two looks, in seconds, and how many there are in a quarter of an hour.
const EVERY: u64 = 30;
const LOOKS: usize = 30;
/// Looks of a minute, and of the window of a threshold.
const MINUTE: usize = 2;
const WINDOW: usize = 10;
const FAILS: f64 = 0.002;
const SLOW: f64 = 0.05;
const DEVIATION: f64 = 0.5;

/// What users meet on the new side: how many points more fail, and how many hundredths slower it is.
#[derive(Clone, Copy)]
struct Change {
    name: &'static str,
    points: f64,
    slower: f64,
}

const CHANGES: [Change; 8] = [
    Change { name: "healthy", points: 0.0, slower: 0.0 },
    Change { name: "0.5 points more fail", points: 0.5, slower: 0.0 },
    Change { name: "1 point more", points: 1.0, slower: 0.0 },
    Change { name: "5 points more", points: 5.0, slower: 0.0 },
    Change { name: "50 points more", points: 50.0, slower: 0.0 },
    Change { name: "10 % slower", points: 0.0, slower: 10.0 },
    Change { name: "50 % slower", points: 0.0, slower: 50.0 },
    Change { name: "200 % slower", points: 0.0, slower: 200.0 },
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    /// From 0 to 1, and neither.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.throw().ln()).sqrt() * (std::f64::consts::TAU * self.throw()).cos()
    }

    /// How many of so many: exactly where they are few, else as a normal number.
    fn of(&mut self, all: u64, share: f64) -> u64 {
        let (mean, spread) = (all as f64 * share, (all as f64 * share * (1.0 - share)).sqrt());
        if mean > 50.0 && all as f64 - mean > 50.0 {
            return (mean + spread * self.normal()).round().clamp(0.0, all as f64) as u64;
        }
        // From one to the next the gaps are geometric.
        let (mut found, mut place) = (0, 0.0);
        loop {
            place += (self.throw().ln() / (1.0 - share).ln()).floor() + 1.0;
            if place > all as f64 {
                return found;
            }
            found += 1;
        }
    }
}

/// How many of all requests fail or are slow, look by look, on both sides.
struct Soak {
    all: u64,
    new: Vec<u64>,
    old: Vec<u64>,
}

/// Says at which look it would turn back, from 1.
type Judge = fn(&Soak, f64) -> Option<usize>;

/// What both sides share, for the middle third of a soak: how many points more fail on either side.
#[derive(Clone, Copy)]
struct Weather {
    name: &'static str,
    points: f64,
}

const WEATHER: [Weather; 3] = [
    Weather { name: "fair", points: 0.0 },
    Weather { name: "1 point more fail on both sides", points: 1.0 },
    Weather { name: "20 points more fail on both sides", points: 20.0 },
];

const BESIDE: [(&str, Judge); 2] =
    [("baseline of before", ours), ("baseline of the same time", at_the_same_time)];

const JUDGES: [(&str, Judge); 3] = [("certainty", ours), ("threshold", threshold), ("Mann-Whitney", kayenta)];

/// `expected: baseline * 1.2 + 0.001`, `fail: certainty > 0.999`.
fn ours(soak: &Soak, healthy: f64) -> Option<usize> {
    let mut certainty = Certainty::default();
    soak.new.iter().enumerate().find_map(|(look, bad)| {
        let count = Count { until: Timestamp(look as u64 + 1), bad: *bad, all: soak.all };
        certainty.take(healthy * 1.2 + 0.001, &[count]);
        (certainty.value() > 0.999).then_some(look + 1)
    })
}

/// `baseline: { …, at: same }`, `expected: baseline * 1.2 + 0.001`, `fail: certainty > 0.999`.
fn at_the_same_time(soak: &Soak, _: f64) -> Option<usize> {
    let (level, mut certainty) = (Level { times: 1.2, more: 0.001 }, Certainty::default());
    soak.new.iter().zip(&soak.old).enumerate().find_map(|(look, (new, old))| {
        let count = |bad: &u64| Count { until: Timestamp(look as u64 + 1), bad: *bad, all: soak.all };
        certainty.take_beside(level, &[Pair { new: count(new), old: count(old) }]);
        (certainty.value() > 0.999).then_some(look + 1)
    })
}

/// `fail: value > baseline * 1.3 + 0.005` over five minutes, `min_samples: 200`, `breaches: 2`.
fn threshold(soak: &Soak, healthy: f64) -> Option<usize> {
    let mut row = 0;
    (1..=soak.new.len()).find(|look| {
        let window = &soak.new[look.saturating_sub(WINDOW)..*look];
        let all = soak.all * window.len() as u64;
        let rate = window.iter().sum::<u64>() as f64 / all as f64;
        row = if all >= 200 && rate > healthy * 1.3 + 0.005 { row + 1 } else { 0 };
        row >= 2
    })
}

/// Minutes of both sides are compared every five minutes: the interval of 98 % for how far apart they are lies above a
/// quarter of the estimate of it.
fn kayenta(soak: &Soak, _: f64) -> Option<usize> {
    let minutes = |side: &[u64], looks: usize| -> Vec<f64> {
        let minute = |pair: &[u64]| pair.iter().sum::<u64>() as f64 / (soak.all * MINUTE as u64) as f64;
        side[..looks].chunks(MINUTE).map(minute).collect()
    };
    (WINDOW..=soak.new.len()).step_by(WINDOW).find(|looks| {
        let (new, old) = (minutes(&soak.new, *looks), minutes(&soak.old, *looks));
        let mut apart: Vec<f64> = new.iter().flat_map(|new| old.iter().map(move |old| new - old)).collect();
        apart.sort_by(f64::total_cmp);
        let (n, m) = (new.len() as f64, old.len() as f64);
        // The rank at which the interval begins, by the normal approximation of the statistic.
        let begins = n * m / 2.0 - 2.326 * (n * m * (n + m + 1.0) / 12.0).sqrt();
        let lower = apart[begins.max(0.0) as usize];
        let estimate = f64::midpoint(apart[(apart.len() - 1) / 2], apart[apart.len() / 2]);
        estimate > 0.0 && lower > 0.25 * estimate.abs()
    })
}

/// The share of requests that are slower than nineteen of twenty were, where all take so much longer.
fn slow(slower: f64) -> f64 {
    let far = 1.644_853_627 - (1.0 + slower / 100.0).ln() / DEVIATION;
    // The upper tail of a normal number (Abramowitz and Stegun 7.1.26, good to seven digits).
    let x = far.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let tail = series.iter().fold(0.0, |sum, a| (sum + a) * t) * (-x * x).exp() / 2.0;
    if far < 0.0 { 1.0 - tail } else { tail }
}

fn soak(dice: &mut Dice, all: u64, old: f64, new: f64) -> Soak {
    let mut side = |share| (0..LOOKS).map(|_| dice.of(all, share)).collect();
    Soak { all, new: side(new), old: side(old) }
}

/// How many soaks were turned back, and after how many seconds the one in the middle.
fn tried(rate: u64, change: Change, judge: Judge) -> (usize, Option<u64>) {
    let mut dice = Dice(rate);
    let all = rate * EVERY;
    let mut turned: Vec<u64> = (0..SOAKS)
        .filter_map(|_| {
            let errors = soak(&mut dice, all, FAILS, FAILS + change.points / 100.0);
            let slows = soak(&mut dice, all, SLOW, slow(change.slower));
            let looks = [judge(&errors, FAILS), judge(&slows, SLOW)];
            looks.into_iter().flatten().min().map(|look| look as u64 * EVERY)
        })
        .collect();
    turned.sort_unstable();
    (turned.len(), turned.get(turned.len() / 2).copied())
}

/// The same of requests that fail alone, in this weather.
fn weathered(rate: u64, weather: Weather, change: Change, judge: Judge) -> (usize, Option<u64>) {
    let mut dice = Dice(rate);
    let all = rate * EVERY;
    let mut turned: Vec<u64> = (0..SOAKS)
        .filter_map(|_| {
            let mut side = |more: f64| -> Vec<u64> {
                let storms = |look: usize| (LOOKS / 3..LOOKS * 2 / 3).contains(&look);
                let points = |look| if storms(look) { weather.points + more } else { more };
                (0..LOOKS).map(|look| dice.of(all, FAILS + points(look) / 100.0)).collect()
            };
            let soak = Soak { all, new: side(change.points), old: side(0.0) };
            judge(&soak, FAILS).map(|look| look as u64 * EVERY)
        })
        .collect();
    turned.sort_unstable();
    (turned.len(), turned.get(turned.len() / 2).copied())
}

/// The most that the true share may well be (Wilson, 95 %, one-sided).
fn at_most(found: usize, of: usize) -> f64 {
    let (n, z) = (of as f64, 1.645);
    let share = found as f64 / n;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    (middle + spread) / (1.0 + z * z / n)
}

/// A cell of a table.
fn told(turned: usize, middle: Option<u64>) -> String {
    let after = middle.map_or(String::new(), |seconds| format!(", {seconds} s"));
    format!("{:.1} %{after}", turned as f64 * 100.0 / SOAKS as f64)
}

fn main() {
    println!("| requests a second | the new side | {} |", JUDGES.map(|(name, _)| name).join(" | "));
    println!("|---|---|{}", "---|".repeat(JUDGES.len()));
    let mut worst = 0.0f64;
    for rate in [1, 10, 100, 1000] {
        for change in CHANGES {
            let cells = JUDGES.map(|(name, judge)| {
                let (turned, middle) = tried(rate, change, judge);
                if name == "certainty" && change.name == "healthy" {
                    worst = worst.max(at_most(turned, SOAKS));
                }
                told(turned, middle)
            });
            println!("| {rate} | {} | {} |", change.name, cells.join(" | "));
        }
    }
    println!(
        "\n| requests a second | the weather | the new side | {} |",
        BESIDE.map(|(name, _)| name).join(" | ")
    );
    println!("|---|---|---|{}", "---|".repeat(BESIDE.len()));
    for rate in [1, 10, 100, 1000] {
        for weather in WEATHER {
            for change in CHANGES.iter().filter(|change| change.slower <= 0.0 && change.points < 50.0) {
                let cells = BESIDE.map(|(name, judge)| {
                    let (turned, middle) = weathered(rate, weather, *change, judge);
                    if name == "baseline of the same time" && change.name == "healthy" {
                        worst = worst.max(at_most(turned, SOAKS));
                    }
                    told(turned, middle)
                });
                println!("| {rate} | {} | {} | {} |", weather.name, change.name, cells.join(" | "));
            }
        }
    }
    println!("\nhealthy runs that certainty turns back: at most {:.2} %", worst * 100.0);
    assert!(worst <= 0.01, "more than one healthy run of a hundred may be turned back");
}
