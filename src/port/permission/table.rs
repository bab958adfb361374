//! Which permissions each call needs, and how what it is about is named: the one place that knows. As the provider's Service
//! Authorization Reference lists them.

use super::{global_region, partition};
use crate::port::need::Account;

/// What an action is about, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// It knows no resources.
    Any,
    /// `hostedzone/Z0123456789ABC`.
    Zone,
    /// A change of a zone, which has no id yet.
    Change,
    /// A health check of record sets, by an id that no plan names.
    HealthCheck,
    /// `service/cluster/name`.
    Service,
    /// A deployment of a service in stages, which has no id yet.
    ServiceDeployment,
    /// What such a deployment leads to or comes from.
    ServiceRevision,
    /// A task of a cluster, which has no id yet.
    Task,
    /// Whoever runs tasks in a cluster.
    ContainerInstance,
    /// `task-definition/family:revision`.
    Definition,
    /// A repository of images, by its ARN: it may be in any account and region.
    Repository,
    /// What tasks run in. Policies make it a condition, too.
    Cluster,
    /// What tasks are placed on, by name.
    CapacityProvider,
    /// A role that is passed to tasks.
    Role,
    /// `listener-rule/app/…`.
    Rule,
    /// `listener/app/…`.
    Listener,
    /// `loadbalancer/app/…`.
    Balancer,
    /// `targetgroup/…`.
    Group,
    /// `alarm:name`.
    Alarm,
    /// `log-group:name`.
    LogGroup,
    /// `parameter/name`.
    Parameter,
    /// What scales a service: it is known by an id that no plan names.
    ScalableTarget,
}

/// Stands for the id of what is there only in the run: whoever writes a policy does not know it either.
const SOME_ID: &str = "00000000000000000000000000000000";

impl Thing {
    /// Its ARN, by what it is called in an account: zone id, `cluster/service`, cluster, name. An ARN stays as it is.
    #[must_use]
    pub fn arn(self, at: &Account, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let partition = partition(&at.region);
        let own = |service: &str, what: String| {
            format!("arn:{partition}:{service}:{}:{}:{what}", at.region, at.account)
        };
        match self {
            // Only its ARN tells where it is.
            Self::Any | Self::Repository => "*".into(),
            Self::Zone => format!("arn:{partition}:route53:::hostedzone/{name}"),
            Self::Change => format!("arn:{partition}:route53:::change/C{SOME_ID}"),
            Self::HealthCheck => format!("arn:{partition}:route53:::healthcheck/{SOME_ID}"),
            Self::Service => own("ecs", format!("service/{name}")),
            Self::ServiceDeployment => own("ecs", format!("service-deployment/{name}/{SOME_ID}")),
            Self::ServiceRevision => own("ecs", format!("service-revision/{name}/{SOME_ID}")),
            Self::Task => own("ecs", format!("task/{name}/{SOME_ID}")),
            Self::ContainerInstance => own("ecs", format!("container-instance/{name}/{SOME_ID}")),
            Self::Cluster => own("ecs", format!("cluster/{name}")),
            Self::CapacityProvider => own("ecs", format!("capacity-provider/{name}")),
            Self::Definition => own("ecs", format!("task-definition/{name}")),
            Self::Role => format!("arn:{partition}:iam::{}:role/{name}", at.account),
            Self::Rule => own("elasticloadbalancing", format!("listener-rule/{name}")),
            Self::Listener => own("elasticloadbalancing", format!("listener/{name}")),
            Self::Balancer => own("elasticloadbalancing", format!("loadbalancer/{name}")),
            Self::Group => own("elasticloadbalancing", format!("targetgroup/{name}")),
            Self::Alarm => own("cloudwatch", format!("alarm:{name}")),
            // What is read are streams of the group.
            Self::LogGroup => own("logs", format!("log-group:{name}:log-stream:")),
            Self::Parameter => own("ssm", format!("parameter/{}", name.trim_start_matches('/'))),
            Self::ScalableTarget => own("application-autoscaling", format!("scalable-target/{SOME_ID}")),
        }
    }

    /// The region that a call about it is sent to, as conditions see it.
    #[must_use]
    pub fn region<'a>(self, at: &'a Account, name: &'a str) -> &'a str {
        match self {
            Self::Repository => name.split(':').nth(3).unwrap_or(&at.region),
            Self::Zone | Self::Change | Self::HealthCheck | Self::Role => {
                global_region(partition(&at.region))
            }
            _ => &at.region,
        }
    }
}

/// A permission that a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// `ecs:UpdateService`.
    pub action: &'static str,
    /// On what.
    pub on: Thing,
}

const fn on(on: Thing, action: &'static str) -> Needed {
    Needed { action, on }
}

/// Passing the roles of a task definition to the tasks that are run by it.
const PASSES: Needed = on(Thing::Role, "iam:PassRole");

/// Looking for the task that was started, where the answer was lost: a run without faults does not come to it.
const FINDS: Needed = on(Thing::ContainerInstance, "ecs:ListTasks");

type Row = (&'static str, &'static str, &'static [Needed]);

/// Service and operation, as calls are signed and named, and what they need.
const ROWS: &[Row] = &[
    // Anybody may ask who they are.
    ("sts", "GetCallerIdentity", &[]),
    ("route53", "ListHostedZones", &[on(Thing::Any, "route53:ListHostedZones")]),
    ("route53", "GetHostedZone", &[on(Thing::Zone, "route53:GetHostedZone")]),
    ("route53", "ListResourceRecordSets", &[on(Thing::Zone, "route53:ListResourceRecordSets")]),
    ("route53", "ChangeResourceRecordSets", &[on(Thing::Zone, "route53:ChangeResourceRecordSets")]),
    ("route53", "GetChange", &[on(Thing::Change, "route53:GetChange")]),
    ("route53", "GetHealthCheck", &[on(Thing::HealthCheck, "route53:GetHealthCheck")]),
    ("route53", "GetHealthCheckStatus", &[on(Thing::HealthCheck, "route53:GetHealthCheckStatus")]),
    ("ecs", "ListClusters", &[on(Thing::Any, "ecs:ListClusters")]),
    ("ecs", "DescribeClusters", &[on(Thing::Cluster, "ecs:DescribeClusters")]),
    ("ecs", "DescribeCapacityProviders", &[on(Thing::CapacityProvider, "ecs:DescribeCapacityProviders")]),
    ("ecs", "ListServices", &[on(Thing::Any, "ecs:ListServices")]),
    ("ecs", "DescribeServices", &[on(Thing::Service, "ecs:DescribeServices")]),
    ("ecs", "UpdateService", &[on(Thing::Service, "ecs:UpdateService"), PASSES]),
    ("ecs", "ListServiceDeployments", &[on(Thing::Service, "ecs:ListServiceDeployments")]),
    ("ecs", "DescribeServiceDeployments", &[on(Thing::ServiceDeployment, "ecs:DescribeServiceDeployments")]),
    ("ecs", "DescribeServiceRevisions", &[on(Thing::ServiceRevision, "ecs:DescribeServiceRevisions")]),
    ("ecs", "StopServiceDeployment", &[on(Thing::ServiceDeployment, "ecs:StopServiceDeployment")]),
    ("ecs", "DescribeTaskDefinition", &[on(Thing::Any, "ecs:DescribeTaskDefinition")]),
    ("ecs", "RegisterTaskDefinition", &[on(Thing::Definition, "ecs:RegisterTaskDefinition"), PASSES]),
    ("ecs", "ListTasks", &[FINDS]),
    ("ecs", "DescribeTasks", &[on(Thing::Task, "ecs:DescribeTasks")]),
    ("ecs", "RunTask", &[on(Thing::Definition, "ecs:RunTask"), PASSES, FINDS]),
    ("ecs", "StopTask", &[on(Thing::Task, "ecs:StopTask")]),
    ("ecr", "DescribeImages", &[on(Thing::Repository, "ecr:DescribeImages")]),
    ("ecr", "DescribePullThroughCacheRules", &[on(Thing::Any, "ecr:DescribePullThroughCacheRules")]),
    (
        "application-autoscaling",
        "DescribeScalableTargets",
        &[on(Thing::Any, "application-autoscaling:DescribeScalableTargets")],
    ),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        &[on(Thing::ScalableTarget, "application-autoscaling:RegisterScalableTarget")],
    ),
    (
        "elasticloadbalancing",
        "DescribeLoadBalancers",
        &[on(Thing::Any, "elasticloadbalancing:DescribeLoadBalancers")],
    ),
    (
        "elasticloadbalancing",
        "DescribeLoadBalancerAttributes",
        &[on(Thing::Any, "elasticloadbalancing:DescribeLoadBalancerAttributes")],
    ),
    (
        "elasticloadbalancing",
        "DescribeTargetGroups",
        &[on(Thing::Any, "elasticloadbalancing:DescribeTargetGroups")],
    ),
    (
        "elasticloadbalancing",
        "DescribeTargetGroupAttributes",
        &[on(Thing::Any, "elasticloadbalancing:DescribeTargetGroupAttributes")],
    ),
    (
        "elasticloadbalancing",
        "DescribeTargetHealth",
        &[on(Thing::Any, "elasticloadbalancing:DescribeTargetHealth")],
    ),
    (
        "elasticloadbalancing",
        "DescribeListeners",
        &[on(Thing::Any, "elasticloadbalancing:DescribeListeners")],
    ),
    ("elasticloadbalancing", "DescribeRules", &[on(Thing::Any, "elasticloadbalancing:DescribeRules")]),
    ("elasticloadbalancing", "ModifyRule", &[on(Thing::Rule, "elasticloadbalancing:ModifyRule")]),
    ("elasticloadbalancing", "ModifyListener", &[on(Thing::Listener, "elasticloadbalancing:ModifyListener")]),
    (
        "elasticloadbalancing",
        "ModifyLoadBalancerAttributes",
        &[on(Thing::Balancer, "elasticloadbalancing:ModifyLoadBalancerAttributes")],
    ),
    (
        "elasticloadbalancing",
        "ModifyTargetGroupAttributes",
        &[on(Thing::Group, "elasticloadbalancing:ModifyTargetGroupAttributes")],
    ),
    ("monitoring", "GetMetricData", &[on(Thing::Any, "cloudwatch:GetMetricData")]),
    ("monitoring", "DescribeAlarms", &[on(Thing::Alarm, "cloudwatch:DescribeAlarms")]),
    ("logs", "FilterLogEvents", &[on(Thing::LogGroup, "logs:FilterLogEvents")]),
    // Previews ask for the one, and failures for the other: a rehearsal, by which permissions are asked for, comes to neither.
    ("logs", "DescribeLogGroups", &[on(Thing::Any, "logs:DescribeLogGroups")]),
    ("logs", "GetLogEvents", &[on(Thing::LogGroup, "logs:GetLogEvents")]),
    ("ssm", "GetParameter", &[on(Thing::Parameter, "ssm:GetParameter")]),
];

/// What a call needs, by how its service signs and what the operation is called; `None`: there is no row for it.
#[must_use]
pub fn needed_for(service: &str, operation: &str) -> Option<&'static [Needed]> {
    let row = ROWS.iter().find(|row| (row.0, row.1) == (service, operation));
    row.map(|(_, _, needed)| *needed)
}

/// Service and operation of each call that there is a row for.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|(service, operation, _)| (*service, *operation))
}

/// The services that ask for permissions, each once.
pub fn services() -> impl Iterator<Item = &'static str> {
    let first = |(at, row): &(usize, &Row)| !ROWS[..*at].iter().any(|before| before.0 == row.0);
    ROWS.iter().enumerate().filter(first).map(|(_, row)| row.0)
}

/// Service and operation of the call that an action is named after: `cloudwatch:GetMetricData` is of `monitoring`.
#[must_use]
pub fn call_of(action: &str) -> (&str, &str) {
    let (prefix, operation) = action.split_once(':').unwrap_or(("", action));
    let named = |row: &&Row| row.1 == operation && row.2.iter().any(|needed| needed.action == action);
    ROWS.iter().find(named).map_or((prefix, operation), |row| (row.0, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_row_and_needs_first_what_it_is_called() {
        for (at, (service, operation, needed)) in ROWS.iter().enumerate() {
            let same = |row: &&Row| (row.0, row.1) == (*service, *operation);
            assert_eq!(
                ROWS.iter().position(|row| same(&row)),
                Some(at),
                "{service} {operation} is there twice"
            );
            let Some(first) = needed.first() else { continue };
            assert_eq!(first.action.split_once(':').map(|(_, name)| name), Some(*operation));
            assert_eq!(call_of(first.action), (*service, *operation));
        }
        assert_eq!(call_of("iam:PassRole"), ("iam", "PassRole"));
        assert_eq!(services().count(), 9);
    }
}
