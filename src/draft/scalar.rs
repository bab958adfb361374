//! Text as a value of YAML, on one line and outside of brackets.

/// Words that other readers of YAML (1.1) take for yes and no.
const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];

/// The text, quoted where a reader would take it for something else.
pub(super) fn scalar(text: &str) -> String {
    // JSON is YAML: what no plain or single-quoted line can hold, it can.
    let json = || serde_json::Value::from(text).to_string();
    if WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return json();
    }
    match serde_yaml::to_string(text) {
        Ok(line) if line.trim_end_matches('\n').lines().count() == 1 => line.trim_end_matches('\n').into(),
        _ => json(),
    }
}

/// The text, as a part of a comment.
pub(super) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_taken_for_something_else_is_quoted() {
        for (text, expected) in [
            ("app", "app"),
            ("aep-prod", "aep-prod"),
            ("a.example.com:443", "a.example.com:443"),
            ("no", "\"no\""),
            ("Off", "\"Off\""),
            ("1e3", "'1e3'"),
            ("012345678901", "'012345678901'"),
            ("~", "'~'"),
            ("", "''"),
            ("@", "'@'"),
            ("*.wild", "'*.wild'"),
            ("a #b", "'a #b'"),
            ("#b", "'#b'"),
            ("a: b", "'a: b'"),
            ("it's", "it's"),
            ("\\052.app", "\\052.app"),
            ("two\nlines", "\"two\\nlines\""),
        ] {
            assert_eq!(scalar(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_comment_ends_with_its_line() {
        assert_eq!(comment("a\nsteps: []\r\u{7f}"), "a steps: []  ");
    }
}
