//! What is merged ends as if it had been played to its end.

use super::{rehearsed, setting, setting_of};
use crate::rehearse::Setting;
use crate::rehearse::explore::{Blow, DEATHS, Ground, strike, variants};
use crate::rehearse::trial::{Futures, Plays, Tale};
use crate::rehearse::way::Way;
use std::sync::Arc;

/// What a scenario is judged by. Not its times: those of a merged one end where it was merged.
fn told(tale: &Tale) -> String {
    let laws: Vec<_> = tale.breaches.iter().map(|breach| (breach.law, &breach.step)).collect();
    format!("{:?}, asked {}, stuck {}, {laws:?}", tale.outcome, tale.asked, tale.stuck)
}

/// Plays every fault at every instant of both ways, once as a rehearsal does and once to the end; and each death on the way
/// of those that nothing else befalls, or whom another controller comes after.
fn ends_the_same(setting: &Arc<Setting>) {
    let ground = Ground::of(setting);
    let (mut merged, mut wrong) = (0, Vec::new());
    for course in &ground.courses {
        for leg in &course.legs {
            let mut learned = Futures::default();
            for variant in variants(course, leg) {
                let struck = || {
                    let mut scene = leg.begin()?;
                    strike(&mut scene, leg, &variant.blow, variant.may);
                    Some(scene)
                };
                let mut both = |name: &str, may, quick, whole| {
                    let (ends, known) = (&ground.ends, &ground.known);
                    let mut plays = Plays { ends, known, learned: &mut learned, may };
                    let (quick, (whole, _)) = (plays.play(quick), plays.tell(whole));
                    merged += usize::from(quick.merged);
                    if told(&quick) != told(&whole) {
                        wrong.push(format!("{name}: {}; played: {}", told(&quick), told(&whole)));
                    }
                    quick.facts
                };
                let (Some(quick), Some(whole), Some(again)) = (struck(), struck(), struck()) else {
                    continue;
                };
                let facts = both(&variant.name, variant.may, quick, whole);
                if !matches!(variant.blow, Blow::Nothing) && !variant.fault.ends_with(".reverted") {
                    continue;
                }
                for brink in Way::new(again, facts).flatten() {
                    for death in DEATHS {
                        let (Some((name, quick)), Some((_, whole))) =
                            (brink.killed(*death), brink.killed(*death))
                        else {
                            continue;
                        };
                        both(&format!("{}+{name}", variant.name), variant.may.and_death(), quick, whole);
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), setting.plan.name, wrong.join("\n"));
    assert!(merged > 100, "only {merged} of {} are merged: this says nothing", setting.plan.name);
}

/// So many commands, and a wait after each.
fn commands(count: usize) -> Arc<Setting> {
    let step = |n| {
        format!(
            "  - id: change-{n}\n    uses: exec\n    with: {{ prior: [state, \"{n}\"], run: [change, \"{n}\"], \
             check: [check, \"{n}\"], undo: [undo, \"{n}\"] }}\n  - {{ id: wait-{n}, uses: wait, with: {{ for: 30s }} }}\n"
        )
    };
    let steps: String = (0..count).map(step).collect();
    setting_of("commands.yaml", &format!("switchover: v1\nname: commands\nsteps:\n{steps}"), None)
}

#[test]
fn how_many_scenarios_there_are_grows_with_the_steps_and_no_faster() {
    for fault in ["command.undo.reverted", "process.killed"] {
        let [few, many] = [6, 18].map(|count| rehearsed(&commands(count), fault).scenarios());
        assert!(many <= few * 3, "{fault}: {few} of 6 commands, {many} of 18");
    }
}

#[test]
fn commands_that_somebody_else_undoes_or_that_fail_for_good() {
    ends_the_same(&commands(4));
    ends_the_same(&setting("plans/exec-with-undo.yaml", Some("one-record.yaml")));
}

#[test]
fn records_and_deployments() {
    ends_the_same(&setting("plans/one-record.yaml", Some("one-record.yaml")));
    ends_the_same(&setting("plans/parallel-deploys.yaml", Some("one-record.yaml")));
    ends_the_same(&setting("tests/data/rehearse/canary.yaml", Some("canary.world.yaml")));
}
