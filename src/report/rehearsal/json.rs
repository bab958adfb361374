//! A rehearsal for machines, with names that stay as they are. Saved, it is what a gate asks for: findings of this plan
//! and these params, by which version, and when.

use super::{Cut, Rehearsed, causes, stable};
use crate::rehearse::{Class, Estimate, Law, Row, Spread, Story, catalogue};
use serde_json::{Map, Value as Json, json};

/// All of it.
#[must_use]
pub fn rehearsal_json(of: &Rehearsed<'_>) -> Json {
    let rehearsal = of.rehearsal;
    let classes: Map<String, Json> =
        rehearsal.rows.iter().map(|(class, row)| (stable(class), counted(row))).collect();
    let coverage: Map<String, Json> = of
        .struck()
        .into_iter()
        .map(|step| {
            let by = rehearsal.coverage[&step].iter();
            let by: Map<String, Json> = by.map(|(class, times)| (stable(class), json!(times))).collect();
            (step, Json::Object(by))
        })
        .collect();
    let opaque = rehearsal.opaque.iter().map(|(step, why)| json!({"step": step, "why": why}));
    let diverges = rehearsal.diverges.iter();
    let diverges = diverges.map(|switch| {
        json!({"step": switch.step, "left_behind_seconds": switch.behind.map(|behind| behind.as_secs_f64())})
    });
    let found = findings(of);
    json!({
        "rehearsal": "v1",
        "plan": rehearsal.plan,
        "plan_digest": of.digest,
        "params_digest": of.params_digest,
        "tool": env!("CARGO_PKG_VERSION"),
        "at": of.at.to_string(),
        "took_seconds": of.took.as_secs_f64(),
        "world": rehearsal.world,
        "begins": of.begins.to_string(),
        "seed": rehearsal.seed,
        "only": of.only,
        "complete": of.is_complete(),
        "cut": of.cut.map(|cut| if cut == Cut::Interrupted { "interrupted" } else { "time" }),
        "found": found.len(),
        "findings": found,
        "scenarios": rehearsal.scenarios(),
        "merged": rehearsal.merged(),
        "faults": rehearsal.faults,
        "alike": rehearsal.alike,
        "unplayed": rehearsal.unplayed,
        "classes": classes,
        "coverage": coverage,
        "not_struck": of.spared(),
        "slowest_rollback": rehearsal.slowest.as_ref().map(|slowest| json!({
            "scenario": slowest.name,
            "took_seconds": slowest.took.as_secs_f64(),
            "repeat": of.repeat(&slowest.name),
        })),
        "points_of_no_return": rehearsal.no_return,
        "writes_diverge": diverges.collect::<Vec<_>>(),
        "opaque": opaque.collect::<Vec<_>>(),
        "timeline": timeline_json(&rehearsal.estimates),
        "way_back_seconds": rehearsal.way_back.map(|back| back.as_secs_f64()),
    })
}

fn findings(of: &Rehearsed<'_>) -> Vec<Json> {
    let causes = causes::of(&of.rehearsal.findings);
    causes
        .iter()
        .map(|cause| {
            let struck = cause.findings.iter().map(|finding| {
                json!({
                    "step": finding.step,
                    "fault": finding.fault,
                    "seen": finding.text,
                    "scenarios": finding.times,
                    "scenario": finding.name,
                    "repeat": of.repeat(&finding.name),
                })
            });
            json!({
                "law": stable(cause.law),
                "broken": cause.law.text(),
                "about": cause.about,
                "seen": cause.text,
                "scenarios": cause.times(),
                "change": cause.law.advice(),
                "struck": struck.collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn counted(row: &Row) -> Json {
    let spread = |spread: &Spread| {
        json!({
            "median_seconds": spread.median().map(|span| span.as_secs()),
            "worst_seconds": spread.worst().map(|span| span.as_secs()),
        })
    };
    let outcomes: Map<String, Json> =
        row.outcomes.iter().map(|(outcome, times)| (stable(outcome), json!(times))).collect();
    json!({
        "scenarios": row.scenarios,
        "merged": row.merged,
        "outcomes": outcomes,
        "asked": row.asked,
        "stuck": row.stuck,
        "notice": spread(&row.detect),
        "turn_back": spread(&row.decide),
        "lead_back": spread(&row.lead_back),
        "undo": spread(&row.undo),
    })
}

/// How one scenario ended.
#[must_use]
pub fn scenario_json(name: &str, story: &Story) -> Json {
    let broken = story.breaches.iter().map(|breach| {
        json!({
            "law": stable(breach.law),
            "broken": breach.law.text(),
            "about": breach.step,
            "seen": breach.text,
            "change": breach.law.advice(),
        })
    });
    let struck =
        super::struck(name, story).into_iter().map(|(after, text)| json!({"after": after, "what": text}));
    json!({
        "scenario": name,
        "outcome": stable(story.outcome),
        "struck": struck.collect::<Vec<_>>(),
        "findings": broken.collect::<Vec<_>>(),
    })
}

/// All faults, classes and laws.
#[must_use]
pub fn catalogue_json() -> Json {
    let faults = catalogue().into_iter().map(|(name, text)| json!({"fault": name, "text": text}));
    let classes = Class::ALL.iter().map(|class| json!({"class": stable(class), "text": class.text()}));
    let laws =
        Law::ALL.iter().map(|law| json!({"law": stable(law), "text": law.text(), "change": law.advice()}));
    json!({
        "faults": faults.collect::<Vec<_>>(),
        "classes": classes.collect::<Vec<_>>(),
        "laws": laws.collect::<Vec<_>>(),
    })
}

/// How long everything takes.
#[must_use]
pub fn timeline_json(estimates: &[Estimate]) -> Json {
    let told = estimates.iter().map(|estimate| {
        json!({
            "step": estimate.step,
            "takes_seconds": estimate.takes.as_secs_f64(),
            "done_after_seconds": estimate.until.as_secs_f64(),
            "at_most_seconds": estimate.at_most.as_secs_f64(),
            "worst_seconds": estimate.worst.map(|span| span.as_secs_f64()),
            "way_back_seconds": estimate.back.map(|span| span.as_secs_f64()),
            "worst_way_back_seconds": estimate.back_worst.map(|span| span.as_secs_f64()),
        })
    });
    told.collect()
}
