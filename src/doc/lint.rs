//! Lints: what a careful reader would ask about. The plan runs all the same.

use super::Sources;
use super::rules::Before;
use super::step::Facts;
use crate::plan::{
    Code, Fields, Guard, Kind, Known, Part, Plan, Problems, Reversibility, Span, StepId, StepIx, Undo, Value,
    Window, format_duration,
};
use jiff::civil;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Services that listen take five beats a minute of one sender, and not many more.
const QUICKEST: Duration = Duration::from_secs(12);
/// Whoever is to be noticed is noticed after two of them at the soonest.
const SLOWEST: Duration = Duration::from_secs(5 * 60);
/// Less than this is no rhythm, but an attack.
const SHORTEST: Duration = Duration::from_secs(1);

/// What lints look at.
pub(super) struct Lints<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a HashMap<StepId, Facts>,
    pub(super) before: &'a Before,
    pub(super) problems: &'a mut Problems,
}

impl Lints<'_> {
    pub(super) fn check(&mut self) {
        self.changed_later();
        self.lent();
        self.raised();
        for ix in self.plan.places() {
            let step = &self.plan[ix];
            let Some(facts) = self.facts.get(&step.id).filter(|facts| !facts.broken) else { continue };
            let traits = &facts.traits;
            let undone = traits.has_undo || step.undo != Undo::Own;
            if traits.writes
                && !undone
                && step.reversibility == Reversibility::Reversible
                && step.part != Part::Finally
            {
                self.problems
                    .warn(
                        Code("SW3001"),
                        facts.uses_span,
                        format!("`{}` writes, and nothing undoes it", step.id),
                    )
                    .help("add `undo: { keep: why }`, an undo of its own, or `reversibility: expand`");
            }
            if traits.switches {
                let lowered = self.plan.places().any(|earlier| {
                    self.before.holds(earlier, ix)
                        && self.facts.get(&self.plan[earlier].id).is_some_and(|earlier| {
                            earlier.traits.lowers_ttl.is_some()
                                && earlier.traits.resources.iter().any(|r| traits.resources.contains(r))
                        })
                });
                if traits.by_name && !lowered {
                    self.problems
                        .warn(Code("SW3002"), facts.uses_span, format!("nothing lowers the TTL before `{}` switches", step.id))
                        .help("add a step with `uses: dns.ttl` before it, best in `prepare`: it also waits until the old TTL has passed");
                }
                self.rto(facts, &step.id);
            }
            if step.undo != Undo::Own
                && step.reversibility == Reversibility::Reversible
                && matches!(step.kind, Kind::Act(Some(_)))
                && !traits.writes
            {
                self.problems.warn(
                    Code("SW3005"),
                    facts.undo_span,
                    format!("`{}` changes nothing, so its `undo` has nothing to undo", step.id),
                );
            }
        }
    }

    /// What a switch has read, and goes by on its way back, and another step changes after that.
    fn changed_later(&mut self) {
        let (plan, facts, before) = (self.plan, self.facts, self.before);
        let sound = |ix: &StepIx| facts.get(&plan[*ix].id).filter(|facts| !facts.broken);
        let mut writers: HashMap<&str, Vec<StepIx>> = HashMap::new();
        for ix in plan.places().filter(|ix| !plan.is_finally(*ix)) {
            for resource in sound(&ix).into_iter().flat_map(|facts| &facts.traits.resources) {
                writers.entry(resource).or_default().push(ix);
            }
        }
        for ix in plan.places() {
            let Some(reads) = sound(&ix) else { continue };
            let own = reads.traits.goes_by.iter().filter_map(|resource| writers.get(resource.as_str()));
            let later = own.flatten().copied().find(|writer| !before.holds(*writer, ix));
            let Some((later, changes)) = later.and_then(|later| Some((later, sound(&later)?))) else {
                continue;
            };
            let (first, then) = (&plan[ix].id, &plan[later].id);
            self.problems
                .warn(
                    Code("SW2032"),
                    changes.uses_span,
                    format!("`{then}` changes what `{first}` goes by on its way back"),
                )
                .label(reads.uses_span, "it has read it by then")
                .help("put it before that step, or into `finally`");
        }
    }

    /// What holds only for as long as the run lasts, and nothing gives it back, or what gives back another thing.
    fn lent(&mut self) {
        let (plan, facts) = (self.plan, self.facts);
        let sound = |ix: StepIx| facts.get(&plan[ix].id).filter(|facts| !facts.broken);
        let mut given: Vec<&str> = Vec::new();
        for ix in plan.places() {
            let Some(own) = sound(ix) else { continue };
            let Some(of) = own.traits.gives_back.as_deref() else { continue };
            given.extend(plan.is_finally(ix).then_some(of));
            let Some(lender) = plan.find(of).and_then(sound) else { continue };
            if lender.traits.lowers_ttl.is_some() && !plan.is_finally(ix) {
                self.problems
                    .error(
                        Code("SW2038"),
                        own.uses_span,
                        format!("`{}` raises a TTL before the end", plan[ix].id),
                    )
                    .label(lender.uses_span, "it is lowered here, so that a rollback is quick")
                    .help("put it into `finally`: until then the run may turn back");
            }
            let lends = lender.traits.lent || lender.traits.lowers_ttl.is_some();
            if !lends || lender.traits.resources != own.traits.resources {
                let message = format!("`{}` gives back what `{of}` does not hold", plan[ix].id);
                self.problems
                    .error(Code("SW2034"), own.uses_span, message)
                    .label(lender.uses_span, "it is about another thing")
                    .help("name the step that holds the same thing");
            }
        }
        given.sort_unstable();
        for ix in plan.places().filter(|ix| !plan.is_finally(*ix)) {
            let id = &*plan[ix].id.0;
            let Some(own) = sound(ix).filter(|own| own.traits.lent) else { continue };
            if given.binary_search(&id).is_err() {
                self.problems
                    .warn(Code("SW2034"), own.uses_span, format!("nothing gives back what `{id}` holds"))
                    .help(format!("add a step to `finally`, for the same service, with `restore: {id}`"));
            }
        }
    }

    /// A TTL that is low so that a rollback is quick, and is stated longer before the end.
    fn raised(&mut self) {
        let (plan, facts, before) = (self.plan, self.facts, self.before);
        let sound = |ix: StepIx| facts.get(&plan[ix].id).filter(|facts| !facts.broken);
        for ix in plan.places() {
            let Some(own) = sound(ix) else { continue };
            let Some(stated) = own.traits.states_ttl else { continue };
            let lowers = |earlier: StepIx| {
                let lowerer = sound(earlier).filter(|_| before.holds(earlier, ix))?;
                let same = lowerer.traits.resources.iter().any(|one| own.traits.resources.contains(one));
                let low = lowerer.traits.lowers_ttl.filter(|low| same && *low < stated)?;
                Some((earlier, lowerer, low))
            };
            let Some((earlier, lowerer, low)) = plan.places().find_map(lowers) else { continue };
            let [low, stated] = [low, stated].map(format_duration);
            let message = format!("`{}` states a TTL of {stated}, and it was lowered to {low}", plan[ix].id);
            let help = format!(
                "leave `ttl` out, and it stays low for as long as the run may turn back; a step of `finally` with `uses: \
                 dns.ttl` and `restore: {}` gives back what it was",
                plan[earlier].id
            );
            self.problems
                .error(Code("SW2039"), own.uses_span, message)
                .label(lowerer.uses_span, "it is lowered here, so that a rollback is quick")
                .help(help);
        }
    }

    /// A rollback that cannot meet the promise.
    fn rto(&mut self, facts: &Facts, id: &StepId) {
        let policy = &self.plan.policy;
        let (Some(rto), Some(reaches)) = (policy.rto, facts.traits.undo_reaches) else { return };
        if reaches + policy.veto.unwrap_or_default() <= rto {
            return;
        }
        let promise = format!("`rto` promises {}", format_duration(rto));
        let reaches = format_duration(reaches);
        let (held, help) = match policy.veto {
            Some(veto) => {
                let held = format!(", and it is held for {} before that (`veto`)", format_duration(veto));
                (held, "shorten `veto`, lower the TTL that this step sets, or promise less")
            }
            None => (String::new(), "lower the TTL that this step sets, or promise less"),
        };
        self.problems
            .warn(
                Code("SW3004"),
                facts.uses_span,
                format!("undoing `{id}` takes {reaches}{held}, and {promise}"),
            )
            .help(help);
    }
}

/// A bake in which nothing is watched, or nothing looks.
pub(super) fn unwatched_bake(plan: &Plan, policy: Option<&Value>, problems: &mut Problems) {
    let Some(bake) = policy.and_then(|policy| policy.get("bake")) else { return };
    if plan.policy.bake.is_none() {
        return;
    }
    let mut stay = plan.guards.iter().filter(|guard| guard.span.until.is_none()).peekable();
    if stay.peek().is_none() {
        problems
            .warn(Code("SW3009"), bake.span, "nothing watches while it bakes, so it does not bake")
            .help("add a guard that has no `until`, or leave `bake` out");
    } else if stay.all(Guard::is_outside) {
        problems
            .warn(Code("SW2017"), bake.span, "nothing looks while it bakes: the time alone ends it")
            .help("add a guard that looks, and so says at the end that all is well");
    }
}

/// A lock is left out that nobody would take.
pub(super) fn no_lock(plan: &Plan, policy: Option<&Value>, problems: &mut Problems) {
    let Some(lock) = policy.and_then(|policy| policy.get("world_lock")) else { return };
    if !plan.policy.world_lock && !plan.production {
        problems
            .warn(Code("SW2035"), lock.span, "this plan is not of production, so no lock is taken anyway")
            .help("leave `world_lock` out, or say `production: true`");
    }
}

/// Targets, params and secrets that nothing uses.
pub(super) fn unused(
    targets: &[(Arc<crate::plan::Target>, Span)],
    params: &[(Arc<str>, Span)],
    secrets: &[(Arc<str>, Span)],
    known: &Known,
    sources: &Sources,
    problems: &mut Problems,
) {
    let used = known.used_targets.borrow();
    for (target, span) in targets.iter().filter(|(target, _)| !used.contains(&target.name)) {
        problems.warn(Code("SW3003"), *span, format!("no step uses the target `{}`", target.name));
    }
    for (what, names) in [("params", params), ("secrets", secrets)] {
        for (name, span) in names {
            let read = [format!("{what}.{name}"), format!("{what}[\"{name}\"]"), format!("{what}['{name}']")];
            if !sources.plan().iter().any(|(_, text)| read.iter().any(|read| text.contains(read))) {
                problems.warn(Code("SW3006"), *span, format!("nothing reads `{what}.{name}`"));
            }
        }
    }
}

/// A heartbeat that is refused for its pace, or notices late.
pub(super) fn rhythm(every: Duration, fields: &mut Fields<'_>) {
    let span = fields.span_of("every");
    let told = format_duration(every);
    if every < SHORTEST {
        fields.problems().error(Code("SW1006"), span, "from one beat to the next is at least `1s`");
    } else if every < QUICKEST {
        let message = format!("a beat every {told} is more than most listeners take");
        let problem = fields.problems().warn(Code("SW3010"), span, message);
        problem.help("`30s` is often enough for whoever is to notice within a minute or two");
    } else if every > SLOWEST {
        let message = format!("with a beat every {told} nobody can notice sooner that the tool is dead");
        let problem = fields.problems().warn(Code("SW3010"), span, message);
        problem.help("users may be half-way between two sides meanwhile: `30s` costs nothing");
    }
}

/// A heartbeat that others on the way can read, and then send.
pub(super) fn in_the_clear(url: &Url, fields: &mut Fields<'_>) {
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !here {
        let span = fields.span_of("url");
        let message = "this heartbeat goes in the clear: who reads its URL on the way can send it, too";
        fields.problems().warn(Code("SW3011"), span, message).help("write `https://`");
    }
}

/// A window whose edge falls where clocks jump: on that day it opens or closes at another time.
pub(super) fn window_in_gap(window: &Window, fields: &mut Fields<'_>) {
    // The rules of a zone repeat: a few years show every gap that they make.
    let Ok(start) = civil::date(2026, 1, 1).to_zoned(window.zone.clone()) else { return };
    let Ok(end) = civil::date(2031, 1, 1).to_zoned(window.zone.clone()) else { return };
    for transition in window.zone.following(start.timestamp()).take_while(|t| t.timestamp() < end.timestamp())
    {
        let after = transition.timestamp().to_zoned(window.zone.clone());
        let Ok(before) = transition.timestamp().checked_sub(jiff::SignedDuration::from_secs(1)) else {
            continue;
        };
        let before = before.to_zoned(window.zone.clone());
        // Civil time goes on a second after `before`, and is shown as `after` instead.
        let Ok(expected) = before.datetime().checked_add(jiff::SignedDuration::from_secs(1)) else {
            continue;
        };
        let (gap_from, gap_to) = (expected, after.datetime());
        for (name, edge) in [("from", window.from), ("to", window.to)] {
            let edge_at = gap_from.date().to_datetime(edge);
            let open = window.days.contains(&gap_from.date().weekday());
            if open && gap_from <= edge_at && edge_at < gap_to {
                let span = fields.span_of(name);
                let message = format!(
                    "there is no {:02}:{:02} on {}: clocks go forward then",
                    edge.hour(),
                    edge.minute(),
                    gap_from.date()
                );
                fields
                    .problems()
                    .warn(Code("SW3008"), span, message)
                    .help("choose an hour that every day has");
                return;
            }
        }
    }
}
