//! What the world must keep, by area. All in virtual time: no sockets, no waiting.

mod commands;
mod compute;
mod derived;
mod forks;
mod health;
mod logs;
mod names;
mod rules;
mod stages;
mod strikes;
mod users;
mod worlds;
mod zones;

use super::{World, WorldFile};
use crate::plan::Timestamp;
use std::time::Duration;

/// When worlds begin here: a whole minute.
const START: Timestamp = Timestamp(1_800_000_000_000);

fn world(text: &str) -> World {
    let file = WorldFile::read(text, "test", &|_| None).unwrap();
    World::new(file, "test", START, 77).unwrap()
}

fn after(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

/// A zone with one CNAME and one A, and a load balancer.
const ZONE: &str = r#"
world: v1
account: "123456789012"
dns:
  insync_after: 30s
  name_servers: { ns-1.example.net: 0s, ns-2.example.net: 10s }
zones:
  example.com:
    id: Z1
    records:
      - { name: app, type: CNAME, ttl: 300, values: [old.eu-west-1.elb.amazonaws.com] }
      - { name: api, type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2] }
load_balancers:
  old: { dns_name: old.eu-west-1.elb.amazonaws.com }
  new: { dns_name: new.eu-west-1.elb.amazonaws.com }
"#;

/// A service with two tasks behind a load balancer, and images that behave.
const SERVICE: &str = r#"
world: v1
account: "123456789012"
load_balancers: { front: {} }
images:
  web@sha256:good: { app: backend }
  web@sha256:next: { app: backend }
  web@sha256:crash: { app: backend, crashes_after: 3s }
  web@sha256:sick: { app: backend, database: failing }
  web@sha256:late: { app: backend, ready_after: 60s }
  web@sha256:shaky: { app: backend, error_rate: 0.25 }
  web@sha256:weak: { app: backend, overload: { per_minute: 5, error_rate: 1.0 } }
  job@sha256:fine: { app: job, runs_for: 10s }
  job@sha256:bad: { app: job, runs_for: 10s, exit_code: 3 }
task_definitions:
  web: { containers: { web: { image: web@sha256:good, port: 8080 } } }
  job: { containers: { job: { image: job@sha256:fine } } }
  bad-job: { containers: { job: { image: job@sha256:bad } } }
clusters:
  main:
    web: { task_definition: web, desired: 2, load_balancer: front, check: { path: /health/ready }, grace: 30s }
"#;
