//! The ways that all scenarios leave: the run that nothing disturbs, and the one that somebody turns back when it has done
//! the most. Kept as instants from which one can go on, with the calls that come after each.

use super::operator::operator;
use super::scene::{Next, Scene};
use super::setting::Setting;
use super::situation::only_repeat;
use crate::plan::StepIx;
use crate::run::{Event, Mode, Order, Rewind, Run, Work};
use crate::sim::CallSeen;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A way.
pub(super) struct Course {
    /// It is the way back.
    pub(super) back: bool,
    pub(super) legs: Vec<Leg>,
    /// The scene at its end.
    pub(super) end: Scene,
    /// Why it has none.
    pub(super) hangs: bool,
}

/// What lies between two facts.
pub(super) struct Leg {
    scene: Mutex<Scene>,
    /// The newest fact when it begins.
    pub(super) seq: u64,
    /// The step that the newest fact is about.
    pub(super) step: Option<StepIx>,
    /// The calls that came, and whose work made them.
    pub(super) calls: Vec<(Work, CallSeen)>,
    /// The number of the last call before it.
    pub(super) before: u64,
    /// What the run does here, seen from afar.
    coarse: u64,
}

impl Leg {
    /// Goes on from here.
    pub(super) fn begin(&self) -> Option<Scene> {
        let mut scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner).fork()?;
        scene.witness.longest.clear();
        scene.world(|world, _| world.ledger.recording = false);
        Some(scene)
    }

    /// What happens in it, seen from afar.
    fn kind(&self) -> (u64, BTreeSet<(Work, &str, &str)>) {
        let calls = self.calls.iter().map(|(work, call)| (*work, call.service, &*call.operation));
        (self.coarse, calls.collect())
    }

    /// The calls that are worth striking: of several alike the first and the last.
    pub(super) fn points(&self) -> Vec<&(Work, CallSeen)> {
        let alike = |(work, a): &(Work, CallSeen), (other, b): &(Work, CallSeen)| {
            // Which name server is asked makes no difference, only that it is the first, or the last.
            let about = a.service == "dns" || a.resource == b.resource;
            work == other && a.service == b.service && a.operation == b.operation && about
        };
        let mut points: Vec<&(Work, CallSeen)> = Vec::new();
        for (place, call) in self.calls.iter().enumerate() {
            let first = !self.calls[..place].iter().any(|other| alike(other, call));
            let last = !self.calls[place + 1..].iter().any(|other| alike(other, call));
            if first || last {
                points.push(call);
            }
        }
        points
    }
}

/// Plays a scene to its end, undisturbed, and keeps it where it can be kept.
pub(super) fn follow(mut scene: Scene, back: bool) -> Course {
    scene.world(|world, _| world.ledger.recording = true);
    let mut legs: Vec<Leg> = Vec::new();
    keep(&scene, None, &mut legs);
    let hangs = loop {
        match scene.next() {
            Next::Facts(events, run) => {
                let step = events.iter().rev().find_map(|event| match event {
                    Event::Step(ix, _) => Some(*ix),
                    _ => None,
                });
                let repeats = only_repeat(&scene.run, &events);
                scene.record(events, *run);
                if !repeats {
                    take_calls(&mut scene, &mut legs);
                    keep(&scene, step, &mut legs);
                }
            }
            Next::Rests if scene.ask() => {}
            Next::Rests | Next::Hangs => break true,
            Next::Over => break false,
            Next::Died => scene.die(),
        }
    };
    take_calls(&mut scene, &mut legs);
    Course { back, legs, end: scene, hangs }
}

fn take_calls(scene: &mut Scene, legs: &mut [Leg]) {
    let calls = std::mem::take(&mut scene.witness.calls);
    if let Some(leg) = legs.last_mut() {
        leg.calls.extend(calls);
    }
}

fn keep(scene: &Scene, step: Option<StepIx>, legs: &mut Vec<Leg>) {
    let Some(mut copy) = scene.fork() else { return };
    copy.share();
    let before = scene.world(|world, _| world.ledger.count);
    let (seq, coarse) = (scene.journal.len(), coarse(&scene.run));
    legs.push(Leg { scene: Mutex::new(copy), seq, step, calls: Vec::new(), before, coarse });
}

fn coarse(run: &Run) -> u64 {
    let mut hasher = DefaultHasher::new();
    (run.mode, run.is_held()).hash(&mut hasher);
    for step in run.steps.iter() {
        (discriminant(&step.phase), step.mark(), step.stage(), step.tries).hash(&mut hasher);
    }
    hasher.finish()
}

impl Course {
    /// The legs that differ from their neighbours: of a row in which the run does the same again, such as the looks of a
    /// monitor, the first two and the last.
    pub(super) fn distinct(&self) -> Vec<usize> {
        let kinds: Vec<_> = self.legs.iter().map(Leg::kind).collect();
        let same = |a: usize, b: usize| kinds.get(a).is_some_and(|kind| kinds.get(b) == Some(kind));
        let in_a_row = |at: usize| at >= 2 && same(at, at - 1) && same(at, at - 2) && same(at, at + 1);
        (0..self.legs.len()).filter(|at| !in_a_row(*at)).collect()
    }
}

/// The way back of a run that somebody turns back when the most can be undone.
pub(super) fn way_back(forward: &Course) -> Option<Course> {
    let undoable = |leg: &Leg| {
        let scene = leg.scene.lock().unwrap_or_else(PoisonError::into_inner);
        let run = &scene.run;
        let free = run.mode == Mode::Forward && run.held_back(scene.now()).is_none();
        let marked = run.plan.places().zip(run.scope()).filter(|(ix, scope)| *scope && run[*ix].marked());
        if free { marked.count() } else { 0 }
    };
    let fullest = forward.legs.iter().enumerate().max_by_key(|(at, leg)| (undoable(leg), *at))?.1;
    if undoable(fullest) == 0 {
        return None;
    }
    let mut scene = fullest.begin()?;
    let order = Order::Rollback { rewind: Rewind::Safe, reason: "to see the way back".into() };
    let now = scene.now();
    scene.operator.will(now, operator(), order);
    Some(follow(scene, true))
}

/// The run that nothing disturbs.
pub(super) fn undisturbed(setting: &Arc<Setting>) -> Course {
    follow(Scene::start(setting), false)
}

/// The way back from somewhere, if somebody aborts there.
pub(super) struct Back {
    /// How long it takes; `None`: it does not lead back by itself.
    pub(super) takes: Option<Duration>,
    /// The calls that come, and whose work makes them.
    pub(super) calls: Vec<(Work, CallSeen)>,
}

/// The way back from here; `None`: there is none now.
pub(super) fn turned_back(leg: &Leg) -> Option<Back> {
    let mut scene = leg.begin()?;
    if scene.run.mode != Mode::Forward || scene.run.held_back(scene.now()).is_some() {
        return None;
    }
    scene.world(|world, _| world.ledger.recording = true);
    let order = Order::Rollback { rewind: Rewind::Safe, reason: "to see the way back".into() };
    let now = scene.now();
    scene.operator.will(now, operator(), order);
    let over = loop {
        match scene.next() {
            Next::Facts(events, run) => scene.record(events, *run),
            Next::Over => break true,
            Next::Rests | Next::Died | Next::Hangs => break false,
        }
    };
    let turned = scene.witness.times.turned.filter(|_| over);
    Some(Back { takes: turned.map(|turned| scene.now().since(turned)), calls: scene.witness.calls })
}
