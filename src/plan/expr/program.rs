//! A compiled source. Most sources only name a value, `steps.task.out.id`: those need no compiler, which is what
//! takes the time of reading a large plan.

use super::{ExprError, paths};
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};
use std::{borrow::Cow, cell::RefCell, collections::HashMap};

/// A compiled source.
pub(super) struct Program {
    paths: Vec<Vec<String>>,
    /// `None`: its value is that of its only path.
    compiled: Option<cel::Program>,
}

thread_local! {
    /// Programs by source: one text is compiled once, however many steps `each` makes of it.
    static PROGRAMS: RefCell<HashMap<Arc<str>, Arc<Program>>> = RefCell::default();
}

/// The most programs remembered.
const REMEMBERED: usize = 4096;

impl Program {
    /// Compiles a source, or remembers it.
    pub(super) fn of(source: &str) -> Result<Arc<Self>, ExprError> {
        if let Some(known) = PROGRAMS.with_borrow(|programs| programs.get(source).cloned()) {
            return Ok(known);
        }
        let program = Arc::new(Self::compile(source)?);
        PROGRAMS.with_borrow_mut(|programs| {
            if programs.len() < REMEMBERED {
                programs.insert(source.into(), program.clone());
            }
        });
        Ok(program)
    }

    fn compile(source: &str) -> Result<Self, ExprError> {
        if let Some(path) = plain_path(source) {
            return Ok(Self { paths: vec![path], compiled: None });
        }
        let compiled = cel::Program::compile(&quote_step_ids(source))
            .map_err(|error| ExprError::Unsound(first_line(&error.to_string())))?;
        let mut found = Vec::new();
        paths::collect(compiled.expression(), &mut Vec::new(), &mut found);
        Ok(Self { paths: found, compiled: Some(compiled) })
    }

    /// The names that it reads, each with the fields behind it.
    pub(super) fn paths(&self) -> &[Vec<String>] {
        &self.paths
    }

    /// Its syntax; `None` where it only names a value.
    pub(super) fn root(&self) -> Option<&cel::IdedExpr> {
        self.compiled.as_ref().map(cel::Program::expression)
    }

    /// The functions that it calls; operators do not count.
    pub(super) fn functions(&self) -> Vec<String> {
        let references = self.compiled.as_ref().map(cel::Program::references);
        let functions = references.iter().flat_map(|references| references.functions());
        functions
            .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
            .map(str::to_owned)
            .collect()
    }

    /// Its value, where `variable` knows those of its names.
    pub(super) fn value<'j>(&self, variable: impl Fn(&str) -> Option<&'j Json>) -> Result<Json, String> {
        let Some(compiled) = &self.compiled else { return follow(&self.paths[0], variable) };
        let mut context = cel::Context::with_env(STANDARD.clone());
        for name in compiled.references().variables() {
            if let Some(value) = variable(name) {
                context.add_variable_from_value(name, to_cel(value));
            }
        }
        let value = compiled.execute(&context).map_err(|error| first_line(&error.to_string()))?;
        from_cel(&value).ok_or_else(|| "its value is a function".into())
    }
}

/// The functions of the language: made once, because that takes longer than most conditions.
static STANDARD: LazyLock<Arc<cel::Env>> = LazyLock::new(|| Arc::new(cel::Env::stdlib()));

/// The value at the end of a path.
fn follow<'j>(path: &[String], variable: impl Fn(&str) -> Option<&'j Json>) -> Result<Json, String> {
    let root = variable(&path[0]).ok_or_else(|| format!("there is no `{}`", path[0]))?;
    let step =
        |here: &'j Json, field: &String| here.get(field).ok_or_else(|| format!("No such key: {field}"));
    path[1..].iter().try_fold(root, step).cloned()
}

/// `a.b.c` as its parts, if that is all there is.
fn plain_path(source: &str) -> Option<Vec<String>> {
    const RESERVED: [&str; 4] = ["true", "false", "null", "in"];
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !RESERVED.contains(&part)
    };
    let mut path = Vec::new();
    let mut rest = source;
    if let Some((id, after)) = step_id(source) {
        path.extend(["steps".to_owned(), id.to_owned()]);
        rest = after.strip_prefix('.')?;
    }
    for part in rest.split('.') {
        if !word(part) {
            return None;
        }
        path.push(part.to_owned());
    }
    Some(path)
}

/// The id in `steps.<id>.out…`, and the rest from `.out` on.
fn step_id(source: &str) -> Option<(&str, &str)> {
    let after = source.strip_prefix("steps.")?;
    let end = after.find(".out")?;
    let is_id = after[..end].chars().all(|c| c.is_alphanumeric() || "-_/.:@[]".contains(c));
    is_id.then(|| after.split_at(end))
}

/// `steps.old-side-idle.out` would be three differences: ids become keys. Text in quotes is left alone.
fn quote_step_ids(source: &str) -> Cow<'_, str> {
    if !source.contains("steps.") {
        return source.into();
    }
    let (mut out, mut quote) = (String::new(), None);
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let fresh = !out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        if let (None, true, Some((id, after))) = (quote, fresh, step_id(rest)) {
            out.push_str("steps[\"");
            out.push_str(id);
            out.push_str("\"]");
            rest = after;
            continue;
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out.into()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().trim_start_matches("ERROR: ").to_owned()
}

/// Whole numbers become signed: the crate would read them as unsigned, and then `json.count == 3` has no overload.
fn to_cel(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(b) => cel::Value::Bool(*b),
        Json::Number(n) => {
            n.as_i64().map_or_else(|| cel::Value::Float(n.as_f64().unwrap_or(f64::NAN)), cel::Value::Int)
        }
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Json::Object(entries) => {
            let map: HashMap<String, cel::Value> =
                entries.iter().map(|(k, v)| (k.clone(), to_cel(v))).collect();
            map.into()
        }
    }
}

fn from_cel(value: &cel::Value) -> Option<Json> {
    Some(match value {
        cel::Value::Null => Json::Null,
        cel::Value::Bool(b) => Json::Bool(*b),
        cel::Value::Int(n) => Json::from(*n),
        cel::Value::UInt(n) => Json::from(*n),
        cel::Value::Float(n) => Json::from(*n),
        cel::Value::String(text) => Json::String(text.to_string()),
        cel::Value::List(items) => items.iter().map(from_cel).collect::<Option<Vec<_>>>()?.into(),
        cel::Value::Map(map) => Json::Object(
            map.map.iter().map(|(k, v)| Some((k.to_string(), from_cel(v)?))).collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}
