//! What the credentials of each target may do of what a run calls for, for people and for machines.

use super::{Looks, Tone};
use crate::plan::{Code, Timestamp};
use serde_json::{Value as Json, json};

/// A call that the run needs would be refused.
const DENIED: Code = Code("SW4001");

/// What is known of the credentials of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The plan's name for it.
    pub target: String,
    /// Whose they are: `role deployer`; `None`: it could not be known.
    pub who: Option<String>,
    /// Where only a person renews them.
    pub by_hand: Option<ByHand>,
    /// How many kinds of calls they may make.
    pub allowed: usize,
    /// What they may not do.
    pub denied: Vec<Permission>,
    /// What could not be known.
    pub unknown: Vec<Permission>,
}

/// Credentials that only a person renews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// Which they are: `the temporary keys of this shell`.
    pub what: String,
    /// When they end at the latest; `None`: nobody said.
    pub ends: Option<Timestamp>,
    /// Why they do not last as long as the run may, if that is certain.
    pub short: Option<String>,
}

/// A permission that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `ecs:UpdateService`.
    pub action: String,
    /// What it is about, as far as it is known.
    pub resource: Option<String>,
    /// The steps and guards that need it.
    pub by: Vec<String>,
    /// They need it on the way back alone.
    pub only_back: bool,
    /// What denies it, or why it could not be known.
    pub why: String,
}

impl Permission {
    /// `deploy and watch need it on the way back`.
    fn needed(&self) -> String {
        let needs = if self.by.len() == 1 { "needs" } else { "need" };
        let when = if self.only_back { " on the way back" } else { "" };
        format!("{} {needs} it{when}", self.by.join(" and "))
    }
}

/// One line a target where all is well; else what is not on lines of its own.
pub(super) fn lines(all: &[Permissions], looks: Looks) -> Vec<String> {
    let mut lines = Vec::new();
    for of in all {
        let target = looks.safe(&of.target);
        let kinds = if of.allowed == 1 { "kind" } else { "kinds" };
        let well = of.denied.is_empty() && of.unknown.is_empty();
        lines.push(match &of.who {
            Some(who) if well => format!(
                "target {target}: {} may make the {} {kinds} of calls of this run, there and back",
                looks.safe(who),
                of.allowed
            ),
            Some(who) => {
                format!("target {target}: {} may make {} {kinds} of calls", looks.safe(who), of.allowed)
            }
            None => format!("target {target}: it could not be known whose credentials these are"),
        });
        if let Some(why) = of.by_hand.as_ref().and_then(|by_hand| by_hand.short.as_ref()) {
            lines.push(format!("  ! {}", looks.tint(Tone::Bad, &looks.safe(why))));
        }
        if let Some(ByHand { what, ends: None, .. }) = &of.by_hand {
            let text = format!(
                "could not be known of {what}: when they end; nobody renews them but you, and AWS_CREDENTIAL_EXPIRATION is \
                 not set"
            );
            lines.push(format!("  ? {}", looks.tint(Tone::Warn, &looks.safe(&text))));
        }
        for denied in &of.denied {
            let on = denied.resource.as_ref().filter(|resource| *resource != "*");
            let on = on.map(|resource| format!(" on {resource}")).unwrap_or_default();
            let text =
                format!("{}: may not {}{on}: {}; {}", DENIED.0, denied.action, denied.why, denied.needed());
            lines.push(format!("  ! {}", looks.tint(Tone::Bad, &looks.safe(&text))));
        }
        for (why, unknown) in by_reason(&of.unknown) {
            let mut actions: Vec<&str> = unknown.iter().map(|one| &*one.action).collect();
            actions.dedup();
            let needed = match &unknown[..] {
                [one] => format!("; {}", one.needed()),
                _ => String::new(),
            };
            let text = format!("could not be known of {}: {why}{needed}", actions.join(", "));
            lines.push(format!("  ? {}", looks.tint(Tone::Warn, &looks.safe(&text))));
        }
    }
    lines
}

/// What could not be known for one reason, in the order in which reasons come first.
fn by_reason(unknown: &[Permission]) -> Vec<(&str, Vec<&Permission>)> {
    let mut all: Vec<(&str, Vec<&Permission>)> = Vec::new();
    for one in unknown {
        match all.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, same)) => same.push(one),
            None => all.push((&one.why, vec![one])),
        }
    }
    all
}

pub(super) fn json(all: &[Permissions]) -> Json {
    let one = |one: &Permission| {
        json!({
            "action": one.action,
            "resource": one.resource,
            "why": one.why,
            "needed_by": one.by,
            "only_on_the_way_back": one.only_back,
        })
    };
    let denied = |found: &Permission| {
        let mut told = one(found);
        told["code"] = DENIED.0.into();
        told
    };
    let of = |of: &Permissions| {
        json!({
            "target": of.target,
            "who": of.who,
            "renewed_by_hand": of.by_hand.is_some(),
            "end": of.by_hand.as_ref().and_then(|by_hand| by_hand.ends).map(|ends| ends.to_string()),
            "allowed": of.allowed,
            "denied": of.denied.iter().map(denied).collect::<Vec<_>>(),
            "unknown": of.unknown.iter().map(one).collect::<Vec<_>>(),
        })
    };
    all.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(action: &str, by: &[&str], why: &str) -> Permission {
        let by = by.iter().map(|name| (*name).to_owned()).collect();
        Permission { action: action.into(), resource: None, by, only_back: false, why: why.into() }
    }

    #[test]
    fn all_is_well_on_one_line_and_what_is_not_on_its_own() {
        let well = Permissions {
            target: "prod".into(),
            who: Some("role deployer".into()),
            allowed: 14,
            ..Permissions::default()
        };
        let on = |one: Permission, resource: &str| Permission { resource: Some(resource.into()), ..one };
        let stop = permission("ecs:StopTask", &["migrate"], "no statement allows it");
        let other = Permissions {
            target: "dns".into(),
            allowed: 1,
            denied: vec![
                on(
                    permission("route53:GetChange", &["a", "b"], "the boundary"),
                    "arn:aws:route53:::change/C1",
                ),
                on(Permission { only_back: true, ..stop }, "*"),
            ],
            unknown: vec![
                permission("ecs:RunTask", &["migrate"], "AccessDenied"),
                permission("ecs:ListTasks", &["watch"], "no answer"),
                permission("iam:PassRole", &["deploy"], "AccessDenied"),
            ],
            ..well.clone()
        };
        let nobody = Permissions { target: "old".into(), ..Permissions::default() };
        let by_hand = |target: &str, ends: Option<u64>, short: Option<&str>| Permissions {
            target: target.into(),
            by_hand: Some(ByHand {
                what: "the temporary keys of this shell".into(),
                ends: ends.map(Timestamp),
                short: short.map(str::to_owned),
            }),
            ..well.clone()
        };
        let short = by_hand("short", Some(1_700_000_000_000), Some("the keys end too soon"));
        let (long, silent) = (by_hand("long", Some(1_800_000_000_000), None), by_hand("silent", None, None));
        insta::assert_snapshot!(lines(&[well, other, nobody, short, long, silent], Looks::default()).join("\n"), @r"
        target prod: role deployer may make the 14 kinds of calls of this run, there and back
        target dns: role deployer may make 1 kind of calls
          ! SW4001: may not route53:GetChange on arn:aws:route53:::change/C1: the boundary; a and b need it
          ! SW4001: may not ecs:StopTask: no statement allows it; migrate needs it on the way back
          ? could not be known of ecs:RunTask, iam:PassRole: AccessDenied
          ? could not be known of ecs:ListTasks: no answer; watch needs it
        target old: it could not be known whose credentials these are
        target short: role deployer may make the 14 kinds of calls of this run, there and back
          ! the keys end too soon
        target long: role deployer may make the 14 kinds of calls of this run, there and back
        target silent: role deployer may make the 14 kinds of calls of this run, there and back
          ? could not be known of the temporary keys of this shell: when they end; nobody renews them but you, and AWS_CREDENTIAL_EXPIRATION is not set
        ");
    }
}
