//! The kinds of steps there are: one line each.

use super::{Action, AnyAction, alb, dns, drain::Drain, ecs, exec::Exec, http, monitor::Monitor, wait::Wait};
use crate::plan::{Fields, Kinds, StepTraits};
use std::sync::Arc;

/// A kind of step.
#[derive(Debug)]
pub struct ActionKind {
    /// `dns.switch`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Reads `with`.
    pub decode: fn(&mut Fields<'_>) -> Option<Arc<dyn AnyAction>>,
}

const fn kind<A: Action>(name: &'static str, summary: &'static str) -> ActionKind {
    ActionKind { name, summary, decode: |fields| Some(Arc::new(A::decode(fields)?) as Arc<dyn AnyAction>) }
}

/// All of them.
pub const ACTIONS: &[ActionKind] = &[
    kind::<ecs::Deploy>("ecs.deploy", "sets a service to images by digest, and watches them become healthy"),
    kind::<ecs::RunOnce>("ecs.task", "runs a task once, such as a migration"),
    kind::<ecs::Hold>("ecs.scaling", "keeps a service from being scaled in, and gives its bounds back"),
    kind::<http::Check>("http.check", "one request, repeated until it is answered as expected"),
    kind::<http::Flow>("http.flow", "requests in order: a smoke test"),
    kind::<dns::SetTtl>("dns.ttl", "lowers a TTL, and waits until the old one has drained; or gives it back"),
    kind::<dns::Switch>("dns.switch", "points a name elsewhere, by compare-and-swap"),
    kind::<dns::Weights>(
        "dns.weights",
        "shifts a name to another of its weighted record sets, weight by weight",
    ),
    kind::<alb::Weights>("alb.weights", "shifts requests to a target group, weight by weight"),
    kind::<alb::SetAttributes>(
        "alb.attribute",
        "sets how long connections to a load balancer last, or how long a target that leaves is waited for",
    ),
    kind::<Drain>(
        "drain",
        "waits until a load balancer has almost no requests and no open connections any more",
    ),
    kind::<Monitor>("monitor", "watches signals for a while"),
    kind::<Wait>("wait", "lets time pass"),
    kind::<Exec>("exec", "commands of your own"),
];

/// Kinds of the steps that stand around a plan's own: no plan can name them.
const AROUND: &[ActionKind] = &[
    kind::<dns::Free>("lock.free", "checks that no other run holds the lock in the world"),
    kind::<dns::Take>("lock.take", "takes the lock in the world"),
    kind::<dns::Release>("lock.release", "gives the lock in the world back"),
];

/// The actions, as the plan language sees them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registry;

impl Registry {
    /// Builds an action; `None` if `with` has problems or there is no such kind.
    #[must_use]
    pub fn build(self, kind: &str, fields: &mut Fields<'_>) -> Option<Arc<dyn AnyAction>> {
        let kind = ACTIONS.iter().chain(AROUND).find(|k| k.name == kind)?;
        (kind.decode)(fields)
    }
}

impl Kinds for Registry {
    fn names(&self) -> Vec<&'static str> {
        ACTIONS.iter().map(|kind| kind.name).collect()
    }
    fn not_yet(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
    fn check(&self, uses: &str, fields: &mut Fields<'_>) -> Option<StepTraits> {
        let action = self.build(uses, fields);
        fields.finish();
        action.map(|action| action.traits())
    }
    fn summary(&self, uses: &str) -> &'static str {
        ACTIONS.iter().find(|kind| kind.name == uses).map_or("", |kind| kind.summary)
    }
}
