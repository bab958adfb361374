//! A run that is taken up again: at the step that failed, and at what was under way when its store failed.

use super::completed;
use super::stage::{Crash, Stage, chain};
use super::world::Nature;
use crate::driver::Rest;
use crate::plan::{OnFailure, StepIx};
use crate::run::{Ending, Order, PauseCause, ending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// rundeck#126, st2#5024: it could not be resumed at the step that failed, only run from its beginning.
#[tokio::test]
async fn a_step_that_failed_is_mended_and_retried_and_nothing_before_it_is_done_twice() {
    let mended = Arc::new(AtomicBool::new(false));
    let mut plan = chain(&["a", "b", "c"]);
    plan.steps[1].on_failure = OnFailure::Pause;
    let stage = Stage::new(plan, &[("b", Nature::DeniedUntil(mended.clone()))]);
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, driven.run.paused), (Rest::Waiting, Some(PauseCause::Failed(StepIx(1)))));
    let retry = Order::Retry { step: StepIx(1) };
    // Before it is mended it fails once more, and nothing else happens.
    stage.order(&retry);
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, driven.run.paused), (Rest::Waiting, Some(PauseCause::Failed(StepIx(1)))));
    let refused = stage.journal().iter().filter(|line| line.contains("access denied")).count();
    assert_eq!((refused, stage.writes()), (2, vec!["a=new".to_owned()]), "{:#?}", stage.journal());
    mended.store(true, Ordering::Relaxed);
    stage.order(&retry);
    let driven = stage.drive().await.unwrap();
    assert!(driven.rest == Rest::Finished && completed(&driven.run), "{:#?}", stage.journal());
    assert_eq!(stage.writes(), ["a=new", "b=new", "c=new"]);
}

/// spinnaker#4426: the database was away for a while; nobody looked again at what had been under way, and it ran out of no
/// time.
#[tokio::test]
async fn what_was_under_way_when_the_store_failed_is_looked_at_again_and_runs_out_of_time() {
    let plan = || {
        let mut plan = chain(&["a", "b", "c"]);
        plan.steps[1].timeout = Some(Duration::from_secs(1800));
        plan
    };
    let whole = Stage::new(plan(), &[]);
    whole.drive().await.unwrap();
    let applied = r#""step":"b","fact":{"is":"applied""#;
    let before = whole.journal().iter().take_while(|line| !line.contains(applied)).count() as u64;
    for crash in [Crash::Before(before + 1), Crash::After(before + 1)] {
        let stage = Stage::new(plan(), &[("b", Nature::Endless)]);
        stage.crash_at(crash);
        assert!(stage.drive().await.is_err() && stage.has_crashed());
        assert_eq!(stage.writes(), ["a=new", "b=new"], "{crash:?}: it is under way");
        let driven = stage.drive().await.unwrap();
        let told = format!("{crash:?} {:#?}", stage.journal());
        assert_eq!((driven.rest, ending(&driven.run)), (Rest::Finished, Ending::RolledBack), "{told}");
        assert!(told.contains("not there after"), "{told}");
        assert_eq!(stage.writes(), ["a=new", "b=new", "b=old", "a=old"], "{told}");
    }
}
