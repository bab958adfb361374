//! Who watches a scenario: each effect as it lands, each fact as it is recorded. What breaks a law on the way is kept.

use super::laws::{Breach, Law};
use super::setting::Setting;
use crate::plan::{Kind, OnBreach, StepIx, Timestamp, Writes, format_duration};
use crate::run::{Cause, Event, Mode, Order, Phase, Receipt, Rewind, Run, StepEvent, Steps, Verdict, Work};
use crate::sim::{BALANCER_TTL, CallSeen, Common, Landed, ResolverKind, Whose, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How far apart users ask.
const SLACK: Duration = Duration::from_secs(20);
/// For how long what leads to a load balancer may be kept: nobody can lower that.
const ALIAS: Duration = Duration::from_secs(BALANCER_TTL as u64);

/// What was seen of a scenario so far.
#[derive(Clone)]
pub(super) struct Witness {
    breaches: Vec<Breach>,
    /// Effects that were seen.
    seen: usize,
    /// Places that somebody else changed, and the newest effect that was.
    foreign: Common<BTreeMap<Arc<str>, usize>>,
    /// How many effects had been seen when a human last decided to go on.
    decided: usize,
    steps: Steps<Seen>,
    pub(super) times: Times,
    /// How often the run rested and somebody was asked; how often an undo was stuck.
    pub(super) rests: u32,
    pub(super) stuck: u32,
    /// By the fault itself a place may be left as nobody wants it; users may be led astray.
    pub(super) differs: bool,
    pub(super) astray: bool,
    /// An abort was taken, and nobody has said otherwise since.
    obliged: bool,
    /// The rollback that is announced, and when it begins.
    announced: Option<(Cause, Timestamp)>,
    /// How many were.
    pub(super) announcements: u32,
    /// How long steps took that have ended.
    pub(super) longest: Vec<(StepIx, Duration)>,
    /// For how long the new side had taken writes that stay there, when new lookups led back.
    pub(super) behind: Vec<(StepIx, Duration)>,
    /// How often a process died.
    deaths: u32,
    /// One that was suspended woke up again.
    pub(super) woke: bool,
    /// Calls since the last time they were taken, if they are recorded.
    pub(super) calls: Vec<(Work, CallSeen)>,
}

/// What was seen of a step.
#[derive(Clone, Default)]
struct Seen {
    /// How many effects had been seen when it was planned.
    planned: usize,
    /// What its newest call has carried out, and how often: whether that is the undo, and the place.
    done: Vec<(bool, Arc<str>, u32)>,
    /// Its newest call was answered, or found to have landed: what follows is another call.
    answered: bool,
    /// When it began, if it has not ended.
    begun: Option<Timestamp>,
}

impl Seen {
    /// A call carried this out; how often, by now.
    fn did(&mut self, back: bool, place: &Arc<str>) -> u32 {
        let same = |(undo, done, _): &&mut (bool, Arc<str>, u32)| *undo == back && done == place;
        if let Some((.., count)) = self.done.iter_mut().find(same) {
            *count += 1;
            return *count;
        }
        self.done.push((back, place.clone(), 1));
        1
    }
}

/// When what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// The fault struck.
    pub(super) struck: Option<Timestamp>,
    /// The run first knew of something.
    pub(super) noticed: Option<Timestamp>,
    /// A rollback was announced that nobody said no to.
    pub(super) announced: Option<Timestamp>,
    /// It turned back.
    pub(super) turned: Option<Timestamp>,
    /// New lookups lead to the old side again.
    pub(super) led_back: Option<Timestamp>,
}

impl Times {
    /// When the way back began: where it is announced, the time for a no is a part of it.
    pub(super) fn called_back(&self) -> Option<Timestamp> {
        self.turned.map(|turned| self.announced.unwrap_or(turned))
    }
}

impl Witness {
    /// Of a plan of so many steps, before anything happens.
    pub(super) fn new(steps: usize) -> Self {
        Self {
            breaches: Vec::new(),
            seen: 0,
            foreign: Common::default(),
            decided: 0,
            steps: Steps::new(steps, Seen::default()),
            times: Times::default(),
            rests: 0,
            stuck: 0,
            differs: false,
            astray: false,
            obliged: false,
            announced: None,
            announcements: 0,
            longest: Vec::new(),
            behind: Vec::new(),
            deaths: 0,
            woke: false,
            calls: Vec::new(),
        }
    }

    pub(super) fn died(&mut self) {
        self.deaths += 1;
    }

    pub(super) fn asked(&mut self, now: Timestamp) {
        self.rests += 1;
        self.times.noticed.get_or_insert(now);
    }

    /// Whether the run owes it to somebody to turn back. One that did has obeyed; whoever sends it forward again takes
    /// the abort back.
    pub(super) fn is_obliged(&self, run: &Run) -> bool {
        self.obliged && run.mode == Mode::Forward
    }

    /// Places that somebody else changed.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &Arc<str>> {
        self.foreign.keys()
    }

    /// What it has found.
    pub(super) fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    pub(super) fn is_foreign(&self, place: &str) -> bool {
        self.foreign.contains_key(place)
    }

    fn breach(&mut self, law: Law, step: Option<String>, text: String) {
        let breach = Breach { law, step, text };
        if !self.breaches.contains(&breach) {
            self.breaches.push(breach);
        }
    }

    /// A step was done whose source said nothing.
    pub(super) fn passed_in_silence(&mut self, setting: &Setting, ix: StepIx) {
        let step = Some(setting.plan[ix].id.to_string());
        self.breach(Law::Evident, step, "it was done while its source said nothing".into());
    }

    /// This work had a turn: what did it do?
    pub(super) fn turned(
        &mut self,
        setting: &Setting,
        run: &Run,
        work: Work,
        world: &mut World,
        now: Timestamp,
    ) {
        self.calls.extend(world.ledger.calls.drain(..).map(|call| (work, call)));
        for Landed { place, by, .. } in std::mem::take(&mut world.ledger.landed) {
            self.seen += 1;
            match by {
                Whose::Ours(_) => self.landed(setting, run, work, &place, world, now),
                Whose::Late(_) => {}
                // What it undid may be done again.
                Whose::Provider => self.undid(&place),
                Whose::Somebody if place.starts_with("definition ") => {}
                Whose::Somebody => drop(self.foreign.insert(place, self.seen)),
            }
        }
    }

    /// The provider changed this, whoever's it was.
    fn undid(&mut self, place: &Arc<str>) {
        for ix in 0..self.steps.len() {
            if self.steps[ix].done.iter().any(|(_, done, _)| done == place) {
                self.of(ix).done.retain(|(_, done, _)| done != place);
            }
        }
    }

    /// What was seen of a step of the plan.
    fn of(&mut self, place: usize) -> &mut Seen {
        self.steps.get_mut(place).expect("work and facts are of steps of the plan")
    }

    fn landed(
        &mut self,
        setting: &Setting,
        run: &Run,
        work: Work,
        place: &Arc<str>,
        world: &World,
        now: Timestamp,
    ) {
        let Some(ix) = work.step() else {
            return self.breach(Law::LooksOnly, None, format!("a guard changed {place}"));
        };
        let id = || Some(run.plan[ix].id.to_string());
        if !work.writes() {
            // A check may send requests of its own: those that the plan calls reading.
            if !place.starts_with("http ") {
                self.breach(Law::LooksOnly, id(), format!("{place} was changed by a look"));
            }
            return;
        }
        let announced = matches!(
            (work, run[ix].phase),
            (Work::Apply(_), Phase::Applying { .. }) | (Work::Undo(_), Phase::Undoing { .. })
        );
        if !announced {
            self.breach(Law::Announced, id(), format!("{place} was changed, and the journal has no intent"));
        }
        let back = matches!(work, Work::Undo(_));
        let known = self.steps[ix.index()].planned.max(self.decided);
        let changed = self.foreign.get(place).copied();
        // What was there before the step looked is what it found; what a human has seen is theirs to decide.
        if changed.is_some_and(|effect| effect > known) && !self.differs {
            let what = if back { "the undo" } else { "the step" };
            self.breach(
                Law::ForeignKept,
                id(),
                format!("{what} changed {place}, which somebody else had changed"),
            );
        }
        let once = !place.starts_with("http ") && !place.starts_with("definition ");
        let count = self.of(ix.index()).did(back, place);
        if count > 1 && once && changed.is_none() && !self.differs {
            self.breach(Law::Once, id(), format!("{place} was changed twice for one call"));
        }
        // Nobody is led anywhere by a lock.
        if back && place.starts_with("record ") && !run.plan.is_lock(ix) {
            let slowest = world.name_servers.iter().map(|server| server.delay).max().unwrap_or_default();
            let led_back = now.after(slowest);
            self.times.led_back = Some(led_back);
            let diverges = run.plan[ix].writes == Some(Writes::Diverge);
            let since = run[ix].changed.or(run[ix].called).filter(|_| diverges);
            self.behind.extend(since.map(|since| (ix, led_back.since(since))));
        }
        if !back && run.plan[ix].writes.is_some() {
            self.switched_under_users(setting, run, ix, place, world, now);
        }
        // The undo of a switch takes nothing away: it leads elsewhere.
        if back && !self.astray && run.plan[ix].writes.is_none() {
            self.undone_under_users(setting, run, ix, world, now);
        }
    }

    /// Whoever lowers a TTL first does it so that all users can be moved soon, and back.
    fn switched_under_users(
        &mut self,
        setting: &Setting,
        run: &Run,
        ix: StepIx,
        place: &str,
        world: &World,
        now: Timestamp,
    ) {
        let Some(low) = setting.lowered_below(ix).filter(|_| !self.astray) else { return };
        let id = || Some(run.plan[ix].id.to_string());
        let obeys = world.users().into_iter().flat_map(crate::sim::Users::caches);
        let obeys = obeys.filter(|cache| cache.resolver == ResolverKind::Respects);
        let longest = obeys.filter_map(|cache| cache.leads).map(|(_, until)| until.since(now)).max();
        if let Some(left) = longest.filter(|left| *left > low + SLACK) {
            let text =
                format!("switched {} s before the last resolver forgets the old answer", left.as_secs());
            self.breach(Law::Lowered, id(), text);
        }
        let mut sets = world.zones.iter().flat_map(|zone| zone.newest().values().map(move |set| (zone, set)));
        let here =
            sets.find(|(zone, set)| format!("record {} {} in {}", set.name, set.kind.0, zone.id) == place);
        let kept = here.and_then(|(_, set)| set.ttl).map(|ttl| Duration::from_secs(ttl.into()));
        if let Some(kept) = kept.filter(|kept| *kept > low.max(ALIAS) && setting.is_watched_after(ix)) {
            let [kept, low] = [kept, low].map(format_duration);
            let text = format!("the new answer may be kept for {kept}; the TTL was lowered to {low}");
            self.breach(Law::Lowered, id(), text);
        }
    }

    /// While users still resolve to the new side, nothing is taken away that it stands on.
    fn undone_under_users(
        &mut self,
        setting: &Setting,
        run: &Run,
        ix: StepIx,
        world: &World,
        now: Timestamp,
    ) {
        // What a human took over is theirs to look after.
        let taken_over = |other: StepIx| run[other].phase == Phase::Undone(Receipt::TakenOver);
        let changed = |other: StepIx| run[other].changed.is_some() && !taken_over(other);
        let switches = |other: StepIx| run.plan[other].writes.is_some() && changed(other);
        let above = |other: &StepIx| setting.stands_on(*other, ix) && switches(*other);
        let Some(switch) = run.plan.places().find(above) else { return };
        let Some(users) = world.users() else { return };
        let elsewhere = |cache: &crate::sim::Cache<'_>| {
            let (name, until) = cache.leads?;
            let away = until > now && !setting.home.iter().any(|home| home == name);
            (away && cache.resolver == ResolverKind::Respects).then(|| (name.to_owned(), until))
        };
        if let Some((name, until)) = users.caches().find_map(|cache| elsewhere(&cache)) {
            let text = format!(
                "undone {} s before the last resolver forgets where `{}` led ({name})",
                until.since(now).as_secs(),
                run.plan[switch].id,
            );
            self.breach(Law::Drained, Some(run.plan[ix].id.to_string()), text);
        }
    }

    /// A fact was recorded; `run` has taken all facts of the same moment.
    pub(super) fn recorded(&mut self, setting: &Setting, run: &Run, at: Timestamp, event: &Event) {
        match event {
            Event::RollbackAnnounced { cause, at: turns } => {
                self.announcements += 1;
                (self.announced, self.times.announced) = (Some((cause.clone(), *turns)), Some(at));
                self.times.noticed.get_or_insert(at);
            }
            Event::RollbackStarted { cause, .. } => {
                self.was_announced(setting, at, cause);
                self.times.turned.get_or_insert(at);
                self.times.noticed.get_or_insert(at);
            }
            Event::GuardTripped { .. } | Event::RunPaused { .. } => {
                self.times.noticed.get_or_insert(at);
            }
            Event::OrderTaken { order: Order::Rollback { .. }, .. } => self.obliged = true,
            Event::OrderTaken { order: Order::Trip { guard, .. }, .. } => {
                self.obliged |= setting.plan.guards[*guard].on_breach == OnBreach::Rollback;
            }
            Event::OrderTaken { order: Order::Pause { .. }, .. } => self.said_no(),
            Event::RunFinished { verdict: Verdict::Completed } => {
                if self.obliged {
                    self.breach(Law::Obeys, None, "it was told to turn back, and completed".into());
                }
                self.in_time(run, at, None);
            }
            Event::OrderTaken { order: Order::Continue | Order::Retry { .. }, .. } => {
                (self.obliged, self.decided) = (false, self.seen);
                self.said_no();
            }
            Event::Step(ix, event) => self.of_step(setting, run, at, *ix, event),
            _ => {}
        }
    }

    /// Whatever begins now was not announced.
    fn said_no(&mut self) {
        (self.announced, self.times.announced) = (None, None);
    }

    /// Where a plan gives people time to say no, nothing turns back before that, and nothing that somebody said no to.
    fn was_announced(&mut self, setting: &Setting, at: Timestamp, cause: &Cause) {
        let announced = self.announced.take();
        if setting.plan.policy.veto.is_none() || matches!(cause, Cause::Order { .. }) {
            return;
        }
        let wrong = match announced {
            Some((said, turns)) if said == *cause && turns <= at => return,
            Some(_) => "it turned back before the time to say no was over",
            None => "it turned back, and that was not announced, or somebody had said no",
        };
        self.breach(Law::Heeds, None, wrong.into());
    }

    /// Reaching the deadline pauses, and whoever goes on sets it aside.
    fn in_time(&mut self, run: &Run, at: Timestamp, step: Option<String>) {
        let over = run.deadline.filter(|deadline| *deadline < at);
        if let Some(over) = over.filter(|_| run.mode != Mode::Rollback) {
            let late = format_duration(Duration::from_secs(at.since(over).as_secs().max(1)));
            self.breach(Law::WithinDeadline, step, format!("it went on {late} after the plan's `deadline`"));
        }
    }

    /// What counts as approved was approved by as many people as the plan asks for.
    fn approved(&mut self, run: &Run, ix: StepIx) {
        let Kind::Approve(rule) = &run.plan[ix].kind else { return };
        let (said, wanted) = (run[ix].approved_by.len(), rule.by.any as usize);
        if said < wanted {
            let text = format!("it counts as approved, and {said} of {wanted} said yes");
            self.breach(Law::AsksFirst, Some(run.plan[ix].id.to_string()), text);
        }
    }

    fn of_step(&mut self, setting: &Setting, run: &Run, at: Timestamp, ix: StepIx, event: &StepEvent) {
        let id = || Some(setting.plan[ix].id.to_string());
        let calls = matches!(event, StepEvent::Applying { .. } | StepEvent::Undoing { .. });
        if calls && self.steps[ix.index()].answered {
            let seen = self.of(ix.index());
            seen.answered = false;
            seen.done.clear();
        }
        match event {
            StepEvent::Started => {
                self.of(ix.index()).begun = Some(at);
                self.in_time(run, at, id());
            }
            StepEvent::Applied { .. } | StepEvent::UndoCalled { .. } => self.of(ix.index()).answered = true,
            StepEvent::Succeeded { .. } => {
                let begun = self.of(ix.index()).begun.take();
                self.longest.extend(begun.map(|begun| (ix, at.since(begun))));
                self.approved(run, ix);
            }
            StepEvent::WasInDoubt { .. }
            | StepEvent::RetryScheduled { .. }
            | StepEvent::FoundForeign { .. }
            | StepEvent::WentBlind { .. }
            | StepEvent::Failed { .. } => {
                self.times.noticed.get_or_insert(at);
            }
            StepEvent::GotStuck { .. } => {
                self.stuck += 1;
                self.times.noticed.get_or_insert(at);
            }
            StepEvent::Planned { .. } => self.of(ix.index()).planned = self.seen,
            StepEvent::Applying { .. } if run.is_irreversible(ix) => {
                let asked = |other: StepIx| {
                    let enough = run[other].approved_by.len();
                    matches!(&setting.plan[other].kind, Kind::Approve(rule) if enough >= rule.by.any as usize)
                };
                if !setting.plan.places().any(|other| setting.stands_on(ix, other) && asked(other)) {
                    let text = "a point of no return, and nobody was asked".to_owned();
                    self.breach(Law::AsksFirst, id(), text);
                }
            }
            StepEvent::Undoing { .. } => {
                let above =
                    |other: &StepIx| setting.stands_on(*other, ix) && !setting.plan.is_finally(*other);
                let in_force = setting.plan.places().find(|other| above(other) && !run[*other].settled());
                if let Some(other) = in_force {
                    let text =
                        format!("undone while `{}`, which stands on it, is in force", setting.plan[other].id);
                    self.breach(Law::HeldBack, id(), text);
                }
            }
            StepEvent::Undone { receipt: Receipt::TakenOver }
                if run.is_irreversible(ix) && run.rewind == Rewind::Safe =>
            {
                self.breach(Law::AsksFirst, id(), "gone past by itself on the way back".into());
            }
            _ => {}
        }
    }
}
