//! What time it is at AWS, and what that says of its times: those of alarms and minutes are by its clock, and a watch begins
//! by ours.

use crate::plan::Timestamp;
use crate::port::told_apart;
use crate::run::Fault;
use std::time::Duration;

/// AWS tells its time by the second.
const SECOND: Duration = Duration::from_secs(1);

/// When a call was sent and answered by our clock, and when AWS answered by its own, where it said so.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    pub(super) asked: Timestamp,
    pub(super) answered: Timestamp,
    pub(super) there: Option<Timestamp>,
}

impl Clocks {
    /// Its times can be told from ours.
    ///
    /// # Errors
    /// They cannot: what it measured is of nobody knows when.
    pub(super) fn agree(&self, what: &str) -> Result<(), Fault> {
        let apart = self.there.and_then(|there| told_apart(there, (self.asked, self.answered)));
        apart.map_or(Ok(()), |apart| {
            let why = "what it measured cannot be told from what was before";
            Err(Fault::blind(format!("{what}: its clock is {apart}, so {why}")))
        })
    }

    /// A moment of its clock by ours, where they surely differ. So what happened after a moment of ours is not told to have been
    /// before it.
    pub(super) fn ours(&self, moment: Timestamp) -> Timestamp {
        let Some(there) = self.there else { return moment };
        if there.after(SECOND) < self.asked {
            // At most so far ahead are we.
            return moment.after(self.answered.since(there));
        }
        // At least so far behind.
        let behind = there.since(self.answered).as_millis();
        Timestamp(moment.0.saturating_sub(u64::try_from(behind).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(asked: u64, answered: u64, there: u64) -> Clocks {
        let at = |seconds: u64| Timestamp(seconds * 1000);
        Clocks { asked: at(asked), answered: at(answered), there: Some(at(there)) }
    }

    #[test]
    fn an_answer_that_takes_long_is_no_difference() {
        for there in [1000, 1070, 1100, 1130] {
            assert_eq!(clocks(1000, 1100, there).agree("x"), Ok(()), "{there}");
        }
        assert!(Clocks { there: None, ..clocks(1000, 1100, 0) }.agree("x").is_ok());
        let told = |there| clocks(1000, 1100, there).agree("x").unwrap_err().message.to_string();
        assert!(told(969).starts_with("x: its clock is 31s behind ours"), "{}", told(969));
        assert!(told(1131).starts_with("x: its clock is 31s ahead of ours"), "{}", told(1131));
    }

    #[test]
    fn moments_are_told_by_our_clock_where_it_surely_differs() {
        let told = |asked, answered, there| clocks(asked, answered, there).ours(Timestamp(500_000)).0 / 1000;
        assert_eq!(told(1000, 1000, 1000), 500);
        assert_eq!(told(1000, 1000, 999), 500, "a second is cut off what it tells");
        assert_eq!(told(1000, 1090, 1005), 500, "it told its time in between");
        assert_eq!(told(1020, 1021, 1000), 521, "ours runs ahead");
        assert_eq!(told(1000, 1001, 1021), 480, "ours runs behind");
        assert_eq!(Clocks::default().ours(Timestamp(7)), Timestamp(7));
    }
}
