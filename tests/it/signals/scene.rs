//! A plan in a folder of its own, the moments at which it can be met, and what is left of it.

use super::tool::{How, Tool};
use crate::stage::{Said, Stage, lasting, repository};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use switchover::store::{self, Seq, SqliteStore, Store};
use tempfile::TempDir;

/// How fast time runs: whoever goes on waits until a command may not run any more.
const TIME: u32 = 6;
/// Does the work of a step, or takes it back; waits, fails and is deaf where it is told to.
const WORK: &str = r#"
way="$1" name="$2"
trap 'echo "stopped $way $name" >> log; exit 1' TERM
test ! -e deaf || trap '' TERM
touch "held-$way-$name"
while [ -e "hold-$way-$name" ]; do sleep 0.05; done
rm "held-$way-$name"
test ! -e "fail-$way-$name" || exit 1
if [ "$way" = do ]; then touch "$name"; else rm "$name"; fi
echo "$way $name" >> log
"#;

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Nothing is recorded: a command prints a secret of the plan.
    Beginning,
    /// A command runs.
    Command,
    /// One that does not hear its stop signal.
    Deaf,
    /// Time passes.
    Timer,
    /// A signal is watched.
    Monitor,
    /// Somebody is asked.
    Approval,
    /// A command that undoes runs.
    Undo,
    /// A command runs, and an operator has said that the run should pause.
    Pausing,
    /// A command runs, of a run whose first process was killed.
    Resumed,
    /// A command runs in another process; this one watches.
    Watched,
    /// A record is changed.
    Change,
    /// A service is.
    Deployment,
}

pub(super) const MOMENTS: [Moment; 12] = [
    Moment::Beginning,
    Moment::Command,
    Moment::Deaf,
    Moment::Timer,
    Moment::Monitor,
    Moment::Approval,
    Moment::Undo,
    Moment::Pausing,
    Moment::Resumed,
    Moment::Watched,
    Moment::Change,
    Moment::Deployment,
];

impl Moment {
    /// The sandbox's call that is held.
    pub(super) fn call(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Change => Some(("route53", "ChangeResourceRecordSets")),
            Self::Deployment => Some(("ecs", "UpdateService")),
            _ => None,
        }
    }

    /// The command that is held.
    fn command(self) -> Option<&'static str> {
        match self {
            Self::Beginning => Some("do-secret"),
            Self::Command | Self::Deaf | Self::Pausing | Self::Watched => Some("do-middle"),
            Self::Undo => Some("undo-middle"),
            Self::Resumed => Some("do-last"),
            Self::Timer | Self::Monitor | Self::Approval | Self::Change | Self::Deployment => None,
        }
    }

    /// The step in the middle.
    fn middle(self) -> String {
        match self {
            Self::Timer | Self::Resumed => "{ id: middle, uses: wait, with: { for: 12s } }".into(),
            Self::Monitor => {
                "{ id: middle, uses: monitor, with: { for: 12s, every: 2s, signals: [{ id: stop, uses: kill_switch, with: { file: STOP } }] } }".into()
            }
            Self::Approval => {
                "{ id: middle, uses: approve, with: { message: Go?, by: { any: 1, of: [operators] }, expires: 1h } }".into()
            }
            Self::Change => {
                "{ id: middle, uses: dns.switch, with: { target: zone, record: app, to: { load_balancer: aep-prod, in: prod }, writes: shared } }".into()
            }
            Self::Deployment => {
                "{ id: middle, uses: ecs.deploy, with: { target: prod, cluster: aep-prod, service: aep-frontend-prod, images: { frontend: \"123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-frontend@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc\" } } }".into()
            }
            _ => step("middle"),
        }
    }

    fn plan(self) -> String {
        let secret = "secrets: { word: { exec: [sh, work.sh, do, secret] } }\n";
        let targets = "targets:
  prod: { aws: { account: \"123456789012\", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }\n";
        format!(
            "switchover: v1\nname: signals\npeople: {{ operators: [ana@example.com] }}\n{}{}\
             steps:\n- {}\n- {}\n- {}\n",
            if self == Self::Beginning { secret } else { "" },
            if self.call().is_some() { targets } else { "" },
            step("first"),
            self.middle(),
            step("last"),
        )
    }

    /// How the run ends if nobody aborts it.
    pub(super) fn verdict(self) -> &'static str {
        if self == Self::Undo { "rolled_back" } else { "completed" }
    }
}

fn step(name: &str) -> String {
    format!(
        "{{ id: {name}, uses: exec, with: {{ run: [sh, work.sh, do, {name}], undo: [sh, work.sh, undo, {name}], check: \
         [sh, -c, 'test -e {name} || exit 10'], stop: {{ signal: TERM, grace: 6s }}, within: 60s, locks: [place] }} }}"
    )
}

/// Waits until something holds; a test must not hang.
pub(crate) fn within(seconds: u32, what: &str, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    for _ in 0..seconds * 50 {
        if holds() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("not within {seconds} seconds: {what}"))
}

/// The command lines of processes that live and have this in their environment.
pub(crate) fn living(variable: &str, value: &Path) -> Vec<String> {
    let mark = format!("{variable}={}\0", value.display());
    let ours = |folder: fs::DirEntry| {
        let environment = fs::read(folder.path().join("environ")).ok()?;
        let line = fs::read(folder.path().join("cmdline")).ok()?;
        let is_ours = environment.windows(mark.len()).any(|window| window == mark.as_bytes());
        is_ours.then(|| String::from_utf8_lossy(&line).replace('\0', " "))
    };
    fs::read_dir("/proc").unwrap().filter_map(|folder| ours(folder.ok()?)).collect()
}

/// A sandbox for all runs that change nothing in it.
pub(super) fn ground() -> Stage {
    Stage::without_users(&repository("plans/worlds/aep.yaml"), TIME)
}

pub(super) struct Scene<'g> {
    ground: &'g Stage,
    own: Option<Stage>,
    home: TempDir,
    before: Json,
    moment: Moment,
    /// The mistake that the tool makes.
    mistake: &'static str,
}

impl<'g> Scene<'g> {
    pub(super) fn set(ground: &'g Stage, moment: Moment, mistake: &'static str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("plan.yaml"), moment.plan()).unwrap();
        let again = format!("switchover: v1\nname: again\nsteps:\n- {}\n", step("again"));
        fs::write(home.path().join("again.yaml"), again).unwrap();
        fs::write(home.path().join("work.sh"), WORK).unwrap();
        let own = moment.call().map(|(service, operation)| {
            let own = self::ground();
            own.hold(service, operation, 1, "hold_after");
            own
        });
        let before = own.as_ref().map(|own| lasting(&own.world.state())).unwrap_or_default();
        let scene = Self { ground, own, home, before, moment, mistake };
        if let Some(command) = moment.command() {
            scene.write(&format!("hold-{command}"));
        }
        match moment {
            Moment::Deaf => scene.write("deaf"),
            Moment::Undo => scene.write("fail-do-last"),
            _ => {}
        }
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// A verb of the tool; `run` is given the plan.
    pub(super) fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.own.as_ref().unwrap_or(self.ground).command(verb);
        command
            .current_dir(self.home.path())
            .env("SWITCHOVER_STATE_DIR", self.file("state"))
            .env("SWITCHOVER_AS", "starter@example.com")
            .env("SWITCHOVER_ASK", "true")
            .env("SWITCHOVER_ON_PAUSE", if self.moment == Moment::Approval { "wait" } else { "exit" })
            .env("SWITCHOVER_MISTAKE", self.mistake)
            .env("TRIAL", self.home.path())
            .env("NO_COLOR", "1")
            .env_remove("SWITCHOVER_OUTPUT");
        if self.mistake.is_empty() {
            command.env_remove("SWITCHOVER_MISTAKE");
        }
        command
    }

    pub(super) fn run(&self, verb: &[&str]) -> Said {
        self.command(verb).output().unwrap().into()
    }

    /// The facts of the newest run, as they are stored.
    pub(super) fn facts(&self) -> Vec<String> {
        let read = || {
            let store = SqliteStore::open_to_read(&self.file("state")).ok()?;
            let run = store::find(&store, "latest").ok()?;
            store.read(&run, Seq(1)).ok()
        };
        read().unwrap_or_default().into_iter().map(|event| event.body).collect()
    }

    fn has_recorded(&self, words: &[&str]) -> bool {
        self.facts().iter().any(|fact| words.iter().all(|word| fact.contains(word)))
    }

    fn is_held(&self) -> bool {
        match (self.moment, self.moment.command()) {
            (Moment::Timer | Moment::Monitor, _) => self.has_recorded(&[r#""middle""#, r#""planned""#]),
            (Moment::Approval, _) => self.has_recorded(&[r#""approval_asked""#]),
            (_, Some(command)) => self.file(&format!("held-{command}")).exists(),
            (_, None) => self.own.as_ref().is_some_and(Stage::is_holding),
        }
    }

    /// The process that it is about, at the moment; and the one that drives the run, if it is another.
    pub(super) fn arrive(&self, how: How) -> Result<(Tool, Option<Tool>), String> {
        let piped = How { terminal: None, ..how };
        let start = |verb: &[&str], how: How| {
            let mut command = self.command(verb);
            command.env("SWITCHOVER_OUTPUT", how.output);
            Tool::start(command, how)
        };
        let run = ["run", "plan.yaml"];
        let is_held = || within(60, "the moment", || self.is_held());
        match self.moment {
            Moment::Resumed => {
                let mut first = start(&run, piped);
                within(60, "the timer", || self.has_recorded(&[r#""middle""#, r#""planned""#]))?;
                first.kill();
                let tool = start(&["resume", "latest"], how);
                is_held().map_err(|why| format!("{why}: {}", tool.said()))?;
                Ok((tool, None))
            }
            Moment::Watched => {
                let driver = start(&run, piped);
                is_held()?;
                let tool = start(&["watch", "latest"], how);
                within(60, "something to watch", || tool.said().contains("middle"))?;
                Ok((tool, Some(driver)))
            }
            _ => {
                let tool = start(&run, how);
                is_held().map_err(|why| format!("{why}: {}", tool.said()))?;
                if self.moment == Moment::Pausing {
                    let said = self.run(&["pause", "latest"]);
                    within(60, "the pause", || self.has_recorded(&[r#""run_paused""#]))
                        .map_err(|why| format!("{why}: {said:?}"))?;
                }
                Ok((tool, None))
            }
        }
    }

    /// Whatever is held may go on.
    pub(super) fn let_go(&self) {
        if let Some(command) = self.moment.command() {
            let _ = fs::remove_file(self.file(&format!("hold-{command}")));
        }
        match (self.moment, &self.own) {
            (Moment::Approval, _) => {
                self.run(&["approve", "middle", "--run", "latest", "--as", "ana@example.com"]);
            }
            (_, Some(own)) => own.release(),
            _ => {}
        }
    }

    pub(super) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Processes of this trial that live.
    pub(super) fn living(&self) -> Vec<String> {
        living("TRIAL", self.home.path())
    }

    /// How the newest run stands, if there is one.
    pub(super) fn status(&self) -> Option<Json> {
        serde_json::from_str(&self.run(&["status", "latest", "--output", "json"]).stdout).ok()
    }

    /// Whether the world is as a run leaves it that ended so; and nothing was done twice.
    pub(super) fn is_as(&self, verdict: &str) -> Result<(), String> {
        let there = |name: &str| self.file(name).exists();
        let done = |line: &str| self.log().iter().filter(|other| *other == line).count();
        let world = self.own.as_ref().map(|own| lasting(&own.world.state()));
        let changed = world.as_ref().is_some_and(|world| *world != self.before);
        let commands = if self.moment.middle().contains("uses: exec") {
            &["first", "middle", "last"][..]
        } else {
            &["first", "last"]
        };
        let right = if verdict == "completed" {
            let sent = self.moment.call().map(|(service, operation)| {
                let calls = self.own.as_ref().unwrap().calls();
                let ours = |call: &&Json| call["service"] == service && call["operation"] == operation;
                calls.iter().find(ours).and_then(|call| call["came"].as_u64())
            });
            commands.iter().all(|name| there(name) && done(&format!("do {name}")) == 1)
                && changed == world.is_some()
                && sent.is_none_or(|sent| sent == Some(1))
        } else {
            commands.iter().all(|name| !there(name) && done(&format!("do {name}")) < 2) && !changed
        };
        if right { Ok(()) } else { Err(format!("{verdict}, but the world is not so: {:?}", self.log())) }
    }
}
