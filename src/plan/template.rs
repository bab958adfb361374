//! Text with holes: `Bearer ${{ secrets.token }}`. What is known when the plan is read (`params`, `item`) is filled
//! in then; the rest (`secrets`, `steps`, `captures`, `run`) when the text is used.

use super::decode::Constants;
use super::expr::{Expr, ExprError};
use super::step::StepId;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names that have a value only while a run is under way.
pub(super) const RUNTIME_NAMES: [&str; 4] = ["secrets", "steps", "captures", "run"];

/// What `run` has.
pub(super) const RUN_FIELDS: [&str; 4] = ["id", "by", "started", "ending"];

/// Text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Arc<str>),
    Hole(Expr),
}

/// What the holes may name while a run is under way.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// What steps answered, by id: `{ "backend": { "out": … } }`, read as `steps.backend.out`.
    pub steps: BTreeMap<Arc<str>, Arc<Json>>,
    /// Resolved secrets, by name. Never journaled; whatever is printed is redacted.
    pub secrets: serde_json::Map<String, Json>,
    /// What earlier requests of the same flow captured.
    pub captures: serde_json::Map<String, Json>,
    /// `run.id`, `run.by`, `run.started` (RFC 3339), and in `finally` `run.ending`: `completed`, `rolled_back` or
    /// `stuck`.
    pub run: serde_json::Map<String, Json>,
}

impl Scope {
    /// A step was done, and answered this, as JSON.
    pub fn answered(&mut self, step: &StepId, out: &str) {
        let out: Json = serde_json::from_str(out).unwrap_or(Json::Null);
        self.steps.insert(step.0.clone(), Arc::new(json!({ "out": out })));
    }

    /// The variables for an expression.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, Json)> {
        let [secrets, steps, captures, run] = RUNTIME_NAMES;
        vec![
            (secrets, Json::Object(self.secrets.clone())),
            (steps, self.steps.iter().map(|(id, step)| (id.to_string(), Json::clone(step))).collect()),
            (captures, Json::Object(self.captures.clone())),
            (run, Json::Object(self.run.clone())),
        ]
    }
}

impl Template {
    /// Text without holes.
    #[must_use]
    pub fn fixed(text: &str) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// Reads text with holes.
    ///
    /// # Errors
    /// A hole is not closed, or what stands in it is not a sound expression.
    pub fn parse(text: &str, constants: &Arc<Constants>) -> Result<Self, ExprError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${{") {
            let Some(length) = rest[start..].find("}}") else {
                return Err(ExprError::Unsound("`${{` is never closed by `}}`".into()));
            };
            if start > 0 {
                pieces.push(Piece::Text(rest[..start].into()));
            }
            let source = rest[start + 3..start + length].trim();
            pieces.push(Piece::Hole(Expr::compile(source, &RUNTIME_NAMES, constants.clone())?));
            rest = &rest[start + length + 2..];
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces))
    }

    /// The text, if it has no holes.
    #[must_use]
    pub fn as_fixed(&self) -> Option<&str> {
        if let [Piece::Text(text)] = &self.0[..] { Some(text) } else { None }
    }

    /// The text as the plan writes it, with its holes: safe to show, since secrets are still names.
    #[must_use]
    pub fn source(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Hole(expr) => format!("${{{{ {} }}}}", expr.source()),
        };
        self.0.iter().map(piece).collect()
    }

    /// The text with this in each hole: what can be told of it before anything is known.
    #[must_use]
    pub fn filled_with(&self, text: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Hole(_) => text.into(),
        };
        self.0.iter().map(piece).map(|piece| piece.to_string()).collect()
    }

    /// The names that its holes read, each with the fields behind it: `[secrets, token]`.
    pub fn names(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        let holes = self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Hole(expr) => Some(expr.paths()),
        });
        holes.flatten()
    }

    /// The text with its holes filled.
    ///
    /// # Errors
    /// A hole has no value.
    pub fn render(&self, scope: &Scope) -> Result<String, ExprError> {
        if let Some(text) = self.as_fixed() {
            return Ok(text.to_owned());
        }
        let variables = scope.variables();
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(expr) => match expr.eval(&variables)? {
                    Json::String(text) => out.push_str(&text),
                    other => out.push_str(&other.to_string()),
                },
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holes_are_filled_when_used() {
        let template = Template::parse("/api/${{ captures.scan }}/x", &Arc::default()).unwrap();
        let mut scope = Scope::default();
        assert!(template.render(&scope).is_err());
        scope.captures.insert("scan".into(), json!(7));
        assert_eq!(template.render(&scope).unwrap(), "/api/7/x");
        assert_eq!(template.source(), "/api/${{ captures.scan }}/x");
        assert_eq!(template.filled_with("1"), "/api/1/x");
    }

    #[test]
    fn unsound_holes_are_errors() {
        for text in ["${{ nope.x }}", "${{ secrets.x", "${{ }}"] {
            assert!(Template::parse(text, &Arc::default()).is_err(), "{text}");
        }
    }
}
