//! Params: what a plan declares, and the values that it is read with.

use super::input::Inputs;
use super::{Sources, scalar, text, yaml};
use crate::plan::{
    Code, Data, Expr, Fields, Known, Problems, Span, Value, list, nearest, one_of, parse_duration,
    value as anything,
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DECLARED: Code = Code("SW1022");
const GIVEN: Code = Code("SW1023");
/// The variable of a param is this and its name in capitals.
const VARIABLE: &str = "SWITCHOVER_PARAM_";

/// What a param may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Int,
    Number,
    Bool,
    Duration,
    List,
    Map,
}

const TYPES: &[(&str, Type)] = &[
    ("string", Type::Text),
    ("int", Type::Int),
    ("number", Type::Number),
    ("bool", Type::Bool),
    ("duration", Type::Duration),
    ("list", Type::List),
    ("map", Type::Map),
];

/// A declaration as it stands.
pub(super) struct Declared {
    kind: Option<Type>,
    pattern: Option<Arc<str>>,
    one_of: Option<Vec<Value>>,
    default: Option<Value>,
}

/// Asks for the fields of a declaration.
pub(super) fn declaration(fields: &mut Fields<'_>) -> Declared {
    fields.optional("summary", crate::plan::text(), "what it is for");
    Declared {
        kind: fields.required("type", one_of(TYPES), "what it holds"),
        pattern: fields.optional(
            "pattern",
            crate::plan::text(),
            "a regular expression that its text matches",
        ),
        one_of: fields.optional("enum", list(anything()), "the only values allowed"),
        default: fields.optional("default", anything(), "its value where none is given"),
    }
}

/// A declared param.
pub(super) struct Param {
    pub(super) name: Arc<str>,
    pub(super) span: Span,
    kind: Type,
    pattern: Option<Arc<str>>,
    one_of: Vec<Json>,
    default: Option<Json>,
    /// Its default does not fit, which was said.
    broken: bool,
}

/// What holds of the params while a plan is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// By name; those without a value are null.
    pub(super) effective: BTreeMap<String, Json>,
    /// Those without a value: what depends on them is not looked at.
    pub(super) missing: BTreeSet<String>,
}

/// Reads the `params` of a plan, or of what it includes.
pub(super) fn declared(value: Option<&Value>, problems: &mut Problems) -> Vec<Param> {
    let Some(value) = value else { return Vec::new() };
    if !matches!(value.data, Data::Map(_)) {
        let message = format!("expected a mapping of params, found {}", value.describe());
        problems.error(Code("SW1002"), value.span, message);
    }
    let known = Known::default();
    let mut params = Vec::new();
    for (key, value) in value.entries() {
        if !super::name::is_word(&key.name) {
            problems
                .error(Code("SW1017"), key.span, format!("`{}` cannot name a param", key.name))
                .help("use a-z, 0-9 and _, and begin with a letter");
            continue;
        }
        let mut fields = Fields::new(value, &known, problems);
        let declared = declaration(&mut fields);
        fields.finish();
        let Declared { kind: Some(kind), pattern, one_of, default } = declared else { continue };
        let mut param = Param {
            name: key.name.clone(),
            span: key.span,
            kind,
            pattern,
            one_of: one_of.iter().flatten().map(Value::to_json).collect(),
            default: None,
            broken: false,
        };
        if let Some(pattern) = &param.pattern
            && matches(pattern, "").is_err()
        {
            problems.error(DECLARED, key.span, format!("`{pattern}` is not a regular expression"));
            param.pattern = None;
        }
        if let Some(default) = default {
            match param.check(&default) {
                Ok(json) => param.default = Some(json),
                Err(message) => {
                    let message = format!("the default does not fit: {message}");
                    problems.error(DECLARED, default.span, message);
                    param.broken = true;
                }
            }
        }
        params.push(param);
    }
    params
}

impl Param {
    /// A value as this param holds it.
    fn check(&self, value: &Value) -> Result<Json, String> {
        let fits = match (self.kind, &value.data) {
            (Type::Text, Data::Text(_))
            | (Type::Int | Type::Number, Data::Integer(_))
            | (Type::Number, Data::Float(_))
            | (Type::Bool, Data::Bool(_))
            | (Type::List, Data::List(_))
            | (Type::Map, Data::Map(_)) => true,
            (Type::Duration, Data::Text(text)) => {
                parse_duration(text)?;
                true
            }
            _ => false,
        };
        if !fits {
            let quotes = matches!(
                (self.kind, &value.data),
                (Type::Text, Data::Integer(_) | Data::Float(_) | Data::Bool(_))
            );
            let hint = if quotes { " (put it in quotes)" } else { "" };
            return Err(format!("expected {}, found {}{hint}", self.kind.name(), value.describe()));
        }
        let json = value.to_json();
        if json.to_string().contains("${{") {
            return Err("a param's value cannot hold `${{`".into());
        }
        if let (Some(pattern), Some(text)) = (&self.pattern, value.as_text())
            && !matches(pattern, text)?
        {
            return Err(format!("`{text}` does not match `{pattern}`"));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&json) {
            let allowed: Vec<String> = self.one_of.iter().map(ToString::to_string).collect();
            return Err(format!("{json} is not one of {}", allowed.join(", ")));
        }
        Ok(json)
    }

    /// Text from a command line or a variable, as a value of this param's type.
    fn read(&self, text: &str, span: Span, problems: &mut Problems) -> Option<Value> {
        let data = match self.kind {
            Type::Text | Type::Duration => Data::Text(text.into()),
            Type::Int | Type::Number | Type::Bool => match scalar::plain(text) {
                Ok(data) => data,
                Err(scalar::Unfit(why)) => {
                    problems.error(GIVEN, span, format!("`{text}` {why}"));
                    return None;
                }
            },
            // Problems of the inner text point to the whole of it.
            Type::List | Type::Map => {
                let mut inner = Problems::default();
                let value = yaml::parse(text, span.file, &mut inner);
                if let Some(problem) = inner.sorted().first() {
                    problems.error(GIVEN, span, format!("this is not YAML: {}", problem.message));
                }
                return value.map(|value| Value { span, ..value });
            }
        };
        Some(Value { span, data })
    }
}

impl Type {
    fn name(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// Whether a pattern is found in a text. The engine is the one of conditions, so that both read patterns alike.
fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let expr = Expr::compile("text.matches(pattern)", &["text", "pattern"], Arc::default());
    expr.and_then(|expr| expr.holds(&[("text", text.into()), ("pattern", pattern.into())]))
        .map_err(|_| format!("`{pattern}` is not a regular expression"))
}

/// The values of the plan's params, from the weakest to the strongest.
pub(super) fn values(
    params: &[Param],
    inputs: &Inputs,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Values {
    let mut taken = Taken { params, values: BTreeMap::new(), missing: BTreeSet::new(), include: None };
    for (name, json) in &inputs.given {
        if let Some(param) = taken.find(name) {
            let text = format!("{name}={json}");
            let file = sources.add("given", &text, false);
            taken.take(param, &Value::from_json(json, after_sign(file, name, &text)), problems);
        }
    }
    for (name, bytes) in &inputs.files {
        let Some(file) = text::take(name, bytes, false, sources, problems) else { continue };
        let text = sources.get(file).map_or(String::new(), |source| source.text.clone());
        let Some(root) = yaml::parse(&text, file, problems) else { continue };
        if !matches!(root.data, Data::Map(_)) {
            problems.error(Code("SW1002"), root.span, "expected a mapping from params to values");
        }
        for (key, value) in root.entries() {
            match taken.find(&key.name) {
                Some(param) => taken.take(param, value, problems),
                None => taken.unknown(&key.name, key.span, problems),
            }
        }
    }
    let from_env = inputs.env.iter().filter_map(|(variable, value)| {
        let name = variable.strip_prefix(VARIABLE)?.to_lowercase();
        Some((variable, name, value))
    });
    for (variable, name, value) in from_env {
        taken.text(variable, &name, value, sources, problems);
    }
    for (name, value) in &inputs.set {
        taken.text("--set", name, value, sources, problems);
    }
    taken.finish(problems)
}

/// The values of an included plan's params.
pub(super) fn passed(
    params: &[Param],
    passed: Option<&Value>,
    include: Span,
    problems: &mut Problems,
) -> Values {
    let mut taken =
        Taken { params, values: BTreeMap::new(), missing: BTreeSet::new(), include: Some(include) };
    for (key, value) in passed.map_or(&[][..], Value::entries) {
        match taken.find(&key.name) {
            Some(param) => taken.take(param, value, problems),
            None => taken.unknown(&key.name, key.span, problems),
        }
    }
    taken.finish(problems)
}

fn after_sign(file: u16, name: &str, text: &str) -> Span {
    let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    Span { file, start: at(name.len() + 1), end: at(text.len()) }
}

struct Taken<'p> {
    params: &'p [Param],
    values: BTreeMap<String, Json>,
    missing: BTreeSet<String>,
    /// Where the plan that declares them is included.
    include: Option<Span>,
}

impl<'p> Taken<'p> {
    fn find(&self, name: &str) -> Option<&'p Param> {
        self.params.iter().find(|param| &*param.name == name)
    }

    fn take(&mut self, param: &Param, value: &Value, problems: &mut Problems) {
        let json = param.check(value).unwrap_or_else(|message| {
            let message = format!("param `{}`: {message}", param.name);
            problems.error(GIVEN, value.span, message).label(param.span, "declared here");
            // Wrong once is enough: what depends on it is not looked at.
            self.missing.insert(param.name.to_string());
            Json::Null
        });
        self.values.insert(param.name.to_string(), json);
    }

    fn text(
        &mut self,
        source: &str,
        name: &str,
        value: &str,
        sources: &mut Sources,
        problems: &mut Problems,
    ) {
        let text = format!("{name}={value}");
        let file = sources.add(source, &text, false);
        let span = after_sign(file, name, &text);
        match self.find(name) {
            Some(param) => {
                if let Some(value) = param.read(value, span, problems) {
                    self.take(param, &value, problems);
                }
            }
            None => self.unknown(name, Span { start: 0, end: span.start - 1, ..span }, problems),
        }
    }

    fn unknown(&self, name: &str, span: Span, problems: &mut Problems) {
        let names: Vec<&str> = self.params.iter().map(|param| &*param.name).collect();
        let problem = problems.error(GIVEN, span, format!("the plan has no param `{name}`"));
        match nearest(name, &names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => problem.help("it has no params at all"),
            None => problem.help(format!("its params: {}", names.join(", "))),
        };
    }

    fn finish(mut self, problems: &mut Problems) -> Values {
        for param in self.params {
            if self.values.contains_key(&*param.name) {
                continue;
            }
            let json = param.default.clone().unwrap_or_else(|| {
                self.missing.insert(param.name.to_string());
                if param.broken {
                    return Json::Null;
                }
                let name = &param.name;
                let variable = format!("{VARIABLE}{}", name.to_uppercase());
                let message = format!("param `{name}` has no value");
                match self.include {
                    Some(include) => problems
                        .error(GIVEN, include, message)
                        .label(param.span, "declared here, without a default"),
                    None => problems.error(GIVEN, param.span, message).help(format!(
                        "give one: `--set {name}=…`, `--params FILE` or {variable}; or a `default`"
                    )),
                };
                Json::Null
            });
            self.values.insert(param.name.to_string(), json);
        }
        Values { effective: self.values, missing: self.missing }
    }
}
