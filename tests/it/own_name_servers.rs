//! A plan whose zone is on a name server of one's own: a real BIND or Knot, the real binary, and the same steps as on AWS. It goes
//! there, comes back by itself and by hand, never writes over somebody else, and keeps its key to itself.

use crate::disk::skipped;
use crate::stage::{Said, tool};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SECRET: &str = "bm90IGEgc2VjcmV0LCBvbmx5IGZvciB0ZXN0cyEhIQ==";
const ZONE: &str = "$ORIGIN example.test.
@ 3600 SOA ns1 hostmaster 7 3600 600 86400 1
@ 3600 NS ns1
ns1 3600 A 127.0.0.1
app 3 CNAME old
old 3 A 192.0.2.1
";

/// Programs that serve a zone and take updates of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Bind,
    Knot,
}

impl Brand {
    fn program(self) -> &'static str {
        match self {
            Self::Bind => "named",
            Self::Knot => "knotd",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bind => &["-g", "-n", "1", "-c", "settings"],
            Self::Knot => &["-c", "settings"],
        }
    }

    fn settings(self, folder: &str, port: u16) -> String {
        match self {
            Self::Bind => format!(
                "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                 pid-file none; lock-file none; session-keyfile none; recursion no; dnssec-validation no; \
                 minimal-any no; }};\ncontrols {{ }};\n\
                 key \"switchover\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
                 zone \"example.test\" {{ type primary; file \"zone\"; allow-update {{ key switchover; }}; }};\n"
            ),
            Self::Knot => format!(
                "server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\nlog:\n  - target: stderr\n    any: info\n\
                 database:\n    storage: {folder}\n\
                 key:\n  - id: switchover\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
                 acl:\n  - id: ours\n    key: switchover\n    action: update\n\
                 zone:\n  - domain: example.test\n    storage: {folder}\n    file: zone\n    acl: [ours]\n    \
                 zonefile-sync: -1\n"
            ),
        }
    }
}

/// The server, and a state directory.
pub(crate) struct Desk {
    server: Child,
    home: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// As the shell finds it, or where `tests/tools.sh` unpacks it.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tests/bin");
    let folders = std::env::split_paths(&path).chain([unpacked, "/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn free() -> u16 {
    loop {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}

impl Desk {
    /// None, said aloud, where there is no such server.
    pub(crate) fn new(brand: Brand) -> Option<Self> {
        let Some(program) = find(brand.program()) else {
            skipped(
                "a plan over a server",
                &format!("no `{}` here; tests/tools.sh unpacks it", brand.program()),
            );
            return None;
        };
        let (home, port) = (tempfile::tempdir().unwrap(), free());
        let folder = home.path().to_str().unwrap();
        let settings = brand.settings(folder, port);
        for (name, text) in [("zone", ZONE), ("settings", &settings), ("plan.yaml", &plan(port, ""))] {
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let told = std::fs::File::create(home.path().join("told")).unwrap();
        let server = Command::new(program)
            .args(brand.arguments())
            .current_dir(folder)
            .stderr(told)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let desk = Self { server, home, port };
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() && desk.answer().contains("CNAME") {
                return Some(desk);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let told = std::fs::read_to_string(desk.home.path().join("told")).unwrap();
        panic!("{brand:?} does not answer: {told}");
    }

    /// Its plan goes on with these steps.
    pub(crate) fn plan_with(&self, last: &str) -> String {
        std::fs::write(self.home.path().join("plan.yaml"), plan(self.port, last)).unwrap();
        self.path("plan.yaml")
    }

    fn command(&self, arguments: &[&str], secret: &str) -> Command {
        let mut command = tool();
        command
            .args(arguments)
            .env("SWITCHOVER_STATE_DIR", self.home.path().join("state"))
            .env("SWITCHOVER_OUTPUT", "plain")
            .env("SWITCHOVER_AS", "ana@example.com")
            .env("TSIG_SECRET", secret);
        command
    }

    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        let said: Said = self.command(arguments, SECRET).output().unwrap().into();
        assert!(!format!("{said:?}").contains(SECRET), "{said:#?}");
        said
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    /// What `dig` shows of the name.
    fn answer(&self) -> String {
        let port = self.port.to_string();
        let ask = ["@127.0.0.1", "-p", &port, "+tcp", "+noall", "+answer", "app.example.test", "ANY"];
        let output = Command::new("dig").args(ask).output().unwrap();
        String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Short TTLs: they are waited out on the wall clock.
fn plan(port: u16, last: &str) -> String {
    format!(
        "switchover: v1
name: own-servers
secrets: {{ tsig: {{ env: TSIG_SECRET }} }}
targets:
  zone:
    rfc2136:
      server: \"127.0.0.1:{port}\"
      name: example.test
      key: {{ name: switchover, secret: \"${{{{ secrets.tsig }}}}\" }}
      name_servers: [\"127.0.0.1:{port}\"]
steps:
  - id: lower-ttl
    uses: dns.ttl
    with: {{ target: zone, record: app, ttl: 1s }}
  - id: switch
    uses: dns.switch
    with:
      target: zone
      record: app
      from: {{ cname: old.example.test }}
      to: {{ a: [192.0.2.7], aaaa: [\"2001:db8::7\"], ttl: 1s }}
      writes: shared
{last}"
    )
}

const OLD: &str = "app.example.test. 3 IN CNAME old.example.test.";

#[test]
fn a_record_goes_there_and_is_brought_back() {
    let Some(desk) = Desk::new(Brand::Bind) else { return };
    let plan = desk.path("plan.yaml");
    assert_eq!(desk.answer(), OLD);
    let said = desk.say(&["preview", &plan]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.contains("CNAME old.example.test (TTL 3) → A 192.0.2.7 (TTL 1), AAAA"), "{said:#?}");
    assert!(said.stdout.contains("DNS clock"), "{said:#?}");
    assert_eq!(desk.answer(), OLD);
    let said = desk.say(&["run", &plan, "--yes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let now = desk.answer();
    assert!(now.contains("1 IN A 192.0.2.7") && now.contains("1 IN AAAA 2001:db8::7"), "{now}");
    assert!(!now.contains("CNAME"), "{now}");
    let again = desk.say(&["run", &plan, "--yes"]);
    assert_eq!(desk.answer(), now, "{again:#?}");
    // Not in what is told of the run, nor in what is kept of it.
    desk.say(&["log", "latest", "--output", "jsonl"]);
    desk.say(&["export", "latest", "--to", &desk.path("state/run.jsonl")]);
    for entry in std::fs::read_dir(desk.home.path().join("state")).unwrap().flatten() {
        let kept = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&kept).contains(SECRET), "{}", entry.path().display());
    }
}

#[test]
fn what_fails_after_the_switch_brings_the_record_back() {
    let Some(desk) = Desk::new(Brand::Bind) else { return };
    let last = "  - id: fails\n    uses: exec\n    with: { run: [\"false\"], reads: true }\n";
    let said = desk.say(&["run", &desk.plan_with(last), "--yes"]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(said.stderr.contains("RESTORED"), "{said:#?}");
    assert_eq!(desk.answer(), OLD);
}

#[test]
fn a_completed_run_is_rolled_back_by_hand() {
    let Some(desk) = Desk::new(Brand::Bind) else { return };
    let said = desk.say(&["run", &desk.path("plan.yaml"), "--yes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = desk.say(&["rollback", "latest"]);
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert_eq!(desk.answer(), OLD);
}

#[test]
fn a_wrong_key_is_told_before_a_run_exists() {
    let Some(desk) = Desk::new(Brand::Bind) else { return };
    let other = "YW5vdGhlciBzZWNyZXQsIG9ubHkgZm9yIHRlc3RzISE=";
    let said: Said = desk.command(&["run", &desk.path("plan.yaml"), "--yes"], other).output().unwrap().into();
    assert_eq!(said.code, Some(4), "{said:#?}");
    assert!(said.stderr.contains("the secret here is not the one that it has"), "{said:#?}");
    assert!(!format!("{said:?}").contains(other), "{said:#?}");
    assert_eq!(desk.say(&["runs", "--output", "json"]).stdout.matches("own-servers").count(), 0);
    assert_eq!(desk.answer(), OLD);
}

/// Two state directories, and a server that knows of neither.
#[test]
fn a_run_of_production_locks_the_record_on_the_server_itself() {
    let Some(desk) = Desk::new(Brand::Bind) else { return };
    let step =
        "  - { id: hook, uses: exec, with: { run: [false] }, on_failure: pause, undo: { keep: nothing } }\n";
    let plan = desk.plan_with(step);
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("name: own-servers", "name: own-servers\nproduction: true")).unwrap();
    let lock = || {
        let port = desk.port.to_string();
        let ask = ["@127.0.0.1", "-p", &port, "+tcp", "+short", "_switchover.app.example.test", "TXT"];
        String::from_utf8(Command::new("dig").args(ask).output().unwrap().stdout).unwrap()
    };
    let [seen, theirs] = ["seen.json", "theirs.json"].map(|name| desk.path(name));
    let said = desk.say(&["preview", &plan, "--save", &seen]);
    assert!(said.stdout.contains("lock _switchover.app.example.test: nothing → this run's"), "{said:#?}");
    let said = desk.say(&["run", &plan, "--auto-approve", &seen]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(lock().contains("switchover v1 run=") && lock().contains("by=ana@example.com"), "{}", lock());

    let elsewhere = |arguments: &[&str]| -> Said {
        let mut command = desk.command(arguments, SECRET);
        command.env("SWITCHOVER_STATE_DIR", desk.path("elsewhere")).output().unwrap().into()
    };
    let said = elsewhere(&["preview", &plan, "--save", &theirs]);
    assert!(said.stdout.contains("locked by another run"), "{said:#?}");
    let (before, said) = (lock(), elsewhere(&["run", &plan, "--auto-approve", &theirs]));
    assert_eq!((said.code, lock()), (Some(14), before), "{said:#?}");

    let said = desk.say(&["rollback", "latest"]);
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert_eq!((lock().as_str(), desk.answer().as_str()), ("", OLD));
}
