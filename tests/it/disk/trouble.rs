//! What an operator sees of it: the real binary on a disk that fails, is full, may not be written, or goes away. It ends
//! with the code for "resumable", a cause, a hint and a page; and where the disk comes back, the run goes on.

use super::course::{Course, Scene};
use super::{Ended, Wanted, at_once, folder, proved, skipped, tape};
use crate::stage::Said;
use std::path::Path;
use std::process::{Command, Stdio};

/// At once: most of a trial is waiting.
const AT_ONCE: usize = 6;
/// Calls that fail, up to the how many-th, and as what. There are not so many that the last of them would strike.
const FAULTS: &[(&str, usize, &[&str])] = &[
    ("pwrite64", 110, &["EIO", "ENOSPC", "EROFS"]),
    ("fsync", 20, &["EIO", "ENOSPC"]),
    ("openat", 9, &["EACCES", "EIO", "EMFILE", "EROFS"]),
];

/// It ended as it should where the journal cannot be written.
fn told(said: &Said) -> Result<(), String> {
    let words = ["error: ", "hint: ", "see: runbooks/R-"];
    let missing = words.iter().find(|word| !said.stderr.contains(*word));
    match (said.code, missing) {
        (Some(13), None) => Ok(()),
        (code, missing) => Err(format!("it ended with {code:?}, without {missing:?}: {}", said.stderr)),
    }
}

/// Which call, which of them, how, and whether from then on.
fn faults() -> Vec<(&'static str, usize, &'static str, bool)> {
    let each = FAULTS.iter().flat_map(|(call, last, errors)| {
        (1..=*last).flat_map(move |nth| errors.iter().map(move |error| (*call, nth, *error)))
    });
    each.flat_map(|(call, nth, error)| [false, true].map(|on| (call, nth, error, on))).collect()
}

/// Whether the fault struck: `None`, and nothing is shown, where there were not so many calls.
fn trial(course: &Course, fault: (&str, usize, &str, bool)) -> Option<Result<(), String>> {
    let (scene, log) = (Scene::new(), folder());
    let log = log.path().join("log");
    let ended = struck(course, &scene, &log, fault);
    // So strace marks what it has made fail.
    let has_struck = std::fs::read_to_string(&log).is_ok_and(|log| log.contains("(INJECTED)"));
    (has_struck || ended.is_err()).then_some(ended)
}

fn struck(
    course: &Course,
    scene: &Scene,
    log: &Path,
    (call, nth, error, on): (&str, usize, &str, bool),
) -> Result<(), String> {
    let mut more = scene.about();
    more.push(format!("--inject={call}:error={error}:when={nth}{}", if on { "+" } else { "" }));
    let mut watched = tape::watched(&scene.command(&["run"]), log, &more);
    let said: Said = watched.stdin(Stdio::null()).output().unwrap().into();
    if said.code != Some(0) {
        told(&said)?;
    }
    let Some(status) = scene.status() else { return course.is_as_before(scene) };
    if said.code == Some(0) && status["verdict"] != "completed" {
        return Err(format!("it ended well, and its journal does not: {status:#}"));
    }
    let verdict = scene.bring_to_an_end()?;
    if verdict == "completed" { course.is_as_after(scene) } else { Err(format!("it is {verdict}")) }
}

#[test]
fn every_call_of_a_run_fails() {
    let suite = "I/O errors of a run";
    if let Err(why) = tape::is_possible() {
        return skipped(suite, &why);
    }
    let wanted = Wanted::read();
    let all = faults();
    let name = |number: usize| {
        let (call, nth, error, on) = all[number];
        format!("trouble/{call}-{nth}{}/{error}", if on { "-on" } else { "" })
    };
    let chosen = wanted.choose(suite, all.len(), 20, name);
    if chosen.is_empty() {
        return;
    }
    let course = Course::new();
    let ended = at_once(AT_ONCE, &chosen, |number| (number, trial(&course, all[number])));
    for (number, ended) in &ended {
        let (call, nth, ..) = all[*number];
        let is_last = FAULTS.iter().any(|(of, last, _)| (*of, *last) == (call, nth));
        assert!(!is_last || ended.is_none(), "a run may have more than {nth} calls of {call}: state more");
    }
    let struck = ended.into_iter().filter_map(|(number, ended)| Some((name(number), ended?)));
    proved(suite, &struck.collect::<Ended>());
}

/// Held before its answer, the change to the zone is made, and the directory goes away meanwhile.
#[test]
fn the_directory_goes_away_while_a_call_is_under_way() {
    assert_eq!(goes_away(None), Ok(()));
}

/// What becomes of a tool that does this wrongly.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str) -> Ended {
    vec![("trouble/goes-away".into(), goes_away(Some(mistake)))]
}

fn goes_away(mistake: Option<&'static str>) -> Result<(), String> {
    let scene = Scene::new();
    scene.stage.hold("route53", "ChangeResourceRecordSets", 1, "hold_after");
    let mut run = scene.command(&["run"]);
    let tool = run.envs(mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake))).spawn().unwrap();
    scene.stage.wait_until("the call", || scene.stage.is_holding());
    let aside = scene.state().with_extension("aside");
    std::fs::rename(scene.state(), &aside).unwrap();
    scene.stage.release();
    let said: Said = tool.wait_with_output().unwrap().into();
    told(&said)?;
    for words in ["was removed, moved or replaced while it was in use", "R-journal-full.md"] {
        if !said.stderr.contains(words) {
            return Err(format!("it says nothing of `{words}`: {}", said.stderr));
        }
    }
    // Nobody has made it anew, and put back it goes on.
    if scene.state().exists() {
        return Err("it is there again".into());
    }
    std::fs::rename(&aside, scene.state()).unwrap();
    let verdict = scene.bring_to_an_end()?;
    if verdict == "completed" { Ok(()) } else { Err(format!("it is {verdict}")) }
}

#[test]
fn a_directory_that_may_not_be_written_is_read_and_not_run_in() {
    let scene = Scene::new();
    let said = scene.run(&["run"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    // Root may write anywhere but on a file system that is read-only.
    let read_only = |verb: &[&str]| -> Said {
        let tool = scene.command(verb);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg(r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@" || exit 77"#);
        command.arg(scene.state()).arg(tool.get_program()).args(tool.get_args());
        command.env_clear().envs(tool.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap().into()
    };
    let said = read_only(&["run"]);
    if said.code == Some(77) {
        return skipped("read-only state", &said.stderr);
    }
    told(&said).unwrap();
    assert!(said.stderr.contains("cannot be written"), "{}", said.stderr);
    assert!(said.stderr.contains("R-journal-full.md"), "{}", said.stderr);
    for verb in [&["status", "latest"][..], &["log", "latest", "--verify"], &["runs"]] {
        let said = read_only(verb);
        assert_eq!(said.code, Some(0), "{verb:?}: {}", said.stderr);
    }
    println!("proved: read-only state 4 of 4");
}
