//! `alb.weights`: shifts requests to a target group, weight by weight, each watched before the next.
//!
//! It owns the target groups and weights of one rule. What else the rule does, stickiness too, is left as it is found at
//! each write. The call takes no condition: the rule is read before and after it, and it is sent within the deadline of
//! its intent, or not at all.

use super::place::{Found, Place};
use crate::action::shares::{self, Stage};
use crate::action::shift::{Course, Watched};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward, Trouble};
use crate::mutant::{Mistake, on};
use crate::plan::{Fields, Scope, StepTraits, Writes as Data, format_duration, integer, one_of, text};
use crate::port::need::{Account, Need};
use crate::port::{POLL, ReadTraffic, Reads, Rule, Share, Writes};
use crate::run::{Change, Curve, Fault};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Shifts requests to a target group.
#[derive(Debug)]
pub(in crate::action) struct Weights {
    place: Place,
    group: Arc<str>,
    course: Course,
    /// So many of its targets must be healthy.
    healthy: usize,
    data: Option<Data>,
}

/// The rule as it was, and what is made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// Whole: what the undo restores.
    rule: Rule,
    /// The ARN of the group that gets more.
    group: String,
    stages: Vec<Stage>,
}

/// How a rule stands against what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// So many weights were set; 0: as before the step.
    At(usize),
    /// It deals otherwise.
    Other,
}

/// How long a change may take to be told, and the group to become healthy.
const ARRIVES: Duration = Duration::from_secs(300);
/// Until requests go by what was changed.
const PROPAGATION: Duration = Duration::from_secs(10);

#[async_trait::async_trait]
impl Action for Weights {
    type Prior = Prior;
    type Note = Watched;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let group = fields.required("group", text(), "the target group that gets more requests, by name");
        let course = Course::decode(fields);
        let healthy = fields.or("healthy", integer(0..=1000), 1, "so many of its targets must be healthy");
        let words = &[("shared", Data::Shared), ("replicated", Data::Replicated), ("diverge", Data::Diverge)];
        let data = fields.optional("writes", one_of(words), "what becomes of data that it writes");
        let healthy = usize::try_from(healthy).unwrap_or(0);
        Some(Self { place: place?, group: group?, course: course?, healthy, data })
    }

    fn traits(&self) -> StepTraits {
        StepTraits {
            writes: true,
            has_undo: true,
            switches: true,
            resources: vec![self.place.resource()],
            data: self.data,
            undo_reaches: Some(PROPAGATION),
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let (group, name) = (&self.group, self.place.name());
        let mut apply = self.place.list_by_hand();
        if let Some(last) = apply.last_mut() {
            last.push_str("   # keep this: the undo needs it");
        }
        apply.extend(self.place.shift_by_hand(group, &self.course.to));
        ByHand {
            what: format!("{name}: {} of its requests to {group}", self.course),
            apply,
            expect: format!("the rule lists {group} with that weight, and its targets are healthy"),
            undo: self.place.back_by_hand(),
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        vec![self.place.set_by_hand(&prior.rule, &prior.rule.actions)]
    }

    fn trouble(&self, note: &Watched) -> Trouble {
        self.course.trouble(note)
    }

    fn is_news(&self, recorded: &Watched, note: &Watched) -> bool {
        note.is_news(recorded)
    }

    fn curves(&self, note: &Watched) -> Vec<Curve> {
        self.course.curves(note)
    }

    fn needs(&self) -> Vec<Need> {
        let rule = Need::Rule {
            at: Account::of(&self.place.target),
            balancer: self.place.load_balancer.to_string(),
            priority: self.place.priority,
            group: self.group.to_string(),
            tasks: u32::try_from(self.healthy).unwrap_or(u32::MAX),
        };
        std::iter::once(rule).chain(self.course.needs()).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let found = self.place.find(reads).await?;
        let traffic = reads.world.traffic(&self.place.target.name)?;
        let (group, target) = (&self.group, &self.place.target.name);
        let Some(arn) = traffic.target_group(group).await? else {
            return Err(Fault::permanent(format!("there is no target group `{group}` in target `{target}`")));
        };
        let there = found.rule.forward().map(|forward| forward.groups.clone()).unwrap_or_default();
        let stages = shares::stages(&there, &arn, &self.course.to, Share::MOST)
            .map_err(|why| Fault::permanent(format!("{}: {why}", self.place.name())))?;
        let within = self.course.takes() + ARRIVES;
        if !stages.is_empty() {
            self.is_fit(&*traffic, &arn).await?;
        }
        let changes = if stages.is_empty() { Vec::new() } else { self.changes(&found, &arn, &stages) };
        let count = u32::try_from(stages.len()).unwrap_or(u32::MAX);
        let prior = Prior { rule: found.rule, group: arn, stages };
        Ok(Planned { prior, stages: count, within, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Prior) -> Result<Option<Watched>, Fault> {
        let traffic = writes.world.traffic(&self.place.target.name)?;
        let rule = self.place.again(&*traffic, &prior.rule.arn).await?;
        let stage = usize::try_from(stage).unwrap_or(usize::MAX);
        let Some(wanted) = stage.checked_sub(1).and_then(|before| prior.stages.get(before)) else {
            return Err(Fault::permanent("this step recorded no such weight"));
        };
        match prior.standing(&rule) {
            // Set by a call of ours whose answer was lost.
            Standing::At(at) if at == stage => return Ok(None),
            Standing::At(at) if at + 1 == stage => {}
            _ if on(Mistake::ForeignOverwritten) => {}
            _ => return Err(self.foreign(prior, &rule)),
        }
        self.is_fit(&*traffic, &prior.group).await?;
        writes.in_time()?;
        let changing = writes.traffic(&self.place.target.name)?;
        changing.set_actions(&rule, &rule.dealing(&wanted.groups)).await?;
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Watched>, Fault> {
        let traffic = reads.world.traffic(&self.place.target.name)?;
        let prior = &record.prior;
        let rule = self.place.again(&*traffic, &prior.rule.arn).await?;
        match (toward, prior.standing(&rule)) {
            (Toward::Prior, Standing::At(0)) => Ok(Seen::Prior),
            (Toward::Prior, Standing::At(_)) => Ok(Seen::Desired { out: json!(null) }),
            (Toward::Desired(stage), Standing::At(at)) if stage as usize == at => {
                self.look_forward(reads, &*traffic, at, record).await
            }
            (Toward::Desired(stage), Standing::At(at)) if stage as usize == at + 1 => Ok(Seen::Prior),
            _ => Err(self.foreign(prior, &rule)),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Watched>, Fault> {
        let traffic = writes.world.traffic(&self.place.target.name)?;
        let prior = &record.prior;
        let rule = self.place.again(&*traffic, &prior.rule.arn).await?;
        match prior.standing(&rule) {
            Standing::At(0) => return Ok(None),
            Standing::Other if !on(Mistake::UndoOverwrites) => return Err(self.foreign(prior, &rule)),
            Standing::At(_) | Standing::Other => {}
        }
        let before = prior.rule.forward().map(|forward| &forward.groups[..]).unwrap_or_default();
        must_take_back(&*traffic, before).await?;
        writes.in_time()?;
        let changing = writes.traffic(&self.place.target.name)?;
        changing.set_actions(&rule, &rule.dealing(before)).await?;
        Ok(None)
    }
}

/// Refuses to send requests back to where nobody could answer them. What cannot be known does not hold the way back up.
async fn must_take_back(traffic: &dyn ReadTraffic, before: &[Share]) -> Result<(), Fault> {
    for share in before.iter().filter(|share| share.weight > 0) {
        let Ok(targets) = traffic.targets(&share.group).await else { continue };
        if targets.iter().any(|target| matches!(&*target.state, "healthy" | "unused")) {
            continue;
        }
        let group = shares::names(std::slice::from_ref(&share.group));
        let count = targets.len();
        return Err(Fault::permanent(format!(
            "none of {count} targets of {group} is healthy, and requests sent back to it would all fail: nothing was \
             changed; start its tasks again, then retry"
        )));
    }
    Ok(())
}

impl Prior {
    fn standing(&self, rule: &Rule) -> Standing {
        let deals = |rule: &Rule| rule.forward().map(|forward| forward.groups.clone()).unwrap_or_default();
        let now = deals(rule);
        if shares::same(&now, &deals(&self.rule)) {
            return Standing::At(0);
        }
        let made = self.stages.iter().position(|stage| shares::same(&now, &stage.groups));
        made.map_or(Standing::Other, |place| Standing::At(place + 1))
    }
}

impl Weights {
    /// The group can take requests: one that stands in no rule yet is not checked, and nobody can tell.
    async fn is_fit(&self, traffic: &dyn ReadTraffic, group: &str) -> Result<(), Fault> {
        match self.unhealthy(traffic, group).await? {
            Some(why) => Err(Fault::permanent(format!("{why}: nothing is shifted to it"))),
            None => Ok(()),
        }
    }

    /// Why too few of its targets are healthy, if they are.
    async fn unhealthy(&self, traffic: &dyn ReadTraffic, group: &str) -> Result<Option<String>, Fault> {
        let targets = traffic.targets(group).await?;
        let healthy = targets.iter().filter(|target| target.state == "healthy").count();
        let unused = !targets.is_empty() && targets.iter().all(|target| target.state == "unused");
        if healthy >= self.healthy || unused {
            return Ok(None);
        }
        let other = targets.iter().find(|target| target.state != "healthy");
        let other = other.map(|target| format!(", {} is {}", target.id, target.state)).unwrap_or_default();
        Ok(Some(format!("{healthy} of {} targets of {} are healthy{other}", self.healthy, self.group)))
    }

    /// This weight is set: is the group healthy, and has it been watched for long enough?
    async fn look_forward(
        &self,
        reads: &Reads<'_>,
        traffic: &dyn ReadTraffic,
        at: usize,
        record: &Known<Self>,
    ) -> Result<Seen<Watched>, Fault> {
        let percent = at.checked_sub(1).and_then(|place| record.prior.stages.get(place)).map(|s| s.percent);
        let out = json!({"group": self.group, "percent": percent.or(self.course.to.last().copied())});
        // Whoever finds it set begins to watch from then on.
        let Some(note) = &record.note else {
            let again = if at == 0 { return Ok(Seen::Desired { out }) } else { Duration::ZERO };
            return Ok(Seen::Moving { note: Some(Watched::default()), again });
        };
        if note.is_over() {
            return Ok(Seen::Desired { out });
        }
        let unhealthy = self.unhealthy(traffic, &record.prior.group).await?;
        if let Some(why) = &unhealthy
            && !note.has_begun()
        {
            // A group that takes its first requests is not judged by them before it could answer any.
            (reads.progress)(why);
            return Ok(Seen::Moving { note: None, again: POLL });
        }
        // Also while its targets fall ill: that is when users suffer. But then it is never over.
        let counted = if unhealthy.is_some() { reads.world.clock().now().after(POLL) } else { record.since };
        let watching = self.course.watch(reads, note, record.since, counted, &record.token);
        let seen = watching.await?;
        let Some(why) = unhealthy else {
            let arrived = matches!(seen, Seen::Desired { .. });
            return Ok(if arrived { Seen::Desired { out } } else { seen });
        };
        (reads.progress)(&why);
        Ok(match seen {
            Seen::Moving { note: Some(note), again } if !note.is_over() => {
                Seen::Moving { note: Some(note), again }
            }
            _ => Seen::Moving { note: None, again: POLL },
        })
    }

    /// What people see of it: the weights, and who is not moved by them.
    fn changes(&self, found: &Found, group: &str, stages: &[Stage]) -> Vec<Change> {
        let forward = found.rule.forward();
        let from = forward.map(|forward| shares::told(&forward.groups)).unwrap_or_default();
        let to: Vec<String> = stages.iter().map(|stage| shares::told(&stage.groups)).collect();
        let soak = self.course.soak();
        let soak =
            soak.map(|soak| format!(", each watched for {}", format_duration(soak))).unwrap_or_default();
        let mut changes = vec![Change {
            what: format!("weights of {}", self.place.name()).into(),
            from: from.into(),
            to: format!("{}{soak}", to.join("; then ")).into(),
        }];
        if let Some(sticks) = forward.and_then(|forward| forward.sticks) {
            changes.push(Change {
                what: "sessions of clients that came before".into(),
                from: format!("stick to their target group for {}", format_duration(sticks)).into(),
                to: "as it is: weights are for new sessions".into(),
            });
        }
        let ours = |share: &Share| share.group.clone();
        let mut groups: Vec<String> =
            forward.into_iter().flat_map(|forward| forward.groups.iter().map(ours)).collect();
        groups.push(group.to_owned());
        for (name, others) in &found.others {
            let shared: Vec<String> = others.iter().filter(|other| groups.contains(other)).cloned().collect();
            if !shared.is_empty() {
                let what = format!("requests of {name}").into();
                let from = format!("go to {} too", shares::names(&shared)).into();
                changes.push(Change { what, from, to: "as it is: they are not shifted".into() });
            }
        }
        changes
    }

    fn foreign(&self, prior: &Prior, rule: &Rule) -> Fault {
        let told =
            |rule: &Rule| rule.forward().map_or("nothing".into(), |forward| shares::told(&forward.groups));
        Fault::foreign(format!(
            "{} deals to {}, which is neither what this step left there nor {}, which was recorded: somebody else \
             changed it",
            self.place.name(),
            told(rule),
            told(&prior.rule)
        ))
    }
}
