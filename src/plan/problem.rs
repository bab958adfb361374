//! What is wrong with a plan: collected, never thrown, so that one reading shows every mistake.

use super::Span;

/// `SW1003`: each has a page that `explain` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

/// Whether a plan can run in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The plan is refused.
    Error,
    /// A lint: the plan runs.
    Warning,
}

/// A second place that belongs to a problem: `first defined here`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// Whether the plan can run.
    pub severity: Severity,
    /// What is wrong; a lowercase fragment.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// Says what to do about it.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Names another place that belongs to it.
    pub fn label(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }
}

/// A message quotes what people wrote, and that may be a megabyte.
const LONGEST: usize = 300;

/// The problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Something that must be mended before the plan can run.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Problem {
        self.add(code, Severity::Error, span, message.into())
    }

    /// Something that a careful reader would ask about.
    pub fn warn(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Problem {
        self.add(code, Severity::Warning, span, message.into())
    }

    fn add(&mut self, code: Code, severity: Severity, span: Span, mut message: String) -> &mut Problem {
        if let Some((end, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(end);
            message.push('…');
        }
        self.0.push(Problem { code, severity, message, span, labels: Vec::new(), help: None });
        self.0.last_mut().expect("one was just pushed")
    }

    /// Whether the plan must be refused.
    #[must_use]
    pub fn refuse(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, in the order of the text.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| (problem.span, problem.code));
        self.0.dedup();
        self.0
    }

    /// In the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}
