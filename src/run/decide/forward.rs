//! The way forward: steps whose turn has come, and what a step that cannot go on does to the run.

use super::Draft;
use crate::mutant::{Mistake, on};
use crate::plan::{Kind, OnFailure, Part, StepIx};
use crate::run::event::{Cause, Event, PauseCause, StepEvent, Verdict};
use crate::run::outcome::Fault;
use crate::run::room::Room;
use crate::run::state::{Bake, Mode};
use crate::run::step::{Phase, Stopped};

/// How often a call may be lost on its way, whatever the plan says of tries: one that certainly did not land is not a
/// failure, and neither is silence.
const LOST: u32 = 3;

impl Draft<'_> {
    pub(super) fn forward(&mut self) {
        let (plan, mut room) = (self.run.plan.clone(), Room::of(&self.run));
        if let (None, Some(limit)) = (self.run.deadline, plan.policy.deadline)
            && self.run.is_prepared()
        {
            self.push(Event::DeadlineSet { deadline: self.now.after(limit) });
        }
        if self.run.deadline.is_some_and(|deadline| deadline <= self.now) && !on(Mistake::DeadlineIgnored) {
            self.pause(PauseCause::Deadline);
        }
        if self.run.turns_at().is_some_and(|at| at <= self.now) && !self.resumes {
            return self.turn_back_as_announced();
        }
        for ix in plan.places() {
            self.advance(ix, &mut room);
            self.consequences(ix);
            if self.run.mode != Mode::Forward {
                return;
            }
        }
        if !self.run.is_held() && self.run.is_done() {
            self.done();
        }
    }

    /// What follows once all is done: the guards are kept for a while, and then it is over, after `finally`.
    fn done(&mut self) {
        let run = &self.run;
        let event = match (run.bake, run.plan.policy.bake) {
            (Bake::Ahead, Some(span)) if run.is_to_bake() => Event::Baking { until: self.now.after(span) },
            // Whoever takes the run over hears first what was said meanwhile.
            (Bake::Until(until), _) if until > self.now || run.waits_for_a_guard() || self.resumes => return,
            (Bake::Until(_), _) => Event::Baked,
            (Bake::Ahead | Bake::Over, _) if run.all_passed(Part::Finally) => {
                Event::RunFinished { verdict: Verdict::Completed }
            }
            (Bake::Ahead | Bake::Over, _) => return,
        };
        self.push(event);
    }

    /// One step on its way forward: at most one fact.
    pub(super) fn advance(&mut self, ix: StepIx, room: &mut Room) {
        let (run, now) = (&self.run, self.now);
        let step = &run[ix];
        let event = match step.phase {
            Phase::Waiting if step.settles <= now && room.admits(run, ix) => {
                room.begun(ix);
                // Whether its `when` holds is asked of everything.
                if run.plan[ix].when.is_some() { StepEvent::Started } else { self.first(ix) }
            }
            Phase::Ready if step.tries >= run.plan[ix].retry.attempts.max(LOST) => {
                StepEvent::WentBlind { fault: Fault::blind("every try was lost before it arrived") }
            }
            Phase::Ready if room.lets_go_on(run, ix) => self.applying(ix),
            Phase::Backoff { until } if until <= now && room.lets_go_on(run, ix) => {
                if step.is_change() {
                    self.applying(ix)
                } else {
                    StepEvent::Started
                }
            }
            Phase::Asking { until } if until <= now && run.goes_forward(ix) => {
                return self.push(Event::RunPaused { cause: PauseCause::Expired(ix) });
            }
            _ => return,
        };
        self.step(ix, event);
    }

    /// What a step does first, once it is known that its `when` holds.
    pub(super) fn first(&self, ix: StepIx) -> StepEvent {
        match &self.run.plan[ix].kind {
            Kind::Act(_) => StepEvent::Started,
            Kind::Approve(_) if on(Mistake::NobodyAsked) => StepEvent::Succeeded { out: None },
            Kind::Approve(rule) => StepEvent::ApprovalAsked { until: self.now.after(rule.expires) },
            Kind::Join | Kind::Checkpoint => StepEvent::Succeeded { out: None },
        }
    }

    fn applying(&self, ix: StepIx) -> StepEvent {
        StepEvent::Applying { stage: self.run[ix].stage(), by: self.now.after(self.run.call(ix)) }
    }

    /// A step that cannot go on: the plan says what the run does.
    fn consequences(&mut self, ix: StepIx) {
        let run = &self.run;
        let stopped = run[ix].stopped();
        if stopped.is_none() && !run[ix].turned || run.plan.is_finally(ix) {
            return;
        }
        if run[ix].turned && run.tolerates(ix) && !matches!(run[ix].phase, Phase::Stuck(_)) {
            return self.unwind(ix);
        }
        let Some(stopped) = stopped else { return };
        let ask = run[ix].mended || run.must_be_asked(ix);
        match (stopped, run.plan[ix].on_failure) {
            // A human tried, and it is not as it should be: not a failure of the run, but a question.
            (Stopped::Failed, _) if run[ix].mended => self.pause(PauseCause::Failed(ix)),
            (Stopped::Failed, OnFailure::Continue) if !ask => self.unwind(ix),
            (Stopped::Failed, OnFailure::Rollback) => self.turn_back(Cause::Failed(ix)),
            (Stopped::Failed, _) => self.pause(PauseCause::Failed(ix)),
            (Stopped::Foreign, _) => self.pause(PauseCause::Foreign(ix)),
            (Stopped::Blind, _) => self.pause(PauseCause::Blind(ix)),
            (Stopped::Stuck(_), _) => self.pause(PauseCause::Stuck(ix)),
        }
    }
}
