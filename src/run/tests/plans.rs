//! Small plans, by hand and by chance.

use super::world::Dice;
use crate::plan::{
    Approval, Approvers, Constants, Data, Kind, Node, OnFailure, Plan, Policy, Retry, Reversibility, Span,
    Step, StepId, Undo, Use, Value, lower,
};
use std::{sync::Arc, time::Duration};

pub(super) fn act(id: &str) -> Step {
    Step {
        id: StepId(id.into()),
        summary: None,
        span: Span::default(),
        kind: Kind::Act(Some(Use {
            kind: "test".into(),
            with: Value { span: Span::default(), data: Data::Null },
            constants: Arc::new(Constants::default()),
        })),
        needs: Vec::new(),
        path: Vec::new(),
        part: crate::plan::Part::Main,
        when: None,
        timeout: None,
        retry: Retry::NEVER,
        on_failure: OnFailure::Rollback,
        undo: Undo::Own,
        reversibility: Reversibility::Reversible,
        writes: None,
    }
}

pub(super) fn approve(id: &str, any: u32) -> Step {
    let by = Approvers { any, of: ["ana", "bo", "cy"].map(std::sync::Arc::from).to_vec() };
    let approval = Approval { message: "go?".into(), by, another: true, expires: Duration::from_secs(60) };
    Step { kind: Kind::Approve(approval), ..act(id) }
}

pub(super) fn node(step: Step) -> Node {
    Node::Step(Box::new(step))
}

pub(super) fn together(id: &str, max: Option<usize>, children: Vec<Node>) -> Node {
    Node::Parallel { id: StepId(id.into()), max, children }
}

pub(super) fn plan(main: &[Node], finally: &[Node]) -> Plan {
    let (steps, pools) = lower(&[], main, finally);
    Plan {
        name: "test".into(),
        summary: None,
        owner: None,
        production: true,
        steps,
        pools,
        guards: Vec::new(),
        targets: Vec::new(),
        secrets: Vec::new(),
        people: vec![("managers".into(), vec!["ana".into(), "bo".into(), "cy".into()])],
        policy: Policy::default(),
    }
}

/// A plan by chance: up to eight steps, in groups, with rules of all kinds.
pub(super) fn random(dice: &mut Dice) -> Plan {
    let mut names = 0;
    let mut main: Vec<Node> = Vec::new();
    for _ in 0..1 + dice.below(4) {
        if dice.one_in(3) {
            let children = (0..2 + dice.below(2)).map(|_| node(random_step(dice, &mut names))).collect();
            names += 1;
            let max = dice.one_in(2).then_some(1);
            main.push(together(&format!("group{names}"), max, children));
        } else {
            let step = random_step(dice, &mut names);
            let irreversible = dice.one_in(12);
            let step = match dice.below(10) {
                0 => Step { kind: Kind::Checkpoint, ..step },
                1 => approve(&step.id.0, 1),
                _ if irreversible => Step { reversibility: Reversibility::Irreversible, ..step },
                _ => step,
            };
            main.push(node(step));
        }
    }
    let finally = if dice.one_in(3) { vec![node(random_step(dice, &mut names))] } else { Vec::new() };
    let mut plan = plan(&main, &finally);
    if dice.one_in(4) {
        plan.policy.deadline = Some(Duration::from_secs(30));
    }
    plan
}

fn random_step(dice: &mut Dice, names: &mut u32) -> Step {
    *names += 1;
    let mut step = act(&format!("s{names}"));
    if dice.one_in(3) {
        step.retry = Retry { attempts: 3, wait: Duration::from_secs(1), backoff_percent: 200 };
    }
    step.on_failure = match dice.below(6) {
        0 => OnFailure::Pause,
        1 => OnFailure::Continue,
        _ => OnFailure::Rollback,
    };
    if dice.one_in(8) {
        step.reversibility = Reversibility::Expand;
    } else if dice.one_in(10) {
        step.undo = Undo::Keep("harmless".into());
    }
    step
}
