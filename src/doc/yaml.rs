//! YAML text to a tree that knows its places: the only file that knows the parser behind it.
//!
//! YAML 1.2 core schema, one document, no duplicate keys, and bounds on everything, so that no text takes long.

use super::{scalar, trap};
use crate::plan::{Code, Data, Key, Problems, Span, Value};
use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Tag};
use std::collections::HashMap;
use std::sync::Arc;

/// How deep collections may nest.
const DEEPEST: usize = 64;
/// How many values a document may hold, each alias counted as what it repeats.
const MOST_NODES: usize = 50_000;

/// Reads one document. `None` if it cannot be read to its end; the problems say why.
pub(super) fn parse(text: &str, file: u16, problems: &mut Problems) -> Option<Value> {
    let mut builder = Builder {
        text,
        file,
        problems,
        frames: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        root: None,
        plain: None,
    };
    for event in Parser::new_from_str_with_options(text, options()) {
        let step = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => builder.syntax(&error),
        };
        step.ok()?;
    }
    let root = builder.root;
    if root.as_ref().is_none_or(|root| root.data == Data::Null) {
        let span = Span { file, start: 0, end: 0 };
        problems
            .error(Code("SW1015"), span, "there is nothing in this file")
            .help("a plan begins with `switchover: v1`");
        return None;
    }
    root
}

fn options() -> Options {
    granit_parser::options! {
        // One more than we allow, so that the message is ours.
        flow_nesting_limit: DEEPEST + 1,
        block_nesting_limit: DEEPEST + 1,
        disallow_directives: true,
        max_buffered_comment_events: MOST_NODES,
    }
}

/// A collection under construction.
struct Frame {
    open: Open,
    start: usize,
    anchor: usize,
    /// Nodes counted before it.
    before: usize,
    flow: bool,
}

enum Open {
    List(Vec<Value>),
    Map { entries: Vec<(Key, Value)>, key: Option<Key>, seen: HashMap<Arc<str>, Span> },
}

/// Reading cannot go on; the reason is among the problems.
struct Stop;

struct Builder<'t, 'p> {
    text: &'t str,
    file: u16,
    problems: &'p mut Problems,
    frames: Vec<Frame>,
    /// Finished anchors, with how many nodes each stands for.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
    root: Option<Value>,
    /// The last plain scalar: a comment right after it may have been meant as text.
    plain: Option<Span>,
}

impl Builder<'_, '_> {
    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        self.bytes(range.start, range.end)
    }

    /// A place, without the space that the parser counts to the end of block collections.
    fn bytes(&self, start: usize, end: usize) -> Span {
        let inside = self.text.get(start..end).map_or(0, |text| text.trim_end().len());
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        Span { file: self.file, start: at(start), end: at(start + inside) }
    }

    fn take(&mut self, event: Event<'_>, span: &granit_parser::Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let place = self.span(span);
                self.problems
                    .error(Code("SW1015"), place, "a second document begins here")
                    .help("a file holds one plan; remove the `---` and what follows it");
                Err(Stop)
            }
            Event::Comment(text, _) => {
                let place = self.span(span);
                if let Some(plain) = self.plain.take() {
                    trap::cut_comment(self.text, plain, place, &text, self.problems);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span);
                self.finish(value, anchor, 1)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.open(Open::List(Vec::new()), anchor, style == granit_parser::StructureStyle::Flow, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                let open = Open::Map { entries: Vec::new(), key: None, seen: HashMap::new() };
                self.open(open, anchor, style == granit_parser::StructureStyle::Flow, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => {
                let Some((value, nodes)) = self.anchors.get(&id).cloned() else {
                    let place = self.span(span);
                    self.problems.error(Code("SW1011"), place, "this alias stands inside what it repeats");
                    return Err(Stop);
                };
                self.finish(value, 0, nodes)
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &granit_parser::Span,
    ) -> Value {
        let place = self.span(span);
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        if !is_text {
            self.refuse_tag(tag, span);
        }
        if let Some(tag) = tag.filter(|_| style == ScalarStyle::Plain && !is_text) {
            // As it was meant, so that nothing else is wrong with it.
            let start = span.tag_start().and_then(|at| at.byte_offset()).unwrap_or(place.start as usize);
            let place = self.bytes(start, place.end as usize);
            let rest = self.text[start..].lines().next().unwrap_or_default();
            let in_flow = self.frames.last().is_some_and(|frame| frame.flow);
            let meant = if in_flow { format!("{} {text}", tag.original()) } else { rest.to_owned() };
            return Value { span: place, data: Data::Text(meant.trim_end().into()) };
        }
        if style != ScalarStyle::Plain || is_text {
            return Value { span: place, data: Data::Text(text.into()) };
        }
        self.plain = Some(place);
        let data = scalar::plain(text).unwrap_or_else(|scalar::Unfit(why)| {
            let shown: String = text.chars().take(40).collect();
            self.problems
                .error(Code("SW1006"), place, format!("`{shown}` {why}"))
                .help("if it is text, put it in quotes");
            Data::Text(text.into())
        });
        Value { span: place, data }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &granit_parser::Span) {
        let Some(tag) = tag else { return };
        let place = span.tag_span().map_or_else(|| self.span(span), |span| self.span(&span));
        trap::tag(&tag.original(), place, self.problems);
    }

    fn open(
        &mut self,
        open: Open,
        anchor: usize,
        flow: bool,
        span: &granit_parser::Span,
    ) -> Result<(), Stop> {
        let place = self.span(span);
        if self.frames.len() == DEEPEST {
            self.problems.error(Code("SW1011"), place, format!("nested deeper than {DEEPEST} levels"));
            return Err(Stop);
        }
        if let Some(Frame { open: Open::Map { key: None, .. }, flow, .. }) = self.frames.last() {
            trap::complex_key(self.text, place, *flow, self.problems);
            return Err(Stop);
        }
        self.plain = None;
        self.frames.push(Frame { open, start: place.start as usize, anchor, before: self.nodes, flow });
        Ok(())
    }

    fn close(&mut self, span: &granit_parser::Span) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let end = span.byte_range().map_or(frame.start, |range| range.end);
        let data = match frame.open {
            Open::List(items) => Data::List(items),
            Open::Map { entries, .. } => Data::Map(entries),
        };
        let value = Value { span: self.bytes(frame.start, end), data };
        if frame.flow {
            trap::split_by_comma(&value, self.problems);
            self.plain = None;
        }
        let inside = self.nodes - frame.before;
        self.nodes = frame.before;
        self.finish(value, frame.anchor, inside + 1)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, value: Value, anchor: usize, nodes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            let message = format!("more than {MOST_NODES} values, counting what aliases repeat");
            self.problems.error(Code("SW1011"), value.span, message);
            return Err(Stop);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map { entries, key, seen }) => match key.take() {
                Some(name) => {
                    if let Some(first) = seen.get(&name.name) {
                        let message = format!("`{}` is already there", name.name);
                        self.problems
                            .error(Code("SW1010"), name.span, message)
                            .label(*first, "the first one is here");
                    } else {
                        seen.insert(name.name.clone(), name.span);
                        entries.push((name, value));
                    }
                }
                None => *key = Some(as_key(self.text, &value)),
            },
        }
        Ok(())
    }

    fn syntax(&mut self, error: &ScanError) -> Result<(), Stop> {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let place = self.bytes(at, self.text[at..].chars().next().map_or(at, |c| at + c.len_utf8()));
        let flow = self.frames.iter().find(|frame| frame.flow).map(|frame| frame.start);
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            self.problems.error(Code("SW1011"), place, format!("nested deeper than {DEEPEST} levels"));
        } else {
            trap::syntax(self.text, place, flow, &error.kind().to_string(), self.problems);
        }
        Err(Stop)
    }
}

fn as_key(source: &str, value: &Value) -> Key {
    let name = match &value.data {
        Data::Text(text) => text.clone(),
        // Numbers and the like name things too; as they are written.
        _ => source.get(value.span.start as usize..value.span.end as usize).unwrap_or("").into(),
    };
    Key { name, span: value.span }
}

#[cfg(test)]
mod tests;
