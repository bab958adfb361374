//! The tree of steps, drawn over and over on a terminal: states, times, countdowns, current evidence.
//!
//! Never the only carrier of a fact: what matters is also printed above it and stays there.

use super::story::is_live;
use super::{Fact, Looks, Renderer, Story, Tone, TreeRow, brief, summary, tree, words};
use crate::plan::{StepIx, Timestamp};
use crate::run::{Event, Phase, StepEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws.
pub struct Live {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
    style: ProgressStyle,
    rows: Vec<TreeRow>,
    looks: Looks,
    height: usize,
    frame: usize,
}

impl Live {
    /// Draws on standard error, which should be a terminal `height` lines high.
    #[must_use]
    pub fn new(plan: &crate::plan::Plan, looks: Looks, height: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { all, bars: Vec::new(), style, rows: tree(plan), looks, height: height.max(8), frame: 0 }
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
        let room = self.height.saturating_sub(lines.len() + 2);
        let shown = self.choose(story, room);
        let hidden = self.rows.len() - shown.len();
        let width =
            shown.iter().map(|row| 2 * row.depth + row.name.chars().count()).max().unwrap_or(0).min(44);
        lines.extend(shown.iter().map(|row| self.row(row, width, story, now)));
        if hidden > 0 {
            lines.push(self.looks.tint(Tone::Dim, &format!("  and {hidden} more")));
        }
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
    !matches!(
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
