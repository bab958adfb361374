//! STS: who one is, and becoming somebody else.

use super::super::serve::Answer;
use super::{Call, iso, query, unknown};
use crate::plan::Timestamp;
use crate::sim::{Refusal, USER, World};
use std::time::Duration;

pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn perform(world: &World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    let account = &world.account;
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(query::result(call, NAMESPACE, |w| {
            w.text("Arn", &format!("arn:aws:iam::{account}:user/{USER}"));
            w.text("UserId", "AIDASANDBOX").text("Account", account);
        })),
        "AssumeRole" => assume_role(call, account, now),
        _ => Err(unknown(call)),
    }
}

fn assume_role(call: &Call, account: &str, now: Timestamp) -> Result<Answer, Refusal> {
    let form = query::form(call);
    let role = query::value(&form, "RoleArn").unwrap_or_default();
    let session = query::value(&form, "RoleSessionName").unwrap_or_default();
    let name = role.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
    let Some(name) = name else {
        return Err(Refusal {
            status: 403,
            code: "AccessDenied".into(),
            message: format!(
                "User: arn:aws:iam::{account}:user/sandbox is not authorized to perform: sts:AssumeRole on \
                 resource: {role}"
            ),
        });
    };
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("AssumedRoleUser", |w| {
            w.text("Arn", &format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"));
            w.text("AssumedRoleId", &format!("AROASANDBOX:{session}"));
        });
        w.element("Credentials", |w| {
            w.text("AccessKeyId", "ASIASANDBOX000000001").text("SecretAccessKey", "sandbox");
            w.text("SessionToken", "sandbox");
            w.text("Expiration", &iso(now.after(Duration::from_secs(3600))));
        });
    }))
}
