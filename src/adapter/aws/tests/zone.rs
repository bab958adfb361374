//! Route 53: what is listed, what is sent, and which answers may be believed.

use super::*;
use crate::adapter::dns::Resolver;
use crate::adapter::tests::{closed, name_server};
use crate::port::dns::{
    AskResolver, ChangeId, ChangeStatus, Checkers, HealthCheck, Name, RecordChange, RecordSet, RecordType,
    Served,
};
use crate::port::{ReadDns, WriteDns};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use serde_json::json;

fn zone(server: &Server) -> Arc<HostedZone> {
    Arc::new(HostedZone::new(account(&wired(server)), "Z1", Resolver::System, 53))
}

fn set(value: serde_json::Value) -> RecordSet {
    serde_json::from_value(value).unwrap()
}

fn switch() -> [RecordChange; 2] {
    let old = json!({"name": "app.example.com", "type": "CNAME", "ttl": 300, "values": ["old.example.com"], "alias": null});
    let new = json!({"name": "app.example.com", "type": "A", "ttl": null, "values": [],
        "alias": {"name": "new.elb.amazonaws.com", "zone_id": "Z32", "evaluate_health": true}});
    [RecordChange::Delete(set(old)), RecordChange::Create(set(new))]
}

async fn change(script: Vec<Say>) -> (Result<ChangeId, Fault>, usize) {
    let server = aws(script).await;
    let answer = zone(&server).until(soon()).change(&switch(), "run 1").await;
    (answer, calls(&server).len())
}

fn refusal(code: &str, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

const ACCEPTED: &str = "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>\
    <SubmittedAt>2026-11-21T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>";
const STALE: &str = "[Tried to delete resource record set [name='app.example.com.', type='CNAME'] but the values \
    provided do not match the current values, Tried to create resource record set [name='app.example.com.', \
    type='A'] but it already exists]";

#[tokio::test]
async fn a_switch_is_one_batch_that_echoes_what_was_listed() {
    let server = aws(vec![Say::text(200, ACCEPTED)]).await;
    let id = zone(&server).until(soon()).change(&switch(), "run 1").await.unwrap();
    assert_eq!(id.0, "C1");
    let [call] = &calls(&server)[..] else { panic!("one call") };
    assert!(call.head.starts_with("post /2013-04-01/hostedzone/z1/rrset"), "{}", call.head);
    let expected = "<ChangeBatch><Comment>run 1</Comment><Changes>\
        <Change><Action>DELETE</Action><ResourceRecordSet><Name>app.example.com.</Name><Type>CNAME</Type><TTL>300</TTL>\
        <ResourceRecords><ResourceRecord><Value>old.example.com</Value></ResourceRecord></ResourceRecords>\
        </ResourceRecordSet></Change>\
        <Change><Action>CREATE</Action><ResourceRecordSet><Name>app.example.com.</Name><Type>A</Type>\
        <AliasTarget><HostedZoneId>Z32</HostedZoneId><DNSName>new.elb.amazonaws.com.</DNSName>\
        <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget></ResourceRecordSet></Change>\
        </Changes></ChangeBatch>";
    assert!(call.body.contains(expected), "{}", call.body);
}

/// aws-sdk-kotlin#1435: what Route 53 answers to a batch that is stale. smithy-rs#143: in an older form it names no code, and an
/// SDK makes nothing of it. terraform#6679: an A where a CNAME still was.
#[tokio::test]
async fn a_stale_batch_is_somebody_elses_change() {
    let legacy = format!(
        "<?xml version=\"1.0\"?><InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Messages>\
         <Message>{STALE}</Message></Messages></InvalidChangeBatch>"
    );
    for (answer, words) in [
        (refusal("InvalidChangeBatch", STALE), "do not match the current values"),
        (legacy, "do not match the current values"),
        (refusal("InvalidChangeBatch", "[Tried to delete … but it was not found]"), "was not found"),
        (
            refusal(
                "InvalidChangeBatch",
                "[RRSet of type A with DNS name app.example.com. is not permitted because a conflicting RRSet of \
                 type CNAME with the same DNS name already exists in zone example.com.]",
            ),
            "conflicting",
        ),
    ] {
        let (answer, calls) = change(vec![Say::text(400, &answer)]).await;
        is(&answer.unwrap_err(), FaultKind::Foreign, Landed::No, &[words, "zone Z1"]);
        assert_eq!(calls, 1);
    }
}

#[tokio::test]
async fn a_lost_answer_is_never_sent_again() {
    let cases = [
        ("dropped", Say::Drop),
        ("500", Say::text(500, "")),
        ("503", Say::text(503, &refusal("ServiceUnavailable", "try later"))),
        ("not xml", Say::text(200, "<html>a proxy</html")),
        ("4xx without a code", Say::text(400, "<html>a proxy</html>")),
        ("4xx that nobody knows", Say::text(400, &refusal("SomethingNew", "what is this"))),
    ];
    for (name, say) in cases {
        let (answer, calls) = change(vec![say, Say::text(200, ACCEPTED)]).await;
        let fault = answer.expect_err(name);
        assert_eq!(
            (fault.kind, fault.landed, calls),
            (FaultKind::Transient, Landed::Maybe, 1),
            "{name}: {fault}"
        );
    }
}

/// external-dns#1293: throttled. terraform#1194: a prior request was still being processed.
#[tokio::test]
async fn what_was_certainly_refused_for_now_is_tried_again() {
    let busy = refusal("PriorRequestNotComplete", "the zone is busy");
    let throttled = refusal("Throttling", "Rate exceeded");
    let script = vec![Say::text(400, &throttled), Say::text(400, &busy), Say::text(200, ACCEPTED)];
    let (answer, calls) = change(script).await;
    assert_eq!((answer.unwrap().0.as_str(), calls), ("C1", 3));
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let server = aws(vec![Say::text(400, &refusal("Throttling", "Rate exceeded"))]).await;
    let zone = zone(&server);
    let fault = zone.until(Timestamp::PAST).change(&switch(), "").await.unwrap_err();
    is(&fault, FaultKind::Blind, Landed::No, &["the deadline of this call passed before it was sent"]);
    assert_eq!(calls(&server).len(), 0);
    // A second try would come too late: the refusal itself is told.
    let until = SystemClock::wall().now().after(std::time::Duration::from_millis(250));
    let fault = zone.until(until).change(&switch(), "").await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{fault}");
    assert!(calls(&server).len() <= 1);
}

#[tokio::test]
async fn refusals_of_a_write_are_told_apart() {
    use FaultKind::{Blind, Permanent};
    for (status, code, text, kind, words) in [
        (400, "InvalidInput", "bad name", Permanent, "bad name"),
        (404, "NoSuchHostedZone", "no zone Z1", Permanent, "no zone Z1"),
        (403, "AccessDenied", "not authorized", Permanent, "not authorized"),
        (403, "ExpiredToken", "is expired", Blind, "aws sso login --profile prod"),
        (403, "SignatureDoesNotMatch", "Signature expired", Blind, "Signature expired"),
        (400, "InvalidChangeBatch", "[the record set is protected]", Permanent, "never does"),
        (400, "InvalidChangeBatch", "[Invalid Resource Record]", Permanent, "Invalid Resource"),
    ] {
        let (answer, calls) = change(vec![Say::text(status, &refusal(code, text))]).await;
        is(&answer.unwrap_err(), kind, Landed::No, &[words, code]);
        assert_eq!(calls, 1, "{code}");
    }
}

/// The text quotes names.
#[tokio::test]
async fn a_stale_batch_about_a_name_that_speaks_of_protection_is_somebody_elses_change() {
    let text = STALE.replace("app.example.com", "protect.example.com");
    let (answer, _) = change(vec![Say::text(400, &refusal("InvalidChangeBatch", &text))]).await;
    is(&answer.unwrap_err(), FaultKind::Foreign, Landed::No, &["protect.example.com"]);
}

#[tokio::test]
async fn a_change_that_is_too_large_is_not_sent() {
    for (values, length, sent) in [(1_000, 32, 1), (1_001, 1, 0), (1_000, 33, 0)] {
        let value = "x".repeat(length);
        let many =
            set(json!({"name": "www.example.com", "type": "TXT", "ttl": 60, "values": vec![value; values]}));
        let server = aws(vec![Say::text(200, ACCEPTED)]).await;
        let found = zone(&server).until(soon()).change(&[RecordChange::Create(many)], "").await;
        assert_eq!(calls(&server).len(), sent, "{values} of {length}: {found:?}");
        if sent == 0 {
            let count = format!("{values} of {}", values * length);
            is(
                &found.unwrap_err(),
                FaultKind::Permanent,
                Landed::No,
                &["1000 values", "32000 characters", &count],
            );
        }
    }
}

#[tokio::test]
async fn a_field_that_cannot_be_sent_stops_the_change() {
    let server = aws(vec![Say::text(200, ACCEPTED)]).await;
    let odd = json!({"name": "a.example.com", "type": "A", "ttl": 60, "values": ["10.0.0.1"], "alias": null,
        "extra": {"SomethingNew": "7"}});
    let batch = [RecordChange::Delete(set(odd))];
    let fault = zone(&server).until(soon()).change(&batch, "").await.unwrap_err();
    is(&fault, FaultKind::Permanent, Landed::No, &["SomethingNew"]);
    assert!(server.seen().is_empty());
}

/// terraform-provider-aws#13012: what was to be deleted was sent without its health check, and refused. moto#7153: other fields
/// may be left out, and then nothing would say that they are not what they were.
#[tokio::test]
async fn every_field_that_is_listed_goes_back() {
    let fields = "<SetIdentifier>blue</SetIdentifier><Weight>0</Weight><Region>eu-west-1</Region><GeoLocation>\
        <ContinentCode>EU</ContinentCode><CountryCode>FR</CountryCode></GeoLocation><Failover>PRIMARY</Failover>\
        <MultiValueAnswer>true</MultiValueAnswer><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>10.0.0.1</Value>\
        </ResourceRecord></ResourceRecords><HealthCheckId>h-1</HealthCheckId><CidrRoutingConfig><CollectionId>c-1\
        </CollectionId><LocationName>office</LocationName></CidrRoutingConfig><GeoProximityLocation><AWSRegion>eu-west-3\
        </AWSRegion><Coordinates><Latitude>1.5</Latitude><Longitude>2.5</Longitude></Coordinates><Bias>-3</Bias>\
        </GeoProximityLocation>";
    let target = "<AliasTarget><HostedZoneId>Z32</HostedZoneId><DNSName>dualstack.lb.example.net.</DNSName>\
        <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>";
    let page = format!(
        "<ListResourceRecordSetsResponse><ResourceRecordSets>\
         <ResourceRecordSet><Name>\\052.example.com.</Name><Type>A</Type>{fields}</ResourceRecordSet>\
         <ResourceRecordSet><Name>\\052.Example.com.</Name><Type>AAAA</Type>{target}</ResourceRecordSet>\
         <ResourceRecordSet><Name>zzz.example.com.</Name><Type>A</Type><TTL>1</TTL></ResourceRecordSet>\
         </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    );
    let server = aws(vec![Say::text(200, &page), Say::text(200, ACCEPTED)]).await;
    let zone = zone(&server);
    let found = zone.record_sets(&Name::new("*.example.com")).await.unwrap();
    let [found, alias] = &found[..] else { panic!("{found:?}") };
    assert_eq!(found.extra.len(), 14, "{found:?}");
    let batch = [found, alias].map(|set| RecordChange::Delete(set.clone()));
    zone.until(soon()).change(&batch, "").await.unwrap();
    let sent = calls(&server).pop().unwrap().body;
    assert!(sent.contains(target), "{target} is not in {sent}");
    for field in fields.split("</").filter_map(|part| part.rsplit_once('>').map(|(_, value)| value)) {
        assert!(sent.contains(&format!(">{field}</")), "{field} is not in {sent}");
    }
    assert!(sent.contains("<Name>*.example.com.</Name>"), "{sent}");
}

#[tokio::test]
async fn all_pages_of_a_name_are_read() {
    let page = |id: &str, more: &str| {
        let text = format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>app.example.com.</Name>\
             <Type>A</Type><SetIdentifier>{id}</SetIdentifier><TTL>60</TTL></ResourceRecordSet></ResourceRecordSets>\
             {more}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        );
        Say::text(200, &text)
    };
    let more = "<IsTruncated>true</IsTruncated><NextRecordName>APP.example.com.</NextRecordName>\
        <NextRecordType>A</NextRecordType><NextRecordIdentifier>b</NextRecordIdentifier>";
    let server = aws(vec![page("a", more), page("b", "<IsTruncated>false</IsTruncated>")]).await;
    assert_eq!(zone(&server).record_sets(&Name::new("app.example.com")).await.unwrap().len(), 2);
    let calls = calls(&server);
    assert!(calls[0].head.contains("name=app.example.com."), "{}", calls[0].head);
    assert!(calls[1].head.contains("identifier=b"), "{}", calls[1].head);
}

#[tokio::test]
async fn a_change_is_pending_until_it_is_in_sync() {
    let status = |word: &str| {
        let text = format!(
            "<GetChangeResponse><ChangeInfo><Id>/change/C1</Id><Status>{word}</Status>\
             <SubmittedAt>2026-11-21T00:00:00Z</SubmittedAt></ChangeInfo></GetChangeResponse>"
        );
        Say::text(200, &text)
    };
    let gone = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchChange</Code><Message>A change with ID 'C1' does not \
        exist.</Message></Error></ErrorResponse>";
    let server = aws(vec![status("PENDING"), status("INSYNC"), Say::text(404, gone)]).await;
    let zone = zone(&server);
    let id = ChangeId("C1".into());
    assert_eq!(zone.status(&id).await.unwrap(), ChangeStatus::Pending);
    assert_eq!(zone.status(&id).await.unwrap(), ChangeStatus::Insync);
    assert_eq!(zone.status(&id).await.unwrap(), ChangeStatus::Unknown);
}

#[tokio::test]
async fn a_private_zone_says_what_cannot_be_verified_and_is_left_to_resolvers_inside() {
    let text = "<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name>\
        <CallerReference>r</CallerReference><Config><PrivateZone>true</PrivateZone></Config></HostedZone><VPCs><VPC>\
        <VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-1</VPCId></VPC></VPCs></GetHostedZoneResponse>";
    let listed = "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>example.com.</Name><Type>NS</Type>\
        <TTL>172800</TTL><ResourceRecords><ResourceRecord><Value>ns-0.awsdns-00.com.</Value></ResourceRecord><ResourceRecord>\
        <Value>ns-512.awsdns-00.net.</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></ResourceRecordSets>\
        <IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>";
    let begin = async || {
        let server = aws(vec![Say::text(200, text), Say::text(200, listed)]).await;
        let zone = HostedZone::new(account(&wired(&server)), "Z1", Resolver::System, 53);
        (server, zone)
    };
    let (server, zone) = begin().await;
    let words = ["zone Z1 (example.com) is private", "can be verified", "name resolvers of that network"];
    is(&zone.delegation().await.unwrap_err(), FaultKind::Permanent, Landed::No, &words);
    is(&zone.authorities().await.unwrap_err(), FaultKind::Permanent, Landed::No, &words);
    is(&zone.stand_ins().await.err().unwrap(), FaultKind::Permanent, Landed::No, &words);
    assert_eq!(calls(&server).len(), 2, "it is asked about once");
    let (_server, zone) = begin().await;
    let zone = zone.or_else_asking(vec![Arc::new(Named("https://inside.example/dns-query"))]);
    let servers = ["ns-0.awsdns-00.com", "ns-512.awsdns-00.net"].map(Name::new);
    assert_eq!(zone.zone().await.unwrap().name_servers, servers);
    is(&zone.delegation().await.unwrap_err(), FaultKind::Blind, Landed::No, &words[..1]);
    assert_eq!(zone.stand_ins().await.unwrap()[0].url(), "https://inside.example/dns-query");
}

#[tokio::test]
async fn whether_a_zone_can_be_changed_while_its_control_plane_is_down_is_told() {
    for (features, accelerated) in [
        ("", false),
        ("<Features><AcceleratedRecoveryStatus>ENABLING</AcceleratedRecoveryStatus></Features>", false),
        ("<Features><AcceleratedRecoveryStatus>ENABLED</AcceleratedRecoveryStatus></Features>", true),
    ] {
        let text = format!(
            "<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name>\
             <CallerReference>r</CallerReference>{features}</HostedZone><DelegationSet><NameServers>\
             <NameServer>127.0.0.1</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>"
        );
        let server = aws(vec![Say::text(200, &text)]).await;
        assert_eq!(zone(&server).zone().await.unwrap().accelerated, Some(accelerated), "{features}");
    }
}

fn checked(config: &str) -> Say {
    Say::text(
        200,
        &format!(
            "<GetHealthCheckResponse><HealthCheck><Id>h-1</Id><CallerReference>r</CallerReference><HealthCheckConfig>{config}\
             </HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck></GetHealthCheckResponse>"
        ),
    )
}

fn observed(statuses: &[&str]) -> Say {
    let one = |status: &&str| {
        format!(
            "<HealthCheckObservation><Region>eu-west-1</Region><IPAddress>192.0.2.1</IPAddress><StatusReport><Status>{status}\
             </Status><CheckedTime>2026-11-21T00:00:00Z</CheckedTime></StatusReport></HealthCheckObservation>"
        )
    };
    let all: String = statuses.iter().map(one).collect();
    Say::text(
        200,
        &format!(
            "<GetHealthCheckStatusResponse><HealthCheckObservations>{all}</HealthCheckObservations>\
             </GetHealthCheckStatusResponse>"
        ),
    )
}

#[tokio::test]
async fn a_health_check_tells_what_it_asks_and_what_its_checkers_say() {
    let said = ["Success: HTTP Status Code 200, OK", "Failure: Connection refused.", "Resolving the name"];
    for (config, asks) in [
        (
            "<Port>443</Port><Type>HTTPS</Type><ResourcePath>/health</ResourcePath>\
             <FullyQualifiedDomainName>old.example.com</FullyQualifiedDomainName>",
            "https://old.example.com/health",
        ),
        (
            "<IPAddress>192.0.2.9</IPAddress><Port>8080</Port><Type>HTTP_STR_MATCH</Type>\
             <FullyQualifiedDomainName>old.example.com</FullyQualifiedDomainName><Inverted>false</Inverted>",
            "http://192.0.2.9:8080 as old.example.com",
        ),
        ("<IPAddress>2001:db8::9</IPAddress><Port>25</Port><Type>TCP</Type>", "tcp://[2001:db8::9]:25"),
    ] {
        let server = aws(vec![checked(config), observed(&said)]).await;
        let found = zone(&server).health_check("h-1").await.unwrap().unwrap();
        let checkers = Checkers::Counted { well: 1, of: 2 };
        let whole = HealthCheck { asks: asks.into(), disabled: false, inverted: false, checkers };
        assert_eq!(found, whole);
        let calls = calls(&server);
        assert!(calls[0].head.starts_with("get /2013-04-01/healthcheck/h-1"), "{}", calls[0].head);
        assert!(calls[1].head.starts_with("get /2013-04-01/healthcheck/h-1/status"), "{}", calls[1].head);
    }
}

#[tokio::test]
async fn a_health_check_without_checkers_is_not_asked_what_they_say() {
    for (config, words) in [
        (
            "<Type>CALCULATED</Type><ChildHealthChecks><ChildHealthCheck>h-2</ChildHealthCheck></ChildHealthChecks>",
            "1 other",
        ),
        (
            "<Type>CLOUDWATCH_METRIC</Type><AlarmIdentifier><Region>eu-west-1</Region><Name>errors</Name></AlarmIdentifier>",
            "alarm errors in eu-west-1: what its checkers say is not known",
        ),
        (
            "<Type>HTTP</Type><IPAddress>192.0.2.9</IPAddress><Disabled>true</Disabled>",
            "disabled, and counts as healthy",
        ),
    ] {
        let server = aws(vec![checked(config)]).await;
        let found = zone(&server).health_check("h-1").await.unwrap().unwrap();
        assert!(found.to_string().contains(words) && !found.fails(), "{found}");
        assert_eq!(calls(&server).len(), 1);
    }
    let gone = refusal("NoSuchHealthCheck", "A health check with id h-1 does not exist.");
    let server = aws(vec![Say::text(404, &gone)]).await;
    assert_eq!(zone(&server).health_check("h-1").await.unwrap(), None);
}

/// A zone on the name servers of two addresses, at this port.
async fn on_two(port: u16) -> (Server, HostedZone) {
    let text = "<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name>\
        <CallerReference>r</CallerReference></HostedZone><DelegationSet><NameServers><NameServer>127.0.0.1</NameServer>\
        <NameServer>127.0.0.9</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>";
    let server = aws(vec![Say::text(200, text)]).await;
    let zone = HostedZone::new(account(&wired(&server)), "Z1", Resolver::System, port);
    (server, zone)
}

/// A resolver that nobody asks here.
struct Named(&'static str);

#[async_trait::async_trait]
impl AskResolver for Named {
    fn url(&self) -> &str {
        self.0
    }
    async fn ask(&self, name: &Name, _: &RecordType) -> Result<Served, Fault> {
        panic!("{name} is not asked for")
    }
}

#[tokio::test]
async fn where_every_name_server_is_silent_it_is_said_what_cannot_be_known() {
    let (_server, zone) = on_two(closed().await.port()).await;
    let fault = zone.stand_ins().await.err().unwrap();
    let words = [
        "no name server of example.com",
        "over udp or tcp",
        "what each of its servers serves",
        "resolvers: [",
    ];
    is(&fault, FaultKind::Blind, Landed::No, &words);
}

#[tokio::test]
async fn resolvers_stand_in_for_name_servers_that_are_all_silent() {
    let (_server, zone) = on_two(closed().await.port()).await;
    let zone = zone.or_else_asking(vec![Arc::new(Named("https://dns.example/dns-query"))]);
    let authorities = zone.authorities().await.unwrap();
    let ask =
        async || zone.ask(&authorities[0], &Name::new("app.example.com"), &RecordType("A".into())).await;
    is(&ask().await.unwrap_err(), FaultKind::Blind, Landed::No, &["no answer from name server", "over tcp"]);
    let found = zone.stand_ins().await.unwrap();
    assert_eq!(found.iter().map(|one| one.url()).collect::<Vec<_>>(), ["https://dns.example/dns-query"]);
    // Who is known to be silent is not waited for once more.
    is(&ask().await.unwrap_err(), FaultKind::Blind, Landed::No, &["asked anew after 1m"]);
    is(&zone.delegation().await.unwrap_err(), FaultKind::Blind, Landed::No, &["asked anew after 1m"]);
}

/// Also one that answers nothing but that it will not answer.
#[tokio::test]
async fn nobody_stands_in_while_one_name_server_answers_anything() {
    let refusing = |bytes: &[u8], _| {
        let mut answer = Message::from_vec(bytes).ok()?;
        answer.metadata.message_type = MessageType::Response;
        answer.metadata.response_code = ResponseCode::Refused;
        answer.to_vec().ok()
    };
    let (_server, zone) = on_two(name_server(refusing).await.port()).await;
    assert!(zone.stand_ins().await.unwrap().is_empty());
    let zone = zone.or_else_asking(vec![Arc::new(Named("https://dns.example/dns-query"))]);
    assert!(zone.stand_ins().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_authorities_are_those_of_the_delegation() {
    let text = "<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name>\
        <CallerReference>r</CallerReference></HostedZone><DelegationSet><NameServers><NameServer>127.0.0.1</NameServer>\
        </NameServers></DelegationSet></GetHostedZoneResponse>";
    let server = aws(vec![Say::text(200, text)]).await;
    let zone = zone(&server);
    assert_eq!(zone.zone().await.unwrap().name.as_str(), "example.com");
    let found = zone.authorities().await.unwrap();
    assert_eq!(found[0].address, "127.0.0.1:53".parse().unwrap());
    assert_eq!(calls(&server).len(), 1, "a zone does not change");
}
