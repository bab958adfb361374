//! IAM: what somebody may do, and a role by its name. Nobody is anything but what the world's faults deny them.

use super::super::serve::Answer;
use super::{Call, query, unknown};
use crate::port::{Asked, Denier, Named, Ruling};
use crate::sim::{Refusal, World};
use crate::xml::Writer;
use std::collections::BTreeMap;

pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

type Form = [(String, String)];

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let form = query::form(call);
    match call.operation.as_str() {
        "SimulatePrincipalPolicy" => simulate(world, call, &form),
        "GetRole" => role(world, call, &form),
        _ => Err(unknown(call)),
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidInput", message)
}

fn simulate(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let source = query::value(form, "PolicySourceArn").unwrap_or_default();
    let account = format!("arn:aws:iam::{}:", world.account);
    let entity = source.strip_prefix(&account).and_then(|entity| entity.split_once('/'));
    if !entity.is_some_and(|(kind, name)| matches!(kind, "user" | "role" | "group") && !name.is_empty()) {
        return Err(invalid("Invalid Entity Arn"));
    }
    let actions = query::members(form, "ActionNames");
    if actions.is_empty() || actions.iter().any(|action| !action.contains(':')) {
        return Err(invalid("Invalid Action Name"));
    }
    let mut resources = query::members(form, "ResourceArns");
    if resources.is_empty() {
        resources.push("*".into());
    }
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("EvaluationResults", |w| {
            for action in &actions {
                w.element("member", |w| evaluated(w, world, action, &resources));
            }
        });
        w.text("IsTruncated", "false");
    }))
}

/// One result an action; the most restrictive decision stands for all of its resources.
fn evaluated(w: &mut Writer, world: &World, action: &str, resources: &[String]) {
    let ruled = |resource: &String| {
        let (action, resource) = (action.to_owned(), resource.clone());
        world.permits(&Asked { action, resource, context: BTreeMap::new() })
    };
    let rulings: Vec<Ruling> = resources.iter().map(ruled).collect();
    let strictest = rulings.iter().find(|ruling| **ruling != Ruling::Allowed).unwrap_or(&Ruling::Allowed);
    w.text("EvalActionName", action).text("EvalResourceName", &resources[0]);
    decided(w, "EvalDecision", strictest);
    w.element("ResourceSpecificResults", |w| {
        for (resource, ruling) in resources.iter().zip(&rulings).filter(|(resource, _)| *resource != "*") {
            w.element("member", |w| {
                w.text("EvalResourceName", resource);
                decided(w, "EvalResourceDecision", ruling);
            });
        }
    });
}

fn decided(w: &mut Writer, decision: &str, ruling: &Ruling) {
    let denier = match ruling {
        Ruling::Denied(denier) => Some(denier),
        Ruling::Allowed | Ruling::Unknown(_) => None,
    };
    let word = match denier {
        None => "allowed",
        Some(Denier::Statement(_)) => "explicitDeny",
        Some(Denier::Nothing | Denier::Boundary | Denier::Organization) => "implicitDeny",
    };
    w.text(decision, word);
    w.element("MatchedStatements", |w| {
        if let Some(Denier::Statement(policy)) = denier {
            w.element("member", |w| {
                w.text("SourcePolicyId", policy).text("SourcePolicyType", "IAM Policy");
            });
        }
    });
    w.element("MissingContextValues", |_| ());
    let allows = |by: &Denier| if denier == Some(by) { "false" } else { "true" };
    w.element("OrganizationsDecisionDetail", |w| {
        w.text("AllowedByOrganizations", allows(&Denier::Organization));
    });
    w.element("PermissionsBoundaryDecisionDetail", |w| {
        w.text("AllowedByPermissionsBoundary", allows(&Denier::Boundary));
    });
}

fn role(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let name = query::value(form, "RoleName").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid("1 validation error detected: `roleName` is empty"))?;
    if !world.has(&Named::Role(name.to_owned())) {
        let message = format!("The role with name {name} cannot be found.");
        return Err(Refusal { status: 404, code: "NoSuchEntity".into(), message });
    }
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("Role", |w| {
            w.text("Path", "/").text("RoleName", name).text("RoleId", "AROASANDBOX");
            w.text("Arn", &format!("arn:aws:iam::{}:role/{name}", world.account));
            w.text("CreateDate", "2026-01-05T08:00:00Z").text("AssumeRolePolicyDocument", "%7B%7D");
        });
    }))
}
