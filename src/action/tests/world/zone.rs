//! The zone of a world in memory: its listing, name servers that lag behind it, and a public resolver that keeps answers.

use super::{State, World};
use crate::plan::Timestamp;
use crate::port::dns::{
    AskResolver, Authority, ChangeId, ChangeStatus, Checkers, HealthCheck, Name, RecordChange, RecordSet,
    RecordType, Served, Zone,
};
use crate::port::{ReadDns, WriteDns};
use crate::run::Fault;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A resolver that keeps what it is told.
#[derive(Default)]
pub(in crate::action::tests) struct Resolver {
    /// By name and type, with the moment at which it was told.
    pub(in crate::action::tests) kept: BTreeMap<(Name, RecordType), (Timestamp, Served)>,
    /// It gives no evidence, and this is why.
    pub(in crate::action::tests) fails: Option<Fault>,
}

/// A health check that so many of fifteen checkers call healthy.
pub(in crate::action::tests) fn checked(well: usize) -> HealthCheck {
    let (disabled, inverted) = (false, false);
    HealthCheck {
        asks: "https://old.example/health".into(),
        disabled,
        inverted,
        checkers: Checkers::Counted { well, of: 15 },
    }
}

#[async_trait]
impl ReadDns for World {
    async fn zone(&self) -> Result<Zone, Fault> {
        let private = self.state().private;
        Ok(Zone {
            id: "Z1".into(),
            name: Name::new("example.com"),
            name_servers: vec![Name::new("ns0.example"), Name::new("ns1.example")],
            private,
            accelerated: (!private).then_some(false),
        })
    }
    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault> {
        drop(self.asked()?);
        Ok(self.listed().into_iter().filter(|set| set.name == *name).collect())
    }
    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault> {
        let state = self.state();
        if state.forgetful {
            return Ok(ChangeStatus::Unknown);
        }
        let sent = state.changes[change.0.parse::<usize>().unwrap()];
        let there = state.now >= sent.after(state.insync_after);
        Ok(if there { ChangeStatus::Insync } else { ChangeStatus::Pending })
    }
    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, Fault> {
        let stated = self.state().health_checks.get(id).cloned();
        stated.unwrap_or_else(|| Ok(Some(checked(15))))
    }
    async fn delegation(&self) -> Result<Vec<Name>, Fault> {
        self.zone().await?.must_be_public(self.state().resolver.is_some())?;
        let state = self.state();
        if state.blocked {
            return Err(Fault::blind("no answer from the root"));
        }
        Ok(state.delegation.clone())
    }
    async fn authorities(&self) -> Result<Vec<Authority>, Fault> {
        self.zone().await?.must_be_public(self.state().resolver.is_some())?;
        let count = self.state().lags.len();
        let one = |n: usize| Authority {
            name: Name::new(&format!("ns{n}.example")),
            address: ([127, 0, 0, u8::try_from(n).unwrap() + 1], 53).into(),
        };
        Ok((0..count).map(one).collect())
    }
    async fn ask(&self, authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        let state = self.state();
        let IpAddr::V4(ip) = authority.address.ip() else { unreachable!() };
        let number = usize::from(ip.octets()[3] - 1);
        if state.blocked || state.silent == Some(number) {
            return Err(Fault::blind(format!("no answer from name server {}", authority.name)));
        }
        Ok(state.said(number, name, kind))
    }
    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        let found = self.state().addresses.get(name).cloned();
        found.ok_or_else(|| Fault::blind(format!("{name} has no address")))
    }
    fn resolvers(&self) -> Vec<Arc<dyn AskResolver>> {
        let known = self.state().resolver.is_some();
        known.then(|| -> Arc<dyn AskResolver> { Arc::new(self.clone()) }).into_iter().collect()
    }
    async fn stand_ins(&self) -> Result<Vec<Arc<dyn AskResolver>>, Fault> {
        let state = self.state();
        match (state.blocked || state.private, &state.resolver) {
            (false, _) => Ok(Vec::new()),
            (true, None) => Err(Fault::blind("no name server answers anything, and no resolver is named")),
            (true, Some(_)) => Ok(vec![Arc::new(self.clone())]),
        }
    }
}

/// It asks the first name server, and keeps what that says for as long as it may.
#[async_trait]
impl AskResolver for World {
    fn url(&self) -> &'static str {
        "https://dns.example/dns-query"
    }
    async fn ask(&self, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        let mut state = self.state();
        let resolver = state.resolver.as_ref().unwrap();
        if let Some(fault) = &resolver.fails {
            return Err(fault.clone());
        }
        let (key, now) = ((name.clone(), kind.clone()), state.now);
        let lasts = |served: &Served| served.ttl.max(served.negative_ttl.unwrap_or_default());
        let kept = resolver.kept.get(&key).cloned();
        let (since, served) = match kept.filter(|(since, served)| now < since.after(lasts(served))) {
            Some(kept) => kept,
            None if kind.0 == "NS" => {
                let values = state.delegation.iter().map(ToString::to_string).collect();
                let ttl = Duration::from_hours(48);
                (now, Served { authoritative: true, values, ttl, negative_ttl: None })
            }
            None => (now, state.said(0, name, kind)),
        };
        state.resolver.as_mut().unwrap().kept.insert(key, (since, served.clone()));
        let gone = now.since(since);
        let (ttl, negative_ttl) =
            (served.ttl.saturating_sub(gone), served.negative_ttl.map(|ttl| ttl.saturating_sub(gone)));
        Ok(Served { authoritative: false, ttl, negative_ttl, ..served })
    }
}

impl State {
    fn served_by(&self, authority: usize) -> &[RecordSet] {
        let behind = self.lags[authority].as_millis();
        let moment = self.now.0.saturating_sub(u64::try_from(behind).unwrap());
        let seen = self.listings.iter().rev().find(|(at, _)| at.0 <= moment);
        seen.map_or(&[], |(_, sets)| sets)
    }

    /// What a name server says.
    fn said(&self, number: usize, name: &Name, kind: &RecordType) -> Served {
        let mut here = self.served_by(number).iter().filter(|set| set.name == *name);
        let weighs = |set: &&RecordSet| set.extra.get("Weight").is_none_or(|weight| weight != "0");
        let set = here.clone().filter(weighs).find(|set| set.kind == *kind);
        let answers = set.is_some() || here.any(|set| set.kind.0 == "CNAME");
        let (mut values, ttl) = match set {
            None => (Vec::new(), 0),
            Some(RecordSet { alias: Some(alias), .. }) => {
                let of_kind = |ip: &&IpAddr| ip.is_ipv4() == (kind.0 == "A");
                let found = self.addresses.get(&alias.name).into_iter().flatten().filter(of_kind);
                (found.map(ToString::to_string).collect(), 60)
            }
            Some(set) if kind.0 == "CNAME" => {
                (set.values.iter().map(|to| Name::new(to).to_string()).collect(), set.ttl.unwrap())
            }
            Some(set) => (crate::port::stated::values(set), set.ttl.unwrap()),
        };
        values.sort();
        let ttl = Duration::from_secs(ttl.into());
        let negative_ttl = (!answers).then_some(Duration::from_mins(15));
        Served { authoritative: true, values, ttl, negative_ttl }
    }
}

#[async_trait]
impl WriteDns for World {
    async fn change(&self, batch: &[RecordChange], _: &str) -> Result<ChangeId, Fault> {
        let mut sets = self.listed();
        for change in batch {
            match change {
                RecordChange::Delete(set) => {
                    let Some(at) = sets.iter().position(|other| other == set) else {
                        return Err(Fault::foreign(format!("tried to delete {set}, but it was not found")));
                    };
                    sets.remove(at);
                }
                RecordChange::Create(set) => {
                    let id = |set: &RecordSet| set.extra.get("SetIdentifier").cloned();
                    let same = |other: &RecordSet| other.name == set.name && other.kind == set.kind;
                    if sets.iter().any(|other| same(other) && id(other) == id(set)) {
                        return Err(Fault::foreign(format!("tried to create {set}, but it already exists")));
                    }
                    sets.push(set.clone());
                }
            }
        }
        let names = batch.iter().map(|change| match change {
            RecordChange::Delete(set) => format!("-{set}"),
            RecordChange::Create(set) => format!("+{set}"),
        });
        self.written(names.collect::<Vec<_>>().join(" "), |state| {
            state.listings.push((state.now, sets));
            state.changes.push(state.now);
        })?;
        Ok(ChangeId((self.state().changes.len() - 1).to_string()))
    }
}
