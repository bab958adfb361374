//! `alb.attribute`: how long clients may keep a connection to a load balancer, how long it may be idle, and how long a target
//! that leaves its group is waited for.
//!
//! Which attributes there are is listed, with their units and bounds. An attribute by any name would take a text: whether
//! `60` were seconds nobody could say before AWS refused it, and who writes `deletion_protection.enabled` in a plan of a
//! switch should say it elsewhere.
//!
//! It owns the attributes that the plan states, and sends only those that differ. The call takes no condition: the
//! attributes are read before and after it, and it is sent within the deadline of its intent, or not at all.

use crate::action::standing::Standing;
use crate::action::wait::Nothing;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward, aws, quoted};
use crate::plan::{Code, Fields, Scope, StepTraits, Target, duration, format_duration, target, text};
use crate::port::need::{Account, Need};
use crate::port::{Attribute, Attributes, Owner, ReadTraffic, Reads, Writes};
use crate::run::{Change, Fault};
use crate::signal::balancer::load_balancer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::{sync::Arc, time::Duration};

/// Sets attributes.
#[derive(Debug)]
pub(in crate::action) struct SetAttributes {
    target: Arc<Target>,
    owner: Owner,
    name: Arc<str>,
    to: Attributes,
}

/// What is changed, and what the undo restores.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// Of what has them.
    arn: String,
    /// Those that the plan states, as they were.
    before: Attributes,
}

/// How long a change may take to be told.
const ARRIVES: Duration = Duration::from_secs(60);

/// What only one run may write at once, and what switches go by.
pub(in crate::action) fn resource(target: &Target, attribute: Attribute, name: &str) -> String {
    format!("alb-attribute:{}/{}/{name}/{attribute}", target.place(), attribute.owner().word())
}

#[async_trait::async_trait]
impl Action for SetAttributes {
    type Prior = Prior;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "the account and region");
        let balancer = fields.optional("load_balancer", text(), "the load balancer, by name");
        let about = "in place of `load_balancer`: the target group, by name";
        let group = fields.optional("target_group", text(), about);
        let (mut to, mut sound) = (Attributes::new(), true);
        for attribute in Attribute::ALL {
            let about = match attribute {
                Attribute::ClientKeepAlive => "for how long clients may keep a connection: `1m` to `7d`",
                Attribute::IdleTimeout => "how long a connection may be idle: `1s` to `4000s`",
                Attribute::DeregistrationDelay => {
                    "of a target group: how long a target that leaves is waited for, up to `1h`"
                }
            };
            match fields.optional(attribute.word(), duration(), about) {
                Some(value) if is_taken(fields, attribute, value) => drop(to.insert(attribute, value)),
                Some(_) => sound = false,
                None => sound &= !fields.has(attribute.word()),
            }
        }
        let (owner, name) = one_owner(fields, balancer, group)?;
        let fits = sound && fit(fields, owner, &to);
        fits.then_some(())?;
        Some(Self { target: target?, owner, name, to })
    }

    fn traits(&self) -> StepTraits {
        let resources = self.to.keys().map(|attribute| resource(&self.target, *attribute, &self.name));
        StepTraits { writes: true, has_undo: true, resources: resources.collect(), ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let noted = |attribute: &Attribute| format!("Key={},Value=<as noted>", attribute.key());
        let undo: Vec<String> = self.to.keys().map(noted).collect();
        let look = self.command("describe", "<that ARN>");
        let told: Vec<String> = self
            .to
            .iter()
            .map(|(attribute, value)| format!("{attribute} {}", format_duration(*value)))
            .collect();
        ByHand {
            what: format!("{}: {}", self.named(), told.join(", ")),
            apply: vec![
                self.find_by_hand(),
                format!("{look}   # keep this: the undo needs it"),
                self.set_by_hand("<that ARN>", &pairs(&self.to)),
            ],
            expect: format!("the same values: {look}"),
            undo: vec![self.set_by_hand("<that ARN>", &undo.join(" "))],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        vec![self.set_by_hand(&prior.arn, &pairs(&different(&prior.before, &self.to)))]
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Attributes {
            at: Account::of(&self.target),
            owner: self.owner,
            name: self.name.to_string(),
            to: self.to.clone(),
        }]
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let traffic = reads.world.traffic(&self.target.name)?;
        let arn = self.find(&*traffic).await?;
        let before = self.now(&*traffic, &arn).await?;
        if let Some(missing) = self.to.keys().find(|attribute| !before.contains_key(attribute)) {
            return Err(Fault::permanent(format!(
                "{} tells of no {missing}, so nobody could put it back: is it of another type?",
                self.named()
            )));
        }
        let changes: Vec<Change> =
            different(&self.to, &before).keys().map(|attribute| self.change(*attribute, &before)).collect();
        let stages = u32::from(!changes.is_empty());
        let prior = Prior { arn, before };
        Ok(Planned { prior, stages, within: ARRIVES, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Nothing>, Fault> {
        let traffic = writes.world.traffic(&self.target.name)?;
        let now = self.now(&*traffic, &prior.arn).await?;
        if !self.standing(prior, &now).to_set(|| self.foreign(prior, &now))? {
            return Ok(None);
        }
        self.set(writes, prior, &different(&self.to, &now)).await
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Nothing>, Fault> {
        let traffic = reads.world.traffic(&self.target.name)?;
        let prior = &record.prior;
        let now = self.now(&*traffic, &prior.arn).await?;
        self.standing(prior, &now).seen(toward, || self.out(prior), || self.foreign(prior, &now))
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Nothing>, Fault> {
        let traffic = writes.world.traffic(&self.target.name)?;
        let prior = &record.prior;
        let now = self.now(&*traffic, &prior.arn).await?;
        if !self.standing(prior, &now).to_restore(|| self.foreign(prior, &now))? {
            return Ok(None);
        }
        self.set(writes, prior, &different(&prior.before, &now)).await
    }
}

impl SetAttributes {
    /// For people.
    fn named(&self) -> String {
        format!("{} {}", self.owner, self.name)
    }

    async fn find(&self, traffic: &dyn ReadTraffic) -> Result<String, Fault> {
        let (name, target) = (&self.name, &self.target.name);
        match self.owner {
            Owner::LoadBalancer => Ok(load_balancer(traffic, target, name).await?.arn),
            Owner::TargetGroup => traffic.target_group(name).await?.ok_or_else(|| {
                Fault::permanent(format!("there is no target group `{name}` in target `{target}`"))
            }),
        }
    }

    /// Those that the plan states, as they are now.
    async fn now(&self, traffic: &dyn ReadTraffic, arn: &str) -> Result<Attributes, Fault> {
        let gone = || Fault::foreign(format!("{} is gone: somebody deleted it", self.named()));
        let mut found = traffic.attributes(self.owner, arn).await?.ok_or_else(gone)?;
        found.retain(|attribute, _| self.to.contains_key(attribute));
        Ok(found)
    }

    fn standing(&self, prior: &Prior, now: &Attributes) -> Standing {
        Standing::of(now, &prior.before, &self.to)
    }

    async fn set(
        &self,
        writes: &Writes<'_>,
        prior: &Prior,
        wanted: &Attributes,
    ) -> Result<Option<Nothing>, Fault> {
        writes.in_time()?;
        let changing = writes.traffic(&self.target.name)?;
        changing.set_attributes(self.owner, &prior.arn, wanted).await?;
        Ok(None)
    }

    /// What people see of it. Who is connected keeps the time that was theirs.
    fn change(&self, attribute: Attribute, before: &Attributes) -> Change {
        let (from, to) = (before[&attribute], self.to[&attribute]);
        let stays = match attribute {
            Attribute::ClientKeepAlive if to < from => {
                format!("; connections that are open may last {} all the same", format_duration(from))
            }
            _ => String::new(),
        };
        Change {
            what: format!("{attribute} of {}", self.named()).into(),
            from: format_duration(from).into(),
            to: format!("{}{stays}", format_duration(to)).into(),
        }
    }

    /// In seconds.
    fn out(&self, prior: &Prior) -> Json {
        let seconds = |all: &Attributes| -> Map<String, Json> {
            all.iter()
                .map(|(attribute, value)| (attribute.word().to_owned(), value.as_secs().into()))
                .collect()
        };
        json!({"now": seconds(&self.to), "before": seconds(&prior.before)})
    }

    fn foreign(&self, prior: &Prior, now: &Attributes) -> Fault {
        let told = |all: &Attributes| {
            let each = |attribute: &Attribute| match all.get(attribute) {
                Some(value) => format!("{attribute} {}", format_duration(*value)),
                None => format!("no {attribute}"),
            };
            self.to.keys().map(each).collect::<Vec<_>>().join(", ")
        };
        Fault::foreign(format!(
            "{} has {}, which is neither what this step sets ({}) nor what was recorded ({}): somebody else changed it",
            self.named(),
            told(now),
            told(&self.to),
            told(&prior.before)
        ))
    }

    /// `describe` or `modify`.
    fn command(&self, verb: &str, arn: &str) -> String {
        let thing = self.owner.word().replace('_', "-");
        aws(&self.target, &format!("elbv2 {verb}-{thing}-attributes --{thing}-arn {arn}"))
    }

    fn set_by_hand(&self, arn: &str, pairs: &str) -> String {
        self.command("modify", &format!("{arn} --attributes {pairs}"))
    }

    fn find_by_hand(&self) -> String {
        let (thing, field) = match self.owner {
            Owner::LoadBalancer => ("load-balancers", "'LoadBalancers[0].LoadBalancerArn'"),
            Owner::TargetGroup => ("target-groups", "'TargetGroups[0].TargetGroupArn'"),
        };
        let name = quoted(&self.name);
        aws(&self.target, &format!("elbv2 describe-{thing} --names {name} --query {field}"))
    }
}

/// Those of the first that are otherwise in the second.
fn different(wanted: &Attributes, there: &Attributes) -> Attributes {
    let other = |(attribute, value): &(&Attribute, &Duration)| there.get(attribute) != Some(value);
    wanted.iter().filter(other).map(|(attribute, value)| (*attribute, *value)).collect()
}

/// As the command line takes them.
fn pairs(all: &Attributes) -> String {
    let one = |(attribute, value): (&Attribute, &Duration)| {
        format!("Key={},Value={}", attribute.key(), value.as_secs())
    };
    all.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Reports what AWS would refuse.
fn is_taken(fields: &mut Fields<'_>, attribute: Attribute, value: Duration) -> bool {
    if attribute.takes(value) {
        return true;
    }
    let (least, most) = attribute.bounds();
    let span = fields.span_of(attribute.word());
    let from = format_duration(least.max(Duration::from_secs(1)));
    let message =
        format!("`{attribute}` is a whole number of seconds, from {from} to {}", format_duration(most));
    fields.problems().error(Code("SW2031"), span, message);
    false
}

/// A load balancer or a target group, not both.
fn one_owner(
    fields: &mut Fields<'_>,
    balancer: Option<Arc<str>>,
    group: Option<Arc<str>>,
) -> Option<(Owner, Arc<str>)> {
    let found = match (balancer, group) {
        (Some(name), None) if !fields.has("target_group") => return Some((Owner::LoadBalancer, name)),
        (None, Some(name)) if !fields.has("load_balancer") => return Some((Owner::TargetGroup, name)),
        (Some(_), Some(_)) => "both are here",
        // What is there is wrong, and was reported.
        _ if fields.has("load_balancer") || fields.has("target_group") => return None,
        _ => "neither is here",
    };
    if fields.reading() {
        let span = fields.span();
        let message = format!("exactly one of `load_balancer` and `target_group` is needed; {found}");
        fields.problems().error(Code("SW2030"), span, message);
    }
    None
}

/// Reports attributes of something else, and where there are none.
fn fit(fields: &mut Fields<'_>, owner: Owner, to: &Attributes) -> bool {
    let other = to.keys().find(|attribute| attribute.owner() != owner);
    let (span, message) = match other {
        Some(other) => {
            let message = format!("`{other}` is an attribute of a {}, and this is a {owner}", other.owner());
            (fields.span_of(other.word()), message)
        }
        None if to.is_empty() => (fields.span(), "no attribute is stated".to_owned()),
        None => return true,
    };
    let own = Attribute::ALL.into_iter().filter(|attribute| attribute.owner() == owner);
    let known: Vec<String> = own.map(|attribute| format!("`{attribute}`")).collect();
    let help = format!("a {owner} has {}", known.join(" and "));
    fields.problems().error(Code("SW2030"), span, message).help(help);
    false
}
