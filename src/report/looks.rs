//! How text looks: colours and signs, both optional. No fact is carried by a colour or a sign alone.

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Colours may be used.
    pub colour: bool,
    /// Only ASCII may be used.
    pub ascii: bool,
}

/// What a piece of text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// It went well.
    Good,
    /// It went wrong, or needs a human.
    Bad,
    /// It deserves a look.
    Warn,
    /// It is being done now.
    Busy,
    /// Of less interest.
    Dim,
    /// A heading.
    Strong,
}

impl Looks {
    /// Colours text, if colours may be used.
    #[must_use]
    pub fn tint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warn => "33",
            Tone::Busy => "36",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        if self.colour && !code.is_empty() && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// `→`, where it can be shown.
    #[must_use]
    pub fn arrow(self) -> &'static str {
        if self.ascii { "->" } else { "→" }
    }

    /// Between two parts of one line.
    #[must_use]
    pub fn dot(self) -> &'static str {
        if self.ascii { "-" } else { "·" }
    }

    /// Text as it may be shown: control characters never, other than ASCII only where it can be. What others wrote
    /// (a server's body, a record's value) must not steer the terminal.
    #[must_use]
    pub fn safe(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' | '\t' => out.push(' '),
                c if c.is_control() => out.push('?'),
                '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('?'),
                '→' if self.ascii => out.push_str("->"),
                '…' if self.ascii => out.push_str("..."),
                '·' | '–' | '—' if self.ascii => out.push('-'),
                '≤' if self.ascii => out.push_str("<="),
                '≥' if self.ascii => out.push_str(">="),
                c if self.ascii && !c.is_ascii() => out.push('?'),
                c => out.push(c),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_not_steer_the_terminal() {
        let looks = Looks { colour: true, ascii: false };
        assert_eq!(looks.safe("a\u{1b}[2Jb\nc\u{202e}d → é"), "a?[2Jb c?d → é");
        let ascii = Looks { ascii: true, ..looks };
        assert_eq!(ascii.safe("a → é…"), "a -> ?...");
    }

    #[test]
    fn colours_are_optional() {
        assert_eq!(Looks { colour: false, ascii: false }.tint(Tone::Bad, "x"), "x");
        assert_eq!(Looks { colour: true, ascii: false }.tint(Tone::Bad, "x"), "\u{1b}[1;31mx\u{1b}[0m");
    }
}
