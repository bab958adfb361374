//! The sandbox's own interface: how it is reached, what the run tells it, what its users saw, and scripted faults.

use super::serve::{Answer, answer};
use super::shared::Shared;
use crate::port::Wiring;
use crate::sim::FaultRule;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::{Arc, PoisonError};

/// What the run tells of a step.
#[derive(Debug, Deserialize)]
struct Told {
    step: String,
    event: String,
}

/// Answers one request to the interface.
pub(super) fn handle(shared: &Arc<Shared>, wiring: &Wiring, request: &Request<Bytes>) -> Answer {
    shared.touch();
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let outcome = match (request.method().as_str(), path.as_str()) {
        ("GET", "/wiring") => Ok(json!(wiring)),
        ("GET", "/report") => {
            Ok(json!(*shared.users.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        ("GET", "/state") => Ok(shared.look(|world, _| world.state())),
        ("GET", "/world") => Ok(shared.look(|world, now| {
            json!({"name": world.name, "summary": world.summary, "verdict": world.verdict, "now": now})
        })),
        ("GET", "/faults") => Ok(faults(shared)),
        ("GET", "/calls") => Ok(calls(shared)),
        ("POST", "/events") => told(shared, request.body()),
        ("POST", "/faults") => add_fault(shared, request.body()),
        ("DELETE", _) if path.starts_with("/faults") => {
            let id = path.strip_prefix("/faults/").map(str::parse::<u64>);
            match id {
                Some(Err(_)) => Err((404, "a fault is named by its number".into())),
                one => {
                    shared.look(|world, _| world.faults.remove(one.and_then(Result::ok)));
                    shared.released.notify_waiters();
                    Ok(faults(shared))
                }
            }
        }
        ("POST", "/stop") => {
            let stop = shared.stop.clone();
            // The answer goes out first.
            tokio::spawn(async move {
                super::clock::wait(std::time::Duration::from_millis(20)).await;
                stop.cancel();
            });
            Ok(json!({"stopping": true}))
        }
        (method, path) => Err((404, format!("there is no {method} {path} here"))),
    };
    match outcome {
        Ok(body) => answer(200, "application/json", body.to_string()),
        Err((status, message)) => answer(status, "application/json", json!({"error": message}).to_string()),
    }
}

type Outcome = Result<Json, (u16, String)>;

fn told(shared: &Shared, body: &[u8]) -> Outcome {
    let told: Vec<Told> = serde_json::from_slice(body).map_err(|e| (400, e.to_string()))?;
    let mut done = Ok(json!({"told": true}));
    for Told { step, event } in told {
        // What it refuses of one it still does for the next.
        if let Err(refusal) = shared.change(|world, now| world.told(&step, &event, now)) {
            done = Err((409, refusal.message));
        }
    }
    done
}

fn add_fault(shared: &Shared, body: &[u8]) -> Outcome {
    let rule: FaultRule = serde_json::from_slice(body).map_err(|e| (400, e.to_string()))?;
    let at_once =
        rule.kind == crate::sim::FaultKind::Change && rule.service.is_empty() && rule.operation.is_empty();
    if let Some(deed) = rule.change.clone().filter(|_| at_once) {
        let done = shared.change(|world, now| world.perform(*deed, now));
        return done.map(|()| json!({"done": true})).map_err(|refusal| (409, refusal.message));
    }
    Ok(json!({"id": shared.look(|world, _| world.faults.add(rule))}))
}

fn faults(shared: &Shared) -> Json {
    shared.look(|world, _| {
        let list = world.faults.all().iter().map(|fault| {
            json!({
                "id": fault.id, "kind": fault.rule.kind, "service": fault.rule.service,
                "operation": fault.rule.operation, "seen": fault.seen, "met": fault.met,
                "holding": fault.holding,
            })
        });
        json!({"faults": list.collect::<Vec<_>>()})
    })
}

fn calls(shared: &Shared) -> Json {
    shared.look(|world, _| {
        let list = world.faults.calls().iter().map(|((service, operation), calls)| {
            json!({
                "service": service, "operation": operation, "came": calls.came, "answered": calls.answered,
            })
        });
        json!({"calls": list.collect::<Vec<_>>()})
    })
}
