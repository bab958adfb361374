//! What one turn of work comes to at which moment: whether it is over, goes on, or is not believed yet.

use super::*;
use crate::action::ByHand;
use crate::driver::tests::stage::chain;
use crate::driver::tests::world::Empty;
use crate::plan::{Expr, StepTraits};
use crate::signal::{Condition, Evidence, Measured, Memory, NoEvidence, Signal, Verdict, Watch};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

const SOON: Timestamp = Timestamp(60_000);
const LATE: Timestamp = Timestamp(600_000);

/// When this fault is told, if each look fails with it, in seconds; each try comes when the one before said.
fn told_after(fault: &Fault, until: Timestamp) -> u64 {
    let (mut patience, mut now) = (Patience::default(), Timestamp(1000));
    for _ in 0..1000 {
        match patience.wait(now, until, fault.clone(), &|_| ()) {
            Ok(next) => now = next,
            Err(_) => return now.since(Timestamp(1000)).as_secs(),
        }
    }
    panic!("it is never told")
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
        Input::Tripped { guard: 3, fault, .. } => fault,
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

/// A clock that is set.
#[derive(Default)]
struct Still(AtomicU64);

#[async_trait::async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending::<()>().await;
    }
}

/// An action that says what it is told to, in turn.
#[derive(Debug, Default)]
struct Told {
    looks: Mutex<VecDeque<Result<Look, Fault>>>,
    /// What each look was given as the newest note.
    given: Mutex<Vec<Option<Memo>>>,
    calls: Mutex<VecDeque<Result<Option<Memo>, Fault>>>,
    /// Why what its undo needs is gone.
    gone: Mutex<Option<String>>,
}

#[async_trait::async_trait]
impl AnyAction for Told {
    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }
    fn by_hand(&self) -> ByHand {
        ByHand::default()
    }
    async fn plan(&self, _: &Reads<'_>, _: bool) -> Result<Proposal, Fault> {
        Ok(nothing())
    }
    async fn apply(&self, _: &Writes<'_>, _: u32, _: &Memo) -> Result<Option<Memo>, Fault> {
        self.calls.lock().unwrap().pop_front().unwrap()
    }
    fn is_news(&self, _: &Memo, note: &Memo) -> bool {
        note.contains("news")
    }
    fn trouble(&self, note: &Memo) -> Trouble {
        (u32::from(note.contains("bad")), 0, Vec::new())
    }
    async fn look(&self, _: &Reads<'_>, _: Toward, record: &Record) -> Result<Look, Fault> {
        self.given.lock().unwrap().push(record.note.clone());
        self.looks.lock().unwrap().pop_front().unwrap()
    }
    async fn way_back(&self, _: &Reads<'_>, _: &Memo) -> Result<Option<String>, Fault> {
        Ok(self.gone.lock().unwrap().clone())
    }
    async fn undo(&self, _: &Writes<'_>, _: &Record) -> Result<Option<Memo>, Fault> {
        self.calls.lock().unwrap().pop_front().unwrap()
    }
}

/// One piece of work, turned by hand.
struct Bench {
    world: Arc<Empty<Still>>,
    action: Arc<Told>,
    hands: Hands,
    piece: Piece,
    /// What its guard has noted.
    noted: Option<Memo>,
}

impl Bench {
    /// Work that must have ended after a minute.
    fn of(work: Work) -> Self {
        let (world, action) = (
            Arc::new(Empty { clock: Still::default(), served: Mutex::default() }),
            Arc::new(Told::default()),
        );
        let actions = Actions::from_parts(vec![Some(action.clone())], Vec::new());
        let hands = Hands {
            plan: Arc::new(chain(&["a"])),
            actions: Arc::new(actions),
            world: world.clone(),
            redactor: Redactor::default(),
            host: Host::Rehearsal,
        };
        let due = Due { work, turn: 1, from: Timestamp::PAST, until: SOON, stop: false, back: false };
        let record = Record { prior: "null".into(), note: None, since: Timestamp::PAST, token: "t".into() };
        let (toward, urgency) = (Toward::Desired(1), Urgency::default());
        let piece = Piece::new(due, due.from, Arc::default(), Some(record), toward, Arc::default(), urgency);
        Self { world, action, hands, piece, noted: None }
    }

    /// The answer at this second; or the second at which it goes on.
    async fn turns(&mut self, second: u64) -> Result<Answer, u64> {
        self.world.clock.0.store(second * 1000, Ordering::Relaxed);
        match self.hands.turn(&mut self.piece).await {
            Turn::Answered(Input::Answered { answer, .. }) => Ok(answer),
            Turn::Answered(other) => panic!("{other:?}"),
            Turn::Again(at, _) => Err(at.0 / 1000),
            Turn::Never => panic!("it never goes on"),
        }
    }

    async fn sees(&mut self, second: u64, look: Result<Look, Fault>) -> Result<Answer, u64> {
        self.action.looks.lock().unwrap().push_back(look);
        self.turns(second).await
    }

    async fn calls(&mut self, second: u64, result: Result<Option<Memo>, Fault>) -> Result<Answer, u64> {
        self.action.calls.lock().unwrap().push_back(result);
        self.turns(second).await
    }
}

const IX: StepIx = StepIx(0);

fn moving(note: Option<Memo>) -> Look {
    Look::Moving { note, again: Duration::from_secs(10) }
}

fn desired() -> Look {
    Look::Desired { out: "null".into() }
}

fn theirs() -> Fault {
    Fault::foreign("theirs")
}

#[tokio::test]
async fn a_call_in_doubt_is_looked_at_until_it_can_land_no_more() {
    let mut settle = Bench::of(Work::Settle(IX));
    assert_eq!(settle.sees(0, Ok(Look::Prior)).await, Err(2));
    assert_eq!(settle.sees(59, Ok(Look::Prior)).await, Err(60));
    assert_eq!(settle.sees(60, Ok(Look::Prior)).await, Ok(Answer::Looked(Ok(Look::Prior))));
    let mut landed = Bench::of(Work::Settle(IX));
    assert_eq!(landed.sees(0, Ok(moving(None))).await, Ok(Answer::Looked(Ok(moving(None)))));
}

#[tokio::test]
async fn the_world_is_told_what_calls_are_for() {
    for work in [Work::Plan(IX), Work::Apply(IX), Work::Undo(IX), Work::Settle(IX), Work::Confirm(IX)] {
        let mut bench = Bench::of(work);
        bench.piece.urgency = Urgency::Settling;
        bench.action.calls.lock().unwrap().push_back(Ok(None));
        let _ = bench.sees(0, Ok(Look::Prior)).await;
        assert_eq!(*bench.world.served.lock().unwrap(), [Urgency::Settling], "{work:?}");
    }
    let (mut guard, _) = guard_of(NoEvidence::Wait, Duration::ZERO);
    guard.piece.urgency = Urgency::Watching;
    guard.hands.turn(&mut guard.piece).await;
    assert_eq!(*guard.world.served.lock().unwrap(), [Urgency::Watching]);
}

#[tokio::test]
async fn what_moves_is_looked_at_again_until_it_has_something_to_say() {
    let mut watch = Bench::of(Work::Watch(IX));
    assert_eq!(watch.sees(0, Ok(moving(None))).await, Err(10));
    assert_eq!(watch.sees(55, Ok(moving(None))).await, Err(60), "the last look is taken at its deadline");
    let noted = || moving(Some("\"half\"".into()));
    assert_eq!(watch.sees(59, Ok(noted())).await, Ok(Answer::Looked(Ok(noted()))));
}

#[tokio::test]
async fn what_is_no_news_is_kept_until_something_is() {
    let note = |text: &str| Ok(moving(Some(text.into())));
    let first = Bench::of(Work::Watch(IX)).sees(0, note("1")).await;
    assert_eq!(first, Ok(Answer::Looked(note("1"))), "nothing is recorded yet");
    let mut watch = Bench::of(Work::Watch(IX));
    watch.piece.record.as_mut().unwrap().note = Some("1".into());
    assert_eq!(watch.sees(0, note("2, bad")).await, Err(10));
    let kept = |watch: &Bench| watch.piece.trouble().4;
    assert_eq!(kept(&watch), Some((1, 0, Vec::new())), "it differs by this from what is recorded");
    // A copy of it goes on from there.
    watch.piece = watch.piece.fork();
    assert_eq!(watch.sees(10, note("3")).await, Err(20));
    assert_eq!(kept(&watch), None);
    assert_eq!(watch.sees(20, Err(Fault::transient("throttled"))).await, Err(22));
    assert_eq!(watch.sees(22, note("4, news")).await, Ok(Answer::Looked(note("4, news"))));
    let given = watch.action.given.lock().unwrap().clone();
    assert_eq!(given, ["1", "2, bad", "3", "3"].map(|text| Some(text.into())));
    // Whoever asks whether a lost call landed is answered.
    let mut settle = Bench::of(Work::Settle(IX));
    settle.piece.record.as_mut().unwrap().note = Some("1".into());
    assert_eq!(settle.sees(0, note("2")).await, Ok(Answer::Looked(note("2"))));
}

#[tokio::test]
async fn somebody_elses_change_is_believed_after_five_seconds_or_when_there_is_no_time_left() {
    let denied = || Fault::permanent("denied");
    let lost = || Fault { landed: Landed::Maybe, ..theirs() };
    for work in [Work::Apply(IX), Work::Undo(IX)] {
        let answer = |fault| {
            if work == Work::Apply(IX) { Answer::Applied(Err(fault)) } else { Answer::Undone(Err(fault)) }
        };
        let mut call = Bench::of(work);
        assert_eq!(call.calls(0, Err(theirs())).await, Err(5));
        assert_eq!(call.calls(5, Err(theirs())).await, Ok(answer(theirs())));
        // Later than that nothing could be looked at twice.
        assert_eq!(Bench::of(work).calls(54, Err(theirs())).await, Err(59));
        assert_eq!(Bench::of(work).calls(55, Err(theirs())).await, Ok(answer(theirs())));
        for at_once in [denied(), lost()] {
            assert_eq!(Bench::of(work).calls(0, Err(at_once.clone())).await, Ok(answer(at_once)));
        }
    }
}

#[tokio::test]
async fn what_holds_is_looked_at_now_and_then_and_twice_before_it_does_not() {
    let mut hold = Bench::of(Work::Hold(IX));
    assert_eq!(hold.turns(0).await, Err(30));
    assert_eq!(hold.sees(30, Ok(Look::Prior)).await, Err(32), "soon");
    assert_eq!(hold.sees(32, Ok(desired())).await, Err(62), "it was nothing");
    assert_eq!(hold.sees(62, Err(theirs())).await, Err(64));
    assert_eq!(hold.sees(64, Err(theirs())).await, Ok(Answer::Looked(Err(theirs()))));
}

#[tokio::test]
async fn what_a_way_back_needs_is_looked_for_where_the_run_may_go_back() {
    for back in [true, false] {
        let mut hold = Bench::of(Work::Hold(IX));
        hold.piece.due.back = back;
        *hold.action.gone.lock().unwrap() = Some("its image is gone".into());
        assert_eq!(hold.turns(0).await, Err(30));
        assert_eq!(hold.sees(30, Ok(desired())).await, Err(if back { 32 } else { 60 }));
        if back {
            let gone = Fault::foreign("its image is gone");
            assert_eq!(hold.sees(32, Ok(desired())).await, Ok(Answer::Looked(Err(gone))));
        }
    }
}

/// A source that says a number, or nothing; and since when it was asked for.
#[derive(Debug, Default)]
struct Source(Mutex<Option<f64>>, Mutex<BTreeSet<Timestamp>>);

#[async_trait::async_trait]
impl Signal for Source {
    fn decode(_: &mut crate::plan::Fields<'_>) -> Option<Self> {
        None
    }
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }
    fn costs() -> &'static str {
        ""
    }
    fn names() -> &'static [&'static str] {
        &["value"]
    }
    async fn measure(&self, _: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        self.1.lock().unwrap().insert(since);
        let value = *self.0.lock().unwrap();
        Ok(Measured { value, samples: value.map_or(0, |_| 1), ..Measured::default() })
    }
}

/// A guard that breaks above 0.1, while nothing bakes.
fn guard_of(no_evidence: NoEvidence, grace: Duration) -> (Bench, Arc<Source>) {
    let (mut bench, source) = (Bench::of(Work::Guard(0)), Arc::new(Source::default()));
    let condition = Condition {
        fail: Expr::compile("value > 0.1", &["value"], Arc::default()).unwrap(),
        names: vec!["value"],
        expected: None,
        baseline: None,
        min_samples: 1,
        breaches: 1,
        no_evidence,
        patience: None,
    };
    let guards = vec![Watch::new(source.clone(), condition).grace(grace)];
    bench.hands.actions = Arc::new(Actions::from_parts(Vec::new(), guards));
    bench.piece.due.until = Timestamp::NEVER;
    (bench, source)
}

impl Bench {
    /// Its guard looks in this second, and there is this to be seen. What it notes is recorded.
    async fn look(&mut self, source: &Source, second: u64, seen: Option<f64>) -> Turn {
        *source.0.lock().unwrap() = seen;
        self.world.clock.0.store(second * 1000, Ordering::Relaxed);
        match self.hands.turn(&mut self.piece).await {
            Turn::Answered(Input::Noted { guard: 0, note, next, .. }) => {
                self.goes_on(note, next);
                Turn::Again(next, Duration::ZERO)
            }
            turn => turn,
        }
    }

    /// Other work of the same guard, from what is recorded.
    fn goes_on(&mut self, note: Memo, from: Timestamp) {
        let Piece { due, urgency, .. } = self.piece;
        let due = Due { turn: due.turn + 1, from, ..due };
        let (scope, call, toward) = (self.piece.scope.clone(), self.piece.call.clone(), self.piece.toward);
        self.piece = Piece::new(due, from, scope, None, toward, call, urgency).noting(&note);
        self.noted = Some(note);
    }

    /// Whoever watched was killed, and another process takes over.
    fn is_taken_over(&mut self) {
        let from = self.piece.due.from;
        self.goes_on(self.noted.clone().expect("it has noted something"), from);
    }

    /// Sees this from one second to another, each time it looks; when it was tripped, and by what.
    async fn sees_for(&mut self, source: &Source, seconds: Range<u64>, seen: Option<f64>) -> Option<Trip> {
        for second in seconds.step_by(5) {
            match self.look(source, second, seen).await {
                Turn::Answered(Input::Tripped { guard: 0, fault, .. }) => return Some((second, fault.kind)),
                Turn::Again(at, _) => assert_eq!(at, Timestamp((second + 5) * 1000)),
                _ => panic!("a guard says nothing else"),
            }
        }
        None
    }
}

/// When a guard was tripped, and by what.
type Trip = (u64, FaultKind);

/// A guard that sees this from these seconds on, and looks once more in the last; when it was tripped, and by what.
async fn guarded(no_evidence: NoEvidence, seen: &[(u64, Option<f64>)], last: u64) -> Option<Trip> {
    let (mut bench, source) = guard_of(no_evidence, Duration::ZERO);
    let ends = seen.iter().skip(1).map(|(second, _)| *second).chain([last + 1]);
    for ((from, seen), to) in seen.iter().zip(ends) {
        let trip = bench.sees_for(&source, *from..to, *seen).await;
        if trip.is_some() {
            return trip;
        }
    }
    None
}

/// What breaks meanwhile is not its concern, and silence counts from when it looks. Once a bake is over it is asked at once.
#[tokio::test]
async fn a_guard_does_not_look_before_its_grace_is_over() {
    let (grace, broken) = (Duration::from_secs(120), Some(0.5));
    let of = async |until, looks: &[(u64, Option<f64>, u64)]| {
        let (mut bench, source) = guard_of(NoEvidence::Wait, grace);
        bench.piece.due.until = until;
        for (second, seen, again) in looks {
            match bench.look(&source, *second, *seen).await {
                Turn::Again(at, _) => assert_eq!(at, Timestamp(again * 1000)),
                Turn::Answered(Input::Tripped { fault, .. }) => return Some((*second, fault.kind)),
                _ => panic!("a guard says nothing else"),
            }
        }
        None
    };
    let permanent = |second| Some((second, FaultKind::Permanent));
    assert_eq!(of(Timestamp::NEVER, &[(10, broken, 130), (129, broken, 130)]).await, None);
    assert_eq!(of(Timestamp::NEVER, &[(10, broken, 130), (130, broken, 0)]).await, permanent(130));
    assert_eq!(of(Timestamp(9000), &[(10, broken, 0)]).await, permanent(10));
    let (mut bench, source) = guard_of(NoEvidence::Wait, grace);
    let Turn::Again(Timestamp(130_000), _) = bench.look(&source, 10, None).await else {
        panic!("its grace is over at 130 s")
    };
    assert_eq!(bench.sees_for(&source, 130..1030, None).await, None);
    assert_eq!(bench.sees_for(&source, 1030..1035, None).await, Some((1030, FaultKind::Blind)));
}

#[tokio::test]
async fn a_guard_that_sees_nothing_for_a_quarter_of_an_hour_asks() {
    let (wait, fine) = (NoEvidence::Wait, Some(0.0));
    let blind = |second| Some((second, FaultKind::Blind));
    assert_eq!(guarded(wait, &[(0, None)], 895).await, None);
    assert_eq!(guarded(wait, &[(0, None)], 900).await, blind(900), "it never saw anything");
    assert_eq!(guarded(wait, &[(0, fine), (65, None)], 955).await, None);
    assert_eq!(guarded(wait, &[(0, fine), (65, None)], 960).await, blind(960));
    // A source that comes back is one that can be seen.
    assert_eq!(guarded(wait, &[(0, None), (890, fine), (895, None)], 1785).await, None);
    assert_eq!(guarded(NoEvidence::Fail, &[(0, fine), (5, None)], 5).await, Some((5, FaultKind::Permanent)));
    assert_eq!(guarded(NoEvidence::Pass, &[(0, fine), (5, None)], 3600).await, None);
}

/// Nobody looked meanwhile: what can be seen then is seen, and silence counts from then on.
#[tokio::test]
async fn a_machine_that_slept_for_an_hour_was_not_silent() {
    let of = async |seen, until| {
        let (mut bench, source) = guard_of(NoEvidence::Wait, Duration::ZERO);
        assert_eq!(bench.sees_for(&source, 0..60, Some(0.0)).await, None);
        bench.sees_for(&source, 3600..until, seen).await
    };
    assert_eq!(of(Some(0.0), 3605).await, None);
    assert_eq!(of(Some(0.5), 3605).await, Some((3600, FaultKind::Permanent)));
    assert_eq!(of(None, 4500).await, None);
    assert_eq!(of(None, 4505).await, Some((4500, FaultKind::Blind)));
    // So it is where somebody else takes over.
    let (mut bench, source) = guard_of(NoEvidence::Wait, Duration::ZERO);
    assert_eq!(bench.sees_for(&source, 0..60, None).await, None);
    bench.is_taken_over();
    assert_eq!(bench.sees_for(&source, 3600..4500, None).await, None);
    assert_eq!(bench.sees_for(&source, 4500..4505, None).await, Some((4500, FaultKind::Blind)));
}

/// What it is compared with, breaches in a row, and since when it watches: a process that takes over cannot see them anew.
#[tokio::test]
async fn what_a_guard_has_seen_outlives_the_process_that_saw_it() {
    let (mut bench, source) = guard_of(NoEvidence::Wait, Duration::ZERO);
    let watch = bench.hands.actions.guard(0).unwrap().clone();
    let mut condition = watch.condition().clone();
    condition.breaches = 3;
    let watch = Watch::new(source.clone(), condition);
    bench.hands.actions = Arc::new(Actions::from_parts(Vec::new(), vec![watch]));
    assert_eq!(bench.sees_for(&source, 5..60, Some(0.0)).await, None);
    assert_eq!(bench.sees_for(&source, 60..70, Some(0.5)).await, None);
    bench.is_taken_over();
    let tripped = bench.sees_for(&source, 70..75, Some(0.5)).await;
    assert_eq!(tripped, Some((70, FaultKind::Permanent)), "the third in a row");
    assert_eq!(*source.1.lock().unwrap(), BTreeSet::from([Timestamp(5000)]), "it has watched since then");
}

/// Somebody goes on all the same: breaches in a row begin anew, and so does silence; an alarm of before is known.
#[tokio::test]
async fn a_guard_that_is_armed_again_begins_again() {
    let (mut bench, source) = guard_of(NoEvidence::Wait, Duration::ZERO);
    assert_eq!(bench.sees_for(&source, 5..900, None).await, None);
    let Turn::Answered(Input::Tripped { note: Some(note), .. }) = bench.look(&source, 905, None).await else {
        panic!("it has seen nothing for a quarter of an hour")
    };
    bench.goes_on(note, Timestamp::PAST);
    source.1.lock().unwrap().clear();
    assert_eq!(bench.sees_for(&source, 910..1810, None).await, None);
    assert_eq!(bench.sees_for(&source, 1810..1815, None).await, Some((1810, FaultKind::Blind)));
    assert_eq!(*source.1.lock().unwrap(), BTreeSet::from([Timestamp(910_000)]));
}

/// The look that broke it is kept with all before it.
#[tokio::test]
async fn what_tripped_a_guard_is_the_newest_that_it_has_noted() {
    let (mut bench, source) = guard_of(NoEvidence::Wait, Duration::ZERO);
    assert_eq!(bench.sees_for(&source, 0..60, Some(0.05)).await, None);
    let turn = bench.look(&source, 60, Some(0.5)).await;
    let Turn::Answered(Input::Tripped { note: Some(note), .. }) = turn else { panic!("it saw a breach") };
    let evidence = Evidence::of(&note).unwrap();
    let newest = evidence.signals[0].last.as_ref().unwrap();
    assert_eq!((newest.verdict, newest.value), (Verdict::Fail, Some(0.5)));
    assert_eq!(evidence.signals[0].values.len(), 13, "and it is drawn");
    bench.goes_on(note, Timestamp::PAST);
    assert!(matches!(bench.look(&source, 65, Some(0.05)).await, Turn::Again(..)));
    let evidence = Evidence::of(bench.noted.as_ref().unwrap()).unwrap();
    assert_eq!(evidence.signals[0].values.len(), 14, "and goes on being drawn once it is armed again");
}

/// A clock that is where it is waited for.
#[derive(Default)]
struct Swift(AtomicU64);

#[async_trait::async_trait]
impl Clock for Swift {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
    async fn sleep_until(&self, moment: Timestamp) {
        self.0.fetch_max(moment.0, Ordering::Relaxed);
    }
}

/// A source that answers nobody, such as one that many others wait for.
#[derive(Debug)]
struct Crowded;

#[async_trait::async_trait]
impl Signal for Crowded {
    fn decode(_: &mut crate::plan::Fields<'_>) -> Option<Self> {
        None
    }
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }
    fn costs() -> &'static str {
        ""
    }
    fn names() -> &'static [&'static str] {
        &["value"]
    }
    async fn measure(&self, _: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_guard_whose_look_is_not_let_through_asks_after_a_quarter_of_an_hour() {
    let (bench, _) = guard_of(NoEvidence::Fail, Duration::ZERO);
    let condition = bench.hands.actions.guard(0).unwrap().condition().clone();
    let guards = vec![Watch::new(Arc::new(Crowded), condition)];
    let world = Arc::new(Empty { clock: Swift::default(), served: Mutex::default() });
    let actions = Arc::new(Actions::from_parts(Vec::new(), guards));
    let hands = Arc::new(Hands { world: world.clone(), actions, ..bench.hands });
    let input = hands.perform(bench.piece).await;
    let Input::Tripped { guard: 0, fault, .. } = input else { panic!("{input:?}") };
    assert_eq!((fault.kind, world.clock.now()), (FaultKind::Blind, Timestamp(900_000)), "{fault}");
}
