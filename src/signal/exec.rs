//! `exec`: a command of the plan's own that looks, and changes nothing.
//!
//! It exits with 0 where all is well and 10 where it is not, as `check` of a step of that kind does: 1 is also what a
//! script ends with that has a mistake in it, and so anything else is no evidence. Or it exits with 0 and says a number.

use super::spread::plain;
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{
    Code, Expr, Fields, Template, Timestamp, duration, expr, format_duration, list, map, refuse_secrets,
    template, text,
};
use crate::port::need::{Need, Told, known_text};
use crate::port::{Command, Output, Reads, StopSignal, StopWith};
use crate::run::Fault;
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// A command.
#[derive(Clone, Debug)]
pub(super) struct Exec {
    run: Vec<Template>,
    value: Option<Expr>,
    env: Vec<(Arc<str>, Template)>,
    directory: Option<Arc<str>>,
    within: Duration,
}

/// What `value` may name.
const NAMES: &[&str] = &["json", "stdout"];
/// Exit codes.
const FINE: i32 = 0;
const BROKEN: i32 = 10;
/// How long one look may take, and how long the command has to end once it is told to.
const WITHIN: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);
/// What is more than this is cut off, and half a number is none.
const LONGEST: usize = 64 * 1024;
/// How much of what it said is told.
const TOLD: usize = 200;

#[async_trait::async_trait]
impl Signal for Exec {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let run = fields.required(
            "run",
            list(template()),
            "program and arguments, no shell: exits 0 where all is well, 10 where it is not",
        );
        let value = fields.optional(
            "value",
            expr(NAMES),
            "a number, of what it says on standard output, as `json` or `stdout`; it then exits 0",
        );
        let env =
            fields.or("env", map(template()), Vec::new(), "added to the environment; secrets belong here");
        let directory = fields.optional("directory", text(), "where it runs; without it, the plan's folder");
        let within =
            fields.or("within", duration(), WITHIN, "how long it may take; what takes longer is stopped");
        if let Some(run) = &run {
            refuse_secrets(fields, "run", run);
            if run.is_empty() {
                let span = fields.span_of("run");
                fields.problems().error(Code("SW2003"), span, "`run` names no program");
            }
        }
        Some(Self { run: run?, value, env, directory, within })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s: one command. One look is one sample, and enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, condition: &Condition) -> Vec<Need> {
        let argv = self.run.iter().map(known_text).collect();
        let code = |code| Told { code, stdout: String::new() };
        let (good, bad) = match &self.value {
            None => (code(FINE), Some(code(BROKEN))),
            Some(value) => {
                let says = |broken| Some(Told { code: FINE, stdout: output(value, condition, broken)? });
                (says(false).unwrap_or(code(FINE)), says(true))
            }
        };
        vec![Need::Watch { argv, good, bad }]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let told = |why: &str| format!("`{}`: {why}", self.told());
        let found = reads.world.process().query(self.command(reads)?).await;
        let found = found.map_err(|fault| Fault { message: told(&fault.message).into(), ..fault })?;
        let value = self.value_of(&found).map_err(|why| Fault::blind(told(&why)))?;
        let text = match self.value {
            Some(_) => told(&format!("it says {}", plain(value))),
            None if value > 0.0 => told(&format!("it says that something is wrong{}", said(&found))),
            None => told("it says that all is well"),
        };
        let named = [("samples", 1.0)].into();
        Ok(Measured { value: Some(value), named, samples: 1, text, ..Measured::default() })
    }
}

impl Exec {
    fn told(&self) -> String {
        self.run.iter().map(Template::source).collect::<Vec<_>>().join(" ")
    }

    fn command(&self, reads: &Reads<'_>) -> Result<Command, Fault> {
        let fill =
            |text: &Template| text.render(reads.scope).map_err(|error| Fault::permanent(error.to_string()));
        let pairs = self.env.iter().map(|(name, value)| Ok((name.to_string(), fill(value)?)));
        Ok(Command {
            argv: self.run.iter().map(fill).collect::<Result<_, Fault>>()?,
            environment: pairs.collect::<Result<_, Fault>>()?,
            directory: self.directory.as_ref().map(ToString::to_string),
            input: Vec::new(),
            stop: StopWith { signal: StopSignal::Term, grace: GRACE },
            // It only looks, by the plan's own word.
            reads: true,
            timeout: self.within,
            call: None,
        })
    }

    /// The number; or why nobody can tell.
    fn value_of(&self, found: &Output) -> Result<f64, String> {
        let code = match found.code {
            _ if found.stopped => {
                return Err(format!("it took longer than {}, and was stopped", format_duration(self.within)));
            }
            None => return Err(format!("a signal ended it{}", said(found))),
            Some(code) => code,
        };
        match (&self.value, code) {
            (Some(value), FINE) if found.stdout.len() < LONGEST => number(value, &found.stdout),
            (Some(_), FINE) => Err("it says more than 64 KiB".into()),
            (None, FINE) => Ok(0.0),
            (None, BROKEN) => Ok(1.0),
            (_, code) => Err(format!("it exited with {code}{}", said(found))),
        }
    }
}

/// What it said last, for people.
fn said(found: &Output) -> String {
    let texts = [found.stderr.trim(), found.stdout.trim()];
    let Some(text) = texts.into_iter().find(|text| !text.is_empty()) else { return String::new() };
    let line = text.lines().last().unwrap_or_default();
    format!(": {}", line.chars().take(TOLD).collect::<String>())
}

fn number(value: &Expr, stdout: &str) -> Result<f64, String> {
    let json = serde_json::from_str(stdout).unwrap_or(Json::Null);
    let found = value.eval(&[("json", json), ("stdout", stdout.into())]);
    let found = found.map_err(|error| format!("`{}` has no value: {error}", value.source()))?;
    let number = found.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("`{}` is {found}, which is no number", value.source()))
}

/// An output with which a condition is broken, or is not, for a world that is made up.
fn output(value: &Expr, condition: &Condition, broken: bool) -> Option<String> {
    let (good, bad) = condition.numbers();
    let wished = if broken { bad? } else { good? };
    let mut json = Json::Null;
    for wish in value.reads(&[]) {
        put(&mut json, wish.place.get(1..)?, wished)?;
    }
    let text = json.to_string();
    (number(value, &text) == Ok(wished)).then_some(text)
}

/// Puts a number at a place of a value that holds nothing else there.
fn put(json: &mut Json, place: &[crate::plan::wish::Place], number: f64) -> Option<()> {
    use crate::plan::wish::Place;
    let Some((first, rest)) = place.split_first() else {
        *json = number.into();
        return Some(());
    };
    let Place::Field(field) = first else { return None };
    if json.is_null() {
        *json = Json::Object(serde_json::Map::new());
    }
    put(json.as_object_mut()?.entry(field.clone()).or_insert(Json::Null), rest, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(value: Option<&str>) -> Exec {
        let value = value.map(|value| Expr::compile(value, NAMES, Arc::default()).unwrap());
        let run = vec![Template::fixed("look")];
        Exec { run, value, env: Vec::new(), directory: None, within: WITHIN }
    }

    fn ended(code: Option<i32>, stdout: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: "oops\nat last".into(), stopped: false }
    }

    #[test]
    fn exit_codes_that_nothing_ends_with_by_accident_tell() {
        let exec = exec(None);
        assert_eq!(exec.value_of(&ended(Some(0), "")), Ok(0.0));
        assert_eq!(exec.value_of(&ended(Some(10), "")), Ok(1.0));
        for code in [1, 2, 11, 12, 126, 127, 255] {
            let why = exec.value_of(&ended(Some(code), "")).unwrap_err();
            assert_eq!(why, format!("it exited with {code}: at last"));
        }
        assert!(exec.value_of(&ended(None, "")).unwrap_err().contains("a signal ended it"));
        let stopped = Output { stopped: true, ..ended(Some(0), "") };
        assert!(exec.value_of(&stopped).unwrap_err().contains("longer than 30s"));
    }

    #[test]
    fn a_number_is_read_from_what_it_says() {
        let lag = exec(Some("json.lag"));
        assert_eq!(lag.value_of(&ended(Some(0), "{\"lag\": 2.5}")), Ok(2.5));
        assert_eq!(exec(Some("size(stdout)")).value_of(&ended(Some(0), "abc")), Ok(3.0));
        for (stdout, words) in [
            ("{}", "`json.lag` has no value"),
            ("lag: 2", "`json.lag` has no value"),
            ("{\"lag\": \"2\"}", "is \"2\", which is no number"),
        ] {
            let why = lag.value_of(&ended(Some(0), stdout)).unwrap_err();
            assert!(why.contains(words), "`{words}` is not in: {why}");
        }
        assert!(lag.value_of(&ended(Some(10), "{\"lag\": 2}")).unwrap_err().contains("exited with 10"));
        let long = format!("{{\"lag\": 2, \"x\": \"{}\"}}", "x".repeat(LONGEST));
        assert!(lag.value_of(&ended(Some(0), &long)).unwrap_err().contains("64 KiB"));
    }
}
