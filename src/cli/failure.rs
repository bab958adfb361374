//! What goes wrong, for people: what, why, what to do, where to read more. One printer for all of it.

use super::Exit;
use crate::report::{Looks, Runbook, Tone};
use std::error::Error;

/// Ends a verb.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    see: Option<Runbook>,
    said: bool,
}

impl Failure {
    /// Says what went wrong, as a lowercase fragment.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hints: Vec::new(), see: None, said: false }
    }

    /// Everything has been said already.
    #[must_use]
    pub fn said(exit: Exit) -> Self {
        Self { said: true, ..Self::new(exit, "") }
    }

    /// What went wrong, without why.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Standard output is full, or fails.
    pub fn unwritten(error: &std::io::Error) -> Self {
        Self::new(Exit::Unwritten, "standard output cannot be written").from_error(error)
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Why.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Why, down to the root.
    #[must_use]
    pub fn from_error(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// What to do: the exact next command, where there is one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Where to read more.
    #[must_use]
    pub fn see(mut self, page: Runbook) -> Self {
        self.see = Some(page);
        self
    }

    /// As it is printed; empty if all has been said.
    #[must_use]
    pub fn render(&self, looks: Looks) -> String {
        if self.said {
            return String::new();
        }
        let mut lines = vec![format!("{} {}", looks.tint(Tone::Bad, "error:"), shown(looks, &self.message))];
        for (number, cause) in self.causes.iter().enumerate() {
            let head = if self.causes.len() == 1 {
                "caused by:".into()
            } else {
                format!("caused by: {}.", number + 1)
            };
            lines.push(format!("  {} {}", looks.tint(Tone::Warn, &head), shown(looks, cause)));
        }
        for hint in &self.hints {
            lines.push(format!("  {} {}", looks.tint(Tone::Busy, "hint:"), shown(looks, hint)));
        }
        if let Some(page) = self.see {
            let name = page.name();
            let text = format!("{} (`switchover explain {name}` prints it)", page.path());
            lines.push(format!("  {} {text}", looks.tint(Tone::Dim, "see:")));
        }
        lines.join("\n") + "\n"
    }
}

/// Keeps the lines of a long message.
fn shown(looks: Looks, text: &str) -> String {
    text.lines().map(|line| looks.safe(line)).collect::<Vec<_>>().join("\n    ")
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Bug, "reading or writing failed").from_error(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let looks = Looks { colour: false, ascii: false };
        let failure = Failure::new(Exit::Stopped, "the run cannot go on")
            .because("the journal cannot be written")
            .because("no space left on device")
            .hint("free some space, then `switchover resume 01J`")
            .see(Runbook::JournalFull);
        insta::assert_snapshot!(failure.render(looks), @r"
        error: the run cannot go on
          caused by: 1. the journal cannot be written
          caused by: 2. no space left on device
          hint: free some space, then `switchover resume 01J`
          see: runbooks/R-journal-full.md (`switchover explain R-journal-full` prints it)
        ");
        assert_eq!(Failure::said(Exit::Invalid).render(looks), "");
    }
}
