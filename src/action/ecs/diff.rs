//! What a definition says otherwise than the one that runs, field by field.
//!
//! A value is shown only where its field, by what it is for, holds no secret: what an environment, a command, a label or the
//! options of a log driver hold may be one, so of those only the name is told, and that the value is another one.

use crate::run::Difference;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Fields of text that hold no secret. Numbers, and yes and no, hold none anywhere but in an environment, where all is text.
const SHOWN: &[&str] = &[
    "appProtocol",
    "condition",
    "containerName",
    "containerPath",
    "cpu",
    "cpuArchitecture",
    "executionRoleArn",
    "family",
    "fileSystemId",
    "image",
    "ipcMode",
    "logDriver",
    "memory",
    "name",
    "networkMode",
    "operatingSystemFamily",
    "pidMode",
    "protocol",
    "sourceVolume",
    "taskRoleArn",
    "user",
    "workingDirectory",
];
/// What tells the entries of a list apart, the first that they have.
const KEYS: &[&str] =
    &["name", "containerName", "containerPort", "containerPath", "sourceContainer", "namespace", "key"];
/// Maps whose keys somebody chose: what a key is for does not tell what it holds.
const CHOSEN: &[&str] = &["dockerLabels", "driverOpts", "labels", "options"];
/// In place of a value that may be a secret.
const HIDDEN: &str = "(not shown)";
const ANOTHER: &str = "(not shown, and another)";

/// A value, and whether it may be shown.
#[derive(Clone, Copy, PartialEq)]
struct Leaf<'j> {
    value: &'j Json,
    shown: bool,
}

impl Leaf<'_> {
    fn told(self, hidden: &str) -> String {
        match self.value {
            _ if !self.shown => hidden.to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// The fields in which two definitions differ, in order.
pub(super) fn differences(from: &Json, to: &Json) -> Vec<Difference> {
    let (from, to) = (leaves(from), leaves(to));
    let mut fields: Vec<&String> = from.keys().chain(to.keys()).collect();
    fields.sort();
    fields.dedup();
    let mut found = Vec::new();
    for field in fields {
        let (old, new) = (from.get(field), to.get(field));
        if old == new {
            continue;
        }
        let hidden = if old.is_some() { ANOTHER } else { HIDDEN };
        found.push(Difference {
            field: field.as_str().into(),
            from: old.map(|leaf| leaf.told(HIDDEN).into()),
            to: new.map(|leaf| leaf.told(hidden).into()),
        });
    }
    found
}

/// All that a definition says, by where it stands: `web.image`, `web.environment[LOG_LEVEL]`.
fn leaves(content: &Json) -> BTreeMap<String, Leaf<'_>> {
    let mut found = BTreeMap::new();
    for (key, value) in content.as_object().into_iter().flatten() {
        // Containers stand by their names, without the list around them.
        let place = if key == "containerDefinitions" { "" } else { key };
        gather(place, key, true, value, &mut found);
    }
    found
}

/// `key` is what the value is called, wherever it stands; `known`: it is a word of the provider's.
fn gather<'j>(place: &str, key: &str, known: bool, value: &'j Json, found: &mut BTreeMap<String, Leaf<'j>>) {
    match value {
        Json::Object(entries) => {
            let known = known && !CHOSEN.contains(&key);
            for (key, value) in entries {
                gather(&format!("{place}.{key}"), key, known, value, found);
            }
        }
        Json::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let place = within(place, number, item);
                // What an entry of an environment is called tells what it is for, and not what it holds.
                match ["value", "valueFrom"].iter().find_map(|key| item.get(key)) {
                    Some(value) => drop(found.insert(place, Leaf { value, shown: false })),
                    None => gather(&place, key, known, item, found),
                }
            }
        }
        value => {
            let shown = known && (!value.is_string() || SHOWN.contains(&key));
            found.insert(place.to_owned(), Leaf { value, shown });
        }
    }
}

/// Where an entry of a list stands.
fn within(place: &str, number: usize, item: &Json) -> String {
    let name = KEYS.iter().find_map(|key| item.get(key)).map(|name| match name {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    });
    match name {
        Some(name) if place.is_empty() => name,
        Some(name) => format!("{place}[{name}]"),
        None => format!("{place}[{number}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(from: &Json, to: &Json) -> Vec<String> {
        let side = |sign: &str, field: &str, value: Option<&str>| {
            value.map(|value| format!("{sign} {field} {value}"))
        };
        let lines = differences(from, to).into_iter().flat_map(|difference| {
            let Difference { field, from, to } = difference;
            [side("-", &field, from.as_deref()), side("+", &field, to.as_deref())]
        });
        lines.flatten().collect()
    }

    fn web(more: &Json) -> Json {
        let mut web = json!({"name": "web", "image": "web@sha256:1", "essential": true, "cpu": 256});
        web.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"family": "web", "cpu": "512", "containerDefinitions": [web]})
    }

    #[test]
    fn fields_that_hold_no_secret_are_shown() {
        let plain = web(&json!({}));
        assert_eq!(told(&plain, &plain), Vec::<String>::new());
        let mut other = web(&json!({
            "image": "web@sha256:2", "essential": false, "cpu": 512, "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
        }));
        other["cpu"] = "1024".into();
        assert_eq!(
            told(&plain, &other),
            [
                "- cpu 512",
                "+ cpu 1024",
                "- web.cpu 256",
                "+ web.cpu 512",
                "- web.essential true",
                "+ web.essential false",
                "- web.image web@sha256:1",
                "+ web.image web@sha256:2",
                "+ web.portMappings[80].containerPort 80",
                "+ web.portMappings[80].protocol tcp",
            ]
        );
    }

    /// Wherever a secret may stand, also under a name that is harmless elsewhere.
    #[test]
    fn of_what_may_be_a_secret_only_the_name_is_told() {
        let holding = |secret: &str| {
            web(&json!({
                "environment": [{"name": "LOG_LEVEL", "value": secret}, {"name": "image", "value": secret}],
                "secrets": [{"name": "DB", "valueFrom": secret}],
                "command": ["run", secret],
                "entryPoint": [secret],
                "healthCheck": {"command": [secret], "retries": 3},
                "dockerLabels": {"image": secret, "user": secret},
                "logConfiguration": {"logDriver": "splunk", "options": {"name": secret, "splunk-token": secret}},
                "systemControls": [{"namespace": "net", "value": secret}],
                "what-is-yet-to-come": {"deep": [{"in": secret}, [secret]]},
            }))
        };
        let lines = told(&holding("hunter2"), &holding("correct horse"));
        assert_eq!(lines.len(), 2 * 13, "{lines:#?}");
        for line in &lines {
            assert!(line.ends_with(HIDDEN) || line.ends_with(ANOTHER), "{line}");
        }
        assert!(
            lines.contains(&"+ web.environment[LOG_LEVEL] (not shown, and another)".to_owned()),
            "{lines:#?}"
        );
        let all = told(&web(&json!({})), &holding("hunter2")).join("\n")
            + &told(&holding("hunter2"), &json!({})).join("\n");
        assert!(!all.contains("hunter2"), "{all}");
        assert!(all.contains("+ web.logConfiguration.logDriver splunk"), "{all}");
    }

    #[test]
    fn an_order_is_no_difference_where_names_tell_apart() {
        let of = |names: [&str; 2]| {
            web(&json!({"environment": names.map(|name| json!({"name": name, "value": "1"}))}))
        };
        assert_eq!(told(&of(["A", "B"]), &of(["B", "A"])), Vec::<String>::new());
    }
}
