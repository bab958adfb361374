//! Whether what a definition names beside its images is there, for a preview. Where a role, a secret or a log group is missing no
//! task starts, which is else found out minutes into a deployment. It holds nothing up, and no run asks.
//!
//! Not here: what a secret says. Its name is told only as an ARN, for somebody may have written the secret itself in place of its
//! name; otherwise the place in the definition tells which it is.

use crate::plan::Target;
use crate::port::need::Account;
use crate::port::{Named, Presence, ReadCompute, together};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

const ROLES: [&str; 2] = ["executionRoleArn", "taskRoleArn"];
/// In place of what may be a secret.
const HIDDEN: &str = "(not shown)";
/// Why `valueFrom` tells nothing.
const NEITHER: &str = "it is neither the ARN of a secret or a parameter, nor the name of a parameter";

/// What a definition names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// It can be asked for.
    Asked(Named),
    /// Nobody here can be asked for it: what is told of it, and why.
    Unasked(String, String),
}

/// A sentence for each thing that is certainly not there, and for each of which that could not be known.
pub(super) async fn notes(target: &Target, compute: &dyn ReadCompute, content: &Json) -> Vec<Arc<str>> {
    let all: Vec<(Name, Vec<String>)> = names(content, &Account::of(target)).into_iter().collect();
    let mut questions = Vec::new();
    for (name, _) in &all {
        questions.push(presence(compute, name));
    }
    let found = together(questions.into_iter()).await;
    let told = all.iter().zip(&found).filter_map(|((name, places), found)| note(name, places, found));
    told.map(Arc::from).collect()
}

async fn presence(compute: &dyn ReadCompute, name: &Name) -> Presence {
    match name {
        Name::Asked(named) => compute.named(named).await,
        Name::Unasked(_, why) => Presence::Unknown(why.clone()),
    }
}

fn note(name: &Name, places: &[String], found: &Presence) -> Option<String> {
    let (what, hidden) = match name {
        Name::Asked(named) => (told(named), (!is_shown(named)).then(|| named.name())),
        Name::Unasked(what, _) => (what.clone(), None),
    };
    let what = format!("{what}, which the definition names ({}),", places.join(", "));
    match found {
        Presence::There => None,
        Presence::Missing => Some(format!("{what} does not exist: its tasks would not start")),
        Presence::Leaving => Some(format!("{what} is marked for deletion: its tasks would not start")),
        Presence::Unknown(why) => {
            let why = hidden.map_or_else(|| why.clone(), |hidden| why.replace(hidden, HIDDEN));
            Some(format!("whether {what} is there could not be known: {why}"))
        }
    }
}

fn told(named: &Named) -> String {
    let name = named.name();
    match named {
        Named::Role(_) => format!("role {name}"),
        Named::LogGroup(_) => format!("log group {name}"),
        Named::Secret(_) if is_shown(named) => format!("secret {name}"),
        Named::Secret(_) => "a secret".into(),
        Named::Parameter(_) if is_shown(named) => format!("parameter {name}"),
        Named::Parameter(_) => "a parameter".into(),
    }
}

/// Whether it holds no secret, whatever somebody wrote there.
fn is_shown(named: &Named) -> bool {
    match named {
        Named::Role(_) | Named::LogGroup(_) => true,
        Named::Secret(name) | Named::Parameter(name) => name.starts_with("arn:"),
    }
}

/// All that it names, each once, and where.
fn names(content: &Json, here: &Account) -> BTreeMap<Name, Vec<String>> {
    let mut found: Vec<(Name, String)> = Vec::new();
    for key in ROLES {
        let role = text(&content[key]).map(|role| asked(Named::Role(role.to_owned()), here));
        found.extend(role.map(|role| (role, key.to_owned())));
    }
    for container in content["containerDefinitions"].as_array().into_iter().flatten() {
        let (own, log) = (text(&container["name"]).unwrap_or_default(), &container["logConfiguration"]);
        found.extend(secrets(&container["secrets"], &format!("{own}.secrets"), here));
        found.extend(secrets(&log["secretOptions"], &format!("{own}.logConfiguration.secretOptions"), here));
        let place = "repositoryCredentials.credentialsParameter";
        found.extend(credentials(container, here).map(|name| (name, format!("{own}.{place}"))));
        let place = "logConfiguration.options.awslogs-group";
        found.extend(log_group(log, here).map(|name| (name, format!("{own}.{place}"))));
    }
    let mut all: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for (name, place) in found {
        all.entry(name).or_default().push(place);
    }
    all
}

/// The entries of a list of secrets: `{"name": "DB", "valueFrom": "arn:…"}`.
fn secrets(list: &Json, place: &str, here: &Account) -> Vec<(Name, String)> {
    let one = |secret: &Json| {
        let name = by_value(text(&secret["valueFrom"])?, here);
        Some((name, format!("{place}[{}]", text(&secret["name"]).unwrap_or_default())))
    };
    list.as_array().into_iter().flatten().filter_map(one).collect()
}

fn by_value(from: &str, here: &Account) -> Name {
    match Named::by_value(from) {
        Some(named) => asked(named, here),
        None => Name::Unasked("something".into(), NEITHER.into()),
    }
}

/// The secret that opens the registry of an image: by its ARN or, in the region of the task, by its name.
fn credentials(container: &Json, here: &Account) -> Option<Name> {
    let from = text(&container["repositoryCredentials"]["credentialsParameter"])?;
    let is_arn = from.starts_with("arn:");
    Some(if is_arn { by_value(from, here) } else { Name::Asked(Named::Secret(from.to_owned())) })
}

/// The log group of a container, unless it is made when the container starts.
fn log_group(log: &Json, here: &Account) -> Option<Name> {
    let option = |option: &str| text(&log["options"][option]);
    if log["logDriver"] != "awslogs" || option("awslogs-create-group") == Some("true") {
        return None;
    }
    let group = Named::LogGroup(option("awslogs-group")?.to_owned());
    Some(match option("awslogs-region").filter(|region| *region != here.region) {
        Some(region) => Name::Unasked(told(&group), format!("it is in {region}")),
        None => Name::Asked(group),
    })
}

fn asked(named: Named, here: &Account) -> Name {
    match named.elsewhere(here) {
        Some(why) => Name::Unasked(told(&named), why),
        None => Name::Asked(named),
    }
}

fn text(json: &Json) -> Option<&str> {
    json.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn here() -> Account {
        let (account, region) = ("123456789012".into(), "eu-west-1".into());
        Account { target: "prod".into(), account, region }
    }

    const DB: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:aep/db-AbCdEf";

    #[test]
    fn each_thing_is_named_once_with_all_of_its_places() {
        let key = |key: &str| format!("{DB}:{key}::");
        let log = |more: &Json| {
            let mut options = json!({"awslogs-group": "/ecs/aep", "awslogs-region": "eu-west-1"});
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"logDriver": "awslogs", "options": options})
        };
        let content = json!({
            "executionRoleArn": "arn:aws:iam::123456789012:role/ecs", "taskRoleArn": "arn:aws:iam::123456789012:role/ecs",
            "containerDefinitions": [
                {
                    "name": "web", "logConfiguration": log(&json!({})),
                    "secrets": [{"name": "USER", "valueFrom": key("user")}, {"name": "PASSWORD", "valueFrom": key("password")}],
                    "repositoryCredentials": {"credentialsParameter": "registry"},
                },
                {
                    "name": "job", "logConfiguration": log(&json!({"awslogs-create-group": "true"})),
                    "secrets": [{"name": "TOKEN", "valueFrom": "/aep/token"}],
                    "repositoryCredentials": {"credentialsParameter": DB},
                },
                {"name": "far", "logConfiguration": log(&json!({"awslogs-region": "us-east-1"}))},
                {
                    "name": "proxy",
                    "logConfiguration": {
                        "logDriver": "splunk", "options": {"awslogs-group": "/none"},
                        "secretOptions": [{"name": "splunk-token", "valueFrom": "/aep/token"}],
                    },
                },
                {"name": "plain"},
            ],
        });
        let found: Vec<(Name, Vec<String>)> = names(&content, &here()).into_iter().collect();
        let places = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let role = Named::Role("arn:aws:iam::123456789012:role/ecs".into());
        let wanted = [
            (Name::Asked(role), places(&["executionRoleArn", "taskRoleArn"])),
            (
                Name::Asked(Named::Secret(DB.into())),
                places(&[
                    "web.secrets[USER]",
                    "web.secrets[PASSWORD]",
                    "job.repositoryCredentials.credentialsParameter",
                ]),
            ),
            (
                Name::Asked(Named::Secret("registry".into())),
                places(&["web.repositoryCredentials.credentialsParameter"]),
            ),
            (
                Name::Asked(Named::Parameter("/aep/token".into())),
                places(&["job.secrets[TOKEN]", "proxy.logConfiguration.secretOptions[splunk-token]"]),
            ),
            (
                Name::Asked(Named::LogGroup("/ecs/aep".into())),
                places(&["web.logConfiguration.options.awslogs-group"]),
            ),
            (
                Name::Unasked("log group /ecs/aep".into(), "it is in us-east-1".into()),
                places(&["far.logConfiguration.options.awslogs-group"]),
            ),
        ];
        assert_eq!(found, wanted);
        assert!(names(&json!(null), &here()).is_empty());
        let empty = json!({"executionRoleArn": "", "containerDefinitions": [{"secrets": [{"name": "X"}]}]});
        assert!(names(&empty, &here()).is_empty());
    }

    #[test]
    fn a_secret_in_place_of_its_name_is_told_nowhere() {
        for secret in ["hunter2", "/hunter2", "p&ss hunter2", "hunter2:x"] {
            let content = json!({"containerDefinitions": [{
                "name": "web", "secrets": [{"name": "DB", "valueFrom": secret}],
                "repositoryCredentials": {"credentialsParameter": secret},
            }]});
            for (name, places) in names(&content, &here()) {
                let why = format!("ssm GetParameter of {secret}: AccessDenied: not on parameter/{secret}");
                let why = if let Name::Unasked(_, why) = &name { why.clone() } else { why };
                for found in [Presence::Missing, Presence::Leaving, Presence::Unknown(why)] {
                    let note = note(&name, &places, &found).unwrap();
                    assert!(!note.contains("hunter2"), "{note}");
                    assert!(note.contains("(web."), "{note}");
                }
            }
        }
    }
}
