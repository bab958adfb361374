//! Rules of load balancers: what is read is written back as it was.

use super::*;
use crate::port::{Attribute, Does, Owner, Share, WriteTraffic};
use std::time::Duration;

const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/1/2/3";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/1/2";

fn rules(inside: &str) -> Say {
    let text = format!(
        "<DescribeRulesResponse><DescribeRulesResult><Rules>{inside}</Rules></DescribeRulesResult></DescribeRulesResponse>"
    );
    Say::text(200, &text)
}

fn member(priority: &str, actions: &str) -> String {
    format!(
        "<member><RuleArn>{RULE}</RuleArn><Priority>{priority}</Priority><Conditions><member><Field>host-header</Field>\
         <HostHeaderConfig><Values><member>a.example</member></Values></HostHeaderConfig></member></Conditions>\
         <Actions>{actions}</Actions></member>"
    )
}

/// Two of them, told in no order.
const LOGIN_AND_FORWARD: &str = "<member><Type>forward</Type><Order>20</Order><ForwardConfig><TargetGroups>\
    <member><TargetGroupArn>arn:blue</TargetGroupArn><Weight>9</Weight></member>\
    <member><TargetGroupArn>arn:green</TargetGroupArn></member></TargetGroups>\
    <TargetGroupStickinessConfig><Enabled>true</Enabled><DurationSeconds>600</DurationSeconds></TargetGroupStickinessConfig>\
    </ForwardConfig></member>\
    <member><Type>authenticate-oidc</Type><Order>10</Order><AuthenticateOidcConfig><Issuer>https://login.example</Issuer>\
    <ClientId>web</ClientId><SessionTimeout>3600</SessionTimeout><OnUnauthenticatedRequest>authenticate</OnUnauthenticatedRequest>\
    <AuthenticationRequestExtraParams><entry><key>prompt</key><value>login</value></entry></AuthenticationRequestExtraParams>\
    </AuthenticateOidcConfig></member>";

#[tokio::test]
async fn a_rule_is_written_back_whole() {
    let modified = Say::text(200, "<ModifyRuleResponse><ModifyRuleResult/></ModifyRuleResponse>");
    let server = aws(vec![rules(&member("7", LOGIN_AND_FORWARD)), modified]).await;
    let account = account(&wired(&server));
    let rule = account.rule(RULE).await.unwrap().unwrap();
    assert_eq!((rule.priority, &*rule.listener), (Some(7), LISTENER));
    assert_eq!(rule.conditions, ["host-header a.example"]);
    assert!(matches!(rule.actions[0].does, Does::Other(_)), "in their order: {rule:?}");
    let forward = rule.forward().unwrap();
    let share = |group: &str, weight: u32| Share { group: group.into(), weight };
    assert_eq!(forward.groups, [share("arn:blue", 9), share("arn:green", 1)]);
    assert_eq!(forward.sticks.map(|sticks| sticks.as_secs()), Some(600));

    let actions = rule.dealing(&[share("arn:blue", 0), share("arn:green", 100)]);
    account.until(soon()).set_actions(&rule, &actions).await.unwrap();
    let sent = calls(&server).pop().unwrap().body;
    let form: Vec<(String, String)> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    let says = |key: &str| form.iter().find(|(known, _)| known == key).map(|(_, value)| &**value);
    assert_eq!((says("Action"), says("RuleArn")), (Some("ModifyRule"), Some(RULE)));
    for (key, value) in [
        ("Type", "authenticate-oidc"),
        ("Order", "10"),
        ("AuthenticateOidcConfig.Issuer", "https://login.example"),
        ("AuthenticateOidcConfig.ClientId", "web"),
        ("AuthenticateOidcConfig.SessionTimeout", "3600"),
        ("AuthenticateOidcConfig.OnUnauthenticatedRequest", "authenticate"),
        ("AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.key", "prompt"),
        ("AuthenticateOidcConfig.UseExistingClientSecret", "true"),
    ] {
        assert_eq!(says(&format!("Actions.member.1.{key}")), Some(value), "{key}: {sent}");
    }
    for (key, value) in [
        ("Type", "forward"),
        ("Order", "20"),
        ("ForwardConfig.TargetGroups.member.1.Weight", "0"),
        ("ForwardConfig.TargetGroups.member.2.TargetGroupArn", "arn:green"),
        ("ForwardConfig.TargetGroups.member.2.Weight", "100"),
        ("ForwardConfig.TargetGroupStickinessConfig.Enabled", "true"),
        ("ForwardConfig.TargetGroupStickinessConfig.DurationSeconds", "600"),
    ] {
        assert_eq!(says(&format!("Actions.member.2.{key}")), Some(value), "{key}: {sent}");
    }
    assert_eq!(says("Conditions.member.1.Field"), None, "what is not sent stays");
}

#[tokio::test]
async fn a_default_rule_is_changed_with_its_listener() {
    let only = "<member><Type>forward</Type><TargetGroupArn>arn:blue</TargetGroupArn></member>";
    let modified = Say::text(200, "<ModifyListenerResponse><ModifyListenerResult/></ModifyListenerResponse>");
    let server = aws(vec![rules(&member("default", only)), modified]).await;
    let account = account(&wired(&server));
    let rule = account.rules(LISTENER).await.unwrap().remove(0);
    assert_eq!((rule.priority, rule.forward().unwrap().groups.len()), (None, 1));
    account.until(soon()).set_actions(&rule, &rule.actions).await.unwrap();
    let sent = calls(&server).pop().unwrap().body;
    assert!(sent.contains("Action=ModifyListener") && sent.contains("DefaultActions.member.1"), "{sent}");
}

#[tokio::test]
async fn a_change_of_a_rule_is_worth_what_other_writes_are() {
    let only = "<member><Type>forward</Type><TargetGroupArn>arn:blue</TargetGroupArn></member>";
    let refusal = |code: &str| {
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
    };
    let throttled = Say::text(400, &refusal("Throttling"));
    let script =
        vec![rules(&member("7", only)), throttled, Say::Drop, Say::text(400, &refusal("RuleNotFound"))];
    let server = aws(script).await;
    let account = account(&wired(&server));
    let rule = account.rule(RULE).await.unwrap().unwrap();
    let fault = account.until(soon()).set_actions(&rule, &rule.actions).await.unwrap_err();
    is(&fault, FaultKind::Transient, Landed::Maybe, &["elbv2 ModifyRule", RULE]);
    assert_eq!(calls(&server).len(), 3, "tried again after the refusal, and not after the silence");
    let fault = account.until(soon()).set_actions(&rule, &rule.actions).await.unwrap_err();
    is(&fault, FaultKind::Permanent, Landed::No, &["RuleNotFound"]);
    assert_eq!(account.rule(RULE).await.unwrap(), None);
    let fault = account.until(Timestamp::PAST).set_actions(&rule, &rule.actions).await.unwrap_err();
    is(&fault, FaultKind::Blind, Landed::No, &["deadline"]);
}

#[tokio::test]
async fn attributes_are_those_that_are_told() {
    // Of a network load balancer: connections to it are not its own.
    let told = "<DescribeLoadBalancerAttributesResponse><DescribeLoadBalancerAttributesResult><Attributes>\
        <member><Key>deletion_protection.enabled</Key><Value>true</Value></member>\
        <member><Key>idle_timeout.timeout_seconds</Key><Value>350</Value></member>\
        </Attributes></DescribeLoadBalancerAttributesResult></DescribeLoadBalancerAttributesResponse>";
    let set = "<ModifyTargetGroupAttributesResponse><ModifyTargetGroupAttributesResult/></ModifyTargetGroupAttributesResponse>";
    let server = aws(vec![Say::text(200, told), Say::text(200, set)]).await;
    let account = account(&wired(&server));
    let found = account.attributes(Owner::LoadBalancer, "arn:lb").await.unwrap().unwrap();
    assert_eq!(found, [(Attribute::IdleTimeout, Duration::from_secs(350))].into());
    let wanted = [(Attribute::DeregistrationDelay, Duration::ZERO)].into();
    account.until(soon()).set_attributes(Owner::TargetGroup, "arn:group", &wanted).await.unwrap();
    let sent = calls(&server).pop().unwrap().body;
    let form: Vec<(String, String)> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    for (key, value) in [
        ("Action", "ModifyTargetGroupAttributes"),
        ("TargetGroupArn", "arn:group"),
        ("Attributes.member.1.Key", "deregistration_delay.timeout_seconds"),
        ("Attributes.member.1.Value", "0"),
    ] {
        assert!(form.iter().any(|pair| *pair == (key.to_owned(), value.to_owned())), "{key}: {sent}");
    }
}
