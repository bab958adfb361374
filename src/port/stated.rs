//! Where a name leads, as plans state it, and whether that is what is listed.

use super::binding::service_binding;
use super::dns::{Name, RecordSet};
use super::need::Leads;
use crate::plan::{Code, Data, Fields, Known, Problems, Shape, Value, boolean, list, nested, text};
use serde_json::{Value as Json, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Where a name leads, as a plan states it: what is there before a step, or what should be there all the time.
#[derive(Clone, Debug, PartialEq)]
pub enum Stated {
    /// Nothing is there.
    Absent,
    /// Another name.
    Cname(Arc<str>),
    /// The name that it is an alias of.
    Alias(Arc<str>),
    /// Addresses.
    Addresses {
        /// IPv4.
        four: Vec<Ipv4Addr>,
        /// IPv6.
        six: Vec<Ipv6Addr>,
    },
}

/// `absent`, or a mapping.
#[derive(Clone, Copy, Debug)]
pub struct StatedShape;

impl Shape for StatedShape {
    type Out = Stated;

    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Stated> {
        if let Data::Text(text) = &value.data
            && &**text == "absent"
        {
            return Some(Stated::Absent);
        }
        nested(Stated::decode).read(value, known, problems)
    }

    fn schema(&self) -> Json {
        json!({"anyOf": [{"enum": ["absent"]}, nested(Stated::decode).schema()]})
    }
}

impl Stated {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Self::decode_or(fields, None)
    }

    /// Reads it from a mapping that may state something else in its place, by a key of whoever reads that: then it is `None`.
    pub fn decode_or(fields: &mut Fields<'_>, other: Option<&str>) -> Option<Self> {
        let absent = fields.or("absent", boolean(), false, "nothing is there");
        let cname = fields.optional("cname", text(), "another name");
        must_be_name(fields, "cname", cname.as_deref());
        let alias = fields.optional("alias", text(), "the name that it is an alias of");
        must_be_name(fields, "alias", alias.as_deref());
        let (four, six) = addresses(fields);
        let listed = fields.has("a") || fields.has("aaaa");
        let shapes = usize::from(absent)
            + usize::from(fields.has("cname"))
            + usize::from(fields.has("alias"))
            + usize::from(listed)
            + usize::from(other.is_some_and(|key| fields.has(key)));
        if fields.reading() && shapes != 1 {
            let span = fields.span();
            let other = other.map(|key| format!("`{key}`, ")).unwrap_or_default();
            let message =
                format!("exactly one of {other}`absent`, `cname`, `alias` and `a` with `aaaa` is needed");
            fields.problems().error(Code("SW2003"), span, message);
            return None;
        }
        match (absent, cname, alias) {
            (true, ..) => Some(Self::Absent),
            (_, Some(name), _) => Some(Self::Cname(name)),
            (_, _, Some(name)) => Some(Self::Alias(name)),
            _ if listed => Some(Self::Addresses { four: four?, six: six? }),
            _ => None,
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn leads(&self) -> Leads {
        match self {
            Self::Absent => Leads::Nowhere,
            Self::Cname(name) => Leads::Cname(name.to_string()),
            Self::Alias(name) => Leads::Alias { name: name.to_string(), zone_id: None },
            Self::Addresses { four, six } => Leads::Addresses { four: four.clone(), six: six.clone() },
        }
    }

    /// Whether it is what is listed; TTLs do not matter.
    #[must_use]
    pub fn holds(&self, listed: &[RecordSet]) -> bool {
        let of = |kind: &str| -> Vec<String> {
            listed.iter().filter(|set| set.kind.0 == kind).flat_map(values).collect()
        };
        let sorted = |mut texts: Vec<String>| {
            texts.sort();
            texts
        };
        match self {
            Self::Absent => listed.is_empty(),
            Self::Cname(name) => {
                listed.len() == 1 && of("CNAME") == [Name::new(name).to_string()] && listed[0].alias.is_none()
            }
            Self::Alias(name) => {
                let leads = |set: &RecordSet| set.alias.as_ref().is_some_and(|a| a.name == Name::new(name));
                !listed.is_empty() && listed.iter().all(leads)
            }
            Self::Addresses { four, six } => {
                let plain = listed.iter().all(|set| set.alias.is_none() && set.kind.0 != "CNAME");
                plain
                    && sorted(of("A")) == sorted(four.iter().map(ToString::to_string).collect())
                    && sorted(of("AAAA")) == sorted(six.iter().map(ToString::to_string).collect())
            }
        }
    }

    /// For people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Absent => "nothing".into(),
            Self::Cname(name) => format!("CNAME {name}"),
            Self::Alias(name) => format!("alias of {name}"),
            Self::Addresses { four, six } => describe_addresses(four, six),
        }
    }
}

/// Addresses, for people.
#[must_use]
pub fn describe_addresses(four: &[Ipv4Addr], six: &[Ipv6Addr]) -> String {
    let four = four.iter().map(|address| format!("A {address}"));
    let six = six.iter().map(|address| format!("AAAA {address}"));
    four.chain(six).collect::<Vec<_>>().join(", ")
}

type Both = (Option<Vec<Ipv4Addr>>, Option<Vec<Ipv6Addr>>);

/// Reads `a` and `aaaa`; what is absent is empty, what is wrong is `None`.
pub fn addresses(fields: &mut Fields<'_>) -> Both {
    let four = fields.optional("a", list(text()), "IPv4 addresses");
    let six = fields.optional("aaaa", list(text()), "IPv6 addresses");
    (parsed(fields, "a", four), parsed(fields, "aaaa", six))
}

fn parsed<T: std::str::FromStr>(
    fields: &mut Fields<'_>,
    key: &str,
    texts: Option<Vec<Arc<str>>>,
) -> Option<Vec<T>> {
    let Some(texts) = texts else { return (!fields.has(key)).then(Vec::new) };
    let span = fields.span_of(key);
    let mut out = Vec::new();
    for text in &texts {
        match text.parse() {
            Ok(address) => out.push(address),
            Err(_) => {
                let message = format!("`{text}` is not an address for `{key}`");
                fields.problems().error(Code("SW2006"), span, message);
                return None;
            }
        }
    }
    if out.is_empty() {
        fields.problems().error(Code("SW2006"), span, format!("`{key}` needs at least one address"));
        return None;
    }
    Some(out)
}

/// What DNS cannot have is no name.
pub fn must_be_name(fields: &mut Fields<'_>, key: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    let (why, help) = if !text.is_ascii() {
        ("DNS has names of other scripts in ASCII", "write it so: `xn--…`")
    } else if text.strip_suffix('.').unwrap_or(text).split('.').any(str::is_empty) {
        ("a part of it is empty", "one dot stands between two parts")
    } else if Name::new(text).labels().any(|label| label.len() > 63) {
        ("a part of it is longer than 63 bytes", "take a shorter name")
    } else {
        return;
    };
    let span = fields.span_of(key);
    fields.problems().error(Code("SW2003"), span, format!("`{text}` is no name: {why}")).help(help);
}

/// Types that say where a name leads. Others may stand beside them, and are left alone.
pub const LEADING: [&str; 3] = ["A", "AAAA", "CNAME"];

/// The type by which browsers learn how a name is spoken to, and maybe where (RFC 9460).
pub const SERVICE: &str = "HTTPS";

/// The sets that say where the name leads, in a fixed order.
#[must_use]
pub fn leading(all: &[RecordSet]) -> Vec<RecordSet> {
    in_order(all.iter().filter(|set| LEADING.contains(&&*set.kind.0)).cloned().collect())
}

/// Sets in a fixed order.
#[must_use]
pub fn in_order(mut sets: Vec<RecordSet>) -> Vec<RecordSet> {
    sets.sort_by(|a, b| {
        (&a.kind, a.extra.get("SetIdentifier")).cmp(&(&b.kind, b.extra.get("SetIdentifier")))
    });
    sets
}

/// The weight of a weighted set.
#[must_use]
pub fn weight(set: &RecordSet) -> Option<u32> {
    set.extra.get("Weight").and_then(|weight| weight.parse().ok())
}

/// The values of a set as authorities present them, sorted.
#[must_use]
pub fn values(set: &RecordSet) -> Vec<String> {
    let canonical = |value: &String| match &*set.kind.0 {
        "CNAME" => Name::new(value).to_string(),
        SERVICE | "SVCB" => service_binding(value),
        _ => value.parse::<IpAddr>().map_or_else(|_| value.clone(), |address| address.to_string()),
    };
    let mut values: Vec<String> = set.values.iter().map(canonical).collect();
    values.sort();
    values
}
