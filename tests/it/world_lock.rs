//! A lock in the world itself: two state directories that know nothing of each other, and one sandbox.

use crate::stage::{Said, Stage};
use serde_json::{Value as Json, json};
use std::process::{Child, Stdio};

const TIME: u32 = 60;
const ZONE: &str = "Z0123456789ABC";
const LOCK: &str = "_switchover.app.navralabs.com";
const CHANGE: &str = "ChangeResourceRecordSets";
/// A lock that somebody left.
const THEIRS: &str = "\"switchover v1 run=01KB0000000000000000000000 plan=guarded by=dan@gone since=2020-01-01T00:00:00Z \
                      until=2020-01-01T02:00:00Z\"";

/// It stays a while once the record is switched.
fn text(stays: &str) -> String {
    format!(
        r#"
switchover: v1
name: guarded
production: true
policy: {{ deadline: 2h }}
targets:
  prod: {{ aws: {{ account: "123456789012", region: eu-west-1 }} }}
  zone: {{ route53: {{ zone_id: {ZONE}, name: navralabs.com, aws: prod }} }}
steps:
  - id: switch
    uses: dns.switch
    with: {{ target: zone, record: app, from: {{ cname: old.example.net }}, to: {{ cname: new.example.net }}, writes: shared }}
  - {{ id: stay, uses: wait, with: {{ for: {stays} }} }}
"#
    )
}

/// A sandbox, a plan, and two people who do not share a state directory.
struct Scene {
    stage: Stage,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(stays: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = json!({
            "world": "v1", "summary": "One record.", "time": "60x", "account": "123456789012", "region": "eu-west-1",
            "zones": {"navralabs.com": {"id": ZONE, "records": [
                {"name": "app", "type": "CNAME", "ttl": 1, "values": ["old.example.net"]},
            ]}},
        });
        let file = folder.path().join("world.yaml");
        std::fs::write(&file, world.to_string()).unwrap();
        let scene = Self { stage: Stage::without_users(&file, TIME), folder };
        scene.write(&text(stays));
        scene
    }

    fn write(&self, text: &str) {
        std::fs::write(self.plan(), text).unwrap();
    }

    fn plan(&self) -> String {
        self.folder.path().join("plan.yaml").to_str().unwrap().to_owned()
    }

    fn child(&self, person: &str, arguments: &[&str]) -> Child {
        let mut command = self.stage.command(arguments);
        command.env("SWITCHOVER_STATE_DIR", self.folder.path().join(person));
        command.env("SWITCHOVER_AS", format!("{person}@laptop"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn say(&self, person: &str, arguments: &[&str]) -> Said {
        self.child(person, arguments).wait_with_output().unwrap().into()
    }

    fn start(&self, person: &str) -> Child {
        self.child(person, &["run", &self.plan(), "--on-pause", "exit"])
    }

    fn run(&self, person: &str) -> Said {
        self.start(person).wait_with_output().unwrap().into()
    }

    fn log(&self, person: &str) -> String {
        self.say(person, &["log", "latest", "--output", "jsonl"]).stdout
    }

    fn wait_for(&self, person: &str, fact: &str) {
        self.stage.wait_until(fact, || self.log(person).contains(fact));
    }

    fn zone(&self) -> String {
        self.stage.world.state()["zones"].to_string()
    }

    /// Somebody puts a text where the lock is.
    fn put(&self, value: &str) {
        let record = json!({"name": LOCK, "type": "TXT", "ttl": 60, "values": [value]});
        self.stage.fault(&json!({"kind": "change", "change": {"set_record": record}}));
    }

    /// How many changes of the zone came.
    fn changes(&self) -> u64 {
        let calls = self.stage.calls();
        calls.iter().filter(|call| call["operation"] == CHANGE).filter_map(|call| call["came"].as_u64()).sum()
    }

    /// A call about the lock is answered so.
    fn refuse(&self, containing: &str) {
        self.stage.fault(&json!({
            "service": "route53", "operation": CHANGE, "containing": containing, "times": 0, "kind": "error",
            "code": "AccessDenied", "status": 403, "message": "not authorized to change this name",
        }));
    }
}

fn id(log: &str) -> String {
    let first: Json = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    first["run"].as_str().unwrap().to_owned()
}

fn has(said: &Said, words: &[&str]) {
    for word in words {
        assert!(said.stdout.contains(word) || said.stderr.contains(word), "no word of `{word}`: {said:#?}");
    }
}

#[test]
fn a_run_of_another_state_directory_is_refused_before_it_has_written_anything() {
    let scene = Scene::new("10m");
    let ana = scene.start("ana");
    scene.wait_for("ana", r#""event":"step.succeeded","step":"switch""#);
    assert!(scene.zone().contains(LOCK), "{}", scene.zone());
    let (before, run) = (scene.changes(), id(&scene.log("ana")));
    let said = scene.run("bo");
    assert_eq!(said.code, Some(14), "{said:#?}");
    has(&said, &["locked by another run", &run, "guarded", "by ana@laptop", "since 20", "until 20", LOCK]);
    has(&said, &["nothing was changed", "switchover retry _free", "switchover skip _free", "R-lock-held"]);
    assert_eq!(scene.changes(), before, "the second one sent nothing");
    let said: Said = ana.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!scene.zone().contains(LOCK), "{}", scene.zone());
    // Now it is free, and the record is there.
    let said = scene.say("bo", &["retry", "_free"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!scene.zone().contains(LOCK), "{}", scene.zone());
}

#[test]
fn of_two_that_meet_at_the_zone_one_has_it() {
    let scene = Scene::new("1m");
    let rule = json!({
        "service": "route53", "operation": CHANGE, "containing": LOCK, "times": 2, "kind": "hold_before",
    });
    scene.stage.fault(&rule);
    let both = ["ana", "bo"].map(|person| scene.start(person));
    let holding = || {
        let faults = scene.stage.world.ask("GET", "/faults", None);
        faults["faults"].as_array().unwrap().iter().any(|one| one["holding"] == 2)
    };
    scene.stage.wait_until("both calls", holding);
    scene.stage.release();
    let said = both.map(|child| Said::from(child.wait_with_output().unwrap()));
    let mut codes = said.each_ref().map(|said| said.code);
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(14)], "{said:#?}");
    let loser = said.iter().position(|said| said.code == Some(14)).unwrap();
    has(&said[loser], &["locked by another run", "nothing was changed", "switchover retry _lock"]);
    // Whoever gives up has nothing to give back, also while somebody else has it.
    scene.put(THEIRS);
    let given_up = scene.say(["ana", "bo"][loser], &["abort", "latest"]);
    assert_eq!(given_up.code, Some(12), "{given_up:#?}");
    assert!(scene.zone().contains("dan@gone"), "{}", scene.zone());
}

#[test]
fn killed_before_it_was_recorded_the_lock_is_the_runs_own() {
    let scene = Scene::new("1m");
    let before = scene.zone();
    for (person, verb, code) in [("ana", "resume", 0), ("bo", "abort", 12)] {
        if person == "bo" {
            let record = json!({"name": "app", "type": "CNAME", "ttl": 1, "values": ["old.example.net"]});
            scene.stage.fault(&json!({"kind": "change", "change": {"set_record": record}}));
        }
        scene.stage.fault(&json!({
            "service": "route53", "operation": CHANGE, "containing": LOCK, "times": 1, "kind": "hold_after",
        }));
        let mut child = scene.start(person);
        scene.stage.wait_until("the call", || scene.stage.is_holding());
        child.kill().unwrap();
        child.wait().unwrap();
        scene.stage.release();
        assert!(scene.zone().contains(LOCK), "{}", scene.zone());
        // A run that is dead keeps it: what it had begun is not undone.
        assert_eq!(scene.run("carol").code, Some(14));
        assert_eq!(scene.say("carol", &["abort", "latest"]).code, Some(12));
        let said = scene.say(person, &[verb, "latest"]);
        assert_eq!(said.code, Some(code), "{said:#?}");
        assert!(!scene.zone().contains(LOCK), "{}", scene.zone());
    }
    assert_eq!(scene.zone(), before);
}

#[test]
fn an_expired_lock_is_taken_over_only_by_a_person_with_a_reason() {
    let scene = Scene::new("1m");
    scene.put(THEIRS);
    let said = scene.run("ana");
    assert_eq!(said.code, Some(14), "{said:#?}");
    has(&said, &["dan@gone", "which is past", "only if nobody can go on with it"]);
    assert_eq!(scene.changes(), 0);
    assert_eq!(scene.say("ana", &["skip", "_free"]).code, Some(64), "a reason is asked for");
    let said = scene.say("ana", &["skip", "_free", "--reason", "the laptop of dan is gone"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!scene.zone().contains(LOCK), "{}", scene.zone());
    let log = scene.log("ana");
    assert!(log.contains("the laptop of dan is gone") && log.contains("dan@gone"), "{log}");
}

#[test]
fn a_run_that_lives_sees_that_its_lock_was_taken_over() {
    let scene = Scene::new("10m");
    let ana = scene.start("ana");
    scene.wait_for("ana", r#""event":"step.succeeded","step":"switch""#);
    // Also a run that is paused waits for what is under way; the other one must be there still when it is over.
    scene.write(&text("90m"));
    assert_eq!(scene.run("bo").code, Some(14));
    let bo = scene.child("bo", &["skip", "_free", "--reason", "ana does not answer"]);
    let said: Said = ana.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(13), "{said:#?}");
    has(&said, &["locked by another run", "by bo@laptop", "this run has changed something", "R-lock-held"]);
    assert!(scene.zone().contains(&id(&scene.log("bo"))), "{}", scene.zone());
    let said = scene.say("bo", &["abort", "latest"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said: Said = bo.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert!(!scene.zone().contains(LOCK) && scene.zone().contains("new.example.net"), "{}", scene.zone());
    // What the first one did is its own to undo.
    let said = scene.say("ana", &["rollback", "latest"]);
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert!(scene.zone().contains("old.example.net"), "{}", scene.zone());
}

#[test]
fn what_no_run_wrote_at_that_name_is_left_alone() {
    let scene = Scene::new("1m");
    scene.put("\"hello\"");
    let before = scene.zone();
    let said = scene.run("ana");
    assert_eq!(said.code, Some(5), "{said:#?}");
    has(&said, &["hello", "somebody else's", "world_lock: off", "before anything was changed"]);
    assert_eq!((scene.changes(), scene.zone()), (0, before));
    let seen = scene.say("ana", &["preview", &scene.plan()]);
    assert_eq!(seen.code, Some(5), "{seen:#?}");
    has(&seen, &["_free", "hello"]);
}

#[test]
fn a_role_that_may_not_write_that_name_changes_nothing() {
    let scene = Scene::new("1m");
    let before = scene.zone();
    scene.refuse(LOCK);
    let said = scene.run("ana");
    assert_eq!(said.code, Some(5), "{said:#?}");
    has(&said, &["not authorized to change this name", LOCK, "world_lock: off"]);
    assert_eq!(scene.zone(), before);
    scene.write(&text("1m").replace("deadline: 2h", "deadline: 2h, world_lock: off"));
    let said = scene.run("ana");
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn a_lock_that_cannot_be_given_back_changes_the_exit_code_and_not_the_verdict() {
    let scene = Scene::new("1m");
    scene.refuse(&format!("<Action>DELETE</Action><ResourceRecordSet><Name>{LOCK}."));
    let said = scene.run("ana");
    assert_eq!(said.code, Some(11), "{said:#?}");
    has(&said, &["completed", "do _unlock by hand", "not authorized to change this name"]);
    assert!(scene.zone().contains(LOCK) && scene.zone().contains("new.example.net"), "{}", scene.zone());
}

#[test]
fn rolled_back_means_that_the_lock_is_gone_and_paused_means_that_it_stays() {
    let scene = Scene::new("10m");
    let before = scene.zone();
    let child = scene.start("ana");
    scene.wait_for("ana", r#""event":"step.succeeded","step":"switch""#);
    assert_eq!(scene.say("ana", &["pause", "latest"]).code, Some(0));
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(scene.zone().contains(LOCK), "{}", scene.zone());
    assert_eq!(scene.run("bo").code, Some(14));
    let said = scene.say("ana", &["abort", "latest"]);
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert_eq!(scene.zone(), before);
}

#[test]
fn a_preview_shows_the_lock() {
    let scene = Scene::new("1m");
    let said = scene.say("ana", &["preview", &scene.plan()]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    has(&said, &["_free", "_lock", "_unlock", &format!("lock {LOCK}: nothing → this run's")]);
    assert_eq!(scene.changes(), 0);
}
