//! The page of each code: `explain SW1003` prints it.

/// Code and page, in order.
const PAGES: &[(&str, &str)] = &[];

/// All codes, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// The page of a code, in Markdown; its first line is the heading. Letter case does not matter.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code.trim())).map(|(_, page)| *page)
}
