//! AWS on the wire: what is sent, and what each kind of answer means. The answers are those that AWS gives.

mod clocks;
mod cloudwatch;
mod compute;
mod images;
mod inventory;
mod logs;
mod named;
mod parameters;
mod permissions;
mod rules;
mod service_deployments;
mod throttles;
mod zone;

use super::*;
use crate::adapter::tests::{Certificate, Say, Seen, Server, wiring};
use crate::adapter::{Budgets, SystemClock};
use crate::plan::Timestamp;
use crate::port::{Clock, ReadTraffic, Wiring};
use crate::run::{Fault, FaultKind, Landed};
use std::sync::Arc;

const ACCOUNT: &str = "123456789012";

fn identity(account: &str) -> Say {
    Say::text(
        200,
        &format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:user/ana</Arn><UserId>U</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

/// A server that says who the caller is, and to the other calls, in order, what the script holds; the last of it
/// for ever.
async fn aws(script: Vec<Say>) -> Server {
    let script = std::sync::Mutex::new(script);
    Server::plain(move |seen: &Seen| {
        if seen.body.contains("Action=GetCallerIdentity") {
            return identity(ACCOUNT);
        }
        let mut script = script.lock().unwrap();
        match (script.len(), script.first()) {
            (1, Some(Say::Answer(status, headers, body))) => {
                Say::Answer(*status, headers.clone(), body.clone())
            }
            (1, Some(Say::Drop)) => Say::Drop,
            (1, Some(Say::Hang)) => Say::Hang,
            _ => script.remove(0),
        }
    })
    .await
}

/// Calls besides the one that asks whose credentials these are.
fn calls(server: &Server) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| !seen.body.contains("GetCallerIdentity")).collect()
}

fn wired(server: &Server) -> Wiring {
    Wiring { aws_endpoint: format!("http://{}", server.address), ..wiring() }
}

fn account(wiring: &Wiring) -> Arc<Account> {
    let place = Place {
        account: ACCOUNT.into(),
        region: "eu-west-1".into(),
        profile: Some("prod".into()),
        endpoint: None,
    };
    let (clock, budgets) = (Arc::new(SystemClock::wall()), Budgets::default());
    Arc::new(Account::new(place, clock, Arc::default(), Some(wiring), budgets))
}

fn soon() -> Timestamp {
    SystemClock::wall().now().after(std::time::Duration::from_secs(60))
}

#[track_caller]
fn is(fault: &Fault, kind: FaultKind, landed: Landed, words: &[&str]) {
    assert_eq!((fault.kind, fault.landed), (kind, landed), "{fault}");
    for word in words {
        assert!(fault.message.contains(word), "`{word}` is not in: {fault}");
    }
}

#[tokio::test]
async fn a_wrong_account_sees_nothing_and_changes_nothing() {
    let server = Server::plain(|_| identity("999999999999")).await;
    let account = account(&wired(&server));
    let fault = account.load_balancer("aep-prod").await.unwrap_err();
    is(&fault, FaultKind::Permanent, Landed::No, &[ACCOUNT, "999999999999", "profile prod", "aep-prod"]);
    assert!(calls(&server).is_empty());
}

#[tokio::test]
async fn whose_credentials_they_are_is_asked_once() {
    let empty = "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
    let server = aws(vec![Say::text(200, empty)]).await;
    let account = account(&wired(&server));
    for _ in 0..3 {
        assert!(account.targets("arn").await.unwrap().is_empty());
    }
    assert_eq!((calls(&server).len(), server.seen().len()), (3, 4));
}

#[tokio::test]
async fn expired_credentials_blind_and_say_how_to_log_in() {
    let expired = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>\
                   <Message>The security token included in the request is expired</Message></Error></ErrorResponse>";
    let server = aws(vec![Say::text(403, expired)]).await;
    let fault = account(&wired(&server)).targets("arn").await.unwrap_err();
    let words = ["elbv2 DescribeTargetHealth of arn", "is expired", "aws sso login --profile prod"];
    is(&fault, FaultKind::Blind, Landed::No, &words);
    assert_eq!(calls(&server).len(), 1, "nobody becomes valid by asking again");
}

#[tokio::test]
async fn a_look_is_tried_again_and_one_that_may_not_look_is_blind() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>";
    let server = aws(vec![Say::text(500, "oops"), Say::Drop, Say::text(403, denied)]).await;
    let fault = account(&wired(&server)).targets("arn").await.unwrap_err();
    is(&fault, FaultKind::Blind, Landed::No, &["AccessDenied: not authorized"]);
    assert_eq!(calls(&server).len(), 3);
}

#[tokio::test]
async fn requests_go_over_tls_to_whom_the_authority_vouches_for() {
    let certificate = Certificate::of(&["127.0.0.1"]);
    let server = Server::tls(&certificate, |seen| {
        if seen.body.contains("GetCallerIdentity") {
            return identity(ACCOUNT);
        }
        Say::text(
            200,
            "<DescribeTargetHealthResponse><DescribeTargetHealthResult/></DescribeTargetHealthResponse>",
        )
    })
    .await;
    let endpoint = format!("https://{}", server.address);
    let good = Wiring { aws_endpoint: endpoint.clone(), ca_pem: certificate.pem.clone(), ..wiring() };
    account(&good).targets("arn").await.unwrap();
    assert_eq!(server.seen().len(), 2);
    let bad = Wiring { ca_pem: Certificate::of(&["127.0.0.1"]).pem, ..good };
    account(&bad).targets("arn").await.unwrap_err();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn all_target_groups_behind_a_load_balancer_are_found() {
    let page = |arn: &str, more: &str| {
        let text = format!(
            "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member><TargetGroupArn>{arn}\
             </TargetGroupArn></member></TargetGroups>{more}</DescribeTargetGroupsResult></DescribeTargetGroupsResponse>"
        );
        Say::text(200, &text)
    };
    let server = aws(vec![page("arn:1", "<NextMarker>m</NextMarker>"), page("arn:2", "")]).await;
    let found = account(&wired(&server)).target_groups("arn:lb").await.unwrap();
    assert_eq!(found, ["arn:1", "arn:2"]);
    assert!(calls(&server)[1].body.contains("Marker=m"));
}

#[tokio::test]
async fn load_balancers_and_targets_are_told_in_our_words() {
    let balancer = "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>arn:lb</LoadBalancerArn>\
        <LoadBalancerName>aep-prod</LoadBalancerName><DNSName>aep-prod.elb.amazonaws.com</DNSName>\
        <CanonicalHostedZoneId>Z32</CanonicalHostedZoneId></member></LoadBalancers></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>";
    let attributes = "<DescribeLoadBalancerAttributesResponse><DescribeLoadBalancerAttributesResult><Attributes><member><Key>client_keep_alive.seconds</Key>\
        <Value>60</Value></member></Attributes></DescribeLoadBalancerAttributesResult></DescribeLoadBalancerAttributesResponse>";
    let targets = "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>10.0.0.1</Id><Port>80</Port>\
        </Target><TargetHealth><State>unhealthy</State><Reason>Target.Timeout</Reason><Description>slow</Description>\
        </TargetHealth></member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
    let none = "<ErrorResponse><Error><Type>Sender</Type><Code>LoadBalancerNotFound</Code><Message>no</Message></Error></ErrorResponse>";
    let answers = [(200, balancer), (200, attributes), (200, targets), (400, none)];
    let server = aws(answers.into_iter().map(|(status, text)| Say::text(status, text)).collect()).await;
    let account = account(&wired(&server));
    let found = account.load_balancer("aep-prod").await.unwrap().unwrap();
    assert_eq!((&*found.dns_name, &*found.zone_id), ("aep-prod.elb.amazonaws.com", "Z32"));
    assert_eq!((found.keep_alive.as_secs(), found.idle_timeout.as_secs()), (60, 60));
    let targets = account.targets("arn").await.unwrap();
    assert_eq!((&*targets[0].id, &*targets[0].state), ("10.0.0.1:80", "unhealthy"));
    assert_eq!(targets[0].reason.as_deref(), Some("Target.Timeout: slow"));
    assert_eq!(account.load_balancer("none").await.unwrap(), None);
}
