//! Whatever comes over the wire is answered, in the protocol of its service: garbage, calls with fields that are missing,
//! twice, of another kind or of another world, and good calls with some bytes changed. And the world goes on after it.

use super::{Call, Service, dispatch, pairs, read, refused};
use crate::plan::Timestamp;
use crate::sim::{World, WorldFile};
use crate::tests::inputs;
use hyper::Request;
use hyper::body::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};
use std::sync::LazyLock;

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let text = include_str!("../../../plans/worlds/aep.yaml");
    let file = WorldFile::read(text, "aep.yaml", &|_| None).unwrap();
    World::new(file, "aep.yaml", NOW, 77).unwrap()
});
const NOW: Timestamp = Timestamp(1_700_000_000_000);

const CALLS: &[(&str, &[&str])] = &[
    (
        "ecs",
        &[
            "DescribeClusters",
            "DescribeServices",
            "ListServices",
            "UpdateService",
            "RegisterTaskDefinition",
            "DeregisterTaskDefinition",
            "DescribeTaskDefinition",
            "ListTaskDefinitions",
            "ListServiceDeployments",
            "DescribeServiceDeployments",
            "DescribeServiceRevisions",
            "StopServiceDeployment",
            "RunTask",
            "StopTask",
            "ListTasks",
            "DescribeCapacityProviders",
            "DescribeTasks",
            "NoSuchThing",
        ],
    ),
    (
        "elasticloadbalancing",
        &[
            "DescribeLoadBalancers",
            "DescribeLoadBalancerAttributes",
            "DescribeTargetGroupAttributes",
            "ModifyLoadBalancerAttributes",
            "ModifyTargetGroupAttributes",
            "DescribeTargetGroups",
            "DescribeTargetHealth",
            "DescribeListeners",
            "DescribeRules",
            "ModifyRule",
            "ModifyListener",
        ],
    ),
    ("ecr", &["DescribeImages", "DescribePullThroughCacheRules"]),
    ("monitoring", &["GetMetricData", "DescribeAlarms"]),
    ("logs", &["FilterLogEvents", "GetLogEvents", "DescribeLogGroups"]),
    ("ssm", &["GetParameter"]),
    ("secretsmanager", &["DescribeSecret"]),
    ("application-autoscaling", &["DescribeScalableTargets", "RegisterScalableTarget"]),
    ("iam", &["SimulatePrincipalPolicy", "GetRole"]),
    ("sts", &["GetCallerIdentity", "AssumeRole"]),
];

/// Keys of inputs, of all services.
const KEYS: &[&str] = &[
    "logStreamName",
    "cluster",
    "service",
    "services",
    "taskDefinition",
    "desiredCount",
    "forceNewDeployment",
    "deploymentConfiguration",
    "deploymentCircuitBreaker",
    "alarms",
    "strategy",
    "lifecycleHooks",
    "family",
    "containerDefinitions",
    "image",
    "name",
    "tags",
    "include",
    "serviceDeploymentArns",
    "serviceRevisionArns",
    "serviceDeploymentArn",
    "stopType",
    "count",
    "clientToken",
    "startedBy",
    "overrides",
    "networkConfiguration",
    "task",
    "tasks",
    "reason",
    "maxResults",
    "nextToken",
    "registryId",
    "repositoryName",
    "imageIds",
    "imageDigest",
    "imageTag",
    "LoadBalancerArn",
    "TargetGroupArn",
    "ListenerArn",
    "RuleArn",
    "Attributes",
    "Actions",
    "ForwardConfig",
    "TargetGroups",
    "Weight",
    "MetricDataQueries",
    "StartTime",
    "EndTime",
    "Id",
    "MetricStat",
    "Metric",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Period",
    "Stat",
    "AlarmNames",
    "logGroupName",
    "logGroupNamePrefix",
    "filterPattern",
    "startTime",
    "limit",
    "Name",
    "WithDecryption",
    "SecretId",
    "ServiceNamespace",
    "ResourceIds",
    "ResourceId",
    "ScalableDimension",
    "MinCapacity",
    "MaxCapacity",
    "RoleName",
    "ActionNames",
    "PolicySourceArn",
    "RoleArn",
    "RoleSessionName",
];

/// Values that mean something in this world, and such as mean nothing in any.
fn scalars() -> impl Strategy<Value = Json> {
    let said = [
        "aep",
        "aep-blue",
        "aep-green",
        "aep-prod",
        "web",
        "api",
        "web:1",
        "web:999999999999",
        "ACTIVE",
        "FARGATE",
        "ecs",
        "ecs:service:DesiredCount",
        "service/aep/web",
        "idle_timeout.timeout_seconds",
        "Sum",
        "RequestCount",
        "arn:aws:::",
        "",
        "/",
        ":",
        "../..",
    ];
    prop_oneof![
        select(said.to_vec()).prop_map(Json::from),
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        prop_oneof![any::<i64>(), -2i64..300].prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
    ]
}

fn objects(inner: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let field = (select(KEYS.to_vec()).prop_map(str::to_owned), inner);
    vec(field, 0..8).prop_map(|fields| Json::Object(fields.into_iter().collect()))
}

fn inputs_of_any_kind() -> impl Strategy<Value = Json> {
    let leaf = scalars().boxed();
    let nested = leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Json::from), objects(inner)].boxed()
    });
    objects(nested)
}

/// As a form has it: `A.member.1.B=…`.
fn form(input: &Json, name: &str, out: &mut Vec<(String, String)>) {
    let dotted = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match input {
        Json::Object(fields) => fields.iter().for_each(|(key, value)| form(value, &dotted(key), out)),
        Json::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                form(value, &dotted(&format!("member.{}", place + 1)), out);
            }
        }
        Json::String(text) => out.push((name.to_owned(), text.clone())),
        other => out.push((name.to_owned(), other.to_string())),
    }
}

fn calls() -> impl Strategy<Value = (&'static str, &'static str)> {
    let all = CALLS
        .iter()
        .flat_map(|(service, operations)| operations.iter().map(|operation| (*service, *operation)));
    select(all.collect::<Vec<_>>())
}

/// What a client of this service sends.
fn request(service: &str, operation: &str, path: &str, body: Vec<u8>) -> Request<Bytes> {
    let scope = format!("AWS4-HMAC-SHA256 Credential=AKIDSANDBOX/20260101/eu-west-1/{service}/aws4_request");
    let target = ["ecs", "logs", "ssm", "secretsmanager", "application-autoscaling", "monitoring"];
    let target = target.contains(&service);
    let mut builder = Request::builder().method("POST").uri(path).header("authorization", scope);
    if target {
        builder = builder.header("x-amz-target", format!("Any.{operation}"));
        builder = builder.header("content-type", "application/x-amz-json-1.1");
    }
    builder.body(body.into()).unwrap()
}

/// Answers, and says with which status; whatever the world has become, it goes on.
fn answered(world: &mut World, request: &Request<Bytes>) -> u16 {
    let call: Call = match read(request, 1) {
        Ok(call) => call,
        Err(refusal) => return refusal.status,
    };
    let now = world.now;
    let status = match dispatch(world, &call, now) {
        Ok(answer) => answer.status(),
        Err(refusal) => refused(&call, &refusal).status(),
    };
    world.advance(Timestamp(now.0 + 300_000));
    status.as_u16()
}

/// A batch that the sandbox takes, of a zone of this world.
fn batch() -> String {
    let zone = WORLD.zones.first().unwrap();
    format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
         <Change><Action>CREATE</Action><ResourceRecordSet><Name>new.{}</Name><Type>A</Type><TTL>60</TTL>\
         <ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>\
         </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
        zone.name
    )
}

fn zone_path() -> String {
    format!("/2013-04-01/hostedzone/{}/rrset", WORLD.zones.first().unwrap().id)
}

#[test]
fn the_batch_is_one_that_is_taken() {
    let request = request("route53", "", &zone_path(), batch().into_bytes());
    assert_eq!(answered(&mut WORLD.clone(), &request), 200);
}

proptest! {
    #![proptest_config(inputs())]

    #[test]
    fn no_input_is_too_strange((service, operation) in calls(), input in inputs_of_any_kind(), more in inputs_of_any_kind()) {
        let mut world = WORLD.clone();
        for input in [input, more] {
            let body = if matches!(Service::of(service), Some(Service::Elb | Service::Iam | Service::Sts)) {
                let mut fields = vec![("Action".to_owned(), operation.to_owned())];
                form(&input, "", &mut fields);
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
            } else {
                input.to_string()
            };
            let status = answered(&mut world, &request(service, operation, "/", body.into_bytes()));
            prop_assert!(matches!(status, 200 | 400..=499 | 501), "{service} {operation}: {status}");
        }
    }

    #[test]
    fn no_bytes_are_too_strange((service, operation) in calls(), noise in vec(any::<u8>(), 0..80)) {
        let status = answered(&mut WORLD.clone(), &request(service, operation, "/", noise));
        prop_assert!(matches!(status, 200 | 400..=499 | 501), "{service} {operation}: {status}");
    }

    #[test]
    fn no_batch_is_too_strange(
        changed in vec((any::<usize>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<usize>()),
        paging in ".{0,30}",
    ) {
        let mut body = batch().into_bytes();
        for (at, byte) in changed {
            let length = body.len();
            body[at % length] = byte;
        }
        body.truncate(cut.map_or(body.len(), |cut| cut % (body.len() + 1)));
        let mut world = WORLD.clone();
        let status = answered(&mut world, &request("route53", "", &zone_path(), body));
        prop_assert!(matches!(status, 200 | 400..=499), "{status}");
        let asked = json!({"name": paging, "type": paging, "identifier": paging, "maxitems": paging});
        let mut pairs_of = Vec::new();
        form(&asked, "", &mut pairs_of);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs_of).finish();
        prop_assert_eq!(pairs(&query).len(), 4);
        let mut list = request("route53", "", &format!("{}?{query}", zone_path()), Vec::new());
        *list.method_mut() = hyper::Method::GET;
        let status = answered(&mut world, &list);
        prop_assert!(matches!(status, 200 | 400..=499), "{status}");
    }
}
