//! Whose credentials these are, and what is in their account: listed, page by page.

use super::account::{Account, Place, Transport};
use super::call;
use crate::adapter::Budgets;
use crate::adapter::budgets::Service;
use crate::port::dns::Name;
use crate::port::{Caller, Clock, ListedBalancer, ListedZone, ReadInventory, Wiring};
use crate::run::Fault;
use async_trait::async_trait;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerTypeEnum;
use std::sync::Arc;

/// Pages of a zone that are looked through for a name: three thousand record sets.
const PAGES: usize = 10;

impl Account {
    /// The account that these credentials are of, which is asked. The region is what is given, else what this shell or the
    /// profile is set to; of a world that is not production, its own.
    pub(in crate::adapter) async fn found(
        profile: Option<&str>,
        region: Option<&str>,
        clock: Arc<dyn Clock>,
        wiring: Option<&Wiring>,
        budgets: &Budgets,
    ) -> Result<Self, Fault> {
        // Nothing of this machine's settings may reach into such a world.
        let profile = profile.filter(|_| wiring.is_none());
        let region = match (region, wiring) {
            (Some(region), _) => region.to_owned(),
            (None, Some(wiring)) => wiring.region.clone(),
            (None, None) => region_of(profile).await,
        };
        if region.is_empty() {
            return Err(Fault::permanent(
                "no region is set: name one with --region, in AWS_REGION, or in the profile",
            ));
        }
        let place = |account: &str| Place {
            account: account.into(),
            region: region.as_str().into(),
            profile: profile.map(Arc::from),
            endpoint: None,
        };
        let transport: Arc<Transport> = Arc::default();
        let asking = Self::new(place(""), clock.clone(), transport.clone(), wiring, budgets.clone());
        let unseen = asking.unseen("sts GetCallerIdentity", "these credentials");
        let config = asking.load().await.map_err(&unseen)?;
        let (identity, _) = asking.whose(&config).await.map_err(&unseen)?;
        Ok(Self::new(place(&identity.account), clock, transport, wiring, budgets.clone()))
    }

    /// Whose account it is.
    pub(in crate::adapter) fn caller(&self) -> Caller {
        Caller {
            account: self.place().account.to_string(),
            region: self.place().region.to_string(),
            profile: self.place().profile.as_ref().map(ToString::to_string),
        }
    }
}

/// What this shell, or else the profile, is set to. A machine in the cloud is not asked where it stands.
async fn region_of(profile: Option<&str>) -> String {
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        of_profile = of_profile.profile_name(profile);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    let region = chain.or_else(of_profile.build()).region().await;
    region.map(|region| region.to_string()).unwrap_or_default()
}

/// `web` of `arn:aws:ecs:eu-west-1:123456789012:service/aep-prod/web`.
fn short(arns: Option<Vec<String>>) -> impl Iterator<Item = String> {
    let last = |arn: String| arn.rsplit('/').next().unwrap_or_default().to_owned();
    arns.unwrap_or_default().into_iter().map(last)
}

#[async_trait]
impl ReadInventory for Account {
    async fn zones(&self) -> Result<Vec<ListedZone>, Fault> {
        let unseen = self.unseen("route53 ListHostedZones", &format!("account {}", self.place().account));
        let client = self.route53().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client.list_hosted_zones().set_marker(next.clone()).customize().interceptor(watch).send()
            };
            let page = call::read(self, Service::Route53, ask).await.map_err(&unseen)?;
            found.extend(page.hosted_zones.into_iter().map(|zone| ListedZone {
                id: zone.id.trim_start_matches("/hostedzone/").to_owned(),
                name: Name::new(&zone.name),
                private: zone.config.is_some_and(|config| config.private_zone),
            }));
            match page.next_marker.filter(|_| page.is_truncated) {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }

    async fn names(&self, zone: &str) -> Result<Vec<Name>, Fault> {
        let unseen = self.unseen("route53 ListResourceRecordSets", &format!("zone {zone}"));
        let client = self.route53().await.map_err(&unseen)?;
        let mut found: Vec<Name> = Vec::new();
        let (mut name, mut kind, mut set) = (None, None, None);
        for _ in 0..PAGES {
            let ask = |watch| {
                client
                    .list_resource_record_sets()
                    .hosted_zone_id(zone)
                    .set_start_record_name(name.clone())
                    .set_start_record_type(kind.clone())
                    .set_start_record_identifier(set.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Route53, ask).await.map_err(&unseen)?;
            found.extend(page.resource_record_sets.iter().map(|set| Name::new(&set.name)));
            if !page.is_truncated {
                break;
            }
            (name, kind, set) = (page.next_record_name, page.next_record_type, page.next_record_identifier);
        }
        // Sets of one name stand together.
        found.dedup();
        Ok(found)
    }

    async fn clusters(&self) -> Result<Vec<String>, Fault> {
        let unseen = self.unseen("ecs ListClusters", &format!("account {}", self.place().account));
        let client = self.ecs().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client.list_clusters().set_next_token(next.clone()).customize().interceptor(watch).send()
            };
            let page = call::read(self, Service::Ecs, ask).await.map_err(&unseen)?;
            found.extend(short(page.cluster_arns));
            match page.next_token {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }

    async fn services(&self, cluster: &str) -> Result<Vec<String>, Fault> {
        let unseen = self.unseen("ecs ListServices", cluster);
        let client = self.ecs().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .list_services()
                    .cluster(cluster)
                    .max_results(100)
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Ecs, ask).await.map_err(&unseen)?;
            found.extend(short(page.service_arns));
            match page.next_token {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }

    async fn load_balancers(&self) -> Result<Vec<ListedBalancer>, Fault> {
        let unseen = self.unseen("elbv2 DescribeLoadBalancers", &format!("account {}", self.place().account));
        let client = self.elbv2().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .describe_load_balancers()
                    .set_marker(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Elb, ask).await.map_err(&unseen)?;
            found.extend(page.load_balancers.unwrap_or_default().into_iter().map(|one| ListedBalancer {
                arn: one.load_balancer_arn.unwrap_or_default(),
                name: one.load_balancer_name.unwrap_or_default(),
                dns_name: Name::new(&one.dns_name.unwrap_or_default()),
                application: one.r#type == Some(LoadBalancerTypeEnum::Application),
            }));
            match page.next_marker.filter(|marker| !marker.is_empty()) {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }
}
