//! Credentials that are missing, of another account, or expire half-way: nobody's failure, and never a pass.

use crate::stage::{Stage, lasting};
use serde_json::{Value as Json, json};

const PLAN: &str = "plans/one-record.yaml";
const WORLD: &str = "plans/worlds/aep.yaml";

fn expired(service: &str, operation: &str) -> Json {
    json!({
        "service": service, "operation": operation, "times": 0, "kind": "error", "code": "ExpiredToken",
        "status": 403, "message": "The security token included in the request is expired",
    })
}

fn runs(stage: &Stage) -> usize {
    let listed: Vec<Json> = serde_json::from_str(&stage.run(&["runs", "--output", "json"]).stdout).unwrap();
    listed.len()
}

#[test]
fn without_credentials_no_run_begins() {
    let stage = Stage::new(WORLD, 180);
    stage.fault(&expired("sts", "GetCallerIdentity"));
    let before = stage.world.state();
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(4), "{said:#?}");
    assert!(said.stderr.contains("nothing was changed"), "{said:#?}");
    assert!(said.stderr.contains("token included in the request is expired"), "{said:#?}");
    assert!(said.stderr.contains("R-credentials"), "{said:#?}");
    assert_eq!(runs(&stage), 0);
    assert_eq!(stage.world.state(), before);
}

#[test]
fn in_another_account_no_run_begins() {
    let stage = Stage::new(WORLD, 180);
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("one-record.yaml");
    let text = std::fs::read_to_string(crate::stage::repository(PLAN)).unwrap();
    std::fs::write(&theirs, text.replace("123456789012", "210987654321")).unwrap();
    let said = stage.run(&["run", theirs.to_str().unwrap()]);
    assert_eq!(said.code, Some(4), "{said:#?}");
    assert!(
        said.stderr.contains("are of account 123456789012, and the plan means 210987654321"),
        "{said:#?}"
    );
    assert_eq!(runs(&stage), 0);
}

#[test]
fn a_credential_that_expires_before_a_write_pauses_and_nothing_is_undone() {
    let stage = Stage::new(WORLD, 180);
    let before = stage.world.state();
    stage.fault(&expired("route53", "ChangeResourceRecordSets"));
    let said = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(said.stdout.contains("continue"), "{said:#?}");
    assert_eq!(lasting(&stage.world.state()), lasting(&before));
    let log = stage.run(&["log", "latest", "--output", "jsonl"]).stdout;
    assert!(!log.contains("step.undoing"), "{log}");

    for fault in stage.world.ask("GET", "/faults", None)["faults"].as_array().unwrap() {
        stage.world.ask("DELETE", &format!("/faults/{}", fault["id"]), None);
    }
    let said = stage.run(&["continue", "latest"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
}
