//! Named connections of a plan. What a kind of target asks for is read by `doc`; how it is reached, an adapter knows.

use super::{Data, Value};
use std::sync::Arc;

/// A named connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: Arc<str>,
    /// `aws`, `route53`, `rfc2136`, `prometheus`.
    pub kind: Arc<str>,
    /// What the plan says of it.
    pub with: Value,
}

/// What tells two targets of a kind apart: plans may call the same place differently.
const PLACES: &[(&str, &[&str])] = &[
    ("aws", &["account", "region"]),
    ("route53", &["zone_id"]),
    // Its server has many names, and one zone.
    ("rfc2136", &["name"]),
    ("prometheus", &["url"]),
];

/// Where name servers answer.
const DNS: u16 = 53;

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

    /// The texts that it lists under a field; none where it says nothing.
    pub fn lists(&self, field: &str) -> impl Iterator<Item = &str> {
        let items = match self.with.get(field).map(|value| &value.data) {
            Some(Data::List(items)) => &items[..],
            _ => &[],
        };
        items.iter().filter_map(Value::as_text).map(|text| &**text)
    }

    /// Whether it can be reached only by who has the plan's secrets.
    #[must_use]
    pub fn names_secrets(&self) -> bool {
        fn open(value: &Value) -> bool {
            match &value.data {
                Data::Text(text) => text.contains("${{"),
                Data::List(items) => items.iter().any(open),
                Data::Map(entries) => entries.iter().any(|(_, value)| open(value)),
                _ => false,
            }
        }
        open(&self.with)
    }

    /// All that the plan says of where it leads, for people, field by field in the plan's order; whatever comes from a secret is
    /// only named.
    pub fn fields(&self) -> impl Iterator<Item = (&str, String)> {
        let told = |field: &str| {
            let all: Vec<&str> = self.lists(field).collect();
            self.says(field).or_else(|| (!all.is_empty()).then(|| all.join(" ")))
        };
        self.with.entries().iter().filter_map(move |(key, _)| Some((&*key.name, told(&key.name)?)))
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

/// Host and port of a name server: `ns1.example.com`, `192.0.2.1:5353`, `[2001:db8::1]:53`; port 53 unless stated.
#[must_use]
pub fn name_server(text: &str) -> Option<(&str, u16)> {
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, DNS),
        Some((host, rest)) => (host, port(rest.strip_prefix(':')?)?),
        None => match text.split_once(':') {
            // An address with many colons has no port behind it.
            Some((_, rest)) if rest.contains(':') => (text, DNS),
            Some((host, rest)) => (host, port(rest)?),
            None => (text, DNS),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_a_host_and_maybe_a_port() {
        for (text, found) in [
            ("ns1.example.com", Some(("ns1.example.com", 53))),
            ("192.0.2.1:5353", Some(("192.0.2.1", 5353))),
            ("2001:db8::1", Some(("2001:db8::1", 53))),
            ("[2001:db8::1]", Some(("2001:db8::1", 53))),
            ("[2001:db8::1]:54", Some(("2001:db8::1", 54))),
            ("", None),
            (":53", None),
            ("ns1:0", None),
            ("ns1:99999", None),
            ("ns1:dns", None),
            ("ns 1", None),
            ("https://ns1", None),
        ] {
            assert_eq!(name_server(text), found, "{text}");
        }
    }
}
