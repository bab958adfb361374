//! Beside Terraform: the same two changes, by the same script, and both tools killed at the same moments: before and after
//! the effect of each change, while its command runs. Then each is started again, as its operator would, and one judge
//! counts for both: effects that came twice, finished changes that the record does not know, locks that a human must
//! release, processes that were left to themselves.
//!
//! Where there is no Terraform, nothing is compared, and that is said on the error output.

use crate::disk::{at_once, skipped};
use crate::signals::{living, within};
use crate::stage::{Said, tool};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The effect of a change is a line; the command can be met before it and after it.
const WORK: &str = r#"
hold() {
    touch "held-$1"
    while [ -e "hold-$1" ]; do sleep 0.05; done
}
trap 'exit 1' TERM
hold "before-$1"
echo "effect $1" >> log
hold "after-$1"
echo "finished $1" >> log
"#;
const OURS: &str = "
switchover: v1
name: two-changes
steps:
- { id: first, uses: exec, with: { run: [sh, work.sh, first], check: [sh, -c, 'grep -q \"effect first\" log || exit 10'], stop: { grace: 1s }, within: 8s } }
- { id: last, uses: exec, with: { run: [sh, work.sh, last], check: [sh, -c, 'grep -q \"effect last\" log || exit 10'], stop: { grace: 1s }, within: 8s } }
";
const THEIRS: &str = r#"
resource "terraform_data" "first" {
  provisioner "local-exec" { command = "exec sh work.sh first" }
}
resource "terraform_data" "last" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "exec sh work.sh last" }
}
"#;
const CHANGES: [&str; 2] = ["first", "last"];
const MOMENTS: [&str; 4] = ["before-first", "after-first", "before-last", "after-last"];
/// How long what a tool started has to end with it.
const GRACE: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Contender {
    Ours,
    Terraform,
}

/// What a judge counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    twice: usize,
    missing: usize,
    locks: usize,
    orphans: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { twice, missing, locks, orphans } = self;
        write!(
            f,
            "{twice} effects twice, {missing} finished changes not in the record, {locks} locks left, {orphans} orphans"
        )
    }
}

/// A folder in which one of them works.
struct Site {
    home: TempDir,
    contender: Contender,
}

impl Site {
    fn of(contender: Contender) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in [("work.sh", WORK), ("plan.yaml", OURS), ("main.tf", THEIRS), ("log", "")] {
            fs::write(home.path().join(name), text).unwrap();
        }
        let site = Self { home, contender };
        if contender == Contender::Terraform {
            site.run(&["init", "-input=false"]);
        }
        site
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, verb: &[&str]) -> Command {
        let ours = tool();
        let mut command = match self.contender {
            Contender::Ours => ours,
            Contender::Terraform => {
                let mut terraform = Command::new("terraform");
                terraform.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
                terraform.env("CHECKPOINT_DISABLE", "1").env("TF_CLI_CONFIG_FILE", "/dev/null");
                terraform
            }
        };
        command.args(verb).current_dir(self.path()).env("SITE", self.path()).stdin(Stdio::null());
        command.env("SWITCHOVER_STATE_DIR", self.path().join("state")).env("SWITCHOVER_ON_PAUSE", "exit");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, verb: &[&str]) -> Said {
        self.command(verb).output().unwrap().into()
    }

    fn start(&self) -> Child {
        let verb: &[&str] = match self.contender {
            Contender::Ours => &["run", "plan.yaml", "--yes"],
            Contender::Terraform => &["apply", "-auto-approve", "-input=false", "-no-color"],
        };
        self.command(verb).spawn().unwrap()
    }

    /// Goes on, as an operator would; whether a lock had to be released by hand.
    fn go_on(&self) -> bool {
        let again = || match self.contender {
            Contender::Ours => self.run(&["resume", "latest"]),
            Contender::Terraform => self.run(&["apply", "-auto-approve", "-input=false", "-no-color"]),
        };
        let said = again();
        if said.code == Some(0) {
            return false;
        }
        let lock = said.stderr.lines().find_map(|line| line.split_once("ID:")).map(|(_, id)| id.trim());
        let lock = lock.unwrap_or_else(|| panic!("{:?} does not go on: {said:#?}", self.contender));
        self.run(&["force-unlock", "-force", lock]);
        let said = again();
        assert_eq!(said.code, Some(0), "{said:#?}");
        true
    }

    /// Whether its record knows that a change is finished.
    fn has_recorded(&self, change: &str) -> bool {
        match self.contender {
            Contender::Ours => {
                let facts = self.run(&["log", "latest", "--output", "jsonl"]).stdout;
                let mut facts = facts.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
                facts.any(|fact| fact["event"] == "step.succeeded" && fact["step"] == change)
            }
            Contender::Terraform => {
                let state = fs::read_to_string(self.path().join("terraform.tfstate")).unwrap_or_default();
                let state: Json = serde_json::from_str(&state).unwrap_or_default();
                let is_done = |resource: &Json| {
                    resource["name"] == change && resource["instances"][0]["status"] != "tainted"
                };
                state["resources"].as_array().is_some_and(|all| all.iter().any(is_done))
            }
        }
    }

    fn log(&self, line: &str) -> usize {
        let log = fs::read_to_string(self.path().join("log")).unwrap();
        log.lines().filter(|other| *other == line).count()
    }

    /// How many scripts of this folder run.
    fn scripts(&self) -> usize {
        living("SITE", self.path()).iter().filter(|line| line.contains("work.sh")).count()
    }

    fn wait_for_scripts(&self, seconds: u32) -> Result<(), String> {
        within(seconds, "no script runs", || self.scripts() == 0)
    }

    /// Ended by this signal at this moment, and gone on with.
    fn trial(&self, moment: &str, signal: Signal) -> Count {
        let hold = self.path().join(format!("hold-{moment}"));
        fs::write(&hold, "").unwrap();
        let mut child = self.start();
        let held = self.path().join(format!("held-{moment}"));
        within(60, moment, || held.exists()).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut is_over = || child.try_wait().unwrap().is_some();
        if signal == Signal::TERM {
            // It may wait for what it started.
            let _ = within(1, "its end", &mut is_over);
            fs::remove_file(&hold).unwrap();
        }
        within(120, "its end", is_over).unwrap();
        let orphans = if self.wait_for_scripts(GRACE).is_ok() { 0 } else { self.scripts() };
        let _ = fs::remove_file(&hold);
        self.wait_for_scripts(60).unwrap();
        let mut count = Count { orphans, ..Count::default() };
        let finished_before = |change: &&&str| **change == "first" && moment.ends_with("last");
        count.missing =
            CHANGES.iter().filter(finished_before).filter(|change| !self.has_recorded(change)).count();
        count.locks = usize::from(self.go_on());
        for change in CHANGES {
            let times = self.log(&format!("effect {change}"));
            assert!(times > 0, "{:?} lost {change} at {moment}", self.contender);
            count.twice += times - 1;
        }
        count
    }
}

fn version() -> Result<String, String> {
    let said = Command::new("terraform").arg("version").output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.lines().next().map(str::to_owned).ok_or_else(|| "it says no version".into())
}

#[test]
fn both_are_killed_at_the_same_moments() {
    let version = match version() {
        Ok(version) => version,
        Err(why) => return skipped("terraform", &why),
    };
    let signals = [Signal::KILL, Signal::TERM];
    let each = |contender| {
        signals.into_iter().flat_map(move |signal| MOMENTS.map(|moment| (contender, moment, signal)))
    };
    let trials: Vec<_> = each(Contender::Ours).chain(each(Contender::Terraform)).collect();
    let numbers: Vec<usize> = (0..trials.len()).collect();
    let counts = at_once(8, &numbers, |number| {
        let (contender, moment, signal) = trials[number];
        Site::of(contender).trial(moment, signal)
    });
    let sum = |contender, signal| {
        let of_it = trials.iter().zip(&counts).filter(|(trial, _)| (trial.0, trial.2) == (contender, signal));
        of_it.fold(Count::default(), |sum, (_, count)| Count {
            twice: sum.twice + count.twice,
            missing: sum.missing + count.missing,
            locks: sum.locks + count.locks,
            orphans: sum.orphans + count.orphans,
        })
    };
    for (word, signal) in [("kill -9", Signal::KILL), ("SIGTERM", Signal::TERM)] {
        println!("{word}, {version}: {}", sum(Contender::Terraform, signal));
        println!("{word}, switchover: {}", sum(Contender::Ours, signal));
    }
    let ours = counts.iter().zip(&trials).filter(|(_, trial)| trial.0 == Contender::Ours);
    let clean = ours.filter(|(count, _)| **count == Count::default()).count();
    println!("proved: beside Terraform {clean} of {}", trials.len() / 2);
    assert_eq!(clean, trials.len() / 2);
}
