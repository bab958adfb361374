//! Moments and spans of time, as plans and journals write them. Time is always an argument: nothing here asks a clock.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Before every moment: "at once", where a start is meant.
    pub const PAST: Self = Self(0);
    /// After every moment: "no limit", where a deadline is meant.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `wait` later; [`Timestamp::NEVER`] stays what it is.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// As it is shown: RFC 3339, also with an offset.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Self)
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).ok();
        match seconds.and_then(|s| jiff::Timestamp::from_second(s).ok()) {
            Some(moment) => write!(f, "{moment}"),
            None => f.write_str("never"),
        }
    }
}

/// The longest duration a plan may state.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads `90s`, `1h30m`, `250ms`: units `ms s m h d`, each with a whole number, positive, at most `7d`.
///
/// # Errors
/// A fragment that says what is wrong and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = &rest[..digits];
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let unit = &rest[digits..digits + letters];
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(match unit {
                _ if digits == 0 => format!("`{text}` is not a duration; write `90s`, `5m` or `1h30m`"),
                "" => format!("`{text}` has no unit; write `{text}s` or `{text}m`"),
                _ => format!("`{unit}` is not a unit of time; there are ms, s, m, h and d"),
            });
        };
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*scale));
        total = part.and_then(|p| total.checked_add(p)).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = &rest[digits + letters..];
    }
    match Duration::from_millis(total) {
        Duration::ZERO => Err("a duration must be longer than nothing".into()),
        long if long > LONGEST => Err(format!("`{text}` is longer than 7d")),
        fine => Ok(fine),
    }
}

/// Writes a duration as plans do: `1h30m`, `45s`, `250ms`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".into();
    }
    let mut out = Vec::new();
    for (scale, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] {
        if rest >= scale {
            out.push(format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    // Milliseconds matter only where there is nothing larger to see.
    if out.is_empty() { format!("{rest}ms") } else { out.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_are_written() {
        for text in ["250ms", "45s", "1h30m", "7d", "5m"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn bad_durations_say_what_to_write() {
        for (text, hint) in
            [("5", "`5s`"), ("", "longer than nothing"), ("1M", "`M`"), ("8d", "7d"), ("x", "90s")]
        {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
        assert!(parse_duration("99999999999999999999d").is_err());
        assert!(parse_duration("0s").is_err());
    }
}
