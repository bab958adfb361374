//! Conditions: CEL, wrapped, with its names checked before anything runs.
//!
//! The crate behind it has no limit on cost, so a source is short and whoever evaluates sets a deadline.

use super::decode::Constants;
use serde_json::Value as Json;
use std::{fmt, sync::Arc};

/// The longest source of an expression, in bytes.
const LONGEST: usize = 1024;

/// A compiled condition, with the constants (`params`, `item`) that it may name.
#[derive(Clone)]
pub struct Expr {
    source: Arc<str>,
    program: Arc<cel::Program>,
    constants: Arc<Constants>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// It does not parse, or names what does not exist.
    #[error("{0}")]
    Unsound(String),
    /// It could not be evaluated with the values at hand, such as a missing field: no evidence, never a pass.
    #[error("`{source_text}` has no value here: {reason}")]
    NoValue {
        /// The expression.
        source_text: String,
        /// What is missing.
        reason: String,
    },
}

impl Expr {
    /// Compiles `source`; `names` are the variables it may use besides the constants.
    ///
    /// # Errors
    /// The source is too long, does not parse, or names an unknown variable or function.
    pub fn compile(source: &str, names: &[&str], constants: Arc<Constants>) -> Result<Self, ExprError> {
        if source.len() > LONGEST {
            return Err(ExprError::Unsound(format!("the expression is longer than {LONGEST} bytes")));
        }
        // The parser recurses: depth is bounded before it sees the text.
        let depth = source.chars().scan(0i32, |depth, c| {
            *depth += match c {
                '(' | '[' | '{' => 1,
                ')' | ']' | '}' => -1,
                _ => 0,
            };
            Some(*depth)
        });
        if depth.max().unwrap_or(0) > 32 || source.matches(['!', '-', '?']).count() > 128 {
            return Err(ExprError::Unsound("the expression is nested too deeply".into()));
        }
        let program = cel::Program::compile(source)
            .map_err(|error| ExprError::Unsound(first_line(&error.to_string())))?;
        let expr = Self { source: source.into(), program: Arc::new(program), constants };
        expr.check(names)?;
        Ok(expr)
    }

    fn check(&self, names: &[&str]) -> Result<(), ExprError> {
        let references = self.program.references();
        let mut unknown: Vec<&str> = references
            .variables()
            .into_iter()
            .filter(|name| !name.starts_with('@'))
            .filter(|name| !names.contains(name) && !self.constants.has(name))
            .collect();
        unknown.sort_unstable();
        let Some(first) = unknown.first() else { return Ok(()) };
        let mut known: Vec<String> = names.iter().map(ToString::to_string).collect();
        known.extend(self.constants.names());
        Err(ExprError::Unsound(format!("`{first}` is not known here; there are {}", known.join(", "))))
    }

    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its value for these variables.
    ///
    /// # Errors
    /// A variable or field that it needs is not there, or has another type.
    pub fn eval(&self, variables: &[(&str, Json)]) -> Result<Json, ExprError> {
        let mut context = cel::Context::default();
        for name in self.program.references().variables() {
            let given = variables.iter().find(|(given, _)| *given == name).map(|(_, value)| value);
            if let Some(value) = given.or_else(|| self.constants.get(name)) {
                context.add_variable_from_value(name, to_cel(value));
            }
        }
        let no_value = |reason: String| ExprError::NoValue { source_text: self.source.to_string(), reason };
        let value =
            self.program.execute(&context).map_err(|error| no_value(first_line(&error.to_string())))?;
        from_cel(&value).ok_or_else(|| no_value("its value is a function".into()))
    }

    /// Whether it holds. Anything but `true` or `false` is an error, so that no condition passes by accident.
    ///
    /// # Errors
    /// As [`Expr::eval`], or the value is not a truth value.
    pub fn holds(&self, variables: &[(&str, Json)]) -> Result<bool, ExprError> {
        match self.eval(variables)? {
            Json::Bool(holds) => Ok(holds),
            other => Err(ExprError::NoValue {
                source_text: self.source.to_string(),
                reason: format!("it is {other}, neither true nor false"),
            }),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({})", self.source)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.constants == other.constants
    }
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
            let map: std::collections::HashMap<String, cel::Value> =
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expr(source: &str) -> Result<Expr, ExprError> {
        Expr::compile(source, &["status", "json", "value"], Arc::default())
    }

    #[test]
    fn json_numbers_compare_with_literals() {
        let holds = |source: &str, json: Json| expr(source).unwrap().holds(&[("json", json)]);
        assert_eq!(holds("json.n == 3 && json.f > 0.5", json!({"n": 3, "f": 0.75})), Ok(true));
        assert_eq!(holds("size(json.list) > 0", json!({"list": []})), Ok(false));
        assert!(holds("json.missing == 1", json!({})).is_err());
        assert!(holds("json.n", json!({"n": 1})).is_err());
    }

    #[test]
    fn unknown_names_are_found_before_anything_runs() {
        assert!(expr("sttus == 200").unwrap_err().to_string().contains("`sttus` is not known here"));
        assert!(expr("status ==").is_err());
        assert!(expr(&"(".repeat(900)).is_err());
        assert!(expr(&"!".repeat(1000)).is_err());
        assert!(expr(&"x".repeat(2000)).is_err());
    }
}
