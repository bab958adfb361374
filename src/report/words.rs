//! Facts in words: one line each, the same in every renderer.

use super::{Story, Tone};
use crate::plan::{Kind, OnBreach, Plan, StepIx, Timestamp, format_duration, is_lock};
use crate::run::{
    Actor, Cause, Event, Order, PauseCause, Phase, Receipt, Refusal, Rewind, StepEvent, Stuck, Verdict,
};
use std::time::Duration;

/// A fact in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step it is about, `run`, or the name of a guard.
    pub subject: String,
    /// What it means to the reader.
    pub tone: Tone,
    /// What happened.
    pub text: String,
    /// More lines that belong to it.
    pub details: Vec<String>,
}

/// The fact in words. `story` has taken it already.
#[must_use]
pub fn line(story: &Story, at: Timestamp, event: &Event) -> Line {
    let plan = &story.plan;
    let mut details = Vec::new();
    let (subject, (tone, text)) = match event {
        Event::RunStarted { by } => {
            ("run".into(), (Tone::Strong, format!("{} started by {}", plan.name, by.name)))
        }
        Event::DeadlineSet { deadline } => {
            ("run".into(), (Tone::Plain, format!("pauses by itself after {}", span(deadline.since(at)))))
        }
        Event::RunResumed { owner } => {
            let first = match story.unwatched.last().filter(|(_, to)| *to == at) {
                Some(gap) => unwatched(gap),
                None => "what was in flight is looked at first".into(),
            };
            details.extend(plan.places().filter_map(|ix| awaited(story, ix, at)));
            ("run".into(), (Tone::Warn, format!("taken over by {owner}; {first}")))
        }
        Event::OrderTaken { by, order, .. } => ("run".into(), (Tone::Strong, taken(plan, by, order))),
        Event::OrderRefused { by, order, refusal, .. } => {
            let text =
                format!("{} by {} was refused: {}", order_name(plan, order), by.name, refused(refusal));
            ("run".into(), (Tone::Warn, text))
        }
        Event::GuardNoted { guard, note, .. } => {
            let guard = plan.guards.get(*guard).map_or("guard".into(), |guard| guard.id.to_string());
            (guard, (Tone::Dim, watched(note)))
        }
        Event::GuardTripped { guard, fault } => {
            let guard = plan.guards.get(*guard);
            let does = match guard.map(|g| g.on_breach) {
                Some(OnBreach::Notify) => "for your information",
                _ if fault.is_foreign() => "somebody else's change",
                _ => "breach",
            };
            (guard.map_or("guard".into(), |g| g.id.to_string()), (Tone::Bad, format!("{does}: {fault}")))
        }
        Event::Baking { until } => {
            let span = span(until.since(at));
            (
                "run".into(),
                (Tone::Good, format!("all is done; bakes for {span}: the guards are kept until {until}")),
            )
        }
        Event::GuardSatisfied { guard } => {
            let guard = plan.guards.get(*guard);
            let text = "says at the end of the bake that all is well";
            (guard.map_or("guard".into(), |g| g.id.to_string()), (Tone::Good, text.into()))
        }
        Event::Baked => ("run".into(), (Tone::Good, "the bake is over".into())),
        Event::RunPaused { cause } => ("run".into(), (Tone::Bad, format!("paused: {}", pause(plan, cause)))),
        Event::RollbackAnnounced { cause, at: turns } => {
            let (left, why) = (span(turns.since(at)), why_back(plan, cause));
            let how = format!("`switchover pause {}` says no", story.id);
            (
                "run".into(),
                (Tone::Bad, format!("rolls back in {left}, unless somebody says no: {why} ({how})")),
            )
        }
        Event::RollbackStarted { cause, rewind } => {
            let text = format!("rolling back{}: {}", how_far(plan, *rewind), why_back(plan, cause));
            ("run".into(), (Tone::Bad, text))
        }
        Event::RunFinished { verdict } => {
            let (tone, text) = ended(*verdict, story.run.assumes());
            ("run".into(), (tone, format!("{text} after {}", span(story.lasted(at)))))
        }
        Event::Step(ix, event) => {
            if let StepEvent::Planned { proposal, .. } = event {
                let change = |c: &crate::run::Change| format!("{}: {} → {}", c.what, c.from, c.to);
                details.extend(proposal.changes.iter().map(change));
            }
            (step_name(plan, *ix), step(story, *ix, at, event))
        }
    };
    Line { subject, tone, text, details }
}

/// It says that all is as it was: for whoever reads all of the journal.
pub(super) fn is_routine(event: &Event) -> bool {
    matches!(event, Event::GuardNoted { .. })
}

fn step(story: &Story, ix: StepIx, at: Timestamp, event: &StepEvent) -> (Tone, String) {
    let told = story.step(ix);
    let took = || span(at.since(told.began.unwrap_or(at)));
    match event {
        StepEvent::Started => (Tone::Busy, "looking at what is there".into()),
        StepEvent::Skipped => (Tone::Dim, "skipped: its `when` does not hold".into()),
        StepEvent::ApprovalAsked { until } => {
            let message = match story.plan.steps.get(ix.index()).map(|s| &s.kind) {
                Some(Kind::Approve(approval)) => approval.message.to_string(),
                _ => "may the run go on?".into(),
            };
            (Tone::Warn, format!("waits for approval, {} left: {message}", span(until.since(at))))
        }
        StepEvent::Approved { by } => (Tone::Good, format!("approved by {by}")),
        StepEvent::Planned { proposal, .. } => match (proposal.stages, proposal.changes.is_empty()) {
            (0, true) => (Tone::Busy, "watching".into()),
            (0, false) => (Tone::Busy, "nothing to change, already there; watching".into()),
            (1, _) => (Tone::Busy, "will change".into()),
            (stages, _) => (Tone::Busy, format!("will change in {stages} stages")),
        },
        StepEvent::Applying { stage, by } => {
            let stages = story.run[ix].record.as_ref().map_or(1, |record| record.proposal.stages);
            let stage = if stages > 1 { format!(" stage {stage} of {stages}") } else { String::new() };
            (Tone::Busy, format!("applying{stage}; an answer is awaited for {}", span(by.since(at))))
        }
        StepEvent::Applied { until, .. } => {
            (Tone::Busy, format!("applied; must have arrived within {}", span(until.since(at))))
        }
        StepEvent::WasInDoubt { reason } => {
            let until = story.run[ix].settles;
            let wait = if until > at {
                format!("; that it was not carried out is believed in {}", span(until.since(at)))
            } else {
                String::new()
            };
            (Tone::Warn, format!("in doubt: {reason}; looking at the world{wait}"))
        }
        StepEvent::NotLanded => (Tone::Plain, "was not carried out: nothing changed".into()),
        StepEvent::Noted { note, next } => {
            let wait =
                if *next > at { format!("; looks again in {}", span(next.since(at))) } else { String::new() };
            (Tone::Dim, format!("{}{wait}", noted(note)))
        }
        StepEvent::StageReached => (Tone::Good, "stage reached".into()),
        StepEvent::Succeeded { .. } => match story.plan.steps.get(ix.index()).map(|step| &step.kind) {
            Some(Kind::Join) => (Tone::Dim, "all of it is done".into()),
            Some(Kind::Checkpoint) => (Tone::Good, "passed: a rollback stops here by itself".into()),
            _ => (Tone::Good, format!("done in {}", took())),
        },
        StepEvent::RetryScheduled { at: then, fault } => {
            (Tone::Warn, format!("{fault}; tried again in {}", span(then.since(at))))
        }
        StepEvent::FoundForeign { fault } => {
            (Tone::Bad, format!("somebody else's change, nothing was written: {fault}"))
        }
        StepEvent::WentBlind { fault } => (Tone::Bad, format!("nobody can tell how it stands: {fault}")),
        StepEvent::Failed { fault } => (Tone::Bad, format!("failed after {}: {fault}", took())),
        StepEvent::Undoing { by } => {
            (Tone::Warn, format!("undoing; an answer is awaited for {}", span(by.since(at))))
        }
        StepEvent::UndoCalled { until, .. } => {
            (Tone::Warn, format!("undone; must be back within {}", span(until.since(at))))
        }
        StepEvent::Undone { receipt } => undone(*receipt),
        StepEvent::GotStuck { stuck: Stuck::Failed, reason } => {
            (Tone::Bad, format!("NOT RESTORED: {reason}"))
        }
        StepEvent::GotStuck { stuck: Stuck::Drifted, reason } => (Tone::Bad, format!("DRIFTED: {reason}")),
        StepEvent::Settled { done: true } => (Tone::Good, "settled: in force".into()),
        StepEvent::Settled { done: false } => (Tone::Good, "settled: not in force".into()),
        StepEvent::SettleRefused { reason } => (Tone::Bad, format!("the world says otherwise: {reason}")),
    }
}

/// What is waited for of a step whose call was lost, and until when.
fn awaited(story: &Story, ix: StepIx, at: Timestamp) -> Option<String> {
    let (name, until) = (step_name(&story.plan, ix), story.run[ix].settles);
    let left = span(until.since(at));
    match story.run[ix].phase {
        _ if until <= at => None,
        Phase::InDoubt => Some(format!(
            "{name}: its call may have been carried out, or may be yet; that it was not is believed at {until}, in {left}"
        )),
        Phase::UndoBackoff { .. } => Some(format!(
            "{name}: its undo may be carried out until {until}; it is tried again then, in {left}"
        )),
        _ => None,
    }
}

/// `1m30s`: whole seconds, where there are any.
#[must_use]
pub fn span(duration: Duration) -> String {
    let rounded =
        Duration::from_secs((duration.as_millis() + 500).div_euclid(1000).try_into().unwrap_or(u64::MAX));
    if duration < Duration::from_secs(10) {
        format_duration(tenths(duration))
    } else {
        format_duration(rounded)
    }
}

/// `12,345`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn tenths(duration: Duration) -> Duration {
    if duration >= Duration::from_secs(1) { Duration::from_secs(duration.as_secs()) } else { duration }
}

/// What a guard saw last.
fn watched(note: &str) -> String {
    let read: serde_json::Value = serde_json::from_str(note).unwrap_or_default();
    let last = read.pointer("/signals/0/last/text").and_then(serde_json::Value::as_str);
    last.unwrap_or("noted what it saw").to_owned()
}

/// What a note says: the text that was written for people, or its numbers.
fn noted(note: &str) -> String {
    let Ok(serde_json::Value::Object(read)) = serde_json::from_str(note) else {
        return "noted what was seen".into();
    };
    if let Some(text) =
        ["text", "says"].iter().find_map(|key| read.get(*key)?.as_str().filter(|t| !t.is_empty()))
    {
        return text.to_owned();
    }
    let plain = read.iter().filter(|(_, value)| value.is_number() || value.is_boolean());
    let parts: Vec<String> =
        plain.map(|(key, value)| format!("{} {}", key.replace('_', " "), number(value))).collect();
    if parts.is_empty() { "noted what was seen".into() } else { parts.join(", ") }
}

/// A number; one that can only be a moment is written as one.
fn number(value: &serde_json::Value) -> String {
    match value.as_u64() {
        Some(moment) if (1_000_000_000_000..100_000_000_000_000).contains(&moment) => {
            Timestamp(moment).to_string()
        }
        _ => value.to_string(),
    }
}

/// A step's name.
#[must_use]
pub(super) fn step_name(plan: &Plan, ix: StepIx) -> String {
    plan.steps.get(ix.index()).map_or_else(|| format!("step {}", ix.0), |step| step.id.to_string())
}

fn undone(receipt: Receipt) -> (Tone, String) {
    match receipt {
        Receipt::Restored => (Tone::Good, "RESTORED: the prior state was read back".into()),
        Receipt::Assumed => (Tone::Warn, "UNDONE: its undo ended well, and nothing reads it back".into()),
        Receipt::Left => (Tone::Plain, "LEFT as the plan says".into()),
        Receipt::TakenOver => (Tone::Bad, "NOT RESTORED: taken over by an operator".into()),
    }
}

/// A verdict in words. `assumes`: some undo was believed, for nothing could be read back.
#[must_use]
pub(super) fn ended(verdict: Verdict, assumes: bool) -> (Tone, &'static str) {
    match verdict {
        Verdict::Completed => (Tone::Good, "completed"),
        Verdict::RolledBack if assumes => (Tone::Warn, "rolled back, not all of it read back,"),
        Verdict::RolledBack => (Tone::Warn, "rolled back and verified"),
        Verdict::Incomplete => (Tone::Bad, "rolled back in part: something was left in force"),
    }
}

/// A time of a bake in which there may have been nobody.
#[must_use]
pub(super) fn unwatched((from, to): &(Timestamp, Timestamp)) -> String {
    format!("nobody is known to have watched its guards from {from} to {to}")
}

/// Why a run is paused.
#[must_use]
pub fn pause(plan: &Plan, cause: &PauseCause) -> String {
    paused(cause, |ix| step_name(plan, ix), |guard| Some(plan.guards.get(guard)?.id.to_string()))
}

/// The same without a plan, where `name` is the one step or guard that it is about.
#[must_use]
pub fn pause_about(name: &str, cause: &PauseCause) -> String {
    paused(cause, |_| name.to_owned(), |_| Some(name.to_owned()))
}

fn paused(
    cause: &PauseCause,
    step: impl Fn(StepIx) -> String,
    guard: impl Fn(usize) -> Option<String>,
) -> String {
    let name = |ix: &StepIx| step(*ix);
    match cause {
        PauseCause::Operator => "an operator said so".into(),
        PauseCause::Interrupted => "the process was asked to stop".into(),
        PauseCause::OutOfRoom => "the disk that holds the journal was full".into(),
        PauseCause::Failed(ix) => format!("{} failed, and a person decides", name(ix)),
        PauseCause::Foreign(ix) if is_lock(&name(ix)) => "another run has locked what this one writes".into(),
        PauseCause::Foreign(ix) => format!("somebody else's change is in the way of {}", name(ix)),
        PauseCause::Blind(ix) => format!("nobody can tell how {} stands", name(ix)),
        PauseCause::Guard(place) => {
            let guard = guard(*place).unwrap_or_else(|| "a guard".into());
            format!("the guard {guard} tripped, and a person decides")
        }
        PauseCause::Stuck(ix) => {
            format!("the undo of {} is stuck; what it stands on is not undone", name(ix))
        }
        PauseCause::Rejected(ix) => format!("{} was rejected", name(ix)),
        PauseCause::Expired(ix) => format!("nobody approved {} in time", name(ix)),
        PauseCause::Deadline => "it takes longer than the plan's deadline".into(),
        PauseCause::Barrier(ix) => {
            format!("a rollback was called for past {}, a point of no return", name(ix))
        }
        PauseCause::Checkpoint(ix) => format!("the rollback reached the checkpoint {}", name(ix)),
        PauseCause::Rewound(ix) => format!("{} and all that stood on it is undone, as was asked", name(ix)),
        PauseCause::Diverged { step, since } => format!(
            "a rollback was called for; it would leave behind what users wrote since {since}, when {} switched",
            name(step)
        ),
    }
}

/// Why a run rolls back.
#[must_use]
pub fn why_back(plan: &Plan, cause: &Cause) -> String {
    back(cause, |ix| step_name(plan, ix), |guard| Some(plan.guards.get(guard)?.id.to_string()))
}

/// The same without a plan, where `name` is the one step or guard that it is about.
#[must_use]
pub fn why_back_about(name: &str, cause: &Cause) -> String {
    back(cause, |_| name.to_owned(), |_| Some(name.to_owned()))
}

fn back(cause: &Cause, step: impl Fn(StepIx) -> String, guard: impl Fn(usize) -> Option<String>) -> String {
    match cause {
        Cause::Failed(ix) => format!("{} failed", step(*ix)),
        Cause::Guard(place) => {
            format!("the guard {} tripped", guard(*place).unwrap_or_else(|| "of the plan".into()))
        }
        Cause::Order { by, reason } => format!("{} said so ({reason})", by.name),
    }
}

fn how_far(plan: &Plan, rewind: Rewind) -> String {
    match rewind {
        Rewind::Safe => String::new(),
        Rewind::To(ix) => format!(" to {}", step_name(plan, ix)),
        Rewind::All => " everything".into(),
    }
}

fn order_name(plan: &Plan, order: &Order) -> String {
    match order {
        Order::Pause { .. } => "pause".into(),
        Order::Continue => "continue".into(),
        Order::Rollback { rewind, .. } => format!("rollback{}", how_far(plan, *rewind)),
        Order::Approve { step } => format!("approval of {}", step_name(plan, *step)),
        Order::Reject { step, .. } => format!("rejection of {}", step_name(plan, *step)),
        Order::Retry { step } => format!("retry of {}", step_name(plan, *step)),
        Order::Skip { step, .. } => format!("skip of {}", step_name(plan, *step)),
        Order::Settle { step, done, .. } => {
            format!("settlement of {} as {}", step_name(plan, *step), if *done { "done" } else { "undone" })
        }
        Order::Trip { guard, .. } => {
            let guard = plan.guards.get(*guard);
            format!("trip of {}", guard.map_or("a guard that the plan does not have", |guard| &*guard.id))
        }
    }
}

fn taken(plan: &Plan, by: &Actor, order: &Order) -> String {
    let reason = match order {
        Order::Pause { reason } => reason.as_deref(),
        Order::Rollback { reason, .. }
        | Order::Reject { reason, .. }
        | Order::Skip { reason, .. }
        | Order::Settle { reason, .. }
        | Order::Trip { reason, .. } => Some(&**reason),
        Order::Continue | Order::Approve { .. } | Order::Retry { .. } => None,
    };
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} by {}{reason}", order_name(plan, order), by.name)
}

/// Why an order changed nothing.
#[must_use]
pub fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotRunning => "the run is over, or has not begun".into(),
        Refusal::NotPaused => "there is nothing to continue".into(),
        Refusal::AlreadyPaused => "it is paused already".into(),
        Refusal::AlreadyRollingBack => "it is on its way back already".into(),
        Refusal::NoSuchStep => "there is no such step".into(),
        Refusal::NotAsked => "that step waits for no approval".into(),
        Refusal::NotEntitled => "the plan's `people` do not name this person for it".into(),
        Refusal::StarterMayNotApprove => "in production somebody else than the starter must approve".into(),
        Refusal::AlreadyApproved => "this person said yes before; somebody else is needed".into(),
        Refusal::OutsideWindow(why) => why.to_string(),
        Refusal::NotStopped => "that step has not stopped".into(),
        Refusal::StillInDoubt => {
            "what a lost call of that step did must be known first; retry it, or settle it".into()
        }
        Refusal::PersonNeeded => "only a person may decide this".into(),
        Refusal::NothingRecorded => {
            "that step wrote nothing: there is nothing to settle; retry or skip it".into()
        }
        Refusal::HeldBy(PauseCause::Stuck(_)) => "an undo is stuck: retry or skip that step first".into(),
        Refusal::HeldBy(_) => {
            "a rollback goes no further by itself; say how far: `rollback --to STEP`, or `--all`".into()
        }
        Refusal::NoSuchGuard => "its plan has no such guard".into(),
        Refusal::LooksItself => {
            "that guard looks for itself; only one of kind `webhook` is tripped from outside".into()
        }
        Refusal::NotWatched => {
            "that guard does not watch now: its `from` is yet to come, or its `until` is over".into()
        }
        Refusal::AlreadyTripped => "that guard has tripped already; `continue` arms it again".into(),
    }
}
