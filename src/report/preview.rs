//! What a plan would do from what is there now, for people and for machines.

use super::{Looks, Permissions, Tone, TreeRow, change_line, permissions, tree, words};
use crate::plan::{Kind, Plan, Policy, Reversibility, StepIx, Target, Timestamp};
use crate::run::{Change, Difference, DnsClock, Fault, FaultKind, Proposal, Told};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// How wide the names of fields may be that values stand behind in a column.
const WIDEST: usize = 40;

/// What is known of a step before it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It would do this: 0 stages is a check, a wait, or a change that is there already.
    Would(Proposal),
    /// Its `when` says no.
    Skipped,
    /// It depends on what these steps give.
    Later(Vec<String>),
    /// It asks people.
    Asks,
    /// An automatic rollback stops there.
    Checkpoint,
    /// Nothing to see.
    Nothing,
    /// It could not be told.
    Unknown(Fault),
}

/// A step of a preview.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewStep {
    /// Which.
    pub step: StepIx,
    /// What is known.
    pub seen: Seen,
    /// What there is to tell beside that.
    pub told: Told,
    /// How it would be undone, where there is something to undo.
    pub undo: Option<String>,
}

/// How soon users can be moved, and moved back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchClock {
    /// As the switch is planned now.
    pub clock: DnsClock,
    /// What a step before it lowers the TTL to, if that is yet to be done.
    pub lowered: Option<Duration>,
}

impl SwitchClock {
    /// How long it takes until the switch is safe.
    fn wait(&self) -> Duration {
        self.lowered.map_or(Duration::ZERO, |_| DnsClock::PROPAGATION + self.clock.before)
    }

    /// Within how long the switch reaches all new lookups.
    fn switch(&self) -> Duration {
        DnsClock::PROPAGATION + self.lowered.unwrap_or(self.clock.before)
    }
}

/// What of the calls that a provider gives an account is ours, of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallShare {
    /// `route53`.
    pub service: &'static str,
    /// Calls at once, at most.
    pub at_once: u64,
    /// Calls a second after that.
    pub a_second: u64,
    /// Of those at once, what only the way back may use.
    pub reserve: u64,
}

/// A preview.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// When the world was looked at.
    pub at: Timestamp,
    /// Of the plan's text.
    pub digest: String,
    /// Of its params.
    pub params_digest: String,
    /// Of what was seen.
    pub state_digest: String,
    /// All steps.
    pub steps: Vec<PreviewStep>,
    /// One a name that is switched.
    pub clocks: Vec<SwitchClock>,
    /// One a service that calls are limited of.
    pub calls: Vec<CallShare>,
    /// What steps and guards go by, and is not as it should be before a run.
    pub amiss: Vec<Amiss>,
    /// One a target whose credentials were asked for; none where nobody has asked.
    pub permissions: Vec<Permissions>,
}

/// Something that is gone by, and is not as it should be before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amiss {
    /// ``there is no alarm `aep-5xx` in target `prod` ``.
    pub why: String,
    /// The steps and guards that go by it.
    pub by: Vec<String>,
}

impl Preview {
    /// How many steps would change something.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.steps.iter().filter(|step| matches!(&step.seen, Seen::Would(p) if p.stages > 0)).count()
    }

    /// Steps that nobody could look at.
    #[must_use]
    pub fn unseen(&self) -> Vec<StepIx> {
        self.faulty(|kind| matches!(kind, FaultKind::Blind | FaultKind::Transient))
    }

    /// Steps that were looked at, and would fail before they change anything.
    #[must_use]
    pub fn refused(&self) -> Vec<StepIx> {
        self.faulty(|kind| matches!(kind, FaultKind::Permanent | FaultKind::Foreign))
    }

    /// The steps and guards whose calls would be refused for want of a permission.
    #[must_use]
    pub fn denied(&self) -> Vec<&str> {
        let denied = self.permissions.iter().flat_map(|of| &of.denied);
        let mut by: Vec<&str> = denied.flat_map(|one| one.by.iter().map(String::as_str)).collect();
        by.sort_unstable();
        by.dedup();
        by
    }

    /// The targets whose credentials end before the run should be over, and that only a person renews.
    #[must_use]
    pub fn ending(&self) -> Vec<&str> {
        let ends = |of: &&Permissions| of.by_hand.as_ref().is_some_and(|by_hand| by_hand.short.is_some());
        self.permissions.iter().filter(ends).map(|of| &*of.target).collect()
    }

    fn faulty(&self, of: impl Fn(FaultKind) -> bool) -> Vec<StepIx> {
        let faulty = |step: &&PreviewStep| matches!(&step.seen, Seen::Unknown(fault) if of(fault.kind));
        self.steps.iter().filter(faulty).map(|step| step.step).collect()
    }

    fn of(&self, ix: StepIx) -> Option<&PreviewStep> {
        self.steps.iter().find(|step| step.step == ix)
    }
}

/// For people.
#[must_use]
pub fn preview_text(plan: &Plan, preview: &Preview, looks: Looks) -> String {
    let mut lines = vec![looks.tint(Tone::Strong, &plan.name)];
    if let Some(summary) = &plan.summary {
        lines.push(looks.safe(summary));
    }
    lines.push(String::new());
    let rows = tree(plan);
    let width = rows.iter().map(|row| 2 * row.depth + row.name.chars().count()).max().unwrap_or(0).min(44);
    for row in &rows {
        lines.extend(row_lines(plan, preview, row, width, looks));
    }
    lines.push(String::new());
    lines.push(count(preview));
    let barriers: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.reversibility == Reversibility::Irreversible)
        .map(|step| step.id.to_string())
        .collect();
    if barriers.is_empty() {
        lines.push("points of no return: none".into());
    } else {
        let text =
            format!("points of no return: {}; past them nothing is undone by itself", barriers.join(", "));
        lines.push(looks.tint(Tone::Warn, &text));
    }
    if let Some(bake) = plan.policy.bake {
        let bake = words::span(bake);
        lines.push(format!(
            "bake: once all is done the guards are kept for {bake}, before `finally` and the end"
        ));
    }
    for clock in &preview.clocks {
        lines.extend(clock_lines(clock, preview.at, &plan.policy));
    }
    lines.extend(target_lines(plan, looks));
    lines.extend(calls_line(&preview.calls));
    lines.extend(amiss_lines(&preview.amiss, looks));
    lines.extend(permissions::lines(&preview.permissions, looks));
    lines.join("\n") + "\n"
}

/// `  prod  aws: account 123456789012, region eu-west-1`.
fn target_lines(plan: &Plan, looks: Looks) -> Vec<String> {
    let width = plan.targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0);
    let line = |target: &Arc<Target>| {
        let fields: Vec<String> = target.fields().map(|(field, value)| format!("{field} {value}")).collect();
        let told = looks.safe(&format!("  {:width$}  {}: {}", target.name, target.kind, fields.join(", ")));
        // Whoever stands for a provider is seen at once.
        if target.says("endpoint").is_some() { looks.tint(Tone::Warn, &told) } else { told }
    };
    let title = (!plan.targets.is_empty()).then(|| "targets:".to_owned());
    title.into_iter().chain(plan.targets.iter().map(line)).collect()
}

/// What is amiss, below a title.
fn amiss_lines(amiss: &[Amiss], looks: Looks) -> Vec<String> {
    let title = "watched, and not as it should be before a run:".to_owned();
    let line =
        |one: &Amiss| looks.tint(Tone::Warn, &looks.safe(&format!("  {}: {}", one.by.join(", "), one.why)));
    (!amiss.is_empty()).then_some(title).into_iter().chain(amiss.iter().map(line)).collect()
}

fn calls_line(calls: &[CallShare]) -> Option<String> {
    let one = |share: &CallShare| {
        let CallShare { service, at_once, a_second, reserve } = share;
        format!("{service} {a_second}/s, {at_once} at once ({reserve})")
    };
    let all: Vec<String> = calls.iter().map(one).collect();
    let told = "calls to an account, at most (of those at once, kept for the way back)";
    (!all.is_empty()).then(|| format!("{told}: {}", all.join("; ")))
}

fn count(preview: &Preview) -> String {
    let many =
        |number: usize, one: &str, more: &str| format!("{number} {}", if number == 1 { one } else { more });
    let mut parts =
        vec![many(preview.pending(), "step would change something", "steps would change something")];
    let asks = preview.steps.iter().filter(|step| step.seen == Seen::Asks).count();
    if asks > 0 {
        parts.push(many(asks, "asks for approval", "ask for approval"));
    }
    let later = preview.steps.iter().filter(|step| matches!(step.seen, Seen::Later(_))).count();
    if later > 0 {
        parts.push(many(later, "is known only during the run", "are known only during the run"));
    }
    for (steps, what) in
        [(preview.unseen(), "could not be looked at"), (preview.refused(), "would fail at once")]
    {
        if !steps.is_empty() {
            parts.push(many(steps.len(), what, what));
        }
    }
    parts.join(", ")
}

fn row_lines(plan: &Plan, preview: &Preview, row: &TreeRow, width: usize, looks: Looks) -> Vec<String> {
    let name = format!("{}{}", "  ".repeat(row.depth), looks.safe(&row.name));
    let Some(ix) = row.step else { return vec![format!("    {}", looks.tint(Tone::Dim, &name))] };
    let step = preview.of(ix);
    let (tone, sign, says) = match step.map(|step| &step.seen) {
        Some(Seen::Would(proposal)) if proposal.stages > 0 => {
            let stages =
                if proposal.stages > 1 { format!(" in {} stages", proposal.stages) } else { String::new() };
            (Tone::Warn, "~", format!("changes{stages}, within {}", words::span(proposal.within)))
        }
        Some(Seen::Would(proposal)) if !proposal.changes.is_empty() => {
            (Tone::Good, "=", "is there already".into())
        }
        Some(Seen::Would(proposal)) => {
            (Tone::Plain, "=", format!("changes nothing; within {}", words::span(proposal.within)))
        }
        Some(Seen::Skipped) => (Tone::Dim, "-", "skipped: its `when` does not hold".into()),
        Some(Seen::Later(steps)) => (Tone::Dim, "?", format!("known only once {} ran", steps.join(", "))),
        Some(Seen::Asks) => (Tone::Plain, "?", asks(plan, ix)),
        Some(Seen::Checkpoint) => (Tone::Plain, "|", "a rollback stops here by itself".into()),
        Some(Seen::Nothing) => (Tone::Dim, "-", "acts only on the way back".into()),
        Some(Seen::Unknown(fault)) => (Tone::Bad, "!", fault.to_string()),
        None => (Tone::Dim, " ", String::new()),
    };
    let text = looks.tint(tone, &looks.safe(&says));
    let mut lines = vec![format!("  {} {name:width$}  {text}", looks.tint(tone, sign)).trim_end().to_owned()];
    let indent = " ".repeat(width + 6);
    if let Some((step, Seen::Would(proposal))) = step.map(|step| (step, &step.seen)) {
        // What is told field by field is not told twice.
        let told = |change: &&Change| {
            let same = |one: &Difference| {
                one.from.as_ref() == Some(&change.from) && one.to.as_ref() == Some(&change.to)
            };
            !step.told.differences.iter().any(same)
        };
        let changes = proposal.changes.iter().filter(told).map(|change| change_line(change, looks));
        let notes = step.told.notes.iter().map(|note| looks.safe(note));
        let all = changes.chain(difference_lines(&step.told.differences, looks)).chain(notes);
        lines.extend(all.map(|line| format!("{indent}{line}")));
    }
    if let Some(undo) = step.and_then(|step| step.undo.as_ref()) {
        lines.push(format!("{indent}{}", looks.tint(Tone::Dim, &looks.safe(&format!("undo: {undo}")))));
    }
    if plan[ix].reversibility == Reversibility::Irreversible {
        lines.push(format!("{indent}{}", looks.tint(Tone::Bad, "POINT OF NO RETURN")));
    }
    lines
}

/// `- web.cpu  256`, and below it `+ web.cpu  512`.
fn difference_lines(differences: &[Difference], looks: Looks) -> Vec<String> {
    let width = differences.iter().map(|one| one.field.chars().count()).max().unwrap_or(0).min(WIDEST);
    let line = |sign: &str, tone: Tone, field: &str, value: &str| {
        looks.tint(tone, &looks.safe(&format!("{sign} {field:width$}  {value}")))
    };
    let both = differences.iter().flat_map(|one| {
        let gone = one.from.as_ref().map(|value| line("-", Tone::Bad, &one.field, value));
        let come = one.to.as_ref().map(|value| line("+", Tone::Good, &one.field, value));
        [gone, come]
    });
    both.flatten().collect()
}

fn asks(plan: &Plan, ix: StepIx) -> String {
    let Kind::Approve(approval) = &plan[ix].kind else { return String::new() };
    let by = if approval.by.of.is_empty() { "anybody".to_owned() } else { approval.by.of.join(", ") };
    format!("asks {} of {by}: {}", approval.by.any, approval.message)
}

fn clock_lines(clock: &SwitchClock, at: Timestamp, policy: &Policy) -> Vec<String> {
    let SwitchClock { clock: DnsClock { name, before, connections, .. }, lowered } = clock;
    let mut lines = vec![format!(
        "DNS clock of {name}: resolvers keep what is there now for up to {}",
        words::span(*before)
    )];
    let wait = clock.wait();
    if lowered.is_none() {
        lines.push(
            "  nothing is to drain before a switch; whether a longer TTL was served lately only `resolvers` would tell"
                .into(),
        );
    } else {
        lines.push(format!(
            "  the earliest safe switch is at {}, in {}: up to {} until all serve the lowered TTL, then {} until the old answer is forgotten",
            at.after(wait),
            words::span(wait),
            words::span(DnsClock::PROPAGATION),
            words::span(*before)
        ));
    }
    let reach = clock.clock.rollback();
    let held = policy.veto.unwrap_or_default();
    let holds = match policy.rto {
        Some(rto) if reach + held > rto && reach <= rto => format!(
            ", and is held for {} before that: more than the plan's rto of {}",
            words::span(held),
            words::span(rto)
        ),
        Some(rto) if reach > rto => format!(", more than the plan's rto of {}", words::span(rto)),
        Some(rto) => format!(" (the plan's rto is {})", words::span(rto)),
        None => String::new(),
    };
    lines.push(format!("  a switch reaches new lookups within {}", words::span(clock.switch())));
    if let Some(left) = clock.clock.left_within(clock.switch()) {
        let left = words::span(left);
        lines.push(format!("  and clients that keep a connection to the old side leave it within {left}"));
    }
    lines.push(format!("  a rollback reaches new lookups within {}{holds}", words::span(reach)));
    if !connections.is_zero() {
        let worst = words::span(reach + *connections);
        lines.push(format!("  and clients that keep a connection to the new side within {worst}"));
    }
    lines
}

/// For machines; saved, it is what `run --auto-approve` compares with.
#[must_use]
pub fn preview_json(plan: &Plan, preview: &Preview) -> Json {
    let steps: Vec<Json> = preview
        .steps
        .iter()
        .filter(|step| !matches!(plan[step.step].kind, Kind::Join))
        .map(|step| {
            let mut object = json!({"id": words::step_name(plan, step.step), "undo": step.undo});
            let (seen, more) = match &step.seen {
                Seen::Would(proposal) => (
                    if proposal.stages > 0 { "changes" } else { "nothing to change" },
                    json!({
                        "stages": proposal.stages, "changes": proposal.changes,
                        "differences": step.told.differences, "notes": step.told.notes,
                    }),
                ),
                Seen::Skipped => ("skipped", json!({})),
                Seen::Later(steps) => ("later", json!({"needs": steps})),
                Seen::Asks => ("asks", json!({})),
                Seen::Checkpoint => ("checkpoint", json!({})),
                Seen::Nothing => ("nothing", json!({})),
                Seen::Unknown(fault) => ("unknown", json!({"why": &*fault.message})),
            };
            object["seen"] = seen.into();
            if let Json::Object(more) = more {
                more.into_iter().for_each(|(key, value)| object[key] = value);
            }
            object
        })
        .collect();
    let clocks: Vec<Json> = preview
        .clocks
        .iter()
        .map(|clock| {
            let DnsClock { name, before, connections, .. } = &clock.clock;
            json!({
                "name": &**name,
                "served_ttl_seconds": before.as_secs(),
                "earliest_safe_switch": preview.at.after(clock.wait()).to_string(),
                "switch_seconds": clock.switch().as_secs(),
                "rollback_seconds": clock.clock.rollback().as_secs(),
                "connections_seconds": connections.as_secs(),
                "old_side_left_seconds": clock.clock.left_within(clock.switch()).map(|left| left.as_secs()),
            })
        })
        .collect();
    let target = |target: &Arc<Target>| {
        let fields: serde_json::Map<String, Json> =
            target.fields().map(|(field, value)| (field.to_owned(), value.into())).collect();
        json!({"name": &*target.name, "kind": &*target.kind, "says": fields})
    };
    let targets: Vec<Json> = plan.targets.iter().map(target).collect();
    let calls: Vec<Json> = preview
        .calls
        .iter()
        .map(|share| {
            let CallShare { service, at_once, a_second, reserve } = share;
            json!({"service": service, "at_once": at_once, "a_second": a_second, "reserve": reserve})
        })
        .collect();
    let amiss: Vec<Json> = preview.amiss.iter().map(|one| json!({"why": one.why, "by": one.by})).collect();
    json!({
        "preview": "v1",
        "plan": &*plan.name,
        "at": preview.at.to_string(),
        "plan_digest": preview.digest,
        "params_digest": preview.params_digest,
        "state_digest": preview.state_digest,
        "changes_pending": preview.pending(),
        "targets": targets,
        "dns": clocks,
        "calls": calls,
        "amiss": amiss,
        "permissions": permissions::json(&preview.permissions),
        "steps": steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_how_long_clients_leave_the_old_side_is_told_where_it_is_known() {
        let seconds = Duration::from_secs;
        let told = |left: Option<Duration>| {
            let (before, after, connections) = (seconds(300), seconds(60), Duration::ZERO);
            let clock = DnsClock { name: "app.example.com".into(), before, after, connections, left };
            let clock = SwitchClock { clock, lowered: Some(after) };
            let mut lines = clock_lines(&clock, Timestamp(0), &Policy::default());
            lines.retain(|line| line.contains("old side"));
            lines
        };
        // Two minutes until no new lookup leads there, and an hour and a minute of those that came last.
        let known = "  and clients that keep a connection to the old side leave it within 1h3m";
        assert_eq!(told(Some(seconds(3660))), [known]);
        assert!(told(Some(Duration::ZERO)).is_empty() && told(None).is_empty());
    }
}
