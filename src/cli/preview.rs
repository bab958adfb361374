//! Previews: taken, saved, and compared with the world later.

use super::connected::{secrets, unreadable};
use super::plans::Loaded;
use super::{Context, Exit, Failure};
use crate::adapter::{PlanFiles, Preview as PreviewWorld, shares};
use crate::driver::{
    Actions, Called, Permitted, Previewed, Redactor, StepPreview, Wish, amiss, permissions, preview,
};
use crate::plan::{Plan, Scope, StepIx, Timestamp, is_lock};
use crate::port::expected::ALIAS_TTL;
use crate::port::{ReadWorld, Renewal, Wiring};
use crate::report::{
    Amiss, ByHand, CallShare, Permission, Permissions, Preview, PreviewStep, Runbook, Seen, SwitchClock,
    preview_json, quoted,
};
use crate::run::{DnsClock, Memo, Told};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// A preview that was taken, and what it was taken with.
pub(super) struct Taken {
    pub(super) preview: Preview,
    actions: Arc<Actions>,
    world: Arc<dyn ReadWorld>,
    steps: Vec<StepPreview>,
}

impl Taken {
    /// Asks what the credentials of each target may do of these calls.
    pub(super) async fn probe(&mut self, plan: &Plan, calls: &[Called]) {
        let found = permissions(plan, &self.actions, &*self.world, &self.steps, calls).await;
        let until = plan.policy.deadline.map(|deadline| self.preview.at.after(deadline));
        self.preview.permissions = found.into_iter().map(|found| permitted(found, until)).collect();
    }
}

/// Looks at the world and says what each step would do. It is given only what reads.
pub(super) async fn take(
    context: &Context,
    loaded: &Loaded,
    wiring: Option<Wiring>,
) -> Result<Taken, Failure> {
    let plan = &loaded.plan;
    let built = Arc::new(Actions::of(plan).map_err(|faults| unreadable(&faults))?);
    let secrets = secrets(context, plan, &loaded.folder, wiring.as_ref()).await?;
    let world = PreviewWorld::connect(plan, &loaded.folder, wiring, context.supervision(), &context.budgets);
    let world: Arc<dyn ReadWorld> = Arc::new(world.knowing(&secrets));
    let scope = Arc::new(Scope { secrets: secrets.scope(), ..Scope::default() });
    let redactor = Redactor::new(secrets.hidden());
    let (found, amiss) = tokio::join!(
        preview(plan, &built, &world, &scope, &redactor),
        amiss(plan, &built, &*world, &redactor)
    );
    let steps: Vec<PreviewStep> = found.iter().cloned().map(seen).collect();
    let clocks = clocks(&built, &steps);
    let preview = Preview {
        at: world.clock().now(),
        digest: loaded.reading.digest.clone(),
        params_digest: loaded.reading.params_digest.clone(),
        state_digest: state(plan, &steps),
        steps,
        clocks,
        calls: calls(plan),
        amiss: amiss.into_iter().map(|one| Amiss { why: one.why, by: one.by }).collect(),
        permissions: Vec::new(),
    };
    Ok(Taken { preview, actions: built, world, steps: found })
}

/// `until`: when a run that begins now should be over.
fn permitted(found: Permitted, until: Option<Timestamp>) -> Permissions {
    let told = |(wish, why): (Wish, String)| {
        let Wish { action, resource, by, only_back } = wish;
        Permission { action, resource, by, only_back, why }
    };
    let Permitted { target, who, renewal, allowed, denied, unknown } = found;
    let short = until.and_then(|until| renewal.falls_short_of(until));
    let by_hand = match renewal {
        Renewal::ByHand { what, ends } => Some(ByHand { what, ends, short }),
        Renewal::ByItself => None,
    };
    Permissions {
        target,
        who,
        by_hand,
        allowed,
        denied: denied.into_iter().map(|(wish, denier)| told((wish, denier.to_string()))).collect(),
        unknown: unknown.into_iter().map(told).collect(),
    }
}

/// What of the calls that AWS gives an account is ours; nothing where nobody asks AWS.
fn calls(plan: &Plan) -> Vec<CallShare> {
    let asks = plan.targets.iter().any(|target| &*target.kind == "aws");
    let told = shares().filter(|_| asks).map(|share| CallShare {
        service: share.service,
        at_once: share.at_once,
        a_second: share.a_second,
        reserve: share.reserve,
    });
    told.collect()
}

fn seen(step: StepPreview) -> PreviewStep {
    let mut told = Told::default();
    let seen = match step.found {
        Previewed::Would(proposal, beside) => {
            told = beside;
            Seen::Would(proposal)
        }
        Previewed::Skipped => Seen::Skipped,
        Previewed::Later(steps) => Seen::Later(steps),
        Previewed::Asks => Seen::Asks,
        Previewed::Checkpoint => Seen::Checkpoint,
        Previewed::Join => Seen::Nothing,
        Previewed::Unknown(fault) => Seen::Unknown(fault),
    };
    PreviewStep { step: step.step, seen, told, undo: step.undo }
}

/// What was seen, in one number: what each step changes, from what. Who is at work at the moment is no part of it.
fn state(plan: &Plan, steps: &[PreviewStep]) -> String {
    let mut hash = Sha256::new();
    for step in steps.iter().filter(|step| !plan.is_lock(step.step)) {
        let told = match &step.seen {
            Seen::Would(proposal) => format!("{} {:?}", proposal.stages, proposal.changes),
            Seen::Unknown(_) => "unknown".into(),
            other => format!("{other:?}"),
        };
        hash.update(format!("{}\0{told}\n", plan[step.step].id));
    }
    let hex: Vec<String> = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

/// One for each step that would change where a name leads.
fn clocks(built: &Actions, steps: &[PreviewStep]) -> Vec<SwitchClock> {
    let pending = |step: &PreviewStep| match &step.seen {
        Seen::Would(proposal) if proposal.stages > 0 => Some((step.step, proposal.prior.clone())),
        _ => None,
    };
    let pending: Vec<(StepIx, Memo)> = steps.iter().filter_map(pending).collect();
    let lowers = |resources: &[String]| {
        pending.iter().find_map(|(ix, _)| {
            let traits = built.get(*ix)?.traits();
            traits.lowers_ttl.filter(|_| traits.resources.iter().any(|one| resources.contains(one)))
        })
    };
    let clock = |(ix, prior): &(StepIx, Memo)| {
        let action = built.get(*ix)?;
        let (traits, clock) = (action.traits(), action.clock(prior)?);
        let lowered = lowers(&traits.resources);
        // What keeps the TTL that it finds finds the lowered one, unless it is an alias of a load balancer.
        let after = match (lowered, traits.gives_ttl) {
            (Some(lowered), None) => clock.after.min(lowered.max(ALIAS_TTL)),
            _ => clock.after,
        };
        Some(SwitchClock { clock: DnsClock { after, ..clock }, lowered })
    };
    pending.iter().filter_map(clock).collect()
}

/// Saves a preview, so that a run can be bound to it.
pub(super) fn save(plan: &Plan, preview: &Preview, file: &Path) -> Result<(), Failure> {
    let text = format!("{:#}\n", preview_json(plan, preview));
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(format!("the preview cannot be saved to {}", file.display())).from_error(&error)
    })
}

/// Refuses if the plan or the world is not as a saved preview saw it.
pub(super) async fn still_holds(
    context: &Context,
    loaded: &Loaded,
    saved: &Path,
    wiring: Option<Wiring>,
) -> Result<(), Failure> {
    let unread = |why: String| {
        Failure::usage(format!("the preview {} cannot be read", saved.display()))
            .because(why)
            .hint("save one with `switchover preview PLAN --save FILE`")
    };
    let bytes = PlanFiles::open(saved).map_err(unread)?;
    let then: Json = serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))?;
    if then.get("preview").and_then(Json::as_str) != Some("v1") {
        return Err(unread("it is not a preview of this version".into()));
    }
    let told = |key: &str| then.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let stale = |why: &str| {
        let file = quoted(loaded.reading.sources.get(0).map_or("PLAN", |source| source.name.as_str()));
        Failure::new(Exit::Stale, format!("the preview {} is stale; nothing was changed", saved.display()))
            .because(why)
            .hint(format!(
                "look at it again: `switchover preview {file} --save {}`",
                quoted(&saved.display().to_string())
            ))
            .see(Runbook::Stale)
    };
    if told("plan_digest") != loaded.reading.digest {
        return Err(stale("the plan has changed since"));
    }
    if told("params_digest") != loaded.reading.params_digest {
        return Err(stale("the params have other values now"));
    }
    let now = take(context, loaded, wiring).await?.preview;
    if told("state_digest") != now.state_digest {
        let failure = stale("the world is not as it was seen");
        return Err(differences(&then, &preview_json(&loaded.plan, &now))
            .into_iter()
            .fold(failure, Failure::because));
    }
    context.say(&format!("the plan and the world are as {} saw them at {}", saved.display(), told("at")));
    Ok(())
}

/// Which steps would do something else now.
fn differences(then: &Json, now: &Json) -> Vec<String> {
    let steps = |preview: &Json| preview.get("steps").and_then(Json::as_array).cloned().unwrap_or_default();
    let before = steps(then);
    let text = |step: &Json| {
        let changes = step.get("changes").and_then(Json::as_array).cloned().unwrap_or_default();
        let field =
            |change: &Json, key: &str| change.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let each = changes
            .iter()
            .map(|c| format!("{}: {} → {}", field(c, "what"), field(c, "from"), field(c, "to")));
        let seen = step.get("seen").and_then(Json::as_str).unwrap_or_default().to_owned();
        std::iter::once(seen).chain(each).collect::<Vec<_>>().join("; ")
    };
    let mut found = Vec::new();
    for step in steps(now) {
        let id = step.get("id").cloned().unwrap_or_default();
        let was = before.iter().find(|other| other.get("id") == Some(&id)).map(text).unwrap_or_default();
        let id = id.as_str().unwrap_or_default().to_owned();
        if was != text(&step) && !is_lock(&id) {
            found.push(format!("{id}: was seen as `{was}`, is `{}` now", text(&step)));
        }
    }
    found
}
