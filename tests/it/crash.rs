//! The crash matrix: the real binary is killed at every journal boundary and around calls, forward and on the way back;
//! then one trial resumes and another aborts, is killed once more, and is brought to its end as an operator would. The
//! journal must hold, and the world must be as the verdict says.
//!
//! Scenarios: all goes well, each step fails, each undo fails. Steps and undos are those of the plan's own journals; one
//! that no scenario breaks fails the test. Up to the step that it breaks a scenario is the first one, so only what comes
//! from there on is killed in it:
//! - before and after each append to the journal;
//! - around every call that writes, and around the first of each kind that reads: before it is carried out, and after,
//!   before it is answered. Requests of `http.check` and `http.flow` are calls too;
//! - before and after the command of `finally`.
//!
//! There are no users here, so that many trials fit on a machine, and the soak is short.
//!
//! A sample runs with the other tests. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_CRASH=all                         cargo test --release --test it crash -- --nocapture
//! SWITCHOVER_CRASH=3/8                         … the third of eight parts
//! SWITCHOVER_CRASH=switch-fails                … one scenario
//! SWITCHOVER_CRASH=switch-fails/before-52/abort … one trial
//! ```

#[cfg(feature = "mistakes")]
mod planted;
mod scenario;
mod trial;

use scenario::{Scenario, scenarios};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use trial::{Course, Ended, Trial};

/// Trials of a sample.
const SAMPLE: usize = 8;
/// At once: most of a trial is waiting.
const AT_ONCE: usize = 20;

/// What is to be run.
pub(crate) enum Wanted {
    Sample,
    All,
    /// From one part to another, of so many.
    Parts(RangeInclusive<u64>, u64),
    /// Whatever begins so.
    Named(String),
}

impl Wanted {
    /// As this variable says.
    pub(crate) fn read(variable: &str) -> Self {
        let Some(text) = std::env::var_os(variable) else { return Self::Sample };
        let text = text.into_string().unwrap();
        let parts = text.split_once('/').and_then(|(which, of)| {
            let (first, last) = which.split_once('-').unwrap_or((which, which));
            Some((first.parse().ok()?..=last.parse().ok()?, of.parse().ok()?))
        });
        match (&*text, parts) {
            ("all", _) => Self::All,
            (_, Some((parts, of))) if !parts.is_empty() && *parts.start() > 0 && *parts.end() <= of => {
                Self::Parts(parts, of)
            }
            _ => Self::Named(text),
        }
    }

    /// What of the matrix it is.
    fn title(&self) -> String {
        match self {
            Self::Parts(parts, of) => format!("crash matrix, parts {parts:?} of {of}:"),
            Self::Sample | Self::All | Self::Named(_) => "crash matrix".into(),
        }
    }

    /// Whether anything of a scenario is wanted. A sample takes some of them, the first among them.
    fn has(&self, place: usize, scenario: &Scenario) -> bool {
        match self {
            Self::Sample => place.is_multiple_of(7),
            Self::All | Self::Parts(..) => true,
            Self::Named(name) => name.split('/').next().is_some_and(|first| first == scenario.name),
        }
    }

    fn choose<'c>(&self, all: Vec<Trial<'c>>) -> Vec<Trial<'c>> {
        match self {
            Self::All => all,
            // Spread over all scenarios, and over each from its beginning to its end.
            Self::Sample => spread(all, SAMPLE),
            Self::Parts(wanted, of) => parts(all, wanted.clone(), *of).collect(),
            Self::Named(name) => all.into_iter().filter(|trial| trial.name().starts_with(name)).collect(),
        }
    }
}

/// Some parts of so many. Trials take turns, a verb after the other, so that every second of them would be of one kind: where
/// one stands in the list must say nothing of the part that it is in.
pub(crate) fn parts<T>(
    all: impl IntoIterator<Item = T>,
    wanted: RangeInclusive<u64>,
    of: u64,
) -> impl Iterator<Item = T> {
    let scattered = |place: usize| (place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let is_wanted = move |(place, _): &(usize, T)| wanted.contains(&(scattered(*place) % of + 1));
    all.into_iter().enumerate().filter(is_wanted).map(|(_, one)| one)
}

#[test]
fn parts_have_some_of_every_kind_and_are_all_together() {
    let all = 0..10_000;
    for of in [2, 4, 8, 16] {
        let mut together: Vec<u64> = (1..=of).flat_map(|one| parts(all.clone(), one..=one, of)).collect();
        together.sort_unstable();
        assert!(together.into_iter().eq(all.clone()));
        assert!(parts(all.clone(), 1..=of, of).eq(all.clone()));
        for kinds in [2, 3, 4, 12] {
            let of_kind =
                |kind| parts(all.clone(), 1..=1, of).filter(|one| one % kinds == kind).count() as u64;
            let fair = 10_000 / of / kinds;
            assert!((0..kinds).all(|kind| of_kind(kind) > fair / 2), "{of} parts, {kinds} kinds");
        }
    }
}

fn spread(all: Vec<Trial<'_>>, count: usize) -> Vec<Trial<'_>> {
    let step = (all.len() / count).max(1) | 1;
    all.into_iter().skip(step / 2).step_by(step).take(count).collect()
}

/// Does the work with several hands; the results in order.
pub(crate) fn at_once<T: Sync, R: Send>(hands: usize, work: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut done = share(&AtomicUsize::new(0), hands, work, each);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The same beside others who share it: of what is next for all of them, as much as falls to these hands, with its place.
pub(crate) fn share<T: Sync, R: Send>(
    next: &AtomicUsize,
    hands: usize,
    work: &[T],
    each: impl Fn(&T) -> R + Sync,
) -> Vec<(usize, R)> {
    let hand = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = work.get(place) else { return done };
            done.push((place, each(item)));
        }
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(hand)).collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    })
}

/// Nothing of the plan is left out: each step that does something fails in some scenario, and each undo.
fn assert_all_are_broken(courses: &[Course], scenarios: &[Scenario]) {
    let broken = |back: bool| -> BTreeSet<&str> {
        scenarios.iter().filter(|s| s.back == back).filter_map(|s| s.breaks.as_deref()).collect()
    };
    let find = |name: &str| courses.iter().find(|course| course.scenario.name == name);
    if let Some(well) = find("all-well") {
        assert_eq!(broken(false), well.steps_that(&["step.planned", "step.approval_asked"]));
    }
    if let Some(back) = find(scenario::BACK) {
        let mut undone = back.steps_that(&["step.undoing"]);
        undone.retain(|step| !scenario::WRITES_NOTHING_BACK.contains(step));
        assert_eq!(broken(true), undone);
    }
}

#[test]
fn a_crash_is_a_pause() {
    let wanted = Wanted::read("SWITCHOVER_CRASH");
    let scenarios = scenarios();
    let chosen: Vec<&Scenario> =
        scenarios.iter().enumerate().filter(|(place, s)| wanted.has(*place, s)).map(|(_, s)| s).collect();
    let courses = at_once(AT_ONCE, &chosen, |scenario| Course::of(scenario));
    assert_all_are_broken(&courses, &scenarios);
    let trials = wanted.choose(courses.iter().flat_map(Course::trials).collect());
    assert!(!trials.is_empty(), "no trial has this name");
    let ended = at_once(AT_ONCE, &trials, |trial| {
        let ended = trial.run();
        match &ended {
            Err(why) => println!("{}: {why}", trial.repeat()),
            Ok((Ended::NeverKilled, _)) => println!("{}: it was over before", trial.name()),
            Ok(_) => {}
        }
        ended
    });
    for course in &courses {
        let of_it = trials.iter().zip(&ended).filter(|(trial, _)| trial.is_of(course));
        println!("{}: {}", course.scenario.name, Count::of(of_it.map(|(_, ended)| ended)));
    }
    let all = Count::of(ended.iter());
    println!("all of it: {all}");
    // Where nobody was killed nothing is proved.
    println!("proved: {} {} of {}", wanted.title(), all.good(), all.trials - all.never);
    assert_eq!(all.good(), all.trials - all.never, "some did not end as they should");
    // A call that the scenario itself refuses is answered before it could be held; its name is printed. And how often a
    // call is made is not quite the same each time, so the last of its kind may be missing.
    assert!(all.never <= 1 + all.trials / 10, "{} of {} trials were not killed", all.never, all.trials);
}

/// How trials ended.
#[derive(Default)]
struct Count {
    trials: usize,
    twice: usize,
    once: usize,
    never: usize,
    slower: usize,
}

impl Count {
    fn of<'e>(all: impl Iterator<Item = &'e Result<(Ended, bool), String>>) -> Self {
        let mut count = Self::default();
        for ended in all {
            count.trials += 1;
            match ended {
                Ok((Ended::KilledTwice, _)) => count.twice += 1,
                Ok((Ended::KilledOnce, _)) => count.once += 1,
                Ok((Ended::NeverKilled, _)) => count.never += 1,
                Err(_) => {}
            }
            count.slower += usize::from(ended.as_ref().is_ok_and(|(_, slower)| *slower));
        }
        count
    }

    /// Killed, and as they should be.
    fn good(&self) -> usize {
        self.twice + self.once
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trials, twice, once, never, slower } = self;
        write!(
            f,
            "{} of {} that were killed ended as they should ({twice} killed twice, {once} once), {never} more were over \
             before; {slower} repeated at a slower pace",
            self.good(),
            trials - never
        )
    }
}
