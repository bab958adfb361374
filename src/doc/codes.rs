//! The page of each code: `explain SW1003` prints it.
//!
//! `SW1…` are mistakes of the language, `SW2…` of one kind of step or signal, `SW3…` lints: the plan runs all the same;
//! `SW4…` are findings of a preview.

macro_rules! page {
    ($code:literal) => {
        ($code, include_str!(concat!("codes/", $code, ".md")))
    };
}

/// Code and page, in order.
const PAGES: &[(&str, &str)] = &[
    page!("SW1001"),
    page!("SW1002"),
    page!("SW1003"),
    page!("SW1004"),
    page!("SW1005"),
    page!("SW1006"),
    page!("SW1007"),
    page!("SW1008"),
    page!("SW1009"),
    page!("SW1010"),
    page!("SW1011"),
    page!("SW1012"),
    page!("SW1013"),
    page!("SW1014"),
    page!("SW1015"),
    page!("SW1016"),
    page!("SW1017"),
    page!("SW1018"),
    page!("SW1019"),
    page!("SW1020"),
    page!("SW1021"),
    page!("SW1022"),
    page!("SW1023"),
    page!("SW1024"),
    page!("SW1025"),
    page!("SW1026"),
    page!("SW1027"),
    page!("SW1028"),
    page!("SW1029"),
    page!("SW1030"),
    page!("SW1031"),
    page!("SW1032"),
    page!("SW1033"),
    page!("SW1034"),
    page!("SW1035"),
    page!("SW2001"),
    page!("SW2002"),
    page!("SW2003"),
    page!("SW2004"),
    page!("SW2006"),
    page!("SW2007"),
    page!("SW2008"),
    page!("SW2009"),
    page!("SW2010"),
    page!("SW2011"),
    page!("SW2012"),
    page!("SW2013"),
    page!("SW2014"),
    page!("SW2016"),
    page!("SW2017"),
    page!("SW2026"),
    page!("SW2030"),
    page!("SW2031"),
    page!("SW2032"),
    page!("SW2033"),
    page!("SW2034"),
    page!("SW2035"),
    page!("SW2036"),
    page!("SW2037"),
    page!("SW2038"),
    page!("SW2039"),
    page!("SW2040"),
    page!("SW2041"),
    page!("SW3001"),
    page!("SW3002"),
    page!("SW3003"),
    page!("SW3004"),
    page!("SW3005"),
    page!("SW3006"),
    page!("SW3007"),
    page!("SW3008"),
    page!("SW3009"),
    page!("SW3010"),
    page!("SW3011"),
    page!("SW4001"),
];

/// All codes, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// The page of a code, in Markdown; its first line is the heading. Letter case does not matter.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code.trim())).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests;
