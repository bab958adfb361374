//! Reading a plan from text to the end: every problem of the text in one go.

use super::expand::Expander;
use super::fill::{self, Filler, Names, Scope};
use super::rules::{self, Before, Rules};
use super::step::{self, Decoder};
use super::{Files, Inputs, Sources, header, lint, params, text, yaml};
use crate::plan::{
    Code, Data, Fields, Guard, Key, Kinds, Known, OnBreach, Part, Plan, Policy, Problem, Problems, Span, Use,
    Value, boolean, lower, one_of, text as words, value as anything,
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

/// What came of reading a plan.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The plan, if nothing is wrong with it.
    pub plan: Option<Plan>,
    /// Everything wrong, and every lint, in the order of the text.
    pub problems: Vec<Problem>,
    /// The texts that problems point into.
    pub sources: Sources,
    /// SHA-256 of the plan's text and of what it includes, in hex. Without includes it is the file's own.
    pub digest: String,
    /// SHA-256 of the effective params, in hex.
    pub params_digest: String,
    /// The effective params: what to keep with a run, and to give when it is read again.
    pub params: BTreeMap<String, Json>,
}

/// Reads a plan. `name` is shown in messages; includes are found by `files`.
pub fn read(
    name: &str,
    text: &[u8],
    files: &dyn Files,
    inputs: &Inputs,
    actions: &dyn Kinds,
    signals: &dyn Kinds,
) -> Reading {
    let mut reader = Reader {
        files,
        inputs,
        actions,
        signals,
        sources: Sources::default(),
        problems: Problems::default(),
        filler: Filler::default(),
        values: params::Values::default(),
    };
    let plan = reader.plan(name, text);
    let Reader { sources, problems, filler, values, .. } = reader;
    // A text without its value has no shape; what was found inside the text itself stands.
    let inside = [fill::HOLE, Code("SW1009"), Code("SW1024"), Code("SW1025")];
    let poisoned =
        |problem: &Problem| filler.poisoned.contains(&problem.span) && !inside.contains(&problem.code);
    let refuse = problems.refuse();
    let mut problems = problems.sorted();
    problems.retain(|problem| !poisoned(problem));
    let digest = digest(text, &sources);
    let params_digest = hex(&Sha256::digest(canonical(&values.effective).as_bytes()));
    let plan = plan.filter(|_| !refuse);
    Reading { plan, problems, sources, digest, params_digest, params: values.effective }
}

struct Reader<'a> {
    files: &'a dyn Files,
    inputs: &'a Inputs,
    actions: &'a dyn Kinds,
    signals: &'a dyn Kinds,
    sources: Sources,
    problems: Problems,
    filler: Filler,
    values: params::Values,
}

/// The top level as it stands.
#[derive(Default)]
pub(super) struct Top {
    version: Option<Value>,
    name: Option<Value>,
    summary: Option<Value>,
    owner: Option<Value>,
    production: Option<Value>,
    params: Option<Value>,
    secrets: Option<Value>,
    people: Option<Value>,
    targets: Option<Value>,
    policy: Option<Value>,
    guards: Option<Value>,
    prepare: Option<Value>,
    steps: Option<Value>,
    finally: Option<Value>,
}

/// Keys that the language has and this build does not act on yet.
pub(super) const NOT_YET: &[(&str, &str)] = &[
    ("readiness", "gates that must pass before the first write"),
    ("measures", "times measured between steps"),
    ("notify", "messages to people and their tools"),
];

/// Asks for the keys of the top level.
pub(super) fn top(fields: &mut Fields<'_>) -> Top {
    let top = Top {
        version: fields.required("switchover", anything(), "the version of the language: v1"),
        name: fields.required("name", anything(), "the plan's name"),
        summary: fields.optional("summary", anything(), "what it is for"),
        owner: fields.optional("owner", anything(), "whom to ask"),
        production: fields.optional(
            "production",
            anything(),
            "typed confirmation, approvals by somebody else, and a lock in the zones of the records that are written",
        ),
        params: fields.optional("params", anything(), "what differs from one environment to the next"),
        secrets: fields.optional("secrets", anything(), "where secrets come from"),
        people: fields.optional("people", anything(), "groups of people"),
        targets: fields.optional("targets", anything(), "named connections"),
        policy: fields.optional("policy", anything(), "rules of the whole run"),
        guards: fields.optional("guards", anything(), "signals that hold over the run"),
        prepare: fields.optional("prepare", anything(), "steps that may be done ahead"),
        steps: fields.required("steps", anything(), "the steps, each after the one before"),
        finally: fields.optional("finally", anything(), "steps after every ending"),
    };
    for (key, about) in NOT_YET {
        if fields.optional(key, anything(), about).is_some() {
            let span = fields.span_of(key);
            let problem =
                fields.problems().error(Code("SW1021"), span, format!("`{key}` is not there yet: {about}"));
            problem.help("remove it: a run would go on without it, and nobody would notice");
        }
    }
    top
}

impl Reader<'_> {
    fn plan(&mut self, name: &str, bytes: &[u8]) -> Option<Plan> {
        let file = text::take(name, bytes, true, &mut self.sources, &mut self.problems)?;
        let content = self.sources.get(file).map_or(String::new(), |source| source.text.clone());
        let root = yaml::parse(&content, file, &mut self.problems)?;
        let nothing = Known::default();
        let mut fields = Fields::new(&root, &nothing, &mut self.problems);
        let top = top(&mut fields);
        fields.finish();
        self.version(top.version.as_ref());
        let declared = params::declared(top.params.as_ref(), &mut self.problems);
        self.values = params::values(&declared, self.inputs, &mut self.sources, &mut self.problems);
        let scope = Scope {
            constants: fill::constants(&self.values.effective),
            missing: Rc::new(self.values.missing.clone()),
            names: Rc::<Names>::default(),
        };
        let mut known = Known { constants: scope.constants.clone(), ..Known::default() };
        let secret_spans = spans(top.secrets.as_ref());
        known.secrets = secret_spans.iter().map(|(name, _)| name.clone()).collect();
        let secrets = self.filled(top.secrets.as_ref(), &scope, &known);
        let secrets = header::secrets(secrets.as_ref(), &known, &mut self.problems);
        known.production = self.one(top.production.as_ref(), &scope, &known, boolean()).unwrap_or(false);
        let people = self.filled(top.people.as_ref(), &scope, &known);
        let people = header::people(people.as_ref(), &known, &mut self.problems);
        known.groups.clone_from(&people);
        let targets = self.filled(top.targets.as_ref(), &scope, &known);
        let targets = header::targets(targets.as_ref(), &mut known, &mut self.problems);
        let policy = self.policy(top.policy.as_ref(), &scope, &known);
        let mut plan = Plan {
            name: self.name(top.name.as_ref()).unwrap_or_else(|| "unnamed".into()),
            summary: self.one(top.summary.as_ref(), &scope, &known, words()),
            owner: self.one(top.owner.as_ref(), &scope, &known, words()),
            production: known.production,
            steps: Vec::new(),
            pools: Vec::new(),
            guards: Vec::new(),
            targets: targets.iter().map(|(target, _)| target.clone()).collect(),
            secrets,
            people,
            policy,
        };
        self.steps(&top, &scope, &mut known, &mut plan);
        let params: Vec<(Arc<str>, Span)> = declared.iter().map(|p| (p.name.clone(), p.span)).collect();
        // Where steps are not understood, nobody knows what they use.
        if !self.problems.refuse() {
            lint::unused(&targets, &params, &secret_spans, &known, &self.sources, &mut self.problems);
        }
        Some(plan)
    }

    fn version(&mut self, value: Option<&Value>) {
        let Some(value) = value.filter(|value| value.as_text().is_none_or(|text| **text != *"v1")) else {
            return;
        };
        self.problems
            .error(Code("SW1016"), value.span, "this version of the language is not known")
            .help("write `switchover: v1`, or use a newer switchover");
    }

    fn name(&mut self, value: Option<&Value>) -> Option<Arc<str>> {
        use crate::plan::Shape;
        let value = value?;
        let name = words().read(value, &Known::default(), &mut self.problems)?;
        header::named(&name, value.span, "plan", &mut self.problems);
        Some(name)
    }

    fn filled(&mut self, value: Option<&Value>, scope: &Scope, known: &Known) -> Option<Value> {
        value.map(|value| self.filler.fill(value, scope, known, &self.sources, &mut self.problems))
    }

    fn one<S: crate::plan::Shape>(
        &mut self,
        value: Option<&Value>,
        scope: &Scope,
        known: &Known,
        shape: S,
    ) -> Option<S::Out> {
        let value = self.filled(value, scope, known)?;
        shape.read(&value, known, &mut self.problems)
    }

    fn policy(&mut self, value: Option<&Value>, scope: &Scope, known: &Known) -> Policy {
        let Some(value) = self.filled(value, scope, known) else { return Policy::default() };
        let mut fields = Fields::new(&value, known, &mut self.problems);
        let policy = header::policy(&mut fields);
        fields.finish();
        policy
    }

    /// Reads the steps and the guards, and checks them against each other.
    fn steps(&mut self, top: &Top, scope: &Scope, known: &mut Known, plan: &mut Plan) {
        let mut expander =
            Expander::new(self.files, &mut self.sources, &mut self.problems, &mut self.filler, known);
        let parts = [(&top.prepare, Part::Prepare), (&top.steps, Part::Main), (&top.finally, Part::Finally)]
            .map(|(value, part)| (expander.list(value.as_ref(), scope), part));
        let ids = std::mem::take(&mut expander.ids);
        known.steps = ids.keys().cloned().collect();
        known.steps.sort();
        let mut decoder = Decoder {
            known,
            actions: self.actions,
            sources: &self.sources,
            filler: &mut self.filler,
            problems: &mut self.problems,
            on_failure: plan.policy.on_failure,
            facts: HashMap::new(),
            reads: Vec::new(),
        };
        let [prepare, main, finally] = parts.map(|(branches, part)| decoder.part(branches, part));
        let (facts, reads) = (std::mem::take(&mut decoder.facts), std::mem::take(&mut decoder.reads));
        (plan.steps, plan.pools) = lower(&prepare, &main, &finally);
        known.constants = scope.constants.clone();
        plan.guards = self.guards(top.guards.as_ref(), scope, known, plan);
        let before = Before::of(plan);
        let mut rules = Rules { plan, facts: &facts, before: &before, problems: &mut self.problems };
        rules.check(&reads);
        rules.switching(&known.switching_steps.take());
        lint::Lints { plan, facts: &facts, before: &before, problems: &mut self.problems }.check();
        lint::unwatched_bake(plan, top.policy.as_ref(), &mut self.problems);
        lint::no_lock(plan, top.policy.as_ref(), &mut self.problems);
    }

    fn guards(&mut self, value: Option<&Value>, scope: &Scope, known: &Known, plan: &Plan) -> Vec<Guard> {
        let Some(value) = self.filled(value, scope, known) else { return Vec::new() };
        let Data::List(items) = &value.data else {
            let message = format!("expected a list of guards, found {}", value.describe());
            self.problems.error(Code("SW1002"), value.span, message);
            return Vec::new();
        };
        let mut guards: Vec<(Guard, Span)> = Vec::new();
        for item in items {
            let Some((guard, span)) = self.guard(item, scope, known, plan) else { continue };
            if let Some((_, first)) = guards.iter().find(|(known, _)| known.id == guard.id) {
                self.problems
                    .error(Code("SW1018"), span, format!("`{}` is the id of two guards", guard.id))
                    .label(*first, "the first one is here");
            }
            guards.push((guard, span));
        }
        guards.into_iter().map(|(guard, _)| guard).collect()
    }

    fn guard(&mut self, item: &Value, scope: &Scope, known: &Known, plan: &Plan) -> Option<(Guard, Span)> {
        let mut fields = Fields::new(item, known, &mut self.problems);
        let read = guard(&mut fields);
        let (id_span, uses_span) = (fields.span_of("id"), fields.span_of("uses"));
        let (from_span, until_span) = (fields.span_of("from"), fields.span_of("until"));
        fields.finish();
        let Guarded { id: Some(id), uses: Some(uses), with, condition, from, until, on_breach } = read else {
            return None;
        };
        header::named(&id, id_span, "guard", &mut self.problems);
        let with = with_condition(with.unwrap_or_else(|| step::empty(uses_span)), condition);
        if step::known_kind("kind of signal", &uses, uses_span, self.signals, &[], &mut self.problems) {
            let mut fields = Fields::new(&with, known, &mut self.problems);
            self.signals.check(&uses, &mut fields);
        }
        let uses = Use { kind: uses, with, constants: scope.constants.clone() };
        let mut guard = Guard { id, uses, span: crate::plan::GuardSpan::default(), on_breach };
        let (from, until) =
            (from.as_deref().map(|name| (name, from_span)), until.as_deref().map(|name| (name, until_span)));
        guard.span = rules::span_of_guard(plan, &guard, from, until, &mut self.problems);
        Some((guard, id_span))
    }
}

/// A guard as it stands.
pub(super) struct Guarded {
    id: Option<Arc<str>>,
    uses: Option<Arc<str>>,
    with: Option<Value>,
    condition: Vec<(Key, Value)>,
    from: Option<Arc<str>>,
    until: Option<Arc<str>>,
    on_breach: OnBreach,
}

/// When a signal is broken, and how often it is looked at: these stand beside `with`, as they do in a monitor.
pub(super) const CONDITION: &[(&str, &str)] = &[
    ("every", "between two looks; without it, as often as is worth it for this kind"),
    ("grace", "for how long it does not look yet, once it may: what a step sets off by itself settles first"),
    ("fail", "it is broken where this holds"),
    ("min_samples", "observations without which there is no evidence; without it as many as this kind needs"),
    ("breaches", "so many measurements in a row must break it"),
    ("no_evidence", "what silence means: wait, fail or pass"),
    ("patience", "how long a silence may last before it means that; with `wait` a human is asked then"),
    ("baseline", "what it is compared with"),
    ("expected", "the rate that is still fine, for `certainty`"),
];

/// A guard's signal reads its condition with the rest of its `with`.
fn with_condition(with: Value, condition: Vec<(Key, Value)>) -> Value {
    let Data::Map(mut entries) = with.data else { return with };
    entries.extend(condition);
    Value { span: with.span, data: Data::Map(entries) }
}

/// Asks for the fields of a guard.
pub(super) fn guard(fields: &mut Fields<'_>) -> Guarded {
    const ON_BREACH: &[(&str, OnBreach)] =
        &[("rollback", OnBreach::Rollback), ("pause", OnBreach::Pause), ("notify", OnBreach::Notify)];
    let mut condition = Vec::new();
    for (key, about) in CONDITION {
        if let Some(value) = fields.optional(key, anything(), about) {
            condition.push((Key { name: (*key).into(), span: value.span }, value));
        }
    }
    Guarded {
        condition,
        id: fields.required("id", words(), "its name"),
        uses: fields.required("uses", words(), "the kind of signal"),
        with: fields.optional("with", anything(), "what that kind is told"),
        from: fields.optional(
            "from",
            words(),
            "it watches once this step has begun; without it, from the first write",
        ),
        until: fields.optional(
            "until",
            words(),
            "it watches until this step has ended; without it, to the end",
        ),
        on_breach: fields.or("on_breach", one_of(ON_BREACH), OnBreach::Rollback, "what a breach does"),
    }
}

/// The keys of a mapping, with their places.
fn spans(value: Option<&Value>) -> Vec<(Arc<str>, Span)> {
    let entries = value.map_or(&[][..], Value::entries);
    entries.iter().map(|(key, _)| (key.name.clone(), key.span)).collect()
}

/// YAML has no NUL, so the pieces cannot be taken for each other.
fn digest(text: &[u8], sources: &Sources) -> String {
    let mut digest = Sha256::new();
    digest.update(text);
    for (name, text) in sources.plan().into_iter().skip(1) {
        digest.update(b"\0");
        digest.update(name.as_bytes());
        digest.update(b"\0");
        digest.update(text.as_bytes());
    }
    hex(&digest.finalize())
}

/// JSON whose keys are sorted at every depth.
fn canonical(values: &BTreeMap<String, Json>) -> String {
    fn sorted(value: &Json) -> Json {
        match value {
            Json::Array(items) => items.iter().map(sorted).collect(),
            Json::Object(entries) => {
                let entries: BTreeMap<&String, Json> = entries.iter().map(|(k, v)| (k, sorted(v))).collect();
                entries.into_iter().map(|(k, v)| (k.clone(), v)).collect()
            }
            other => other.clone(),
        }
    }
    let sorted: serde_json::Map<String, Json> = values.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
    Json::Object(sorted).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
