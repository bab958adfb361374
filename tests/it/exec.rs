//! Commands of a plan when the tool that runs them dies, is suspended, or is interrupted: what they started is ended,
//! gently, and a run that goes on waits for it.

use crate::stage::{Said, Stage};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A second is a tenth of one.
const TIME: u32 = 10;

const PLAN: &str = "
switchover: v1
name: commands
steps:
  - id: work
    uses: exec
    with:
      run: [sh, work.sh]
      check: [sh, -c, 'test -e done || exit 10']
      undo: [sh, -c, 'echo undo >> log; rm -f done']
      stop: { signal: TERM, grace: 20s }
      within: 80s
";

/// Does its work at once, so that a look finds it done, and ends when it is let go; told to stop before, it takes a
/// second to clean up, and says so aloud.
const WORK: &str = "
trap 'echo term >> log; echo cleaning; sleep 1; echo cleaning >&2; rm -f done; echo cleaned >> log; exit 1' TERM
echo $$ > id
echo $PPID > supervisor
echo begin >> log
touch done
while [ ! -e go ]; do sleep 0.05; done
echo end >> log
";

/// The same, and deaf.
const DEAF: &str = "
trap '' TERM
echo $$ > id
echo $PPID > supervisor
echo begin >> log
touch done
while :; do sleep 0.05; done
";

/// A plan with one command, in a folder of its own, and a world to run it in.
struct Desk {
    stage: Stage,
    home: TempDir,
}

impl Desk {
    fn new(work: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("commands.yaml"), PLAN).unwrap();
        std::fs::write(home.path().join("work.sh"), work).unwrap();
        Self { stage: Stage::new("plans/worlds/exec-with-undo.yaml", TIME), home }
    }

    /// The tool at work, in a group of its own as a shell would start it.
    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.stage.command(arguments);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The tool, once its command has begun.
    fn begin(&self) -> Child {
        let plan = self.home.path().join("commands.yaml");
        let tool = self.start(&["run", plan.to_str().unwrap(), "--on-pause", "exit"]);
        self.wait_for(&["begin"]);
        tool
    }

    fn write(&self, name: &str) {
        std::fs::write(self.home.path().join(name), "").unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    fn log(&self) -> Vec<String> {
        self.read("log").lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, log: &[&str]) {
        self.wait_so_long_for(20, log);
    }

    fn wait_so_long_for(&self, seconds: u32, log: &[&str]) {
        within(seconds, || self.log() == log, || format!("{log:?}, not {:?}", self.log()));
    }

    /// Neither the command nor its supervisor is left.
    fn nothing_lives(&self) -> bool {
        ["id", "supervisor"].iter().all(|name| {
            let id = self.read(name);
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
            // A corpse is dead, also where nobody buries it.
            assert!(!id.is_empty());
            stat.is_empty() || stat.contains(") Z ")
        })
    }

    fn resume(&self) -> Said {
        self.stage.run(&["resume", "latest", "--on-pause", "exit"])
    }
}

fn within(seconds: u32, mut holds: impl FnMut() -> bool, what: impl Fn() -> String) {
    for _ in 0..seconds * 50 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within {seconds} seconds: {}", what());
}

fn kill(tool: &mut Child) {
    tool.kill().unwrap();
    tool.wait().unwrap();
}

fn ended(tool: Child) -> Said {
    tool.wait_with_output().unwrap().into()
}

#[test]
fn a_command_whose_tool_was_killed_cleans_up_and_the_run_waits_for_it() {
    let desk = Desk::new(WORK);
    kill(&mut desk.begin());
    // At once: the command is still at its cleaning, and what it did looks done.
    let resumed = desk.start(&["resume", "latest", "--on-pause", "exit"]);
    // Long before its time is over.
    desk.wait_so_long_for(5, &["begin", "term", "cleaned"]);
    within(2, || desk.nothing_lives(), || "something lives on".into());
    desk.write("go");
    let said = ended(resumed);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(desk.log(), ["begin", "term", "cleaned", "begin", "end"], "{said:?}");
    assert!(desk.home.path().join("done").exists());
}

#[test]
fn a_command_whose_tool_was_killed_is_over_before_it_is_undone() {
    let desk = Desk::new(WORK);
    kill(&mut desk.begin());
    let said = desk.stage.run(&["abort", "latest", "--reason", "its tool died"]);
    assert_eq!(said.code, Some(12), "{said:?}");
    // It had put back what it did by itself.
    assert_eq!(desk.log(), ["begin", "term", "cleaned"], "{said:?}");
    assert!(!desk.home.path().join("done").exists());
}

#[test]
fn a_command_that_does_not_hear_is_killed_after_its_grace() {
    let desk = Desk::new(DEAF);
    let mut tool = desk.begin();
    kill(&mut tool);
    // Of its two seconds.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!desk.nothing_lives(), "it was killed before its grace was over");
    within(4, || desk.nothing_lives(), || "something lives on".into());
    let said = desk.stage.run(&["abort", "latest", "--reason", "its tool died"]);
    assert_eq!(said.code, Some(12), "{said:?}");
    assert_eq!(desk.log(), ["begin", "undo"]);
    assert!(!desk.home.path().join("done").exists());
}

#[test]
fn a_command_ends_in_time_while_its_tool_is_suspended() {
    let desk = Desk::new(WORK);
    let tool = desk.begin();
    kill_process(Pid::from_child(&tool), Signal::STOP).unwrap();
    // Eight seconds are all it has; nobody but its supervisor can tell it so.
    desk.wait_for(&["begin", "term", "cleaned"]);
    kill_process(Pid::from_child(&tool), Signal::CONT).unwrap();
    let said = ended(tool);
    assert_eq!(said.code, Some(10), "{said:?}");
    assert!(said.stderr.contains("was stopped before its end"), "{said:?}");
}

#[test]
fn an_interrupt_is_for_the_tool_alone() {
    let desk = Desk::new(WORK);
    let tool = desk.begin();
    // As a terminal does: to all of the foreground group.
    kill_process_group(Pid::from_child(&tool), Signal::INT).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(desk.log(), ["begin"]);
    desk.write("go");
    let said = ended(tool);
    assert_eq!(said.code, Some(130), "{said:?}");
    assert_eq!(desk.log(), ["begin", "end"]);
    assert_eq!(desk.resume().code, Some(0));
}

#[test]
fn a_second_interrupt_stops_the_command_and_waits_for_nothing() {
    let desk = Desk::new(WORK);
    let tool = desk.begin();
    let group = Pid::from_child(&tool);
    kill_process_group(group, Signal::INT).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill_process_group(group, Signal::INT).unwrap();
    let said = ended(tool);
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(desk.log().len() < 3, "it waited: {:?}", desk.log());
    // Long before its time is over.
    desk.wait_so_long_for(5, &["begin", "term", "cleaned"]);
    within(2, || desk.nothing_lives(), || "something lives on".into());
}

#[test]
fn a_command_that_lives_on_is_told_of() {
    let desk = Desk::new(DEAF);
    let mut tool = desk.begin();
    let id = desk.read("id");
    let supervisor = Pid::from_raw(desk.read("supervisor").trim().parse().unwrap()).unwrap();
    // The tool is suspended first, so that it cannot notice the death of the supervisor.
    kill_process(Pid::from_child(&tool), Signal::STOP).unwrap();
    kill_process(supervisor, Signal::KILL).unwrap();
    kill(&mut tool);
    let said = desk.resume();
    assert_eq!(said.code, Some(13), "{said:?}");
    let told = format!("is still alive: process group {}", id.trim());
    assert!(said.stdout.contains(&told) || said.stderr.contains(&told), "{told}: {said:?}");
    assert_eq!(desk.log(), ["begin"]);
    kill_process(Pid::from_raw(id.trim().parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    let said = desk.stage.run(&["abort", "latest", "--reason", "nothing is left of it"]);
    assert_eq!(said.code, Some(12), "{said:?}");
    assert_eq!(desk.log(), ["begin", "undo"]);
}
