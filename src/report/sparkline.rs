//! What signals measured lately, as lines of small bars: `soak errors  ▁▁▁▂▁▁▃  0.012  limit 0.05`.
//!
//! Bars stand on zero, or on the lowest value if that is lower; the highest is the limit, or the highest value if that is
//! higher. A look that saw nothing is a gap. The numbers stand beside them: no fact is carried by a bar alone.

use super::{Looks, Tone};
use crate::run::Curve;
use std::fmt::Write;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
/// How long names are lined up, at most.
const WIDEST: usize = 32;
/// Between two columns.
const GAP: &str = "  ";

/// One line a curve, by these names. Where there is no room for bars in so many columns, there are none.
pub(super) fn lines(measured: &[(String, &Curve)], looks: Looks, columns: usize) -> Vec<String> {
    let longest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let names: Vec<String> = measured.iter().map(|(name, _)| looks.safe(name)).collect();
    let values: Vec<String> = measured.iter().map(|(_, curve)| value(curve)).collect();
    let limits: Vec<String> = measured.iter().map(|(_, curve)| limit(curve)).collect();
    let (name_width, value_width) = (longest(&names).min(WIDEST), longest(&values));
    let needed = name_width + value_width + longest(&limits) + Curve::LONGEST + 3 * GAP.len();
    let each = measured.iter().zip(names).zip(values.iter().zip(limits));
    each.map(|(((_, curve), name), (value, limit))| {
        let mut text = format!("{name:name_width$}{GAP}");
        if needed <= columns {
            text += &looks.tint(Tone::Busy, &format!("{:>1$}", bars(curve, looks), Curve::LONGEST));
            text += GAP;
        }
        let _ = write!(text, "{value:value_width$}{GAP}{limit}");
        text.trim_end().to_owned()
    })
    .collect()
}

/// What it says now.
fn value(curve: &Curve) -> String {
    curve.values.last().copied().flatten().map_or_else(|| "no evidence".into(), number)
}

fn limit(curve: &Curve) -> String {
    curve.limit.map(|limit| format!("limit {}", number(limit))).unwrap_or_default()
}

fn bars(curve: &Curve, looks: Looks) -> String {
    let signs = if looks.ascii { ASCII } else { BARS };
    let numbers =
        curve.values.iter().copied().flatten().chain(curve.limit).filter(|number| number.is_finite());
    let (low, high) =
        numbers.fold((0.0f64, 0.0f64), |(low, high), number| (low.min(number), high.max(number)));
    let bar = |value: Option<f64>| match value {
        Some(value) if high > low => signs[step((value - low) / (high - low), signs.len() - 1)],
        Some(_) => signs[0],
        None => ' ',
    };
    curve.values.iter().map(|value| bar(*value)).collect()
}

/// Which of so many steps is nearest to a share of the whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a handful")]
#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn step(share: f64, last: usize) -> usize {
    ((share.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)
}

/// Four digits of a number, as people write it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few digits, and not negative")]
fn number(value: f64) -> String {
    let size = value.abs().log10().floor();
    if value == 0.0 {
        return "0".into();
    }
    if !(-5.0..9.0).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = (3.0 - size).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: Looks = Looks { colour: false, ascii: false };

    fn curve(values: &[Option<f64>], limit: Option<f64>) -> Curve {
        Curve { name: "errors".into(), values: values.to_vec(), limit }
    }

    fn drawn(values: &[Option<f64>], limit: Option<f64>) -> String {
        bars(&curve(values, limit), UTF8)
    }

    #[test]
    fn bars_stand_between_zero_and_the_limit() {
        let rising: Vec<Option<f64>> = (0..8).map(|n| Some(f64::from(n) / 700.0)).collect();
        assert_eq!(drawn(&rising, Some(0.01)), "▁▂▃▄▅▆▇█");
        assert_eq!(drawn(&rising, Some(0.02)), "▁▂▂▃▃▄▄▅", "half of the limit is half as high");
        assert_eq!(drawn(&[Some(0.5), Some(2.0)], Some(1.0)), "▃█", "beyond the limit it is the highest");
        assert_eq!(drawn(&[Some(3.0), Some(3.0)], None), "██");
        assert_eq!(drawn(&[Some(-7.0), Some(0.0)], None), "▁█");
    }

    #[test]
    fn a_gap_is_a_gap_and_nothing_at_all_is_low() {
        assert_eq!(drawn(&[Some(0.0), None, Some(0.0)], None), "▁ ▁");
        assert_eq!(drawn(&[None, None], Some(1.0)), "  ");
        assert_eq!(drawn(&[Some(f64::NAN), Some(f64::INFINITY), Some(1.0)], None), "▁██");
        assert_eq!(drawn(&[], None), "");
        let ascii = Looks { ascii: true, ..UTF8 };
        assert_eq!(bars(&curve(&[Some(0.0), None, Some(0.5), Some(1.0)], None), ascii), "_ =#");
    }

    #[test]
    fn lines_are_lined_up_and_bars_go_first() {
        let (errors, slow) = (curve(&[Some(0.0), Some(0.0123)], Some(0.05)), curve(&[Some(1.0), None], None));
        let measured = [("soak errors".to_owned(), &errors), ("soak p95".to_owned(), &slow)];
        let wide = lines(&measured, UTF8, 70);
        assert_eq!(
            wide,
            [
                "soak errors                        ▁▃  0.0123       limit 0.05",
                "soak p95                           █   no evidence",
            ]
        );
        let narrow = ["soak errors  0.0123       limit 0.05", "soak p95     no evidence"];
        assert_eq!(lines(&measured, UTF8, 61), narrow, "one column less than is needed");
        assert_ne!(lines(&measured, UTF8, 62), narrow);
    }

    #[test]
    fn numbers_have_four_digits() {
        let texts = [0.0, 0.006_666_666, 412.345_6, 12_345.6, 1.0, -0.5, 1e12, 1e-9].map(number);
        assert_eq!(texts, ["0", "0.006667", "412.3", "12346", "1", "-0.5", "1.00e12", "1.00e-9"]);
    }
}
