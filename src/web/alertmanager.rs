//! What Alertmanager sends (webhook format 4): each alert that is firing and says whom it means is a trigger.

use super::trigger::{Aim, Trigger};
use super::webhook::{NAME, REASON, cut};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The label that names a run, by its whole id.
const RUN: &str = "switchover_run";
/// The label that names a plan.
const PLAN: &str = "switchover_plan";
/// The label that names a guard of the plan.
const GUARD: &str = "switchover_guard";

/// The most bytes of a notification.
pub(super) const LONGEST: usize = 1 << 20;

#[derive(Deserialize)]
struct Notification {
    version: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The triggers of a notification. One that is resolved, or names neither run nor plan, is none.
///
/// # Errors
/// It is not a notification of this format.
pub(super) fn triggers(body: &[u8]) -> Result<Vec<Trigger>, String> {
    let told: Notification = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if told.version != "4" {
        return Err("only version 4 of Alertmanager's webhooks is known here".into());
    }
    Ok(told.alerts.iter().filter(|alert| alert.status == "firing").filter_map(trigger).collect())
}

fn trigger(alert: &Alert) -> Option<Trigger> {
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    let aim = Aim::new(label(RUN), label(PLAN))?;
    let name = label("alertname").unwrap_or("an alert");
    let said = ["summary", "description"].iter().find_map(|key| alert.annotations.get(*key));
    let reason = said.map_or_else(|| name.to_owned(), |said| format!("{name}: {said}"));
    Some(Trigger {
        aim,
        guard: label(GUARD).map(|guard| cut(guard, NAME)),
        by: "alertmanager".into(),
        reason: cut(&reason, REASON),
    })
}
