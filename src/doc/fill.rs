//! Holes: `${{ params.soak }}`. What is known when the plan is read is put in its place, with its type where the
//! hole is the whole text; what only a run knows is checked and left.

use super::Sources;
use crate::plan::{Code, Constants, Data, Expr, Known, Problems, Span, Value, nearest};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// The names that have a value only while a run is under way.
const RUNTIME: [&str; 4] = ["secrets", "steps", "captures", "run"];
pub(super) const HOLE: Code = Code("SW1012");

/// What ids mean where a step stands: inside a copy of `each`, `check` is `check[eu]`.
#[derive(Debug, Default)]
pub(super) struct Names {
    own: RefCell<HashMap<Arc<str>, Arc<str>>>,
    outer: Option<Rc<Names>>,
}

impl Names {
    pub(super) fn inside(outer: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { own: RefCell::default(), outer: Some(outer.clone()) })
    }

    pub(super) fn add(&self, local: &str, id: &Arc<str>) {
        self.own.borrow_mut().insert(local.into(), id.clone());
    }

    /// The id that a name means here, also in the text that names it.
    pub(super) fn rename(&self, name: &str, text: &mut String) -> Arc<str> {
        let id = self.find(name).unwrap_or_else(|| name.into());
        if *id != *name {
            *text = text.replace(&format!("steps.{name}.out"), &format!("steps.{id}.out"));
        }
        id
    }

    fn find(&self, name: &str) -> Option<Arc<str>> {
        let own = self.own.borrow().get(name).cloned();
        own.or_else(|| self.outer.as_ref()?.find(name))
    }
}

/// Where values are filled in.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// `params`, and `item` or what `as` calls it.
    pub(super) constants: Arc<Constants>,
    /// Params without a value.
    pub(super) missing: Rc<BTreeSet<String>>,
    /// What ids mean here.
    pub(super) names: Rc<Names>,
}

/// Fills in values, and remembers what was found on the way.
#[derive(Default)]
pub(super) struct Filler {
    /// Texts that depend on a param without a value: whatever else is wrong with them does not count.
    pub(super) poisoned: Vec<Span>,
    /// Steps whose answers are read, and where.
    pub(super) reads: Vec<(Arc<str>, Span)>,
}

impl Filler {
    /// The value with its holes filled.
    pub(super) fn fill(
        &mut self,
        value: &Value,
        scope: &Scope,
        known: &Known,
        sources: &Sources,
        problems: &mut Problems,
    ) -> Value {
        if !has_hole(value) {
            return value.clone();
        }
        let mut at = At { filler: self, scope, known, sources, problems };
        at.value(value)
    }
}

fn has_hole(value: &Value) -> bool {
    match &value.data {
        Data::Text(text) => text.contains("${{"),
        Data::List(items) => items.iter().any(has_hole),
        Data::Map(entries) => entries.iter().any(|(key, value)| key.name.contains("${{") || has_hole(value)),
        _ => false,
    }
}

struct At<'a> {
    filler: &'a mut Filler,
    scope: &'a Scope,
    known: &'a Known,
    sources: &'a Sources,
    problems: &'a mut Problems,
}

enum Piece {
    Known(Json),
    Later(String),
}

/// What a source that may be no more than a path stands for.
enum Plain {
    Value(Json),
    /// A param without a value.
    Missing,
    Other,
}

impl At<'_> {
    fn value(&mut self, value: &Value) -> Value {
        let data = match &value.data {
            Data::Text(text) if text.contains("${{") => return self.text(text, value.span),
            Data::List(items) => Data::List(items.iter().map(|item| self.value(item)).collect()),
            Data::Map(entries) => {
                for (key, _) in entries.iter().filter(|(key, _)| key.name.contains("${{")) {
                    self.problems
                        .error(HOLE, key.span, "a key cannot be filled in")
                        .help("fill in the whole mapping: `images: ${{ params.images }}`");
                }
                Data::Map(entries.iter().map(|(key, value)| (key.clone(), self.value(value))).collect())
            }
            other => other.clone(),
        };
        Value { span: value.span, data }
    }

    fn text(&mut self, text: &str, span: Span) -> Value {
        // What is wrong with it was said, or is no fault of this text.
        let nothing = Value { span, data: Data::Null };
        let (mut out, mut rest, mut failed) = (String::new(), text, false);
        while let Some(start) = rest.find("${{") {
            let Some(length) = rest[start..].find("}}") else {
                self.problems.error(HOLE, span, "`${{` is never closed by `}}`");
                self.filler.poisoned.push(span);
                return nothing;
            };
            let (before, hole) = (&rest[..start], &rest[start..start + length + 2]);
            rest = &rest[start + length + 2..];
            match self.hole(hole, span) {
                // The others may be wrong as well.
                None => failed = true,
                Some(Piece::Known(json)) if hole.len() == text.trim().len() => {
                    return Value::from_json(&json, span);
                }
                Some(Piece::Known(json)) => {
                    out.push_str(before);
                    match json {
                        Json::String(text) => out.push_str(&text),
                        Json::Number(_) | Json::Bool(_) => out.push_str(&json.to_string()),
                        _ => {
                            let message = "only text, a number or true and false can stand inside text";
                            self.problems.error(HOLE, self.place(hole, span), message);
                        }
                    }
                }
                Some(Piece::Later(hole)) => {
                    out.push_str(before);
                    out.push_str(&hole);
                }
            }
        }
        if failed {
            self.filler.poisoned.push(span);
            return nothing;
        }
        out.push_str(rest);
        Value { span, data: Data::Text(out.into()) }
    }

    /// What a hole stands for; `None` if that is wrong, or depends on a param without a value.
    fn hole(&mut self, hole: &str, span: Span) -> Option<Piece> {
        let source = hole[3..hole.len() - 2].trim();
        if source.is_empty() {
            self.problems.error(HOLE, self.place(hole, span), "there is nothing in this `${{ }}`");
            return None;
        }
        match self.plain(source) {
            Plain::Value(json) => return Some(Piece::Known(json)),
            Plain::Missing => return None,
            Plain::Other => {}
        }
        let expr = match Expr::compile(source, &RUNTIME, self.scope.constants.clone()) {
            Ok(expr) => expr,
            Err(error) => {
                self.problems.error(HOLE, self.place(hole, span), error.to_string());
                return None;
            }
        };
        if expr.paths().iter().any(|path| self.is_missing(path)) {
            return None;
        }
        if let Some(value) = expr.constant() {
            let fault = |error: crate::plan::ExprError, at: &mut Self| {
                at.problems.error(HOLE, at.place(hole, span), error.to_string());
            };
            return value.map_err(|error| fault(error, self)).ok().map(Piece::Known);
        }
        let mut later = hole.to_owned();
        for path in expr.paths() {
            self.runtime(&path, &mut later, self.place(hole, span));
        }
        Some(Piece::Later(later))
    }

    /// The value of `params.a.b`, without compiling anything.
    fn plain(&self, source: &str) -> Plain {
        let path: Vec<String> = source.split('.').map(str::to_owned).collect();
        if path.iter().any(|part| !super::name::is_word(part)) {
            return Plain::Other;
        }
        if self.is_missing(&path) {
            return Plain::Missing;
        }
        let constant = self.scope.constants.get(&path[0]);
        let value = path[1..].iter().fold(constant, |here, field| here?.get(field));
        value.cloned().map_or(Plain::Other, Plain::Value)
    }

    fn is_missing(&self, path: &[String]) -> bool {
        path[0] == "params" && path.get(1).is_some_and(|name| self.scope.missing.contains(name))
    }

    /// Checks a name that only a run knows, and writes ids as the run knows them.
    fn runtime(&mut self, path: &[String], hole: &mut String, place: Span) {
        let Some(name) = path.get(1) else { return };
        match &*path[0] {
            "secrets" if self.known.secrets.iter().all(|secret| **secret != **name) => {
                let names: Vec<&str> = self.known.secrets.iter().map(|secret| &**secret).collect();
                let problem =
                    self.problems.error(Code("SW1024"), place, format!("there is no secret `{name}`"));
                match nearest(name, &names) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("declare it: `secrets: { name: { env: VARIABLE } }`"),
                };
            }
            "steps" => {
                let id = self.scope.names.rename(name, hole);
                if path.get(2).is_none_or(|field| field != "out") {
                    let message = format!("a step's answer is read as `steps.{name}.out`");
                    self.problems.error(HOLE, place, message);
                }
                self.filler.reads.push((id, place));
            }
            _ => {}
        }
    }

    /// Where a hole stands, as exactly as the text shows it.
    fn place(&self, hole: &str, span: Span) -> Span {
        let text =
            self.sources.get(span.file).and_then(|s| s.text.get(span.start as usize..span.end as usize));
        let Some(at) = text.and_then(|text| text.find(hole)) else { return span };
        let start = span.start + u32::try_from(at).unwrap_or(0);
        Span { start, end: start + u32::try_from(hole.len()).unwrap_or(0), ..span }
    }
}

/// The constants of a plan's own text.
pub(super) fn constants(effective: &BTreeMap<String, Json>) -> Arc<Constants> {
    let params: serde_json::Map<String, Json> =
        effective.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Arc::new(Constants([("params".to_owned(), Arc::new(Json::Object(params)))].into()))
}
