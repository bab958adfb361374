//! One scenario, as its operator would have seen it: where something strikes, and how it ended.

use super::columns::Page;
use crate::rehearse::{Outcome, Story, catalogue};
use crate::report::{Looks, Tone};
use crate::run::Event;

/// What strikes after which fact, in order. Both ends of a name are told: the fault, and the deaths that follow.
#[must_use]
pub fn struck(name: &str, story: &Story) -> Vec<(u64, String)> {
    let mut parts = name.split('+');
    let point = parts.next().unwrap_or_default();
    let mut all = Vec::new();
    let fault = fault(point);
    if let Some(rest) = name.strip_prefix("pair:") {
        all.push((0, format!("two faults at once, pair {rest}")));
    } else if fault != "undisturbed" {
        let means = meaning(fault).map(|text| format!(": {text}")).unwrap_or_default();
        all.push((story.struck_after, format!("{fault} strikes here{means}")));
    }
    for death in parts {
        let mut words = death.splitn(4, '-').skip(1);
        let (when, seq) = (words.next(), words.next().and_then(|seq| seq.parse::<u64>().ok()));
        let Some(seq) = seq else { continue };
        let how = match words.next() {
            Some("aborted") => "; who finds it dead aborts",
            Some("suspended") => "; it is suspended rather than dead, and another process takes over",
            _ => "; another process takes over",
        };
        let (after, when) = match when {
            Some("before") => (seq.saturating_sub(1), "before the next fact is recorded"),
            _ => (with_its_like(story, seq), "with this fact recorded"),
        };
        all.push((after, format!("the process dies here, {when}{how}")));
    }
    all
}

/// Facts that follow from one another are recorded at once: the last of them, before somebody takes over.
fn with_its_like(story: &Story, seq: u64) -> u64 {
    let resumed = |event: &Event| matches!(event, Event::RunResumed { .. });
    let next = story.facts.iter().find(|fact| fact.seq.0 > seq && resumed(&fact.event));
    next.map_or(seq, |fact| fact.seq.0 - 1)
}

/// `dns.change.lost-answer` of `switch/dns.change.lost-answer@41#1`.
fn fault(point: &str) -> &str {
    let place = point.rsplit_once('@').map_or(point, |(place, _)| place);
    // What befalls a target names it: `world.foreign[dns:Z1/app]`, but steps have brackets too.
    let place =
        if place.ends_with(']') { place.rsplit_once('[').map_or(place, |(place, _)| place) } else { place };
    place.rsplit('/').next().unwrap_or(place)
}

fn meaning(fault: &str) -> Option<&'static str> {
    let last = fault.rsplit('.').next()?;
    let fits = |name: &str| name == fault || name.strip_prefix("<call>.") == Some(last);
    catalogue().into_iter().find(|(name, _)| fits(name)).map(|(_, text)| text)
}

/// How it ended, and what it broke.
#[must_use]
pub fn scenario_end(story: &Story, width: usize, looks: Looks) -> String {
    let page = Page::new(width, looks);
    let (tone, text) = match story.outcome {
        Outcome::Completed => (Tone::Good, "it ended: completed"),
        Outcome::RolledBack => (Tone::Warn, "it ended: rolled back"),
        Outcome::TakenOver => (Tone::Bad, "it ended: a human took something over"),
        Outcome::Hung => (Tone::Bad, "it does not end"),
    };
    let mut lines = vec![String::new(), looks.tint(tone, text)];
    if story.breaches.is_empty() {
        lines.push("it breaks no law".into());
    }
    for breach in &story.breaches {
        let about = breach.step.as_ref().map(|step| format!(" ({step})")).unwrap_or_default();
        let broken = page.paragraph("it breaks a law: ", breach.law.text());
        lines.extend(broken.iter().map(|line| looks.tint(Tone::Bad, line)));
        lines.extend(page.paragraph("  seen    ", &format!("{}{about}", breach.text)));
        lines.extend(page.paragraph("  change  ", breach.law.advice()));
    }
    lines.join("\n") + "\n"
}
