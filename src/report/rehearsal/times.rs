//! How long things take in a rehearsal, in the time of its runs.

use super::Rehearsed;
use super::columns::Page;
use crate::plan::format_duration;
use crate::rehearse::{Class, Estimate, Spread};
use crate::report::{Looks, Tone};
use std::time::Duration;

/// Until a fault was noticed, decided on, led back from and undone: by class.
pub(super) fn spreads(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let rows = Class::ALL.iter().filter_map(|class| Some((class, of.rehearsal.rows.get(class)?)));
    let rows: Vec<Vec<String>> = rows
        .map(|(class, row)| {
            let spans = [&row.detect, &row.decide, &row.lead_back, &row.undo];
            std::iter::once(class.text().to_owned()).chain(spans.into_iter().map(spread)).collect()
        })
        .filter(|row: &Vec<String>| row.iter().skip(1).any(|cell| cell != "-"))
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    page.table("median/worst to", &["notice it", "turn back", "lead users back", "undo all"], &rows)
}

fn spread(spread: &Spread) -> String {
    match (spread.median(), spread.worst()) {
        (Some(median), Some(worst)) => format!("{}/{}", format_duration(median), format_duration(worst)),
        _ => "-".into(),
    }
}

/// The longest way back, and what the plan demands of it.
pub(super) fn way_back(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(slowest) = &of.rehearsal.slowest {
        lines.push(format!("slowest rollback: {}", format_duration(whole(slowest.took))));
        // To be copied: it stays on one line.
        let repeat = page.looks.safe(&of.repeat(&slowest.name));
        lines.push(format!("  repeat  {}", page.looks.tint(Tone::Strong, &repeat)));
    }
    if let Some(rto) = of.plan.policy.rto {
        let worst = of.rehearsal.rows.values().filter_map(|row| row.lead_back.worst()).max();
        let worst = worst.map_or("no switch was undone".to_owned(), |worst| {
            format!("users were led back within {} at worst, whatever went wrong", format_duration(worst))
        });
        lines.extend(page.hanging("", 2, &format!("rto of {}: {worst}", format_duration(rto))));
    }
    lines
}

/// When each step begins and ends where nothing goes wrong, and the way back from there.
pub(super) fn timeline(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let steps: Vec<String> = of.steps().collect();
    let told = of.rehearsal.estimates.iter().filter(|estimate| steps.contains(&estimate.step));
    let mut lines = table(&told.collect::<Vec<_>>(), page);
    if let Some(back) = of.rehearsal.way_back {
        let text =
            format!("the whole way back, from where most is in force: {}", format_duration(whole(back)));
        lines.extend(page.hanging("", 2, &text).iter().map(|line| page.looks.tint(Tone::Plain, line)));
    }
    lines
}

/// How long everything takes, as a rehearsal without faults in this world tells: for a preview.
#[must_use]
pub fn timeline_text(estimates: &[Estimate], world: &str, width: usize, looks: Looks) -> String {
    let page = Page::new(width, looks);
    let mut lines = table(&estimates.iter().collect::<Vec<_>>(), page);
    if !lines.is_empty() {
        let text = format!("an estimate, as played in the world {}", looks.safe(world));
        lines.extend(page.hanging("", 2, &text));
    }
    lines.into_iter().flat_map(|line| [line, "\n".into()]).collect()
}

fn table(estimates: &[&Estimate], page: Page) -> Vec<String> {
    if estimates.is_empty() {
        return Vec::new();
    }
    let span = |span: Option<Duration>| span.map_or("-".to_owned(), |span| format_duration(whole(span)));
    let worst = estimates.iter().any(|estimate| estimate.worst.is_some());
    let row = |estimate: &&Estimate| {
        let begins = estimate.until.saturating_sub(estimate.takes);
        let mut cells = vec![page.looks.safe(&estimate.step)];
        cells.extend([begins, estimate.takes].map(|moment| span(Some(moment))));
        cells.push(if worst { span(estimate.worst) } else { span(Some(estimate.at_most)) });
        cells.push(span(estimate.back));
        if worst {
            cells.push(span(estimate.back_worst));
        }
        cells
    };
    let rows: Vec<Vec<String>> = estimates.iter().map(row).collect();
    let mut heads = vec!["begins after", "takes"];
    heads.push(if worst { "at worst" } else { "at most" });
    heads.push("way back");
    if worst {
        heads.push("at worst");
    }
    page.table("where nothing goes wrong", &heads, &rows)
}

/// Without what is less than a second, where there is more.
pub(super) fn whole(span: Duration) -> Duration {
    if span >= Duration::from_secs(1) { Duration::from_secs(span.as_secs()) } else { span }
}
