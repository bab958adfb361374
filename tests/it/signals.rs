//! Signals: Ctrl-C once, twice and three times, at a terminal and without one, SIGTERM, SIGHUP, a terminal that is closed,
//! a reader that goes away; at every kind of moment of a run. It stops as it is asked to, says what to type next, leaves
//! no process behind; and what it says is typed: the run ends well, with all done once or nothing, and holds no lock.
//!
//! A sample runs with the other tests. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_SIGNALS=all                      cargo test --test it signals:: -- --nocapture
//! SWITCHOVER_SIGNALS=command/ctrl-c-twice     … trials whose names begin so
//! ```
//!
//! With `--features mistakes` the tool makes the mistakes that these trials are for, and each must be found.

mod scene;
mod tool;
mod trial;

use crate::disk::at_once;
pub(crate) use scene::{living, within};
use tool::Tool;
use trial::{DEEDS, Trial, trials};

/// Trials of a sample.
const SAMPLE: usize = 16;
/// At once: most of a trial is waiting.
const AT_ONCE: usize = 16;

fn chosen(all: Vec<Trial>) -> Vec<Trial> {
    match std::env::var_os("SWITCHOVER_SIGNALS").map(|text| text.into_string().unwrap()).as_deref() {
        None => {
            let step = (all.len() / SAMPLE) | 1;
            all.into_iter().skip(step / 2).step_by(step).collect()
        }
        Some("all") => all,
        Some(name) => all.into_iter().filter(|trial| trial.name().starts_with(name)).collect(),
    }
}

/// Whoever is started where SIGHUP is ignored goes on ignoring it, and so do those that it starts.
fn assert_hears_hang_ups() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let hears = u64::from_str_radix(ignored, 16).unwrap() & 1 == 0;
    assert!(hears, "SIGHUP is ignored here, as `nohup` has it: start this with `setsid` in its place");
}

#[test]
fn a_run_stops_as_it_is_asked_to() {
    assert_hears_hang_ups();
    let mut all = trials();
    if !Tool::can_have_a_terminal() {
        crate::disk::skipped("signals at a terminal", "there is no `setsid`");
        all.retain(|trial| !trial.is_at_a_terminal());
    }
    let trials = chosen(all);
    assert!(!trials.is_empty(), "no trial has this name");
    let numbers: Vec<usize> = (0..trials.len()).collect();
    let ground = scene::ground();
    let ended = at_once(AT_ONCE, &numbers, |number| trials[number].run(&ground, ""));
    for (trial, why) in
        trials.iter().zip(&ended).filter_map(|(trial, ended)| Some((trial, ended.as_ref().err()?)))
    {
        println!("SWITCHOVER_SIGNALS={} cargo test --test it signals:: -- --nocapture: {why}", trial.name());
    }
    let good = ended.iter().filter(|ended| ended.is_ok()).count();
    println!("proved: signals {good} of {}", ended.len());
    assert_eq!(good, ended.len(), "some did not end as they should");
}

#[test]
fn every_deed_is_tried_at_every_moment() {
    let all = trials();
    for moment in scene::MOMENTS {
        let here = all.iter().filter(|trial| trial.is_at(moment));
        let mut deeds: Vec<&str> = here.map(Trial::deed).collect();
        deeds.dedup();
        assert_eq!(deeds.len(), DEEDS.len(), "{moment:?}");
    }
    assert!(all.len() >= 100, "{} trials", all.len());
}

/// Each mistake, and a trial that finds it.
#[cfg(feature = "mistakes")]
const MISTAKES: &[(&str, &str)] = &[
    ("CommandLivesOn", "command/int-twice/abort"),
    ("CommandInOurGroup", "command/ctrl-c/resume"),
    ("InterruptBreaksOff", "command/term/resume"),
    ("HangUpKills", "timer/closed/resume"),
    ("HangUpHurries", "command/hup-twice/resume"),
    ("NohupOverridden", "timer/nohup/resume"),
    ("DeafAtFirst", "beginning/int/resume"),
    ("ReaderAssumed", "watched/no-reader/resume"),
    ("LocksStay", "timer/int/resume"),
];

#[cfg(feature = "mistakes")]
#[test]
fn each_mistake_is_found() {
    let ground = scene::ground();
    let numbers: Vec<usize> = (0..MISTAKES.len()).collect();
    let found = at_once(AT_ONCE, &numbers, |number| {
        let (mistake, name) = MISTAKES[number];
        let trial = trials().into_iter().find(|trial| trial.name() == name).unwrap();
        assert_eq!(trial.run(&ground, ""), Ok(()), "{name}, without a mistake");
        trial.run(&ground, mistake).err()
    });
    for ((mistake, name), why) in MISTAKES.iter().zip(&found) {
        let why = why.as_ref().unwrap_or_else(|| panic!("{mistake} is not found by {name}"));
        println!("planted: {mistake}: {name}: {}", why.lines().next().unwrap());
    }
    println!("proved: mistakes about signals {0} of {0}", MISTAKES.len());
}
