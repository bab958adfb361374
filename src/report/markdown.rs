//! A run as Markdown, for those who were not there.

use super::{Extras, Fact, Looks, Story, Tone, human, sparkline, summary, words};
use crate::plan::{Kind, Timestamp};

/// The whole run: how it ended, each step, every fact.
#[must_use]
pub fn markdown(story: &Story, now: Timestamp, extras: &Extras, facts: &[Fact<'_>]) -> String {
    let plain = Looks::default();
    let mut lines = vec![format!("# Run {} of {}", story.id, story.plan.name), String::new()];
    if let Some(summary) = &story.plan.summary {
        lines.extend([summary.to_string(), String::new()]);
    }
    lines.extend([format!("**{}**", summary::headline(story, now, plain)), String::new()]);
    if let Some((by, at)) = &story.begun {
        lines.push(format!("- started {at} by {}", by.name));
    }
    if let Some(at) = story.ended {
        lines.push(format!("- ended {at}"));
    }
    if story.resumed > 0 {
        lines.push(format!("- taken over by another process {} times", story.resumed));
    }
    lines.extend(story.unwatched.iter().map(|gap| format!("- {}", words::unwatched(gap))));
    lines.extend([String::new(), "## Steps".into(), String::new()]);
    lines.extend(["| step | outcome | took | changes |".into(), "|---|---|---|---|".into()]);
    for (ix, step) in story.steps().filter(|(ix, _)| !matches!(story.plan[*ix].kind, Kind::Join)) {
        let took =
            step.began.map_or(String::new(), |began| words::span(step.ended.unwrap_or(now).since(began)));
        let changes: Vec<String> =
            step.changes.iter().map(|c| format!("{}: `{}` → `{}`", c.what, c.from, c.to)).collect();
        let says = match (&step.reason, changes.is_empty()) {
            (Some(reason), true) => reason.to_string(),
            (Some(reason), false) => format!("{}; {reason}", changes.join("; ")),
            (None, _) => changes.join("; "),
        };
        let name = words::step_name(&story.plan, ix);
        lines.push(format!(
            "| {} | {} | {took} | {} |",
            cell(&name),
            summary::outcome(story, ix).1,
            cell(&says)
        ));
    }
    let measured = extras.measured(story);
    if !measured.is_empty() {
        lines.extend([String::new(), "## Signals".into(), String::new(), "```text".into()]);
        lines.extend(sparkline::lines(&measured, plain, usize::MAX));
        lines.push("```".into());
    }
    for text in extras.blind(story) {
        lines.extend([String::new(), text]);
    }
    for clock in summary::dns_lines(story, now) {
        lines.extend([String::new(), clock]);
    }
    for text in summary::exposed(story) {
        lines.extend([String::new(), text]);
    }
    if !extras.traffic.is_empty() {
        lines.extend([String::new(), "## Traffic".into(), String::new()]);
        lines.extend(extras.traffic.iter().map(|told| format!("- {told}")));
    }
    if let Some(advice) = human::advice(story, extras) {
        lines.extend([String::new(), "## What to do now".into(), String::new()]);
        lines.extend(advice.says.iter().map(|says| format!("- {says}")));
        lines.extend([String::new(), "```sh".into()]);
        lines.extend(advice.commands.iter().map(|(why, command)| format!("{command}   # {why}")));
        lines.extend(["```".into(), String::new(), format!("See `{}`.", advice.see.path())]);
    }
    lines.extend([String::new(), "## What happened".into(), String::new()]);
    lines.extend(["| time | subject | fact |".into(), "|---|---|---|".into()]);
    let mut told = Story::new(story.id.clone(), story.plan.clone());
    for fact in facts {
        told.take(fact.at, fact.event);
        if words::is_routine(fact.event) {
            continue;
        }
        let line = words::line(&told, fact.at, fact.event);
        let text = if line.tone == Tone::Bad { format!("**{}**", line.text) } else { line.text };
        let more = line.details.join("; ");
        let text = if more.is_empty() { text } else { format!("{text}: {more}") };
        lines.push(format!("| {} | {} | {} |", fact.at, cell(&line.subject), cell(&text)));
    }
    lines.join("\n") + "\n"
}

/// Text as a cell of a table takes it.
fn cell(text: &str) -> String {
    Looks::default().safe(text).replace('|', "\\|")
}
