//! What came of all scenarios, counted. Plain data that can be saved; how it looks is not known here.

use super::calls::Calls;
use super::course::{Course, turned_back, undisturbed};
use super::explore::{Ground, Options, Variant};
use super::faults::Class;
use super::laws::Law;
use super::setting::Setting;
use super::trial::{Outcome, Tale};
use crate::driver::Called;
use crate::plan::StepIx;
use crate::run::{Event, StepEvent};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A law that was broken, by one fault at one step; of many such scenarios the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which law.
    pub law: Law,
    /// The step at which the fault strikes.
    pub step: String,
    /// `dns.change.lost-answer`.
    pub fault: String,
    /// The step that the breach is about, if another.
    pub about: Option<String>,
    /// What was seen.
    pub text: String,
    /// Repeats it: `rehearse PLAN --only NAME`.
    pub name: String,
    /// In how many scenarios.
    pub times: u64,
}

/// What is counted of one class of faults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Scenarios that were played.
    pub scenarios: u64,
    /// Of these, how many came to a situation from which it was known how it goes on.
    pub merged: u64,
    /// How they ended.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// In how many a human was asked.
    pub asked: u64,
    /// In how many an undo was stuck.
    pub stuck: u64,
    /// From the fault until the run knew of something.
    pub detect: Spread,
    /// From there until it turned back.
    pub decide: Spread,
    /// From there until new lookups led to the old side again, where the switch was undone.
    pub lead_back: Spread,
    /// From turning back to the end.
    pub undo: Spread,
}

/// Many durations, counted by their seconds: the memory that this takes does not grow with their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    seconds: BTreeMap<u64, u64>,
}

impl Spread {
    fn add(&mut self, span: Duration) {
        *self.seconds.entry(span.as_secs()).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (seconds, times) in &other.seconds {
            *self.seconds.entry(*seconds).or_default() += times;
        }
    }

    /// Half of them took no longer.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        let all: u64 = self.seconds.values().sum();
        let mut seen = 0;
        self.seconds.iter().find_map(|(seconds, times)| {
            seen += times;
            (seen * 2 >= all).then(|| Duration::from_secs(*seconds))
        })
    }

    /// The longest.
    #[must_use]
    pub fn worst(&self) -> Option<Duration> {
        self.seconds.keys().last().map(|seconds| Duration::from_secs(*seconds))
    }
}

/// The slowest way back that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowest {
    /// Repeats it.
    pub name: String,
    /// From turning back to the end.
    pub took: Duration,
}

/// How long a step takes where nothing goes wrong, and how long the way back takes from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The step.
    pub step: String,
    /// From its beginning to its end.
    pub takes: Duration,
    /// From the start of the run to its end.
    pub until: Duration,
    /// For how long it is waited for at most, until it counts as failed.
    #[serde(default)]
    pub at_most: Duration,
    /// The longest that was seen, whatever went wrong.
    #[serde(default)]
    pub worst: Option<Duration>,
    /// From turning back right after it to the end, where nothing else goes wrong; and the longest that was seen.
    #[serde(default)]
    pub back: Option<Duration>,
    /// As `back`.
    #[serde(default)]
    pub back_worst: Option<Duration>,
}

/// A switch with `writes: diverge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverges {
    /// The step.
    pub step: String,
    /// From its change until new lookups led back, at worst: what users write in that time stays on the new side. `None`:
    /// nothing led back.
    pub behind: Option<Duration>,
}

/// A rehearsal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The plan's name.
    pub plan: String,
    /// The world's name.
    pub world: String,
    /// Chose the pairs.
    pub seed: u64,
    /// By class.
    pub rows: BTreeMap<Class, Row>,
    /// Laws that were broken.
    pub findings: Vec<Finding>,
    /// For each step, how many faults struck it, by class.
    pub coverage: BTreeMap<String, BTreeMap<Class, u64>>,
    /// How many different faults struck.
    pub faults: usize,
    /// Looks that only repeat the one before, at which nothing was struck.
    pub alike: usize,
    /// Jobs for which there was no time.
    pub unplayed: usize,
    /// The slowest way back.
    pub slowest: Option<Slowest>,
    /// What cannot be undone.
    pub no_return: Vec<String>,
    /// Switches that leave writes behind.
    pub diverges: Vec<Diverges>,
    /// What is opaque to it: the step, and why.
    pub opaque: Vec<(String, String)>,
    /// Where nothing goes wrong.
    pub estimates: Vec<Estimate>,
    /// From turning back at the fullest moment to the end.
    pub way_back: Option<Duration>,
    #[serde(skip)]
    kinds: BTreeSet<String>,
    #[serde(skip)]
    steps: Vec<String>,
}

/// What one job counted.
#[derive(Default)]
pub(super) struct Tally {
    rows: BTreeMap<Class, Row>,
    findings: Vec<Finding>,
    coverage: BTreeMap<String, BTreeMap<Class, u64>>,
    kinds: BTreeSet<String>,
    slowest: Option<Slowest>,
    longest: BTreeMap<StepIx, Duration>,
    behind: BTreeMap<StepIx, Duration>,
    /// For each step at which a fault struck: the way back of an abort, and of anything.
    back: BTreeMap<String, (Option<Duration>, Duration)>,
    pub(super) unplayed: usize,
}

impl Tally {
    pub(super) fn add(&mut self, variant: &Variant<'_>, name: &str, tale: &Tale) {
        let row = self.rows.entry(variant.class).or_default();
        row.scenarios += 1;
        row.merged += u64::from(tale.merged);
        *row.outcomes.entry(tale.outcome).or_default() += 1;
        row.asked += u64::from(tale.asked);
        row.stuck += u64::from(tale.stuck);
        let times = tale.times;
        if let (Some(struck), Some(noticed)) = (times.struck, times.noticed) {
            row.detect.add(noticed.since(struck));
        }
        if let (Some(noticed), Some(turned)) = (times.noticed, times.turned) {
            row.decide.add(turned.since(noticed));
        }
        if let (Some(called), Some(back)) = (times.called_back(), times.led_back) {
            row.lead_back.add(back.since(called));
        }
        if let Some(back) = tale.back {
            row.undo.add(back);
            if self.slowest.as_ref().is_none_or(|slowest| slowest.took < back) {
                self.slowest = Some(Slowest { name: name.to_owned(), took: back });
            }
            let own = self.back.entry(variant.step.clone()).or_default();
            own.1 = own.1.max(back);
            if variant.fault == "people.abort" && name == variant.name {
                own.0 = own.0.max(Some(back));
            }
        }
        for (worst, seen) in [(&mut self.longest, &tale.longest), (&mut self.behind, &tale.behind)] {
            for (step, took) in seen {
                let own = worst.entry(*step).or_default();
                *own = (*own).max(*took);
            }
        }
        *self.coverage.entry(variant.step.clone()).or_default().entry(variant.class).or_default() += 1;
        if variant.class != Class::Pair && !self.kinds.contains(&variant.fault) {
            self.kinds.insert(variant.fault.clone());
        }
        for breach in &tale.breaches {
            let finding = Finding {
                law: breach.law,
                step: variant.step.clone(),
                fault: variant.fault.clone(),
                about: breach.step.clone(),
                text: breach.text.clone(),
                name: name.to_owned(),
                times: 1,
            };
            put(&mut self.findings, finding);
        }
    }
}

/// One more, or one more time.
fn put(findings: &mut Vec<Finding>, finding: Finding) {
    let same = |other: &&mut Finding| {
        (other.law, &other.step, &other.fault) == (finding.law, &finding.step, &finding.fault)
    };
    match findings.iter_mut().find(same) {
        Some(known) => known.times += finding.times,
        None => findings.push(finding),
    }
}

impl Rehearsal {
    pub(super) fn new(setting: &Arc<Setting>, ground: &Ground, options: &Options<'_>) -> Self {
        let plan = &setting.plan;
        let named = |wanted: &dyn Fn(crate::plan::StepIx) -> bool| {
            plan.places().filter(|ix| wanted(*ix)).map(|ix| plan[ix].id.to_string()).collect()
        };
        let irreversible = |ix| plan[ix].reversibility == crate::plan::Reversibility::Irreversible;
        let seen = |ix: StepIx| {
            let all = ground.courses.iter().flat_map(|course| &course.end.witness.behind);
            all.filter(|(step, _)| *step == ix).map(|(_, behind)| *behind).max()
        };
        let diverges = plan.places().filter(|ix| plan[*ix].writes == Some(crate::plan::Writes::Diverge));
        let diverges =
            diverges.map(|ix| Diverges { step: plan[ix].id.to_string(), behind: seen(ix) }).collect();
        let way_back = ground.courses.get(1).and_then(|course| {
            let turned = course.end.witness.times.turned?;
            Some(course.end.now().since(turned))
        });
        let mut rehearsal = Self {
            plan: plan.name.to_string(),
            world: setting.world.name.clone(),
            seed: options.seed,
            rows: BTreeMap::new(),
            findings: Vec::new(),
            coverage: BTreeMap::new(),
            faults: 0,
            alike: 0,
            unplayed: 0,
            slowest: None,
            no_return: named(&irreversible),
            diverges,
            opaque: setting.opaque(),
            estimates: ground.courses.first().map(estimates).unwrap_or_default(),
            way_back,
            kinds: BTreeSet::new(),
            steps: plan.steps.iter().map(|step| step.id.to_string()).collect(),
        };
        rehearsal.undisturbed(ground);
        rehearsal
    }

    /// A plan that does not even get through undisturbed.
    fn undisturbed(&mut self, ground: &Ground) {
        for course in &ground.courses {
            let way = if course.back { "the way back" } else { "the run" };
            let finding = |law, text: String, about| Finding {
                law,
                step: "run".into(),
                fault: "undisturbed".into(),
                about,
                text,
                name: "undisturbed".into(),
                times: 1,
            };
            let late =
                |event: &Event| matches!(event, Event::RunPaused { cause: crate::run::PauseCause::Deadline });
            if !course.back && course.end.journal.newest().any(|fact| late(&fact.event)) {
                let text = "with nothing in its way the run reaches the plan's `deadline`".to_owned();
                self.findings.push(finding(Law::WithinDeadline, text, None));
            }
            if !course.back && ground.ends.desired.is_none() {
                let text = format!("with nothing in its way {way} does not complete");
                self.findings.push(finding(Law::AsDesired, text, None));
            }
            for breach in course.end.witness.breaches() {
                put(&mut self.findings, finding(breach.law, breach.text.clone(), breach.step.clone()));
            }
        }
    }

    pub(super) fn add(&mut self, tally: Tally) {
        for (class, row) in tally.rows {
            let own = self.rows.entry(class).or_default();
            own.scenarios += row.scenarios;
            own.merged += row.merged;
            own.asked += row.asked;
            own.stuck += row.stuck;
            row.outcomes.into_iter().for_each(|(of, times)| *own.outcomes.entry(of).or_default() += times);
            own.detect.merge(&row.detect);
            own.decide.merge(&row.decide);
            own.lead_back.merge(&row.lead_back);
            own.undo.merge(&row.undo);
        }
        for (step, classes) in tally.coverage {
            let own = self.coverage.entry(step).or_default();
            for (class, times) in classes {
                *own.entry(class).or_default() += times;
            }
        }
        tally.findings.into_iter().for_each(|finding| put(&mut self.findings, finding));
        let worst = |of: &BTreeMap<StepIx, Duration>, step: &str| {
            let place = self.steps.iter().position(|other| other == step);
            let place = place.and_then(|place| u32::try_from(place).ok()).map(StepIx);
            place.and_then(|place| of.get(&place).copied())
        };
        for switch in &mut self.diverges {
            switch.behind = switch.behind.max(worst(&tally.behind, &switch.step));
        }
        for estimate in &mut self.estimates {
            estimate.worst = estimate.worst.max(worst(&tally.longest, &estimate.step));
            if let Some((abort, worst)) = tally.back.get(&estimate.step) {
                estimate.back = estimate.back.max(*abort);
                estimate.back_worst = estimate.back_worst.max(Some(*worst));
            }
        }
        self.kinds.extend(tally.kinds);
        self.unplayed += tally.unplayed;
        if let Some(slowest) = tally.slowest
            && self.slowest.as_ref().is_none_or(|own| own.took < slowest.took)
        {
            self.slowest = Some(slowest);
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self) {
        self.faults = self.kinds.len();
        self.findings.sort_by(|a, b| (a.law, &a.step, &a.fault).cmp(&(b.law, &b.step, &b.fault)));
    }

    /// How many scenarios were played.
    #[must_use]
    pub fn scenarios(&self) -> u64 {
        self.rows.values().map(|row| row.scenarios).sum()
    }

    /// Of these, how many came to a known situation.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.rows.values().map(|row| row.merged).sum()
    }
}

/// How long each step takes on the undisturbed way.
fn estimates(forward: &Course) -> Vec<Estimate> {
    let (begun, run) = (forward.end.begun(), &forward.end.run);
    let mut started = BTreeMap::new();
    let mut all = Vec::new();
    for fact in forward.end.journal.facts() {
        let Event::Step(ix, event) = &fact.event else { continue };
        started.entry(*ix).or_insert(fact.at);
        if matches!(event, StepEvent::Succeeded { .. } | StepEvent::Skipped) {
            all.push(Estimate {
                step: run.plan[*ix].id.to_string(),
                takes: fact.at.since(started[ix]),
                until: fact.at.since(begun),
                at_most: run.allowance(*ix),
                worst: None,
                back: None,
                back_worst: None,
            });
        }
    }
    all
}

/// A rehearsal without faults: how long each step takes, and the way back right after it; and all calls there and back.
#[must_use]
pub fn outlook(setting: &Arc<Setting>) -> (Vec<Estimate>, Vec<Called>) {
    let forward = undisturbed(setting);
    let mut all = estimates(&forward);
    let mut calls = Calls::default();
    calls.take(forward.legs.iter().flat_map(|leg| &leg.calls), false);
    for leg in &forward.legs {
        let Some(ix) = leg.step else { continue };
        let Some(back) = turned_back(leg) else { continue };
        calls.take(&back.calls, true);
        let id = setting.plan[ix].id.to_string();
        if let Some(estimate) = all.iter_mut().find(|one| one.step == id) {
            estimate.back = estimate.back.max(back.takes);
        }
    }
    (all, calls.told())
}
