//! A server under test, and clients that know its keys.

use crate::stage::Stage;
use hmac::{Hmac, KeyInit, Mac};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use sha2::Sha256;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

pub(crate) const TOKEN: &str = "0123456789abcdef-the-token";
pub(crate) const SECRET: &str = "0123456789abcdef-the-secret";

/// A running server.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: String,
    lines: Arc<Mutex<Vec<Json>>>,
    reader: JoinHandle<()>,
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a signature is of now")]
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The headers of a webhook that is signed now.
pub(crate) fn signed(body: &[u8]) -> Vec<(String, String)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nonce = format!("{:08}-{:08}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let stamp = seconds().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{stamp}.{nonce}.").as_bytes());
    mac.update(body);
    let mut signature = "v1=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let headers = [("Timestamp", stamp), ("Nonce", nonce), ("Signature", signature)];
    headers.map(|(name, value)| (format!("Switchover-{name}"), value)).into()
}

impl Serving {
    /// With both keys.
    pub(crate) fn start(stage: &Stage) -> Self {
        Self::with(stage, &[])
    }

    pub(crate) fn with(stage: &Stage, more: &[&str]) -> Self {
        let mut command = stage.command(&["serve", "--listen", "127.0.0.1:0", "--output", "jsonl"]);
        command
            .args(more)
            .env("SWITCHOVER_SERVE_TOKEN", TOKEN)
            .env("SWITCHOVER_SERVE_SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        let address = said.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("{said}")).to_owned();
        // Whatever else it says must not block it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (kept, stdout) = (lines.clone(), BufReader::new(child.stdout.take().unwrap()));
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                kept.lock().unwrap().push(serde_json::from_str(&line.unwrap()).unwrap());
            }
        });
        Self { child, address, lines, reader }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    pub(crate) fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        (head + "\r\n").into()
    }

    /// Sends these bytes; status 0 if no answer came.
    pub(crate) fn raw(&self, bytes: &[u8]) -> (u16, Json) {
        let mut stream = self.connect();
        let mut answer = Vec::new();
        // Whoever is refused early may not be read to the end.
        let _ = stream.write_all(bytes);
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Json) {
        let length = body.len().to_string();
        let headers = [headers, &[("Content-Length", length.as_str())]].concat();
        self.raw(&[self.head(method, path, &headers).as_slice(), body].concat())
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Json) {
        self.ask("POST", path, headers, body)
    }

    pub(crate) fn post_signed(&self, headers: &[(String, String)], body: &[u8]) -> (u16, Json) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.post("/v1/webhook", &headers, body)
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Stops it; what it said of each request is told.
    pub(crate) fn end(self) -> Vec<Json> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.has_ended()
    }

    /// It was stopped, and ends well.
    pub(crate) fn has_ended(mut self) -> Vec<Json> {
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.reader.join().unwrap();
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}
