//! The lines of a draft: pairs, items and comments, each as deep as it stands.

use super::scalar::{comment, scalar};

/// How long a line of a comment may be.
const WIDTH: usize = 118;

/// Lines so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    /// A line as it stands.
    pub(super) fn put(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.push_str(&"  ".repeat(self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// A key, and text that is its value.
    pub(super) fn pair(&mut self, key: &str, text: &str) {
        self.put(&format!("{}: {}", scalar(key), scalar(text)));
    }

    /// Why, before what it is about.
    pub(super) fn say(&mut self, why: &str) {
        let most = WIDTH.saturating_sub(2 * self.depth);
        let mut line = String::from("#");
        for word in comment(why).split_whitespace() {
            if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > most {
                self.put(&line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.put(&line);
    }

    /// A key or an item, and what stands in it.
    pub(super) fn inside(&mut self, heading: &str, lines: impl FnOnce(&mut Self)) {
        self.put(heading);
        self.depth += 1;
        lines(self);
        self.depth -= 1;
    }

    /// A step: why, its id and kind, and what that kind is told.
    pub(super) fn step(&mut self, why: &str, id: &str, uses: &str, with: impl FnOnce(&mut Self)) {
        self.say(why);
        self.bare(id, uses, with, |_| ());
    }

    /// The same without why: a signal, or a step with something beside its `with`.
    pub(super) fn bare(
        &mut self,
        id: &str,
        uses: &str,
        with: impl FnOnce(&mut Self),
        beside: impl FnOnce(&mut Self),
    ) {
        self.inside(&format!("- id: {id}"), |lines| {
            lines.put(&format!("uses: {uses}"));
            lines.inside("with:", with);
            beside(lines);
        });
    }

    /// All of them.
    pub(super) fn text(self) -> String {
        self.text
    }
}
