//! Reading a mapping field by field, collecting every mistake. The same code, run without a value, describes the
//! fields: that is where the JSON Schema, the list of known keys and the documentation come from.

use super::{Code, Problems, Shape, Span, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What expressions may name that is known when the plan is read: `params` and, inside `each`, `item`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constants(pub BTreeMap<String, Arc<Json>>);

impl Constants {
    /// The value of a name, such as `params`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name).map(AsRef::as_ref)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.0.keys().cloned()
    }
}

/// What a plan defines, so that references to it can be checked where they stand.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values of `params` and `item`.
    pub constants: Arc<Constants>,
    /// Named connections.
    pub targets: Vec<Arc<super::Target>>,
    /// Names of the secrets.
    pub secrets: Vec<Arc<str>>,
    /// Ids of all steps.
    pub steps: Vec<Arc<str>>,
    /// Groups of people, with who is in them.
    pub groups: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Targets that were named so far: the others are unused.
    pub used_targets: std::cell::RefCell<std::collections::BTreeSet<Arc<str>>>,
    /// Steps whose answers conditions read, and where: they must come before. Whoever reads the plan drains it.
    pub read_steps: std::cell::RefCell<Vec<(Arc<str>, Span)>>,
    /// Steps that have to lead a name elsewhere, for somebody goes by what they answer, and where that is said.
    pub switching_steps: std::cell::RefCell<Vec<(Arc<str>, Span)>>,
    /// `production: true`.
    pub production: bool,
}

impl Known {
    /// Somebody goes by what this step answers: it must have led a name elsewhere, and come before.
    pub fn goes_by_switch(&self, step: &Arc<str>, span: Span) {
        self.read_steps.borrow_mut().push((step.clone(), span));
        self.switching_steps.borrow_mut().push((step.clone(), span));
    }
}

/// What the lints and the lowering need to know of a step's action, without knowing the action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepTraits {
    /// It changes the world.
    pub writes: bool,
    /// It can restore what was there.
    pub has_undo: bool,
    /// It moves users from one side to the other.
    pub switches: bool,
    /// It does so by a name, whose answer they keep for a time that can be lowered.
    pub by_name: bool,
    /// Some of them stay on the side that it leaves: until they forget an answer, and close a connection.
    pub lingers: bool,
    /// It waits until a side has almost no traffic any more, by measurement.
    pub drains: bool,
    /// It answers what it has led elsewhere, where that led before, and until when somebody may be told so.
    pub tells_switch: bool,
    /// To what it lowers how long resolvers keep an answer.
    pub lowers_ttl: Option<Duration>,
    /// For how long resolvers may keep what it puts there, where that does not go by what was there.
    pub gives_ttl: Option<Duration>,
    /// The same, where the plan says so and could leave it out.
    pub states_ttl: Option<Duration>,
    /// Things it writes, as `kind:target/name`: two steps of one plan, or two runs, must not write the same at once.
    pub resources: Vec<String>,
    /// Things that it reads and goes by until it is undone, as `resources` calls them: nobody may change them meanwhile.
    pub goes_by: Vec<String>,
    /// What it changes should be so only for as long as the run lasts: a step of `finally` gives it back.
    pub lent: bool,
    /// The step whose change it gives back.
    pub gives_back: Option<Arc<str>>,
    /// What becomes of data written to the new side when users go back, where `with.writes` says so.
    pub data: Option<super::Writes>,
    /// What its undo takes until new lookups reach the prior side, where it knows.
    pub undo_reaches: Option<Duration>,
}

/// The kinds of steps and signals there are: what `doc` needs of `action` without knowing it.
pub trait Kinds {
    /// Their names, for `uses`.
    fn names(&self) -> Vec<&'static str>;
    /// Kinds of the language that this build does not have yet, with what they are for.
    fn not_yet(&self) -> Vec<(&'static str, &'static str)>;
    /// Reads `with`, collecting problems; `None` if there were errors. `uses` is one of [`Kinds::names`].
    fn check(&self, uses: &str, fields: &mut Fields<'_>) -> Option<StepTraits>;
    /// What a kind is for, in one line.
    fn summary(&self, uses: &str) -> &'static str;
    /// What a kind costs and how soon it tells, for people; empty where there is nothing to say.
    fn costs(&self, _uses: &str) -> &'static str {
        ""
    }
}

/// A mapping being read, or described.
pub struct Fields<'a> {
    value: Option<&'a Value>,
    span: Span,
    known: &'a Known,
    problems: &'a mut Problems,
    seen: Vec<Seen>,
}

/// A field that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    name: &'static str,
    required: bool,
    schema: Json,
    about: &'static str,
}

impl<'a> Fields<'a> {
    /// Reads `value`, which should be a mapping.
    pub fn new(value: &'a Value, known: &'a Known, problems: &'a mut Problems) -> Self {
        Self { value: Some(value), span: value.span, known, problems, seen: Vec::new() }
    }

    /// Describes instead: every field is asked for and none is there.
    pub fn describing(known: &'a Known, problems: &'a mut Problems) -> Self {
        Self { value: None, span: Span::default(), known, problems, seen: Vec::new() }
    }

    /// What the plan defines.
    #[must_use]
    pub fn known(&self) -> &'a Known {
        self.known
    }

    /// Where the mapping stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where a field stands, or the mapping where it does not.
    #[must_use]
    pub fn span_of(&self, name: &str) -> Span {
        self.value.and_then(|v| v.get(name)).map_or(self.span, |v| v.span)
    }

    /// Whether a field is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.value.is_some_and(|v| v.get(name).is_some())
    }

    /// Whether this reads a plan, rather than describing a kind.
    #[must_use]
    pub fn reading(&self) -> bool {
        self.value.is_some()
    }

    /// Reports something wrong that no single field shows.
    pub fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    fn ask<S: Shape>(&mut self, name: &'static str, required: bool, shape: &S, about: &'static str) {
        let schema = if self.reading() { Json::Null } else { shape.schema() };
        self.seen.push(Seen { name, required, schema, about });
    }

    /// A field that must be there.
    pub fn required<S: Shape>(
        &mut self,
        name: &'static str,
        shape: S,
        about: &'static str,
    ) -> Option<S::Out> {
        self.ask(name, true, &shape, about);
        let value = self.value?;
        match value.get(name) {
            Some(value) => shape.read(value, self.known, self.problems),
            None => {
                if matches!(value.data, super::Data::Map(_)) {
                    self.problems
                        .error(Code("SW1004"), self.span, format!("`{name}` is missing"))
                        .help(about);
                }
                None
            }
        }
    }

    /// A field that may be absent. A bad value is reported and reads as absent.
    pub fn optional<S: Shape>(
        &mut self,
        name: &'static str,
        shape: S,
        about: &'static str,
    ) -> Option<S::Out> {
        self.ask(name, false, &shape, about);
        let value = self.value?.get(name)?;
        shape.read(value, self.known, self.problems)
    }

    /// A field with a default.
    pub fn or<S: Shape>(
        &mut self,
        name: &'static str,
        shape: S,
        default: S::Out,
        about: &'static str,
    ) -> S::Out {
        self.optional(name, shape, about).unwrap_or(default)
    }

    /// Reports keys that nobody asked for, with the nearest that exists. Call it last.
    pub fn finish(&mut self) {
        let Some(value) = self.value else { return };
        if !matches!(value.data, super::Data::Map(_)) {
            let found = value.describe();
            self.problems.error(Code("SW1002"), value.span, format!("expected a mapping, found {found}"));
            return;
        }
        let names: Vec<&str> = self.seen.iter().map(|seen| seen.name).collect();
        let mut unknown = value.entries().iter().filter(|(key, _)| !names.contains(&&*key.name));
        for (key, _) in unknown.by_ref().take(MOST_UNKNOWN) {
            let message = format!("unknown key `{}`", key.name);
            let problem = self.problems.error(Code("SW1003"), key.span, message);
            match nearest(&key.name, &names) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None if &*key.name == "<<" => {
                    problem.help("YAML 1.2 has no merge keys; repeat the keys, or use `each` with `params`")
                }
                None => problem.help(format!("known here: {}", names.join(", "))),
            };
        }
        if let Some((key, _)) = unknown.next() {
            let message = format!("and {} more unknown keys in this mapping", unknown.count() + 1);
            self.problems.error(Code("SW1003"), key.span, message);
        }
    }

    /// The JSON Schema of the fields asked for so far.
    #[must_use]
    pub fn schema(&self) -> Json {
        let mut properties = serde_json::Map::new();
        for seen in &self.seen {
            let mut schema = seen.schema.clone();
            if let Json::Object(entries) = &mut schema {
                entries.insert("description".into(), seen.about.into());
            }
            properties.insert(seen.name.into(), schema);
        }
        let required: Vec<&str> = self.seen.iter().filter(|s| s.required).map(|s| s.name).collect();
        let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }
}

/// How many unknown keys of one mapping are named.
const MOST_UNKNOWN: usize = 20;
/// No name that anybody mistypes is longer.
const LONGEST_NAME: usize = 64;

/// The known name that is most like `name`, if one is like it at all.
#[must_use]
pub fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let distance = |candidate: &&str| strsim::damerau_levenshtein(name, candidate);
    let best = known.iter().copied().min_by_key(distance)?;
    (distance(&best) <= 1 + name.chars().count() / 5).then_some(best)
}
