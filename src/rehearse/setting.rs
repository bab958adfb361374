//! What all scenarios of a rehearsal have in common: the plan, what its steps do, the world at first, the people.

use crate::driver::{Actions, Desk, Hands, Host, Redactor};
use crate::plan::{Kind, Plan, Scope, StepIx};
use crate::port::dns::Name;
use crate::port::need::{Need, Role as Needed};
use crate::run::Actor;
use crate::sim::{Ports, Role, World, WorldError, asker_name};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::time::Duration;

/// For how long a world has had its users when a run begins: it is given as it stood so long before.
pub const BEFORE: Duration = Duration::from_secs(600);
/// Of a bake so long is played: what can happen in it does not depend on how long it is.
const BAKE: Duration = Duration::from_secs(600);
/// The name that a rehearsed run goes by.
const RUN: &str = "REHEARSAL";

/// What a rehearsal is about.
pub struct Setting {
    pub(super) plan: Arc<Plan>,
    pub(super) actions: Arc<Actions>,
    /// As it stands before the run, users included.
    pub(super) world: World,
    pub(super) secrets: Map<String, Json>,
    /// For each step, what it needs, directly or not.
    below: Vec<Vec<bool>>,
    pub(super) checkpoints: Vec<StepIx>,
    /// The load balancers that users are led to at first.
    pub(super) home: Vec<String>,
}

impl Setting {
    /// A plan, and a world to rehearse it in.
    ///
    /// # Errors
    /// The world's users call what is no URL.
    pub fn new(mut plan: Arc<Plan>, actions: Arc<Actions>, mut world: World) -> Result<Self, WorldError> {
        if plan.policy.bake.is_some_and(|bake| bake > BAKE) {
            Arc::make_mut(&mut plan).policy.bake = Some(BAKE);
        }
        world.populate()?;
        know_commands(&plan, &actions, &mut world);
        // Users were there before, and their resolvers know the name.
        world.advance(world.now.after(BEFORE));
        let home = home(&world);
        let secrets = plan.secrets.iter().map(|(name, _)| {
            let value = world.secrets.get(&**name).cloned().unwrap_or_else(|| "a secret".to_owned());
            (name.to_string(), Json::from(value))
        });
        let secrets = secrets.collect();
        let mut below: Vec<Vec<bool>> = Vec::new();
        for step in &plan.steps {
            let mut own = vec![false; plan.steps.len()];
            for need in &step.needs {
                own[need.index()] = true;
                for (place, stands) in below[need.index()].iter().enumerate() {
                    own[place] |= stands;
                }
            }
            below.push(own);
        }
        let checkpoints = plan.places().filter(|ix| plan[*ix].kind == Kind::Checkpoint).collect();
        Ok(Self { plan, actions, world, secrets, below, checkpoints, home })
    }

    /// Whether a step needs another one, directly or not.
    pub(super) fn stands_on(&self, ix: StepIx, below: StepIx) -> bool {
        self.below[ix.index()][below.index()]
    }

    /// Whether what a step did is looked at again while the run goes on.
    pub(super) fn is_held(&self, ix: StepIx) -> bool {
        self.actions.get(ix).is_some_and(|action| !action.traits().resources.is_empty())
    }

    /// To what the TTL of the same record was lowered by a step that this one stands on.
    pub(super) fn lowered_below(&self, ix: StepIx) -> Option<Duration> {
        let own = self.actions.get(ix)?.traits().resources;
        let lowers = |other: StepIx| {
            let traits = self.actions.get(other)?.traits();
            let same = traits.resources.iter().any(|resource| own.contains(resource));
            traits.lowers_ttl.filter(|_| same && self.stands_on(ix, other))
        };
        self.plan.places().find_map(lowers)
    }

    /// Whether anything after a step may still turn the run back: once what watches has passed, nothing should.
    pub(super) fn is_watched_after(&self, ix: StepIx) -> bool {
        let plan = &self.plan;
        let monitors =
            |other: &StepIx| matches!(&plan[*other].kind, Kind::Act(Some(uses)) if &*uses.kind == "monitor");
        let watched = plan.places().filter(monitors).any(|other| self.stands_on(ix, other));
        let after = |other: &StepIx| self.stands_on(*other, ix) && !plan.is_finally(*other);
        plan.places().filter(after).any(|other| !watched || monitors(&other))
    }

    /// Connections to the world at first.
    pub(super) fn ports(&self) -> Ports {
        Ports::new(self.world.clone(), self.plan.targets.clone())
    }

    pub(super) fn hands(&self, ports: Arc<Ports>) -> Arc<Hands> {
        Arc::new(Hands {
            plan: self.plan.clone(),
            actions: self.actions.clone(),
            world: ports,
            redactor: Redactor::default(),
            host: Host::Rehearsal,
        })
    }

    /// What a process knows before it has read the journal.
    pub(super) fn desk(&self) -> Desk {
        let mut run = Map::new();
        run.insert("id".into(), RUN.into());
        let scope = Scope { secrets: self.secrets.clone(), run, ..Scope::default() };
        Desk::new(self.plan.clone(), &self.actions, RUN.into(), scope)
    }

    /// What nobody can prove here: the step, and why.
    pub(super) fn opaque(&self) -> Vec<(String, String)> {
        let plan = &self.plan;
        let mut all = Vec::new();
        for ix in plan.places() {
            let Kind::Act(Some(uses)) = &plan[ix].kind else { continue };
            let writes = self.actions.get(ix).is_some_and(|action| action.traits().writes);
            if &*uses.kind == "exec" && writes && uses.with.get("check").is_none() {
                let why = "its undo is assumed, not proved: it has no `check`";
                all.push((plan[ix].id.to_string(), why.to_owned()));
            }
        }
        all
    }

    /// Who starts the run: nobody whom the plan asks for approval.
    pub(super) fn starter() -> Actor {
        Actor { name: "rehearsal".into(), automatic: false }
    }

    /// Who of these would say yes, and how long each takes. The world's people first.
    pub(super) fn approvers(&self, of: &[Arc<str>]) -> Vec<(Actor, Duration)> {
        let person = |name: &str| Actor { name: name.into(), automatic: false };
        let willing = self.world.people.iter().filter(|one| one.answer == "approve");
        let mut known: Vec<(Actor, Duration)> = willing
            .filter(|one| of.is_empty() || of.iter().any(|name| **name == *one.name))
            .map(|one| (person(&one.name), Duration::from_millis(one.after_ms)))
            .collect();
        for name in of {
            if !known.iter().any(|(actor, _)| actor.name == *name) {
                known.push((person(name), Duration::from_secs(60)));
            }
        }
        if known.is_empty() {
            known.push((person("somebody"), Duration::from_secs(60)));
        }
        known
    }
}

/// Where users are led at first.
fn home(world: &World) -> Vec<String> {
    let url = world.traffic.as_ref().as_ref().and_then(|traffic| url::Url::parse(&traffic.url).ok());
    let Some(host) = url.as_ref().and_then(url::Url::host_str) else { return Vec::new() };
    let said = world.resolve(&Name::new(host), "A", 0);
    let leads = |balancer: &&crate::sim::Balancer| {
        said.answers.iter().any(|line| line.value == balancer.address.to_string())
    };
    world.balancers.values().filter(leads).map(|balancer| balancer.name.clone()).collect()
}

/// Whether a command is known to change nothing, whatever a plan runs it for.
fn does_nothing(argv: &[String]) -> bool {
    let program = argv.first().and_then(|program| program.rsplit('/').next());
    matches!(program, Some("true" | ":" | "echo" | "printf"))
}

/// Commands of the plan's own become cells of the world: what one sets, the others of its step tell.
fn know_commands(plan: &Plan, actions: &Actions, world: &mut World) {
    for (asker, need) in actions.needs() {
        let (argv, role) = match need {
            Need::Command { argv, role } => (argv, role),
            Need::Watch { argv, .. } if does_nothing(&argv) => {
                world.knows(argv, Role::Does { code: 0 });
                continue;
            }
            Need::Watch { argv, good, bad } => {
                world.knows(argv, Role::Tells { good, bad });
                continue;
            }
            _ => continue,
        };
        // What does nothing sets nothing, undoes nothing, and tells nothing.
        if does_nothing(&argv) {
            world.knows(argv, Role::Does { code: 0 });
            continue;
        }
        let cell: Arc<str> = asker_name(plan, asker).into();
        world.knows(
            argv,
            match role {
                Needed::Prior => Role::Prior(cell),
                Needed::Run => Role::Run(cell),
                Needed::Check => Role::Check(cell),
                Needed::Undo => Role::Undo(cell),
                Needed::CheckUndone => Role::CheckUndone(cell),
                Needed::Reads => Role::Does { code: 0 },
            },
        );
    }
}
