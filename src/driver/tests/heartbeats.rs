//! The plan's heartbeat, in the loop: it goes on while a run is paused, falls silent where the loop hangs, and holds up
//! nobody.

use super::stage::{Stage, chain};
use super::world::Nature;
use super::{WEEK, abort, completed};
use crate::adapter::SystemClock;
use crate::driver::Rest;
use crate::plan::{Heartbeat, OnFailure, Plan, Template};
use crate::port::{Clock, Request, Response, WriteHttp};
use crate::run::Fault;
use serde_json::Value as Json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(20);

/// Whoever listens: answers at once, or never.
#[derive(Default)]
struct Ear {
    deaf: AtomicBool,
    heard: Mutex<Vec<Request>>,
}

#[async_trait::async_trait]
impl WriteHttp for Ear {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        self.heard.lock().unwrap().push(request);
        if self.deaf.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            elapsed: Duration::ZERO,
            address: None,
        })
    }
}

impl Ear {
    fn times(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// State, and whether it is the last.
    fn heard(&self, place: usize) -> (String, bool) {
        let body = self.heard.lock().unwrap()[place].body.clone().unwrap();
        let body: Json = serde_json::from_slice(&body).unwrap();
        (body["state"].as_str().unwrap().to_owned(), body["last"].as_bool().unwrap())
    }

    fn last(&self) -> (String, bool) {
        self.heard(self.times() - 1)
    }
}

async fn wait(span: Duration) {
    let wall = SystemClock::wall();
    wall.sleep_until(wall.now().after(span)).await;
}

/// A run of a plan with a heartbeat.
fn heard(plan: Plan, natures: &[(&str, Nature)]) -> (Stage, Arc<Ear>) {
    let url = Template::parse("https://${{ secrets.host }}/x", &Arc::default()).unwrap();
    let mut plan = plan;
    plan.policy.heartbeat = Some(Heartbeat { url, every: EVERY });
    let (mut stage, ear) = (Stage::new(plan, natures), Arc::new(Ear::default()));
    stage.secrets = vec![("host", "hc.test")];
    stage.beats = Some(ear.clone());
    (stage, ear)
}

/// A step that is under way until somebody aborts the run.
fn endless() -> (Plan, [(&'static str, Nature); 1]) {
    let mut plan = chain(&["a"]);
    plan.steps[0].timeout = Some(WEEK);
    (plan, [("a", Nature::Endless)])
}

#[tokio::test]
async fn it_beats_until_the_run_is_over_and_the_last_says_so() {
    let (plan, natures) = endless();
    let (stage, ear) = heard(plan, &natures);
    let order = async {
        stage.until("\"applied\"").await;
        while ear.times() < 5 {
            wait(EVERY).await;
        }
        stage.order(&abort());
    };
    let (driven, ()) = tokio::join!(stage.drive(), order);
    assert_eq!(driven.unwrap().rest, Rest::Finished);
    assert_eq!((ear.heard(0), ear.last()), (("running".into(), false), ("rolled_back".into(), true)));
    assert_eq!(ear.heard.lock().unwrap()[0].url, "https://hc.test/x");
    let times = ear.times();
    wait(EVERY * 5).await;
    assert_eq!(ear.times(), times);
    assert!(!stage.journal().join("\n").contains("heartbeat"), "it is no fact");
}

#[tokio::test]
async fn it_beats_while_the_run_is_paused_and_stops_with_the_process() {
    let mut plan = chain(&["a"]);
    plan.steps[0].on_failure = OnFailure::Pause;
    let (mut stage, ear) = heard(plan, &[("a", Nature::Denied)]);
    stage.stay = true;
    let watch = async {
        stage.until("run_paused").await;
        while ear.times() < 5 || ear.last() != ("paused".into(), false) {
            wait(EVERY).await;
        }
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), watch);
    assert_eq!(driven.unwrap().rest, Rest::Interrupted);
    assert_eq!(ear.last(), ("paused".into(), true));
}

#[tokio::test]
async fn a_loop_that_hangs_is_silent() {
    let (plan, natures) = endless();
    let (stage, ear) = heard(plan, &natures);
    let watch = async {
        stage.until("\"applied\"").await;
        let appends = stage.store.appends.load(Ordering::Relaxed);
        stage.store.hangs.store(true, Ordering::Relaxed);
        stage.order(&abort());
        while stage.store.appends.load(Ordering::Relaxed) == appends {
            wait(EVERY).await;
        }
        let before = ear.times();
        wait(EVERY * 20).await;
        let after = ear.times();
        stage.store.hangs.store(false, Ordering::Relaxed);
        (before, after)
    };
    let (driven, (before, after)) = tokio::join!(stage.drive(), watch);
    assert_eq!(driven.unwrap().rest, Rest::Finished);
    assert!(before > 1 && after == before, "{before} beats, and {after} though the loop hangs");
    assert_eq!(ear.last(), ("rolled_back".into(), true));
}

#[tokio::test]
async fn a_listener_that_is_deaf_holds_up_nobody() {
    let (stage, ear) = heard(chain(&["a", "b", "c"]), &[]);
    ear.deaf.store(true, Ordering::Relaxed);
    assert!(completed(&stage.drive().await.unwrap().run));
    let seen = stage.seen.lock().unwrap();
    assert!(
        matches!(&seen.notices[..], [said] if said.contains("no answer within 20ms")),
        "{:?}",
        seen.notices
    );
}

#[tokio::test]
async fn whoever_exits_at_once_says_nothing_more() {
    let (plan, natures) = endless();
    let (stage, ear) = heard(plan, &natures);
    let ask = async {
        stage.until("\"applied\"").await;
        stage.interruption.ask();
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), ask);
    assert!(matches!(driven.unwrap().rest, Rest::Exited | Rest::Interrupted));
    assert!(!ear.last().1, "{:?}", ear.last());
}

#[tokio::test]
async fn a_run_in_a_sandbox_and_one_that_is_over_are_heard_by_nobody() {
    let (mut stage, ear) = heard(chain(&["a"]), &[]);
    stage.beats = None;
    assert!(completed(&stage.drive().await.unwrap().run));
    stage.beats = Some(ear.clone());
    assert!(completed(&stage.drive().await.unwrap().run));
    assert_eq!(ear.times(), 0);
}
