//! What the lock in the world says: one TXT record beside the record that a run writes, of one string in ASCII, which people
//! can read in any console of any provider.
//!
//! ```text
//! _switchover.app.example.com 60 TXT "switchover v1 run=01KB… plan=go-live by=ana@laptop since=2026-11-29T10:00:00Z until=2026-11-29T14:00:00Z"
//! ```
//!
//! These fields in this order, each once, separated by one space, and nothing else. `until` is when the run should be over, by
//! its plan: it tells people what to think of what they find, and no machine acts by it.

use crate::plan::Timestamp;
use crate::port::dns::{Name, RecordSet, RecordType};
use std::collections::BTreeMap;
use std::fmt;

/// In seconds. Nobody goes by what resolvers say of it.
const TTL: u32 = 60;
/// What it begins with: of another version nobody knows what it says.
const BEGINS: &str = "switchover v1";
/// How much of a word is kept: all of them make one string of at most 255 bytes.
const LONGEST: usize = 56;

/// A run that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) run: String,
    pub(super) plan: String,
    /// Who started it: `user@host`, or what they call themselves.
    pub(super) by: String,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Held {
    /// Its record set at this name.
    pub(super) fn set(&self, name: &Name) -> RecordSet {
        let Self { run, plan, by, since, until } = self;
        let [run, plan, by] = [run, plan, by].map(|text| word(text));
        let text = format!("\"{BEGINS} run={run} plan={plan} by={by} since={since} until={until}\"");
        RecordSet {
            name: name.clone(),
            kind: RecordType("TXT".into()),
            ttl: Some(TTL),
            values: vec![text],
            alias: None,
            extra: BTreeMap::new(),
        }
    }

    /// What a value says; `None`: it is nothing of ours.
    pub(super) fn read(value: &str) -> Option<Self> {
        let text = value.strip_prefix('"')?.strip_suffix('"')?;
        let mut fields = text.strip_prefix(BEGINS)?.strip_prefix(' ')?.split(' ');
        let mut field = |key: &str| {
            let value = fields.next()?.strip_prefix(key)?.strip_prefix('=')?;
            (value == word(value)).then(|| value.to_owned())
        };
        let [run, plan, by] = [field("run")?, field("plan")?, field("by")?];
        let [since, until] = [Timestamp::read(&field("since")?)?, Timestamp::read(&field("until")?)?];
        fields.next().is_none().then_some(Self { run, plan, by, since, until })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, plan, by, since, until } = self;
        write!(f, "run {run} of {plan}, by {by}, since {since}, until {until} by its plan")
    }
}

/// One word, whatever it was: letters and what names and moments consist of.
fn word(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "@._+-:".contains(c) { c } else { '-' };
    let word: String = text.chars().take(LONGEST).map(kept).collect();
    if word.is_empty() { "-".into() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        Held {
            run: "01KB0000000000000000000000".into(),
            plan: "go-live".into(),
            by: "ana@laptop".into(),
            since: Timestamp(1_800_000_000_000),
            until: Timestamp(1_800_014_400_000),
        }
    }

    #[test]
    fn what_is_written_is_read_and_fits() {
        let name = Name::new("_switchover.app.example.com");
        let set = held().set(&name);
        let text = "switchover v1 run=01KB0000000000000000000000 plan=go-live by=ana@laptop since=2027-01-15T08:00:00Z \
                    until=2027-01-15T12:00:00Z";
        assert_eq!((&*set.kind.0, set.ttl, &set.values[0]), ("TXT", Some(60), &format!("\"{text}\"")));
        assert_eq!(Held::read(&set.values[0]), Some(held()));
        let odd = Held {
            by: "Ana \"B\" \\ é=, <x>".repeat(40),
            plan: "p".repeat(400),
            run: String::new(),
            ..held()
        };
        let longest = Held { run: "r".repeat(99), ..odd.clone() }.set(&name).values.remove(0);
        assert!(longest.len() <= 257, "{longest}");
        let value = &odd.set(&name).values[0];
        assert!(value.len() <= 257 && value.is_ascii(), "{value}");
        let read = Held::read(value).unwrap();
        assert_eq!((read.run.as_str(), read.plan.len(), &read.by[..12]), ("-", 56, "Ana--B------"));
    }

    #[test]
    fn what_is_not_wholly_of_ours_is_nothing_of_ours() {
        let good = held().set(&Name::new("x")).values.remove(0);
        for (part, other) in [
            ("\"", ""),
            ("v1", "v2"),
            ("switchover", "Switchover"),
            ("run=01KB0000000000000000000000 ", ""),
            ("run=01KB0000000000000000000000", "run="),
            ("run=01KB0000000000000000000000", "run=a run=b"),
            ("plan=go-live by=ana@laptop", "by=ana@laptop plan=go-live"),
            (" by=", "  by="),
            ("by=ana@laptop", "by=ana;laptop"),
            ("Z\"", "Z more=x\""),
            ("Z\"", "Z \""),
            ("2027-01-15T08:00:00Z", "yesterday"),
            ("2027-01-15T08:00:00Z", "1901-01-15T08:00:00Z"),
            ("Z\"", "Z\" \"and more\""),
        ] {
            let bad = good.replace(part, other);
            assert_ne!(bad, good, "{part}");
            assert_eq!(Held::read(&bad), None, "{bad}");
        }
        for bad in ["", "\"", "\"\"", "\"v=spf1 -all\"", &format!("\"{}\"", "switchover v1 ".repeat(1000))] {
            assert_eq!(Held::read(bad), None, "{bad}");
        }
    }
}
