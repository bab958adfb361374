//! Secrets: read where the plan says they are, kept out of arguments, journals and messages.

use crate::plan::{Data, Plan, Value};
use crate::port::{Command, ReadProcess, StopSignal, StopWith, Wiring};
use crate::run::Fault;
use serde_json::{Map, Value as Json};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a command that prints a secret may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Shorter lines of a secret are not hidden one by one: they stand everywhere.
const TELLING: usize = 8;

/// Secrets by name.
#[derive(Clone, Default)]
pub struct Secrets(Map<String, Json>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Reads all secrets of a plan. A world that is not production states its own.
    ///
    /// # Errors
    /// One for each secret that is not there; none of them tells a value.
    pub async fn resolve(
        plan: &Plan,
        folder: &Path,
        wiring: Option<&Wiring>,
        commands: &dyn ReadProcess,
    ) -> Result<Self, Vec<Fault>> {
        let (mut found, mut faults) = (Map::new(), Vec::new());
        for (name, source) in &plan.secrets {
            let stated = wiring.and_then(|wiring| wiring.secrets.get(&**name)).cloned();
            let read = match stated {
                Some(value) => Ok(value),
                None => read(source, folder, commands).await,
            };
            match read {
                Ok(value) => drop(found.insert(name.to_string(), Json::String(value))),
                Err(why) => faults.push(Fault::permanent(format!("secret `{name}`: {why}"))),
            }
        }
        if faults.is_empty() { Ok(Self(found)) } else { Err(faults) }
    }

    /// These.
    #[cfg(all(test, feature = "aws"))]
    pub(crate) fn of<const N: usize>(all: [(&str, &str); N]) -> Self {
        Self(all.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// For [`crate::plan::Scope::secrets`].
    #[must_use]
    pub fn scope(&self) -> Map<String, Json> {
        self.0.clone()
    }

    /// What nobody may see, longest first: each value, its lines, and how both are written inside JSON.
    #[must_use]
    pub fn hidden(&self) -> Vec<Arc<str>> {
        let mut hidden: Vec<Arc<str>> = Vec::new();
        for value in self.0.values().filter_map(Json::as_str) {
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= TELLING);
            for text in lines.chain([value]).filter(|text| !text.is_empty()) {
                let quoted = Json::from(text).to_string();
                hidden.push(text.into());
                hidden.push(quoted[1..quoted.len() - 1].into());
            }
        }
        hidden.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        hidden.dedup();
        hidden
    }
}

async fn read(source: &Value, folder: &Path, commands: &dyn ReadProcess) -> Result<String, String> {
    if let Some(variable) = source.get("env").and_then(Value::as_text) {
        #[expect(clippy::disallowed_methods, reason = "the plan names the variable")]
        return std::env::var(&**variable).map_err(|_| format!("set the environment variable {variable}"));
    }
    if let Some(file) = source.get("file").and_then(Value::as_text) {
        let path = folder.join(&**file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(trimmed(&text));
    }
    let Some(Data::List(words)) = source.get("exec").map(|value| &value.data) else {
        return Err("name one of `env`, `file` and `exec`".into());
    };
    let argv: Vec<String> = words.iter().filter_map(Value::as_text).map(ToString::to_string).collect();
    let name = argv.first().cloned().unwrap_or_default();
    let command = Command {
        argv,
        environment: Vec::new(),
        directory: None,
        input: Vec::new(),
        stop: StopWith { signal: StopSignal::Term, grace: Duration::from_secs(1) },
        reads: true,
        timeout: LIMIT,
        call: None,
    };
    let output = commands.query(command).await.map_err(|fault| fault.message.to_string())?;
    match output.code {
        Some(0) => Ok(trimmed(&output.stdout)),
        // What it printed may hold the secret, or a part of it.
        Some(code) => Err(format!("`{name}` ended with {code}; run it by hand to see why")),
        None => Err(format!("`{name}` was ended by a signal")),
    }
}

/// Without the line end that editors and commands add.
fn trimmed(text: &str) -> String {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Output;
    use serde_json::json;

    fn plan(secrets: &Json) -> Plan {
        let secrets = Value::from_json(secrets, crate::plan::Span::default());
        let secrets =
            secrets.entries().iter().map(|(key, value)| (key.name.clone(), value.clone())).collect();
        Plan { secrets, ..crate::adapter::tests::plan(Vec::new()) }
    }

    /// Commands that print their last word, or fail with it.
    struct Commands;

    #[async_trait::async_trait]
    impl ReadProcess for Commands {
        async fn query(&self, command: Command) -> Result<Output, Fault> {
            let stdout = command.argv[1].clone();
            let code = Some(if command.argv[0] == "print" { 0 } else { 3 });
            Ok(Output { code, stdout, stderr: String::new(), stopped: false })
        }
        fn left_of(&self, _: &str) -> Result<Option<String>, Fault> {
            Ok(None)
        }
    }

    async fn resolve(secrets: Json, folder: &Path) -> Result<Secrets, Vec<Fault>> {
        Secrets::resolve(&plan(&secrets), folder, None, &Commands).await
    }

    #[tokio::test]
    async fn secrets_come_from_files_and_commands() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "abc\"def\n").unwrap();
        let sources = json!({"a": {"file": "token"}, "b": {"exec": ["print", "two\nlines-of-it\n"]}});
        let secrets = resolve(sources, folder.path()).await.unwrap();
        assert_eq!(secrets.scope()["a"], "abc\"def");
        assert_eq!(secrets.scope()["b"], "two\nlines-of-it");
        let hidden = secrets.hidden();
        for text in ["abc\"def", "abc\\\"def", "lines-of-it", "two\\nlines-of-it"] {
            assert!(hidden.iter().any(|h| &**h == text), "{text} in {hidden:?}");
        }
        assert_eq!(format!("{secrets:?}"), r#"["a", "b"]"#);
    }

    #[tokio::test]
    async fn all_that_is_missing_is_told_at_once() {
        let sources = json!({
            "a": {"file": "none"}, "b": {"env": "SWITCHOVER_TEST_NO_SUCH"}, "c": {"exec": ["fail", "psst"]}
        });
        let faults = resolve(sources, Path::new(".")).await.unwrap_err();
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 3, "{text:?}");
        assert!(text[1].contains("SWITCHOVER_TEST_NO_SUCH") && text[2].contains("ended with 3"), "{text:?}");
        assert!(!text[2].contains("psst"));
    }
}
