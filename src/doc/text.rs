//! Bytes to text: what a plan's file may be made of.

use super::Sources;
use crate::plan::{Code, Problems, Span};

/// The largest file, in bytes.
const LARGEST: usize = 1024 * 1024;
const UNREADABLE: Code = Code("SW1014");

/// Takes a file among the sources. `None` if it is no text that can be parsed; the problems say why.
pub(super) fn take(
    name: &str,
    bytes: &[u8],
    plan: bool,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<u16> {
    let whole = |file| Span { file, start: 0, end: 0 };
    if bytes.len() > LARGEST {
        let file = sources.add(name, "", plan);
        let message = format!("{} bytes are too many: a plan has at most 1 MiB", bytes.len());
        problems.error(Code("SW1011"), whole(file), message);
        return None;
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let file = sources.add(name, "", plan);
        problems.error(UNREADABLE, whole(file), "this file is UTF-16").help("save it as UTF-8");
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let file = sources.add(name, &good, plan);
            let end = u32::try_from(good.len()).unwrap_or(u32::MAX);
            let message = format!("byte {} is not UTF-8 text", error.valid_up_to() + 1);
            problems.error(UNREADABLE, Span { file, start: end, end }, message).help("save it as UTF-8");
            return None;
        }
    };
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    if let Some(at) = text.find(control) {
        let file = sources.add(name, &text[..at], plan);
        let end = u32::try_from(at).unwrap_or(u32::MAX);
        let code = text[at..].chars().next().map_or(0, u32::from);
        let message = format!("control character {code:#04x}: this is not a text file");
        problems.error(UNREADABLE, Span { file, start: end, end }, message);
        return None;
    }
    Some(sources.add(name, text, plan))
}
