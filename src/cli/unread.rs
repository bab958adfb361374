//! Runs whose plan this version cannot read: what their journals name stands for it, so that they can be told of, and orders
//! given to whoever drives them. Nothing is done by that.

use super::{Context, Exit, Failure, plans, version};
use crate::plan::{Constants, Guard, GuardSpan, Kind, OnBreach, Plan, Policy, Span, Step, Use, Value};
use crate::report::{Runbook, Unread};
use crate::store::record::Named;
use crate::store::{RunRecord, Stored};
use serde_json::json;
use std::sync::Arc;

/// The plan of a run; or what stands for it, and why.
pub(super) fn plan_or_stand_in(record: &RunRecord, journal: &[Stored]) -> (Arc<Plan>, Option<Unread>) {
    match plans::of_run(record) {
        Ok(plan) => (plan, None),
        Err(why) => (Arc::new(stand_in(record, journal)), Some(Unread { why, tool: record.tool.clone() })),
    }
}

/// A plan of the steps and guards that the journal names, in its order.
fn stand_in(record: &RunRecord, journal: &[Stored]) -> Plan {
    let mut named = Named::default();
    for event in journal {
        named.take(&event.body);
    }
    let step = |name: String| Step::new(name, Kind::Act(None), Vec::new());
    let guard = |name: String| {
        let with = Value::from_json(&json!({}), Span::default());
        let uses = Use { kind: "".into(), with, constants: Arc::new(Constants::default()) };
        Guard { id: name.into(), uses, span: GuardSpan::default(), on_breach: OnBreach::Rollback }
    };
    Plan {
        name: record.plan.as_str().into(),
        summary: None,
        owner: None,
        production: false,
        steps: named.steps.into_iter().map(step).collect(),
        pools: Vec::new(),
        guards: named.guards.into_iter().map(guard).collect(),
        targets: Vec::new(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy: Policy::default(),
    }
}

/// What is said beside what the journal tells.
pub(super) fn note(record: &RunRecord, unread: &Unread) -> String {
    format!(
        "this version cannot read the plan of run {} ({}): what its journal says is told; steps that had not begun are not in it",
        record.id, unread.why
    )
}

/// Nothing is done of the run.
pub(super) fn refused(context: &Context, record: &RunRecord, unread: &Unread) -> Failure {
    let (id, tool, command) = (&*record.id.0, &unread.tool, |verb| context.commands.run(verb, &record.id.0));
    Failure::new(Exit::Stopped, format!("this version cannot read the plan of run {id}; nothing was done"))
        .because(&unread.why)
        .because(format!("switchover {tool} began it; this is {}", version::name()))
        .hint(format!("go on with switchover {tool}: `{}`, or `{}`", command("resume"), command("rollback")))
        .hint(format!(
            "if it is lost, finish by hand: `{}` tells what was done, and what was there before",
            command("report")
        ))
        .see(Runbook::OtherVersion)
}
