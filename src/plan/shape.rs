//! What a field may hold: how it is read, and how it is described.

use super::{Code, Data, Expr, Fields, Known, Problems, Target, Template, Value, parse_duration};
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// A shape of values.
pub trait Shape {
    /// What it reads to.
    type Out;
    /// Reads a value; reports and returns `None` if it has another shape.
    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Self::Out>;
    /// The JSON Schema for it.
    fn schema(&self) -> Json;
}

/// A shape made of a reading function and a schema.
struct Made<F, S> {
    read: F,
    schema: S,
}

impl<T, F: Fn(&Value, &Known, &mut Problems) -> Option<T>, S: Fn() -> Json> Shape for Made<F, S> {
    type Out = T;
    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<T> {
        (self.read)(value, known, problems)
    }
    fn schema(&self) -> Json {
        (self.schema)()
    }
}

fn mismatch<T>(value: &Value, expected: &str, problems: &mut Problems) -> Option<T> {
    let found = value.describe();
    let problem = problems.error(Code("SW1002"), value.span, format!("expected {expected}, found {found}"));
    match &value.data {
        Data::Integer(_) | Data::Float(_) | Data::Bool(_) if expected == "text" => {
            problem.help("put it in quotes");
        }
        Data::Text(text) if text.contains("${{") => {
            problem.help("its value is known only while the run is under way, and this must be known before");
        }
        _ => {}
    }
    None
}

/// Text without holes.
pub fn text() -> impl Shape<Out = Arc<str>> {
    Made {
        read: |value: &Value, _: &Known, problems: &mut Problems| match value.as_text() {
            Some(text) if text.contains("${{") => {
                let message = "this must be known before the run; only `params` and `item` may stand here";
                problems.error(Code("SW1012"), value.span, message);
                None
            }
            Some(text) => Some(text.clone()),
            None => mismatch(value, "text", problems),
        },
        schema: || json!({"type": "string"}),
    }
}

/// Text that may name secrets, captures and outputs of earlier steps.
pub fn template() -> impl Shape<Out = Template> {
    Made {
        read: |value: &Value, known: &Known, problems: &mut Problems| {
            let text = match &value.data {
                Data::Text(text) => text.clone(),
                Data::Integer(_) | Data::Float(_) | Data::Bool(_) => value.to_json().to_string().into(),
                _ => return mismatch(value, "text", problems),
            };
            match Template::parse(&text, &known.constants) {
                Ok(template) => Some(template),
                Err(error) => {
                    problems.error(Code("SW1012"), value.span, error.to_string());
                    None
                }
            }
        },
        schema: || json!({"type": ["string", "number", "boolean"]}),
    }
}

/// A condition that may name `names` besides the constants.
pub fn expr(names: impl Into<Vec<&'static str>>) -> impl Shape<Out = Expr> {
    let names = names.into();
    Made {
        read: move |value: &Value, known: &Known, problems: &mut Problems| {
            let Some(source) = value.as_text() else { return mismatch(value, "an expression", problems) };
            if source.contains("${{") {
                problems
                    .error(Code("SW1012"), value.span, "an expression is written without `${{ }}`")
                    .help("name the values directly: `params.x > 1`");
                return None;
            }
            match Expr::compile(source, &names, known.constants.clone()) {
                Ok(expr) => {
                    for path in expr.paths().iter().filter(|path| path[0] == "steps" && path.len() > 1) {
                        known.read_steps.borrow_mut().push((path[1].as_str().into(), value.span));
                    }
                    Some(expr)
                }
                Err(error) => {
                    problems.error(Code("SW1012"), value.span, error.to_string());
                    None
                }
            }
        },
        schema: || json!({"type": "string"}),
    }
}

/// `90s`, `5m`, `1h30m`.
pub fn duration() -> impl Shape<Out = Duration> {
    Made {
        read: |value: &Value, _: &Known, problems: &mut Problems| {
            let parsed = match &value.data {
                Data::Text(text) if text.contains("${{") => {
                    return mismatch(value, "a duration such as `90s`", problems);
                }
                Data::Text(text) => parse_duration(text),
                Data::Integer(n) => parse_duration(&n.to_string()),
                _ => return mismatch(value, "a duration such as `90s`", problems),
            };
            parsed.map_err(|message| problems.error(Code("SW1005"), value.span, message).code).ok()
        },
        schema: || json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}),
    }
}

/// A whole number within bounds.
pub fn integer(range: RangeInclusive<i64>) -> impl Shape<Out = i64> {
    let (least, most) = (*range.start(), *range.end());
    let schema = move || json!({"type": "integer", "minimum": least, "maximum": most});
    let read = move |value: &Value, _: &Known, problems: &mut Problems| match value.data {
        Data::Integer(n) if range.contains(&n) => Some(n),
        Data::Integer(n) => {
            let message = format!("{n} is not between {} and {}", range.start(), range.end());
            problems.error(Code("SW1006"), value.span, message);
            None
        }
        _ => mismatch(value, "a whole number", problems),
    };
    Made { read, schema }
}

/// A number within bounds.
pub fn number(range: RangeInclusive<f64>) -> impl Shape<Out = f64> {
    let (least, most) = (*range.start(), *range.end());
    let schema = move || json!({"type": "number", "minimum": least, "maximum": most});
    let read = move |value: &Value, _: &Known, problems: &mut Problems| {
        let n = match value.data {
            #[expect(clippy::cast_precision_loss, reason = "plans state small numbers")]
            Data::Integer(n) => n as f64,
            Data::Float(n) => n,
            _ => return mismatch(value, "a number", problems),
        };
        if range.contains(&n) {
            return Some(n);
        }
        let message = format!("{n} is not between {} and {}", range.start(), range.end());
        problems.error(Code("SW1006"), value.span, message);
        None
    };
    Made { read, schema }
}

/// `true` or `false`.
pub fn boolean() -> impl Shape<Out = bool> {
    Made {
        read: |value: &Value, _: &Known, problems: &mut Problems| match &value.data {
            Data::Bool(b) => Some(*b),
            Data::Text(text) if matches!(&**text, "yes" | "no" | "on" | "off") => {
                problems
                    .error(Code("SW1002"), value.span, format!("`{text}` is text, not true or false"))
                    .help("write `true` or `false`");
                None
            }
            _ => mismatch(value, "true or false", problems),
        },
        schema: || json!({"type": "boolean"}),
    }
}

/// One of these words.
pub fn one_of<T: Clone>(words: &'static [(&'static str, T)]) -> impl Shape<Out = T> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let schema = || {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        json!({"enum": names})
    };
    let read = move |value: &Value, _: &Known, problems: &mut Problems| {
        let Some(text) = value.as_text() else {
            return mismatch(value, &format!("one of {}", names.join(", ")), problems);
        };
        if let Some((_, known)) = words.iter().find(|(name, _)| *name == &**text) {
            return Some(known.clone());
        }
        let problem = problems.error(
            Code("SW1007"),
            value.span,
            format!("`{text}` is not one of {}", names.join(", ")),
        );
        if let Some(near) = super::nearest(text, &names) {
            problem.help(format!("did you mean `{near}`?"));
        }
        None
    };
    Made { read, schema }
}

/// A list of one shape.
pub fn list<S: Shape>(item: S) -> impl Shape<Out = Vec<S::Out>> {
    List(item)
}

struct List<S>(S);

impl<S: Shape> Shape for List<S> {
    type Out = Vec<S::Out>;
    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Vec<S::Out>> {
        let Data::List(items) = &value.data else { return mismatch(value, "a list", problems) };
        // All of them are read, so that every mistake shows.
        let read: Vec<Option<S::Out>> = items.iter().map(|i| self.0.read(i, known, problems)).collect();
        read.into_iter().collect()
    }
    fn schema(&self) -> Json {
        json!({"type": "array", "items": self.0.schema()})
    }
}

/// A mapping from any name to one shape, in the order of the file.
pub fn map<S: Shape>(item: S) -> impl Shape<Out = Vec<(Arc<str>, S::Out)>> {
    Entries(item)
}

struct Entries<S>(S);

impl<S: Shape> Shape for Entries<S> {
    type Out = Vec<(Arc<str>, S::Out)>;
    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Self::Out> {
        let Data::Map(entries) = &value.data else { return mismatch(value, "a mapping", problems) };
        let read: Vec<Option<(Arc<str>, S::Out)>> = entries
            .iter()
            .map(|(key, entry)| self.0.read(entry, known, problems).map(|out| (key.name.clone(), out)))
            .collect();
        read.into_iter().collect()
    }
    fn schema(&self) -> Json {
        json!({"type": "object", "additionalProperties": self.0.schema()})
    }
}

/// A mapping with fields of its own. `read` asks for each field; [`Fields::finish`] is called for it.
pub fn nested<T>(read: impl Fn(&mut Fields<'_>) -> Option<T> + Copy) -> impl Shape<Out = T> {
    Made {
        read: move |value: &Value, known: &Known, problems: &mut Problems| {
            let mut fields = Fields::new(value, known, problems);
            let out = read(&mut fields);
            fields.finish();
            out
        },
        schema: move || {
            let mut none = Problems::default();
            let known = Known::default();
            let mut describing = Fields::describing(&known, &mut none);
            let _ = read(&mut describing);
            describing.schema()
        },
    }
}

/// A target of one of these kinds, by its name.
pub fn target(kinds: &'static [&'static str]) -> impl Shape<Out = Arc<Target>> {
    let read = move |value: &Value, known: &Known, problems: &mut Problems| {
        let Some(name) = value.as_text() else { return mismatch(value, "the name of a target", problems) };
        match known.targets.iter().find(|target| target.name == *name) {
            Some(target) => {
                known.used_targets.borrow_mut().insert(target.name.clone());
                if kinds.contains(&&*target.kind) {
                    return Some(target.clone());
                }
                let (kind, needed) = (&target.kind, kinds.join(" or "));
                let message = format!("target `{name}` is of kind {kind}; {needed} is needed here");
                problems.error(Code("SW1008"), value.span, message);
            }
            None => {
                let names: Vec<&str> = known.targets.iter().map(|target| &*target.name).collect();
                let problem =
                    problems.error(Code("SW1008"), value.span, format!("there is no target `{name}`"));
                match super::nearest(name, &names) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("targets of this plan: {}", names.join(", "))),
                };
            }
        }
        None
    };
    Made { read, schema: || json!({"type": "string"}) }
}

/// The id of another step.
pub fn reference() -> impl Shape<Out = Arc<str>> {
    let read = |value: &Value, known: &Known, problems: &mut Problems| {
        let Some(name) = value.as_text() else { return mismatch(value, "the id of a step", problems) };
        if known.steps.contains(name) {
            return Some(name.clone());
        }
        let names: Vec<&str> = known.steps.iter().map(|name| &**name).collect();
        let problem = problems.error(Code("SW1009"), value.span, format!("there is no step `{name}`"));
        if let Some(near) = super::nearest(name, &names) {
            problem.help(format!("did you mean `{near}`?"));
        }
        None
    };
    Made { read, schema: || json!({"type": "string"}) }
}

/// Anything, as it stands.
pub fn value() -> impl Shape<Out = Value> {
    Made { read: |value: &Value, _: &Known, _: &mut Problems| Some(value.clone()), schema: || json!({}) }
}
