//! What is told of the world may lag behind what was written: it is believed that somebody else was there, or that
//! nothing was done, only once it has been told for a while.

use super::stage::{Stage, chain};
use super::world::{Lag, Nature};
use super::{WEEK, completed, patient};
use crate::driver::Rest;
use crate::plan::{Plan, StepIx};
use crate::run::{Ending, PauseCause, Phase, Stuck, ending};
use std::sync::{Arc, Mutex};

const FOR_EVER: u32 = u32::MAX;

/// `a`, of which this is told wrongly so often, and then `last`. Deadlines are too far away to end a doubt.
fn stage(lag: Lag, times: u32, last: Nature) -> Stage {
    let mut plan = Plan { policy: patient(), ..chain(&["a", "b"]) };
    plan.steps[0].timeout = Some(WEEK);
    Stage::new(plan, &[("a", Nature::Lagging(lag, Arc::new(Mutex::new(times)))), ("b", last)])
}

#[tokio::test]
async fn one_look_that_lags_is_not_believed() {
    for lag in [Lag::Prior, Lag::Foreign] {
        let stage = stage(lag, 1, Nature::Fine);
        let driven = stage.drive().await.unwrap();
        assert!(completed(&driven.run), "{lag:?}: {:#?}", stage.journal());
        assert_eq!(stage.writes(), ["a=new", "b=new"], "{lag:?}");
        assert!(!stage.journal().join("\n").contains("foreign"), "{lag:?}: {:#?}", stage.journal());
    }
}

#[tokio::test]
async fn what_looks_so_for_long_enough_pauses() {
    for lag in [Lag::Prior, Lag::Foreign] {
        let stage = stage(lag, FOR_EVER, Nature::Fine);
        let driven = stage.drive().await.unwrap();
        assert_eq!(driven.rest, Rest::Waiting, "{lag:?}");
        assert_eq!(driven.run.paused, Some(PauseCause::Foreign(StepIx(0))), "{lag:?}");
        assert_eq!(stage.writes(), ["a=new"], "{lag:?}");
    }
}

#[tokio::test]
async fn what_has_not_arrived_by_its_deadline_has_failed() {
    let stage = Stage::new(chain(&["a", "b"]), &[("b", Nature::Endless)]);
    assert_eq!(ending(&stage.drive().await.unwrap().run), Ending::RolledBack);
    assert!(stage.journal().join("\n").contains("not there after 1h: on its way"), "{:#?}", stage.journal());
}

#[tokio::test]
async fn a_write_that_meets_somebody_elses_value_once_is_tried_again() {
    let stage = stage(Lag::Apply, 1, Nature::Fine);
    let driven = stage.drive().await.unwrap();
    assert!(completed(&driven.run), "{:#?}", stage.journal());
    assert_eq!(stage.writes(), ["a=new", "b=new"]);
}

#[tokio::test]
async fn an_undo_that_meets_somebody_elses_value_once_goes_on() {
    for lag in [Lag::Undo, Lag::Written] {
        let stage = stage(lag, 1, Nature::Denied);
        let driven = stage.drive().await.unwrap();
        assert_eq!(ending(&driven.run), Ending::RolledBack, "{lag:?}: {:#?}", stage.journal());
        // It undoes once: an undo that was carried out is not repeated because a look missed it.
        assert_eq!(stage.writes(), ["a=new", "a=old"], "{lag:?}");
        assert!(!stage.journal().join("\n").contains("retry"), "{lag:?}: {:#?}", stage.journal());
    }
}

#[tokio::test]
async fn an_undo_that_meets_it_for_long_enough_touches_nothing() {
    let stage = stage(Lag::Undo, FOR_EVER, Nature::Denied);
    let driven = stage.drive().await.unwrap();
    assert_eq!(driven.run[StepIx(0)].phase, Phase::Stuck(Stuck::Drifted), "{:#?}", stage.journal());
    assert_eq!(stage.writes(), ["a=new"]);
}
