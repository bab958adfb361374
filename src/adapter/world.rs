//! The connections of a plan, by the names of its targets.

use super::targets::Targets;
use super::{Http, Process, SystemClock};
use crate::plan::{Plan, Timestamp};
use crate::port::{
    Clock, Command, Output, ReadCompute, ReadDns, ReadHttp, ReadMetrics, ReadProcess, ReadTraffic, ReadWorld,
    Wiring, WriteCompute, WriteDns, WriteHttp, WriteProcess, WriteWorld,
};
use crate::run::Fault;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// The real world, or the one on loopback that the wiring tells of. Nothing is connected before it is used.
pub struct World {
    clock: Arc<SystemClock>,
    http: Http,
    process: Process,
    targets: Targets,
}

impl World {
    /// For the targets of this plan, which stands in `folder`.
    #[must_use]
    pub fn connect(plan: &Plan, folder: &Path, wiring: Option<Wiring>) -> Self {
        let clock = Arc::new(wiring.as_ref().map_or_else(SystemClock::wall, |w| SystemClock::scaled(w.time)));
        Self {
            http: Http::new(wiring.as_ref()),
            process: Process::new(clock.clone(), folder),
            targets: Targets::new(&plan.targets, clock.clone(), wiring),
            clock,
        }
    }

    /// The targets that cannot be looked at as whom the plan means, each with why. Changes nothing.
    pub async fn unseen(&self) -> Vec<(Arc<str>, Fault)> {
        self.targets.unseen().await
    }
}

impl ReadWorld for World {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
    fn dns(&self, target: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        self.targets.dns(target)
    }
    fn compute(&self, target: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        self.targets.compute(target)
    }
    fn traffic(&self, target: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        self.targets.traffic(target)
    }
    fn metrics(&self, target: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        self.targets.metrics(target)
    }
    fn http(&self) -> &dyn ReadHttp {
        &self.http
    }
    fn process(&self) -> &dyn ReadProcess {
        &self.process
    }
}

impl WriteWorld for World {
    fn change_dns(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        self.targets.change_dns(target, until)
    }
    fn change_compute(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        self.targets.change_compute(target, until)
    }
    fn send_http(&self) -> &dyn WriteHttp {
        &self.http
    }
    fn run_process(&self) -> &dyn WriteProcess {
        &self.process
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
}

/// A world for a preview: it has no way to write, and runs only those commands that the plan says change nothing.
pub struct Preview {
    world: World,
    process: Marked,
}

impl Preview {
    /// For the targets of this plan, which stands in `folder`.
    #[must_use]
    pub fn connect(plan: &Plan, folder: &Path, wiring: Option<Wiring>) -> Self {
        let world = World::connect(plan, folder, wiring);
        let process = Marked(Process::new(world.clock.clone(), folder));
        Self { world, process }
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
    fn http(&self) -> &dyn ReadHttp {
        self.world.http()
    }
    fn process(&self) -> &dyn ReadProcess {
        &self.process
    }
}

/// Only what is marked `reads`.
struct Marked(Process);

#[async_trait]
impl ReadProcess for Marked {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        if command.reads {
            return self.0.query(command).await;
        }
        let name = command.argv.first().map_or("", String::as_str);
        Err(Fault::blind(format!(
            "`{name}` is not run in a preview; if it changes nothing, say so with `reads: true`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{plan, wiring};
    use crate::port::StopWith;
    use crate::run::FaultKind;
    use std::time::Duration;

    #[tokio::test]
    async fn a_preview_runs_only_what_is_marked() {
        let preview = Preview::connect(&plan(Vec::new()), Path::new(""), Some(wiring()));
        let mut command = Command {
            argv: vec!["true".into()],
            environment: Vec::new(),
            directory: None,
            input: Vec::new(),
            stop: StopWith { signal: "TERM".into(), grace: Duration::from_secs(1) },
            reads: false,
            timeout: Duration::from_hours(1),
        };
        let fault = preview.process().query(command.clone()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Blind);
        assert!(fault.message.contains("reads: true"), "{fault}");
        command.reads = true;
        assert_eq!(preview.process().query(command).await.unwrap().code, Some(0));
    }

    #[test]
    fn a_target_says_what_it_lacks() {
        let target = |kind: &str, with: serde_json::Value| crate::plan::Target {
            name: "t".into(),
            kind: kind.into(),
            with: crate::plan::Value::from_json(&with, crate::plan::Span::default()),
        };
        let world = |target| World::connect(&plan(vec![target]), Path::new(""), None);
        let fault = world(target("aws", serde_json::json!({"account": "1"}))).compute("t").err().unwrap();
        assert_eq!(fault.kind, FaultKind::Permanent);
        let fault = world(target("route53", serde_json::json!({"aws": "t"}))).dns("u").err().unwrap();
        assert!(fault.message.contains("no target `u`"), "{fault}");
    }
}
