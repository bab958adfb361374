//! What the programs of the world answer: a small application with pages, health and scans, well or badly behaved.
//!
//! A function of the request, the image's behaviour and the time; no sockets.

use super::compute::{Phase, Task};
use super::file::{App, Behaviour, Dependency, StatedAnswer};
use super::world::World;
use crate::plan::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a program keeps in mind.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Requests so far, health checks apart.
    asked: u64,
    /// The minute that is being counted, and how many came in it.
    minute: (u64, u32),
    /// Fractions of failures, added up: the next whole one fails.
    owed: f64,
}

/// A scan: queued, then running, then done. All backends see all of them: they share a database.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// When it was asked for.
    pub(super) created: Timestamp,
    /// It ends as failed.
    pub(super) fails: bool,
    /// What is scanned.
    target: String,
}

/// What a program answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200.
    pub status: u16,
    /// `application/json`.
    pub kind: &'static str,
    /// The body.
    pub body: String,
    /// How long it takes.
    pub takes: Duration,
}

/// The path at which a program says whether it is ready.
const READY: &str = "/health/ready";
const QUEUED: Duration = Duration::from_secs(3);
/// How old a scan is when it is over.
pub(super) const RUNNING: Duration = Duration::from_secs(9);

impl World {
    /// What a task answers.
    pub fn answer(&mut self, task: &str, method: &str, path: &str, body: &[u8], now: Timestamp) -> Reply {
        let Some(found) = self.tasks.get_mut(task) else {
            return json_reply(503, json!({"error": "gone"}));
        };
        let behaviour = self.images.get(found.image()).cloned().unwrap_or_default();
        let health = path.starts_with("/health/");
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let stated = behaviour.answers.iter().find(|answer| answer.fits(method, path));
        let mut reply = if health {
            let own = health_reply(&behaviour, found, path, now);
            // One that is not well does not say what is stated.
            stated.filter(|_| own.status == 200).map_or(own, stated_reply)
        } else if found.app.fails(&behaviour, now) {
            json_reply(500, json!({"error": "internal error"}))
        } else if let Some(stated) = stated {
            stated_reply(stated)
        } else if behaviour.app == App::Stated {
            json_reply(404, json!({"error": "not found"}))
        } else if behaviour.app == App::Frontend {
            page(path, found.image())
        } else {
            self.scan_reply(&behaviour, method, path, body, now)
        };
        if !health {
            reply.takes = behaviour.latency.map_or(Duration::ZERO, |span| span.0);
        }
        reply
    }

    /// Whether a target would pass a check now: for virtual time.
    pub(super) fn would_pass(&self, task: &str, path: &str, now: Timestamp) -> bool {
        let Some(task) = self.tasks.get(task).filter(|task| task.listens()) else { return false };
        let how = self.images.get(task.image()).cloned().unwrap_or_default();
        path != READY || readiness(&how, task, now).is_well()
    }

    /// Whether it passes now, and will for as long as it runs and its image behaves as it does.
    pub(super) fn stays_well(&self, task: &str, path: &str, now: Timestamp) -> bool {
        let Some(task) = self.tasks.get(task) else { return false };
        let how = self.images.get(task.image()).cloned().unwrap_or_default();
        let checked = path == READY;
        task.listens()
            && matches!(task.phase, Phase::Running(None))
            && !(checked && how.overload.is_some())
            && (!checked || readiness(&how, task, now).is_well())
    }

    fn scan_reply(
        &mut self,
        how: &Behaviour,
        method: &str,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Reply {
        if path == "/" || path == "/api" {
            return json_reply(200, json!({"name": "AEP"}));
        }
        let Some(rest) = path.strip_prefix("/api/scans") else {
            return json_reply(404, json!({"error": "not found"}));
        };
        let id = rest.trim_start_matches('/').to_owned();
        match (method, id.is_empty()) {
            ("POST", true) => {
                let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                let target = asked["target"].as_str().unwrap_or_default().to_owned();
                let id = format!("scan-{}", self.scans.len() + self.scans_gone + 1);
                self.scans.insert(id.clone(), Scan { created: now, fails: how.scans_fail, target });
                json_reply(201, json!({"id": id, "state": "queued"}))
            }
            ("GET", true) => json_reply(200, json!({"scans": self.scans.len()})),
            ("GET", false) => match self.scans.get(&id) {
                Some(scan) => json_reply(200, scan.describe(&id, now)),
                None => json_reply(404, json!({"error": "no such scan"})),
            },
            ("DELETE", false) => match self.scans.remove(&id) {
                Some(_) => {
                    self.scans_gone += 1;
                    Reply { status: 204, kind: "text/plain", body: String::new(), takes: Duration::ZERO }
                }
                None => json_reply(404, json!({"error": "no such scan"})),
            },
            _ => json_reply(405, json!({"error": "method not allowed"})),
        }
    }
}

/// Requests for a path that come at a task in one moment, seen by whoever sent them: the status of those that it answers
/// well, how long answers take, and how many of them fail.
pub(super) fn bear(
    task: &mut Task,
    images: &BTreeMap<String, Behaviour>,
    path: &str,
    requests: u64,
    now: Timestamp,
) -> (u16, Duration, u64) {
    let how = images.get(task.image()).cloned().unwrap_or_default();
    if path.starts_with("/health/") {
        let well = path != READY || readiness(&how, task, now).is_well();
        return (if well { 200 } else { 503 }, Duration::ZERO, 0);
    }
    let failed = task.app.fail_of(&how, requests, now);
    let scans = || path.strip_prefix("/api/scans").is_some_and(|rest| rest.trim_matches('/').is_empty());
    let stated = how.answers.iter().find(|answer| answer.fits("GET", path));
    let known = match how.app {
        App::Stated => stated.is_some_and(|answer| answer.status < 400),
        App::Frontend => matches!(path, "/" | "/index.html"),
        App::Backend | App::Job => matches!(path, "/" | "/api") || scans(),
    };
    let takes = how.latency.map_or(Duration::ZERO, |span| span.0);
    (if known { 200 } else { 404 }, takes, failed)
}

impl Memory {
    /// Whether more came in this minute than it can bear.
    fn overloaded(&self, how: &Behaviour, now: Timestamp) -> bool {
        let same = self.minute.0 == super::balancer::minute(now);
        same && how.overload.is_some_and(|o| self.minute.1 > o.per_minute)
    }

    /// Whether the next request fails: exactly the stated part of them, evenly spread.
    fn fails(&mut self, how: &Behaviour, now: Timestamp) -> bool {
        self.fail_of(how, 1, now) > 0
    }

    /// How many of the next requests fail.
    fn fail_of(&mut self, how: &Behaviour, requests: u64, now: Timestamp) -> u64 {
        self.asked += requests;
        let minute = super::balancer::minute(now);
        let before = if self.minute.0 == minute { self.minute.1 } else { 0 };
        let after = before.saturating_add(u32::try_from(requests).unwrap_or(u32::MAX));
        self.minute = (minute, after);
        let borne = how.overload.map_or(after, |o| o.per_minute.clamp(before, after));
        let rate = how.error_rate.clamp(0.0, 1.0);
        let heavy = how.overload.map_or(rate, |o| o.error_rate.max(rate).min(1.0));
        self.owed += f64::from(borne - before) * rate + f64::from(after - borne) * heavy;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the requests")]
        let failed = self.owed.floor() as u64;
        self.owed -= self.owed.floor();
        failed
    }

    /// What decides which of the next requests fail.
    pub(super) fn tendency(&self, how: &Behaviour) -> (u64, u32) {
        let owed = if self.owed > 0.0 { self.owed.to_bits() } else { 0 };
        (owed, if how.overload.is_some() { self.minute.1 } else { 0 })
    }
}

impl Scan {
    fn describe(&self, id: &str, now: Timestamp) -> serde_json::Value {
        let age = now.since(self.created);
        let (state, findings) = match age {
            age if age < QUEUED => ("queued", json!([])),
            age if age < RUNNING => ("running", json!([])),
            _ if self.fails => ("failed", json!([])),
            _ => ("done", json!([{"id": "F-1", "severity": "low", "title": "missing security header"}])),
        };
        json!({"id": id, "target": self.target, "state": state, "findings": findings})
    }
}

/// Whether a program is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    Starting,
    Degraded,
}

impl Readiness {
    fn is_well(self) -> bool {
        self == Self::Ready
    }
}

fn readiness(how: &Behaviour, task: &Task, now: Timestamp) -> Readiness {
    let age = task.started.map_or(Duration::ZERO, |at| now.since(at));
    let easy = !task.app.overloaded(how, now);
    if how.ready_after.is_some_and(|span| age < span.0) {
        Readiness::Starting
    } else if how.database == Dependency::Ok && how.redis == Dependency::Ok && easy {
        Readiness::Ready
    } else {
        Readiness::Degraded
    }
}

fn health_reply(how: &Behaviour, task: &Task, path: &str, now: Timestamp) -> Reply {
    if path != READY {
        return json_reply(200, json!({"status": "alive"}));
    }
    let word = |d: Dependency| if d == Dependency::Ok { "ok" } else { "failing" };
    let ready = readiness(how, task, now);
    let status = match ready {
        Readiness::Ready => "ready",
        Readiness::Starting => "starting",
        Readiness::Degraded => "degraded",
    };
    let body =
        json!({"status": status, "checks": {"database": word(how.database), "redis": word(how.redis)}});
    json_reply(if ready.is_well() { 200 } else { 503 }, body)
}

fn page(path: &str, image: &str) -> Reply {
    if path == "/health/live" || path == "/" || path == "/index.html" {
        let build = image.rsplit(':').next().unwrap_or_default().chars().take(12).collect::<String>();
        let body = format!(
            "<!doctype html><html><head><title>AEP</title><meta name=\"build\" content=\"{build}\"></head>\
             <body><h1>AEP</h1></body></html>"
        );
        return Reply { status: 200, kind: "text/html", body, takes: Duration::ZERO };
    }
    Reply { status: 404, kind: "text/plain", body: "not found".into(), takes: Duration::ZERO }
}

fn stated_reply(stated: &StatedAnswer) -> Reply {
    let kind = if stated.body.starts_with(['{', '[']) { "application/json" } else { "text/html" };
    Reply { status: stated.status, kind, body: stated.body.clone(), takes: Duration::ZERO }
}

fn json_reply(status: u16, body: serde_json::Value) -> Reply {
    Reply { status, kind: "application/json", body: body.to_string(), takes: Duration::ZERO }
}
