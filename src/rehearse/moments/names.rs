//! Name servers that lag, changes that stay on their way, a network that keeps questions back, and a resolver that keeps what
//! it should not.

use super::{MomentFault, live, one};
use crate::plan::{StepIx, Target};
use crate::rehearse::faults::Class;
use crate::rehearse::laws::May;
use crate::rehearse::scene::Scene;
use crate::run::Phase;
use crate::sim::{FaultKind, FaultRule, NAMES};
use std::time::Duration;

/// How late the last name server is.
const LAGS: Duration = Duration::from_secs(300);
/// For how long a resolver keeps an answer that ignores its TTL.
const IGNORED: Duration = Duration::from_secs(1800);

const DELAYS: May = May { stop: true, delay: true, ..May::NOTHING };

pub(super) const ONE_LAGS: MomentFault = MomentFault {
    name: "dns.one-lags",
    text: "one name server serves changes five minutes late",
    class: Class::Dns,
    may: DELAYS,
    targets: before_changes,
    strike: |scene, _| {
        scene.world(|world, _| {
            if let Some(server) = world.name_servers.last_mut() {
                server.delay = LAGS;
            }
        });
    },
};

pub(super) const PENDING: MomentFault = MomentFault {
    name: "dns.pending",
    text: "changes stay PENDING for ten minutes",
    class: Class::Dns,
    may: DELAYS,
    targets: live,
    strike: |scene, _| scene.world(|world, _| world.insync_after = Duration::from_secs(600)),
};

/// Where the plan names nobody who could be asked over HTTPS, it is what a name server is that is silent.
pub(super) const BLOCKED: MomentFault = MomentFault {
    name: "dns.blocked",
    text: "the network keeps back from then on what is asked on port 53",
    class: Class::Dns,
    may: DELAYS,
    targets: |scene| if names_resolvers(scene) { live(scene) } else { Vec::new() },
    strike: |scene, _| {
        let (service, operation) = (NAMES.into(), "ask".into());
        let rule = FaultRule {
            service,
            operation,
            times: Some(0),
            kind: FaultKind::DropBefore,
            ..FaultRule::default()
        };
        scene.world(|world, _| world.faults.add(rule));
    },
};

pub(super) const IGNORES_TTL: MomentFault = MomentFault {
    name: "dns.ignores-ttl",
    text: "a resolver keeps answers for half an hour, whatever their TTL",
    class: Class::Dns,
    may: May { hurt: true, ..May::NOTHING },
    targets: with_users,
    strike: |scene, _| {
        scene.world(|world, _| world.users_mut().into_iter().for_each(|users| users.ignore_ttl(IGNORED)));
    },
};

/// A record is about to be changed, and no other change is on its way.
fn before_changes(scene: &Scene) -> Vec<String> {
    let run = &scene.run;
    let writes = |ix: StepIx| {
        let action = scene.setting.actions.get(ix);
        let own = action
            .is_some_and(|action| action.traits().resources.iter().any(|name| name.starts_with("dns:")));
        own && matches!(run[ix].phase, Phase::Applying { .. } | Phase::Undoing { .. })
    };
    let quiet = scene
        .world(|world, now| world.changes.last().is_none_or(|change| now.since(change.submitted) > LAGS));
    if quiet && run.plan.places().any(writes) { one() } else { Vec::new() }
}

fn with_users(scene: &Scene) -> Vec<String> {
    let has = scene.world(|world, _| world.users().is_some());
    if has { live(scene) } else { Vec::new() }
}

fn names_resolvers(scene: &Scene) -> bool {
    let named = |target: &Target| target.lists("resolvers").next().is_some();
    scene.run.plan.targets.iter().any(|target| named(target))
}
