//! The connections of a plan, by the names of its targets.

use super::prometheus::Servers;
use super::targets::Targets;
use super::{Budgets, Http, PlanFiles, Process, Secrets, Supervision, SystemClock};
use crate::plan::{Plan, Scope, Target, Timestamp};
use crate::port::{
    Clock, Command, Output, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters,
    ReadPermissions, ReadProcess, ReadQueries, ReadTraffic, ReadWorld, Urgency, Wiring, WriteCompute,
    WriteDns, WriteHttp, WriteProcess, WriteTraffic, WriteWorld,
};
use crate::run::Fault;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// The real world, or the one on loopback that the wiring tells of. Nothing is connected before it is used.
pub struct World {
    connections: Arc<Connections>,
    urgency: Urgency,
}

struct Connections {
    clock: SystemClock,
    files: PlanFiles,
    http: Arc<Http>,
    process: Process,
    servers: Servers,
    targets: Targets,
}

impl World {
    /// For the targets of this plan, which stands in `folder`. AWS is asked as often as `budgets` allow.
    #[must_use]
    pub fn connect(
        plan: &Plan,
        folder: &Path,
        wiring: Option<Wiring>,
        supervision: Supervision,
        budgets: &Budgets,
    ) -> Self {
        Self::of(&plan.targets, folder, wiring, supervision, budgets)
    }

    fn of(
        targets: &[Arc<Target>],
        folder: &Path,
        wiring: Option<Wiring>,
        supervision: Supervision,
        budgets: &Budgets,
    ) -> Self {
        let clock = wiring.as_ref().map_or_else(SystemClock::wall, |w| SystemClock::scaled(w.time));
        let http = Arc::new(Http::new(wiring.as_ref()));
        let connections = Connections {
            files: PlanFiles::within(folder),
            process: Process::new(clock, folder, supervision),
            servers: Servers::new(targets, http.clone(), wiring.as_ref()),
            targets: Targets::new(targets, Arc::new(clock), http.clone(), wiring, budgets.clone()),
            http,
            clock,
        };
        Self { connections: Arc::new(connections), urgency: Urgency::default() }
    }

    /// The same, with the secrets that targets name.
    #[must_use]
    pub fn knowing(self, secrets: &Secrets) -> Self {
        self.connections.targets.know(Scope { secrets: secrets.scope(), ..Scope::default() });
        self
    }

    /// The targets that cannot be looked at as whom the plan means, or not until then, each with why. Changes nothing.
    pub async fn unseen(&self, until: Option<Timestamp>) -> Vec<(Arc<str>, Fault)> {
        self.connections.targets.unseen(until).await
    }
}

impl ReadWorld for World {
    fn clock(&self) -> &dyn Clock {
        &self.connections.clock
    }
    fn dns(&self, target: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        self.connections.targets.dns(target, self.urgency)
    }
    fn compute(&self, target: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        self.connections.targets.compute(target, self.urgency)
    }
    fn traffic(&self, target: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        self.connections.targets.traffic(target, self.urgency)
    }
    fn metrics(&self, target: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        self.connections.targets.metrics(target, self.urgency)
    }
    fn parameters(&self, target: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        self.connections.targets.parameters(target, self.urgency)
    }
    fn permissions(&self, target: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        self.connections.targets.permissions(target, self.urgency)
    }
    fn queries(&self, target: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        self.connections.servers.find(target)
    }
    fn files(&self) -> &dyn ReadFiles {
        &self.connections.files
    }
    fn http(&self) -> &dyn ReadHttp {
        &*self.connections.http
    }
    fn process(&self) -> &dyn ReadProcess {
        &self.connections.process
    }
}

impl WriteWorld for World {
    fn change_dns(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        self.connections.targets.change_dns(target, until, self.urgency)
    }
    fn change_compute(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        self.connections.targets.change_compute(target, until, self.urgency)
    }
    fn change_traffic(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteTraffic>, Fault> {
        self.connections.targets.change_traffic(target, until, self.urgency)
    }
    fn send_http(&self) -> &dyn WriteHttp {
        &*self.connections.http
    }
    fn run_process(&self) -> &dyn WriteProcess {
        &self.connections.process
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
    fn serving(self: Arc<Self>, urgency: Urgency) -> Arc<dyn WriteWorld> {
        Arc::new(Self { connections: self.connections.clone(), urgency })
    }
}

/// A world for a preview: it has no way to write, and runs only those commands that the plan says change nothing.
pub struct Preview {
    world: World,
}

impl Preview {
    /// For the targets of this plan, which stands in `folder`.
    #[must_use]
    pub fn connect(
        plan: &Plan,
        folder: &Path,
        wiring: Option<Wiring>,
        supervision: Supervision,
        budgets: &Budgets,
    ) -> Self {
        Self { world: World::connect(plan, folder, wiring, supervision, budgets) }
    }

    /// For these targets, of a plan that is yet to be written.
    #[must_use]
    pub fn of(
        targets: &[Arc<Target>],
        wiring: Option<Wiring>,
        supervision: Supervision,
        budgets: &Budgets,
    ) -> Self {
        Self { world: World::of(targets, Path::new(""), wiring, supervision, budgets) }
    }

    /// The same, with the secrets that targets name.
    #[must_use]
    pub fn knowing(self, secrets: &Secrets) -> Self {
        Self { world: self.world.knowing(secrets) }
    }
}

impl ReadWorld for Preview {
    fn clock(&self) -> &dyn Clock {
        self.world.clock()
    }
    fn dns(&self, target: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        self.world.dns(target)
    }
    fn compute(&self, target: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        self.world.compute(target)
    }
    fn traffic(&self, target: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        self.world.traffic(target)
    }
    fn metrics(&self, target: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        self.world.metrics(target)
    }
    fn parameters(&self, target: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        self.world.parameters(target)
    }
    fn permissions(&self, target: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        self.world.permissions(target)
    }
    fn queries(&self, target: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        self.world.queries(target)
    }
    fn files(&self) -> &dyn ReadFiles {
        self.world.files()
    }
    fn http(&self) -> &dyn ReadHttp {
        self.world.http()
    }
    fn process(&self) -> &dyn ReadProcess {
        self
    }
}

/// Only what is marked `reads`.
#[async_trait]
impl ReadProcess for Preview {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        if command.reads {
            return self.world.connections.process.query(command).await;
        }
        let name = command.argv.first().map_or("", String::as_str);
        Err(Fault::blind(format!(
            "`{name}` is not run in a preview; if it changes nothing, say so with `reads: true`"
        )))
    }

    fn left_of(&self, step: &str) -> Result<Option<String>, Fault> {
        self.world.connections.process.left_of(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{plan, supervision, wiring};
    use crate::port::{StopSignal, StopWith};
    use crate::run::FaultKind;
    use std::time::Duration;

    #[tokio::test]
    async fn a_preview_runs_only_what_is_marked() {
        let (nothing, budgets) = (plan(Vec::new()), Budgets::default());
        let preview = Preview::connect(&nothing, Path::new(""), Some(wiring()), supervision(), &budgets);
        let mut command = Command {
            argv: vec!["true".into()],
            environment: Vec::new(),
            directory: None,
            input: Vec::new(),
            stop: StopWith { signal: StopSignal::Term, grace: Duration::from_secs(1) },
            reads: false,
            timeout: Duration::from_hours(1),
            call: None,
        };
        let fault = preview.process().query(command.clone()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Blind);
        assert!(fault.message.contains("reads: true"), "{fault}");
        command.reads = true;
        let fault = preview.process().query(command).await.unwrap_err();
        assert!(fault.message.starts_with("cannot start `true`"), "there is no supervisor here: {fault}");
    }

    #[test]
    fn a_target_says_what_it_lacks() {
        let target = |kind: &str, with: serde_json::Value| crate::plan::Target {
            name: "t".into(),
            kind: kind.into(),
            with: crate::plan::Value::from_json(&with, crate::plan::Span::default()),
        };
        let budgets = Budgets::default();
        let world =
            |target| World::connect(&plan(vec![target]), Path::new(""), None, supervision(), &budgets);
        let fault = world(target("aws", serde_json::json!({"account": "1"}))).compute("t").err().unwrap();
        assert_eq!(fault.kind, FaultKind::Permanent);
        let fault = world(target("route53", serde_json::json!({"aws": "t"}))).dns("u").err().unwrap();
        assert!(fault.message.contains("no target `u`"), "{fault}");
    }
}
