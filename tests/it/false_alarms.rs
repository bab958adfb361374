//! A few of the soaks of `cargo bench --bench alarms`, by dice that fall the same each time: healthy runs go on, and broken ones
//! are turned back.

#[path = "../bench/soaks.rs"]
mod soaks;

use soaks::{Change, Dice, FAIR, HEALTHY, Judge, Soak, Weather};

/// How many of so many runs are turned back.
fn turned(judge: &Judge, runs: u32, rate: u64, change: Change, weather: Weather) -> usize {
    let mut dice = Dice(rate);
    (0..runs).filter(|_| judge.turns(&Soak::of(&mut dice, rate, change, weather)).is_some()).count()
}

const BROKEN: Change = Change { name: "5 points more", points: 5.0, slower: 0.0 };
const SLOWER: Change = Change { name: "50 % slower", points: 0.0, slower: 50.0 };
const STORM: Weather = Weather { name: "20 points more fail on both sides", points: 20.0 };

#[test]
fn healthy_runs_are_not_turned_back() {
    for rate in [1, 100] {
        assert_eq!(
            turned(&Judge::certain("1h"), 100, rate, HEALTHY, FAIR),
            0,
            "{rate}/s, compared with before"
        );
    }
    for (rate, weather) in [(1, FAIR), (100, FAIR), (100, STORM)] {
        assert_eq!(turned(&Judge::beside(), 100, rate, HEALTHY, weather), 0, "{rate}/s: {}", weather.name);
    }
}

#[test]
fn broken_and_slow_runs_are() {
    for judge in [Judge::certain("1h"), Judge::beside()] {
        for change in [BROKEN, SLOWER] {
            assert_eq!(turned(&judge, 20, 10, change, FAIR), 20, "{}", change.name);
        }
    }
}

#[test]
fn others_judge_the_same_counts() {
    let mut dice = Dice(7);
    let kayenta = (0..50).filter(|_| Soak::of(&mut dice, 100, BROKEN, FAIR).kayenta().is_some()).count();
    assert_eq!((kayenta, turned(&Judge::threshold(), 20, 100, BROKEN, FAIR)), (50, 20));
}
