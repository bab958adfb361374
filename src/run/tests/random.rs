//! Random plans in a troubled world, under a process that dies at any moment.

use super::host::{Host, actor};
use super::plans;
use super::world::{Cell, Dice, World};
use crate::plan::Kind;
use crate::run::{Input, Mode, Phase, Receipt, Run, Verdict, due};

/// Plans and schedules in one run of the tests.
const SCHEDULES: u64 = 200_000;

/// How many turns a run may take before it counts as endless.
const PATIENCE: u32 = 4_000;

fn live(seed: u64) -> Host {
    let mut dice = Dice(seed);
    let plan = plans::random(&mut dice);
    let trouble = [0, 300, 1500, 3000][usize::try_from(dice.below(4)).unwrap()];
    let mortal = [0, 100, 800][usize::try_from(dice.below(3)).unwrap()];
    let meddlers = dice.one_in(4);
    let operators = dice.one_in(3);
    let world = World::new(&plan, &mut dice, trouble);
    let mut host = Host::new(plan, world, dice, mortal);
    host.input(&Input::Begin { by: actor("starter") });
    for turn in 0..PATIENCE {
        if host.run.is_finished() {
            break;
        }
        assert!(turn + 1 < PATIENCE, "the run never ends: {}", story(&host));
        if let Some(broken) = &host.world.broken {
            panic!("{broken}: {}", story(&host));
        }
        if turn > 400 {
            // In the end the trouble is over, and somebody sees to it.
            host.world.trouble = 0;
        }
        if meddlers && turn < 400 && host.dice.one_in(60) {
            host.world.meddle(&mut host.dice);
        }
        if operators && turn < 400 && host.dice.one_in(15) {
            host.interfere();
        }
        if !host.turn() {
            host.end_it();
        } else if turn > 600 && host.dice.one_in(5) {
            host.end_it();
        }
        let asked = host.run.plan.places().any(|ix| matches!(host.run[ix].phase, Phase::Asking { .. }));
        if asked && host.dice.one_in(4) {
            host.end_it();
        }
    }
    host
}

/// The end of the journal, for whoever has to find out.
fn story(host: &Host) -> String {
    let from = host.journal.len().saturating_sub(40);
    let steps: Vec<_> = host
        .run
        .steps
        .iter()
        .zip(&host.run.plan.steps)
        .map(|(s, p)| (&p.id, s.phase, s.mark(), s.settles))
        .collect();
    let (mode, paused, last) = (host.run.mode, &host.run.paused, &host.journal[from..]);
    let due = due(&host.run);
    let now = host.now;
    let last: Vec<String> = last.iter().map(|e| format!("{e:?}")).collect();
    let last = last.join("\n");
    format!("{now:?} {due:?} {mode:?} {paused:?}\n{steps:?}\n{last}")
}

fn judge(host: &Host) {
    let Host { run, world, journal, .. } = host;
    let replayed = Run::replay(run.plan.clone(), journal).unwrap();
    assert_eq!(replayed, *run, "the state is not the fold of the journal");
    for ix in run.plan.places() {
        let (step, cell, rule) = (&run[ix], world.cells[ix.index()], &run.plan[ix]);
        if run.plan.is_finally(ix) || !matches!(rule.kind, Kind::Act(_)) || world.checks[ix.index()] {
            continue;
        }
        let excused = world.taken_over[ix.index()];
        match run.mode {
            Mode::Finished(Verdict::Completed) if step.phase == Phase::Done && step.marked() && !excused => {
                assert_ne!(cell, Cell::Prior, "{:?}: completed, but it is not there", rule.id);
            }
            Mode::Finished(Verdict::RolledBack) if !excused && !run.is_left(ix) => {
                assert_ne!(cell, Cell::Ours, "{:?}: rolled back, but it is still there", rule.id);
            }
            _ => {}
        }
        if step.phase == Phase::Undone(Receipt::Restored) && !excused {
            assert_ne!(cell, Cell::Ours, "{:?}: RESTORED, but it is still there", rule.id);
        }
    }
}

#[test]
fn any_schedule_of_crashes_ends_well() {
    let only = option_env!("SWITCHOVER_SEED").and_then(|seed| seed.parse::<u64>().ok());
    let seeds = only.map_or(0..SCHEDULES, |seed| seed..seed + 1);
    let threads = 2;
    let (mut crashes, mut completed, mut back) = (0, 0, 0);
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let seeds = seeds.clone();
                scope.spawn(move || {
                    let (mut crashes, mut completed, mut back) = (0u64, 0u64, 0u64);
                    for seed in seeds.filter(|seed| seed % threads == thread) {
                        let told = std::panic::catch_unwind(|| {
                            let host = live(seed);
                            judge(&host);
                            (u64::from(host.crashes), host.run.mode)
                        });
                        let Ok((died, mode)) = told else { panic!("seed {seed}") };
                        crashes += died;
                        completed += u64::from(mode == Mode::Finished(Verdict::Completed));
                        back += u64::from(mode == Mode::Finished(Verdict::RolledBack));
                    }
                    (crashes, completed, back)
                })
            })
            .collect();
        for handle in handles {
            let (c, d, b) = handle.join().unwrap();
            (crashes, completed, back) = (crashes + c, completed + d, back + b);
        }
    });
    let all = seeds.end - seeds.start;
    println!(
        "{all} of {all} schedules kept the promises: {crashes} crashes, {completed} completed, {back} rolled back"
    );
    assert!(only.is_some() || (completed > all / 10 && back > all / 10), "the schedules are one-sided");
}
