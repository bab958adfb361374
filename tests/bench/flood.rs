//! Garbage for `switchover serve`, each piece on a connection of its own, at a steady pace; and beside it, now and then, a
//! trigger of somebody who has the token. Prints how much was sent, and how long the slowest answer took.
//!
//! The pace is more than the server is to bear. Without one the threads that send would take whatever the server leaves of
//! this machine's cores, and what is measured would be who gets them.
//!
//! ```text
//! SWITCHOVER_SERVE_TOKEN=… cargo bench --bench flood -- 127.0.0.1:9180
//! ```

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops where it is, and prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const THREADS: u32 = 3;
/// Between two pieces of a thread: 12,000 a second are sent by all of them.
const PACE: Duration = Duration::from_micros(250);
const LASTS: Duration = Duration::from_secs(10);
/// Between two triggers.
const EVERY: Duration = Duration::from_millis(100);
/// How many connections each thread keeps open, of those that say no more.
const OPEN: usize = 250;

/// What must not get in: keys that are wrong or missing, bodies that never come, what is no HTTP, and silence. Whether the
/// connection stays open after it.
fn garbage() -> Vec<(Vec<u8>, bool)> {
    let post = |path: &str, headers: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let signed =
        "Switchover-Timestamp: 1\r\nSwitchover-Nonce: 0123456789abcdef\r\nSwitchover-Signature: v1=00\r\n";
    let said = vec![
        post("/v1/alertmanager", "Authorization: Bearer 0123456789abcdef-no-token\r\n", "{}"),
        post("/v1/alertmanager", "", "{}"),
        post("/v1/webhook", signed, r#"{"plan":"app","reason":"let me in"}"#),
        b"POST /v1/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![b'A'; 4096],
    ];
    let slow = [
        b"POST /v1/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".to_vec(),
        b"POST /v1/alertm".to_vec(),
        Vec::new(),
    ];
    let over = said.into_iter().map(|bytes| (bytes, false));
    over.chain(slow.into_iter().map(|bytes| (bytes, true))).collect()
}

/// A trigger from somebody who may, about a plan that is not under way.
fn trigger(address: &str, token: &str) -> Duration {
    let body = r#"{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Errors","switchover_plan":"no-such-plan"},"annotations":{}}]}"#;
    let head = format!(
        "POST /v1/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    start.elapsed()
}

fn main() {
    let address = std::env::args().find(|arg| arg.contains(':')).expect("where it listens");
    let token = std::env::var("SWITCHOVER_SERVE_TOKEN").expect("its token");
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let flood = || {
        let (kinds, mut open) = (garbage(), VecDeque::new());
        let mut due = Instant::now();
        for (bytes, stays) in kinds.iter().cycle() {
            if over.load(Ordering::Relaxed) {
                return;
            }
            due += PACE;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let Ok(mut stream) = TcpStream::connect(&address) else { continue };
            if stream.write_all(bytes).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            if *stays {
                open.push_back(stream);
                drop(open.drain(..open.len().saturating_sub(OPEN)));
            } else {
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    };
    let start = Instant::now();
    let mut spans = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(flood);
        }
        while start.elapsed() < LASTS {
            spans.push(trigger(&address, &token));
            std::thread::sleep(EVERY);
        }
        over.store(true, Ordering::Relaxed);
    });
    let (rate, slowest) = (sent.into_inner() / LASTS.as_secs(), spans.iter().max().unwrap().as_millis());
    println!("{rate}/s of garbage; {} triggers answered, the slowest in {slowest} ms", spans.len());
}
