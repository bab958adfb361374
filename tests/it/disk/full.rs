//! A disk of every size that is too small: a file system in memory, mounted in a namespace of its own.

use super::clerk::{Promise, Task};
use super::{Ended, HANDS, Wanted, at_once, folder, found_out, proved, skipped};
use std::path::Path;
use std::process::Command;

/// KiB from one size to the next.
const STEP: usize = 4;
/// Enough for the whole journal, its log, and the room that is set aside.
const LARGEST: usize = 6 * 1024;
/// So many in one go that they need more than what is set aside.
pub(super) const PIECES: usize = 160;

/// Mounts a disk of `$1` KiB at `$2`, does the rest, makes room, and brings out what is there to `$3`.
const SCRIPT: &str = r#"
size="$1" root="$2" out="$3"
shift 3
mount -t tmpfs -o "size=${size}k" none "$root" || exit 77
"$@" || echo "died"
mount -o remount,size=64m "$root" && cp -a "$root/." "$out/"
"#;

fn mounted(size: usize, root: &Path, out: &Path, command: &Command) -> Command {
    let mut script = Command::new("unshare");
    script.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh", &size.to_string()]);
    script.args([root, out]).arg(command.get_program()).args(command.get_args());
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script
}

fn is_possible() -> Result<(), String> {
    let (root, out) = (folder(), folder());
    let tried = mounted(64, root.path(), out.path(), &Command::new("true")).output();
    let output = tried.map_err(|error| format!("there is no unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("nothing may be mounted: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// What comes of a disk of this size, and of a store that takes an append for done that was not.
fn trial(size: usize) -> (Result<(), String>, Result<(), String>) {
    let (root, out) = (folder(), folder());
    let clerk = Task { session: PIECES, ..Task::until(PIECES) }.command(&root.path().join("state"));
    let output = mounted(size, root.path(), out.path(), &clerk).output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    if has_died(&said) {
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    judge(&said, out.path())
}

/// It says so in a line of its own: the name of a folder may be any letters.
fn has_died(said: &str) -> bool {
    said.lines().any(|line| line == "died")
}

/// What is to be thought of what a clerk said who had too little room, and left here.
pub(super) fn judge(said: &str, out: &Path) -> (Result<(), String>, Result<(), String>) {
    let promise = Promise::heard(said);
    let failed = said.lines().find(|line| line.starts_with("failed "));
    let told = match failed {
        _ if has_died(said) => Err(said.to_owned()),
        Some(line) if !line.contains("failed Full") => Err(format!("it is called another thing: {line}")),
        None if promise.kept < PIECES => Err(format!("it said nothing: {said}")),
        _ => Ok(()),
    };
    let state = out.join("state");
    // Judging goes on with it, so the wrong judge comes first, and gets a copy.
    let copy = folder();
    let copied = Command::new("cp").args(["-a"]).args([out, copy.path()]).status().unwrap();
    assert!(copied.success());
    let wrong = Promise { kept: promise.begun, ..promise };
    let wrong = wrong.judge(&copy.path().join(out.file_name().unwrap()).join("state"));
    (told.and_then(|()| promise.judge(&state)), wrong)
}

#[test]
fn disks_of_every_size_are_full() {
    let suite = "full disks";
    if let Err(why) = is_possible() {
        return skipped(suite, &why);
    }
    let wanted = Wanted::read();
    every_size(&wanted, suite, "full", STEP, trial);
}

/// Disks of every size, so many KiB apart.
pub(super) fn every_size(
    wanted: &Wanted,
    suite: &str,
    head: &str,
    step: usize,
    trial: impl Fn(usize) -> (Result<(), String>, Result<(), String>) + Sync,
) {
    let size = |number: usize| (number + 1) * step;
    let name = |number: usize| format!("{head}/{}K", size(number));
    let chosen = wanted.choose(suite, LARGEST / step, 50, name);
    if chosen.is_empty() {
        return;
    }
    let ended = at_once(HANDS, &chosen, |number| (name(number), trial(size(number))));
    let good: Ended = ended.iter().map(|(name, (good, _))| (name.clone(), good.clone())).collect();
    proved(suite, &good);
    if !wanted.is_named() {
        let wrong: Ended = ended.into_iter().map(|(name, (_, wrong))| (name, wrong)).collect();
        found_out("an append that takes a full disk for done", &wrong);
    }
}

/// One step that is at work until it is told to end; whoever undoes it ends at once.
const LONG: &str = r#"
switchover: v1
name: long
steps:
  - id: long
    uses: exec
    with:
      run: [sh, -c, "touch $OUT/began; until [ -e $OUT/go ]; do sleep 0.1; done"]
      undo: ["true"]
"#;

/// Runs the plan `$3` with `$4` on a disk of 8 MiB that is full as soon as its step is at work, does `$5` then, waits
/// until the run has ended, tells how, and what is read of it while the disk is full. Then there is room, and `$6` is done.
const FILLED: &str = r#"
root="$1" out="$2" plan="$3" tool="$4"
mount -t tmpfs -o size=8m none "$root" || exit 77
export OUT="$out" SWITCHOVER_STATE_DIR="$root/state"
"$tool" run "$plan" --yes --on-pause exit >"$out/said" 2>&1 &
run=$!
until [ -e "$out/began" ]; do sleep 0.1; done
dd if=/dev/zero of="$root/fill" bs=1k 2>/dev/null
eval "$5"
wait "$run"
echo "run $?"
dd if=/dev/zero of="$root/more" bs=1k 2>/dev/null
for verb in runs status log report; do
  case $verb in runs) about= ;; *) about=latest ;; esac
  if "$tool" $verb $about >"$out/told" 2>"$out/why"; then
    echo "$verb can be read"
    sed "s/^/$verb: /" "$out/told"
  else
    echo "$verb cannot:"
    cat "$out/why"
  fi
done
rm "$root/fill" "$root/more"
eval "$6"
"#;

/// How a run ends whose disk is full while a step is at work, what is done then, and what once there is room.
fn filled(then: &str, at_last: &str) -> String {
    let (root, out) = (folder(), folder());
    let plan = out.path().join("plan.yaml");
    std::fs::write(&plan, LONG).unwrap();
    let tool = env!("CARGO_BIN_EXE_switchover");
    let mut script = Command::new("unshare");
    script.args(["--user", "--map-root-user", "--mount", "sh", "-c", FILLED, "sh"]);
    script.args([root.path(), out.path(), &plan]).args([tool, then, at_last]);
    let output = script.output().unwrap();
    let said = std::fs::read_to_string(out.path().join("said")).unwrap_or_default();
    format!("{}{said}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const READ: [&str; 4] = ["runs can be read", "status can be read", "log can be read", "report can be read"];

/// Nothing is appended while a step is at work; the lease is renewed, and orders come.
#[test]
fn a_disk_that_fills_while_a_step_is_at_work_pauses_the_run_and_takes_orders() {
    if let Err(why) = is_possible() {
        return skipped("a disk that fills meanwhile", &why);
    }
    let noticed = r#"until [ ! -e "$root/state/reserve" ]; do sleep 0.1; done; touch "$out/go""#;
    let aborted = r#""$tool" abort latest --reason "the disk is full" >"$out/abort" 2>&1; echo "abort $?""#;
    let resumed = r#""$tool" resume latest >"$out/resumed" 2>&1; echo "resume $?""#;
    let full = &[
        "run 13",
        "the disk that holds the journal was full",
        "what to do now",
        "switchover resume",
        "runs: ",
        "paused: the disk that holds the journal was full",
        "status:   the disk that holds the journal was full; all is saved, and nothing new was begun",
        "see runbooks/R-journal-full.md",
        "report: ",
        "resume 0",
    ];
    for (then, words, at_last) in
        [(noticed, &full[..], resumed), (aborted, &["abort 0", "run 12", "rolled back"], "")]
    {
        let told = filled(then, at_last);
        for word in words.iter().chain(&READ) {
            assert!(told.contains(word), "`{word}` is not in:\n{told}");
        }
    }
}
