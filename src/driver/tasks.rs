//! The work under way: begun when it is due, told to end when it should, dropped when it is a read that nobody needs.

use super::work::{Hands, Task};
use crate::action::{Record, Toward};
use crate::plan::{Scope, StepIx, Timestamp};
use crate::port::Stop;
use crate::run::{Due, Event, Input, Mode, Phase, Run, StepEvent, Stopped, Verdict, Work, due};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::{sync::Arc, time::Duration};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Before the run is woken once more for a moment from which nothing followed.
const AGAIN: Duration = Duration::from_secs(1);

/// Work under way.
struct Flight {
    due: Due,
    stop: Stop,
    handle: AbortHandle,
}

/// All of it.
pub(super) struct Tasks {
    hands: Arc<Hands>,
    run_id: String,
    scope: Arc<Scope>,
    set: JoinSet<Input>,
    flights: HashMap<Id, Flight>,
    /// For each step, the later ones that write the same thing; `None`: nobody knows what it writes.
    written_over: Vec<Option<Vec<StepIx>>>,
    /// The wake that nothing has followed from yet.
    woken: Option<Timestamp>,
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

/// What one task came to.
pub(super) type Ended = Result<(Id, Input), JoinError>;

impl Tasks {
    pub(super) fn new(hands: Arc<Hands>, run_id: String, scope: Scope) -> Self {
        let (set, flights) = (JoinSet::new(), HashMap::new());
        let written_over = written_over(&hands);
        Self { hands, run_id, scope: Arc::new(scope), set, flights, written_over, woken: None }
    }

    /// Puts what a fact tells later steps where their texts find it.
    pub(super) fn learn(&mut self, at: Timestamp, event: &Event) {
        self.woken = None;
        match event {
            Event::RunStarted { by, .. } => {
                let run = &mut Arc::make_mut(&mut self.scope).run;
                run.insert("by".into(), by.name.to_string().into());
                run.insert("started".into(), at.to_string().into());
            }
            Event::Step(ix, StepEvent::Succeeded { out: Some(out) }) => {
                let out: Json = serde_json::from_str(out).unwrap_or(Json::Null);
                let id = self.hands.plan[*ix].id.to_string();
                Arc::make_mut(&mut self.scope).steps.insert(id, json!({ "out": out }));
            }
            _ => {}
        }
    }

    /// Makes the work under way what it should be. `only_writes`: nothing new is looked at.
    pub(super) fn reconcile(&mut self, run: &Run, only_writes: bool) {
        let mut wanted = due(run);
        wanted.retain(|due| {
            let written_over = matches!(due.work, Work::Hold(ix) if self.is_written_over(run, ix));
            !(written_over || only_writes && !due.work.writes())
        });
        let stops: HashMap<_, bool> = wanted.iter().map(|due| (name(due), due.stop)).collect();
        self.flights.retain(|_, flight| {
            let same = stops.get(&name(&flight.due));
            if same == Some(&true) {
                flight.stop.ask();
            }
            let keep = flight.due.work.writes() || same.is_some();
            if !keep {
                flight.handle.abort();
            }
            keep
        });
        let under_way: HashSet<_> = self.flights.values().map(|flight| name(&flight.due)).collect();
        for due in wanted {
            if !under_way.contains(&name(&due)) {
                self.begin(run, due);
            }
        }
    }

    /// A later step writes the same thing, or may: what it makes of it is nobody else's change.
    fn is_written_over(&self, run: &Run, ix: StepIx) -> bool {
        match &self.written_over[ix.index()] {
            Some(later) => later.iter().any(|ix| run[*ix].marked()),
            None => true,
        }
    }

    fn begin(&mut self, run: &Run, due: Due) {
        let stop = Stop::default();
        if due.stop {
            stop.ask();
        }
        let mut task = self.task(run, due, stop.clone());
        if due.work == Work::Wake && self.woken == Some(due.from) {
            task.due.from = self.hands.world.clock().now().after(AGAIN);
        }
        let handle = self.set.spawn(self.hands.clone().perform(task));
        self.flights.insert(handle.id(), Flight { due, stop, handle });
    }

    fn task(&self, run: &Run, due: Due, stop: Stop) -> Task {
        let place = due.work.step();
        let toward = place.map_or(Toward::Prior, |ix| toward(run, ix, due.work));
        let token = place.map_or_else(String::new, |ix| token(&self.run_id, run, ix, toward));
        let record = place.and_then(|ix| record(run, ix, &token));
        let mut scope = self.scope.clone();
        if place.is_some_and(|ix| run.plan.is_finally(ix)) {
            Arc::make_mut(&mut scope).run.insert("ending".into(), ended(run).into());
        }
        Task { due, scope, record, toward, token, stop }
    }

    /// Waits until something is answered. Pends while nothing is under way.
    pub(super) async fn next(&mut self) -> Ended {
        match self.set.join_next_with_id().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// What else has been answered already.
    pub(super) fn more(&mut self) -> Option<Ended> {
        self.set.try_join_next_with_id()
    }

    /// What the run is told of a task that ended; nothing of one that was dropped.
    pub(super) fn hear(&mut self, ended: Ended) -> Option<Input> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let flight = self.flights.remove(&id)?;
        if flight.due.work == Work::Wake {
            self.woken = Some(flight.due.from);
        }
        match ended {
            Ok((_, input)) => Some(input),
            Err(_) => Some(Hands::broken(flight.due.work, flight.due.turn)),
        }
    }

    /// Whether a call is under way.
    pub(super) fn are_writing(&self) -> bool {
        self.flights.values().any(|flight| flight.due.work.writes())
    }

    /// Drops everything. What was sent may still land.
    pub(super) async fn drop_all(&mut self) {
        self.flights.clear();
        self.set.shutdown().await;
    }
}

/// What tells due work from other work. Waking is named by its moment.
fn name(due: &Due) -> (Work, u32, Timestamp) {
    let moment = if due.work == Work::Wake { due.from } else { Timestamp::PAST };
    (due.work, due.turn, moment)
}

fn written_over(hands: &Hands) -> Vec<Option<Vec<StepIx>>> {
    let places = || hands.plan.places();
    let resources = |ix| hands.actions.get(ix).map(|action| action.traits().resources).unwrap_or_default();
    let all: Vec<Vec<String>> = places().map(resources).collect();
    let shares = |ix: StepIx, other: StepIx| all[other.index()].iter().any(|r| all[ix.index()].contains(r));
    let later = |ix: StepIx| places().filter(|other| *other > ix && shares(ix, *other)).collect();
    places().map(|ix| (!all[ix.index()].is_empty()).then(|| later(ix))).collect()
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
