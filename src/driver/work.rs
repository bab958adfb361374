//! One piece of due work, carried out: asks an action, in time, and puts what came of it into an answer.
//!
//! Reads are repeated until there is something to say; writes are sent once. Between two looks a piece is plain data, so
//! that a rehearsal can go on from there many times. Not here: what follows from an answer, and who waits.

mod guard;

use self::guard::Watching;
use super::{Actions, Redactor};
use crate::action::{AnyAction, Record, Toward, Trouble, propose};
use crate::mutant::{Mistake, on};
use crate::plan::{Plan, Scope, StepIx, Timestamp, format_duration};
use crate::port::{Call, Clock, Reads, Stop, Urgency, WriteWorld, Writes};
use crate::run::{Answer, Curve, Due, Fault, FaultKind, Input, Landed, Look, Memo, Proposal, Work};
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
/// How long the world must look as if somebody else had been there before that is believed: what a provider tells may lag
/// behind what it was told. ECS says so of itself ("eventual consistency", API reference).
const LAGS: Duration = Duration::from_secs(5);
/// For how long, and how often, a read that fails is repeated before anybody is told.
const PATIENCE: Duration = Duration::from_secs(120);
const TRIES: u32 = 5;

/// What all work of a run needs.
pub(crate) struct Hands {
    pub(crate) plan: Arc<Plan>,
    pub(crate) actions: Arc<Actions>,
    pub(crate) world: Arc<dyn WriteWorld>,
    pub(crate) redactor: Redactor,
    pub(crate) host: Host,
}

/// Who carries the work out.
pub(crate) enum Host {
    /// Tasks of the runtime, with the wall clock beside the run's own. How it goes is told to whoever watches, without
    /// secrets.
    Runtime { wall: Arc<dyn Clock>, progress: UnboundedSender<Progress> },
    /// One thread in virtual time: nobody watches, and there is nobody whom a slow expression would hold up.
    Rehearsal,
}

/// How something goes that is under way.
pub(crate) enum Progress {
    /// A step, in its own words.
    Says(StepIx, String),
    /// The signals of a step.
    Step(StepIx, Vec<Curve>),
    /// The signal of a guard, by place.
    Guard(usize, Curve),
}

/// One piece of work, and what it has seen so far.
pub(crate) struct Piece {
    pub(crate) due: Due,
    /// Not begun before.
    pub(crate) from: Timestamp,
    /// Ends a write early.
    pub(crate) stop: Stop,
    scope: Arc<Scope>,
    /// What a look goes by.
    record: Option<Record>,
    /// What a look has noted since, and nobody must know yet.
    kept: Option<Kept>,
    /// What a look looks for.
    toward: Toward,
    /// Names the step and a write of it; empty if it is of no step.
    call: Arc<Call>,
    pub(super) urgency: Urgency,
    patience: Patience,
    /// The newest that a look said of how it goes.
    said: String,
    /// Of what should hold: not before it is seen twice is a change believed.
    gone: Option<bool>,
    /// Since when the world looks as if somebody else had been there.
    doubted: Option<Timestamp>,
    watching: Option<Box<Watching>>,
}

/// A note that is not recorded yet.
#[derive(Clone)]
struct Kept {
    note: Memo,
    /// What it has of trouble, where that is not what the recorded one has.
    trouble: Option<Trouble>,
}

/// What a piece has seen that is not over: tries, whether it doubts, breaches in a row, bad observations, and what it keeps.
pub(crate) type Unsettled = (u32, bool, u32, usize, Option<Trouble>);

/// What one turn of work came to.
pub(crate) enum Turn {
    /// It is over.
    Answered(Input),
    /// It goes on then, and on the wall clock not before so long.
    Again(Timestamp, Duration),
    /// It never answers.
    Never,
}

impl Piece {
    pub(super) fn new(
        due: Due,
        from: Timestamp,
        scope: Arc<Scope>,
        record: Option<Record>,
        toward: Toward,
        call: Arc<Call>,
        urgency: Urgency,
    ) -> Self {
        let stop = Stop::default();
        if due.stop {
            stop.ask();
        }
        let (patience, said) = (Patience::default(), String::new());
        Self {
            due,
            from,
            stop,
            scope,
            record,
            kept: None,
            toward,
            call,
            urgency,
            patience,
            said,
            gone: None,
            doubted: None,
            watching: None,
        }
    }

    /// The same, of a guard that has noted this before.
    pub(super) fn noting(self, noted: &Memo) -> Self {
        let watching = Watching::of(noted, self.due.from);
        Self { watching: Some(Box::new(watching)), ..self }
    }

    /// The same, for another world: whoever stops one does not stop the other.
    pub(crate) fn fork(&self) -> Self {
        let stop = Stop::default();
        if self.stop.asked() {
            stop.ask();
        }
        Self {
            due: self.due,
            from: self.from,
            stop,
            scope: self.scope.clone(),
            record: self.record.clone(),
            kept: self.kept.clone(),
            toward: self.toward,
            call: self.call.clone(),
            urgency: self.urgency,
            patience: self.patience.clone(),
            said: self.said.clone(),
            gone: self.gone,
            doubted: self.doubted,
            watching: self.watching.clone(),
        }
    }

    /// What it has seen that is not over: reads that failed, a change that is not believed yet, bad samples.
    pub(crate) fn trouble(&self) -> Unsettled {
        let (broken, bad) = self.watching.as_ref().map_or((0, 0), |watching| watching.bad());
        let kept = self.kept.as_ref().and_then(|kept| kept.trouble.clone());
        (self.patience.tries, self.gone == Some(true) || self.doubted.is_some(), broken, bad, kept)
    }

    /// The newest note: of a look, or as it is recorded.
    fn note(&self) -> Option<&Memo> {
        let recorded = || self.record.as_ref().and_then(|record| record.note.as_ref());
        self.kept.as_ref().map(|kept| &kept.note).or_else(recorded)
    }

    /// Keeps what a look has noted, unless it is to be recorded before the next look.
    fn keeps(&mut self, action: &dyn AnyAction, note: &Memo) -> bool {
        let Some(recorded) = self.record.as_ref().and_then(|record| record.note.as_ref()) else {
            return false;
        };
        if action.is_news(recorded, note) {
            return false;
        }
        let trouble = action.trouble(note);
        let trouble = (trouble != action.trouble(recorded)).then_some(trouble);
        self.kept = Some(Kept { note: note.clone(), trouble });
        true
    }
}

impl Hands {
    /// Carries it out. Dropping this drops a read; a write is not dropped before its deadline.
    pub(super) async fn perform(self: Arc<Self>, mut piece: Piece) -> Input {
        let clock = self.world.clock();
        clock.sleep_until(piece.from).await;
        loop {
            let turn = match piece.due.work {
                Work::Guard(guard) => self.guard_in_time(guard, &mut piece).await,
                _ => self.turn(&mut piece).await,
            };
            match turn {
                Turn::Answered(input) => return input,
                Turn::Again(at, on_wall) => {
                    clock.sleep_until(at).await;
                    if let Host::Runtime { wall, .. } = &self.host {
                        wall.sleep_until(wall.now().after(on_wall)).await;
                    }
                }
                Turn::Never => std::future::pending().await,
            }
        }
    }

    /// Writes once, or looks once.
    pub(crate) async fn turn(&self, piece: &mut Piece) -> Turn {
        let Due { work, turn, .. } = piece.due;
        let answer = match work {
            Work::Wake => return Turn::Answered(Input::Tick),
            Work::Guard(guard) => return self.guard(guard, piece).await,
            Work::Plan(ix) => self.plan(ix, piece).await.map(Answer::Planned),
            Work::Apply(ix) => {
                let result = self.apply(ix, piece).await;
                self.believe(piece, result).map(Answer::Applied)
            }
            Work::Undo(ix) => {
                let result = self.undo(ix, piece).await;
                self.believe(piece, result).map(Answer::Undone)
            }
            Work::Settle(ix) | Work::Watch(ix) | Work::Confirm(ix) => {
                self.look(ix, piece).await.map(Answer::Looked)
            }
            Work::Hold(ix) => return self.hold(ix, piece).await,
        };
        match (work.step(), answer) {
            (Some(step), Some(answer)) => {
                Turn::Answered(Input::Answered { step, turn, answer: self.redactor.answer(answer) })
            }
            _ => Turn::Again(piece.from, Duration::ZERO),
        }
    }

    /// What it means that a task ended without an answer: a mistake of ours, never of the world.
    pub(super) fn broken(work: Work, turn: u32) -> Input {
        let fault = || Fault::permanent("a mistake in switchover ended this work: please report it");
        let (step, answer) = match work {
            Work::Wake => return Input::Tick,
            Work::Guard(guard) => {
                return Input::Tripped { guard, note: None, fault: Fault::blind(fault().message) };
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

    fn teller(&self, ix: StepIx) -> impl Fn(&str) + Send + Sync + use<'_> {
        move |text| self.tell(|| Progress::Says(ix, self.redactor.text(text).into_owned()))
    }

    /// Tells whoever watches.
    fn tell(&self, news: impl FnOnce() -> Progress) {
        if let Host::Runtime { progress, .. } = &self.host {
            drop(progress.send(news()));
        }
    }

    async fn plan(&self, ix: StepIx, piece: &mut Piece) -> Option<Result<Option<Proposal>, Fault>> {
        match self.wanted(ix, &piece.scope).await {
            Ok(true) => {}
            Ok(false) => return Some(Ok(None)),
            Err(fault) => return Some(Err(fault)),
        }
        let Some(action) = self.actions.get(ix) else { return Some(Ok(Some(nothing()))) };
        let (tell, world) = (self.teller(ix), self.world_for(piece));
        let reads =
            Reads { world: world.as_reads(), step: &piece.call.step, scope: &piece.scope, progress: &tell };
        match propose(&**action, self.plan[ix].is_undone(), &reads).await {
            Ok(proposal) => Some(Ok(Some(proposal))),
            Err(fault) => self.again(piece, Timestamp::PAST, fault, &tell).map(Err),
        }
    }

    /// Its `when`.
    async fn wanted(&self, ix: StepIx, scope: &Arc<Scope>) -> Result<bool, Fault> {
        let Some(when) = self.plan[ix].when.clone() else { return Ok(true) };
        let told = |error| Fault::permanent(format!("`when`: {error}"));
        if matches!(self.host, Host::Rehearsal) {
            return when.holds(&scope.variables()).map_err(told);
        }
        let scope = scope.clone();
        // It may take long, and asks nothing on its way: it must not hold up the run.
        let held = tokio::task::spawn_blocking(move || when.holds(&scope.variables()));
        match tokio::time::timeout(Duration::from_secs(5), held).await {
            Ok(Ok(holds)) => holds.map_err(told),
            Ok(Err(_)) | Err(_) => Err(Fault::permanent("`when` could not be evaluated in five seconds")),
        }
    }

    async fn apply(&self, ix: StepIx, piece: &Piece) -> Result<Option<Memo>, Fault> {
        let (Some(action), Some(record), Toward::Desired(stage)) =
            (self.actions.get(ix), &piece.record, piece.toward)
        else {
            return Ok(None);
        };
        let (tell, world) = (self.teller(ix), self.world_for(piece));
        let writes = writes(&*world, piece, &tell);
        self.in_time(piece, action.apply(&writes, stage, &record.prior)).await
    }

    async fn undo(&self, ix: StepIx, piece: &Piece) -> Result<Option<Memo>, Fault> {
        let (Some(action), Some(record)) = (self.actions.get(ix), &piece.record) else { return Ok(None) };
        let (tell, world) = (self.teller(ix), self.world_for(piece));
        let writes = writes(&*world, piece, &tell);
        self.in_time(piece, action.undo(&writes, record)).await
    }

    /// The world, for calls as urgent as this is.
    fn world_for(&self, piece: &Piece) -> Arc<dyn WriteWorld> {
        self.world.clone().serving(piece.urgency)
    }

    /// An answer that has not come by the deadline of its intent is lost: nothing is sent from here on.
    async fn in_time<T>(
        &self,
        piece: &Piece,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let clock = self.world.clock();
        let begun = clock.now();
        tokio::select! {
            biased;
            answer = call => answer,
            () = clock.sleep_until(piece.due.until) => {
                let waited = format_duration(piece.due.until.since(begun));
                Err(Fault::lost(format!("no answer within {waited}")))
            }
        }
    }

    /// One look. `None`: there is nothing to say yet.
    async fn look(&self, ix: StepIx, piece: &mut Piece) -> Option<Result<Look, Fault>> {
        let (Some(action), Some(_)) = (self.actions.get(ix), &piece.record) else {
            return Some(Ok(Look::Desired { out: "null".into() }));
        };
        let (clock, until) = (self.world.clock(), piece.due.until);
        let settling = matches!(piece.due.work, Work::Settle(_));
        let (said, teller) = (Mutex::new(None), self.teller(ix));
        let tell = |text: &str| {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
            teller(text);
        };
        // The last look is taken at the deadline, not before.
        let late = clock.now() >= until;
        let look = self.look_once(&**action, piece, &tell).await;
        let work = piece.due.work;
        let strange = match &look {
            Err(fault) => fault.is_foreign(),
            Ok(Look::Prior) => matches!(work, Work::Watch(_)),
            Ok(Look::Desired { .. }) => matches!(work, Work::Confirm(_)),
            Ok(Look::Moving { .. } | Look::Assumed) => false,
        };
        if strange && !late && self.doubts(piece) {
            return None;
        }
        piece.doubted = piece.doubted.filter(|_| strange);
        if let Some(said) = said.lock().unwrap_or_else(PoisonError::into_inner).take() {
            piece.said = said;
        }
        if let Ok(Look::Moving { note: Some(note), .. }) = &look {
            self.tell(|| Progress::Step(ix, action.curves(note)));
        }
        let next = match look {
            // A lost call may land until then.
            Ok(Look::Prior) if settling && !late => PACE,
            Ok(Look::Moving { .. }) if !settling && late => {
                let since = piece.record.as_ref().map_or(Timestamp::PAST, |record| record.since);
                let waited = format_duration(until.since(since));
                let said = std::mem::take(&mut piece.said);
                let missing = if said.is_empty() { said } else { format!(": {said}") };
                return Some(Err(Fault::permanent(format!("not there after {waited}{missing}"))));
            }
            Ok(Look::Moving { note: None, again }) if !settling => again,
            Ok(Look::Moving { note: Some(note), again }) if !settling && piece.keeps(&**action, &note) => {
                again
            }
            Ok(look) => return Some(Ok(look)),
            Err(fault) => return self.again(piece, until, fault, &tell).map(Err),
        };
        piece.patience = Patience::default();
        piece.from = clock.now().after(next).min(until);
        None
    }

    async fn look_once(
        &self,
        action: &dyn AnyAction,
        piece: &Piece,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Look, Fault> {
        let world = self.world_for(piece);
        let reads =
            Reads { world: world.as_reads(), step: &piece.call.step, scope: &piece.scope, progress: tell };
        match &piece.record {
            Some(record) => {
                let record = Record { note: piece.note().cloned(), ..record.clone() };
                let look = action.look(&reads, piece.toward, &record).await?;
                match piece.due.work {
                    Work::Hold(_) if piece.due.back && matches!(look, Look::Desired { .. }) => {
                        let gone = action.way_back(&reads, &record.prior).await?;
                        match gone {
                            Some(why) => Err(Fault::foreign(why)),
                            None => Ok(look),
                        }
                    }
                    _ => Ok(look),
                }
            }
            None => Ok(Look::Desired { out: "null".into() }),
        }
    }

    /// Whoever finds somebody else's change has written nothing, and may look once more. `None`: that is done.
    fn believe<T>(&self, piece: &mut Piece, result: Result<T, Fault>) -> Option<Result<T, Fault>> {
        let strange = result.as_ref().is_err_and(|fault| fault.is_foreign() && fault.landed == Landed::No);
        let left = piece.due.until.since(self.world.clock().now());
        (!(strange && left > LAGS && self.doubts(piece))).then_some(result)
    }

    /// The world looks strange: it is looked at again, unless it has looked so for long enough.
    fn doubts(&self, piece: &mut Piece) -> bool {
        let now = self.world.clock().now();
        let since = *piece.doubted.get_or_insert(now);
        piece.from = since.after(LAGS);
        now < piece.from
    }

    /// What a read that failed comes to: it is tried again at `piece.from`, or the fault is told.
    fn again(
        &self,
        piece: &mut Piece,
        until: Timestamp,
        fault: Fault,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Option<Fault> {
        match piece.patience.wait(self.world.clock().now(), until, fault, tell) {
            Ok(at) => {
                piece.from = at;
                None
            }
            Err(fault) => Some(fault),
        }
    }

    /// Looks now and then whether what was done still holds. Only that it was changed, or put back, is worth an
    /// answer; and only if it is seen twice.
    async fn hold(&self, ix: StepIx, piece: &mut Piece) -> Turn {
        let (Some(action), Some(_)) = (self.actions.get(ix), &piece.record) else { return Turn::Never };
        if let Some(seen) = piece.gone {
            let look = self.look_once(&**action, piece, &|_| ()).await;
            let gone = match &look {
                Ok(Look::Prior) => true,
                Err(fault) => fault.is_foreign(),
                Ok(_) => false,
            };
            if gone && seen {
                let (turn, answer) = (piece.due.turn, self.redactor.answer(Answer::Looked(look)));
                return Turn::Answered(Input::Answered { step: ix, turn, answer });
            }
            piece.gone = Some(gone);
        } else {
            piece.gone = Some(false);
        }
        let (pace, on_wall) = if piece.gone == Some(true) { (PACE, BELIEVED) } else { (HOLD, HOLD_ON_WALL) };
        piece.from = self.world.clock().now().after(pace);
        Turn::Again(piece.from, on_wall)
    }
}

fn writes<'a>(
    world: &'a dyn WriteWorld,
    piece: &'a Piece,
    tell: &'a (dyn Fn(&str) + Send + Sync),
) -> Writes<'a> {
    Writes {
        world,
        step: &piece.call.step,
        scope: &piece.scope,
        progress: tell,
        token: &piece.call.token,
        until: piece.due.until,
        stop: &piece.stop,
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
#[derive(Clone, Default)]
struct Patience {
    since: Option<Timestamp>,
    tries: u32,
}

impl Patience {
    /// When it is tried next; or gives the fault back: it will not pass, or has lasted for too long. Until the deadline
    /// of what is looked for, whatever may pass is waited for.
    fn wait(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        fault: Fault,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Timestamp, Fault> {
        let since = *self.since.get_or_insert(now);
        self.tries += 1;
        let spent = now >= since.after(PATIENCE) && self.tries >= TRIES;
        let last = match fault.kind {
            _ if on(Mistake::Impatient) => true,
            FaultKind::Permanent | FaultKind::Foreign => true,
            FaultKind::Blind => spent,
            FaultKind::Transient => spent && (now >= until || until == Timestamp::NEVER),
        };
        if last {
            return Err(fault);
        }
        tell(&format!("{}; trying again", fault.message));
        Ok(now.after(PACE * self.tries.min(8)))
    }
}

#[cfg(test)]
mod tests;
