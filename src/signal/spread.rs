//! The numbers of a window, and how they are told.

use super::Measured;

/// Numbers, put together: at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) count: u32,
    mean: f64,
    least: f64,
    most: f64,
    last: f64,
}

/// What conditions may name of it.
pub(super) const NAMES: &[&str] = &["value", "min", "max", "last", "samples"];

impl Spread {
    pub(super) fn of(numbers: &[f64]) -> Option<Self> {
        let count = u32::try_from(numbers.len()).ok()?;
        Some(Self {
            count,
            last: *numbers.last()?,
            mean: numbers.iter().sum::<f64>() / f64::from(count),
            least: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            most: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// `0.25`, or `0.25 on average, from 0 to 1, in 4 of 5 minutes`: of so many there could be.
    pub(super) fn told(&self, of: Option<(usize, &str)>) -> String {
        let mean = plain(self.mean);
        let Some((all, what)) = of else { return mean };
        let (least, most) = (plain(self.least), plain(self.most));
        format!("{mean} on average, from {least} to {most}, in {} of {all} {what}", self.count)
    }

    /// As a measurement that rests on so many samples. Its text is still to be said.
    pub(super) fn measured(&self, samples: u64) -> Measured {
        #[expect(clippy::cast_precision_loss, reason = "samples are counted, and fewer than 2^53")]
        let seen = samples as f64;
        let named = [("min", self.least), ("max", self.most), ("last", self.last), ("samples", seen)];
        Measured { value: Some(self.mean), named: named.into(), samples, ..Measured::default() }
    }
}

/// A number for people: four digits that tell.
pub(super) fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a number is small")]
    let before = value.abs().log10().floor() as i32;
    let digits = usize::try_from((3 - before).clamp(0, 12)).unwrap_or(0);
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How much of a query is told.
const TOLD: usize = 80;

/// A query for people, on one line.
pub(super) fn shortened(query: &str) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TOLD {
        return line;
    }
    let start: String = line.chars().take(TOLD - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_the_digits_that_tell() {
        let told = [0.0, 3.0, 1.0 / 3.0, 1234.567, 0.000_012_345, -2.5, 1e20].map(plain);
        assert_eq!(told, ["0", "3", "0.3333", "1235", "0.00001234", "-2.5", "100000000000000000000"]);
        assert_eq!(shortened("a\n  b"), "a b");
        assert_eq!(shortened(&"x".repeat(90)).chars().count(), 80);
    }

    #[test]
    fn a_window_is_put_together() {
        let window = Spread::of(&[1.0, 4.0, 2.5]).unwrap();
        assert_eq!(window.told(Some((5, "minutes"))), "2.5 on average, from 1 to 4, in 3 of 5 minutes");
        assert_eq!((window.told(None), window.measured(7).samples), ("2.5".to_owned(), 7));
        assert_eq!((window.measured(7).named["last"], Spread::of(&[])), (2.5, None));
    }
}
