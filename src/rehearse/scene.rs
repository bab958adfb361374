//! One instant of a rehearsed run: the world, the journal, the process that drives it, the people. It can be copied, so
//! that many scenarios go on from one instant.
//!
//! [`Scene::next`] plays until something is about to be recorded; whoever plays says whether it is, or whether the
//! process dies before or after it. Not here: which scenarios there are (`explore`), what must hold (`laws`).

#[cfg(test)]
mod tests;

use super::journal::Journal;
use super::operator::{Comes, Operator, operator};
use super::process::{Process, Watched};
use super::setting::Setting;
use super::situation::{Extent, Prints, Situation, is_through_with};
use super::witness::Witness;
use crate::driver::{Desk, Hands};
use crate::mutant::{Mistake, on};
use crate::plan::{StepIx, Timestamp};
use crate::port::Clock;
use crate::run::{Event, Input, Mode, Order, Rewind, Run, StepEvent, Work, due, follow};
use crate::sim::{Armed, Cell, Common, Fault, NAMES, Ports, Strike, World};
use crate::store::record::EventRecord;
use foldhash::quality::{FixedState, FoldHasher};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

/// How long it takes until somebody starts the tool again.
const RESTART: Duration = Duration::from_secs(20);
/// How long it takes until somebody resumes what was interrupted.
const RESUMED: Duration = Duration::from_secs(300);
/// How long a run stays with a process that has fallen silent, and a little more.
const LEASE: Duration = Duration::from_secs(65);
/// After its end a world comes to rest within so long.
const RESTS: Duration = Duration::from_secs(900);
/// More turns than any run needs: it goes round in circles.
const TURNS: u32 = 200_000;
/// Longer than any run takes.
const ENDLESS: Duration = Duration::from_secs(7 * 24 * 3600);

/// One instant of a run.
pub(super) struct Scene {
    pub(super) setting: Arc<Setting>,
    ports: Arc<Ports>,
    hands: Arc<Hands>,
    /// As the journal has it.
    pub(super) run: Run,
    pub(super) journal: Journal,
    /// What a process learns from the journal.
    desk: Desk,
    process: Option<Process>,
    /// When a process takes the run over, if there is none.
    restart: Timestamp,
    suspended: Option<Suspended>,
    pub(super) operator: Operator,
    pub(super) witness: Witness,
    begun: Timestamp,
    prints: Common<Prints>,
    /// As far as that is somebody else's to replay.
    shared: Arc<Shared>,
    turns: u32,
    /// The step whose calls are struck: once it is over, so is the fault.
    pub(super) struck: Option<StepIx>,
    /// The process was asked to stop; or is stopping: nothing new is begun.
    stopping: Option<Stopping>,
}

/// What the scenarios that begin at one instant have in common.
struct Shared {
    run: Run,
    /// So many facts.
    facts: u64,
}

/// How far a process is that stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stopping {
    Asked,
    Paused,
}

/// A process that was stopped in the middle of its work, and wakes up later.
struct Suspended {
    process: Process,
    run: Run,
    wakes: Timestamp,
}

impl Suspended {
    /// What it will send when it wakes up.
    fn announced(&self) -> Vec<Work> {
        due(&self.run).into_iter().map(|due| due.work).filter(|work| work.writes()).collect()
    }
}

/// What comes next.
pub(super) enum Next {
    /// These facts are about to be recorded; the run would then be this.
    Facts(Vec<Event>, Box<Run>),
    /// Nothing more happens without a human.
    Rests,
    /// The run is over.
    Over,
    /// The process died in the middle of a call.
    Died,
    /// Nothing will ever happen, or it never ends.
    Hangs,
}

/// How a process ends that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Death {
    /// It is gone; somebody resumes the run.
    Resumed,
    /// It is gone; somebody aborts the run.
    Aborted,
    /// It is suspended; another one takes the run over, and then it wakes up.
    Suspended,
}

impl Scene {
    /// The run before it begins.
    pub(super) fn start(setting: &Arc<Setting>) -> Self {
        let ports = Arc::new(setting.ports());
        let begun = ports.virtual_clock().now();
        let run = Run::new(setting.plan.clone());
        Self {
            setting: setting.clone(),
            hands: setting.hands(ports.clone()),
            ports,
            shared: Arc::new(Shared { run: run.clone(), facts: 0 }),
            run,
            journal: Journal::default(),
            desk: setting.desk(),
            process: None,
            restart: begun,
            suspended: None,
            operator: Operator::new(),
            witness: Witness::new(setting.plan.steps.len()),
            begun,
            prints: Common::default(),
            turns: 0,
            struck: None,
            stopping: None,
        }
    }

    /// The same instant once more. `None`: a process is in the middle of a call.
    pub(super) fn fork(&self) -> Option<Self> {
        let process = match &self.process {
            Some(process) => Some(process.fork()?),
            None => None,
        };
        let suspended = match &self.suspended {
            Some(Suspended { process, run, wakes }) => {
                Some(Suspended { process: process.fork()?, run: run.clone(), wakes: *wakes })
            }
            None => None,
        };
        Some(self.copy(process, suspended))
    }

    fn copy(&self, process: Option<Process>, suspended: Option<Suspended>) -> Self {
        let ports = Arc::new(self.ports.fork());
        Self {
            setting: self.setting.clone(),
            hands: self.setting.hands(ports.clone()),
            ports,
            run: self.run.clone(),
            journal: self.journal.clone(),
            desk: self.desk.clone(),
            process,
            restart: self.restart,
            suspended,
            operator: self.operator.clone(),
            witness: self.witness.clone(),
            begun: self.begun,
            prints: self.prints.clone(),
            shared: self.shared.clone(),
            turns: self.turns,
            struck: self.struck,
            stopping: self.stopping,
        }
    }

    /// This instant once more, to be [killed](Self::killed) in. Of a process in the middle of a call nothing is kept.
    pub(super) fn brink(&self) -> Self {
        self.copy(self.process.as_ref().and_then(Process::fork), None)
    }

    /// This instant, with the process killed. `None`: it cannot be suspended in the middle of a call.
    pub(super) fn killed(&self, death: Death) -> Option<Self> {
        let now = self.now();
        let suspended = match death {
            Death::Suspended => {
                let process = self.process.as_ref()?.fork()?;
                Some(Suspended { process, run: self.run.clone(), wakes: now.after(LEASE * 2) })
            }
            Death::Resumed | Death::Aborted => None,
        };
        let mut scene = self.copy(None, suspended);
        scene.stopping = None;
        scene.restart = now.after(if death == Death::Suspended { LEASE } else { RESTART });
        if death == Death::Aborted {
            let order = Order::Rollback { rewind: Rewind::Safe, reason: "it was killed".into() };
            scene.operator.will(scene.restart, operator(), order);
        }
        scene.witness.died();
        scene.ports.forget();
        if death != Death::Suspended {
            // What it had started is told to end.
            scene.world(|world, now| {
                world.die(now);
                world.revive();
            });
        }
        Some(scene)
    }

    /// The process is gone, and somebody resumes the run.
    pub(super) fn die(&mut self) {
        (self.process, self.stopping) = (None, None);
        self.restart = self.now().after(RESTART);
        self.witness.died();
        self.ports.forget();
        self.world(|world, _| world.revive());
    }

    /// The machine is asleep for so long: nothing is looked at and nothing is sent meanwhile.
    pub(super) fn sleep(&self, span: Duration) {
        self.ports.virtual_clock().advance_to(self.now().after(span));
    }

    /// The process is suspended, and whoever takes the run over aborts it.
    pub(super) fn suspend(&mut self) {
        let Some(mut scene) = self.killed(Death::Suspended) else { return };
        let order = Order::Rollback { rewind: Rewind::Safe, reason: "it fell silent".into() };
        scene.operator.will(scene.restart, operator(), order);
        *self = scene;
    }

    /// The clock was wrong, and is set back.
    pub(super) fn set_clock_back(&self, span: Duration) {
        self.ports.virtual_clock().set_back(span);
    }

    /// The process is asked to stop: calls under way finish, then the run pauses until somebody resumes it.
    pub(super) fn interrupt(&mut self) {
        self.stopping = Some(Stopping::Asked);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.virtual_clock().now()
    }

    /// Many scenarios begin here: what is recorded so far, the way on which it was recorded replays.
    pub(super) fn share(&mut self) {
        self.shared = Arc::new(Shared { run: self.run.clone(), facts: self.journal.len() });
        let now = self.now();
        super::situation::prepare(&self.run, &self.setting, now, &mut self.prints);
    }

    /// The journal, replayed, gives the run.
    pub(super) fn replays(&self) -> bool {
        let mut run = self.shared.run.clone();
        let facts = self.journal.since(self.shared.facts);
        facts.into_iter().try_for_each(|fact| run.evolve(&fact.event)).is_ok() && run == self.run
    }

    /// When the run was started.
    pub(super) fn begun(&self) -> Timestamp {
        self.begun
    }

    /// The world as it is now.
    pub(super) fn world<R>(&self, look: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        self.ports.look(look)
    }

    /// Plays on.
    pub(super) fn next(&mut self) -> Next {
        loop {
            if self.run.is_finished() {
                self.wake_last();
                return Next::Over;
            }
            if self.turns > TURNS || self.now().since(self.begun) > ENDLESS {
                return Next::Hangs;
            }
            let inputs = if self.stopping == Some(Stopping::Asked) {
                self.stopping = Some(Stopping::Paused);
                vec![Input::Interrupted]
            } else {
                match self.wait() {
                    Ok(inputs) => inputs,
                    Err(next) => return next,
                }
            };
            if self.world(|world, _| world.ledger.died) {
                return Next::Died;
            }
            let (events, run) = follow(&self.run, &inputs, self.now());
            if !events.is_empty() {
                let run = run.into_owned();
                if on(Mistake::EffectFirst) {
                    self.hurry(&run);
                }
                return Next::Facts(events, Box::new(run));
            }
        }
    }

    /// Waits for the next moment at which anything is due; gives what the run is then told.
    fn wait(&mut self) -> Result<Vec<Input>, Next> {
        let now = self.now();
        let mut moments = [self.operator.next(), self.suspended.as_ref().map(|s| s.wakes), None, None];
        match &mut self.process {
            // Nobody is there to take an order.
            None => (moments[0], moments[2]) = (None, Some(self.restart)),
            Some(process) => {
                let stops = self.stopping.is_some();
                process.reconcile(&self.run, stops, now);
                if stops && !process.is_writing() {
                    (self.process, self.stopping) = (None, None);
                    self.restart = now.after(RESUMED);
                    return Ok(Vec::new());
                }
                if moments[0].is_none() && process.waits_for_a_human(&self.run) {
                    return Err(Next::Rests);
                }
                moments[2] = process.next();
                moments[3] = self.ports.virtual_clock().soonest();
            }
        }
        let Some(moment) = moments.into_iter().flatten().min() else { return Err(Next::Hangs) };
        self.ports.virtual_clock().advance_to(moment);
        let now = self.now();
        self.wake(now);
        let mut inputs = Vec::new();
        if let Some(mut process) = self.process.take() {
            let mut watched = Watching::new(&self.setting, &self.run, &self.ports, &mut self.witness);
            let answers = process.turns(&self.hands, now, &mut watched);
            self.turns += watched.turns + 1;
            self.process = Some(process);
            inputs.extend(self.operator.orders(&self.run, now));
            inputs.extend(answers);
        } else if self.restart <= now {
            (self.process, self.stopping) = (Some(Process::new(self.desk.clone())), None);
            inputs.push(match self.run.mode {
                Mode::Idle => Input::Begin { by: Setting::starter() },
                _ => Input::Resume { owner: "another process".into() },
            });
            inputs.extend(self.operator.orders(&self.run, now));
        }
        Ok(inputs)
    }

    /// Who wakes up when all is over may do no more harm than who wakes up before.
    fn wake_last(&mut self) {
        if let Some(wakes) = self.suspended.as_ref().map(|suspended| suspended.wakes) {
            self.ports.virtual_clock().advance_to(wakes);
            self.wake(wakes.max(self.now()));
        }
    }

    /// Whoever was suspended goes on where it was: it does what it had announced, and may record none of it.
    fn wake(&mut self, now: Timestamp) {
        if self.suspended.as_ref().is_none_or(|suspended| suspended.wakes > now) {
            return;
        }
        if let Some(Suspended { mut process, run, .. }) = self.suspended.take() {
            self.witness.woke = true;
            let mut watched = Watching::new(&self.setting, &run, &self.ports, &mut self.witness);
            process.reconcile(&run, false, now);
            let fenced = process.turns(&self.hands, now, &mut watched);
            if on(Mistake::FencingIgnored) {
                for event in follow(&run, &fenced, now).0 {
                    self.journal.push(now, event);
                }
            }
        }
    }

    /// A mistake: what facts call for is done before they are recorded.
    fn hurry(&mut self, next: &Run) {
        let now = self.now();
        let Some(process) = &mut self.process else { return };
        process.reconcile(next, false, now);
        let mut watched = Watching::new(&self.setting, &self.run, &self.ports, &mut self.witness);
        let _answers = process.turns(&self.hands, now, &mut watched);
    }

    /// The facts are recorded.
    pub(super) fn record(&mut self, events: Vec<Event>, run: Run) {
        let at = self.now();
        self.run = run;
        for event in events {
            self.desk.learn(at, &event);
            self.operator.answered(&self.run);
            self.relent(&event);
            self.operator.hears(&self.setting, at, &event);
            self.witness.recorded(&self.setting, &self.run, at, &event);
            self.tell(at, &event);
            self.journal.push(at, event);
        }
        if let Some(process) = &mut self.process {
            process.learn(&self.desk);
        }
    }

    /// The fault of a step's calls ends with the step: the next ones have faults of their own.
    fn relent(&mut self, event: &Event) {
        let Event::Step(ix, event) = event else { return };
        let over =
            matches!(event, StepEvent::Succeeded { .. } | StepEvent::Skipped | StepEvent::Undone { .. });
        if over && self.struck == Some(*ix) {
            self.struck = None;
            let silent = |armed: &Armed| {
                let source = matches!(&*armed.service, "logs" | "monitoring" | "prometheus" | "dns");
                armed.strike == Strike::Silent && armed.times == 0 && armed.met > 0 && source
            };
            // Where nobody could be asked anyway, others are.
            let stood_in = |world: &World, armed: &Armed| {
                let blocked = |fault: &Fault| fault.rule.service == NAMES && fault.rule.operation == "ask";
                matches!(&*armed.operation, "ask" | "delegation") && world.faults.all().iter().any(blocked)
            };
            let in_silence = |world: &mut World, _: Timestamp| {
                let first = world.ledger.armed.first();
                first.is_some_and(|armed| silent(armed) && !stood_in(world, armed))
            };
            if matches!(event, StepEvent::Succeeded { .. }) && self.world(in_silence) {
                self.witness.passed_in_silence(&self.setting, *ix);
            }
            // Of two faults the first is the step's own.
            self.world(|world, _| world.ledger.armed.drain(..world.ledger.armed.len().min(1)).for_each(drop));
        }
    }

    /// The world hears what the run tells, as far as it goes by it.
    fn tell(&self, at: Timestamp, event: &Event) {
        let Event::Step(ix, _) = event else { return };
        self.world(|world, _| {
            if !world.listens() {
                return;
            }
            let plan = &self.setting.plan;
            let record = serde_json::to_value(EventRecord::of(event, plan)).unwrap_or_default();
            let word = record["fact"]["is"].as_str().unwrap_or_default();
            // What the world refuses does not happen.
            let _ = world.told(&plan[*ix].id.0, word, at);
        });
    }

    /// Long enough after the end for what began by itself to have come to rest, how the world stands.
    pub(super) fn at_rest(&self) -> BTreeMap<String, String> {
        let (copy, now) = self.world(|world, now| (world.clone(), now));
        let mut world = copy;
        world.advance(now.after(RESTS));
        world.standing()
    }

    /// Effects that landed since anybody looked are seen.
    pub(super) fn look_around(&mut self) {
        let Self { setting, run, ports, witness, .. } = self;
        ports.look(|world, now| witness.turned(setting, run, Work::Wake, world, now));
    }

    /// Somebody comes to a run that rests. `false`: there is nothing left to do.
    pub(super) fn ask(&mut self) -> bool {
        let at = Operator::arrives(self.now());
        self.witness.asked(self.now());
        let order = match self.operator.comes(&self.run) {
            Comes::Orders(order) => order,
            Comes::Mends(order) => {
                self.world(|world, _| world.ledger.armed.clear());
                order
            }
            Comes::Gives => return false,
        };
        self.operator.will(at, operator(), order);
        true
    }

    /// What names this instant.
    pub(super) fn situation(&mut self) -> Situation {
        let now = self.now();
        // What all of its names have in common: everything but the run, what strikes, and what somebody else changes.
        let mut common = FixedState::default().build_hasher();
        self.world(|world, _| {
            world.situation(&mut common);
            world.ledger.situation(now, &mut common);
        });
        self.operator.situation(now).hash(&mut common);
        self.witness.is_obliged(&self.run).hash(&mut common);
        match &self.process {
            Some(process) => process.troubles().for_each(|trouble| trouble.hash(&mut common)),
            None => self.restart.since(now).hash(&mut common),
        }
        let is_armed = self.world(|world, _| !world.ledger.armed.is_empty());
        // Who has nothing to send may only look when it wakes up, and what it records is refused.
        let sleeps = self.suspended.as_ref().map(|asleep| (asleep.wakes.since(now), asleep.announced()));
        let sleeps = sleeps.filter(|(_, announced)| is_armed || !announced.is_empty());
        (sleeps, self.stopping).hash(&mut common);
        let mut of = |extent| {
            let mut hasher = common.clone();
            super::situation::of(&self.run, &self.setting, extent, now, &mut self.prints, &mut hasher);
            hasher
        };
        let whole = of(Extent::Whole);
        let ahead = self.run.mode == Mode::Forward && !self.run.is_held() && !is_armed;
        let ahead = ahead.then(|| of(Extent::Ahead));
        let forward = self.run.mode == Mode::Forward;
        // How the undisturbed way would have left them.
        let left = if forward { Cell::Desired } else { Cell::Before };
        let behind = self.cells_behind();
        let named = |mut hasher: FoldHasher<'_>, behind: &[Arc<str>], foreign: bool, armed: bool| {
            let is_behind = |cell: &str| behind.iter().any(|behind| **behind == *cell);
            let left_behind = |place: &str| place.strip_prefix("command ").is_some_and(is_behind);
            let places = self.witness.foreign().filter(|place| foreign && !left_behind(place));
            places.for_each(|place| place.hash(&mut hasher));
            self.world(|world, _| {
                world.ledger.held_situation(behind, now, &mut hasher);
                world.cells_situation(behind, left, &mut hasher);
                if armed {
                    world.ledger.strikes_situation(now, &mut hasher);
                }
            });
            hasher.finish()
        };
        Situation {
            whole: named(whole.clone(), &[], true, true),
            ahead: ahead.map(|ahead| named(ahead, &behind, false, false)),
            freed: (is_armed || !behind.is_empty()).then(|| named(whole, &behind, true, false)),
        }
    }

    /// Cells that somebody else changed, or will change, and that nobody looks at any more.
    fn cells_behind(&self) -> Vec<Arc<str>> {
        let changed = self.witness.foreign().filter_map(|place| place.strip_prefix("command "));
        let mut cells: BTreeSet<Arc<str>> = changed.map(Arc::from).collect();
        self.world(|world, _| cells.extend(world.ledger.cells_to_come().cloned()));
        let is_behind = |cell: &Arc<str>| {
            let step = self.setting.plan.find(cell).filter(|ix| !self.setting.is_held(*ix));
            step.is_some_and(|ix| is_through_with(&self.run, &self.setting, ix))
                && self.world(|world, _| world.stands_alone(cell))
        };
        cells.into_iter().filter(is_behind).collect()
    }

    /// Nobody but the run has left anything: what is found wrong in the end is its own.
    pub(super) fn is_its_own(&self) -> bool {
        !self.witness.differs && self.witness.foreign().next().is_none()
    }
}

/// Keeps an eye on what a process does to the world.
struct Watching<'a> {
    setting: &'a Setting,
    run: &'a Run,
    ports: &'a Ports,
    witness: &'a mut Witness,
    turns: u32,
}

impl<'a> Watching<'a> {
    fn new(setting: &'a Setting, run: &'a Run, ports: &'a Ports, witness: &'a mut Witness) -> Self {
        Self { setting, run, ports, witness, turns: 0 }
    }
}

impl Watched for Watching<'_> {
    fn turned(&mut self, work: Work) {
        self.turns += 1;
        let Self { setting, run, ports, witness, .. } = self;
        ports.look(|world, now| witness.turned(setting, run, work, world, now));
    }
}
