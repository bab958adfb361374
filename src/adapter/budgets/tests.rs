//! Who waits for whom, and for how long: in virtual time.

use super::*;
use crate::sim::VirtualClock;
use Urgency::{Changing, Settling, Undoing, Watching};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

const START: Timestamp = Timestamp(1_800_000_000_000);

fn at(milliseconds: u64) -> Timestamp {
    Timestamp(START.0 + milliseconds)
}

fn lane() -> Lane {
    Lane::of(Service::Route53.share())
}

/// How many calls it takes at once.
fn taken(lane: &mut Lane, urgency: Urgency, now: Timestamp) -> usize {
    (0..100).filter(|_| lane.take(urgency, now).is_ok()).count()
}

#[test]
fn ours_is_half_of_what_an_account_is_given() {
    let share = Share { service: "route53", at_once: 25, a_second: 5, reserve: 10 };
    assert_eq!(shares().next(), Some(share));
    for Share { service, at_once, a_second, reserve } in shares() {
        let looks = at_once - reserve - reserve / 2;
        assert!(reserve > 0 && looks > 0 && a_second > 0, "{service}: somebody would never get a turn");
    }
}

#[test]
fn the_readme_tells_the_same() {
    let readme = include_str!("../../../README.md");
    for Share { service, at_once, a_second, reserve } in shares() {
        let told = |line: &str| {
            line.starts_with(&format!("| `{service}`"))
                && line.ends_with(&format!(" | {at_once} | {a_second} | {reserve} |"))
        };
        assert!(readme.lines().any(told), "{service} {at_once} {a_second} {reserve}");
    }
}

#[test]
fn each_leaves_room_for_those_that_matter_more() {
    let mut lane = lane();
    assert_eq!(taken(&mut lane, Watching, START), 10);
    assert_eq!(lane.take(Watching, START), Err(at(200)));
    assert_eq!(taken(&mut lane, Changing, START), 5);
    assert_eq!(taken(&mut lane, Settling, START), 10, "the reserve");
    assert_eq!(taken(&mut lane, Undoing, START), 100, "an undo waits for nobody");
    assert_eq!(lane.take(Settling, START), Err(at(200)));
    // What the way back has taken, watching goes without.
    assert_eq!(lane.take(Watching, START), Err(at(16 * 200)));
}

#[test]
fn a_throttle_leaves_watching_nothing_and_the_way_back_its_reserve() {
    let mut lane = lane();
    lane.throttled(START);
    assert_eq!(lane.take(Watching, START), Err(at(6 * 200)));
    assert_eq!(lane.take(Changing, START), Err(at(200)));
    assert_eq!((taken(&mut lane, Settling, START), taken(&mut lane, Undoing, START)), (10, 100));
}

#[test]
fn each_throttle_halves_the_pace_of_watching_and_each_quiet_while_doubles_it() {
    let mut lane = lane();
    let mut paces = vec![lane.between(START).as_millis()];
    for second in 0..4 {
        lane.throttled(at(second * 1000));
        paces.push(lane.between(at(second * 1000)).as_millis());
    }
    assert_eq!(paces, [0, 400, 800, 1600, 1600]);
    let quiet = [12_999, 13_000, 23_000, 33_000].map(|passed| lane.between(at(passed)).as_millis());
    assert_eq!(quiet, [1600, 800, 400, 0]);
    // Of many that come together one counts; they are answers to what was sent before.
    let mut lane = self::lane();
    (0..9).for_each(|tenth| lane.throttled(at(tenth * 100)));
    assert_eq!(lane.between(at(900)).as_millis(), 400);
    (9..30).for_each(|tenth| lane.throttled(at(tenth * 100)));
    assert_eq!(lane.between(at(3000)).as_millis(), 1600);
}

#[test]
fn looks_keep_the_pace() {
    let mut lane = lane();
    let mut looks = |from: u64, to: u64| {
        let (mut now, mut count) = (at(from), 0);
        while now < at(to) {
            match lane.take(Watching, now) {
                Ok(()) => count += 1,
                Err(later) => now = later,
            }
        }
        count
    };
    assert_eq!([looks(0, 10_000), looks(10_000, 20_000)], [10 + 49, 50]);
    lane.throttled(at(20_000));
    let mut looks = |from: u64, to: u64| (from..to).filter(|ms| lane.take(Watching, at(*ms)).is_ok()).count();
    assert_eq!(looks(20_000, 30_000), 22, "from 1.2 s on, one each 0.4 s");
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_for_longer() {
    let mut lane = lane();
    (0..3).for_each(|second| lane.throttled(at(3_600_000 + second * 1000)));
    assert_eq!(lane.take(Watching, at(3_610_000)), Ok(()));
    assert_eq!(lane.take(Watching, at(0)), Err(at(1600)));
    assert_eq!(lane.take(Watching, at(1600)), Ok(()));
    assert_eq!(lane.between(at(30_000)), Duration::ZERO);
}

/// Drives all of them to their end.
fn play(clock: &VirtualClock, mut all: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    let playing = poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    });
    clock.drive(playing).unwrap();
}

/// One look of each of these, and then another a period later, for ten minutes. When each looked.
fn watched(share: Share, watchers: usize, period: Duration, undoes: bool) -> Vec<Vec<Timestamp>> {
    let (clock, queues) = (VirtualClock::new(START), Queues::of(share));
    let end = START.after(Duration::from_mins(10));
    let looks: Vec<Mutex<Vec<Timestamp>>> = (0..watchers).map(|_| Mutex::default()).collect();
    let mut all: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for looks in &looks {
        let (clock, queues) = (&clock, &queues);
        all.push(Box::pin(async move {
            while clock.now() < end {
                let due = clock.now();
                queues.turn(Watching, clock).await;
                looks.lock().unwrap().push(clock.now());
                clock.sleep_until(due.after(period)).await;
            }
        }));
    }
    if undoes {
        all.push(Box::pin(async {
            while clock.now() < end {
                let before = clock.now();
                for urgency in [Undoing, Settling, Undoing, Settling] {
                    queues.turn(urgency, &clock).await;
                }
                assert_eq!(clock.now(), before, "the way back waits for no look");
                clock.sleep_until(before.after(Duration::from_secs(7))).await;
            }
        }));
    }
    play(&clock, all);
    looks.into_iter().map(|looks| looks.into_inner().unwrap()).collect()
}

/// The longest time without a look, and the most calls in a second.
fn worst(looks: &[Vec<Timestamp>]) -> (Duration, usize) {
    let longest = |looks: &Vec<Timestamp>| looks.windows(2).map(|two| two[1].since(two[0])).max().unwrap();
    let mut all: Vec<Timestamp> = looks.concat();
    all.sort_unstable();
    let in_a_second = |from: &Timestamp| {
        let until = from.after(Duration::from_secs(1));
        all.iter().filter(|at| (*from..until).contains(at)).count()
    };
    (looks.iter().map(longest).max().unwrap(), all.iter().map(in_a_second).max().unwrap())
}

#[test]
fn two_hundred_signals_of_fifty_runs_keep_their_period() {
    let looks = watched(Service::CloudWatch.share(), 200, Duration::from_secs(30), false);
    let (longest, at_once) = worst(&looks);
    assert!(longest <= Duration::from_secs(30), "{longest:?}");
    assert!(at_once <= 10 + 10, "{at_once} calls in a second");
    assert!(looks.iter().all(|looks| looks.len() >= 20));
}

#[test]
fn more_than_there_is_room_for_wait_in_turn_and_none_starves() {
    let looks = watched(Service::Route53.share(), 200, Duration::from_secs(30), true);
    let counts: Vec<usize> = looks.iter().map(Vec::len).collect();
    let (fewest, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    // Five a second, less four each seven seconds for the way back: each gets its turn within 46 s.
    assert!(*fewest >= 12 && most - fewest <= 2, "{fewest} to {most}");
    let (longest, _) = worst(&looks);
    assert!(longest <= Duration::from_secs(50), "{longest:?}");
}

#[test]
fn whoever_came_first_is_served_first_and_whoever_left_has_taken_nothing() {
    let (clock, queues) = (VirtualClock::new(START), Queues::of(Service::Route53.share()));
    let served = Mutex::new(Vec::new());
    for _ in 0..10 {
        clock.drive(queues.turn(Watching, &clock)).unwrap();
    }
    let look = |name: &'static str| {
        let (clock, queues, served) = (&clock, &queues, &served);
        Box::pin(async move {
            queues.turn(Watching, clock).await;
            served.lock().unwrap().push((name, clock.now()));
        })
    };
    let mut gone = look("gone");
    let polled = clock.drive(poll_fn(|context| Poll::Ready(gone.as_mut().poll(context).is_pending())));
    assert_eq!((polled, queues.waiting.load(Ordering::Relaxed)), (Some(true), 1));
    drop(gone);
    play(&clock, vec![look("first"), look("second"), look("third")]);
    assert_eq!(*served.lock().unwrap(), [("first", at(200)), ("second", at(400)), ("third", at(600))]);
    assert_eq!(queues.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn what_aws_counts_together_has_one_budget() {
    let budgets = Budgets::default();
    let of = |service, account: &str, region: &str, endpoint: Option<&str>| {
        let endpoint = endpoint.map(Arc::from);
        budgets.clone().of(service, &account.into(), &region.into(), endpoint.as_ref())
    };
    let (ecs, route53) = (of(Service::Ecs, "1", "eu", None), of(Service::Route53, "1", "eu", None));
    let same = |one: &Arc<Queues>, other: Arc<Queues>| Arc::ptr_eq(one, &other);
    assert!(same(&ecs, of(Service::Ecs, "1", "eu", None)), "whichever run asks");
    assert!(same(&route53, of(Service::Route53, "1", "us", None)), "it has no regions");
    assert!(!same(&ecs, of(Service::Elb, "1", "eu", None)));
    assert!(!same(&ecs, of(Service::Ecs, "1", "us", None)));
    assert!(!same(&ecs, of(Service::Ecs, "2", "eu", None)));
    assert!(!same(&ecs, of(Service::Ecs, "1", "eu", Some("http://127.0.0.1:1"))));
}

#[test]
fn a_crowd_says_whose_calls_it_waits_for() {
    let (budgets, clock) = (Budgets::default(), VirtualClock::new(START));
    let queues = budgets.of(Service::Logs, &"123456789012".into(), &"eu-west-1".into(), None);
    for _ in 0..2 {
        clock.drive(queues.turn(Watching, &clock)).unwrap();
    }
    assert_eq!(budgets.crowds(), []);
    let mut waiting = Box::pin(queues.turn(Watching, &clock));
    let _ = clock.drive(poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))));
    assert_eq!(budgets.crowds(), [("logs of account 123456789012, 2 calls a second".to_owned(), 1)]);
    drop(waiting);
    assert_eq!(budgets.crowds(), []);
}
