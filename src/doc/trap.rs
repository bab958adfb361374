//! YAML's own traps: text that is not what its writer meant, each with an answer of its own.

use crate::plan::{Code, Data, Problems, Span, Value};

const TRAP: Code = Code("SW1013");

/// `when: !params.x`.
pub(super) fn tag(tag: &str, place: Span, problems: &mut Problems) {
    let problem = problems.error(TRAP, place, format!("YAML reads `{tag}` as a tag, not as text"));
    if tag.len() > 1 && !tag.starts_with("!!") {
        problem.help("put the whole condition in quotes: a leading `!` is YAML's");
    } else {
        problem.help("plans have no tags; remove it");
    }
}

/// `channel: deploys #main`: the rest of the line is a comment.
pub(super) fn cut_comment(text: &str, plain: Span, comment: Span, inside: &str, problems: &mut Problems) {
    let between = text.get(plain.end as usize..comment.start as usize).unwrap_or("\n");
    let adjacent = !between.is_empty() && between.bytes().all(|b| b == b' ' || b == b'\t');
    let looks_like_text = inside.starts_with(|c: char| c.is_alphanumeric() || "\"'({[".contains(c));
    if adjacent && looks_like_text {
        let shown: String = inside.chars().take(30).collect();
        problems
            .warn(Code("SW3007"), comment, format!("`#{shown}` is a comment here, not part of the text"))
            .label(plain, "the text ends here")
            .help("put the text in quotes if the `#` belongs to it, or write a space after the `#` if it does not");
    }
}

/// A list or mapping where a key should be: `{{ params.x }}`.
pub(super) fn complex_key(text: &str, place: Span, flow: bool, problems: &mut Problems) {
    let rest = &text[place.start as usize..];
    if flow && rest.starts_with('{') {
        let start = place.start.saturating_sub(1);
        problems
            .error(TRAP, Span { start, ..place }, "`{{ }}` is two YAML mappings, not a value to fill in")
            .help("write `\"${{ params.name }}\"`, with the dollar and in quotes");
    } else {
        problems.error(Code("SW1001"), place, "a key must be text, not a list or a mapping");
    }
}

/// `{ expect: size(a, b) > 0 }`: in braces a comma ends the text.
pub(super) fn split_by_comma(value: &Value, problems: &mut Problems) {
    let pieces: Vec<(&Value, Option<Span>)> = match &value.data {
        Data::List(items) => items.iter().map(|item| (item, Some(item.span))).collect(),
        Data::Map(entries) => entries
            .iter()
            .map(|(key, value)| (value, (value.data == Data::Null).then_some(key.span)))
            .collect(),
        _ => return,
    };
    for pair in pieces.windows(2) {
        let [(left, _), (_, Some(right))] = pair else { continue };
        let Some(text) = left.as_text() else { continue };
        if text.matches('(').count() > text.matches(')').count() {
            problems
                .error(TRAP, left.span, "this text ends at the comma: inside `{ }` and `[ ]` commas separate")
                .label(*right, "this became a piece of its own")
                .help("put the whole text in quotes");
        }
    }
}

/// Text that does not parse: the nearest thing that it may have been meant as. `flow` is where the outermost open
/// bracket stands.
pub(super) fn syntax(text: &str, place: Span, flow: Option<usize>, message: &str, problems: &mut Problems) {
    let at = place.start as usize;
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let line = &text[line_start..line_end];
    let on_line = |from: usize, to: usize| Span {
        start: u32::try_from(line_start + from).unwrap_or(place.start),
        end: u32::try_from(line_start + to).unwrap_or(place.end),
        ..place
    };
    let found = text[at..].chars().next();
    if let Some(start) = flow.filter(|start| *start < line_start) {
        return unclosed(text, place, start, message, problems);
    }
    let flow = flow.is_some();
    if let Some(tab) = tab(text, line_start, line_end).filter(|_| message.contains("tab")) {
        problems
            .error(Code("SW1014"), on_line(tab, tab + 1), "a tab in the indentation")
            .help("YAML is indented by spaces only");
    } else if let Some(from) = unquoted(line, "${{") {
        let to = line[from..].find("}}").map_or(line.len(), |end| from + end + 2);
        problems
            .error(TRAP, on_line(from, to), "`${{ }}` must be in quotes here")
            .help("inside `{ }` and `[ ]`, and with `: ` or ` #` in it, quote the whole value: \"${{ … }}\"");
    } else if let Some(from) = unquoted(line, ": !") {
        let word = line[from + 2..].split([' ', ',', '}']).next().unwrap_or("!");
        tag(word, on_line(from + 2, from + 2 + word.len()), problems);
    } else if message.contains("unclosed bracket") {
        problems.error(Code("SW1001"), place, "this bracket is never closed");
    } else if message.contains("unclosed quote") {
        problems.error(Code("SW1001"), place, "this quote is never closed");
    } else if message.contains("unknown anchor") {
        problems.error(Code("SW1001"), place, "no anchor of this name stands before it");
    } else if message.contains("directives") {
        problems.error(Code("SW1001"), place, "plans have no YAML directives").help("remove this line");
    } else if flow && matches!(found, Some('[' | '{' | ']' | '}')) && line[..at - line_start].contains(':') {
        let from = line[..at - line_start].rfind(": ").map_or(0, |colon| colon + 2);
        problems
            .error(
                TRAP,
                on_line(from, at + 1 - line_start),
                "inside `{ }` a text with brackets must be in quotes",
            )
            .help("quote the whole value: { expect: \"status in [200]\" }");
    } else if message.contains("mapping values are not allowed") {
        problems
            .error(TRAP, place, "this `:` would begin a value inside a text")
            .help("put text that holds `: ` in quotes, or check the indentation");
    } else if message.contains("trailing content after") {
        problems
            .error(TRAP, place, "text goes on after its closing quote")
            .help("a text that begins with a quote ends with it: put the whole of it in other quotes");
    } else if found.is_some_and(|c| "@`%".contains(c)) {
        let c = found.unwrap_or_default();
        problems.error(TRAP, place, format!("no unquoted text begins with `{c}`")).help("put it in quotes");
    } else {
        problems.error(Code("SW1001"), place, format!("this is not YAML: {message}"));
    }
}

/// A bracket that is still open on a later line: was its end cut off as a comment?
fn unclosed(text: &str, place: Span, start: usize, message: &str, problems: &mut Problems) {
    let span = |from: usize, to: usize| Span {
        start: u32::try_from(from).unwrap_or(place.start),
        end: u32::try_from(to).unwrap_or(place.end),
        ..place
    };
    let mut at = start;
    for line in text[start..place.start as usize].split_inclusive('\n') {
        let comment = unquoted(line, " #").filter(|from| line[from + 2..].starts_with(char::is_alphanumeric));
        if let Some(from) = comment.filter(|from| line[*from..].contains(['}', ']'])) {
            let end = at + line.trim_end().len();
            problems
                .error(TRAP, span(at + from + 1, end), "the rest of this line is a comment, its brackets too")
                .help("put the text in quotes if the `#` belongs to it");
            return;
        }
        at += line.len();
    }
    problems
        .error(Code("SW1001"), place, format!("this is not YAML: {message}"))
        .label(span(start, start + 1), "this bracket is still open");
}

/// A tab in the indentation of the line, or of the next one, from the line's start.
fn tab(text: &str, line_start: usize, line_end: usize) -> Option<usize> {
    [line_start, line_end + 1].into_iter().find_map(|start| {
        let indentation = text.get(start..)?.split(|c| c != ' ' && c != '\t').next()?;
        Some(start + indentation.find('\t')? - line_start)
    })
}

/// Where `needle` stands outside quotes and comments.
fn unquoted(line: &str, needle: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if line[at..].starts_with(needle) => return Some(at),
            None if c == '#' && before == ' ' => return None,
            // A quote inside a word is an apostrophe.
            None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => quote = Some(c),
            _ => {}
        }
        before = c;
    }
    None
}
