//! Two faults at once, chosen by seed: the second strikes some facts after the first.

use super::course::Course;
use super::explore::{Blow, Ground, Options, PAIRS_A_JOB, Variant, strike, variants};
use super::faults::{CALLS, CallFault, Class, thing};
use super::laws::May;
use super::scene::{Next, Scene};
use super::tally::Tally;
use super::trial::{Futures, Plays};
use crate::sim::{Armed, CallSeen};

/// How many facts after the first fault the second may strike.
const APART: u64 = 12;

/// Numbers that follow from a seed. `splitmix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
struct Lots(u64);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
}

/// Plays the pairs from this number on, as many as one job plays.
pub(super) fn play(ground: &Ground, options: &Options<'_>, from: u64) -> Tally {
    let (mut tally, mut learned) = (Tally::default(), Futures::default());
    for number in from..(from + PAIRS_A_JOB).min(options.pairs) {
        if (options.stop)() {
            tally.unplayed += 1;
            continue;
        }
        if let Some((scene, variant)) = begin(ground, options.seed, number) {
            let may = variant.may;
            let mut plays = Plays { ends: &ground.ends, known: &ground.known, learned: &mut learned, may };
            let tale = plays.play(scene);
            tally.add(&variant, &variant.name, &tale);
        }
    }
    tally
}

/// A pair, from the moment on at which both faults are in place.
pub(super) fn begin(ground: &Ground, seed: u64, number: u64) -> Option<(Scene, Variant<'static>)> {
    let mut lots = Lots(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
    let course: &Course = &ground.courses[lots.below(ground.courses.len())];
    let leg = &course.legs[lots.below(course.legs.len())];
    let all = variants(course, leg);
    let first = &all[lots.below(all.len())];
    let mut scene = leg.begin()?;
    strike(&mut scene, leg, &first.blow, first.may);
    let apart = lots.next() % APART;
    let until = scene.journal.len() + apart;
    while scene.journal.len() < until {
        match scene.next() {
            Next::Facts(events, run) => scene.record(events, *run),
            Next::Rests if scene.ask() => {}
            Next::Died => scene.die(),
            Next::Rests | Next::Over | Next::Hangs => break,
        }
    }
    let (call, fault) = second(ground, &mut lots)?;
    arm(&scene, call, fault);
    let may = first.may.and(fault.may(call)).and(May { stop: true, delay: true, ..May::NOTHING });
    scene.witness.differs |= may.differ;
    scene.witness.astray |= may.hurt;
    let fault = format!("{} and {}.{}", first.fault, thing(call), fault.name);
    let name = format!("pair:{seed}:{number}");
    let step = first.step.clone();
    Some((scene, Variant { name, step, fault, class: Class::Pair, may, blow: Blow::Nothing }))
}

/// A call of either way, and a fault for the next one like it.
fn second<'g>(ground: &'g Ground, lots: &mut Lots) -> Option<(&'g CallSeen, &'static CallFault)> {
    let course = &ground.courses[lots.below(ground.courses.len())];
    let calls: Vec<&CallSeen> = course.legs.iter().flat_map(|leg| &leg.calls).map(|(_, call)| call).collect();
    let call = *calls.get(lots.below(calls.len()))?;
    let fits: Vec<&CallFault> = CALLS.iter().filter(|fault| fault.meets(call)).collect();
    Some((call, *fits.get(lots.below(fits.len()))?))
}

fn arm(scene: &Scene, call: &CallSeen, fault: &CallFault) {
    scene.world(|world, _| {
        let from = world.ledger.count + 1;
        let armed = Armed::once(call.service, &call.operation, from, (fault.strike)());
        world.ledger.armed.push(Armed { times: fault.times, every: fault.every, ..armed });
    });
}
