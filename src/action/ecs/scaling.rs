//! `ecs.scaling`: holds a service where it is while traffic moves. Its autoscaler may not go below what this step sets, until
//! a step of `finally` gives back what was there.
//!
//! A side that takes no requests is scaled in within minutes, and is then too small for the users who come back to it. The
//! minimum is raised and never lowered here: what was higher stays. It owns the minimum, and the maximum where the plan
//! states one; how many tasks there are in between is the autoscaler's to say. The call takes no condition: the bounds are
//! read before and after it, and it is sent within the deadline of its intent, or not at all.
//!
//! There is one mechanism for both ends: this step answers what it found and what it set (`steps.<id>.out`), and another of
//! the same kind reads that and puts it back. On the way back the undo has been there before it, and it finds nothing to do.

use crate::action::{
    Action, ByHand, Known, Planned, Seen, Toward, aws, quoted, standing::Standing, wait::Nothing,
};
use crate::plan::{Code, Fields, Scope, StepTraits, Target, integer, one_of, reference, target, text};
use crate::port::need::{Account, Need};
use crate::port::{ReadCompute, Reads, Scaling, SetScaling, Writes};
use crate::run::{Change, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::{fmt, sync::Arc, time::Duration};

/// Sets bounds of a service, or gives them back.
#[derive(Debug)]
pub(in crate::action) struct Hold {
    target: Arc<Target>,
    cluster: Arc<str>,
    service: Arc<str>,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// It has so many tasks, whatever its autoscaler thinks.
    Held { least: Least, most: Option<u32> },
    /// As that step found it.
    GivenBack { step: Arc<str> },
}

#[derive(Clone, Copy, Debug)]
enum Least {
    Tasks(u32),
    /// As many as it should have now.
    Desired,
}

/// The bounds that a step owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    min: u32,
    /// `None`: whatever it is.
    max: Option<u32>,
}

/// What is there, and what is made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    before: Bounds,
    to: Bounds,
}

/// What a step answers that holds: another reads it.
#[derive(Serialize, Deserialize)]
struct Held {
    service: String,
    before: Bounds,
    now: Bounds,
}

/// How long a change may take to be told.
const ARRIVES: Duration = Duration::from_secs(60);
const DESIRED: &[(&str, ())] = &[("desired", ())];

#[async_trait::async_trait]
impl Action for Hold {
    type Prior = Prior;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "the account and region");
        let cluster = fields.required("cluster", text(), "the cluster of the service");
        let service = fields.required("service", text(), "the service");
        let about = "how many tasks it may not be scaled in below; what is higher stays";
        let min = fields.optional("min", integer(0..=10_000), about);
        let about = "in place of `min`: as many tasks as it should have now";
        let at_least = fields.optional("at_least", one_of(DESIRED), about);
        let about = "how many tasks it may not be scaled out above; without it, as it is";
        let max = fields.optional("max", integer(1..=10_000), about);
        let about = "in place of all these, in `finally`: the step whose change is given back";
        let restore = fields.optional("restore", reference(), about);
        if let Some(step) = &restore {
            let span = fields.span_of("restore");
            fields.known().read_steps.borrow_mut().push((step.clone(), span));
        }
        one_wish(fields)?;
        let count = |tasks: i64| u32::try_from(tasks).ok();
        let wanted = match (restore, min.and_then(count), at_least) {
            (Some(step), ..) => Wanted::GivenBack { step },
            (None, min, _) if fields.has("min") => held(fields, Least::Tasks(min?), max.and_then(count))?,
            (None, _, Some(())) => held(fields, Least::Desired, max.and_then(count))?,
            _ => return None,
        };
        Some(Self { target: target?, cluster: cluster?, service: service?, wanted })
    }

    fn traits(&self) -> StepTraits {
        let gives_back = match &self.wanted {
            Wanted::Held { .. } => None,
            Wanted::GivenBack { step } => Some(step.clone()),
        };
        StepTraits {
            writes: true,
            has_undo: true,
            resources: vec![format!("scaling:{}/{}/{}", self.target.place(), self.cluster, self.service)],
            lent: gives_back.is_none(),
            gives_back,
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let noted = "--min-capacity <as noted> --max-capacity <as noted>";
        let look = self.look_by_hand();
        let (what, set) = match &self.wanted {
            Wanted::Held { least, most } => {
                let min = match least {
                    Least::Tasks(tasks) => format!("<{tasks}, or what it has, if that is more>"),
                    Least::Desired => "<its desiredCount>".to_owned(),
                };
                let max = most.map(|most| format!(" --max-capacity {most}")).unwrap_or_default();
                ("not scaled in".to_owned(), format!("--min-capacity {min}{max}"))
            }
            Wanted::GivenBack { step } => (format!("bounds as before `{step}`"), noted.to_owned()),
        };
        ByHand {
            what: format!("{}: {what}", self.named()),
            apply: vec![format!("{look}   # keep this: it is given back"), self.set_by_hand(&set)],
            expect: format!("MinCapacity and MaxCapacity as set: {look}"),
            undo: vec![self.set_by_hand(noted)],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        let max = prior.before.max.map(|max| format!(" --max-capacity {max}")).unwrap_or_default();
        vec![self.set_by_hand(&format!("--min-capacity {}{max}", prior.before.min))]
    }

    fn needs(&self) -> Vec<Need> {
        let (least, most) = match self.wanted {
            Wanted::Held { least: Least::Tasks(tasks), most } => (Some(tasks), most),
            Wanted::Held { least: Least::Desired, most } => (None, most),
            Wanted::GivenBack { .. } => (None, None),
        };
        vec![Need::Scaling {
            at: Account::of(&self.target),
            cluster: self.cluster.to_string(),
            name: self.service.to_string(),
            least,
            most,
        }]
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let found = self.found(&*compute).await?;
        let (prior, tasks) = match &self.wanted {
            Wanted::Held { least, most } => {
                let tasks = self.tasks(&*compute).await?;
                (self.held(found, tasks, *least, *most)?, Some(tasks))
            }
            Wanted::GivenBack { step } => (self.given_back(reads.scope, step, found)?, None),
        };
        let changes = self.changes(&prior, tasks);
        let stages = u32::from(!changes.is_empty());
        Ok(Planned { prior, stages, within: ARRIVES, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Nothing>, Fault> {
        let compute = writes.world.compute(&self.target.name)?;
        let now = self.now(&*compute, prior).await?;
        if !prior.standing(now).to_set(|| self.foreign(prior, now))? {
            return Ok(None);
        }
        self.set(writes, now, prior.to).await
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Nothing>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let prior = &record.prior;
        let now = self.now(&*compute, prior).await?;
        prior.standing(now).seen(toward, || self.out(prior), || self.foreign(prior, now))
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Nothing>, Fault> {
        let compute = writes.world.compute(&self.target.name)?;
        let prior = &record.prior;
        let now = self.now(&*compute, prior).await?;
        if !prior.standing(now).to_restore(|| self.foreign(prior, now))? {
            return Ok(None);
        }
        self.set(writes, now, prior.before).await
    }
}

impl Bounds {
    /// `max`: whether the maximum is owned, too.
    fn of(found: Scaling, max: bool) -> Self {
        Self { min: found.min, max: max.then_some(found.max) }
    }
}

impl fmt::Display for Bounds {
    /// `min 2, max 10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "min {}", self.min)?;
        self.max.map_or(Ok(()), |max| write!(f, ", max {max}"))
    }
}

impl Prior {
    fn standing(&self, now: Bounds) -> Standing {
        Standing::of(&now, &self.before, &self.to)
    }
}

impl Hold {
    /// For people.
    fn named(&self) -> String {
        format!("service {} of {}", self.service, self.cluster)
    }

    /// As the provider names it.
    fn resource(&self) -> String {
        let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        format!("service/{}/{}", short(&self.cluster), short(&self.service))
    }

    async fn found(&self, compute: &dyn ReadCompute) -> Result<Scaling, Fault> {
        let missing = || {
            Fault::permanent(format!(
                "{} has no scalable target: nothing scales it in or out, and there is no minimum to be held. leave this \
                 step out, or register one first",
                self.named()
            ))
        };
        compute.scaling(&self.cluster, &self.service).await?.ok_or_else(missing)
    }

    /// What the step owns, as it is now.
    async fn now(&self, compute: &dyn ReadCompute, prior: &Prior) -> Result<Bounds, Fault> {
        let gone = || {
            Fault::foreign(format!(
                "{} has no scalable target any more: somebody deregistered it",
                self.named()
            ))
        };
        let found = compute.scaling(&self.cluster, &self.service).await?.ok_or_else(gone)?;
        Ok(Bounds::of(found, prior.to.max.is_some()))
    }

    /// How many it should have.
    async fn tasks(&self, compute: &dyn ReadCompute) -> Result<u32, Fault> {
        let found = compute.service(&self.cluster, &self.service).await?;
        let missing = || Fault::permanent(format!("there is no {}", self.named()));
        found.map(|service| service.desired).ok_or_else(missing)
    }

    fn held(&self, found: Scaling, tasks: u32, least: Least, most: Option<u32>) -> Result<Prior, Fault> {
        let least = match least {
            Least::Tasks(least) => least,
            Least::Desired => tasks,
        };
        let before = Bounds::of(found, most.is_some());
        let to = Bounds { min: found.min.max(least), max: most };
        let max = most.unwrap_or(found.max);
        if to.min > max {
            return Err(Fault::permanent(format!(
                "{} may have {max} tasks at most, and {} are to be held: state a larger `max`",
                self.named(),
                to.min
            )));
        }
        if max < tasks && most.is_some() {
            return Err(Fault::permanent(format!(
                "{} should have {tasks} tasks: `max: {max}` would stop some of them",
                self.named()
            )));
        }
        Ok(Prior { before, to })
    }

    /// What that step found, where what it set is still there. Where it did nothing, or was undone, nothing is to be done.
    fn given_back(&self, scope: &Scope, step: &str, found: Scaling) -> Result<Prior, Fault> {
        let Some(answered) = scope.steps.get(step) else {
            let now = Bounds::of(found, false);
            return Ok(Prior { before: now, to: now });
        };
        let held: Held = serde_json::from_value(answered["out"].clone())
            .map_err(|error| Fault::permanent(format!("`{step}` holds no service: {error}")))?;
        if held.service != self.resource() {
            return Err(Fault::permanent(format!(
                "`{step}` holds {}, and this step would give back {}",
                held.service,
                self.resource()
            )));
        }
        let now = Bounds::of(found, held.before.max.is_some());
        let prior = Prior { before: held.now, to: held.before };
        match prior.standing(now) {
            Standing::Before => Ok(prior),
            Standing::Set => Ok(Prior { before: now, to: now }),
            Standing::Other => Err(self.foreign(&prior, now)),
        }
    }

    async fn set(&self, writes: &Writes<'_>, now: Bounds, wanted: Bounds) -> Result<Option<Nothing>, Fault> {
        writes.in_time()?;
        let changing = writes.compute(&self.target.name)?;
        let setting = SetScaling {
            cluster: self.cluster.to_string(),
            service: self.service.to_string(),
            min: (wanted.min != now.min).then_some(wanted.min),
            max: wanted.max.filter(|_| wanted.max != now.max),
        };
        changing.set_scaling(&setting).await?;
        Ok(None)
    }

    fn changes(&self, prior: &Prior, tasks: Option<u32>) -> Vec<Change> {
        let Prior { before, to } = prior;
        if before == to {
            return Vec::new();
        }
        let more = tasks.map_or(0, |tasks| to.min.saturating_sub(tasks));
        let more = if more > 0 { format!("; tasks to be started: {more}") } else { String::new() };
        vec![Change {
            what: format!("autoscaling of {}", self.named()).into(),
            from: before.to_string().into(),
            to: format!("{to}{more}").into(),
        }]
    }

    fn out(&self, prior: &Prior) -> Json {
        let held = Held { service: self.resource(), before: prior.before, now: prior.to };
        json!(held)
    }

    fn foreign(&self, prior: &Prior, now: Bounds) -> Fault {
        Fault::foreign(format!(
            "autoscaling of {} is {now}, which is neither {}, as this step sets it, nor {}, as it was before: somebody \
             else changed it",
            self.named(),
            prior.to,
            prior.before
        ))
    }

    fn look_by_hand(&self) -> String {
        let of = quoted(&self.resource());
        let look = format!("describe-scalable-targets --service-namespace ecs --resource-ids {of}");
        aws(&self.target, &format!("application-autoscaling {look}"))
    }

    fn set_by_hand(&self, capacity: &str) -> String {
        let of = quoted(&self.resource());
        let of = format!(
            "--service-namespace ecs --resource-id {of} --scalable-dimension ecs:service:DesiredCount"
        );
        aws(&self.target, &format!("application-autoscaling register-scalable-target {of} {capacity}"))
    }
}

/// Reports more than one wish, or none.
fn one_wish(fields: &mut Fields<'_>) -> Option<()> {
    let stated: Vec<&str> =
        ["min", "at_least", "restore"].into_iter().filter(|field| fields.has(field)).collect();
    let found = match &stated[..] {
        ["restore"] if fields.has("max") => "what is restored has its own `max`",
        [_] => return Some(()),
        [] => "none of them is here",
        _ => "there are several",
    };
    if fields.reading() {
        let span = fields.span();
        let message = format!("exactly one of `min`, `at_least` and `restore` is needed; {found}");
        fields.problems().error(Code("SW2033"), span, message);
    }
    None
}

/// Reports bounds that are none.
fn held(fields: &mut Fields<'_>, least: Least, most: Option<u32>) -> Option<Wanted> {
    if most.is_none() && fields.has("max") {
        return None;
    }
    if let (Least::Tasks(least), Some(most)) = (least, most)
        && least > most
    {
        let span = fields.span_of("max");
        let message = format!("at least {least} tasks and at most {most}: there is no such number");
        fields.problems().error(Code("SW2033"), span, message);
        return None;
    }
    Some(Wanted::Held { least, most })
}
