//! One step: its common keys, and what it uses.

use super::Sources;
use super::expand::{Branch, BranchKind};
use super::fill::Filler;
use crate::plan::{
    Approval, Approvers, Code, Expr, Fields, Kind, Kinds, Known, Node, OnFailure, Part, Problems, Retry,
    Reversibility, Span, Step, StepId, StepTraits, Undo, Use, Value, duration, integer, list, nearest,
    nested, number, one_of, text, value as anything,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const SHAPE: Code = Code("SW1019");
const UNDO: Code = Code("SW1031");

/// Kinds that the language itself knows.
pub(super) const BUILT_IN: &[(&str, &str)] = &[
    ("approve", "waits until somebody says yes"),
    ("checkpoint", "an automatic rollback stops here and pauses"),
];

pub(super) const ON_FAILURE: &[(&str, OnFailure)] =
    &[("rollback", OnFailure::Rollback), ("pause", OnFailure::Pause), ("continue", OnFailure::Continue)];
pub(super) const REVERSIBILITY: &[(&str, Reversibility)] = &[
    ("reversible", Reversibility::Reversible),
    ("expand", Reversibility::Expand),
    ("irreversible", Reversibility::Irreversible),
];
const ENDINGS: &[(&str, &str)] =
    &[("completed", "completed"), ("rolled_back", "rolled_back"), ("stuck", "stuck")];

/// What the rules and lints go by, beside the step itself.
pub(super) struct Facts {
    pub(super) traits: StepTraits,
    /// Traits of the step that undoes it.
    pub(super) undo_traits: StepTraits,
    /// Where `uses` stands, or the id.
    pub(super) uses_span: Span,
    pub(super) undo_span: Span,
    /// Its `with` did not decode: nothing is known of it.
    pub(super) broken: bool,
    pub(super) in_parallel: bool,
}

/// What groups hand down.
#[derive(Clone, Default)]
struct Handed {
    when: Option<Expr>,
    on_failure: Option<OnFailure>,
    in_parallel: bool,
}

/// Decodes trees of steps.
pub(super) struct Decoder<'a> {
    pub(super) known: &'a mut Known,
    pub(super) actions: &'a dyn Kinds,
    pub(super) sources: &'a Sources,
    pub(super) filler: &'a mut Filler,
    pub(super) problems: &'a mut Problems,
    /// What `policy` says.
    pub(super) on_failure: OnFailure,
    pub(super) facts: HashMap<StepId, Facts>,
    /// Steps whose answers are read: by whom, which, where.
    pub(super) reads: Vec<(StepId, Arc<str>, Span)>,
}

/// The common keys as they stand.
#[derive(Default)]
pub(super) struct Common {
    summary: Option<Arc<str>>,
    uses: Option<Arc<str>>,
    with: Option<Value>,
    timeout: Option<Duration>,
    retry: Option<Retry>,
    on_failure: Option<OnFailure>,
    undo: Option<Undoing>,
    reversibility: Option<Reversibility>,
    on: Option<Vec<&'static str>>,
}

/// An `undo` as it stands.
#[derive(Default)]
pub(super) struct Undoing {
    keep: Option<Arc<str>>,
    uses: Option<Arc<str>>,
    with: Option<Value>,
}

/// Asks for the common keys.
pub(super) fn common(fields: &mut Fields<'_>) -> Common {
    // Expanding the tree has asked for it.
    fields.optional("id", anything(), "its name: rollback, reports and runbooks go by it");
    let common = Common {
        summary: fields.optional("summary", text(), "what it is for"),
        uses: fields.optional("uses", text(), "the kind of step"),
        with: fields.optional("with", anything(), "what that kind is told"),
        timeout: fields.optional("timeout", duration(), "how long one try may take to arrive"),
        retry: fields.optional("retry", nested(retry), "how often a failed try is repeated"),
        on_failure: fields.optional("on_failure", one_of(ON_FAILURE), "what its failure does to the run"),
        undo: fields.optional("undo", nested(undoing), "how it is undone, where not by its action"),
        reversibility: fields.optional(
            "reversibility",
            one_of(REVERSIBILITY),
            "whether it can be undone: expand is harmless to the old code, irreversible is a point of no return",
        ),
        on: fields.optional("on", list(one_of(ENDINGS)), "in `finally`: after which endings"),
    };
    fields.optional("when", anything(), "a condition; the step is skipped where it does not hold");
    fields.optional("parallel", anything(), "steps that run together");
    fields.optional("sequence", anything(), "steps that run one after the other");
    fields.optional("include", anything(), "steps of another file");
    fields.optional("each", anything(), "one copy for each item of a list or mapping");
    fields.optional("as", anything(), "what expressions call the item; `item` without it");
    fields.optional("max", anything(), "how many run at once");
    common
}

pub(super) fn retry(fields: &mut Fields<'_>) -> Option<Retry> {
    let attempts = fields.required("attempts", integer(1..=50), "tries in all");
    let wait = fields.or("wait", duration(), Duration::from_secs(2), "before the second try; 2s without it");
    let backoff = fields.or(
        "backoff",
        number(1.0..=10.0),
        2.0,
        "each wait is this many times the one before; 2 without it",
    );
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 100 and 1000")]
    let backoff_percent = (backoff * 100.0).round() as u32;
    Some(Retry { attempts: u32::try_from(attempts?).unwrap_or(1), wait, backoff_percent })
}

/// Asks how a step is undone.
#[expect(clippy::unnecessary_wraps, reason = "what `nested` asks for")]
pub(super) fn undoing(fields: &mut Fields<'_>) -> Option<Undoing> {
    let undoing = Undoing {
        keep: fields.optional("keep", text(), "leave it, for this reason"),
        uses: fields.optional("uses", text(), "the kind of step that undoes it"),
        with: fields.optional("with", anything(), "what that kind is told"),
    };
    let span = fields.span();
    if fields.reading() && undoing.keep.is_some() == undoing.uses.is_some() {
        fields
            .problems()
            .error(UNDO, span, "an undo is either a reason to keep, or a step of its own")
            .help("write `undo: { keep: why }` or `undo: { uses: …, with: … }`");
    }
    Some(undoing)
}

/// Asks what an approval is about.
pub(super) fn approval(fields: &mut Fields<'_>) -> Option<Approval> {
    let another = fields.known().production;
    let message = fields.required("message", text(), "the question");
    let by = fields.optional("by", nested(approvers), "who must say yes; without it, anybody");
    let expires =
        fields.or("expires", duration(), Duration::from_secs(3600), "then the run pauses; 1h without it");
    Some(Approval {
        message: message?,
        by: by.unwrap_or(Approvers { any: 1, of: Vec::new() }),
        another,
        expires,
    })
}

fn approvers(fields: &mut Fields<'_>) -> Option<Approvers> {
    let any = fields.or("any", integer(1..=100), 1, "how many different people");
    let of = fields.required("of", list(text()), "groups of `people`, or people by address");
    let mut people: Vec<Arc<str>> = Vec::new();
    let known = fields.known();
    for name in of? {
        match known.groups.iter().find(|(group, _)| *group == name) {
            Some((_, members)) => people.extend(members.iter().cloned()),
            None if name.contains('@') => people.push(name),
            None => {
                let span = fields.span_of("of");
                let names: Vec<&str> = known.groups.iter().map(|(group, _)| &**group).collect();
                let problem =
                    fields.problems().error(Code("SW1033"), span, format!("there is no group `{name}`"));
                match nearest(&name, &names) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("name a group of `people`, or a person by address"),
                };
            }
        }
    }
    people.sort();
    people.dedup();
    let any = u32::try_from(any).unwrap_or(1);
    if fields.reading() && !people.is_empty() && (any as usize) > people.len() {
        let span = fields.span();
        let message = format!("{any} people must say yes, and there are only {}", people.len());
        fields.problems().error(Code("SW1033"), span, message);
    }
    Some(Approvers { any, of: people })
}

impl Decoder<'_> {
    /// Decodes a list of steps of one part.
    pub(super) fn part(&mut self, branches: Vec<Branch>, part: Part) -> Vec<Node> {
        branches.into_iter().filter_map(|branch| self.branch(branch, part, &Handed::default())).collect()
    }

    fn branch(&mut self, branch: Branch, part: Part, handed: &Handed) -> Option<Node> {
        // The group that `each` makes says nothing of its own.
        let stamped = branch.value.entries().is_empty();
        self.known.constants = branch.scope.constants.clone();
        match branch.kind {
            BranchKind::Leaf => self.leaf(&branch, part, handed).map(|step| Node::Step(Box::new(step))),
            BranchKind::Sequence(children) => {
                let handed = if stamped {
                    handed.clone()
                } else {
                    self.group(&branch.value, &branch.id, &branch.scope, handed)
                };
                let children = children.into_iter().filter_map(|c| self.branch(c, part, &handed)).collect();
                Some(Node::Sequence { id: Some(branch.id), children })
            }
            BranchKind::Parallel { max, children } => {
                let mut handed = if stamped {
                    handed.clone()
                } else {
                    self.group(&branch.value, &branch.id, &branch.scope, handed)
                };
                handed.in_parallel |= children.len() > 1;
                let children = children.into_iter().filter_map(|c| self.branch(c, part, &handed)).collect();
                Some(Node::Parallel { id: branch.id, max, children })
            }
        }
    }

    /// What a group hands down to its children.
    fn group(&mut self, value: &Value, id: &StepId, scope: &super::fill::Scope, handed: &Handed) -> Handed {
        let mut handed = handed.clone();
        let filled = self.filled(value, scope);
        let mut fields = Fields::new(&filled, self.known, self.problems);
        let common = common(&mut fields);
        fields.finish();
        for key in ["uses", "with", "timeout", "retry", "undo", "reversibility", "on"] {
            // What stands beside `uses` was reported with it.
            if let Some(misplaced) = value.get(key).filter(|_| key != "uses") {
                let message = format!("`{key}` belongs to a step, not to a group of steps");
                self.problems.error(SHAPE, misplaced.span, message).help("state it on the steps inside");
            }
        }
        if value.get("parallel").is_none() && value.get("each").is_none() {
            self.no_max(value);
        }
        handed.on_failure = common.on_failure.or(handed.on_failure);
        self.when(value, id, scope, handed)
    }

    fn no_max(&mut self, value: &Value) {
        if let Some(max) = value.get("max") {
            self.problems.error(SHAPE, max.span, "`max` bounds a `parallel` or an `each`, and there is none");
        }
    }

    /// The mapping of a step with its holes filled, without what is read elsewhere.
    fn filled(&mut self, value: &Value, scope: &super::fill::Scope) -> Value {
        let elsewhere = ["when", "each", "as", "max", "parallel", "sequence", "include"];
        let entries = value.entries().iter().filter(|(key, _)| !elsewhere.contains(&&*key.name)).cloned();
        let own = Value { span: value.span, data: crate::plan::Data::Map(entries.collect()) };
        self.filler.fill(&own, scope, self.known, self.sources, self.problems)
    }

    /// Adds the step's own condition to those of the groups around it.
    fn when(&mut self, value: &Value, id: &StepId, scope: &super::fill::Scope, mut handed: Handed) -> Handed {
        let Some(when) = value.get("when") else { return handed };
        let Some(text) = when.as_text().filter(|text| !text.contains("${{")) else {
            self.problems
                .error(Code("SW1012"), when.span, "`when` is a condition, written without `${{ }}`")
                .help("name the values directly: `when: params.migrate`");
            return handed;
        };
        let compile = |source: &str| Expr::compile(source, &["steps", "run"], scope.constants.clone());
        let mut source = text.to_string();
        let expr = match compile(&source) {
            Ok(expr) => expr,
            Err(error) => {
                self.problems.error(Code("SW1012"), when.span, error.to_string());
                return handed;
            }
        };
        for path in expr.paths() {
            if let [root, name, ..] = &path[..]
                && root == "steps"
            {
                let step = scope.names.rename(name, &mut source);
                self.reads.push((id.clone(), step, when.span));
            }
        }
        let expr = compile(&source).unwrap_or(expr);
        let known = |path: &Vec<String>| path.get(1).is_none_or(|name| !scope.missing.contains(name));
        if let Some(Err(error)) = expr.constant().filter(|_| expr.paths().iter().all(known)) {
            self.problems.error(Code("SW1012"), when.span, error.to_string());
        }
        handed.when = Some(match handed.when {
            Some(outer) => expr.within(outer),
            None => expr,
        });
        handed
    }

    fn leaf(&mut self, branch: &Branch, part: Part, handed: &Handed) -> Option<Step> {
        let (id, scope) = (&branch.id, &branch.scope);
        let filled = self.filled(&branch.value, scope);
        let mut fields = Fields::new(&filled, self.known, self.problems);
        let mut common = common(&mut fields);
        let (uses_span, undo_span) = (fields.span_of("uses"), fields.span_of("undo"));
        let undo_uses_span =
            filled.get("undo").and_then(|undo| undo.get("uses")).map_or(undo_span, |v| v.span);
        fields.finish();
        if branch.value.get("each").is_none() {
            self.no_max(&branch.value);
        }
        let handed = self.when(&branch.value, id, scope, handed.clone());
        let when = self.endings(common.on.take(), part, &filled, scope, handed.when);
        let mut facts = Facts {
            traits: StepTraits::default(),
            undo_traits: StepTraits::default(),
            uses_span: if common.uses.is_some() { uses_span } else { branch.span },
            undo_span,
            broken: false,
            in_parallel: handed.in_parallel,
        };
        let undo = self.undo(common.undo.take(), undo_uses_span, scope, &mut facts);
        let kind = self.kind(&common, &filled, undo.as_ref(), branch.span, scope, &mut facts);
        for (step, span) in self.filler.reads.drain(..).chain(self.known.read_steps.borrow_mut().drain(..)) {
            self.reads.push((id.clone(), step, span));
        }
        let writes = facts.traits.data;
        self.facts.insert(id.clone(), facts);
        Some(Step {
            id: id.clone(),
            summary: common.summary,
            span: branch.span,
            kind: kind?,
            needs: Vec::new(),
            path: Vec::new(),
            part,
            when,
            timeout: common.timeout,
            retry: common.retry.unwrap_or(Retry::NEVER),
            on_failure: common.on_failure.or(handed.on_failure).unwrap_or(self.on_failure),
            undo: undo.unwrap_or(Undo::Own),
            reversibility: common.reversibility.unwrap_or(Reversibility::Reversible),
            writes,
        })
    }

    /// `on: [completed]` of a step in `finally`, as a condition.
    fn endings(
        &mut self,
        on: Option<Vec<&'static str>>,
        part: Part,
        filled: &Value,
        scope: &super::fill::Scope,
        when: Option<Expr>,
    ) -> Option<Expr> {
        let Some(on) = on else { return when };
        if part != Part::Finally {
            let span = filled.get("on").map_or(filled.span, |on| on.span);
            self.problems.error(SHAPE, span, "`on` belongs to the steps of `finally`");
            return when;
        }
        let quoted: Vec<String> = on.iter().map(|ending| format!("'{ending}'")).collect();
        let source = format!("run.ending in [{}]", quoted.join(", "));
        let expr = Expr::compile(&source, &["run"], scope.constants.clone()).ok()?;
        Some(match when {
            Some(when) => when.within(expr),
            None => expr,
        })
    }

    fn undo(
        &mut self,
        undoing: Option<Undoing>,
        uses_span: Span,
        scope: &super::fill::Scope,
        facts: &mut Facts,
    ) -> Option<Undo> {
        let undoing = undoing?;
        if let Some(reason) = undoing.keep {
            return Some(Undo::Keep(reason));
        }
        let uses = undoing.uses?;
        if BUILT_IN.iter().any(|(name, _)| **name == *uses) {
            self.problems.error(UNDO, uses_span, format!("`{uses}` undoes nothing"));
            return None;
        }
        let with = undoing.with.unwrap_or_else(|| empty(uses_span));
        match self.check(&uses, uses_span, &with) {
            Some(traits) => facts.undo_traits = traits,
            None => facts.broken = true,
        }
        Some(Undo::By(Use { kind: uses, with, constants: scope.constants.clone() }))
    }

    fn kind(
        &mut self,
        common: &Common,
        filled: &Value,
        undo: Option<&Undo>,
        id_span: Span,
        scope: &super::fill::Scope,
        facts: &mut Facts,
    ) -> Option<Kind> {
        let with = common.with.clone().unwrap_or_else(|| empty(facts.uses_span));
        let Some(uses) = &common.uses else {
            if let Some(with) = filled.get("with") {
                self.problems.error(
                    SHAPE,
                    with.span,
                    "`with` tells a kind of step something, and there is no `uses`",
                );
            }
            return match undo {
                Some(Undo::By(_)) => Some(Kind::Act(None)),
                // What is wrong with it was said.
                _ if filled.get("undo").is_some_and(|undo| undo.get("uses").is_some()) => None,
                _ => {
                    self.problems
                        .error(SHAPE, id_span, "this step does nothing")
                        .help("give it `uses`, a group of steps, or an `undo` with `uses` of its own");
                    None
                }
            };
        };
        let built_in = BUILT_IN.iter().any(|(name, _)| **name == **uses);
        for key in ["timeout", "retry", "undo", "reversibility"].iter().filter(|_| built_in) {
            if let Some(value) = filled.get(key) {
                self.problems.error(UNDO, value.span, format!("`{key}` has no meaning for `{uses}`"));
            }
        }
        match &**uses {
            "approve" => {
                let mut fields = Fields::new(&with, self.known, self.problems);
                let approval = approval(&mut fields);
                fields.finish();
                approval.map(Kind::Approve)
            }
            "checkpoint" => {
                Fields::new(&with, self.known, self.problems).finish();
                Some(Kind::Checkpoint)
            }
            _ => {
                match self.check(uses, facts.uses_span, &with) {
                    Some(traits) => facts.traits = traits,
                    None => facts.broken = true,
                }
                Some(Kind::Act(Some(Use { kind: uses.clone(), with, constants: scope.constants.clone() })))
            }
        }
    }

    /// Has the kind read its `with`.
    fn check(&mut self, uses: &str, span: Span, with: &Value) -> Option<StepTraits> {
        if known_kind("kind of step", uses, span, self.actions, BUILT_IN, self.problems) {
            let mut fields = Fields::new(with, self.known, self.problems);
            return self.actions.check(uses, &mut fields);
        }
        None
    }
}

pub(super) fn empty(span: Span) -> Value {
    Value { span, data: crate::plan::Data::Map(Vec::new()) }
}

/// Whether there is such a kind; says so where there is not.
pub(super) fn known_kind(
    what: &str,
    uses: &str,
    span: Span,
    kinds: &dyn Kinds,
    built_in: &[(&str, &str)],
    problems: &mut Problems,
) -> bool {
    if kinds.names().contains(&uses) {
        return true;
    }
    if let Some((_, about)) = kinds.not_yet().into_iter().find(|(name, _)| *name == uses) {
        problems.error(Code("SW1021"), span, format!("`{uses}` is not there yet: {about}"));
        return false;
    }
    let problem = problems.error(Code("SW1020"), span, format!("there is no {what} `{uses}`"));
    let built_in = built_in.iter().map(|(name, _)| *name);
    let candidates: Vec<&str> = kinds.names().into_iter().chain(built_in).collect();
    match nearest(uses, &candidates) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("there are {}", candidates.join(", "))),
    };
    false
}
