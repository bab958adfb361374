//! From the tree that people write to a tree of steps with their final ids: `each` is stamped out, `include` is read.
//!
//! Nothing is decoded here beyond what shapes the tree; a step may name any other, so ids come first.

use super::fill::{Filler, Names, Scope};
use super::input::Files;
use super::{Sources, fill, params, text, yaml};
use crate::plan::{Code, Data, Fields, Known, Problems, Span, StepId, Value, value as anything};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// How many steps a plan may have once `each` is stamped out.
const MOST_STEPS: usize = 10_000;
const EACH: Code = Code("SW1027");
const INCLUDE: Code = Code("SW1026");

/// A node whose ids are final.
pub(super) struct Branch {
    pub(super) id: StepId,
    pub(super) span: Span,
    /// The mapping as it stands, its holes not filled yet.
    pub(super) value: Value,
    pub(super) scope: Scope,
    pub(super) kind: BranchKind,
}

pub(super) enum BranchKind {
    Leaf,
    Sequence(Vec<Branch>),
    Parallel { max: Option<usize>, children: Vec<Branch> },
}

/// Where a list of steps stands.
#[derive(Clone)]
struct Place {
    /// The include's id, with a slash.
    prefix: String,
    /// `[eu]`, for each `each` around it.
    suffix: String,
    scope: Scope,
    included: bool,
}

/// Stamps out trees.
pub(super) struct Expander<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) sources: &'a mut Sources,
    pub(super) problems: &'a mut Problems,
    pub(super) filler: &'a mut Filler,
    pub(super) known: &'a Known,
    /// Every id, with where it stands and what the file calls it.
    pub(super) ids: HashMap<Arc<str>, Span>,
    /// Included texts that were read already.
    read: BTreeMap<String, Option<Value>>,
    steps: usize,
}

impl<'a> Expander<'a> {
    pub(super) fn new(
        files: &'a dyn Files,
        sources: &'a mut Sources,
        problems: &'a mut Problems,
        filler: &'a mut Filler,
        known: &'a Known,
    ) -> Self {
        let (ids, read, steps) = (HashMap::new(), BTreeMap::new(), 0);
        Self { files, sources, problems, filler, known, ids, read, steps }
    }

    /// Stamps out a list of steps of the plan's own file.
    pub(super) fn list(&mut self, value: Option<&Value>, scope: &Scope) -> Vec<Branch> {
        let place =
            Place { prefix: String::new(), suffix: String::new(), scope: scope.clone(), included: false };
        value.map_or(Vec::new(), |value| self.children(value, &place))
    }

    fn children(&mut self, value: &Value, place: &Place) -> Vec<Branch> {
        let Data::List(items) = &value.data else {
            let message = format!("expected a list of steps, found {}", value.describe());
            self.problems.error(Code("SW1002"), value.span, message).help("each step begins with `- id:`");
            return Vec::new();
        };
        if items.is_empty() {
            self.problems.error(Code("SW1019"), value.span, "there are no steps in this list");
        }
        items.iter().filter_map(|item| self.step(item, place)).collect()
    }

    fn step(&mut self, value: &Value, place: &Place) -> Option<Branch> {
        if !matches!(value.data, Data::Map(_)) {
            let message = format!("expected a step, found {}", value.describe());
            self.problems.error(Code("SW1002"), value.span, message).help("a step begins with `- id:`");
            return None;
        }
        let (local, span) = self.local(value);
        match value.get("each") {
            Some(each) => Some(self.each(each, value, &local, span, place)),
            None => {
                if let Some(name) = value.get("as") {
                    self.problems.error(
                        EACH,
                        name.span,
                        "`as` names the item of an `each`, and there is none",
                    );
                }
                let id = self.id(&local, &format!("{}{local}{}", place.prefix, place.suffix), span, place);
                self.body(value, id, span, place)
            }
        }
    }

    /// What the file calls a step, and where.
    fn local(&mut self, value: &Value) -> (Arc<str>, Span) {
        let start = Span { end: value.span.start, ..value.span };
        let Some(id) = value.get("id") else {
            let place = value.entries().first().map_or(start, |(key, _)| key.span);
            self.problems
                .error(Code("SW1004"), place, "this step has no `id`")
                .help("give it a name: rollback, reports and runbooks go by it");
            return (format!("step-{}", value.span.start).into(), place);
        };
        let Some(name) = id.as_text().filter(|name| super::name::is_name(name)) else {
            let shown = id.as_text().map_or(id.describe().to_owned(), |name| format!("`{name}`"));
            self.problems
                .error(Code("SW1017"), id.span, format!("{shown} cannot be the id of a step"))
                .help("use letters, digits, - and _, begin with a letter, and stay under 64 characters");
            return (format!("step-{}", value.span.start).into(), id.span);
        };
        (name.clone(), id.span)
    }

    fn id(&mut self, local: &str, id: &str, span: Span, place: &Place) -> StepId {
        let id: Arc<str> = id.into();
        place.scope.names.add(local, &id);
        match self.ids.get(&id) {
            Some(first) => {
                let first = *first;
                self.problems
                    .error(Code("SW1018"), span, format!("`{local}` is the id of two steps"))
                    .label(first, "the first one is here");
            }
            None => {
                self.ids.insert(id.clone(), span);
            }
        }
        StepId(id)
    }

    /// A step or group that is not repeated, or one copy of one that is.
    fn body(&mut self, value: &Value, id: StepId, span: Span, place: &Place) -> Option<Branch> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            if self.steps == MOST_STEPS + 1 {
                let message = format!("more than {MOST_STEPS} steps, counting what `each` makes");
                self.problems.error(Code("SW1011"), span, message);
            }
            return None;
        }
        let parts = ["uses", "parallel", "sequence", "include"];
        let given: Vec<&(crate::plan::Key, Value)> =
            value.entries().iter().filter(|(key, _)| parts.contains(&&*key.name)).collect();
        if let [(first, _), (second, _), ..] = &given[..] {
            self.problems
                .error(
                    Code("SW1019"),
                    second.span,
                    format!("a step has `{}` or `{}`, not both", first.name, second.name),
                )
                .label(first.span, "the first one is here");
        }
        let kind = match given.first().map(|(key, child)| (&*key.name, child)) {
            Some(("parallel", children)) => {
                let max = self.max(value, place);
                BranchKind::Parallel { max, children: self.children(children, place) }
            }
            Some(("sequence", children)) => BranchKind::Sequence(self.children(children, place)),
            Some(("include", include)) => BranchKind::Sequence(self.include(include, &id, place)),
            _ => BranchKind::Leaf,
        };
        Some(Branch { id, span, value: value.clone(), scope: place.scope.clone(), kind })
    }

    fn fill(&mut self, value: &Value, scope: &Scope) -> Value {
        self.filler.fill(value, scope, self.known, self.sources, self.problems)
    }

    fn max(&mut self, value: &Value, place: &Place) -> Option<usize> {
        let max = self.fill(value.get("max")?, &place.scope);
        match max.data {
            Data::Integer(max @ 1..=1000) => usize::try_from(max).ok(),
            _ => {
                self.problems.error(Code("SW1006"), max.span, "`max` is a whole number from 1 to 1000");
                None
            }
        }
    }

    /// One copy of a step for each item, together unless `max: 1`.
    fn each(&mut self, each: &Value, value: &Value, local: &Arc<str>, span: Span, place: &Place) -> Branch {
        let id = self.id(local, &format!("{}{local}{}", place.prefix, place.suffix), span, place);
        let name = self.item_name(value, place);
        let items = self.items(each, place);
        let max = self.max(value, place);
        let mut children = Vec::new();
        for (key, item) in items {
            let names = Names::inside(&place.scope.names);
            let mut constants = (*place.scope.constants).clone();
            constants.0.insert(name.clone(), Arc::new(item));
            let scope = Scope { constants: Arc::new(constants), names, ..place.scope.clone() };
            let suffix = format!("{}[{key}]", place.suffix);
            let copy = Place { suffix, scope, ..place.clone() };
            let id = self.id(local, &format!("{}{local}{}", copy.prefix, copy.suffix), span, &copy);
            // `max` bounds the copies; a group of its own inside has none.
            let own: Vec<(crate::plan::Key, Value)> =
                value.entries().iter().filter(|(key, _)| &*key.name != "max").cloned().collect();
            let value = Value { span: value.span, data: Data::Map(own) };
            children.extend(self.body(&value, id, span, &copy));
        }
        let kind = match max {
            Some(1) => BranchKind::Sequence(children),
            max => BranchKind::Parallel { max, children },
        };
        // The group says nothing of its own: conditions and the like belong to the copies.
        let value = Value { span: value.span, data: Data::Map(Vec::new()) };
        Branch { id, span, value, scope: place.scope.clone(), kind }
    }

    fn item_name(&mut self, value: &Value, place: &Place) -> String {
        let Some(name) = value.get("as") else { return "item".into() };
        let taken = ["params", "secrets", "steps", "captures", "run", "true", "false", "null", "in"];
        match name.as_text() {
            Some(text) if super::name::is_word(text) && !taken.contains(&&**text) => {
                if &**text != "item" && place.scope.constants.get(text).is_some() {
                    let message = format!("`{text}` is the item of the `each` around this one already");
                    self.problems.error(EACH, name.span, message);
                }
                text.to_string()
            }
            _ => {
                self.problems
                    .error(Code("SW1017"), name.span, "this cannot be the name of an item")
                    .help("use a-z, 0-9 and _; params, secrets, steps, captures and run are taken");
                "item".into()
            }
        }
    }

    /// The items, with what they are called.
    fn items(&mut self, each: &Value, place: &Place) -> Vec<(String, Json)> {
        let value = self.fill(each, &place.scope);
        let items: Vec<(Option<String>, Json)> = match &value.data {
            Data::List(items) => items.iter().map(Value::to_json).map(|item| (key_of(&item), item)).collect(),
            Data::Map(entries) => entries.iter().map(|(key, value)| named_item(&key.name, value)).collect(),
            _ => {
                let message = format!("`each` goes over a list or a mapping, not {}", value.describe());
                self.problems.error(EACH, each.span, message);
                return Vec::new();
            }
        };
        let mut found: Vec<(String, Json)> = Vec::new();
        for (number, (key, item)) in items.into_iter().enumerate() {
            let Some(key) = key.filter(|key| super::name::is_item(key)) else {
                self.problems
                    .error(EACH, each.span, format!("item {} has nothing to be called by", number + 1))
                    .help("an item is a short text, or a mapping with an `id`");
                continue;
            };
            if found.iter().any(|(known, _)| *known == key) {
                self.problems.error(EACH, each.span, format!("two items are called `{key}`"));
                continue;
            }
            found.push((key, item));
        }
        found
    }

    /// The steps of another file, read with params of its own.
    fn include(&mut self, value: &Value, id: &StepId, place: &Place) -> Vec<Branch> {
        if place.included {
            self.problems
                .error(INCLUDE, value.span, "an included plan cannot include another")
                .help("one level keeps a plan readable; include both from the plan itself");
            return Vec::new();
        }
        let filled = self.fill(value, &place.scope);
        let mut fields = Fields::new(&filled, self.known, self.problems);
        let include = include(&mut fields);
        fields.finish();
        let (Some(path), passed) = include else { return Vec::new() };
        let path_span = filled.get("plan").map_or(filled.span, |plan| plan.span);
        let Some(root) = self.included(&path, path_span) else { return Vec::new() };
        let known = Known::default();
        let mut fields = Fields::new(&root, &known, self.problems);
        let (declared, steps) = included(&mut fields);
        fields.finish();
        let declared = params::declared(declared.as_ref(), self.problems);
        let mut values = params::passed(&declared, passed.as_ref(), value.span, self.problems);
        // A value that hangs on a missing param of ours is as good as missing.
        for (key, value) in passed.as_ref().map_or(&[][..], Value::entries) {
            if self.filler.poisoned.contains(&value.span) {
                values.missing.insert(key.name.to_string());
            }
        }
        let scope = Scope {
            constants: fill::constants(&values.effective),
            missing: Rc::new(values.missing),
            names: Rc::default(),
        };
        let prefix = format!("{}/", id.0);
        let inside = Place { prefix, suffix: String::new(), scope, included: true };
        steps.map_or(Vec::new(), |steps| self.children(&steps, &inside))
    }

    fn included(&mut self, path: &str, span: Span) -> Option<Value> {
        if let Some(read) = self.read.get(path) {
            return read.clone();
        }
        let read = match self.files.read(path) {
            Ok(bytes) => text::take(path, &bytes, true, self.sources, self.problems).and_then(|file| {
                let text = self.sources.get(file).map_or(String::new(), |source| source.text.clone());
                yaml::parse(&text, file, self.problems)
            }),
            Err(reason) => {
                self.problems.error(INCLUDE, span, format!("`{path}` cannot be read: {reason}"));
                None
            }
        };
        self.read.insert(path.to_owned(), read.clone());
        read
    }
}

/// Asks for the fields of an `include`.
pub(super) fn include(fields: &mut Fields<'_>) -> (Option<Arc<str>>, Option<Value>) {
    let path = fields.required(
        "plan",
        crate::plan::text(),
        "the file, relative to this one; it holds params and steps",
    );
    let params = fields.optional("params", anything(), "values for its params");
    (path, params)
}

/// Asks for what an included file holds.
fn included(fields: &mut Fields<'_>) -> (Option<Value>, Option<Value>) {
    fields.optional("switchover", anything(), "the version of the language");
    fields.optional("summary", crate::plan::text(), "what it is for");
    let params = fields.optional("params", anything(), "its params");
    (params, fields.required("steps", anything(), "its steps"))
}

/// What an item of a list is called: its `id`, or itself.
fn key_of(item: &Json) -> Option<String> {
    match item {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Object(entries) => entries.get("id").filter(|id| !id.is_object()).and_then(key_of),
        _ => None,
    }
}

/// An entry of a mapping as an item: its key is its `id`.
fn named_item(key: &str, value: &Value) -> (Option<String>, Json) {
    let item = match value.to_json() {
        Json::Object(mut entries) => {
            entries.insert("id".into(), key.into());
            Json::Object(entries)
        }
        other => json!({"id": key, "value": other}),
    };
    (Some(key.to_owned()), item)
}
