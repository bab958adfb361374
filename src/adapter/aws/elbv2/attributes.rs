//! Attributes of load balancers and target groups: two pairs of calls that are the same but for their names.

use super::super::account::{Account, Changing};
use super::super::call;
use crate::adapter::budgets::Service;
use crate::port::{Attribute, Attributes};
use crate::run::Fault;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerAttribute, TargetGroupAttribute};
use std::time::Duration;

/// What is told of attributes that we know.
fn read(told: impl IntoIterator<Item = (Option<String>, Option<String>)>) -> Attributes {
    let known = |(key, value): (Option<String>, Option<String>)| {
        Some((Attribute::of_key(&key?)?, Duration::from_secs(value?.parse().ok()?)))
    };
    told.into_iter().filter_map(known).collect()
}

/// `named`: what people call it.
pub(super) async fn of_balancer(
    account: &Account,
    arn: &str,
    named: &str,
) -> Result<Option<Attributes>, Fault> {
    let unseen = account.unseen("elbv2 DescribeLoadBalancerAttributes", named);
    let client = account.elbv2().await.map_err(&unseen)?;
    let ask = |watch| {
        client
            .describe_load_balancer_attributes()
            .load_balancer_arn(arn)
            .customize()
            .interceptor(watch)
            .send()
    };
    let answer = match call::read(account, Service::Elb, ask).await {
        Err(failure) if failure.code.as_deref() == Some("LoadBalancerNotFound") => return Ok(None),
        answer => answer.map_err(&unseen)?,
    };
    let told = answer.attributes.unwrap_or_default();
    Ok(Some(read(told.into_iter().map(|attribute| (attribute.key, attribute.value)))))
}

pub(super) async fn of_group(account: &Account, arn: &str) -> Result<Option<Attributes>, Fault> {
    let unseen = account.unseen("elbv2 DescribeTargetGroupAttributes", arn);
    let client = account.elbv2().await.map_err(&unseen)?;
    let ask = |watch| {
        client.describe_target_group_attributes().target_group_arn(arn).customize().interceptor(watch).send()
    };
    let answer = match call::read(account, Service::Elb, ask).await {
        Err(failure) if failure.code.as_deref() == Some("TargetGroupNotFound") => return Ok(None),
        answer => answer.map_err(&unseen)?,
    };
    let told = answer.attributes.unwrap_or_default();
    Ok(Some(read(told.into_iter().map(|attribute| (attribute.key, attribute.value)))))
}

/// As it is sent.
fn written(attributes: &Attributes) -> impl Iterator<Item = (&'static str, String)> {
    attributes.iter().map(|(attribute, value)| (attribute.key(), value.as_secs().to_string()))
}

pub(super) async fn set_of_balancer(
    changing: &Changing,
    arn: &str,
    attributes: &Attributes,
) -> Result<(), Fault> {
    let account = &*changing.account;
    let unwritten = account.unwritten("elbv2 ModifyLoadBalancerAttributes", arn);
    let client = account.elbv2().await.map_err(&unwritten)?;
    let one = |(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build();
    let all: Vec<LoadBalancerAttribute> = written(attributes).map(one).collect();
    let send = |watch| {
        client
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn)
            .set_attributes(Some(all.clone()))
            .customize()
            .interceptor(watch)
            .send()
    };
    call::write(account, Service::Elb, changing.until, send).await.map(drop).map_err(&unwritten)
}

pub(super) async fn set_of_group(
    changing: &Changing,
    arn: &str,
    attributes: &Attributes,
) -> Result<(), Fault> {
    let account = &*changing.account;
    let unwritten = account.unwritten("elbv2 ModifyTargetGroupAttributes", arn);
    let client = account.elbv2().await.map_err(&unwritten)?;
    let one = |(key, value)| TargetGroupAttribute::builder().key(key).value(value).build();
    let all: Vec<TargetGroupAttribute> = written(attributes).map(one).collect();
    let send = |watch| {
        client
            .modify_target_group_attributes()
            .target_group_arn(arn)
            .set_attributes(Some(all.clone()))
            .customize()
            .interceptor(watch)
            .send()
    };
    call::write(account, Service::Elb, changing.until, send).await.map(drop).map_err(&unwritten)
}
