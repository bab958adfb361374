//! A trigger takes effect within one second of the wall's time, whatever the run is doing; and where there is nothing for
//! it to do, it says so as soon.

use crate::stage::{Said, Stage, lasting, repository};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing that a state waits for comes within a test at this pace.
const TIME: u32 = 60;

/// In so short a time a trigger has taken effect.
const SOON: Duration = Duration::from_secs(1);

/// What every plan begins with: something to undo, which is undone once it may be.
const HEAD: &str = r#"
switchover: v1
name: triggered
people: { friends: [ana@navralabs.com] }
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
steps:
  - id: mark
    uses: exec
    with:
      run: [touch, mark]
      check: [sh, -c, 'test -e mark || exit 10']
      undo: [sh, -c, 'while test -e held; do sleep 0.05; done; rm -f mark']
"#;

const WAIT: &str = "- { id: state, uses: wait, with: { for: 5h } }";
const DEPLOY: &str = r#"- id: state
    uses: ecs.deploy
    with:
      target: prod
      cluster: aep-prod
      service: aep-backend-prod
      images: { backend: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-backend@sha256:3ddc7d98a9e4bb3ef32f35fdb7810975212253bc55b6fca957f69975a4d5b202" }"#;

/// Guards that are tripped from outside, beside one that looks.
pub(crate) const GUARDED: &str = r"- { id: state, uses: wait, with: { for: 5h } }
  - { id: last, uses: wait, with: { for: 5h } }
guards:
  - { id: alerts, uses: webhook, from: state }
  - { id: asks, uses: webhook, on_breach: pause }
  - { id: tells, uses: webhook, on_breach: notify }
  - { id: later, uses: webhook, from: last }
  - { id: looks, uses: kill_switch, with: { file: STOP } }";

/// A plan, a world and a run in it.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    home: TempDir,
}

impl Scene {
    /// The second step is the one whose state matters.
    pub(crate) fn new(step: &str) -> Self {
        Self::in_world(step, "aep")
    }

    fn in_world(step: &str, world: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("plan.yaml"), format!("{HEAD}  {step}\n")).unwrap();
        Self { stage: Stage::without_users(&repository(&format!("plans/worlds/{world}.yaml")), TIME), home }
    }

    /// A run that waits for hours.
    pub(crate) fn waiting() -> Self {
        Self::new(WAIT)
    }

    pub(crate) fn start(&self, more: &[&str]) -> Child {
        let plan = self.home.path().join("plan.yaml");
        self.stage.start(&[&["run", plan.to_str().unwrap()][..], more].concat())
    }

    pub(crate) fn until(&self, fact: &str) {
        self.stage.wait_until(fact, || self.stage.log().contains(fact));
    }

    /// Starts a run, until it waits.
    pub(crate) fn begin(&self) -> Child {
        // Until it is there, the newest is the one before it.
        let began = |log: &str| log.lines().next().map(str::to_owned);
        let before = began(&self.stage.log());
        let run = self.start(&["--on-pause", "wait"]);
        let fact = r#""event":"step.planned","step":"state""#;
        self.stage.wait_until(fact, || {
            let log = self.stage.log();
            began(&log) != before && log.contains(fact)
        });
        run
    }

    pub(crate) fn write(&self, name: &str) {
        std::fs::write(self.home.path().join(name), "").unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.home.path().join(name)).unwrap();
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.home.path().join("mark").exists()
    }

    /// Triggers it from another terminal; how long that took is told.
    fn trigger(&self) -> (Said, Duration) {
        timed(|| {
            self.stage.run(&["trigger", "--run", "latest", "--reason", "5xx above 1 %", "--as", "ci@host"])
        })
    }

    /// Triggers it, and it has taken effect.
    fn takes_effect(&self, state: &str) {
        let (said, took) = self.trigger();
        assert_eq!(said.code, Some(0), "{state}: {said:#?}");
        assert!(said.stdout.contains(" rolls back\n"), "{state}: {said:#?}");
        let log = self.stage.log();
        assert!(log.contains(r#""event":"rollback.started""#), "{state}: {log}");
        assert!(took < SOON, "{state}: it took {took:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the wall's time")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

fn facts(log: &str, event: &str) -> Vec<Json> {
    let facts = log.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    facts.filter(|fact| fact["event"] == event).collect()
}

/// A state of a run that somebody drives.
struct State {
    name: &'static str,
    step: &'static str,
    world: &'static str,
    more: &'static [&'static str],
    /// The fact that says that it is reached.
    reached: &'static str,
    /// What is done to reach it.
    reach: fn(&Scene),
    /// What lets it end.
    free: fn(&Scene),
}

impl Default for State {
    fn default() -> Self {
        Self {
            name: "waiting",
            step: WAIT,
            world: "aep",
            more: &["--on-pause", "wait"],
            reached: r#""event":"step.planned","step":"state""#,
            reach: |_| {},
            free: |_| {},
        }
    }
}

fn states() -> Vec<State> {
    let with = |name, step, reached| State { name, step, reached, ..State::default() };
    vec![
        State::default(),
        State {
            more: &["--ask"],
            ..with(
                "approval",
                r#"- { id: state, uses: approve, with: { message: "Go on?", by: { any: 1, of: [friends] }, expires: 5h } }"#,
                r#""event":"step.approval_asked""#,
            )
        },
        with(
            "retry",
            r#"- { id: state, uses: exec, with: { run: ["false"], reads: true }, retry: { attempts: 3, wait: 5h } }"#,
            r#""event":"step.retry_scheduled""#,
        ),
        with(
            "a command at work",
            r#"- { id: state, uses: exec, with: { run: [sleep, "600"], undo: ["true"], within: 12h } }"#,
            r#""event":"step.applying","step":"state""#,
        ),
        State {
            reach: |scene| scene.stage.wait_until("the call", || scene.stage.is_holding()),
            free: |scene| scene.stage.release(),
            ..with("deploying, the call under way", DEPLOY, r#""event":"step.applying","step":"state""#)
        },
        State {
            world: "slow-health",
            ..with("deploying, tasks starting", DEPLOY, r#""event":"step.applied","step":"state""#)
        },
        with(
            "draining",
            "- { id: state, uses: dns.ttl, with: { target: zone, record: app, ttl: 60s } }",
            r#""event":"step.noted","step":"state""#,
        ),
        with(
            "soaking",
            "- { id: state, uses: monitor, with: { for: 5h, every: 15s, signals: [{ id: pages, uses: http.probe, \
             with: { url: 'https://app.navralabs.com/', over: 2m }, fail: error_rate > 0.01, min_samples: 10 }] } }",
            r#""event":"step.noted","step":"state""#,
        ),
        State {
            reach: |scene| {
                assert_eq!(scene.stage.run(&["pause", "latest"]).code, Some(0));
                scene.until(r#""event":"run.paused""#);
            },
            ..with("paused", WAIT, r#""event":"step.planned","step":"state""#)
        },
    ]
}

#[test]
fn a_trigger_takes_effect_within_a_second_in_every_state() {
    for state in states() {
        let scene = Scene::in_world(state.step, state.world);
        let before = scene.stage.world.state();
        if state.name.contains("call under way") {
            scene.stage.hold("ecs", "UpdateService", 1, "hold_before");
        }
        let run = scene.start(state.more);
        scene.until(state.reached);
        (state.reach)(&scene);
        scene.takes_effect(state.name);
        (state.free)(&scene);
        let ended: Said = run.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(10), "{}: {ended:#?}", state.name);
        assert!(!scene.is_marked(), "{}", state.name);
        assert_eq!(lasting(&scene.stage.world.state()), lasting(&before), "{}", state.name);
        let taken = facts(&scene.stage.log(), "order.taken");
        let trigger = &taken.last().unwrap();
        assert_eq!(trigger["by"]["name"], "ci@host via trigger", "{}", state.name);
        assert_eq!(trigger["by"]["automatic"], true, "{}", state.name);
        assert!(trigger["text"].as_str().unwrap().contains("5xx above 1 %"), "{}: {trigger}", state.name);
    }
}

/// The process is killed with its call on the way; the one that resumes must wait until the call can land no more.
#[test]
fn a_trigger_takes_effect_while_a_crash_is_recovered() {
    let scene = Scene::new(DEPLOY);
    let before = scene.stage.world.state();
    scene.stage.hold("ecs", "UpdateService", 1, "hold_before");
    let mut run = scene.start(&["--on-pause", "wait"]);
    scene.stage.wait_until("the call", || scene.stage.is_holding());
    run.kill().unwrap();
    run.wait().unwrap();
    let resumed = scene.stage.start(&["resume", "latest", "--on-pause", "wait"]);
    scene.until(r#""event":"run.resumed""#);
    scene.takes_effect("resuming after a crash");
    scene.stage.release();
    let ended: Said = resumed.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(10), "{ended:#?}");
    assert!(!scene.is_marked());
    assert_eq!(lasting(&scene.stage.world.state()), lasting(&before));
}

/// Where nobody drives the run, whoever triggers it does.
#[test]
fn a_trigger_takes_up_a_run_that_nobody_drives() {
    for signal in [Signal::KILL, Signal::TERM] {
        let scene = Scene::waiting();
        let mut run = scene.begin();
        kill_process(Pid::from_child(&run), signal).unwrap();
        run.wait().unwrap();
        let mut command = scene.stage.command(&["trigger", "latest", "--reason", "5xx"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (trigger, took) = timed(|| {
            let trigger = command.spawn().unwrap();
            scene.until(r#""event":"rollback.started""#);
            trigger
        });
        assert!(took < SOON, "{signal:?}: {took:?}");
        let ended: Said = trigger.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(10), "{signal:?}: {ended:#?}");
        assert!(!scene.is_marked());
    }
}

#[test]
fn a_trigger_that_comes_again_says_so_and_stops_nothing() {
    let scene = Scene::waiting();
    let run = scene.begin();
    scene.write("held");
    scene.takes_effect("waiting");
    scene.until(r#""event":"step.undoing","step":"mark""#);
    for _ in 0..2 {
        let (said, took) = scene.trigger();
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(said.stdout.contains("is rolling back already"), "{said:#?}");
        assert!(took < SOON, "{took:?}");
    }
    scene.remove("held");
    let ended: Said = run.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(10), "{ended:#?}");
    let log = scene.stage.log();
    assert_eq!((facts(&log, "order.taken").len(), facts(&log, "order.refused").len()), (1, 2), "{log}");
    assert_eq!(facts(&log, "rollback.started").len(), 1, "{log}");

    // Over is over: what came of it is not touched, and said at once.
    let (said, took) = scene.trigger();
    assert_eq!((said.code, said.stdout.as_str()), (Some(64), ""), "{said:#?}");
    assert!(
        said.stderr.contains("refused it: only a person") && said.stderr.contains("R-trigger"),
        "{said:#?}"
    );
    assert!(took < SOON, "{took:?}");
    assert_eq!(scene.stage.log(), log);
}

/// The process died on the way back: a trigger is no reason to leave it there.
#[test]
fn a_rollback_that_nobody_drives_is_taken_up() {
    let scene = Scene::waiting();
    let mut run = scene.begin();
    scene.write("held");
    scene.takes_effect("waiting");
    scene.until(r#""event":"step.undoing","step":"mark""#);
    run.kill().unwrap();
    run.wait().unwrap();
    scene.remove("held");
    let (said, _) = scene.trigger();
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(!scene.is_marked());
}

#[test]
fn a_trigger_may_trip_a_guard_of_the_plan() {
    let scene = Scene::new(GUARDED);
    let run = scene.begin();
    let trip = |guard: &str| {
        let (said, took) = timed(|| scene.stage.run(&["trigger", "--guard", guard, "--reason", "5xx"]));
        assert!(took < SOON, "{guard}: {took:?}");
        said
    };
    for (guard, why) in [
        ("alrets", "did you mean `alerts`?"),
        ("nowhere", "of kind `webhook` there are alerts, asks, tells, later"),
        ("looks", "looks for itself"),
        ("later", "does not watch now"),
    ] {
        let said = trip(guard);
        assert_eq!((said.code, said.stdout.as_str()), (Some(64), ""), "{guard}: {said:#?}");
        assert!(said.stderr.contains(why), "{guard}: {said:#?}");
    }
    for (guard, code, says) in [
        ("tells", 0, "`tells` of run "),
        ("tells", 0, "knows already that `tells` tripped"),
        ("asks", 11, "a person must decide: the guard asks tripped"),
        ("asks", 11, "knows already that `asks` tripped, and is paused: the guard asks tripped"),
        ("alerts", 0, " rolls back"),
    ] {
        let said = trip(guard);
        assert!(said.code == Some(code) && said.stdout.contains(says), "{guard}: {said:#?}");
    }
    let ended: Said = run.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(10), "{ended:#?}");
    assert!(!scene.is_marked());
    let log = scene.stage.log();
    let tripped: Vec<Json> =
        facts(&log, "guard.tripped").into_iter().map(|fact| fact["guard"].clone()).collect();
    assert_eq!(tripped, ["tells", "asks", "alerts"], "{log}");
    let cause = &facts(&log, "rollback.started")[0]["cause"];
    assert_eq!((&cause["kind"], &cause["guard"]), (&"guard".into(), &"alerts".into()), "{log}");
}

/// For a guard that only asks nobody takes the run up, and so goes on with it; whoever does hears of it first.
#[test]
fn a_guard_that_only_asks_takes_no_run_up() {
    let scene = Scene::new(GUARDED);
    let mut run = scene.begin();
    run.kill().unwrap();
    run.wait().unwrap();
    let trip = |guard: &str| scene.stage.run(&["trigger", "--guard", guard, "--reason", "5xx"]);
    for _ in 0..2 {
        let said = trip("asks");
        assert!(said.code == Some(0) && said.stdout.contains("nobody drives it now"), "{said:#?}");
    }
    assert!(!scene.stage.log().contains("run.resumed"), "{}", scene.stage.log());
    let said = trip("alerts");
    assert_eq!(said.code, Some(10), "{said:#?}");
    let log = scene.stage.log();
    assert_eq!(facts(&log, "guard.tripped").len(), 2, "{log}");
    assert!(!scene.is_marked());
}

#[test]
fn a_point_of_no_return_is_passed_by_a_person_only() {
    let scene = Scene::new(
        r#"- { id: ask, uses: approve, with: { message: "Go on?" } }
  - { id: gone, uses: exec, reversibility: irreversible, with: { run: ["true"] } }
  - { id: state, uses: wait, with: { for: 5h } }"#,
    );
    let run = scene.start(&["--on-pause", "wait"]);
    scene.until(r#""event":"step.planned","step":"state""#);
    for again in [false, true] {
        let (said, took) = timed(|| scene.stage.run(&["trigger", "--reason", "5xx", "--output", "json"]));
        let told: Json = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:#?}"));
        assert_eq!((said.code, &told["became"]), (Some(11), &Json::from("held")), "{again}: {said:#?}");
        assert!(told["says"].as_str().unwrap().contains("a point of no return"), "{told}");
        assert!(took < SOON, "{took:?}");
    }
    assert!(scene.is_marked());
    let mut run = run;
    run.kill().unwrap();
    run.wait().unwrap();
}
