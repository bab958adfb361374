//! How a go-live goes besides being killed: as the text of a world in which something is refused.

use serde_json::{Value as Json, json};

/// One way that it goes.
pub(super) struct Scenario {
    /// Names it.
    pub(super) name: String,
    /// The step that fails, or whose undo does. Nothing: all goes well.
    pub(super) breaks: Option<String>,
    /// It is the undo that fails.
    pub(super) back: bool,
    /// A world file.
    pub(super) world: Json,
    /// The command of `finally` fails.
    pub(super) command_fails: bool,
    /// How the run ends that nobody disturbs.
    pub(super) code: i32,
    /// How it ends once an operator has put right what stopped it.
    pub(super) verdict: &'static str,
}

impl Scenario {
    /// The first fact that is not as in the first scenario, from 1: the intent of what it breaks.
    pub(super) fn begins(&self, facts: &[Json]) -> Option<usize> {
        let Some(step) = &self.breaks else { return Some(1) };
        let forward = ["step.applying", "step.approval_asked", "step.started"];
        let intents = if self.back { &["step.undoing"] } else { &forward[..] };
        let place =
            |event: &str| facts.iter().position(|fact| fact["step"] == **step && fact["event"] == event);
        intents.iter().find_map(|event| place(event)).map(|place| place + 1)
    }
}

/// Where the run turns back late, so that there is most to undo.
pub(super) const BACK: &str = "soak-fails";

/// Steps in the order of the plan.
const STEPS: &[&str] = &[
    "_free",
    "_lock",
    "lower-ttl",
    "backend",
    "frontend",
    "migrate",
    "health",
    "smoke",
    "go",
    "switch",
    "soak",
    "old-side-idle",
    "served",
    "announce",
    "_unlock",
];
/// Those whose failure undoes nothing by itself: it is silence, or past the checkpoint, or of `finally`.
const GOES_ON: &[&str] = &["old-side-idle", "served", "announce", "_unlock"];
/// Undos in the order that they are called in.
const UNDOS: &[&str] = &["switch", "backend", "frontend", "lower-ttl", "_lock"];

/// Cleaned up by itself on the way forward: there is no call in its undo that could fail.
pub(super) const WRITES_NOTHING_BACK: &[&str] = &["smoke"];

/// A call that is refused for good, whenever it has this in it.
fn refused(service: &str, operation: &str, containing: &str) -> Json {
    json!({
        "service": service, "operation": operation, "containing": containing, "times": 0, "kind": "error",
        "code": "AccessDeniedException", "status": 403, "message": "refused on purpose",
    })
}

/// The change that deletes, or creates, this set of the record.
fn change(action: &str, set: &str) -> Json {
    let containing =
        format!("<Action>{action}</Action><ResourceRecordSet><Name>app.navralabs.com.</Name>{set}");
    refused("route53", "ChangeResourceRecordSets", &containing)
}

/// The same of the lock beside the record.
fn lock(action: &str) -> Json {
    let lock = "<ResourceRecordSet><Name>_switchover.app.navralabs.com.</Name>";
    refused("route53", "ChangeResourceRecordSets", &format!("<Action>{action}</Action>{lock}"))
}

fn update(definition: &str) -> Json {
    refused("ecs", "UpdateService", &format!("task-definition/{definition}"))
}

/// What makes a step fail.
fn failure(step: &str) -> Json {
    let after = |step: &str, fault: Json| json!({"on": [{"step": step, "event": "succeeded", "do": {"fault": fault}}]});
    let one = |fault: Json| json!({"faults": [fault]});
    match step {
        "_free" => {
            let record = |name: &str, kind: &str, ttl: u32, value: &str| json!({"name": name, "type": kind, "ttl": ttl, "values": [value]});
            let records = [
                record("app", "CNAME", 300, "staging-alb.eu-west-1.elb.amazonaws.com"),
                record("_switchover.app", "TXT", 60, "\"something else\""),
            ];
            json!({"zones": {"navralabs.com": {"id": "Z0123456789ABC", "records": records}}})
        }
        "_lock" => one(lock("CREATE")),
        "_unlock" => after("announce", lock("DELETE")),
        "lower-ttl" => one(change("DELETE", "<Type>CNAME</Type><TTL>300</TTL>")),
        "backend" => one(update("aep-backend:42")),
        "frontend" => one(update("aep-frontend:34")),
        "migrate" => one(refused("ecs", "RunTask", "")),
        "health" => one(refused("http", "GET /health/ready", "aep-prod")),
        "smoke" => one(refused("http", "POST /api/scans", "aep-prod")),
        "go" => json!({"people": {
            "ana@navralabs.com": {"answer": "reject", "after": "1m"},
            "bo@navralabs.com": {"answer": "ignore"},
        }}),
        "switch" => one(change("CREATE", "<Type>A</Type>")),
        "soak" => one(refused("http", "GET /api/scans", "aep-prod")),
        "old-side-idle" => {
            let mut missing = refused("elasticloadbalancing", "DescribeLoadBalancers", "aep-staging");
            (missing["code"], missing["status"]) = (json!("LoadBalancerNotFound"), json!(400));
            one(missing)
        }
        "served" => after("old-side-idle", refused("http", "GET /health/ready", "aep-prod")),
        "announce" => json!({}),
        other => panic!("nobody knows how {other} fails"),
    }
}

/// What makes an undo fail.
fn failing_undo(step: &str) -> Json {
    match step {
        "switch" => change("DELETE", "<Type>A</Type>"),
        "backend" => update("aep-backend:41"),
        "frontend" => update("aep-frontend:33"),
        "lower-ttl" => change("CREATE", "<Type>CNAME</Type><TTL>300</TTL>"),
        "_lock" => lock("DELETE"),
        other => panic!("nobody knows how the undo of {other} fails"),
    }
}

fn world(more: Json) -> Json {
    let mut world = json!({"world": "v1", "extends": "aep.yaml"});
    world.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world
}

/// All of them.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![Scenario {
        name: "all-well".into(),
        breaks: None,
        back: false,
        world: world(json!({})),
        command_fails: false,
        code: 0,
        verdict: "completed",
    }];
    all.extend(STEPS.iter().map(|step| Scenario {
        name: format!("{step}-fails"),
        breaks: Some((*step).into()),
        back: false,
        world: world(failure(step)),
        command_fails: *step == "announce",
        code: match *step {
            "go" | "old-side-idle" => 13,
            "served" | "announce" | "_unlock" => 11,
            // Nothing was changed yet.
            "_free" | "_lock" => 5,
            _ => 10,
        },
        verdict: if GOES_ON.contains(step) { "completed" } else { "rolled_back" },
    }));
    all.extend(UNDOS.iter().map(|step| {
        let mut broken = failure("soak");
        broken["faults"].as_array_mut().unwrap().push(failing_undo(step));
        Scenario {
            name: format!("undo-of-{step}-fails"),
            breaks: Some((*step).into()),
            back: true,
            world: world(broken),
            command_fails: false,
            code: 11,
            verdict: "rolled_back",
        }
    }));
    all
}
