//! Where a record should point, as plans write it.

use super::place::Place;
use crate::plan::{Code, Fields, Target, boolean, duration, list, one_of, target, text};
use crate::port::need::{Account, Leads};
use crate::port::stated::{addresses, describe_addresses, must_be_name};
use serde_json::{Value as Json, json};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::{sync::Arc, time::Duration};

/// Where a record should point.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum To {
    /// An alias to a load balancer, found by its name.
    LoadBalancer {
        name: Arc<str>,
        target: Arc<Target>,
        types: Vec<&'static str>,
        evaluate_health: Option<bool>,
    },
    /// An alias to any name.
    Alias { name: Arc<str>, zone_id: Arc<str>, types: Vec<&'static str>, evaluate_health: Option<bool> },
    /// Another name.
    Cname { name: Arc<str>, ttl: Option<u32> },
    /// Addresses.
    Addresses { four: Vec<Ipv4Addr>, six: Vec<Ipv6Addr>, ttl: Option<u32> },
}

const TYPES: &[(&str, &str)] = &[("A", "A"), ("AAAA", "AAAA")];

impl To {
    /// Reads `to`.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let balancer = fields.optional("load_balancer", text(), "a load balancer, by name");
        let inside = fields.optional("in", target(&["aws"]), "the account and region of the load balancer");
        let alias = fields.optional("alias", text(), "a name to be an alias of");
        let zone_id = fields.optional("zone_id", text(), "the zone of `alias`");
        let types = fields.or("types", list(one_of(TYPES)), vec!["A"], "types of the alias");
        let about =
            "whether an alias answers by its target's health; without it as it is, and a new one does not";
        let evaluate_health = fields.optional("evaluate_target_health", boolean(), about);
        let cname = fields.optional("cname", text(), "another name");
        must_be_name(fields, "cname", cname.as_deref());
        must_be_name(fields, "alias", alias.as_deref());
        let (four, six) = addresses(fields);
        let ttl = fields.optional("ttl", duration(), "of `cname`, `a` and `aaaa`; without it, as it is");
        let ttl = match ttl {
            Some(ttl) => Some(whole_seconds(fields, ttl)?),
            None => None,
        };
        let shapes = ["load_balancer", "alias", "cname"].iter().filter(|key| fields.has(key)).count();
        let addresses = fields.has("a") || fields.has("aaaa");
        if fields.reading() && shapes + usize::from(addresses) != 1 {
            let span = fields.span();
            let message = "exactly one of `load_balancer`, `alias`, `cname` and `a` with `aaaa` is needed";
            fields.problems().error(Code("SW2003"), span, message);
            return None;
        }
        if addresses {
            return Some(Self::Addresses { four: four?, six: six?, ttl });
        }
        match (balancer, alias, cname) {
            (Some(name), None, None) => {
                let target = needs(fields, "in", inside)?;
                Some(Self::LoadBalancer { name, target, types, evaluate_health })
            }
            (None, Some(name), None) => {
                let zone_id = needs(fields, "zone_id", zone_id)?;
                Some(Self::Alias { name, zone_id, types, evaluate_health })
            }
            (None, None, Some(name)) => Some(Self::Cname { name, ttl }),
            _ => None,
        }
    }

    /// Where it leads, without how.
    pub(super) fn leads(&self) -> Leads {
        match self {
            Self::LoadBalancer { name, target, .. } => {
                Leads::Balancer { at: Account::of(target), name: name.to_string() }
            }
            Self::Alias { name, zone_id, .. } => {
                Leads::Alias { name: name.to_string(), zone_id: Some(zone_id.to_string()) }
            }
            Self::Cname { name, .. } => Leads::Cname(name.to_string()),
            Self::Addresses { four, six, .. } => Leads::Addresses { four: four.clone(), six: six.clone() },
        }
    }

    /// For how long resolvers may keep it, in seconds, where the plan says so: an alias has its target's.
    pub(super) fn stated_ttl(&self) -> Option<u32> {
        match self {
            Self::LoadBalancer { .. } | Self::Alias { .. } => None,
            Self::Cname { ttl, .. } | Self::Addresses { ttl, .. } => *ttl,
        }
    }

    /// The sets as the `aws` command takes them.
    pub(super) fn sets_by_hand(&self, record: &str) -> Json {
        let aliases = |types: &[&str], name: &str, zone_id: &str, healthy: &Option<bool>| -> Json {
            let healthy = healthy.map_or(json!("<as it is, or false>"), |healthy| json!(healthy));
            let target = json!({"DNSName": name, "HostedZoneId": zone_id, "EvaluateTargetHealth": healthy});
            types.iter().map(|kind| json!({"Name": record, "Type": kind, "AliasTarget": target})).collect()
        };
        let ttl = |ttl: &Option<u32>| ttl.map_or(json!("<TTL>"), |seconds| json!(seconds));
        let plain = |kind: &str, ttl: Json, values: Vec<String>| {
            let values: Vec<Json> = values.into_iter().map(|value| json!({"Value": value})).collect();
            json!({"Name": record, "Type": kind, "TTL": ttl, "ResourceRecords": values})
        };
        match self {
            Self::LoadBalancer { name, types, evaluate_health, .. } => aliases(
                types,
                &format!("<DNSName of {name}>"),
                "<its CanonicalHostedZoneId>",
                evaluate_health,
            ),
            Self::Alias { name, zone_id, types, evaluate_health } => {
                aliases(types, name, zone_id, evaluate_health)
            }
            Self::Cname { name, ttl: own } => json!([plain("CNAME", ttl(own), vec![name.to_string()])]),
            Self::Addresses { four, six, ttl: own } => {
                let four: Vec<String> = four.iter().map(ToString::to_string).collect();
                let six: Vec<String> = six.iter().map(ToString::to_string).collect();
                let both = [("A", four), ("AAAA", six)].into_iter().filter(|(_, values)| !values.is_empty());
                both.map(|(kind, values)| plain(kind, ttl(own), values)).collect()
            }
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::LoadBalancer { name, types, .. } => {
                format!("{} alias of load balancer {name}", types.join(" and "))
            }
            Self::Alias { name, types, .. } => format!("{} alias of {name}", types.join(" and ")),
            Self::Cname { name, .. } => format!("CNAME {name}"),
            Self::Addresses { four, six, .. } => describe_addresses(four, six),
        }
    }
}

/// Reports a key that another one needs, where it is not there.
pub(super) fn needs<T>(fields: &mut Fields<'_>, key: &str, value: Option<T>) -> Option<T> {
    if value.is_none() && !fields.has(key) {
        let span = fields.span();
        fields.problems().error(Code("SW1004"), span, format!("`{key}` is missing"));
    }
    value
}

/// A TTL as records have it; reads the key `ttl`.
pub(super) fn whole_seconds(fields: &mut Fields<'_>, ttl: Duration) -> Option<u32> {
    let seconds = u32::try_from(ttl.as_secs()).ok().filter(|_| ttl.subsec_nanos() == 0 && !ttl.is_zero());
    if seconds.is_none() {
        let span = fields.span_of("ttl");
        fields.problems().error(Code("SW2006"), span, "a TTL is a whole number of seconds");
    }
    seconds
}

/// Reports what DNS itself does not allow.
pub(super) fn check_apex(fields: &mut Fields<'_>, place: Option<&Place>, to: Option<&To>) {
    if let (Some(place), Some(To::Cname { .. })) = (place, to)
        && place.is_apex()
    {
        let span = fields.span_of("to");
        fields
            .problems()
            .error(Code("SW2006"), span, "a zone's own name cannot be a CNAME")
            .help("use an alias: `to: { alias: …, zone_id: … }` or `to: { load_balancer: …, in: … }`");
    }
}

/// Reports an alias where the zone has none.
pub(super) fn check_aliases(fields: &mut Fields<'_>, place: Option<&Place>, to: Option<&To>) {
    let alias = matches!(to, Some(To::Alias { .. } | To::LoadBalancer { .. }));
    if alias && place.is_some_and(|place| !place.has_aliases()) {
        let span = fields.span_of("to");
        let message = "only Route 53 has aliases, and this zone is on a primary server";
        fields.problems().error(Code("SW2006"), span, message).help("use `cname`, or `a` and `aaaa`");
    }
}
