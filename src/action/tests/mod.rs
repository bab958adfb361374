//! Stories of each kind of step, against a world in memory: what it does when all is well, and what it must not do when
//! somebody else was there, an answer was lost, or nobody can tell.

mod attributes;
mod blocked;
mod both_sides;
mod commands;
mod connections;
mod deploys;
mod flags;
mod left;
mod locks;
mod queries;
mod records;
mod requests;
mod resolvers;
mod restored;
mod samples;
mod scaling;
mod services;
mod sets;
mod shifts;
mod signals;
mod silence;
mod stages;
mod tasks;
mod traffic;
mod ttls;
mod updated;
mod weighted;
mod world;

use super::{AnyAction, Record, Registry, Toward, propose};
use crate::plan::{Data, Fields, Known, Problems, Span, Target, Value};
use crate::port::Stop;
use crate::run::{Fault, FaultKind, Landed, Look, Memo, Proposal, Told};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use world::World;

/// One step in one world, driven as the driver does.
struct Story {
    world: World,
    action: Arc<dyn AnyAction>,
    proposal: Option<Proposal>,
    note: Option<Memo>,
    since: crate::plan::Timestamp,
    round: u32,
    is_undone: bool,
}

/// What a plan with these targets knows.
fn known() -> Known {
    let target = |name: &str, kind: &str, with: Json| {
        Arc::new(Target { name: name.into(), kind: kind.into(), with: value(&with) })
    };
    let prod = target("prod", "aws", json!({"account": "123456789012", "region": "eu-west-1"}));
    let zone = target("zone", "route53", json!({"zone_id": "Z1", "name": "example.com", "aws": "prod"}));
    let token = "${{ secrets.token }}";
    let prom = target("prom", "prometheus", json!({"url": "https://prometheus.internal", "token": token}));
    let key = json!({"name": "switchover", "secret": "${{ secrets.tsig }}"});
    let with = json!({"server": "ns1.example.com:5353", "name": "example.com", "key": key});
    let updated = target("updated", "rfc2136", with);
    let other = json!({"zone_id": "Z1", "name": "example.org", "aws": "prod"});
    let misnamed = target("misnamed", "route53", other);
    let resolvers = ["https://dns.example/dns-query"];
    let asked = json!({"zone_id": "Z1", "name": "example.com", "aws": "prod", "resolvers": resolvers});
    let asked = target("asked", "route53", asked);
    let targets = vec![prod, zone, prom, updated, misnamed, asked];
    Known { targets, steps: vec!["switch".into()], ..Known::default() }
}

/// Reads `with`; the codes of what is wrong with it, errors and warnings.
fn codes(kind: &str, with: &Json) -> Vec<&'static str> {
    let (value, known, mut problems) = (value(with), known(), Problems::default());
    let _ = Registry.build(kind, &mut Fields::new(&value, &known, &mut problems));
    problems.as_slice().iter().map(|problem| problem.code.0).collect()
}

fn value(with: &Json) -> Value {
    let value = Value::from_json(with, Span::default());
    assert!(matches!(value.data, Data::Map(_)));
    value
}

impl Story {
    fn new(world: &World, kind: &str, with: &Json) -> Self {
        let (value, known, mut problems) = (value(with), known(), Problems::default());
        let action = Registry.build(kind, &mut Fields::new(&value, &known, &mut problems));
        let action = action.unwrap_or_else(|| panic!("{:?}", problems.as_slice()));
        Self::of(world, action)
    }

    fn of(world: &World, action: Arc<dyn AnyAction>) -> Self {
        let since = world.state().now;
        Self { world: world.clone(), action, proposal: None, note: None, since, round: 0, is_undone: true }
    }

    fn record(&self) -> Record {
        let prior = self.proposal.as_ref().unwrap().prior.clone();
        Record { prior, note: self.note.clone(), since: self.since, token: self.token().into() }
    }

    fn token(&self) -> String {
        format!("token-{}", self.round)
    }

    async fn plan(&mut self) -> Result<u32, Fault> {
        let proposal = propose(&*self.action, self.is_undone, &self.world.reads()).await?;
        let stages = proposal.stages;
        self.proposal = Some(proposal);
        self.since = self.world.state().now;
        Ok(stages)
    }

    /// Why something that its undo needs is gone.
    async fn way_back(&self) -> Option<String> {
        self.action.way_back(&self.world.reads(), &self.record().prior).await.unwrap()
    }

    /// What a preview tells of it.
    async fn told(&self) -> Result<Told, Fault> {
        let prior = &self.proposal.as_ref().unwrap().prior;
        self.action.told(&self.world.reads(), prior, self.is_undone).await
    }

    async fn apply(&mut self) -> Result<(), Fault> {
        let (token, stop) = (self.token(), Stop::default());
        let prior = self.proposal.as_ref().unwrap().prior.clone();
        self.note = self.action.apply(&self.world.writes(&token, &stop), 1, &prior).await?;
        self.since = self.world.state().now;
        Ok(())
    }

    async fn look(&mut self, toward: Toward) -> Result<Look, Fault> {
        let look = self.action.look(&self.world.reads(), toward, &self.record()).await?;
        if let Look::Moving { note: Some(note), .. } = &look {
            self.note = Some(note.clone());
        }
        Ok(look)
    }

    /// What comes of a look that breaks something: what it saw is recorded before what follows from it.
    async fn breaks(&mut self, toward: Toward) -> Result<Look, Fault> {
        let looked = self.look(toward).await;
        assert!(matches!(looked, Ok(Look::Moving { again: Duration::ZERO, note: Some(_) })), "{looked:?}");
        self.look(toward).await
    }

    fn forward(&self) -> Toward {
        Toward::Desired(self.proposal.as_ref().unwrap().stages.min(1))
    }

    /// Looks as the driver does, until it has arrived, at most as long as it proposed.
    async fn until_there(&mut self, toward: Toward) -> Result<Look, Fault> {
        let until = self.since.after(self.proposal.as_ref().unwrap().within);
        loop {
            match self.look(toward).await? {
                Look::Moving { again, .. } if self.world.state().now < until => self.world.pass(again),
                Look::Moving { .. } => return Err(Fault::permanent("not there in time")),
                look => return Ok(look),
            }
        }
    }

    async fn arrive(&mut self) -> Result<Json, Fault> {
        match self.until_there(self.forward()).await? {
            Look::Desired { out } => Ok(serde_json::from_str(&out).unwrap()),
            look => Err(Fault::permanent(format!("{look:?}"))),
        }
    }

    /// All of the way forward.
    async fn done(&mut self) -> Json {
        if self.plan().await.unwrap() > 0 {
            self.apply().await.unwrap();
        }
        self.arrive().await.unwrap()
    }

    async fn undo(&mut self) -> Result<(), Fault> {
        let (token, stop) = (format!("undo-{}", self.round), Stop::default());
        let record = self.record();
        self.note = self.action.undo(&self.world.writes(&token, &stop), &record).await?;
        self.since = self.world.state().now;
        Ok(())
    }

    async fn restored(&mut self) -> Result<(), Fault> {
        match self.until_there(Toward::Prior).await? {
            Look::Prior => Ok(()),
            look => Err(Fault::permanent(format!("{look:?}"))),
        }
    }

    fn writes(&self) -> Vec<String> {
        self.world.state().writes.clone()
    }

    fn waited(&self, since: crate::plan::Timestamp) -> Duration {
        self.world.state().now.since(since)
    }
}

fn is_foreign<T: std::fmt::Debug>(result: Result<T, Fault>, words: &[&str]) {
    let fault = result.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Foreign, Landed::No), "{fault}");
    for word in words {
        assert!(fault.message.contains(word), "`{word}` is not in: {fault}");
    }
}

fn fails<T: std::fmt::Debug>(result: Result<T, Fault>, kind: FaultKind, words: &[&str]) {
    let fault = result.unwrap_err();
    assert_eq!(fault.kind, kind, "{fault}");
    for word in words {
        assert!(fault.message.contains(word), "`{word}` is not in: {fault}");
    }
}

#[test]
fn a_name_is_locked_as_it_is_whatever_plans_call_it() {
    let resources = |target: &str, record: &str| {
        let with = value(&json!({"zone_id": "Z1", "name": "example.com", "aws": "prod"}));
        let zone = Arc::new(Target { name: target.into(), kind: "route53".into(), with });
        let known = Known { targets: vec![zone], ..Known::default() };
        let with = value(&json!({"target": target, "record": record, "ttl": "60s"}));
        let mut problems = Problems::default();
        Registry.build("dns.ttl", &mut Fields::new(&with, &known, &mut problems)).unwrap().traits().resources
    };
    assert_eq!(resources("zone", "app"), ["dns:Z1/app.example.com"]);
    assert_eq!(resources("ours", "App.example.com."), resources("zone", "app"));
}
