//! What the credentials of each target may not do of what a run calls for, there and back: asked before it is needed.
//!
//! Which calls come is told by a rehearsal; what they are about, by what each step needs and by what it found when it looked.
//! It is given only what reads. Not here: which permissions a call needs (`port`), and who evaluates policies.

mod things;

use super::actions::name_of;
use super::{Actions, StepPreview};
use crate::plan::Plan;
use crate::port::need::{Account, Asker};
use crate::port::{Asked, Denier, Judged, Needed, ReadWorld, Renewal, Ruling, needed_for, services};
use crate::run::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use things::Things;

/// A kind of call that a run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Who makes it.
    pub by: Asker,
    /// As the service signs: `elasticloadbalancing`.
    pub service: &'static str,
    /// `ModifyRule`.
    pub operation: Arc<str>,
    /// It comes on the way back, and not on the way there.
    pub only_back: bool,
}

/// What was found of the credentials of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permitted {
    /// The plan's name for it.
    pub target: String,
    /// Whose they are: `role deployer`; `None`: it could not be known.
    pub who: Option<String>,
    /// Who renews them.
    pub renewal: Renewal,
    /// How many kinds of calls they may make.
    pub allowed: usize,
    /// What they may not do, and what denies it.
    pub denied: Vec<(Wish, Denier)>,
    /// What could not be known, and why.
    pub unknown: Vec<(Wish, String)>,
}

/// A permission, and who needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `ecs:UpdateService`.
    pub action: String,
    /// The ARN of what it is about, as far as it is known.
    pub resource: Option<String>,
    /// The steps and guards.
    pub by: Vec<String>,
    /// It is needed on the way back alone.
    pub only_back: bool,
}

/// Who needs something, and whether on the way back alone.
#[derive(Clone, Debug)]
struct Needers {
    by: BTreeSet<Asker>,
    only_back: bool,
}

impl Needers {
    fn add(known: Option<Self>, called: &Called) -> Self {
        let mut needers = known.unwrap_or_else(|| Self { by: BTreeSet::new(), only_back: true });
        needers.by.insert(called.by);
        needers.only_back &= called.only_back;
        needers
    }
}

/// All that is needed of one target.
#[derive(Default)]
pub(super) struct Wanted {
    asked: BTreeMap<Asked, Needers>,
    /// Action and why it cannot even be asked.
    unasked: BTreeMap<(String, String), Needers>,
}

impl Wanted {
    fn ask(&mut self, asked: Asked, called: &Called) {
        let known = self.asked.remove(&asked);
        self.asked.insert(asked, Needers::add(known, called));
    }

    fn leave(&mut self, action: &str, why: String, called: &Called) {
        let key = (action.to_owned(), why);
        let known = self.unasked.remove(&key);
        self.unasked.insert(key, Needers::add(known, called));
    }
}

/// Asks for each target what of these calls may be made; `steps` are what a preview found. One a target that is called.
pub async fn permissions(
    plan: &Plan,
    actions: &Actions,
    world: &dyn ReadWorld,
    steps: &[StepPreview],
    calls: &[Called],
) -> Vec<Permitted> {
    let things = Things::new(plan, actions, steps);
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    for called in calls {
        let Some(needed) = needed_for(called.service, &called.operation) else {
            if services().any(|service| service == called.service) {
                let action = format!("{}:{}", called.service, called.operation);
                for target in things.targets() {
                    let why = "this version does not know what it needs".to_owned();
                    all.entry(target).or_default().leave(&action, why, called);
                }
            }
            continue;
        };
        // Some calls anybody may make.
        let accounts = if needed.is_empty() { Vec::new() } else { things.accounts(called) };
        for at in accounts {
            let wanted = all.entry(at.target.clone()).or_default();
            for needed in needed {
                want(wanted, &things, world, called, *needed, &at).await;
            }
        }
    }
    for (target, called) in things.unseen(calls) {
        let why = "a rehearsal without faults does not come to it".to_owned();
        all.entry(target).or_default().leave("what it calls", why, &called);
    }
    let mut found = Vec::new();
    for (target, wanted) in all {
        found.push(judge(plan, world, target, wanted).await);
    }
    found
}

/// A permission on everything that the call is about.
async fn want(
    wanted: &mut Wanted,
    things: &Things<'_>,
    world: &dyn ReadWorld,
    called: &Called,
    needed: Needed,
    at: &Account,
) {
    match things.names(world, called.by, needed.on, at).await {
        Ok(names) => {
            for name in names {
                let asked = Asked {
                    action: needed.action.to_owned(),
                    resource: needed.on.arn(at, &name),
                    context: things.context(called.by, needed, at, &name),
                };
                wanted.ask(asked, called);
            }
        }
        Err(why) => wanted.leave(needed.action, why, called),
    }
}

/// Asks for all of it.
async fn judge(plan: &Plan, world: &dyn ReadWorld, target: String, wanted: Wanted) -> Permitted {
    let asked: Vec<Asked> = wanted.asked.keys().cloned().collect();
    let judged = match world.permissions(&target) {
        Ok(port) => port.may(&asked).await,
        Err(fault) => Err(fault),
    };
    sort(plan, target, wanted, judged)
}

/// What was answered, in the order of what was asked.
pub(super) fn sort(plan: &Plan, target: String, wanted: Wanted, judged: Result<Judged, Fault>) -> Permitted {
    let count = wanted.asked.len();
    let (who, renewal, rulings) = match judged {
        Ok(Judged { who, renewal, rulings }) => (Some(who), renewal, rulings),
        Err(fault) => (None, Renewal::default(), vec![Ruling::Unknown(fault.to_string()); count]),
    };
    let mut permitted = Permitted { target, who, renewal, ..Permitted::default() };
    let mut rulings = rulings.into_iter();
    let mut allowed: BTreeSet<String> = BTreeSet::new();
    for (asked, needers) in wanted.asked {
        let ruling = rulings.next().unwrap_or_else(|| Ruling::Unknown("no answer was given to it".into()));
        let action = asked.action.clone();
        let wish = || wish(plan, asked.action, Some(asked.resource), &needers);
        match ruling {
            Ruling::Allowed => {
                allowed.insert(action);
            }
            Ruling::Denied(denier) => permitted.denied.push((wish(), denier)),
            Ruling::Unknown(why) => permitted.unknown.push((wish(), why)),
        }
    }
    for ((action, why), needers) in wanted.unasked {
        permitted.unknown.push((wish(plan, action, None, &needers), why));
    }
    let denied = permitted.denied.iter().map(|(wish, _)| wish);
    for wish in denied.chain(permitted.unknown.iter().map(|(wish, _)| wish)) {
        allowed.remove(&wish.action);
    }
    permitted.allowed = allowed.len();
    permitted
}

fn wish(plan: &Plan, action: String, resource: Option<String>, needers: &Needers) -> Wish {
    let by = needers.by.iter().map(|asker| name_of(plan, *asker)).collect();
    Wish { action, resource, by, only_back: needers.only_back }
}
