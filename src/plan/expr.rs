//! Conditions: CEL, wrapped, with its names checked before anything runs.
//!
//! The crate behind it has no limit on cost, so a source is short and whoever evaluates sets a deadline.

use super::decode::Constants;
use serde_json::Value as Json;
use std::{fmt, sync::Arc};

mod paths;
mod program;
pub mod wish;

use program::Program;

/// The longest source of an expression, in bytes.
const LONGEST: usize = 1024;

/// A compiled condition, with the constants (`params`, `item`) that it may name.
#[derive(Clone)]
pub struct Expr {
    source: Arc<str>,
    program: Arc<Program>,
    constants: Arc<Constants>,
    /// Must hold as well, and is asked first: the condition of the group around it, with its own constants.
    outer: Option<Arc<Expr>>,
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
        let program = Program::of(source)?;
        let expr = Self { source: source.into(), program, constants, outer: None };
        expr.check(names)?;
        Ok(expr)
    }

    fn check(&self, names: &[&str]) -> Result<(), ExprError> {
        let unsound = |message: String| Err(ExprError::Unsound(message));
        for function in self.program.functions() {
            if !FUNCTIONS.contains(&&*function) {
                let near = super::nearest(&function, FUNCTIONS);
                let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                return unsound(format!("there is no function `{function}`{near}"));
            }
        }
        for path in self.paths() {
            let root = &*path[0];
            if names.contains(&root) {
                if let ("run", Some(field)) = (root, path.get(1))
                    && !super::template::RUN_FIELDS.contains(&&**field)
                {
                    let known = super::template::RUN_FIELDS.join(", ");
                    return unsound(format!("`run` has no `{field}`; there are {known}"));
                }
                continue;
            }
            let Some(constant) = self.constants.get(root) else {
                let mut known: Vec<String> = names.iter().map(ToString::to_string).collect();
                known.extend(self.constants.names());
                return unsound(format!("`{root}` is not known here; there are {}", known.join(", ")));
            };
            if let Some(missing) = missing(constant, &path) {
                return unsound(missing);
            }
        }
        Ok(())
    }

    /// Both conditions; `outer` is asked first.
    #[must_use]
    pub fn within(self, outer: Self) -> Self {
        let source = format!("({}) && ({})", outer.source, self.source).into();
        Self { source, outer: Some(Arc::new(outer)), ..self }
    }

    /// The names that it reads, each with the fields behind it: `steps.task.out.id` is `[steps, task, out, id]`.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut found = self.program.paths().to_vec();
        found.extend(self.outer.iter().flat_map(|outer| outer.paths()));
        found
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
        if let Some(outer) = &self.outer
            && !outer.holds(variables)?
        {
            return Ok(Json::Bool(false));
        }
        let value = |name: &str| {
            let given = variables.iter().find(|(given, _)| *given == name).map(|(_, value)| value);
            given.or_else(|| self.constants.get(name))
        };
        self.program
            .value(value)
            .map_err(|reason| ExprError::NoValue { source_text: self.source.to_string(), reason })
    }

    /// Its value where that depends on constants alone; `None` where it has a name that only a run knows.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn constant(&self) -> Option<Result<Json, ExprError>> {
        let known = self.paths().iter().all(|path| self.constants.get(&path[0]).is_some());
        known.then(|| self.eval(&[]))
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

/// The functions of the language; the macros `has`, `all`, `exists`, `exists_one`, `map` and `filter` are no calls.
const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
];

/// What of a path a constant does not have.
fn missing(constant: &Json, path: &[String]) -> Option<String> {
    let mut here = constant;
    for (depth, field) in path.iter().enumerate().skip(1) {
        let Json::Object(entries) = here else { return None };
        let Some(next) = entries.get(field) else {
            let known: Vec<&str> = entries.keys().map(String::as_str).collect();
            let hint = match super::nearest(field, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has none".into(),
                None => format!("there are {}", known.join(", ")),
            };
            return Some(format!("`{}` has no `{field}`; {hint}", path[..depth].join(".")));
        };
        here = next;
    }
    None
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({})", self.source)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.constants == other.constants && self.outer == other.outer
    }
}

impl Eq for Expr {}

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
        assert!(expr("sise(json.x) > 0").unwrap_err().to_string().contains("did you mean `size`"));
        assert!(expr(&"(".repeat(900)).is_err());
        assert!(expr(&"!".repeat(1000)).is_err());
        assert!(expr(&"x".repeat(2000)).is_err());
    }

    #[test]
    fn the_functions_of_the_language_are_there() {
        for source in [
            "size('ab') == 2 && 'ab'.contains('a') && 'ab'.startsWith('a') && 'ab'.endsWith('b')",
            "'ab'.matches('^a.$') && int('2') == 2 && double('2.5') > 2.0 && string(2) == '2'",
            "[1, 2].all(x, x > 0) && [1, 2].exists(x, x == 2) && has(json.a) && !has(json.b)",
            "[1, 2].map(x, x + json.a).filter(y, y > 3).size() == 1 && 200 in [200, 201]",
        ] {
            let expr = expr(source).unwrap();
            assert_eq!(expr.holds(&[("json", json!({"a": 2}))]), Ok(true), "{source}");
        }
    }

    #[test]
    fn fields_of_constants_are_checked_where_they_are_known() {
        let params = Arc::new(json!({"soak": "5m", "sizes": [1]}));
        let constants = Arc::new(Constants([("params".to_owned(), params)].into()));
        let compile = |source| Expr::compile(source, &["value"], constants.clone());
        assert!(compile("params.soak == '5m' && params.sizes[0] == 1 && params['soak'] != ''").is_ok());
        let error = compile("params.saok == '5m'").unwrap_err().to_string();
        assert_eq!(error, "`params` has no `saok`; did you mean `soak`?");
        assert!(compile("has(params.other)").is_ok());
    }

    #[test]
    fn step_ids_with_hyphens_are_names() {
        let expr =
            Expr::compile("steps.old-side[a].out.n == 1 && 'steps.x.out' != ''", &["steps"], Arc::default());
        let expr = expr.unwrap();
        assert_eq!(expr.paths()[0], ["steps", "old-side[a]", "out", "n"]);
        let steps = json!({"old-side[a]": {"out": {"n": 1}}});
        assert_eq!(expr.holds(&[("steps", steps)]), Ok(true));
    }
}
