//! Timestamped lines, one a fact: for logs, pipes and terminals that cannot do more.

use super::{Fact, Looks, Renderer, Story, Tone, words};
use crate::plan::{Plan, StepIx, Timestamp};
use std::io::Write;

/// Writes lines.
pub struct Plain<W> {
    out: W,
    looks: Looks,
    width: usize,
    heard: Vec<Option<(Timestamp, String)>>,
    /// Also what only says that all is as it was.
    routine: bool,
}

/// How long step names are lined up, at most.
const WIDEST: usize = 28;
/// A step's own words are repeated at most this often, in the run's time.
const QUIET: std::time::Duration = std::time::Duration::from_secs(30);

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, looks: Looks, plan: &Plan) -> Self {
        let longest = plan.steps.iter().map(|step| step.id.0.chars().count()).max().unwrap_or(0);
        let (width, heard) = (longest.clamp(3, WIDEST), vec![None; plan.steps.len()]);
        Self { out, looks, width, heard, routine: true }
    }

    /// The same, for who follows a run: without what only says that all is as it was.
    #[must_use]
    pub fn without_routine(self) -> Self {
        Self { routine: false, ..self }
    }

    fn line(&mut self, at: Timestamp, subject: &str, tone: Tone, text: &str) {
        let text = self.looks.tint(tone, &self.looks.safe(text));
        // A reader who went away (`| head`) must not end a go-live.
        let _ = writeln!(self.out, "{at} {subject:width$}  {text}", width = self.width);
    }
}

impl<W: Write + Send> Renderer for Plain<W> {
    fn fact(&mut self, story: &Story, fact: &Fact<'_>) {
        if !self.routine && words::is_routine(fact.event) {
            return;
        }
        let line = words::line(story, fact.at, fact.event);
        self.line(fact.at, &line.subject, line.tone, &line.text);
        for detail in &line.details {
            self.line(fact.at, "", Tone::Plain, &format!("  {detail}"));
        }
        let _ = self.out.flush();
    }

    fn progress(&mut self, story: &Story, at: Timestamp, step: StepIx, text: &str) {
        let Some(heard) = self.heard.get_mut(step.index()) else { return };
        if heard.as_ref().is_some_and(|(last, said)| said == text || at.since(*last) < QUIET) {
            return;
        }
        *heard = Some((at, text.to_owned()));
        self.line(at, &words::step_name(&story.plan, step), Tone::Dim, text);
        let _ = self.out.flush();
    }

    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", self.looks.safe(text));
        let _ = self.out.flush();
    }
}
