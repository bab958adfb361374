//! One piece of due work, carried out: asks an action, in time, and puts what came of it into an answer.
//!
//! Reads are repeated until there is something to say; writes are sent once. Not here: what follows from an answer.

use super::{Actions, Redactor};
use crate::action::{AnyAction, Record, Toward};
use crate::plan::{Plan, Scope, StepIx, Timestamp, format_duration};
use crate::port::{Clock, Reads, Stop, WriteWorld, Writes};
use crate::run::{Answer, Due, Fault, FaultKind, Input, Look, Memo, Proposal, Work};
use crate::signal::{Memory, Verdict};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Between two looks where the action says nothing of it.
const PACE: Duration = Duration::from_secs(2);
/// Between two looks at what was done and should still hold, in the run's time, and on the wall clock at least; and
/// before it is believed that it does not.
const HOLD: Duration = Duration::from_secs(30);
const HOLD_ON_WALL: Duration = Duration::from_secs(2);
const BELIEVED: Duration = Duration::from_millis(200);
/// For how long, and how often, a read that fails is repeated before anybody is told.
const PATIENCE: Duration = Duration::from_secs(120);
const TRIES: u32 = 5;
/// For how long a guard may see nothing before a human is asked: a window that fills, and a source that restarts, take
/// minutes.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// What all work of a run needs.
pub(super) struct Hands {
    pub(super) plan: Arc<Plan>,
    pub(super) actions: Arc<Actions>,
    pub(super) world: Arc<dyn WriteWorld>,
    pub(super) wall: Arc<dyn Clock>,
    pub(super) redactor: Redactor,
    /// How it goes, for whoever watches; without secrets.
    pub(super) progress: UnboundedSender<(StepIx, String)>,
}

/// One piece of work.
pub(super) struct Task {
    pub(super) due: Due,
    pub(super) scope: Arc<Scope>,
    /// What a look goes by.
    pub(super) record: Option<Record>,
    /// What a look looks for.
    pub(super) toward: Toward,
    /// Names a write.
    pub(super) token: String,
    /// Ends a write early.
    pub(super) stop: Stop,
}

impl Hands {
    /// Carries it out. Dropping this drops a read; a write is not dropped before its deadline.
    pub(super) async fn perform(self: Arc<Self>, task: Task) -> Input {
        let Due { work, turn, from, .. } = task.due;
        let clock = self.world.clock();
        clock.sleep_until(from).await;
        let (step, answer) = match work {
            Work::Wake => return Input::Tick,
            Work::Guard(guard) => return self.guard(guard, &task).await,
            Work::Plan(ix) => (ix, Answer::Planned(self.plan(ix, &task).await)),
            Work::Apply(ix) => (ix, Answer::Applied(self.apply(ix, &task).await)),
            Work::Undo(ix) => (ix, Answer::Undone(self.undo(ix, &task).await)),
            Work::Settle(ix) | Work::Watch(ix) | Work::Confirm(ix) => {
                (ix, Answer::Looked(self.look(ix, &task).await))
            }
            Work::Hold(ix) => (ix, Answer::Looked(self.hold(ix, &task).await)),
        };
        Input::Answered { step, turn, answer: self.redactor.answer(answer) }
    }

    /// What it means that a task ended without an answer: a mistake of ours, never of the world.
    pub(super) fn broken(work: Work, turn: u32) -> Input {
        let fault = || Fault::permanent("a mistake in switchover ended this work: please report it");
        let (step, answer) = match work {
            Work::Wake => return Input::Tick,
            Work::Guard(guard) => {
                return Input::Tripped { guard, fault: Fault::blind(fault().message) };
            }
            Work::Plan(ix) => (ix, Answer::Planned(Err(fault()))),
            // It may have been sent.
            Work::Apply(ix) => (ix, Answer::Applied(Err(Fault::lost(fault().message)))),
            Work::Undo(ix) => (ix, Answer::Undone(Err(Fault::lost(fault().message)))),
            Work::Settle(ix) | Work::Watch(ix) | Work::Hold(ix) | Work::Confirm(ix) => {
                (ix, Answer::Looked(Err(Fault::blind(fault().message))))
            }
        };
        Input::Answered { step, turn, answer }
    }

    fn teller(&self, ix: StepIx) -> impl Fn(&str) + Send + Sync + use<> {
        let (progress, redactor) = (self.progress.clone(), self.redactor.clone());
        move |text| drop(progress.send((ix, redactor.text(text).into_owned())))
    }

    async fn plan(&self, ix: StepIx, task: &Task) -> Result<Option<Proposal>, Fault> {
        if !self.wanted(ix, &task.scope).await? {
            return Ok(None);
        }
        let Some(action) = self.actions.get(ix) else { return Ok(Some(nothing())) };
        let tell = self.teller(ix);
        let reads = Reads { world: self.world.as_reads(), scope: &task.scope, progress: &tell };
        let mut patience = Patience::default();
        loop {
            match action.plan(&reads).await {
                Ok(proposal) => return Ok(Some(proposal)),
                Err(fault) => patience.wait(self.world.clock(), Timestamp::PAST, fault, &tell).await?,
            }
        }
    }

    /// Its `when`.
    async fn wanted(&self, ix: StepIx, scope: &Arc<Scope>) -> Result<bool, Fault> {
        let Some(when) = self.plan[ix].when.clone() else { return Ok(true) };
        let scope = scope.clone();
        // It may take long, and asks nothing on its way: it must not hold up the run.
        let held = tokio::task::spawn_blocking(move || when.holds(&scope.variables()));
        match tokio::time::timeout(Duration::from_secs(5), held).await {
            Ok(Ok(Ok(holds))) => Ok(holds),
            Ok(Ok(Err(error))) => Err(Fault::permanent(format!("`when`: {error}"))),
            Ok(Err(_)) | Err(_) => Err(Fault::permanent("`when` could not be evaluated in five seconds")),
        }
    }

    async fn apply(&self, ix: StepIx, task: &Task) -> Result<Option<Memo>, Fault> {
        let (Some(action), Some(record), Toward::Desired(stage)) =
            (self.actions.get(ix), &task.record, task.toward)
        else {
            return Ok(None);
        };
        let tell = self.teller(ix);
        let writes = self.writes(task, &tell);
        self.in_time(task, action.apply(&writes, stage, &record.prior)).await
    }

    async fn undo(&self, ix: StepIx, task: &Task) -> Result<Option<Memo>, Fault> {
        let (Some(action), Some(record)) = (self.actions.get(ix), &task.record) else { return Ok(None) };
        let tell = self.teller(ix);
        let writes = self.writes(task, &tell);
        self.in_time(task, action.undo(&writes, record)).await
    }

    fn writes<'a>(&'a self, task: &'a Task, tell: &'a (dyn Fn(&str) + Send + Sync)) -> Writes<'a> {
        Writes {
            world: &*self.world,
            scope: &task.scope,
            progress: tell,
            token: &task.token,
            until: task.due.until,
            stop: &task.stop,
        }
    }

    /// An answer that has not come by the deadline of its intent is lost: nothing is sent from here on.
    async fn in_time<T>(
        &self,
        task: &Task,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let clock = self.world.clock();
        let begun = clock.now();
        tokio::select! {
            biased;
            answer = call => answer,
            () = clock.sleep_until(task.due.until) => {
                let waited = format_duration(task.due.until.since(begun));
                Err(Fault::lost(format!("no answer within {waited}")))
            }
        }
    }

    /// Looks until there is something to say.
    async fn look(&self, ix: StepIx, task: &Task) -> Result<Look, Fault> {
        let (Some(action), Some(record)) = (self.actions.get(ix), &task.record) else {
            return Ok(Look::Desired { out: "null".into() });
        };
        let (clock, until) = (self.world.clock(), task.due.until);
        let settling = matches!(task.due.work, Work::Settle(_));
        let (said, teller) = (Mutex::new(String::new()), self.teller(ix));
        let tell = |text: &str| {
            text.clone_into(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
            teller(text);
        };
        let mut patience = Patience::default();
        loop {
            // The last look is taken at the deadline, not before.
            let late = clock.now() >= until;
            let next = match self.look_once(&**action, task, record, &tell).await {
                // A lost call may land until then.
                Ok(Look::Prior) if settling && !late => PACE,
                Ok(Look::Moving { .. }) if !settling && late => {
                    let waited = format_duration(until.since(record.since));
                    let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
                    let missing = if said.is_empty() { said } else { format!(": {said}") };
                    return Err(Fault::permanent(format!("not there after {waited}{missing}")));
                }
                Ok(Look::Moving { note: None, again }) if !settling => again,
                Ok(look) => return Ok(look),
                Err(fault) => {
                    patience.wait(clock, until, fault, &tell).await?;
                    continue;
                }
            };
            patience = Patience::default();
            clock.sleep_until(clock.now().after(next).min(until)).await;
        }
    }

    async fn look_once(
        &self,
        action: &dyn AnyAction,
        task: &Task,
        record: &Record,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Look, Fault> {
        let reads = Reads { world: self.world.as_reads(), scope: &task.scope, progress: tell };
        action.look(&reads, task.toward, record).await
    }

    /// Looks now and then whether what was done still holds. Only that it was changed, or put back, is worth an
    /// answer; and only if it is seen twice.
    async fn hold(&self, ix: StepIx, task: &Task) -> Result<Look, Fault> {
        let (Some(action), Some(record)) = (self.actions.get(ix), &task.record) else {
            return std::future::pending().await;
        };
        let mut seen = false;
        loop {
            let clock = self.world.clock();
            let (pace, on_wall) = if seen { (PACE, BELIEVED) } else { (HOLD, HOLD_ON_WALL) };
            clock.sleep_until(clock.now().after(pace)).await;
            self.wall.sleep_until(self.wall.now().after(on_wall)).await;
            let look = self.look_once(&**action, task, record, &|_| ()).await;
            let gone = match &look {
                Ok(Look::Prior) => true,
                Err(fault) => fault.is_foreign(),
                Ok(_) => false,
            };
            if gone && seen {
                return look;
            }
            seen = gone;
        }
    }

    /// Watches a guard's signal until it breaks.
    async fn guard(&self, place: usize, task: &Task) -> Input {
        let Some(watch) = self.actions.guard(place) else { return std::future::pending().await };
        let clock = self.world.clock();
        let since = clock.now();
        let reads = Reads { world: self.world.as_reads(), scope: &task.scope, progress: &|_| () };
        let mut memory = Memory::default();
        let mut seen = since;
        loop {
            let sample = watch.look(&reads, since, &mut memory).await;
            let fault = match sample.verdict {
                Verdict::Fail => Some(Fault::permanent(sample.text)),
                // Nobody is watching: that is no pass.
                Verdict::NoEvidence if clock.now().since(seen) >= SILENCE => Some(Fault::blind(format!(
                    "no evidence for {}: {}",
                    format_duration(SILENCE),
                    sample.text
                ))),
                Verdict::NoEvidence => None,
                Verdict::Pass => {
                    seen = clock.now();
                    None
                }
            };
            if let Some(fault) = fault {
                return Input::Tripped { guard: place, fault: self.redactor.fault(&fault) };
            }
            clock.sleep_until(clock.now().after(watch.period())).await;
        }
    }
}

/// What a step without an action proposes.
fn nothing() -> Proposal {
    Proposal {
        prior: "null".into(),
        stages: 0,
        within: PACE,
        call: None,
        must_finish: false,
        changes: Vec::new(),
    }
}

/// How long a read that fails is repeated: what passes by itself is no news.
#[derive(Default)]
struct Patience {
    since: Option<Timestamp>,
    tries: u32,
}

impl Patience {
    /// Waits before the next try, or gives the fault back: it will not pass, or has lasted for too long. Until the
    /// deadline of what is looked for, whatever may pass is waited for.
    async fn wait(
        &mut self,
        clock: &dyn Clock,
        until: Timestamp,
        fault: Fault,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), Fault> {
        let now = clock.now();
        let since = *self.since.get_or_insert(now);
        self.tries += 1;
        let spent = now >= since.after(PATIENCE) && self.tries >= TRIES;
        let last = match fault.kind {
            FaultKind::Permanent | FaultKind::Foreign => true,
            FaultKind::Blind => spent,
            FaultKind::Transient => spent && (now >= until || until == Timestamp::NEVER),
        };
        if last {
            return Err(fault);
        }
        tell(&format!("{}; trying again", fault.message));
        let pace = PACE * self.tries.min(8);
        clock.sleep_until(now.after(pace)).await;
        Ok(())
    }
}
