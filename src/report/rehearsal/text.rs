//! A rehearsal for people: first whether it ends well, then what does not, then what was counted.

use super::causes::{self, Cause};
use super::columns::Page;
use super::{Cut, Rehearsed, times};
use crate::plan::format_duration;
use crate::rehearse::{Class, Diverges, Outcome, Row};
use crate::report::words::{grouped, span};
use crate::report::{Looks, Tone};

/// How many causes are told; the others are in the JSON.
const TOLD: usize = 20;
/// How many faults of one step are named.
const NAMED: usize = 3;

/// All of it.
#[must_use]
pub fn rehearsal_text(of: &Rehearsed<'_>, width: usize, looks: Looks) -> String {
    let page = Page::new(width, looks);
    let causes = causes::of(&of.rehearsal.findings);
    let mut lines = verdict(of, &causes, page);
    for part in [
        findings(of, &causes, page),
        outcomes(of, page),
        times::spreads(of, page),
        times::way_back(of, page),
        ends(of, page),
        coverage(of, page),
        unseen(of, page),
        times::timeline(of, page),
    ] {
        if !part.is_empty() {
            lines.push(String::new());
            lines.extend(part);
        }
    }
    lines.join("\n") + "\n"
}

/// `1 step`, `2 steps`.
pub(super) fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { more })
}

fn verdict(of: &Rehearsed<'_>, causes: &[Cause<'_>], page: Page) -> Vec<String> {
    let rehearsal = of.rehearsal;
    let (scenarios, merged) = (rehearsal.scenarios(), rehearsal.merged());
    let (tone, found) = match causes.len() {
        0 if !of.has_singles() => (Tone::Warn, "no findings so far".to_owned()),
        0 => (Tone::Good, "no findings".to_owned()),
        found => (Tone::Bad, many(found as u64, "finding", "findings")),
    };
    let played = match merged {
        0 => "all played to their end".to_owned(),
        _ => format!(
            "{} played to their end, the rest came to a situation that was known",
            grouped(scenarios - merged)
        ),
    };
    let text = format!(
        "{found} in {} ({played}) of {}, seed {}, in {}",
        many(scenarios, "scenario", "scenarios"),
        many(rehearsal.faults as u64, "fault", "faults"),
        rehearsal.seed,
        span(of.took),
    );
    let wrapped = page.hanging("", 2, &text);
    let mut lines: Vec<String> = wrapped.iter().map(|line| page.looks.tint(tone, line)).collect();
    let about = format!("{} in world {}, from {} on", rehearsal.plan, rehearsal.world, of.begins);
    lines.extend(page.hanging("", 2, &about));
    let warn = |text: String| {
        page.hanging("", 2, &text)
            .into_iter()
            .map(|line| page.looks.tint(Tone::Warn, &line))
            .collect::<Vec<_>>()
    };
    if let Some(only) = of.only {
        lines.extend(warn(format!("PARTIAL: only faults with `{only}` in their name were played")));
    }
    if let Some(cut) = of.cut {
        lines.extend(warn(unplayed(of, cut)));
    }
    lines
}

/// What was not played, and why.
fn unplayed(of: &Rehearsed<'_>, cut: Cut) -> String {
    match cut {
        Cut::Interrupted => format!(
            "PARTIAL: it was interrupted; {} of work were not played",
            many(of.rehearsal.unplayed as u64, "piece", "pieces")
        ),
        Cut::Over(time) if of.has_singles() => format!(
            "its time of {} was over after all single faults and {}",
            format_duration(time),
            many(of.pairs(), "pair", "pairs")
        ),
        Cut::Over(time) => format!(
            "PARTIAL: its time of {} was over before all single faults were played; {} of work were not played",
            format_duration(time),
            many(of.rehearsal.unplayed as u64, "piece", "pieces")
        ),
    }
}

fn findings(of: &Rehearsed<'_>, causes: &[Cause<'_>], page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, cause) in causes.iter().take(TOLD).enumerate() {
        if place > 0 {
            lines.push(String::new());
        }
        lines.extend(finding(of, place + 1, cause, page));
    }
    if causes.len() > TOLD {
        let rest = causes.len() - TOLD;
        lines.push(String::new());
        lines.extend(page.hanging("", 2, &format!("and {rest} more: `--output json` has them all")));
    }
    lines
}

fn finding(of: &Rehearsed<'_>, number: usize, cause: &Cause<'_>, page: Page) -> Vec<String> {
    let broken = page.paragraph(&format!("{number}. broken: "), cause.law.text());
    let mut lines: Vec<String> = broken.iter().map(|line| page.looks.tint(Tone::Bad, line)).collect();
    let about = cause.about.map(|step| format!("{step}: ")).unwrap_or_default();
    lines.extend(page.paragraph("   seen    ", &format!("{about}{}", cause.text)));
    let steps = cause.steps();
    for (place, (step, faults)) in steps.iter().take(NAMED).enumerate() {
        let more = faults.len().saturating_sub(NAMED);
        let named = faults.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let named = if more > 0 { format!("{named} and {more} more") } else { named };
        let first = if place == 0 { "   struck  " } else { "           " };
        lines.extend(page.paragraph(first, &format!("at {step}: {named}")));
    }
    if steps.len() > NAMED {
        let more = many((steps.len() - NAMED) as u64, "more step", "more steps");
        lines.push(format!("           and at {more}"));
    }
    lines.push(format!("   in      {}", many(cause.times(), "scenario", "scenarios")));
    if let Some(first) = cause.findings.first() {
        // To be copied: it stays on one line.
        let repeat = page.looks.safe(&of.repeat(&first.name));
        lines.push(format!("   repeat  {}", page.looks.tint(Tone::Strong, &repeat)));
    }
    lines.extend(page.paragraph("   change  ", cause.law.advice()));
    lines
}

fn outcomes(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let rows = &of.rehearsal.rows;
    let hung = rows.values().any(|row| row.outcomes.contains_key(&Outcome::Hung));
    let mut head = vec!["scenarios", "completed", "rolled back", "asked", "stuck", "taken over"];
    if hung {
        head.push("no end");
    }
    let cells = |name: &str, row: &Row| {
        let ended = |outcome| row.outcomes.get(&outcome).copied().unwrap_or_default();
        let mut counts = vec![
            row.scenarios,
            ended(Outcome::Completed),
            ended(Outcome::RolledBack),
            row.asked,
            row.stuck,
            ended(Outcome::TakenOver),
        ];
        if hung {
            counts.push(ended(Outcome::Hung));
        }
        std::iter::once(name.to_owned()).chain(counts.into_iter().map(grouped)).collect::<Vec<_>>()
    };
    let listed = Class::ALL.iter().filter_map(|class| Some((class, rows.get(class)?)));
    let table: Vec<Vec<String>> = listed.map(|(class, row)| cells(class.text(), row)).collect();
    if table.is_empty() { Vec::new() } else { page.table("how they ended", &head, &table) }
}

/// What cannot be undone, and what a way back leaves behind.
fn ends(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let steps = &of.rehearsal.no_return;
    let steps = if steps.is_empty() {
        "none".to_owned()
    } else {
        format!("{}; past them nothing is undone by itself", steps.join(", "))
    };
    let mut lines = page.hanging("", 2, &format!("points of no return: {steps}"));
    for Diverges { step, behind } in &of.rehearsal.diverges {
        let left = behind.map_or("nothing led back, so nothing was left behind".to_owned(), |behind| {
            let behind = format_duration(times::whole(behind));
            format!("what users wrote on the new side in {behind} stayed behind, at worst")
        });
        let text = format!("{step} has `writes: diverge`: {left}");
        lines.extend(page.hanging("", 2, &text));
    }
    lines
}

/// Which class struck which step, in how many scenarios.
fn coverage(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let coverage = &of.rehearsal.coverage;
    let classes: Vec<Class> = Class::ALL
        .into_iter()
        .filter(|class| coverage.values().any(|struck| struck.contains_key(class)))
        .collect();
    let head: Vec<&str> = classes.iter().map(|class| short(*class)).collect();
    let rows: Vec<Vec<String>> = of
        .struck()
        .into_iter()
        .map(|step| {
            let counts = classes.iter().map(|class| coverage[&step].get(class).copied().unwrap_or_default());
            std::iter::once(page.looks.safe(&step)).chain(counts.map(rounded)).collect()
        })
        .collect();
    let mut lines = if rows.is_empty() { Vec::new() } else { page.table("what was struck", &head, &rows) };
    let spared = of.spared();
    if !spared.is_empty() {
        let spared = page.hanging("", 2, &format!("no fault strikes: {}", spared.join(", ")));
        lines.extend(spared.iter().map(|line| page.looks.tint(Tone::Warn, line)));
    }
    lines
}

/// A class as a heading.
fn short(class: Class) -> &'static str {
    match class {
        Class::Write => "write",
        Class::Read => "read",
        Class::Check => "check",
        Class::Deployment => "deploy",
        Class::Dns => "dns",
        Class::Process => "process",
        Class::People => "people",
        Class::WayBack => "back",
        Class::World => "world",
        Class::Pair => "pair",
    }
}

/// `950`, `1.2k`, `41k`, `2.3M`: a table of many columns has no room for more.
fn rounded(number: u64) -> String {
    let tenths = |scale: u64, sign: &str| match number / scale {
        whole if whole < 10 => format!("{whole}.{}{sign}", number % scale * 10 / scale),
        whole => format!("{whole}{sign}"),
    };
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => tenths(1000, "k"),
        _ => tenths(1_000_000, "M"),
    }
}

/// What it cannot tell, and what it left out.
fn unseen(of: &Rehearsed<'_>, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    if !of.rehearsal.opaque.is_empty() {
        lines.push(page.looks.tint(Tone::Strong, "what it cannot see into"));
        for (step, why) in &of.rehearsal.opaque {
            lines.extend(page.hanging("  ", 4, &format!("{step}: {why}")));
        }
    }
    if of.rehearsal.alike > 0 {
        let looks = many(of.rehearsal.alike as u64, "look only repeats", "looks only repeat");
        let text = format!("left out: {looks} the one before, and nothing was struck there");
        lines.extend(page.hanging("", 2, &text));
    }
    lines
}
