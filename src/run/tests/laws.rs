//! What must hold: at every fact, at every call, and at the end.

use super::world::{Nature, World, Write};
use crate::plan::{Kind, OnBreach, Plan, Pool, Reversibility, StepIx, Timestamp, Writes};
use crate::run::{
    Cause, Event, FaultKind, Input, Mark, Mode, Order, PauseCause, Phase, Receipt, Rewind, Run, StepEvent,
    StepRun, Verdict, Work, decide, due,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Laws {
    /// Phases in which some step was when the process died, and when a rollback began; how often steps stopped.
    pub(super) died_in: BTreeMap<String, u64>,
    pub(super) turned_in: BTreeMap<String, u64>,
    pub(super) paused: BTreeMap<String, u64>,
    pub(super) waived: BTreeSet<StepIx>,
    pub(super) crashes: u64,
    pub(super) facts: u64,
    /// Rollbacks that were announced, and of these, how many nobody said no to.
    pub(super) announced: u64,
    pub(super) unvetoed: u64,
    /// Bakes that began, that ended by themselves, and in which the run turned back.
    pub(super) bakes: [u64; 3],
    /// Guards that were tripped from outside.
    pub(super) trips: u64,
    /// Guards that saw that all is well, since a process took the run over last.
    saw: BTreeSet<usize>,
}

impl Laws {
    pub(super) fn crashed(&mut self, run: &Run) {
        self.crashes += 1;
        run.steps.iter().for_each(|s| *self.died_in.entry(name(&s.phase)).or_default() += 1);
    }

    /// Before a batch is recorded.
    pub(super) fn batch(&mut self, run: &Run, input: &Input, events: &[Event], now: Timestamp) {
        self.facts += events.len() as u64;
        if matches!(input, Input::Tick) {
            let due = due(run);
            let woken = due.iter().any(|due| due.work == Work::Wake);
            assert!(
                !woken || !events.is_empty(),
                "woken for nothing: {:?} {due:?} {:?}",
                run.mode,
                run.steps
            );
        }
        // A human's word may take away what held a rollback back.
        let settled = events.iter().any(|e| matches!(e, Event::Step(_, StepEvent::Settled { .. })));
        // Nor is it for want of an answer that a rollback begins which was announced.
        let announced = run.turns_at().is_some_and(|at| at <= now);
        let turns =
            !settled && !announced && events.iter().any(|e| matches!(e, Event::RollbackStarted { .. }));
        match input {
            Input::Tick => assert!(!turns, "time alone turned the run back: {events:?}"),
            Input::Answered { answer, .. } if turns => {
                let fault = match answer {
                    crate::run::Answer::Planned(Err(f)) | crate::run::Answer::Applied(Err(f)) => Some(f),
                    crate::run::Answer::Looked(Err(f)) | crate::run::Answer::Undone(Err(f)) => Some(f),
                    _ => None,
                };
                let unsure = fault.is_some_and(|f| matches!(f.kind, FaultKind::Blind | FaultKind::Foreign));
                assert!(!unsure, "silence, or somebody else, turned the run back: {input:?} {events:?}");
            }
            Input::Ordered { id, order, .. } => {
                let answers = |e: &&Event| matches!(e, Event::OrderTaken { id: n, .. } | Event::OrderRefused { id: n, .. } if n == id);
                assert_eq!(events.iter().filter(answers).count(), 1, "an order is answered once");
                if let Order::Trip { guard, .. } = order {
                    self.trips(run, *guard, events, now);
                }
            }
            _ => {}
        }
    }

    /// A guard that is tripped from outside is heard whenever it watches, and does what it would do had it seen it itself.
    fn trips(&mut self, run: &Run, guard: usize, events: &[Event], now: Timestamp) {
        let watches = run.guarded(guard) && run.plan.guards[guard].is_outside();
        let [taken @ Event::OrderTaken { .. }, Event::GuardTripped { fault, .. }, ..] = events else {
            assert!(!watches, "a trip had no effect: {events:?}");
            return;
        };
        assert!(watches, "a guard that does not watch was tripped: {events:?}");
        let mut heard = run.clone();
        heard.evolve(taken).unwrap();
        let seen = Input::Tripped { guard, note: None, fault: fault.clone() };
        assert_eq!(events[1..], decide(&heard, &seen, now), "heard is not as good as seen");
        self.trips += 1;
    }

    /// As a fact is applied.
    pub(super) fn event(&mut self, before: &Run, event: &Event, after: &Run, world: &World, now: Timestamp) {
        match event {
            Event::Step(ix, fact) => Self::step(before, *ix, fact, after, world, now),
            Event::RollbackAnnounced { at, .. } => {
                let veto = before.plan.policy.veto.expect("the plan gives time to say no");
                assert_eq!(*at, now.after(veto), "neither longer nor shorter than stated");
                self.announced += 1;
            }
            Event::RunResumed { .. } => self.saw.clear(),
            Event::Baking { until } => {
                assert_eq!(*until, now.after(before.plan.policy.bake.expect("the plan says `bake`")));
                assert!(before.is_done() && !before.is_held(), "it bakes, and something is to do");
                self.bakes[0] += 1;
            }
            Event::GuardSatisfied { guard } => drop(self.saw.insert(*guard)),
            Event::Baked => {
                assert!(before.bakes_until().is_some_and(|until| until <= now), "shorter than stated");
                assert!(!before.is_held(), "a bake ended while the run was paused, or about to turn back");
                let looks =
                    |guard: &usize| before.guarded(*guard) && !before.plan.guards[*guard].is_outside();
                let watching = (0..before.plan.guards.len()).filter(looks);
                let unseen = watching.filter(|guard| !self.saw.contains(guard)).count();
                assert_eq!(unseen, 0, "it ended by silence");
                self.bakes[1] += 1;
            }
            Event::RollbackStarted { cause, rewind } => {
                self.bakes[2] += u64::from(before.bakes_until().is_some());
                self.vetoable(before, cause, now);
                assert!(after.paused.is_none(), "a rollback begins, and waits");
                before.steps.iter().for_each(|s| *self.turned_in.entry(name(&s.phase)).or_default() += 1);
                if *rewind == Rewind::Safe {
                    Self::safe(before, after);
                }
            }
            Event::RunPaused { cause } => *self.paused.entry(name(cause)).or_default() += 1,
            Event::OrderTaken { order: Order::Skip { step, .. } | Order::Settle { step, .. }, .. } => {
                self.waived.insert(*step);
            }
            Event::RunFinished { verdict } => {
                assert!(*verdict != Verdict::Completed || before.is_baked(), "it ended, and was to bake");
                let over = |ix: &StepIx| before.passed(*ix);
                assert!(before.plan.places().filter(|ix| before.plan.is_finally(*ix)).all(|ix| over(&ix)));
                assert!(!before.is_held(), "a paused run ends, or one that is about to turn back");
            }
            _ => {}
        }
    }

    /// A rollback by itself goes past nothing that is a person's to decide.
    fn safe(before: &Run, after: &Run) {
        if before.mode == Mode::Rollback {
            return;
        }
        let scope = after.scope();
        for ix in before.plan.places().filter(|ix| !before[*ix].settled() && !before.plan.is_finally(*ix)) {
            let rule = &before.plan[ix];
            assert_ne!(
                rule.reversibility,
                Reversibility::Irreversible,
                "past a point of no return: {:?}",
                rule.id
            );
            let diverged = rule.writes == Some(Writes::Diverge) && before[ix].changed.is_some();
            assert!(!(diverged && scope[ix.index()]), "users' writes were left behind: {:?}", rule.id);
        }
    }

    /// Nobody is overrun: what the run calls for by itself was announced, and nobody said no.
    fn vetoable(&mut self, before: &Run, cause: &Cause, now: Timestamp) {
        match (&before.announced, cause) {
            (_, Cause::Order { .. }) => {}
            (None, _) => assert_eq!(before.plan.policy.veto, None, "it turned back without a word"),
            (Some(said), _) => {
                assert!(
                    said.cause == *cause && said.at <= now,
                    "{said:?} announced, and {cause:?} at {now:?}"
                );
                self.unvetoed += 1;
            }
        }
    }

    fn step(before: &Run, ix: StepIx, fact: &StepEvent, after: &Run, world: &World, now: Timestamp) {
        let (plan, step, cell) = (&*before.plan, &before[ix], &world.cells[ix.index()]);
        match fact {
            StepEvent::Started | StepEvent::Applying { .. } | StepEvent::ApprovalAsked { .. } => {
                Self::begins(before, ix, fact, after);
            }
            StepEvent::Undone { receipt: Receipt::Restored } => {
                let prior: i64 = step.record.as_ref().unwrap().proposal.prior.parse().unwrap();
                assert!(
                    cell.others || cell.value == prior,
                    "a receipt says RESTORED, and it is not: {cell:?}"
                );
            }
            StepEvent::Undone { receipt: Receipt::Left } => assert!(before.is_left(ix)),
            StepEvent::Undone { receipt: Receipt::TakenOver } => {
                assert_eq!(plan[ix].reversibility, Reversibility::Irreversible);
                assert_ne!(before.rewind, Rewind::Safe);
            }
            StepEvent::Succeeded { .. } => {
                if let (Nature::Wait { .. }, Some(until), Phase::Watching { .. }) =
                    (cell.nature, noted(step), step.phase)
                {
                    assert!(now.0 >= until, "a wait ended before its recorded moment");
                }
                if let (Kind::Approve(rule), Phase::Asking { .. }) = (&plan[ix].kind, step.phase) {
                    Self::approved(before, step, rule);
                }
            }
            StepEvent::NotLanded => assert!(step.settles <= now, "absence was believed too early"),
            StepEvent::Undoing { .. } => Self::undoes(before, ix, now),
            _ => {}
        }
        if before.plan[ix].reversibility == Reversibility::Irreversible && step.mark() == Mark::Made {
            let restored = matches!(fact, StepEvent::Undone { receipt: Receipt::Restored });
            assert!(!restored || before.rewind != Rewind::Safe || step.turned);
        }
    }

    fn begins(before: &Run, ix: StepIx, fact: &StepEvent, after: &Run) {
        let plan = &before.plan;
        assert!(!before.is_held(), "{fact:?} was begun while the run was paused, or about to turn back");
        assert!(plan[ix].needs.iter().all(|need| before.passed(*need)), "begun before what it needs");
        if plan.is_finally(ix) {
            let over = plan.places().filter(|ix| !plan.is_finally(*ix)).all(|ix| before.passed(ix));
            assert!(over || before.rest().is_some(), "finally began before the end");
            assert!(before.mode != Mode::Forward || before.is_baked(), "finally began in a bake");
            return;
        }
        assert_eq!(before.mode, Mode::Forward, "{fact:?} was begun on the way back");
        for pool in &plan.pools {
            let (was, is) = (open(before, pool), open(after, pool));
            assert!(is <= pool.max.max(was), "too many at once");
        }
    }

    fn approved(before: &Run, step: &StepRun, rule: &crate::plan::Approval) {
        let mut by = step.approved_by.clone();
        by.sort();
        by.dedup();
        assert!(by.len() >= rule.by.any as usize, "too few said yes");
        assert!(by.iter().all(|name| rule.by.of.contains(name)), "approved by somebody who may not");
        let starter = before.started_by.as_ref().map(|actor| &actor.name);
        assert!(!rule.another || by.iter().all(|name| Some(name) != starter), "approved by who started it");
    }

    fn undoes(before: &Run, ix: StepIx, now: Timestamp) {
        let (plan, step) = (&*before.plan, &before[ix]);
        assert!(before.paused.is_none(), "an undo was begun while the run was paused");
        assert_ne!(plan[ix].reversibility, Reversibility::Irreversible, "a point of no return was undone");
        assert!(!before.is_left(ix), "what the plan keeps was undone");
        assert!(step.settles <= now, "undone while a lost call may still land");
        assert!(
            !(step.must_finish() && matches!(step.phase, Phase::Watching { .. })),
            "interrupted: {:?}",
            plan[ix].id
        );
        for later in built_on(plan, ix) {
            assert!(before[later].settled(), "{:?} undone before {:?}", plan[ix].id, plan[later].id);
        }
        if before.mode == Mode::Rollback && before.rewind == Rewind::Safe {
            let kept = |at: &StepIx| plan[*at].kind == Kind::Checkpoint && before[*at].phase == Phase::Done;
            let stops = built_on(plan, ix).into_iter().any(|later| kept(&later));
            assert!(!stops || step.goes_back(), "a rollback went past a checkpoint");
        }
    }

    /// After a batch: whatever asks for a rollback gets it, or a person is asked, in every state.
    pub(super) fn input(input: &Input, run: &Run, now: Timestamp) {
        let held = matches!(run.paused, Some(PauseCause::Barrier(_) | PauseCause::Diverged { .. }));
        let heeded = run.cause.is_some() || held;
        let resumes = matches!(input, Input::Resume { .. });
        assert!(resumes || run.turns_at().is_none_or(|at| at > now), "held for longer than stated: {run:?}");
        match input {
            Input::Tripped { guard, fault, .. } => {
                let sure = !matches!(fault.kind, FaultKind::Blind | FaultKind::Foreign);
                let asks = sure && run.plan.guards[*guard].on_breach == OnBreach::Rollback;
                assert!(
                    !asks || heeded || run.announced.is_some() || run.is_finished(),
                    "a breach had no effect: {run:?}"
                );
            }
            Input::Ordered { id, by, order: Order::Rollback { rewind, .. } } if run.last_order == *id => {
                let live = matches!(run.mode, Mode::Forward);
                let person = !by.automatic && *rewind != Rewind::Safe && !matches!(rewind, Rewind::To(_));
                assert!(
                    !live || heeded || by.automatic || matches!(rewind, Rewind::To(_)),
                    "an abort had no effect: {run:?}"
                );
                assert!(!(live && person), "a person said so, and it goes on: {run:?}");
            }
            _ => {}
        }
    }

    /// Before a call leaves for the world: its intent is on disk, and not yet too old.
    pub(super) fn sends(journal: &[Event], ix: StepIx, write: Write, now: Timestamp) {
        let last = journal.iter().rev().find_map(|event| match event {
            Event::Step(step, fact @ (StepEvent::Applying { .. } | StepEvent::Undoing { .. }))
                if *step == ix =>
            {
                Some(fact)
            }
            _ => None,
        });
        let fits = match (write, last) {
            (Write::Stage(k, _), Some(StepEvent::Applying { stage, by })) => *stage == k && now <= *by,
            (Write::Prior(_), Some(StepEvent::Undoing { by })) => now <= *by,
            _ => false,
        };
        assert!(fits, "{write:?} without its intent; the last is {last:?}");
    }

    /// When the run has ended and everything that was under way has landed.
    pub(super) fn end(&self, run: &Run, world: &World) {
        let Mode::Finished(verdict) = run.mode else { panic!("not finished") };
        for ix in run.plan.places() {
            let (rule, step, cell) = (&run.plan[ix], &run[ix], &world.cells[ix.index()]);
            if cell.others || self.waived.contains(&ix) || !cell.is_change() || run.plan.is_finally(ix) {
                continue;
            }
            let tolerated = run.tolerates(ix) && step.phase != Phase::Done;
            let expected = match (verdict, step.phase, rule.reversibility) {
                (Verdict::Completed, Phase::Done, _) => cell.target(),
                (_, Phase::Undone(Receipt::TakenOver | Receipt::Left), _) => continue,
                (Verdict::Completed, Phase::Skipped, _) => cell.initial,
                (Verdict::Completed, _, _) if tolerated => cell.initial,
                (Verdict::RolledBack, _, _) => cell.initial,
                (Verdict::Incomplete, phase, _) if step.settled() => {
                    assert_ne!(phase, Phase::Applying { by: Timestamp::PAST });
                    cell.initial
                }
                _ => panic!("{verdict:?}, but {:?} is {step:?}", rule.id),
            };
            assert_eq!(cell.value, expected, "{verdict:?}, {:?}: {step:?} {cell:?}", rule.id);
        }
        let taken_over = run.steps.iter().any(|s| s.phase == Phase::Undone(Receipt::TakenOver));
        assert!(verdict != Verdict::Incomplete || taken_over);
        assert!(verdict != Verdict::RolledBack || !taken_over);
    }
}

fn open(run: &Run, pool: &Pool) -> usize {
    let places = |child: &std::ops::Range<usize>| child.clone().map(|n| StepIx(n as u32));
    let begun = |child| places(child).any(|ix| run[ix].phase != Phase::Waiting);
    let ended = |child| places(child).all(|ix| run.passed(ix));
    pool.children.iter().filter(|child| begun(child) && !ended(child)).count()
}

fn noted(step: &StepRun) -> Option<u64> {
    step.record.as_ref()?.note.as_ref()?.parse().ok()
}

/// Everything that directly or indirectly needs a step.
fn built_on(plan: &Plan, ix: StepIx) -> Vec<StepIx> {
    let mut reached = vec![false; plan.steps.len()];
    reached[ix.index()] = true;
    for later in plan.places().filter(|later| !plan.is_finally(*later)) {
        reached[later.index()] |= plan[later].needs.iter().any(|need| reached[need.index()]);
    }
    plan.places().filter(|later| *later != ix && reached[later.index()]).collect()
}

/// The first word.
fn name(of: &impl std::fmt::Debug) -> String {
    let text = format!("{of:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}
