//! Problems as people read them.

use super::{Source, Sources};
use crate::plan::{Problem, Severity, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use std::fmt::Write;
use std::ops::Range;

/// The most problems shown; a text with more has one cause.
const MOST: usize = 200;
/// Lines longer than this are shown in part.
const WIDTH: usize = 120;

/// Renders problems in the manner of rustc, with an empty line after each.
#[must_use]
pub fn render(problems: &[Problem], sources: &Sources, color: bool, ascii: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let style = if ascii { DecorStyle::Ascii } else { DecorStyle::Unicode };
    let renderer = renderer.decor_style(style).term_width(WIDTH);
    let mut out = String::new();
    for problem in problems.iter().take(MOST) {
        out.push_str(&renderer.render(&[report(problem, sources)]));
        out.push_str("\n\n");
    }
    if problems.len() > MOST {
        let _ = write!(out, "and {} more\n\n", problems.len() - MOST);
    }
    out
}

fn report<'a>(problem: &'a Problem, sources: &'a Sources) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&*problem.message).id(problem.code.0));
    let mut files = vec![problem.span.file];
    files.extend(problem.labels.iter().map(|label| label.span.file).filter(|f| *f != problem.span.file));
    files.dedup();
    for file in files {
        let Some(source) = sources.get(file) else { continue };
        let labels = problem.labels.iter().filter(|label| label.span.file == file);
        let excerpt = Excerpt::of(source, labels.clone().map(|l| l.span).chain([problem.span]), file);
        let mut annotations: Vec<Annotation<'a>> = labels
            .map(|label| AnnotationKind::Context.span(excerpt.within(label.span)).label(&*label.text))
            .collect();
        if file == problem.span.file {
            annotations.insert(0, AnnotationKind::Primary.span(excerpt.within(problem.span)));
        }
        let snippet = Snippet::source(excerpt.text).line_start(excerpt.line).path(&*source.name);
        group = group.element(snippet.annotations(annotations));
    }
    match &problem.help {
        Some(help) => group.element(Level::HELP.message(&**help)),
        None => group,
    }
}

/// The lines of a text that a problem touches: the whole of a large file need not be laid out for each problem.
struct Excerpt<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Excerpt<'a> {
    fn of(source: &'a Source, spans: impl Iterator<Item = Span>, file: u16) -> Self {
        let text = &*source.text;
        let (mut start, mut end) = (text.len(), 0);
        for span in spans.filter(|span| span.file == file) {
            start = start.min(span.start as usize);
            end = end.max(one_line(text, span));
        }
        let start = floor(text, start);
        let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = floor(text, end.max(start));
        let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let line = text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
        Self { text: &text[start..end], start, line }
    }

    fn within(&self, span: Span) -> Range<usize> {
        let inside = |at: usize| floor(self.text, at.saturating_sub(self.start));
        let start = inside(span.start as usize);
        let end = inside(span.end as usize).max(start);
        // A place over several lines is pointed at where it begins.
        let line = self.text[start..end].find('\n').map_or(end, |at| start + at);
        start..start + self.text[start..line].trim_end().len()
    }
}

/// Where the first line of a place ends.
fn one_line(text: &str, span: Span) -> usize {
    let start = floor(text, span.start as usize);
    let end = floor(text, span.end as usize).max(start);
    text[start..end].find('\n').map_or(end, |at| start + at)
}

/// The nearest boundary of a character at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
