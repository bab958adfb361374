//! The people of a rehearsal: who answers approvals, and what an operator does with a run that asks.
//!
//! An operator goes on once, then puts right what refuses and tries again, then turns back, then takes it over: every
//! scenario is brought to an ending as a careful person would bring it.

use super::setting::Setting;
use crate::plan::{Kind, StepIx, Timestamp};
use crate::run::{Actor, Event, Input, Mode, Order, PauseCause, Phase, Rewind, Run, StepEvent};
use std::sync::Arc;
use std::time::Duration;

/// How long an operator needs to see that a run asks.
const SEES: Duration = Duration::from_secs(120);

/// After so many visits an operator gives up.
const VISITS: u32 = 16;

/// What people do when they are asked for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// As the world says.
    AsStated,
    /// Nobody says anything; an operator asks again later.
    Never,
    /// No.
    Reject,
    /// Yes, but after it has expired.
    Late,
}

/// What somebody says to a rollback that is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum No {
    /// No: it is to ask.
    Pause,
    /// No: it is to go on.
    Continue,
}

impl No {
    pub(super) const ALL: [Self; 2] = [Self::Pause, Self::Continue];

    /// In names of scenarios.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pause => "no-pause",
            Self::Continue => "no-continue",
        }
    }

    fn order(self) -> Order {
        match self {
            Self::Pause => Order::Pause { reason: Some("it is a false alarm".into()) },
            Self::Continue => Order::Continue,
        }
    }
}

/// What people have done and will do.
#[derive(Clone)]
pub(super) struct Operator {
    pub(super) answer: Answer,
    /// What is said to the next rollback that is announced; none: nobody says a word.
    pub(super) no: Option<No>,
    acts: Vec<(Timestamp, Actor, Order)>,
    /// Orders that were given, by their numbers: kept until a run has answered them.
    given: Vec<(u64, Actor, Order)>,
    last_order: u64,
    /// How often somebody came since the run last got on.
    came: u32,
    /// How often in all.
    visits: u32,
    /// Somebody put right what refused.
    pub(super) mended: bool,
    /// Somebody had to decide what the run does not decide by itself.
    pub(super) took_over: bool,
}

/// What an operator does with a run that rests.
pub(super) enum Comes {
    /// Gives an order.
    Orders(Order),
    /// Puts right what refuses, and gives an order.
    Mends(Order),
    /// Nothing is left to do.
    Gives,
}

impl Operator {
    pub(super) fn new() -> Self {
        Self {
            answer: Answer::AsStated,
            no: None,
            acts: Vec::new(),
            given: Vec::new(),
            last_order: 0,
            came: 0,
            visits: 0,
            mended: false,
            took_over: false,
        }
    }

    /// Somebody will give this order.
    pub(super) fn will(&mut self, at: Timestamp, by: Actor, order: Order) {
        self.acts.push((at, by, order));
    }

    /// When somebody acts next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.acts.iter().map(|(at, ..)| *at).min()
    }

    /// What decides how people go on: not how often they came.
    pub(super) fn situation(&self, now: Timestamp) -> impl std::hash::Hash + use<> {
        let acts: Vec<(u64, Order)> =
            self.acts.iter().map(|(at, _, order)| (at.since(now).as_secs(), order.clone())).collect();
        let given: Vec<Order> = self.given.iter().map(|(.., order)| order.clone()).collect();
        (self.answer, self.no, acts, given, self.came, self.mended)
    }

    /// The orders that are given by now and that a run has not answered.
    pub(super) fn orders(&mut self, run: &Run, now: Timestamp) -> Vec<Input> {
        if self.next().is_some_and(|next| next <= now) {
            let (mut due, later): (Vec<_>, Vec<_>) = self.acts.drain(..).partition(|(at, ..)| *at <= now);
            self.acts = later;
            due.sort_by_key(|(at, ..)| *at);
            for (_, by, order) in due {
                self.last_order += 1;
                self.given.push((self.last_order, by, order));
            }
        }
        self.answered(run);
        let input = |(id, by, order): &(u64, Actor, Order)| Input::Ordered {
            id: *id,
            by: by.clone(),
            order: order.clone(),
        };
        self.given.iter().map(input).collect()
    }

    /// The run has answered orders.
    pub(super) fn answered(&mut self, run: &Run) {
        self.given.retain(|(id, ..)| *id > run.last_order);
    }

    /// People hear that they are asked.
    pub(super) fn hears(&mut self, setting: &Setting, at: Timestamp, event: &Event) {
        if let Event::Step(ix, StepEvent::Succeeded { .. } | StepEvent::Undone { .. }) = event
            && !setting.plan.is_finally(*ix)
        {
            // It has got on: whatever comes next is another question.
            (self.came, self.mended) = (0, false);
        }
        if let (Event::RollbackAnnounced { at: turns, .. }, Some(no)) = (event, self.no) {
            self.no = None;
            self.will(at.after(turns.since(at) / 2), operator(), no.order());
        }
        let Event::Step(step, StepEvent::ApprovalAsked { until }) = event else { return };
        let Kind::Approve(rule) = &setting.plan[*step].kind else { return };
        let wanted = rule.by.any as usize;
        let people = setting.approvers(&rule.by.of);
        match self.answer {
            Answer::AsStated => {
                for (by, after) in people.into_iter().take(wanted) {
                    self.will(at.after(after), by, Order::Approve { step: *step });
                }
            }
            Answer::Never => {}
            Answer::Reject => {
                if let Some((by, after)) = people.into_iter().next() {
                    let reason = "not today".into();
                    self.will(at.after(after), by, Order::Reject { step: *step, reason });
                }
            }
            Answer::Late => {
                for (by, after) in people.into_iter().take(wanted) {
                    self.will(until.after(after), by, Order::Approve { step: *step });
                }
            }
        }
        // Whoever was silent, said no or was late is asked again, and then says yes.
        self.answer = Answer::AsStated;
    }

    /// Somebody comes to a run that rests, and decides.
    pub(super) fn comes(&mut self, run: &Run) -> Comes {
        self.came += 1;
        self.visits += 1;
        if self.visits > VISITS {
            return Comes::Gives;
        }
        let all = || Order::Rollback { rewind: Rewind::All, reason: "taken over".into() };
        let back = || Order::Rollback { rewind: Rewind::Safe, reason: "it does not go on".into() };
        let held = matches!(run.paused, Some(PauseCause::Barrier(_) | PauseCause::Diverged { .. }));
        // What was before it may be gone: nobody goes past it without need.
        let kept = matches!(run.paused, Some(PauseCause::Checkpoint(_) | PauseCause::Rewound(_)));
        let stuck = stuck(run);
        match (run.mode, self.came) {
            _ if kept => {
                self.took_over = self.came > 3;
                if self.took_over { Comes::Gives } else { Comes::Orders(Order::Continue) }
            }
            _ if held => {
                self.took_over = true;
                Comes::Orders(all())
            }
            (Mode::Forward, 1) => Comes::Orders(Order::Continue),
            (Mode::Forward, 2) => self.mends(Order::Continue),
            (Mode::Forward, _) => Comes::Orders(back()),
            (Mode::Rollback, _) if run.paused.is_some() && stuck.is_none() => Comes::Orders(Order::Continue),
            (Mode::Rollback, _) => match stuck {
                Some(step) if !self.mended => self.mends(Order::Retry { step }),
                Some(step) => {
                    self.took_over = true;
                    Comes::Orders(Order::Skip { step, reason: "put right by hand".into() })
                }
                None => Comes::Gives,
            },
            (Mode::Idle | Mode::Finished(_), _) => Comes::Gives,
        }
    }

    fn mends(&mut self, order: Order) -> Comes {
        self.mended = true;
        Comes::Mends(order)
    }

    /// When somebody who is called has come.
    pub(super) fn arrives(now: Timestamp) -> Timestamp {
        now.after(SEES)
    }
}

/// A step whose undo is stuck.
fn stuck(run: &Run) -> Option<StepIx> {
    run.plan.places().find(|ix| matches!(run[*ix].phase, Phase::Stuck(_)))
}

/// Something outside that is nobody.
pub(super) fn alert() -> Actor {
    Actor { name: Arc::from("alertmanager"), automatic: true }
}

/// Somebody who may do anything.
pub(super) fn operator() -> Actor {
    Actor { name: Arc::from("operator"), automatic: false }
}
