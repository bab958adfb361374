//! The quantities of a world file: a scale of time and a span.

use crate::plan::{format_duration, parse_duration};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// `60x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(pub u32);

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}x", self.0))
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let scale = text.strip_suffix('x').and_then(|n| n.parse().ok()).filter(|n| (1..=10_000).contains(n));
        scale.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a scale of time; write `60x`, from 1x to 10000x"
            ))
        })
    }
}

/// A span as plans write it, or `0s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Words for people leave out what is less than a second.
        if self.0.subsec_millis() == 0 {
            return to.serialize_str(&format_duration(self.0));
        }
        to.collect_str(&format_args!("{}ms", self.0.as_millis()))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "0s" {
            return Ok(Self(Duration::ZERO));
        }
        parse_duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}
