//! The page of a kind of step or signal: what it is for, what it costs, and its fields, as its own code describes them.

use super::schema::described;
use super::step;
use crate::plan::Kinds;
use serde_json::{Map, Value as Json};
use std::fmt::Write;

/// Kinds of steps and of signals, by name, each with what it is for.
pub fn kinds(actions: &dyn Kinds, signals: &dyn Kinds) -> Vec<(&'static str, String)> {
    let steps = actions.names().into_iter().map(|name| (name, actions.summary(name)));
    let steps = steps.chain(step::BUILT_IN.iter().copied());
    let signals = signals.names().into_iter().map(|name| (name, signals.summary(name)));
    let steps = steps.map(|(name, about)| (name, format!("a step: {about}")));
    steps.chain(signals.map(|(name, about)| (name, format!("a signal: {about}")))).collect()
}

/// What `explain` prints of a kind; both, where a step and a signal have one name. `None`: there is no such kind.
pub fn explain_kind(actions: &dyn Kinds, signals: &dyn Kinds, name: &str) -> Option<String> {
    let mut pages = Vec::new();
    if actions.names().contains(&name) {
        let with = described(|fields| actions.check(name, fields));
        pages.push(page(name, "step", actions.summary(name), "", &with));
    }
    if let Some((_, about)) = step::BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        let with = if name == "approve" { described(step::approval) } else { described(|_| ()) };
        pages.push(page(name, "step", about, "", &with));
    }
    if signals.names().contains(&name) {
        let with = described(|fields| signals.check(name, fields));
        pages.push(page(name, "signal", signals.summary(name), signals.costs(name), &with));
    }
    (!pages.is_empty()).then(|| pages.join("\n"))
}

fn page(name: &str, what: &str, about: &str, costs: &str, with: &Json) -> String {
    let mut page = format!("# {name}, a {what}: {about}\n");
    if !costs.is_empty() {
        let _ = write!(page, "\n{costs}\n");
    }
    let mut rows = Vec::new();
    rows_of(with, 1, &mut rows);
    if rows.is_empty() {
        page.push_str("\nIt has no `with`.\n");
        return page;
    }
    page.push_str("\nIn `with`:\n\n");
    let width = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or_default();
    for (field, about) in rows {
        let _ = writeln!(page, "{field:width$}  {about}");
    }
    page
}

/// Fields and the fields in them, each with what it is for.
fn rows_of(with: &Json, depth: usize, rows: &mut Vec<(String, String)>) {
    let none = Map::new();
    let fields = with.get("properties").and_then(Json::as_object).unwrap_or(&none);
    let required: Vec<&str> = with
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    for (name, schema) in fields {
        let must = if required.contains(&name.as_str()) { "required: " } else { "" };
        let about = schema.get("description").and_then(Json::as_str).unwrap_or_default();
        let words = words(schema).map(|words| format!("; one of {words}")).unwrap_or_default();
        rows.push((format!("{:indent$}{name}", "", indent = depth * 2), format!("{must}{about}{words}")));
        // A baseline takes what its signal takes.
        for inner in inner(schema).into_iter().filter(|_| name != "baseline") {
            rows_of(inner, depth + 1, rows);
        }
    }
}

/// The words that it may be, where it is nothing else.
fn words(schema: &Json) -> Option<String> {
    let words = schema.get("enum")?.as_array()?.iter().filter_map(Json::as_str);
    Some(words.collect::<Vec<_>>().join(", "))
}

/// The mappings that stand in a field: itself, each of a list, or one way of writing it.
fn inner(schema: &Json) -> Vec<&Json> {
    let ways = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
    let parts = ways.chain(schema.get("items")).flat_map(inner);
    parts.chain(schema.get("properties").map(|_| schema)).collect()
}
