//! What the schema takes and refuses, by a small reading of draft-07.

use super::*;
use crate::action::Registry;
use crate::doc::yaml;
use crate::signal::SignalRegistry;
use std::path::Path;

fn made() -> Json {
    schema(&Registry, &SignalRegistry)
}

/// What a value breaks of a schema, as paths.
fn broken(schema: &Json, value: &Json, root: &Json, path: &str, found: &mut Vec<String>) {
    let Json::Object(rules) = schema else { return };
    if let Some(Json::String(to)) = rules.get("$ref") {
        let target = root.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} is missing"));
        return broken(target, value, root, path, found);
    }
    let fits = |schema: &Json| {
        let mut inner = Vec::new();
        broken(schema, value, root, path, &mut inner);
        inner.is_empty()
    };
    let mut say = |what: &str| found.push(format!("{path}: {what}"));
    if let Some(kinds) = rules.get("type") {
        let kinds: Vec<&str> = match kinds {
            Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        let is = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            other => panic!("{other}"),
        };
        if !kinds.into_iter().any(is) {
            say("type");
        }
    }
    if rules.get("const").is_some_and(|only| only != value) {
        say("const");
    }
    if rules.get("enum").and_then(Json::as_array).is_some_and(|all| !all.contains(value)) {
        say("enum");
    }
    if let (Some(_), Some(text)) = (rules.get("pattern"), value.as_str())
        && path.ends_with("hole")
        && !text.contains("${{")
    {
        say("pattern");
    }
    if let Some(either) = rules.get("anyOf").and_then(Json::as_array) {
        let hole = |one: &Json| one["$ref"] == "#/definitions/hole";
        let as_hole = value.as_str().is_some_and(|text| text.contains("${{"));
        if !either.iter().any(|one| if hole(one) { as_hole } else { fits(one) }) {
            say("anyOf");
        }
    }
    if let Json::Object(entries) = value {
        let properties = rules.get("properties").and_then(Json::as_object);
        for (key, value) in entries {
            let path = format!("{path}/{key}");
            let own = properties.and_then(|properties| properties.get(key));
            match own.or_else(|| rules.get("additionalProperties")) {
                Some(Json::Bool(false)) => found.push(format!("{path}: unknown")),
                Some(schema) => broken(schema, value, root, &path, found),
                None => {}
            }
        }
        for name in rules.get("required").and_then(Json::as_array).into_iter().flatten() {
            if !entries.contains_key(name.as_str().unwrap()) {
                found.push(format!("{path}: {name} is required"));
            }
        }
    }
    if let (Some(items), Json::Array(values)) = (rules.get("items"), value) {
        for (at, value) in values.iter().enumerate() {
            broken(items, value, root, &format!("{path}/{at}"), found);
        }
    }
    for part in rules.get("allOf").and_then(Json::as_array).into_iter().flatten() {
        let applies = part.get("if").is_none_or(fits);
        broken(
            if applies { part.get("then").unwrap_or(part) } else { &Json::Null },
            value,
            root,
            path,
            found,
        );
    }
}

fn check(text: &str) -> Vec<String> {
    let (made, mut problems, mut found) = (made(), Problems::default(), Vec::new());
    let value = yaml::parse(text, 0, &mut problems).unwrap().to_json();
    broken(&made, &value, &made, "", &mut found);
    found
}

#[test]
fn shipped_plans_fit_it() {
    for name in [
        "aep-go-live",
        "blue-green",
        "one-record",
        "weighted-records",
        "held-sides",
        "parallel-deploys",
        "exec-with-undo",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name).with_extension("yaml");
        assert_eq!(check(&std::fs::read_to_string(path).unwrap()), [""; 0], "{name}");
    }
}

#[test]
fn mistakes_do_not() {
    let found = check(
        "switchover: v1
name: test
parms: {}
targets: { zone: { route54: {} } }
steps:
- { id: a, uses: wiat }
- { id: b, uses: wait }
- { id: c, uses: wait, with: { for: 5, until: x } }
- { id: d, uses: dns.ttl, with: { target: zone, record: app, ttl: \"${{ params.ttl }}\" }, timeuot: 3m }
- { id: e, parallel: [{ uses: checkpoint }] }
- { id: f, undo: { uses: exec, with: {} } }
",
    );
    insta::assert_snapshot!(found.join("\n"), @r#"
/parms: unknown
/targets/zone/route54: unknown
/steps/0/uses: enum
/steps/1: "with" is required
/steps/2/with/for: anyOf
/steps/2/with/until: unknown
/steps/3/timeuot: unknown
/steps/4/parallel/0: "id" is required
/steps/5/undo/with: "run" is required
"#);
}

#[test]
fn it_describes_every_kind() {
    let made = made();
    let kinds = made["definitions"]["step"]["properties"]["uses"]["enum"].as_array().unwrap();
    for name in ["dns.switch", "approve", "checkpoint", "ecs.deploy", "exec"] {
        assert!(kinds.contains(&name.into()), "{name}");
    }
    for kind in kinds {
        let with = &made["definitions"][format!("step:{}", kind.as_str().unwrap())];
        assert_eq!(with["type"], "object", "{kind}");
        for (field, schema) in with["properties"].as_object().unwrap() {
            assert!(schema.get("description").is_some(), "{kind}: {field} has no description");
        }
    }
    // Nothing that is not there yet is offered.
    assert!(made["properties"].get("readiness").is_none());
}
