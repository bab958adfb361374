//! A rollback that is announced: silence lets it begin, a person says no, and a tool that dies changes nothing of it. The
//! real binary, and commands that change files.

use crate::stage::{Said, tool};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a plan, and a state directory.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn of(plan: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.plan(), plan).unwrap();
        place
    }

    /// A plan whose second step fails.
    fn new(veto: &str) -> Self {
        Self::of(&format!(
            "switchover: v1\nname: held\npolicy: {{ veto: {veto} }}\nsteps:\n\
             - id: made\n  uses: exec\n  with:\n    prior: [sh, -c, 'test -e made && echo there || echo gone']\n    \
             run: [touch, made]\n    check: [sh, -c, 'test -e made || exit 10']\n    undo: [rm, -f, made]\n\
             - {{ id: fails, uses: exec, with: {{ run: [sh, -c, 'exit 3'], reads: true }} }}\n"
        ))
    }

    fn plan(&self) -> PathBuf {
        self.0.path().join("plan.yaml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn is_made(&self) -> bool {
        self.path("made").exists()
    }

    pub(crate) fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = tool();
        command.args(words).env("SWITCHOVER_STATE_DIR", self.0.path().join("state"));
        command
    }

    pub(crate) fn say(&self, words: &[&str]) -> Said {
        self.command(words).output().unwrap().into()
    }

    pub(crate) fn start(&self, on_pause: &str) -> Child {
        let plan = self.plan();
        let plan: &Path = plan.as_ref();
        let words = ["run", plan.to_str().unwrap(), "--yes", "--on-pause", on_pause, "--output", "plain"];
        self.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn status(&self) -> Json {
        serde_json::from_str(&self.say(&["status", "latest", "--output", "json"]).stdout).unwrap_or_default()
    }

    /// Waits until a rollback is announced.
    fn announced(&self) -> Json {
        self.until(|status| status["announced"].is_object())
    }

    /// Waits until it stands so.
    #[expect(clippy::disallowed_methods, reason = "a test that hangs should say so")]
    pub(crate) fn until(&self, is: impl Fn(&Json) -> bool) -> Json {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let status = self.status();
            if is(&status) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not come to that: {}", self.status());
    }

    pub(crate) fn facts(&self) -> Vec<String> {
        let log = self.say(&["log", "latest", "--output", "jsonl"]).stdout;
        let kind =
            |line: &str| serde_json::from_str::<Json>(line).unwrap()["event"].as_str().unwrap().to_owned();
        log.lines().map(kind).filter(|kind| !kind.starts_with("step.") && kind != "guard.noted").collect()
    }
}

pub(crate) fn ended(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

#[test]
fn without_a_word_it_rolls_back() {
    let place = Place::new("2s");
    let child = place.start("exit");
    place.announced();
    assert!(place.is_made(), "nothing is undone yet");
    let said = ended(child);
    assert_eq!((said.code, place.is_made()), (Some(10), false), "{said:#?}");
    assert!(said.stderr.contains("rolls back in 2s, unless somebody says no: fails failed"), "{said:#?}");
    assert_eq!(
        place.facts(),
        ["run.started", "rollback.announced", "rollback.started", "run.finished"],
        "{said:#?}"
    );
}

#[test]
fn a_person_says_no_from_another_terminal() {
    let place = Place::new("5m");
    let child = place.start("exit");
    let status = place.announced();
    assert!(status["announced"]["seconds_left"].as_u64().unwrap() <= 300, "{status}");
    assert_eq!(status["announced"]["cause"]["step"], "fails");
    let told = place.say(&["status", "latest"]).stdout;
    assert!(told.contains("unless somebody says no") && told.contains("switchover pause"), "{told}");
    let listed = place.say(&["runs"]).stdout;
    assert!(listed.contains("unless somebody says no: fails failed"), "{listed}");
    let paused = place.say(&["pause", "latest"]);
    assert_eq!(paused.code, Some(0), "{paused:#?}");
    let said = ended(child);
    assert_eq!((said.code, place.is_made()), (Some(13), true), "{said:#?}");
    assert!(said.stdout.contains("fails failed, and a person decides"), "{said:#?}");
    let status = place.status();
    assert!(status["announced"].is_null() && status["paused"]["kind"] == "failed", "{status}");
    let back = place.say(&["rollback", "latest", "--yes"]);
    assert_eq!((back.code, place.is_made()), (Some(12), false), "{back:#?}");
}

#[test]
fn a_tool_that_dies_meanwhile_changes_nothing_of_it() {
    let place = Place::new("3s");
    let mut child = place.start("exit");
    place.announced();
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    assert!(place.is_made());
    let said = place.say(&["resume", "latest"]);
    assert_eq!((said.code, place.is_made()), (Some(10), false), "{said:#?}");
    assert_eq!(
        place.facts(),
        ["run.started", "rollback.announced", "run.resumed", "rollback.started", "run.finished"]
    );
}
