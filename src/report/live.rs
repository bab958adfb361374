//! The tree of steps, drawn over and over on a terminal: states, times, countdowns, current evidence, and what signals
//! measured lately.
//!
//! Never the only carrier of a fact: what matters is also printed above it and stays there.

use super::story::is_live;
use super::{Fact, Looks, Renderer, Story, Tone, TreeRow, brief, sparkline, summary, tree, words};
use crate::plan::{StepIx, Timestamp};
use crate::run::{Curve, Event, Phase, StepEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws.
pub struct Live {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
    style: ProgressStyle,
    rows: Vec<TreeRow>,
    looks: Looks,
    height: usize,
    width: usize,
    frame: usize,
}

/// Before what a signal is called.
const INDENT: usize = 6;

impl Live {
    /// Draws on standard error, which should be a terminal of so many lines and columns.
    #[must_use]
    pub fn new(plan: &crate::plan::Plan, looks: Looks, (height, width): (usize, usize)) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let (rows, height) = (tree(plan), height.max(8));
        Self { all, bars: Vec::new(), style, rows, looks, height, width, frame: 0 }
    }

    fn draw(&mut self, story: &Story, now: Timestamp) {
        let lines = self.lines(story, now);
        while self.bars.len() < lines.len() {
            let bar = self.all.add(ProgressBar::new(1).with_style(self.style.clone()));
            self.bars.push(bar);
        }
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(line);
        }
    }

    fn lines(&self, story: &Story, now: Timestamp) -> Vec<String> {
        let mut lines = vec![String::new(), summary::headline(story, now, self.looks)];
        let clocks = summary::dns_lines(story, now);
        lines.extend(clocks.iter().map(|clock| self.looks.tint(Tone::Dim, &self.looks.safe(clock))));
        let room = self.height.saturating_sub(lines.len() + 2);
        let measured = measured(story);
        // What signals measure has a third of the lines, at most.
        let most = measured.len().min(room / 3);
        let shown = self.choose(story, room - most);
        let hidden = self.rows.len() - shown.len();
        let width =
            shown.iter().map(|row| 2 * row.depth + row.name.chars().count()).max().unwrap_or(0).min(44);
        lines.extend(shown.iter().map(|row| self.row(row, width, story, now)));
        if hidden > 0 {
            lines.push(self.looks.tint(Tone::Dim, &format!("  and {hidden} more")));
        }
        let curves = sparkline::lines(&measured[..most], self.looks, self.width.saturating_sub(INDENT));
        lines.extend(curves.iter().map(|line| format!("{:INDENT$}{line}", "")));
        lines
    }

    /// Where not all fit: first what lives or went wrong, then what comes next, then what is over.
    fn choose(&self, story: &Story, room: usize) -> Vec<&TreeRow> {
        if self.rows.len() <= room {
            return self.rows.iter().collect();
        }
        let urgency = |row: &TreeRow| match row.step.map(|ix| story.phase(ix)) {
            Some(Phase::Stuck(_) | Phase::Foreign | Phase::Blind | Phase::Failed) => 0,
            Some(phase) if is_live(phase) => 1,
            Some(Phase::Waiting) => 2,
            Some(_) => 3,
            None => 4,
        };
        let mut order: Vec<(usize, usize)> =
            self.rows.iter().enumerate().map(|(at, row)| (urgency(row), at)).collect();
        // Of what is over, the newest.
        order.sort_by_key(|(urgency, at)| (*urgency, if *urgency >= 3 { usize::MAX - at } else { *at }));
        let mut chosen: Vec<usize> =
            order.into_iter().take(room.saturating_sub(1)).map(|(_, at)| at).collect();
        chosen.sort_unstable();
        chosen.into_iter().map(|at| &self.rows[at]).collect()
    }

    fn row(&self, row: &TreeRow, width: usize, story: &Story, now: Timestamp) -> String {
        let name = format!("{}{}", "  ".repeat(row.depth), self.looks.safe(&row.name));
        let Some(ix) = row.step else {
            return format!("    {}", self.looks.tint(Tone::Dim, &name));
        };
        let step = story.step(ix);
        let (tone, word) = summary::outcome(story, ix);
        let took =
            step.began.map_or(String::new(), |began| words::span(step.ended.unwrap_or(now).since(began)));
        let says = self.looks.safe(&says(story, ix, now));
        let text = format!(
            "  {} {name:width$}  {}  {took:>7}  {says}",
            self.looks.tint(tone, self.sign(story.phase(ix))),
            self.looks.tint(tone, &format!("{word:18}")),
        );
        text.trim_end().to_owned()
    }

    fn sign(&self, phase: Phase) -> &'static str {
        const DOTS: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠇", "⠏", "⠹"];
        const LINES: [&str; 4] = ["-", "\\", "|", "/"];
        let (good, bad, waiting) = if self.looks.ascii { ("+", "x", ".") } else { ("✓", "✗", "·") };
        match phase {
            Phase::Waiting | Phase::Skipped => waiting,
            Phase::Done | Phase::Undone(_) => good,
            Phase::Failed | Phase::Foreign | Phase::Blind | Phase::Stuck(_) => bad,
            Phase::Asking { .. } => "?",
            _ if self.looks.ascii => LINES[self.frame % LINES.len()],
            _ => DOTS[self.frame % DOTS.len()],
        }
    }
}

/// What is measured now: by the signals of steps that are under way, and by guards.
fn measured(story: &Story) -> Vec<(String, &Curve)> {
    let steps = story.steps().filter(|(ix, _)| is_live(story.phase(*ix)));
    let signals = steps.flat_map(|(ix, step)| {
        let name = words::step_name(&story.plan, ix);
        step.curves.iter().map(move |curve| (format!("{name} {}", curve.name), curve))
    });
    let guards = story.guards.iter().flatten().map(|curve| (format!("guard {}", curve.name), curve));
    signals.chain(guards).collect()
}

/// What a step has to say now: its evidence, and what it waits for.
fn says(story: &Story, ix: StepIx, now: Timestamp) -> String {
    let step = story.step(ix);
    let left = |until: Timestamp| {
        if until == Timestamp::NEVER {
            String::new()
        } else {
            format!("{} left", words::span(until.since(now)))
        }
    };
    let phase = story.phase(ix);
    let waits = match phase {
        Phase::Asking { until } | Phase::Watching { until, .. } | Phase::Restoring { until, .. } => {
            left(until)
        }
        Phase::Backoff { until: at } | Phase::UndoBackoff { until: at } => {
            format!("again in {}", words::span(at.since(now)))
        }
        _ => String::new(),
    };
    let said = match (&step.evidence, phase) {
        (Some(evidence), _) => evidence.clone(),
        (
            None,
            Phase::Failed
            | Phase::Foreign
            | Phase::Blind
            | Phase::Stuck(_)
            | Phase::Backoff { .. }
            | Phase::UndoBackoff { .. },
        ) => step.reason.as_deref().unwrap_or_default().to_owned(),
        (None, Phase::Done) => {
            let each = step.changes.iter().map(|c| {
                let (from, to) = brief::change(c);
                format!("{from} → {to}")
            });
            each.collect::<Vec<_>>().join("; ")
        }
        (None, Phase::Undone(_)) => {
            step.changes.iter().map(|c| brief::text(&c.from)).collect::<Vec<_>>().join("; ")
        }
        (None, _) => String::new(),
    };
    match (said.is_empty(), waits.is_empty()) {
        (false, false) => format!("{said} ({waits})"),
        (true, _) => waits,
        (false, true) => said,
    }
}

/// Facts that stay on the screen above the tree.
fn stays(event: &Event) -> bool {
    !words::is_routine(event)
        && !matches!(
            event,
            Event::Step(
                _,
                StepEvent::Started
                    | StepEvent::Planned { .. }
                    | StepEvent::Applying { .. }
                    | StepEvent::Applied { .. }
                    | StepEvent::Noted { .. }
                    | StepEvent::StageReached
                    | StepEvent::Succeeded { .. }
                    | StepEvent::Undoing { .. }
                    | StepEvent::UndoCalled { .. }
                    | StepEvent::Skipped
            )
        )
}

impl Renderer for Live {
    fn fact(&mut self, story: &Story, fact: &Fact<'_>) {
        if stays(fact.event) {
            let line = words::line(story, fact.at, fact.event);
            let time = fact.at.to_string();
            let time = time.get(11..19).unwrap_or_default();
            let text = self.looks.safe(&format!("{}: {}", line.subject, line.text));
            self.say(&format!("{time} {}", self.looks.tint(line.tone, &text)));
        }
        self.draw(story, fact.at);
    }

    fn progress(&mut self, story: &Story, at: Timestamp, step: StepIx, text: &str) {
        let _ = (step, text);
        self.draw(story, at);
    }

    fn tick(&mut self, story: &Story, now: Timestamp) {
        self.frame = self.frame.wrapping_add(1);
        self.draw(story, now);
    }

    fn end(&mut self, story: &Story, now: Timestamp) {
        let _ = (story, now);
        for bar in self.bars.drain(..) {
            bar.finish_and_clear();
        }
        let _ = self.all.clear();
    }

    fn say(&mut self, text: &str) {
        let _ = self.all.println(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, plan};
    use super::*;
    use crate::run::DnsClock;
    use std::time::Duration;

    const LOOKS: Looks = Looks { colour: false, ascii: false };

    /// A step that is watched, and what its signals and a guard measured lately.
    fn story(facts_so_far: usize) -> Story {
        let mut story = Story::new("01", plan());
        let curve = |name: &str, limit| Curve {
            name: name.into(),
            values: vec![Some(0.0), Some(0.01), None, Some(0.02)],
            limit,
        };
        for (at, fact) in facts().iter().take(facts_so_far) {
            story.take(*at, fact);
            story.see(StepIx(0), vec![curve("errors", Some(0.02)), curve("slow", None)]);
        }
        story.guards = vec![None, Some(curve("users", Some(0.04)))];
        story
    }

    fn drawn(story: &Story, size: (usize, usize)) -> Vec<String> {
        let live = Live::new(&story.plan, LOOKS, size);
        live.lines(story, story.last).iter().map(|line| line.trim().to_owned()).collect()
    }

    fn ends(story: &Story, size: (usize, usize), wanted: &[&str]) {
        let lines = drawn(story, size);
        assert!(lines.ends_with(&wanted.iter().map(ToString::to_string).collect::<Vec<_>>()), "{lines:#?}");
    }

    #[test]
    fn what_signals_measured_stands_below_the_steps() {
        let bars = |name: &str, bars: &str, says: &str| format!("{name:12}  {bars:>24}  {says}");
        let wanted = [
            bars("lower errors", "▁▅ █", "0.02  limit 0.02"),
            bars("lower slow", "▁▅ █", "0.02"),
            bars("guard users", "▁▃ ▅", "0.02  limit 0.04"),
        ];
        let wanted: Vec<&str> = wanted.iter().map(|line| line.trim_end()).collect();
        ends(&story(6), (24, 80), &wanted);
        // Then there is no room for bars.
        let narrow =
            ["lower errors  0.02  limit 0.02", "lower slow    0.02", "guard users   0.02  limit 0.04"];
        ends(&story(6), (24, 60), &narrow);
        // Then there is none for more than one.
        let low = drawn(&story(6), (8, 60));
        assert!(low.ends_with(&[narrow[0].to_owned()]) && !low.contains(&narrow[1].to_owned()), "{low:#?}");
    }

    #[test]
    fn how_soon_users_can_be_led_back_stands_above_the_steps() {
        let mut story = story(7);
        let minutes = Duration::from_mins;
        story.clocks[0] = Some(DnsClock {
            name: "app.example.com".into(),
            before: minutes(5),
            after: minutes(1),
            connections: minutes(1),
            left: None,
        });
        let clock =
            "a rollback of lower now reaches new lookups within 2m, and connections that are open within 3m";
        let (back, told) = (format!("DNS clock: {clock}"), |story: &Story| drawn(story, (24, 160)));
        assert_eq!(told(&story)[2], back);
        assert!(!told(&story)[3].contains("old"), "nobody is led away from a side by it");

        // Then it is told, too, who may still be on the old side.
        let reach = "DNS clock: all new lookups of app.example.com reach the new side";
        let done = story.step(StepIx(0)).ended.unwrap();
        let (looked_up, left) = (done.after(minutes(5)), done.after(minutes(7)));
        for (keeps, ends) in
            [(0, String::new()), (2, format!(", and the last connection to the old one ends by {left}"))]
        {
            story.clocks[0].as_mut().unwrap().left = Some(minutes(keeps));
            assert_eq!(told(&story)[2..4], [back.clone(), format!("{reach} by {looked_up}{ends}")]);
        }
        let at = |now: Timestamp| summary::dns_lines(&story, now)[1..].to_vec();
        let ends = format!("{reach}, and the last connection to the old one ends by {left}");
        assert_eq!((at(looked_up), at(left)), (vec![ends], Vec::new()), "and no longer than they may");
    }

    #[test]
    fn what_is_over_is_measured_no_more() {
        let lines = drawn(&story(7), (24, 80)).join("\n");
        assert!(lines.contains("guard users") && !lines.contains("lower errors"), "{lines}");
    }
}
