//! What the calls of a step, or a guard, are about: from what it needs, and from what it found when it looked.

use super::Called;
use crate::driver::{Actions, Previewed, StepPreview};
use crate::plan::{Plan, Target};
use crate::port::need::{ANY, Account, Asker, Leads, Need};
use crate::port::{Image, Needed, ReadWorld, Thing};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whom roles are passed to.
const TASKS: &str = "ecs-tasks.amazonaws.com";
/// Where a definition says which roles its tasks get.
const ROLES: [&str; 2] = ["taskRoleArn", "executionRoleArn"];

/// What there is to know of all of them.
pub(super) struct Things<'a> {
    plan: &'a Plan,
    needs: Vec<(Asker, Need)>,
    /// What steps found; or why it is not known.
    found: BTreeMap<Asker, Result<Json, String>>,
    /// What steps write, as locks call it.
    written: BTreeMap<Asker, Vec<String>>,
}

/// Names, or why they are not known.
type Names = Result<BTreeSet<String>, String>;

impl<'a> Things<'a> {
    pub(super) fn new(plan: &'a Plan, actions: &Actions, steps: &[StepPreview]) -> Self {
        let found = steps.iter().map(|step| (Asker::Step(step.step), found(&step.found))).collect();
        let written = plan.places().filter_map(|ix| Some((ix, actions.get(ix)?.traits().resources)));
        let written = written.map(|(ix, resources)| (Asker::Step(ix), resources)).collect();
        Self { plan, needs: actions.needs(), found, written }
    }

    /// The names of all targets that calls to the provider may go to.
    pub(super) fn targets(&self) -> Vec<String> {
        let aws = self.plan.targets.iter().filter(|target| &*target.kind == "aws");
        aws.map(|target| target.name.to_string()).collect()
    }

    fn target(&self, name: &str) -> Option<&Arc<Target>> {
        self.plan.targets.iter().find(|target| &*target.name == name)
    }

    fn needs_of(&self, by: Asker) -> impl Iterator<Item = &Need> {
        self.needs.iter().filter(move |(asker, _)| *asker == by).map(|(_, need)| need)
    }

    /// Where a call goes: of zones, to the account that each is in.
    pub(super) fn accounts(&self, called: &Called) -> Vec<Account> {
        let mut found: BTreeSet<Account> = BTreeSet::new();
        if called.service == "route53" {
            found.extend(self.zones(called.by).into_iter().map(|(at, _)| at));
        } else {
            let made = |need: &&Need| calls_for(need, called.service, &called.operation);
            found.extend(self.needs_of(called.by).filter(made).filter_map(account));
        }
        if found.is_empty() {
            // It names none: then there is only one that it can mean, or any.
            let targets = self.targets();
            found.extend(
                targets.iter().filter_map(|name| self.target(name)).map(|target| Account::of(target)),
            );
        }
        found.into_iter().collect()
    }

    /// Zones by id, and the account that each is in. Who names none looks at those that are written.
    fn zones(&self, by: Asker) -> BTreeSet<(Account, String)> {
        let own = |resources: &Vec<String>| -> Vec<String> {
            let zone = |resource: &String| Some(resource.strip_prefix("dns:")?.split_once('/')?.0.to_owned());
            resources.iter().filter_map(zone).collect()
        };
        let needed = self.needs_of(by).filter_map(|need| match need {
            Need::Record { zone, .. } | Need::Weighted { zone, .. } => Some(zone.id.clone()),
            _ => None,
        });
        let mut ids: BTreeSet<String> = needed.collect();
        ids.extend(self.written.get(&by).map(own).unwrap_or_default());
        if ids.is_empty() {
            ids.extend(self.written.values().flat_map(own));
        }
        let at = |id: String| {
            let zones = self.plan.targets.iter().filter(|target| &*target.kind == "route53");
            let mut zones = zones.filter(|zone| zone.place().trim_start_matches("/hostedzone/") == id);
            let account = self.target(&zones.next()?.says("aws")?)?;
            Some((Account::of(account), id))
        };
        ids.into_iter().filter_map(at).collect()
    }

    /// What a call is about, as far as it has a name.
    pub(super) async fn names(&self, world: &dyn ReadWorld, by: Asker, thing: Thing, at: &Account) -> Names {
        let names: BTreeSet<String> = match thing {
            Thing::Any | Thing::Change | Thing::HealthCheck | Thing::ScalableTarget => [String::new()].into(),
            Thing::Zone => {
                self.zones(by).into_iter().filter(|(own, _)| own == at).map(|(_, id)| id).collect()
            }
            Thing::Role => return self.roles(world, by, at).await,
            Thing::Repository => self.repositories(world, by, at).await?,
            Thing::CapacityProvider => providers_in(self.found_by(by)?),
            Thing::Definition | Thing::Rule | Thing::Listener | Thing::Balancer | Thing::Group => {
                self.arns(by, thing)?
            }
            _ => self.needs_of(by).filter_map(|need| named(need, thing, at)).collect(),
        };
        if names.is_empty() {
            return Err("the plan does not tell what it is about".into());
        }
        match names.iter().find(|name| name.contains(ANY)) {
            Some(name) => Err(format!("what it is about is known only in the run: {name}")),
            None => Ok(names),
        }
    }

    /// What a step found of this kind.
    fn arns(&self, by: Asker, thing: Thing) -> Names {
        let kind = match thing {
            Thing::Definition => "task-definition/",
            Thing::Rule => "listener-rule/",
            Thing::Listener => "listener/",
            Thing::Balancer => "loadbalancer/",
            Thing::Group => "targetgroup/",
            _ => return Ok(BTreeSet::new()),
        };
        let found = self.found_by(by)?;
        let is_one = |text: &&str| text.starts_with("arn:") && of_arn(text).starts_with(kind);
        Ok(texts(found).into_iter().map(|(_, text)| text).filter(is_one).map(str::to_owned).collect())
    }

    fn found_by(&self, by: Asker) -> Result<&Json, String> {
        match self.found.get(&by) {
            Some(Ok(found)) => Ok(found),
            Some(Err(why)) => Err(why.clone()),
            None => Err("nobody has looked".into()),
        }
    }

    /// The roles that tasks get by the definitions that a step found. None is no gap: a definition may have none.
    async fn roles(&self, world: &dyn ReadWorld, by: Asker, at: &Account) -> Names {
        self.defined(world, by, at, roles_in).await
    }

    /// The repositories that those definitions pull from.
    async fn repositories(&self, world: &dyn ReadWorld, by: Asker, at: &Account) -> Names {
        self.defined(world, by, at, repositories_in).await
    }

    /// What a step found, and the definitions that it found, say of this.
    async fn defined(
        &self,
        world: &dyn ReadWorld,
        by: Asker,
        at: &Account,
        read: fn(&Json) -> BTreeSet<String>,
    ) -> Names {
        let mut all = read(self.found_by(by)?);
        let compute = world.compute(&at.target).map_err(|fault| fault.to_string())?;
        for definition in self.arns(by, Thing::Definition)? {
            if let Some(found) = compute.definition(&definition).await.map_err(|fault| fault.to_string())? {
                all.extend(read(&found.content));
            }
        }
        Ok(all)
    }

    /// What policies may make conditions of, as far as it is known before the call.
    pub(super) fn context(
        &self,
        by: Asker,
        needed: Needed,
        at: &Account,
        name: &str,
    ) -> BTreeMap<&'static str, String> {
        let mut context = BTreeMap::from([("aws:RequestedRegion", needed.on.region(at, name).to_owned())]);
        let cluster = match needed.on {
            Thing::Service | Thing::ServiceDeployment | Thing::ServiceRevision => {
                name.split_once('/').map(|(cluster, _)| cluster.to_owned())
            }
            Thing::Task | Thing::ContainerInstance => Some(name.to_owned()),
            Thing::Definition if needed.action == "ecs:RunTask" => {
                self.needs_of(by).find_map(|need| named(need, Thing::Task, at))
            }
            _ => None,
        };
        if let Some(cluster) = cluster {
            context.insert("ecs:cluster", Thing::Cluster.arn(at, &cluster));
        }
        if needed.on == Thing::Role {
            context.insert("iam:PassedToService", TASKS.into());
        }
        context
    }

    /// Steps that are about something of a target, and of which no call came.
    pub(super) fn unseen(&self, calls: &[Called]) -> Vec<(String, Called)> {
        let seen: BTreeSet<Asker> = calls.iter().map(|called| called.by).collect();
        let mut unseen: BTreeSet<(String, Asker)> = BTreeSet::new();
        for (by, need) in self.needs.iter().filter(|(by, _)| !seen.contains(by)) {
            unseen.extend(account(need).map(|at| (at.target, *by)));
            if matches!(need, Need::Record { .. } | Need::Weighted { .. }) {
                unseen.extend(self.zones(*by).into_iter().map(|(at, _)| (at.target, *by)));
            }
        }
        let called = |by| Called { by, service: "", operation: "".into(), only_back: false };
        unseen.into_iter().map(|(target, by)| (target, called(by))).collect()
    }
}

fn found(found: &Previewed) -> Result<Json, String> {
    match found {
        Previewed::Would(proposal, _) => {
            serde_json::from_str(&proposal.prior).map_err(|error| error.to_string())
        }
        Previewed::Later(steps) => {
            Err(format!("what it is about is known only once {} ran", steps.join(", ")))
        }
        Previewed::Unknown(fault) => Err(fault.to_string()),
        Previewed::Skipped => Err("its `when` does not hold now".into()),
        Previewed::Asks | Previewed::Checkpoint | Previewed::Join => Ok(Json::Null),
    }
}

fn account(need: &Need) -> Option<Account> {
    match need {
        Need::Balancer { at, .. }
        | Need::Rule { at, .. }
        | Need::Attributes { at, .. }
        | Need::Service { at, .. }
        | Need::Scaling { at, .. }
        | Need::Definition { at, .. }
        | Need::Metric { at, .. }
        | Need::Alarm { at, .. }
        | Need::Lines { at, .. }
        | Need::Parameter { at, .. }
        | Need::Record { to: Some(Leads::Balancer { at, .. }), .. } => Some(at.clone()),
        _ => None,
    }
}

/// Whether what is needed may call for this: a step, or a monitor, may look at several accounts for several things.
fn calls_for(need: &Need, service: &str, operation: &str) -> bool {
    let metrics = (service, operation) == ("monitoring", "GetMetricData");
    match need {
        Need::Balancer { .. } | Need::Rule { .. } => service == "elasticloadbalancing" || metrics,
        Need::Attributes { .. } | Need::Record { .. } => service == "elasticloadbalancing",
        Need::Service { .. } | Need::Scaling { .. } | Need::Definition { .. } => {
            matches!(service, "ecs" | "ecr" | "application-autoscaling" | "elasticloadbalancing")
        }
        Need::Metric { .. } => metrics,
        Need::Alarm { .. } => operation == "DescribeAlarms",
        Need::Lines { .. } => service == "logs",
        Need::Parameter { .. } => service == "ssm",
        _ => false,
    }
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// What a need names of this kind, if it is in this account.
fn named(need: &Need, thing: Thing, at: &Account) -> Option<String> {
    if account(need).as_ref() != Some(at) {
        return None;
    }
    match (thing, need) {
        (
            Thing::Service | Thing::ServiceDeployment | Thing::ServiceRevision,
            Need::Service { cluster, name, .. } | Need::Scaling { cluster, name, .. },
        ) => Some(format!("{}/{}", short(cluster), short(name))),
        (
            Thing::Task | Thing::ContainerInstance | Thing::Cluster,
            Need::Service { cluster, .. } | Need::Scaling { cluster, .. } | Need::Definition { cluster, .. },
        ) => Some(short(cluster).to_owned()),
        (Thing::Alarm, Need::Alarm { name, .. }) => Some(name.clone()),
        (Thing::LogGroup, Need::Lines { group, .. }) => Some(group.clone()),
        (Thing::Parameter, Need::Parameter { name, .. }) => Some(name.clone()),
        _ => None,
    }
}

/// `task-definition/web:7` of `arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7`.
fn of_arn(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or_default()
}

/// All texts, each with the key that it stands under.
fn texts(json: &Json) -> Vec<(&str, &str)> {
    fn collect<'j>(key: &'j str, json: &'j Json, texts: &mut Vec<(&'j str, &'j str)>) {
        match json {
            Json::String(text) => texts.push((key, text)),
            Json::Array(items) => items.iter().for_each(|item| collect(key, item, texts)),
            Json::Object(fields) => fields.iter().for_each(|(key, value)| collect(key, value, texts)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    collect("", json, &mut all);
    all
}

fn roles_in(json: &Json) -> BTreeSet<String> {
    let role =
        |(key, role): (&str, &str)| (ROLES.contains(&key) && !role.is_empty()).then(|| role.to_owned());
    texts(json).into_iter().filter_map(role).collect()
}

/// What a step found its service placed on.
fn providers_in(json: &Json) -> BTreeSet<String> {
    let names = json["placement"]["providers"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn repositories_in(json: &Json) -> BTreeSet<String> {
    let image = |(key, _): &(&str, &str)| matches!(*key, "image" | "images");
    let images = texts(json).into_iter().filter(image);
    images.filter_map(|(_, text)| Some(Image::named(text)?.repository_arn())).collect()
}
