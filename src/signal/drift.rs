//! `dns.drift`: a name that leads elsewhere than it should, by what its zone lists.
//!
//! For records that no step writes, such as the name that a CNAME of ours leads to: what a step wrote is watched anyhow, and a
//! change of it pauses the run. Two calls every 30s; a listing is whole and of this moment, so one look is one sample. TTLs and
//! other types beside A, AAAA and CNAME count for nothing. A zone that cannot be listed is no evidence.

use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Fields, Target, Timestamp, target, text};
use crate::port::Reads;
use crate::port::dns::{Name, RecordSet};
use crate::port::need::{Need, Zone};
use crate::port::stated::{Stated, StatedShape, leading, must_be_name};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// A name, and where it should lead.
#[derive(Clone, Debug)]
pub(super) struct Drift {
    target: Arc<Target>,
    record: Arc<str>,
    is: Stated,
}

#[async_trait::async_trait]
impl Signal for Drift {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["route53", "rfc2136"]), "the zone");
        let record =
            fields.required("record", text(), "a name in the zone: `app`, or `@` for the zone's own");
        must_be_name(fields, "record", record.as_deref().filter(|record| *record != "@"));
        let is = fields.required("is", StatedShape, "where it should lead, or `absent`");
        Some(Self { target: target?, record: record?, is: is? })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s, and of this moment: GetHostedZone and ListResourceRecordSets, or a few questions to the \
         primary server. One look is one sample, and enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        let zone = Zone::of(&self.target);
        let name = Name::within(&self.record, &zone.name);
        vec![Need::Record { zone, name, from: Some(self.is.leads()), to: None, ttl: None, set: None }]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let dns = reads.world.dns(&self.target.name)?;
        let name = Name::within(&self.record, &dns.zone().await?.name);
        Ok(measured(&name, &self.is, &leading(&dns.record_sets(&name).await?)))
    }
}

fn measured(name: &Name, is: &Stated, listed: &[RecordSet]) -> Measured {
    let holds = is.holds(listed);
    let found = match listed {
        [] => "nothing".to_owned(),
        sets => sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let text = if holds {
        format!("{name} is {found}")
    } else {
        format!("{name} is {found}, and not {}", is.describe())
    };
    Measured {
        value: Some(if holds { 0.0 } else { 1.0 }),
        named: [("samples", 1.0)].into(),
        samples: 1,
        text,
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::dns::{Alias, RecordType};

    fn set(kind: &str, values: &[&str]) -> RecordSet {
        RecordSet {
            name: Name::new("www.example.com"),
            kind: RecordType(kind.into()),
            ttl: Some(300),
            values: values.iter().map(ToString::to_string).collect(),
            alias: None,
            extra: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_has_drifted() {
        let alias =
            Alias { name: Name::new("lb.example.net"), zone_id: "ZLB".into(), evaluate_health: false };
        let aliased = RecordSet { ttl: None, alias: Some(alias), ..set("A", &[]) };
        let addresses = Stated::Addresses {
            four: vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()],
            six: vec!["2001:db8::1".parse().unwrap()],
        };
        let six = set("AAAA", &["2001:0db8:0::1"]);
        for (is, listed, drifted) in [
            (Stated::Cname("App.Example.com.".into()), vec![set("CNAME", &["app.example.com"])], 0.0),
            (Stated::Cname("app.example.com".into()), vec![set("CNAME", &["other.example.com"])], 1.0),
            (Stated::Cname("app.example.com".into()), vec![], 1.0),
            (Stated::Alias("lb.example.net.".into()), vec![aliased.clone()], 0.0),
            (Stated::Alias("lb.example.net".into()), vec![set("A", &["192.0.2.1"])], 1.0),
            (addresses.clone(), vec![set("A", &["192.0.2.2", "192.0.2.1"]), six], 0.0),
            (addresses, vec![set("A", &["192.0.2.2", "192.0.2.1"])], 1.0),
            (Stated::Absent, vec![], 0.0),
            (Stated::Absent, vec![aliased], 1.0),
        ] {
            let found = measured(&Name::new("www.example.com"), &is, &listed);
            assert_eq!((found.value, found.samples), (Some(drifted), 1), "{is:?} {listed:?}");
        }
    }

    #[test]
    fn what_is_there_and_what_should_be_are_told() {
        let name = Name::new("www.example.com");
        let is = Stated::Cname("app.example.com".into());
        let told = |listed: &[RecordSet]| measured(&name, &is, listed).text;
        assert_eq!(
            told(&[set("CNAME", &["app.example.com"])]),
            "www.example.com is CNAME app.example.com (TTL 300)"
        );
        assert_eq!(told(&[]), "www.example.com is nothing, and not CNAME app.example.com");
    }
}
