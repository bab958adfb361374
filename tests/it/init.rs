//! A first plan from what is live: drafted in a sandbox, validated, and previewed against the same one.

use crate::stage::{Said, Stage, altered};
use serde_json::json;

fn stage() -> Stage {
    Stage::without_users(&crate::stage::repository("plans/worlds/aep.yaml"), 60)
}

const SERVICE: &str = "aep-prod/aep-backend-prod";
const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-backend@sha256:";
const NEW: &str = "3ddc7d98a9e4bb3ef32f35fdb7810975212253bc55b6fca957f69975a4d5b202";
const RUNNING: &str = "4eefa9378280ef563db905fc6c67e15e0548ae00e1d2eeb7a9b5c5ac6dceddc2";

#[track_caller]
fn done(said: &Said) {
    assert_eq!(said.code, Some(0), "{said:#?}");
}

/// Drafts into a file, and says which.
fn drafted(stage: &Stage, folder: &tempfile::TempDir, arguments: &[&str]) -> (String, Said) {
    let file = folder.path().join("plan.yaml").display().to_string();
    let said = stage.run(&[&["init", "--to", &file][..], arguments].concat());
    done(&said);
    assert_eq!(said.stdout, "");
    (file, said)
}

#[test]
fn a_service_and_a_record_are_drafted_validated_and_previewed() {
    let (stage, folder) = (stage(), tempfile::tempdir().unwrap());
    let before = stage.world.state();
    let (file, said) =
        drafted(&stage, &folder, &["--from-ecs", SERVICE, "--from-route53", "navralabs.com/app"]);
    assert!(said.stderr.contains("nothing else was changed") && said.stderr.contains("next: "), "{said:#?}");
    let text = std::fs::read_to_string(&file).unwrap();
    for expected in [
        "account: '123456789012'",
        "region: eu-west-1",
        "zone_id: Z0123456789ABC",
        &format!("default: {IMAGE}{RUNNING}"),
        "targets: 2 #",
        "connect_to: aep-prod-alb.eu-west-1.elb.amazonaws.com",
        "cname: staging-alb.eu-west-1.elb.amazonaws.com",
        "load_balancer: aep-prod\n",
        "`to` is where aep-backend-prod stands.",
        "load_balancer: aep-staging\n",
        "  - id: nobody-says-stop\n    uses: kill_switch\n",
        "  - id: answers-are-good\n    uses: alb.error_rate\n",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
    let said = stage.run(&["validate", "--strict", &file]);
    done(&said);
    assert_eq!(said.stdout, format!("{file} is sound: 7 steps\n"));
    // The world states another one, as whoever deploys would.
    for (digest, changes) in [(RUNNING, 4), (NEW, 5)] {
        let said = stage.run(&["preview", &file, "--set", &format!("backend_image={IMAGE}{digest}")]);
        done(&said);
        assert!(said.stdout.contains(&format!("{changes} steps would change something")), "{said:#?}");
    }
    assert_eq!(stage.world.state(), before, "all of this only reads");
}

#[test]
fn a_preview_tells_what_a_definition_would_say_otherwise() {
    let (stage, folder) = (stage(), tempfile::tempdir().unwrap());
    let (file, _) = drafted(&stage, &folder, &["--from-ecs", SERVICE]);
    let image = format!("backend_image={IMAGE}{NEW}");
    let said = stage.run(&["preview", &file, "--set", &image]);
    done(&said);
    for (sign, digest) in [("-", RUNNING), ("+", NEW)] {
        let line = format!("{sign} backend.image  {IMAGE}{digest}");
        assert_eq!(said.stdout.matches(&line).count(), 1, "{said:#?}");
    }
    assert!(!said.stdout.contains("image of backend"), "it is told once: {said:#?}");
    let said = stage.run(&["preview", &file, "--set", &image, "--output", "json"]);
    done(&said);
    let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let deploy = told["steps"].as_array().unwrap().iter().find(|step| step["id"] == "deploy").unwrap();
    let (from, to) = (format!("{IMAGE}{RUNNING}"), format!("{IMAGE}{NEW}"));
    assert_eq!(deploy["differences"], json!([{"field": "backend.image", "from": from, "to": to}]));
}

#[test]
fn nothing_is_written_over() {
    let (stage, folder) = (stage(), tempfile::tempdir().unwrap());
    let (file, _) = drafted(&stage, &folder, &["--from-ecs", SERVICE]);
    let text = std::fs::read_to_string(&file).unwrap();
    let said = stage.run(&["init", "--from-route53", "navralabs.com/app", "--to", &file]);
    assert_eq!(said.code, Some(64), "{said:#?}");
    assert!(said.stderr.contains("is there already"), "{said:#?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let said = stage.run(&["init", "--from-ecs", SERVICE, "--to", "/nonexistent/plan.yaml"]);
    assert_eq!((said.code, said.stderr.contains("cannot be written")), (Some(64), true), "{said:#?}");
}

#[test]
fn a_record_alone_asks_where_it_shall_lead() {
    let (stage, folder) = (stage(), tempfile::tempdir().unwrap());
    let (file, said) = drafted(&stage, &folder, &["--from-route53", "Z0123456789ABC/app.navralabs.com"]);
    assert!(said.stderr.contains("param `new_side` has no value"), "{said:#?}");
    assert!(said.stderr.contains("one thing is to be filled in"), "{said:#?}");
    let said = stage.run(&["validate", &file]);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert_eq!(said.stderr.matches("error[").count(), 1, "{said:#?}");
    assert_eq!(said.stderr.matches("warning[").count(), 0, "{said:#?}");
    let said = stage.run(&["preview", &file, "--set", "new_side=aep-prod-alb.eu-west-1.elb.amazonaws.com"]);
    done(&said);
    assert!(said.stdout.contains("4 steps would change something"), "{said:#?}");
}

#[test]
fn where_it_shall_lead_may_be_told() {
    for to in [["--to-load-balancer", "aep-prod"], ["--to-cname", "aep-prod-alb.eu-west-1.elb.amazonaws.com"]]
    {
        let (stage, folder) = (stage(), tempfile::tempdir().unwrap());
        let (file, _) = drafted(&stage, &folder, &["--from-route53", "navralabs.com/app", to[0], to[1]]);
        done(&stage.run(&["validate", "--strict", &file]));
        let said = stage.run(&["preview", &file]);
        done(&said);
        assert!(said.stdout.contains("4 steps would change something"), "{said:#?}");
    }
}

/// What was drafted can be carried out: it switches, and its monitors and its drain come to an end.
#[test]
fn a_draft_is_carried_out() {
    let (stage, folder) = (Stage::new("plans/worlds/aep.yaml", 120), tempfile::tempdir().unwrap());
    let (file, _) = drafted(&stage, &folder, &["--from-ecs", SERVICE, "--from-route53", "navralabs.com/app"]);
    let image = format!("backend_image={IMAGE}{NEW}");
    let said = stage.run(&["run", &file, "--set", &image, "--set", "soak=5m"]);
    done(&said);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let stage = stage();
    let table: &[(&[&str], &[&str])] = &[
        (&["--from-ecs", "aep-prd/aep-backend-prod"], &["no cluster `aep-prd`", "did you mean `aep-prod`?"]),
        (&["--from-ecs", "aep-prod/backend"], &["has no service `backend`", "there are aep-backend-prod"]),
        (&["--from-ecs", "aep-prod/aep-backend-prd"], &["did you mean `aep-backend-prod`?"]),
        (
            &["--from-route53", "navralab.com/app"],
            &["no zone `navralab.com`", "did you mean `navralabs.com`?"],
        ),
        (&["--from-route53", "Z0123456789ABD/app"], &["did you mean `Z0123456789ABC`?"]),
        (
            &["--from-route53", "navralabs.com/ap"],
            &["no record `ap.navralabs.com`", "did you mean `app.navralabs.com`?"],
        ),
        (&["--from-route53", "navralabs.com/@"], &["navralabs.com has records of type"]),
        (
            &["--from-route53", "navralabs.com/app", "--to-load-balancer", "aep-prd"],
            &["no load balancer `aep-prd`", "did you mean `aep-prod`?"],
        ),
        (
            &["--from-route53", "navralabs.com/app", "--to-load-balancer", "aep-staging"],
            &["app.navralabs.com leads to aep-staging already"],
        ),
        (
            &["--from-route53", "navralabs.com/app", "--to-cname", "a..b"],
            &["`a..b` is no name", "no sound plan can be made"],
        ),
        (
            &["--from-route53", "navralabs.com/app", "--to-cname", "${{ x }}"],
            &["which a plan would take for a hole"],
        ),
        (&["--from-ecs", "aep-prod"], &["write the cluster, a slash, and the service"]),
        (&["--from-route53", "app.navralabs.com"], &["write the zone, a slash, and the name"]),
        (&["--from-ecs", SERVICE, "--to-cname", "x.example.com"], &["--from-route53"]),
        (&[], &["--from-ecs", "--from-route53"]),
    ];
    for (arguments, words) in table {
        let said = stage.run(&[&["init"][..], arguments].concat());
        assert_eq!((said.code, &*said.stdout), (Some(64), ""), "{arguments:?}: {said:#?}");
        for word in *words {
            assert!(said.stderr.contains(word), "{arguments:?}: `{word}` is not in {}", said.stderr);
        }
    }
}

#[test]
fn an_alias_and_routed_sets_are_told_apart() {
    let alias = |kind: &str| json!({"name": "al", "type": kind, "alias": "aep-staging"});
    let weighted = |side: &str, weight: u32| json!({"name": "we", "type": "A", "alias": side, "set": side, "weight": weight});
    let app = json!({"name": "app", "type": "A", "ttl": 60, "values": ["192.0.2.1"]});
    let records =
        json!([app, alias("A"), alias("AAAA"), weighted("aep-staging", 1), weighted("aep-prod", 99)]);
    let world = json!({"zones": {"navralabs.com": {"id": "Z0123456789ABC", "records": records}}});
    let (_folder, world) = altered("aep.yaml", &world);
    let (stage, folder) = (Stage::without_users(&world, 60), tempfile::tempdir().unwrap());
    let (file, _) =
        drafted(&stage, &folder, &["--from-route53", "navralabs.com/al", "--to-load-balancer", "aep-prod"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("dns.ttl") && text.contains("load_balancer: aep-staging\n"), "{text}");
    done(&stage.run(&["validate", "--strict", &file]));
    done(&stage.run(&["preview", &file]));
    let said = stage.run(&["init", "--from-route53", "navralabs.com/we"]);
    assert_eq!(said.code, Some(64), "{said:#?}");
    assert!(said.stderr.contains("has 2 routed sets") && said.stderr.contains("dns.weights"), "{said:#?}");
}
