//! What the conditions of a plan may read of its run.

use super::stage::{Stage, chain, step};
use super::world::{Lag, Nature};
use super::{WEEK, completed, patient};
use crate::plan::{Expr, Part, Plan, Step, StepIx};
use std::sync::{Arc, Mutex};

/// Skipped, unless this holds.
fn only_if(condition: &str, step: Step) -> Step {
    let when = Expr::compile(condition, &["run", "secrets", "steps"], Arc::default()).unwrap();
    Step { when: Some(when), ..step }
}

#[tokio::test]
async fn a_condition_may_ask_who_began_which_run_when_and_what_is_secret() {
    let conditions = [
        r#"run.by == "ana""#,
        r#"run.id != """#,
        r#"run.started.startsWith("20")"#,
        r#"secrets.token == "s3cr3t-value""#,
    ];
    let steps = conditions.map(|condition| only_if(condition, step("a", Vec::new())));
    let mut stage = Stage::new(Plan { steps: steps.to_vec(), ..chain(&[]) }, &[]);
    stage.secrets = vec![("token", "s3cr3t-value")];
    let run = stage.drive().await.unwrap().run;
    assert!(completed(&run) && run.wrote, "{:#?}", stage.journal());
    assert!(!stage.journal().join("\n").contains("skipped"), "{:#?}", stage.journal());
}

#[tokio::test]
async fn finally_may_ask_how_the_run_ends() {
    let for_ever = Nature::Lagging(Lag::Undo, Arc::new(Mutex::new(u32::MAX)));
    for (ending, a, b) in [
        ("completed", Nature::Fine, Nature::Fine),
        ("rolled_back", Nature::Fine, Nature::Denied),
        ("stuck", for_ever, Nature::Denied),
    ] {
        let finally = |ending: &str| {
            let step = Step { part: Part::Finally, ..step(ending, Vec::new()) };
            only_if(&format!("run.ending == \"{ending}\""), step)
        };
        let mut plan = Plan { policy: patient(), ..chain(&["a", "b"]) };
        plan.steps[0].timeout = Some(WEEK);
        plan.steps.extend(["completed", "rolled_back", "stuck"].map(finally));
        let stage = Stage::new(plan, &[("a", a), ("b", b)]);
        let run = stage.drive().await.unwrap().run;
        let ran: Vec<&str> =
            (2..5).map(StepIx).filter(|ix| run[*ix].marked()).map(|ix| &*run.plan[ix].id.0).collect();
        assert_eq!(ran, [ending], "{:#?}", stage.journal());
    }
}
