//! What of a run decides how it goes on. Two runs that agree in it, in worlds that agree, have one future.
//!
//! Left out: how often and when things happened, names of calls, texts for people. Of time only what is left counts.
//!
//! A scene has up to three names. Each is looked for among those of scenes whose future is known.

use super::setting::Setting;
use crate::action::Trouble;
use crate::plan::{StepIx, Timestamp};
use crate::run::{Event, Mark, Memo, Mode, PauseCause, Phase, Piece, Receipt, Run, StepRun};
use crate::signal::Evidence;
use crate::sim::Common;
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;

/// How exactly time that is left counts, in seconds: what two scenarios differ in by less goes on alike.
const GRAIN: u64 = 10;

/// What names an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Situation {
    /// By all that decides how things go on.
    pub(super) whole: u64,
    /// Only by what a run that goes forward reads. It stands for a future in which the run neither turns back nor asks
    /// anybody: what steps that are done would restore, and what somebody else made of it, makes no difference to that.
    pub(super) ahead: Option<u64>,
    /// As `whole` would be without what is left behind: what is armed, and what somebody else made, or will make, of cells
    /// of which the run is through. It stands for a future in which no call comes that could be struck.
    pub(super) freed: Option<u64>,
}

/// How much of a run counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// What the way forward reads.
    Ahead,
}

/// How much of its steps counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// All of it.
    Whole,
    /// What the way forward reads.
    Ahead,
    /// What the way back reads, where the run is through with whatever is undone.
    Back,
    /// What a run reads that is over.
    Over,
}

impl View {
    const ALL: [Self; 4] = [Self::Whole, Self::Ahead, Self::Back, Self::Over];

    fn of(run: &Run, setting: &Setting, extent: Extent) -> Self {
        match extent {
            Extent::Ahead => Self::Ahead,
            Extent::Whole if leads_back(run, setting) => Self::Back,
            Extent::Whole if run.is_finished() => Self::Over,
            Extent::Whole => Self::Whole,
        }
    }
}

/// What was written of pieces of a run, to be written again as long as they are the same.
#[derive(Clone, Default)]
pub(super) struct Prints {
    /// For each view, by place.
    steps: [Vec<Option<Print>>; View::ALL.len()],
    /// Of what guards have noted, by place.
    guards: Vec<Option<(Memo, Noted)>>,
}

/// What of a guard's note decides: breaches in a row, bad observations, and whether it is known what it is compared with.
type Noted = (u32, usize, bool);

#[derive(Clone)]
struct Print {
    piece: Piece,
    /// Nothing of it depends on the time any more, from here on.
    at: Timestamp,
    hash: u64,
}

impl Prints {
    fn find(&self, view: View, place: usize, piece: &Piece, now: Timestamp) -> Option<u64> {
        let print = self.steps[view as usize].get(place)?.as_ref()?;
        (Arc::ptr_eq(&print.piece, piece) && print.at <= now).then_some(print.hash)
    }

    fn keep(&mut self, view: View, place: usize, print: Print) {
        let all = &mut self.steps[view as usize];
        all.resize(all.len().max(place + 1), None);
        all[place] = Some(print);
    }
}

/// What of a guard's note decides.
fn decides(note: &Memo) -> Noted {
    let evidence = Evidence::of(note).unwrap_or_default();
    let (broken, bad, _) = evidence.trouble();
    (broken, bad, evidence.is_compared())
}

/// Of these facts nothing else is in the run than was there before: guards have seen once more what they had seen.
pub(super) fn only_repeat(run: &Run, events: &[Event]) -> bool {
    events.iter().all(|event| match event {
        Event::GuardNoted { guard, note, .. } => {
            let before = run.guards[*guard].note.as_ref();
            before.is_some_and(|before| decides(before) == decides(note))
        }
        _ => false,
    })
}

/// The same, as long as it is that note.
fn noted(prints: &mut Common<Prints>, place: usize, note: &Memo) -> Noted {
    let known = prints.guards.get(place).and_then(Option::as_ref);
    if let Some((_, noted)) = known.filter(|(before, _)| Arc::ptr_eq(before, note)) {
        return *noted;
    }
    let noted = decides(note);
    let all = &mut prints.guards;
    all.resize(all.len().max(place + 1), None);
    all[place] = Some((note.clone(), noted));
    noted
}

/// Writes into a hash what of a run counts.
pub(super) fn of(
    run: &Run,
    setting: &Setting,
    extent: Extent,
    now: Timestamp,
    prints: &mut Common<Prints>,
    hasher: &mut impl Hasher,
) {
    extent.hash(hasher);
    run.mode.hash(hasher);
    run.rewind.hash(hasher);
    run.wrote.hash(hasher);
    for (place, guard) in run.guards.iter().enumerate() {
        let note = guard.note.as_ref().filter(|_| run.mode == Mode::Forward);
        (guard.tripped, guard.satisfied, note.map(|note| noted(prints, place, note))).hash(hasher);
    }
    match &run.paused {
        None => 0u8.hash(hasher),
        Some(PauseCause::Diverged { step, .. }) => (1u8, step).hash(hasher),
        Some(cause) => (2u8, cause).hash(hasher),
    }
    let announced = run.announced.as_ref().map(|announced| (&announced.cause, left_of(announced.at, now)));
    announced.hash(hasher);
    let baking = run.bakes_until().map(|until| left_of(until, now));
    (discriminant(&run.bake), baking).hash(hasher);
    // Its deadline is far away, or has been met.
    let left =
        run.deadline.map(|deadline| deadline != Timestamp::NEVER && deadline.since(now).as_secs() < 600);
    left.hash(hasher);
    of_steps(run, setting, View::of(run, setting, extent), now, prints, hasher);
}

/// Writes down what counts of the steps, whichever way the run will go: many scenarios begin with them as they are.
pub(super) fn prepare(run: &Run, setting: &Setting, now: Timestamp, prints: &mut Common<Prints>) {
    for view in View::ALL {
        of_steps(run, setting, view, now, prints, &mut FixedState::default().build_hasher());
    }
}

fn of_steps(
    run: &Run,
    setting: &Setting,
    view: View,
    now: Timestamp,
    prints: &mut Common<Prints>,
    hasher: &mut impl Hasher,
) {
    let mut places = run.plan.places();
    for (number, piece) in run.steps.pieces().enumerate() {
        let known = prints.find(view, number, piece, now);
        let hash = known.unwrap_or_else(|| {
            let mut hasher = FixedState::default().build_hasher();
            for ix in places.clone().take(piece.len()) {
                of_place(run, setting, ix, view, now, &mut hasher);
            }
            let hash = hasher.finish();
            if piece.iter().all(|step| stays(step, now)) {
                prints.keep(view, number, Print { piece: piece.clone(), at: now, hash });
            }
            hash
        });
        hash.hash(hasher);
        places.nth(piece.len() - 1);
    }
}

/// Time changes nothing of a step any more.
fn stays(step: &StepRun, now: Timestamp) -> bool {
    step.settles <= now && moment(step.phase).is_none()
}

/// What a step in this phase waits for.
fn moment(phase: Phase) -> Option<Timestamp> {
    match phase {
        Phase::Asking { until }
        | Phase::Backoff { until }
        | Phase::UndoBackoff { until }
        | Phase::Watching { until, .. }
        | Phase::Restoring { until, .. } => Some(until),
        Phase::Applying { by } | Phase::Undoing { by } => Some(by),
        _ => None,
    }
}

fn of_place(run: &Run, setting: &Setting, ix: StepIx, view: View, now: Timestamp, hasher: &mut impl Hasher) {
    let step = &run[ix];
    if view == View::Back && is_gone(run, ix) {
        let taken_over = step.phase == Phase::Undone(Receipt::TakenOver);
        (u8::MAX, taken_over, left_of(step.settles, now)).hash(hasher);
    } else if view == View::Ahead && matches!(step.phase, Phase::Done | Phase::Skipped) {
        (discriminant(&step.phase), &step.out).hash(hasher);
    } else {
        let trouble = |note: &Memo| setting.actions.get(ix).map(|action| action.trouble(note));
        of_step(step, trouble, view, now, hasher);
    }
}

/// Going back, the run is through with whatever is undone. After a checkpoint it may be sent forward again.
fn leads_back(run: &Run, setting: &Setting) -> bool {
    run.mode == Mode::Rollback && !setting.checkpoints.iter().any(|ix| run[*ix].phase == Phase::Done)
}

/// On the way back a step of which nothing is left is like one that never began.
fn is_gone(run: &Run, ix: StepIx) -> bool {
    let step = &run[ix];
    !run.plan.is_finally(ix) && step.settled() && !step.is_open() && !step.goes_back()
}

/// Nothing of this step is looked at any more, the way the run goes.
pub(super) fn is_through_with(run: &Run, setting: &Setting, ix: StepIx) -> bool {
    match run.mode {
        Mode::Forward => run[ix].phase == Phase::Done,
        _ => leads_back(run, setting) && is_gone(run, ix),
    }
}

/// How much time is left until then, as far as it counts.
fn left_of(moment: Timestamp, now: Timestamp) -> u64 {
    moment.since(now).as_secs() / GRAIN
}

fn of_step(
    step: &StepRun,
    trouble: impl Fn(&Memo) -> Option<Trouble>,
    view: View,
    now: Timestamp,
    hasher: &mut impl Hasher,
) {
    let left = |moment| left_of(moment, now);
    discriminant(&step.phase).hash(hasher);
    if let Some(moment) = moment(step.phase) {
        left(moment).hash(hasher);
    }
    match step.phase {
        Phase::Settling { done, was } => (done, was).hash(hasher),
        Phase::Stuck(stuck) => stuck.hash(hasher),
        Phase::Undone(receipt) => receipt.hash(hasher),
        _ => {}
    }
    let over = matches!(step.phase, Phase::Undone(_) | Phase::Skipped)
        || matches!(step.phase, Phase::Done) && !step.is_change();
    if !over {
        step.tries.hash(hasher);
    }
    left(step.settles).hash(hasher);
    (step.turned, step.again, step.mended, step.approved_by.len()).hash(hasher);
    (step.changed.is_some(), step.called.is_some(), &step.out).hash(hasher);
    let Some(record) = &step.record else { return };
    (record.reached, record.mark, record.proposal.stages).hash(hasher);
    // What an undo restores matters for as long as anything is in force.
    if (record.mark != Mark::None || record.proposal.stages > 0) && !over && view != View::Over {
        record.proposal.prior.hash(hasher);
        if !matches!(step.phase, Phase::Done) {
            record.note.hash(hasher);
        }
    } else if !over {
        record.note.as_ref().map(trouble).hash(hasher);
    }
}
