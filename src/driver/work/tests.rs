//! For how long a read that fails is repeated, and what it means that work broke off.

use super::*;

const SOON: Timestamp = Timestamp(60_000);
const LATE: Timestamp = Timestamp(600_000);

/// When this fault is told, if each look fails with it, in seconds; each try comes when the one before said.
fn told_after(fault: &Fault, until: Timestamp) -> u64 {
    let (mut patience, mut now) = (Patience::default(), Timestamp(1000));
    while let Ok(next) = patience.wait(now, until, fault.clone(), &|_| ()) {
        now = next;
    }
    now.since(Timestamp(1000)).as_secs()
}

#[test]
fn what_may_pass_is_waited_for_until_its_deadline_and_for_two_minutes_at_least() {
    let transient = Fault::transient("throttled");
    // 2, 4, … 16 seconds between two, then 16.
    assert_eq!(told_after(&transient, SOON), 120);
    assert_eq!(told_after(&transient, Timestamp::NEVER), 120);
    assert_eq!(told_after(&transient, LATE), 600);
    assert_eq!(told_after(&Fault::blind("?"), LATE), 120);
    for sure in [Fault::permanent("denied"), Fault::foreign("theirs")] {
        assert_eq!(told_after(&sure, LATE), 0);
    }
}

#[test]
fn few_tries_are_not_enough_however_long_they_take() {
    let mut patience = Patience::default();
    let wait = |patience: &mut Patience, now| patience.wait(Timestamp(now), SOON, Fault::blind("?"), &|_| ());
    for hour in 0..4 {
        assert!(wait(&mut patience, hour * 3_600_000).is_ok());
    }
    assert!(wait(&mut patience, 4 * 3_600_000).is_err());
}

#[test]
fn work_that_broke_off_is_a_mistake_of_ours_and_a_call_may_have_been_sent() {
    let ix = StepIx(0);
    let fault = |work| match Hands::broken(work, 7) {
        Input::Answered { turn: 7, answer, .. } => match answer {
            Answer::Planned(Err(fault)) if work == Work::Plan(ix) => fault,
            Answer::Applied(Err(fault)) if work == Work::Apply(ix) => fault,
            Answer::Undone(Err(fault)) if work == Work::Undo(ix) => fault,
            Answer::Looked(Err(fault)) if !work.writes() => fault,
            other => panic!("{work:?}: {other:?}"),
        },
        Input::Tripped { guard: 3, fault } => fault,
        other => panic!("{work:?}: {other:?}"),
    };
    let (maybe, no) = (Landed::Maybe, Landed::No);
    for (work, kind, landed) in [
        (Work::Plan(ix), FaultKind::Permanent, no),
        (Work::Apply(ix), FaultKind::Transient, maybe),
        (Work::Undo(ix), FaultKind::Transient, maybe),
        (Work::Settle(ix), FaultKind::Blind, no),
        (Work::Watch(ix), FaultKind::Blind, no),
        (Work::Hold(ix), FaultKind::Blind, no),
        (Work::Confirm(ix), FaultKind::Blind, no),
        (Work::Guard(3), FaultKind::Blind, no),
    ] {
        let fault = fault(work);
        assert_eq!((fault.kind, fault.landed), (kind, landed), "{work:?}");
        assert!(fault.message.contains("please report it"), "{fault}");
    }
    assert_eq!(Hands::broken(Work::Wake, 7), Input::Tick);
}
