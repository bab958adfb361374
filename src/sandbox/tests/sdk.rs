//! The contract with AWS's own clients: what they send is understood, what they get they can read.

use super::*;
use crate::port::Wiring;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_route53::error::ProvideErrorMetadata;
use aws_sdk_route53::types as r53;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder, tls};

fn config(wiring: &Wiring) -> SdkConfig {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let keys = Credentials::new(&wiring.access_key, &wiring.secret_key, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .endpoint_url(&wiring.aws_endpoint)
        .retry_config(RetryConfig::disabled())
        .http_client(Builder::new().tls_provider(ring).build_https())
        .build()
}

fn cname(ttl: i64) -> r53::ResourceRecordSet {
    let value =
        r53::ResourceRecord::builder().value("staging-alb.eu-west-1.elb.amazonaws.com").build().unwrap();
    r53::ResourceRecordSet::builder()
        .name("app.navralabs.com")
        .r#type(r53::RrType::Cname)
        .ttl(ttl)
        .resource_records(value)
        .build()
        .unwrap()
}

fn alias() -> r53::ResourceRecordSet {
    let target = r53::AliasTarget::builder()
        .dns_name("aep-prod-alb.eu-west-1.elb.amazonaws.com")
        .hosted_zone_id("Z32O12XQLNTSW2")
        .evaluate_target_health(true)
        .build()
        .unwrap();
    r53::ResourceRecordSet::builder()
        .name("app.navralabs.com")
        .r#type(r53::RrType::A)
        .alias_target(target)
        .build()
        .unwrap()
}

fn batch(old: r53::ResourceRecordSet) -> r53::ChangeBatch {
    let change =
        |action, set| r53::Change::builder().action(action).resource_record_set(set).build().unwrap();
    r53::ChangeBatch::builder()
        .changes(change(r53::ChangeAction::Delete, old))
        .changes(change(r53::ChangeAction::Create, alias()))
        .comment("a & b")
        .build()
        .unwrap()
}

#[tokio::test]
async fn route_53() {
    let sandbox = sandbox(AEP).await;
    let client = aws_sdk_route53::Client::new(&config(sandbox.wiring()));
    let zone = client.get_hosted_zone().id("Z0123456789ABC").send().await.unwrap();
    assert_eq!(zone.hosted_zone().unwrap().name(), "navralabs.com.");
    assert_eq!(zone.delegation_set().unwrap().name_servers().len(), 4);
    let missing = client.get_hosted_zone().id("Z9").send().await.unwrap_err().into_service_error();
    assert!(missing.is_no_such_hosted_zone());

    let list = || client.list_resource_record_sets().hosted_zone_id("Z0123456789ABC");
    let page = list().max_items(2).send().await.unwrap();
    assert!(page.is_truncated());
    assert_eq!(page.next_record_name(), Some("navralabs.com."));
    let page = list().start_record_name("app.navralabs.com").max_items(1).send().await.unwrap();
    assert_eq!(
        page.resource_record_sets(),
        [cname(300)].map(|mut set| {
            set.name = "app.navralabs.com.".into();
            set
        })
    );

    let change = |old| {
        client.change_resource_record_sets().hosted_zone_id("Z0123456789ABC").change_batch(batch(old)).send()
    };
    let stale = change(cname(60)).await.unwrap_err().into_service_error();
    assert!(stale.is_invalid_change_batch());
    assert_eq!(
        stale.message(),
        Some(
            "[Tried to delete resource record set [name='app.navralabs.com.', type='CNAME'] but the values provided \
             do not match the current values]"
        )
    );
    let info = change(cname(300)).await.unwrap().change_info.unwrap();
    assert_eq!((info.status(), info.comment()), (&r53::ChangeStatus::Pending, Some("a & b")));
    until(|| async {
        let found = client.get_change().id(info.id()).send().await.unwrap().change_info.unwrap();
        (found.status == r53::ChangeStatus::Insync).then_some(())
    })
    .await;
    let again = change(cname(300)).await.unwrap_err().into_service_error();
    assert!(again.message().unwrap().contains("but it was not found"));
    assert!(client.get_change().id("C0").send().await.unwrap_err().into_service_error().is_no_such_change());
    let zones = client.list_hosted_zones_by_name().dns_name("navralabs.com").send().await.unwrap();
    assert_eq!(zones.hosted_zones().len(), 1);
}

#[tokio::test]
async fn sts() {
    let sandbox = sandbox(AEP).await;
    let client = aws_sdk_sts::Client::new(&config(sandbox.wiring()));
    let who = client.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some("123456789012"));
    let role = |account: &str| format!("arn:aws:iam::{account}:role/deployer");
    let assumed = client.assume_role().role_arn(role("123456789012")).role_session_name("s").send().await;
    assert!(assumed.unwrap().credentials().unwrap().access_key_id().starts_with("ASIA"));
    let denied = client.assume_role().role_arn(role("999999999999")).role_session_name("s").send().await;
    assert_eq!(denied.unwrap_err().into_service_error().code(), Some("AccessDenied"));
}

#[tokio::test]
async fn ecs() {
    let sandbox = sandbox(AEP).await;
    let client = aws_sdk_ecs::Client::new(&config(sandbox.wiring()));
    let service = || async {
        let found =
            client.describe_services().cluster("aep-prod").services("aep-backend-prod").send().await.unwrap();
        found.services()[0].clone()
    };
    let before = service().await;
    let family = client.describe_task_definition().task_definition("aep-backend").send().await.unwrap();
    let old = family.task_definition().unwrap().clone();
    assert_eq!(before.task_definition(), old.task_definition_arn());
    let image = sandbox.wiring().params["backend_image"].as_str().unwrap().to_owned();
    let mut container = old.container_definitions()[0].clone();
    container.image = Some(image.clone());
    let registered =
        client.register_task_definition().family("aep-backend").container_definitions(container).send().await;
    let new = registered.unwrap().task_definition.unwrap();
    assert_eq!(new.revision(), old.revision() + 1);
    let updated = client
        .update_service()
        .cluster("aep-prod")
        .service("aep-backend-prod")
        .task_definition(new.task_definition_arn().unwrap())
        .send()
        .await
        .unwrap();
    let id = updated.service().unwrap().deployments()[0].id().unwrap().to_owned();
    until(|| async {
        let deployments = service().await.deployments().to_vec();
        let done =
            deployments[0].rollout_state() == Some(&aws_sdk_ecs::types::DeploymentRolloutState::Completed);
        assert_eq!(deployments[0].id(), Some(id.as_str()));
        (done && deployments.len() == 1).then_some(())
    })
    .await;
    let tasks =
        client.list_tasks().cluster("aep-prod").service_name("aep-backend-prod").send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 2);
    let told = client.describe_tasks().cluster("aep-prod").set_tasks(tasks.task_arns).send().await.unwrap();
    for task in told.tasks() {
        assert_eq!(task.last_status(), Some("RUNNING"));
        assert_eq!(task.containers()[0].image_digest(), image.split_once('@').map(|(_, digest)| digest));
    }
    let missing = client.describe_services().cluster("aep-prod").services("no").send().await.unwrap();
    assert_eq!(missing.failures()[0].reason(), Some("MISSING"));
    let missing = client.describe_services().cluster("no").services("no").send().await.unwrap_err();
    assert!(missing.into_service_error().is_cluster_not_found_exception());
}

#[tokio::test]
async fn one_off_tasks() {
    let sandbox = sandbox(AEP).await;
    let client = aws_sdk_ecs::Client::new(&config(sandbox.wiring()));
    let run = || {
        client
            .run_task()
            .cluster("aep-prod")
            .task_definition("aep-migrate")
            .client_token("token")
            .started_by("run-1")
            .send()
    };
    let arn = run().await.unwrap().tasks()[0].task_arn().unwrap().to_owned();
    assert_eq!(run().await.unwrap().tasks()[0].task_arn(), Some(arn.as_str()));
    let other =
        client.run_task().cluster("aep-prod").task_definition("aep-migrate").client_token("token").send();
    assert!(other.await.unwrap_err().into_service_error().is_conflict_exception());
    let over = until(|| async {
        let told = client.describe_tasks().cluster("aep-prod").tasks(&arn).send().await.unwrap();
        Some(told.tasks()[0].clone()).filter(|task| task.last_status() == Some("STOPPED"))
    })
    .await;
    assert_eq!(over.stop_code(), Some(&aws_sdk_ecs::types::TaskStopCode::EssentialContainerExited));
    assert_eq!(over.containers()[0].exit_code(), Some(0));
    let stopped =
        || client.list_tasks().cluster("aep-prod").desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped);
    assert_eq!(stopped().send().await.unwrap().task_arns(), [arn]);
    let refused = stopped().started_by("run-1").send().await.unwrap_err();
    assert!(refused.into_service_error().is_invalid_parameter_exception());
}

#[tokio::test]
async fn load_balancers_and_their_metrics() {
    use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy};
    let sandbox = sandbox(AEP).await;
    let config = config(sandbox.wiring());
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let found = client.describe_load_balancers().names("aep-prod").send().await.unwrap();
    let balancer = found.load_balancers()[0].clone();
    assert_eq!(balancer.canonical_hosted_zone_id(), Some("Z32O12XQLNTSW2"));
    let arn = balancer.load_balancer_arn().unwrap();
    let told = client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await.unwrap();
    let keep = told.attributes().iter().find(|a| a.key() == Some("client_keep_alive.seconds")).unwrap();
    assert_eq!(keep.value(), Some("60"));
    let groups = client.describe_target_groups().load_balancer_arn(arn).send().await.unwrap();
    assert_eq!(groups.target_groups().len(), 2);
    let group = groups.target_groups()[0].target_group_arn().unwrap();
    let health = client.describe_target_health().target_group_arn(group).send().await.unwrap();
    for target in health.target_health_descriptions() {
        assert_eq!(target.target_health().unwrap().state().unwrap().as_str(), "healthy");
    }
    let missing = client.describe_load_balancers().names("no").send().await.unwrap_err();
    assert!(missing.into_service_error().is_load_balancer_not_found_exception());

    let metrics = aws_sdk_cloudwatch::Client::new(&config);
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/ApplicationELB")
        .metric_name("HealthyHostCount")
        .dimensions(dimension("LoadBalancer", arn.split_once("loadbalancer/").unwrap().1))
        .dimensions(dimension("TargetGroup", group.rsplit(':').next().unwrap()))
        .build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Minimum").build();
    let query = MetricDataQuery::builder().id("hosts").metric_stat(stat).build();
    let now = i64::try_from(sandbox.wiring().time.at(super::super::clock::wall()).0 / 1000).unwrap();
    let time = aws_sdk_cloudwatch::primitives::DateTime::from_secs;
    let values = until(|| async {
        let ask =
            metrics.get_metric_data().metric_data_queries(query.clone()).scan_by(ScanBy::TimestampAscending);
        let told = ask.start_time(time(now - 600)).end_time(time(now + 86_400)).send().await.unwrap();
        let result = told.metric_data_results()[0].clone();
        assert_eq!(result.timestamps().len(), result.values().len());
        Some(result.values().to_vec()).filter(|values| values.len() >= 2)
    })
    .await;
    assert_eq!(values[..2], [2.0, 2.0]);
}
