//! Load balancers of the world, and the health of what stands behind them.

use super::call::{Account, Call};
use crate::port::{LoadBalancer, ReadTraffic, TargetHealth};
use crate::run::Fault;
use crate::sim::{BALANCER_ZONE, Balancer, Refusal, World};
use async_trait::async_trait;
use std::fmt::Display;

fn look<'a>(operation: &'static str, resource: &'a (dyn Display + Sync)) -> Call<'a> {
    Call { service: "elasticloadbalancing", operation, resource, writes: false }
}

fn by_arn<'a>(world: &'a World, arn: &str) -> Result<&'a Balancer, Refusal> {
    let missing = || Refusal::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"));
    world.balancers.values().find(|balancer| balancer.arn == arn).ok_or_else(missing)
}

#[async_trait]
impl ReadTraffic for Account {
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault> {
        let call = look("DescribeLoadBalancers", &name);
        let looking = self.read(call, |world, _| {
            let missing =
                || Refusal::new("LoadBalancerNotFound", format!("Load balancer '{name}' not found"));
            world.balancers.get(name).map(|found| found.arn.clone()).ok_or_else(missing)
        });
        let arn = match looking.await {
            Ok(arn) => arn,
            Err(failure) if failure.code == "LoadBalancerNotFound" => return Ok(None),
            Err(failure) => return Err(failure.fault(&call)),
        };
        let looking = self.look(look("DescribeLoadBalancerAttributes", &arn), |world, _| {
            let found = by_arn(world, &arn)?;
            Ok(LoadBalancer {
                arn: found.arn.clone(),
                name: found.name.clone(),
                dns_name: found.dns_name.to_string(),
                zone_id: BALANCER_ZONE.into(),
                keep_alive: found.keep_alive,
                idle_timeout: found.idle_timeout,
            })
        });
        looking.await.map(Some)
    }

    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<String>, Fault> {
        let looking = self.look(look("DescribeTargetGroups", &load_balancer), |world, _| {
            let name = &by_arn(world, load_balancer)?.name;
            let own = world.groups.values().filter(|group| group.balancer == *name);
            Ok(own.map(|group| group.arn.clone()).collect())
        });
        looking.await
    }

    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, Fault> {
        let looking = self.look(look("DescribeTargetHealth", &group), |world, _| {
            let found = world.groups.values().find(|known| known.arn == group);
            let missing = || Refusal::new("TargetGroupNotFound", "One or more target groups not found");
            let found = found.ok_or_else(missing)?;
            let used = world.balancers.contains_key(&found.balancer);
            let told = found.targets.values().map(|target| {
                let (state, reason, words) = target.told(used);
                TargetHealth {
                    id: format!("{}:{}", target.address, found.port),
                    state: state.into(),
                    reason: reason.map(|reason| format!("{reason}: {words}")),
                }
            });
            Ok(told.collect())
        });
        looking.await
    }
}
