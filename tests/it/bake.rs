//! A run that is done keeps its guards for a while: in its own process, or in one that somebody else starts. The real
//! binary, commands that change files, and a flag that anybody may raise.

use crate::serve::{Serving, TOKEN};
use crate::veto::{Place, ended};
use serde_json::Value as Json;
use std::process::Stdio;
use std::time::Duration;

fn to_bake(bake: &str) -> Place {
    let change = |name: &str| {
        format!(
            "- id: {name}\n  uses: exec\n  with:\n    run: [touch, {name}]\n    \
             check: [sh, -c, 'test -e {name} || exit 10']\n    undo: [sh, -c, 'env > environment; rm -f {name}']\n"
        )
    };
    Place::of(&format!(
        "switchover: v1\nname: baked\npolicy: {{ bake: {bake} }}\n\
         guards: [{{ id: stop, uses: kill_switch, with: {{ file: STOP }} }}]\nsteps:\n{}finally:\n{}",
        change("made"),
        change("tidied")
    ))
}

fn bakes(status: &Json) -> bool {
    status["baking"].is_object()
}

/// Nobody is there: the process ends once the bake begins.
fn left_alone(bake: &str) -> Place {
    let place = to_bake(bake);
    let said = ended(place.start("exit"));
    assert_eq!((said.code, place.is_made()), (Some(0), true), "{said:#?}");
    let last = said.stderr.lines().last().unwrap();
    assert!(last.starts_with("completed; bakes until 20") && last.contains("serve --take-up"), "{said:#?}");
    assert!(said.stdout.contains("nobody watches its guards now"), "{said:#?}");
    assert!(bakes(&place.status()) && !place.path("tidied").exists());
    place
}

#[test]
fn it_ends_when_the_time_is_over_and_its_guard_says_that_all_is_well() {
    let place = to_bake("3s");
    let child = place.start("wait");
    let status = place.until(bakes);
    assert!(!place.path("tidied").exists(), "{status}");
    let listed = place.say(&["runs"]).stdout;
    assert!(listed.contains("completed; bakes until "), "{listed}");
    let said = ended(child);
    assert_eq!((said.code, place.path("tidied").exists()), (Some(0), true), "{said:#?}");
    assert!(said.stderr.contains("all is done; bakes for 3s"), "{said:#?}");
    let facts = ["run.started", "run.baking", "guard.satisfied", "run.baked", "run.finished"];
    assert_eq!(place.facts(), facts, "{said:#?}");
}

#[test]
fn a_breach_turns_it_back_whoever_watches() {
    let place = left_alone("5m");
    std::fs::write(place.path("STOP"), "").unwrap();
    // A shorter gap is not worth a word.
    std::thread::sleep(Duration::from_secs(1));
    let said = place.say(&["resume", "latest"]);
    assert_eq!(
        (said.code, place.is_made(), place.path("tidied").exists()),
        (Some(10), false, true),
        "{said:#?}"
    );
    assert!(said.stderr.contains("nobody is known to have watched its guards from 20"), "{said:#?}");
    assert_eq!(place.status()["unwatched"].as_array().unwrap().len(), 1);
    let report = place.say(&["report", "latest"]).stdout;
    assert!(report.contains("- nobody is known to have watched its guards from 20"), "{report}");
}

fn serve(place: &Place) -> Serving {
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--output", "jsonl", "--take-up"]);
    command.env("SWITCHOVER_SERVE_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::piped());
    Serving::of(command)
}

#[test]
fn a_server_takes_up_what_bakes() {
    let place = left_alone("5m");
    let serving = serve(&place);
    let status = place.until(|status| status["driven_by"].is_string());
    let driver = status["driven_by"].as_str().unwrap();
    assert!(driver.ends_with(&format!("/{}", serving.child.id())), "it drives it itself: {status}");
    let told = place.say(&["status", "latest"]).stdout;
    assert!(told.contains("its guards are watched") && told.contains("switchover continue"), "{told}");
    // It lets it go when it is stopped, and the next one takes it up.
    serving.end();
    let status = place.status();
    assert!(status["driven_by"].is_null() && status["paused"]["kind"] == "interrupted", "{status}");
    let serving = serve(&place);
    place.until(|status| status["driven_by"].is_string());
    std::fs::write(place.path("STOP"), "").unwrap();
    let status = place.until(|status| status["verdict"].is_string());
    assert_eq!((&status["verdict"], place.is_made()), (&"rolled_back".into(), false), "{status}");
    assert_eq!(place.facts().iter().filter(|fact| *fact == "run.resumed").count(), 2);
    let environment = std::fs::read_to_string(place.path("environment")).unwrap();
    assert!(environment.contains("SWITCHOVER_STATE_DIR") && !environment.contains(TOKEN), "{environment}");
    serving.end();
}

/// Each is watched, and one that is turned back leaves the others alone.
#[test]
fn a_server_takes_up_all_that_bake() {
    let place = left_alone("5m");
    let plan = std::fs::read_to_string(place.path("plan.yaml")).unwrap();
    for name in ["first", "second", "third"] {
        std::fs::create_dir(place.path(name)).unwrap();
        let file = place.path(&format!("{name}/plan.yaml"));
        std::fs::write(&file, plan.replace("name: baked", &format!("name: {name}"))).unwrap();
        let said = place.say(&["run", file.to_str().unwrap(), "--yes", "--on-pause", "exit"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    let runs = || serde_json::from_str::<Json>(&place.say(&["runs", "--output", "json"]).stdout).unwrap();
    let until = |is: &dyn Fn(&Json) -> bool| place.until(|_| runs().as_array().unwrap().iter().all(is));
    let serving = serve(&place);
    let driver = format!("/{}", serving.child.id());
    let is_watched =
        |run: &Json| bakes(run) && run["driven_by"].as_str().is_some_and(|by| by.ends_with(&driver));
    until(&is_watched);
    std::fs::write(place.path("second/STOP"), "").unwrap();
    until(&|run| if run["plan"] == "second" { run["verdict"] == "rolled_back" } else { is_watched(run) });
    assert!(!place.path("second/made").exists() && place.path("first/made").exists());
    serving.end();
    until(&|run| run["driven_by"].is_null());
}

#[test]
fn a_person_says_that_it_is_enough() {
    let place = left_alone("5m");
    let said = place.say(&["continue", "latest"]);
    assert_eq!(
        (said.code, place.is_made(), place.path("tidied").exists()),
        (Some(0), true, true),
        "{said:#?}"
    );
    assert_eq!(place.facts(), ["run.started", "run.baking", "run.resumed", "order.taken", "run.finished"]);
}

#[test]
fn who_was_away_when_the_time_was_over_looks_first() {
    let place = to_bake("2s");
    let mut child = place.start("wait");
    place.until(bakes);
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let said = place.say(&["resume", "latest"]);
    assert_eq!((said.code, place.is_made()), (Some(0), true), "{said:#?}");
    let facts = ["run.started", "run.baking", "run.resumed", "guard.satisfied", "run.baked", "run.finished"];
    assert_eq!(place.facts(), facts, "{said:#?}");
    assert!(said.stdout.contains("nobody is known to have watched its guards from 20"), "{said:#?}");
}

/// Its guard is compared with what is there before the change, and not after it: the change waits until that was measured.
fn compared() -> Place {
    let place = Place::of(
        "switchover: v1\nname: compared\npolicy: { bake: 5s }\nguards:\n- id: errors\n  uses: exec\n  every: 1s\n  \
         with: { run: [sh, -c, 'cat now'], value: json }\n  \
         baseline: { run: [sh, -c, 'cat before && touch measured'], value: json }\n  fail: value > baseline * 2.0\n\
         steps:\n- id: made\n  uses: exec\n  with:\n    \
         run: [sh, -c, 'until test -e measured; do sleep 0.1; done; sleep 2; rm before; touch made']\n    \
         check: [sh, -c, 'test -e made || exit 10']\n    undo: [sh, -c, 'rm -f made']\n",
    );
    for file in ["before", "now"] {
        std::fs::write(place.path(file), "1.5").unwrap();
    }
    place
}

#[test]
fn what_a_guard_was_compared_with_before_the_switch_is_not_measured_after_it() {
    let place = compared();
    let said = ended(place.start("wait"));
    assert_eq!((said.code, place.path("before").exists()), (Some(0), false), "{said:#?}");
    assert!(place.facts().contains(&"guard.satisfied".into()), "{said:#?}");
    // Nor by whoever takes it up.
    let place = compared();
    ended(place.start("exit"));
    assert!(bakes(&place.status()));
    let guard = place.status()["guards"][0].clone();
    assert!(guard["passes"].as_u64() >= Some(1), "{guard}");
    std::fs::write(place.path("now"), "3.5").unwrap();
    let said = place.say(&["resume", "latest"]);
    assert_eq!((said.code, place.is_made()), (Some(10), false), "{said:#?}");
    assert!(said.stderr.contains("the baseline is 1.5"), "{said:#?}");
    let guard = place.status()["guards"][0].clone();
    assert_eq!(
        guard["values"].as_array().unwrap().last().unwrap(),
        3.5,
        "the look that turned it back: {guard}"
    );
}

#[test]
fn a_guard_that_never_had_evidence_is_told_of() {
    let place = compared();
    std::fs::remove_file(place.path("now")).unwrap();
    let plan = std::fs::read_to_string(place.path("plan.yaml")).unwrap();
    std::fs::write(place.path("plan.yaml"), plan.replace("policy: { bake: 5s }\n", "")).unwrap();
    let said = ended(place.start("exit"));
    assert_eq!((said.code, place.is_made()), (Some(0), true), "{said:#?}");
    let told = "the guard errors has never had evidence: `sh -c cat now`: it exited with 1";
    assert!(said.stdout.contains(told), "{said:#?}");
    assert!(place.say(&["report", "latest"]).stdout.contains(told));
    assert_eq!(place.status()["guards"][0]["passes"], 0);
}
