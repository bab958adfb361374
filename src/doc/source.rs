//! The texts that a plan was read from, so that a problem can show its place.

use crate::plan::Span;

/// One text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name as it was given, or where else the text is from: `--set`.
    pub name: String,
    /// The text; a byte order mark is not part of it.
    pub text: String,
    /// Part of the plan, as opposed to values for its params.
    pub plan: bool,
}

/// All of them; [`Span::file`] is an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and says which one it is.
    pub(super) fn add(&mut self, name: &str, text: &str, plan: bool) -> u16 {
        self.0.push(Source { name: name.into(), text: text.into(), plan });
        u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, file: u16) -> Option<&Source> {
        self.0.get(usize::from(file))
    }

    /// The plan and what it includes, as name and text: what a run keeps, so that editing a file cannot change it.
    #[must_use]
    pub fn plan(&self) -> Vec<(String, String)> {
        self.0.iter().filter(|s| s.plan).map(|s| (s.name.clone(), s.text.clone())).collect()
    }

    /// Line and column of a place's start, both from 1, and the file's name.
    #[must_use]
    pub fn place(&self, span: Span) -> Option<(&str, usize, usize)> {
        let source = self.get(span.file)?;
        let before = source.text.get(..span.start as usize)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        Some((&source.name, line, column))
    }
}
