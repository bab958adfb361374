//! The commands with which people do what a step about a record does: `aws` for Route 53, `nsupdate` and `dig` for a zone on a
//! primary server.

use crate::action::{aws, quoted};
use crate::plan::{Target, Value, name_server};
use crate::port::dns::Name;
use serde_json::{Value as Json, json};

/// Where a zone is kept.
pub(super) enum Hand<'t> {
    /// On AWS.
    Route53 {
        /// Its id.
        zone: String,
        /// Who holds it.
        account: &'t Target,
    },
    /// On a primary server, as this target says.
    Primary(&'t Target),
}

impl Hand<'_> {
    /// Lists what is there.
    pub(super) fn list(&self, name: &Name) -> String {
        match self {
            Self::Route53 { zone, account } => {
                let list = format!("--hosted-zone-id {zone} --start-record-name {name}");
                aws(account, &format!("route53 list-resource-record-sets {list} --max-items 5"))
            }
            Self::Primary(target) => {
                let (host, port) = server(target);
                format!("dig @{host} -p {port} -k \"$KEY_FILE\" +norecurse +tcp +noall +answer {name} ANY")
            }
        }
    }

    /// Says how far a change has come.
    pub(super) fn follow(&self, name: &Name) -> String {
        match self {
            Self::Route53 { account, .. } => {
                format!("{}   # until INSYNC", aws(account, "route53 get-change --id <ChangeInfo.Id>"))
            }
            Self::Primary(target) => {
                format!("{}   # until it is there; KEY_FILE has {}", self.list(name), key(target))
            }
        }
    }

    /// One batch that takes some sets away and puts others there, as the `aws` command takes them.
    pub(super) fn swap(&self, name: &Name, gone: &Json, come: &Json) -> String {
        match self {
            Self::Route53 { zone, account } => {
                let changes = |action: &str, sets: &Json| {
                    let sets = sets.as_array().into_iter().flatten();
                    sets.map(|set| json!({"Action": action, "ResourceRecordSet": set})).collect::<Vec<_>>()
                };
                let all = [changes("DELETE", gone), changes("CREATE", come)].concat();
                let batch = quoted(&json!({ "Changes": all }).to_string());
                let change = format!("--hosted-zone-id {zone} --change-batch {batch}");
                aws(account, &format!("route53 change-resource-record-sets {change}"))
            }
            Self::Primary(target) => update(target, name, gone, come),
        }
    }

    /// What to correct where users do not reach the zone.
    pub(super) fn correction(&self, zone: &Name) -> String {
        match self {
            Self::Route53 { .. } => format!(
                "correct the target's `zone_id` (`aws route53 list-hosted-zones-by-name --dns-name {zone}` shows all \
                 zones of that name), or the delegation"
            ),
            Self::Primary(_) => {
                "correct the target's `server`, or the delegation; where resolvers are told to ask \
                                 others, state those as the target's `name_servers`"
                    .into()
            }
        }
    }
}

/// What people call the key: its secret they have.
fn key(target: &Target) -> String {
    let name = target.with.get("key").and_then(|key| key.get("name")).and_then(Value::as_text);
    format!("the key `{}` as `tsig-keygen` prints it", name.map_or("of the zone", |name| &**name))
}

fn server(target: &Target) -> (String, u16) {
    let server = target.says("server").unwrap_or_default();
    let (host, port) = name_server(&server).unwrap_or((&server, 53));
    (host.to_owned(), port)
}

/// An update that requires what it takes away.
fn update(target: &Target, name: &Name, gone: &Json, come: &Json) -> String {
    let (host, port) = server(target);
    let zone = Name::new(&target.says("name").unwrap_or_default());
    let mut lines = vec![format!("server {host} {port}"), format!("zone {zone}.")];
    let sets = |sets: &Json| sets.as_array().cloned().unwrap_or_default();
    let kind = |set: &Json| set["Type"].as_str().unwrap_or("<type>").to_owned();
    for set in &sets(gone) {
        let values = values(set);
        lines.extend(values.iter().map(|value| format!("prereq yxrrset {name}. {} {value}", kind(set))));
    }
    let fresh = |set: &&Json| set.is_object() && !sets(gone).iter().any(|gone| kind(gone) == kind(set));
    if sets(gone).iter().all(Json::is_object) {
        lines.extend(
            sets(come).iter().filter(fresh).map(|set| format!("prereq nxrrset {name}. {}", kind(set))),
        );
    }
    lines.extend(sets(gone).iter().map(|set| format!("update delete {name}. {}", kind(set))));
    for set in &sets(come) {
        let ttl = set["TTL"].as_u64().map_or_else(|| "<TTL>".into(), |ttl| ttl.to_string());
        let values = values(set);
        lines.extend(values.iter().map(|value| format!("update add {name}. {ttl} {} {value}", kind(set))));
    }
    lines.push("send".into());
    let script: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    format!("printf '%s\\n' {} | nsupdate -k \"$KEY_FILE\"", script.join(" "))
}

/// As a zone file has them; names with their dot.
fn values(set: &Json) -> Vec<String> {
    let Some(records) = set["ResourceRecords"].as_array() else { return vec!["<value as listed>".into()] };
    let dot = |value: &str| match set["Type"].as_str() {
        Some("CNAME") => format!("{}.", value.trim_end_matches('.')),
        _ => value.to_owned(),
    };
    records.iter().filter_map(|record| record["Value"].as_str()).map(dot).collect()
}
