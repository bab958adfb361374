//! Where a name must lead before a switch, as plans write it.

use super::sets;
use super::to::needs;
use crate::plan::{Data, Fields, Known, Problems, Shape, Value, nested, target, text};
use crate::port::Reads;
use crate::port::dns::{Name, RecordSet};
use crate::port::need::{Leads, Need};
use crate::port::stated::{Stated, StatedShape};
use crate::run::Fault;
use crate::signal::balancer::{Balancer, Named};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Where a name must lead.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// What must be listed.
    Stated(Stated),
    /// To a load balancer, by alias or CNAME.
    Balancer(Named),
}

/// `absent`, or a mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct OriginShape;

/// The key that names a load balancer.
const BALANCER: &str = "load_balancer";
/// Before the DNS name of a load balancer: the same one, in IPv6 too. Consoles write it in aliases.
const DUAL: &str = "dualstack.";

impl Shape for OriginShape {
    type Out = Origin;

    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Origin> {
        match &value.data {
            Data::Text(_) => StatedShape.read(value, known, problems).map(Origin::Stated),
            _ => nested(Origin::decode).read(value, known, problems),
        }
    }

    fn schema(&self) -> Json {
        json!({"anyOf": [{"enum": ["absent"]}, nested(Origin::decode).schema()]})
    }
}

impl Origin {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let about = "a load balancer, by name, that it is an alias of or a CNAME to: for how long clients stay connected to it is told \
                     then, and there is a way back only while one of its targets is healthy";
        let balancer = fields.optional(BALANCER, text(), about);
        let inside = fields.optional("in", target(&["aws"]), "the account and region of the load balancer");
        let stated = Stated::decode_or(fields, Some(BALANCER));
        if fields.has(BALANCER) {
            let target = needs(fields, "in", inside)?;
            return Some(Self::Balancer(Named::new(balancer?, target)));
        }
        stated.map(Self::Stated)
    }

    /// Where it leads.
    pub(super) fn leads(&self) -> Leads {
        match self {
            Self::Stated(stated) => stated.leads(),
            Self::Balancer(named) => named.leads(),
        }
    }

    /// What must be there beside the record.
    pub(super) fn need(&self) -> Option<Need> {
        match self {
            Self::Stated(_) => None,
            Self::Balancer(named) => Some(named.need(true)),
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Stated(stated) => stated.describe(),
            Self::Balancer(named) => format!("load balancer {}", named.name()),
        }
    }

    /// Refuses a name that leads elsewhere. The load balancer that it leads to, if it must lead to one.
    pub(super) async fn must_hold(
        &self,
        reads: &Reads<'_>,
        name: &Name,
        listed: &[RecordSet],
    ) -> Result<Option<Balancer>, Fault> {
        let foreign = |wanted: &str| {
            let is = sets::describe(listed);
            Fault::foreign(format!("{name} is {is}; the plan says it must be {wanted} before the switch"))
        };
        match self {
            Self::Stated(stated) if stated.holds(listed) => Ok(None),
            Self::Stated(stated) => Err(foreign(&stated.describe())),
            Self::Balancer(named) => {
                let found = named.find(reads).await?;
                if lead_to(listed, found.dns_name()) {
                    return Ok(Some(found));
                }
                let (load_balancer, host) = (found.name(), found.dns_name());
                Err(foreign(&format!(
                    "an alias of load balancer {load_balancer}, or a CNAME to it ({host}),"
                )))
            }
        }
    }
}

/// Whether all of these lead to this host.
fn lead_to(listed: &[RecordSet], host: &str) -> bool {
    let bare = |name: &Name| Name::new(name.as_str().strip_prefix(DUAL).unwrap_or(name.as_str()));
    let host = bare(&Name::new(host));
    let leads = |set: &RecordSet| match (&set.alias, &set.values[..]) {
        (Some(alias), _) => bare(&alias.name) == host,
        (None, [only]) => set.kind.0 == "CNAME" && bare(&Name::new(only)) == host,
        _ => false,
    };
    !listed.is_empty() && listed.iter().all(leads)
}

/// For whoever reads a preview of a switch that leads away from these: it could be a load balancer, and the plan does not say.
pub(super) fn unstated(gone: &[RecordSet]) -> Option<Arc<str>> {
    let leads = |set: &RecordSet| set.alias.is_some() || set.kind.0 == "CNAME";
    let note = "for how long clients keep connections to the old side is not known: where that is a load balancer, \
                `from: { load_balancer: …, in: … }` tells it";
    gone.iter().any(leads).then(|| note.into())
}
