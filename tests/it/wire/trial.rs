//! A run whose call is in trouble on its way, and what it should come to.

use super::proxy::{Call, Trouble, Wire};
use crate::by_hand::to_type;
use crate::crash::at_once;
use crate::stage::{Said, Stage, altered, fails_users, lasting};
use serde_json::{Value as Json, json};
use std::process::Stdio;
use tempfile::TempDir;

/// How fast time runs.
const TIME: u32 = 60;
/// How often an operator tries before they give up.
const PATIENCE: usize = 4;

/// A way that a plan goes.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// `run`, and what it is told.
    run: &'static [&'static str],
    world: &'static str,
    /// What is different in its world.
    change: fn() -> Json,
    code: i32,
    /// Of the calls that it makes so many are looked at, from the last: those before are another's.
    own: usize,
    /// Its first call takes the lock in the world, and its last one gives it back.
    locks: bool,
    /// So many calls come last, of `finally`: whatever becomes of them, the run goes nowhere else.
    last: usize,
}

const WAYS: [Way; 12] = [
    Way { name: "go-live", change: || json!({}), code: 0, own: usize::MAX, ..GO_LIVE },
    Way { name: "go-live-back", change: scans_fail, code: 10, own: 5, ..GO_LIVE },
    Way { name: "shift", change: named, code: 0, own: usize::MAX, ..SHIFT },
    Way { name: "shift-back", change: green_fails, code: 10, own: 1, ..SHIFT },
    Way { name: "takeover-back", change: never_ready, code: 10, own: usize::MAX, ..TAKEOVER },
    Way { name: "weights", change: two_sides, code: 0, own: usize::MAX, ..WEIGHTS },
    Way { name: "weights-back", change: green_fails_by_name, code: 10, own: 1, ..WEIGHTS },
    Way { name: "held", change: || json!({}), code: 0, own: usize::MAX, last: 2, ..HELD },
    Way { name: "held-back", change: new_fails, code: 10, own: 6, ..HELD },
    Way { name: "task-back", change: runs_on, code: 10, own: 1, ..TASK },
    Way { name: "rule", change: by_a_rule, code: 0, own: usize::MAX, ..RULE },
    Way { name: "rule-back", change: green_fails_by_a_rule, code: 10, own: 2, ..RULE },
];
const GO_LIVE: Way = Way {
    name: "",
    run: &["run", "plans/aep-go-live.yaml", "--set", "soak=3m"],
    world: "aep.yaml",
    change: || Json::Null,
    code: 0,
    own: 0,
    locks: true,
    last: 1,
};
const SHIFT: Way = Way {
    run: &["run", "plans/blue-green.yaml"],
    world: "blue-green.yaml",
    locks: false,
    last: 0,
    ..GO_LIVE
};
/// Of a rule that is not the default of its listener; and a target group's attribute is set before.
const RULE: Way = Way { run: &["run", "tests/data/rehearse/rule.yaml"], ..SHIFT };
const TAKEOVER: Way = Way { run: &["run", "tests/data/rehearse/canary.yaml"], ..SHIFT };
const WEIGHTS: Way =
    Way { run: &["run", "plans/weighted-records.yaml"], world: "weighted-records.yaml", ..SHIFT };
const HELD: Way = Way { run: &["run", "plans/held-sides.yaml"], world: "held-sides.yaml", ..SHIFT };

const TASK: Way = Way { run: &["run", "tests/data/rehearse/stopped-task.yaml"], world: "aep.yaml", ..SHIFT };

const MIGRATE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-migrate@sha256:c254e2389a64691a37fd34778112a2bbc6c9141123a6d7324e465613693cc6ce";
const FRONTEND: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-frontend@sha256:9632ac5a216c00c1478b883fd0b85abbe692ea8daa6950c10b61b88bff15523b";
const GREEN: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc";

/// The soak of the new side finds that it serves no scans.
fn scans_fail() -> Json {
    json!({"faults": [{
        "service": "http", "operation": "GET /api/scans", "containing": "aep-prod", "times": 0, "kind": "error",
        "code": "InternalFailure", "status": 500, "message": "no scans",
    }]})
}

/// Unless it is named, a load balancer has another name in each world.
fn named() -> Json {
    json!({"load_balancers": {"web": {"dns_name": "web.eu-west-1.elb.amazonaws.com", "client_keep_alive": "60s"}}})
}

/// Green passes its health checks, and fails whoever asks for more.
fn green_fails() -> Json {
    let image = json!({ GREEN: {"app": "frontend", "error_rate": 1.0} });
    let mut world = named();
    world["on"] = json!([{"step": "shift", "event": "started", "do": {"image": image}}]);
    world
}

/// The same of two load balancers, to which names lead.
fn two_sides() -> Json {
    let side = |name: &str| json!({"dns_name": format!("{name}.eu-west-1.elb.amazonaws.com"), "client_keep_alive": "60s"});
    json!({"load_balancers": {"blue": side("blue"), "green": side("green")}})
}

fn green_fails_by_name() -> Json {
    let mut world = two_sides();
    world["on"] = fails_users(GREEN);
    world
}

/// Blue and green share a rule for all paths, beside the default.
fn by_a_rule() -> Json {
    let service = |family: &str, weight: u32| {
        json!({"task_definition": family, "desired": 2, "load_balancer": "web", "paths": ["/*"], "priority": 10,
            "weight": weight})
    };
    let services = json!({"web-blue": service("web-blue", 1), "web-green": service("web-green", 0)});
    let mut world = named();
    world["clusters"] = json!({"web": services});
    world
}

fn green_fails_by_a_rule() -> Json {
    let mut world = by_a_rule();
    world["on"] = fails_users(GREEN);
    world
}

/// The new side passes its health checks, and once users are led there it fails them.
fn new_fails() -> Json {
    let image = json!({ FRONTEND: {"app": "frontend", "error_rate": 1.0} });
    json!({"on": [{"step": "switch", "event": "succeeded", "do": {"image": image}}]})
}

/// A service takes over in stages, and what it should take over never becomes ready: it is turned back while it is under way.
fn never_ready() -> Json {
    let canary = json!({"strategy": "canary", "percent": 50, "step_bake": "1m", "bake": "1m"});
    let service = json!({"task_definition": "web-blue", "desired": 1, "deployment": canary});
    let image = json!({ GREEN: {"app": "frontend", "starts_in": "1d"} });
    let mut world = named();
    world["clusters"] = json!({"main": {"web": service}});
    world["on"] = json!([{"step": "web", "event": "started", "do": {"image": image}}]);
    world
}

/// A task that would not end by itself while anybody looks.
fn runs_on() -> Json {
    json!({"images": { MIGRATE: {"app": "job", "runs_for": "1d"} }})
}

/// A world of its own, the way to it, and what the tool does wrongly.
struct Scene {
    stage: Stage,
    wire: Wire,
    mistake: Option<&'static str>,
    _folder: TempDir,
}

impl Scene {
    fn set(way: Way, trouble: Option<(Call, Trouble)>, mistake: Option<&'static str>) -> Self {
        let (folder, file) = altered(way.world, &(way.change)());
        let stage = Stage::without_users(&file, TIME);
        let wire = Wire::to(&stage.world, trouble);
        Self { stage, wire, mistake, _folder: folder }
    }

    fn run(&self, verb: &[&str]) -> Said {
        let mut command = self.stage.command(verb);
        command.env("SWITCHOVER_SANDBOX", self.wire.control()).env("SWITCHOVER_ON_PAUSE", "exit");
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .envs(self.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        command.output().unwrap().into()
    }

    /// Types what it says until nothing is stuck: the call that was refused is permitted by now.
    fn retry(&self, mut said: Said) -> Said {
        for _ in 0..PATIENCE {
            if said.code != Some(11) {
                break;
            }
            for command in to_type(&said, "switchover retry ") {
                let words: Vec<&str> = command.split(' ').skip(1).collect();
                said = self.run(&words);
            }
        }
        said
    }

    fn effects(&self) -> Effects {
        let state = self.stage.world.state();
        let tasks = state["one_off_tasks"].as_array().map_or(0, Vec::len);
        let mut landed = self.wire.landed();
        // A definition that nothing uses is harmless: whoever does not find it registers it once more.
        landed.retain(|operation| operation != "RegisterTaskDefinition");
        Effects { tasks, landed, world: stands(&state) }
    }
}

/// What lasts of a world. How many tasks a service has that scales itself is the autoscaler's to say, and changes by the minute.
fn stands(state: &Json) -> Json {
    let mut state = lasting(state);
    let services = state["services"].as_object_mut().into_iter().flat_map(|services| services.values_mut());
    for service in services.filter(|service| !service["scaling"].is_null()) {
        (service["desired"], service["running_images"]) = (Json::Null, Json::Null);
    }
    state
}

/// What a run has done.
#[derive(Debug, PartialEq)]
struct Effects {
    /// Tasks that were started, ended ones too.
    tasks: usize,
    /// Operations, as often as the world has accepted them.
    landed: Vec<String>,
    world: Json,
}

/// What a way comes to if no call is in trouble.
pub(super) struct Course {
    way: Way,
    calls: Vec<Call>,
    before: Json,
    effects: Effects,
}

impl Course {
    pub(super) fn all() -> Vec<Self> {
        at_once(WAYS.len(), &WAYS, |way| Self::of(*way))
    }

    fn of(way: Way) -> Self {
        let scene = Scene::set(way, None, None);
        let before = stands(&scene.stage.world.state());
        let said = scene.run(way.run);
        assert_eq!(said.code, Some(way.code), "{}, undisturbed: {said:#?}", way.name);
        Self { way, calls: scene.wire.came(), before, effects: scene.effects() }
    }

    pub(super) fn trials(&self) -> impl Iterator<Item = Trial<'_>> {
        let others = self.calls.len().saturating_sub(self.way.own);
        let own = self.calls.iter().skip(others);
        own.flat_map(move |call| {
            Trouble::ALL.map(|trouble| Trial { course: self, call, trouble, mistake: None })
        })
    }
}

/// One call in one kind of trouble.
pub(super) struct Trial<'c> {
    course: &'c Course,
    call: &'c Call,
    trouble: Trouble,
    /// What the tool does wrongly.
    mistake: Option<&'static str>,
}

impl Trial<'_> {
    /// `go-live/UpdateService-1/lands-late`.
    pub(super) fn name(&self) -> String {
        let Call { operation, number } = self.call;
        format!("{}/{operation}-{number}/{}", self.course.way.name, self.trouble.name())
    }

    /// `UpdateService`.
    pub(super) fn operation(&self) -> &str {
        &self.call.operation
    }

    /// Of a tool that does this wrongly.
    #[cfg(feature = "mistakes")]
    pub(super) fn mistaken(self, mistake: &'static str) -> Self {
        Self { mistake: Some(mistake), ..self }
    }

    /// How it ends where this call was refused, and whether all is undone then.
    fn refused(&self) -> (i32, bool) {
        let Course { way, calls, .. } = self.course;
        match calls.iter().position(|call| call == self.call) {
            // Nothing was changed yet.
            Some(0) if way.locks => (5, true),
            // All was done, and a human is told to give it back.
            Some(place) if way.code == 0 && place + way.last >= calls.len() => (11, false),
            _ => (10, true),
        }
    }

    pub(super) fn run(&self) -> Result<(), String> {
        let Course { way, before, effects: should, .. } = self.course;
        let scene = Scene::set(*way, Some((self.call.clone(), self.trouble)), self.mistake);
        let mut said = scene.run(way.run);
        let refused = (self.trouble == Trouble::Refused).then(|| self.refused());
        if refused.is_some() {
            said = scene.retry(said);
        }
        let code = refused.map_or(way.code, |(code, _)| code);
        let told = || format!("{said:#?}\n{}", scene.stage.log());
        if !scene.wire.was_troubled() {
            return Err(format!("the call never came: {}", told()));
        }
        if said.code != Some(code) {
            return Err(format!("it ended with {:?}, not with {code}: {}", said.code, told()));
        }
        let is = scene.effects();
        let right = match refused {
            None => is == *should,
            Some((_, true)) => is.world == *before,
            Some((_, false)) => (is.tasks, is.landed.len() + 1) == (should.tasks, should.landed.len()),
        };
        if right { Ok(()) } else { Err(format!("{is:#?} is not as {should:#?}: {}", told())) }
    }
}
