//! Name servers that people run, each started by one test: on a free port of loopback, with a zone and keys of its own, and
//! with somebody in front of it who can lose an update, or an answer, or let another one through first.
//!
//! `tests/tools.sh` unpacks them; where they are not, that is said aloud and nothing is tested.

use super::{Behind, Place, nowhere, plan};
use crate::adapter::{Budgets, Secrets, World};
use crate::plan::{Span, Target, Timestamp, Value};
use crate::port::dns::{Name, RecordChange, RecordSet, RecordType};
use crate::port::{ReadWorld, WriteWorld};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Who may change everything, as servers are told it.
pub(crate) const KEY: &str = "switchover";
/// Who may look, and change nothing.
pub(crate) const GUEST: &str = "guest";
/// What both share with the servers.
pub(crate) const SECRET: &str = "bm90IGEgc2VjcmV0LCBvbmx5IGZvciB0ZXN0cyEhIQ==";

/// How late a message is that is delayed.
pub(crate) const LATE: Duration = Duration::from_secs(3);

const ZONE: &str = "$ORIGIN example.test.
@ 3600 SOA ns1 hostmaster 7 3600 600 86400 300
@ 3600 NS ns1
ns1 3600 A 127.0.0.1
app 300 CNAME old
old 60 A 192.0.2.1
text 60 A 192.0.2.3
text 60 TXT \"hello\"
*.wild 60 A 192.0.2.9
";

/// The same in a world.
pub(super) fn with_zone(text: &str) -> String {
    let zone = "zones:\n  example.test:\n    id: example.test\n    records:\n      \
        - { name: app, type: CNAME, ttl: 300, values: [old.example.test] }\n      \
        - { name: old, type: A, ttl: 60, values: [192.0.2.1] }\n      \
        - { name: text, type: A, ttl: 60, values: [192.0.2.3] }\n      \
        - { name: text, type: TXT, ttl: 60, values: ['\"hello\"'] }\n      \
        - { name: \"*.wild\", type: A, ttl: 60, values: [192.0.2.9] }\n";
    let changed = text.replace("zones:\n", zone);
    assert_ne!(changed, text);
    changed
}

/// What holds over such a server, where there is one.
pub(super) async fn on_server(brand: Brand, contract: impl AsyncFnOnce(&Place)) {
    if let Some(server) = Server::start(brand).await {
        contract(&server.place()).await;
    }
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Bind,
    /// Signs the zone by itself.
    SigningBind,
    Knot,
}

impl Brand {
    fn program(self) -> &'static str {
        match self {
            Self::Bind | Self::SigningBind => "named",
            Self::Knot => "knotd",
        }
    }

    fn settings(self, folder: &str, port: u16) -> String {
        let key = |name: &str| match self {
            Self::Knot => format!("  - id: {name}\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"),
            _ => format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n"),
        };
        let keys = [key(KEY), key(GUEST)].concat();
        let signing = match self {
            Self::SigningBind => "dnssec-policy default; inline-signing yes;",
            _ => "",
        };
        match self {
            Self::Knot => format!(
                "server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\nlog:\n  - target: stderr\n    any: info\n\
                 database:\n    storage: {folder}\nkey:\n{keys}acl:\n  - id: ours\n    key: {KEY}\n    action: update\n  \
                 - id: theirs\n    key: {GUEST}\n    action: transfer\n\
                 zone:\n  - domain: example.test\n    storage: {folder}\n    file: zone\n    acl: [ours, theirs]\n    \
                 zonefile-sync: -1\n"
            ),
            _ => format!(
                "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                 pid-file none; lock-file none; session-keyfile none; managed-keys-directory \".\"; recursion no; \
                 dnssec-validation no; }};\ncontrols {{ }};\n{keys}\
                 zone \"example.test\" {{ type primary; file \"zone\"; update-policy {{ grant {KEY} zonesub any; }}; \
                 {signing} }};\n"
            ),
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Knot => &["-c", "settings"],
            _ => &["-g", "-n", "1", "-c", "settings"],
        }
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Mutex<Child>,
    folder: tempfile::TempDir,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Where somebody stands in front of it.
    front: SocketAddr,
    armed: Arc<Mutex<Option<Json>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Server {
    /// None, said aloud, where there is no such server.
    pub(crate) async fn start(brand: Brand) -> Option<Self> {
        let path = find(brand.program(), &format!("the contract over {brand:?}"))?;
        let folder = tempfile::tempdir().unwrap();
        let address = free();
        let settings = brand.settings(folder.path().to_str().unwrap(), address.port());
        std::fs::write(folder.path().join("zone"), ZONE).unwrap();
        std::fs::write(folder.path().join("settings"), settings).unwrap();
        let child = spawn(brand, &path, folder.path());
        let armed = Arc::default();
        let front = stand_in_front(address, Arc::clone(&armed)).await;
        let server = Self { child: Mutex::new(child), folder, address, front, armed };
        server.answers().await;
        Some(server)
    }

    /// A plan's world whose zone is this server's, reached by this key.
    pub(crate) fn world(&self, at: SocketAddr, key: &str, secret: &str) -> World {
        connect(&target(at, self.address, key), secret)
    }

    /// For contracts.
    pub(crate) fn place(self) -> Place {
        let world = Arc::new(self.world(self.front, KEY, SECRET));
        Place { world, behind: Behind::Server(self), wiring: None }
    }

    /// Puts a fault in its way, once.
    pub(crate) fn fault(&self, rule: Json) {
        *self.armed.lock().unwrap() = Some(rule);
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What it told.
    fn told(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("told")).unwrap_or_default()
    }

    async fn answers(&self) {
        let world = self.world(self.address, KEY, SECRET);
        for _ in 0..40 {
            if world.dns("updated").unwrap().zone().await.is_ok() {
                return;
            }
            assert!(self.child.lock().unwrap().try_wait().unwrap().is_none(), "it ended: {}", self.told());
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("it does not answer: {}", self.told());
    }
}

fn spawn(brand: Brand, path: &Path, folder: &Path) -> Child {
    let told = std::fs::File::create(folder.join("told")).unwrap();
    Command::new(path)
        .args(brand.arguments())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(told.try_clone().unwrap())
        .stderr(told)
        .spawn()
        .unwrap()
}

/// The target `updated`: a zone on the server at this address, whose users are told to ask that one.
pub(crate) fn target(server: SocketAddr, asked: SocketAddr, key: &str) -> Target {
    let with = json!({
        "server": server.to_string(), "name": "example.test", "name_servers": [asked.to_string()],
        "key": {"name": key, "secret": "${{ secrets.tsig }}"},
    });
    Target { name: "updated".into(), kind: "rfc2136".into(), with: Value::from_json(&with, Span::default()) }
}

fn connect(target: &Target, secret: &str) -> World {
    let mut plan = plan();
    plan.targets = vec![Arc::new(target.clone())];
    World::connect(&plan, Path::new(""), None, nowhere(), &Budgets::default())
        .knowing(&Secrets::of([("tsig", secret)]))
}

/// As the shell finds it, or where `tests/tools.sh` unpacks it.
pub(crate) fn find(program: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tests");
    let unpacked = ["bin", "debian/usr/bin"].map(|folder| unpacked.join(folder));
    let folders = std::env::split_paths(&path).chain(unpacked).chain(["/usr/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file());
    if found.is_none() {
        let text = format!("\nskipped: {what}: no `{program}` here; tests/tools.sh installs it\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    found
}

/// A port that is free for datagrams and connections.
pub(crate) fn free() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Passes messages on, but an update as the fault that is armed wants it.
async fn stand_in_front(server: SocketAddr, armed: Arc<Mutex<Option<Json>>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server, armed.clone()));
        }
    });
    address
}

async fn pass_on(mut client: TcpStream, server: SocketAddr, armed: Arc<Mutex<Option<Json>>>) -> Option<()> {
    let mut behind = TcpStream::connect(server).await.ok()?;
    loop {
        let asked = frame(&mut client).await?;
        let update = asked.get(4).is_some_and(|flags| flags >> 3 & 0xf == 5);
        let rule = if update { armed.lock().unwrap().take() } else { None }.unwrap_or_default();
        match rule["kind"].as_str() {
            Some("drop_before") => return None,
            #[expect(clippy::disallowed_methods, reason = "a message that is late, on the wall clock")]
            Some("delay") => tokio::time::sleep(LATE).await,
            Some("change") => theirs(server, &rule["change"]["set_record"]).await,
            _ => {}
        }
        behind.write_all(&asked).await.ok()?;
        let answer = frame(&mut behind).await?;
        if rule["kind"] == "drop_after" {
            return None;
        }
        client.write_all(&answer).await.ok()?;
    }
}

/// One message, with its length before it.
async fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(usize::from(length) + 2, 0);
    stream.read_exact(&mut frame[2..]).await.ok()?;
    Some(frame)
}

/// Somebody else sets a record.
async fn theirs(server: SocketAddr, record: &Json) {
    let world = connect(&target(server, server, KEY), SECRET);
    let text = |key: &str| record[key].as_str().unwrap();
    let values = record["values"].as_array().unwrap();
    let set = RecordSet {
        name: Name::new(text("name")),
        kind: RecordType(text("type").into()),
        ttl: record["ttl"].as_u64().map(|ttl| ttl.try_into().unwrap()),
        values: values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        alias: None,
        extra: std::collections::BTreeMap::new(),
    };
    let there = world.dns("updated").unwrap().record_sets(&set.name).await.unwrap();
    let gone = there.into_iter().map(RecordChange::Delete);
    let batch: Vec<RecordChange> = gone.chain([RecordChange::Create(set)]).collect();
    world.change_dns("updated", Timestamp::NEVER).unwrap().change(&batch, "theirs").await.unwrap();
}
