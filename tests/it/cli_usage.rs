//! The command line from outside, where no run is needed: what it prints where, and how it ends.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn tool(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchover"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("SWITCHOVER_STATE_DIR", state)
        .env("SWITCHOVER_AS", "ana@navralabs.com")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    command
}

fn say(state: &Path, arguments: &[&str]) -> Said {
    let output = tool(state).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn plan(folder: &Path, text: &str) -> String {
    let path = folder.join("plan.yaml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

const SMALL: &str = "switchover: v1
name: small
steps:
  - { id: rest, uses: wait, with: { for: 1s } }
";

#[test]
fn help_says_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let said = say(home.path(), &["--help"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    for word in ["preview", "rollback", "SWITCHOVER_STATE_DIR", "143", "settle"] {
        assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
    }
    let said = say(home.path(), &["--version"]);
    // Which plans it reads tells it from others of its version; asked of a verb it is the same.
    let version = said.stdout.strip_prefix(concat!("switchover ", env!("CARGO_PKG_VERSION"), "+")).unwrap();
    assert!(version.trim_end().len() == 8 && version.ends_with('\n'), "{version}");
    assert_eq!(say(home.path(), &["run", "--version"]).stdout, said.stdout);
}

#[test]
fn wrong_usage_ends_with_64_and_says_so_on_standard_error() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["bogus"][..],
        &[],
        &["run"],
        &["validate", "a.yaml", "--set"],
        &["settle", "switch", "--reason", "x"],
        &["explain", "SW9999"],
        &["status"],
        &["resume", "nope"],
        &["trigger", "--run", "nope", "--reason", "x"],
        &["trigger", "one", "--run", "two", "--reason", "x"],
        &["reject", "go"],
        &["rehearse"],
        &["rehearse", "plans/one-record.yaml", "--budget", "soon"],
        &["rehearse", "plans/one-record.yaml", "--threads", "0"],
        &["rehearse", "plans/one-record.yaml", "--world", "nowhere"],
        &["rehearse", "plans/one-record.yaml", "--world", "aep", "--from-live"],
        &["rehearse", "plans/one-record.yaml", "--only", "switch/dns.chance.lost@1"],
        &["rehearse", "plans/one-record.yaml", "--fault", "nope"],
    ] {
        let said = say(home.path(), arguments);
        assert_eq!(said.code, Some(64), "{arguments:?}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{arguments:?}");
        assert!(!said.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn looking_creates_nothing() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let said = say(&state, &["runs"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""));
    let said = say(&state, &["runs", "--output", "json"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "[]\n"));
    let said = say(&state, &["abort"]);
    assert_eq!(said.code, Some(64), "{}", said.stderr);
    assert!(!state.exists());
}

#[test]
fn a_bad_plan_shows_every_mistake_and_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    let path =
        plan(home.path(), "switchover: v1\nname: small\nstepz: []\nsteps:\n  - { id: a, uses: weit }\n");
    let said = say(home.path(), &["validate", &path]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""));
    insta::assert_snapshot!(said.stderr.replace(&path, "plan.yaml"), @r"
    error[SW1003]: unknown key `stepz`
      ╭▸ plan.yaml:3:1
      │
    3 │ stepz: []
      │ ━━━━━
      │
      ╰ help: did you mean `steps`?

    error[SW1020]: there is no kind of step `weit`
      ╭▸ plan.yaml:5:20
      │
    5 │   - { id: a, uses: weit }
      │                    ━━━━
      │
      ╰ help: did you mean `wait`?
    error: plan.yaml has 2 errors; nothing was run
      hint: `switchover explain SW1003` says more about the first
    ");
    let said = say(home.path(), &["run", &path, "--sandbox", "--world", "aep"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let said = say(home.path(), &["validate", "plans/aep-go-life.yaml"]);
    assert_eq!(said.code, Some(3));
    insta::assert_snapshot!(said.stderr, @r"
    error: the plan plans/aep-go-life.yaml cannot be read
      caused by: there is no such file
      hint: there is plans/aep-go-live.yaml
    ");
}

#[test]
fn a_good_plan_is_the_result() {
    let home = tempfile::tempdir().unwrap();
    let path = plan(home.path(), SMALL);
    let said = say(home.path(), &["validate", &path]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert_eq!(said.stdout, format!("{path} is sound: 1 step\n"));
    let said = say(home.path(), &["validate", &path, "--output", "json"]);
    let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((told["valid"].as_bool(), told["problems"].as_array().map(Vec::len)), (Some(true), Some(0)));
}

#[test]
fn pages_scripts_and_schemas_are_the_result() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["explain", "R-foreign"][..], "# R-foreign: "),
        (&["explain", "dns.switch"], "# dns.switch, a step: points a name elsewhere, by compare-and-swap"),
        (&["explain", "ecs.running"], "Every 15s, and of this moment: DescribeServices."),
        (&["explain", "approve"], "# approve, a step: "),
        (&["explain", "exec"], "# exec, a signal: "),
        (&["explain", "sw1003"], "SW1003"),
        (&["explain", "14"], "exit code 14: locked by another run"),
        (&["explain"], "R-stuck-failed"),
        (&["schema"], "draft-07"),
        (&["completions", "bash"], "_switchover()"),
        (&["completions", "zsh"], "#compdef switchover"),
        (&["man"], ".TH switchover 1"),
        (&["man", "rollback"], "rollback"),
        (&["sandbox", "worlds"], "aep"),
        (&["rehearse", "--catalogue"], "people.abort"),
        (&["rehearse", "--catalogue", "--output", "json"], "\"law\": \"as-before\""),
    ] {
        let said = say(home.path(), arguments);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(said.stdout.contains(part), "{arguments:?}: {}", said.stdout);
    }
}

#[test]
fn a_reader_who_goes_away_is_no_bug() {
    let home = tempfile::tempdir().unwrap();
    let mut child =
        tool(home.path()).arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_real_world_is_entered_only_by_somebody_who_can_be_asked() {
    let home = tempfile::tempdir().unwrap();
    let path = plan(home.path(), SMALL);
    let said = say(home.path(), &["run", &path]);
    assert_eq!(said.code, Some(64));
    insta::assert_snapshot!(said.stderr, @r"
    error: nobody can be asked whether to go on
      hint: add --yes, or --auto-approve with a saved preview, or --sandbox
    ");
    let path = plan(home.path(), &SMALL.replace("name: small", "name: small\nproduction: true"));
    // `--yes` is not for production.
    let said = say(home.path(), &["run", &path, "--yes"]);
    assert_eq!(said.code, Some(64));
    insta::assert_snapshot!(said.stderr.replace(&path, "plan.yaml"), @r"
    error: small is marked `production: true`, and nobody can be asked
      hint: `switchover preview plan.yaml --save preview.json`, have it reviewed, then add --auto-approve preview.json
      hint: or rehearse it in a sandbox: add --sandbox
    ");
}

#[test]
fn a_frozen_plan_does_not_start() {
    let home = tempfile::tempdir().unwrap();
    let frozen = "name: small\npolicy: { freeze: [{ from: 2000-01-01, to: 2999-12-31, reason: for ever }] }";
    let path = plan(home.path(), &SMALL.replace("name: small", frozen));
    let said = say(home.path(), &["run", &path, "--yes"]);
    assert_eq!(said.code, Some(5));
    insta::assert_snapshot!(said.stderr, @r"
    error: small may not start now; nothing was changed
      caused by: frozen until 2999-12-31 (for ever)
      see: runbooks/R-window-closed.md (`switchover explain R-window-closed` prints it)
    ");
}

#[test]
fn a_plan_that_ends_well_is_rehearsed_in_a_world_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let path = plan(home.path(), SMALL);
    let file = |name: &str| home.path().join(name).display().to_string();
    let (saved, junit, world) = (file("saved.json"), file("junit.xml"), file("world.yaml"));
    let arguments = ["rehearse", &path, "--save", &saved, "--junit", &junit, "--save-world", &world];
    let said = say(home.path(), &arguments);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.starts_with("no findings in "), "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.contains(" --only ") || line.chars().count() <= 80));

    // In the same words, with the world that was saved, on any number of threads.
    let again = |threads: &str| {
        let said = say(
            home.path(),
            &["rehearse", &path, "--world", &world, "--threads", threads, "--output", "json"],
        );
        let mut told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        for of_this_time in ["at", "took_seconds", "world", "slowest_rollback"] {
            told.as_object_mut().unwrap().remove(of_this_time);
        }
        told
    };
    let first = again("1");
    assert_eq!(first, again("2"));
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&saved).unwrap()).unwrap();
    for of_this_time in ["at", "took_seconds", "world", "slowest_rollback"] {
        kept.as_object_mut().unwrap().remove(of_this_time);
    }
    assert_eq!(first, kept);
    assert_eq!((kept["complete"].as_bool(), kept["found"].as_u64()), (Some(true), Some(0)));
    let validated = say(home.path(), &["validate", &path, "--output", "json"]);
    let validated: serde_json::Value = serde_json::from_str(&validated.stdout).unwrap();
    assert_eq!(kept["plan_digest"], validated["digest"]);
    assert_eq!(kept["params_digest"], validated["params_digest"]);
    assert!(std::fs::read_to_string(&junit).unwrap().contains("<testsuite name=\"small.laws\""));
}

#[test]
fn what_is_found_ends_with_5_and_says_what_to_read() {
    let home = tempfile::tempdir().unwrap();
    let world = home.path().join("empty.yaml");
    std::fs::write(&world, "world: v1\naccount: '123456789012'\n").unwrap();
    let world = world.display().to_string();
    let arguments = ["rehearse", "plans/one-record.yaml", "--world", &world, "--fault", "people.abort"];
    let said = say(home.path(), &[&arguments[..], &["--output", "github"]].concat());
    assert_eq!(said.code, Some(5), "{said:#?}");
    for part in
        ["1. broken: ", "\n   repeat  switchover rehearse plans/one-record.yaml --world ", "\n::error title="]
    {
        assert!(said.stdout.contains(part), "no {part}: {said:#?}");
    }
    for part in ["one-record does not end well", "--only undisturbed`", "runbooks/R-rehearsal.md"] {
        assert!(said.stderr.contains(part), "no {part}: {said:#?}");
    }
    let said =
        say(home.path(), &["rehearse", "plans/one-record.yaml", "--world", &world, "--only", "undisturbed"]);
    assert!(said.stdout.contains("\nit ended: "), "{said:#?}");
}

#[test]
fn one_that_is_interrupted_reports_what_was_played() {
    let home = tempfile::tempdir().unwrap();
    let mut child = tool(home.path())
        .args(["rehearse", "plans/one-record.yaml", "--budget", "10m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Until it hears signals: the second of them, SIGINT, is caught.
    let hears = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
    };
    while !hears(child.id()) {
        assert!(child.try_wait().unwrap().is_none(), "{:#?}", child.wait_with_output());
        std::thread::yield_now();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("\nPARTIAL: it was interrupted; "), "{said}");
}

#[test]
fn one_scenario_is_told_as_its_operator_would_have_seen_it() {
    let home = tempfile::tempdir().unwrap();
    let path = plan(home.path(), SMALL);
    let said = say(home.path(), &["rehearse", &path, "--only", "rest/people.abort@2"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(said.stdout, @r"
    2026-01-06T10:00:00Z run   small started by rehearsal
    2026-01-06T10:00:00Z rest  looking at what is there
    >>> people.abort strikes here: an operator aborts
    2026-01-06T10:00:00Z run   rollback by operator: enough
    2026-01-06T10:00:00Z run   rolling back: operator said so (enough)
    2026-01-06T10:00:00Z run   rolled back and verified after 0s

    it ended: rolled back
    it breaks no law
    ");
    let said = say(home.path(), &["rehearse", &path, "--only", "rest/people.abort@99"]);
    assert_eq!(said.code, Some(64));
    insta::assert_snapshot!(said.stderr.replace(&path, "plan.yaml"), @r"
    error: there is no scenario `rest/people.abort@99`
      hint: `switchover rehearse plan.yaml --catalogue` lists all faults
    ");
}

#[test]
fn a_window_that_is_closed_on_that_day_is_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let rehearsed = |policy: &str| {
        let text = SMALL.replace("name: small", &format!("name: small\npolicy: {policy}"));
        say(home.path(), &["rehearse", &plan(home.path(), &text), "--budget", "0", "--output", "json"])
    };
    let said = rehearsed("{ window: { zone: Europe/Paris, days: [wed], from: \"09:00\", to: \"16:00\" } }");
    let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(told["begins"], "2026-01-07T08:00:00Z");
    let said = rehearsed("{ freeze: [{ from: 2000-01-01, to: 2999-12-31, reason: for ever }] }");
    assert_eq!(said.code, Some(5), "{said:#?}");
    assert!(said.stderr.contains("may never start"), "{said:#?}");
}

#[test]
fn colours_go_by_the_readers_wish() {
    let home = tempfile::tempdir().unwrap();
    let path = plan(home.path(), "switchover: v2\n");
    let coloured = |variables: &[(&str, &str)]| {
        let output =
            tool(home.path()).args(["validate", &path]).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stderr).unwrap().contains('\u{1b}')
    };
    assert!(!coloured(&[]), "a pipe is no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    let ascii = tool(home.path()).args(["validate", &path]).env("LC_ALL", "C").output().unwrap();
    assert!(ascii.stderr.is_ascii());
}
