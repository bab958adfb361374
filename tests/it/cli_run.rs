//! Runs from outside: the real binary against a sandbox of its own, more than one terminal, and signals.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Waits, lowers a TTL, asks, waits again.
const PLAN: &str = r#"
switchover: v1
name: small
people: { friends: [ana@navralabs.com, bo@navralabs.com] }
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
steps:
  - id: lower
    uses: dns.ttl
    with: { target: zone, record: app, ttl: 60s }
  - id: go
    uses: approve
    with: { message: "Go on?", by: { any: 1, of: [friends] }, expires: 5h }
  - id: rest
    uses: wait
    with: { for: 3m }
"#;

struct Desk {
    home: TempDir,
}

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("small.yaml"), PLAN).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchover"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SWITCHOVER_STATE_DIR", self.home.path().join("state"))
            .env("SWITCHOVER_AS", "eve@navralabs.com")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn say(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// `run small.yaml --sandbox`, as fast as it goes, and more arguments.
    fn run<'a>(plan: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let fixed = ["run", plan, "--sandbox", "--world", "aep", "--time", "300x", "--no-traffic"];
        fixed.into_iter().chain(more.iter().copied()).collect()
    }

    fn start(&self, more: &[&str]) -> Child {
        let plan = self.path("small.yaml");
        self.command(&Self::run(&plan, more)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn status(&self) -> Json {
        serde_json::from_str(&self.say(&["status", "--output", "json"]).stdout).unwrap_or_default()
    }

    /// Until the step is there, or the test is hopeless.
    fn wait_for(&self, step: &str, state: &str) {
        for _ in 0..600 {
            let status = self.status();
            let steps = status["steps"].as_array().cloned().unwrap_or_default();
            if steps.iter().any(|s| s["id"] == step && s["state"] == state) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{step} never was {state}: {:#}", self.status());
    }

    /// Ends the sandbox of the newest run.
    fn stop_sandbox(&self) {
        let control = self.status()["sandbox"]["control"].as_str().unwrap().to_owned();
        let address = control.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "POST /stop HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        while TcpStream::connect(address).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_run_is_done_and_told() {
    let desk = Desk::new();
    let plan = desk.path("small.yaml");
    let said = desk.say(&Desk::run(&plan, &[]));
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.starts_with("small completed after "), "{}", said.stdout);
    assert!(said.stdout.contains("by ana@navralabs.com"), "{}", said.stdout);
    assert!(said.stderr.contains("nothing real is touched"), "{}", said.stderr);
    for (arguments, part) in [
        (&["runs"][..], "small completed"),
        (&["status"], "small completed"),
        (&["log"], "go     approved by ana@navralabs.com"),
        (&["log", "--verify"], "holds"),
        (&["report"], "## What happened"),
        (&["watch"], "completed after"),
    ] {
        let said = desk.say(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
        assert!(said.stdout.contains(part), "{arguments:?}: {}", said.stdout);
    }
    // Over is over.
    assert_eq!(desk.say(&["resume"]).code, Some(0));
    assert_eq!(desk.say(&["pause"]).code, Some(64));
}

#[test]
fn machines_are_told_in_objects() {
    let desk = Desk::new();
    let plan = desk.path("small.yaml");
    let said = desk.say(&Desk::run(&plan, &["--output", "jsonl"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let facts: Vec<Json> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(facts.first().unwrap()["event"], "run.started");
    assert_eq!(facts.last().unwrap()["event"], "run.finished");
    assert_eq!(facts.last().unwrap()["verdict"], "completed");
    let places: Vec<u64> = facts.iter().map(|fact| fact["seq"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=facts.len() as u64).collect::<Vec<_>>());
    // Told again, it is the same.
    assert_eq!(desk.say(&["log", "--output", "jsonl"]).stdout, said.stdout);
    let said = desk.say(&["status", "--output", "json"]);
    let told: Json = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&told["verdict"], &told["to_do"]), (&"completed".into(), &Json::Null));
}

#[test]
fn a_rehearsal_holds_nobody_up() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    // The same resources by name, in a world of its own.
    let plan = desk.path("small.yaml");
    let said = desk.say(&Desk::run(&plan, &[]));
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    run.kill().unwrap();
    run.wait().unwrap();
}

/// flagger#1344: to open a gate one had to write to a service of one's own. Here it is one command in another terminal.
#[test]
fn another_terminal_approves_but_not_anybody() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    let said = desk.say(&["approve", "go"]);
    assert_eq!(said.code, Some(64), "{}", said.stderr);
    assert!(said.stderr.contains("you are eve@navralabs.com"), "{}", said.stderr);
    assert_eq!(desk.say(&["approve", "og", "--as", "bo@navralabs.com"]).code, Some(64));
    // It is under way: nobody else may drive it.
    assert_eq!(desk.say(&["resume"]).code, Some(14));
    let said = desk.say(&["approve", "go", "--as", "bo@navralabs.com"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    // Nobody is asked any more.
    assert_eq!(desk.say(&["approve", "go", "--as", "bo@navralabs.com"]).code, Some(64));
}

#[test]
fn an_order_that_changes_nothing_takes_nothing_over() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    signal(&run, Signal::TERM);
    assert_eq!(run.wait().unwrap().code(), Some(143));
    let before = desk.say(&["log", "--output", "jsonl"]).stdout;
    for order in [
        &["retry", "lower"][..],
        &["skip", "rest", "--reason", "x"],
        &["settle", "lower", "--done", "--reason", "x"],
        &["approve", "rest", "--as", "bo@navralabs.com"],
    ] {
        let said = desk.say(order);
        assert_eq!(
            said.code,
            Some(if order[0] == "approve" { 15 } else { 64 }),
            "{order:?}: {}",
            said.stderr
        );
        assert_eq!(desk.say(&["log", "--output", "jsonl"]).stdout, before, "{order:?}");
    }
    // Being asked to stop was its only reason to stop.
    let said = desk.say(&["continue"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_rejection_stops_and_can_be_overcome() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    let said = desk.say(&["reject", "go", "--reason", "not today", "--as", "bo@navralabs.com"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(run.wait().unwrap().code(), Some(13));
    let said = desk.say(&["status"]);
    assert!(said.stdout.contains("go was rejected: not today"), "{}", said.stdout);
    assert!(said.stdout.contains("R-approval-rejected"), "{}", said.stdout);
    // The people of the sandbox answer now, where nobody says `--ask`.
    let said = desk.say(&["continue"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
}

#[test]
fn ctrl_c_pauses_and_resume_goes_on() {
    for (signalled, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let desk = Desk::new();
        let mut run = desk.start(&["--ask"]);
        desk.wait_for("go", "asking");
        signal(&run, signalled);
        assert_eq!(run.wait().unwrap().code(), Some(code));
        let said = desk.say(&["status"]);
        assert!(said.stdout.contains("switchover resume "), "{}", said.stdout);
        let said = desk.say(&["resume"]);
        assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    }
}

#[test]
fn kill_dash_nine_is_a_pause() {
    let desk = Desk::new();
    let mut run = desk.start(&[]);
    desk.wait_for("lower", "watching");
    signal(&run, Signal::KILL);
    assert_eq!(run.wait().unwrap().code(), None);
    let said = desk.say(&["status"]);
    assert!(said.stdout.contains("the process that drove this run is gone"), "{}", said.stdout);
    let said = desk.say(&["resume"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("taken over by"), "{}", said.stderr);
}

#[test]
fn an_abort_rolls_back_wherever_it_comes_from() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    let said = desk.say(&["abort", "--reason", "enough"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(run.wait().unwrap().code(), Some(12));
    let said = desk.say(&["status"]);
    assert!(said.stdout.contains("RESTORED"), "{}", said.stdout);

    // Where nobody drives the run, whoever aborts it does.
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    signal(&run, Signal::KILL);
    run.wait().unwrap();
    let said = desk.say(&["abort"]);
    assert_eq!(said.code, Some(12), "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_sandbox_that_is_gone_is_told() {
    let desk = Desk::new();
    let mut run = desk.start(&["--ask"]);
    desk.wait_for("go", "asking");
    signal(&run, Signal::INT);
    run.wait().unwrap();
    desk.stop_sandbox();
    let said = desk.say(&["status"]);
    assert!(said.stderr.contains("that sandbox is gone"), "{}", said.stderr);
    let said = desk.say(&["resume"]);
    assert_eq!(said.code, Some(13), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("R-sandbox-gone"), "{}", said.stderr);
}

#[test]
fn a_preview_binds_a_run() {
    let desk = Desk::new();
    let (plan, saved) = (desk.path("small.yaml"), desk.path("preview.json"));
    let world = ["--sandbox", "--world", "aep", "--time", "300x", "--no-traffic"];
    let mut preview = vec!["preview", &plan, "--save", &saved, "--detailed-exitcode"];
    preview.extend(world);
    let said = desk.say(&preview);
    assert_eq!(said.code, Some(2), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("TTL of app.navralabs.com"), "{}", said.stdout);
    let said = desk.say(&Desk::run(&plan, &["--auto-approve", &saved]));
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    // The same plan, but not the same text.
    std::fs::write(&plan, PLAN.replace("for: 3m", "for: 4m")).unwrap();
    let said = desk.say(&Desk::run(&plan, &["--auto-approve", &saved]));
    assert_eq!(said.code, Some(15), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("R-stale-preview"), "{}", said.stderr);
}

#[test]
fn a_zone_that_users_do_not_reach_is_refused_before_anything_is_changed() {
    let desk = Desk::new();
    let (plan, world) = (desk.path("small.yaml"), desk.path("elsewhere.yaml"));
    let aep = std::fs::read_to_string("plans/worlds/aep.yaml").unwrap();
    let id = "id: Z0123456789ABC";
    let text = aep.replace(id, &format!("{id}\n    delegated_to: [ns.other.example]"));
    assert_ne!(text, aep);
    std::fs::write(&world, text).unwrap();
    for verb in ["preview", "run"] {
        let said = desk.say(&[verb, &plan, "--sandbox", "--world", &world, "--time", "300x", "--no-traffic"]);
        assert_eq!(said.code, Some(5), "{verb}: {}{}", said.stdout, said.stderr);
        let told = format!("{}{}", said.stdout, said.stderr);
        for word in ["zone Z0123456789ABC of target `zone`", "ns.other.example", "`zone_id`"] {
            assert!(told.contains(word), "{verb}: `{word}` is not in {told}");
        }
    }
}

/// What the credentials of a world may not do: what its faults always refuse for want of permission.
#[test]
fn a_preview_finds_what_these_credentials_may_not_do() {
    let desk = Desk::new();
    let (plan, world) = (desk.path("small.yaml"), desk.path("denied.yaml"));
    let aep = std::fs::read_to_string("plans/worlds/aep.yaml").unwrap();
    let look = |faults: &str, more: &[&str]| {
        std::fs::write(&world, format!("{aep}\nfaults:\n{faults}")).unwrap();
        let place = ["preview", &plan, "--sandbox", "--world", &world, "--time", "300x", "--no-traffic"];
        desk.say(&[&place[..], more].concat())
    };
    let denies = |service: &str, operation: &str, message: &str| {
        format!(
            "  - {{ service: {service}, operation: {operation}, times: 0, status: 403, code: AccessDenied, message: '{message}' }}\n"
        )
    };
    let well = desk.say(&["preview", &plan, "--sandbox", "--world", "aep", "--time", "300x", "--no-traffic"]);
    assert_eq!(well.code, Some(0), "{}{}", well.stdout, well.stderr);
    let line = "target prod: user sandbox may make the 4 kinds of calls of this run, there and back\n";
    assert!(well.stdout.contains(line), "{}", well.stdout);

    let boundary = "no permissions boundary allows it";
    let faults =
        denies("route53", "ChangeResourceRecordSets", boundary) + &denies("route53", "GetChange", "");
    let said = look(&faults, &[]);
    assert_eq!(said.code, Some(4), "{}{}", said.stdout, said.stderr);
    for words in [
        "target prod: user sandbox may make 2 kinds of calls\n",
        "  ! SW4001: may not route53:ChangeResourceRecordSets on arn:aws:route53:::hostedzone/Z0123456789ABC: the permissions \
         boundary does not allow it; lower needs it\n",
        "  ! SW4001: may not route53:GetChange on arn:aws:route53:::change/C",
    ] {
        assert!(said.stdout.contains(words), "`{words}` is not in {}", said.stdout);
    }
    assert!(said.stderr.contains("lower first") && said.stderr.contains("explain SW4001"), "{}", said.stderr);
    let said = look(&faults, &["--output", "json"]);
    let told: Json = serde_json::from_str(&said.stdout).unwrap();
    let of = &told["permissions"][0];
    assert_eq!(
        (&of["target"], &of["allowed"], of["denied"].as_array().unwrap().len()),
        (&"prod".into(), &2.into(), 2)
    );
    assert_eq!(of["denied"][0]["needed_by"], serde_json::json!(["lower"]));

    // Who may not ask is told so, and nothing follows from it.
    let said = look(&denies("iam", "SimulatePrincipalPolicy", "not yours"), &[]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    let words =
        "AccessDenied: not yours; these credentials may not look; allow them `iam:SimulatePrincipalPolicy`";
    assert!(
        said.stdout.contains("? could not be known of route53:") && said.stdout.contains(words),
        "{}",
        said.stdout
    );
}

/// What would else be found out minutes into a deployment, when no task starts.
#[test]
fn a_preview_tells_which_role_is_not_there() {
    let desk = Desk::new();
    let world = desk.path("no-role.yaml");
    let aep = std::fs::read_to_string("plans/worlds/aep.yaml").unwrap();
    let look = |more: &str| {
        std::fs::write(&world, format!("{aep}\n{more}")).unwrap();
        let plan = "plans/parallel-deploys.yaml";
        let place = ["preview", plan, "--sandbox", "--world", &world, "--time", "300x", "--no-traffic"];
        let said = desk.say(&place);
        assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
        said.stdout
    };
    let told = look("");
    assert!(!told.contains("which the definition names"), "{told}");
    let told = look("absent: [ecs-execution]\n");
    let role = "role arn:aws:iam::123456789012:role/ecs-execution, which the definition names (executionRoleArn), does not \
                exist: its tasks would not start";
    assert!(told.contains(role), "{told}");
}
