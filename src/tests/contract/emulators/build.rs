//! A world's text, made in an emulator by the calls that a person would make: zones, load balancers, services, alarms.

use super::server::Emulator;
use super::stage::{Part, Stage, elements};
use crate::plan::Timestamp;
use crate::port::{Image, Pick};
use crate::sim::USER;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const CLOUDWATCH: &str = "GraniteServiceVersion20100801";
/// Versions of the APIs that take forms.
const EC2: &str = "2016-11-15";
const ELB: &str = "2015-12-01";
const IAM: &str = "2010-05-08";
const STS: &str = "2011-06-15";

/// Target groups, by the names of their services.
type Groups = BTreeMap<String, String>;

fn named(all: &Json) -> impl Iterator<Item = (&str, &Json)> {
    all.as_object().into_iter().flatten().map(|(name, stated)| (name.as_str(), stated))
}

fn text(stated: &Json) -> &str {
    stated.as_str().unwrap_or_default()
}

fn texts(stated: &Json) -> impl Iterator<Item = &str> {
    stated.as_array().into_iter().flatten().map(text)
}

impl Stage {
    pub(super) async fn make(&mut self, world: &Json, parts: &[Part]) {
        let mut groups = Groups::new();
        if parts.contains(&Part::Zones) {
            for (name, zone) in named(&world["zones"]) {
                self.make_zone(name, zone).await;
            }
        }
        if parts.contains(&Part::Balancers) {
            groups = self.make_balancers(world).await;
        }
        if parts.contains(&Part::Services) {
            self.make_services(world, &groups).await;
        }
        if parts.contains(&Part::Scaling) {
            self.make_scaling(world).await;
        }
        for (name, stated) in named(&world["parameters"]).filter(|_| parts.contains(&Part::Parameters)) {
            self.put_parameter(name, stated).await;
        }
        for (name, _) in named(&world["images"]).filter(|_| parts.contains(&Part::Images)) {
            self.make_image(name).await;
        }
        if parts.contains(&Part::Permissions) {
            self.make_role(&world["faults"]).await;
        }
        for (name, stated) in named(&world["alarms"]).filter(|_| parts.contains(&Part::Alarms)) {
            self.make_alarm(name, stated).await;
        }
        if parts.contains(&Part::Metrics) {
            self.publish_from_now("metrics", &world["metrics"]).await;
        }
        if parts.contains(&Part::Logs) {
            self.publish_from_now("logs", &world["logs"]).await;
        }
    }

    async fn make_zone(&mut self, name: &str, zone: &Json) {
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{name}</Name>\
             <CallerReference>{}</CallerReference></CreateHostedZoneRequest>",
            self.account()
        );
        let answer = self.by_xml("/2013-04-01/hostedzone", body).await;
        elements(&answer, "Id")[0].trim_start_matches("/hostedzone/").clone_into(&mut self.zone);
        for record in zone["records"].as_array().into_iter().flatten() {
            let inside = text(&record["name"]);
            let whole = if inside == "@" { name.to_owned() } else { format!("{inside}.{name}") };
            self.set_record(&whole, record).await;
        }
    }

    /// What was there of this name and type is replaced.
    pub(super) async fn set_record(&self, name: &str, record: &Json) {
        let values = texts(&record["values"]);
        let values = values.map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>"));
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
             <Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}.</Name><Type>{}</Type><TTL>{}</TTL>\
             <ResourceRecords>{}</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>",
            text(&record["type"]),
            record["ttl"],
            values.collect::<String>()
        );
        self.by_xml(&format!("/2013-04-01/hostedzone/{}/rrset", self.zone()), body).await;
    }

    async fn elb(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let fields = [&[("Action", action)][..], fields].concat();
        self.by_form("elasticloadbalancing", ELB, &fields).await
    }

    async fn make_balancers(&self, world: &Json) -> Groups {
        let found = self.by_form("ec2", EC2, &[("Action", "DescribeSubnets")]).await;
        let (subnets, vpc) = (elements(&found, "subnetId"), elements(&found, "vpcId")[0]);
        let mut groups = Groups::new();
        for (balancer, stated) in named(&world["load_balancers"]) {
            let fields =
                [("Name", balancer), ("Subnets.member.1", subnets[0]), ("Subnets.member.2", subnets[1])];
            let made = self.elb("CreateLoadBalancer", &fields).await;
            let arn = elements(&made, "LoadBalancerArn")[0];
            let seconds = text(&stated["client_keep_alive"]).trim_end_matches('s');
            let fields = [
                ("LoadBalancerArn", arn),
                ("Attributes.member.1.Key", "client_keep_alive.seconds"),
                ("Attributes.member.1.Value", seconds),
                // Moto tells of those that somebody has set.
                ("Attributes.member.2.Key", "idle_timeout.timeout_seconds"),
                ("Attributes.member.2.Value", "60"),
            ];
            self.elb("ModifyLoadBalancerAttributes", &fields).await;
            let behind = named(&world["clusters"]).flat_map(|(_, services)| named(services));
            let behind: Vec<(&str, &Json)> =
                behind.filter(|(_, service)| text(&service["load_balancer"]) == balancer).collect();
            for (name, service) in &behind {
                let group = self.make_group(name, vpc, service["desired"].as_u64().unwrap()).await;
                groups.insert((*name).to_owned(), group);
            }
            self.make_rules(arn, &behind, &groups).await;
        }
        groups
    }

    async fn make_group(&self, name: &str, vpc: &str, targets: u64) -> String {
        let fields =
            [("Name", name), ("Protocol", "HTTP"), ("Port", "80"), ("VpcId", vpc), ("TargetType", "ip")];
        let made = self.elb("CreateTargetGroup", &fields).await;
        let group = elements(&made, "TargetGroupArn")[0].to_owned();
        for number in 1..=targets {
            let id = format!("172.31.0.{}", number + 9);
            let fields =
                [("TargetGroupArn", &*group), ("Targets.member.1.Id", &*id), ("Targets.member.1.Port", "80")];
            self.elb("RegisterTargets", &fields).await;
        }
        group
    }

    /// Two listeners, each with a rule for what states its paths, and a default for what states none.
    async fn make_rules(&self, balancer: &str, behind: &[(&str, &Json)], groups: &Groups) {
        let default = behind.iter().find(|(_, service)| service["paths"].is_null()).unwrap().0;
        for port in ["443", "80"] {
            let fields = [
                ("LoadBalancerArn", balancer),
                // Certificates are of no concern here.
                ("Protocol", "HTTP"),
                ("Port", port),
                ("DefaultActions.member.1.Type", "forward"),
                ("DefaultActions.member.1.TargetGroupArn", &*groups[default]),
            ];
            let made = self.elb("CreateListener", &fields).await;
            let listener = elements(&made, "ListenerArn")[0];
            let stated = behind.iter().filter(|(_, service)| service["paths"].is_array());
            for (number, (name, service)) in stated.enumerate() {
                let priority = ((number + 1) * 10).to_string();
                let paths = texts(&service["paths"]).enumerate();
                let paths: Vec<(String, &str)> = paths
                    .map(|(at, path)| {
                        (format!("Conditions.member.1.PathPatternConfig.Values.member.{}", at + 1), path)
                    })
                    .collect();
                let mut fields = vec![
                    ("ListenerArn", listener),
                    ("Priority", &*priority),
                    ("Conditions.member.1.Field", "path-pattern"),
                    ("Actions.member.1.Type", "forward"),
                    ("Actions.member.1.TargetGroupArn", &*groups[*name]),
                ];
                fields.extend(paths.iter().map(|(key, path)| (key.as_str(), *path)));
                self.elb("CreateRule", &fields).await;
            }
        }
    }

    pub(super) async fn tear_down(&self, balancer: &str) {
        let found = self.elb("DescribeLoadBalancers", &[("Names.member.1", balancer)]).await;
        let arn = elements(&found, "LoadBalancerArn")[0];
        self.elb("DeleteLoadBalancer", &[("LoadBalancerArn", arn)]).await;
    }

    async fn ecs(&self, action: &str, body: &Json) -> Json {
        self.by_json("ecs", &format!("{ECS}.{action}"), body).await
    }

    async fn make_services(&self, world: &Json, groups: &Groups) {
        let mut ports = BTreeMap::new();
        for (family, stated) in named(&world["task_definitions"]) {
            let container = |(name, container): (&str, &Json)| {
                let port = container["port"].as_u64();
                let mapped: Vec<Json> =
                    port.map(|port| json!({"containerPort": port, "protocol": "tcp"})).into_iter().collect();
                json!({"name": name, "image": container["image"], "essential": true, "memory": 128,
                    "portMappings": mapped})
            };
            let containers: Vec<Json> = named(&stated["containers"]).map(container).collect();
            ports.insert(family, containers[0].clone());
            let body = json!({"family": family, "containerDefinitions": containers});
            self.ecs("RegisterTaskDefinition", &body).await;
        }
        for (cluster, services) in named(&world["clusters"]) {
            self.ecs("CreateCluster", &json!({"clusterName": cluster})).await;
            for (name, service) in named(services) {
                let family = text(&service["task_definition"]);
                let balanced = groups.get(name).map(|group| {
                    json!({"targetGroupArn": group, "containerName": ports[family]["name"],
                        "containerPort": ports[family]["portMappings"][0]["containerPort"]})
                });
                let body = json!({"cluster": cluster, "serviceName": name, "taskDefinition": family,
                    "desiredCount": service["desired"],
                    "loadBalancers": balanced.into_iter().collect::<Vec<_>>()});
                self.ecs("CreateService", &body).await;
            }
        }
    }

    async fn make_scaling(&self, world: &Json) {
        for (cluster, services) in named(&world["clusters"]) {
            for (name, service) in named(services).filter(|(_, service)| service["scaling"].is_object()) {
                let body = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/{cluster}/{name}"),
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "MinCapacity": service["scaling"]["min"], "MaxCapacity": service["scaling"]["max"]});
                let target = "AnyScaleFrontendService.RegisterScalableTarget";
                self.by_json("application-autoscaling", target, &body).await;
            }
        }
    }

    /// What it said before is replaced.
    pub(super) async fn put_parameter(&self, name: &str, stated: &Json) {
        let kind = if stated["encrypted"] == true { "SecureString" } else { "String" };
        let body = json!({"Name": name, "Value": stated["value"], "Type": kind, "Overwrite": true});
        self.by_json("ssm", "AmazonSSM.PutParameter", &body).await;
    }

    async fn make_image(&self, name: &str) {
        let Some(Image { repository, pick: Pick::Tag(tag), .. }) = Image::named(name) else { return };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": 2,
                "digest": format!("sha256:{}", "1".repeat(64)),
            },
            "layers": [],
        });
        self.by_json("ecr", &format!("{ECR}.CreateRepository"), &json!({"repositoryName": repository})).await;
        let body =
            json!({"repositoryName": repository, "imageTag": tag, "imageManifest": manifest.to_string()});
        self.by_json("ecr", &format!("{ECR}.PutImage"), &body).await;
    }

    pub(super) async fn delete_image(&self, name: &str) {
        let Some(Image { repository, pick: Pick::Tag(tag), .. }) = Image::named(name) else { return };
        let body = json!({"repositoryName": repository, "imageIds": [{"imageTag": tag}]});
        self.by_json("ecr", &format!("{ECR}.BatchDeleteImage"), &body).await;
    }

    /// Who may do everything but what these faults deny. It is a role, since the keys of its sessions are of its account
    /// wherever there are several.
    async fn make_role(&mut self, faults: &Json) {
        let mut statements = vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"})];
        for fault in faults.as_array().into_iter().flatten() {
            let (service, operation) = (text(&fault["service"]), text(&fault["operation"]));
            let resource = format!("arn:aws:{service}:*:*:{}*", text(&fault["containing"]));
            let action = format!("{service}:{operation}");
            statements.push(json!({"Effect": "Deny", "Action": action, "Resource": resource}));
        }
        let policy = |statements: Json| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let trust = json!([{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]);
        let (trust, policy) = (policy(trust), policy(statements.into()));
        let create = [("Action", "CreateRole"), ("RoleName", USER), ("AssumeRolePolicyDocument", &trust)];
        let made = self.by_form("iam", IAM, &create).await;
        let put = [
            ("Action", "PutRolePolicy"),
            ("RoleName", USER),
            ("PolicyName", "all"),
            ("PolicyDocument", &policy),
        ];
        self.by_form("iam", IAM, &put).await;
        let arn = elements(&made, "Arn")[0];
        let assume = [("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", "contract")];
        let session = self.by_form("sts", STS, &assume).await;
        let told = |name| elements(&session, name)[0].to_owned();
        self.keys = Some((told("AccessKeyId"), told("SecretAccessKey")));
    }

    async fn cloudwatch(&self, action: &str, body: &Json) {
        self.by_json("monitoring", &format!("{CLOUDWATCH}.{action}"), body).await;
    }

    async fn make_alarm(&self, name: &str, stated: &Json) {
        if stated["composite"] == true {
            // Moto has none: who asks for it is not told of it.
            if self.emulator != Emulator::Moto {
                let rule = if stated["state"] == "alarm" { "TRUE" } else { "FALSE" };
                self.cloudwatch("PutCompositeAlarm", &json!({"AlarmName": name, "AlarmRule": rule})).await;
            }
            return;
        }
        let body = json!({"AlarmName": name, "Namespace": "AEP", "MetricName": "Orders", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
            "ActionsEnabled": stated["disabled"] != true});
        self.cloudwatch("PutMetricAlarm", &body).await;
        self.set_alarm(name, stated).await;
    }

    pub(super) async fn set_alarm(&self, name: &str, stated: &Json) {
        let state = stated["state"].as_str().unwrap_or("ok").to_uppercase();
        let body = json!({"AlarmName": name, "StateValue": state, "StateReason": "the world says so"});
        self.cloudwatch("SetAlarmState", &body).await;
    }

    /// One value in each of these minutes, measured so often.
    pub(super) async fn put_metric(&self, key: &str, stated: &Json, minutes: &[Timestamp]) {
        let words: Vec<&str> = key.split(' ').collect();
        let [namespace, name, dimensions @ ..] = &words[..] else { panic!("{key}") };
        let dimensions: Vec<Json> = dimensions
            .iter()
            .filter_map(|text| text.split_once('='))
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let data: Vec<Json> = minutes
            .iter()
            .map(|minute| {
                json!({"MetricName": name, "Dimensions": dimensions, "Timestamp": minute.0 / 1000,
                    "Values": [stated["value"]], "Counts": [stated["samples"]]})
            })
            .collect();
        self.cloudwatch("PutMetricData", &json!({"Namespace": namespace, "MetricData": data})).await;
    }

    async fn logs(&self, action: &str, body: &Json) {
        self.by_json("logs", &format!("Logs_20140328.{action}"), body).await;
    }

    pub(super) async fn make_log(&self, group: &str) {
        self.logs("CreateLogGroup", &json!({"logGroupName": group})).await;
    }

    pub(super) async fn make_stream(&self, group: &str, stream: &str) {
        self.logs("CreateLogStream", &json!({"logGroupName": group, "logStreamName": stream})).await;
    }

    pub(super) async fn put_lines(&self, group: &str, stream: &str, lines: &[Json]) {
        let body = json!({"logGroupName": group, "logStreamName": stream, "logEvents": lines});
        self.logs("PutLogEvents", &body).await;
    }
}
