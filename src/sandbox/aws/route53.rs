//! Route 53 as REST-XML: zones, record sets with paging and escapes, changes.

use super::super::serve::{Answer, answer};
use super::{Call, iso, unknown};
use crate::plan::Timestamp;
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use crate::sim::{CHECKERS, ChangeInfo, HealthCheckFile, Refusal, SetKey, Verb, World, Zone, written};
use crate::xml::{Element, Writer};
use std::collections::BTreeMap;

pub(super) const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Fields of a record set that are kept as they are, in the order in which they are written.
const EXTRA: [&str; 7] = [
    "SetIdentifier",
    "Weight",
    "Region",
    "Failover",
    "MultiValueAnswer",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
];

/// The operation behind a path.
pub(super) fn operation(method: &str, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, parts.get(1..).unwrap_or_default()) {
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["change", _]) => "GetChange",
        ("GET", ["healthcheck", _]) => "GetHealthCheck",
        ("GET", ["healthcheck", _, "status"]) => "GetHealthCheckStatus",
        _ => "",
    }
}

pub(super) fn perform(world: &mut World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    let id = call.path.trim_matches('/').split('/').nth(2).unwrap_or_default().to_owned();
    match call.operation.as_str() {
        "ListHostedZones" => Ok(zones(world, call, "ListHostedZonesResponse")),
        "ListHostedZonesByName" => Ok(zones(world, call, "ListHostedZonesByNameResponse")),
        "GetHostedZone" => Ok(get_zone(world, world.zone(&id)?)),
        "ListResourceRecordSets" => list(world.zone(&id)?, call),
        "ChangeResourceRecordSets" => {
            let (batch, comment) = batch(&call.body)?;
            let info = world.change(&id, &batch, comment, now)?;
            Ok(change_info("ChangeResourceRecordSetsResponse", &info, now))
        }
        "GetChange" => {
            let found = world.changes.iter().find(|c| c.id == id).ok_or_else(|| Refusal {
                status: 404,
                code: "NoSuchChange".into(),
                message: format!("A change with ID '{id}' does not exist."),
            })?;
            Ok(change_info("GetChangeResponse", found, now))
        }
        "GetHealthCheck" => Ok(health_check(&stated(world, &id)?)),
        "GetHealthCheckStatus" => Ok(checkers(&stated(world, &id)?, now)),
        _ => Err(unknown(call)),
    }
}

fn field<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.query.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn document(root: &str, inside: impl FnOnce(&mut Writer)) -> Answer {
    answer(200, "text/xml", Writer::document(root, NAMESPACE, inside))
}

fn change_info(root: &str, info: &ChangeInfo, now: Timestamp) -> Answer {
    document(root, |w| {
        w.element("ChangeInfo", |w| {
            w.text("Id", &format!("/change/{}", info.id));
            w.text("Status", if info.insync <= now { "INSYNC" } else { "PENDING" });
            w.text("SubmittedAt", &iso(info.submitted));
            if let Some(comment) = &info.comment {
                w.text("Comment", comment);
            }
        });
    })
}

fn stated(world: &World, id: &str) -> Result<HealthCheckFile, Refusal> {
    world.health_check(id).ok_or_else(|| Refusal {
        status: 404,
        code: "NoSuchHealthCheck".into(),
        message: format!("A health check with id {id} does not exist."),
    })
}

fn health_check(check: &HealthCheckFile) -> Answer {
    let (scheme, host, port, path) = check.parts();
    document("GetHealthCheckResponse", |w| {
        w.element("HealthCheck", |w| {
            w.text("Id", &check.id).text("CallerReference", &format!("sandbox-{}", check.id));
            w.element("HealthCheckConfig", |w| {
                if let Some(port) = port {
                    w.text("Port", port);
                }
                w.text("Type", &scheme.to_uppercase());
                if !path.is_empty() {
                    w.text("ResourcePath", path);
                }
                w.text("FullyQualifiedDomainName", host).text("RequestInterval", "30");
                w.text("FailureThreshold", "3").text("Inverted", "false").text("Disabled", "false");
            });
            w.text("HealthCheckVersion", "1");
        });
    })
}

fn checkers(check: &HealthCheckFile, now: Timestamp) -> Answer {
    let said = if check.healthy {
        "Success: HTTP Status Code 200, OK"
    } else {
        "Failure: The health checker could not connect: Connection refused."
    };
    document("GetHealthCheckStatusResponse", |w| {
        w.element("HealthCheckObservations", |w| {
            for place in 1..=CHECKERS {
                w.element("HealthCheckObservation", |w| {
                    w.text("Region", "eu-west-1").text("IPAddress", &format!("192.0.2.{place}"));
                    w.element("StatusReport", |w| {
                        w.text("Status", said).text("CheckedTime", &iso(now));
                    });
                });
            }
        });
    })
}

fn write_zone(w: &mut Writer, zone: &Zone) {
    w.element("HostedZone", |w| {
        w.text("Id", &format!("/hostedzone/{}", zone.id)).text("Name", &written(&zone.name));
        w.text("CallerReference", &format!("sandbox-{}", zone.id));
        w.element("Config", |w| {
            w.text("Comment", "").text("PrivateZone", if zone.private { "true" } else { "false" });
        });
        w.text("ResourceRecordSetCount", &zone.newest().len().to_string());
        if !zone.private {
            w.element("Features", |w| {
                w.text("AcceleratedRecoveryStatus", "ENABLED");
            });
        }
    });
}

fn zones(world: &World, call: &Call, root: &str) -> Answer {
    let mut zones: Vec<&Zone> = world.zones.iter().collect();
    let key = |name: &Name| SetKey::new(name, &RecordType(String::new()), "");
    let from = field(call, "dnsname").map(|name| key(&Name::new(name)));
    if root == "ListHostedZonesByNameResponse" {
        zones.sort_by_key(|z| key(&z.name));
        zones.retain(|z| from.as_ref().is_none_or(|from| key(&z.name) >= *from));
    }
    let limit = field(call, "maxitems").and_then(|n| n.parse().ok()).unwrap_or(100usize);
    document(root, |w| {
        w.element("HostedZones", |w| zones.iter().take(limit).for_each(|zone| write_zone(w, zone)));
        if let Some(name) = field(call, "dnsname") {
            w.text("DNSName", &written(&Name::new(name)));
        }
        w.text("IsTruncated", if zones.len() > limit { "true" } else { "false" });
        w.text("MaxItems", &limit.to_string());
    })
}

fn get_zone(world: &World, zone: &Zone) -> Answer {
    document("GetHostedZoneResponse", |w| {
        write_zone(w, zone);
        if zone.private {
            return;
        }
        w.element("DelegationSet", |w| {
            w.element("NameServers", |w| {
                for server in &world.name_servers {
                    w.text("NameServer", server.name.as_str());
                }
            });
        });
    })
}

fn list(zone: &Zone, call: &Call) -> Result<Answer, Refusal> {
    let name = field(call, "name").map(Name::new);
    let (kind, set) = (field(call, "type"), field(call, "identifier"));
    if name.is_none() && kind.is_some() {
        return Err(Refusal::new(
            "InvalidInput",
            "The input is not valid: StartRecordType without StartRecordName",
        ));
    }
    if kind.is_none() && set.is_some() {
        let message = "The input is not valid: StartRecordIdentifier without StartRecordType";
        return Err(Refusal::new("InvalidInput", message));
    }
    let limit = field(call, "maxitems").and_then(|n| n.parse().ok()).unwrap_or(300usize).clamp(1, 300);
    let kind = RecordType(kind.unwrap_or_default().to_owned());
    let from = name.map(|name| SetKey::new(&name, &kind, set.unwrap_or_default()));
    let rest: Vec<&RecordSet> = zone
        .newest()
        .iter()
        .filter(|(key, _)| from.as_ref().is_none_or(|from| *key >= from))
        .map(|(_, record)| record)
        .collect();
    Ok(document("ListResourceRecordSetsResponse", |w| {
        w.element("ResourceRecordSets", |w| rest.iter().take(limit).for_each(|r| write_record(w, r)));
        let next = rest.get(limit);
        w.text("IsTruncated", if next.is_some() { "true" } else { "false" });
        if let Some(next) = next {
            w.text("NextRecordName", &written(&next.name)).text("NextRecordType", &next.kind.0);
            if let Some(set) = next.extra.get("SetIdentifier") {
                w.text("NextRecordIdentifier", set);
            }
        }
        w.text("MaxItems", &limit.to_string());
    }))
}

fn write_record(w: &mut Writer, record: &RecordSet) {
    w.element("ResourceRecordSet", |w| {
        w.text("Name", &written(&record.name)).text("Type", &record.kind.0);
        for key in EXTRA.iter().filter(|key| **key != "HealthCheckId" && **key != "TrafficPolicyInstanceId") {
            if let Some(value) = record.extra.get(*key) {
                w.text(key, value);
            }
        }
        if let Some(ttl) = record.ttl {
            w.text("TTL", &ttl.to_string());
        }
        if !record.values.is_empty() {
            w.element("ResourceRecords", |w| {
                for value in &record.values {
                    w.element("ResourceRecord", |w| {
                        w.text("Value", value);
                    });
                }
            });
        }
        if let Some(alias) = &record.alias {
            w.element("AliasTarget", |w| {
                w.text("HostedZoneId", &alias.zone_id).text("DNSName", &written(&alias.name));
                w.text("EvaluateTargetHealth", if alias.evaluate_health { "true" } else { "false" });
            });
        }
        for key in ["HealthCheckId", "TrafficPolicyInstanceId"] {
            if let Some(value) = record.extra.get(key) {
                w.text(key, value);
            }
        }
    });
}

type Batch = (Vec<(Verb, RecordSet)>, Option<String>);

fn batch(body: &[u8]) -> Result<Batch, Refusal> {
    let malformed = |message: String| Refusal::new("MalformedXML", message);
    let root = Element::parse(&String::from_utf8_lossy(body)).map_err(malformed)?;
    let batch = root.child("ChangeBatch").ok_or_else(|| malformed("there is no ChangeBatch".into()))?;
    let changes = batch.child("Changes").map(|c| c.children.as_slice()).unwrap_or_default();
    if changes.is_empty() {
        return Err(Refusal::new("InvalidInput", "Invalid request: Expected at least one change"));
    }
    let comment = batch.text_of("Comment").filter(|c| !c.is_empty()).map(str::to_owned);
    Ok((changes.iter().map(change).collect::<Result<_, _>>()?, comment))
}

fn change(change: &Element) -> Result<(Verb, RecordSet), Refusal> {
    let invalid = |message: String| Refusal::new("InvalidInput", message);
    let verb = match change.text_of("Action") {
        Some("CREATE") => Verb::Create,
        Some("DELETE") => Verb::Delete,
        Some("UPSERT") => Verb::Upsert,
        other => return Err(invalid(format!("Invalid request: unknown action {}", other.unwrap_or("none")))),
    };
    let set = change.child("ResourceRecordSet").ok_or_else(|| invalid("no ResourceRecordSet".into()))?;
    let text = |name: &str| set.text_of(name).filter(|text| !text.is_empty());
    let name = Name::new(text("Name").unwrap_or_default());
    let kind = RecordType(text("Type").unwrap_or_default().to_owned());
    if set.child("GeoLocation").is_some()
        || set.child("GeoProximityLocation").is_some()
        || set.child("CidrRoutingConfig").is_some()
    {
        return Err(invalid("the sandbox has no geolocation, geoproximity or CIDR routing".into()));
    }
    let values: Vec<String> = set
        .child("ResourceRecords")
        .map(|records| records.children.iter())
        .into_iter()
        .flatten()
        .map(|record| record.text_of("Value").unwrap_or_default().to_owned())
        .collect();
    let alias = set.child("AliasTarget").map(|alias| Alias {
        name: Name::new(alias.text_of("DNSName").unwrap_or_default()),
        zone_id: alias.text_of("HostedZoneId").unwrap_or_default().to_owned(),
        evaluate_health: alias.text_of("EvaluateTargetHealth") == Some("true"),
    });
    let ttl = text("TTL").and_then(|ttl| ttl.parse().ok());
    let extra: BTreeMap<String, String> =
        EXTRA.iter().filter_map(|key| Some(((*key).to_owned(), text(key)?.to_owned()))).collect();
    let plain = ttl.is_some() && !values.is_empty();
    let parts = usize::from(plain) + usize::from(alias.is_some());
    if parts != 1 || (alias.is_some() && (ttl.is_some() || !values.is_empty())) {
        let found = if alias.is_some() { "more than one" } else { "none" };
        return Err(invalid(format!(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
             TrafficPolicyInstanceId], but found {found} in Change with [Action={}, Name={}, Type={}, \
             SetIdentifier={}]",
            verb.word(),
            written(&name),
            kind.0,
            extra.get("SetIdentifier").map_or("null", String::as_str)
        )));
    }
    Ok((verb, RecordSet { name, kind, ttl, values, alias, extra }))
}
