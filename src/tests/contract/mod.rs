//! The contract of the ports: one suite, held by the world in memory and by the adapters over the sandbox, with real
//! sockets and real wire protocols. What concerns AWS is held by the adapters over emulators of others, too. What the
//! answers of AWS itself look like is held in `adapter/aws/tests`.

mod alarms;
mod attributes;
mod budgets;
mod capacity;
mod compute;
mod dns;
mod emulators;
mod files;
mod health_checks;
mod images;
mod inventory;
mod logs;
mod metrics;
mod named;
mod parameters;
mod permissions;
mod private;
mod queries;
mod refusals;
mod rules;
mod scaling;
pub(crate) mod servers;
mod signals;
mod stages;
mod traffic;
mod updates;
mod zones;

use crate::adapter::{Budgets, Supervision, SystemClock, World};
use crate::plan::{Plan, Policy, Span, Target, Timestamp, Value};
use crate::port::{Caller, ReadInventory, Request, Wiring, WriteWorld};
use crate::run::{Fault, FaultKind, Landed};
use crate::sandbox::{Options, Sandbox, shipped, start};
use crate::sim::{FaultRule, Ports, WorldFile};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A world under test, whichever it is.
pub(crate) struct Place {
    pub(crate) world: Arc<dyn WriteWorld>,
    behind: Behind,
    /// How adapters reach it, where that is by sockets of AWS.
    wiring: Option<Wiring>,
}

enum Behind {
    Memory(Arc<Ports>),
    Sandbox(Sandbox),
    Server(servers::Server),
    Emulator(Arc<emulators::Stage>),
}

impl Place {
    /// Puts a fault in its way.
    pub(crate) async fn fault(&self, rule: Json) {
        match &self.behind {
            Behind::Memory(ports) => {
                let rule: FaultRule = serde_json::from_value(rule).unwrap();
                ports.look(|world, _| world.faults.add(rule));
            }
            Behind::Server(server) => server.fault(rule),
            Behind::Emulator(stage) => stage.fault(serde_json::from_value(rule).unwrap()),
            Behind::Sandbox(sandbox) => {
                let request = Request {
                    method: "POST".into(),
                    url: format!("{}/faults", sandbox.wiring().control),
                    body: Some(rule.to_string().into()),
                    ..get("")
                };
                let answer = self.world.send_http().send(request).await.unwrap();
                assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            }
        }
    }

    /// What is in the account that its credentials are of.
    async fn inventory(&self) -> Result<(Caller, Arc<dyn ReadInventory>), Fault> {
        let wiring = self.wiring.as_ref().unwrap();
        let clock = Arc::new(SystemClock::scaled(wiring.time));
        crate::adapter::inventory(None, None, clock, Some(wiring), &Budgets::default()).await
    }

    /// Whose account the target `prod` is.
    fn account(&self) -> &str {
        match &self.behind {
            Behind::Emulator(stage) => stage.account(),
            _ => ACCOUNT,
        }
    }

    /// Looks until it is so, at most for so long of the world's time. What an emulator comes to, it comes to at once.
    async fn until<F: Future<Output = bool>>(&self, look: impl Fn() -> F) {
        let clock = self.world.clock();
        let patience = match &self.behind {
            Behind::Emulator(_) => Duration::from_mins(10),
            _ => Duration::from_hours(24),
        };
        let limit = clock.now().after(patience);
        while !look().await {
            assert!(clock.now() < limit, "it never came");
            clock.sleep_until(clock.now().after(Duration::from_secs(5))).await;
        }
    }
}

/// Of the shipped world.
const ACCOUNT: &str = "123456789012";
const ZONE: &str = "Z0123456789ABC";
/// A private one of the same name, in worlds that have it.
const INSIDE: &str = "Z0123456789ABP";

fn targets(account: &str, zone: &str) -> Vec<Arc<Target>> {
    let target = |name: &str, kind: &str, with| {
        let with = Value::from_json(&with, Span::default());
        Arc::new(Target { name: name.into(), kind: kind.into(), with })
    };
    let zone = json!({"zone_id": zone, "name": "navralabs.com", "aws": "prod"});
    let asked = |zone: &Json| {
        let mut zone = zone.clone();
        zone["resolvers"] = json!(["https://dns.example/dns-query"]);
        zone
    };
    let inside = asked(&json!({"zone_id": INSIDE, "name": "navralabs.com", "aws": "prod"}));
    vec![
        target("prod", "aws", json!({"account": account, "region": "eu-west-1"})),
        target("other", "aws", json!({"account": "210987654321", "region": "eu-west-1"})),
        target("asked", "route53", asked(&zone)),
        target("zone", "route53", zone),
        target("inside", "route53", inside),
        target("prom", "prometheus", json!({"url": "https://prometheus.internal"})),
        target("updated", "rfc2136", json!({"server": "ns1.example.test", "name": "example.test"})),
    ]
}

/// What holds in a world in memory.
fn in_memory(text: &str, contract: impl AsyncFnOnce(&Place)) {
    let file = WorldFile::read(text, "aep.yaml", &|_| None).unwrap();
    let world = crate::sim::World::new(file, "aep", Timestamp(1_800_000_000_000), 77).unwrap();
    let ports = Arc::new(Ports::new(world, targets(ACCOUNT, ZONE)));
    let place = Place { world: ports.clone(), behind: Behind::Memory(ports.clone()), wiring: None };
    ports.virtual_clock().drive(contract(&place)).unwrap();
}

/// What holds of the adapters, over a sandbox.
async fn in_sandbox(text: &str, contract: impl AsyncFnOnce(&Place)) {
    let options = Options { scale: Some(600), traffic: false, ..Options::default() };
    let sandbox = start(text, "aep.yaml", options).await.unwrap();
    let plan = Plan { targets: targets(ACCOUNT, ZONE), ..plan() };
    let wiring = Some(sandbox.wiring().clone());
    let world =
        Arc::new(World::connect(&plan, Path::new(""), wiring.clone(), nowhere(), &Budgets::default()));
    contract(&Place { world, behind: Behind::Sandbox(sandbox), wiring }).await;
}

/// A plan of nothing.
fn plan() -> Plan {
    Plan {
        name: "p".into(),
        summary: None,
        owner: None,
        production: false,
        steps: Vec::new(),
        pools: Vec::new(),
        guards: Vec::new(),
        targets: Vec::new(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy: Policy::default(),
    }
}

/// Where nothing is ever started.
fn nowhere() -> Supervision {
    Supervision { program: "/nonexistent".into(), traces: "/nonexistent".into(), withheld: &[] }
}

/// Each contract is one test in memory and one in the sandbox: in the world that is shipped, or in a changed one.
macro_rules! held_by_both {
    ($($contract:ident $(in $text:ident)?),* $(,)?) => {
        crate::tests::contract::held_in_sandbox!($($contract $(in $text)?),*);

        mod in_memory {
            $(#[test]
            fn $contract() {
                let text = crate::tests::contract::world_text(&[$(super::$text)?]);
                crate::tests::contract::in_memory(&text, super::$contract);
            })*
        }
    };
}
use held_by_both;

macro_rules! held_in_sandbox {
    ($($contract:ident $(in $text:ident)?),* $(,)?) => {
        mod in_sandbox {
            $(#[tokio::test]
            async fn $contract() {
                let text = crate::tests::contract::world_text(&[$(super::$text)?]);
                crate::tests::contract::in_sandbox(&text, super::$contract).await;
            })*
        }
    };
}
use held_in_sandbox;

/// One in memory, one in the sandbox, and one over each emulator of AWS, in which these parts of that world are made.
macro_rules! held_everywhere {
    ($($part:ident)+; $($contract:ident $(in $text:ident)?),* $(,)?) => {
        crate::tests::contract::held_by_both!($($contract $(in $text)?),*);
        crate::tests::contract::held_over_emulators!($($part)+; $($contract $(in $text)?),*);
    };
}
use held_everywhere;

/// The same of what worlds in memory do not have.
macro_rules! held_by_adapters {
    ($($part:ident)+; $($contract:ident $(in $text:ident)?),* $(,)?) => {
        crate::tests::contract::held_in_sandbox!($($contract $(in $text)?),*);
        crate::tests::contract::held_over_emulators!($($part)+; $($contract $(in $text)?),*);
    };
}
use held_by_adapters;

/// Of zones that are updated: one in memory, one in the sandbox, and one over each name server that people run.
macro_rules! held_by_primaries {
    ($($contract:ident),* $(,)?) => {
        use crate::tests::contract::servers::with_zone;
        crate::tests::contract::held_by_both!($($contract in with_zone),*);

        mod on_bind {
            use crate::tests::contract::servers::{Brand, on_server};
            $(#[tokio::test]
            async fn $contract() {
                on_server(Brand::Bind, super::$contract).await;
            })*
        }
        mod on_knot {
            use crate::tests::contract::servers::{Brand, on_server};
            $(#[tokio::test]
            async fn $contract() {
                on_server(Brand::Knot, super::$contract).await;
            })*
        }
    };
}
use held_by_primaries;

macro_rules! held_over_emulators {
    ($($part:ident)+; $($contract:ident $(in $text:ident)?),* $(,)?) => {
        /// Their names.
        pub(in crate::tests::contract) const CONTRACTS: &[&str] = &[$(stringify!($contract)),*];
        const PARTS: &[crate::tests::contract::emulators::Part] =
            &[$(crate::tests::contract::emulators::Part::$part),+];

        mod on_moto {
            use crate::tests::contract::{emulators, world_text};
            $(#[test]
            fn $contract() {
                let (emulator, text) = (emulators::Emulator::Moto, world_text(&[$(super::$text)?]));
                emulators::holds(emulator, (&text, super::PARTS), stringify!($contract), super::$contract);
            })*
        }
        mod on_ministack {
            use crate::tests::contract::{emulators, world_text};
            $(#[test]
            fn $contract() {
                let (emulator, text) = (emulators::Emulator::Ministack, world_text(&[$(super::$text)?]));
                emulators::holds(emulator, (&text, super::PARTS), stringify!($contract), super::$contract);
            })*
        }
    };
}
use held_over_emulators;

/// The shipped world, or what a change makes of it.
fn world_text(changes: &[fn(&str) -> String]) -> String {
    changes.iter().fold(shipped("aep").unwrap().to_owned(), |text, change| change(&text))
}

fn get(url: &str) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        connect_to: None,
        timeout: Duration::from_secs(10),
    }
}

/// What a fault is worth.
fn worth(fault: &Fault) -> (FaultKind, Landed) {
    (fault.kind, fault.landed)
}
