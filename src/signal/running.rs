//! `ecs.running`: how many tasks of a service run, of those that it should have, as it tells at this moment.
//!
//! One call every 15s; nothing is awaited, for the service counts as it goes. Each task that it should have is a sample.
//! Tasks of all its deployments count: while they are replaced there may be more than it should have, and new ones that keep
//! failing hide behind old ones that still run. So `failed` tells how many of the newest deployment failed. Autoscaling that
//! asks for more lets `value` fall until they run: ask for several breaches in a row. A service that should have no tasks,
//! that is going, or that is not there is no evidence.

use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Fields, Target, Timestamp, target, text};
use crate::port::need::{Account, Need, Runs};
use crate::port::{Reads, Service};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Tasks of a service.
#[derive(Clone, Debug)]
pub(super) struct Running {
    target: Arc<Target>,
    cluster: Arc<str>,
    service: Arc<str>,
}

#[async_trait::async_trait]
impl Signal for Running {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "its account and region");
        let cluster = fields.required("cluster", text(), "its cluster");
        let service = fields.required("service", text(), "the service");
        Some(Self { target: target?, cluster: cluster?, service: service? })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn costs() -> &'static str {
        "Every 15s, and of this moment: DescribeServices. Each task that the service should have is a sample, and one \
         is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "running", "desired", "failed", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![Need::Service {
            at: Account::of(&self.target),
            cluster: self.cluster.to_string(),
            name: self.service.to_string(),
            runs: Runs::AsItIs,
            tasks: 1,
        }]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let found = compute.service(&self.cluster, &self.service).await?;
        Ok(measured(&format!("{} in {}", self.service, self.cluster), found.as_ref()))
    }
}

fn measured(name: &str, found: Option<&Service>) -> Measured {
    let service = match found {
        None => return Measured::nothing(&format!("there is no service {name}")),
        Some(service) if service.status != "ACTIVE" => {
            return Measured::nothing(&format!("service {name} is {}", service.status));
        }
        Some(service) if service.desired == 0 => {
            return Measured::nothing(&format!("service {name} should run 0 tasks"));
        }
        Some(service) => service,
    };
    let (running, desired) = (f64::from(service.running), f64::from(service.desired));
    let newest = service.deployments.iter().find(|deployment| deployment.primary);
    let failed = newest.map(|deployment| ("failed", f64::from(deployment.failed)));
    let failing = newest.filter(|deployment| deployment.failed > 0);
    let failing = failing.map(|deployment| format!("; {} of {} failed", deployment.failed, deployment.id));
    Measured {
        value: Some(running / desired),
        named: [("running", running), ("desired", desired), ("samples", desired)]
            .into_iter()
            .chain(failed)
            .collect(),
        samples: service.desired.into(),
        text: format!(
            "{} of {} tasks of {name} run{}",
            service.running,
            service.desired,
            failing.unwrap_or_default()
        ),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Deployment, Rollout};

    fn service(running: u32, desired: u32, failed: u32) -> Service {
        let deployment = |id: &str, primary, failed| Deployment {
            id: id.into(),
            primary,
            definition: "app:1".into(),
            rollout: Rollout::InProgress,
            reason: None,
            desired,
            running,
            failed,
        };
        Service {
            name: "app".into(),
            status: "ACTIVE".into(),
            desired,
            running,
            definition: "app:1".into(),
            deployments: vec![deployment("ecs-svc/2", true, failed), deployment("ecs-svc/1", false, 9)],
            target_groups: Vec::new(),
            alternates: Vec::new(),
            strategy: crate::port::Strategy::default(),
            placement: crate::port::Placement::default(),
            events: Vec::new(),
            network: None,
        }
    }

    #[test]
    fn tasks_are_a_share_of_those_there_should_be() {
        for (running, desired, share) in [(2, 2, 1.0), (1, 2, 0.5), (0, 2, 0.0), (3, 2, 1.5)] {
            let found = measured("app in prod", Some(&service(running, desired, 0)));
            assert_eq!((found.value, found.samples), (Some(share), u64::from(desired)));
            assert_eq!(found.text, format!("{running} of {desired} tasks of app in prod run"));
        }
    }

    /// Old tasks still run: the share alone says that all is well.
    #[test]
    fn tasks_that_keep_failing_are_told() {
        let found = measured("app in prod", Some(&service(2, 2, 3)));
        assert_eq!((found.value, found.named["failed"]), (Some(1.0), 3.0));
        assert_eq!(found.text, "2 of 2 tasks of app in prod run; 3 of ecs-svc/2 failed");
        let unknown = Service { deployments: Vec::new(), ..service(2, 2, 0) };
        assert_eq!(measured("app in prod", Some(&unknown)).named.get("failed"), None, "never zero");
    }

    #[test]
    fn what_should_not_run_or_is_not_there_is_no_evidence() {
        let going = |status: &str| Service { status: status.into(), ..service(2, 2, 0) };
        for (found, why) in [
            (None, "there is no service app in prod"),
            (Some(service(0, 0, 0)), "service app in prod should run 0 tasks"),
            (Some(service(2, 0, 0)), "service app in prod should run 0 tasks"),
            (Some(going("DRAINING")), "service app in prod is DRAINING"),
            (Some(going("INACTIVE")), "service app in prod is INACTIVE"),
        ] {
            assert_eq!(measured("app in prod", found.as_ref()), Measured::nothing(why));
        }
    }
}
