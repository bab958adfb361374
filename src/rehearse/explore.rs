//! All scenarios: every fault at every point of both ways, every death on the way from there, then pairs by seed.
//!
//! Work is cut into jobs, one a leg, that know nothing of each other: whatever the number of threads, the same comes out.

use super::course::{Course, Leg, undisturbed, way_back};
use super::faults::{CALLS, CallFault, Class, thing};
use super::laws::May;
use super::moments::{MOMENTS, MomentFault};
use super::operator::No;
use super::scene::{Death, Scene};
use super::setting::Setting;
use super::tally::{Rehearsal, Tally};
use super::trial::{Ends, Futures, Plays};
use super::way::Way;
use crate::plan::StepIx;
use crate::run::Work;
use crate::sim::{Armed, CallSeen};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a rehearsal goes about it.
pub struct Options<'a> {
    /// How many pairs of faults, after all single ones.
    pub pairs: u64,
    /// Chooses the pairs.
    pub seed: u64,
    /// How many threads.
    pub threads: usize,
    /// Only faults whose name has this in it, and only at steps of this name.
    pub fault: Option<(String, Option<String>)>,
    /// Whether to stop: the time is over, or somebody said so. What was not played is counted.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// What strikes.
pub(super) enum Blow<'a> {
    /// Nothing: only deaths.
    Nothing,
    /// A call, and whose it is.
    Call(&'static CallFault, &'a CallSeen, Option<StepIx>),
    Moment(&'static MomentFault, String),
}

/// One fault at one point.
pub(super) struct Variant<'a> {
    /// `switch/dns.change.lost-answer@41#1`.
    pub(super) name: String,
    /// The step that it strikes.
    pub(super) step: String,
    /// `dns.change.lost-answer`.
    pub(super) fault: String,
    pub(super) class: Class,
    pub(super) may: May,
    pub(super) blow: Blow<'a>,
}

/// Both ways, and how the world should stand.
pub(super) struct Ground {
    pub(super) courses: Vec<Course>,
    pub(super) ends: Ends,
    pub(super) known: Futures,
}

pub(super) const DEATHS: &[Death] = &[Death::Resumed, Death::Aborted, Death::Suspended];

impl Ground {
    /// Plays both ways.
    pub(super) fn of(setting: &Arc<Setting>) -> Self {
        let before = Scene::start(setting).at_rest();
        let forward = undisturbed(setting);
        let completed = !forward.hangs && forward.end.run.mode == completed();
        let desired = completed.then(|| forward.end.at_rest());
        let back = way_back(&forward);
        let courses: Vec<Course> = [Some(forward), back].into_iter().flatten().collect();
        let ends = Ends { before, desired };
        let mut known = Futures::default();
        for course in &courses {
            // What follows from each of its instants is its own end.
            if let Some(scene) = course.legs.first().and_then(Leg::begin) {
                // What is known of what is still to come says also which calls come.
                scene.world(|world, _| world.ledger.recording = true);
                let nothing = Futures::default();
                let may = May { stop: course.back, ..May::NOTHING };
                let mut plays = Plays { ends: &ends, known: &nothing, learned: &mut known, may };
                plays.play(scene);
            }
        }
        Self { courses, ends, known }
    }
}

fn completed() -> crate::run::Mode {
    crate::run::Mode::Finished(crate::run::Verdict::Completed)
}

/// Plays everything.
#[must_use]
pub fn rehearse(setting: &Arc<Setting>, options: &Options<'_>) -> Rehearsal {
    let ground = Ground::of(setting);
    let mut jobs: Vec<(usize, usize)> = Vec::new();
    let mut alike = 0;
    for (number, course) in ground.courses.iter().enumerate() {
        let distinct = course.distinct();
        alike += course.legs.len() - distinct.len();
        jobs.extend(distinct.into_iter().map(|leg| (number, leg)));
    }
    let singles = jobs.len();
    let batches = usize::try_from(options.pairs.div_ceil(PAIRS_A_JOB)).unwrap_or(usize::MAX);
    let total = singles + batches;
    let done: Vec<Mutex<Option<Tally>>> = (0..total).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || loop {
        let job = next.fetch_add(1, Ordering::Relaxed);
        if job >= total || (options.stop)() {
            return;
        }
        let tally = match jobs.get(job) {
            Some((course, leg)) => of_leg(&ground, &ground.courses[*course], *leg, options),
            None => super::pairs::play(&ground, options, (job - singles) as u64 * PAIRS_A_JOB),
        };
        *done[job].lock().unwrap_or_else(PoisonError::into_inner) = Some(tally);
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let mut rehearsal = Rehearsal::new(setting, &ground, options);
    rehearsal.alike = alike;
    for tally in done {
        match tally.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(tally) => rehearsal.add(tally),
            None => rehearsal.unplayed += 1,
        }
    }
    rehearsal.close();
    rehearsal
}

/// How many pairs one job plays.
pub(super) const PAIRS_A_JOB: u64 = 50;

fn of_leg(ground: &Ground, course: &Course, at: usize, options: &Options<'_>) -> Tally {
    let leg = &course.legs[at];
    let (mut tally, mut learned) = (Tally::default(), Futures::default());
    let fits = |variant: &Variant<'_>| match &options.fault {
        None => true,
        Some((fault, step)) => {
            variant.fault.contains(fault.as_str()) && step.as_ref().is_none_or(|step| variant.step == *step)
        }
    };
    for variant in variants(course, leg).iter().filter(|variant| fits(variant)) {
        if (options.stop)() {
            tally.unplayed += 1;
            continue;
        }
        play_variant(ground, leg, variant, &mut learned, &mut tally);
    }
    tally
}

fn play_variant(ground: &Ground, leg: &Leg, variant: &Variant<'_>, learned: &mut Futures, tally: &mut Tally) {
    let struck = || {
        let mut scene = leg.begin()?;
        strike(&mut scene, leg, &variant.blow, variant.may);
        Some(scene)
    };
    // The way itself comes first: most of those who die on it come back to it.
    let (Some(scene), Some(again)) = (struck(), struck()) else { return };
    let nothing = matches!(variant.blow, Blow::Nothing);
    let known = &ground.known;
    let tale = Plays { ends: &ground.ends, known, learned, may: variant.may }.play(scene);
    if !nothing {
        tally.add(variant, &variant.name, &tale);
    }
    if tale.announced {
        let said = with_no(variant);
        for (no, mut scene) in No::ALL.into_iter().filter_map(|no| Some((no, struck()?))) {
            scene.operator.no = Some(no);
            let name = format!("{}+{}", variant.name, no.name());
            let mut plays = Plays { ends: &ground.ends, known, learned, may: said.may };
            tally.add(&said, &name, &plays.play(scene));
        }
    }
    let died = with_death(variant);
    let mut plays = Plays { ends: &ground.ends, known, learned, may: died.may };
    for brink in Way::new(again, tale.facts).flatten() {
        for death in DEATHS {
            let Some((name, scene)) = brink.killed(*death) else { continue };
            let name = format!("{}+{name}", variant.name);
            let tale = plays.play(scene);
            tally.add(&died, &name, &tale);
            let again = brink.killed(*death).filter(|_| nothing);
            // Twice in a row: once more at every fact of the recovery.
            for brink in again.into_iter().flat_map(|(_, scene)| Way::new(scene, tale.facts).flatten()) {
                let Some((second, scene)) = brink.killed(Death::Resumed) else { continue };
                tally.add(&died, &format!("{name}+{second}"), &plays.play(scene));
            }
        }
    }
}

/// The same fault, and somebody says no to the rollback that comes of it.
fn with_no<'a>(variant: &Variant<'a>) -> Variant<'a> {
    Variant {
        name: variant.name.clone(),
        step: variant.step.clone(),
        fault: variant.fault.clone(),
        class: Class::People,
        may: variant.may.and_no(),
        blow: Blow::Nothing,
    }
}

/// The same fault, and the process dies.
fn with_death<'a>(variant: &'a Variant<'a>) -> Variant<'a> {
    Variant {
        name: variant.name.clone(),
        step: variant.step.clone(),
        fault: if matches!(variant.blow, Blow::Nothing) {
            "process.killed".into()
        } else {
            variant.fault.clone()
        },
        class: Class::Process,
        may: variant.may.and_death(),
        blow: Blow::Nothing,
    }
}

/// Puts a fault in place.
pub(super) fn strike(scene: &mut Scene, leg: &Leg, blow: &Blow<'_>, may: May) {
    let now = scene.now();
    scene.witness.differs |= may.differ;
    scene.witness.astray |= may.hurt;
    match blow {
        Blow::Nothing => return,
        Blow::Call(fault, call, step) => {
            scene.struck = *step;
            let behind = call.number - leg.before;
            scene.world(|world, _| {
                let from = world.ledger.count + behind;
                let armed = Armed::once(call.service, &call.operation, from, (fault.strike)());
                // Each try of a change of records has a name of its own, which stands before what it changes.
                let about = call.resource.rsplit_once("): ").map_or(&*call.resource, |(_, what)| what);
                let containing: Arc<str> = about.into();
                world.ledger.armed.push(Armed {
                    times: fault.times,
                    every: fault.every,
                    containing,
                    ..armed
                });
            });
        }
        Blow::Moment(fault, target) => (fault.strike)(scene, target),
    }
    scene.witness.times.struck.get_or_insert(now);
}

/// All faults that can strike between these two facts.
pub(super) fn variants<'a>(course: &Course, leg: &'a Leg) -> Vec<Variant<'a>> {
    let way = if course.back { "back:" } else { "" };
    let Some(scene) = leg.begin() else { return Vec::new() };
    let id = |step: Option<StepIx>| {
        step.map_or_else(|| "run".to_owned(), |ix| scene.setting.plan[ix].id.to_string())
    };
    let step = id(leg.step);
    let mut all = vec![Variant {
        name: format!("{way}{step}/undisturbed@{}", leg.seq),
        step: step.clone(),
        fault: "process.killed".into(),
        class: Class::Process,
        may: May { stop: course.back, ..May::NOTHING },
        blow: Blow::Nothing,
    }];
    for fault in MOMENTS {
        for target in (fault.targets)(&scene) {
            let suffix = if target.is_empty() { String::new() } else { format!("[{target}]") };
            let may = May { stop: fault.may.stop || course.back, ..fault.may };
            all.push(Variant {
                name: format!("{way}{step}/{}{suffix}@{}", fault.name, leg.seq),
                step: step.clone(),
                fault: fault.name.into(),
                class: if course.back { Class::WayBack } else { fault.class },
                may,
                blow: Blow::Moment(fault, target),
            });
        }
    }
    for (work, call) in leg.points() {
        let step = match work {
            Work::Guard(guard) => scene.setting.plan.guards[*guard].id.to_string(),
            work => id(work.step()),
        };
        let number = call.number - leg.before;
        for fault in CALLS.iter().filter(|fault| fault.meets(call)) {
            let name = format!("{}.{}", thing(call), fault.name);
            let may = fault.may(call);
            all.push(Variant {
                name: format!("{way}{step}/{name}@{}#{number}", leg.seq),
                step: step.clone(),
                fault: name,
                class: fault.class(call, course.back),
                may: May { stop: may.stop || course.back, ..may },
                blow: Blow::Call(fault, call, work.step()),
            });
        }
    }
    all
}
