//! The people of a sandbox answer approvals as its world file says: through the store, as anybody would.

use crate::adapter::SystemClock;
use crate::driver::Observer;
use crate::plan::{Kind, Plan, StepIx, Timestamp};
use crate::port::{Clock, Person, Wiring};
use crate::report::Story;
use crate::run::{Actor, Event, Order, Phase, Run, StepEvent};
use crate::store::{self, Recorded, RunId, SqliteStore};
use std::sync::Arc;
use std::time::Duration;

/// Everybody of a world.
pub(super) struct People {
    all: Vec<Person>,
    plan: Arc<Plan>,
    store: Arc<SqliteStore>,
    run: RunId,
    clock: SystemClock,
}

impl People {
    /// Those of this world.
    pub(super) fn new(
        wiring: &Wiring,
        plan: Arc<Plan>,
        store: Arc<SqliteStore>,
        run: RunId,
        clock: SystemClock,
    ) -> Self {
        Self { all: wiring.people.clone(), plan, store, run, clock }
    }

    /// Answers what was asked before this process began.
    pub(super) fn answer_what_is_asked(&self, story: &Story) {
        for (ix, step) in story.steps() {
            if matches!(story.phase(ix), Phase::Asking { .. }) {
                self.asked(&story.run, ix, step.since);
            }
        }
    }

    /// Those whom the plan names answer, as many as are needed, each after their time.
    fn asked(&self, run: &Run, ix: StepIx, at: Timestamp) {
        let Kind::Approve(approval) = &self.plan[ix].kind else { return };
        let names = &approval.by.of;
        let starter = run.started_by.as_ref().filter(|_| approval.another);
        let entitled = |person: &&Person| {
            (names.is_empty() || names.iter().any(|name| **name == *person.name))
                && starter.is_none_or(|starter| *starter.name != *person.name)
        };
        let mut answers: Vec<&Person> =
            self.all.iter().filter(entitled).filter(|person| person.answer != "ignore").collect();
        answers.sort_by_key(|person| person.after_ms);
        for person in answers.into_iter().take(approval.by.any as usize) {
            let order = match person.answer.as_str() {
                "reject" => Order::Reject { step: ix, reason: "as the world file says".into() },
                _ => Order::Approve { step: ix },
            };
            let (store, run, plan, clock) =
                (self.store.clone(), self.run.clone(), self.plan.clone(), self.clock);
            let by = Actor { name: person.name.as_str().into(), automatic: false };
            let when = at.after(Duration::from_millis(person.after_ms));
            tokio::spawn(async move {
                clock.sleep_until(when).await;
                // An order that cannot be recorded is told by the run, which cannot be either.
                let _ = store::give_order(&*store, &run, &plan, &by, &order, super::stored::now());
            });
        }
    }
}

impl Observer for People {
    fn on_event(&mut self, run: &Run, recorded: &Recorded) {
        if let Event::Step(ix, StepEvent::ApprovalAsked { .. }) = &recorded.event {
            self.asked(run, *ix, recorded.at);
        }
    }
}
