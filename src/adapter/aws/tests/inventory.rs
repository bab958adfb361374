//! What is in an account, page by page, and whose it is.

use super::*;
use crate::port::dns::Name;
use crate::port::{Caller, ReadInventory};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::wall())
}

#[tokio::test]
async fn the_account_is_asked_and_the_region_is_the_worlds() {
    let server = Server::plain(|_| identity("210987654321")).await;
    let wiring = wired(&server);
    let found =
        Account::found(Some("prod"), None, clock(), Some(&wiring), &Budgets::default()).await.unwrap();
    let (account, region) = ("210987654321".to_owned(), "eu-west-1".to_owned());
    assert_eq!(
        found.caller(),
        Caller { account, region, profile: None },
        "no profile reaches into such a world"
    );
    let found =
        Account::found(None, Some("us-east-2"), clock(), Some(&wiring), &Budgets::default()).await.unwrap();
    assert_eq!(found.caller().region, "us-east-2");
}

#[tokio::test]
async fn without_a_region_nothing_is_asked() {
    let server = Server::plain(|_| identity(ACCOUNT)).await;
    let wiring = Wiring { region: String::new(), ..wired(&server) };
    let fault = Account::found(None, None, clock(), Some(&wiring), &Budgets::default()).await.err().unwrap();
    is(&fault, FaultKind::Permanent, Landed::No, &["no region is set", "--region"]);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn credentials_that_are_not_taken_are_told_of() {
    let invalid = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
                   <Message>The security token is invalid</Message></Error></ErrorResponse>";
    let server = Server::plain(|_| Say::text(403, invalid)).await;
    let fault =
        Account::found(None, None, clock(), Some(&wired(&server)), &Budgets::default()).await.err().unwrap();
    is(&fault, FaultKind::Blind, Landed::No, &["sts", "The security token is invalid"]);
}

#[tokio::test]
async fn zones_are_listed_to_the_last_page() {
    let page = |id: &str, name: &str, private: bool, more: &str| {
        let text = format!(
            "<ListHostedZonesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HostedZones><HostedZone>\
             <Id>/hostedzone/{id}</Id><Name>{name}</Name><CallerReference>x</CallerReference>\
             <Config><PrivateZone>{private}</PrivateZone></Config></HostedZone></HostedZones>{more}<MaxItems>1</MaxItems>\
             </ListHostedZonesResponse>"
        );
        Say::text(200, &text)
    };
    let more = "<IsTruncated>true</IsTruncated><NextMarker>Z2</NextMarker>";
    let last = "<IsTruncated>false</IsTruncated>";
    let server =
        aws(vec![page("Z1", "example.com.", false, more), page("Z2", "\\052.example.com.", true, last)])
            .await;
    let found = account(&wired(&server)).zones().await.unwrap();
    let found: Vec<(&str, &str, bool)> =
        found.iter().map(|zone| (&*zone.id, zone.name.as_str(), zone.private)).collect();
    assert_eq!(found, [("Z1", "example.com", false), ("Z2", "*.example.com", true)]);
    assert!(calls(&server)[1].head.contains("marker=z2"), "{}", calls(&server)[1].head);
}

#[tokio::test]
async fn names_of_a_zone_are_listed_once_and_not_for_ever() {
    let set = |name: &str, kind: &str| {
        format!(
            "<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
             <Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
        )
    };
    let page = |sets: &str, more: &str| {
        let text = format!(
            "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceRecordSets>{sets}\
             </ResourceRecordSets>{more}<MaxItems>2</MaxItems></ListResourceRecordSetsResponse>"
        );
        Say::text(200, &text)
    };
    let more = "<IsTruncated>true</IsTruncated><NextRecordName>b.</NextRecordName><NextRecordType>A</NextRecordType>";
    let both = set("a.example.com.", "A") + &set("a.example.com.", "AAAA");
    let last = page(&set("b.example.com.", "A"), "<IsTruncated>false</IsTruncated>");
    let server = aws(vec![page(&both, more), last]).await;
    let found = account(&wired(&server)).names("Z1").await.unwrap();
    assert_eq!(found, [Name::new("a.example.com"), Name::new("b.example.com")]);
    let endless = aws(vec![page(&both, more)]).await;
    account(&wired(&endless)).names("Z1").await.unwrap();
    assert_eq!(calls(&endless).len(), 10);
}

#[tokio::test]
async fn clusters_and_services_are_told_by_name() {
    let arns = [
        r#"{"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/aep-prod"], "nextToken": "t"}"#,
        r#"{"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/aep-staging"]}"#,
        r#"{"serviceArns": ["arn:aws:ecs:eu-west-1:123456789012:service/aep-prod/web", "arn:aws:ecs:eu-west-1:123456789012:service/old"]}"#,
    ];
    let server = aws(arns.iter().map(|text| Say::text(200, text)).collect()).await;
    let account = account(&wired(&server));
    assert_eq!(account.clusters().await.unwrap(), ["aep-prod", "aep-staging"]);
    assert_eq!(account.services("aep-prod").await.unwrap(), ["web", "old"]);
    assert!(calls(&server)[1].body.contains(r#""nextToken":"t""#), "{}", calls(&server)[1].body);
}

#[tokio::test]
async fn load_balancers_are_listed_to_the_last_page() {
    let page = |name: &str, kind: &str, more: &str| {
        let text = format!(
            "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>arn:{name}\
             </LoadBalancerArn><LoadBalancerName>{name}</LoadBalancerName><DNSName>{name}-123.ELB.amazonaws.com</DNSName>\
             <Type>{kind}</Type></member></LoadBalancers>{more}</DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
        );
        Say::text(200, &text)
    };
    let more = "<NextMarker>m</NextMarker>";
    let server = aws(vec![page("Web", "application", more), page("tcp", "network", "")]).await;
    let found = account(&wired(&server)).load_balancers().await.unwrap();
    let found: Vec<(&str, &str, bool)> =
        found.iter().map(|one| (&*one.name, one.dns_name.as_str(), one.application)).collect();
    assert_eq!(
        found,
        [("Web", "web-123.elb.amazonaws.com", true), ("tcp", "tcp-123.elb.amazonaws.com", false)]
    );
}
