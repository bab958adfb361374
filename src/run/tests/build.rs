//! Plans, built in a line.

use crate::plan::{
    Approval, Approvers, Guard, GuardSpan, Kind, Node, OnBreach, OnFailure, Part, Plan, Policy, Pool, Retry,
    Reversibility, Span, Step, StepIx, Use, Value, WEBHOOK, lower,
};
use std::{sync::Arc, time::Duration};

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn uses() -> Use {
    let with = Value { span: Span::default(), data: crate::plan::Data::Null };
    Use { kind: "test".into(), with, constants: Arc::default() }
}

/// A change that needs the steps before it, by place.
pub(super) fn act(id: &str, needs: &[u32]) -> Step {
    let retry = Retry { attempts: 2, wait: secs(1), backoff_percent: 200 };
    let needs = needs.iter().map(|n| StepIx(*n)).collect();
    Step { retry, ..Step::new(id, Kind::Act(Some(uses())), needs) }
}

pub(super) fn irreversible(id: &str, needs: &[u32]) -> Step {
    Step { reversibility: Reversibility::Irreversible, ..act(id, needs) }
}

pub(super) fn on_failure(on_failure: OnFailure, step: Step) -> Step {
    Step { on_failure, ..step }
}

pub(super) fn checkpoint(id: &str, needs: &[u32]) -> Step {
    Step { kind: Kind::Checkpoint, ..act(id, needs) }
}

pub(super) fn finally(id: &str, needs: &[u32]) -> Step {
    Step { part: Part::Finally, on_failure: OnFailure::Continue, ..act(id, needs) }
}

/// Needs `any` of bo, cy and dee.
pub(super) fn approve(id: &str, needs: &[u32], any: u32, another: bool) -> Step {
    let of = ["bo", "cy", "dee"].map(Arc::from).to_vec();
    let rule = Approval { message: "go?".into(), by: Approvers { any, of }, another, expires: secs(60) };
    Step { kind: Kind::Approve(rule), on_failure: OnFailure::Pause, ..act(id, needs) }
}

pub(super) fn guard(id: &str, on_breach: OnBreach) -> Guard {
    Guard { id: id.into(), uses: uses(), span: GuardSpan::default(), on_breach }
}

/// Tripped from outside.
pub(super) fn webhook(id: &str, on_breach: OnBreach) -> Guard {
    Guard { uses: Use { kind: WEBHOOK.into(), ..uses() }, ..guard(id, on_breach) }
}

pub(super) fn policy() -> Policy {
    Policy {
        call: secs(30),
        grace: secs(60),
        undo: Retry { attempts: 2, wait: secs(5), backoff_percent: 200 },
        ..Policy::default()
    }
}

pub(super) fn plan(steps: Vec<Step>, pools: Vec<Pool>, guards: Vec<Guard>, policy: Policy) -> Plan {
    Plan {
        name: "test".into(),
        summary: None,
        owner: None,
        production: false,
        steps,
        pools,
        guards,
        targets: Vec::new(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy,
    }
}

/// Steps and one guard that rolls back.
pub(super) fn simple(steps: Vec<Step>) -> Plan {
    plan(steps, Vec::new(), vec![guard("errors", OnBreach::Rollback)], policy())
}

pub(super) fn lowered(main: &[Node]) -> Plan {
    let (steps, pools) = lower(&[], main, &[]);
    plan(steps, pools, Vec::new(), policy())
}

pub(super) fn leaf(id: &str) -> Node {
    Node::Step(Box::new(act(id, &[])))
}
