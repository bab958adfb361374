//! A world that is a file: whatever a command of the plan does is one line of a ledger. So it lands whole or not at all,
//! `check` can always tell, and what was done twice, or is missing, is read off it.
//!
//! Many such worlds share one sandbox, which lends them its faster time and takes part in nothing.

mod judge;
pub(crate) mod point;

use crate::disk::folder;
use crate::stage::{Said, Stage, repository};
pub(crate) use judge::told;
use point::{Blow, Point};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fmt, fs};
use switchover::adapter::SystemClock;
use switchover::plan::Timestamp;
use switchover::port::Clock;
use switchover::store::record::{EventRecord, PauseRecord, StandingRecord, VerdictRecord};
use switchover::store::{Seq, SqliteStore, Store, StoreError};
use tempfile::TempDir;

/// How fast time runs: a command has three seconds, and a third of one to stop. Where two cores had 144 trials at once, one of
/// ten thousand needed more than two and a half to begin.
const TIME: u32 = 60;
/// How often an operator does something before they give up.
const PATIENCE: usize = 8;
/// The steps, in their order.
pub(crate) const STEPS: [&str; 3] = ["first", "left", "right"];

const PLAN: &str = "
switchover: v1
name: ledger
steps:
  - id: first
    uses: exec
    with:
      prior: [/bin/sh, step.sh, prior, first]
      run: [/bin/sh, step.sh, run, first]
      check: [/bin/sh, step.sh, check, first]
      undo: [/bin/sh, step.sh, undo, first]
      stop: { signal: TERM, grace: 20s }
      within: 3m
      locks: [ledger]
  - id: both
    parallel:
      - id: left
        uses: exec
        with:
          run: [/bin/sh, step.sh, run, left]
          check: [/bin/sh, step.sh, check, left]
          undo: [/bin/sh, step.sh, undo, left]
          stop: { signal: TERM, grace: 20s }
          within: 3m
      - id: right
        uses: exec
        with:
          run: [/bin/sh, step.sh, run, right]
          check: [/bin/sh, step.sh, check, right]
          undo: [/bin/sh, step.sh, undo, right]
          stop: { signal: TERM, grace: 20s }
          within: 3m
";

/// `strike MOMENT`: signals the tool, which is the parent of our supervisor, if this is the moment. Whoever signals it
/// dead should be stopped at once, and confesses if it is not.
const STEP: &str = r#"
verb=$1 name=$2
is_in_force() {
    in_force=false
    while read -r what of; do
        case "$what $of" in "run $name") in_force=true ;; "undo $name") in_force=false ;; esac
    done <ledger
    $in_force
}
strike() {
    [ "$STRIKE_AT" = "$verb $name $1" ] || return 0
    while read -r key value; do [ "$key" = PPid: ] && tool=$value; done </proc/$PPID/status
    read -r program </proc/$tool/comm
    [ "$program" = switchover ] && kill -"$STRIKE_WITH" "$tool"
    case "$STRIKE_WITH $1" in
    "KILL deaf") sleep 0.1 ;;
    KILL*) sleep 10; echo "outlived $name" >>ledger ;;
    esac
}
case $verb in
prior) if is_in_force; then echo there; else echo missing; fi ;;
check)
    if [ -e "slow-$name" ]; then rm "slow-$name"; exit 11; fi
    is_in_force || exit 10
    ;;
*)
    [ -e "refuses-$verb-$name" ] && exit 1
    strike begun
    [ "$STRIKE_AT" = "$verb $name deaf" ] && trap '' TERM
    strike deaf
    if [ "$verb $name" = "undo first" ] && [ "$SWITCHOVER_PRIOR" != missing ]; then name=nothing; fi
    echo "$verb $name" >>ledger
    strike landed
    [ ! -e "fails-$verb-$name" ]
    ;;
esac
"#;

/// A way that things go besides being struck.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What the ledger holds before.
    before: &'static str,
    /// Files that tell commands to fail once they have done it, to refuse, or to be slow.
    troubles: &'static [&'static str],
}

const fn new(name: &'static str, troubles: &'static [&'static str]) -> Scenario {
    Scenario { name, before: "", troubles }
}

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    new("all-well", &[]),
    new("right-fails", &["fails-run-right"]),
    new("left-fails", &["fails-run-left"]),
    new("first-fails", &["fails-run-first"]),
    new("both-fail", &["fails-run-left", "fails-run-right"]),
    new("left-is-slow", &["slow-left"]),
    new("right-is-slow", &["slow-right"]),
    new("all-are-slow-and-right-fails", &["slow-first", "slow-left", "slow-right", "fails-run-right"]),
    new("undo-of-first-is-stuck", &["fails-run-right", "refuses-undo-first"]),
    new("undo-of-left-is-stuck", &["fails-run-right", "refuses-undo-left"]),
    new("undo-of-right-is-stuck", &["fails-run-right", "refuses-undo-right"]),
    new(
        "all-undos-are-stuck",
        &["fails-run-left", "refuses-undo-first", "refuses-undo-left", "refuses-undo-right"],
    ),
    new("undo-of-first-fails-once-done", &["fails-run-left", "fails-undo-first"]),
    new("undo-of-left-fails-once-done", &["fails-run-right", "fails-undo-left"]),
    new("undo-of-right-fails-once-done", &["fails-run-left", "fails-undo-right"]),
    Scenario { before: "run first\n", ..new("first-is-there", &["fails-run-right"]) },
    Scenario { before: "run first\nrun left\n", ..new("left-is-there", &["fails-run-right"]) },
    Scenario { before: "run first\nrun right\n", ..new("right-is-there", &["fails-run-left"]) },
];

impl Scenario {
    /// How many undos are refused, and tried again and again: most of that time nothing is done.
    pub(crate) fn waits(&self) -> usize {
        self.troubles.iter().filter(|name| name.starts_with("refuses-")).count()
    }
}

/// What somebody does with a run whose process is dead or silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Resume,
    Abort,
}

impl Then {
    pub(crate) const BOTH: [Self; 2] = [Self::Resume, Self::Abort];

    /// The verb that does it, where there are so many facts: a process may have died before there was a run.
    pub(crate) fn verb(self, facts: usize) -> &'static [&'static str] {
        match self {
            _ if facts == 0 => &["run"],
            Self::Resume => &["resume", "latest"],
            Self::Abort => &["abort", "latest"],
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Resume { "resume" } else { "abort" })
    }
}

/// The sandbox for all of them.
pub(crate) fn stage() -> Stage {
    Stage::without_users(&repository("plans/worlds/one-record.yaml"), TIME)
}

/// Such a world, and the tool beside it.
pub(crate) struct Ledger<'s> {
    stage: &'s Stage,
    scenario: Scenario,
    mistake: Option<&'static str>,
    home: TempDir,
}

impl<'s> Ledger<'s> {
    /// `mistake`: what the tool does wrongly, if it was built for it.
    pub(crate) fn new(stage: &'s Stage, scenario: Scenario, mistake: Option<&'static str>) -> Self {
        let home = folder();
        let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
        write("plan.yaml", PLAN);
        write("step.sh", STEP);
        write("ledger", scenario.before);
        scenario.troubles.iter().for_each(|name| write(name, ""));
        Self { stage, scenario, mistake, home }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A verb of the tool.
    pub(crate) fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.stage.command(verb);
        if verb == ["run"] {
            command.arg(self.file("plan.yaml"));
        }
        command.env("SWITCHOVER_STATE_DIR", self.file("state")).env("SWITCHOVER_ON_PAUSE", "exit");
        command.envs(self.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        command.env("STRIKE_AT", "").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same, to be struck at this point; so many facts there are before.
    pub(crate) fn struck(&self, verb: &[&str], blow: Blow, point: &Point, before: usize) -> Command {
        let mut command = self.command(verb);
        let (fault, signal) = if blow == Blow::Kill { ("kill", "KILL") } else { ("stop", "STOP") };
        match point {
            Point::Append { number, after } => {
                let place = if *after { "after" } else { "before" };
                command.env("SWITCHOVER_FAULTS", format!("{fault}-{place}-append={}", before + number))
            }
            Point::Within { command: (of, step), moment } => {
                command.env("STRIKE_AT", format!("{of} {step} {moment}")).env("STRIKE_WITH", signal)
            }
        };
        command
    }

    pub(crate) fn run(&self, verb: &[&str]) -> Said {
        self.command(verb).output().unwrap().into()
    }

    fn store(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_to_read(&self.file("state"))
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file("state/switchover.db")).unwrap()
    }

    /// The facts of the run, whose chain holds; none if there is no run.
    pub(crate) fn facts(&self) -> Result<Vec<EventRecord>, String> {
        let read = || {
            let store = self.store()?;
            let run = store.ids()?.into_iter().next().ok_or(StoreError::NoRuns)?;
            store.read(&run, Seq(1))
        };
        match read() {
            Ok(stored) => Ok(stored.iter().map(|stored| EventRecord::parse(&stored.body).unwrap()).collect()),
            Err(StoreError::NoRuns | StoreError::Absent { .. }) => Ok(Vec::new()),
            Err(error) => Err(format!("the journal does not hold: {error}")),
        }
    }

    fn standing(&self) -> Result<StandingRecord, String> {
        let listed = self.store().and_then(|store| store.runs(SystemClock::wall().now()));
        let first = listed.map_err(|error| error.to_string())?.pop().ok_or("there is no run")?;
        first.map(|listed| listed.standing).map_err(|lost| lost.1.to_string())
    }

    /// Goes on as an operator would, until there is a verdict.
    pub(crate) fn bring_to_an_end(&self) -> Result<(), String> {
        let mut done = Vec::new();
        for _ in 0..PATIENCE {
            if self.facts()?.is_empty() {
                done.push(format!("{:?}", self.run(&["run"])));
                continue;
            }
            let standing = self.standing()?;
            if standing.verdict().is_some() {
                return Ok(());
            }
            let said = match &standing.paused {
                None | Some(PauseRecord::Interrupted | PauseRecord::OutOfRoom) => {
                    self.run(&["resume", "latest"])
                }
                Some(PauseRecord::Stuck { step } | PauseRecord::Blind { step }) => {
                    self.mend();
                    self.run(&["retry", step])
                }
                // Whoever aborts a rollback stops it.
                Some(PauseRecord::Operator) => self.run(&["continue", "latest"]),
                Some(other) => {
                    return Err(format!("what now? {other:?}; {done:#?}\n{}", told(&self.facts()?)));
                }
            };
            done.push(format!("{:?} {}", said.code, said.stderr));
        }
        Err(format!("no end: {done:#?}"))
    }

    /// Whatever refuses is put right.
    fn mend(&self) {
        for name in self.scenario.troubles.iter().filter(|name| name.starts_with("refuses-")) {
            let _ = fs::remove_file(self.file(name));
        }
    }

    /// Waits until whoever holds the run, and is silent, may be replaced.
    pub(crate) fn wait_for_the_lease(&self) {
        let expires = "SELECT max(expires) FROM leases WHERE held";
        let expires: Option<u64> = self.database().query_row(expires, [], |row| row.get(0)).unwrap();
        let left = Timestamp(expires.unwrap_or_default()).since(SystemClock::wall().now());
        std::thread::sleep(left);
    }

    /// What was done so far.
    pub(crate) fn lines(&self) -> String {
        let all = fs::read_to_string(self.file("ledger")).unwrap();
        all[self.scenario.before.len()..].to_owned()
    }

    /// It ended as it should, after somebody did this when there were these facts; the world is as the verdict says, and
    /// nothing is left behind.
    pub(crate) fn judge(&self, then: Then, earlier: &[EventRecord]) -> Result<(), String> {
        let facts = self.facts()?;
        // Of a run that was over, an abort that was killed before it was recorded has not happened.
        let is_over = matches!(earlier.last(), Some(EventRecord::RunFinished { .. }));
        let unheard = is_over && facts.len() == earlier.len();
        let turned = then == Then::Abort && !earlier.is_empty() && !unheard;
        // That it fails was told to whoever was killed: seen from outside it did what it should.
        let fails = self.scenario.troubles.iter().filter_map(|name| name.strip_prefix("fails-run-"));
        let completes = fails.into_iter().all(|step| judge::is_settled_by_looking(&facts, step));
        let verdict = if completes && !turned { VerdictRecord::Completed } else { VerdictRecord::RolledBack };
        judge::ended(&facts, verdict)
            .and_then(|()| judge::announced(&facts, &self.lines()))
            .and_then(|()| judge::in_force(self.scenario.before, &self.lines(), verdict))
            .and_then(|()| self.is_let_go())
            .map_err(|why| format!("{why}\n{}{}", self.lines(), told(&facts)))
    }

    /// Nobody who lives holds the run, nothing is locked by anybody who lives, and no process is left.
    fn is_let_go(&self) -> Result<(), String> {
        let told = |error: StoreError| error.to_string();
        let store = self.store().map_err(told)?;
        let run = store.ids().map_err(told)?.remove(0);
        let locks = "SELECT count(*) FROM locks";
        let locks: u32 = self.database().query_row(locks, [], |row| row.get(0)).unwrap();
        match store.holder(&run, SystemClock::wall().now()).map_err(told)? {
            Some(holder) if !holder.gone => Err(format!("{holder} holds it")),
            None if locks > 0 => Err("it was let go, and what it locked was not".into()),
            // A lock of whoever died before they could give it back is anybody's.
            _ => self.nobody_lives(),
        }
    }

    /// Commands and their supervisors work in the folder of the plan; whoever was told to stop may be at it yet.
    fn nobody_lives(&self) -> Result<(), String> {
        for _ in 0..100 {
            let here = |process: &fs::DirEntry| {
                fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder == self.home.path())
            };
            if !fs::read_dir("/proc").unwrap().flatten().any(|process| here(&process)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("a process is left".into())
    }
}
