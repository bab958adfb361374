//! Facts and results for machines. The names here are stable: fields may be added, none changes its meaning.
//!
//! A fact is one object: `seq`, `at` (RFC 3339), `run`, `event` (a name such as `step.succeeded`), `step` where it is
//! about one, fields of its own, and `text`: the same words as people see.

use super::summary::Watched;
use super::{Extras, Fact, Renderer, Story, Unread, human, summary, words};
use crate::plan::{Kind, StepIx, Timestamp};
use crate::run::{
    Actor, Cause, Curve, Event, Fault, FaultKind, Order, PauseCause, Phase, Receipt, Rewind, StepEvent,
    Stuck, Verdict,
};
use serde_json::{Map, Value as Json, json};
use std::io::Write;

/// One fact as an object.
#[must_use]
pub fn fact(story: &Story, fact: &Fact<'_>) -> Json {
    let mut object = Map::new();
    object.insert("seq".into(), fact.seq.into());
    object.insert("at".into(), fact.at.to_string().into());
    object.insert("run".into(), (*story.id).into());
    object.insert("event".into(), name(fact.event).into());
    if let Event::Step(ix, _) = fact.event {
        object.insert("step".into(), words::step_name(&story.plan, *ix).into());
    }
    if let Json::Object(fields) = fields(story, fact.event) {
        object.extend(fields);
    }
    object.insert("text".into(), words::line(story, fact.at, fact.event).text.into());
    Json::Object(object)
}

/// The name of a kind of fact.
#[must_use]
pub fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run.started",
        Event::DeadlineSet { .. } => "run.deadline_set",
        Event::RunResumed { .. } => "run.resumed",
        Event::OrderTaken { .. } => "order.taken",
        Event::OrderRefused { .. } => "order.refused",
        Event::GuardNoted { .. } => "guard.noted",
        Event::GuardTripped { .. } => "guard.tripped",
        Event::RunPaused { .. } => "run.paused",
        Event::RollbackAnnounced { .. } => "rollback.announced",
        Event::RollbackStarted { .. } => "rollback.started",
        Event::Baking { .. } => "run.baking",
        Event::GuardSatisfied { .. } => "guard.satisfied",
        Event::Baked => "run.baked",
        Event::RunFinished { .. } => "run.finished",
        Event::Step(_, event) => match event {
            StepEvent::Started => "step.started",
            StepEvent::Skipped => "step.skipped",
            StepEvent::ApprovalAsked { .. } => "step.approval_asked",
            StepEvent::Approved { .. } => "step.approved",
            StepEvent::Planned { .. } => "step.planned",
            StepEvent::Applying { .. } => "step.applying",
            StepEvent::Applied { .. } => "step.applied",
            StepEvent::WasInDoubt { .. } => "step.in_doubt",
            StepEvent::NotLanded => "step.not_landed",
            StepEvent::Noted { .. } => "step.noted",
            StepEvent::StageReached => "step.stage_reached",
            StepEvent::Succeeded { .. } => "step.succeeded",
            StepEvent::RetryScheduled { .. } => "step.retry_scheduled",
            StepEvent::FoundForeign { .. } => "step.found_foreign",
            StepEvent::WentBlind { .. } => "step.went_blind",
            StepEvent::Failed { .. } => "step.failed",
            StepEvent::Undoing { .. } => "step.undoing",
            StepEvent::UndoCalled { .. } => "step.undo_called",
            StepEvent::Undone { .. } => "step.undone",
            StepEvent::GotStuck { .. } => "step.stuck",
            StepEvent::Settled { .. } => "step.settled",
            StepEvent::SettleRefused { .. } => "step.settle_refused",
        },
    }
}

/// The name of a guard.
fn guard(story: &Story, place: usize) -> Option<&str> {
    story.plan.guards.get(place).map(|guard| &*guard.id)
}

fn fields(story: &Story, event: &Event) -> Json {
    let step = |ix: StepIx| Json::from(words::step_name(&story.plan, ix));
    match event {
        Event::RunStarted { by } => json!({"plan": &*story.plan.name, "by": actor(by)}),
        Event::DeadlineSet { deadline } => json!({"deadline": moment(*deadline)}),
        Event::RunResumed { owner } => json!({"owner": &**owner}),
        Event::OrderTaken { id, by, order: taken } => {
            json!({"order": *id, "by": actor(by), "what": order(story, taken)})
        }
        Event::OrderRefused { id, by, order: taken, refusal } => json!({
            "order": *id, "by": actor(by), "what": order(story, taken), "refusal": words::refused(refusal),
        }),
        Event::GuardNoted { guard: place, note, next } => {
            json!({"guard": guard(story, *place), "note": memo(note), "next": moment(*next)})
        }
        Event::GuardTripped { guard: place, fault: seen } => {
            json!({"guard": guard(story, *place), "fault": fault(seen)})
        }
        Event::RunPaused { cause } => json!({"cause": pause(story, cause)}),
        Event::RollbackAnnounced { cause, at } => json!({"cause": back(story, cause), "begins": moment(*at)}),
        Event::RollbackStarted { cause, rewind } => {
            json!({"cause": back(story, cause), "rewind": far(story, *rewind)})
        }
        Event::Baking { until } => json!({"until": moment(*until)}),
        Event::GuardSatisfied { guard: place } => json!({"guard": guard(story, *place)}),
        Event::Baked => json!({}),
        Event::RunFinished { verdict: how } => json!({"verdict": verdict(*how)}),
        Event::Step(ix, event) => match event {
            StepEvent::ApprovalAsked { until }
            | StepEvent::Applied { until, .. }
            | StepEvent::UndoCalled { until, .. } => {
                json!({"until": moment(*until)})
            }
            StepEvent::Approved { by } => json!({"by": &**by}),
            StepEvent::Planned { proposal, until } => json!({
                "stages": proposal.stages,
                "changes": serde_json::to_value(&proposal.changes).unwrap_or_default(),
                "until": moment(*until),
            }),
            StepEvent::Applying { stage, by } => json!({"stage": *stage, "by": moment(*by)}),
            StepEvent::Undoing { by } => json!({"by": moment(*by)}),
            StepEvent::WasInDoubt { reason } | StepEvent::SettleRefused { reason } => {
                json!({"reason": &**reason})
            }
            StepEvent::Noted { note, next } => json!({"note": memo(note), "next": moment(*next)}),
            StepEvent::Succeeded { out } => json!({"out": out.as_deref().map(memo)}),
            StepEvent::RetryScheduled { at, fault: seen } => {
                json!({"again": moment(*at), "fault": fault(seen)})
            }
            StepEvent::FoundForeign { fault: seen }
            | StepEvent::WentBlind { fault: seen }
            | StepEvent::Failed { fault: seen } => {
                json!({"fault": fault(seen)})
            }
            StepEvent::Undone { receipt: how } => {
                json!({"receipt": receipt(*how), "changes": changed(story, *ix)})
            }
            StepEvent::GotStuck { stuck: how, reason } => {
                json!({"stuck": stuck(*how), "reason": &**reason, "step": step(*ix)})
            }
            StepEvent::Settled { done } => json!({"done": *done}),
            StepEvent::Started | StepEvent::Skipped | StepEvent::NotLanded | StepEvent::StageReached => {
                json!({})
            }
        },
    }
}

fn moment(at: Timestamp) -> Json {
    if at == Timestamp::NEVER { Json::Null } else { at.to_string().into() }
}

fn memo(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn actor(by: &Actor) -> Json {
    json!({"name": &*by.name, "automatic": by.automatic})
}

fn fault(fault: &Fault) -> Json {
    let kind = match fault.kind {
        FaultKind::Transient => "transient",
        FaultKind::Permanent => "permanent",
        FaultKind::Foreign => "foreign",
        FaultKind::Blind => "blind",
    };
    json!({"kind": kind, "message": &*fault.message})
}

fn far(story: &Story, rewind: Rewind) -> Json {
    match rewind {
        Rewind::Safe => "safe".into(),
        Rewind::To(ix) => json!({"to": words::step_name(&story.plan, ix)}),
        Rewind::All => "all".into(),
    }
}

fn order(story: &Story, order: &Order) -> Json {
    let step = |ix: &StepIx| words::step_name(&story.plan, *ix);
    match order {
        Order::Pause { reason } => json!({"verb": "pause", "reason": reason.as_deref()}),
        Order::Continue => json!({"verb": "continue"}),
        Order::Rollback { rewind, reason } => {
            json!({"verb": "rollback", "rewind": far(story, *rewind), "reason": &**reason})
        }
        Order::Approve { step: ix } => json!({"verb": "approve", "step": step(ix)}),
        Order::Reject { step: ix, reason } => {
            json!({"verb": "reject", "step": step(ix), "reason": &**reason})
        }
        Order::Retry { step: ix } => json!({"verb": "retry", "step": step(ix)}),
        Order::Skip { step: ix, reason } => json!({"verb": "skip", "step": step(ix), "reason": &**reason}),
        Order::Settle { step: ix, done, reason } => {
            json!({"verb": "settle", "step": step(ix), "done": *done, "reason": &**reason})
        }
        Order::Trip { guard, reason } => {
            let guard = story.plan.guards.get(*guard).map(|guard| guard.id.to_string());
            json!({"verb": "trip", "guard": guard, "reason": &**reason})
        }
    }
}

fn pause(story: &Story, cause: &PauseCause) -> Json {
    let step = |ix: &StepIx| words::step_name(&story.plan, *ix);
    match cause {
        PauseCause::Operator => json!({"kind": "operator"}),
        PauseCause::Interrupted => json!({"kind": "interrupted"}),
        PauseCause::OutOfRoom => json!({"kind": "out_of_room"}),
        PauseCause::Failed(ix) => json!({"kind": "failed", "step": step(ix)}),
        PauseCause::Foreign(ix) => json!({"kind": "foreign", "step": step(ix)}),
        PauseCause::Blind(ix) => json!({"kind": "blind", "step": step(ix)}),
        PauseCause::Guard(guard) => {
            json!({"kind": "guard", "guard": story.plan.guards.get(*guard).map(|g| g.id.to_string())})
        }
        PauseCause::Stuck(ix) => json!({"kind": "stuck", "step": step(ix)}),
        PauseCause::Rejected(ix) => json!({"kind": "rejected", "step": step(ix)}),
        PauseCause::Expired(ix) => json!({"kind": "expired", "step": step(ix)}),
        PauseCause::Deadline => json!({"kind": "deadline"}),
        PauseCause::Barrier(ix) => json!({"kind": "barrier", "step": step(ix)}),
        PauseCause::Checkpoint(ix) => json!({"kind": "checkpoint", "step": step(ix)}),
        PauseCause::Rewound(ix) => json!({"kind": "rewound", "step": step(ix)}),
        PauseCause::Diverged { step: ix, since } => {
            json!({"kind": "diverged", "step": step(ix), "since": moment(*since)})
        }
    }
}

fn back(story: &Story, cause: &Cause) -> Json {
    match cause {
        Cause::Failed(ix) => json!({"kind": "failed", "step": words::step_name(&story.plan, *ix)}),
        Cause::Guard(guard) => {
            json!({"kind": "guard", "guard": story.plan.guards.get(*guard).map(|g| g.id.to_string())})
        }
        Cause::Order { by, reason } => json!({"kind": "order", "by": actor(by), "reason": &**reason}),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Completed => "completed",
        Verdict::RolledBack => "rolled_back",
        Verdict::Incomplete => "incomplete",
    }
}

fn receipt(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::Restored => "restored",
        Receipt::Assumed => "assumed",
        Receipt::Left => "left",
        Receipt::TakenOver => "taken_over",
    }
}

fn stuck(stuck: Stuck) -> &'static str {
    match stuck {
        Stuck::Failed => "not_restored",
        Stuck::Drifted => "drifted",
    }
}

fn changed(story: &Story, ix: StepIx) -> Json {
    serde_json::to_value(&story.step(ix).changes).unwrap_or_default()
}

/// A step's state, by a stable name.
fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Planning => "planning",
        Phase::Asking { .. } => "asking",
        Phase::Ready => "ready",
        Phase::Applying { .. } => "applying",
        Phase::Watching { .. } => "watching",
        Phase::Backoff { .. } => "backoff",
        Phase::InDoubt => "in_doubt",
        Phase::Done => "done",
        Phase::Skipped => "skipped",
        Phase::Failed => "failed",
        Phase::Foreign => "foreign",
        Phase::Blind => "blind",
        Phase::Settling { .. } => "settling",
        Phase::Undoing { .. } => "undoing",
        Phase::UndoBackoff { .. } => "undo_backoff",
        Phase::Restoring { .. } => "restoring",
        Phase::Stuck(how) => stuck(how),
        Phase::Undone(how) => receipt(how),
    }
}

/// What a signal measured lately, the oldest first; `null` where a look saw nothing.
fn curve(curve: &Curve) -> Json {
    json!({"id": &*curve.name, "values": curve.values, "limit": curve.limit})
}

/// What each guard has seen that looks for itself and has looked.
fn watched(story: &Story, extras: &Extras) -> Vec<Json> {
    let watched = |(place, watched): (usize, &Option<Watched>)| {
        let Watched { curve, passes, says } = watched.as_ref()?;
        Some(json!({
            "id": guard(story, place), "passes": passes, "says": says, "values": curve.values, "limit": curve.limit,
        }))
    };
    extras.guards.iter().enumerate().filter_map(watched).collect()
}

/// The whole run as one object.
#[must_use]
pub fn result(story: &Story, now: Timestamp, extras: &Extras, exit: Option<u8>) -> Json {
    let real = story.steps().filter(|(ix, _)| !matches!(story.plan[*ix].kind, Kind::Join));
    let steps: Vec<Json> = real
        .map(|(ix, step)| {
            json!({
                "id": words::step_name(&story.plan, ix),
                "state": state(story.phase(ix)),
                "outcome": summary::outcome(story, ix).1,
                "began": step.began.map(moment),
                "ended": step.ended.map(moment),
                "changes": changed(story, ix),
                "reason": step.reason.as_deref(),
                "signals": extras.curves.get(ix.index()).into_iter().flatten().map(curve).collect::<Vec<_>>(),
                "approved_by": story.run[ix].approved_by.iter().map(std::string::ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let advice = human::advice(story, extras).map(|advice| {
        json!({
            "says": advice.says,
            "commands": advice.commands.iter().map(|(why, run)| json!({"for": why, "run": run})).collect::<Vec<_>>(),
            "see": advice.see.path(),
        })
    });
    let mut object = json!({
        "run": &*story.id,
        "plan": &*story.plan.name,
        "verdict": story.verdict().map(verdict),
        "paused": story.paused().as_ref().map(|cause| pause(story, cause)),
        "announced": story.run.announced.as_ref().map(|announced| json!({
            "cause": back(story, &announced.cause),
            "begins": moment(announced.at),
            "seconds_left": announced.at.since(now).as_secs(),
        })),
        "baking": story.run.bakes_until().map(|until| json!({
            "until": moment(until),
            "seconds_left": until.since(now).as_secs(),
        })),
        "unwatched": story.unwatched.iter().map(|(from, to)| json!({"from": moment(*from), "to": moment(*to)})).collect::<Vec<_>>(),
        "rolled_back_because": story.run.cause.as_ref().map(|cause| back(story, cause)),
        "exit": exit,
        "started": story.begun.as_ref().map(|(_, at)| moment(*at)),
        "started_by": story.begun.as_ref().map(|(by, _)| by.name.to_string()),
        "ended": story.ended.map(moment),
        "lasted_seconds": story.lasted(now).as_secs(),
        "steps": steps,
        "guards": watched(story, extras),
        "dns": summary::dns_clocks(story).iter().map(|(ix, clock)| json!({
            "step": words::step_name(&story.plan, *ix),
            "name": &*clock.name,
            "rollback_seconds": clock.rollback().as_secs(),
            "connections_seconds": clock.connections.as_secs(),
        })).collect::<Vec<_>>(),
        "leaving": summary::leavings(story).map(|leaving| json!({
            "name": leaving.name,
            "new_lookups_by": moment(leaving.looked_up),
            "old_connections_by": leaving.left.map(moment),
        })).collect::<Vec<_>>(),
        "exposure": summary::exposures(story).map(|exposure| json!({
            "step": words::step_name(&story.plan, exposure.step),
            "name": exposure.name,
            "from": moment(exposure.from),
            "until": moment(exposure.until),
            "seconds": exposure.until.since(exposure.from).as_secs(),
        })).collect::<Vec<_>>(),
        "traffic": extras.traffic,
        "to_do": advice,
    });
    if let Some(Unread { why, tool }) = &extras.unread {
        object["plan_unreadable"] = json!({"reason": why, "begun_by": tool});
    }
    object
}

/// Writes one object a line.
pub struct JsonLines<W>(pub W);

impl<W: Write + Send> Renderer for JsonLines<W> {
    fn fact(&mut self, story: &Story, told: &Fact<'_>) {
        // A reader who went away must not end a go-live.
        let _ = writeln!(self.0, "{}", fact(story, told));
        let _ = self.0.flush();
    }
}
