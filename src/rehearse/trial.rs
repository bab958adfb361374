//! One scenario: played to its end, killed again where that is asked for, and judged.
//!
//! Two scenarios that come to one situation have one future: what was played from there once is not played again.

use super::laws::{Breach, Law, May};
use super::scene::{Next, Scene};
use super::situation::Situation;
use super::witness::Times;
use crate::plan::{BESIDE, StepIx, Timestamp};
use crate::run::{Mode, Phase, Run, Verdict};
use crate::sim::{CallSeen, ResolverKind, Users};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps are done.
    Completed,
    /// The world is as before.
    RolledBack,
    /// A human took something over.
    TakenOver,
    /// Not at all.
    Hung,
}

/// What is counted on the way, and only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// A human was asked.
    asked: u32,
    /// The run turned back.
    turned: bool,
    /// A rollback was announced.
    announced: u32,
    /// An undo was stuck.
    stuck: u32,
    /// Somebody decided what the run does not decide by itself.
    took_over: bool,
    /// Requests of users failed whose resolver respects TTLs.
    failed: u64,
}

impl Counts {
    fn of(scene: &Scene) -> Self {
        let respects = |(kind, _): &(ResolverKind, _)| *kind == ResolverKind::Respects;
        let failed =
            |users: &Users| users.by_resolver().filter(respects).map(|(_, tally)| tally.failed).sum();
        Self {
            asked: scene.witness.rests,
            turned: scene.witness.times.turned.is_some(),
            announced: scene.witness.announcements,
            stuck: scene.witness.stuck,
            took_over: scene.operator.took_over,
            failed: scene.world(|world, _| world.users().map(failed).unwrap_or_default()),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            asked: self.asked - before.asked,
            turned: self.turned && !before.turned,
            announced: self.announced - before.announced,
            stuck: self.stuck - before.stuck,
            took_over: self.took_over && !before.took_over,
            failed: self.failed.saturating_sub(before.failed),
        }
    }

    /// Nobody was asked, and the run did not turn.
    fn is_undisturbed(self) -> bool {
        !self.turned && self.announced == 0 && self.asked == 0 && self.stuck == 0
    }

    fn and(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            turned: self.turned || other.turned,
            announced: self.announced + other.announced,
            stuck: self.stuck + other.stuck,
            took_over: self.took_over || other.took_over,
            failed: self.failed + other.failed,
        }
    }
}

/// What comes of a situation.
#[derive(Clone, Debug)]
pub(super) struct Future {
    outcome: Outcome,
    counts: Counts,
    left: Duration,
    /// How users failed first.
    failure: Option<Arc<str>>,
    /// What its end breaks, whatever the fault was.
    broken: Option<Breach>,
    /// The calls that come, if they were recorded: of these, and from this one on.
    calls: Option<(Arc<[CallSeen]>, usize)>,
}

/// Situations whose future is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Futures {
    whole: HashMap<u64, Future>,
    ahead: HashMap<u64, Future>,
}

impl Futures {
    fn find(&self, scene: &Scene, situation: Situation) -> Option<&Future> {
        let ahead = || self.ahead.get(&situation.ahead?);
        let freed = || {
            let future = self.whole.get(&situation.freed?)?;
            let (calls, from) = future.calls.as_ref()?;
            let struck = scene.world(|world, _| world.ledger.may_strike(&calls[*from..]));
            (!struck).then_some(future)
        };
        self.whole.get(&situation.whole).or_else(ahead).or_else(freed)
    }

    fn learn(&mut self, situation: Situation, own: bool, future: Future) {
        let untouched = own && future.outcome == Outcome::Completed && future.counts.is_undisturbed();
        if let Some(ahead) = situation.ahead.filter(|_| untouched) {
            self.ahead.entry(ahead).or_insert_with(|| future.clone());
        }
        self.whole.entry(situation.whole).or_insert(future);
    }
}

/// How the world should stand in the end.
pub(super) struct Ends {
    pub(super) before: BTreeMap<String, String>,
    pub(super) desired: Option<BTreeMap<String, String>>,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Tale {
    pub(super) outcome: Outcome,
    pub(super) breaches: Vec<Breach>,
    pub(super) asked: bool,
    /// A rollback was announced: somebody could have said no.
    pub(super) announced: bool,
    pub(super) stuck: bool,
    /// It came to a situation whose future was known.
    pub(super) merged: bool,
    /// How many facts there were when it did, or at its end.
    pub(super) facts: u64,
    pub(super) times: Times,
    /// How long steps took on the way that was played.
    pub(super) longest: Vec<(StepIx, Duration)>,
    /// For how long a side had taken writes that were left behind there.
    pub(super) behind: Vec<(StepIx, Duration)>,
    /// From its turning back to its end, if it turned.
    pub(super) back: Option<Duration>,
}

/// What is played.
pub(super) struct Plays<'a> {
    pub(super) ends: &'a Ends,
    /// Known from elsewhere.
    pub(super) known: &'a Futures,
    /// Learned here.
    pub(super) learned: &'a mut Futures,
    pub(super) may: May,
}

/// An instant on the way, until it is known what comes of it.
struct Passed {
    situation: Situation,
    own: bool,
    counts: Counts,
    at: Timestamp,
    /// How many calls came before.
    calls: usize,
}

impl Passed {
    fn at(scene: &Scene, situation: Situation) -> Self {
        Self {
            situation,
            own: scene.is_its_own(),
            counts: Counts::of(scene),
            at: scene.now(),
            calls: scene.witness.calls.len(),
        }
    }
}

impl Plays<'_> {
    /// Plays to the very end, whatever is known, and gives the scene there.
    pub(super) fn tell(&mut self, mut scene: Scene) -> (Tale, Scene) {
        let outcome = loop {
            match scene.next() {
                Next::Facts(events, run) => scene.record(events, *run),
                Next::Rests if scene.ask() => {}
                Next::Rests => break Outcome::TakenOver,
                Next::Died => scene.die(),
                Next::Over => break of(&scene.run),
                Next::Hangs => break Outcome::Hung,
            }
        };
        scene.look_around();
        let future = self.ended(&scene, outcome);
        (self.judged(&scene, &future, false), scene)
    }

    /// Plays to the end, or to a situation of which the future is known.
    pub(super) fn play(&mut self, mut scene: Scene) -> Tale {
        let mut passed: Vec<Passed> = Vec::new();
        let outcome = loop {
            match scene.next() {
                Next::Facts(events, run) => {
                    scene.record(events, *run);
                    let situation = scene.situation();
                    let known = self.known.find(&scene, situation);
                    let known = known.or_else(|| self.learned.find(&scene, situation));
                    if let Some(future) = known.cloned() {
                        self.learn(&scene, &passed, &Future { calls: None, ..future.clone() });
                        return self.judged(&scene, &future, true);
                    }
                    passed.push(Passed::at(&scene, situation));
                }
                Next::Rests => {
                    if !scene.ask() {
                        break Outcome::TakenOver;
                    }
                }
                Next::Died => scene.die(),
                Next::Over => break of(&scene.run),
                Next::Hangs => break Outcome::Hung,
            }
        };
        scene.look_around();
        let future = self.ended(&scene, outcome);
        self.learn(&scene, &passed, &future);
        self.judged(&scene, &future, false)
    }

    /// Nothing more comes of it.
    fn ended(&self, scene: &Scene, outcome: Outcome) -> Future {
        let broken = self.at_the_end(scene, outcome);
        let failure = scene.world(|world, _| world.users().and_then(first_failure));
        let calls = scene.world(|world, _| world.ledger.recording);
        let calls = calls.then(|| scene.witness.calls.iter().map(|(_, call)| call.clone()).collect());
        let calls = calls.map(|calls: Arc<[_]>| (calls, 0));
        Future { outcome, counts: Counts::default(), left: Duration::ZERO, failure, broken, calls }
    }

    /// The situations on the way have the future that was found at their end.
    fn learn(&mut self, scene: &Scene, passed: &[Passed], future: &Future) {
        let (counts, now) = (Counts::of(scene), scene.now());
        for Passed { situation, own, counts: before, at, calls } in passed {
            let counts = counts.since(*before).and(future.counts);
            let left = now.since(*at) + future.left;
            let calls = future.calls.as_ref().map(|(all, _)| (all.clone(), *calls));
            self.learned.learn(*situation, *own, Future { counts, left, calls, ..future.clone() });
        }
    }

    fn judged(&self, scene: &Scene, future: &Future, merged: bool) -> Tale {
        let counts = Counts::of(scene).and(future.counts);
        let times = scene.witness.times;
        let end = scene.now().after(future.left);
        let mut breaches = scene.witness.breaches().to_vec();
        // What the fault itself left there is nobody's fault.
        let stands = |breach: &&Breach| match breach.law {
            Law::Ends => future.outcome == Outcome::Hung || !self.may.stick && !counts.took_over,
            Law::AsDesired => !self.may.undone_later,
            Law::AsBefore => !scene.witness.differs,
            _ => true,
        };
        breaches.extend(future.broken.as_ref().filter(stands).cloned());
        if !merged || scene.witness.woke {
            breaches.extend((!scene.replays()).then(|| Breach {
                law: Law::Replays,
                step: None,
                text: "the journal, replayed, gives another state".into(),
            }));
        }
        breaches.extend(self.by_fault(scene, future, counts));
        breaches.sort();
        breaches.dedup();
        Tale {
            outcome: future.outcome,
            breaches,
            asked: counts.asked > 0,
            announced: counts.announced > 0,
            stuck: counts.stuck > 0,
            merged,
            facts: scene.journal.len(),
            times,
            longest: scene.witness.longest.clone(),
            behind: scene.witness.behind.clone(),
            back: times.turned.map(|turned| end.since(turned)),
        }
    }

    /// What must hold given what was done to it.
    fn by_fault(&self, scene: &Scene, future: &Future, counts: Counts) -> Vec<Breach> {
        let (may, outcome) = (self.may, future.outcome);
        let breach = |law, text: String| Breach { law, step: None, text };
        let mut found = Vec::new();
        if counts.failed > 0 && !may.hurt {
            let own = scene.world(|world, _| world.users().and_then(first_failure));
            let text = own.or_else(|| future.failure.clone()).map(|text| text.to_string());
            let text = text.unwrap_or_else(|| format!("{} requests failed", counts.failed));
            found.push(breach(Law::UsersServed, text));
        }
        if counts.stuck > 0 && !may.stick {
            found
                .push(breach(Law::StuckForAReason, "an undo was stuck, and nothing stood in its way".into()));
        }
        if (counts.asked > 0 || counts.turned) && !may.stop {
            let what = if counts.turned { "the run turned back" } else { "a human was asked" };
            found.push(breach(Law::Patient, what.to_owned()));
        }
        if may.must_fire && counts.failed > 0 && outcome == Outcome::Completed {
            found.push(breach(Law::Fires, "every user was failed, and the run completed".into()));
        }
        if !may.delay
            && let times = scene.witness.times
            && let (Some(rto), Some(called), Some(back)) =
                (scene.setting.plan.policy.rto, times.called_back(), times.led_back)
            && back.since(called) > rto
        {
            let took = crate::plan::format_duration(back.since(called));
            let text =
                format!("new lookups led back after {took}; `rto` is {}", crate::plan::format_duration(rto));
            found.push(breach(Law::WithinRto, text));
        }
        found
    }

    /// What the end itself must be like.
    fn at_the_end(&self, scene: &Scene, outcome: Outcome) -> Option<Breach> {
        let broken = |law, text: String| Some(Breach { law, step: None, text });
        let wanted = match outcome {
            Outcome::Hung => return broken(Law::Ends, "it goes on for ever, or waits for nothing".into()),
            Outcome::TakenOver if scene.run.is_finished() => return None,
            Outcome::TakenOver => return broken(Law::Ends, "it rests, and nobody can get it on".into()),
            Outcome::Completed => self.ends.desired.as_ref()?,
            Outcome::RolledBack => &self.ends.before,
        };
        let law = if outcome == Outcome::Completed { Law::AsDesired } else { Law::AsBefore };
        let found = scene.at_rest();
        // What is in the end as it was before was lent, and so is a TTL; who was to give it back has told that it failed.
        let failed = outcome == Outcome::Completed && scene.run.finally_failed();
        let before = |place: &str| self.ends.before.get(place) == wanted.get(place);
        let lent = |place: &str| failed && (before(place) || is_given_back(scene, place));
        let differs = differences(scene, wanted, &found, outcome, lent);
        differs.and_then(|text| broken(law, text))
    }
}

/// A step that has not come to its end was to give something of this record back.
fn is_given_back(scene: &Scene, place: &str) -> bool {
    let (plan, actions) = (&scene.setting.plan, &scene.setting.actions);
    let Some(name) = place.strip_prefix("record ").and_then(|rest| rest.split(' ').next()) else {
        return false;
    };
    let ends_so = |resource: &String| resource.rsplit_once('/').is_some_and(|(_, of)| of == name);
    let gives = |ix: StepIx| {
        let traits = actions.get(ix).map(|action| action.traits());
        traits.is_some_and(|traits| traits.gives_back.is_some() && traits.resources.iter().any(ends_so))
    };
    plan.places().any(|ix| plan.is_finally(ix) && scene.run[ix].phase != Phase::Done && gives(ix))
}

/// Of those whose resolver respects TTLs.
fn first_failure(users: &Users) -> Option<Arc<str>> {
    let mut told = users.failures().iter().filter(|failure| failure.resolver == ResolverKind::Respects);
    let failure = told.next()?;
    let side = failure.balancer.as_deref().unwrap_or("nobody");
    Some(format!("users who were led to {side} failed: {}", failure.reason).into())
}

/// The first place that is not as it should be.
fn differences(
    scene: &Scene,
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    outcome: Outcome,
    lent: impl Fn(&str) -> bool,
) -> Option<String> {
    let left = |place: &str| {
        let others = ["definition ", "load balancer ", "scans"];
        let kept = others.iter().any(|start| place.starts_with(start));
        // The verdict stands where the lock could not be given back: the exit code tells of it.
        let locked = place.starts_with(&format!("record {BESIDE}.")) && scene.run.finally_failed();
        // What the plan leaves in force deliberately is told by its receipts.
        kept || locked || outcome == Outcome::RolledBack && is_left(place)
    };
    let places = wanted.keys().chain(found.keys().filter(|place| !wanted.contains_key(*place)));
    for place in places {
        if left(place) || lent(place) || scene.witness.is_foreign(place) {
            continue;
        }
        let (is, should) = (found.get(place), wanted.get(place));
        if is != should && !alike(scene, is, should) {
            let say = |text: Option<&String>| text.map_or("nothing", String::as_str).to_owned();
            return Some(format!("{place} is {}, and should be {}", say(is), say(should)));
        }
    }
    None
}

/// What a step registers has the next number of its family: another one, if somebody else took that.
fn alike(scene: &Scene, is: Option<&String>, should: Option<&String>) -> bool {
    let unnumbered = |text: &String| {
        let (name, rest) = text.split_once(" (")?;
        let (family, _) = name.rsplit_once(':')?;
        scene.setting.world.definition(name).is_none().then(|| format!("{family} ({rest}"))
    };
    let is = is.and_then(unnumbered);
    is.is_some() && is == should.and_then(unnumbered)
}

fn of(run: &Run) -> Outcome {
    match run.mode {
        Mode::Finished(Verdict::Completed) => Outcome::Completed,
        Mode::Finished(Verdict::RolledBack) => Outcome::RolledBack,
        _ => Outcome::TakenOver,
    }
}

/// Nothing of this place is put back, by the plan's own word.
fn is_left(place: &str) -> bool {
    place.starts_with("task ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearse::tests::setting;

    /// What is found of a scene that comes to a situation of which this future is known.
    fn found(scene: &Scene, future: &Future) -> Vec<Breach> {
        let (ends, known) = (Ends { before: BTreeMap::new(), desired: None }, Futures::default());
        let mut learned = Futures::default();
        let may = May { stop: true, ..May::NOTHING };
        Plays { ends: &ends, known: &known, learned: &mut learned, may }.judged(scene, future, true).breaches
    }

    #[test]
    fn a_future_is_judged_with_what_came_before_it() {
        let mut scene = Scene::start(&setting("plans/exec-with-undo.yaml", None));
        let rests = Breach { law: Law::Ends, step: None, text: "it rests".into() };
        let future = |counts, failure, broken| Future {
            outcome: Outcome::TakenOver,
            counts,
            left: Duration::ZERO,
            failure,
            broken,
            calls: None,
        };
        let resting = future(Counts::default(), None, Some(rests.clone()));
        assert_eq!(found(&scene, &resting), [rests]);
        scene.operator.took_over = true;
        assert_eq!(found(&scene, &resting), []);
        let failing = Counts { failed: 3, ..Counts::default() };
        let told = found(&scene, &future(failing, Some("users of the old side failed".into()), None));
        assert_eq!(told[0].text, "users of the old side failed");
    }
}
