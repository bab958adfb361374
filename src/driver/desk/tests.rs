//! What is under way for a run as its facts tell it, without anybody who carries it out.

use super::*;
use crate::driver::tests::stage::{ana, chain};
use crate::run::{Answer, Fault, Input, Look, Order, Proposal, Rewind, decide};

const IX: StepIx = StepIx(0);

fn hears(run: &mut Run, input: &Input) {
    for event in decide(run, input, Timestamp(1)) {
        run.evolve(&event).unwrap();
    }
}

/// Two steps; the first is asked what it would do.
fn begun() -> Run {
    let mut run = Run::new(Arc::new(chain(&["a", "b"])));
    hears(&mut run, &Input::Begin { by: ana() });
    run
}

fn answers(run: &mut Run, answer: Answer) {
    let turn = run[IX].turn;
    hears(run, &Input::Answered { step: IX, turn, answer });
}

fn plans(run: &mut Run, stages: u32) {
    let (prior, within) = ("null".into(), Duration::from_secs(60));
    let proposal = Proposal { prior, stages, within, call: None, must_finish: false, changes: Vec::new() };
    answers(run, Answer::Planned(Ok(Some(proposal))));
}

fn orders(run: &mut Run, order: Order) {
    let id = run.last_order + 1;
    hears(run, &Input::Ordered { id, by: ana(), order });
}

fn settle(done: bool) -> Order {
    Order::Settle { step: IX, done, reason: "seen".into() }
}

fn desk(run: &Run) -> Desk {
    Desk::new(run.plan.clone(), &Actions::default(), "r".into(), Scope::default())
}

fn found(run: &Run, work: Work) -> Due {
    due(run).into_iter().find(|due| due.work == work).unwrap()
}

#[test]
fn a_call_is_never_dropped_and_a_look_is_when_it_is_not_due_any_more() {
    let mut run = begun();
    plans(&mut run, 1);
    let apply = found(&run, Work::Apply(IX));
    answers(&mut run, Answer::Applied(Ok(None)));
    let watch = found(&run, Work::Watch(IX));
    let agenda = desk(&run).agenda(&run, false);
    assert_eq!((agenda.fate(&apply), agenda.fate(&watch)), (Fate::Keep, Fate::Keep));
    answers(&mut run, Answer::Looked(Ok(Look::Desired { out: "null".into() })));
    assert_eq!(desk(&run).agenda(&run, false).fate(&watch), Fate::Drop);
}

#[test]
fn a_process_that_stops_looks_at_nothing_new() {
    let mut run = begun();
    let begins = |run: &Run| {
        let begun = desk(run).agenda(run, true).not_begun(std::iter::empty());
        begun.iter().map(|due| due.work).collect::<Vec<_>>()
    };
    assert_eq!(begins(&run), []);
    plans(&mut run, 1);
    assert_eq!(begins(&run), [Work::Apply(IX)]);
}

#[test]
fn a_wake_that_nothing_followed_from_comes_again_a_second_later() {
    let run = begun();
    let mut desk = desk(&run);
    let (now, at) = (Timestamp(5000), Timestamp(4000));
    let of = |work| Due { work, turn: 1, from: at, until: at, stop: false, back: false };
    let (wake, plan) = (of(Work::Wake), of(Work::Plan(IX)));
    assert_eq!(desk.piece(&run, wake, now).from, at);
    desk.heard(&plan);
    assert_eq!(desk.piece(&run, wake, now).from, at);
    desk.heard(&wake);
    assert_eq!(desk.piece(&run, wake, now).from, Timestamp(6000));
    assert_eq!(desk.piece(&run, plan, now).from, at);
    assert_eq!(desk.piece(&run, Due { from: now, ..wake }, now).from, now, "it is another");
    desk.learn(now, &Event::RunResumed { owner: "host/2".into() });
    assert_eq!(desk.piece(&run, wake, now).from, at);
}

#[test]
fn a_call_is_asked_to_end_when_the_run_turns_back() {
    let mut run = begun();
    plans(&mut run, 1);
    let apply = found(&run, Work::Apply(IX));
    orders(&mut run, Order::Rollback { rewind: Rewind::Safe, reason: "enough".into() });
    assert_eq!(desk(&run).agenda(&run, false).fate(&apply), Fate::Stop);
}

#[test]
fn a_wake_is_another_at_another_moment_and_other_work_is_not() {
    let (until, stop, back) = (Timestamp(9), false, false);
    let at = |work, from| Due { work, turn: 1, from: Timestamp(from), until, stop, back };
    let begins = |work| {
        let agenda = Agenda { wanted: vec![at(work, 2)], stops: HashMap::new() };
        agenda.not_begun([at(work, 1)].iter()).len()
    };
    assert_eq!((begins(Work::Wake), begins(Work::Watch(IX))), (1, 0));
}

#[test]
fn what_holds_is_held_anew_once_nobody_looks_for_its_way_back() {
    let (from, until) = (Timestamp::PAST, Timestamp::NEVER);
    let hold = |back| Due { work: Work::Hold(IX), turn: 1, from, until, stop: false, back };
    let stops = HashMap::from([(name(&hold(false)), false)]);
    let agenda = Agenda { wanted: vec![hold(false)], stops };
    assert_eq!((agenda.fate(&hold(true)), agenda.fate(&hold(false))), (Fate::Drop, Fate::Keep));
    assert_eq!(agenda.not_begun([hold(true)].iter()).len(), 1);
}

#[test]
fn guards_and_wakes_only_wait_while_the_run_is_paused() {
    let mut run = begun();
    let waiting = |run: &Run| {
        [Work::Hold(IX), Work::Guard(0), Work::Wake, Work::Watch(IX)].map(|work| only_waits(work, run))
    };
    assert_eq!(waiting(&run), [true, false, false, false]);
    orders(&mut run, Order::Pause { reason: None });
    assert_eq!(waiting(&run), [true, true, true, false]);
    assert!(!waits_for_a_human(&run), "it is asked yet what the step would do");
    plans(&mut run, 1);
    assert!(waits_for_a_human(&run));
}

#[test]
fn what_a_human_says_of_a_stuck_undo_is_looked_at_from_the_prior_state() {
    let mut run = begun();
    plans(&mut run, 1);
    answers(&mut run, Answer::Applied(Ok(None)));
    answers(&mut run, Answer::Looked(Err(Fault::permanent("no"))));
    answers(&mut run, Answer::Undone(Err(Fault::foreign("theirs"))));
    orders(&mut run, settle(false));
    assert_eq!(toward(&run, IX, Work::Settle(IX)), Toward::Prior);
}

#[test]
fn what_is_done_is_held_to_all_of_its_stages() {
    let mut run = begun();
    plans(&mut run, 3);
    hears(&mut run, &Input::Resume { owner: "host/2".into() });
    assert_eq!(toward(&run, IX, Work::Settle(IX)), Toward::Desired(1));
    let blind = || Answer::Looked(Err(Fault::blind("?")));
    answers(&mut run, blind());
    orders(&mut run, settle(true));
    answers(&mut run, blind());
    assert_eq!((run[IX].phase, toward(&run, IX, Work::Hold(IX))), (Phase::Done, Toward::Desired(3)));
}

#[test]
fn what_calls_are_for_follows_from_the_work_and_the_way() {
    use Urgency::{Changing, Settling, Undoing, Watching};
    let mut run = begun();
    let all = [
        Work::Plan(IX),
        Work::Apply(IX),
        Work::Watch(IX),
        Work::Hold(IX),
        Work::Guard(0),
        Work::Settle(IX),
        Work::Undo(IX),
        Work::Confirm(IX),
    ];
    let forward = [Changing, Changing, Watching, Watching, Watching, Settling, Undoing, Settling];
    assert_eq!(all.map(|work| urgency(&run, work)), forward);
    plans(&mut run, 1);
    orders(&mut run, Order::Rollback { rewind: Rewind::Safe, reason: "enough".into() });
    // What must finish is awaited before it is undone.
    assert_eq!(urgency(&run, Work::Watch(IX)), Settling);
    let apply = found(&run, Work::Apply(IX));
    assert_eq!(desk(&run).piece(&run, apply, Timestamp(1)).urgency, Changing);
}
