//! Named connections of a plan. What a kind of target asks for is read by `doc`; how it is reached, an adapter knows.

use super::{Data, Value};
use std::sync::Arc;

/// A named connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: Arc<str>,
    /// `aws`, `route53`, `prometheus`.
    pub kind: Arc<str>,
    /// What the plan says of it.
    pub with: Value,
}

/// What tells two targets of a kind apart: plans may call the same place differently.
const PLACES: &[(&str, &[&str])] =
    &[("aws", &["account", "region"]), ("route53", &["zone_id"]), ("prometheus", &["url"])];

impl Target {
    /// What it says of a field; `None` where it says nothing.
    #[must_use]
    pub fn says(&self, field: &str) -> Option<String> {
        match &self.with.get(field)?.data {
            Data::Text(text) => Some(text.to_string()),
            // An account without quotes is a number, and has lost its zeros.
            Data::Integer(number) if field == "account" => Some(format!("{number:012}")),
            _ => None,
        }
    }

    /// Where it leads, whatever a plan calls it.
    #[must_use]
    pub fn place(&self) -> String {
        let fields =
            PLACES.iter().find(|(kind, _)| *kind == &*self.kind).map_or(&[][..], |(_, fields)| fields);
        let told: Vec<String> = fields.iter().filter_map(|field| self.says(field)).collect();
        if told.is_empty() { self.name.to_string() } else { told.join("/") }
    }
}
