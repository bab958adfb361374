//! What credentials may not do, asked before it is needed.

use super::{Place, held_everywhere};
use crate::port::{Asked, Denier, Judged, Ruling};
use serde_json::json;
use std::collections::BTreeMap;

held_everywhere!(
    Permissions;
    what_is_denied_is_told_and_all_else_is_allowed in with_denials,
    who_may_not_ask_knows_nothing in with_denials,
    questions_meet_faults_on_their_way in with_denials,
    nobody_answers_for_another_account in with_denials,
);

/// One service may not be set, and no task be stopped.
fn with_denials(text: &str) -> String {
    let says = "is not authorized to perform: it, with an explicit deny in an identity-based policy";
    let faults = format!(
        "
faults:
  - {{ service: ecs, operation: UpdateService, containing: service/aep-prod/front, kind: error, times: 0,
      status: 400, code: AccessDeniedException, message: '{says}' }}
  - {{ service: ecs, operation: StopTask, kind: error, times: 0, status: 400, code: AccessDeniedException,
      message: '{says}' }}
"
    );
    format!("{text}{faults}")
}

fn asked(place: &Place, action: &str, resource: &str) -> Asked {
    let resource = resource.replace("ACCOUNT", place.account());
    let context = BTreeMap::from([("aws:RequestedRegion", "eu-west-1".to_owned())]);
    Asked { action: action.into(), resource, context }
}

async fn may(place: &Place, all: &[(&str, &str)]) -> Judged {
    let all: Vec<Asked> = all.iter().map(|(action, resource)| asked(place, action, resource)).collect();
    place.world.permissions("prod").unwrap().may(&all).await.unwrap()
}

const FRONT: &str = "arn:aws:ecs:eu-west-1:ACCOUNT:service/aep-prod/front";
const BACK: &str = "arn:aws:ecs:eu-west-1:ACCOUNT:service/aep-prod/back";
const TASK: &str = "arn:aws:ecs:eu-west-1:ACCOUNT:task/aep-prod/0";

async fn what_is_denied_is_told_and_all_else_is_allowed(place: &Place) {
    let judged = may(
        place,
        &[
            ("ecs:UpdateService", BACK),
            ("ecs:UpdateService", FRONT),
            ("ecs:DescribeServices", FRONT),
            ("cloudwatch:GetMetricData", "*"),
            ("ecs:StopTask", TASK),
            ("iam:PassRole", "arn:aws:iam::ACCOUNT:role/ecs-execution"),
        ],
    )
    .await;
    assert!(judged.who.ends_with(" sandbox"), "{}", judged.who);
    let denied = |ruling: &Ruling| matches!(ruling, Ruling::Denied(Denier::Statement(_)));
    let told: Vec<bool> = judged.rulings.iter().map(denied).collect();
    assert_eq!(told, [false, true, false, false, true, false], "{:?}", judged.rulings);
    let allowed = judged.rulings.iter().filter(|ruling| **ruling == Ruling::Allowed).count();
    assert_eq!(allowed, 4, "{:?}", judged.rulings);
    assert_eq!(may(place, &[]).await.rulings, []);
}

async fn who_may_not_ask_knows_nothing(place: &Place) {
    let denied = json!({"service": "iam", "operation": "SimulatePrincipalPolicy", "kind": "error", "times": 0,
        "status": 403, "code": "AccessDenied", "message": "not authorized"});
    place.fault(denied).await;
    let judged = may(place, &[("ecs:UpdateService", BACK), ("cloudwatch:GetMetricData", "*")]).await;
    for ruling in judged.rulings {
        let Ruling::Unknown(why) = ruling else { panic!("{ruling:?}") };
        assert!(why.contains("AccessDenied: not authorized"), "{why}");
    }
}

async fn questions_meet_faults_on_their_way(place: &Place) {
    for kind in ["throttle", "drop_before", "drop_after"] {
        place.fault(json!({"service": "iam", "kind": kind})).await;
        assert_eq!(may(place, &[("ecs:StopTask", BACK), ("ecs:ListTasks", BACK)]).await.rulings.len(), 2);
        assert_eq!(may(place, &[("ecs:ListTasks", BACK)]).await.rulings, [Ruling::Allowed], "{kind}");
    }
}

async fn nobody_answers_for_another_account(place: &Place) {
    let port = place.world.permissions("other").unwrap();
    let fault = port.may(&[asked(place, "ecs:ListTasks", "*")]).await.unwrap_err();
    assert!(fault.message.contains("210987654321"), "{fault}");
    assert!(place.world.permissions("zone").is_err(), "a zone has no credentials of its own");
}
