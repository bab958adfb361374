//! The heartbeat of a run, from the outside: heard while the tool lives, silent once it is dead or stopped, and in nobody's
//! way. The real binary, and a server on loopback that listens.

use crate::stage::{Said, tool};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SECRET: &str = "c0ffee-d00d";
/// As often as a plan may ask for.
const EVERY: Duration = Duration::from_secs(1);

/// A server that keeps what it is sent.
struct Ear {
    port: u16,
    /// Request line and body.
    heard: Arc<Mutex<Vec<(String, Json)>>>,
    gone: Arc<AtomicBool>,
}

impl Ear {
    /// `answer` is a status line; none: it takes what comes, and never answers.
    fn open(answer: Option<&'static str>) -> Self {
        let ear = Self { port: free_port(), heard: Arc::default(), gone: Arc::default() };
        ear.listen(answer);
        ear
    }

    fn listen(&self, answer: Option<&'static str>) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.gone.store(false, Ordering::Relaxed);
        let (heard, gone) = (self.heard.clone(), self.gone.clone());
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for mut stream in listener.incoming().flatten() {
                if gone.load(Ordering::Relaxed) {
                    return;
                }
                heard.lock().unwrap().push(request(&mut stream));
                match answer {
                    Some(status) => {
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        );
                    }
                    None => open.push(stream),
                }
            }
        });
    }

    /// The machine that listens is gone.
    fn close(&self) {
        self.gone.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        within(5, || TcpStream::connect(("127.0.0.1", self.port)).is_err(), "it still listens");
    }

    fn times(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// State of each, and whether it was the last.
    fn states(&self) -> Vec<(String, bool)> {
        let state = |(_, body): &(String, Json)| {
            (body["state"].as_str().unwrap_or_default().to_owned(), body["last"] == true)
        };
        self.heard.lock().unwrap().iter().map(state).collect()
    }

    fn until(&self, times: usize) {
        within(30, || self.times() >= times, "it does not beat");
    }

    /// How many come in this time.
    fn in_the_next(&self, span: Duration) -> usize {
        let before = self.times();
        std::thread::sleep(span);
        self.times() - before
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn request(stream: &mut TcpStream) -> (String, Json) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        if let Ok(body) = serde_json::from_str(body) {
            return (head.lines().next().unwrap_or_default().to_owned(), body);
        }
        if read == 0 {
            return (text, Json::Null);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that hangs should say so")]
fn within(seconds: u64, mut holds: impl FnMut() -> bool, otherwise: &str) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < end, "{otherwise}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder with a plan that is heard at this port, and a state directory.
struct Place(TempDir);

impl Place {
    fn new(port: u16, steps: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let plan = format!(
            "switchover: v1\nname: lives\nsecrets: {{ hook: {{ env: HOOK }} }}\n\
             policy: {{ heartbeat: {{ url: \"http://127.0.0.1:{port}/ping/${{{{ secrets.hook }}}}\", every: 1s }} }}\n\
             steps:\n{steps}\n"
        );
        std::fs::write(place.plan(), plan).unwrap();
        place
    }

    fn plan(&self) -> String {
        self.0.path().join("plan.yaml").to_str().unwrap().to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = tool();
        command.args(words).env("SWITCHOVER_STATE_DIR", self.0.path().join("state")).env("HOOK", SECRET);
        command
    }

    fn say(&self, words: &[&str]) -> Said {
        self.command(words).output().unwrap().into()
    }

    fn start(&self) -> Child {
        let plan = self.plan();
        let words = ["run", &plan, "--yes", "--on-pause", "wait", "--output", "plain"];
        self.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn wait(span: &str) -> String {
    format!("- {{ id: rest, uses: wait, with: {{ for: {span} }} }}")
}

fn ended(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

/// Everything under a folder.
fn all_of(folder: &std::path::Path) -> Vec<u8> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        found.extend(if path.is_dir() { all_of(&path) } else { std::fs::read(&path).unwrap_or_default() });
    }
    found
}

#[test]
fn it_is_heard_until_the_run_is_over_and_its_secret_is_nowhere_else() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("4s"));
    let said = ended(place.start());
    assert_eq!(said.code, Some(0), "{said:#?}");
    let states = ear.states();
    let (last, before) = states.split_last().unwrap();
    assert_eq!(*last, ("completed".to_owned(), true));
    assert!((3..=6).contains(&before.len()), "{states:?}");
    assert!(before.iter().all(|beat| *beat == ("running".to_owned(), false)), "{states:?}");
    let heard = ear.heard.lock().unwrap();
    let status: Json =
        serde_json::from_str(&place.say(&["status", "latest", "--output", "json"]).stdout).unwrap();
    for (line, body) in &*heard {
        assert_eq!(*line, format!("POST /ping/{SECRET} HTTP/1.1"));
        assert_eq!((&body["run"], &body["plan"]), (&status["run"], &"lives".into()));
    }
    assert!(!said.stdout.contains(SECRET) && !said.stderr.contains(SECRET), "{said:#?}");
    assert!(!said.stderr.contains("the heartbeat"), "{said:#?}");
    let kept = all_of(&place.0.path().join("state"));
    assert!(!kept.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
}

#[test]
fn it_is_heard_while_the_run_waits_for_people() {
    let ear = Ear::open(Some("204 No Content"));
    let place = Place::new(ear.port, "- { id: go, uses: approve, with: { message: Go?, expires: 30m } }");
    let child = place.start();
    ear.until(3);
    assert_eq!(ear.states().last(), Some(&("running".to_owned(), false)));
    let paused = place.say(&["pause", "latest"]);
    assert_eq!(paused.code, Some(0), "{paused:#?}");
    within(10, || ear.states().last() == Some(&("paused".to_owned(), false)), "it is not heard while paused");
    let times = ear.times();
    ear.until(times + 3);
    for words in [&["continue", "latest"][..], &["approve", "go"]] {
        let told = place.say(words);
        assert_eq!(told.code, Some(0), "{words:?} {told:#?}");
    }
    let said = ended(child);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(ear.states().last(), Some(&("completed".to_owned(), true)));
}

#[test]
fn after_kill_9_it_is_silent_until_somebody_resumes() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("12s"));
    let mut child = place.start();
    ear.until(3);
    child.kill().unwrap();
    child.wait().unwrap();
    // What was on its way.
    ear.in_the_next(Duration::from_millis(200));
    assert_eq!(ear.in_the_next(EVERY * 4), 0);
    let said = place.say(&["resume", "latest"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(ear.states().last(), Some(&("completed".to_owned(), true)));
}

#[test]
fn while_the_tool_is_stopped_it_is_silent() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("10s"));
    let child = place.start();
    ear.until(3);
    kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
    ear.in_the_next(Duration::from_millis(200));
    let stopped = ear.in_the_next(EVERY * 4);
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    assert_eq!(stopped, 0);
    // Not all that were missed, at once.
    let after = ear.in_the_next(EVERY * 2);
    assert!((1..=3).contains(&after), "{after} beats in two seconds");
    let said = ended(child);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn ctrl_c_ends_it_with_a_word() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("5m"));
    let child = place.start();
    ear.until(2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said = ended(child);
    assert_eq!(said.code, Some(130), "{said:#?}");
    assert_eq!(ear.states().last(), Some(&("paused".to_owned(), true)));
    assert_eq!(ear.in_the_next(EVERY * 2), 0);
}

#[test]
fn who_listens_may_go_and_come_back_and_the_run_goes_on() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("14s"));
    let child = place.start();
    ear.until(2);
    ear.close();
    std::thread::sleep(EVERY * 4);
    ear.listen(Some("200 OK"));
    let times = ear.times();
    ear.until(times + 2);
    let said = ended(child);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let told = |text: &str| said.stderr.matches(text).count();
    let fails =
        format!("the heartbeat does not get through: POST http://127.0.0.1:{}: cannot connect", ear.port);
    assert_eq!(told(&fails), 1, "{said:#?}");
    assert_eq!(told("the heartbeat gets through again"), 1, "{said:#?}");
    assert!(!said.stderr.contains(SECRET), "{said:#?}");
    assert_eq!(ear.states().last(), Some(&("completed".to_owned(), true)));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a listener must not hold up a run")]
fn who_listens_badly_holds_up_nothing() {
    for (answer, why) in [
        (Some("503 Service Unavailable"), "the answer is 503"),
        (Some("301 Moved Permanently"), "the answer is 301"),
        (None, "no answer within 1s"),
    ] {
        let ear = Ear::open(answer);
        let place = Place::new(ear.port, &wait("3s"));
        let begun = Instant::now();
        let said = ended(place.start());
        assert_eq!(said.code, Some(0), "{why}: {said:#?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{why}: {:?}", begun.elapsed());
        let told =
            format!("the heartbeat does not get through: {why}; the run goes on, and this is said once");
        let wide = said.stderr.matches("does not get through").count();
        assert!(wide == 1 && (said.stderr.contains(&told) || answer.is_none()), "{why}: {said:#?}");
        assert!(ear.times() >= 3, "{why}: {:?}", ear.states());
    }
}

#[test]
fn what_is_only_played_or_looked_at_is_not_heard() {
    let ear = Ear::open(Some("200 OK"));
    let place = Place::new(ear.port, &wait("3s"));
    let plan = place.plan();
    for words in [
        &["preview", &*plan][..],
        &["rehearse", &plan],
        &["run", &plan, "--sandbox", "--world", "plans/worlds/aep.yaml", "--time", "1x", "--no-traffic"],
    ] {
        let said = place.say(words);
        assert_eq!(said.code, Some(0), "{words:?} {said:#?}");
    }
    assert_eq!(ear.states(), []);
}
