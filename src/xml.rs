//! As much XML as AWS's query and REST protocols need: elements and text, no attributes read, no entities of one's own.

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name, without prefix.
    pub(crate) name: String,
    /// The text in it.
    pub(crate) text: String,
    /// The elements in it.
    pub(crate) children: Vec<Element>,
}

/// How deep elements may be nested.
const DEPTH: usize = 32;

impl Element {
    /// The document's element.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim_start_matches('\u{feff}');
        let mut open: Vec<Self> = Vec::new();
        loop {
            let Some(at) = rest.find('<') else { return Err("the document ends too early".into()) };
            if let Some(parent) = open.last_mut() {
                parent.text.push_str(&unescaped(&rest[..at])?);
            }
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.split_once("-->").ok_or("a comment does not end")?.1;
                continue;
            }
            let (tag, after) = rest.split_once('>').ok_or("a tag does not end")?;
            rest = after;
            if tag.starts_with('?') {
                continue;
            }
            if tag.starts_with('!') {
                return Err("document types are not taken".into());
            }
            let name = |tag: &str| {
                let whole = tag.split_whitespace().next().unwrap_or_default();
                whole.rsplit(':').next().unwrap_or_default().to_owned()
            };
            let closed = if let Some(ended) = tag.strip_prefix('/') {
                let element = open.pop().ok_or("an end without a start")?;
                if element.name != name(ended) {
                    return Err(format!("`{}` is ended by `{}`", element.name, name(ended)));
                }
                Some(element)
            } else if let Some(empty) = tag.strip_suffix('/') {
                Some(Self { name: name(empty), ..Self::default() })
            } else {
                if open.len() >= DEPTH {
                    return Err("too deep".into());
                }
                open.push(Self { name: name(tag), ..Self::default() });
                None
            };
            if let Some(element) = closed {
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
        }
    }

    /// The first element of this name in it.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of this name in it.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('&');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (entity, after) = part.split_once(';').ok_or("an `&` without `;`")?;
        let number = entity.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => number.and_then(char::from_u32).ok_or_else(|| format!("`&{entity};` is not known"))?,
        });
        out.push_str(after);
    }
    Ok(out)
}

/// Writes elements one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer(String);

impl Writer {
    /// Opens an element, runs `inside`, closes it.
    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend(["<", name, ">"]);
        inside(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.element(name, |w| w.0.push_str(&escaped(text)))
    }

    /// As a document whose element is in a namespace.
    pub(crate) fn document(root: &str, namespace: &str, inside: impl FnOnce(&mut Self)) -> String {
        let mut writer =
            Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">"));
        inside(&mut writer);
        writer.0 + &format!("</{root}>")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::inputs;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(inputs())]

        #[test]
        fn any_text_is_read_as_it_was_written_but_for_space_around_it(text in any::<String>()) {
            let document = Writer::document("A", "urn:x", |w| {
                w.text("B", &text);
            });
            let read = Element::parse(&document).unwrap();
            prop_assert_eq!(read.text_of("B"), Some(text.trim()));
        }

        #[test]
        fn no_document_is_too_strange(text in any::<String>(), tags in r#"[<>/!?&;#x0-9a-b= "-]{0,40}"#) {
            let _ = (Element::parse(&text), Element::parse(&tags));
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = Writer::document("A", "urn:x", |w| {
            w.text("B", "1 < 2 & \"3\"").element("C", |w| {
                w.text("D", "");
            });
        });
        let read = Element::parse(&text).unwrap();
        assert_eq!(read.text_of("B"), Some("1 < 2 & \"3\""));
        assert_eq!(read.child("C").and_then(|c| c.text_of("D")), Some(""));
    }

    #[test]
    fn hostile_documents_are_refused() {
        for text in ["", "<a", "<a><b></a>", "<!DOCTYPE a><a/>", "</a>", "<a>&x;</a>", &"<a>".repeat(100)] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }
}
