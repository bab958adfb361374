//! Scripted faults: which call they meet, and what then happens to it. Pure bookkeeping; whoever serves a call obeys.

use super::compute::Refusal;
use super::file::{Deed, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// As faults name all that answers for names.
pub const NAMES: &str = "dns";

/// A scripted fault, as a world file or a test states it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultRule {
    /// `route53`, `ecs`, `ecr`, `sts`, `elasticloadbalancing`, `monitoring`, `logs`, `ssm`, `secretsmanager`, `iam`, `prometheus`;
    /// `http` at a load balancer; `app` at a task, where health checks come too; `dns` at whoever answers for names; empty: all but
    /// that.
    pub service: String,
    /// `ChangeResourceRecordSets`; for `http` method and path, `GET /`; for `app` the path; for `dns` `ask` at name servers, `resolve` at
    /// the resolver of a machine, `https` at a public one; empty: all.
    pub operation: String,
    /// Only calls whose request has this text in it; for `http` the load balancer's name, for `app` the task's id.
    pub containing: String,
    /// The first call that it meets, from 1.
    pub nth: Option<u32>,
    /// How many calls it meets: 1 unless stated; 0: all from then on. One that refuses all calls by `AccessDenied`, from the
    /// first on, is what these credentials may not do: who asks beforehand is told so.
    pub times: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
    /// Of `error` and `throttle`: the code; of `error` also the status and the message.
    pub code: Option<String>,
    /// The status: 400 unless stated.
    pub status: Option<u16>,
    /// The message.
    pub message: Option<String>,
    /// Of `delay`: how long, in the world's time.
    pub delay: Span,
    /// Of `change`: what somebody else does just before the call.
    pub change: Option<Box<Deed>>,
}

impl FaultRule {
    /// The refusal of an API that it asks for.
    #[must_use]
    pub fn refusal(self, service: &str) -> Refusal {
        if self.kind == FaultKind::Throttle {
            let code = self.code.unwrap_or_else(|| match service {
                "ecs" | "ecr" | "monitoring" | "logs" | "ssm" | "secretsmanager" => {
                    "ThrottlingException".into()
                }
                _ => "Throttling".into(),
            });
            return Refusal::new(&code, self.message.as_deref().unwrap_or("Rate exceeded"));
        }
        let code = self.code.unwrap_or_else(|| "InternalFailure".into());
        let message = self.message.unwrap_or_else(|| "a scripted fault".into());
        Refusal { status: self.status.unwrap_or(500), code, message }
    }

    /// The status with which what is no API refuses.
    #[must_use]
    pub fn refused_with(&self) -> u16 {
        if self.kind == FaultKind::Throttle { 429 } else { self.status.unwrap_or(500) }
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Refused: too many calls.
    Throttle,
    /// Refused.
    #[default]
    Error,
    /// Nothing is done, and the connection closes without an answer.
    DropBefore,
    /// It is done, and the connection closes without an answer.
    DropAfter,
    /// It takes longer.
    Delay,
    /// It waits before it is done, until released.
    HoldBefore,
    /// It is done, and its answer waits until released.
    HoldAfter,
    /// Somebody else changes something just before it.
    Change,
}

/// A fault in place.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Names it.
    pub id: u64,
    /// As stated.
    pub rule: FaultRule,
    /// Matching calls so far.
    pub seen: u32,
    /// Calls that it has met.
    pub met: u32,
    /// Calls that it holds now.
    pub holding: u32,
}

/// What a call meets: it may be held, and refused all the same.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// Holds it.
    pub hold: Option<Fault>,
    /// Decides what becomes of it.
    pub fate: Option<Fault>,
}

/// Calls of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// That came.
    pub came: u32,
    /// That were answered, or dropped on purpose; not those whose caller went away.
    pub answered: u32,
}

/// All faults in place, and the calls that came by them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    last: u64,
    calls: BTreeMap<(String, String), Calls>,
}

impl Faults {
    /// Puts a fault in place.
    pub fn add(&mut self, rule: FaultRule) -> u64 {
        self.last += 1;
        self.list.push(Fault { id: self.last, rule, seen: 0, met: 0, holding: 0 });
        self.last
    }

    /// Takes one away, or all. What it held goes on.
    pub fn remove(&mut self, id: Option<u64>) {
        self.list.retain(|fault| id.is_some_and(|id| fault.id != id));
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.list
    }

    /// Whether it is still in place: what it holds waits as long as it is.
    #[must_use]
    pub fn in_place(&self, id: u64) -> bool {
        self.list.iter().any(|fault| fault.id == id)
    }

    /// A call held, or let go.
    pub fn hold(&mut self, id: u64, holds: bool) {
        if let Some(fault) = self.list.iter_mut().find(|fault| fault.id == id) {
            fault.holding = if holds { fault.holding + 1 } else { fault.holding.saturating_sub(1) };
        }
    }

    /// How many calls came so far, by service and operation.
    #[must_use]
    pub fn calls(&self) -> &BTreeMap<(String, String), Calls> {
        &self.calls
    }

    /// A call was answered.
    pub fn answered(&mut self, service: &str, operation: &str) {
        self.calls.entry((service.into(), operation.into())).or_default().answered += 1;
    }

    /// The faults that a call meets, if any; counts the call.
    pub fn meet(&mut self, service: &str, operation: &str, request: &str) -> Met {
        self.calls.entry((service.into(), operation.into())).or_default().came += 1;
        let mut met = Met::default();
        for fault in &mut self.list {
            let rule = &fault.rule;
            let any = rule.service.is_empty() && service != NAMES;
            let fits = (any || rule.service == service)
                && (rule.operation.is_empty() || rule.operation == operation)
                && (rule.containing.is_empty() || request.contains(&rule.containing));
            if !fits {
                continue;
            }
            fault.seen += 1;
            let times = rule.times.unwrap_or(1);
            let due = fault.seen >= rule.nth.unwrap_or(1) && (times == 0 || fault.met < times);
            let holds = matches!(rule.kind, FaultKind::HoldBefore | FaultKind::HoldAfter);
            let place = if holds { &mut met.hold } else { &mut met.fate };
            if due && place.is_none() {
                fault.met += 1;
                *place = Some(fault.clone());
            }
        }
        met
    }

    /// The fault that keeps a question about a name from whoever it is for.
    pub fn blocking(&mut self, operation: &str) -> Option<u64> {
        if !self.list.iter().any(|fault| fault.rule.service == NAMES) {
            return None;
        }
        let met = self.meet(NAMES, operation, "").fate?;
        (met.rule.kind == FaultKind::DropBefore).then_some(met.id)
    }
}
