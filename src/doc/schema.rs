//! The JSON Schema of plans (draft-07), for editors. It is made by asking the same code that reads plans, so the two
//! cannot differ.

use super::{expand, header, params, read, step};
use crate::plan::{Fields, Kinds, Known, Problems};
use serde_json::{Map, Value as Json, json};

/// The schema of plans with these kinds of steps and signals.
#[must_use]
pub fn schema(actions: &dyn Kinds, signals: &dyn Kinds) -> Json {
    let mut top = described(read::top);
    for (key, _) in read::NOT_YET {
        top["properties"].as_object_mut().map(|properties| properties.remove(*key));
    }
    let parts = [
        ("switchover", json!({"const": "v1"})),
        ("name", json!({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$"})),
        ("summary", json!({"type": "string"})),
        ("owner", json!({"type": "string"})),
        ("production", holes(json!({"type": "boolean"}))),
        ("params", by_name(described(params::declaration))),
        ("secrets", by_name(one_key(described(header::secret)))),
        ("people", by_name(json!({"type": "array", "items": {"type": "string"}, "minItems": 1}))),
        ("targets", by_name(targets())),
        ("policy", holes(described(header::policy))),
        ("guards", json!({"type": "array", "items": {"$ref": "#/definitions/guard"}})),
        ("prepare", json!({"$ref": "#/definitions/steps"})),
        ("steps", json!({"$ref": "#/definitions/steps"})),
        ("finally", json!({"$ref": "#/definitions/steps"})),
    ];
    for (name, part) in parts {
        refine(&mut top["properties"][name], part);
    }
    top["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    top["title"] = "switchover plan".into();
    top["definitions"] = definitions(actions, signals);
    top
}

fn definitions(actions: &dyn Kinds, signals: &dyn Kinds) -> Json {
    let mut definitions = Map::new();
    definitions.insert("hole".into(), json!({"type": "string", "pattern": "\\$\\{\\{.*\\}\\}"}));
    definitions.insert(
        "steps".into(),
        json!({"type": "array", "items": {"$ref": "#/definitions/step"}, "minItems": 1}),
    );
    definitions.insert("step".into(), step_schema(actions));
    definitions.insert("guard".into(), guard_schema(signals));
    definitions.insert("undo".into(), undo_schema(actions));
    for (name, _, schema) in kinds(actions) {
        definitions.insert(format!("step:{name}"), schema);
    }
    for name in signals.names() {
        let mut with = kind(signals, name);
        with["description"] = format!("{}. {}", signals.summary(name), signals.costs(name)).trim_end().into();
        definitions.insert(format!("signal:{name}"), with);
    }
    Json::Object(definitions)
}

/// Kinds of steps, with those that the language itself knows: name, what for, `with`.
fn kinds(actions: &dyn Kinds) -> Vec<(&'static str, &'static str, Json)> {
    let mut kinds: Vec<(&str, &str, Json)> =
        actions.names().into_iter().map(|name| (name, actions.summary(name), kind(actions, name))).collect();
    for (name, about) in step::BUILT_IN {
        let with = match *name {
            "approve" => holes(described(step::approval)),
            _ => described(|_| ()),
        };
        kinds.push((name, about, with));
    }
    kinds
}

fn kind(kinds: &dyn Kinds, name: &str) -> Json {
    holes(described(|fields| kinds.check(name, fields)))
}

fn step_schema(actions: &dyn Kinds) -> Json {
    let mut schema = described(step::common);
    let kinds = kinds(actions);
    let steps = json!({"$ref": "#/definitions/steps"});
    let parts = [
        ("id", json!({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$"})),
        ("uses", uses(kinds.iter().map(|(name, about, _)| (*name, *about)))),
        ("with", json!({"type": "object"})),
        ("when", json!({"type": "string"})),
        ("undo", json!({"$ref": "#/definitions/undo"})),
        ("parallel", steps.clone()),
        ("sequence", steps),
        ("include", described(expand::include)),
        ("each", json!({"anyOf": [{"type": ["array", "object"]}, {"$ref": "#/definitions/hole"}]})),
        ("as", json!({"type": "string"})),
        ("max", holes(json!({"type": "integer", "minimum": 1, "maximum": 1000}))),
    ];
    for name in ["timeout", "retry", "on_failure", "reversibility", "on"] {
        let own = schema["properties"][name].take();
        schema["properties"][name] = holes(own);
    }
    for (name, part) in parts {
        refine(&mut schema["properties"][name], part);
    }
    schema["required"] = json!(["id"]);
    schema["allOf"] = kinds.iter().map(|(name, _, with)| told(name, "step", with)).collect();
    schema["defaultSnippets"] = kinds.iter().map(|(name, about, with)| snippet(name, about, with)).collect();
    schema
}

fn guard_schema(signals: &dyn Kinds) -> Json {
    let mut schema = described(read::guard);
    let names = signals.names();
    refine(&mut schema["properties"]["uses"], uses(names.iter().map(|name| (*name, signals.summary(name)))));
    refine(&mut schema["properties"]["with"], json!({"type": "object"}));
    // The condition may stand in `with` too, so nothing of `with` is required here.
    schema["allOf"] = names
        .iter()
        .map(|name| {
            let mut with = kind(signals, name);
            with.as_object_mut().map(|with| with.remove("required"));
            json!({"if": uses_is(name), "then": {"properties": {"with": with}}})
        })
        .collect();
    schema
}

fn undo_schema(actions: &dyn Kinds) -> Json {
    let mut schema = described(step::undoing);
    let names = actions.names();
    refine(&mut schema["properties"]["uses"], uses(names.iter().map(|name| (*name, actions.summary(name)))));
    refine(&mut schema["properties"]["with"], json!({"type": "object"}));
    schema["allOf"] = names.iter().map(|name| told(name, "step", &kind(actions, name))).collect();
    schema
}

/// What stands in `with`, once `uses` says so.
fn told(name: &str, what: &str, with: &Json) -> Json {
    let mut then = json!({"properties": {"with": {"$ref": format!("#/definitions/{what}:{name}")}}});
    if with.get("required").is_some() {
        then["required"] = json!(["with"]);
    }
    json!({"if": uses_is(name), "then": then})
}

fn uses_is(name: &str) -> Json {
    json!({"properties": {"uses": {"const": name}}, "required": ["uses"]})
}

fn uses<'k>(kinds: impl Iterator<Item = (&'k str, &'k str)>) -> Json {
    let (names, about): (Vec<&str>, Vec<&str>) = kinds.unzip();
    json!({"enum": names, "enumDescriptions": about})
}

/// A whole step of a kind, as an editor offers it.
fn snippet(name: &str, about: &str, with: &Json) -> Json {
    let required = with.get("required").and_then(Json::as_array).into_iter().flatten();
    let fields: Map<String, Json> = required
        .filter_map(Json::as_str)
        .enumerate()
        .map(|(at, field)| (field.to_owned(), Json::from(format!("${}", at + 2))))
        .collect();
    let mut body = json!({"id": "$1", "uses": name});
    if !fields.is_empty() {
        body["with"] = Json::Object(fields);
    }
    json!({"label": name, "description": about, "body": body})
}

fn targets() -> Json {
    let kinds: Map<String, Json> =
        header::TARGETS.iter().map(|(name, read)| ((*name).to_owned(), holes(described(read)))).collect();
    one_key(json!({"type": "object", "additionalProperties": false, "properties": kinds}))
}

fn one_key(mut schema: Json) -> Json {
    schema["minProperties"] = 1.into();
    schema["maxProperties"] = 1.into();
    schema
}

fn by_name(schema: Json) -> Json {
    json!({"type": "object", "additionalProperties": schema})
}

pub(super) fn described<T>(ask: impl FnOnce(&mut Fields<'_>) -> T) -> Json {
    let (known, mut none) = (Known::default(), Problems::default());
    let mut fields = Fields::describing(&known, &mut none);
    let _ = ask(&mut fields);
    fields.schema()
}

/// Says more of a field, and keeps what it is for.
fn refine(field: &mut Json, with: Json) {
    let about = field.get("description").cloned();
    *field = with;
    // Beside `$ref` nothing counts in draft-07.
    if let (Some(about), None) = (about, field.get("$ref")) {
        field["description"] = about;
    }
}

/// Lets `${{ … }}` stand wherever something other than text is asked for.
fn holes(schema: Json) -> Json {
    let Json::Object(mut schema) = schema else { return schema };
    for key in ["properties", "items", "additionalProperties"] {
        let Some(inner) = schema.get_mut(key) else { continue };
        if key == "properties" {
            for value in inner.as_object_mut().into_iter().flat_map(|properties| properties.values_mut()) {
                *value = holes(value.take());
            }
        } else {
            *inner = holes(inner.take());
        }
    }
    let is_text = schema.get("type").is_some_and(|kind| kind == "string") && !schema.contains_key("pattern");
    let has_fields = schema.contains_key("properties");
    if is_text || has_fields || schema.contains_key("anyOf") || schema.keys().all(|key| key == "description")
    {
        return Json::Object(schema);
    }
    let about = schema.remove("description");
    let mut either = json!({"anyOf": [schema, {"$ref": "#/definitions/hole"}]});
    if let Some(about) = about {
        either["description"] = about;
    }
    either
}

#[cfg(test)]
mod tests;
