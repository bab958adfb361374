//! What definitions name, on the wire: who is asked for it, and what each answer means.

use super::*;
use crate::port::{Named, Presence, ReadCompute};
use serde_json::{Value as Json, json};

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:aep/db-AbCdEf";

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

fn refused(code: &str) -> Say {
    say(400, &json!({"__type": code, "message": "why"}))
}

fn iam(status: u16, code: &str) -> Say {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>"
    );
    Say::text(status, &text)
}

async fn asked(script: Vec<Say>, thing: &Named) -> (Presence, Vec<Seen>) {
    let server = aws(script).await;
    let found = account(&wired(&server)).named(thing).await;
    (found, calls(&server))
}

fn body(seen: &Seen) -> Json {
    serde_json::from_str(&seen.body).unwrap()
}

#[track_caller]
fn is_unknown(found: &Presence, words: &[&str]) {
    let Presence::Unknown(why) = found else { panic!("{words:?}: {found:?}") };
    for word in words {
        assert!(why.contains(word), "`{word}` is not in: {why}");
    }
}

#[tokio::test]
async fn a_role_is_asked_for_by_its_name_alone() {
    let arn = "arn:aws:iam::123456789012:role/ecs/web";
    let there = format!(
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Arn>{arn}</Arn>\
         </Role></GetRoleResult></GetRoleResponse>"
    );
    for name in [arn, "ecs/web", "web"] {
        let (found, seen) = asked(vec![Say::text(200, &there)], &Named::Role(name.into())).await;
        assert_eq!(found, Presence::There);
        let [call] = &seen[..] else { panic!("{seen:?}") };
        assert!(call.head.contains("/us-east-1/iam/aws4_request"), "{}", call.head);
        assert!(call.body.contains("Action=GetRole&"), "{}", call.body);
        assert!(call.body.ends_with("RoleName=web"), "{}", call.body);
    }
    let role = Named::Role(arn.into());
    assert_eq!(asked(vec![iam(404, "NoSuchEntity")], &role).await.0, Presence::Missing);
    let (found, _) = asked(vec![iam(403, "AccessDenied")], &role).await;
    is_unknown(
        &found,
        &["iam GetRole of arn:aws:iam::123456789012:role/ecs/web: AccessDenied: why", "may not look"],
    );
    // Somebody else's 404 is no answer of IAM.
    is_unknown(&asked(vec![Say::text(404, "<html>NoSuchEntity</html>")], &role).await.0, &["<html>"]);
}

#[tokio::test]
async fn a_secret_is_described_and_never_read() {
    let secret = Named::Secret(SECRET.into());
    let there = json!({"ARN": SECRET, "Name": "aep/db", "LastAccessedDate": 1_800_000_000.0});
    let (found, seen) = asked(vec![say(200, &there)], &secret).await;
    assert_eq!(found, Presence::There);
    let [call] = &seen[..] else { panic!("{seen:?}") };
    for words in ["x-amz-target: secretsmanager.describesecret", "/eu-west-1/secretsmanager/aws4_request"] {
        assert!(call.head.contains(words), "{}", call.head);
    }
    assert_eq!(body(call), json!({"SecretId": SECRET}));
    let leaving = json!({"ARN": SECRET, "Name": "aep/db", "DeletedDate": 1_800_000_000.0});
    assert_eq!(asked(vec![say(200, &leaving)], &secret).await.0, Presence::Leaving);
    for code in ["ResourceNotFoundException", "com.amazonaws.secretsmanager#ResourceNotFoundException"] {
        assert_eq!(asked(vec![refused(code)], &secret).await.0, Presence::Missing, "{code}");
    }
    for (script, words) in [
        (refused("AccessDeniedException"), "AccessDeniedException: why; these credentials may not look"),
        (refused("InvalidParameterException"), "InvalidParameterException: why"),
        (say(200, &json!({})), "the answer has no secret"),
    ] {
        let (found, _) = asked(vec![script], &secret).await;
        is_unknown(&found, &[words, "secretsmanager DescribeSecret of arn:aws:secretsmanager:"]);
    }
    let (found, seen) = asked(vec![refused("ThrottlingException"), say(200, &there)], &secret).await;
    assert_eq!((found, seen.len()), (Presence::There, 2));
}

#[tokio::test]
async fn a_parameter_is_not_decrypted() {
    let parameter = Named::Parameter("/aep/db".into());
    let kept = json!({"Name": "/aep/db", "Type": "SecureString", "Value": "AQICAHg=", "Version": 7, "DataType": "text"});
    let (found, seen) = asked(vec![say(200, &json!({"Parameter": kept}))], &parameter).await;
    assert_eq!(found, Presence::There);
    assert_eq!(body(&seen[0]), json!({"Name": "/aep/db", "WithDecryption": false}));
    assert_eq!(asked(vec![refused("ParameterNotFound")], &parameter).await.0, Presence::Missing);
    let (found, _) = asked(vec![refused("AccessDeniedException")], &parameter).await;
    is_unknown(&found, &["ssm GetParameter of /aep/db", "AccessDeniedException: why"]);
}

fn page(names: &[&str], next: Option<&str>) -> Say {
    let groups: Vec<Json> =
        names.iter().map(|name| json!({"logGroupName": name, "storedBytes": 0})).collect();
    let mut body = json!({"logGroups": groups});
    if let Some(next) = next {
        body["nextToken"] = next.into();
    }
    say(200, &body)
}

#[tokio::test]
async fn a_log_group_is_there_only_by_its_whole_name() {
    let group = Named::LogGroup("/ecs/web".into());
    let pages = || vec![page(&[], Some("a")), page(&["/ecs/web", "/ecs/web-old"], Some("b"))];
    let (found, seen) = asked(pages(), &group).await;
    assert_eq!((found, seen.len()), (Presence::There, 2), "an empty page is not the last");
    assert!(seen[0].head.contains("x-amz-target: logs_20140328.describeloggroups"), "{}", seen[0].head);
    assert_eq!(body(&seen[0]), json!({"logGroupNamePrefix": "/ecs/web"}));
    assert_eq!(body(&seen[1]), json!({"logGroupNamePrefix": "/ecs/web", "nextToken": "a"}));
    let others = vec![page(&["/ecs/web-old"], Some("a")), page(&["/ecs/web2"], None)];
    assert_eq!(asked(others, &group).await.0, Presence::Missing);
    assert_eq!(asked(vec![page(&[], None)], &group).await.0, Presence::Missing);
    let (found, seen) = asked(vec![page(&["/ecs/web-old"], Some("a"))], &group).await;
    is_unknown(&found, &["too many log groups begin with /ecs/web"]);
    assert_eq!(seen.len(), 10);
    let (found, _) = asked(vec![refused("AccessDeniedException")], &group).await;
    is_unknown(&found, &["logs DescribeLogGroups of /ecs/web: AccessDeniedException: why", "may not look"]);
}
