//! False alarms and misses, over a thousand soaks for each line of a table in Markdown: how many were turned back, and after how
//! long the one in the middle. Fails if healthy runs are turned back too often. What a soak is says `soaks.rs`.
//!
//! Of certainty and of the threshold the signals of a plan are looked at as a run looks at them; Mann-Whitney judges the same
//! counts. A second table is of weather: what both sides share makes more requests fail on both, for a third of the time.
//!
//! ```text
//! cargo bench --bench alarms
//! cargo bench --bench alarms -- 100    # so many soaks, which say less
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod soaks;

use soaks::{Change, Dice, FAIR, HEALTHY, Judge, Soak, Weather};

const SOAKS: u32 = 1000;
const RATES: [u64; 4] = [1, 10, 100, 1000];

const fn more(name: &'static str, points: f64) -> Change {
    Change { name, points, slower: 0.0 }
}

const fn slower(name: &'static str, slower: f64) -> Change {
    Change { name, points: 0.0, slower }
}

const CHANGES: [Change; 8] = [
    HEALTHY,
    more("0.5 points more fail", 0.5),
    more("1 point more", 1.0),
    more("5 points more", 5.0),
    more("50 points more", 50.0),
    slower("10 % slower", 10.0),
    slower("50 % slower", 50.0),
    slower("200 % slower", 200.0),
];

const WEATHER: [Weather; 3] = [
    FAIR,
    Weather { name: "1 point more fail on both sides", points: 1.0 },
    Weather { name: "20 points more fail on both sides", points: 20.0 },
];

/// How many soaks were turned back, and after how many seconds the one in the middle.
struct Cell {
    turned: u32,
    middle: Option<u64>,
}

impl Cell {
    /// The dice are the same for all judges.
    fn of(
        soaks: u32,
        rate: u64,
        change: Change,
        weather: Weather,
        turns: &dyn Fn(&Soak) -> Option<u64>,
    ) -> Self {
        let mut dice = Dice(rate);
        let each = (0..soaks).filter_map(|_| turns(&Soak::of(&mut dice, rate, change, weather)));
        let mut turned: Vec<u64> = each.collect();
        turned.sort_unstable();
        let middle = turned.get(turned.len() / 2).copied();
        Self { turned: u32::try_from(turned.len()).unwrap_or(u32::MAX), middle }
    }

    fn told(&self, of: u32) -> String {
        let after = self.middle.map_or(String::new(), |seconds| format!(", {seconds} s"));
        format!("{:.1} %{after}", f64::from(self.turned) * 100.0 / f64::from(of))
    }
}

/// The most that the true share may well be (Clopper and Pearson, 95 %, one-sided): where so few would be found by no more
/// than one chance of twenty.
fn at_most(found: u32, of: u32) -> f64 {
    let few = |share: f64| {
        let mut term = (1.0 - share).powi(i32::try_from(of).unwrap_or(i32::MAX));
        let mut sum = term;
        for k in 0..found {
            term *= f64::from(of - k) / f64::from(k + 1) * share / (1.0 - share);
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if few(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// After how many seconds of a soak it turns the run back.
type Turns<'j> = &'j dyn Fn(&Soak) -> Option<u64>;

fn main() {
    let soaks = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(SOAKS);
    let (hour, beside) = (Judge::certain("1h"), Judge::beside());
    let (minutes, threshold) = (Judge::certain("5m"), Judge::threshold());
    let judges: [(&str, Turns<'_>); 5] = [
        ("certainty, an hour before", &|soak| hour.turns(soak)),
        ("certainty, the same time", &|soak| beside.turns(soak)),
        ("certainty, five minutes before", &|soak| minutes.turns(soak)),
        ("threshold", &|soak| threshold.turns(soak)),
        ("Mann-Whitney", &Soak::kayenta),
    ];
    let mut worst = 0.0f64;
    println!("| requests a second | the new side | {} |", judges.map(|(name, _)| name).join(" | "));
    println!("|---|---|{}", "---|".repeat(judges.len()));
    for rate in RATES {
        for change in CHANGES {
            let cells = judges.map(|(_, turns)| Cell::of(soaks, rate, change, FAIR, turns));
            if change.name == HEALTHY.name {
                worst = cells[..3].iter().fold(worst, |worst, cell| worst.max(at_most(cell.turned, soaks)));
            }
            println!("| {rate} | {} | {} |", change.name, cells.map(|cell| cell.told(soaks)).join(" | "));
        }
    }
    let both = &judges[..2];
    println!("\n| requests a second | the weather | the new side | {} | {} |", both[0].0, both[1].0);
    println!("|---|---|---|---|---|");
    for rate in RATES {
        for weather in WEATHER {
            for change in CHANGES.iter().filter(|change| change.slower <= 0.0 && change.points < 50.0) {
                let cells: Vec<Cell> =
                    both.iter().map(|(_, turns)| Cell::of(soaks, rate, *change, weather, turns)).collect();
                if change.name == HEALTHY.name {
                    worst = worst.max(at_most(cells[1].turned, soaks));
                }
                let told: Vec<String> = cells.iter().map(|cell| cell.told(soaks)).collect();
                println!("| {rate} | {} | {} | {} |", weather.name, change.name, told.join(" | "));
            }
        }
    }
    println!(
        "\nhealthy runs that certainty turns back: at most {:.2} %, with a confidence of 95 %",
        worst * 100.0
    );
    assert!(soaks < SOAKS || worst <= 0.01, "more than one healthy run of a hundred may be turned back");
}
