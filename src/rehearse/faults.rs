//! The catalogue: which faults there are, what each is called, which calls it can meet, and what a run may come to by it.
//!
//! A fault of a call is called by what is called and what becomes of it: `dns.change.lost-answer`. Others are called by
//! whom they befall: `process.killed-after`, `people.reject`, `world.foreign`.

use super::laws::May;
use crate::sim::{CallSeen, Strike};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Classes of faults, as the report counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A call that changes something.
    Write,
    /// A call that looks.
    Read,
    /// A request of a check, a smoke test or a signal.
    Check,
    /// A deployment, or a task.
    Deployment,
    /// Name servers and resolvers.
    Dns,
    /// The process that drives the run.
    Process,
    /// Whoever is asked, or orders.
    People,
    /// Undoing.
    WayBack,
    /// Somebody else's change, and what goes by itself.
    World,
    /// Two at once.
    Pair,
}

impl Class {
    /// All of them, as the report lists them.
    pub const ALL: [Self; 10] = [
        Self::Write,
        Self::Read,
        Self::Check,
        Self::Deployment,
        Self::Dns,
        Self::Process,
        Self::People,
        Self::WayBack,
        Self::World,
        Self::Pair,
    ];

    /// For people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Write => "on a write",
            Self::Read => "on a read",
            Self::Check => "on a check or signal",
            Self::Deployment => "on a deployment",
            Self::Dns => "on DNS",
            Self::Process => "on the process",
            Self::People => "on people",
            Self::WayBack => "on the way back",
            Self::World => "on the world",
            Self::Pair => "two at once",
        }
    }
}

/// A fault that can meet a call.
#[derive(Debug)]
pub(super) struct CallFault {
    /// The last part of its name.
    pub(super) name: &'static str,
    /// What happens, for people.
    pub(super) text: &'static str,
    pub(super) strike: fn() -> Strike,
    /// How many calls of the same kind it meets; 0: all from then on, until somebody puts it right.
    pub(super) times: u32,
    /// Of these it meets every so many-th.
    pub(super) every: u32,
    may: May,
}

/// It passes by itself, or is looked through.
const PASSES: May = May { delay: true, ..May::NOTHING };
/// A look sees through it; what a write of it did may have to be undone.
const STOPS: May = May { stop: true, delay: true, ..May::NOTHING };
/// It lasts until somebody puts it right: an undo does not get through meanwhile. Or what is seen is not so: what was
/// recorded of it may not be there to go back to.
const STICKS: May = May { stop: true, delay: true, stick: true, ..May::NOTHING };
/// What was done is not what was asked for, and nobody else is to blame: whoever looks finds it out.
const MISDONE: May = May { hurt: true, ..STICKS };
/// Somebody else has the last word.
const DIFFERS: May = May { stop: true, delay: true, stick: true, differ: true, hurt: true, ..May::NOTHING };

/// And it is changed when nobody may look any more.
const REVERTED: May = May { undone_later: true, ..DIFFERS };

const fn fault(
    name: &'static str,
    text: &'static str,
    strike: fn() -> Strike,
    times: u32,
    may: May,
) -> CallFault {
    CallFault { name, text, strike, times, every: 1, may }
}

/// How much later an answer comes that is late: after its call counts as lost, and may land no more.
const LATE: Duration = Duration::from_secs(45);
const SLOW: Duration = Duration::from_secs(8);
const REVERTS: Duration = Duration::from_secs(20);

/// All faults that can meet a call.
pub(super) const CALLS: &[CallFault] = &[
    fault("refused", "refused for certain, again and again", refused, 0, STICKS),
    fault("denied", "these credentials may not do it", || Strike::Denied, 0, STICKS),
    fault("expired", "the credentials have expired", || Strike::Expired, 0, STICKS),
    fault("throttled", "refused three times: too many calls", || Strike::Throttled, 3, PASSES),
    fault("transient", "fails once, certainly without effect", || Strike::Unavailable, 1, PASSES),
    fault("down", "fails from then on", || Strike::Unavailable, 0, STICKS),
    fault("lost", "lost before it arrives, once", || Strike::LostBefore, 1, STOPS),
    fault("lost-answer", "done, and its answer lost", || Strike::LostAfter, 1, STOPS),
    fault("late", "no answer comes, and it is done later", || Strike::Late(LATE), 1, STOPS),
    fault("wrong", "answered as if done, and something else was done", || Strike::Wrong, 1, MISDONE),
    fault("reverted", "done, and put back by another controller", || Strike::Reverted(REVERTS), 1, REVERTED),
    fault("slow", "answered late", || Strike::Slow(SLOW), 1, STOPS),
    fault("stale", "sees the world as it was before the newest change", || Strike::Stale, 2, STICKS),
    fault("partial", "sees only a part", || Strike::Partial, 1, STICKS),
    fault("silent", "says nothing, once", || Strike::Silent, 1, PASSES),
    fault("no-evidence", "says nothing from then on", || Strike::Silent, 0, STICKS),
    fault("fails-once", "answers that something is wrong, once", || Strike::Bad, 1, STOPS),
    fault("fails", "answers that something is wrong, from then on", || Strike::Bad, 0, STICKS),
    CallFault {
        every: 2,
        ..fault("flaps", "answers every other time that something is wrong", || Strike::Bad, 0, STICKS)
    },
    fault("late-evidence", "answers after nobody waits any more, once", || Strike::Slow(LATE), 1, STOPS),
    fault("protected", "the record is protected: changes of it are refused", protected, 0, STICKS),
    fault("killed-before", "the process dies before the call is sent", || Strike::KillBefore, 1, STOPS),
    fault("killed-after", "the process dies before it hears the answer", || Strike::KillAfter, 1, STOPS),
];

fn refused() -> Strike {
    Strike::Refused { code: "ValidationError".into(), message: "a rehearsed refusal".into() }
}

/// In the words of Route 53, as far as they are known: the refusal of a batch that names a protected record.
fn protected() -> Strike {
    let message = "The resource record set is protected and cannot be changed".into();
    Strike::Refused { code: "InvalidChangeBatch".into(), message }
}

impl CallFault {
    /// Whether it means something for this call.
    pub(super) fn meets(&self, call: &CallSeen) -> bool {
        let strike = (self.strike)();
        match self.name {
            "protected" => return thing(call) == "dns.change" && call.service == "route53",
            "late-evidence" => return matches!(thing(call), "http.get" | "metrics.read" | "logs.read"),
            "flaps" if call.writes => return false,
            _ => {}
        }
        // A lost read is a failed read; a smoke test that fails once has failed.
        let same =
            !call.writes && matches!(strike, Strike::LostBefore | Strike::Refused { .. } | Strike::Slow(_));
        strike.fits(call.service, &call.operation, call.writes) && !same
    }

    pub(super) fn may(&self, call: &CallSeen) -> May {
        let may = self.may;
        let write_lost = call.writes && self.times == 1;
        May {
            // What is requested in vain is a failure of what is checked.
            stop: may.stop || call.service == "http" || call.service == "process" || write_lost,
            ..may
        }
    }

    /// What class its scenarios are counted in.
    pub(super) fn class(&self, call: &CallSeen, back: bool) -> Class {
        match call.service {
            _ if back => Class::WayBack,
            _ if self.name.starts_with("killed") => Class::Process,
            "files" | "http" | "logs" | "monitoring" | "prometheus" | "ssm" => Class::Check,
            "dns" => Class::Dns,
            _ if call.writes => Class::Write,
            _ => Class::Read,
        }
    }
}

/// What a call is called in names of faults.
pub(super) fn thing(call: &CallSeen) -> &'static str {
    match (call.service, &*call.operation) {
        ("route53", "ChangeResourceRecordSets") => "dns.change",
        ("route53", "ListResourceRecordSets") => "dns.list",
        ("route53", "GetChange") => "dns.status",
        ("route53", "GetHealthCheck" | "GetHealthCheckStatus") => "dns.health",
        ("route53", _) => "dns.zone",
        ("rfc2136", "UPDATE") => "dns.change",
        ("rfc2136", _) => "dns.list",
        ("dns", "ask") => "dns.ask",
        ("dns", "delegation") => "dns.delegation",
        ("dns", "https") => "dns.https",
        ("dns", _) => "dns.resolve",
        ("ecs", "UpdateService") => "ecs.update",
        ("ecs", "RegisterTaskDefinition") => "ecs.register",
        ("ecs", "RunTask") => "ecs.run",
        ("ecs", "StopTask") => "ecs.stop",
        ("ecs", "StopServiceDeployment") => "ecs.turn-back",
        ("ecs", "ListServiceDeployments" | "DescribeServiceDeployments") => "ecs.deployments",
        ("ecs", "DescribeServices") => "ecs.services",
        ("ecs", "DescribeTaskDefinition") => "ecs.definition",
        ("ecs", _) => "ecs.tasks",
        ("ecr", _) => "ecs.image",
        ("application-autoscaling", "RegisterScalableTarget") => "ecs.scaling",
        ("application-autoscaling", _) => "ecs.bounds",
        ("elasticloadbalancing", "DescribeTargetHealth") => "alb.health",
        ("elasticloadbalancing", "DescribeRules") => "alb.rules",
        ("elasticloadbalancing", "ModifyRule" | "ModifyListener") => "alb.modify",
        ("elasticloadbalancing", "ModifyLoadBalancerAttributes" | "ModifyTargetGroupAttributes") => {
            "alb.attribute"
        }
        ("elasticloadbalancing", _) => "alb.describe",
        ("monitoring" | "prometheus", _) => "metrics.read",
        ("logs", _) => "logs.read",
        ("files", _) => "file.look",
        ("ssm", _) => "parameter.read",
        ("sts", _) => "account",
        ("http", operation) if is_reading(operation) => "http.get",
        ("http", _) => "http.send",
        ("process", "run") => "command.run",
        ("process", "undo") => "command.undo",
        ("process", "check") => "command.check",
        ("process", "prior") => "command.prior",
        _ => "command",
    }
}

fn is_reading(operation: &str) -> bool {
    ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| operation.starts_with(method))
}

/// Names and meanings of all faults, for `--catalogue`.
#[must_use]
pub fn catalogue() -> Vec<(String, &'static str)> {
    let calls = CALLS.iter().map(|fault| (format!("<call>.{}", fault.name), fault.text));
    let others = super::moments::MOMENTS.iter().map(|fault| (fault.name.to_owned(), fault.text));
    calls.chain(others).collect()
}
