//! Permissions on the wire: what IAM is asked, and what each answer means. An answer that is none is never a yes.

use super::*;
use crate::port::{Asked, Denier, Judged, ReadPermissions, Ruling, needed_for};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const WEB: &str = "arn:aws:ecs:eu-west-1:123456789012:service/main/web";

fn asked(action: &str, resource: &str) -> Asked {
    let context = BTreeMap::from([("aws:RequestedRegion", "eu-west-1".to_owned())]);
    Asked { action: action.into(), resource: resource.into(), context }
}

fn page(results: &str, more: &str) -> Say {
    Say::text(
        200,
        &format!(
            "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><SimulatePrincipalPolicyResult>\
             <EvaluationResults>{results}</EvaluationResults>{more}</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        ),
    )
}

fn told(action: &str, decision: &str, more: &str) -> String {
    format!(
        "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{WEB}</EvalResourceName>\
         <EvalDecision>{decision}</EvalDecision>{more}</member>"
    )
}

fn refused(status: u16, code: &str) -> Say {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>"
    );
    Say::text(status, &text)
}

async fn judged(script: Vec<Say>, all: &[Asked]) -> (Judged, Vec<Seen>) {
    let server = aws(script).await;
    let judged = account(&wired(&server)).may(all).await.unwrap();
    (judged, calls(&server))
}

/// What one action that is asked for alone comes to.
async fn ruled(script: Vec<Say>) -> Ruling {
    judged(script, &[asked("ecs:UpdateService", WEB)]).await.0.rulings.remove(0)
}

#[tokio::test]
async fn what_is_about_one_resource_is_asked_at_once() {
    let results =
        told("ecs:UpdateService", "allowed", "") + &told("ecs:DescribeServices", "implicitDeny", "");
    let all =
        [asked("ecs:UpdateService", WEB), asked("ecs:ListTasks", "*"), asked("ecs:DescribeServices", WEB)];
    let script = vec![page(&told("ecs:ListTasks", "allowed", ""), ""), page(&results, "")];
    let (judged, seen) = judged(script, &all).await;
    assert_eq!(judged.who, "user ana");
    assert_eq!(judged.rulings, [Ruling::Allowed, Ruling::Allowed, Ruling::Denied(Denier::Nothing)]);
    let [all, one] = &seen[..] else { panic!("{seen:?}") };
    assert!(all.head.contains("/us-east-1/iam/aws4_request"), "{}", all.head);
    assert!(all.body.contains("ResourceArns.member.1=*"), "{}", all.body);
    for words in [
        "Action=SimulatePrincipalPolicy&Version=2010-05-08",
        "PolicySourceArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Auser%2Fana",
        "ActionNames.member.1=ecs%3AUpdateService&ActionNames.member.2=ecs%3ADescribeServices",
        "ResourceArns.member.1=arn%3Aaws%3Aecs%3Aeu-west-1%3A123456789012%3Aservice%2Fmain%2Fweb",
        "ContextEntries.member.1.ContextKeyName=aws%3ARequestedRegion",
        "ContextEntries.member.1.ContextKeyValues.member.1=eu-west-1",
    ] {
        assert!(one.body.contains(words), "{words} is not in {}", one.body);
    }
}

#[tokio::test]
async fn only_a_yes_is_a_yes() {
    let policy =
        "<MatchedStatements><member><SourcePolicyId>guard</SourcePolicyId></member></MatchedStatements>";
    let organization = "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>";
    let boundary = "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary>\
                    </PermissionsBoundaryDecisionDetail>";
    let missing = "<MissingContextValues><member>aws:MultiFactorAuthPresent</member></MissingContextValues>";
    let each = |name: &str, decision: &str| {
        format!(
            "<ResourceSpecificResults><member><EvalResourceName>{name}</EvalResourceName>\
             <EvalResourceDecision>{decision}</EvalResourceDecision></member></ResourceSpecificResults>"
        )
    };
    let denied = |denier| Some(Ruling::Denied(denier));
    for (decision, more, ruling) in [
        ("allowed", String::new(), Some(Ruling::Allowed)),
        ("allowed", each(WEB, "allowed"), Some(Ruling::Allowed)),
        ("explicitDeny", policy.into(), denied(Denier::Statement("guard".into()))),
        ("implicitDeny", organization.into(), denied(Denier::Organization)),
        ("implicitDeny", boundary.into(), denied(Denier::Boundary)),
        ("implicitDeny", String::new(), denied(Denier::Nothing)),
        // What is told of the resource, and what is told of all: the stricter holds.
        ("allowed", each(WEB, "implicitDeny"), denied(Denier::Nothing)),
        ("implicitDeny", each(WEB, "allowed"), denied(Denier::Nothing)),
        ("allowed", each("arn:another", "explicitDeny"), Some(Ruling::Allowed)),
        ("allowed", missing.into(), None),
        ("explicitDeny", missing.into(), None),
        ("perhaps", String::new(), None),
        ("", String::new(), None),
    ] {
        let found = ruled(vec![page(&told("ecs:UpdateService", decision, &more), "")]).await;
        match ruling {
            Some(ruling) => assert_eq!(found, ruling, "{decision} {more}"),
            None => assert!(matches!(found, Ruling::Unknown(_)), "{decision} {more}: {found:?}"),
        }
    }
    let Ruling::Unknown(why) = ruled(vec![page(&told("ecs:RunTask", "allowed", ""), "")]).await else {
        panic!("it was told of another action");
    };
    assert!(why.contains("told nothing of ecs:UpdateService"), "{why}");
    let Ruling::Unknown(why) = ruled(vec![page(&told("ecs:UpdateService", "allowed", missing), "")]).await
    else {
        panic!("a condition that nobody could evaluate");
    };
    assert!(why.contains("aws:MultiFactorAuthPresent"), "{why}");
}

#[tokio::test]
async fn who_may_not_ask_is_told_so_once_and_knows_nothing() {
    let all = [asked("ecs:UpdateService", WEB), asked("ecs:ListTasks", "*")];
    let (judged, seen) = judged(vec![refused(403, "AccessDenied")], &all).await;
    assert_eq!(seen.len(), 1, "nobody may by asking for something else");
    for ruling in judged.rulings {
        let Ruling::Unknown(why) = ruling else { panic!("{ruling:?}") };
        for words in ["AccessDenied: why", "allow them `iam:SimulatePrincipalPolicy`"] {
            assert!(why.contains(words), "{words} is not in {why}");
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_unknown() {
    let cut = "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>";
    let whole = told("ecs:UpdateService", "allowed", "");
    let huge = format!("<a>{}</a>", " ".repeat(33 << 20));
    for say in [
        Say::text(200, ""),
        Say::text(200, "it works"),
        Say::text(200, &format!("{cut}{whole}")),
        Say::text(200, &"<a>".repeat(5000)),
        Say::text(200, &huge),
        Say::text(200, "<SimulatePrincipalPolicyResponse/>"),
        Say::text(404, "<h1>Not Found</h1>"),
        Say::text(501, "not implemented"),
        refused(501, "NotImplemented"),
        refused(400, "InvalidAction"),
        refused(400, "InvalidInput"),
        Say::Drop,
    ] {
        let found = ruled(vec![say]).await;
        assert!(matches!(found, Ruling::Unknown(_)), "{found:?}");
    }
    let throttled = vec![refused(400, "Throttling"), page(&whole, "")];
    assert_eq!(ruled(throttled).await, Ruling::Allowed, "a look is tried again");
}

#[tokio::test]
async fn what_iam_does_not_know_keeps_nothing_else_from_being_known() {
    let all = [asked("ecs:Nothing", "*"), asked("ecs:UpdateService", WEB)];
    let script = vec![refused(400, "InvalidInput"), page(&told("ecs:UpdateService", "implicitDeny", ""), "")];
    let (judged, _) = judged(script, &all).await;
    let [Ruling::Unknown(why), Ruling::Denied(Denier::Nothing)] = &judged.rulings[..] else {
        panic!("{:?}", judged.rulings)
    };
    assert!(why.contains("InvalidInput: why"), "{why}");
}

#[tokio::test]
async fn all_pages_are_read_and_no_answer_goes_on_for_ever() {
    let more = "<IsTruncated>true</IsTruncated><Marker>next</Marker>";
    let other = told("ecs:RunTask", "allowed", "");
    let script = vec![page(&other, more), page(&told("ecs:UpdateService", "explicitDeny", ""), "")];
    let (found, seen) = judged(script, &[asked("ecs:UpdateService", WEB)]).await;
    assert!(matches!(&found.rulings[..], [Ruling::Denied(Denier::Statement(_))]), "{found:?}");
    assert!(!seen[0].body.contains("Marker") && seen[1].body.contains("&Marker=next"), "{seen:?}");
    let (found, seen) = judged(vec![page(&other, more)], &[asked("ecs:UpdateService", WEB)]).await;
    assert!(matches!(&found.rulings[..], [Ruling::Unknown(_)]), "{found:?}");
    assert_eq!(seen.len(), 20);
}

/// Says who the caller is, and what IAM says of a role and of what it may.
async fn as_whom(arn: &'static str, role: fn() -> Say, may: fn() -> Say) -> (Judged, Vec<Seen>) {
    let server = Server::plain(move |seen: &Seen| {
        if seen.body.contains("GetCallerIdentity") {
            let text = format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><Account>{ACCOUNT}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            return Say::text(200, &text);
        }
        if seen.body.contains("Action=GetRole") { role() } else { may() }
    })
    .await;
    let judged = account(&wired(&server)).may(&[asked("ecs:UpdateService", WEB)]).await.unwrap();
    (judged, calls(&server))
}

#[tokio::test]
async fn policies_are_those_of_the_role_that_a_session_is_of() {
    let session = "arn:aws:sts::123456789012:assumed-role/deployer/ci";
    let role = || {
        let arn = "arn:aws:iam::123456789012:role/ci/deployer";
        Say::text(
            200,
            &format!(
                "<GetRoleResponse><GetRoleResult><Role><Arn>{arn}</Arn></Role></GetRoleResult></GetRoleResponse>"
            ),
        )
    };
    let allowed = || page(&told("ecs:UpdateService", "allowed", ""), "");
    let (judged, seen) = as_whom(session, role, allowed).await;
    assert_eq!((&*judged.who, judged.rulings), ("role deployer", vec![Ruling::Allowed]));
    assert!(seen[0].body.contains("RoleName=deployer"), "{seen:?}");
    assert!(
        seen[1].body.contains("PolicySourceArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fci%2Fdeployer&"),
        "{seen:?}"
    );

    // Who may not look at the role takes it for one without a path.
    let denied = || refused(403, "AccessDenied");
    let (judged, seen) = as_whom(session, denied, allowed).await;
    assert_eq!(judged.rulings, [Ruling::Allowed]);
    assert!(seen[1].body.contains("123456789012%3Arole%2Fdeployer&"), "{seen:?}");
    let (judged, _) = as_whom(session, denied, || refused(404, "NoSuchEntity")).await;
    let [Ruling::Unknown(why)] = &judged.rulings[..] else { panic!("{judged:?}") };
    assert!(
        why.contains("NoSuchEntity") && why.contains("its path is not known: iam GetRole: AccessDenied"),
        "{why}"
    );
}

#[tokio::test]
async fn who_has_no_policies_of_its_own_is_not_asked_for() {
    for (arn, words) in [
        ("arn:aws:iam::123456789012:root", "root is bound by no policy"),
        ("arn:aws:sts::123456789012:federated-user/ana", "is neither"),
        ("", "is neither"),
    ] {
        let (judged, seen) = as_whom(arn, || Say::Drop, || Say::Drop).await;
        let [Ruling::Unknown(why)] = &judged.rulings[..] else { panic!("{judged:?}") };
        assert!(why.contains(words), "{why}");
        assert!(seen.is_empty(), "{seen:?}");
    }
}

/// The operations that the sources beside this call of clients: `client.describe_services()`.
fn operations() -> BTreeSet<String> {
    fn read(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                read(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let text: String =
                    std::fs::read_to_string(&path).unwrap().split_whitespace().collect::<Vec<_>>().concat();
                for (at, before) in text.match_indices("client.") {
                    let name = text[at + before.len()..].split('(').next().unwrap();
                    let camel = |word: &str| word[..1].to_uppercase() + &word[1..];
                    found.insert(name.split('_').filter(|word| !word.is_empty()).map(camel).collect());
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapter/aws"), &mut found);
    found
}

#[test]
fn every_operation_that_is_called_has_a_row() {
    let found = operations();
    assert!(found.len() > 25 && found.contains("ModifyListener"), "{found:?}");
    let services = [
        "sts",
        "route53",
        "ecs",
        "application-autoscaling",
        "elasticloadbalancing",
        "monitoring",
        "logs",
        "ssm",
    ];
    // Not an operation: a client of the connections themselves.
    let missing: Vec<&String> = found
        .iter()
        .filter(|name| *name != "Clone")
        .filter(|name| !services.iter().any(|service| needed_for(service, name).is_some()))
        .collect();
    assert!(missing.is_empty(), "src/port/permission/table.rs has no row for {missing:?}");
}
