//! Rules between steps: who must come before whom, and who must not run beside whom.

use super::step::Facts;
use crate::plan::{
    Code, Guard, GuardSpan, Kind, OnFailure, Part, Plan, Problems, Reversibility, Span, StepId, StepIx,
};
use std::collections::HashMap;
use std::sync::Arc;

/// For each step, those that have passed before it begins.
pub(super) struct Before {
    rows: Vec<Vec<u64>>,
}

impl Before {
    pub(super) fn of(plan: &Plan) -> Self {
        let width = plan.steps.len().div_ceil(64);
        let mut rows: Vec<Vec<u64>> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let mut row = vec![0; width];
            for need in &step.needs {
                row.iter_mut().zip(&rows[need.index()]).for_each(|(into, from)| *into |= from);
                row[need.index() / 64] |= 1 << (need.index() % 64);
            }
            rows.push(row);
        }
        Self { rows }
    }

    /// Whether `first` has passed when `then` begins.
    pub(super) fn holds(&self, first: StepIx, then: StepIx) -> bool {
        self.rows[then.index()][first.index() / 64] >> (first.index() % 64) & 1 == 1
    }
}

/// What a rule looks at.
pub(super) struct Rules<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a HashMap<StepId, Facts>,
    pub(super) before: &'a Before,
    pub(super) problems: &'a mut Problems,
}

impl Rules<'_> {
    pub(super) fn check(&mut self, reads: &[(StepId, Arc<str>, Span)]) {
        self.reads(reads);
        self.irreversible();
        self.left_behind();
        self.parts();
        self.conflicts();
        self.writes();
    }

    /// `steps.x.out`: there must be such a step, and it must have passed.
    fn reads(&mut self, reads: &[(StepId, Arc<str>, Span)]) {
        for (reader, read, span) in reads {
            let Some(reader) = self.plan.find(&reader.0) else { continue };
            let Some(step) = self.plan.find(read) else {
                // A step whose own reading failed is not in the plan.
                if self.facts.keys().any(|id| *id.0 == **read) {
                    continue;
                }
                let names: Vec<&str> = self.plan.steps.iter().map(|step| &*step.id.0).collect();
                let problem =
                    self.problems.error(Code("SW1009"), *span, format!("there is no step `{read}`"));
                if let Some(near) = crate::plan::nearest(read, &names) {
                    problem.help(format!("did you mean `{near}`?"));
                }
                continue;
            };
            let answers = matches!(self.plan[step].kind, Kind::Act(Some(_)));
            let earlier_part = self.plan[reader].part == Part::Finally && !self.plan.is_finally(step);
            if !answers {
                self.problems.error(Code("SW1025"), *span, format!("`{read}` has no answer to read"));
            } else if step != reader && !earlier_part && !self.before.holds(step, reader) {
                self.problems
                    .error(Code("SW1025"), *span, format!("`{read}` has not passed when this is read"))
                    .label(self.plan[step].span, "it stands here")
                    .help("a step reads only what comes before it, not what runs beside or after it");
            }
        }
    }

    /// Whoever goes by what a switch answers names a step that is one.
    pub(super) fn switching(&mut self, named: &[(Arc<str>, Span)]) {
        let (plan, facts) = (self.plan, self.facts);
        for (step, span) in named {
            let Some(found) = plan.find(step).map(|ix| &plan[ix]) else { continue };
            let Some(own) = facts.get(&found.id).filter(|own| !own.broken) else { continue };
            if own.traits.tells_switch {
                continue;
            }
            self.problems
                .error(Code("SW2041"), *span, format!("`{step}` leads no name elsewhere"))
                .label(own.uses_span, "it is of another kind")
                .help("name the step of kind `dns.switch` that leads the name elsewhere");
        }
    }

    fn irreversible(&mut self) {
        for ix in self.plan.places() {
            let step = &self.plan[ix];
            if step.reversibility != Reversibility::Irreversible {
                continue;
            }
            let Some(facts) = self.facts.get(&step.id) else { continue };
            if facts.in_parallel {
                self.problems
                    .error(
                        Code("SW1028"),
                        step.span,
                        format!("`{}` is irreversible and stands in a parallel", step.id),
                    )
                    .help("put it on its own: what runs beside it could not be undone either");
            }
            let approval = |before: &StepIx| {
                let earlier = &self.plan[*before];
                matches!(earlier.kind, Kind::Approve(_))
                    && earlier.when.is_none()
                    && earlier.part == Part::Main
            };
            let approved =
                self.plan.places().filter(|before| self.before.holds(*before, ix)).any(|b| approval(&b));
            if !approved && step.part == Part::Main {
                self.problems
                    .error(
                        Code("SW1028"),
                        step.span,
                        format!("`{}` is irreversible, and nobody approves it", step.id),
                    )
                    .help("put a step with `uses: approve` before it");
            }
        }
    }

    /// What cannot be undone, and is not harmless to the old side, is not done while users may still be there. That is measured;
    /// where nothing can measure it, a person says so.
    fn left_behind(&mut self) {
        let (plan, facts, before) = (self.plan, self.facts, self.before);
        let sound = |ix: StepIx| facts.get(&plan[ix].id).filter(|facts| !facts.broken);
        let main = |ix: &StepIx| plan[*ix].part == Part::Main;
        let gone_for_good = |ix: &StepIx| plan[*ix].reversibility == Reversibility::Irreversible;
        let certain = |ix: StepIx| plan[ix].when.is_none() && plan[ix].on_failure != OnFailure::Continue;
        let measures = |ix: StepIx| certain(ix) && sound(ix).is_some_and(|facts| facts.traits.drains);
        let asks = |ix: StepIx| certain(ix) && matches!(plan[ix].kind, Kind::Approve(_));
        for ix in plan.places().filter(main).filter(gone_for_good) {
            let left = |switch: &StepIx| {
                before.holds(*switch, ix) && sound(*switch).is_some_and(|facts| facts.traits.lingers)
            };
            let between = |switch: StepIx| {
                let is = move |step: &StepIx| before.holds(switch, *step) && before.holds(*step, ix);
                plan.places().filter(is)
            };
            let unmeasured: Vec<StepIx> = plan
                .places()
                .filter(main)
                .filter(left)
                .filter(|switch| !between(*switch).any(measures))
                .collect();
            let unasked = unmeasured.iter().find(|switch| !between(**switch).any(asks));
            let (Some(switch), Some(own)) = (unasked.or(unmeasured.first()), sound(ix)) else { continue };
            let (id, moved) = (&plan[ix].id, &plan[*switch].id);
            let message =
                format!("`{id}` cannot be undone, and nothing measures that users have left by then");
            let drain = format!("put a `drain` of the old side after `{moved}`, before this");
            let problem = if unasked.is_some() {
                let help = format!("{drain}; where nothing of it can be measured, an `approve`");
                self.problems.error(Code("SW2040"), own.uses_span, message).help(help)
            } else {
                let help = format!("{drain}, if it is a load balancer: who approves can only guess");
                self.problems.warn(Code("SW2040"), own.uses_span, message).help(help)
            };
            if let Some(leaves) = sound(*switch) {
                problem.label(leaves.uses_span, "they are led away here, and some stay for a while");
            }
        }
    }

    /// What may not stand in `prepare` and `finally`.
    fn parts(&mut self) {
        for step in self.plan.steps.iter().filter(|step| step.part != Part::Main) {
            let Some(facts) = self.facts.get(&step.id) else { continue };
            let what = match (&step.kind, step.part) {
                (Kind::Approve(_), _) => "an approval",
                (Kind::Checkpoint, _) => "a checkpoint",
                _ if step.reversibility == Reversibility::Irreversible => "an irreversible step",
                _ if facts.traits.switches => "a switch",
                _ => continue,
            };
            let (part, why) = match step.part {
                Part::Prepare => ("prepare", "it may be done days ahead, outside the window"),
                _ => ("finally", "it is done whatever the ending, and nothing follows it"),
            };
            self.problems
                .error(Code("SW1035"), facts.uses_span, format!("{what} cannot stand in `{part}`"))
                .help(format!("{why}; put it into `steps`"));
        }
    }

    /// Steps that may run at the same time must not write the same thing.
    fn conflicts(&mut self) {
        let mut writers: HashMap<&str, Vec<StepIx>> = HashMap::new();
        for ix in self.plan.places() {
            let Some(facts) = self.facts.get(&self.plan[ix].id) else { continue };
            for resource in facts.traits.resources.iter().chain(&facts.undo_traits.resources) {
                let writers = writers.entry(resource).or_default();
                if writers.last() != Some(&ix) {
                    writers.push(ix);
                }
            }
        }
        // Order is transitive, so neighbours are enough.
        for (resource, writers) in writers {
            for pair in writers.windows(2) {
                let (first, second) = (&self.plan[pair[0]], &self.plan[pair[1]]);
                if first.part == second.part && !self.before.holds(pair[0], pair[1]) {
                    let message =
                        format!("`{}` and `{}` may write {resource} at the same time", first.id, second.id);
                    self.problems
                        .error(Code("SW1029"), second.span, message)
                        .label(first.span, "the other one stands here")
                        .help("put one after the other");
                }
            }
        }
    }

    /// Who switches users in production must say what becomes of what they write.
    fn writes(&mut self) {
        for step in &self.plan.steps {
            let Some(facts) = self.facts.get(&step.id) else { continue };
            if self.plan.production && facts.traits.switches && facts.traits.data.is_none() {
                self.problems
                    .error(Code("SW1030"), facts.uses_span, format!("`{}` switches users in production and does not say `writes`", step.id))
                    .help("add `writes: shared`, `replicated` or `diverge`: what becomes of data written to the new side when users go back");
            }
        }
    }
}

/// Resolves where a guard begins and ends. A group begins with its first step and ends with its last.
pub(super) fn span_of_guard(
    plan: &Plan,
    guard: &Guard,
    from: Option<(&str, Span)>,
    until: Option<(&str, Span)>,
    problems: &mut Problems,
) -> GuardSpan {
    let of = |name: &str| -> Vec<StepIx> {
        plan.places()
            .filter(|ix| *plan[*ix].id.0 == *name || plan[*ix].path.iter().any(|group| *group.0 == *name))
            .collect()
    };
    let mut find = |place: Option<(&str, Span)>, last: bool| {
        let (name, span) = place?;
        let steps = of(name);
        let found = if last { steps.last() } else { steps.first() };
        if found.is_none() {
            let names: Vec<&str> = plan.steps.iter().map(|step| &*step.id.0).collect();
            let problem = problems.error(Code("SW1009"), span, format!("there is no step `{name}`"));
            if let Some(near) = crate::plan::nearest(name, &names) {
                problem.help(format!("did you mean `{near}`?"));
            }
        }
        found.copied()
    };
    let resolved = GuardSpan { from: find(from, false), until: find(until, true) };
    if let (Some(first), Some(last), Some((_, span))) = (resolved.from, resolved.until, until)
        && last < first
    {
        problems.error(Code("SW1034"), span, format!("guard `{}` ends before it begins", guard.id));
    }
    resolved
}
