//! Health checks of the provider, which decide whether it answers with a record set at all.
//!
//! Not here: which sets go by one, and what follows for a plan.

use std::fmt;

/// A health check that record sets go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What it asks: `https://app.example.com/health`, `3 other health checks`.
    pub asks: String,
    /// Nobody asks any more: it counts as healthy, unless it is inverted.
    pub disabled: bool,
    /// It counts as healthy while what it asks is not.
    pub inverted: bool,
    /// What its checkers say of what it asks.
    pub checkers: Checkers,
}

/// What the checkers of a health check say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkers {
    /// Those that were answered well, of all that have told.
    Counted {
        /// How many were.
        well: usize,
        /// Of how many.
        of: usize,
    },
    /// It could not be known: why.
    Unknown(String),
}

impl HealthCheck {
    /// Whether it certainly fails: no checker calls it healthy.
    #[must_use]
    pub fn fails(&self) -> bool {
        match self.checkers {
            _ if self.disabled => self.inverted,
            Checkers::Counted { of: 0, .. } | Checkers::Unknown(_) => false,
            Checkers::Counted { well, of } => well == if self.inverted { of } else { 0 },
        }
    }
}

impl fmt::Display for HealthCheck {
    /// `https://app.example.com/health: 14 of 15 checkers call it healthy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.asks)?;
        match &self.checkers {
            _ if self.disabled && self.inverted => {
                f.write_str("it is disabled and inverted, and counts as unhealthy")
            }
            _ if self.disabled => f.write_str("it is disabled, and counts as healthy"),
            Checkers::Unknown(why) => write!(f, "what its checkers say is not known: {why}"),
            Checkers::Counted { of: 0, .. } => f.write_str("no checker has told anything yet"),
            Checkers::Counted { well, of } if self.inverted => {
                let healthy = of.saturating_sub(*well);
                write!(
                    f,
                    "{healthy} of {of} checkers call it healthy, for it is inverted: these are not answered well"
                )
            }
            Checkers::Counted { well, of } => write!(f, "{well} of {of} checkers call it healthy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fails_where_no_checker_calls_it_healthy_and_only_there() {
        let plain = |well, of| HealthCheck {
            asks: "https://a.example/".into(),
            disabled: false,
            inverted: false,
            checkers: Checkers::Counted { well, of },
        };
        let inverted = |well, of| HealthCheck { inverted: true, ..plain(well, of) };
        let unknown = HealthCheck { checkers: Checkers::Unknown("nobody says".into()), ..plain(0, 0) };
        for (check, fails, words) in [
            (plain(14, 15), false, "14 of 15 checkers call it healthy"),
            (plain(1, 15), false, "1 of 15"),
            (plain(0, 15), true, "0 of 15"),
            (plain(0, 0), false, "no checker has told"),
            (inverted(15, 15), true, "0 of 15"),
            (inverted(0, 15), false, "15 of 15 checkers call it healthy, for it is inverted"),
            (HealthCheck { disabled: true, ..plain(0, 15) }, false, "disabled, and counts as healthy"),
            (HealthCheck { disabled: true, ..inverted(0, 15) }, true, "counts as unhealthy"),
            (HealthCheck { inverted: true, ..unknown.clone() }, false, "nobody says"),
            (unknown, false, "nobody says"),
        ] {
            let told = check.to_string();
            assert_eq!(check.fails(), fails, "{told}");
            assert!(told.starts_with("https://a.example/: ") && told.contains(words), "{told}");
        }
    }
}
