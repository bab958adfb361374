//! `switchover serve` from outside: who gets in, what becomes of it, and what garbage does to it.

mod attack;
mod serving;

use crate::stage::{Said, repository};
use crate::triggers::{GUARDED, Scene, timed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use serving::{SECRET, signed};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) use serving::{Serving, TOKEN, free_port};

/// In so short a time a trigger has its answer.
const SOON: Duration = Duration::from_secs(1);

/// One alert, as Alertmanager tells of it.
pub(crate) fn notification(labels: &Json) -> Vec<u8> {
    let alert = json!({
        "status": "firing", "labels": labels, "annotations": {"summary": "too many requests fail"},
        "startsAt": "2026-11-20T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "0123456789abcdef",
    });
    json!({"version": "4", "status": "firing", "receiver": "switchover", "alerts": [alert]})
        .to_string()
        .into()
}

pub(crate) fn alert(serving: &Serving, labels: &Json) -> (u16, Json) {
    let token = format!("Bearer {TOKEN}");
    serving.post("/v1/alertmanager", &[("Authorization", &token)], &notification(labels))
}

fn webhook(serving: &Serving, body: &Json) -> (u16, Json) {
    let body = body.to_string();
    serving.post_signed(&signed(body.as_bytes()), body.as_bytes())
}

fn became(answer: &Json) -> Vec<&str> {
    answer["triggers"].as_array().unwrap().iter().map(|told| told["became"].as_str().unwrap()).collect()
}

fn newest(scene: &Scene) -> String {
    let runs: Json = serde_json::from_str(&scene.stage.run(&["runs", "--output", "json"]).stdout).unwrap();
    runs[0]["run"].as_str().unwrap().to_owned()
}

fn ended(run: Child) -> Said {
    run.wait_with_output().unwrap().into()
}

fn kill(mut run: Child) {
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn without_a_key_it_does_not_start() {
    let scene = Scene::waiting();
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let said = scene.stage.run(&["serve", "--listen", listen]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(64), ""), "{listen}: {said:#?}");
        for word in ["neither a token nor a secret is set", "SWITCHOVER_SERVE_TOKEN", "R-trigger"] {
            assert!(said.stderr.contains(word), "{listen}: {said:#?}");
        }
    }
    let short: Said =
        scene.stage.command(&["serve"]).env("SWITCHOVER_SERVE_TOKEN", "guess").output().unwrap().into();
    assert_eq!(short.code, Some(64), "{short:#?}");
    assert!(short.stderr.contains("could be guessed") && !short.stderr.contains("guess\n"), "{short:#?}");
}

#[test]
fn an_alert_rolls_the_run_of_its_plan_back() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let (status, answer) = alert(&serving, &json!({"alertname": "Errors", "switchover_plan": "triggered"}));
    assert_eq!((status, became(&answer)), (200, vec![]), "no run is under way: {answer}");
    let run = scene.begin();
    for labels in [json!({"alertname": "Errors"}), json!({"switchover_plan": "trigger"}), json!({})] {
        let (status, answer) = alert(&serving, &labels);
        assert_eq!((status, became(&answer)), (200, vec![]), "{labels}: {answer}");
    }
    let labels = json!({"alertname": "Errors", "switchover_plan": "triggered"});
    let ((status, answer), took) = timed(|| alert(&serving, &labels));
    assert_eq!((status, became(&answer)), (200, vec!["rolling_back"]), "{answer}");
    assert!(took < SOON, "{took:?}");
    let said = ended(run);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(said.stderr.contains("alertmanager said so (Errors: too many requests fail)"), "{said:#?}");
    assert!(!scene.is_marked());
    let lines = serving.end();
    let told = lines.iter().find(|line| became(line) == ["rolling_back"]).unwrap();
    assert_eq!((&told["path"], &told["status"]), (&"/v1/alertmanager".into(), &200.into()), "{told}");
    assert!(lines.iter().all(|line| !line.to_string().contains(TOKEN)));
}

#[test]
fn a_signed_webhook_is_taken_once() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    let body = json!({"run": newest(&scene), "reason": "canary failed", "by": "deploy-bot"}).to_string();
    let right = signed(body.as_bytes());

    // Whatever is changed on its way, it is not taken.
    let other = body.replace("canary", "carany");
    assert_eq!(serving.post_signed(&right, other.as_bytes()).0, 401);
    for (name, value) in [
        ("Switchover-Timestamp", "1800000000"),
        ("Switchover-Nonce", "another-nonce-0001"),
        ("Switchover-Signature", "v1=0000"),
    ] {
        let mut wrong = right.clone();
        wrong.iter_mut().filter(|header| header.0 == name).for_each(|header| header.1 = value.into());
        assert_eq!(serving.post_signed(&wrong, body.as_bytes()).0, 401, "{name}");
    }
    assert_eq!(serving.post("/v1/webhook", &[], body.as_bytes()).0, 401);
    assert!(!scene.stage.log().contains("order."), "{}", scene.stage.log());

    let ((status, answer), took) = timed(|| serving.post_signed(&right, body.as_bytes()));
    assert_eq!((status, became(&answer)), (200, vec!["rolling_back"]), "{answer}");
    assert!(took < SOON, "{took:?}");
    let said = ended(run);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(said.stderr.contains("deploy-bot via webhook said so (canary failed)"), "{said:#?}");

    // Nor is it taken again: not here, and not by another process on the same directory.
    assert_eq!(serving.post_signed(&right, body.as_bytes()).0, 401);
    serving.end();
    let serving = Serving::start(&scene.stage);
    let (status, answer) = serving.post_signed(&right, body.as_bytes());
    assert!(status == 401 && answer["says"].as_str().unwrap().contains("used before"), "{answer}");
    // The run is over, and is none that is under way.
    let (status, answer) = webhook(&serving, &json!({"run": newest(&scene), "reason": "again"}));
    assert!(status == 404 && answer["says"].as_str().unwrap().contains("nothing is under way"), "{answer}");
    assert_eq!(webhook(&serving, &json!({"reason": "nobody is meant"})).0, 400);
    serving.end();
}

#[test]
fn all_runs_of_a_plan_are_meant_and_a_run_alone_by_its_id() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let first = scene.begin();
    let named = newest(&scene);
    let second = scene.begin();
    let third = scene.begin();
    let (status, answer) = webhook(&serving, &json!({"run": named, "plan": "triggered", "reason": "one"}));
    assert_eq!((status, became(&answer)), (200, vec!["rolling_back"]), "{answer}");
    assert_eq!(answer["triggers"][0]["run"], named);
    assert_eq!(ended(first).code, Some(10));
    let ((status, answer), took) = timed(|| alert(&serving, &json!({"switchover_plan": "triggered"})));
    assert_eq!((status, became(&answer)), (200, vec!["rolling_back"; 2]), "{answer}");
    assert!(took < SOON, "{took:?}");
    // What the first had done was there for them, and they have nothing of their own to undo.
    assert_eq!((ended(second).code, ended(third).code), (Some(5), Some(5)));
    serving.end();
}

/// What that does its plan says; each guard that a notification names is heard for itself.
#[test]
fn an_alert_may_name_a_guard_of_the_plan() {
    let scene = Scene::new(GUARDED);
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    let of = |guard: &str| json!({"alertname": "Errors", "switchover_plan": "triggered", "switchover_guard": guard});
    for (guard, why) in [
        ("later", "does not watch now"),
        ("looks", "looks for itself"),
        ("nowhere", "its plan has no such guard"),
        ("", "its plan has no such guard"),
    ] {
        let (status, answer) = alert(&serving, &of(guard));
        assert_eq!((status, became(&answer)), (200, vec!["refused"]), "{answer}");
        assert!(answer["says"].as_str().unwrap().contains(why), "{answer}");
        let (status, _) =
            webhook(&serving, &json!({"plan": "triggered", "guard": guard, "reason": "the canary fails"}));
        assert_eq!(status, 409, "{guard}");
    }
    let body =
        json!({"plan": "triggered", "guard": "asks", "reason": "the canary fails", "by": "deploy-bot"});
    for said in ["held", "already_tripped"] {
        let ((status, answer), took) = timed(|| webhook(&serving, &body));
        assert_eq!((status, became(&answer)), (200, vec![said]), "{answer}");
        assert_eq!(answer["triggers"][0]["guard"], "asks");
        assert!(took < SOON, "{took:?}");
    }
    let mut all: Json = serde_json::from_slice(&notification(&of("later"))).unwrap();
    for guard in ["tells", "alerts", "alerts"] {
        let mut one = all["alerts"][0].clone();
        one["labels"] = of(guard);
        all["alerts"].as_array_mut().unwrap().push(one);
    }
    let token = format!("Bearer {TOKEN}");
    let told = serving.post("/v1/alertmanager", &[("Authorization", &token)], all.to_string().as_bytes());
    assert_eq!((told.0, became(&told.1)), (200, vec!["refused", "tripped", "rolling_back"]), "{}", told.1);
    let said = ended(run);
    assert_eq!(said.code, Some(10), "{said:#?}");
    for word in ["deploy-bot via webhook says: the canary fails", "the guard alerts tripped"] {
        assert!(said.stderr.contains(word), "`{word}`: {said:#?}");
    }
    assert!(!scene.is_marked());
    serving.end();
}

/// It is recorded, once, and whoever takes the run up hears of it first.
#[test]
fn a_run_that_nobody_drives_has_it_recorded() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    kill(scene.begin());
    for _ in 0..3 {
        let (status, answer) = alert(&serving, &json!({"switchover_plan": "triggered"}));
        assert_eq!((status, became(&answer)), (202, vec!["not_driven"]), "{answer}");
    }
    serving.end();
    let said = scene.stage.run(&["resume", "latest", "--on-pause", "exit"]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert_eq!(scene.stage.log().matches(r#""event":"order.taken""#).count(), 1, "{}", scene.stage.log());
    assert!(!scene.stage.log().contains("order.refused"), "{}", scene.stage.log());
}

/// Where it is told to, it takes the run up itself.
#[test]
fn a_run_that_nobody_drives_is_taken_up() {
    let scene = Scene::waiting();
    let serving = Serving::with(&scene.stage, &["--take-up"]);
    kill(scene.begin());
    let ((status, answer), took) = timed(|| alert(&serving, &json!({"switchover_plan": "triggered"})));
    assert!(status == 200 && became(&answer) == ["rolling_back"] || status == 202, "{answer}");
    assert!(took < SOON, "{took:?}");
    scene.until(r#""event":"run.finished""#);
    assert!(!scene.is_marked());
    assert_eq!(scene.stage.log().matches(r#""event":"run.resumed""#).count(), 1, "{}", scene.stage.log());
    assert_eq!(scene.stage.run(&["resume", "latest"]).code, Some(10));
    serving.end();
}

/// A server that dies on the way back is a run that nobody drives on its way back: the next one needs no alarm.
#[test]
fn a_run_on_its_way_back_is_taken_up() {
    let scene = Scene::waiting();
    let serving = Serving::with(&scene.stage, &["--take-up"]);
    kill(scene.begin());
    scene.write("held");
    let (status, answer) = alert(&serving, &json!({"switchover_plan": "triggered"}));
    assert!(status == 200 && became(&answer) == ["rolling_back"] || status == 202, "{answer}");
    scene.until(r#""event":"step.undoing","step":"mark""#);
    kill(serving.child);
    assert!(scene.is_marked());
    scene.remove("held");
    let serving = Serving::with(&scene.stage, &["--take-up"]);
    scene.until(r#""event":"run.finished""#);
    assert!(!scene.is_marked());
    assert_eq!(scene.stage.log().matches(r#""event":"run.resumed""#).count(), 2, "{}", scene.stage.log());
    serving.end();
}

/// Its process stands still: the order is recorded, and the answer says that it was not taken yet.
#[test]
fn a_run_that_does_not_answer_is_told_as_that_in_time() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    kill_process(Pid::from_child(&run), Signal::STOP).unwrap();
    for _ in 0..2 {
        let ((status, answer), took) = timed(|| alert(&serving, &json!({"switchover_plan": "triggered"})));
        assert_eq!((status, became(&answer)), (202, vec!["recorded"]), "{answer}");
        assert!(took < SOON, "{took:?}");
    }
    kill_process(Pid::from_child(&run), Signal::CONT).unwrap();
    assert_eq!(ended(run).code, Some(10));
    assert_eq!(scene.stage.log().matches(r#""event":"order."#).count(), 1, "{}", scene.stage.log());
    serving.end();
}

/// It is told as that, it may be sent again, and nothing is made in its place.
#[test]
fn a_state_directory_that_is_gone_is_missed() {
    let scene = Scene::waiting();
    let folder = tempfile::tempdir().unwrap();
    let (state, away) = (folder.path().join("state"), folder.path().join("away"));
    let serving = Serving::with(&scene.stage, &["--state-dir", state.to_str().unwrap()]);
    let ask = || {
        let body = json!({"plan": "triggered", "reason": "x"});
        (alert(&serving, &json!({"switchover_plan": "triggered"})).0, webhook(&serving, &body).0)
    };
    assert_eq!(ask(), (200, 404));
    std::fs::rename(&state, &away).unwrap();
    assert_eq!(ask(), (503, 503));
    assert!(!state.exists());
    std::fs::rename(&away, &state).unwrap();
    assert_eq!(ask(), (200, 404));
    serving.end();
}

#[test]
fn a_request_that_asks_for_too_much_is_told_so() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let token = format!("Bearer {TOKEN}");
    let headers = [("Authorization", token.as_str())];
    assert_eq!(serving.post("/v1/elsewhere", &headers, b"{}").0, 404);
    assert_eq!(serving.ask("GET", "/v1/alertmanager", &headers, b"").0, 405);
    assert_eq!(serving.ask("GET", "/v1/webhook", &[], b"").0, 405);
    assert_eq!(serving.post("/v1/alertmanager", &headers, b"{}").0, 400);
    assert_eq!(serving.post("/v1/alertmanager", &[], b"{}").0, 401);
    // Announced, and not even read.
    let announced = |path: &str, length: &str, headers: &[(&str, &str)]| {
        let headers = [headers, &[("Content-Length", length)]].concat();
        serving.raw(&serving.head("POST", path, &headers)).0
    };
    assert_eq!(announced("/v1/alertmanager", "1048577", &headers), 413);
    let signature: Vec<(String, String)> = signed(b"");
    let signature: Vec<(&str, &str)> = signature.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(announced("/v1/webhook", "16385", &signature), 413);
    // Announced, and never sent.
    let (status, took) = timed(|| announced("/v1/alertmanager", "100", &headers));
    assert_eq!(status, 408);
    assert!(took < Duration::from_secs(8), "{took:?}");
    serving.end();
}

#[test]
fn whoever_is_asked_to_stop_stops() {
    for signal in [Signal::INT, Signal::TERM] {
        let scene = Scene::waiting();
        let serving = Serving::start(&scene.stage);
        // One that says nothing holds nobody up.
        let _idle = serving.connect();
        let run = scene.begin();
        kill_process(Pid::from_child(&run), Signal::STOP).unwrap();
        // One that is being served gets its answer.
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| alert(&serving, &json!({"switchover_plan": "triggered"})));
            scene.stage.wait_until("the order", || {
                scene.stage.run(&["export", "latest"]).stdout.contains(r#""automatic":true"#)
            });
            kill_process(Pid::from_child(&serving.child), signal).unwrap();
            let (status, told) = answer.join().unwrap();
            assert_eq!((status, became(&told)), (202, vec!["recorded"]), "{told}");
        });
        kill(run);
        serving.has_ended();
    }
}

/// A key in a file, and one way only.
#[test]
fn a_way_without_its_key_is_closed() {
    let scene = Scene::waiting();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut command = scene.stage.command(&["serve", "--listen", "127.0.0.1:0", "--output", "jsonl"]);
    command.arg("--token-file").arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let serving = Serving::of(command);
    assert_eq!(alert(&serving, &json!({"switchover_plan": "triggered"})).0, 200);
    let (status, answer) = webhook(&serving, &json!({"plan": "triggered", "reason": "x"}));
    assert!(status == 401 && answer["says"].as_str().unwrap().contains("this way is closed"), "{answer}");
    serving.end();
}

/// Whoever pastes it is heard.
#[test]
#[expect(clippy::disallowed_methods, reason = "a reader has a PATH")]
fn the_readme_signs_as_it_says() {
    let page = std::fs::read_to_string(repository("README.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let script = blocks.into_iter().find(|block| block.contains("Switchover-Signature")).unwrap();
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    let script = script.replace("127.0.0.1:9180", &serving.address).replace("aep-go-live", "triggered");
    let said: Said = Command::new("bash")
        .args(["-euc", &script])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("SWITCHOVER_SERVE_SECRET", SECRET)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.contains("\"became\":\"rolling_back\""), "{said:#?}");
    let said = ended(run);
    assert!(said.stderr.contains("pipeline 1234 via webhook said so (the canary fails)"), "{said:#?}");
    serving.end();
}
