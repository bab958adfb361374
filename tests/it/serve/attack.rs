//! Garbage, more than anybody has to say: nothing of it gets in, and whoever has a key is answered meanwhile. How soon, at
//! which pace, is measured by the bench `flooded`: here both ends share what a busy machine leaves them.

use super::serving::{Serving, TOKEN, signed};
use super::{alert, became, ended, webhook};
use crate::triggers::{Scene, timed};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long it lasts at least, and at most on a machine that has other things to do, in tenths of a second.
const LASTS: u32 = 40;
const AT_MOST: u32 = 600;

/// How many requests are a flood.
const FLOOD: u64 = 4000;

/// Between two pieces of garbage of a thread. Without a pace the threads that send would fill the kernel's queue of connections,
/// and whoever finds it full tries again after a second: what would be seen is the kernel.
const PACE: Duration = Duration::from_millis(2);

/// How long an answer may take meanwhile. The bench has a second; here others may have the cores.
const SOON: Duration = Duration::from_secs(3);

/// How much memory it may ever have, in KiB, whatever comes.
const MEMORY: u64 = 96 * 1024;

/// Requests of every kind that must not get in.
fn garbage(serving: &Serving) -> Vec<Vec<u8>> {
    let head = |path: &str, headers: &[(&str, &str)]| serving.head("POST", path, headers);
    let alert = super::notification(&json!({"switchover_plan": "triggered"}));
    let order = br#"{"plan":"triggered","reason":"let me in"}"#;
    let length = alert.len().to_string();
    let wrong_token = [("Authorization", "Bearer 0123456789abcdef-the-tokem"), ("Content-Length", &length)];
    let mut forged = signed(order);
    forged[2].1 = format!("v1={}", "0".repeat(64));
    forged.push(("Content-Length".into(), order.len().to_string()));
    let mut long = signed(&[b'x'; 16384]);
    long[2].1 = format!("v1={}", "f".repeat(64));
    long.push(("Content-Length".into(), "16384".into()));
    let headers = |pairs: &[(String, String)]| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        head("/v1/webhook", &pairs)
    };
    let many: Vec<(String, String)> = (0..300).map(|n| (format!("H-{n}"), "x".repeat(20))).collect();
    vec![
        [head("/v1/alertmanager", &wrong_token).as_slice(), &alert].concat(),
        [head("/v1/alertmanager", &[("Content-Length", &length)]).as_slice(), &alert].concat(),
        [headers(&forged).as_slice(), order].concat(),
        [headers(&long).as_slice(), &[b'x'; 16384]].concat(),
        head("/v1/webhook", &[("Transfer-Encoding", "chunked")]),
        head("/v1/alertmanager", &[("Content-Length", "1073741824")]),
        headers(&many),
        vec![0; 4096],
        vec![b'A'; 40_000],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
    ]
}

/// Ends the attack, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends it, over and over; says how often.
fn flood(serving: &Serving, kinds: &[Vec<u8>], over: &AtomicBool, sent: &AtomicU64) {
    for bytes in kinds.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        // One that is not let in at once is none of those that count.
        if let Ok(mut stream) = TcpStream::connect(&serving.address) {
            if stream.write_all(bytes).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            let _ = stream.shutdown(Shutdown::Write);
        }
        std::thread::sleep(PACE);
    }
}

/// Opens connections and says a little on each, and no more.
fn crawl(serving: &Serving, over: &AtomicBool) {
    let beginnings = [
        serving.head("POST", "/v1/alertmanager", &[("Content-Length", "1000")]),
        b"POST /v1/webhook HT".to_vec(),
        Vec::new(),
    ];
    let mut signed = signed(b"never");
    signed.push(("Content-Length".into(), "5".into()));
    let signed: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (&**name, &**value)).collect();
    let body = serving.head("POST", "/v1/webhook", &signed);
    let mut open = Vec::new();
    for bytes in beginnings.iter().chain([&body]).cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(mut stream) = TcpStream::connect(&serving.address) {
            let _ = stream.write_all(bytes);
            open.push(stream);
        }
        // As many at once as a file table bears.
        if open.len() > 400 {
            open.drain(..100);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn garbage_gets_nowhere_and_holds_nobody_up() {
    let scene = Scene::waiting();
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    // Taken once, from somebody who has the secret: sent again it is garbage, too.
    let known = json!({"plan": "no-such-plan", "reason": "known"}).to_string();
    let seen = signed(known.as_bytes());
    assert_eq!(serving.post_signed(&seen, known.as_bytes()).0, 404);
    let replay = {
        let mut headers: Vec<(&str, &str)> = seen.iter().map(|(name, value)| (&**name, &**value)).collect();
        let length = known.len().to_string();
        headers.push(("Content-Length", &length));
        [serving.head("POST", "/v1/webhook", &headers).as_slice(), known.as_bytes()].concat()
    };
    let kinds = [garbage(&serving), vec![replay]].concat();
    let mut slowest = Duration::ZERO;
    let ((), lasted) = timed(|| {
        std::thread::scope(|scope| {
            let _over = Over(&over);
            for _ in 0..4 {
                scope.spawn(|| flood(&serving, &kinds, &over, &sent));
            }
            scope.spawn(|| crawl(&serving, &over));
            for round in 0..AT_MOST {
                if round >= LASTS && sent.load(Ordering::Relaxed) >= FLOOD {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
                if round % 4 == 0 {
                    let ((status, _), took) =
                        timed(|| webhook(&serving, &json!({"plan": "no-such-plan", "reason": "meanwhile"})));
                    assert_eq!(status, 404, "after {took:?}");
                    slowest = slowest.max(took);
                }
            }
            assert!(!scene.stage.log().contains("order."), "{}", scene.stage.log());
            let ((status, answer), took) =
                timed(|| alert(&serving, &json!({"switchover_plan": "triggered"})));
            assert_eq!((status, became(&answer)), (200, vec!["rolling_back"]), "{answer}");
            slowest = slowest.max(took);
        });
    });
    let (sent, peak) = (sent.into_inner(), serving.peak());
    eprintln!("{sent} requests of garbage in {lasted:?}; slowest answer {slowest:?}; {peak} KiB");
    assert!(sent >= FLOOD, "it was no flood: {sent}");
    assert!(slowest < SOON, "{slowest:?}");
    assert!(peak < MEMORY, "{peak} KiB");
    let log = scene.stage.log();
    assert_eq!(log.matches(r#""event":"order."#).count(), 1, "{log}");
    // What was said of it is little, and tells of all of it; keys are in none.
    let lines = serving.end();
    let is_ours = |line: &Json| line["says"].as_str().unwrap().contains("under way") || line["status"] == 200;
    let strangers = lines.iter().filter(|line| !is_ours(line)).count() as u64;
    assert!(strangers <= 50 + 5 * lasted.as_secs(), "{strangers}");
    assert!(lines.iter().all(|line| !line.to_string().contains(TOKEN)));
    assert_eq!(ended(run).code, Some(10));
}
