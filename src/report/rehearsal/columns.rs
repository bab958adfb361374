//! Text of a width: paragraphs, and tables that become lists where there is no room for them.

use crate::report::{Looks, Tone};

/// The narrowest page that is written for.
const NARROW: usize = 32;
/// Wider lines are no easier to read.
const WIDE: usize = 100;

/// A page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    width: usize,
    pub(super) looks: Looks,
}

impl Page {
    /// As wide as the terminal, within reason.
    pub(super) fn new(width: usize, looks: Looks) -> Self {
        Self { width: width.clamp(NARROW, WIDE), looks }
    }

    /// Lines of words: the first begins with `first`, the others are indented as far.
    pub(super) fn paragraph(self, first: &str, text: &str) -> Vec<String> {
        let indent = first.chars().count();
        self.hanging(first, indent, text)
    }

    /// Lines of words: the first begins with `first`, the others with `indent` blanks.
    pub(super) fn hanging(self, first: &str, indent: usize, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = first.to_owned();
        let mut empty = true;
        for word in self.looks.safe(text).split_whitespace() {
            let needed = line.chars().count() + usize::from(!empty) + word.chars().count();
            if !empty && needed > self.width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        lines.push(line.trim_end().to_owned());
        lines
    }

    /// A table with its heading; the first column is to the left, the others to the right. What does not fit is written
    /// as a list, without what is nothing.
    pub(super) fn table(self, heading: &str, head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
        let widths = widths(heading, head, rows);
        let gap = [2, 1].into_iter().find(|gap| {
            let columns: usize = widths.iter().skip(1).map(|width| width + gap).sum();
            widths[0] + columns <= self.width
        });
        let Some(gap) = gap else { return self.list(heading, head, rows) };
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).enumerate().map(|(place, (cell, width))| match place {
                0 => format!("{cell:width$}"),
                _ => format!("{:gap$}{cell:>width$}", ""),
            });
            padded.collect::<String>().trim_end().to_owned()
        };
        let first = line(&mut std::iter::once(heading).chain(head.iter().copied()));
        let mut lines = vec![self.looks.tint(Tone::Strong, &first)];
        lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        lines
    }

    fn list(self, heading: &str, head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
        let mut lines = vec![self.looks.tint(Tone::Strong, heading)];
        for row in rows {
            let Some((name, cells)) = row.split_first() else { continue };
            lines.push(name.clone());
            let told = head.iter().zip(cells).filter(|(_, cell)| !matches!(cell.as_str(), "0" | "-" | ""));
            let told: Vec<String> = told.map(|(head, cell)| format!("{head} {cell}")).collect();
            if !told.is_empty() {
                lines.extend(self.paragraph("  ", &told.join(", ")));
            }
        }
        lines
    }
}

fn widths(heading: &str, head: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let long = |place: usize, name: &str| {
        let cells = rows.iter().filter_map(|row| row.get(place));
        cells.map(|cell| cell.chars().count()).fold(name.chars().count(), usize::max)
    };
    std::iter::once(long(0, heading))
        .chain(head.iter().enumerate().map(|(place, name)| long(place + 1, name)))
        .collect()
}
