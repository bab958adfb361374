//! Which work should be under way, and what each piece of it is given: derived from the run, whoever carries it out.
//!
//! Not here: tasks, threads, waiting. A host begins what is to be begun and drops what is no longer wanted.

use super::Actions;
use super::work::Piece;
use crate::action::{Record, Toward};
use crate::plan::{Plan, Scope, StepIx, Timestamp};
use crate::port::{Call, Urgency};
use crate::run::{Due, Event, Mode, Phase, Run, StepEvent, Stopped, Verdict, Work, due};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::{sync::Arc, time::Duration};

/// Before the run is woken once more for a moment from which nothing followed.
const AGAIN: Duration = Duration::from_secs(1);

/// What a process knows beside the run itself; all of it is learned from the journal.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    plan: Arc<Plan>,
    run_id: Arc<str>,
    scope: Arc<Scope>,
    /// For each step, the later ones that write the same thing; `None`: nobody knows what it writes.
    written_over: Arc<[Option<Vec<StepIx>>]>,
    /// The wake that nothing has followed from yet.
    woken: Option<Timestamp>,
}

/// What is wanted of a run as it is now.
pub(crate) struct Agenda {
    wanted: Vec<Due>,
    /// By name: whether it should end early.
    stops: HashMap<Name, bool>,
}

/// What becomes of work under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on.
    Keep,
    /// It goes on, and is asked to end early.
    Stop,
    /// Nobody needs it any more.
    Drop,
}

/// What tells due work from other work. Waking is named by its moment, and holding by whether a way back is looked for.
type Name = (Work, u32, Timestamp, bool);

fn name(due: &Due) -> Name {
    let moment = if due.work == Work::Wake { due.from } else { Timestamp::PAST };
    (due.work, due.turn, moment, due.back)
}

impl Agenda {
    /// What becomes of this. A call is never dropped: it is told to end, at most.
    pub(crate) fn fate(&self, due: &Due) -> Fate {
        match self.stops.get(&name(due)) {
            Some(true) => Fate::Stop,
            Some(false) => Fate::Keep,
            None if due.work.writes() => Fate::Keep,
            None => Fate::Drop,
        }
    }

    /// What is wanted and not under way.
    pub(crate) fn not_begun<'d>(self, under_way: impl Iterator<Item = &'d Due>) -> Vec<Due> {
        let under_way: HashSet<Name> = under_way.map(name).collect();
        self.wanted.into_iter().filter(|due| !under_way.contains(&name(due))).collect()
    }
}

impl Desk {
    pub(crate) fn new(plan: Arc<Plan>, actions: &Actions, run_id: Arc<str>, scope: Scope) -> Self {
        let written_over = written_over(&plan, actions).into();
        Self { plan, run_id, scope: Arc::new(scope), written_over, woken: None }
    }

    /// Puts what a fact tells later steps where their texts find it.
    pub(crate) fn learn(&mut self, at: Timestamp, event: &Event) {
        self.woken = None;
        match event {
            Event::RunStarted { by, .. } => {
                let run = &mut Arc::make_mut(&mut self.scope).run;
                run.insert("by".into(), by.name.to_string().into());
                run.insert("started".into(), at.to_string().into());
            }
            Event::Step(ix, StepEvent::Succeeded { out: Some(out) }) => {
                Arc::make_mut(&mut self.scope).answered(&self.plan[*ix].id, out);
            }
            _ => {}
        }
    }

    /// What should be under way. `only_writes`: nothing new is looked at.
    pub(crate) fn agenda(&self, run: &Run, only_writes: bool) -> Agenda {
        let mut wanted = due(run);
        wanted.retain(|due| {
            let written_over = matches!(due.work, Work::Hold(ix) if self.is_written_over(run, ix));
            !(written_over || only_writes && !due.work.writes())
        });
        let stops = wanted.iter().map(|due| (name(due), due.stop)).collect();
        Agenda { wanted, stops }
    }

    /// A later step writes the same thing, or may: what it makes of it is nobody else's change.
    fn is_written_over(&self, run: &Run, ix: StepIx) -> bool {
        match &self.written_over[ix.index()] {
            Some(later) => later.iter().any(|ix| run[*ix].marked()),
            None => true,
        }
    }

    /// All that carrying this out needs.
    pub(crate) fn piece(&self, run: &Run, due: Due, now: Timestamp) -> Piece {
        let place = due.work.step();
        let toward = place.map_or(Toward::Prior, |ix| toward(run, ix, due.work));
        let call = place.map_or_else(Call::default, |ix| Call {
            // A run pins its plan: a place in it names a step.
            step: format!("{}-{}", self.run_id, ix.0),
            token: token(&self.run_id, run, ix, toward),
            until: due.until,
        });
        let record = place.and_then(|ix| record(run, ix, &call.token));
        let mut scope = self.scope.clone();
        if place.is_some_and(|ix| run.plan.is_finally(ix)) {
            Arc::make_mut(&mut scope).run.insert("ending".into(), ended(run).into());
        }
        let woken = due.work == Work::Wake && self.woken == Some(due.from);
        let from = if woken { now.after(AGAIN) } else { due.from };
        let piece = Piece::new(due, from, scope, record, toward, call.into(), urgency(run, due.work));
        let noted = match due.work {
            Work::Guard(guard) => run.guards[guard].note.as_ref(),
            _ => None,
        };
        match noted {
            Some(noted) => piece.noting(noted),
            None => piece,
        }
    }

    /// This was answered.
    pub(crate) fn heard(&mut self, due: &Due) {
        if due.work == Work::Wake {
            self.woken = Some(due.from);
        }
    }
}

/// Nothing more happens without a human.
pub(crate) fn waits_for_a_human(run: &Run) -> bool {
    due(run).iter().all(|due| only_waits(due.work, run))
}

/// This work only waits for somebody to act.
pub(crate) fn only_waits(work: Work, run: &Run) -> bool {
    match work {
        Work::Hold(_) => true,
        Work::Guard(_) | Work::Wake => run.paused.is_some() && run.turns_at().is_none(),
        _ => false,
    }
}

/// What `finally` follows on.
fn ended(run: &Run) -> &'static str {
    let stuck = |ix: StepIx| matches!(run[ix].phase, Phase::Stuck(_)) && !run.plan.is_finally(ix);
    match run.mode {
        Mode::Forward | Mode::Idle | Mode::Finished(Verdict::Completed) => "completed",
        Mode::Rollback | Mode::Finished(_) if run.plan.places().any(stuck) => "stuck",
        Mode::Rollback | Mode::Finished(_) => "rolled_back",
    }
}

fn written_over(plan: &Plan, actions: &Actions) -> Vec<Option<Vec<StepIx>>> {
    let resources = |ix| actions.get(ix).map(|action| action.traits().resources).unwrap_or_default();
    let all: Vec<Vec<String>> = plan.places().map(resources).collect();
    let shares = |ix: StepIx, other: StepIx| all[other.index()].iter().any(|r| all[ix.index()].contains(r));
    let later = |ix: StepIx| plan.places().filter(|other| *other > ix && shares(ix, *other)).collect();
    plan.places().map(|ix| (!all[ix.index()].is_empty()).then(|| later(ix))).collect()
}

/// What a look looks for, and which stage is applied.
fn toward(run: &Run, ix: StepIx, work: Work) -> Toward {
    let step = &run[ix];
    let stages = step.record.as_ref().map_or(0, |record| record.proposal.stages);
    let of_undo = matches!(step.phase, Phase::Settling { was: Stopped::Stuck(_), .. });
    match work {
        _ if of_undo => Toward::Prior,
        Work::Undo(_) | Work::Confirm(_) => Toward::Prior,
        Work::Hold(_) => Toward::Desired(stages),
        _ => Toward::Desired(step.stage().min(stages)),
    }
}

/// What its calls are for. A step that must finish before it is undone is awaited on the way back, too.
fn urgency(run: &Run, work: Work) -> Urgency {
    match work {
        Work::Undo(_) => Urgency::Undoing,
        Work::Settle(_) | Work::Confirm(_) => Urgency::Settling,
        Work::Watch(_) if run.mode == Mode::Rollback => Urgency::Settling,
        Work::Plan(_) | Work::Apply(_) => Urgency::Changing,
        Work::Watch(_) | Work::Hold(_) | Work::Guard(_) | Work::Wake => Urgency::Watching,
    }
}

fn record(run: &Run, ix: StepIx, token: &str) -> Option<Record> {
    let step = &run[ix];
    let record = step.record.as_ref()?;
    let since = run.since(ix).or(step.changed).unwrap_or(Timestamp::PAST);
    let (prior, note) = (record.proposal.prior.clone(), record.note.clone());
    Some(Record { prior, note, since, token: token.into() })
}

/// Names a call and its repetitions over all processes, and no other call.
fn token(run_id: &str, run: &Run, ix: StepIx, toward: Toward) -> String {
    let stage = match toward {
        Toward::Desired(stage) => stage.to_string(),
        Toward::Prior => "undo".into(),
    };
    let name = format!("{run_id}\0{}\0{stage}\0{}", run.plan[ix].id, run[ix].round);
    let digest = Sha256::digest(name);
    digest.iter().take(16).fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    })
}

#[cfg(test)]
mod tests;
