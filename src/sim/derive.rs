//! From a plan to the world that it can be rehearsed in: what each step reads is there, what each check asks for is
//! answered, deployments take their time, people approve. Everything is made up but what the plan says, or what was
//! really found (`from_live`).
//!
//! Knows no actions: it goes by what they say that they need. Not here: how the world then lives.

mod answers;
mod compute;
mod facts;
mod names;
mod sides;

pub(super) use facts::{Facts, FoundBalancer, FoundDefinition, FoundZone};

use super::file::{ParameterFile, PersonFile, Scale, Span, TrafficFile, Verb, WorldFile};
use super::logs::{LogFile, named, whole};
use super::stated::{AlarmFile, AlarmWord, MetricFile, QueryFile};
use crate::plan::{Kind, Plan, StepIx};
use crate::port::need::{Account, Asker, Need, Role};
use answers::Answers;
use compute::Compute;
use names::Names;
use serde_json::Value as Json;
use sides::Sides;
use std::collections::{BTreeMap, BTreeSet};

/// A world that a plan can be rehearsed in.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    /// The world.
    pub file: WorldFile,
    /// What is not modelled, and why: these steps are taken as passing.
    pub opaque: Vec<(Asker, String)>,
    /// The commands of each step: all of one step are about one thing.
    pub commands: Vec<(Asker, Vec<OneCommand>)>,
    /// What was found otherwise than the world has it, for people.
    pub notes: Vec<String>,
}

/// A command of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneCommand {
    /// What it is for.
    pub role: Role,
    /// Program and arguments, with holes as the plan writes them.
    pub argv: Vec<String>,
}

/// An account for a plan that names none.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";
/// What stands for a secret. It opens nothing.
const SECRET: &str = "derived-opens-nothing";
/// Who approves where anybody may.
const ANYBODY: &str = "anybody@rehearsal";
/// How many samples a minute a metric rests on.
const SAMPLES: u32 = 1000;
/// How many lines a minute a log group says beside those that somebody looks for.
const LINES: u32 = 60;
/// How many of the paths that the plan asks for users ask for too.
const PATHS: usize = 3;

/// The world of a plan, by what its steps and guards need; `params` are the values that it was read with.
#[must_use]
pub fn derive(plan: &Plan, needs: &[(Asker, Need)], params: &BTreeMap<String, Json>) -> Derived {
    with_facts(plan, needs, params, &Facts::default())
}

/// The same, with what is really there in place of what would be made up.
pub(super) fn with_facts(
    plan: &Plan,
    needs: &[(Asker, Need)],
    params: &BTreeMap<String, Json>,
    facts: &Facts,
) -> Derived {
    let home = home(plan, needs);
    let mut opaque = Vec::new();
    let needs = modelled(plan, needs, &home, &mut opaque);
    let mut sides = Sides::new(&home.region, facts);
    let mut names = Names::default();
    sides.read(&needs);
    names.read(&needs, &mut sides, facts, &mut opaque);
    let mut answers = Answers::default();
    answers.read(&needs, &mut names, &mut sides, &mut opaque);
    let traffic = traffic(&names, &mut answers);
    let stated = answers.settle(&mut opaque);
    let mut compute = Compute::default();
    compute.read(&needs, facts, &sides, &mut opaque);
    let mut file = WorldFile {
        world: Some("v1".into()),
        summary: Some(format!("Derived from the plan {}.", plan.name)),
        verdict: Some("completed".into()),
        time: Some(Scale(60)),
        account: Some(home.account),
        region: Some(home.region),
        people: people(plan),
        params: params.clone(),
        secrets: plan.secrets.iter().map(|(name, _)| (name.to_string(), SECRET.into())).collect(),
        dns: facts.dns(),
        queries: queries(&needs, &mut opaque),
        metrics: metrics(&needs, &mut opaque),
        alarms: alarms(&needs),
        logs: logs(&needs, &mut opaque),
        parameters: parameters(&needs, &mut opaque),
        traffic,
        ..WorldFile::default()
    };
    compute.write(&stated, &sides, &mut file);
    names.write(&mut file);
    sides.write(&mut file);
    // Two requests of a flow may be beyond us for one reason.
    let mut seen = BTreeSet::new();
    opaque.retain(|found| seen.insert(found.clone()));
    Derived { file, opaque, commands: commands(&needs), notes: Vec::new() }
}

/// The account and region that the world is.
fn home(plan: &Plan, needs: &[(Asker, Need)]) -> Account {
    let account = |need: &Need| match need {
        Need::Service { at, .. }
        | Need::Scaling { at, .. }
        | Need::Definition { at, .. }
        | Need::Balancer { at, .. }
        | Need::Metric { at, .. }
        | Need::Alarm { at, .. }
        | Need::Lines { at, .. }
        | Need::Parameter { at, .. }
        | Need::Attributes { at, .. }
        | Need::Rule { at, .. } => Some(at.clone()),
        Need::Record { zone, .. } | Need::Weighted { zone, .. } => account_of_zone(plan, &zone.target),
        _ => None,
    };
    let stated =
        || plan.targets.iter().find(|target| &*target.kind == "aws").map(|target| Account::of(target));
    let found = needs.iter().find_map(|(_, need)| account(need)).or_else(stated);
    found.filter(|at| at.account.len() == 12).unwrap_or_else(|| Account {
        target: String::new(),
        account: ACCOUNT.into(),
        region: REGION.into(),
    })
}

fn account_of_zone(plan: &Plan, zone: &str) -> Option<Account> {
    let find = |name: &str| plan.targets.iter().find(|target| &*target.name == name);
    find(&find(zone)?.says("aws")?).map(|target| Account::of(target))
}

/// The needs that one world of one account can hold.
fn modelled(
    plan: &Plan,
    needs: &[(Asker, Need)],
    home: &Account,
    opaque: &mut Vec<(Asker, String)>,
) -> Vec<(Asker, Need)> {
    let elsewhere = |need: &Need| {
        let at = match need {
            Need::Service { at, .. }
            | Need::Scaling { at, .. }
            | Need::Definition { at, .. }
            | Need::Balancer { at, .. }
            | Need::Metric { at, .. }
            | Need::Alarm { at, .. }
            | Need::Lines { at, .. }
            | Need::Parameter { at, .. }
            | Need::Attributes { at, .. }
            | Need::Rule { at, .. } => at.clone(),
            Need::Record { zone, .. } | Need::Weighted { zone, .. } => account_of_zone(plan, &zone.target)?,
            _ => return None,
        };
        (at.account != home.account).then_some(at.account)
    };
    let mut kept = Vec::new();
    for (asker, need) in needs {
        if let Need::Opaque { why } = need {
            opaque.push((*asker, why.clone()));
        } else if let Some(account) = elsewhere(need) {
            let why = format!(
                "account {account} is not modelled: a derived world is one account, {}",
                home.account
            );
            opaque.push((*asker, why));
        } else {
            kept.push((*asker, need.clone()));
        }
    }
    kept
}

/// All whom the plan may ask say yes, one after the other.
fn people(plan: &Plan) -> BTreeMap<String, PersonFile> {
    let mut people = BTreeMap::new();
    let approvals = plan.steps.iter().filter_map(|step| match &step.kind {
        Kind::Approve(approval) => Some(approval),
        _ => None,
    });
    for approval in approvals {
        let anybody = (0..approval.by.any).map(|place| match place {
            0 => ANYBODY.to_owned(),
            place => format!("{place}-{ANYBODY}"),
        });
        let named = approval.by.of.iter().map(ToString::to_string);
        let names: Vec<String> = if approval.by.of.is_empty() { anybody.collect() } else { named.collect() };
        for (place, name) in (2..).zip(names) {
            let person = PersonFile { answer: Verb::Approve, after: Span::seconds(30 * place) };
            people.entry(name).or_insert(person);
        }
    }
    people
}

/// Users of the first name that is switched, if somebody serves them before.
fn traffic(names: &Names, answers: &mut Answers) -> Option<TrafficFile> {
    let name = names.switched()?;
    let mut paths = answers.paths(name);
    if paths.is_empty() {
        paths = vec!["/".into()];
        answers.serve(names.balancers(name), "/");
    }
    paths.truncate(PATHS);
    Some(TrafficFile {
        url: answers.origin(name).unwrap_or_else(|| format!("https://{name}")),
        paths,
        users: 32,
        every: Span::seconds(60),
        kept: 0.3,
    })
}

/// What queries come to: the first who asks decides.
fn queries(needs: &[(Asker, Need)], opaque: &mut Vec<(Asker, String)>) -> BTreeMap<String, QueryFile> {
    let mut all = BTreeMap::new();
    for (asker, need) in needs {
        let Need::Query { text, good, bad } = need else { continue };
        opaque.extend(good.is_none().then(|| (*asker, no_number(text))));
        let stated = QueryFile { value: *good, while_failing: *bad, ..QueryFile::default() };
        all.entry(text.clone()).or_insert(stated);
    }
    all
}

/// What metrics are: the first who asks decides.
fn metrics(needs: &[(Asker, Need)], opaque: &mut Vec<(Asker, String)>) -> BTreeMap<String, MetricFile> {
    let mut all = BTreeMap::new();
    for (asker, need) in needs {
        let Need::Metric { name, good, bad, .. } = need else { continue };
        opaque.extend(good.is_none().then(|| (*asker, no_number(name))));
        let stated = MetricFile { value: *good, while_failing: *bad, samples: Some(SAMPLES) };
        all.entry(name.clone()).or_insert(stated);
    }
    all
}

fn no_number(of: &str) -> String {
    format!("what `{of}` is is not modelled: no number was found that is not broken")
}

/// Alarms that fire while users are failed.
fn alarms(needs: &[(Asker, Need)]) -> BTreeMap<String, AlarmFile> {
    let named = needs.iter().filter_map(|(_, need)| match need {
        Need::Alarm { name, .. } => Some(name.clone()),
        _ => None,
    });
    let fires = AlarmFile { while_failing: Some(AlarmWord::Alarm), ..AlarmFile::default() };
    named.map(|name| (name, fires.clone())).collect()
}

/// What logs say: the first who asks decides.
fn logs(needs: &[(Asker, Need)], opaque: &mut Vec<(Asker, String)>) -> BTreeMap<String, LogFile> {
    let mut all = BTreeMap::new();
    for (asker, need) in needs {
        let Need::Lines { group, pattern, good, bad, .. } = need else { continue };
        let name = named(group, pattern);
        opaque.extend(good.is_none().then(|| (*asker, no_number(&name))));
        let a_minute = good.map(whole).unwrap_or_default();
        all.entry(name).or_insert(LogFile { a_minute, while_failing: bad.map(whole), ..LogFile::default() });
        all.entry(group.clone()).or_insert(LogFile { a_minute: LINES, ..LogFile::default() });
    }
    all
}

/// What is kept under names: flags that nobody has raised.
fn parameters(needs: &[(Asker, Need)], opaque: &mut Vec<(Asker, String)>) -> BTreeMap<String, ParameterFile> {
    let mut all = BTreeMap::new();
    for (asker, need) in needs {
        let Need::Parameter { name, lowered, .. } = need else { continue };
        let Some(value) = lowered.clone() else {
            let why = format!("the parameter `{name}` is not modelled: no text was found that is not raised");
            opaque.push((*asker, why));
            continue;
        };
        all.entry(name.clone()).or_insert(ParameterFile { value, encrypted: false });
    }
    all
}

fn commands(needs: &[(Asker, Need)]) -> Vec<(Asker, Vec<OneCommand>)> {
    let mut found: Vec<(Asker, Vec<OneCommand>)> = Vec::new();
    for (asker, need) in needs {
        let Need::Command { role, argv } = need else { continue };
        let command = OneCommand { role: *role, argv: argv.clone() };
        match found.last_mut().filter(|(last, _)| last == asker) {
            Some((_, commands)) => commands.push(command),
            None => found.push((*asker, vec![command])),
        }
    }
    found
}

/// What people call whoever asks.
#[must_use]
pub fn asker_name(plan: &Plan, asker: Asker) -> String {
    match asker {
        Asker::Step(ix) if ix.index() < plan.steps.len() => plan[ix].id.to_string(),
        Asker::Step(StepIx(place)) => format!("step {place}"),
        Asker::Guard(place) => plan.guards.get(place).map_or_else(String::new, |guard| guard.id.to_string()),
    }
}
