//! Targets in a build without AWS: each says so.

use super::{Budgets, Http};
use crate::plan::{Scope, Target, Timestamp};
use crate::port::{
    Caller, Clock, ReadCompute, ReadDns, ReadInventory, ReadMetrics, ReadParameters, ReadPermissions,
    ReadTraffic, Urgency, Wiring, WriteCompute, WriteDns, WriteTraffic,
};
use crate::run::Fault;
use std::sync::Arc;

pub(super) struct Targets(Vec<Arc<Target>>);

/// What is in an account.
///
/// # Errors
/// Always: this build knows none.
#[expect(clippy::unused_async, reason = "as in a build with AWS")]
pub async fn inventory(
    _: Option<&str>,
    _: Option<&str>,
    _: Arc<dyn Clock>,
    _: Option<&Wiring>,
    _: &Budgets,
) -> Result<(Caller, Arc<dyn ReadInventory>), Fault> {
    Err(Fault::permanent("an account is beyond this build; build it with `--features aws`"))
}

impl Targets {
    pub(super) fn new(
        all: &[Arc<Target>],
        _: Arc<dyn Clock>,
        _: Arc<Http>,
        _: Option<Wiring>,
        _: Budgets,
    ) -> Self {
        Self(all.to_vec())
    }

    pub(super) fn know(&self, _: Scope) {}

    fn none<T>(&self, name: &str) -> Result<T, Fault> {
        let Some(target) = self.0.iter().find(|target| &*target.name == name) else {
            return Err(Fault::permanent(format!("the plan has no target `{name}`")));
        };
        Err(Fault::permanent(format!(
            "target `{name}` of kind {} is beyond this build; build it with `--features aws`",
            target.kind
        )))
    }

    pub(super) async fn unseen(&self) -> Vec<(Arc<str>, Fault)> {
        let beyond = |target: &Arc<Target>| Some((target.name.clone(), self.none::<()>(&target.name).err()?));
        self.0.iter().filter(|target| matches!(&*target.kind, "aws" | "route53")).filter_map(beyond).collect()
    }
    pub(super) fn dns(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadDns>, Fault> {
        self.none(name)
    }
    pub(super) fn compute(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadCompute>, Fault> {
        self.none(name)
    }
    pub(super) fn traffic(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadTraffic>, Fault> {
        self.none(name)
    }
    pub(super) fn metrics(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadMetrics>, Fault> {
        self.none(name)
    }
    pub(super) fn parameters(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadParameters>, Fault> {
        self.none(name)
    }
    pub(super) fn permissions(&self, name: &str, _: Urgency) -> Result<Arc<dyn ReadPermissions>, Fault> {
        self.none(name)
    }
    pub(super) fn change_dns(
        &self,
        name: &str,
        _: Timestamp,
        _: Urgency,
    ) -> Result<Arc<dyn WriteDns>, Fault> {
        self.none(name)
    }
    pub(super) fn change_traffic(
        &self,
        name: &str,
        _: Timestamp,
        _: Urgency,
    ) -> Result<Arc<dyn WriteTraffic>, Fault> {
        self.none(name)
    }
    pub(super) fn change_compute(
        &self,
        name: &str,
        _: Timestamp,
        _: Urgency,
    ) -> Result<Arc<dyn WriteCompute>, Fault> {
        self.none(name)
    }
}
