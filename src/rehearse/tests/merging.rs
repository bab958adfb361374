//! What is merged ends as if it had been played to its end.

use super::{setting, setting_of};
use crate::rehearse::Setting;
use crate::rehearse::explore::{Ground, strike, variants};
use crate::rehearse::trial::{Futures, Plays, Tale};
use std::sync::Arc;

/// What a scenario is judged by. Not its times: those of a merged one end where it was merged.
fn told(tale: &Tale) -> String {
    let laws: Vec<_> = tale.breaches.iter().map(|breach| (breach.law, &breach.step)).collect();
    format!("{:?}, asked {}, stuck {}, {laws:?}", tale.outcome, tale.asked, tale.stuck)
}

/// Plays every fault at every instant of both ways, once as a rehearsal does and once to the end.
fn ends_the_same(setting: &Arc<Setting>) {
    let ground = Ground::of(setting);
    let (mut merged, mut wrong) = (0, Vec::new());
    for course in &ground.courses {
        for leg in &course.legs {
            let mut learned = Futures::default();
            for variant in variants(course, leg) {
                let (Some(mut quick), Some(mut whole)) = (leg.begin(), leg.begin()) else { continue };
                let mut plays = Plays {
                    ends: &ground.ends,
                    known: &ground.known,
                    learned: &mut learned,
                    may: variant.may,
                };
                strike(&mut quick, leg, &variant.blow, variant.may);
                strike(&mut whole, leg, &variant.blow, variant.may);
                let quick = plays.play(quick);
                let (whole, _) = plays.tell(whole);
                merged += usize::from(quick.merged);
                if told(&quick) != told(&whole) {
                    wrong.push(format!("{}: {}; played: {}", variant.name, told(&quick), told(&whole)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), setting.plan.name, wrong.join("\n"));
    assert!(merged > 100, "only {merged} of {} are merged: this says nothing", setting.plan.name);
}

#[test]
fn commands_that_somebody_else_undoes_or_that_fail_for_good() {
    let step = |n| {
        format!(
            "  - id: change-{n}\n    uses: exec\n    with: {{ prior: [state, \"{n}\"], run: [change, \"{n}\"], \
             check: [check, \"{n}\"], undo: [undo, \"{n}\"] }}\n  - {{ id: wait-{n}, uses: wait, with: {{ for: 30s }} }}\n"
        )
    };
    let steps: String = (0..4).map(step).collect();
    let plan = format!("switchover: v1\nname: commands\nsteps:\n{steps}");
    ends_the_same(&setting_of("commands.yaml", &plan, None));
    ends_the_same(&setting("plans/exec-with-undo.yaml", Some("one-record.yaml")));
}

#[test]
fn records_and_deployments() {
    ends_the_same(&setting("plans/one-record.yaml", Some("one-record.yaml")));
    ends_the_same(&setting("plans/parallel-deploys.yaml", Some("one-record.yaml")));
}
