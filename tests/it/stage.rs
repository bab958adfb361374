//! A stage for end-to-end tests: the real binary, a sandbox in a process of its own, and a state directory.

use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
const TOOL: &str = env!("CARGO_BIN_EXE_switchover");

/// A running sandbox.
pub(crate) struct World {
    child: Child,
    control: String,
}

/// A place to run the tool from.
pub(crate) struct Stage {
    state: tempfile::TempDir,
    /// The sandbox it talks to.
    pub(crate) world: World,
}

/// The world without what every run leaves behind by design: registered revisions, and tasks that have ended. A lock that
/// stays names its run, and every run is another.
pub(crate) fn lasting(state: &Json) -> Json {
    let mut state = state.clone();
    let entries = state.as_object_mut().unwrap();
    for key in ["task_definitions", "one_off_tasks", "scans"] {
        entries.remove(key);
    }
    let zones = entries.get_mut("zones").and_then(Json::as_object_mut).into_iter().flatten();
    for record in zones.filter_map(|(_, records)| records.as_array_mut()).flatten() {
        let lock = record["record"].as_str().filter(|text| text.starts_with("_switchover."));
        if let Some(name) = lock.and_then(|text| text.split(' ').next()).map(str::to_owned) {
            record["record"] = name.into();
        }
    }
    state
}

/// The same, where a service may run any revision with the images it has.
pub(crate) fn images(state: &Json) -> Json {
    let mut state = lasting(state);
    for service in state["services"].as_object_mut().unwrap().values_mut() {
        service.as_object_mut().unwrap().remove("task_definition");
    }
    state
}

/// A world that differs from a shipped one: the folder that holds it as long as it lives, and its file.
pub(crate) fn altered(shipped: &str, changes: &Json) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut world = json!({"world": "v1", "extends": shipped});
    world.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let file = folder.path().join("world.yaml");
    std::fs::write(&file, world.to_string()).unwrap();
    (folder, file)
}

/// Of the blue/green worlds: `green` passes its health checks, and from the first shift on fails whoever asks for more.
pub(crate) fn fails_users(green: &str) -> Json {
    let image = json!({green: {"app": "frontend", "error_rate": 1.0}});
    json!([{"step": "shift", "event": "started", "do": {"image": image}}])
}

/// What the tool said.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A path of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The binary that cargo built; or the same, otherwise linked (`tests/prove.sh`).
#[expect(clippy::disallowed_methods, reason = "the tool finds the commands that we find")]
pub(crate) fn tool() -> Command {
    let mut command = Command::new(std::env::var("SWITCHOVER_TOOL").as_deref().unwrap_or(TOOL));
    command
        .current_dir(repository(""))
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C.UTF-8")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    command
}

impl World {
    /// Serves a world file; `time` overrides how fast it runs.
    fn up(file: &Path, time: u32, more: &[&str]) -> Self {
        let mut child = tool()
            .args(["sandbox", "up", "--time", &format!("{time}x"), "--world"])
            .arg(file)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut printed = String::new();
        let mut buffer = [0; 4096];
        let control = loop {
            let read = stdout.read(&mut buffer).unwrap();
            assert!(read > 0, "the sandbox ended before it was up:\n{printed}");
            printed.push_str(&String::from_utf8_lossy(&buffer[..read]));
            let line = printed.lines().find_map(|line| line.strip_prefix("export SWITCHOVER_SANDBOX="));
            if let Some(control) = line.filter(|_| printed.ends_with('\n')) {
                break control.trim_matches(['"', '\'']).to_owned();
            }
        };
        // Whatever else it prints must not block it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self { child, control }
    }

    /// One request to its own interface.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Json {
        let address = self.control.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        let body = body.map(Json::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        if body.trim().is_empty() { Json::Null } else { serde_json::from_str(body).unwrap() }
    }

    /// The whole world, for comparing.
    pub(crate) fn state(&self) -> Json {
        self.ask("GET", "/state", None)
    }

    /// Users' requests.
    pub(crate) fn report(&self) -> Json {
        self.ask("GET", "/report", None)
    }

    /// What a stranger to it sees: the aws command line, or dig. `tests/run.sh` installs both.
    #[expect(clippy::disallowed_methods, reason = "they are found where we find them")]
    pub(crate) fn seen_by(&self, program: &str, arguments: &[&str]) -> String {
        let wiring = self.ask("GET", "/wiring", None);
        let text = |key: &str| wiring[key].as_str().unwrap().to_owned();
        let mut stranger = Command::new(program);
        stranger
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", text("aws_endpoint"))
            .env("AWS_ACCESS_KEY_ID", text("access_key"))
            .env("AWS_SECRET_ACCESS_KEY", text("secret_key"))
            .env("AWS_DEFAULT_REGION", "eu-west-1");
        if program == "dig" {
            let (address, port) =
                text("resolver").rsplit_once(':').map(|(a, p)| (a.to_owned(), p.to_owned())).unwrap();
            stranger.args([&format!("@{address}"), "-p", &port]);
        }
        let output = stranger.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = Said::from(output);
        assert_eq!(said.code, Some(0), "{program}: {said:#?}");
        said.stdout
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stage {
    /// A sandbox with this world, and an empty state directory.
    pub(crate) fn new(world: &str, time: u32) -> Self {
        Self { state: tempfile::tempdir().unwrap(), world: World::up(&repository(world), time, &[]) }
    }

    /// The same with any world file, and without its users.
    pub(crate) fn without_users(world: &Path, time: u32) -> Self {
        Self { state: tempfile::tempdir().unwrap(), world: World::up(world, time, &["--no-traffic"]) }
    }

    /// The tool, told of the sandbox and the state directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tool();
        command
            .args(arguments)
            .env("SWITCHOVER_SANDBOX", &self.world.control)
            .env("SWITCHOVER_STATE_DIR", self.state.path())
            .env("SWITCHOVER_OUTPUT", "plain")
            .env("SWITCHOVER_AS", "starter@navralabs.com");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Puts a fault in place.
    pub(crate) fn fault(&self, rule: &Json) {
        self.world.ask("POST", "/faults", Some(rule));
    }

    /// Holds a call, by its number among its kind: before it is carried out (`hold_before`), or before it is answered
    /// (`hold_after`).
    pub(crate) fn hold(&self, service: &str, operation: &str, number: u64, kind: &str) {
        let rule = json!({
            "service": service, "operation": operation, "nth": number, "times": 1, "kind": kind,
        });
        self.fault(&rule);
    }

    fn faults(&self) -> Vec<Json> {
        self.world.ask("GET", "/faults", None)["faults"].as_array().unwrap().clone()
    }

    /// Some call is held now.
    pub(crate) fn is_holding(&self) -> bool {
        self.faults().iter().any(|fault| fault["holding"].as_u64() > Some(0))
    }

    /// Lets go of every call that is held; other faults stay.
    pub(crate) fn release(&self) {
        for fault in self.faults() {
            if fault["kind"].as_str().is_some_and(|kind| kind.starts_with("hold")) {
                self.world.ask("DELETE", &format!("/faults/{}", fault["id"]), None);
            }
        }
    }

    /// How many calls came, and were answered, by service and operation.
    pub(crate) fn calls(&self) -> Vec<Json> {
        self.world.ask("GET", "/calls", None)["calls"].as_array().unwrap().clone()
    }

    /// The newest run's facts, one a line.
    pub(crate) fn log(&self) -> String {
        self.run(&["log", "latest", "--output", "jsonl"]).stdout
    }

    /// Waits until something holds; a test must not hang.
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        #[expect(clippy::disallowed_methods, reason = "a test must not hang")]
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(90), "{what}: it never came\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}
