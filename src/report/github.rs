//! Lines for GitHub Actions: what goes wrong becomes an annotation.

use super::{Fact, Looks, Renderer, Story, Tone, words};
use crate::plan::{StepIx, Timestamp};
use std::io::Write;

/// Writes workflow commands between plain lines.
pub struct GitHub<W> {
    out: W,
    looks: Looks,
}

impl<W: Write> GitHub<W> {
    /// Writes to `out`.
    pub fn new(out: W, looks: Looks) -> Self {
        Self { out, looks: Looks { colour: false, ..looks } }
    }

    fn write(&mut self, text: &str) {
        // A reader who went away must not end a go-live.
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }
}

/// As a workflow command takes it: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
fn escape(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

/// An annotation.
pub(super) fn error(title: &str, message: &str) -> String {
    let looks = Looks::default();
    let lines: Vec<String> = message.lines().map(|line| looks.safe(line)).collect();
    format!("::error title={}::{}", escape(&looks.safe(title), true), escape(&lines.join("\n"), false))
}

impl<W: Write + Send> Renderer for GitHub<W> {
    fn fact(&mut self, story: &Story, fact: &Fact<'_>) {
        if words::is_routine(fact.event) {
            return;
        }
        let line = words::line(story, fact.at, fact.event);
        let text = self.looks.safe(&format!("{} {}  {}", fact.at, line.subject, line.text));
        // What others wrote must not become a command.
        let text = if text.starts_with("::") { format!(" {text}") } else { text };
        if line.details.is_empty() {
            self.write(&text);
        } else {
            self.write(&format!("::group::{}", escape(&text, false)));
            for detail in &line.details {
                let detail = format!("  {}", self.looks.safe(detail));
                self.write(&detail);
            }
            self.write("::endgroup::");
        }
        let level = match line.tone {
            Tone::Bad => "error",
            Tone::Warn => "warning",
            _ => return,
        };
        let title = escape(&self.looks.safe(&format!("{}: {}", story.plan.name, line.subject)), true);
        let message = escape(&self.looks.safe(&line.text), false);
        self.write(&format!("::{level} title={title}::{message}"));
    }

    fn progress(&mut self, story: &Story, at: Timestamp, step: StepIx, text: &str) {
        let _ = (story, at, step, text);
    }

    fn say(&mut self, text: &str) {
        let text = self.looks.safe(text);
        self.write(&text);
    }
}
