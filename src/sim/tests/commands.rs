//! Commands that a world knows: their cells, how they end early, and what is left of them when their process dies.

use super::super::{Armed, Cell, Ports, Program, Role, Strike, Whose, World};
use super::strikes::ports;
use super::{START, ZONE, after, world};
use crate::plan::Timestamp;
use crate::port::{Call, Command, Output, ReadWorld, Stop, StopSignal, StopWith, WriteWorld};
use crate::run::{Fault, FaultKind, Landed};
use std::sync::Arc;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(60);

fn command(name: &str) -> Command {
    Command {
        argv: vec![name.into()],
        environment: Vec::new(),
        directory: None,
        input: Vec::new(),
        stop: StopWith { signal: StopSignal::Term, grace: GRACE },
        reads: true,
        timeout: Duration::from_secs(600),
        call: Some(Call {
            step: "step".into(),
            token: format!("token of {name}"),
            until: Timestamp(u64::MAX),
        }),
    }
}

/// A world that knows four commands of one cell; the one that sets it takes a minute.
fn known(stubborn: bool, armed: Option<Armed>) -> Ports {
    let mut world = world(ZONE);
    let name = |name: &str| vec![name.to_owned()];
    world.knows(name("set"), Program { takes: LONG, stubborn, ..Role::Run("cell".into()).into() });
    world.knows(name("unset"), Role::Undo("cell".into()));
    world.knows(name("see"), Role::Check("cell".into()));
    world.knows(name("was"), Role::Prior("cell".into()));
    world.ledger.armed.extend(armed);
    ports(world)
}

async fn run(ports: &Ports, name: &str) -> Result<Output, Fault> {
    ports.run_process().run(command(name), &Stop::default()).await
}

async fn query(ports: &Ports, name: &str) -> (Option<i32>, String) {
    let said = ports.process().query(command(name)).await.unwrap();
    (said.code, said.stdout)
}

fn cell(ports: &Ports) -> Cell {
    ports.look(|world, _| world.cell("cell").unwrap())
}

#[test]
fn a_command_sets_its_cell_and_others_tell_of_it() {
    let ports = known(false, None);
    let play = async {
        let before = (query(&ports, "was").await, query(&ports, "see").await);
        assert_eq!(before, ((Some(0), "before\n".into()), (Some(10), String::new())));
        assert_eq!(run(&ports, "set").await.unwrap().code, Some(0));
        assert_eq!((ports.clock().now(), query(&ports, "see").await.0), (after(60), Some(0)));
        ports.look(|world, now| world.set_cell(&"cell".into(), Cell::Foreign, now));
        assert_eq!(query(&ports, "see").await.0, Some(12));
        assert_eq!(run(&ports, "unset").await.unwrap().code, Some(0));
        assert_eq!(query(&ports, "see").await.0, Some(10));
    };
    ports.virtual_clock().drive(play).unwrap();
    let by: Vec<Whose> = ports.look(|world, _| world.ledger.landed.iter().map(|landed| landed.by).collect());
    assert_eq!(by, [Whose::Ours(3), Whose::Somebody, Whose::Ours(6)]);
}

#[test]
fn nobody_can_tell_what_an_unknown_command_does() {
    let ports = known(false, None);
    ports.look(|world, _| world.ledger.recording = true);
    let asked = ports.virtual_clock().drive(ports.process().query(command("true"))).unwrap().unwrap_err();
    let done = ports.virtual_clock().drive(run(&ports, "true")).unwrap().unwrap_err();
    assert_eq!((asked.kind, done.kind), (FaultKind::Blind, FaultKind::Blind));
    assert!(asked.message.contains("`true`") && asked.message.contains("does not know"), "{asked}");
    let operations = ports.look(|world, _| {
        world.ledger.calls.iter().map(|call| call.operation.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(operations, ["unknown", "unknown"]);
}

/// Asks it to end after so many seconds: how it ended, and when.
fn stopped(stubborn: bool, after_seconds: u64) -> (Output, u64, Cell) {
    let ports = known(stubborn, None);
    let stop = Stop::default();
    let asks = async {
        ports.clock().sleep_until(after(after_seconds)).await;
        stop.ask();
    };
    let play = async { tokio::join!(ports.run_process().run(command("set"), &stop), asks).0.unwrap() };
    let output = ports.virtual_clock().drive(play).unwrap();
    (output, ports.look(|_, now| now.since(START)).as_secs(), cell(&ports))
}

#[test]
fn a_command_that_is_told_to_end_does_so_at_once_or_within_its_grace() {
    let (output, at, cell) = stopped(false, 5);
    assert_eq!((output.code, output.stopped, at, cell), (None, true, 5, Cell::Before));
    let (output, at, cell) = stopped(true, 5);
    assert_eq!((output.code, output.stopped, at, cell), (None, true, 25, Cell::Before));
    let (output, at, cell) = stopped(true, 50);
    assert_eq!((output.code, output.stopped, at, cell), (Some(0), true, 60, Cell::Desired));
}

#[test]
fn what_a_dead_process_started_lives_for_its_grace() {
    for (stubborn, died, left, end) in
        [(false, 5, false, Cell::Before), (true, 5, true, Cell::Before), (true, 50, true, Cell::Desired)]
    {
        let ports = known(stubborn, None);
        let dies = async {
            ports.clock().sleep_until(after(died)).await;
            ports.look(|world, now| {
                world.die(now);
                world.clone()
            })
        };
        let play = async {
            tokio::select! {
                _ = run(&ports, "set") => panic!("it ended"),
                copy = dies => copy,
            }
        };
        // A copy of that moment needs nobody who lets go of the command.
        let mut copy = ports.virtual_clock().drive(play).unwrap();
        copy.advance(after(90));
        assert_eq!(copy.cell("cell"), Some(end), "{stubborn} {died}");
        let alive = |ports: &Ports| ports.process().left_of("step").unwrap();
        assert_eq!(alive(&ports).is_some(), left, "{stubborn} {died}");
        ports.look(|world, _| world.revive());
        if left {
            for of_its_step in ["set", "unset"] {
                let second = ports.virtual_clock().drive(run(&ports, of_its_step)).unwrap().unwrap_err();
                assert_eq!(
                    (second.kind, second.landed),
                    (FaultKind::Transient, Landed::No),
                    "none beside it"
                );
            }
        }
        ports.virtual_clock().drive(ports.clock().sleep_until(after(90))).unwrap();
        assert_eq!((alive(&ports), cell(&ports)), (None, end), "{stubborn} {died}");
    }
}

/// What the command is worth, how its cell is then, and two minutes later.
fn struck(strike: Strike) -> (Result<Option<i32>, (FaultKind, Landed)>, Cell, Cell) {
    let ports = known(false, Some(Armed::once("process", "run", 0, strike)));
    let answer = ports.virtual_clock().drive(run(&ports, "set")).unwrap();
    let answer = answer.map(|output| output.code).map_err(|fault| (fault.kind, fault.landed));
    let then = cell(&ports);
    ports.virtual_clock().drive(ports.clock().sleep_until(after(400))).unwrap();
    (answer, then, cell(&ports))
}

#[test]
fn what_somebody_else_will_make_of_a_cell_may_be_left_out() {
    use std::hash::{DefaultHasher, Hasher};
    let reverted = Strike::Reverted(Duration::from_secs(60));
    let ports = known(false, Some(Armed::once("process", "run", 0, reverted)));
    let _ = ports.virtual_clock().drive(run(&ports, "set")).unwrap();
    ports.look(|world, now| {
        let print = |but: &[Arc<str>]| {
            let mut hash = DefaultHasher::new();
            world.ledger.held_situation(but, now, &mut hash);
            hash.finish()
        };
        let (nothing, cell): (_, [Arc<str>; 1]) = (DefaultHasher::new().finish(), ["cell".into()]);
        assert_eq!(world.ledger.cells_to_come().cloned().collect::<Vec<_>>(), cell);
        assert_eq!((print(&cell), print(&["another".into()])), (nothing, print(&[])));
        assert_ne!(print(&[]), nothing);
    });
}

#[test]
fn each_strike_has_its_reading_for_a_command() {
    use Cell::{Before, Desired};
    let minute = Duration::from_secs(60);
    let lost = || Err((FaultKind::Transient, Landed::Maybe));
    assert_eq!(struck(Strike::Denied), (Err((FaultKind::Permanent, Landed::No)), Before, Before));
    assert_eq!(struck(Strike::Unavailable), (Err((FaultKind::Transient, Landed::No)), Before, Before));
    assert_eq!(struck(Strike::LostBefore), (lost(), Before, Before));
    assert_eq!(struck(Strike::LostAfter), (lost(), Desired, Desired));
    assert_eq!(struck(Strike::Late(minute)), (lost(), Before, Desired));
    assert_eq!(struck(Strike::Wrong), (Ok(Some(0)), Before, Before));
    assert_eq!(struck(Strike::Bad), (Ok(Some(1)), Before, Before));
    assert_eq!(struck(Strike::Reverted(minute)), (Ok(Some(0)), Desired, Before));
    assert_eq!(struck(Strike::Slow(minute)), (Ok(Some(0)), Desired, Desired));
}

#[test]
fn a_command_that_nobody_can_stop_is_found_alive() {
    let late = Strike::Late(Duration::from_secs(100));
    let ports = known(false, Some(Armed::once("process", "run", 0, late)));
    assert!(ports.virtual_clock().drive(run(&ports, "set")).unwrap().is_err());
    ports.look(World::die);
    for (at, alive) in [(159, true), (160, false)] {
        ports.virtual_clock().drive(ports.clock().sleep_until(after(at))).unwrap();
        assert_eq!(ports.process().left_of("step").unwrap().is_some(), alive, "{at}");
    }
    let landed = ports.look(|world, _| world.ledger.landed[0].clone());
    assert_eq!((&*landed.place, landed.by, landed.at), ("command cell", Whose::Late(1), after(160)));
}

#[test]
fn a_silent_check_is_ended_by_its_time() {
    let ports = known(false, Some(Armed::once("process", "check", 0, Strike::Silent)));
    let said = ports.virtual_clock().drive(ports.process().query(command("see"))).unwrap().unwrap();
    assert_eq!((said.code, said.stopped, ports.clock().now()), (None, true, after(600)));
}
