//! What a step needs to be there, in our words: what a world must have that a plan can be rehearsed in.
//!
//! A step tells its needs from what the plan says alone; nothing is asked. Not here: what a world is made of (`sim`).

mod answer;

pub use answer::{Answer, Wanted, answer};

use super::attribute::{Attributes, Owner};
use super::dns::Name;
use crate::plan::{Scope, StepIx, Target, Template};
use serde_json::{Map, Value as Json};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Stands for any text: what nobody knows before the run.
pub const ANY: &str = "*";

/// Who needs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asker {
    /// A step.
    Step(StepIx),
    /// A guard, by its place in the plan.
    Guard(usize),
}

/// Something that must be there.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// A name of a zone that users reach.
    Record {
        /// The zone's target.
        zone: Zone,
        /// The whole name.
        name: Name,
        /// Where it leads before the step, as far as the plan says.
        from: Option<Leads>,
        /// Where the step leads it; nowhere else if it only lowers its TTL.
        to: Option<Leads>,
        /// The TTL that it should get.
        ttl: Option<u32>,
        /// The set that is led there, if the name has several.
        set: Option<String>,
    },
    /// A name of a zone that has weighted sets.
    Weighted {
        /// The zone's target.
        zone: Zone,
        /// The whole name.
        name: Name,
        /// Its sets. Users come from the first, and go to the last.
        sets: Vec<String>,
    },
    /// A load balancer by its name.
    Balancer {
        /// Where.
        at: Account,
        /// Its name.
        name: String,
        /// Users leave it: it is watched until it is idle, or a switch leads them away.
        left: bool,
    },
    /// A rule of a load balancer that deals requests among target groups.
    Rule {
        /// Where.
        at: Account,
        /// The name of its load balancer.
        balancer: String,
        /// `None`: the default of the listener.
        priority: Option<u32>,
        /// The target group that gets more and more of them.
        group: String,
        /// As many of its targets must be healthy.
        tasks: u32,
    },
    /// A load balancer or a target group whose attributes are set.
    Attributes {
        /// Where.
        at: Account,
        /// Which of the two.
        owner: Owner,
        /// Its name.
        name: String,
        /// What they are set to.
        to: Attributes,
    },
    /// A service.
    Service {
        /// Where.
        at: Account,
        /// Its cluster.
        cluster: String,
        /// Its name.
        name: String,
        /// What it is set to.
        runs: Runs,
        /// As many tasks must be healthy.
        tasks: u32,
    },
    /// A service that is scaled, and whose bounds are set.
    Scaling {
        /// Where.
        at: Account,
        /// Its cluster.
        cluster: String,
        /// Its name.
        name: String,
        /// What its minimum is set to, as far as the plan says.
        least: Option<u32>,
        /// What its maximum is set to, if it is.
        most: Option<u32>,
    },
    /// A task definition that is run once.
    Definition {
        /// Where.
        at: Account,
        /// The cluster that it runs in.
        cluster: String,
        /// Family, `family:revision` or ARN.
        name: String,
        /// The container that counts, where it is named.
        container: Option<String>,
        /// In place of its own command.
        command: Vec<String>,
    },
    /// A program that answers a request so that the step is content.
    Answer {
        /// `GET`.
        method: String,
        /// The whole URL; [`ANY`] in it stands for any text.
        url: String,
        /// Where it is sent, in place of the URL's host.
        connect_to: Option<String>,
        /// What the answer should be like.
        wanted: Wanted,
    },
    /// A command of the plan's own. Those of one step are about one thing.
    Command {
        /// What it is for.
        role: Role,
        /// Program and arguments, with holes as the plan writes them.
        argv: Vec<String>,
    },
    /// A query that comes to one number.
    Query {
        /// In the words of whoever answers it.
        text: String,
        /// What it comes to where all is well; `None`: no number was found.
        good: Option<f64>,
        /// What it comes to while users are failed, if that should be seen by it.
        bad: Option<f64>,
    },
    /// A metric, or a formula over several.
    Metric {
        /// Where.
        at: Account,
        /// As [`super::Metric`] writes itself, or the formula.
        name: String,
        /// What it is where all is well; `None`: no number was found.
        good: Option<f64>,
        /// What it is while users are failed, if that should be seen by it.
        bad: Option<f64>,
    },
    /// An alarm on metrics.
    Alarm {
        /// Where.
        at: Account,
        /// Its name.
        name: String,
        /// That there is none is as good as one that is fine.
        may_be_missing: bool,
    },
    /// Lines of a log group.
    Lines {
        /// Where.
        at: Account,
        /// The log group.
        group: String,
        /// What they match.
        pattern: String,
        /// How many there are a minute where all is well; `None`: no number was found.
        good: Option<f64>,
        /// How many there are while users are failed, if that should be seen by it.
        bad: Option<f64>,
    },
    /// A command that tells how things stand, and changes nothing.
    Watch {
        /// Program and arguments, with holes as the plan writes them.
        argv: Vec<String>,
        /// What it tells where all is well.
        good: Told,
        /// What it tells while users are failed, if that should be seen by it.
        bad: Option<Told>,
    },
    /// A file that stands for a flag: it is not there unless somebody makes it.
    Flag {
        /// Its path, as the plan writes it.
        file: String,
    },
    /// A parameter that stands for a flag.
    Parameter {
        /// Where.
        at: Account,
        /// Its name.
        name: String,
        /// What it says while nobody has raised it; `None`: no such text was found.
        lowered: Option<String>,
        /// What it says once somebody has; `None`: no such text was found.
        raised: Option<String>,
    },
    /// What cannot be told from the plan.
    Opaque {
        /// Why, for people.
        why: String,
    },
}

/// An account and region.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The plan's name for it.
    pub target: String,
    /// Twelve digits.
    pub account: String,
    /// `eu-west-1`.
    pub region: String,
}

impl Account {
    /// What a target of kind `aws` says.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let says = |field| target.says(field).unwrap_or_default();
        Self { target: target.name.to_string(), account: says("account"), region: says("region") }
    }
}

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The plan's name for it.
    pub target: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Name,
}

impl Zone {
    /// What a target of kind `route53` or `rfc2136` says. On a primary server a zone has no id but its name.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let says = |field| target.says(field).unwrap_or_default();
        let (id, name) = (says("zone_id"), Name::new(&says("name")));
        let id = if id.is_empty() { name.as_str() } else { id.trim_start_matches("/hostedzone/") };
        Self { target: target.name.to_string(), id: id.to_owned(), name }
    }
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// There is no record.
    Nowhere,
    /// By a CNAME.
    Cname(String),
    /// By an alias to a name.
    Alias {
        /// The name.
        name: String,
        /// The zone that it is in, as far as the plan says.
        zone_id: Option<String>,
    },
    /// By an alias to a load balancer.
    Balancer {
        /// Where.
        at: Account,
        /// Its name.
        name: String,
    },
    /// To addresses.
    Addresses {
        /// IPv4.
        four: Vec<Ipv4Addr>,
        /// IPv6.
        six: Vec<Ipv6Addr>,
    },
}

/// What a service is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Images by container.
    Images(Vec<(String, String)>),
    /// A task definition: family, `family:revision` or ARN.
    Definition(String),
    /// As it is: it is only looked at.
    AsItIs,
}

/// What a command tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its exit code.
    pub code: i32,
    /// What it says.
    pub stdout: String,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Says what is there, before anything is changed.
    Prior,
    /// Does it.
    Run,
    /// Says how it stands: 0 as done, 10 as before.
    Check,
    /// Puts back what was there.
    Undo,
    /// Says how it stands for the way back: 0 as before, 10 as done.
    CheckUndone,
    /// Only looks, or only tells.
    Reads,
}

impl Need {
    /// The same of an action that is done on the way back.
    #[must_use]
    pub fn backwards(self) -> Self {
        match self {
            Self::Command { role, argv } => {
                let role = match role {
                    Role::Run => Role::Undo,
                    Role::Undo => Role::Run,
                    Role::Check => Role::CheckUndone,
                    Role::CheckUndone => Role::Check,
                    same @ (Role::Prior | Role::Reads) => same,
                };
                Self::Command { role, argv }
            }
            other => other,
        }
    }
}

/// A text of the plan as far as it is known before the run; the rest is [`ANY`].
#[must_use]
pub fn known_text(text: &Template) -> String {
    if let Some(fixed) = text.as_fixed() {
        return fixed.to_owned();
    }
    let (mut scope, mut steps) = (Scope::default(), Map::new());
    for path in text.names() {
        let [root, fields @ ..] = &path[..] else { continue };
        let root = match root.as_str() {
            "secrets" => &mut scope.secrets,
            "steps" => &mut steps,
            "captures" => &mut scope.captures,
            "run" => &mut scope.run,
            _ => continue,
        };
        put_any(root, fields);
    }
    scope.steps = steps.into_iter().map(|(id, step)| (id.into(), step.into())).collect();
    // An expression may do more with it than a text bears.
    text.render(&scope).unwrap_or_else(|_| ANY.to_owned())
}

fn put_any(here: &mut Map<String, Json>, path: &[String]) {
    let Some((field, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        here.entry(field.clone()).or_insert_with(|| ANY.into());
        return;
    }
    let inner = here.entry(field.clone()).or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(inner) = inner {
        put_any(inner, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_run_knows_is_any_text() {
        let text = |source: &str| known_text(&Template::parse(source, &std::sync::Arc::default()).unwrap());
        assert_eq!(text("/plain"), "/plain");
        assert_eq!(text("/api/${{ captures.scan }}/x?k=${{ secrets.key }}"), "/api/*/x?k=*");
        assert_eq!(text("${{ steps.old-side.out.json.image }}"), "*");
        assert_eq!(text("${{ steps.a.out.n + 1 }}"), "*");
    }
}
