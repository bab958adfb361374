//! Observations as a journal keeps them: one short text, for a note holds hundreds.
//!
//! `1767693600000 120 +2 118 -1 10000!` is three: when the first was made, how many milliseconds each took, how much later
//! or earlier than the one before it where that differs, and `!` where it was bad. Nothing is lost on the way.

use crate::plan::Timestamp;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt::{self, Write};

/// When, whether it was good, and a number.
type One = (Timestamp, bool, u32);

pub(super) fn serialize<S: Serializer>(seen: &[One], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(seen))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<One>, D::Error> {
    deserializer.deserialize_any(Written)
}

fn written(seen: &[One]) -> String {
    let Some((first, ..)) = seen.first() else { return String::new() };
    let (mut out, mut last) = (first.0.to_string(), first.0);
    for (at, good, took) in seen {
        if at.0 > last {
            let _ = write!(out, " +{}", at.0 - last);
        } else if at.0 < last {
            let _ = write!(out, " -{}", last - at.0);
        }
        last = at.0;
        let _ = write!(out, " {took}{}", if *good { "" } else { "!" });
    }
    out
}

/// `None`: it is no such text.
fn read(text: &str) -> Option<Vec<One>> {
    let mut words = text.split_ascii_whitespace();
    let Some(first) = words.next() else { return Some(Vec::new()) };
    let (mut at, mut seen) = (first.parse::<u64>().ok()?, Vec::new());
    for word in words {
        if let Some(later) = word.strip_prefix('+') {
            at = at.checked_add(later.parse().ok()?)?;
        } else if let Some(earlier) = word.strip_prefix('-') {
            at = at.checked_sub(earlier.parse().ok()?)?;
        } else {
            let took = word.strip_suffix('!');
            seen.push((Timestamp(at), took.is_none(), took.unwrap_or(word).parse().ok()?));
        }
    }
    Some(seen)
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Vec<One>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("observations as they are written")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        read(text).ok_or_else(|| E::custom("these are no observations"))
    }

    /// As journals of before keep them: a list of each.
    fn visit_seq<A: SeqAccess<'de>>(self, mut each: A) -> Result<Self::Value, A::Error> {
        let mut seen = Vec::new();
        while let Some(one) = each.next_element()? {
            seen.push(one);
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Memory;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let at = |ms: u64| Timestamp(1_767_693_600_000 + ms);
        let same = vec![(at(0), true, 120), (at(2), true, 118), (at(1), false, 10_000)];
        assert_eq!(written(&same), "1767693600000 120 +2 118 -1 10000!");
        let edge = vec![(Timestamp(u64::MAX), false, u32::MAX), (Timestamp(0), true, 0)];
        for seen in [same, edge, vec![(at(0), true, 1); 500], Vec::new()] {
            assert_eq!(read(&written(&seen)), Some(seen));
        }
    }

    #[test]
    fn what_was_written_before_is_read_too() {
        let old = r#"{"seen":[[1767693600000,true,120],[1767693600002,false,9]],"broken":1}"#;
        let memory: Memory = serde_json::from_str(old).unwrap();
        let seen = vec![(Timestamp(1_767_693_600_000), true, 120), (Timestamp(1_767_693_600_002), false, 9)];
        assert_eq!(memory, Memory { seen, broken: 1, ..Memory::default() });
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(text, r#"{"seen":"1767693600000 120 +2 9!","broken":1}"#);
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for text in ["x", "-1 2", "1 2?", "1 !", "1 +18446744073709551615 2", "1 -2 3", "1 4294967296", "1 +"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
